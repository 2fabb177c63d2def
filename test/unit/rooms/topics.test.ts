import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  createTopicIndex,
  isTopic,
  isTopicPattern,
  topicMatcher,
} from '../../../server/rooms/requests/topics.ts';

const level = fc.constantFrom('a', 'b', 'c');
const topicLevels = fc.array(level, { minLength: 1, maxLength: 5 });
const patternLevels = fc
  .tuple(fc.array(fc.oneof(level, fc.constant('+')), { minLength: 1, maxLength: 5 }), fc.boolean())
  .map(([levels, open]) => (open ? [...levels, '#'] : levels));

/** The rule, written the long way. */
function matches(pattern: readonly string[], topic: readonly string[]): boolean {
  const [first, ...rest] = pattern;
  if (first === '#') return true;
  if (first === undefined) return topic.length === 0;
  const [given, ...others] = topic;
  return given !== undefined && (first === '+' || first === given) && matches(rest, others);
}

describe('topics', () => {
  it('[WS-4] patterns match as the rule says, alone and in an index', () => {
    fc.assert(
      fc.property(fc.array(patternLevels, { maxLength: 8 }), topicLevels, (patterns, topic) => {
        const index = createTopicIndex<string>();
        const texts = new Set(patterns.map((levels) => levels.join('.')));
        for (const text of texts) index.set(text, text);
        const wanted = [...texts].filter((text) => matches(text.split('.'), topic)).sort();
        assert.deepEqual(index.match(topic.join('.')).sort(), wanted);
        assert.deepEqual([...texts].filter((text) => topicMatcher(text)(topic.join('.'))).sort(), wanted);
        for (const text of texts) index.delete(text);
        assert.equal(index.size, 0);
      }),
    );
  });

  it('[WS-4] wildcards are whole levels, and # only the last', () => {
    for (const good of ['a', 'a.b', '+', '#', '+.a', 'a.+.b', 'a.#', '+.#', 'a b', 'ü', '__proto__']) {
      assert.ok(isTopicPattern(good), good);
    }
    for (const bad of [
      '',
      '.',
      'a.',
      '.a',
      'a..b',
      '#.a',
      'a.#.b',
      'a+',
      '+a',
      'a#',
      '++',
      'a\n',
      7,
      null,
      undefined,
    ]) {
      assert.ok(!isTopicPattern(bad), String(bad));
    }
    assert.ok(isTopic('a.b') && !isTopic('a.+') && !isTopic('#'));
  });

  it('[WS-4] a wildcard in the first level does not see system topics', () => {
    for (const pattern of ['#', '+.error', '+.#']) assert.equal(topicMatcher(pattern)('system.error'), false);
    assert.equal(topicMatcher('system.#')('system.error'), true);
  });
});

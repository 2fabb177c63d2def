import assert from 'node:assert/strict';
import fc from 'fast-check';
import { createTopicIndex, isTopic, isTopicPattern } from '../../../server/rooms/topics.ts';
import { cheapest } from '../../support/cheapest.ts';

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
  it('[WS-4] an index finds the patterns that match as the rule says, also when others have been taken out', () => {
    fc.assert(
      fc.property(fc.array(patternLevels, { maxLength: 8 }), topicLevels, (patterns, topic) => {
        const index = createTopicIndex<string>();
        const texts = new Set(patterns.map((levels) => levels.join('.')));
        const gone = [...texts].filter((_text, at) => at % 3 === 2);
        for (const text of texts) index.set(text, text);
        for (const text of gone) {
          index.delete(text);
          texts.delete(text);
        }
        const wanted = [...texts].filter((text) => matches(text.split('.'), topic)).sort();
        assert.deepEqual(index.match(topic.join('.')).sort(), wanted);
        assert.deepEqual([...index.entries()].map(([text]) => text).sort(), [...texts].sort());
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
    const index = createTopicIndex<string>();
    for (const pattern of ['#', '+', '+.error', '+.#', 'system.#', 'system.+', 'system.error', 'systems.#'])
      index.set(pattern, pattern);
    assert.deepEqual(index.match('system.error').sort(), ['system.#', 'system.+', 'system.error']);
    assert.deepEqual(index.match('system'), ['system.#']);
    assert.deepEqual(index.match('systems').sort(), ['#', '+', '+.#', 'systems.#']);
  });

  it('[WS-4] levels that look like wildcards, as rooms of other dialects may have, are found once', () => {
    const index = createTopicIndex<string>();
    for (const pattern of ['#', '+.#', 'a.+', 'a.#']) index.set(pattern, pattern);
    for (const topic of ['a.+', 'a.#', 'a.c#'])
      assert.deepEqual(index.match(topic).sort(), ['#', '+.#', 'a.#', 'a.+'], topic);
    assert.deepEqual(index.match('#').sort(), ['#', '+.#']);
  });

  it('[WS-4] what matches is found among 20 000 patterns in no time', () => {
    const index = createTopicIndex<number>();
    for (let n = 0; n < 20_000; n += 1) index.set(`topic.${n}.#`, n);
    const ms = cheapest(() => {
      for (let n = 0; n < 1000; n += 1) assert.deepEqual(index.match(`topic.${n}.here`), [n]);
    });
    // One by one they took 10 s.
    assert.ok(ms < 1000, `${ms} ms`);
  });
});

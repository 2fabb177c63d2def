import assert from 'node:assert/strict';
import fc from 'fast-check';
import { isUnsafe, sanitize, stripAnsi } from '../../server/logs/ansi.ts';

describe('escape sequences', () => {
  const cases: [title: string, raw: string, plain: string][] = [
    ['colours', '\u001b[1;31mred\u001b[0m and \u001b[38;2;1;2;3mtrue colour\u001b[m', 'red and true colour'],
    ['cursor and screen', 'a\u001b[2J\u001b[10;20Hb\u001b[?25lc', 'abc'],
    [
      'titles and links (OSC)',
      '\u001b]0;title\u0007a\u001b]8;;http://x\u001b\\link\u001b]8;;\u001b\\',
      'alink',
    ],
    ['device strings (DCS, PM, APC)', 'a\u001bPq#0\u001b\\b\u001b^x\u001b\\c\u001b_y\u001b\\d', 'abcd'],
    ['two-character sequences', 'a\u001bcb\u001b(Bc\u001b=d', 'abcd'],
    ['8-bit controls', 'a\u009b31mb\u009d0;t\u0007c', 'abc'],
    ['unfinished ones', 'a\u001b[31', 'a'],
    ['a string that never ends', 'a\u001b]0;still text', 'a0;still text'],
    ['a lone escape', 'a\u001b', 'a'],
    ['none', 'plain [31m text', 'plain [31m text'],
  ];
  for (const [title, raw, plain] of cases) {
    it(`are removed: ${title}`, () => assert.equal(stripAnsi(raw), plain));
  }

  it('and all that acts on a viewer are neutralised by sanitize', () => {
    assert.equal(
      sanitize('a\u0000b\u001b[31mc\rd\u202ee\u0085f\u007f'),
      'a\u2400bc\u240dd<U+202E>e<U+0085>f\u2421',
    );
    assert.equal(sanitize('tab\tline\nboth\r\nℹ️ 👨‍👩‍👧 é'), 'tab\tline\nboth\r\nℹ️ 👨‍👩‍👧 é');
  });

  it('sanitize leaves nothing to neutralise and changes nothing else', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const clean = sanitize(text);
        assert.ok(!isUnsafe(clean.replaceAll('\r\n', '\n')));
        if (!isUnsafe(text)) assert.equal(clean, text);
        assert.equal(sanitize(clean), clean);
      }),
      { numRuns: 5000 },
    );
  });
});

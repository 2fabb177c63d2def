import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  formatMbHeader,
  MB_ACTIONS,
  MB_HEADER_MAX,
  MB_TIMEOUT_MAX_MS,
  type MbHeader,
  parseMbHeader,
  salvageMbHeader,
} from '../../shared/mb.ts';
import { cheapest } from '../support/cheapest.ts';

const ID = '0f8fad5b-d9cb-469f-a165-70867728950e';
const PARENT = '7c9e6679-7425-40de-944b-e07fc1f90ae7';

const topic = fc
  .string({ unit: 'binary', minLength: 1, maxLength: 200 })
  .filter((text) => formatMbHeader({ action: 'publish', topic: text, version: '1.0.0' }).length < 900);
const seasoned = fc.array(fc.constantFrom('a', '%', '3', 'A', ':', '2', '5', '.', '+', 'ü'), {
  minLength: 1,
  maxLength: 60,
});

describe('the header of the Message Broker', () => {
  it('[WS-4] what is written is read again, whatever the topic', () => {
    fc.assert(
      fc.property(
        fc.record<MbHeader, 'action' | 'topic' | 'version'>(
          {
            action: fc.constantFrom(...MB_ACTIONS),
            topic: fc.oneof(
              topic,
              seasoned.map((parts) => parts.join('')),
            ),
            version: fc.constantFrom('1.0.0', '0.0.1', '10.20.30', '1.0.0-rc.1'),
            requestId: fc.uuid(),
            parentRequestId: fc.uuid(),
            timeout: fc.integer({ min: 1, max: MB_TIMEOUT_MAX_MS }),
          },
          { requiredKeys: ['action', 'topic', 'version'] },
        ),
        (header) => {
          const isWhole =
            (header.action === 'publish' || header.requestId !== undefined) &&
            (header.action !== 'response' || header.parentRequestId !== undefined);
          const parsed = parseMbHeader(formatMbHeader(header));
          if (isWhole) assert.deepEqual(parsed, { ok: true, header: { ...header } });
          else assert.equal(parsed.ok, false);
        },
      ),
    );
  });

  it('[WS-4] any text at all is read or refused, and never throws', () => {
    const piece = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 20 }),
      fc.constantFrom(...MB_ACTIONS, ':', '1.0.0', ID, '5000', '%3A', '\n', '__proto__'),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        for (const line of [pieces.join(''), pieces.join(':')]) {
          const parsed = parseMbHeader(line);
          salvageMbHeader(line);
          // What is accepted says the same when it is written again.
          if (parsed.ok) assert.deepEqual(parseMbHeader(formatMbHeader(parsed.header)), parsed);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('[WS-4] reads the forms of the document', () => {
    const read = (line: string) => {
      const parsed = parseMbHeader(line);
      return parsed.ok ? parsed.header : parsed.fault;
    };
    const base = { topic: 'a.b', version: '1.0.0' };
    assert.deepEqual(read('publish:a.b:1.0.0'), { action: 'publish', ...base });
    assert.deepEqual(read(`publish:a.b:1.0.0:${ID}`), { action: 'publish', ...base, requestId: ID });
    const request = { action: 'request', ...base, requestId: ID };
    // In the sender's own spelling, for answers that it will know again.
    const upper = ID.toUpperCase();
    assert.deepEqual(read(`request:a.b:1.0.0:${upper}`), { ...request, requestId: upper });
    const built = { ...base, version: '1.0.0-rc.1+build.5' };
    assert.deepEqual(read('publish:a.b:1.0.0-rc.1+build.5'), { action: 'publish', ...built });
    const full = { ...request, parentRequestId: PARENT, timeout: 2000 };
    assert.deepEqual(read(`request:a.b:1.0.0:${ID}:${PARENT}:2000`), full);
    assert.deepEqual(read(`request:a.b:1.0.0:${ID}::2000`), { ...request, timeout: 2000 });
    assert.deepEqual(read(`request:a.b:1.0.0:${ID}:2000`), { ...request, timeout: 2000 });
    for (const [line, fault] of [
      ['', 'header'],
      ['publish:a', 'header'],
      [`request:a:1.0.0:${ID}:${PARENT}:1:1`, 'header'],
      [`publish:${'a'.repeat(MB_HEADER_MAX)}:1.0.0`, 'header'],
      ['Publish:a:1.0.0', 'action'],
      [' publish:a:1.0.0', 'action'],
      ['publish::1.0.0', 'topic'],
      ['publish:a:1', 'version'],
      ['publish:a:01.0.0', 'version'],
      ['publish:a:1.0.0 ', 'version'],
      ['publish:a:1.0.0\r', 'version'],
      [`publish:a:1.0.0:${ID}x`, 'requestId'],
      ['request:a:1.0.0', 'requestId'],
      [`response:a:1.0.0:${ID}`, 'parentRequestId'],
      [`request:a:1.0.0:${ID}:x`, 'parentRequestId'],
      [`request:a:1.0.0:${ID}::0`, 'timeout'],
      [`request:a:1.0.0:${ID}::1e3`, 'timeout'],
      [`request:a:1.0.0:${ID}::${MB_TIMEOUT_MAX_MS + 1}`, 'timeout'],
    ] as const) {
      assert.equal(read(line), fault, line.slice(0, 80));
    }
  });

  it('[WS-4] the id of a malformed header is found where it has one', () => {
    assert.deepEqual(salvageMbHeader(`fly:a:no:${ID}:more:and:more`), { requestId: ID, topic: 'a' });
    assert.deepEqual(salvageMbHeader(`fly::no:${ID}`), { requestId: ID, topic: 'system.error' });
    assert.equal(salvageMbHeader('fly:a:no:id'), null);
    assert.equal(salvageMbHeader(''), null);
  });

  it('a long hostile header costs little', () => {
    const lines = [':'.repeat(1_000_000), '%3'.repeat(500_000), `publish:${'%25'.repeat(300_000)}:1.0.0`];
    const ms = cheapest(() => {
      for (const line of lines) {
        parseMbHeader(line);
        salvageMbHeader(line);
      }
    });
    assert.ok(ms < 200, `${ms} ms`);
  });
});

import assert from 'node:assert/strict';
import fc from 'fast-check';
import { localError } from '../../client/errors.ts';
import { createLogBuffer } from '../../client/log-buffer.ts';
import { compileFilter, type LogFilter } from '../../client/log-filter.ts';
import { completeEntry, type LogItem } from '../../client/log-item.ts';
import type { LogStream, LogStreamSnapshot } from '../../client/log-stream.ts';
import { createLogView } from '../../client/log-view.ts';
import { LEVELS, type LogEntry } from '../../shared/log-entry.ts';

/** A stream without a gateway: a buffer that a test writes. */
function bufferStream(capacity: number) {
  const buffer = createLogBuffer({ capacity });
  const listeners = new Set<() => void>();
  let snapshot: LogStreamSnapshot | null = null;
  let next = 1;
  let life = 0;
  const stream: LogStream = {
    service: 'execution',
    get() {
      if (snapshot?.version !== buffer.version) {
        snapshot = {
          service: 'execution',
          status: 'live',
          error: null,
          items: buffer.items(),
          counts: buffer.counts(),
          dropped: buffer.dropped,
          cursor: null,
          hasOlder: false,
          loadingOlder: false,
          life,
          version: buffer.version,
        };
      }
      return snapshot;
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async loadOlder() {
      return null;
    },
    async history(query) {
      asked.push(query);
      return answers.shift() ?? { ok: false, error: localError('not_connected') };
    },
    retry() {},
  };
  const asked: object[] = [];
  const answers: Awaited<ReturnType<LogStream['history']>>[] = [];
  return {
    asked,
    answers,
    stream,
    buffer,
    /** What a stream does that has had no viewer for a while, or another session. */
    forget() {
      life += 1;
      buffer.clear();
    },
    write(...entries: Omit<LogEntry, 'id'>[]) {
      buffer.append(entries.map((entry) => ({ id: String(next++), ...entry })));
      for (const listener of listeners) listener();
    },
  };
}

const lines = (items: readonly LogItem[]) =>
  items.map((item) => (item.kind === 'line' ? item.line : item.reason));

describe('client log view', () => {
  it('keeps continuations with what passes, in pieces as at once', () => {
    const { stream, write } = bufferStream(100);
    const view = createLogView(stream, { text: 'boom' });
    view.subscribe(() => {});
    write({ line: 'ERROR boom', level: 'error' });
    write({ line: 'at one', continuation: true }, { line: 'at two', continuation: true });
    write({ line: 'INFO fine', level: 'info' }, { line: 'more', continuation: true });
    write({ line: 'goes boom too', continuation: true }, { line: 'at three', continuation: true });
    const expected = ['ERROR boom', 'at one', 'at two', 'goes boom too'];
    assert.deepEqual(lines(view.get().lines), expected);
    view.setFilter({ text: 'boom' });
    assert.deepEqual(lines(view.get().lines), expected);
    view.setFilter({ text: 'boom', levels: ['error'] });
    assert.deepEqual(lines(view.get().lines), expected.slice(0, 3));
  });

  describe('searching older lines', () => {
    const page = (hasMore: boolean, next: string | undefined, ...found: [string, 'error' | 'info'][]) => ({
      ok: true as const,
      hasMore,
      ...(next === undefined ? {} : { next }),
      entries: found.map(([line, level]) => ({ id: `old-${line}`, line, level })),
    });

    it('asks the host before the oldest line with the filter, and goes on where the page ended', async () => {
      const { stream, write, asked, answers } = bufferStream(100);
      const view = createLogView(stream, { text: 'E', levels: ['error'] });
      write({ line: 'info E', level: 'info' }, { line: 'new E', level: 'error' });
      answers.push(
        page(true, 'x1', ['b E', 'error'], ['not E', 'info']),
        page(true, 'x2'),
        page(false, undefined, ['a E', 'error']),
      );
      await view.searchOlder();
      assert.deepEqual(lines(view.get().lines), ['b E', 'new E']);
      assert.deepEqual(view.get().older, { status: 'idle', error: null, found: 1 });
      await view.searchOlder();
      await view.searchOlder();
      await view.searchOlder();
      assert.deepEqual(lines(view.get().lines), ['a E', 'b E', 'new E']);
      assert.equal(view.get().older.status, 'done');
      const query = { limit: 200, grep: 'E', level: 'error' };
      assert.deepEqual(asked, [
        { ...query, before: '1' },
        { ...query, before: 'x1' },
        { ...query, before: 'x2' },
      ]);
      const seqs = view.get().lines.map((item) => item.seq);
      assert.deepEqual(
        seqs,
        [...new Set(seqs)].sort((a, b) => a - b),
      );
      view.setFilter({ levels: ['error'] });
      assert.deepEqual(lines(view.get().lines), ['new E']);
      assert.equal(view.get().older.status, 'idle');
    });

    it('leaves no hole when lines fall out of the buffer, and says why a search failed', async () => {
      const { stream, write, answers } = bufferStream(3);
      const view = createLogView(stream, { text: 'e' });
      // As a component does.
      view.subscribe(() => view.get());
      write({ line: 'e1' }, { line: 'x' }, { line: 'e2' });
      await view.searchOlder();
      assert.equal(view.get().older.error?.code, 'not_connected');
      answers.push(page(true, 'p', ['e0', 'info']));
      await view.searchOlder();
      assert.equal(view.get().older.error, null);
      write({ line: 'e3' }, { line: 'y' });
      write({ line: 'e4' }, { line: 'e5' });
      assert.deepEqual(lines(view.get().lines), ['e0', 'e1', 'e2', 'e3', 'e4', 'e5']);
    });

    it('shows no older matches with a hole behind them: lines that nobody looked at have come and gone', async () => {
      const { stream, write, answers } = bufferStream(3);
      const view = createLogView(stream, { text: 'e' });
      write({ line: 'e1' });
      view.get();
      answers.push(page(true, 'p', ['e0', 'info']));
      await view.searchOlder();
      assert.deepEqual(lines(view.get().lines), ['e0', 'e1']);
      // All that was seen falls out, and nothing more: nothing is missing.
      write({ line: 'e2' }, { line: 'e3' }, { line: 'e4' });
      assert.deepEqual(lines(view.get().lines), ['e0', 'e1', 'e2', 'e3', 'e4']);
      // In a tab that sleeps nobody looks.
      write({ line: 'e5' }, { line: 'e6' });
      write({ line: 'e7' }, { line: 'e8' });
      assert.deepEqual(lines(view.get().lines), ['e6', 'e7', 'e8']);
      assert.equal(view.get().older.status, 'idle');
    });

    it('keeps nothing of a stream that began anew: no match, no standing picture, no cleared place', async () => {
      const { stream, write, answers, forget } = bufferStream(10);
      const view = createLogView(stream, { text: 'e' });
      write({ line: 'e1' });
      view.get();
      answers.push(page(true, 'p', ['e0', 'info']));
      await view.searchOlder();
      view.pause();
      forget();
      write({ line: 'e9' });
      assert.deepEqual(lines(view.get().lines), ['e9']);
      assert.equal(view.get().paused, false);
      assert.deepEqual(view.get().older, { status: 'idle', error: null, found: 0 });
    });

    it('does nothing without a filter, and forgets an answer that comes for another one', async () => {
      const { stream, write, asked, answers } = bufferStream(100);
      const view = createLogView(stream);
      write({ line: 'e1' });
      await view.searchOlder();
      assert.equal(asked.length, 0);
      view.setFilter({ text: 'e' });
      answers.push(page(false, undefined, ['e0', 'info']));
      const search = view.searchOlder();
      view.setFilter({ text: 'e1' });
      await search;
      assert.deepEqual(lines(view.get().lines), ['e1']);
    });
  });

  it('shows the same as filtering everything anew, whatever happens in between', () => {
    const step = fc.oneof(
      fc.array(
        fc.record({
          level: fc.constantFrom(...LEVELS, null),
          line: fc.constantFrom('alpha', 'beta', 'gamma'),
        }),
        {
          maxLength: 12,
        },
      ),
      fc.constantFrom('filter', 'levels', 'clear', 'reset', 'older'),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), fc.integer({ min: 3, max: 30 }), (steps, capacity) => {
        const { stream, buffer, write } = bufferStream(capacity);
        const view = createLogView(stream);
        let filter: LogFilter = {};
        let floor = Number.NEGATIVE_INFINITY;
        for (const action of steps) {
          if (action === 'filter') filter = { text: 'a', levels: ['info', 'warn'] };
          if (action === 'levels') filter = { text: 'beta' };
          if (Array.isArray(action)) write(...action);
          else if (action === 'filter' || action === 'levels') view.setFilter(filter);
          else if (action === 'reset') buffer.clear();
          else if (action === 'older') buffer.prepend([{ id: 'old', line: 'beta' }]);
          else {
            floor = (buffer.items().at(-1)?.seq ?? 0) + 1;
            view.clear();
          }
          const compiled = compileFilter(filter);
          const expected = buffer
            .items()
            .filter((item) => item.seq >= floor && item.kind === 'line' && compiled.matches(item));
          assert.deepEqual(view.get().lines, expected);
        }
      }),
    );
  });

  it('never hides a line without a level by level chips', () => {
    const { stream, write } = bufferStream(100);
    const view = createLogView(stream, { levels: ['error'] });
    write({ line: 'no level' }, { line: 'debug', level: 'debug' }, { line: 'error', level: 'error' });
    assert.deepEqual(lines(view.get().lines), ['no level', 'error']);
  });

  it('stands still while paused, counts what arrives, and goes on', () => {
    const { stream, write } = bufferStream(4);
    const view = createLogView(stream, { text: 'keep' });
    write({ line: 'keep 1' }, { line: 'other' });
    view.pause();
    const frozen = view.get().lines;
    write({ line: 'keep 2' }, { line: 'other' }, { line: 'keep 3' }, { line: 'keep 4' }, { line: 'keep 5' });
    assert.equal(view.get().lines, frozen);
    assert.equal(view.get().newCount, 3, 'those still in the buffer');
    view.resume();
    assert.deepEqual(lines(view.get().lines), ['keep 3', 'keep 4', 'keep 5']);
    assert.equal(view.get().newCount, 0);
  });

  it('gives the same snapshot until something changes', () => {
    const { stream, write } = bufferStream(10);
    const view = createLogView(stream);
    write({ line: 'a' });
    const first = view.get();
    assert.equal(view.get(), first);
    write({ line: 'b' });
    assert.notEqual(view.get(), first);
  });

  it('brings cleared lines back on request', async () => {
    const { stream, write } = bufferStream(10);
    const view = createLogView(stream);
    write({ line: 'a' }, { line: 'b' });
    view.clear();
    assert.deepEqual(view.get().lines, []);
    assert.equal(view.get().hasOlder, true);
    await view.loadOlder();
    assert.deepEqual(lines(view.get().lines), ['a', 'b']);
  });

  it('says what is wrong with a pattern and shows all lines meanwhile', () => {
    const { stream, write } = bufferStream(10);
    const view = createLogView(stream);
    write({ line: 'a' });
    view.setFilter({ text: '(', regex: true });
    assert.match(view.get().filterError ?? '', /regular expression/i);
    assert.deepEqual(lines(view.get().lines), ['a']);
  });

  it('finds text as written, ignoring case unless the pattern has upper case', () => {
    const line = completeEntry({ id: '1', line: 'Peer a.b lost [x]' }, 1);
    assert.equal(compileFilter({ text: 'peer' }).matches(line), true);
    assert.equal(compileFilter({ text: 'PEER' }).matches(line), false);
    assert.equal(compileFilter({ text: 'a?b' }).matches(line), false);
    assert.equal(compileFilter({ text: '[X]' }).matches(line), false);
    assert.deepEqual(compileFilter({ text: 'e' }).ranges('Peer'), [
      [1, 2],
      [2, 3],
    ]);
    assert.deepEqual(compileFilter({ text: 'x*', regex: true }).ranges('ab'), []);
  });
});

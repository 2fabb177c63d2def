import assert from 'node:assert/strict';
import { createMemoryLeases, createMemoryStreams } from '../../../server/cluster/memory.ts';
import type { StreamHead } from '../../../server/cluster/types.ts';
import { AppError } from '../../../server/core/errors.ts';
import { encodeBatch } from '../../../server/logs/entry.ts';
import { createLogStream, type LogStream, type ViewerSession } from '../../../server/logs/stream.ts';
import type { LogSink, Viewer, ViewerStart } from '../../../server/logs/viewer.ts';
import {
  createFakeJournal,
  FAKE_TARGET,
  type FakeJournal,
  fakeCodec,
  fakeCursor,
  fakeEntries,
  fakeRecord,
  lineNumbers,
  span,
  writeLines,
} from '../../support/fake-journal.ts';
import { createRecordLogger } from '../../support/record-logger.ts';
import { startStopwatch } from '../../support/stopwatch.ts';
import { until } from '../../support/until.ts';

/** More than a connection may have waiting before it is served no more. */
const STUCK_BYTES = 2_000_000;
const NAME = 'node.example/22/ubuntu/execution';

const turn = () => new Promise((resolve) => setImmediate(resolve));
const id = (n: number) => fakeCodec.encode(fakeCursor(n));

function sessionOf(name: string): ViewerSession {
  return {
    id: name,
    target: { ...FAKE_TARGET, credential: { method: 'password', password: `password of ${name}` } },
  };
}

/** A connection that remembers what it was given; `bytes` of it have not been taken. */
interface Sink extends LogSink {
  got: number[];
  /** Size of each delivery. */
  chars: number[];
  gaps: string[];
  failures: AppError[];
  bytes: number;
}

function createSink(): Sink {
  const sink: Sink = {
    got: [],
    chars: [],
    gaps: [],
    failures: [],
    bytes: 0,
    deliver(chunk) {
      sink.got.push(...lineNumbers([...chunk.entries()]));
      sink.chars.push(chunk.body.length);
    },
    gap: ({ reason }) => void sink.gaps.push(reason),
    failed: (error) => void sink.failures.push(error),
    backlog: () => sink.bytes,
    ended() {},
  };
  return sink;
}

describe('the stream of a unit on one instance', () => {
  let journal: FakeJournal;
  let stream: LogStream;
  let store: ReturnType<typeof createMemoryStreams>;
  let leases: ReturnType<typeof createMemoryLeases>;
  /** Passwords that reads were made with, oldest first, and those of the follows that run. */
  let logins: string[];
  let following: string[];
  /** A password that the host takes no more. */
  let refused: string | null;

  beforeEach(() => {
    journal = createFakeJournal({ chunk: 10 });
    store = createMemoryStreams();
    leases = createMemoryLeases();
    logins = [];
    following = [];
    refused = null;
  });
  afterEach(() => stream.stop());

  function open(): LogStream {
    stream = createLogStream({
      name: NAME,
      unit: 'execution',
      store,
      leases,
      codec: fakeCodec,
      logger: createRecordLogger(),
      onEnd() {},
      reader: {
        async *read(target, query, signal) {
          const { credential } = target;
          const login = credential.method === 'password' ? credential.password : '';
          logins.push(login);
          if (login === refused) throw new AppError('auth_failed');
          if (query.follow) following.push(login);
          try {
            yield* journal.reader.read(target, query, signal);
          } finally {
            if (query.follow) following.splice(following.indexOf(login), 1);
          }
        },
      },
    });
    return stream;
  }

  function view(start: ViewerStart, options: { session?: string; bytes?: number } = {}) {
    const sink = createSink();
    sink.bytes = options.bytes ?? 0;
    const viewer: Viewer = stream.view(sessionOf(options.session ?? 'anybody'), sink, start, null);
    viewer.started.catch(() => {});
    return { sink, viewer };
  }

  /** Keeps the stream from being owned here: what it holds is what the test appends. */
  async function ownElsewhere() {
    const lease = await leases.acquire(`log:${NAME}`);
    assert.ok(lease);
    let at: StreamHead = { epoch: '', seq: 0, cursor: null };
    const elsewhere = {
      /** Lines `from`..`to` as one batch. */
      async append(from: number, to: number, padding = '') {
        const message = (n: number) => `line ${n}${padding}`;
        const entries = fakeEntries(span(from, to).map((n) => fakeRecord(n, { message: message(n) })));
        const count = entries.length;
        const cursor = fakeCursor(to);
        const batch = { epoch: at.epoch, firstSeq: at.seq + 1, count, body: encodeBatch(entries), cursor };
        assert.equal(await store.append(NAME, lease, batch), 'ok');
        at = { ...at, seq: at.seq + count, cursor };
      },
      async begin(epoch: string, from: number, to: number) {
        const head = await store.begin(NAME, lease, epoch);
        assert.ok(head !== 'fenced');
        at = head;
        await elsewhere.append(from, to);
      },
    };
    return elsewhere;
  }

  it('[LOG-4] clients that do not read while they catch up keep nobody else from catching up', async () => {
    writeLines(journal, 1000);
    open();
    const stuck = span(1, 8).map((n) => view({ after: id(n) }, { bytes: STUCK_BYTES }));
    await until(() => journal.queries.length >= 4);
    const other = view({ after: id(500) });
    await until(() => other.sink.got.length >= 500);
    assert.deepEqual(other.sink.got, span(501, 1000));
    for (const { sink } of stuck) {
      assert.deepEqual(sink.got, []);
      sink.bytes = 0;
    }
    await until(() => stuck.every(({ sink }) => sink.got.at(-1) === 1000));
    for (const [at, { sink }] of stuck.entries()) assert.deepEqual(sink.got, span(at + 2, 1000));
  });

  it('[LOG-4] [LOG-2] nor the live ones from the lines that a store has lost', async () => {
    writeLines(journal, 1000);
    const elsewhere = await ownElsewhere();
    await elsewhere.begin('first', 901, 910);
    open();
    const live = view({ tail: 1 });
    await until(() => live.sink.got.at(-1) === 910);
    // As many as may read at once, without a pause in which one of them gives its place up.
    const reading = span(1, 8).map((n) => view({ after: id(n) }, { bytes: STUCK_BYTES }));
    await until(() => journal.queries.length >= 4);
    const took = startStopwatch();
    await elsewhere.begin('second', 991, 1000);
    await until(() => live.sink.got.at(-1) === 1000);
    assert.ok(took() < 700, 'it waited for them');
    assert.deepEqual(live.sink.got, span(910, 1000));
    for (const { viewer } of reading) viewer.stop();
  });

  it('[SIO-2] who unsubscribes while it takes nothing is given nothing more', async () => {
    writeLines(journal, 300);
    open();
    const starts: ViewerStart[] = [{ after: id(1) }, { tail: 250 }];
    for (const start of starts) {
      const { sink, viewer } = view(start, { bytes: STUCK_BYTES });
      const reads = journal.queries.length;
      await until(() => journal.queries.length > reads);
      await new Promise((resolve) => setTimeout(resolve, 50));
      viewer.stop();
      for (let n = 0; n < 10; n++) await turn();
      assert.deepEqual(sink.got, []);
    }
  });

  it('[LOG-4] long first lines are given in parts, the newest of them, and never more than 4 MiB together', async () => {
    const long = 'x'.repeat(100_000);
    journal.write(span(1, 300).map((n) => fakeRecord(n, { message: `line ${n} ${long}` })));
    open();
    const { sink, viewer } = view({ tail: 300 });
    await viewer.started;
    await until(() => sink.got.at(-1) === 300);
    const sum = sink.chars.reduce((total, chars) => total + chars, 0);
    assert.ok(sum < 4_194_304, `${sum} characters`);
    assert.ok(Math.max(...sink.chars) < 1_048_576, `${Math.max(...sink.chars)} in one part`);
    assert.ok(sink.got.length >= 20);
    assert.deepEqual(sink.got, span(301 - sink.got.length, 300));
  });

  for (const tail of [0, 5, 10]) {
    it(`[LOG-2] [LOG-4] a client that takes nothing at its start gets its ${tail} first lines and all behind them`, async () => {
      const padding = ' '.padEnd(100_000, 'x');
      journal.write(span(1, 10).map((n) => fakeRecord(n)));
      const elsewhere = await ownElsewhere();
      await elsewhere.begin('first', 1, 10);
      open();
      const watcher = view({ after: id(9) });
      await until(() => watcher.sink.got.at(-1) === 10);
      const slow = view({ tail }, { bytes: STUCK_BYTES });
      await slow.viewer.started;
      // More than an instance keeps of a stream.
      for (let n = 11; n <= 80; n++) {
        journal.write([fakeRecord(n, { message: `line ${n}${padding}` })]);
        await elsewhere.append(n, n, padding);
        await until(() => watcher.sink.got.at(-1) === n);
      }
      assert.deepEqual(slow.sink.got, []);
      slow.sink.bytes = 0;
      await until(() => slow.sink.got.at(-1) === 80);
      assert.deepEqual(slow.sink.got, span(11 - tail, 80));
    });
  }

  it('[SIO-4] a position in front of a gap that the instance knows of is not recovered', async () => {
    writeLines(journal, 100);
    const elsewhere = await ownElsewhere();
    await elsewhere.begin('first', 1, 10);
    open();
    const watcher = view({ after: id(9) });
    await until(() => watcher.sink.got.at(-1) === 10);
    journal.vacuum(50);
    await elsewhere.begin('second', 91, 100);
    await until(() => watcher.sink.got.at(-1) === 100);
    const back = view({ after: id(5) });
    assert.deepEqual(await back.viewer.started, { recovered: false });
    await until(() => back.sink.got.at(-1) === 100);
    assert.deepEqual(back.sink.got, [...span(6, 10), ...span(51, 100)]);
    assert.deepEqual(back.sink.gaps, ['journal_vacuumed']);
    assert.deepEqual(await view({ after: id(60) }).viewer.started, { recovered: true });
  });

  it('[LOG-6] a login whose last viewer has left does not go on reading for others', async () => {
    writeLines(journal, 10);
    open();
    const first = view({ tail: 1 }, { session: 'first' });
    await until(() => following.length === 1);
    assert.deepEqual(following, ['password of first']);
    first.viewer.stop();
    const second = view({ tail: 1 }, { session: 'second' });
    await until(() => following[0] === 'password of second');
    writeLines(journal, 5);
    await until(() => second.sink.got.at(-1) === 15);
    assert.deepEqual(second.sink.got, span(10, 15));
    assert.deepEqual(following, ['password of second']);
  });

  it('[LOG-6] [LOG-2] a login that the host takes no more keeps nobody with another one from old lines', async () => {
    writeLines(journal, 1000);
    const elsewhere = await ownElsewhere();
    await elsewhere.begin('first', 901, 910);
    open();
    refused = 'password of first';
    view({ tail: 1 }, { session: 'first' });
    const live = view({ tail: 1 }, { session: 'second' });
    await until(() => live.sink.got.at(-1) === 910);
    const back = view({ after: id(500) }, { session: 'second' });
    const fresh = view({ tail: 100 }, { session: 'second' });
    assert.deepEqual(await back.viewer.started, { recovered: true });
    await fresh.viewer.started;
    const tries = () => logins.filter((login) => login === refused).length;
    const before = tries();
    await elsewhere.begin('second', 991, 1000);
    for (const { sink } of [live, back, fresh]) await until(() => sink.got.at(-1) === 1000);
    assert.deepEqual(live.sink.got, span(910, 1000));
    assert.deepEqual(back.sink.got, span(501, 1000));
    assert.deepEqual(fresh.sink.got, span(901, 1000));
    assert.deepEqual([...live.sink.failures, ...back.sink.failures, ...fresh.sink.failures], []);
    assert.ok(before > 0);
    assert.equal(tries(), before);
  });

  it('[LOG-5] a page that is loaded again within the linger time costs no second reader', async () => {
    writeLines(journal, 10);
    open();
    const first = view({ tail: 1 });
    await until(() => following.length === 1);
    first.viewer.stop();
    const second = view({ tail: 1 });
    await until(() => second.sink.got.length === 1);
    assert.equal(journal.queries.filter(({ follow }) => follow).length, 1);
  });
});

import assert from 'node:assert/strict';
import { AppError } from '../../../server/core/errors.ts';
import { BaseRoomHandler } from '../../../server/rooms/handlers/base-room-handler.ts';
import {
  type AnyHandler,
  createHooks,
  DELAY_MAX_MS,
  RoomRefusal,
} from '../../../server/rooms/handlers/hooks.ts';
import type { RoomRequest, RoomSocket } from '../../../server/rooms/handlers/types.ts';
import { splitPayload } from '../../../server/rooms/room-message.ts';
import { createRecordLogger } from '../../support/record-logger.ts';

const request: RoomRequest = { path: '/x', query: new URLSearchParams(), headers: {} };
const claims = { clientId: 'a', room: 'x', expiresAt: 2, issuedAt: 1 };
const socket: RoomSocket = {
  id: '1',
  clientId: 'a',
  room: 'x',
  address: '::1',
  metadata: {},
  isControl: false,
  isOpen: true,
  send() {},
  close() {},
};

function hooksOf(handler: AnyHandler, hookMs = 50) {
  const logger = createRecordLogger();
  return { hooks: createHooks(handler, { room: 'x', logger, hookMs }), logger };
}

const never = () => new Promise<never>(() => {});
const fails = () => {
  throw new Error('broken handler');
};
const isInternal = (error: unknown) => error instanceof AppError && error.code === 'internal';

describe('room handlers', () => {
  it('[WS-2] a handler that has nothing is as the base handler', async () => {
    const { hooks, logger } = hooksOf({});
    assert.equal(hooks.requiresAuth, true);
    assert.equal(hooks.messageType, 'message');
    assert.equal(hooks.historyLength, 0);
    assert.equal(await hooks.verifyAuth(claims, request, '::1'), null);
    assert.equal(await hooks.join(socket, request, claims), null);
    assert.deepEqual(await hooks.message({ content: 1 }, socket), {
      payload: { content: 1 },
      replaced: false,
    });
    assert.deepEqual(await hooks.post({ content: 1 }), { payload: { content: 1 }, replaced: false });
    const { time, ...welcome } = (await hooks.welcome(socket, [])) as Record<string, unknown>;
    assert.deepEqual(welcome, { type: 'welcome', message: 'Welcome to x', room: 'x', clientId: 'a' });
    assert.equal(new Date(String(time)).toISOString(), time);
    assert.deepEqual(await hooks.stats([socket]), { clients: 1 });
    assert.deepEqual(hooks.routes(), []);
    assert.equal(await hooks.delay({ room: 'x', payload: {}, source: 'client', metadata: {} }), 0);
    assert.deepEqual(logger.lines, []);
  });

  it('[WS-2] every hook gets its handler as `this` and what the document says', async () => {
    const calls: unknown[][] = [];
    class Spy extends BaseRoomHandler {
      #note = (...call: unknown[]) => void calls.push(call);
      override verifyAuth(...args: unknown[]) {
        this.#note('verifyAuth', ...args);
        return true;
      }
      override onJoin(...args: unknown[]) {
        this.#note('onJoin', ...args);
      }
      override onControlJoin(...args: unknown[]) {
        this.#note('onControlJoin', ...args);
      }
      override onLeave(...args: unknown[]) {
        this.#note('onLeave', ...args);
      }
      override onControlLeave(...args: unknown[]) {
        this.#note('onControlLeave', ...args);
      }
      override validateMessage(...args: unknown[]) {
        this.#note('validateMessage', ...args);
      }
      override onMessage(...args: unknown[]) {
        this.#note('onMessage', ...args);
      }
      override validateHttpPost(...args: unknown[]) {
        this.#note('validateHttpPost', ...args);
      }
      override onHttpPost(...args: unknown[]) {
        this.#note('onHttpPost', ...args);
      }
    }
    const { hooks } = hooksOf(new Spy('x'));
    const control = { ...socket, isControl: true };
    await hooks.verifyAuth(claims, request, '::1');
    await hooks.join(socket, request, claims);
    await hooks.join(control, request, claims);
    await hooks.message({ content: 1 }, socket);
    await hooks.post({ content: 2 });
    hooks.left(socket, 1000, 'bye');
    hooks.left(control, 1001, '');
    assert.deepEqual(calls, [
      ['verifyAuth', claims, request, '::1'],
      ['onJoin', socket, request, '::1', claims],
      ['onControlJoin', control, request, '::1'],
      ['validateMessage', { content: 1 }, socket],
      ['onMessage', { content: 1 }, socket, '::1'],
      ['validateHttpPost', { content: 2 }],
      ['onHttpPost', { content: 2 }],
      ['onLeave', socket, '::1', 1000, 'bye'],
      ['onControlLeave', control, '::1', 1001, ''],
    ]);
  });

  it('[WS-2] nothing and null keep a message, an object replaces it, false drops it', async () => {
    const payload = { content: 1 };
    for (const [result, expected] of [
      [undefined, { payload, replaced: false }],
      [null, { payload, replaced: false }],
      [true, { payload, replaced: false }],
      ['text', { payload, replaced: false }],
      [{ content: 2 }, { payload: { content: 2 }, replaced: true }],
      [Promise.resolve({ content: 3 }), { payload: { content: 3 }, replaced: true }],
      [false, null],
      [Promise.resolve(false), null],
    ] as const) {
      const { hooks } = hooksOf({ onMessage: () => result, onHttpPost: () => result });
      assert.deepEqual(await hooks.message(payload, socket), expected);
      assert.deepEqual(await hooks.post(payload), expected);
    }
  });

  it('[WS-2] {error, code?} refuses a message before onMessage sees it', async () => {
    let seen = 0;
    const { hooks } = hooksOf({
      validateMessage: async ({ content }) =>
        content === 1 ? null : { error: 'must be 1', code: 'not_one' },
      validateHttpPost: () => ({ error: 'no', code: 422 }),
      onMessage: () => {
        seen += 1;
      },
      onHttpPost: () => {
        seen += 1;
      },
    });
    await hooks.message({ content: 1 }, socket);
    await assert.rejects(hooks.message({ content: 2 }, socket), (error) => {
      assert.ok(error instanceof RoomRefusal);
      assert.deepEqual(
        [error.text, error.handlerCode, error.code],
        ['must be 1', 'not_one', 'invalid_request'],
      );
      return true;
    });
    await assert.rejects(
      hooks.post({}),
      (error) => error instanceof RoomRefusal && error.text === 'no' && error.handlerCode === 422,
    );
    assert.equal(seen, 1);
  });

  it('[WS-2] only true, or an object that does not reject, lets a client in', async () => {
    for (const [verdict, code, reason] of [
      [true, null],
      [{ reject: false }, null],
      [{ reject: true, code: 4001, reason: 'Missing clientId' }, 4001, 'Missing clientId'],
      [{ reject: true }, 4004],
      [{ reject: true, code: 1006 }, 4004],
      [{}, 4004],
      [false, 4004],
      [undefined, 4004],
    ] as const) {
      const { hooks } = hooksOf({ verifyAuth: async () => verdict });
      const rejection = await hooks.verifyAuth(claims, request, '::1');
      assert.deepEqual(rejection, code === null ? null : { code, reason }, JSON.stringify(verdict));
    }
    const { hooks } = hooksOf({ onJoin: () => false });
    assert.deepEqual(await hooks.join(socket, request, claims), { code: 4004, reason: undefined });
  });

  for (const [what, broken] of [
    ['throws', fails],
    ['hangs', never],
    ['rejects', async () => fails()],
  ] as const) {
    it(`[WS-2] a hook that ${what} ends only what it was called for, and nobody gets in by it`, async () => {
      const { hooks, logger } = hooksOf({
        verifyAuth: broken,
        onJoin: broken,
        onLeave: broken,
        onControlJoin: broken,
        onMessage: broken,
        onHttpPost: broken,
        getWelcomeMessage: broken,
        getRoomStats: broken,
        onHeartbeat: broken,
        getControlPayload: broken,
        getBroadcastDelay: broken,
        broadcastDelay: 7,
      });
      assert.equal((await hooks.verifyAuth(claims, request, '::1'))?.code, 1011);
      assert.equal((await hooks.join(socket, request, claims))?.code, 1011);
      assert.equal((await hooks.join({ ...socket, isControl: true }, request, claims))?.code, 1011);
      await assert.rejects(hooks.message({}, socket), isInternal);
      await assert.rejects(hooks.post({}), isInternal);
      assert.equal(await hooks.welcome(socket, []), null);
      assert.equal(await hooks.stats([]), null);
      const context = { room: 'x', id: '1', from: 'a', timestamp: 1, content: 1, size: 1 };
      assert.equal(await hooks.controlPayload(context), null);
      assert.equal(await hooks.delay({ room: 'x', payload: {}, source: 'client', metadata: {} }), 7);
      hooks.left(socket, 1000, '');
      hooks.heartbeat();
      assert.ok(logger.lines.length >= 9);
      assert.match(logger.lines.join('\n'), /onMessage/);
    });
  }

  it('[WS-2] routes that fail or are none are no routes', () => {
    assert.deepEqual(hooksOf({ getRoutes: fails }).hooks.routes(), []);
    assert.deepEqual(hooksOf({ getRoutes: () => 'x' as never }).hooks.routes(), []);
  });

  it('[WS-2] a delay is a number of ms within its bounds, else broadcastDelay', async () => {
    const context = { room: 'x', payload: {}, source: 'client', metadata: {} } as const;
    for (const [delay, expected] of [
      [5, 5],
      [-1, 0],
      [Number.POSITIVE_INFINITY, DELAY_MAX_MS],
      [Number.NaN, 3],
      ['9', 3],
    ] as const) {
      const { hooks } = hooksOf({ broadcastDelay: 3, getBroadcastDelay: () => delay as number });
      assert.equal(await hooks.delay(context), expected);
    }
    assert.equal(await hooksOf({ broadcastDelay: 4 }).hooks.delay(context), 4);
    class Slow extends BaseRoomHandler {
      override broadcastDelay = 6;
    }
    assert.equal(await hooksOf(new Slow('x')).hooks.delay(context), 6);
  });
});

describe('what of a room message goes out', () => {
  const kept = (payload: Record<string, unknown>) => ({ payload, replaced: false });

  it('[WS-6] the content, and metadata beside it; other fields of the sender stay behind', () => {
    const payload = { type: 'welcome', content: { a: 1 }, metadata: { m: 1 }, from: 'admin', role: 'x' };
    assert.deepEqual(splitPayload(payload, kept(payload), 'client'), {
      data: { a: 1 },
      extra: { metadata: { m: 1 } },
    });
    assert.deepEqual(splitPayload({ content: null }, kept({ content: null }), 'client'), {
      data: null,
      extra: undefined,
    });
  });

  it('[WS-6] without content: the push as it is, or what a client sent beside type and metadata', () => {
    const payload = { type: 'song', title: 'x' };
    assert.deepEqual(splitPayload(payload, kept(payload), 'server').data, payload);
    assert.deepEqual(splitPayload(payload, kept(payload), 'client').data, { title: 'x' });
  });

  it('[WS-2] what the handler adds goes with it, its type too, but never in the name of the server', () => {
    const payload = { type: 'message', content: 1, from: 'admin', id: '0', timestamp: 0 };
    const same = { ...payload, processed: true };
    assert.deepEqual(splitPayload(payload, { payload: same, replaced: true }, 'client').extra, {
      processed: true,
    });
    const typed = { ...same, type: 'alert' };
    assert.deepEqual(splitPayload(payload, { payload: typed, replaced: true }, 'client').extra, {
      processed: true,
      type: 'alert',
    });
  });
});

import type { Bus } from '../cluster/bus.ts';
import type { Stoppable } from '../core/types.ts';
import type { WireMessage } from './types.ts';

/** What is kept for instances that missed it: at most this many envelopes, and this many characters of payload. */
const KEPT_MAX = 1000;
const KEPT_MAX_CHARS = 8 * 1024 * 1024;
/** How often an instance says how far it is, in ms: so the loss of its last message is noticed, too. */
const HEAD_MS = 1000;
/**
 * A question is repeated after this long, in ms, and this often, as the bus may lose it, too: a cut connection is usually
 * back within 0.1 s. Then the rest goes on without what is missing.
 */
const ASK_EVERY_MS = 200;
const ASKS_MAX = 10;
/** Envelopes of one instance held back meanwhile; beyond it they go on without what is missing. */
const HELD_MAX = 1000;
/** An instance that has said nothing for this long is gone, in ms. */
const FORGET_MS = 60_000;

/** One instance's messages of one turn, numbered without holes. */
interface Envelope {
  seq: number;
  messages: readonly WireMessage[];
}

/** Everything that goes over the topic; `by` is who sends, `to` whom it concerns. */
type Note =
  | ({ type: 'messages'; by: string } & Envelope)
  | { type: 'head'; by: string; seq: number }
  | { type: 'ask'; by: string; to: string; from: number; until: number }
  | { type: 'again'; by: string; to: string; envelopes: Envelope[]; until: number };

/** How far another instance has been followed. */
interface Source {
  next: number;
  /** Arrived behind a hole, by number; waiting for what is missing. */
  held: Map<number, Envelope>;
  timer: NodeJS.Timeout | null;
  heard: number;
}

export interface Relay extends Stoppable {
  /** Sends to every instance; this one has it at once. */
  send(messages: readonly WireMessage[]): void;
}

/**
 * Carries messages between instances and repairs what the bus loses. Pub/sub forgets what is sent while a subscriber's
 * connection is being renewed (50 to 60 of 5000 messages when it is killed, as measured), so envelopes are numbered: who
 * sees a hole asks for it again, and holds back what came behind it, so that order stays.
 */
export function createRelay(deps: {
  bus: Bus;
  instanceId: string;
  onMessages(messages: readonly WireMessage[]): void;
  /** That many turns' messages of another instance are lost for good. */
  onLost?(turns: number): void;
}): Relay {
  const { bus, instanceId, onMessages } = deps;
  const sources = new Map<string, Source>();
  const kept: { envelope: Envelope; chars: number }[] = [];
  let keptChars = 0;
  let seq = 0;

  const say = (note: Note) => bus.publish('rooms', note);

  function keep(envelope: Envelope): void {
    const chars = envelope.messages.reduce((sum, { json }) => sum + json.length, 0);
    kept.push({ envelope, chars });
    keptChars += chars;
    while (kept.length > KEPT_MAX || (keptChars > KEPT_MAX_CHARS && kept.length > 1)) {
      keptChars -= kept.shift()?.chars ?? 0;
    }
  }

  /** Hands on what has no hole before it any more. */
  function advance(source: Source): void {
    for (let envelope = source.held.get(source.next); envelope; envelope = source.held.get(source.next)) {
      source.held.delete(source.next);
      source.next += 1;
      onMessages(envelope.messages);
    }
    if (source.held.size === 0) stopAsking(source);
  }

  function skipTo(source: Source, next: number): void {
    if (next <= source.next) return;
    deps.onLost?.(next - source.next);
    source.next = next;
  }

  function stopAsking(source: Source): void {
    if (source.timer) clearInterval(source.timer);
    source.timer = null;
  }

  /** Goes on without what is missing. */
  function giveUp(source: Source): void {
    stopAsking(source);
    if (source.held.size === 0) return;
    skipTo(source, Math.min(...source.held.keys()));
    advance(source);
  }

  /** @param until the last number known to be missing */
  function askFor(by: string, source: Source, until: number): void {
    if (source.timer) return;
    let asked = 0;
    const ask = () => {
      asked += 1;
      if (asked > ASKS_MAX) giveUp(source);
      else say({ type: 'ask', by: instanceId, to: by, from: source.next, until });
    };
    source.timer = setInterval(ask, ASK_EVERY_MS).unref();
    ask();
  }

  function take(by: string, source: Source, envelope: Envelope): void {
    if (envelope.seq < source.next) return;
    source.held.set(envelope.seq, { seq: envelope.seq, messages: envelope.messages });
    advance(source);
    if (source.held.size > HELD_MAX) giveUp(source);
    else if (source.held.size > 0) askFor(by, source, envelope.seq - 1);
  }

  /** The source of a note; the first one of an instance decides from where on it is followed. */
  function sourceOf(by: string, next: number): Source {
    const source = sources.get(by) ?? { next, held: new Map(), timer: null, heard: 0 };
    source.heard = performance.now();
    sources.set(by, source);
    return source;
  }

  const unlisten = bus.on('rooms', (message) => {
    const note = message as Note;
    if (note.by === instanceId) {
      if (note.type === 'messages') onMessages(note.messages);
      return;
    }
    switch (note.type) {
      case 'messages':
        take(note.by, sourceOf(note.by, note.seq), note);
        break;
      case 'head': {
        const source = sourceOf(note.by, note.seq + 1);
        if (source.next <= note.seq) askFor(note.by, source, note.seq);
        break;
      }
      case 'ask': {
        if (note.to !== instanceId) break;
        const envelopes = kept.map(({ envelope }) => envelope);
        const wanted = envelopes.filter((one) => one.seq >= note.from && one.seq <= note.until);
        say({ type: 'again', by: instanceId, to: note.by, envelopes: wanted, until: note.until });
        break;
      }
      case 'again': {
        const source = note.to === instanceId ? sources.get(note.by) : undefined;
        if (!source) break;
        for (const envelope of note.envelopes) {
          if (envelope.seq >= source.next) source.held.set(envelope.seq, envelope);
        }
        stopAsking(source);
        const before = source.next;
        advance(source);
        if (source.held.size === 0) skipTo(source, note.until + 1);
        else if (source.next === before) giveUp(source);
        else askFor(note.by, source, Math.min(...source.held.keys()) - 1);
      }
    }
  });

  const timer = setInterval(() => {
    say({ type: 'head', by: instanceId, seq });
    const now = performance.now();
    for (const [by, source] of sources) {
      if (now - source.heard > FORGET_MS && source.held.size === 0) sources.delete(by);
    }
  }, HEAD_MS).unref();

  return {
    send(messages) {
      seq += 1;
      const envelope: Envelope = { seq, messages };
      keep(envelope);
      say({ type: 'messages', by: instanceId, ...envelope });
    },
    async stop() {
      clearInterval(timer);
      unlisten();
      for (const source of sources.values()) stopAsking(source);
      sources.clear();
    },
  };
}

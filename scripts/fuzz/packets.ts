import { frame } from './frames.ts';
import { generator, mutator } from './mutate.ts';
import { MESSAGE_SYNTAX, withNastyValue } from './nasty-json.ts';
import { type Outcome, run } from './run.ts';
import { UPGRADED } from './sender.ts';

/** Packets that can be read, on one connection; one that cannot follows, behind which the server hangs up. */
const READABLE = 31;
const TEXT = 0x81;
const BINARY = 0x82;
/** Sent behind the readable ones: its answer says that they were read. */
const LAST = '42777777["leave_room",{"room":"elsewhere"}]';
const LAST_ANSWER = /43777777\[/;

/** Events with their arguments, as clients send them. */
const EVENTS: readonly string[] = [
  '["authenticate","some token"]',
  '["subscribe_logs",{"service":"execution","tail":5,"batch":true}]',
  '["unsubscribe_logs",{"service":"execution"}]',
  '["log_history",{"service":"execution","limit":10,"level":"error","grep":"block"}]',
  '["subscribe_status",{"interval":5000}]',
  '["unsubscribe_status"]',
  '["join_room",{"room":"fuzz","after":"1-1"}]',
  '["leave_room",{"room":"fuzz"}]',
  '["publish_room",{"room":"fuzz","data":{"text":"hello","n":1}}]',
  '["room_presence",{"room":"fuzz"}]',
  '["no_such_event",{"a":[1,2,3]}]',
];

/** Whole Engine.IO messages, to be broken. */
const WHOLE: readonly string[] = [
  '42["subscribe_logs",{"service":"execution"}]',
  '42/other,17["join_room",{"room":"fuzz"}]',
  '40{"token":"x"}',
  '40/other,{"token":"x"}',
  '41',
  '4317[{"ok":true}]',
  '44{"message":"x"}',
  '451-["publish_room",{"room":"fuzz","data":{"_placeholder":true,"num":0}}]',
  '459999999-["x",{"_placeholder":true,"num":1}]',
  '461-17[{"_placeholder":true,"num":0}]',
  '2probe',
  '5',
  '6',
  '1',
  '0{"sid":"x"}',
  'b4AAAA',
];

/**
 * Sends mutated Socket.IO packets to a server.
 *
 * @param count packets, 31 in 32 of them well-formed with nasty arguments
 * @param seed the same seed makes the same packets
 * @throws Error that says what went wrong
 */
export function fuzzPackets(count: number, seed: number, report: (text: string) => void): Promise<Outcome> {
  const random = generator(seed);
  const below = (limit: number) => Math.floor(random() * limit);
  const mutate = mutator(seed + 1, MESSAGE_SYNTAX);
  const pick = (texts: readonly string[]) => texts[below(texts.length)] ?? '';
  const text = (packet: string) => frame(TEXT, Buffer.from(packet), below);

  function readable(): Buffer {
    const event = below(4) === 0 ? pick(EVENTS) : withNastyValue(pick(EVENTS), below);
    // An event must be an array; anything else ends the connection.
    const safe = event.startsWith('["') ? event : pick(EVENTS);
    if (below(10) === 0) {
      const packet = `451-["publish_room",{"room":"fuzz","data":{"_placeholder":true,"num":0}}]`;
      return Buffer.concat([text(packet), frame(BINARY, Buffer.from(safe), below)]);
    }
    return text(`42${below(2) === 0 ? String(below(1000)) : ''}${safe}`);
  }
  function broken(): Buffer {
    const packet = mutate(pick(WHOLE), pick(WHOLE));
    return below(10) === 0 ? frame(BINARY, Buffer.from(packet), below) : text(packet);
  }

  return run(
    {
      room: 'fuzz',
      async prepare(target) {
        const session = await target.login();
        const auths = [JSON.stringify({ token: session }), JSON.stringify({ token: session }), '{}'];
        return () => {
          const auth = below(20) === 0 ? withNastyValue('{"token":"x"}', below) : pick(auths);
          const steps = [
            { after: UPGRADED, bytes: text(`40${auth}`) },
            {
              after: /40\{"sid"|44\{/,
              bytes: Buffer.concat([...Array.from({ length: READABLE }, readable), text(LAST)]),
            },
            { after: LAST_ANSWER, bytes: broken() },
          ];
          const path = '/socket.io/?EIO=4&transport=websocket';
          return { shot: { path, steps }, inputs: READABLE + 1 };
        };
      },
    },
    count,
    report,
  );
}

import { between, chance, hex, pick } from '../random.ts';
import type { Slot } from './chain.ts';
import { clockText, repeat, type ServiceDeps } from './service.ts';

const VERSION = 'version=v1.9';
const RELAYS = ['relay-one.example.org', 'relay-two.example.org', 'relay-three.example.net'] as const;

/** mev-boost's log: logrus key=value lines; quiet but for status checks until a validator of this node proposes. */
export function runMevBoost(deps: ServiceDeps): void {
  const { unit, chain, schedule, random } = deps;

  function say(level: 'info' | 'warning' | 'error', message: string, fields: string): void {
    const { date, time } = clockText(schedule.now());
    const text = /^[\w.-]+$/.test(message) ? message : JSON.stringify(message);
    unit.write(`time="${date}T${time}Z" level=${level} msg=${text} ${fields} ${VERSION}`);
  }

  function sayRequest(method: string, path: string, status: number): void {
    const duration = (0.2 + random() * (path.includes('header') ? 900 : 2)).toFixed(6);
    say(
      'info',
      `http: ${method} ${path} ${status}`,
      `duration=${duration} method=${method} path=${path} status=${status}`,
    );
  }

  function propose(slot: Slot): void {
    const pubkey = `0x${hex(random, 96)}`;
    const place = `parentHash=${slot.parentHash} pubkey=${pubkey} slot=${slot.number}`;
    const uid = `slotUID=${hex(random, 8)}-${hex(random, 4)}-4${hex(random, 3)}-a${hex(random, 3)}-${hex(random, 12)}`;
    say(
      'info',
      `getHeader request start - 160 milliseconds into slot ${slot.number}`,
      `genesisTime=1606824023 method=getHeader msIntoSlot=160 ${place} slotTimeSec=12 ${uid} ua="Lighthouse/v7.1.0"`,
    );
    schedule.after(310, () => {
      const value = (0.01 + random() * 0.2).toFixed(18);
      say(
        'info',
        'best bid',
        `blockHash=${slot.blockHash} blockNumber=${slot.block} method=getHeader ${place} relays=${pick(random, RELAYS)} ${uid} value=${value}`,
      );
      sayRequest('GET', `/eth/v1/builder/header/${slot.number}/${slot.parentHash}/${pubkey}`, 200);
    });
    schedule.after(slot.arrival, () => {
      say(
        'info',
        'received payload from relay',
        `blockHash=${slot.blockHash} method=getPayload slot=${slot.number} ${uid}`,
      );
      sayRequest('POST', '/eth/v1/builder/blinded_blocks', 200);
    });
  }

  chain.onSlot((slot) => {
    schedule.after(between(random, 7_000, 9_000), () => sayRequest('GET', '/eth/v1/builder/status', 200));
    if (slot.ours) schedule.after(160, () => propose(slot));
    if (slot.number % 32 === 3) {
      schedule.after(2_500, () => {
        if (chance(random, 0.25)) {
          say(
            'warning',
            'error calling registerValidator on relay',
            `error="HTTP error response: 502 / bad gateway" method=registerValidator numRegistrations=24 url="https://${pick(random, RELAYS)}/eth/v1/builder/validators"`,
          );
        }
        sayRequest('POST', '/eth/v1/builder/validators', 200);
      });
    }
  });

  repeat(deps, 1_500_000, 4_500_000, () => {
    say(
      'error',
      'relay status error',
      `error="context deadline exceeded" method=status url="https://${pick(random, RELAYS)}"`,
    );
  });
}

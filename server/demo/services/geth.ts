import { between, chance, hex, pick } from '../random.ts';
import type { Slot } from './chain.ts';
import { clockText, repeat, type ServiceDeps } from './service.ts';

type GethLevel = 'INFO' | 'WARN' | 'ERROR';

/** Column at which geth starts the fields (go-ethereum log/format.go: termMsgJust). */
const MESSAGE_WIDTH = 40;

function shortHash(hash: string): string {
  return `${hash.slice(2, 8)}..${hash.slice(-6)}`;
}

/** geth's terminal format without colours, as of v1.16. */
export function runGeth({ unit, chain, schedule, random }: ServiceDeps): void {
  let peers = 47;
  let request = 211;

  function say(level: GethLevel, message: string, fields: string): void {
    const { monthDay, time } = clockText(schedule.now());
    unit.write(
      `${level.padEnd(5)}[${monthDay}|${time}] ${message.padEnd(MESSAGE_WIDTH)} ${fields}`.trimEnd(),
    );
  }

  function importBlock(slot: Slot): void {
    const elapsed = between(random, 48_000, 410_000) / 1000;
    const speed = ((slot.megagas / elapsed) * 1000).toFixed(3);
    const dirty = `snapdiffs=${(4 + random() * 8).toFixed(2)}MiB  triedirty=${(300 + random() * 720).toFixed(2)}MiB`;
    say(
      'INFO',
      'Imported new potential chain segment',
      `number=${slot.block.toLocaleString('en-US')} hash=${shortHash(slot.blockHash)} blocks=1 txs=${slot.transactions} ` +
        `mgas=${slot.megagas.toFixed(3)} elapsed=${elapsed.toFixed(3)}ms    mgasps=${speed}  ${dirty}`,
    );
  }

  function updateHead(slot: Slot): void {
    const late = slot.arrival > 3_800 ? ' age=4s' : '';
    say(
      'INFO',
      'Chain head was updated',
      `number=${slot.block.toLocaleString('en-US')} hash=${shortHash(slot.blockHash)} root=${shortHash(slot.stateRoot)} ` +
        `elapsed=${(0.8 + random() * 4).toFixed(6)}ms${late}`,
    );
  }

  chain.onSlot((slot) => {
    if (slot.missed) return;
    schedule.after(slot.arrival + between(random, 60, 420), () => {
      importBlock(slot);
      schedule.after(between(random, 15, 280), () => updateHead(slot));
    });
  });

  repeat({ schedule, random }, 25_000, 70_000, () => {
    peers = Math.min(50, Math.max(38, peers + between(random, -2, 2)));
    const tried = between(random, 20, 190);
    say('INFO', 'Looking for peers', `peercount=${peers} tried=${tried}  static=0`);
  });

  repeat({ schedule, random }, 70_000, 400_000, () => {
    const conn = `127.0.0.1:${between(random, 40_000, 60_000)}`;
    request += between(random, 1, 40);
    const micros = `"${(20 + random() * 900).toFixed(3)}µs"`;
    if (chance(random, 0.06)) {
      // Longer than journalctl shows without --all, as rejected transactions with much data are.
      const bytes = hex(random, between(random, 4_600, 9_000));
      say(
        'WARN',
        'Served eth_sendRawTransaction',
        `conn=${conn} reqid=${request} duration=${micros} err="invalid transaction 0x${bytes}"`,
      );
      return;
    }
    const [method, error] = pick(random, [
      ['eth_getLogs', 'invalid block range params'],
      ['eth_call', 'execution reverted'],
      ['eth_getBlockByNumber', 'missing trie node'],
      ['eth_estimateGas', 'gas required exceeds allowance (30000000)'],
    ] as const);
    say('WARN', `Served ${method}`, `conn=${conn} reqid=${request} duration=${micros} err="${error}"`);
  });

  repeat({ schedule, random }, 900_000, 2_600_000, () => {
    say('ERROR', 'Nil finalized block cannot evict old blobs', '');
  });

  repeat({ schedule, random }, 280_000, 320_000, () => {
    const number = chain.current().block;
    const bytes = `${(120 + random() * 300).toFixed(2)}MiB`;
    say(
      'INFO',
      'Persisted dirty state to disk',
      `size=${bytes} block=${number} elapsed=${(90 + random() * 700).toFixed(3)}ms`,
    );
    say(
      'INFO',
      'Indexed transactions',
      `blocks=${between(random, 20, 30)} txs=${between(random, 3000, 7000)} tail=${number - 2_350_000} elapsed=${(80 + random() * 200).toFixed(3)}ms`,
    );
  });
}

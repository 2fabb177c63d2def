import { between, chance, hex, type Random } from '../random.ts';
import { clockText, repeat, type ServiceDeps } from './service.ts';

/** Go ends a process that panics with this exit status (package runtime). */
const PANIC_STATUS = 2;
/** systemd's RestartSec= of the unit, in ms. */
const RESTART_MS = 5_000;
/** Starts in a row that systemd allows before it gives up (StartLimitBurst=). */
const START_LIMIT = 5;
/** Time after which an operator starts the failed unit again, in ms. */
const REPAIR_MS = 90_000;

/**
 * How long before the crash at the known time no other begins, in ms: long enough for five crashes in a row and the
 * repair, so that the service runs when the demo is opened.
 */
const QUIET_MS = 190_000;

/** A panic as the Go runtime prints it: many lines on standard error at once. */
function panicText(random: Random): string {
  const address = () => `0xc00${hex(random, 7)}`;
  const offset = () => `+0x${hex(random, 3)}`;
  return [
    'panic: runtime error: invalid memory address or nil pointer dereference',
    `[signal SIGSEGV: segmentation violation code=0x1 addr=0x18 pc=0x14${hex(random, 5)}]`,
    '',
    `goroutine ${between(random, 300, 9_000)} [running]:`,
    `github.com/obolnetwork/charon/core/fetcher.(*Fetcher).fetchAttesterData(${address()}, {0x2b0c8f8, ${address()}}, 0x1)`,
    `\t/app/core/fetcher/fetcher.go:164 ${offset()}`,
    `github.com/obolnetwork/charon/core/fetcher.(*Fetcher).Fetch(${address()}, {0x2b0c8f8, ${address()}})`,
    `\t/app/core/fetcher/fetcher.go:71 ${offset()}`,
    'github.com/obolnetwork/charon/core/tracking.Wire.func1()',
    `\t/app/core/tracking.go:88 ${offset()}`,
    'created by github.com/obolnetwork/charon/core.(*Scheduler).emitDuty in goroutine 118',
    `\t/app/core/scheduler/scheduler.go:301 ${offset()}`,
  ].join('\n');
}

/**
 * Charon's console log, and its troubles: every few minutes it panics and systemd starts it again; now and then it
 * fails so often in a row that systemd gives up, until somebody starts it.
 */
export function runCharon(deps: ServiceDeps & { firstCrashAt: number }): void {
  const { unit, chain, schedule, random } = deps;

  function say(
    level: 'INFO' | 'WARN' | 'ERRO' | 'DEBG',
    topic: string,
    message: string,
    fields: object,
  ): void {
    const { time } = clockText(schedule.now());
    const json = Object.entries(fields).map(
      ([key, value]) => `${JSON.stringify(key)}: ${JSON.stringify(value)}`,
    );
    unit.write(`${time} ${level} ${topic.padEnd(10)} ${message.padEnd(40)} {${json.join(', ')}}`);
  }

  let plan = 0;

  /** Plans the next crash in place of any other planned one. */
  function planCrash(delayMs: number, left: number): void {
    const mine = ++plan;
    schedule.after(delayMs, () => {
      const isNew = left === 0 || left === START_LIMIT;
      const now = schedule.now();
      const quiet = isNew && now >= deps.firstCrashAt - QUIET_MS && now < deps.firstCrashAt;
      if (mine === plan && !quiet) crash(left);
    });
  }

  /** `left`: crashes of a row still to come, this one included; 0 for a single one. */
  function crash(left: number): void {
    unit.write(panicText(random));
    schedule.after(between(random, 20, 200), () => unit.exit(PANIC_STATUS));
    schedule.after(RESTART_MS + 300, () => {
      if (left === 1) {
        unit.giveUp();
        schedule.after(REPAIR_MS, () => {
          unit.start();
          planNext();
        });
        return;
      }
      unit.start({ restart: true });
      if (left > 1) planCrash(between(random, 900, 2_500), left - 1);
      else planNext();
    });
  }

  function planNext(): void {
    planCrash(between(random, 300_000, 700_000), chance(random, 0.15) ? START_LIMIT : 0);
  }

  unit.onStart(() => {
    // Coloured, as charon prints to what it takes for a terminal: the journal keeps such text as bytes.
    const { time } = clockText(schedule.now());
    unit.write(
      `${time} \x1b[34mINFO\x1b[0m cmd        Charon starting                          {"version": "v1.5.0", "peers": 4}`,
    );
    schedule.after(350, () => say('INFO', 'p2p', 'Connected to peer', { peer: 'brave-otter', via: 'relay' }));
    schedule.after(420, () =>
      say('INFO', 'app-start', 'Beacon node connected', { version: 'Lighthouse/v7.1.0' }),
    );
  });

  chain.onSlot((slot) => {
    if (slot.number % 2 === 0) {
      schedule.after(4_300 + between(random, 0, 400), () =>
        say('INFO', 'bcast', 'Successfully submitted v2 attestations', {
          delay: `${(0.2 + random()).toFixed(9)}s`,
          pubkey: `${hex(random, 3)}_${hex(random, 3)}`,
          duty: `${slot.number}/attester`,
        }),
      );
    }
    schedule.after(9_600 + between(random, 0, 300), () =>
      say('INFO', 'tracker', 'All peers participated in duty', { duty: `${slot.number}/attester` }),
    );
  });

  repeat(deps, 60_000, 260_000, () => {
    const duty = `${chain.current().number}/attester`;
    if (chance(random, 0.8)) {
      say('WARN', 'tracker', 'Not all peers participated in duty', { duty, absent: ['quiet-heron'] });
    } else {
      say('ERRO', 'tracker', 'Duty failed', {
        component: 'parSigDBThreshold',
        reason: 'Not enough partial signatures',
        duty,
      });
    }
  });

  planCrash(between(random, 200_000, 500_000), 0);
  // One crash at a known time, so that whoever has just opened the demo sees what a failure looks like.
  schedule.after(deps.firstCrashAt - schedule.now(), () => planCrash(0, 0));
}

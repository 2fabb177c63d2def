import { between, chance, pick } from '../random.ts';
import { clockText, repeat, type ServiceDeps } from './service.ts';

type LighthouseLevel = 'INFO' | 'WARN' | 'ERROR';

/** Column at which lighthouse starts the fields, counted from the message. */
const MESSAGE_WIDTH = 46;

/** Validators of the simulated node. */
const VALIDATORS = 24;
const FIRST_VALIDATOR = 1_482_310;

function writer({ unit, schedule }: Pick<ServiceDeps, 'unit' | 'schedule'>) {
  return (level: LighthouseLevel, message: string, fields: string) => {
    const { month, monthDay, time } = clockText(schedule.now());
    const stamp = `${month} ${monthDay.slice(3)} ${time}`;
    const text = message.length < MESSAGE_WIDTH - 1 ? message.padEnd(MESSAGE_WIDTH) : `${message}  `;
    unit.write(`${stamp} ${level.padEnd(5)} ${text}${fields}`);
  };
}

function short(hash: string): string {
  return `${hash.slice(0, 6)}…${hash.slice(-4)}`;
}

/** The beacon node's log, in the tracing format of v7. */
export function runBeaconNode(deps: ServiceDeps): void {
  const { chain, schedule, random } = deps;
  const say = writer(deps);
  let peers = 98;

  chain.onSlot((slot) => {
    if (!slot.missed) {
      schedule.after(slot.arrival, () =>
        say('INFO', 'New block received', `root: ${slot.root}, slot: ${slot.number}`),
      );
      if (slot.arrival > 4_000) {
        schedule.after(slot.arrival + 180, () =>
          say(
            'WARN',
            'Delayed head block',
            `block_root: ${slot.root}, proposer_index: ${between(random, 1_000, 1_900_000)}, slot: ${slot.number}, ` +
              `total_delay_ms: ${slot.arrival}, observed_delay_ms: ${slot.arrival - 210}, set_as_head_time_ms: 31`,
          ),
        );
      }
    }
    schedule.after(6_000, () => {
      peers = Math.min(110, Math.max(82, peers + between(random, -3, 3)));
      const block = slot.missed ? '"   …  empty"' : `"${short(slot.root)}"`;
      say(
        'INFO',
        'Synced',
        `peers: "${peers}", exec_hash: "${short(slot.blockHash)} (verified)", finalized_root: ${short(slot.finalizedRoot)}, ` +
          `finalized_epoch: ${slot.epoch - 2}, epoch: ${slot.epoch}, block: ${block}, slot: ${slot.number}`,
      );
    });
  });

  repeat(deps, 120_000, 700_000, () => {
    const validator = FIRST_VALIDATOR + between(random, 0, VALIDATORS - 1);
    say(
      'WARN',
      'Error processing HTTP API request',
      `elapsed_ms: ${(random() * 9).toFixed(3)}, status: 404 Not Found, path: /eth/v1/beacon/states/head/validators/${validator + 7_000_000}, method: GET`,
    );
  });

  repeat(deps, 1_000_000, 3_000_000, () => {
    say(
      'ERROR',
      'Error during execution engine upcheck',
      'error: HttpClient(url: http://127.0.0.1:8551/, kind: timeout, detail: operation timed out)',
    );
    schedule.after(12_000, () => say('INFO', 'Execution engine online', 'service: exec'));
  });
}

/** The validator client's log: a duty or two each slot, and what it says about its connection. */
export function runValidatorClient(deps: ServiceDeps): void {
  const { chain, schedule, random } = deps;
  const say = writer(deps);

  chain.onSlot((slot) => {
    const indices = Array.from({ length: VALIDATORS }, (_, i) => FIRST_VALIDATOR + i).filter(
      (index) => (index * 7 + slot.epoch * 13) % 32 === slot.number % 32,
    );
    if (indices.length > 0) {
      schedule.after(4_000 + between(random, 20, 300), () =>
        say(
          'INFO',
          'Successfully published attestations',
          `count: ${indices.length}, validator_indices: [${indices.join(', ')}], head_block: ${slot.root}, ` +
            `committee_index: ${between(random, 0, 63)}, slot: ${slot.number}, type: "unaggregated"`,
        ),
      );
      if (chance(random, 0.2)) {
        schedule.after(8_000 + between(random, 20, 200), () =>
          say(
            'INFO',
            'Successfully published attestations',
            `count: 1, aggregator: ${indices[0]}, head_block: ${slot.root}, committee_index: ${between(random, 0, 63)}, ` +
              `slot: ${slot.number}, type: "aggregated"`,
          ),
        );
      }
    }
    if (slot.ours) {
      const proposer = `slot: ${slot.number}, service: block`;
      schedule.after(30, () => say('INFO', 'Requesting unsigned block', proposer));
      schedule.after(420, () => say('INFO', 'Received unsigned block', proposer));
      schedule.after(450, () => say('INFO', 'Publishing signed block', proposer));
      schedule.after(slot.arrival + 40, () =>
        say(
          'INFO',
          'Successfully published block',
          `block_type: Blinded, deposits: 0, attestations: 8, graffiti: None, ${proposer}`,
        ),
      );
    }
    schedule.after(6_000, () => {
      say(
        'INFO',
        'Connected to beacon node(s)',
        'primary: http://127.0.0.1:5052/, total: 1, available: 1, synced: 1',
      );
      say(
        'INFO',
        'All validators active',
        `current_epoch_proposers: ${slot.ours ? 1 : 0}, active_validators: ${VALIDATORS}, total_validators: ${VALIDATORS}, ` +
          `epoch: ${slot.epoch}, slot: ${slot.number}`,
      );
    });
  });

  repeat(deps, 150_000, 800_000, () => {
    const [message, fields] = pick(random, [
      [
        'A connected beacon node errored during routine health check',
        'error: Offline, endpoint: http://127.0.0.1:5052/',
      ],
      [
        'Late attestation, head may be wrong',
        `slot: ${chain.current().number}, delay_ms: ${between(random, 4200, 5800)}`,
      ],
    ] as const);
    say('WARN', message, fields);
  });

  repeat(deps, 1_200_000, 4_000_000, () => {
    const slot = chain.current();
    say(
      'ERROR',
      'Failed to produce sync committee messages',
      `slot: ${slot.number}, error: Some endpoints failed, num_failed: 1 http://127.0.0.1:5052/ => RequestFailed(timed out)`,
    );
  });
}

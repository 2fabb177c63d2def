import type { Fields, Journal } from './journal.ts';
import { between, hex, type Random } from './random.ts';
import type { Schedule } from './schedule.ts';

/** What a simulated service is, apart from its state. */
export interface UnitSpec {
  /** With suffix: execution.service. */
  name: string;
  description: string;
  /** SYSLOG_IDENTIFIER and process name. */
  identifier: string;
  user: string;
  uid: number;
  commandLine: readonly [executable: string, ...rest: string[]];
  memoryBytes: number;
  /** CPU seconds used per second. */
  cpuShare: number;
}

/** A simulated service: it writes to the journal, and fails and starts as systemd would have it. */
export interface SimulatedUnit {
  readonly spec: UnitSpec;
  readonly running: boolean;
  /** Writes text to standard output: one entry a line, without trailing blanks, empty lines dropped, as journald does. */
  write(text: string | Buffer): void;
  /** Starts the main process. `restart` counts and is announced as systemd's automatic restart. */
  start(options?: { restart?: boolean; startedAt?: number }): void;
  /** The main process exits with `status` and the unit waits for its automatic restart. */
  exit(status: number): void;
  /** Instead of the restart that is due: too many in a row, the unit stays failed. */
  giveUp(): void;
  /** Calls back after each start of the main process. */
  onStart(listener: () => void): void;
  /** Properties as `systemctl show` names them; timestamps in microseconds since the epoch, 0 for never. */
  properties(): Record<string, string | number>;
}

/** Message ids of systemd 252 (sd-messages(3), src/systemd/sd-messages.h). */
const MESSAGE_ID = {
  started: '39f53479d3a045ac8e11786248231fbf',
  stopped: '9d1aaa27d60140bd96365438aad20286',
  startFailed: 'be02cf6855d2428ba40df7e9d022f03d',
  processExit: '98e322203f7a4ed290d09fe03c09fe15',
  failureResult: 'd9b373ed55a64feb8242e02dbe79a49c',
  restartScheduled: '5eb03494b6584870a536b337290809b3',
  resources: 'ae8f7b866b0347b9af31fe1c80b127c0',
} as const;

/** Where systemd 252 of Debian 12 says these things: file, line, function. */
const CODE = {
  job: ['src/core/job.c', '767', 'job_emit_done_message'],
  exit: ['src/core/unit.c', '5671', 'unit_log_process_exit'],
  failure: ['src/core/unit.c', '5629', 'unit_log_failure'],
  resources: ['src/core/unit.c', '2306', 'unit_log_resources'],
  restart: ['src/core/service.c', '2373', 'service_enter_restart'],
  startLimit: ['src/core/unit.c', '1801', 'unit_test_start_limit'],
} as const;

/** How systemd spells exit statuses (systemd.exec(5), "Process Exit Codes"). */
const EXIT_NAMES: Readonly<Record<number, string>> = { 1: 'FAILURE', 2: 'INVALIDARGUMENT' };

export interface UnitDeps {
  spec: UnitSpec;
  journal: Journal;
  schedule: Schedule;
  random: Random;
  /** Fields that every entry of the host has. */
  hostFields: Fields;
}

type State = 'running' | 'auto-restart' | 'failed' | 'dead';

/** Active and sub-state of a service in each of its states (org.freedesktop.systemd1(5)). */
const STATES: Readonly<Record<State, readonly [active: string, sub: string]>> = {
  running: ['active', 'running'],
  'auto-restart': ['activating', 'auto-restart'],
  failed: ['failed', 'failed'],
  dead: ['inactive', 'dead'],
};

/** A unit that has not been started. */
export function createUnit({ spec, journal, schedule, random, hostFields }: UnitDeps): SimulatedUnit {
  const listeners: (() => void)[] = [];
  let state: State = 'dead';
  let restarts = 0;
  let pid = 0;
  let lastCpuNsec = 0;
  let exitStatus = 0;
  let exitCode = 0;
  let result = 'success';
  let invocation = '';
  let origin: Fields = {};
  const entered = { active: 0, inactive: 0, change: 0, activeExit: 0, execStart: 0, execExit: 0 };
  const manager: Fields = {
    ...hostFields,
    SYSLOG_IDENTIFIER: 'systemd',
    SYSLOG_FACILITY: '3',
    TID: '1',
    _TRANSPORT: 'journal',
    _PID: '1',
    _UID: '0',
    _GID: '0',
    _COMM: 'systemd',
    _EXE: '/usr/lib/systemd/systemd',
    _CMDLINE: '/sbin/init',
    _CAP_EFFECTIVE: '1ffffffffff',
    _SYSTEMD_CGROUP: '/init.scope',
    _SYSTEMD_UNIT: 'init.scope',
    _SYSTEMD_SLICE: '-.slice',
    UNIT: spec.name,
  };
  const nowUs = () => Math.floor(schedule.now() * 1000);

  function say(
    message: string,
    priority: number,
    code: readonly [string, string, string],
    more: Fields,
  ): void {
    const [CODE_FILE, CODE_LINE, CODE_FUNC] = code;
    const extra = {
      PRIORITY: String(priority),
      CODE_FILE,
      CODE_LINE,
      CODE_FUNC,
      INVOCATION_ID: invocation,
      // journald receives an entry of the manager's some tenths of a millisecond after it was written.
      _SOURCE_REALTIME_TIMESTAMP: String(nowUs() - between(random, 60, 300)),
      ...more,
    };
    journal.append({ at: schedule.now(), message, origin: manager, extra });
  }

  function sayJob(verb: string, id: string, type: 'start' | 'restart', result: 'done' | 'failed'): void {
    say(`${verb} ${spec.name} - ${spec.description}.`, result === 'done' ? 6 : 3, CODE.job, {
      MESSAGE_ID: id,
      JOB_ID: String(between(random, 2_000, 90_000)),
      JOB_TYPE: type,
      JOB_RESULT: result,
    });
  }

  function enter(next: State): void {
    const now = nowUs();
    if (state === 'running' && next !== 'running') entered.activeExit = now;
    if (next === 'running') entered.active = now;
    else if (next !== state) entered.inactive = now;
    entered.change = now;
    state = next;
  }

  function sayResult(): void {
    say(`${spec.name}: Failed with result '${result}'.`, 4, CODE.failure, {
      MESSAGE_ID: MESSAGE_ID.failureResult,
      UNIT_RESULT: result,
    });
  }

  function cpuNsec(): number {
    return Math.floor(spec.cpuShare * Math.max(0, nowUs() - entered.execStart) * 1000);
  }

  function sayRestart(): void {
    restarts++;
    say(`${spec.name}: Scheduled restart job, restart counter is at ${restarts}.`, 6, CODE.restart, {
      MESSAGE_ID: MESSAGE_ID.restartScheduled,
      N_RESTARTS: String(restarts),
    });
    sayJob('Stopped', MESSAGE_ID.stopped, 'restart', 'done');
  }

  return {
    spec,
    get running() {
      return state === 'running';
    },
    write(text) {
      if (state !== 'running') return;
      const at = schedule.now();
      if (typeof text !== 'string') journal.append({ at, message: text, origin });
      else {
        for (const line of text.split('\n')) {
          const message = line.trimEnd();
          if (message !== '') journal.append({ at, message, origin });
        }
      }
    },
    start({ restart = false, startedAt } = {}) {
      if (restart) sayRestart();
      else restarts = 0;
      pid = between(random, 700, 4_000_000);
      invocation = hex(random, 32);
      exitStatus = 0;
      exitCode = 0;
      result = 'success';
      const user = String(spec.uid);
      origin = {
        ...hostFields,
        PRIORITY: '6',
        SYSLOG_FACILITY: '3',
        SYSLOG_IDENTIFIER: spec.identifier,
        _TRANSPORT: 'stdout',
        _STREAM_ID: hex(random, 32),
        _PID: String(pid),
        _UID: user,
        _GID: user,
        _COMM: spec.identifier.slice(0, 15),
        _EXE: spec.commandLine[0],
        _CMDLINE: spec.commandLine.join(' '),
        _CAP_EFFECTIVE: '0',
        _SYSTEMD_CGROUP: `/system.slice/${spec.name}`,
        _SYSTEMD_UNIT: spec.name,
        _SYSTEMD_SLICE: 'system.slice',
        _SYSTEMD_INVOCATION_ID: invocation,
      };
      enter('running');
      entered.execStart = nowUs();
      if (startedAt === undefined) sayJob('Started', MESSAGE_ID.started, 'start', 'done');
      else {
        entered.execStart = startedAt * 1000;
        entered.active = startedAt * 1000;
        entered.change = startedAt * 1000;
      }
      for (const listener of listeners) listener();
    },
    exit(status) {
      if (state !== 'running') return;
      const used = cpuNsec();
      exitStatus = status;
      exitCode = 1;
      result = 'exit-code';
      entered.execExit = nowUs();
      const name = EXIT_NAMES[status] ?? 'n/a';
      say(`${spec.name}: Main process exited, code=exited, status=${status}/${name}`, 5, CODE.exit, {
        MESSAGE_ID: MESSAGE_ID.processExit,
        COMMAND: 'ExecStart',
        EXIT_CODE: 'exited',
        EXIT_STATUS: String(status),
      });
      sayResult();
      say(`${spec.name}: Consumed ${(used / 1e9).toFixed(3)}s CPU time.`, 6, CODE.resources, {
        MESSAGE_ID: MESSAGE_ID.resources,
        CPU_USAGE_NSEC: String(used),
      });
      lastCpuNsec = used;
      enter('auto-restart');
    },
    giveUp() {
      if (state !== 'auto-restart') return;
      sayRestart();
      say(`${spec.name}: Start request repeated too quickly.`, 4, CODE.startLimit, {});
      sayResult();
      sayJob('Failed to start', MESSAGE_ID.startFailed, 'start', 'failed');
      enter('failed');
    },
    onStart(listener) {
      listeners.push(listener);
    },
    properties() {
      const up = state === 'running';
      const [active, sub] = STATES[state];
      const breath = 1 + 0.04 * Math.sin(schedule.now() / 97_000);
      return {
        Type: 'simple',
        Restart: 'on-failure',
        RestartUSec: '5s',
        MainPID: up ? pid : 0,
        Result: result,
        NRestarts: restarts,
        ExecMainStartTimestamp: entered.execStart,
        ExecMainExitTimestamp: entered.execExit,
        ExecMainPID: up ? pid : 0,
        ExecMainCode: exitCode,
        ExecMainStatus: exitStatus,
        ControlGroup: up ? `/system.slice/${spec.name}` : '',
        MemoryCurrent: up ? Math.floor(spec.memoryBytes * breath) : '[not set]',
        CPUUsageNSec: up ? cpuNsec() : lastCpuNsec,
        User: spec.user,
        Id: spec.name,
        Names: spec.name,
        Description: spec.description,
        LoadState: 'loaded',
        ActiveState: active,
        SubState: sub,
        FragmentPath: `/etc/systemd/system/${spec.name}`,
        UnitFileState: 'enabled',
        UnitFilePreset: 'enabled',
        StateChangeTimestamp: entered.change,
        InactiveExitTimestamp: entered.execStart,
        ActiveEnterTimestamp: entered.active,
        ActiveExitTimestamp: entered.activeExit,
        InactiveEnterTimestamp: entered.inactive,
        InvocationID: invocation,
      };
    },
  };
}

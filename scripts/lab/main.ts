import { cgroupProcesses } from './cgroup.ts';
import { createLab, reap, takeDown } from './lab.ts';
import { isAlive } from './process.ts';
import { isLeftOver, type LabRecord, readRecord, usedSlots } from './state.ts';
import { waitFor } from './wait.ts';

const USAGE = `Real test hosts: systemd, journald and sshd in namespaces of this machine.

  npm run lab -- up [HOSTS]    boots hosts (1) that print lines at a human pace, and stay up
  npm run lab -- status        shows the labs of this machine
  npm run lab -- down [LAB]    takes down the lab that was brought up by hand, or that one, or "all" of them

It needs root, and Debian's systemd-container, debootstrap and iproute2.`;

const log = (line: string) => console.log(line);

async function main([command, argument]: string[]): Promise<number> {
  switch (command) {
    case 'up':
      return up(argument);
    case 'down':
      return down(argument);
    case 'status':
      return status();
    case 'bury':
      return bury(Number(argument));
    default:
      console.log(USAGE);
      return command === undefined || command === 'help' || command === '--help' ? 0 : 2;
  }
}

async function up(argument = '1'): Promise<number> {
  const hosts = Number(argument);
  if (!Number.isInteger(hosts) || hosts < 1) {
    console.error(`Not a number of hosts: ${argument}`);
    return 2;
  }
  needRoot();
  const lab = await createLab({ hosts, background: true, owned: false, log });
  const record = readRecord(lab.slot);
  if (record) describe(record);
  return 0;
}

async function down(argument?: string): Promise<number> {
  needRoot();
  await reap(log);
  const byHand = usedSlots().filter((slot) => readRecord(slot)?.owner === null);
  const slots =
    argument === undefined || argument === 'all'
      ? byHand
      : usedSlots().filter((slot) => slot === Number(argument));
  if (slots.length === 0) {
    log(argument === undefined ? 'No lab was brought up by hand.' : `There is no lab ${argument}.`);
    return argument === undefined ? 0 : 1;
  }
  if (argument === undefined && slots.length > 1) {
    // Another terminal may be using one of them.
    console.error(`There are labs ${slots.join(', ')}: say which one to take down, or "all".`);
    return 2;
  }
  for (const slot of slots) {
    await takeDown(slot, readRecord(slot)?.id ?? null);
    log(`Lab ${slot} is down.`);
  }
  return 0;
}

function status(): number {
  const slots = usedSlots();
  if (slots.length === 0) log('No lab is up.');
  for (const slot of slots) {
    const record = readRecord(slot);
    if (record) describe(record);
    else log(`Lab ${slot}: being set up, or its run was killed meanwhile`);
  }
  return 0;
}

function describe(record: LabRecord): void {
  const { owner } = record;
  const state =
    owner === null
      ? 'up until taken down'
      : isAlive(owner)
        ? `belongs to process ${owner.pid}`
        : 'left over from a run that has ended';
  log(`Lab ${record.slot} (10.213.${record.slot}.0/24), since ${record.createdAt}, ${state}`);
  for (const host of record.hosts) {
    const running = host.cgroups.some((folder) => cgroupProcesses(folder).length > 0) ? 'up' : 'not running';
    log(`  ${host.name}  ${host.network.address}:22  ${running}  ${host.hostKeyFingerprint}`);
  }
  const [first] = record.hosts;
  if (first)
    log(
      `  ssh -i ${record.privateKeyPath} ethnode@${first.network.address}   units: execution consensus validator charon`,
    );
  for (const [name, password] of Object.entries(record.passwords)) log(`  ${name}  password ${password}`);
}

/** Waits for the end of a lab's run, then takes the lab down: called by the watchdog of that run. */
async function bury(slot: number): Promise<number> {
  const id = readRecord(slot)?.id;
  if (id === undefined) return 0;
  await waitFor('the run to end', () => isLeftOver(slot), { timeoutMs: 60_000, everyMs: 200 });
  await takeDown(slot, id);
  return 0;
}

function needRoot(): void {
  if (process.getuid?.() !== 0) throw new Error('Namespaces and mounts need root: run this with sudo');
}

// Whoever reads the output may stop reading, as `head` does.
process.stdout.on('error', () => {});

main(process.argv.slice(2)).then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  },
);

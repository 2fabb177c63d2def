import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Passwords } from './accounts.ts';
import type { HostNetwork } from './network.ts';
import { STATE_DIR } from './paths.ts';
import { bootId, isAlive, type ProcessId } from './process.ts';

export interface HostRecord {
  name: string;
  network: HostNetwork;
  /** Folders of its control group, one for each hierarchy. */
  cgroups: string[];
  /** `SHA256:...` of its ed25519 key. */
  hostKeyFingerprint: string;
}

/** What is written down about a lab: enough to use it and to take it down from another process. Holds passwords: mode 600. */
export interface LabRecord {
  /** Tells a lab from a later one in the same slot. */
  id: string;
  slot: number;
  /** The run that ends with its lab; `null` for a lab that stays up until it is taken down by hand. */
  owner: ProcessId | null;
  bootId: string;
  /** ISO 8601. */
  createdAt: string;
  rootfs: string;
  passwords: Passwords;
  /** Path of the private key that every account accepts. */
  privateKeyPath: string;
  hosts: HostRecord[];
}

/** A claimed slot without a record this old belongs to a run that was killed in between. */
const CLAIM_TIMEOUT_MS = 60_000;

export function labFolder(slot: number): string {
  return join(STATE_DIR, String(slot));
}

/** Where a lab's memory file system with the hosts' own files is mounted. */
export function labStorage(slot: number): string {
  return join(labFolder(slot), 'fs');
}

/** Takes a slot, or tells that it is taken. */
export async function claimSlot(slot: number): Promise<boolean> {
  await mkdir(STATE_DIR, { recursive: true, mode: 0o755 });
  try {
    await mkdir(labFolder(slot), { mode: 0o700 });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

export async function writeRecord(record: LabRecord): Promise<void> {
  const path = join(labFolder(record.slot), 'lab.json');
  await writeFile(`${path}.new`, JSON.stringify(record, null, 2), { mode: 0o600 });
  await rename(`${path}.new`, path);
}

export function readRecord(slot: number): LabRecord | null {
  try {
    return JSON.parse(readFileSync(join(labFolder(slot), 'lab.json'), 'utf8')) as LabRecord;
  } catch {
    return null;
  }
}

/** The slots in use, whoever uses them. */
export function usedSlots(): number[] {
  if (!existsSync(STATE_DIR)) return [];
  return readdirSync(STATE_DIR)
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .sort((a, b) => a - b);
}

/** Whether nobody will take this lab down any more: its run has ended, or the machine was started anew since. */
export async function isLeftOver(slot: number): Promise<boolean> {
  const record = readRecord(slot);
  if (record) return record.bootId !== bootId() || (record.owner !== null && !isAlive(record.owner));
  try {
    return Date.now() - (await stat(labFolder(slot))).mtimeMs > CLAIM_TIMEOUT_MS;
  } catch {
    return false;
  }
}

import { startGoodClients } from './good-client.ts';
import { type Shot, shoot } from './sender.ts';
import { startTarget, type Target } from './target.ts';

/** Connections at one time. */
const PARALLEL = 32;
/** More resident memory than this after everything has ended means that something is kept, in bytes (fault S2). */
const GROWTH_MAX = 50 * 1024 * 1024;
/** Share of the inputs that come before the first look at the memory: code is compiled, pools fill. */
const WARM_UP = 0.2;
/** Requests to nobody still wait for their time-out (5 s), in ms. */
const REST_MS = 6000;

export interface Load {
  /** The room that `Target.roomToken` is for. */
  room: string;
  /** Prepares for a running server. @returns the connection that comes next, with so many inputs in it */
  prepare(target: Target): Promise<() => { shot: Shot; inputs: number }>;
}

/** What a run has shown. */
export interface Outcome {
  inputs: number;
  connections: number;
  seconds: number;
  /** Growth of resident memory after the warm-up, in bytes. */
  growth: number;
  /** Errors the server answered or counted: shows that the inputs were looked at. */
  refused: number;
  served: { messages: number; slowestMs: number };
}

/** Sends inputs to a server of its own. @throws Error where it ends, logs an error, keeps memory, or stops serving good clients */
export async function run(load: Load, count: number, report: (text: string) => void): Promise<Outcome> {
  const target = await startTarget(load.room);
  try {
    const good = await startGoodClients(target);
    const next = await load.prepare(target);
    const started = performance.now();
    let inputs = 0;
    let connections = 0;
    let told = 1;

    const check = () => {
      const fault = target.fault() ?? good.fault();
      if (fault !== null) throw new Error(`after ${inputs} inputs in ${connections} connections: ${fault}`);
    };
    async function sendUpTo(limit: number): Promise<void> {
      const worker = async () => {
        while (inputs < limit) {
          const made = next();
          inputs += made.inputs;
          connections += 1;
          await shoot(target.port, made.shot).catch((error: unknown) => {
            check();
            throw error;
          });
          check();
          if (inputs < told * 25_000) continue;
          told = Math.floor(inputs / 25_000) + 1;
          report(`${inputs} inputs`);
        }
      };
      const ends = await Promise.allSettled(Array.from({ length: PARALLEL }, worker));
      for (const end of ends) if (end.status === 'rejected') throw end.reason;
    }

    await sendUpTo(Math.ceil(count * WARM_UP));
    const before = await target.residentBytes();
    await sendUpTo(count);
    const seconds = (performance.now() - started) / 1000;
    const served = await good.stop();
    check();
    await new Promise((resolve) => setTimeout(resolve, REST_MS));
    const growth = (await target.residentBytes()) - before;
    check();
    const internal = await target.counted('tailwire_errors_total', 'code="internal"');
    const refused = await target.counted('tailwire_errors_total');
    if (internal > 0) throw new Error(`${internal} inputs met an error of the server's own`);
    if (growth > GROWTH_MAX) throw new Error(`resident memory grew by ${growth} bytes`);
    if (served.messages === 0) throw new Error('no message of the good clients went through');
    report(
      `${inputs} inputs in ${connections} connections, ${seconds.toFixed(1)} s: no crash, ${refused} errors answered, none of the server's own; resident memory ` +
        `${(growth / 1024 / 1024).toFixed(1)} MiB more; ${served.messages} messages of good clients went through, the slowest in ` +
        `${served.slowestMs.toFixed(0)} ms`,
    );
    return { inputs, connections, seconds, growth, refused, served };
  } finally {
    await target.stop();
  }
}

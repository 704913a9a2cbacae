import { constants } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import os from 'node:os';
import threads from 'node:worker_threads';

/**
 * Runs before the code of a separate process and in each of its threads, and closes what Node's permissions leave open:
 * a thread that is started with other options has none of them.
 */
const { Worker } = threads;

/** Starts a thread with the permissions of this one. */
function ConfinedWorker(
  file: string | URL,
  { workerData, name }: threads.WorkerOptions = {},
): threads.Worker {
  return new Worker(file, { workerData, ...(name === undefined ? {} : { name }) });
}

Worker.prototype.constructor = ConfinedWorker;
threads.Worker = ConfinedWorker as unknown as typeof Worker;
// Of this process alone.
const { setPriority } = os;
os.setPriority = (priority: number) => setPriority(priority);
syncBuiltinESMExports();

// The permissions deny all of it, and sharp's WebAssembly needs these numbers at its start.
Object.assign(process, { binding: () => ({ fs: constants }) });
// Signals reach the server where both run as the same user. `kill` is made of `_kill`.
Object.assign(process, { kill: undefined, _kill: undefined, _debugProcess: undefined });

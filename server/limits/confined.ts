import { constants } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import os from 'node:os';
import threads from 'node:worker_threads';

/**
 * Runs before the code of a separate process and in each of its threads. Closes gaps in Node's permissions. For
 * example, a thread that is started with other options would have no restrictions.
 */
const { Worker } = threads;

/** Starts a thread with the permissions of the current thread. */
function ConfinedWorker(
  file: string | URL,
  { workerData, name }: threads.WorkerOptions = {},
): threads.Worker {
  return new Worker(file, { workerData, name });
}

Worker.prototype.constructor = ConfinedWorker;
threads.Worker = ConfinedWorker as unknown as typeof Worker;
// All other processes take precedence. An even lower priority of the server stays, because raising it may be forbidden.
os.setPriority(Math.max(10, os.getPriority()));
// Sets the priority of this process only.
const { setPriority } = os;
os.setPriority = (priority: number) => setPriority(priority);
syncBuiltinESMExports();

// The permissions deny `process.binding`, but sharp's WebAssembly reads these numbers from it at startup.
Object.assign(process, { binding: () => ({ fs: constants }) });
// Signals reach the server if both processes run as the same user. `kill` calls `_kill`.
Object.assign(process, { kill: undefined, _kill: undefined, _debugProcess: undefined });

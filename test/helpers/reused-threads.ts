import { EventEmitter } from 'node:events';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { MessageChannel, type MessagePort, Worker, type WorkerOptions } from 'node:worker_threads';

/**
 * Runs the threads of histories in threads that have run others before, because starting Node in a thread and compiling
 * the program take more CPU than most tests. A thread that ends with an error is not used again.
 */
const shared = globalThis as { idleThreads?: Map<string, Worker[]> };
// Each test file evaluates this module again, in the same process.
shared.idleThreads ??= new Map();
const idle = shared.idleThreads;
/** The maximum number of idle threads of one program, because each takes 10 MB. */
const maxIdle = 6;

class ReusedThread extends EventEmitter {
  readonly #port: MessagePort;

  constructor(program: string, host: Worker, data: unknown) {
    super();
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    port1.on('message', (message) => this.emit('message', message));
    const ends = Promise.withResolvers<void>();
    const onError = (error: Error) => this.emit('error', error);
    const onExit = (code: number) => {
      detach();
      this.emit('exit', code);
    };
    const detach = () => {
      host.off('message', ends.resolve).off('error', onError).off('exit', onExit);
    };
    // Sent by the host when the program has ended.
    host.on('message', ends.resolve).on('error', onError).on('exit', onExit);
    // The port closes after its last message, which may arrive after the host's.
    port1.on('close', async () => {
      await ends.promise;
      detach();
      const others = idle.get(program) ?? [];
      idle.set(program, others);
      host.unref();
      if (others.length < maxIdle) others.push(host);
      else void host.terminate();
      this.emit('exit', 0);
    });
    host.ref();
    host.postMessage({ port: port2, data }, [port2]);
  }

  postMessage(message: unknown): void {
    this.#port.postMessage(message);
  }
}

/** Called instead of `new Worker` in the module that starts the threads: see make-bundles.ts. */
function startThread(file: URL, options: WorkerOptions): Worker {
  const program = fileURLToPath(file).replace(/\.mjs$/, '.cjs');
  if (!existsSync(program)) return new Worker(file, options);
  // Next to the threads in the bundles. A child process does not know the bundles' folder.
  const hostFile = new URL('../../../test/helpers/history-host.mjs', file);
  const host = idle.get(program)?.pop() ?? new Worker(hostFile, { workerData: program });
  return new ReusedThread(program, host, options.workerData) as unknown as Worker;
}

Object.assign(globalThis, { startHistoryThread: startThread });

import { createRequire } from 'node:module';
import threads, { type MessagePort, parentPort, workerData } from 'node:worker_threads';

/**
 * A thread that runs the same program of a history again and again: see reused-threads.ts. Each run evaluates all of
 * the program's modules, so that it shares no state with the runs before.
 */
const program = createRequire(import.meta.url)(workerData as string) as (
  require: (id: string) => unknown,
) => void;

parentPort?.on('message', ({ port, data }: { port: MessagePort; data: unknown }) => {
  port.once('close', () => parentPort?.postMessage('ended'));
  const own = { ...threads, parentPort: port, workerData: data };
  program((id) => (id === 'node:worker_threads' ? own : process.getBuiltinModule(id)));
});

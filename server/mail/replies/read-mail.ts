import { readIncoming } from './incoming.ts';
import type { ReadingTask, ToServer } from './reader.ts';

/**
 * A separate process that reads incoming mails. A hostile mail can only harm this process, which has no keys, no
 * connections and little memory.
 */

const answer = (message: ToServer) => process.send?.(message);

process.on('message', ({ bytes, ...options }: ReadingTask) => {
  readIncoming(bytes, options).then(
    (mail) => answer({ mail }),
    () => answer({ unreadable: true }),
  );
});
process.on('disconnect', () => process.exit());
// A service manager signals all processes of the service, but the server still waits for the mail in progress.
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => {});
answer('ready');

import { RequestError } from '../wire/errors.ts';

/** Milliseconds. docs/protocol.md promises an answer within 8 s; the rest is for the network. */
const longest = 7000;

/**
 * The result of `work`, or `storage_unavailable` if it takes too long, for example because the disk hangs or another
 * program locks the history. The work itself goes on: its outcome is unknown then, and a client that repeats the
 * request learns it.
 */
export function answerInTime<T>(work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = () => reject(new RequestError('storage_unavailable', `no outcome after ${longest} ms`));
    // After the event loop was blocked, timers run first: one more turn lets in a result that is already there.
    const timer = setTimeout(() => setImmediate(late), longest);
    work.finally(() => clearTimeout(timer)).then(resolve, reject);
  });
}

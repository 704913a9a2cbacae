import { RequestError } from './errors.ts';

/** Requests are answered within 8 s (docs/protocol.md); the rest is for the network. */
const longest = 7000;

/**
 * The outcome of `work`, or `storage_unavailable` if it takes longer than clients are promised: a hanging disk, or
 * another program that locks the history. The work itself goes on: the answer says that nothing is known, not that
 * nothing happened, and a client that repeats the request learns what became of it.
 */
export function answerInTime<T>(work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = () => reject(new RequestError('storage_unavailable', `no outcome after ${longest} ms`));
    // After a hold-up of this process timers come first: one turn more lets in what has been done meanwhile.
    const timer = setTimeout(() => setImmediate(late), longest);
    work.finally(() => clearTimeout(timer)).then(resolve, reject);
  });
}

import { RequestError } from '../wire/errors.ts';

/** Clients get each response within this time (ms), of which a second is for the network. */
const promised = 8000;
const longest = promised - 1000;

/** How long (ms) a read may wait for those of other users. Its client then gets the reason before the time limit. */
const maxReadWaitMs = 5000;

/** Returns until when a read that starts now may wait, by the monotonic clock. @param arrivedAt when the request arrived */
export function endOfReadWait(arrivedAt: number): number {
  return Math.min(performance.now() + maxReadWaitMs, arrivedAt + longest);
}

/**
 * Returns the result of `work`, or rejects with `storage_unavailable` after a timeout, for example because the disk
 * hangs or another program locks the history. The work continues, so its outcome is unknown until the client repeats
 * the request.
 */
export function answerInTime<T>(work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = () =>
      reject(new RequestError('storage_unavailable', `the request did not finish within ${longest} ms`));
    // After the event loop was blocked, timers run first. One more tick admits a result that is already available.
    const timer = setTimeout(() => setImmediate(late), longest);
    work.finally(() => clearTimeout(timer)).then(resolve, reject);
  });
}

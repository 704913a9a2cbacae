import type { IncomingMessage } from 'node:http';

/** In each period of `progressEvery` milliseconds, at least `leastProgress` bytes must be sent or received. */
const progressEvery = 30_000;
const leastProgress = 8 * 1024;

/** Closes the connection when it makes no more progress. @returns a function that stops this */
export function watchProgress({ socket }: IncomingMessage, bytes: () => number): () => void {
  let before = bytes();
  const timer = setInterval(() => {
    const now = bytes();
    if (now - before < leastProgress) socket.destroy();
    before = now;
  }, progressEvery).unref();
  return () => clearInterval(timer);
}

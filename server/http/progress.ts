import type { IncomingMessage } from 'node:http';

/** In so many milliseconds at least so many bytes have to come, or be taken. */
const progressEvery = 30_000;
const leastProgress = 8 * 1024;

/** Closes the connection when nothing moves any more. @returns the function that ends this */
export function watchProgress({ socket }: IncomingMessage, bytes: () => number): () => void {
  let before = bytes();
  const timer = setInterval(() => {
    const now = bytes();
    if (now - before < leastProgress) socket.destroy();
    before = now;
  }, progressEvery).unref();
  return () => clearInterval(timer);
}

import type { IncomingMessage, ServerResponse } from 'node:http';

/** In each period of `progressEvery` milliseconds, at least `leastProgress` bytes must be sent or received. */
const progressEvery = 30_000;
const leastProgress = 8 * 1024;

/**
 * Closes the connection when it makes no more progress.
 * @param isAwaited whether the other side is what is waited for; a period at whose end it is not does not count
 * @returns a function that stops this
 */
export function watchProgress(
  { socket }: IncomingMessage,
  bytes: () => number,
  isAwaited = () => true,
): () => void {
  let before = bytes();
  const timer = setInterval(() => {
    const now = bytes();
    if (isAwaited() && now - before < leastProgress) socket.destroy();
    before = now;
  }, progressEvery).unref();
  return () => clearInterval(timer);
}

/** The same for the reader of an answer, who is waited for only while there are bytes that do not go out. */
export const watchReader = (req: IncomingMessage, res: ServerResponse): (() => void) =>
  watchProgress(
    req,
    () => req.socket.bytesWritten,
    () => res.writableLength > 0,
  );

import type { IncomingMessage, ServerResponse } from 'node:http';

/** At least `leastProgress` bytes must be sent or received in each period of `progressEvery` milliseconds. */
const progressEvery = 30_000;
const leastProgress = 8 * 1024;

/**
 * Closes the connection after a period with too little progress.
 * @param isAwaited whether the server waits for the client; a period counts only if this is true at its end
 * @returns a function that stops the check
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

/** Watches the client that reads a response. A period counts only if unsent bytes remain at its end. */
export const watchReader = (req: IncomingMessage, res: ServerResponse): (() => void) =>
  watchProgress(
    req,
    () => req.socket.bytesWritten,
    () => res.writableLength > 0,
  );

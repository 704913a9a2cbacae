import type { IncomingMessage, ServerResponse } from 'node:http';

/** At least this many bytes must be sent or received in each period of `progressEvery` milliseconds. */
export const leastProgress = 8 * 1024;
const progressEvery = 30_000;

/**
 * Closes the connection after a period with too little progress.
 * @param bytes the bytes so far
 * @param least how many bytes a period must add, asked at its end; 0 if the server does not wait for the client
 * @returns a function that stops the check
 */
export function watchProgress(
  { socket }: IncomingMessage,
  bytes: () => number,
  least = () => leastProgress,
): () => void {
  let before = bytes();
  const timer = setInterval(() => {
    const now = bytes();
    if (now - before < least()) socket.destroy();
    before = now;
  }, progressEvery).unref();
  return () => clearInterval(timer);
}

/** Watches the client that reads a response. A period counts only if unsent bytes remain at its end. */
export const watchReader = (req: IncomingMessage, res: ServerResponse): (() => void) =>
  watchProgress(
    req,
    () => req.socket.bytesWritten,
    () => (res.writableLength > 0 ? leastProgress : 0),
  );

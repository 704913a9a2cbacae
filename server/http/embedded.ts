import type { IncomingMessage } from 'node:http';

/**
 * Whether a page loads this as a picture, a frame or the like. On a page of this very origin it may be part of what a
 * visitor has written.
 */
export function isEmbedded(req: IncomingMessage): boolean {
  const dest = req.headers['sec-fetch-dest'] ?? 'empty';
  return dest !== 'empty' && dest !== 'document';
}

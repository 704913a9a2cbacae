import type { IncomingMessage } from 'node:http';

/** From the first to the last byte, both included. */
export interface Part {
  start: number;
  end: number;
}

/**
 * The part of something of that size that a request asks for; undefined for all of it, null for one that it does not
 * have. Of several parts, or of another version (`If-Range`), a server may send all (RFC 9110, section 14.2).
 */
export function partOf(
  { headers, method }: IncomingMessage,
  size: number,
  etag: string,
): Part | null | undefined {
  const { range, 'if-range': version } = headers;
  if (range === undefined || method !== 'GET' || (version !== undefined && version !== etag))
    return undefined;
  const [, first = '', last = ''] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(range) ?? [];
  if (first === '' && last === '') return undefined;
  if (first === '') {
    const length = Math.min(Number(last), size);
    return length === 0 ? null : { start: size - length, end: size - 1 };
  }
  const start = Number(first);
  const end = last === '' ? size - 1 : Math.min(Number(last), size - 1);
  if (last !== '' && Number(last) < start) return undefined;
  return start >= size ? null : { start, end };
}

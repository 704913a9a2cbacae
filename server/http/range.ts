import type { IncomingMessage } from 'node:http';

/** A range of bytes, both ends inclusive. */
export interface ByteRange {
  start: number;
  end: number;
}

/**
 * Returns the part of a resource that a request asks for; undefined for the whole resource, null for a range that
 * cannot be satisfied. A server may answer several ranges, or a range of another version (`If-Range`), with the whole
 * resource (RFC 9110, section 14.2).
 */
export function partOf(
  { headers, method }: IncomingMessage,
  size: number,
  etag: string,
): ByteRange | null | undefined {
  const { range, 'if-range': version } = headers;
  if (range === undefined || method !== 'GET' || (version !== undefined && version !== etag))
    return undefined;
  const [, first = '', last = ''] = /^bytes=(\d{0,15})-(\d{0,15})$/i.exec(range) ?? [];
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

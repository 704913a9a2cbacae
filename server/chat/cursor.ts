import { RequestError } from '../errors.ts';

type Key = readonly [string | number, string];

/** Where a list goes on: behind the last entry of the page before. Clients take it as it is. */
export function cursorOf(key: Key): string {
  return Buffer.from(JSON.stringify(key)).toString('base64url');
}

/** @throws RequestError `bad_request` for what no page gave out */
export function decodeCursor<First extends 'string' | 'number'>(
  cursor: string,
  first: First,
): readonly [First extends 'string' ? string : number, string] {
  try {
    const key: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString());
    if (Array.isArray(key) && key.length === 2 && typeof key[0] === first && typeof key[1] === 'string') {
      return key as never;
    }
  } catch {
    // Not ours.
  }
  throw new RequestError('bad_request', 'cursor is none that this server gave');
}

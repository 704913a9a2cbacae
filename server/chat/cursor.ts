import { RequestError } from '../errors.ts';

/** Where a list goes on: behind the last entry of the page before. Clients take it as it is, and can read what it holds. */
export function cursorOf(key: readonly (string | number)[]): string {
  return Buffer.from(JSON.stringify(key)).toString('base64url');
}

type KeyOf<Types extends readonly ('string' | 'number')[]> = {
  [N in keyof Types]: Types[N] extends 'string' ? string : number;
};

/** @throws RequestError `bad_request` for what no page gave out */
export function decodeCursor<const Types extends readonly ('string' | 'number')[]>(
  cursor: string,
  types: Types,
): KeyOf<Types> {
  try {
    const key: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString());
    if (
      Array.isArray(key) &&
      key.length === types.length &&
      key.every((part, n) => typeof part === types[n])
    ) {
      return key as never;
    }
  } catch {
    // Not ours.
  }
  throw new RequestError('bad_request', 'cursor is none that this server gave');
}

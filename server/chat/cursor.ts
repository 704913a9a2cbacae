import { RequestError } from '../errors.ts';

/** Where a list continues: after the last entry of the page before. Clients can read what is in it. */
export function cursorOf(key: readonly (string | number)[]): string {
  return Buffer.from(JSON.stringify(key)).toString('base64url');
}

type KeyOf<Types extends readonly ('string' | 'number')[]> = {
  [N in keyof Types]: Types[N] extends 'string' ? string : number;
};

/** @throws RequestError `bad_request` if no page can have had this cursor */
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
      // The check above is what TypeScript cannot follow: one part for each of the types.
      return key as never;
    }
  } catch {
    // Not ours.
  }
  throw new RequestError('bad_request', 'this cursor is not from this server');
}

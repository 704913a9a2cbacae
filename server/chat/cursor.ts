import { RequestError } from '../errors.ts';

/** Where a list continues: after the last entry of the page before. Clients can read what is in it. */
export function cursorOf(key: readonly (string | number)[]): string {
  return Buffer.from(JSON.stringify(key)).toString('base64url');
}

/** A number is an integer; a count is not below zero. */
type Type = 'string' | 'number' | 'count';

type KeyOf<Types extends readonly Type[]> = {
  [N in keyof Types]: Types[N] extends 'string' ? string : number;
};

/** @throws RequestError `bad_request` if no page can have had this cursor */
export function decodeCursor<const Types extends readonly Type[]>(
  cursor: string,
  types: Types,
): KeyOf<Types> {
  try {
    const key: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString());
    if (Array.isArray(key) && key.length === types.length && key.every((part, n) => isOf(part, types[n]))) {
      // The check above is what TypeScript cannot follow: one part for each of the types.
      return key as never;
    }
  } catch {
    // Not ours.
  }
  throw new RequestError('bad_request', 'this cursor is not from this server');
}

/** Databases take nothing else: not 1.5 where a column has integers, and PostgreSQL no U+0000. */
function isOf(part: unknown, type: Type | undefined): boolean {
  if (type === 'string') return typeof part === 'string' && part.isWellFormed() && !part.includes('\0');
  return Number.isSafeInteger(part) && (type === 'number' || (part as number) >= 0);
}

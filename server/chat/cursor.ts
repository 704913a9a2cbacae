import { RequestError } from '../wire/errors.ts';

/** Returns a cursor that continues a list after the entry with this key. Clients can read the key. */
export function cursorOf(key: readonly (string | number)[]): string {
  return Buffer.from(JSON.stringify(key)).toString('base64url');
}

/** `number` is any safe integer, `count` a safe integer from 0. */
type Type = 'string' | 'number' | 'count';

type KeyOf<Types extends readonly Type[]> = {
  [N in keyof Types]: Types[N] extends 'string' ? string : number;
};

/** Returns the key in a cursor. @throws RequestError `bad_request` if it does not consist of these types */
export function decodeCursor<const Types extends readonly Type[]>(
  cursor: string,
  types: Types,
): KeyOf<Types> {
  try {
    const key: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString());
    if (Array.isArray(key) && key.length === types.length && key.every((part, n) => isOf(part, types[n]))) {
      // The check above ensures one part for each type, which TypeScript cannot follow.
      return key as never;
    }
  } catch {
    // This server did not create the cursor.
  }
  throw new RequestError('bad_request', 'this cursor is not from this list');
}

/** Whether a part has the type. PostgreSQL rejects 1.5 for an integer column, and U+0000 in a text. */
function isOf(part: unknown, type: Type | undefined): boolean {
  if (type === 'string') return typeof part === 'string' && part.isWellFormed() && !part.includes('\0');
  return Number.isSafeInteger(part) && (type === 'number' || (part as number) >= 0);
}

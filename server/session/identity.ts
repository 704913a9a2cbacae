import { PhpBytes, PhpFloat, PhpObject, type PhpValue } from './formats/value.ts';

/** Who a session says is logged in. `id`: 1 to 64 characters; `name`: at most 64, no control characters. */
export interface SessionUser {
  id: string;
  name: string;
}

export type Identity = { user: SessionUser } | { nobody: string } | { invalid: string };

const maxCharacters = 64;

/** Where in a session its user lies. */
export interface UserPaths {
  id: Path;
  name: Path;
}

/** The keys from the outermost to the innermost. */
export type Path = readonly string[];

/**
 * `app.user.id`; a dot inside a key is written `\.`.
 * @throws TypeError for a path that leads nowhere
 */
export function parsePath(text: string): Path {
  const keys = text.split(/(?<!\\)\./).map((key) => key.replaceAll('\\.', '.'));
  if (keys.includes('')) throw new TypeError('a key of the path is empty');
  return keys;
}

/** The user in a decoded session. */
export function identify(session: PhpValue, paths: UserPaths): Identity {
  const found = follow(session, paths.id);
  if ('hidden' in found) return { invalid: `the user field lies under a __proto__ key` };
  const { value } = found;
  if (isEmpty(value)) return { nobody: `nobody is logged in: ${paths.id.join('.')} is absent or empty` };
  const id = userId(value);
  if (id === null) return { invalid: `${paths.id.join('.')} is no user id but ${kindOf(value)}` };
  const name = follow(session, paths.name).value;
  return { user: { id, name: displayName(name) || id } };
}

/** Own properties only: what an attacker put under `__proto__` is nobody's user. */
function follow(session: PhpValue, path: Path): { value: PhpValue | undefined; hidden?: true } {
  let value: PhpValue | undefined = session;
  for (const key of path) {
    const container: PhpValue | undefined = value instanceof PhpObject ? value.properties : value;
    if (typeof container !== 'object' || container === null || isScalar(container))
      return { value: undefined };
    if (!Object.hasOwn(container, key)) {
      return Object.hasOwn(container, '__proto__')
        ? { value: undefined, hidden: true }
        : { value: undefined };
    }
    value = (container as Record<string, PhpValue>)[key];
  }
  return { value };
}

function isScalar(value: object): value is PhpFloat | PhpBytes {
  return value instanceof PhpFloat || value instanceof PhpBytes;
}

/** As PHP's `empty()` has it. */
function isEmpty(value: PhpValue | undefined): boolean {
  if (value === undefined || value === null || value === false || value === '' || value === '0') return true;
  if (value instanceof PhpFloat) return value.value === 0;
  // An object is never empty, whatever is in it; bytes that are not UTF-8 are at least one.
  if (value instanceof PhpObject || value instanceof PhpBytes) return false;
  if (typeof value === 'object') return Object.keys(value).length === 0;
  return value === 0 || value === 0n;
}

function userId(value: PhpValue | undefined): string | null {
  if (typeof value === 'number' || typeof value === 'bigint') return value > 0 ? String(value) : null;
  if (typeof value !== 'string' || !value.isWellFormed() || /\p{Cc}/u.test(value)) return null;
  const characters = [...value];
  // Put together anew: a piece of the session's text would keep all of it in memory, as long as the user stays.
  return characters.length <= maxCharacters ? characters.join('') : null;
}

function displayName(value: PhpValue | undefined): string {
  if (typeof value === 'number' || typeof value === 'bigint') return String(value);
  if (typeof value !== 'string') return '';
  return [...value.toWellFormed().replace(/\p{Cc}/gu, '')].slice(0, maxCharacters).join('');
}

function kindOf(value: PhpValue | undefined): string {
  if (Array.isArray(value)) return 'a list';
  if (value instanceof PhpFloat) return 'a float';
  if (value instanceof PhpBytes) return 'a string that is not UTF-8';
  if (typeof value === 'object') return 'an array or an object';
  if (typeof value === 'boolean') return 'true';
  return typeof value === 'string'
    ? 'a string that is too long or has control characters'
    : 'a negative number';
}

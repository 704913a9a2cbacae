import { PhpBytes, PhpFloat, type PhpValue } from './formats/value.ts';
import { type Found, follow, isEmpty, type Path, pathText } from './path.ts';

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
  /** What lies here must not be empty, or nobody is logged in: for sites that keep the id after a logout. */
  require?: Path | undefined;
  /** The ids of nobody, such as that of a guest account. */
  nobody?: readonly string[];
}

/** The user in a decoded session. */
export function identify(session: PhpValue, paths: UserPaths): Identity {
  const found = present(session, paths.id);
  if (!('value' in found)) return noUser(found);
  const required = paths.require === undefined ? found : present(session, paths.require);
  if (!('value' in required)) return noUser(required);
  const id = userId(found.value);
  if (id === null) return { invalid: `${pathText(paths.id)} is no user id but ${kindOf(found.value)}` };
  if (paths.nobody?.includes(id)) return noUser({ absent: `${pathText(paths.id)} is that of a guest` });
  const name = follow(session, paths.name);
  return { user: { id, name: ('value' in name && displayName(name.value)) || id } };
}

/** What PHP's `empty()` calls empty is nobody's. */
function present(session: PhpValue, path: Path): Found {
  const found = follow(session, path);
  return 'value' in found && isEmpty(found.value) ? { absent: `${pathText(path)} is empty` } : found;
}

function noUser(found: Exclude<Found, { value: PhpValue }>): Identity {
  return 'wrong' in found ? { invalid: found.wrong } : { nobody: `nobody is logged in: ${found.absent}` };
}

function userId(value: PhpValue): string | null {
  if (typeof value === 'number' || typeof value === 'bigint') return value > 0 ? String(value) : null;
  if (typeof value !== 'string' || !value.isWellFormed() || /\p{Cc}/u.test(value)) return null;
  const characters = [...value];
  // Put together anew: a piece of the session's text would keep all of it in memory, as long as the user stays.
  return characters.length <= maxCharacters ? characters.join('') : null;
}

function displayName(value: PhpValue): string {
  if (typeof value === 'number' || typeof value === 'bigint') return String(value);
  if (typeof value !== 'string') return '';
  return [...value.toWellFormed().replace(/\p{Cc}/gu, '')].slice(0, maxCharacters).join('');
}

function kindOf(value: PhpValue): string {
  if (Array.isArray(value)) return 'a list';
  if (value instanceof PhpFloat) return 'a float';
  if (value instanceof PhpBytes) return 'a string that is not UTF-8';
  if (typeof value === 'object') return 'an array or an object';
  if (typeof value === 'boolean') return 'true';
  return typeof value === 'string'
    ? 'a string that is too long or has control characters'
    : 'a negative number';
}

import { withoutEntities } from './entities.ts';
import { PhpBytes, PhpFloat, PhpObject, type PhpValue } from './formats/value.ts';
import { type CheckResult, type NotLoggedIn, notLoggedIn, type SessionUser } from './login.ts';
import { type Found, follow, isEmpty, type Path, pathText } from './path.ts';
import { isBlank, isLine, visibleLine } from './visible-text.ts';

/** The user of a session, and the texts in it that further checks need. */
export interface FoundUser {
  user: SessionUser;
  /** The texts at `UserPaths.proof`. */
  proof: readonly (string | null)[];
  /** The text at `UserPaths.idVersionKey`. */
  idVersion?: string;
}

const maxCharacters = 64;
/** Longer than any address. */
const longestMail = 300;

/** Where in a session its user lies. */
export interface UserPaths {
  /** The character set of texts, as a label of `TextDecoder`; UTF-8 by default. */
  charset?: string | undefined;
  id: Path;
  /** Where else the id may lie, before and after `id`: the first that is there counts. */
  before?: readonly Path[] | undefined;
  others?: readonly Path[] | undefined;
  /** The id is a name as it was typed at the login: always, or in sessions that have a value at this path. */
  typed?: true | Path;
  name: Path;
  /** The same of the name. */
  otherNames?: readonly Path[] | undefined;
  /** If the value here is empty, nobody is logged in: for sites that keep the id after a logout. */
  require?: Path | undefined;
  /** The ids of nobody, such as that of a guest account. */
  nobody?: readonly string[];
  /** The IDs of users who have a role besides the roles in the session. */
  admins?: readonly string[];
  moderators?: readonly string[];
  rooms?: Path | undefined;
  roles?: Path | undefined;
  banned?: Path | undefined;
  mail?: Path | undefined;
  /** Texts that are compared with other cookies, or with the user's row in a table of the site. */
  proof?: readonly Path[] | undefined;
  /** The key in the session of a text that changes when the site gives the session another ID. */
  idVersionKey?: string | undefined;
}

/** Finds the user in a decoded session. */
export function findUser(session: PhpValue, paths: UserPaths): CheckResult<FoundUser> {
  const at =
    [...(paths.before ?? []), paths.id, ...(paths.others ?? [])].find(
      (path) => 'value' in present(session, path),
    ) ?? paths.id;
  const found = present(session, at);
  if (!('value' in found)) return noUser(found);
  const required = paths.require === undefined ? found : present(session, paths.require);
  if (!('value' in required)) return noUser(required);
  const { typed } = paths;
  const isTyped = typed === true || (typed !== undefined && 'value' in present(session, typed));
  const { charset } = paths;
  const given = asText(found.value, charset);
  const id = userId(isTyped ? accountName(given) : given);
  if (id === null) return invalid(`${pathText(at)} is not a user id but ${kindOf(given, charset)}`);
  const isAmong = (ids: readonly string[] = []) =>
    ids.some((one) => (isTyped ? accountName(one) : one) === id);
  if (isAmong(paths.nobody)) return noUser({ absent: `${pathText(at)} is that of a guest` });
  const name = nameIn(session, paths);
  const shown = 'value' in name ? asText(name.value, charset) : null;
  const user: SessionUser = { id, name: displayName(withoutHtml(shown)) || id };
  if (shown instanceof PhpBytes)
    user.textProblem = `the name at ${pathText(paths.name)} is ${notInCharset(charset)}, so others see the id`;
  const roles = mergeRoles(paths.roles === undefined ? [] : rolesIn(follow(session, paths.roles)), {
    admin: isAmong(paths.admins),
    moderator: isAmong(paths.moderators),
  });
  if (roles.length > 0) user.roles = roles;
  if (paths.rooms !== undefined) {
    const { rooms, problem } = roomsIn(follow(session, paths.rooms), charset);
    user.rooms = rooms;
    if (problem !== undefined) user.roomsProblem = problem;
  }
  if (paths.banned !== undefined && 'value' in present(session, paths.banned)) user.banned = true;
  const mail = paths.mail === undefined ? { absent: '' } : follow(session, paths.mail);
  if ('value' in mail) {
    const value = asText(mail.value, charset);
    if (value instanceof PhpBytes)
      user.textProblem ??= `the address at ${pathText(paths.mail ?? [])} is ${notInCharset(charset)}`;
    // A copy, as of the id.
    user.mail = typeof value === 'string' && value.length <= longestMail ? [...value].join('') : '';
  }
  const proof = paths.proof?.map((path) => bytesOf(follow(session, path))) ?? [];
  const { idVersionKey } = paths;
  // Most sessions lack the key, and need no path followed.
  const idVersion =
    idVersionKey !== undefined && Object.hasOwn(Object(session), idVersionKey)
      ? bytesOf(follow(session, [idVersionKey]))
      : null;
  return { state: 'user', user, proof, ...(idVersion !== null && { idVersion }) };
}

/** The value of the name, by the first path that has one; if none has, why the first has none. */
export function nameIn(session: PhpValue, { name, otherNames = [] }: UserPaths): Found {
  const found = [name, ...otherNames].map((path) => follow(session, path));
  return found.find((one) => 'value' in one) ?? (found[0] as Found);
}

/** A text, a number or a truth value as the bytes that PHP has, one character each; null for what is none. */
function bytesOf(found: Found): string | null {
  if (!('value' in found)) return null;
  const { value } = found;
  if (value instanceof PhpBytes) return value.bytes.toString('latin1');
  if (typeof value === 'boolean') return value ? '1' : '';
  if (typeof value === 'number' || typeof value === 'bigint') return String(value);
  return typeof value === 'string' ? Buffer.from(value).toString('latin1') : null;
}

const siteRoles = ['admin', 'moderator'] as const;

/** The value is a role or a list of roles; roles of other names are the site's own affair. */
function rolesIn(found: Found): ('admin' | 'moderator')[] {
  const value = 'value' in found ? found.value : null;
  const named = entries(value)?.map(([, role]) => role) ?? [value];
  return siteRoles.filter((role) => named.includes(role));
}

/** The roles that the site gives a user, and those that the operator's settings add. */
export const mergeRoles = (
  roles: SessionUser['roles'] = [],
  added: Record<(typeof siteRoles)[number], boolean>,
): NonNullable<SessionUser['roles']> => siteRoles.filter((role) => roles.includes(role) || added[role]);

/** A session may have any number of rooms; only this many count. */
const mostRooms = 500;

/**
 * Rooms are a list of ids, or a map from ids to names (CHAT_USER_ROOMS): with keys 0 … n−1 it is a list. An entry that is
 * not an id is skipped. A value that is neither a list nor a map is unreadable.
 */
function roomsIn(
  found: Found,
  charset: string | undefined,
): { rooms: NonNullable<SessionUser['rooms']>; problem?: string } {
  // An absent list is an empty one.
  if ('absent' in found) return { rooms: [] };
  if (!('value' in found)) return { rooms: 'unreadable', problem: found.wrong };
  if (found.value === null) return { rooms: [] };
  const all = entries(found.value);
  if (all === null)
    return { rooms: 'unreadable', problem: 'it is neither a list of ids nor a map from id to name' };
  const isList = all.every(([key], n) => key === String(n));
  const rooms = new Map<string, { id: string; name: string }>();
  const skipped: number[] = [];
  let unnamed = 0;
  for (const [n, [key, value]] of all.entries()) {
    const id = isList ? roomId(value) : roomId(key);
    const name = isList ? null : withoutHtml(asText(value, charset));
    if (name instanceof PhpBytes) unnamed++;
    if (id === null) skipped.push(n + 1);
    else if (rooms.size < mostRooms) rooms.set(id, { id, name: roomName(name) || id });
  }
  const problems = [
    ...(skipped.length === 0
      ? []
      : [`${skipped.length} of ${all.length} entries are not room ids, the first is number ${skipped[0]}`]),
    ...(all.length - skipped.length > mostRooms ? [`only the first ${mostRooms} rooms count`] : []),
    ...(unnamed > 0 ? [`${unnamed} names of rooms are ${notInCharset(charset)}, so the ids are shown`] : []),
  ];
  return { rooms: [...rooms.values()], ...(problems.length === 0 ? {} : { problem: problems.join('; ') }) };
}

function entries(value: PhpValue): [string, PhpValue][] | null {
  if (Array.isArray(value)) return value.map((item, n) => [String(n), item]);
  if (typeof value !== 'object' || value === null) return null;
  if (value instanceof PhpFloat || value instanceof PhpBytes) return null;
  return Object.entries(value instanceof PhpObject ? value.properties : value);
}

/** Rooms that begin with `u-`, `d-` and `r-` are the chat's own. */
function roomId(value: PhpValue): string | null {
  const id = typeof value === 'number' || typeof value === 'bigint' ? String(value) : value;
  return typeof id === 'string' && /^(?![udr]-)[A-Za-z0-9_-]{1,64}$/.test(id) ? id : null;
}

function roomName(value: PhpValue): string {
  return typeof value === 'string' ? visibleLine(value, 80).trim() : '';
}

/** A value that PHP's `empty()` calls empty is nobody's. */
function present(session: PhpValue, path: Path): Found {
  const found = follow(session, path);
  return 'value' in found && isEmpty(found.value) ? { absent: `${pathText(path)} is empty` } : found;
}

function noUser(found: Exclude<Found, { value: PhpValue }>): NotLoggedIn {
  return 'wrong' in found
    ? invalid(found.wrong)
    : notLoggedIn(
        `nobody is logged in: ${found.absent}`,
        'if every visitor gets this: the user is elsewhere in the sessions of this site than the path says',
      );
}

const invalid = (reason: string): NotLoggedIn => ({
  ...notLoggedIn(
    reason,
    'the path has to lead to one user id, an integer or a string, and to decode (!) only what is serialized',
  ),
  state: 'invalid',
});

/**
 * The same for all names by which a login takes one account: in any case, and LDAP with any `*` in it. Directories and
 * databases also ignore blanks, marks and letters without a width, and take other forms of a letter for it (RFC 4518, 2.2 to
 * 2.6.1). They differ in that, so any other name than a plain one is null: somebody who is banned would come back by it.
 */
function accountName(typed: PhpValue): PhpValue {
  if (typeof typed !== 'string') return typed;
  const name = typed.toLowerCase().replaceAll('*', '');
  return /^[!-~]+( [!-~]+)*$/.test(name) ? name : null;
}

/** Ids that stand for other people in the chat: for a user who was erased, and for everybody in a room. */
const taken = ['0', '*'];

function userId(value: PhpValue): string | null {
  if (typeof value === 'number' || typeof value === 'bigint') return value > 0 ? String(value) : null;
  if (typeof value !== 'string' || !value.isWellFormed() || !isLine(value) || isBlank(value)) return null;
  if (taken.includes(value)) return null;
  const characters = [...value];
  // A copy: a piece of the session's text would keep all of it in memory, as long as the user stays.
  return characters.length <= maxCharacters ? characters.join('') : null;
}

/** A text in the character set of the session; PhpBytes if it is not in that. Other values stay. */
function asText(value: PhpValue, charset: string | undefined): PhpValue {
  const isText = typeof value === 'string' || value instanceof PhpBytes;
  if (charset === undefined || !isText) return value;
  // Bytes of another character set may be UTF-8 by chance.
  const bytes = typeof value === 'string' ? Buffer.from(value) : value.bytes;
  try {
    return new TextDecoder(charset, { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return new PhpBytes(bytes);
  }
}

const notInCharset = (charset: string | undefined): string =>
  charset === undefined
    ? 'not UTF-8 (CHAT_SESSION_CHARSET names the character set of the site)'
    : `not ${charset} (CHAT_SESSION_CHARSET)`;

/** Sites that store names for HTML expect them to be shown as people read them. */
const withoutHtml = (value: PhpValue): PhpValue =>
  typeof value === 'string' ? withoutEntities(value) : value;

export function displayName(value: PhpValue): string {
  if (typeof value === 'number' || typeof value === 'bigint') return String(value);
  return typeof value === 'string' ? visibleLine(value, maxCharacters) : '';
}

function kindOf(value: PhpValue, charset: string | undefined): string {
  if (Array.isArray(value)) return 'a list';
  if (value instanceof PhpFloat) return 'a float';
  if (value instanceof PhpBytes) return `a string that is ${notInCharset(charset)}`;
  if (typeof value === 'object') return 'an array or an object';
  if (typeof value === 'boolean') return 'true';
  return typeof value === 'string'
    ? 'a string that is too long or blank, is * or 0, has control characters, or is a name that the login takes for another one'
    : 'a negative number';
}

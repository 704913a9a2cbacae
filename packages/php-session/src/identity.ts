import { decodeText, isCanonical } from './charset.ts';
import { withoutEntities } from './entities.ts';
import { PhpBytes, PhpFloat, PhpObject, type PhpValue } from './formats/value.ts';
import { type CheckResult, type NotLoggedIn, notLoggedIn, type SessionUser } from './login.ts';
import { option } from './names.ts';
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
const maxMailCharacters = 300;
const maxGroups = 500;
const maxGroupNameCharacters = 80;

/** Where a session has its user. */
export interface UserPaths {
  /** The character set of texts, as a label of `TextDecoder`; UTF-8 by default. */
  charset?: string | undefined;
  id: Path;
  /** Other paths to the ID, before and after `id`. The first path with a value counts. */
  firstIds?: readonly Path[] | undefined;
  otherIds?: readonly Path[] | undefined;
  /** The ID is a name as typed at the login, either always or in sessions that have a value at this path. */
  typed?: true | Path;
  name: Path;
  otherNames?: readonly Path[] | undefined;
  /** If the value at this path is empty, no user is logged in. For sites that keep the ID after a logout. */
  require?: Path | undefined;
  /** IDs of accounts for visitors who are not logged in, such as a guest account. */
  nobody?: readonly string[];
  /** IDs of users who have a role in addition to the roles in the session. */
  admins?: readonly string[];
  moderators?: readonly string[];
  groups?: Path | undefined;
  roles?: Path | undefined;
  /** Names at `roles` whose users also have the role `team`. */
  team?: readonly string[] | undefined;
  banned?: Path | undefined;
  mail?: Path | undefined;
  /** Texts that are compared with other cookies, or with the user's row in a table of the site. */
  proof?: readonly Path[] | undefined;
  /** The session key of a text that changes whenever the site gives the session another ID. */
  idVersionKey?: string | undefined;
}

/** Finds the user in a decoded session. */
export function findUser(session: PhpValue, paths: UserPaths): CheckResult<FoundUser> {
  const { charset, typed, idVersionKey } = paths;
  const idPath =
    [...(paths.firstIds ?? []), paths.id, ...(paths.otherIds ?? [])].find(
      (path) => 'value' in followToUser(session, path),
    ) ?? paths.id;
  const found = followToUser(session, idPath);
  if (!('value' in found)) return notFound(found);
  const required = paths.require === undefined ? found : followToUser(session, paths.require);
  if (!('value' in required)) return notFound(required);
  const isTyped = typed === true || (typed !== undefined && 'value' in followToUser(session, typed));
  const idText = decodeText(found.value, charset);
  if (typeof idText === 'string' && !isCanonical(found.value, idText, charset))
    return invalid(
      `${pathText(idPath)} is not in the canonical form of ${charset} (${option('charset')}): the same text in other bytes could be the id of another user`,
    );
  const id = toUserId(isTyped ? toAccountName(idText) : idText);
  if (id === null) return invalid(`${pathText(idPath)} is not a user id but ${describe(idText, charset)}`);
  const isAmong = (ids: readonly string[] = []) =>
    ids.some((other) => (isTyped ? toAccountName(other) : other) === id);
  if (isAmong(paths.nobody)) return notFound({ absent: `${pathText(idPath)} is the ID of a guest` });
  const nameValue = findName(session, paths);
  const name = 'value' in nameValue ? decodeText(nameValue.value, charset) : null;
  const user: SessionUser = { id, name: displayName(decodeHtml(name)) || id };
  if (name instanceof PhpBytes)
    user.textProblem = `the name at ${pathText(paths.name)} is ${notInCharset(charset)}, so others see the id`;
  const roles = mergeRoles(paths.roles === undefined ? [] : rolesIn(follow(session, paths.roles), paths), {
    admin: isAmong(paths.admins),
    moderator: isAmong(paths.moderators),
  });
  if (roles.length > 0) user.roles = roles;
  if (paths.groups !== undefined) Object.assign(user, groupsIn(follow(session, paths.groups), charset));
  if (paths.banned !== undefined && 'value' in followToUser(session, paths.banned)) user.banned = true;
  const mailValue = paths.mail && follow(session, paths.mail);
  if (paths.mail !== undefined && mailValue !== undefined && 'value' in mailValue) {
    const mail = decodeText(mailValue.value, charset);
    if (mail instanceof PhpBytes)
      user.textProblem ??= `the address at ${pathText(paths.mail)} is ${notInCharset(charset)}`;
    user.mail = typeof mail === 'string' && mail.length <= maxMailCharacters ? ownCopy(mail) : '';
  }
  const proof = paths.proof?.map((path) => bytesAt(follow(session, path))) ?? noProof;
  // Most sessions do not have the key. Following the path would compose an unused explanation.
  const idVersion =
    idVersionKey !== undefined && Object.hasOwn(Object(session), idVersionKey)
      ? bytesAt(follow(session, [idVersionKey]))
      : null;
  return { state: 'user', user, proof, idVersion: idVersion ?? undefined };
}

const noProof: FoundUser['proof'] = [];

/** Returns the first value at the paths of the name. If all are missing, the result explains the first path. */
export function findName(session: PhpValue, { name, otherNames = [] }: UserPaths): Found {
  const found = [name, ...otherNames].map((path) => follow(session, path));
  return found.find((each) => 'value' in each) ?? (found[0] as Found);
}

/** Converts a text, number or boolean to PHP's bytes, with one character per byte. Returns null for other values. */
function bytesAt(found: Found): string | null {
  if (!('value' in found)) return null;
  const { value } = found;
  if (value instanceof PhpBytes) return value.bytes.toString('latin1');
  if (typeof value === 'boolean') return value ? '1' : '';
  if (typeof value === 'number' || typeof value === 'bigint') return String(value);
  return typeof value === 'string' ? Buffer.from(value).toString('latin1') : null;
}

const siteRoles = ['admin', 'moderator', 'team'] as const;
type SiteRole = (typeof siteRoles)[number];

/** Reads a role or a list of roles. Ignores roles of the site that `team` does not list. */
function rolesIn(found: Found, { team = [], charset }: UserPaths): SiteRole[] {
  const value = 'value' in found ? found.value : null;
  const given = entriesOf(value)?.map(([, role]) => role) ?? [value];
  const isOfTeam = given.some((role) => team.includes(roleName(role, charset)));
  return siteRoles.filter((role) => (role === 'team' ? isOfTeam : given.includes(role)));
}

/** A role may be a number, such as a group's ID. */
function roleName(role: PhpValue, charset: string | undefined): string {
  const text = decodeText(role, charset);
  return typeof text === 'number' || typeof text === 'bigint' || typeof text === 'string' ? String(text) : '';
}

/** Merges the roles of the site and of the operator's settings. */
export const mergeRoles = (
  roles: readonly SiteRole[] = [],
  added: Partial<Record<SiteRole, boolean>>,
): SiteRole[] => siteRoles.filter((role) => roles.includes(role) || added[role]);

/** Reads groups: a list of IDs, or a map from IDs to names. An array with the keys 0 … n−1 is a list. */
function groupsIn(found: Found, charset: string | undefined): Pick<SessionUser, 'groups' | 'groupsProblem'> {
  if ('wrong' in found) return { groups: 'unreadable', groupsProblem: found.wrong };
  if ('absent' in found || found.value === null) return { groups: [] };
  const entries = entriesOf(found.value);
  if (entries === null)
    return {
      groups: 'unreadable',
      groupsProblem: 'the value is neither a list of IDs nor a map from IDs to names',
    };
  const isList = entries.every(([key], n) => key === String(n));
  const groups = new Map<string, { id: string; name: string }>();
  const skipped: number[] = [];
  let undecodable = 0;
  for (const [n, [key, value]] of entries.entries()) {
    const id = toGroupId(isList ? value : key);
    const name = isList ? null : decodeHtml(decodeText(value, charset));
    if (name instanceof PhpBytes) undecodable++;
    if (id === null) skipped.push(n + 1);
    else if (groups.size < maxGroups)
      groups.set(id, { id, name: visibleText(name, maxGroupNameCharacters).trim() || id });
  }
  const problems = [
    skipped.length > 0 &&
      `${skipped.length} of ${entries.length} entries are not ids, the first is number ${skipped[0]}`,
    entries.length - skipped.length > maxGroups && `only the first ${maxGroups} entries count`,
    undecodable > 0 && `${undecodable} names are ${notInCharset(charset)}, so the ids are shown`,
  ].filter((problem) => problem !== false);
  return {
    groups: [...groups.values()],
    ...(problems.length > 0 && { groupsProblem: problems.join('; ') }),
  };
}

function entriesOf(value: PhpValue): [string, PhpValue][] | null {
  if (Array.isArray(value)) return value.map((item, n) => [String(n), item]);
  if (typeof value !== 'object' || value === null) return null;
  if (value instanceof PhpFloat || value instanceof PhpBytes) return null;
  return Object.entries(value instanceof PhpObject ? value.properties : value);
}

function toGroupId(value: PhpValue): string | null {
  const id = typeof value === 'number' || typeof value === 'bigint' ? String(value) : value;
  return typeof id === 'string' && /^[A-Za-z0-9_-]{1,64}$/.test(id) ? id : null;
}

/** Returns the value at a path. A value that is empty in PHP counts as absent. */
function followToUser(session: PhpValue, path: Path): Found {
  const found = follow(session, path);
  return 'value' in found && isEmpty(found.value) ? { absent: `${pathText(path)} is empty` } : found;
}

function notFound(found: Exclude<Found, { value: PhpValue }>): NotLoggedIn {
  return 'wrong' in found
    ? invalid(found.wrong)
    : notLoggedIn(
        `the session has no logged-in user: ${found.absent}`,
        'if every visitor gets this: the sessions of this site have the user at another path',
      );
}

const invalid = (reason: string): NotLoggedIn => ({
  ...notLoggedIn(
    reason,
    'the path must lead to one user ID, an integer or a string, and decode (!) only serialized strings',
  ),
  state: 'invalid',
});

/**
 * Returns the same name for all spellings that log in to one account, so that a ban applies to each of them. Logins
 * ignore the case. Directories and databases ignore some blanks and marks (RFC 4518), so only printable ASCII with
 * single inner blanks is accepted. Other texts become null, and so do names with `*`: in LDAP, `ann*` may be `anna`.
 */
function toAccountName(typed: PhpValue): PhpValue {
  if (typeof typed !== 'string') return typed;
  return /^[!-)+-~]+( [!-)+-~]+)*$/.test(typed) ? typed.toLowerCase() : null;
}

/** PHP programs use `0` for "no user", and `*` stands for all users. */
const reservedIds = ['0', '*'];
/** Lossy conversions write it for different bytes, so that different IDs become one. */
const replacement = '\ufffd';

function toUserId(value: PhpValue): string | null {
  if (typeof value === 'number' || typeof value === 'bigint') return value > 0 ? String(value) : null;
  if (typeof value !== 'string' || !value.isWellFormed() || !isLine(value) || isBlank(value)) return null;
  if (value.includes(replacement)) return null;
  return reservedIds.includes(value) || [...value].length > maxCharacters ? null : ownCopy(value);
}

/** Copies a text, because a substring would keep the whole session in memory while the login lasts. */
const ownCopy = (text: string): string => [...text].join('');

const notInCharset = (charset: string | undefined): string =>
  charset === undefined
    ? `not UTF-8 (${option('charset')} names the character set of the site)`
    : `not ${charset} (${option('charset')})`;

/** Some sites store names escaped for HTML. */
const decodeHtml = (value: PhpValue): PhpValue =>
  typeof value === 'string' ? withoutEntities(value) : value;

const visibleText = (value: PhpValue, maxLength: number): string =>
  typeof value === 'string' ? visibleLine(value, maxLength) : '';

export function displayName(value: PhpValue): string {
  if (typeof value === 'number' || typeof value === 'bigint') return String(value);
  return visibleText(value, maxCharacters);
}

function describe(value: PhpValue, charset: string | undefined): string {
  if (Array.isArray(value)) return 'a list';
  if (value instanceof PhpFloat) return 'a float';
  if (value instanceof PhpBytes) return `a string that is ${notInCharset(charset)}`;
  if (typeof value === 'object') return 'an array or an object';
  if (typeof value === 'boolean') return 'true';
  return typeof value === 'string'
    ? 'a string that is too long or blank, is * or 0, has control or replacement characters, or as a typed name has characters that logins may ignore'
    : 'a negative number';
}

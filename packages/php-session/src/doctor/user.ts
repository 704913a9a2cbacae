import { PhpObject, type PhpValue } from '../formats/value.ts';
import { displayName, findName, findUser, type UserPaths } from '../identity.ts';
import type { SessionUser } from '../login.ts';
import { option } from '../names.ts';
import { follow, type Path, pathText } from '../path.ts';
import { type Finding, ok, printable, problem, warning } from './finding.ts';
import {
  canBe,
  decodeSerialized,
  findLikelyValues,
  isTyped,
  keysOf,
  listChildren,
  listValues,
  type SessionValue,
} from './session-values.ts';

const maxListedKeys = 40;
const maxSuggestions = 3;

/** The values that the paths lead to. */
const pathTargets = {
  userId: 'the user’s id',
  userName: 'the name that others see',
  userGroups: 'the groups of the user',
  userRoles: 'the roles of the user',
  userBanned: 'the value that marks banned users',
  userMail: 'the address of the user',
};
type PathOption = keyof typeof pathTargets;

const printPath = (path: Path) => printable(pathText(path));
const joinPaths = (values: readonly SessionValue[]) =>
  values
    .slice(0, maxListedKeys)
    .map(({ path }) => printPath(path))
    .join(', ');

/** Finds paths to text that a visitor typed into the login form, even with a wrong password. */
export const findTypedPaths = ({ id, name }: Pick<UserPaths, 'id' | 'name'>): Finding[] =>
  Object.entries({ userId: id, userName: name }).flatMap(([name, path]) =>
    isTyped(path)
      ? problem(
          `${option(name as PathOption)}=${pathText(path)} is whatever a visitor typed into the login form, even with a wrong password.`,
          'Never use it: any visitor could pose as any user.',
        )
      : [],
  );

/** Warns of text that a visitor typed into the login form. */
export function warnOfTypedText(session: PhpValue): Finding[] {
  const typed = listValues(session).find(({ path }) => isTyped(path));
  if (typed === undefined) return [];
  return [
    warning(
      `${printPath(typed.path)} is not a user, but whatever a visitor typed into the login form.`,
      `Never use it for ${option('userId')} or ${option('userName')}.`,
    ),
  ];
}

/** Lists the keys of a session, its objects and its serialized strings, without their values. */
export function* describeContent(session: PhpValue): Generator<Finding> {
  const branches = listChildren({ path: [], value: session }).map((child) => [child, ...listChildren(child)]);
  const keys = branches.flatMap((branch) => (branch.length === 1 ? branch : branch.slice(1)));
  const listed = joinPaths(keys) || 'none';
  const more = keys.length > maxListedKeys ? ` and ${keys.length - maxListedKeys} more` : '';
  yield ok(`Its keys: ${listed}${more}.`);
  const values = branches.flat();
  const objects = values.flatMap(({ path, value }) =>
    value instanceof PhpObject ? [`${printPath(path)} (${printable(value.className, 60)})`] : [],
  );
  if (session instanceof PhpObject)
    objects.unshift(`the whole session (${printable(session.className, 60)})`);
  if (objects.length > 0)
    yield ok(
      `Objects in it: ${objects.slice(0, maxListedKeys).join(', ')}. A path leads into objects as into arrays.`,
    );
  const strings = values.flatMap((value) => decodeSerialized(value) ?? []);
  if (strings.length > 0)
    yield ok(`Serialized strings in it (a path needs ! to lead into them): ${joinPaths(strings)}.`);
}

/** Describes the user of a session, and checks the paths to the user's data. */
export function* describeUser(session: PhpValue, paths: UserPaths, user: SessionUser): Generator<Finding> {
  yield describeName(session, paths, user);
  for (const [name, path] of [
    ['userGroups', paths.groups],
    ['userRoles', paths.roles],
    ['userBanned', paths.banned],
    ['userMail', paths.mail],
  ] as const) {
    if (path === undefined) continue;
    const found = follow(session, path);
    const advice = () => adviseOption(name, session, path);
    if ('wrong' in found) {
      yield problem(`${option(name)} cannot be read: ${found.wrong}.`, advice());
    } else if (name === 'userGroups' && 'absent' in found) {
      yield warning(`${option(name)} finds no groups of this user: ${found.absent}.`, advice());
    } else if (name === 'userMail' && !user.mail) {
      yield warning(`${option(name)} finds no address of this user.`, advice());
    } else if (name === 'userGroups' && user.groups === 'unreadable') {
      yield problem(
        `${option(name)} leads to neither a list of ids nor a map from ids to names.`,
        'Put the groups into the session in one of these two forms.',
      );
    }
  }
  if (Array.isArray(user.groups)) yield ok(`It puts the user into ${user.groups.length} groups.`);
  if (user.roles !== undefined) yield ok(`Roles of the user: ${user.roles.join(', ')}.`);
  if (user.banned) yield warning(`The site has banned this user (${option('userBanned')}).`);
}

function describeName(session: PhpValue, paths: UserPaths, { id, name, textProblem }: SessionUser): Finding {
  const user = `It belongs to the user ${id}`;
  // The name is in the database of the site.
  if (paths.proof !== undefined) return ok(`${user}.`);
  if (textProblem !== undefined)
    return problem(
      `${user}, called ${name}: ${textProblem}.`,
      `Set ${option('charset')}, such as windows-1252.`,
    );
  const found = findName(session, paths);
  if ('value' in found && displayName(found.value) !== '') return ok(`${user}, called ${name}.`);
  const reason =
    'value' in found
      ? `${pathText(paths.name)} is not a name`
      : 'absent' in found
        ? found.absent
        : found.wrong;
  return problem(
    `${user}, but without a name, so others see the id: ${reason}.`,
    `${adviseOption('userName', session, paths.name)} If the session does not contain a name: ${option('userName')}=${pathText(paths.id)}.`,
  );
}

/** Returns advice for a session in which no user is found. */
export function advisePath(session: PhpValue, paths: UserPaths): string {
  return findUser(session, { id: paths.id, name: paths.name }).state === 'user'
    ? `There is a user, but ${option('userRequire')} or ${option('userNobody')} excludes it.`
    : `Log in to the site first, unless you have done so. ${adviseOption('userId', session, paths.id)}`;
}

function adviseOption(name: PathOption, session: PhpValue, path: Path): string {
  const suggestions = suggestPaths(name, session, path).map((each) => `${option(name)}=${printPath(each)}`);
  if (suggestions.length === 1) return `Was ${suggestions[0]} meant?`;
  if (suggestions.length > 1) return `Was one of these meant? ${suggestions.join(', ')}`;
  return `${option(name)} is the path to ${pathTargets[name]}, by keys such as those above: app.user.id.`;
}

function suggestPaths(name: PathOption, session: PhpValue, path: Path): Path[] {
  const part = name === 'userId' ? 'id' : name === 'userName' ? 'name' : undefined;
  // The given path may lack a backslash before a dot within a key, or a `!`.
  const toText = (each: Path) => keysOf(each).map(String).join('.');
  const lastOf = (text: string) => text.slice(text.lastIndexOf('.') + 1);
  const given = toText(path);
  const values = listValues(session);
  for (const isMeant of [
    (text: string) => text === given,
    (text: string) => text.toLowerCase() === given.toLowerCase() || text.endsWith(`.${given}`),
    (text: string) => lastOf(text) === lastOf(given),
  ]) {
    const meant = values.filter((each) => isMeant(toText(each.path)) && canBe(part, each, session));
    if (meant.length > 0) return meant.slice(0, maxSuggestions).map((each) => each.path);
  }
  const likely = part === undefined ? [] : findLikelyValues(session, part);
  return likely.slice(0, maxSuggestions).map((each) => each.path);
}

import { PhpObject, type PhpValue } from '../formats/value.ts';
import { displayName, findUser, nameIn, type UserPaths } from '../identity.ts';
import type { SessionUser } from '../login.ts';
import { follow, type Path, pathText } from '../path.ts';
import { type Finding, printable, warning, well, wrong } from './finding.ts';
import { inside, keysOf, likelyPlaces, mayBe, placesIn, serialized } from './places.ts';
import { leadsToTyped } from './typed.ts';

const mostKeys = 40;
const mostSuggestions = 3;
/** The keys of a session, its objects and its serialized strings, without values. */
export function* contentFindings(session: PhpValue): Generator<Finding> {
  yield well(`Its keys: ${keysText(session)}.`);
  yield* objectsIn(session);
}

/** The user whom the server has found. */
export function* userFindings(session: PhpValue, paths: UserPaths, user: SessionUser): Generator<Finding> {
  yield* named(session, paths, user);
  yield* given(session, paths, user);
}

/** What to change if the server finds no user in a session. */
export function pathAdvice(session: PhpValue, paths: UserPaths): string {
  return findUser(session, { id: paths.id, name: paths.name }).state === 'user'
    ? 'There is a user, but CHAT_USER_REQUIRE or CHAT_USER_NOBODY excludes it.'
    : `Log in to the site first, if that was not done. ${adviceFor('CHAT_USER_ID', session, paths.id)}`;
}

/** Warns of a text that a visitor typed into the login form. */
export function typedFindings(session: PhpValue): Finding[] {
  const typed = placesIn(session).find(({ path }) => leadsToTyped(path));
  if (typed === undefined) return [];
  const text = `${shownPath(typed.path)} is no user: it is whatever a visitor typed into the login form.`;
  return [warning(text, 'Never use it for CHAT_USER_ID or CHAT_USER_NAME.')];
}

function* named(
  session: PhpValue,
  paths: UserPaths,
  { id, name, textProblem }: SessionUser,
): Generator<Finding> {
  const user = `It belongs to the user ${id}`;
  // The database of the site has the name.
  if (paths.proof !== undefined) return yield well(`${user}.`);
  if (textProblem !== undefined)
    return yield wrong(
      `${user}, called ${name}: ${textProblem}.`,
      'Set CHAT_SESSION_CHARSET, such as windows-1252.',
    );
  const found = nameIn(session, paths);
  if ('value' in found && displayName(found.value) !== '') {
    return yield well(`${user}, called ${name}.`);
  }
  const reason =
    'value' in found ? `${pathText(paths.name)} is no name` : 'absent' in found ? found.absent : found.wrong;
  yield wrong(
    `${user}, but without a name, so others see the id: ${reason}.`,
    `${adviceFor('CHAT_USER_NAME', session, paths.name)} If the site keeps no name in the session: CHAT_USER_NAME=${pathText(paths.id)}.`,
  );
}

/** The user's rooms, roles and ban in the session. */
function* given(session: PhpValue, paths: UserPaths, user: SessionUser): Generator<Finding> {
  for (const [name, path] of [
    ['CHAT_USER_ROOMS', paths.rooms],
    ['CHAT_USER_ROLES', paths.roles],
    ['CHAT_USER_BANNED', paths.banned],
    ['CHAT_USER_MAIL', paths.mail],
  ] as const) {
    const found = path && follow(session, path);
    if (found !== undefined && 'wrong' in found) {
      yield wrong(`${name} cannot be read: ${found.wrong}.`, adviceFor(name, session, path as Path));
    } else if (found !== undefined && 'absent' in found && name === 'CHAT_USER_ROOMS') {
      yield warning(
        `This user has no rooms by ${name}: ${found.absent}.`,
        adviceFor(name, session, path as Path),
      );
    } else if (found !== undefined && name === 'CHAT_USER_MAIL' && !user.mail) {
      yield warning('This user has no address by CHAT_USER_MAIL.', adviceFor(name, session, path as Path));
    } else if (name === 'CHAT_USER_ROOMS' && user.rooms === 'unreadable') {
      yield wrong(
        `${name} leads to neither a list of ids nor a map from ids to names.`,
        'Put the rooms into the session in one of these two forms: docs/sessions.md.',
      );
    }
  }
  if (Array.isArray(user.rooms)) yield well(`It puts the user into ${user.rooms.length} rooms.`);
  if (user.roles !== undefined) yield well(`Roles of the user: ${user.roles.join(', ')}.`);
  if (user.banned) yield warning('The site keeps this user out of the chat (CHAT_USER_BANNED).');
}

/** Says what a path is for, and names paths that were probably meant. */
function adviceFor(setting: string, session: PhpValue, path: Path): string {
  const what = {
    CHAT_USER_ID: 'the user’s id',
    CHAT_USER_NAME: 'the name that others see',
    CHAT_USER_ROOMS: 'the rooms of the user',
    CHAT_USER_ROLES: 'the roles of the user',
    CHAT_USER_BANNED: 'what says that the user is banned',
    CHAT_USER_MAIL: 'the address of the user',
  }[setting];
  const better = suggestions(setting, session, path).map(shownPath);
  if (better.length === 1) return `Was ${setting}=${better[0]} meant?`;
  if (better.length > 1)
    return `Was one of these meant? ${better.map((one) => `${setting}=${one}`).join(', ')}`;
  return `${setting} is the path to ${what}, by keys such as those above: app.user.id. See docs/sessions.md, "Paths".`;
}

function suggestions(setting: string, session: PhpValue, path: Path): Path[] {
  const what = ({ CHAT_USER_ID: 'id', CHAT_USER_NAME: 'name' } as const)[setting];
  // Keys may have been joined by dots that are part of a key, and `!` may be missing or too many.
  const written = (one: Path) => keysOf(one).map(String).join('.');
  const wanted = written(path);
  const last = wanted.slice(wanted.lastIndexOf('.') + 1);
  const places = placesIn(session);
  for (const meant of [
    (one: string) => one === wanted,
    (one: string) => one.toLowerCase() === wanted.toLowerCase() || one.endsWith(`.${wanted}`),
    (one: string) => one.slice(one.lastIndexOf('.') + 1) === last,
  ]) {
    const found = places.filter((place) => meant(written(place.path)) && mayBe(what, place, session));
    if (found.length > 0) return found.slice(0, mostSuggestions).map((place) => place.path);
  }
  const likely = what === undefined ? [] : likelyPlaces(session, what);
  return likely.slice(0, mostSuggestions).map(({ path }) => path);
}

/** Two levels of keys, as they stand in a path. */
function keysText(session: PhpValue): string {
  const all = inside({ path: [], value: session }).flatMap((place) => {
    const inner = inside(place).map(({ path }) => path);
    return inner.length === 0 ? [place.path] : inner;
  });
  if (all.length === 0) return 'none';
  const shown = all.slice(0, mostKeys).map(shownPath).join(', ');
  return all.length > mostKeys ? `${shown} and ${all.length - mostKeys} more` : shown;
}

/** Objects, and strings that are themselves serialized: keys alone do not show them. */
function* objectsIn(session: PhpValue): Generator<Finding> {
  const near = inside({ path: [], value: session }).flatMap((place) => [place, ...inside(place)]);
  const objects = near.flatMap(({ path, value }) =>
    value instanceof PhpObject ? [`${shownPath(path)} (${printable(value.className, 60)})`] : [],
  );
  if (session instanceof PhpObject)
    objects.unshift(`the whole session (${printable(session.className, 60)})`);
  if (objects.length > 0)
    yield well(
      `Objects in it: ${objects.slice(0, mostKeys).join(', ')}. A path leads into them as into arrays.`,
    );
  const strings = near.flatMap((place) => {
    const held = serialized(place);
    return held === null ? [] : [shownPath(held.path)];
  });
  if (strings.length > 0) {
    yield well(
      `Serialized strings in it, into which a path leads by !: ${strings.slice(0, mostKeys).join(', ')}.`,
    );
  }
}

const shownPath = (path: Path) => printable(pathText(path));

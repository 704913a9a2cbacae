import { sessionIdFrom } from '../cookie.ts';
import { decodeSession, UnreadableError } from '../decode.ts';
import { FormatError, PhpBytes, PhpFloat, PhpObject, type PhpValue } from '../formats/value.ts';
import { displayName, identify } from '../identity.ts';
import type { SessionSettings } from '../logins/php-sessions.ts';
import { parsePath, pathText } from '../path.ts';
import { StoreError } from '../store.ts';
import { cookieHeader, noId } from './examine.ts';
import { printable } from './finding.ts';
import { kindOf, nearby } from './nearby.ts';
import { keysOf, type Place, placesIn } from './places.ts';
import { leadsToTyped } from './typed.ts';

/** The session of somebody who is logged in: its keys with their kinds, and no value. */
export interface DescribedSession {
  keys: { path: string; kind: string }[];
  /** Paths that may lead to the id, the name and the roles of the user, the likeliest first. */
  ids: string[];
  names: string[];
  roles: string[];
  /** Why nobody would be logged in by these paths; null if somebody is. */
  problemWith(id: string, name: string): string | null;
}

const mostKeys = 60;

/** As sites call the keys, the likeliest first. */
const usual = {
  id: [
    /^(user|member|customer|client|account)_?id$|^uid$/i,
    /^id$/i,
    /^(user_?name|user|login|account|local_?username)$/i,
  ],
  name: [
    /^(display|full|real|screen)_?name$/i,
    /^name$/i,
    /^(first|nick)_?name$/i,
    /^(user|login)_?name$|^(user|login)$/i,
  ],
  roles: [/^(user_?)?roles$/i, /^(user_?)?role$/i, /^(user_?)?groups?$/i],
};

/** The name of what a user's data lies in. */
const ofUser = /user|member|customer|account|auth|login|identity|me$/i;

/**
 * Reads the session of a cookie, in order to ask where the user is in it.
 * @param copied the cookie of somebody who is logged in, in any form in which it can be copied
 */
export async function describeSession(
  settings: SessionSettings,
  copied: string,
): Promise<DescribedSession | { problem: string; advice?: string | undefined }> {
  const id = sessionIdFrom(cookieHeader(copied, settings.cookie.name), settings.cookie);
  if (id === null) {
    const { text, advice } = noId(cookieHeader(copied, settings.cookie.name), settings);
    return { problem: text, advice };
  }
  const store = settings.source.open();
  try {
    const bytes = await store.get(id);
    if (bytes === null) {
      const { text, advice } = await nearby(settings.source, id);
      return { problem: `The store has no session of this id. ${text}`, advice };
    }
    const session = decodeSession(settings.source, id, bytes);
    if (session === undefined)
      return { problem: 'This session is empty: nobody is logged in.', advice: 'Log in to the site first.' };
    return described(session);
  } catch (error) {
    if (error instanceof StoreError) return { problem: `The session store: ${error.message}.` };
    if (error instanceof UnreadableError)
      return {
        problem: `The session cannot be read as ${settings.source.format}: ${error.message}.`,
        advice: error.hint,
      };
    if (error instanceof FormatError)
      return {
        problem: `What the store (${kindOf(settings.source)}) holds is not what was expected: ${error.message}.`,
      };
    throw error;
  } finally {
    store.close();
  }
}

function described(session: PhpValue): DescribedSession {
  const places = placesIn(session).filter(({ path }) => !leadsToTyped(path));
  // The parts of a value come behind it.
  const order = new Map(places.map(({ path }, n) => [keysOf(path).map(String).join('\0'), n]));
  const orderOf = ({ path }: Place) =>
    path.map(
      (_, n) =>
        order.get(
          keysOf(path.slice(0, n + 1))
            .map(String)
            .join('\0'),
        ) ?? -1,
    );
  const shown = places
    .filter(({ path }) => keysOf(path).length <= 3)
    .slice(0, mostKeys)
    .sort((a, b) => compared(orderOf(a), orderOf(b)));
  const likely = (names: readonly RegExp[], fits: (place: Place) => boolean) =>
    places
      .map((place) => ({ place, rank: rankOf(place, names) }))
      .filter(({ place, rank }) => rank !== null && fits(place))
      .sort((a, b) => (a.rank as number) - (b.rank as number))
      .map(({ place }) => pathText(place.path));
  const isText = ({ value }: Place) => displayName(value) !== '' && typeof value !== 'number';
  const isRoles = ({ value }: Place) =>
    typeof value === 'string' || (Array.isArray(value) && value.every((one) => typeof one === 'string'));
  return {
    keys: shown.map(({ path, value }) => ({ path: printable(pathText(path)), kind: kindOfValue(value) })),
    ids: likely(usual.id, ({ path }) => 'user' in identify(session, { id: path, name: path })),
    names: likely(usual.name, isText),
    roles: likely(usual.roles, isRoles),
    problemWith(id, name) {
      try {
        const found = identify(session, { id: parsePath(id), name: parsePath(name) });
        return 'user' in found ? null : 'nobody' in found ? found.nobody : found.invalid;
      } catch (error) {
        if (!(error instanceof TypeError)) throw error;
        return error.message;
      }
    },
  };
}

/** Sorts lists of numbers: by the first number that differs, and a list before one that goes on. */
function compared(a: readonly number[], b: readonly number[]): number {
  const at = a.findIndex((number, n) => number !== b[n]);
  return at === -1 ? a.length - b.length : (a[at] as number) - (b[at] ?? -1);
}

/** A small number for a likely place; null for one that is not called so. */
function rankOf({ path }: Place, names: readonly RegExp[]): number | null {
  const keys = keysOf(path).map(String);
  const last = keys.at(-1) ?? '';
  const rank = names.findIndex((name) => name.test(last));
  if (rank === -1 || keys.includes('')) return null;
  const isOfUser = keys.length > 1 && keys.slice(0, -1).some((key) => ofUser.test(key));
  const isBare = /^(id|name|roles?|groups?)$/i.test(last);
  // `cart.id` is hardly that of the user.
  return (isOfUser ? rank / 2 : isBare && keys.length > 1 ? rank + 10 : rank) + keys.length / 100;
}

function kindOfValue(value: PhpValue): string {
  if (value === null) return 'nothing';
  if (typeof value === 'boolean') return 'true or false';
  if (typeof value === 'string' || value instanceof PhpBytes) return 'a text';
  if (typeof value === 'number' || typeof value === 'bigint' || value instanceof PhpFloat) return 'a number';
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (value instanceof PhpObject) return `an object (${printable(value.className, 60)})`;
  return `an array of ${Object.keys(value).length}`;
}

import { PhpBytes, PhpFloat, PhpObject, type PhpValue } from '../formats/value.ts';
import { findUser } from '../identity.ts';
import type { SessionUser } from '../login.ts';
import { phpSessions, type SessionSettings } from '../logins/php-sessions.ts';
import { type Key, parsePath, pathText } from '../path.ts';
import { StoreError } from '../store.ts';
import { cookieHeader, readSession, rejection, storeFailure } from './examine.ts';
import { type Finding, printable } from './finding.ts';
import { keysOf, likelyPlaces, placesIn, type SessionPlace, type WantedPlace } from './places.ts';
import { leadsToTyped } from './typed.ts';

/** The session of somebody who is logged in: its keys with their kinds, and no value. */
export interface DescribedSession {
  keys: { path: string; kind: string }[];
  /** Paths that may lead to the id, the name and the roles of the user, the likeliest first. */
  ids: string[];
  names: string[];
  roles: string[];
  /** The user at these paths, or why nobody is logged in by them. @param roles the path of the roles, or empty */
  userAt(id: string, name: string, roles: string): SessionUser | { problem: string };
}

const mostKeys = 60;

/**
 * Reads the session of a cookie, in order to ask where the user is in it.
 * @param copied the cookie of somebody who is logged in, in any form in which it can be copied
 */
export async function describeSession(
  settings: SessionSettings,
  copied: string,
): Promise<DescribedSession | { problem: string; advice?: string | undefined; isMissing?: boolean }> {
  const store = settings.source.open();
  const logins = phpSessions(settings);
  try {
    const cookies = cookieHeader(copied, settings.cookie.name);
    const found = await readSession(settings, logins, store, cookies);
    if (found.content !== undefined) return described(found.content);
    if (!('code' in found.answer)) throw new Error('a user in a session without content');
    const problems = await rejection(settings, found, found.answer);
    return { ...problemOf(...problems), isMissing: found.bytes === null };
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    return problemOf(storeFailure(error, settings));
  } finally {
    logins.close();
    store.close();
  }
}

const problemOf = (...findings: Finding[]) => ({
  problem: findings.map(({ text }) => text).join(' '),
  advice: findings.at(-1)?.advice,
});

function described(session: PhpValue): DescribedSession {
  const places = placesIn(session).filter(({ path }) => !leadsToTyped(path));
  const shown = places.filter(({ path }) => keysOf(path).length <= 3).slice(0, mostKeys);
  const isRoles = ({ value }: SessionPlace) =>
    typeof value === 'string' || (Array.isArray(value) && value.every((one) => typeof one === 'string'));
  const likely = (what: WantedPlace, fits?: (place: SessionPlace) => boolean) =>
    likelyPlaces(session, what)
      .filter((place) => fits?.(place) ?? true)
      .map(({ path }) => pathText(path));
  return {
    keys: inOrder(shown).map(({ path, value }) => ({
      path: printable(pathText(path)),
      kind: kindOfValue(value),
    })),
    ids: likely('id'),
    names: likely('name', ({ value }) => typeof value !== 'number'),
    roles: likely('roles', isRoles),
    userAt(id, name, roles) {
      try {
        const result = findUser(session, {
          id: parsePath(id),
          name: parsePath(name),
          ...(roles === '' ? {} : { roles: parsePath(roles) }),
        });
        return result.state === 'user' ? result.user : { problem: result.reason };
      } catch (error) {
        if (!(error instanceof TypeError)) throw error;
        return { problem: error.message };
      }
    },
  };
}

/** The parts of each value behind it. @param within the keys of a value */
function inOrder(places: readonly SessionPlace[], within = ''): SessionPlace[] {
  const name = (keys: readonly Key[]) => keys.map((key) => `\0${String(key)}`).join('');
  return places
    .filter(({ path }) => name(keysOf(path).slice(0, -1)) === within)
    .flatMap((place) => [place, ...inOrder(places, name(keysOf(place.path)))]);
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

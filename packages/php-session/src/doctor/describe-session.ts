import { PhpBytes, PhpFloat, PhpObject, type PhpValue } from '../formats/value.ts';
import { findUser } from '../identity.ts';
import type { SessionUser } from '../login.ts';
import type { StoreSettings } from '../logins/applications.ts';
import { phpSessions } from '../logins/php-sessions.ts';
import { type Key, parsePath, pathText } from '../path.ts';
import { StoreError } from '../store.ts';
import { cookieHeader } from './cookie.ts';
import { type Finding, printable } from './finding.ts';
import { explainRefusal, explainStoreError, readSession } from './session.ts';
import {
  findLikelyValues,
  isTyped,
  keysOf,
  listValues,
  type SessionValue,
  type UserPart,
} from './session-values.ts';

/** The keys of a logged-in user's session with the kinds of their values, without the values. */
export interface SessionDescription {
  keys: { path: string; kind: string }[];
  /** Paths that may lead to the ID of the user, the likeliest first. */
  ids: string[];
  names: string[];
  roles: string[];
  /** Returns the user at these paths, or the reason why no user is there. Reads no roles if `roles` is empty. */
  findUser(paths: { id: string; name: string; roles: string }): SessionUser | { problem: string };
}

const maxKeys = 60;
const maxKeyDepth = 3;

/**
 * Describes the session of a cookie, so that the operator can choose the paths to the user.
 * @param cookie the value, NAME=VALUE or the whole header
 */
export async function describeSession(
  { session: settings }: StoreSettings,
  cookie: string,
): Promise<SessionDescription | { problem: string; advice?: string | undefined; isMissing?: boolean }> {
  const store = settings.source.open();
  const logins = phpSessions(settings);
  try {
    const cookies = cookieHeader(cookie, settings.cookie.name);
    const session = await readSession(settings, logins, store, cookies);
    if (session.content !== undefined) return describeContent(session.content);
    if (!('code' in session.answer)) throw new Error('a user in a session without content');
    const findings = await explainRefusal(settings, session, session.answer);
    return { ...joinFindings(...findings), isMissing: session.bytes === null };
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    return joinFindings(explainStoreError(error, settings));
  } finally {
    logins.close();
    store.close();
  }
}

const joinFindings = (...findings: Finding[]) => ({
  problem: findings.map(({ text }) => text).join(' '),
  advice: findings.at(-1)?.advice,
});

function describeContent(session: PhpValue): SessionDescription {
  const values = listValues(session)
    .filter(({ path }) => !isTyped(path) && keysOf(path).length <= maxKeyDepth)
    .slice(0, maxKeys);
  const likely = (part: UserPart, fits: (value: PhpValue) => boolean = () => true) =>
    findLikelyValues(session, part)
      .filter(({ value }) => fits(value))
      .map(({ path }) => pathText(path));
  return {
    keys: sortByParent(values).map(({ path, value }) => ({
      path: printable(pathText(path)),
      kind: describeKind(value),
    })),
    ids: likely('id'),
    names: likely('name', (value) => typeof value !== 'number'),
    roles: likely('roles', (value) => [value].flat().every((role) => typeof role === 'string')),
    findUser({ id, name, roles }) {
      try {
        const result = findUser(session, {
          id: parsePath(id),
          name: parsePath(name),
          roles: roles === '' ? undefined : parsePath(roles),
        });
        return result.state === 'user' ? result.user : { problem: result.reason };
      } catch (error) {
        if (!(error instanceof TypeError)) throw error;
        return { problem: error.message };
      }
    },
  };
}

/** Sorts values so that each value is followed by the values inside it. */
function sortByParent(values: readonly SessionValue[], parent = ''): SessionValue[] {
  const join = (keys: readonly Key[]) => keys.map((key) => `\0${String(key)}`).join('');
  return values
    .filter(({ path }) => join(keysOf(path).slice(0, -1)) === parent)
    .flatMap((value) => [value, ...sortByParent(values, join(keysOf(value.path)))]);
}

function describeKind(value: PhpValue): string {
  if (value === null) return 'nothing';
  if (typeof value === 'boolean') return 'true or false';
  if (typeof value === 'string' || value instanceof PhpBytes) return 'a text';
  if (typeof value === 'number' || typeof value === 'bigint' || value instanceof PhpFloat) return 'a number';
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (value instanceof PhpObject) return `an object (${printable(value.className, 60)})`;
  return `an array of ${Object.keys(value).length}`;
}

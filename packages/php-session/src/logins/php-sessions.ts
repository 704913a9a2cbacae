import { setTimeout as pause } from 'node:timers/promises';
import { RequestCookies, readSessionId, type SessionCookie, suggestCookieForm } from '../cookie.ts';
import { FormatError } from '../formats/value.ts';
import type { FoundUser, UserPaths } from '../identity.ts';
import {
  type CheckResult,
  type Login,
  type Logins,
  type NotLoggedIn,
  notLoggedIn,
  type Refusal,
  toHandle,
  toRefusal,
  toUnavailable,
  type Watcher,
} from '../login.ts';
import { logoutMarker } from '../logout-marker.ts';
import type { SessionSource } from '../source.ts';
import {
  probeId,
  SessionBusyError,
  type SessionName,
  type SessionStore,
  StoreError,
  type Versioned,
} from '../store.ts';
import { withTimeout } from '../stores/deadline.ts';
import { findUserInReadings, openUserFinder } from '../user-finder.ts';
import type { LoginCheck } from './application.ts';
import type { SessionLogins } from './changing-logins.ts';
import { keyChanged, missingCookie } from './claim.ts';
import { throttleProbe } from './lookups.ts';

/** PHP may send its response before it writes the session, so a visitor is rejected only after a second check. */
const secondCheckDelayMs = 250;
/** The time for each check, including retries. */
const firstCheckMs = 900;
const secondCheckMs = 500;
/** Each takes some 100 bytes. */
const maxSupersededIds = 100_000;
/** A browser gets its new ID at the end of the page, so the old one still counts for this time. */
const supersededGraceMs = 30_000;
const retryDelayMs = 50;

const cookieSettings =
  'the name is session.name of PHP, and session.cookie_domain and session.cookie_path must cover the host and path of this request';

/** The state of a login by a PHP session. */
export interface PhpSession {
  readonly id: string;
  /** The cookie's value if it is not the ID itself. A new key may invalidate it. */
  readonly cookieValue?: string;
  /** The session as PHP wrote it, to detect changes without decoding. Empty if the next check must decode. */
  readonly bytes: Buffer;
  /** The version of the bytes, if it is known. */
  version: string | null;
  /** See `FoundUser`. */
  readonly proof: FoundUser['proof'];
  /** See `FoundUser`. */
  readonly idVersion?: string;
}

type SessionResult = CheckResult<{ login: Login<PhpSession> }>;

/** The store of the sessions, the cookie with their ID, and the paths to the user. */
export interface SessionSettings {
  source: SessionSource;
  cookie: SessionCookie;
  user: UserPaths;
  /** See `LoginCheck`. */
  check?: LoginCheck['check'];
}

export function phpSessions({
  source,
  cookie,
  user,
  check: checkLogin,
}: SessionSettings): SessionLogins<PhpSession> {
  const store = source.open();
  const read = shareReads(store);
  const users = openUserFinder(source, user);

  /** When the supersession of an ID was detected, oldest first. */
  const supersededAt = new Map<string, number>();

  async function readLogin(key: SessionKey, client: string): Promise<Login<PhpSession> | Refusal> {
    try {
      const checkWithin = (timeoutMs: number) =>
        readWithRetries(key.id, timeoutMs).then(
          (found) => loginIn(key, client, found?.bytes ?? null, found?.version ?? null),
          loginInReadings(key, client),
        );
      let result = await checkWithin(firstCheckMs);
      if (result.state === 'nobody' || result.state === 'empty') {
        await pause(secondCheckDelayMs);
        result = await checkWithin(secondCheckMs);
      }
      return result.state === 'user' ? result.login : toRefusal(result);
    } catch (error) {
      return toUnavailable(error);
    }
  }

  /** Finds the login in the stored bytes of a session. @param by the client, or the user of an open login */
  async function loginIn(
    key: SessionKey,
    by: string,
    bytes: Buffer | null,
    version: string | null,
  ): Promise<SessionResult> {
    const result = await users.find(key.id, bytes, by);
    if (result.state !== 'user') return result;
    if (isSuperseded(key, result) && !supersededAt.has(key.id)) {
      supersededAt.set(key.id, performance.now());
      if (supersededAt.size > maxSupersededIds)
        supersededAt.delete(supersededAt.keys().next().value as string);
    }
    const since = supersededAt.get(key.id);
    if (since === undefined) return asLogin(key, result, bytes as Buffer, version);
    if (performance.now() - since >= supersededGraceMs) return notLoggedIn('the session has a new id');
    // Without bytes, each check decodes the session again.
    return asLogin(key, result, noBytes, null);
  }

  const loginInReadings = (key: SessionKey, by: string) => (error: unknown) =>
    findUserInReadings(
      error,
      async (bytes): Promise<SessionResult> => {
        const result = await users.find(key.id, bytes, by);
        return result.state === 'user' ? asLogin(key, result, bytes, null) : result;
      },
      ({ login }) => login.user.id,
    );

  /**
   * Reads a session. Retries help if the store was restarted or closed a connection.
   * @throws StoreError at the end of `timeoutMs`, and other errors at once
   */
  async function readWithRetries(id: string, timeoutMs: number): Promise<Versioned | null> {
    const end = performance.now() + timeoutMs;
    let failure: StoreError | undefined;
    const late = () => failure ?? new StoreError('the store did not answer in time');
    for (;;) {
      try {
        return await withTimeout(end - performance.now(), read(id), late);
      } catch (error) {
        if (!(error instanceof StoreError) || performance.now() + retryDelayMs >= end) throw error;
        // More useful to the operator than the timeout of a later attempt.
        failure = error;
        await pause(retryDelayMs);
      }
    }
  }

  /**
   * Compares the session's bytes. Does not share a read, which may be older than the change that caused this check.
   * @param version read before the call
   * @returns null if nothing changed
   */
  function compare(
    { state, user }: Login<PhpSession>,
    version: string | null,
  ): Promise<SessionResult | null> {
    const { id, bytes } = state;
    return store.get(id).then(
      (found) => {
        if (bytes.length === 0 || !found?.equals(bytes)) return loginIn(state, user.id, found, version);
        if (version !== null) state.version = version;
        return null;
      },
      loginInReadings(state, user.id),
    );
  }

  function check(login: Login<PhpSession>): Promise<SessionResult | null> {
    const { id, cookieValue = id, bytes } = login.state;
    if (bytes.length === 0 && cookie.idIn(cookieValue) !== id) return Promise.resolve(keyChanged);
    // Nearly all checks end here, thousands per second, so they use few promises.
    if (store.version === undefined) return compare(login, null);
    return store.version(id).then(
      (version) => (version !== null && login.state.version === version ? null : compare(login, version)),
      (error: unknown) => compare(login, noVersion(error)),
    );
  }

  /** Compares many sessions at once if the store can, because a chain of promises per session is expensive. */
  function checkAll(logins: readonly Login<PhpSession>[]): Promise<SessionResult | null>[] {
    if (store.unchanged === undefined) return logins.map(check);
    const answer = store.unchanged(logins.map(({ state }) => state));
    return logins.map((login, n) => answer.then((same) => (same[n] ? null : check(login))));
  }

  return {
    async identify({ cookies, session, client = '' }) {
      const all = session === undefined ? new RequestCookies(cookies) : undefined;
      const value = all === undefined ? session : all.value(cookie.name);
      const id = value === null ? null : cookie.idIn(value);
      if (id === null) {
        const why =
          all === undefined
            ? notAnId('the value that the client sent', cookie.expected, value)
            : value === null
              ? all.explain(missingCookie(cookie.name, cookieSettings))
              : notAnId(`the value of the cookie ${cookie.name}`, cookie.expected, value);
        return toRefusal(why);
      }
      const answer = await readLogin(value === id ? { id } : { id, cookieValue: String(value) }, client);
      if ('code' in answer || checkLogin === undefined) return answer;
      const { user, state } = answer;
      const wrong = checkLogin(all, { user, proof: state.proof });
      return wrong === null ? answer : toRefusal(all?.explain(wrong) ?? wrong);
    },
    check: checkAll,
    asUnchecked: (login) => ({ ...login, state: { ...login.state, bytes: noBytes, version: null } }),
    binding: ({ cookies }) => readSessionId(cookies, cookie),
    watch: (onNotifications) => watchSessions(store, onNotifications),
    lifetime: source.lifetime,
    ttl: ({ state }) => store.ttl(state.id),
    renew: ({ state }, ttlSeconds) => store.touch(state.id, ttlSeconds),
    answers: throttleProbe(() =>
      store.get(probeId).then(
        () => true,
        (error: unknown) => error instanceof FormatError,
      ),
    ),
    async fault() {
      try {
        await (store.check?.() ?? store.get(probeId));
        return null;
      } catch (error) {
        if (error instanceof StoreError) return error;
        if (error instanceof FormatError) return null;
        throw error;
      }
    },
    close() {
      users.close();
      store.close();
    },
  };
}

type SessionKey = Pick<PhpSession, 'id' | 'cookieValue' | 'idVersion'>;

/**
 * Whether the browser has moved on to another ID, while the record under the old ID remains. The first ID version of a
 * session is written under the same ID.
 */
const isSuperseded = ({ idVersion: before }: SessionKey, { idVersion: now }: FoundUser): boolean =>
  before !== undefined && now !== undefined && before !== now;

const noBytes = Buffer.alloc(0);

/**
 * Copies bytes. Small buffers share their memory with others, and a login stays for hours, so its copy keeps no other data.
 */
function ownCopy(bytes: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(copy);
  return copy;
}

function asLogin(
  { id, cookieValue }: SessionKey,
  { user, proof, idVersion }: FoundUser,
  bytes: Buffer,
  version: string | null,
): SessionResult {
  const state = {
    id,
    cookieValue,
    bytes: ownCopy(bytes),
    version,
    proof,
    idVersion,
  };
  return { state: 'user', login: { handle: toHandle('php', user.id, [id]), user, state } };
}

/** Passes the notifications of a store to the watchers of the session. */
function watchSessions(
  store: SessionStore,
  lost: (reason: StoreError | null) => void,
): ReturnType<Logins<PhpSession>['watch']> {
  const watchers = new Map<string, readonly Watcher[]>();
  const idByMarker = new Map<string, string>();
  const watchersOf = (name: SessionName) =>
    watchers.get('id' in name ? name.id : (idByMarker.get(name.marker) ?? '')) ?? [];
  const subscription = store.subscribe?.({
    changed(name) {
      for (const watcher of watchersOf(name)) watcher.notified();
    },
    opened(name) {
      for (const watcher of watchersOf(name)) watcher.opened();
    },
    lost,
  });
  return {
    add({ state: { id } }, watcher) {
      const others = watchers.get(id) ?? [];
      watchers.set(id, others.concat(watcher));
      idByMarker.set(logoutMarker(id), id);
      // The other logins may have the session's former user, so check them now.
      for (const other of others) other.notified();
      const followed = subscription?.follow?.(id);
      return {
        get since() {
          return followed?.since;
        },
        end() {
          followed?.end();
          const remaining = watchers.get(id)?.filter((other) => other !== watcher) ?? [];
          if (remaining.length > 0) return void watchers.set(id, remaining);
          watchers.delete(id);
          idByMarker.delete(logoutMarker(id));
        },
      };
    },
    end: () => subscription?.(),
  };
}

/**
 * Returns a function that reads a session. Concurrent reads of a session share one request, for visitors with many
 * connections.
 */
function shareReads(store: SessionStore): (id: string) => Promise<Versioned | null> {
  const inFlight = new Map<string, Promise<Versioned | null>>();
  const get = async (id: string): Promise<Versioned | null> => {
    const bytes = await store.get(id);
    return bytes && { bytes, version: null };
  };
  return (id) => {
    const shared = inFlight.get(id);
    if (shared !== undefined) return shared;
    const answer = (store.getVersioned?.(id) ?? get(id)).finally(() => inFlight.delete(id));
    inFlight.set(id, answer);
    return answer;
  };
}

/**
 * After an error of the store returns null, so that the caller reads the session itself, which shows the problem.
 * @throws SessionBusyError, and errors that are not of the store
 */
function noVersion(error: unknown): null {
  if (error instanceof StoreError && !(error instanceof SessionBusyError)) return null;
  throw error;
}

const notAnId = (what: string, expected: string, value: unknown): NotLoggedIn =>
  notLoggedIn(`${what} is not ${expected}`, suggestCookieForm(value));

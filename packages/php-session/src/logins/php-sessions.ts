import { setTimeout as pause } from 'node:timers/promises';
import { RequestCookies, readSessionId, type SessionCookie, suggestCookieForm } from '../cookie.ts';
import { FormatError } from '../formats/value.ts';
import type { FoundUser, UserPaths } from '../identity.ts';
import {
  type CheckResult,
  handleOf,
  type Login,
  type Logins,
  type NotLoggedIn,
  notLoggedIn,
  type Refusal,
  refusalOf,
  unavailable,
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
import { keyChanged, type LoginCheck, missingCookie } from './application.ts';
import type { SessionLogins } from './changing-logins.ts';
import { asked } from './lookups.ts';

// Milliseconds.
/** PHP may send its response before it has written the session. A visitor is therefore refused at the second check. */
const secondCheckAfter = 250;
/** The time for each of the two checks of a visitor, with all retries. */
const firstBudget = 900;
const secondBudget = 500;
/** Each takes some 100 bytes. */
const maxSupersededIds = 100_000;
/** A browser gets its new ID at the end of the page, so the old one still counts for this time. */
const supersededGraceMs = 30_000;
/** The pause before a retry. */
const retryPause = 50;

const cookieSettings =
  'the name is session.name of PHP, and session.cookie_domain and session.cookie_path must cover the host and path of the chat';

/** `bytes` are as PHP wrote them: a comparison shows a change without decoding. Empty: not judged. */
export interface PhpSession {
  readonly id: string;
  /** The value of the cookie, where the id is not all of it: another key may not lead to that id. */
  readonly sent?: string;
  readonly bytes: Buffer;
  /** The version of these bytes, once the store has told it. */
  version: string | null;
  /** As in `FoundUser`. */
  readonly proof: FoundUser['proof'];
  /** As in `FoundUser`. */
  readonly idVersion?: string;
}

type SessionResult = CheckResult<{ login: Login<PhpSession> }>;

/** Where the sessions are, which cookie holds the id, and where in a session the user is. */
export interface SessionSettings {
  source: SessionSource;
  cookie: SessionCookie;
  user: UserPaths;
  /** As in `LoginCheck`. */
  check?: LoginCheck['check'];
}

/** The logins of a site that keeps its users in PHP sessions. */
export function phpSessions({
  source,
  cookie,
  user,
  check: checkLogin,
}: SessionSettings): SessionLogins<PhpSession> {
  const store = source.open();
  const read = sharedReads(store);
  const users = openUserFinder(source, user);

  /** When the supersession of an ID was detected, oldest first. */
  const supersededAt = new Map<string, number>();

  async function readLogin(sent: Sent, client: string): Promise<Login<PhpSession> | Refusal> {
    try {
      const checkWithin = (budget: number) =>
        readWithRetries(sent.id, budget).then(
          (found) => loginIn(sent, client, found?.bytes ?? null, found?.version ?? null),
          loginInReadings(sent, client),
        );
      let result = await checkWithin(firstBudget);
      if (result.state === 'nobody' || result.state === 'empty') {
        await pause(secondCheckAfter);
        result = await checkWithin(secondBudget);
      }
      return result.state === 'user' ? result.login : refusalOf(result);
    } catch (error) {
      return unavailable(error);
    }
  }

  /** @param by the client, or the user of an open login */
  async function loginIn(
    sent: Sent,
    by: string,
    bytes: Buffer | null,
    version: string | null,
  ): Promise<SessionResult> {
    const result = await users.find(sent.id, bytes, by);
    if (result.state !== 'user') return result;
    if (isSuperseded(sent, result) && !supersededAt.has(sent.id)) {
      supersededAt.set(sent.id, performance.now());
      if (supersededAt.size > maxSupersededIds)
        supersededAt.delete(supersededAt.keys().next().value as string);
    }
    const since = supersededAt.get(sent.id);
    if (since === undefined) return asLogin(sent, result, bytes as Buffer, version);
    if (performance.now() - since >= supersededGraceMs) return notLoggedIn('the session has got another id');
    // Without its bytes it is decoded again at each check.
    return asLogin(sent, result, noBytes, null);
  }

  const loginInReadings = (sent: Sent, by: string) => (error: unknown) =>
    findUserInReadings(
      error,
      async (bytes): Promise<SessionResult> => {
        const result = await users.find(sent.id, bytes, by);
        return result.state === 'user' ? asLogin(sent, result, bytes, null) : result;
      },
      ({ login }) => login.user.id,
    );

  /** Retries help with a store that was restarted or cut a connection, though not with one that is silent. */
  async function readWithRetries(id: string, budget: number): Promise<Versioned | null> {
    const end = performance.now() + budget;
    let failure: StoreError | undefined;
    const late = () => failure ?? new StoreError('the store did not answer in time');
    for (;;) {
      try {
        return await withTimeout(end - performance.now(), read(id), late);
      } catch (error) {
        if (!(error instanceof StoreError) || performance.now() + retryPause >= end) throw error;
        // The failure of an earlier try tells the operator more than that the last one took too long.
        failure = error;
        await pause(retryPause);
      }
    }
  }

  /**
   * Shares no read with others: that may have begun before the change which this check is for.
   * @param version that was asked for before
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
    const { id, sent = id, bytes } = login.state;
    if (bytes.length === 0 && cookie.idIn(sent) !== id) return Promise.resolve(keyChanged);
    // Nearly all checks end here, thousands in a second: few promises.
    if (store.version === undefined) return compare(login, null);
    return store.version(id).then(
      (version) => (version !== null && login.state.version === version ? null : compare(login, version)),
      (error: unknown) => compare(login, noVersion(error)),
    );
  }

  /** A store without versions compares many sessions at once: a chain of promises for each costs more than the answer. */
  function checkAll(logins: readonly Login<PhpSession>[]): Promise<SessionResult | null>[] {
    if (store.unchanged === undefined) return logins.map(check);
    const answer = store.unchanged(logins.map(({ state }) => state));
    return logins.map((login, n) => answer.then((same) => (same[n] ? null : check(login))));
  }

  return {
    async identify({ cookies, session, client = '' }) {
      const all = session === undefined ? new RequestCookies(cookies) : undefined;
      const sent = all === undefined ? session : all.value(cookie.name);
      const id = sent === null ? null : cookie.idIn(sent);
      if (id === null) {
        const why =
          all === undefined
            ? notAnId('the value that the client sent', cookie.expected, sent)
            : sent === null
              ? all.explain(missingCookie(cookie.name, cookieSettings))
              : notAnId(`the value of the cookie ${cookie.name}`, cookie.expected, sent);
        return refusalOf(why);
      }
      const answer = await readLogin(sent === id ? { id } : { id, sent: String(sent) }, client);
      if ('code' in answer || checkLogin === undefined) return answer;
      const { user, state } = answer;
      const wrong = checkLogin(all, { user, proof: state.proof });
      return wrong === null ? answer : refusalOf(all?.explain(wrong) ?? wrong);
    },
    check: checkAll,
    asUnchecked: (login) => ({ ...login, state: { ...login.state, bytes: noBytes, version: null } }),
    binding: ({ cookies }) => readSessionId(cookies, cookie),
    watch: (onNotifications) => watchSessions(store, onNotifications),
    lifetime: source.lifetime,
    ttl: ({ state }) => store.ttl(state.id),
    renew: ({ state }, seconds) => store.touch(state.id, seconds),
    answers: asked(() =>
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

type Sent = Pick<PhpSession, 'id' | 'sent' | 'idVersion'>;

/**
 * Whether the browser of an open session has moved on to another ID, though the record under the old ID remains. A session
 * without an ID version so far gets its first one under the same ID.
 */
const isSuperseded = ({ idVersion: before }: Sent, { idVersion: now }: FoundUser): boolean =>
  before !== undefined && now !== undefined && before !== now;

const noBytes = Buffer.alloc(0);

/** Small buffers share their memory with others. A login stays for hours, so it gets a copy that keeps no other data. */
function ownCopy(bytes: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(copy);
  return copy;
}

function asLogin(
  { id, sent }: Sent,
  { user, proof, idVersion }: FoundUser,
  bytes: Buffer,
  version: string | null,
): SessionResult {
  const state = {
    id,
    ...(sent !== undefined && { sent }),
    bytes: ownCopy(bytes),
    version,
    proof,
    ...(idVersion !== undefined && { idVersion }),
  };
  return { state: 'user', login: { handle: handleOf('php', user.id, [id]), user, state } };
}

/** Passes the notifications of a store, which name a session by its id or by the marker of a logout, to watchers. */
function watchSessions(
  store: SessionStore,
  lost: (reason: StoreError | null) => void,
): ReturnType<Logins<PhpSession>['watch']> {
  const watchers = new Map<string, readonly Watcher[]>();
  /** The ids of watched sessions by their markers. */
  const marked = new Map<string, string>();
  const named = (name: SessionName) =>
    watchers.get('id' in name ? name.id : (marked.get(name.marker) ?? '')) ?? [];
  const subscription = store.subscribe?.({
    changed(name) {
      for (const watcher of named(name)) watcher.notified();
    },
    opened(name) {
      for (const watcher of named(name)) watcher.opened();
    },
    lost,
  });
  return {
    add({ state: { id } }, watcher) {
      const others = watchers.get(id) ?? [];
      watchers.set(id, others.concat(watcher));
      marked.set(logoutMarker(id), id);
      // They are logins of the session's earlier user, which need not wait for their next check.
      for (const other of others) other.notified();
      const followed = subscription?.follow?.(id);
      return {
        get since() {
          return followed?.since;
        },
        end() {
          followed?.end();
          const left = watchers.get(id)?.filter((one) => one !== watcher) ?? [];
          if (left.length > 0) return void watchers.set(id, left);
          watchers.delete(id);
          marked.delete(logoutMarker(id));
        },
      };
    },
    end: () => subscription?.(),
  };
}

/**
 * Callers that ask for a session while it is being read get that answer too. A visitor with many connections
 * therefore costs the store one read at a time.
 */
function sharedReads(store: SessionStore): (id: string) => Promise<Versioned | null> {
  const underWay = new Map<string, Promise<Versioned | null>>();
  const get = async (id: string): Promise<Versioned | null> => {
    const bytes = await store.get(id);
    return bytes && { bytes, version: null };
  };
  return (id) => {
    const known = underWay.get(id);
    if (known !== undefined) return known;
    const answer = (store.getVersioned?.(id) ?? get(id)).finally(() => underWay.delete(id));
    underWay.set(id, answer);
    return answer;
  };
}

/**
 * Without a version the session itself is read, which shows what is wrong. If a session is refused because it is too
 * much for the store already, it is not read as well.
 * @throws the error of a refused session
 */
function noVersion(error: unknown): null {
  if (error instanceof StoreError && !(error instanceof SessionBusyError)) return null;
  throw error;
}

const notAnId = (what: string, expected: string, value: unknown): NotLoggedIn =>
  notLoggedIn(`${what} is not ${expected}`, suggestCookieForm(value));

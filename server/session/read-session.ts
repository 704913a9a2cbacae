import { setTimeout as pause } from 'node:timers/promises';
import { type SessionCookie, sessionIdFrom } from './cookie.ts';
import { FormatError } from './formats/value.ts';
import type { SessionUser, UserPaths } from './identity.ts';
import type { SessionSource } from './source.ts';
import {
  probeId,
  SessionBusyError,
  type SessionStore,
  StoreError,
  type StoreListener,
  type Subscription,
  type Versioned,
} from './store.ts';
import { within } from './stores/deadline.ts';
import { createJudge, type Explanation, judgeFailure, type Verdict } from './verdict.ts';

// Milliseconds.
/** PHP may send its response before it has written the session. A visitor is therefore refused at the second check. */
const secondCheckAfter = 250;
/** The time for each of the two checks of a visitor, with all retries. */
const firstBudget = 900;
const secondBudget = 500;
/** The pause before a retry. */
const retryPause = 50;
/** How long the answer of `answers` is used again. */
const answersFor = 250;

const noCookie =
  'if every visitor gets this: is that the session.name of the site, does the browser send the cookie to this host and path (session.cookie_domain, session.cookie_path), and is the id in it encrypted, as Laravel does?';

export type RefusalCode = 'unauthorized' | 'session_invalid' | 'session_store_unavailable';

export interface SessionRefusal extends Explanation {
  code: RefusalCode;
}

/** A session in which a user is logged in. `bytes` are as PHP wrote them: a comparison shows a change without decoding. */
export interface LiveSession {
  id: string;
  user: SessionUser;
  bytes: Buffer;
}

export interface SessionReader extends Pick<SessionStore, 'ttl' | 'touch'> {
  /** The TTL that PHP gives a session at each use, in milliseconds; undefined if the store URL does not say it. */
  lifetime: number | undefined;
  /** The whole chain: `Cookie` header → session id → store → layers → format → user, or why there is none. Never throws. */
  fromCookie(header: string | undefined): Promise<LiveSession | SessionRefusal>;
  /** The same for the cookie's value alone, as a client may send it. */
  fromValue(value: unknown): Promise<LiveSession | SessionRefusal>;
  /**
   * Checks a session again; null if its bytes are still the `known` ones, which then need no decoding.
   * @throws StoreError if the store gives no usable answer
   */
  check(id: string, known: Buffer): Promise<Verdict | null>;
  /** Subscribes to the store's notifications; without effect if it sends none. */
  subscribe(listener: StoreListener): Subscription;
  /** Whether the store answers at all. */
  answers(): Promise<boolean>;
  /** Why the store, or one server of it, cannot be read; null if it can. */
  fault(): Promise<StoreError | null>;
  close(): void;
}

/** Where the sessions are, which cookie holds the id, and where in a session the user is. */
export interface SessionSettings {
  source: SessionSource;
  cookie: SessionCookie;
  user: UserPaths;
}

export function createSessionReader({ source, cookie, user }: SessionSettings): SessionReader {
  const store = source.open();
  const read = sharedReads(store);
  const judge = createJudge(source, user);
  const judgeUnread = (id: string) => (error: unknown) =>
    judgeFailure(error, (bytes) => judge.verdict(id, bytes));
  /** The versions of the sessions that were returned, by their bytes. */
  const versions = new WeakMap<Buffer, string>();
  let askedAt = Number.NEGATIVE_INFINITY;
  let answered: Promise<boolean> = Promise.resolve(false);

  async function fromId(id: string): Promise<LiveSession | SessionRefusal> {
    try {
      const checkWithin = (budget: number) =>
        readWithRetries(id, budget).then((found) => judgeRead(id, found), judgeUnread(id));
      let verdict = await checkWithin(firstBudget);
      if (verdict.state === 'nobody' || verdict.state === 'empty') {
        await pause(secondCheckAfter);
        verdict = await checkWithin(secondBudget);
      }
      if (verdict.state === 'user') return { id, user: verdict.user, bytes: verdict.bytes };
      const { state, ...why } = verdict;
      return { code: state === 'invalid' ? 'session_invalid' : 'unauthorized', ...why };
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      return { code: 'session_store_unavailable', reason: error.message, kind: error.message };
    }
  }

  async function judgeRead(id: string, found: Versioned | null): Promise<Verdict> {
    const verdict = await judge.verdict(id, found?.bytes ?? null);
    // Or the first check of each session would have to read it again.
    if (verdict.state === 'user' && found?.version != null) versions.set(verdict.bytes, found.version);
    return verdict;
  }

  /** Retries help with a store that was restarted or cut a connection, though not with one that is silent. */
  async function readWithRetries(id: string, budget: number): Promise<Versioned | null> {
    const end = performance.now() + budget;
    let failure: StoreError | undefined;
    const late = () => failure ?? new StoreError('the store did not answer in time');
    for (;;) {
      try {
        return await within(end - performance.now(), read(id), late);
      } catch (error) {
        if (!(error instanceof StoreError) || performance.now() + retryPause >= end) throw error;
        // The failure of an earlier try tells the operator more than that the last one took too long.
        failure = error;
        await pause(retryPause);
      }
    }
  }

  /** It shares no read with others: that may have begun before the change which this check is for. */
  function compare(id: string, known: Buffer): Promise<Verdict | null> {
    return store
      .get(id)
      .then((bytes) => (bytes?.equals(known) ? null : judge.verdict(id, bytes)), judgeUnread(id));
  }

  async function readAgain(id: string, known: Buffer, version: string | null): Promise<Verdict | null> {
    const verdict = await compare(id, known);
    const bytes = verdict === null ? known : verdict.state === 'user' ? verdict.bytes : undefined;
    if (version !== null && bytes !== undefined) versions.set(bytes, version);
    return verdict;
  }

  function check(id: string, known: Buffer): Promise<Verdict | null> {
    // Nearly all checks end here, thousands in a second: few promises.
    if (store.version === undefined) return compare(id, known);
    return store.version(id).then(
      (version) =>
        version !== null && versions.get(known) === version ? null : readAgain(id, known, version),
      (error: unknown) => readAgain(id, known, noVersion(error)),
    );
  }

  return {
    lifetime: source.lifetime,
    ttl: (id) => store.ttl(id),
    touch: (id, seconds) => store.touch(id, seconds),
    subscribe: (listener) => store.subscribe?.(listener) ?? (() => {}),
    async fromCookie(header) {
      const id = sessionIdFrom(header, cookie);
      return id === null ? noId(`the cookie ${cookie.name}`, noCookie) : fromId(id);
    },
    async fromValue(value) {
      const id = cookie.idIn(value);
      return id === null ? noId('the value that the client sent') : fromId(id);
    },
    check,
    answers() {
      // However often this is called, the store is asked seldom.
      if (performance.now() - askedAt > answersFor) {
        askedAt = performance.now();
        answered = store.get(probeId).then(
          () => true,
          (error: unknown) => error instanceof FormatError,
        );
      }
      return answered;
    },
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
      judge.close();
      store.close();
    },
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

function noId(where: string, hint?: string): SessionRefusal {
  const reason = `no id in ${where}, or none that PHP would make`;
  return { code: 'unauthorized', reason, kind: reason, hint };
}

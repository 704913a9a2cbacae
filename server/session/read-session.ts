import { setTimeout as pause } from 'node:timers/promises';
import { checkedId, sessionIdFrom } from './cookie.ts';
import { guessFormat } from './formats/guess.ts';
import { decodeJson } from './formats/json.ts';
import { FormatError } from './formats/value.ts';
import { identify, type SessionUser } from './identity.ts';
import { type SessionStore, StoreError } from './store.ts';

/** Above memcached's default item size; no session is that large, but a store may be made to hold one. */
const maxSessionBytes = 1024 * 1024;
/** PHP may send its answer before it has written the session, so nobody is refused at the first look. */
const secondLookAfter = 250;
/** All look-ups of one connection together, in milliseconds. */
const totalBudget = 900;
/** Between two tries of a store that gave no answer. */
const retryPause = 50;

export type RefusalCode = 'unauthorized' | 'session_invalid' | 'session_store_unavailable';

/** `reason` is for the log: it says what was missing or wrong, never a value. */
export interface Refusal {
  code: RefusalCode;
  reason: string;
}

/** A session with somebody logged in. `bytes` are as PHP wrote them, to see a change without decoding. */
export interface LiveSession {
  id: string;
  user: SessionUser;
  bytes: Buffer;
}

/** What one look at a session showed. `empty`: there is a record, but PHP has (for now) nothing in it. */
export type Look =
  | { state: 'unchanged' }
  | { state: 'user'; user: SessionUser; bytes: Buffer }
  | { state: 'nobody' | 'empty' | 'invalid'; reason: string };

export interface SessionReader {
  /** The chain in one call: `Cookie` header → session id → store → decode → user, or why not. Never throws. */
  fromCookie(header: string | undefined): Promise<LiveSession | Refusal>;
  /** The same for an id that did not come in a cookie. */
  fromId(id: unknown): Promise<LiveSession | Refusal>;
  /**
   * One look at one session; `known` are the bytes of the last look, to skip what has not changed.
   * @throws StoreError when the store gives no usable answer
   */
  look(id: string, known?: Buffer): Promise<Look>;
  /** Whether the store answers at all. */
  answers(): Promise<boolean>;
  close(): void;
}

export function createSessionReader(options: {
  store: SessionStore;
  cookieName: string;
  userId: readonly string[];
  userName: readonly string[];
}): SessionReader {
  async function look(id: string, known?: Buffer): Promise<Look> {
    const bytes = await options.store.get(id);
    if (bytes === null) return { state: 'nobody', reason: 'there is no such session' };
    if (known?.equals(bytes)) return { state: 'unchanged' };
    if (bytes.length === 0) return { state: 'empty', reason: 'the session is empty' };
    if (bytes.length > maxSessionBytes)
      return { state: 'invalid', reason: `larger than ${maxSessionBytes} bytes` };
    try {
      const found = identify(decodeJson(bytes), options.userId, options.userName);
      if ('user' in found) return { state: 'user', user: found.user, bytes };
      if ('nobody' in found) return { state: 'nobody', reason: found.nobody };
      return { state: 'invalid', reason: found.invalid };
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      return { state: 'invalid', reason: `${error.message}; the bytes look like ${guessFormat(bytes)}` };
    }
  }

  async function fromId(given: unknown): Promise<LiveSession | Refusal> {
    const id = checkedId(given);
    if (id === null) return { code: 'unauthorized', reason: 'no id, or none that PHP would make' };
    const deadline = performance.now() + totalBudget;
    let seen = await lookUntil(id, deadline);
    if (!(seen instanceof StoreError) && (seen.state === 'nobody' || seen.state === 'empty')) {
      await pause(secondLookAfter);
      seen = await lookUntil(id, deadline);
    }
    if (seen instanceof StoreError) return { code: 'session_store_unavailable', reason: seen.message };
    if (seen.state === 'user') return { id, user: seen.user, bytes: seen.bytes };
    if (seen.state === 'invalid') return { code: 'session_invalid', reason: seen.reason };
    return { code: 'unauthorized', reason: 'reason' in seen ? seen.reason : '' };
  }

  /** A store that was restarted or cut a connection answers at the next try; one that is silent does not. */
  async function lookUntil(id: string, deadline: number): Promise<Look | StoreError> {
    for (;;) {
      try {
        return await withDeadline(look(id), deadline);
      } catch (error) {
        if (!(error instanceof StoreError)) throw error;
        if (performance.now() + retryPause >= deadline) return error;
        await pause(retryPause);
      }
    }
  }

  return {
    fromCookie: (header) => fromId(sessionIdFrom(header, options.cookieName)),
    fromId,
    look,
    answers: () =>
      options.store.get('readiness-probe').then(
        () => true,
        () => false,
      ),
    close: () => options.store.close(),
  };
}

async function withDeadline<T>(work: Promise<T>, deadline: number): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => reject(new StoreError('the store did not answer in time')),
    Math.max(0, deadline - performance.now()),
  );
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
  }
}

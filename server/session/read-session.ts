import { setTimeout as pause } from 'node:timers/promises';
import { type SessionCookie, sessionIdFrom } from './cookie.ts';
import { formats } from './formats/formats.ts';
import { guessFormat } from './formats/guess.ts';
import { FormatError } from './formats/value.ts';
import { identify, type SessionUser, type UserPaths } from './identity.ts';
import { StoreError } from './store.ts';
import type { SessionSource } from './store-url.ts';

/** Above memcached's default item size; no session is that large, but a store may be made to hold one. */
const maxSessionBytes = 1024 * 1024;
/** PHP may send its answer before it has written the session, so nobody is refused at the first look. */
const secondLookAfter = 250;
/** All look-ups of one connection together, in milliseconds. */
const totalBudget = 900;
/** How long the answer to whether the store answers is good for. */
const askAgainAfter = 250;
/** Between two tries of a store that gave no answer. */
const retryPause = 50;

export type RefusalCode = 'unauthorized' | 'session_invalid' | 'session_store_unavailable';

/**
 * Both are for the log and hold no value of the session. `reason` says what was missing or wrong; `kind` is the
 * same without what differs from case to case, from a small set.
 */
export interface Refusal {
  code: RefusalCode;
  reason: string;
  kind: string;
}

/** A session with somebody logged in. `bytes` are as PHP wrote them, to see a change without decoding. */
export interface LiveSession {
  id: string;
  user: SessionUser;
  bytes: Buffer;
}

/** What one look at a session showed. `empty`: there is a record, but PHP has (for now) nothing in it. */
export type Look =
  | { state: 'user'; user: SessionUser; bytes: Buffer }
  | { state: 'nobody' | 'empty' | 'invalid'; reason: string; kind: string };

export interface SessionReader {
  /** The chain in one call: `Cookie` header → session id → store → decode → user, or why not. Never throws. */
  fromCookie(header: string | undefined): Promise<LiveSession | Refusal>;
  /** The same for the value of the cookie that came in another way. */
  fromValue(value: unknown): Promise<LiveSession | Refusal>;
  /**
   * One more look at a session; null when its bytes are still the `known` ones, which saves decoding them.
   * @throws StoreError when the store gives no usable answer
   */
  changed(id: string, known: Buffer): Promise<Look | null>;
  /** Whether the store answers at all. */
  answers(): Promise<boolean>;
  close(): void;
}

/** Where the sessions are, which cookie names one, and who is in it. */
export interface SessionSettings {
  source: SessionSource;
  cookie: SessionCookie;
  user: UserPaths;
}

export function createSessionReader({ source, cookie, user }: SessionSettings): SessionReader {
  const store = source.open();
  const format = formats[source.format];
  let asked = Number.NEGATIVE_INFINITY;
  let answered: Promise<boolean> = Promise.resolve(false);

  function decode(id: string, bytes: Buffer | null): Look {
    const none = (state: 'nobody' | 'empty' | 'invalid', kind: string, reason = kind): Look => ({
      state,
      kind,
      reason,
    });
    if (bytes === null) return none('nobody', 'there is no such session');
    if (bytes.length === 0) return none('empty', 'the session is empty');
    if (bytes.length > maxSessionBytes) return none('invalid', `larger than ${maxSessionBytes} bytes`);
    try {
      const inner = source.layers.reduce((wrapped, layer) => layer.unwrap(wrapped, id), bytes);
      const found = identify(format(inner), user);
      if ('user' in found) return { state: 'user', user: found.user, bytes };
      if ('nobody' in found) return none('nobody', found.nobody);
      return none('invalid', found.invalid);
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      const looks = `the bytes look like ${guessFormat(bytes)}`;
      return none('invalid', looks, `${error.message}; ${looks}`);
    }
  }

  async function fromId(id: string | null): Promise<LiveSession | Refusal> {
    if (id === null) return refusal('unauthorized', 'no id, or none that PHP would make');
    const deadline = performance.now() + totalBudget;
    try {
      let look = decode(id, await getWithRetries(id, deadline));
      if (look.state === 'nobody' || look.state === 'empty') {
        await pause(secondLookAfter);
        look = decode(id, await getWithRetries(id, deadline));
      }
      if (look.state === 'user') return { id, user: look.user, bytes: look.bytes };
      return refusal(look.state === 'invalid' ? 'session_invalid' : 'unauthorized', look.kind, look.reason);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      return refusal('session_store_unavailable', error.message);
    }
  }

  /** A store that was restarted or cut a connection answers at the next try; one that is silent does not. */
  async function getWithRetries(id: string, deadline: number): Promise<Buffer | null> {
    for (;;) {
      try {
        return await withDeadline(store.get(id), deadline);
      } catch (error) {
        if (!(error instanceof StoreError) || performance.now() + retryPause >= deadline) throw error;
        await pause(retryPause);
      }
    }
  }

  return {
    fromCookie: (header) => fromId(sessionIdFrom(header, cookie)),
    fromValue: (value) => fromId(cookie.idIn(value)),
    async changed(id, known) {
      const bytes = await store.get(id);
      return bytes?.equals(known) ? null : decode(id, bytes);
    },
    answers() {
      // However often this is asked, the store is asked seldom.
      if (performance.now() - asked > askAgainAfter) {
        asked = performance.now();
        answered = store.get('readiness-probe').then(
          () => true,
          () => false,
        );
      }
      return answered;
    },
    close: () => store.close(),
  };
}

function refusal(code: RefusalCode, kind: string, reason = kind): Refusal {
  return { code, kind, reason };
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

import { setTimeout as pause } from 'node:timers/promises';
import { type SessionCookie, sessionIdFrom } from './cookie.ts';
import { decodeSession, UnreadableError } from './decode.ts';
import { deferred } from './deferred.ts';
import { FormatError } from './formats/value.ts';
import { identify, type SessionUser, type UserPaths } from './identity.ts';
import { maxSessionBytes, StoreError } from './store.ts';
import type { SessionSource } from './store-url.ts';

/** PHP may send its answer before it has written the session, so nobody is refused at the first look. */
const secondLookAfter = 250;
/** All look-ups of one connection together, in milliseconds. */
const totalBudget = 900;
/** How long the answer to whether the store answers is good for. */
const askAgainAfter = 250;
/** Between two tries of a store that gave no answer. */
const retryPause = 50;

/** Most visitors without a session are just that, so most of these are for the case that nobody gets in. */
const hints = {
  cookie:
    'if every visitor gets this: is that the site’s session.name, does the browser send the cookie to this host and path (session.cookie_domain, session.cookie_path), and is the id in it encrypted, as Laravel does?',
  gone: 'if every visitor gets this: the store URL names another place or prefix than PHP writes to',
  nobody: 'if every visitor gets this: the user lies elsewhere in this site’s sessions than the path says',
  invalid:
    'the path has to lead to one user id, an integer or a string, and to decode (!) only what is serialized',
};

export type RefusalCode = 'unauthorized' | 'session_invalid' | 'session_store_unavailable';

/**
 * For the log, without any value of the session. `reason` says what was missing or wrong; `kind` is the same without
 * what differs from case to case, from a small set; `hint` is what would mend it, where it is the settings' fault.
 */
interface Why {
  reason: string;
  kind: string;
  hint?: string | undefined;
}

export interface Refusal extends Why {
  code: RefusalCode;
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
  | ({ state: 'nobody' | 'empty' | 'invalid' } & Why);

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
  let asked = Number.NEGATIVE_INFINITY;
  let answered: Promise<boolean> = Promise.resolve(false);

  function decode(id: string, bytes: Buffer | null): Look {
    const none = (
      state: 'nobody' | 'empty' | 'invalid',
      kind: string,
      hint?: string,
      reason = kind,
    ): Look => ({
      state,
      kind,
      reason,
      hint,
    });
    if (bytes === null) return none('nobody', 'there is no such session', hints.gone);
    if (bytes.length > maxSessionBytes) return none('invalid', `larger than ${maxSessionBytes} bytes`);
    try {
      const session = decodeSession(source, id, bytes);
      if (session === undefined) return none('empty', 'the session is empty');
      const found = identify(session, user);
      if ('user' in found) return { state: 'user', user: found.user, bytes };
      if ('nobody' in found) return none('nobody', found.nobody, hints.nobody);
      return none('invalid', found.invalid, hints.invalid);
    } catch (error) {
      if (!(error instanceof UnreadableError)) throw error;
      return none('invalid', error.looks, error.hint, error.message);
    }
  }

  async function fromId(id: string): Promise<LiveSession | Refusal> {
    const deadline = performance.now() + totalBudget;
    try {
      const lookNow = () => getWithRetries(id, deadline).then((bytes) => decode(id, bytes), damaged);
      let look = await lookNow();
      if (look.state === 'nobody' || look.state === 'empty') {
        await pause(secondLookAfter);
        look = await lookNow();
      }
      if (look.state === 'user') return { id, user: look.user, bytes: look.bytes };
      const { state, ...why } = look;
      return { code: state === 'invalid' ? 'session_invalid' : 'unauthorized', ...why };
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      return { code: 'session_store_unavailable', reason: error.message, kind: error.message };
    }
  }

  /** A store that was restarted or cut a connection answers at the next try; one that is silent does not. */
  async function getWithRetries(id: string, deadline: number): Promise<Buffer | null> {
    let failure = new StoreError('the store did not answer in time');
    for (;;) {
      try {
        return await withDeadline(store.get(id), deadline, failure);
      } catch (error) {
        if (!(error instanceof StoreError) || performance.now() + retryPause >= deadline) throw error;
        // What it said at an earlier try tells the operator more than that the last one took too long.
        failure = error;
        await pause(retryPause);
      }
    }
  }

  return {
    async fromCookie(header) {
      const id = sessionIdFrom(header, cookie);
      return id === null ? noId(`the cookie ${cookie.name}`, hints.cookie) : fromId(id);
    },
    async fromValue(value) {
      const id = cookie.idIn(value);
      return id === null ? noId('what was handed over') : fromId(id);
    },
    changed: (id, known) =>
      store.get(id).then((bytes) => (bytes?.equals(known) ? null : decode(id, bytes)), damaged),
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

/** The store has something under the id, and it is no session. */
function damaged(error: unknown): Look {
  if (!(error instanceof FormatError)) throw error;
  return { state: 'invalid', kind: 'what the store holds is damaged', reason: error.message };
}

function noId(where: string, hint?: string): Refusal {
  const reason = `no id in ${where}, or none that PHP would make`;
  return { code: 'unauthorized', reason, kind: reason, hint };
}

async function withDeadline<T>(work: Promise<T>, deadline: number, late: StoreError): Promise<T> {
  const { promise, reject } = deferred<never>();
  const timer = setTimeout(() => reject(late), Math.max(0, deadline - performance.now()));
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
  }
}

import { setTimeout as pause } from 'node:timers/promises';
import { type SessionCookie, sessionIdFrom } from './cookie.ts';
import { deferred } from './deferred.ts';
import { FormatError } from './formats/value.ts';
import type { SessionUser, UserPaths } from './identity.ts';
import { sharedReads } from './shared-reads.ts';
import type { SessionSource } from './source.ts';
import { SessionBusyError, type SessionStore, StoreError, type Watch, type Watcher } from './store.ts';
import { deadline } from './stores/deadline.ts';
import { createLook, type Look, unread, type Why } from './verdict.ts';

/** PHP may send its answer before it has written the session, so nobody is refused at the first look. */
const secondLookAfter = 250;
/** For the look-ups of one connection with all their tries, in milliseconds. */
const firstBudget = 900;
const secondBudget = 500;
/** How long the answer to whether the store answers is good for. */
const askAgainAfter = 250;
/** Between two tries of a store that gave no answer. */
const retryPause = 50;

const noCookie =
  'if every visitor gets this: is that the site’s session.name, does the browser send the cookie to this host and path (session.cookie_domain, session.cookie_path), and is the id in it encrypted, as Laravel does?';

export type RefusalCode = 'unauthorized' | 'session_invalid' | 'session_store_unavailable';

export interface Refusal extends Why {
  code: RefusalCode;
}

/** A session with somebody logged in. `bytes` are as PHP wrote them, to see a change without decoding. */
export interface LiveSession {
  id: string;
  user: SessionUser;
  bytes: Buffer;
}

export interface SessionReader extends Pick<SessionStore, 'remaining' | 'touch'> {
  /** How long PHP lets a session live after its last use, in milliseconds, where the store URL says so. */
  lifetime: number | undefined;
  /** The chain in one call: `Cookie` header → session id → store → decode → user, or why not. Never throws. */
  fromCookie(header: string | undefined): Promise<LiveSession | Refusal>;
  /** The same for the value of the cookie that came in another way. */
  fromValue(value: unknown): Promise<LiveSession | Refusal>;
  /**
   * One more look at a session; null when its bytes are still the `known` ones, which saves decoding them.
   * @throws StoreError when the store gives no usable answer
   */
  changed(id: string, known: Buffer): Promise<Look | null>;
  /** Has the store tell of changes by itself, if it can. */
  watch(watcher: Watcher): Watch;
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
  const read = sharedReads(store);
  const look = createLook(source, user);
  const unsure = (id: string) => unread((bytes) => look(id, bytes));
  /** Of the sessions that were given out, by their bytes. */
  const versions = new WeakMap<Buffer, string>();
  let asked = Number.NEGATIVE_INFINITY;
  let answered: Promise<boolean> = Promise.resolve(false);

  async function fromId(id: string): Promise<LiveSession | Refusal> {
    try {
      const lookNow = (budget: number) =>
        getWithRetries(id, budget).then((bytes) => look(id, bytes), unsure(id));
      let shown = await lookNow(firstBudget);
      if (shown.state === 'nobody' || shown.state === 'empty') {
        await pause(secondLookAfter);
        shown = await lookNow(secondBudget);
      }
      if (shown.state === 'user') return { id, user: shown.user, bytes: shown.bytes };
      const { state, ...why } = shown;
      return { code: state === 'invalid' ? 'session_invalid' : 'unauthorized', ...why };
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      return { code: 'session_store_unavailable', reason: error.message, kind: error.message };
    }
  }

  /** A store that was restarted or cut a connection answers at the next try; one that is silent does not. */
  async function getWithRetries(id: string, budget: number): Promise<Buffer | null> {
    const end = performance.now() + budget;
    let failure = new StoreError('the store did not answer in time');
    for (;;) {
      try {
        return await within(end - performance.now(), read(id), failure);
      } catch (error) {
        if (!(error instanceof StoreError) || performance.now() + retryPause >= end) throw error;
        // What it said at an earlier try tells the operator more than that the last one took too long.
        failure = error;
        await pause(retryPause);
      }
    }
  }

  /** Not shared with a read that may have begun before the change that this look is to see. */
  async function lookAgain(id: string, known: Buffer, version: string | null): Promise<Look | null> {
    const seen = await store
      .get(id)
      .then((bytes) => (bytes?.equals(known) ? null : look(id, bytes)), unsure(id));
    const bytes = seen === null ? known : seen.state === 'user' ? seen.bytes : undefined;
    if (version !== null && bytes !== undefined) versions.set(bytes, version);
    return seen;
  }

  function changed(id: string, known: Buffer): Promise<Look | null> {
    // The way that nearly all looks go, by the thousand in a second: one promise, not several.
    return (store.version?.(id) ?? Promise.resolve(null)).then(
      (version) =>
        version !== null && versions.get(known) === version ? null : lookAgain(id, known, version),
      (error: unknown) => lookAgain(id, known, noVersion(error)),
    );
  }

  return {
    lifetime: source.lifetime,
    remaining: (id) => store.remaining(id),
    touch: (id, seconds) => store.touch(id, seconds),
    watch: (watcher) => store.watch?.(watcher) ?? (() => {}),
    async fromCookie(header) {
      const id = sessionIdFrom(header, cookie);
      return id === null ? noId(`the cookie ${cookie.name}`, noCookie) : fromId(id);
    },
    async fromValue(value) {
      const id = cookie.idIn(value);
      return id === null ? noId('what was handed over') : fromId(id);
    },
    changed,
    answers() {
      // However often this is asked, the store is asked seldom.
      if (performance.now() - asked > askAgainAfter) {
        asked = performance.now();
        // No cookie can name it, so no visitor can put something there.
        answered = store.get('readiness_probe').then(
          () => true,
          (error: unknown) => error instanceof FormatError,
        );
      }
      return answered;
    },
    close: () => store.close(),
  };
}

/** Without one the session itself is read, and that tells what is wrong; where that is too much already, nothing more. */
function noVersion(error: unknown): null {
  if (error instanceof StoreError && !(error instanceof SessionBusyError)) return null;
  throw error;
}

function noId(where: string, hint?: string): Refusal {
  const reason = `no id in ${where}, or none that PHP would make`;
  return { code: 'unauthorized', reason, kind: reason, hint };
}

async function within<T>(milliseconds: number, work: Promise<T>, late: StoreError): Promise<T> {
  const { promise, reject } = deferred<never>();
  const answered = deadline(milliseconds, () => reject(late));
  return Promise.race([work, promise]).finally(answered);
}

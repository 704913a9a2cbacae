import { randomBytes } from 'node:crypto';
import type { Container, Saved } from './containers/container.ts';
import type { Lock, Locks } from './locks.ts';
import type { Subscriptions } from './subscriptions.ts';
import { Values } from './values.ts';

export interface SessionLimits {
  /** The lifetime after each use in seconds, unless a session has one of its own; 0 for ever. */
  lifetime: number;
  /** Bytes of one session. */
  size: number;
  sessions: number;
}

/** A session that one connection has open, with its unsaved changes. */
export class OpenSession {
  id: string;
  /** Null in mode `r`, and after a commit. */
  lock: Lock | null;
  /** The saved state; null if the session was never saved. */
  saved: Saved | null;
  values: Values;
  /** Seconds; 0 for ever. */
  lifetime: number;

  constructor(id: string, lock: Lock | null, saved: Saved | null, lifetime: number) {
    this.id = id;
    this.lock = lock;
    this.saved = saved;
    this.lifetime = saved?.lifetime ?? lifetime;
    this.values = saved === null ? new Values() : Values.read(saved.data);
  }

  /** Whether changes may still be saved. */
  get writable(): boolean {
    return this.lock?.held === true;
  }

  /** Whether it was opened for writing and has lost its lock since: nothing of it may be saved any more. */
  get lockLost(): boolean {
    return this.lock !== null && !this.lock.held;
  }
}

/** All sessions: opens, saves and ends them, each change under the session's lock, and publishes the events. */
export class Sessions {
  readonly limits: SessionLimits;
  readonly #container: Container;
  readonly #locks: Locks;
  readonly #subscriptions: Subscriptions;
  readonly #failed: (error: unknown) => void;
  #revision = 0;

  /** @param failed logs errors after which a command still succeeds */
  constructor(
    container: Container,
    locks: Locks,
    subscriptions: Subscriptions,
    limits: SessionLimits,
    failed: (error: unknown) => void,
  ) {
    this.#failed = failed;
    this.#container = container;
    this.#locks = locks;
    this.#subscriptions = subscriptions;
    this.limits = limits;
  }

  /** Opens a session with a new ID. It exists once it is saved. */
  create(): Promise<OpenSession | null> {
    // 128 random bits: nobody can guess an ID, and none comes twice.
    return this.openToWrite(randomBytes(16).toString('hex'), 0, new AbortController().signal);
  }

  /** @returns null if the lock was not free in time */
  async openToWrite(id: string, timeout: number, gone: AbortSignal): Promise<OpenSession | null> {
    const lock = await this.#locks.acquire(id, timeout, gone);
    return lock === null ? null : this.reopen(lock);
  }

  /** Opens a session under a lock that the caller holds. Releases the lock if that fails. */
  async reopen(lock: Lock): Promise<OpenSession> {
    try {
      return await lock.during(async () => {
        const saved = await this.#container.open(lock.id);
        if (saved === null) return this.#opened(lock.id, lock, null);
        if (saved.expiresAt <= Date.now()) {
          await this.#end(lock.id, 'expired');
          return this.#opened(lock.id, lock, null);
        }
        return this.#use(lock.id, lock, saved);
      });
    } catch (error) {
      lock.release();
      throw error;
    }
  }

  /** Opens the session as it was last saved, whoever holds the lock. @returns null if there is none */
  async openToRead(id: string): Promise<OpenSession | null> {
    const saved = await this.read(id);
    // A client has just created it and has not saved it yet.
    if (saved === null) return this.#locks.isHeld(id) ? this.#opened(id, null, null) : null;
    return this.#use(id, null, saved);
  }

  #opened(id: string, lock: Lock | null, saved: Saved | null): OpenSession {
    return new OpenSession(id, lock, saved, this.limits.lifetime);
  }

  /** Reads what is saved without using the session. @returns null if there is none, or it has expired */
  async read(id: string): Promise<Saved | null> {
    const saved = await this.#container.open(id);
    if (saved === null || (saved.expiresAt <= Date.now() && !this.#locks.isHeld(id))) return null;
    this.#subscriptions.setExpiry(id, saved.expiresAt);
    return saved;
  }

  /** The seconds that an open session has left; 0 for ever. */
  async remaining(session: OpenSession): Promise<number> {
    const saved = await this.read(session.id);
    // Not saved yet, or not with this lifetime.
    if (saved === null || session.lifetime !== saved.lifetime) return session.lifetime;
    return secondsLeft(saved);
  }

  /** Restarts the lifetime. @returns false if the session is gone */
  async touch(session: OpenSession): Promise<boolean> {
    const saved = await this.read(session.id);
    if (saved === null) return session.saved === null;
    await this.#touch(session.id, saved);
    return true;
  }

  /**
   * Does not pass the new time to the subscriptions, since a save may have set another one meanwhile. Their old time is
   * earlier, and `collectSubscribed` then reads the session.
   */
  async #touch(id: string, { revision, lifetime }: Saved): Promise<void> {
    await this.#container.touch(id, revision, expiryOf(lifetime));
  }

  /**
   * Opening a session counts as use, so its lifetime restarts, unless the session cannot be parsed. If the new time
   * cannot be saved, for example on a full disk, the session is opened anyway.
   */
  async #use(id: string, lock: Lock | null, saved: Saved): Promise<OpenSession> {
    const session = this.#opened(id, lock, saved);
    await this.#touch(id, saved).catch(this.#failed);
    return session;
  }

  /** Saves the session. Without changes, it only restarts the lifetime. */
  async save(session: OpenSession): Promise<void> {
    const { id, lifetime, saved, values } = session;
    const lock = writable(session);
    await lock.during(async () => {
      const data = Buffer.from(values.toString(), 'latin1');
      if (saved?.data.equals(data) && saved.lifetime === lifetime) return this.#touch(id, saved);
      if (saved === null && this.#container.count >= this.limits.sessions) {
        throw new Error('a new session was not saved, there are too many: raise SESSION_SERVER_SESSIONS');
      }
      session.saved = await this.#commit(id, data, lifetime, saved?.revision);
    });
  }

  async #commit(id: string, data: Buffer, lifetime: number, before = 0): Promise<Saved> {
    // Revisions follow the clock, so they rise from one run to the next, and a new session of the same ID does not
    // repeat them. They stay above the saved one even if the clock was set back.
    this.#revision = Math.max(this.#revision + 1, before + 1, Date.now() * 1000);
    const saved = { data, lifetime, revision: this.#revision, expiresAt: expiryOf(lifetime) };
    await this.#container.commit(id, saved);
    this.#subscriptions.setExpiry(id, saved.expiresAt);
    this.#subscriptions.publish(id, { kind: 'changed', revision: saved.revision });
    return saved;
  }

  async destroy(session: OpenSession): Promise<void> {
    const lock = writable(session);
    await lock.during(() => this.#end(session.id, 'destroyed'));
    lock.release();
  }

  /** Moves the saved session and its lock to a new ID. Unsaved changes stay unsaved. */
  async regenerate(session: OpenSession): Promise<void> {
    const old = writable(session);
    const { saved } = session;
    const id = randomBytes(16).toString('hex');
    const lock = await this.#locks.acquire(id, 0, new AbortController().signal);
    if (lock === null) throw new Error('a random session ID is already in use');
    try {
      await old.during(() =>
        lock.during(async () => {
          // Saves the new one first: a crash leaves the old one, or both.
          if (saved !== null)
            session.saved = await this.#commit(id, saved.data, saved.lifetime, saved.revision);
          await this.#end(session.id, 'regenerated');
        }),
      );
    } catch (error) {
      // Deletes the new one only if the old one is still there: better two copies than none.
      const old = await this.#container.open(session.id).catch(() => null);
      if (old !== null) await this.#container.destroy(id).catch(() => {});
      session.saved = saved;
      lock.release();
      throw error;
    }
    session.id = id;
    session.lock = lock;
    old.release();
  }

  async #end(id: string, kind: 'destroyed' | 'expired' | 'regenerated'): Promise<void> {
    if (await this.#container.destroy(id)) this.#subscriptions.publish(id, { kind });
  }

  /** Deletes the sessions that have expired. */
  async collect(): Promise<void> {
    await this.#collectAll(this.#container.expire(Date.now()));
  }

  /** The same for sessions with subscriptions only. It is cheaper, and called more often. */
  async collectSubscribed(): Promise<void> {
    await this.#collectAll(this.#subscriptions.expired(Date.now()));
  }

  /** If a session cannot be read, the others are still collected, and its error is thrown at the end. */
  async #collectAll(ids: Iterable<string> | AsyncIterable<string>): Promise<void> {
    let failure: unknown;
    for await (const id of ids) {
      await this.#collectOne(id).catch((error: unknown) => {
        failure ??= error;
      });
    }
    if (failure !== undefined) throw failure;
  }

  async #collectOne(id: string): Promise<void> {
    const isExpired = async () => {
      const saved = await this.#container.open(id);
      if (saved === null) this.#subscriptions.missing(id);
      else this.#subscriptions.setExpiry(id, saved.expiresAt);
      return saved !== null && saved.expiresAt <= Date.now();
    };
    if (this.#locks.isHeld(id) || !(await isExpired())) return;
    const lock = await this.#locks.acquire(id, 0, new AbortController().signal);
    if (lock === null) return;
    try {
      // A client may have used it before this had the lock.
      await lock.during(async () => {
        if (await isExpired()) await this.#end(id, 'expired');
      });
    } finally {
      lock.release();
    }
  }
}

function writable({ lock }: OpenSession): Lock {
  if (lock === null || !lock.held) throw new Error('a session was to be changed without its lock');
  return lock;
}

function expiryOf(lifetime: number): number {
  return lifetime === 0 ? Number.POSITIVE_INFINITY : Date.now() + lifetime * 1000;
}

/** The seconds until a session expires; 0 for ever. */
export function secondsLeft({ lifetime, expiresAt }: Saved): number {
  return lifetime === 0 ? 0 : Math.max(1, Math.ceil((expiresAt - Date.now()) / 1000));
}

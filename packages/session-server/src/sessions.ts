import { randomBytes } from 'node:crypto';
import type { Container, Saved } from './containers/container.ts';
import type { Lock, Locks } from './locks.ts';
import type { Subscriptions } from './subscriptions.ts';
import { Values } from './values.ts';

interface SessionLimits {
  /** The default lifetime after each use. 0 if sessions do not expire. */
  lifetimeSeconds: number;
  maxSessionBytes: number;
  maxSessions: number;
}

/** An open session of a connection, with its unsaved changes. */
export class OpenSession {
  id: string;
  /** Null in mode `r` and after a commit. */
  lock: Lock | null;
  /** Null if the session was never saved. */
  saved: Saved | null;
  values: Values;
  /** 0 if the session does not expire. */
  lifetimeSeconds: number;

  constructor(id: string, lock: Lock | null, saved: Saved | null, defaultLifetime: number) {
    this.id = id;
    this.lock = lock;
    this.saved = saved;
    this.lifetimeSeconds = saved?.lifetimeSeconds ?? defaultLifetime;
    this.values = saved === null ? new Values() : Values.read(saved.data);
  }

  get isWritable(): boolean {
    return this.lock?.isHeld === true;
  }

  /** Whether another client got the lock, so the changes must not be saved. */
  get hasLostLock(): boolean {
    return this.lock !== null && !this.lock.isHeld;
  }
}

/** Opens, saves and ends sessions, and publishes the events. Saving and ending require the session's lock. */
export class Sessions {
  readonly limits: SessionLimits;
  readonly #container: Container;
  readonly #locks: Locks;
  readonly #subscriptions: Subscriptions;
  readonly #logError: (error: unknown) => void;
  #revision = 0;

  /** @param logError logs errors that do not fail the command */
  constructor(
    container: Container,
    locks: Locks,
    subscriptions: Subscriptions,
    limits: SessionLimits,
    logError: (error: unknown) => void,
  ) {
    this.#logError = logError;
    this.#container = container;
    this.#locks = locks;
    this.#subscriptions = subscriptions;
    this.limits = limits;
  }

  /** Opens a session with a new ID. The session exists once it is saved. */
  create(): Promise<OpenSession | null> {
    // 128 random bits cannot be guessed and do not repeat.
    return this.openToWrite(randomBytes(16).toString('hex'), 0, new AbortController().signal);
  }

  /** Opens a session under its lock. @returns null if the lock was not free in time */
  async openToWrite(id: string, timeoutMs: number, disconnected: AbortSignal): Promise<OpenSession | null> {
    const lock = await this.#locks.acquire(id, timeoutMs, disconnected);
    return lock === null ? null : this.reopen(lock);
  }

  /** Opens a session under a lock that the caller holds. Releases the lock on failure. */
  async reopen(lock: Lock): Promise<OpenSession> {
    try {
      return await lock.during(async () => {
        const saved = await this.#container.open(lock.id);
        if (saved === null) return this.#makeOpen(lock.id, lock, null);
        if (saved.expiresAt <= Date.now()) {
          await this.#end(lock.id, 'expired');
          return this.#makeOpen(lock.id, lock, null);
        }
        return this.#use(lock.id, lock, saved);
      });
    } catch (error) {
      lock.release();
      throw error;
    }
  }

  /** Opens the session as it was last saved, without its lock. @returns null if it does not exist */
  async openToRead(id: string): Promise<OpenSession | null> {
    const saved = await this.read(id);
    // If the lock is held, a client may have created the session without saving it yet.
    if (saved === null) return this.#locks.isHeld(id) ? this.#makeOpen(id, null, null) : null;
    return this.#use(id, null, saved);
  }

  #makeOpen(id: string, lock: Lock | null, saved: Saved | null): OpenSession {
    return new OpenSession(id, lock, saved, this.limits.lifetimeSeconds);
  }

  /** Reads a session without restarting its lifetime. @returns null if it is missing, or expired and not in use */
  async read(id: string): Promise<Saved | null> {
    const saved = await this.#container.open(id);
    if (saved === null || (saved.expiresAt <= Date.now() && !this.#locks.isHeld(id))) return null;
    this.#subscriptions.setExpiry(id, saved.expiresAt);
    return saved;
  }

  /** Returns the time until an open session expires. 0 if it does not expire. */
  async remainingSeconds(session: OpenSession): Promise<number> {
    const saved = await this.read(session.id);
    // The session or its new lifetime is not saved yet.
    if (saved === null || session.lifetimeSeconds !== saved.lifetimeSeconds) return session.lifetimeSeconds;
    return secondsUntilExpiry(saved);
  }

  /** Restarts the lifetime. @returns false if the session was deleted */
  async touch(session: OpenSession): Promise<boolean> {
    const saved = await this.read(session.id);
    if (saved === null) return session.saved === null;
    await this.#touch(session.id, saved);
    return true;
  }

  /**
   * Restarts the lifetime in the container. The expiry in the subscriptions stays, because a concurrent save may set a
   * newer one. When it comes, `collectSubscribed` reads the session again.
   */
  async #touch(id: string, { revision, lifetimeSeconds }: Saved): Promise<void> {
    await this.#container.touch(id, revision, expiryOf(lifetimeSeconds));
  }

  /**
   * Opens a session and restarts its lifetime, unless the session cannot be parsed. If the new time cannot be saved, such
   * as on a full disk, the session is opened anyway.
   */
  async #use(id: string, lock: Lock | null, saved: Saved): Promise<OpenSession> {
    const session = this.#makeOpen(id, lock, saved);
    await this.#touch(id, saved).catch(this.#logError);
    return session;
  }

  /** Saves the session. If nothing changed, only restarts the lifetime. */
  async save(session: OpenSession): Promise<void> {
    const { id, lifetimeSeconds, saved, values } = session;
    const lock = requireLock(session);
    await lock.during(async () => {
      const data = Buffer.from(values.toString(), 'latin1');
      if (saved?.data.equals(data) && saved.lifetimeSeconds === lifetimeSeconds)
        return this.#touch(id, saved);
      if (saved === null && this.#container.count >= this.limits.maxSessions) {
        throw new Error(
          'a new session was not saved, because there are too many: raise SESSION_SERVER_SESSIONS',
        );
      }
      session.saved = await this.#commit(id, data, lifetimeSeconds, saved?.revision);
    });
  }

  async #commit(id: string, data: Buffer, lifetimeSeconds: number, before = 0): Promise<Saved> {
    // Revisions follow the clock, so that they increase across restarts, even for a new session with an old ID. If the
    // clock is set back, they stay above the saved revision.
    this.#revision = Math.max(this.#revision + 1, before + 1, Date.now() * 1000);
    const saved = { data, lifetimeSeconds, revision: this.#revision, expiresAt: expiryOf(lifetimeSeconds) };
    await this.#container.commit(id, saved);
    this.#subscriptions.setExpiry(id, saved.expiresAt);
    this.#subscriptions.publish(id, { kind: 'changed', revision: saved.revision });
    return saved;
  }

  async destroy(session: OpenSession): Promise<void> {
    const lock = requireLock(session);
    await lock.during(() => this.#end(session.id, 'destroyed'));
    lock.release();
  }

  /** Moves the saved session and its lock to a new ID. Unsaved changes stay unsaved. */
  async regenerate(session: OpenSession): Promise<void> {
    const oldLock = requireLock(session);
    const { saved } = session;
    const id = randomBytes(16).toString('hex');
    const lock = await this.#locks.acquire(id, 0, new AbortController().signal);
    if (lock === null) throw new Error('a random session ID is already in use');
    try {
      await oldLock.during(() =>
        lock.during(async () => {
          // In this order, a crash leaves at least one of the two sessions.
          if (saved !== null)
            session.saved = await this.#commit(id, saved.data, saved.lifetimeSeconds, saved.revision);
          await this.#end(session.id, 'regenerated');
        }),
      );
    } catch (error) {
      // Two copies are better than none, so the new session is deleted only if the old session exists.
      const old = await this.#container.open(session.id).catch(() => null);
      if (old !== null) await this.#container.destroy(id).catch(() => {});
      session.saved = saved;
      lock.release();
      throw error;
    }
    session.id = id;
    session.lock = lock;
    oldLock.release();
  }

  async #end(id: string, kind: 'destroyed' | 'expired' | 'regenerated'): Promise<void> {
    if (await this.#container.destroy(id)) this.#subscriptions.publish(id, { kind });
  }

  /** Deletes expired sessions. */
  async collect(): Promise<void> {
    await this.#collectAll(this.#container.expire(Date.now()));
  }

  /** Deletes expired sessions that have subscriptions. This is cheap, so it runs more often. */
  async collectSubscribed(): Promise<void> {
    await this.#collectAll(this.#subscriptions.expiredIds(Date.now()));
  }

  /** @throws the first error, after all sessions were tried */
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
      if (saved === null) this.#subscriptions.publishMissing(id);
      else this.#subscriptions.setExpiry(id, saved.expiresAt);
      return saved !== null && saved.expiresAt <= Date.now();
    };
    if (this.#locks.isHeld(id) || !(await isExpired())) return;
    const lock = await this.#locks.acquire(id, 0, new AbortController().signal);
    if (lock === null) return;
    try {
      // Checks again, because a client may have used the session before the lock was granted.
      await lock.during(async () => {
        if (await isExpired()) await this.#end(id, 'expired');
      });
    } finally {
      lock.release();
    }
  }
}

function requireLock({ lock }: OpenSession): Lock {
  if (lock === null || !lock.isHeld) throw new Error('a session cannot be changed without its lock');
  return lock;
}

function expiryOf(lifetimeSeconds: number): number {
  return lifetimeSeconds === 0 ? Number.POSITIVE_INFINITY : Date.now() + lifetimeSeconds * 1000;
}

/** 0 if the session does not expire. */
export function secondsUntilExpiry({ lifetimeSeconds, expiresAt }: Saved): number {
  return lifetimeSeconds === 0 ? 0 : Math.max(1, Math.ceil((expiresAt - Date.now()) / 1000));
}

import { randomBytes } from 'node:crypto';
import type { Container, Saved } from './containers/container.ts';
import type { Lock, Locks } from './locks.ts';
import { OpenSession } from './open-session.ts';
import type { Watches } from './watches.ts';

export interface SessionLimits {
  /** Seconds that a session lives on after each use, unless it was given a time of its own; 0 for ever. */
  lifetime: number;
  /** Bytes of one session. */
  size: number;
  sessions: number;
}

/** All sessions: opens, saves and ends them, each change under its lock, and tells who watches. */
export class Sessions {
  readonly limits: SessionLimits;
  readonly #container: Container;
  readonly #locks: Locks;
  readonly #watches: Watches;
  readonly #failed: (error: unknown) => void;
  #revision = 0;

  /** @param failed hears of what could not be done, and need not have been */
  constructor(
    container: Container,
    locks: Locks,
    watches: Watches,
    limits: SessionLimits,
    failed: (error: unknown) => void,
  ) {
    this.#failed = failed;
    this.#container = container;
    this.#locks = locks;
    this.#watches = watches;
    this.limits = limits;
  }

  /** A session of nobody yet, which is kept once it is saved. */
  create(): Promise<OpenSession | null> {
    // Of 128 random bits: nobody guesses one, and none comes twice.
    return this.openToWrite(randomBytes(16).toString('hex'), 0, new AbortController().signal);
  }

  /** @returns null when the lock could not be had in time */
  async openToWrite(id: string, timeout: number, gone: AbortSignal): Promise<OpenSession | null> {
    const lock = await this.#locks.acquire(id, timeout, gone);
    return lock === null ? null : this.reopen(lock);
  }

  /** Opens a session whose lock one has. The lock is freed when that fails. */
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

  /** As it was last saved, whoever has the lock. @returns null when there is none */
  async openToRead(id: string): Promise<OpenSession | null> {
    const saved = await this.read(id);
    // Somebody has just made it and has not saved it yet.
    if (saved === null) return this.#locks.isHeld(id) ? this.#opened(id, null, null) : null;
    return this.#use(id, null, saved);
  }

  #opened(id: string, lock: Lock | null, saved: Saved | null): OpenSession {
    return new OpenSession(id, lock, saved, this.limits.lifetime);
  }

  /** What is saved, and nothing is changed by looking. @returns null when there is none, or its time is over */
  async read(id: string): Promise<Saved | null> {
    const saved = await this.#container.open(id);
    if (saved === null || (saved.expiresAt <= Date.now() && !this.#locks.isHeld(id))) return null;
    this.#watches.endsAt(id, saved.expiresAt);
    return saved;
  }

  /** Seconds that an open session has left; 0 for ever. */
  async remaining(session: OpenSession): Promise<number> {
    const saved = await this.read(session.id);
    // Not saved yet, or with another lifetime since.
    if (saved === null || session.lifetime !== saved.lifetime) return session.lifetime;
    return secondsLeft(saved);
  }

  /** @returns false when it is not there any more */
  async touch(session: OpenSession): Promise<boolean> {
    const saved = await this.read(session.id);
    if (saved === null) return session.saved === null;
    await this.#touch(session.id, saved);
    return true;
  }

  /**
   * Who watches is not told: a save may have set another end meanwhile, and at the old one, which is sooner, what is
   * kept is looked at.
   */
  async #touch(id: string, { revision, lifetime }: Saved): Promise<void> {
    await this.#container.touch(id, revision, endOf(lifetime));
  }

  /** To open a session is to use it: not if it cannot be read, but also if that cannot be kept, on a full disk, say. */
  async #use(id: string, lock: Lock | null, saved: Saved): Promise<OpenSession> {
    const session = this.#opened(id, lock, saved);
    await this.#touch(id, saved).catch(this.#failed);
    return session;
  }

  /** Keeps what was done to it. What is unchanged is only used anew. */
  async save(session: OpenSession): Promise<void> {
    const { id, lifetime, saved, values } = session;
    const lock = writable(session);
    await lock.during(async () => {
      const data = Buffer.from(values.toString(), 'latin1');
      if (saved?.data.equals(data) && saved.lifetime === lifetime) return this.#touch(id, saved);
      if (saved === null && this.#container.count >= this.limits.sessions) {
        throw new Error('there are too many sessions (SESSION_SERVER_SESSIONS)');
      }
      session.saved = await this.#commit(id, data, lifetime, saved?.revision);
    });
  }

  async #commit(id: string, data: Buffer, lifetime: number, before = 0): Promise<Saved> {
    // By the clock, so that they rise from one run to the next, and are not those of a session that had the ID before;
    // and above what is kept, though the clock was set back.
    this.#revision = Math.max(this.#revision + 1, before + 1, Date.now() * 1000);
    const saved = { data, lifetime, revision: this.#revision, expiresAt: endOf(lifetime) };
    await this.#container.commit(id, saved);
    this.#watches.endsAt(id, saved.expiresAt);
    this.#watches.publish(id, { kind: 'changed', revision: saved.revision });
    return saved;
  }

  async destroy(session: OpenSession): Promise<void> {
    const lock = writable(session);
    await lock.during(() => this.#end(session.id, 'destroyed'));
    lock.release();
  }

  /** What is saved moves to a new ID, and the lock with it; what is not yet saved stays so. */
  async regenerate(session: OpenSession): Promise<void> {
    const old = writable(session);
    const { saved } = session;
    const id = randomBytes(16).toString('hex');
    const lock = await this.#locks.acquire(id, 0, new AbortController().signal);
    if (lock === null) throw new Error('a new ID is taken');
    try {
      await old.during(() =>
        lock.during(async () => {
          // The new one first: a crash leaves one of them, or both.
          if (saved !== null)
            session.saved = await this.#commit(id, saved.data, saved.lifetime, saved.revision);
          await this.#end(session.id, 'regenerated');
        }),
      );
    } catch (error) {
      // Rather two copies than none.
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
    if (await this.#container.destroy(id)) this.#watches.publish(id, { kind });
  }

  /** Ends the sessions whose time is over. */
  async collect(): Promise<void> {
    await this.#collectAll(this.#container.expire(Date.now()));
  }

  /** Ends those that somebody watches; to be called more often than `collect`. */
  async collectWatched(): Promise<void> {
    await this.#collectAll(this.#watches.over(Date.now()));
  }

  /** One that cannot be read, as a file of somebody else's, is told at the end, and keeps no other. */
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
    const isOver = async () => {
      const saved = await this.#container.open(id);
      if (saved === null) this.#watches.missing(id);
      else this.#watches.endsAt(id, saved.expiresAt);
      return saved !== null && saved.expiresAt <= Date.now();
    };
    if (this.#locks.isHeld(id) || !(await isOver())) return;
    const lock = await this.#locks.acquire(id, 0, new AbortController().signal);
    if (lock === null) return;
    try {
      // Somebody may have used it before the lock was there.
      await lock.during(async () => {
        if (await isOver()) await this.#end(id, 'expired');
      });
    } finally {
      lock.release();
    }
  }
}

function writable({ lock }: OpenSession): Lock {
  if (lock === null || !lock.held) throw new Error('the lock is not held');
  return lock;
}

function endOf(lifetime: number): number {
  return lifetime === 0 ? Number.POSITIVE_INFINITY : Date.now() + lifetime * 1000;
}

/** 0 for ever. */
export function secondsLeft({ lifetime, expiresAt }: Saved): number {
  return lifetime === 0 ? 0 : Math.max(1, Math.ceil((expiresAt - Date.now()) / 1000));
}

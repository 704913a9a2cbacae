import { setTimeout as pause } from 'node:timers/promises';
import type { EndReason, User } from '../events.ts';
import type { Look } from '../session/look.ts';
import { markOf } from '../session/mark.ts';
import type { LiveSession, SessionReader } from '../session/read-session.ts';
import { type SessionName, StoreError, type Watcher } from '../session/store.ts';
import { type Keepalive, type Life, learnLife } from './life.ts';
import { Rounds } from './rounds.ts';

/** PHP empties a record before it writes it anew: what cannot be read is looked at once more. */
const secondLookAfter = 100;
/** A page that has just opened its session may end it a little later; slower ones are seen by the regular look. */
const looksAfterOpening = [50, 250];
/** What ends within so many milliseconds is over: some stores count in whole seconds, and answers take their time. */
const precision = 1500;

/** What is done to a connection from here. */
export interface Lease {
  /** `session:ended` with the reason, then disconnected. */
  end(reason: EndReason): void;
  /** The session could not be confirmed for too long: the transport is closed, without a verdict. */
  giveUp(): void;
  rename(user: User): void;
}

/** A connection's hold on its session. */
export interface Hold {
  /** The user does something: keeps the session alive, if the site wants that. */
  active(): void;
  release(): void;
}

interface Options {
  /** Each session is looked at once in this many milliseconds. */
  interval: number;
  /** For so many milliseconds a silent store ends nothing. */
  grace: number;
  /** Absent when sessions live as long as PHP alone keeps them alive. */
  keepalive?: Keepalive | undefined;
  onLook: () => void;
  onEnd: (reason: EndReason) => void;
  /** The store fell silent, or answers again (null): told once for each change. */
  onStore: (silent: StoreError | null) => void;
  /** The store stopped telling of changes by itself, or tells them (null): told once for each change. */
  onWatch: (lost: StoreError | null) => void;
}

interface Entry extends LiveSession, Life {
  leases: Set<Lease>;
  leave: () => void;
  mark: string;
  /** When the store last confirmed this session, by the monotonic clock. */
  confirmed: number;
  looking: boolean;
  /** Something was told while it was being looked at. */
  again: boolean;
}

/**
 * Holds every connection to its session: as long as it is open, the session is looked up again and again, once
 * for all connections that share it, and at once when the store tells of a change. A logout, the end of its life,
 * another user or an unreadable record ends them; a silent store does not, for the time of grace.
 */
export class Lifetimes {
  readonly #reader: SessionReader;
  readonly #options: Options;
  readonly #rounds: Rounds<Entry>;
  readonly #byId = new Map<string, Entry>();
  readonly #byMark = new Map<string, Entry>();
  /** Sessions whose last look got no answer: of several servers, one may be silent. */
  readonly #silent = new Set<Entry>();
  #endWatch: (() => void) | undefined;

  constructor(reader: SessionReader, options: Options) {
    this.#reader = reader;
    this.#options = options;
    this.#rounds = new Rounds(options.interval, (entry) => {
      // The rejections that can come are dealt with inside.
      if (!entry.looking) void this.#look(entry);
    });
  }

  start(): void {
    this.#rounds.start();
    const watcher: Watcher = {
      changed: (session) => this.#lookSoon(this.#held(session)),
      opened: (session) => {
        const entry = this.#held(session);
        if (entry === undefined) return;
        for (const after of looksAfterOpening) setTimeout(() => this.#lookSoon(entry), after).unref();
      },
      lost: this.#options.onWatch,
    };
    this.#endWatch = this.#reader.watch(watcher);
  }

  stop(): void {
    this.#endWatch?.();
    this.#rounds.stop();
  }

  /** Binds a connection to its session, until that is released. */
  hold(session: LiveSession, lease: Lease): Hold {
    let entry = this.#byId.get(session.id);
    if (entry === undefined || entry.user.id !== session.user.id) {
      // Another user by now: those who came before him need not wait for the next look.
      if (entry !== undefined) this.#end(entry, 'user_changed');
      entry = this.#enter(session);
    }
    entry.leases.add(lease);
    const held = entry;
    return {
      active: () => {
        held.active = performance.now();
      },
      release: () => {
        held.leases.delete(lease);
        if (held.leases.size === 0) this.#forget(held);
      },
    };
  }

  /** Ends all sessions of a user; how many connections they had. */
  kick(user: string): number {
    let connections = 0;
    for (const entry of [...this.#byId.values()].filter((one) => one.user.id === user)) {
      connections += entry.leases.size;
      this.#end(entry, 'kicked');
    }
    return connections;
  }

  #enter(session: LiveSession): Entry {
    const entry: Entry = {
      ...session,
      leases: new Set(),
      leave: () => {},
      mark: markOf(session.id),
      confirmed: performance.now(),
      looking: false,
      again: false,
      active: Number.NEGATIVE_INFINITY,
      renewed: Number.NEGATIVE_INFINITY,
      longest: 0,
    };
    entry.leave = this.#rounds.add(entry);
    this.#byId.set(entry.id, entry);
    this.#byMark.set(entry.mark, entry);
    return entry;
  }

  #forget(entry: Entry): void {
    entry.leave();
    this.#silent.delete(entry);
    if (this.#byId.get(entry.id) !== entry) return;
    this.#byId.delete(entry.id);
    this.#byMark.delete(entry.mark);
  }

  #held(session: SessionName): Entry | undefined {
    return 'id' in session ? this.#byId.get(session.id) : this.#byMark.get(session.mark);
  }

  #lookSoon(entry: Entry | undefined): void {
    if (entry === undefined || entry.leases.size === 0) return;
    // What is being read just now may have been read before the change.
    if (entry.looking) entry.again = true;
    else void this.#look(entry);
  }

  async #look(entry: Entry): Promise<void> {
    entry.looking = true;
    try {
      do {
        entry.again = false;
        let look = await this.#lookOnce(entry);
        if (look?.state === 'invalid' || look?.state === 'empty') {
          await pause(secondLookAfter);
          look = await this.#lookOnce(entry);
        }
        this.#apply(entry, look);
      } while (entry.again && entry.leases.size > 0);
      if (entry.leases.size > 0) await this.#follow(entry);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      if (this.#silent.size === 0) this.#options.onStore(error);
      if (entry.leases.size > 0) this.#silent.add(entry);
      if (performance.now() - entry.confirmed >= this.#options.grace) {
        for (const lease of [...entry.leases]) lease.giveUp();
      }
    } finally {
      entry.looking = false;
    }
  }

  async #lookOnce(entry: Entry): Promise<Look | null> {
    this.#options.onLook();
    const look = await this.#reader.changed(entry.id, entry.bytes);
    this.#answered(entry);
    return look;
  }

  /** @param look null when nothing has changed */
  #apply(entry: Entry, look: Look | null): void {
    switch (look?.state) {
      case undefined:
        entry.confirmed = performance.now();
        return;
      case 'user':
        if (look.user.id !== entry.user.id) return this.#end(entry, 'user_changed');
        entry.confirmed = performance.now();
        entry.bytes = look.bytes;
        if (look.user.name !== entry.user.name) for (const lease of entry.leases) lease.rename(look.user);
        entry.user = look.user;
        return;
      case 'nobody': {
        const over = entry.ends !== undefined && performance.now() > entry.ends - precision;
        return this.#end(entry, over ? 'expired' : 'logout');
      }
      default:
        return this.#end(entry, 'invalid');
    }
  }

  /** How long the session is going to live is asked when it is new here, and again when it nears its end. */
  async #follow(entry: Entry): Promise<void> {
    const { interval, keepalive } = this.#options;
    if (entry.ends === undefined || performance.now() > entry.ends - precision - 2 * interval) {
      await learnLife(this.#reader, entry);
    }
    await keepalive?.renew(entry);
  }

  #end(entry: Entry, reason: EndReason): void {
    for (const lease of [...entry.leases]) {
      this.#options.onEnd(reason);
      lease.end(reason);
    }
  }

  #answered(entry: Entry): void {
    if (this.#silent.delete(entry) && this.#silent.size === 0) this.#options.onStore(null);
  }
}

import { setTimeout as pause } from 'node:timers/promises';
import type { EndReason, User } from '../events.ts';
import type { Look } from '../session/look.ts';
import type { LiveSession, SessionReader } from '../session/read-session.ts';
import { StoreError } from '../session/store.ts';
import { isOver, type Keepalive, type Life, learnLife, nearsEnd, newLife } from './life.ts';
import { Rounds } from './rounds.ts';
import { SessionIndex } from './session-index.ts';

/** PHP empties a record before it writes it anew: what cannot be read is looked at once more. */
const secondLookAfter = 100;
/** A page that has just opened its session may end it a little later; slower ones are seen by the regular look. */
const looksAfterOpening = [50, 250];

/** What is done to a connection from here. */
export interface Lease {
  /** `session:ended` with the reason, then disconnected. */
  end(reason: EndReason): void;
  /** The session could not be confirmed for too long: the transport is closed, without a verdict. */
  giveUp(): void;
  rename(user: User): void;
}

/** A connection's hold on its session. `active`: its user does something, which can keep the session alive. */
export interface Hold {
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
  /** Takes it out of the rounds. */
  leave: () => void;
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
  readonly #entries = new SessionIndex<Entry>();
  /** Sessions whose last look got no answer: of several servers, one may be silent. */
  readonly #silent = new Set<Entry>();
  #endWatch: (() => void) | undefined;

  constructor(reader: SessionReader, options: Options) {
    this.#reader = reader;
    this.#options = options;
    this.#rounds = new Rounds(options.interval, (entry) => {
      if (!entry.looking) this.#look(entry);
    });
  }

  start(): void {
    this.#rounds.start();
    this.#endWatch = this.#reader.watch({
      changed: (session) => this.#lookSoon(this.#entries.get(session)),
      opened: (session) => {
        const entry = this.#entries.get(session);
        if (entry === undefined) return;
        for (const after of looksAfterOpening) setTimeout(() => this.#lookSoon(entry), after).unref();
      },
      lost: this.#options.onWatch,
    });
  }

  stop(): void {
    this.#endWatch?.();
    this.#rounds.stop();
  }

  /** Binds a connection to its session, until that is released. */
  hold(session: LiveSession, lease: Lease): Hold {
    let entry = this.#entries.get(session);
    if (entry === undefined || entry.user.id !== session.user.id) {
      // Another user by now: those who came before him need not wait for the next look.
      if (entry !== undefined) this.#end(entry, 'user_changed');
      entry = this.#enter(session);
    }
    const held = entry;
    held.leases.add(lease);
    return {
      active() {
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
    for (const entry of [...this.#entries].filter((one) => one.user.id === user)) {
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
      confirmed: performance.now(),
      looking: false,
      again: false,
      ...newLife,
    };
    entry.leave = this.#rounds.add(entry);
    this.#entries.add(entry);
    return entry;
  }

  #forget(entry: Entry): void {
    entry.leave();
    this.#silent.delete(entry);
    this.#entries.delete(entry);
  }

  #lookSoon(entry: Entry | undefined): void {
    if (entry === undefined || entry.leases.size === 0) return;
    // What is being read just now may have been read before the change.
    if (entry.looking) entry.again = true;
    else this.#look(entry);
  }

  #look(entry: Entry): void {
    entry.looking = true;
    entry.again = false;
    this.#ask(entry).then(
      (look) => {
        // Nearly all looks find nothing new, and cost no more than this.
        if (look === null && !entry.again && !this.#isDue(entry)) this.#confirm(entry);
        else void this.#act(entry, look);
      },
      (error: unknown) => this.#unanswered(entry, error),
    );
  }

  #ask(entry: Entry): Promise<Look | null> {
    this.#options.onLook();
    return this.#reader.changed(entry.id, entry.bytes);
  }

  #confirm(entry: Entry): void {
    this.#answered(entry);
    entry.confirmed = performance.now();
    entry.looking = false;
  }

  async #act(entry: Entry, first: Look | null): Promise<void> {
    try {
      let look = first;
      this.#answered(entry);
      if (look?.state === 'invalid' || look?.state === 'empty') {
        await pause(secondLookAfter);
        look = await this.#ask(entry);
        this.#answered(entry);
      }
      this.#apply(entry, look);
      if (entry.leases.size > 0) await this.#follow(entry);
      entry.looking = false;
      // What was told meanwhile may have happened after what was seen here.
      if (entry.again) this.#lookSoon(entry);
    } catch (error) {
      this.#unanswered(entry, error);
    }
  }

  #unanswered(entry: Entry, error: unknown): void {
    entry.looking = false;
    if (!(error instanceof StoreError)) throw error;
    if (this.#silent.size === 0) this.#options.onStore(error);
    if (entry.leases.size > 0) this.#silent.add(entry);
    if (performance.now() - entry.confirmed >= this.#options.grace) {
      for (const lease of [...entry.leases]) lease.giveUp();
    }
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
      case 'nobody':
        return this.#end(entry, isOver(entry) ? 'expired' : 'logout');
      default:
        return this.#end(entry, 'invalid');
    }
  }

  /** Whether there is more to do for a session than to see that it is unchanged. */
  #isDue(entry: Entry): boolean {
    return nearsEnd(entry, this.#options.interval) || this.#options.keepalive?.isDue(entry) === true;
  }

  async #follow(entry: Entry): Promise<void> {
    if (nearsEnd(entry, this.#options.interval)) await learnLife(this.#reader, entry);
    if (this.#options.keepalive?.isDue(entry)) await this.#options.keepalive.renew(entry);
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

import { setTimeout as pause } from 'node:timers/promises';
import type { EndReason } from '../events.ts';
import type { LiveSession, SessionReader } from '../session/read-session.ts';
import { type SessionBusyError, StoreError, type Watch } from '../session/store.ts';
import { UnsettledError } from '../session/unsettled.ts';
import type { Look } from '../session/verdict.ts';
import { type HeldSession, type Hold, heldSession, isUnchanged, type Lease } from './held-session.ts';
import { Rounds } from './schedule.ts';
import { SessionIndex } from './session-index.ts';
import { StoreState } from './store-state.ts';
import { isOver, type Keepalive, learnLife, nearsEnd } from './ttl.ts';

/** PHP empties a record before it writes it anew: what cannot be read is looked at once more. */
const secondLookAfter = 100;
/** A page that has just opened its session may end it a little later; slower ones are seen by the regular look. */
const looksAfterOpening = [50, 250];
/** What cannot be read, for all that is written to it, is not left unseen for a whole round. */
const lookAfterUnsettled = 250;

/** Between two looks at one session, in milliseconds. */
const shortestPause = 5;

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
  /** A session cannot be read, just now or as it is: told at each look. */
  onUnreadable: (error: SessionBusyError) => void;
  /** The store stopped telling of changes by itself, or tells them (null): told once for each change. */
  onWatch: (lost: StoreError | null) => void;
}

/**
 * Holds every connection to its session: as long as it is open, the session is looked up again and again, once
 * for all connections that share it, and at once when the store tells of a change. A logout, the end of its life,
 * another user or an unreadable record ends them; a silent store does not, for the time of grace.
 */
export class Lifetimes {
  readonly #reader: SessionReader;
  readonly #options: Options;
  readonly #rounds: Rounds<HeldSession>;
  readonly #entries = new SessionIndex<HeldSession>();
  readonly #store: StoreState;
  #watch: Watch | undefined;

  constructor(reader: SessionReader, options: Options) {
    this.#reader = reader;
    this.#options = options;
    this.#store = new StoreState(options);
    this.#rounds = new Rounds(options.interval, (entry) => {
      if (entry.looking) return;
      if (isUnchanged(entry) && !this.#isDue(entry)) entry.confirmed = performance.now();
      else this.#look(entry);
    });
  }

  start(): void {
    this.#rounds.start();
    this.#watch = this.#reader.watch({
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
    this.#watch?.();
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
    if (!held.bytes.equals(session.bytes)) {
      // One of the two was read before a change.
      lease.rename(held.user);
      this.#lookSoon(held);
    }
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

  #enter(session: LiveSession): HeldSession {
    const entry = heldSession(session);
    entry.followed = this.#watch?.follow?.(entry.id);
    entry.leave = this.#rounds.add(entry);
    this.#entries.add(entry);
    return entry;
  }

  #forget(entry: HeldSession): void {
    entry.leave();
    entry.followed?.end();
    this.#store.forget(entry);
    this.#entries.delete(entry);
  }

  #lookSoon(entry: HeldSession | undefined): void {
    if (entry === undefined || entry.leases.size === 0) return;
    // What is being read just now may have been read before the change.
    if (entry.looking) entry.again = true;
    // A store that tells much of one session does not have it read all the time.
    else if (performance.now() - entry.looked >= shortestPause) this.#look(entry);
    else if (!entry.again) {
      entry.again = true;
      setTimeout(() => this.#lookOnceMore(entry), shortestPause).unref();
    }
  }

  #lookOnceMore(entry: HeldSession): void {
    entry.again = false;
    this.#lookSoon(entry);
  }

  #look(entry: HeldSession): void {
    entry.looking = true;
    entry.again = false;
    entry.looked = performance.now();
    this.#ask(entry).then(
      (look) => {
        // Nearly all looks find nothing new, and cost no more than this.
        if (look === null && !entry.again && !this.#isDue(entry)) this.#confirm(entry);
        else void this.#act(entry, look);
      },
      (error: unknown) => this.#unanswered(entry, error),
    );
  }

  #ask(entry: HeldSession): Promise<Look | null> {
    this.#options.onLook();
    return this.#reader.changed(entry.id, entry.bytes);
  }

  #confirm(entry: HeldSession): void {
    this.#store.answered(entry);
    entry.confirmed = performance.now();
    entry.seen = entry.looked;
    entry.looking = false;
  }

  async #act(entry: HeldSession, first: Look | null): Promise<void> {
    try {
      let look = first;
      this.#store.answered(entry);
      if (look?.state === 'invalid' || look?.state === 'empty') {
        await pause(secondLookAfter);
        look = await this.#ask(entry);
        this.#store.answered(entry);
      }
      const over = look?.state === 'nobody' && (await isOver(this.#reader, entry));
      this.#apply(entry, look, over);
      entry.seen = entry.looked;
      if (entry.leases.size > 0) await this.#follow(entry);
      entry.looking = false;
      // What was told meanwhile may have happened after what was seen here.
      if (entry.again) this.#lookOnceMore(entry);
    } catch (error) {
      this.#unanswered(entry, error);
    }
  }

  #unanswered(entry: HeldSession, error: unknown): void {
    entry.looking = false;
    entry.seen = Number.NEGATIVE_INFINITY;
    if (!(error instanceof StoreError)) throw error;
    if (error instanceof UnsettledError) setTimeout(() => this.#lookSoon(entry), lookAfterUnsettled).unref();
    if (performance.now() - entry.confirmed >= this.#options.grace) {
      for (const lease of [...entry.leases]) lease.giveUp();
    }
    if (entry.leases.size > 0) this.#store.unanswered(entry, error);
  }

  /** @param look null when nothing has changed @param over where nobody is there: because its life is over */
  #apply(entry: HeldSession, look: Look | null, over: boolean): void {
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
        return this.#end(entry, over ? 'expired' : 'logout');
      default:
        return this.#end(entry, 'invalid');
    }
  }

  /** Whether there is more to do for a session than to see that it is unchanged. */
  #isDue(entry: HeldSession): boolean {
    return nearsEnd(entry, this.#options.interval) || this.#options.keepalive?.isDue(entry) === true;
  }

  async #follow(entry: HeldSession): Promise<void> {
    if (nearsEnd(entry, this.#options.interval)) await learnLife(this.#reader, entry).catch(unknown);
    if (this.#options.keepalive?.isDue(entry)) await this.#options.keepalive.renew(entry);
  }

  #end(entry: HeldSession, reason: EndReason): void {
    for (const lease of [...entry.leases]) {
      this.#options.onEnd(reason);
      lease.end(reason);
    }
  }
}

/** How long a session lives is not told: its end is a logout then. */
function unknown(error: unknown): void {
  if (!(error instanceof StoreError)) throw error;
}

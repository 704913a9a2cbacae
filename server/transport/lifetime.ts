import { setTimeout as pause } from 'node:timers/promises';
import type { EndReason, User } from '../events.ts';
import type { Look } from '../session/look.ts';
import type { LiveSession, SessionReader } from '../session/read-session.ts';
import { StoreError } from '../session/store.ts';

/** The interval is divided into slots of this many milliseconds at least, and each session is looked up in its
 * own: ten thousand look-ups at once would stall the event loop. */
const shortestSlot = 10;
const mostSlots = 1000;
/** PHP empties a record before it writes it anew: what cannot be read is looked at once more. */
const secondLookAfter = 100;

/** What is done to a connection from here. */
export interface Lease {
  /** `session:ended` with the reason, then disconnected. */
  end(reason: EndReason): void;
  /** The session could not be confirmed for too long: the transport is closed, without a verdict. */
  giveUp(): void;
  rename(user: User): void;
}

interface Options {
  /** Each session is looked at once in this many milliseconds. */
  interval: number;
  /** For so many milliseconds a silent store ends nothing. */
  grace: number;
  onLook: () => void;
  onEnd: (reason: EndReason) => void;
  /** The store fell silent, or answers again (null): told once for each change. */
  onStore: (silent: StoreError | null) => void;
}

interface Entry extends LiveSession {
  leases: Set<Lease>;
  slot: Set<Entry>;
  /** When the store last confirmed this session, by the monotonic clock. */
  confirmed: number;
  looking: boolean;
}

/**
 * Holds every connection to its session: as long as it is open, the session is looked up again and again, once
 * for all connections that share it. A logout, another user or an unreadable record ends them; a silent store
 * does not, for the time of grace.
 */
export class Lifetimes {
  readonly #reader: SessionReader;
  readonly #options: Options;
  readonly #entries = new Map<string, Entry>();
  readonly #slots: Set<Entry>[];
  readonly #slotTime: number;
  #timer: NodeJS.Timeout | undefined;
  #began = 0;
  /** How many slots have been gone through since the start. */
  #passed = 0;
  /** Sessions whose last look got no answer: of several servers, one may be silent. */
  readonly #silent = new Set<Entry>();

  constructor(reader: SessionReader, options: Options) {
    this.#reader = reader;
    this.#options = options;
    const slots = Math.min(mostSlots, Math.max(1, Math.floor(options.interval / shortestSlot)));
    this.#slots = Array.from({ length: slots }, () => new Set());
    this.#slotTime = options.interval / slots;
  }

  start(): void {
    this.#began = performance.now();
    this.#timer = setInterval(() => this.#tick(), this.#slotTime);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Binds a connection to its session; the returned function releases it. */
  hold(session: LiveSession, lease: Lease): () => void {
    let entry = this.#entries.get(session.id);
    if (entry === undefined || entry.user.id !== session.user.id) {
      // Another user by now: those who came before him need not wait for the next look.
      if (entry !== undefined) this.#end(entry, 'user_changed');
      const slot = this.#slots[Math.floor(Math.random() * this.#slots.length)] as Set<Entry>;
      entry = { ...session, leases: new Set(), slot, confirmed: performance.now(), looking: false };
      this.#entries.set(session.id, entry);
      slot.add(entry);
    }
    entry.leases.add(lease);
    const held = entry;
    return () => {
      held.leases.delete(lease);
      if (held.leases.size > 0) return;
      held.slot.delete(held);
      this.#silent.delete(held);
      if (this.#entries.get(session.id) === held) this.#entries.delete(session.id);
    };
  }

  #tick(): void {
    const due = Math.floor((performance.now() - this.#began) / this.#slotTime);
    // After a stall nobody is looked at twice.
    this.#passed = Math.max(this.#passed, due - this.#slots.length);
    for (; this.#passed < due; this.#passed++) {
      for (const entry of this.#slots[this.#passed % this.#slots.length] as Set<Entry>) {
        // The rejections that can come are dealt with inside.
        if (!entry.looking) void this.#look(entry);
      }
    }
  }

  async #look(entry: Entry): Promise<void> {
    entry.looking = true;
    try {
      let look = await this.#lookOnce(entry);
      if (look?.state === 'invalid' || look?.state === 'empty') {
        await pause(secondLookAfter);
        look = await this.#lookOnce(entry);
      }
      this.#apply(entry, look);
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
      case 'nobody':
        return this.#end(entry, 'logout');
      default:
        return this.#end(entry, 'invalid');
    }
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

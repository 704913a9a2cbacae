import type { Message } from '../../../server/wire/events.ts';
import { Clock } from '../connection/clock.ts';
import { type NewContent, type Unsent, unsentForm } from '../store/entries.ts';
import type { Store } from './storage.ts';

/** Errors that a retry does not fix, so the user must decide. */
const FINAL = new Set([
  'forbidden',
  'too_long',
  'unknown_room',
  'unknown_message',
  'unknown_user',
  'unknown_file',
  'muted',
  'limit_reached',
  'bad_request',
  'unknown_event',
  'conflict',
]);

export interface OutboxPort {
  /** Whether the client is connected and has joined the room. */
  canSend(room: string): boolean;
  /** Returns the stored message, or the item to keep if the message is pending approval. */
  send(item: Unsent): Promise<Message | Unsent>;
  sent(message: Message): void;
  /** A message is pending approval. */
  held(): void;
  failed(item: Unsent): void;
  changed(): void;
  /** Sending stopped with the error `code` and continues after `ms` milliseconds. */
  waiting(code: string, ms: number): void;
}

/**
 * Runs `task` in one tab of the browser at a time, if the browser supports it. Otherwise several tabs may run it, which
 * is harmless.
 */
export type Alone = (name: string, task: () => Promise<void>) => Promise<void>;

/**
 * Unsent messages, stored until the server has acknowledged them. Each room's messages are sent one at a time, in
 * order. All tabs share the outbox, and any connected tab may send from it.
 */
export class Outbox {
  readonly #store: Store;
  readonly #port: OutboxPort;
  readonly #alone: Alone;
  readonly #draining = new Set<string>();
  readonly #again = new Set<string>();
  readonly #pauses = new Set<() => void>();
  #items: Unsent[] | undefined;
  readonly #clock: Clock;
  #closed = false;

  constructor(store: Store, port: OutboxPort, alone: Alone, clock = new Clock()) {
    this.#clock = clock;
    this.#store = store;
    this.#port = port;
    this.#alone = alone;
  }

  /** The oldest item first. */
  list(room?: string): Unsent[] {
    this.#items ??= this.#store
      .keys('out/')
      .map((key) => {
        const item = this.#store.get(key, unsentForm);
        return item !== undefined && keyOf(item) === key ? item : undefined;
      })
      .filter((item) => item !== undefined)
      .sort((a, b) => a.sentAt - b.sentAt || (a.clientId < b.clientId ? -1 : 1));
    return room === undefined ? this.#items : this.#items.filter((item) => item.room === room);
  }

  get(clientId: string): Unsent | undefined {
    return this.list().find((item) => item.clientId === clientId);
  }

  /** Adds a message. */
  add(room: string, content: NewContent & Pick<Unsent, 'forward'>): void {
    this.put({ ...content, clientId: newId(), room, sentAt: this.#time(room) });
  }

  /** Adds a copy of a message. */
  forward(room: string, { room: from, seq, text }: Message): void {
    this.add(room, { text, forward: { room: from, seq } });
  }

  /**
   * Returns a time after the room's last item. Items keep their order within a millisecond, and if the clock is set
   * back.
   */
  #time(room: string): number {
    return Math.max(this.#clock.now, (this.list(room).at(-1)?.sentAt ?? 0) + 1);
  }

  /**
   * Sends a failed message again. After `conflict` it gets a new ID, because the server has another text under the old
   * ID.
   */
  retry(item: Unsent): void {
    const { failed, ...again } = item;
    if (failed !== 'conflict') return this.put(again);
    this.put({ ...again, clientId: newId() });
    this.discard(item.clientId);
  }

  discard(clientId: string): void {
    const item = this.get(clientId);
    if (item === undefined) return;
    this.#delete(item);
    this.#changed();
  }

  /**
   * Removes the item of a message that is stored on the server. Its acknowledgement may have been lost.
   *
   * @returns whether the message was pending approval
   */
  confirm(message: Message): boolean {
    const item = this.get(message.clientId);
    // A copy has the text of the original, which may have been edited since the item was created.
    const changed =
      message.editedAt !== undefined || message.deletedAt !== undefined || item?.forward !== undefined;
    // An item with another text under the same ID stays. Sending it fails with `conflict`, so it is not lost silently.
    if (item === undefined || (!changed && item.text !== message.text)) return false;
    this.discard(item.clientId);
    return item.held !== undefined;
  }

  /** Marks all unsent messages of a room as failed. */
  refuse(room: string, code: string): void {
    for (const item of this.list(room)) if (item.failed === undefined) this.#refuse(item, code);
  }

  /** Reads the outbox again after another tab changed it, and sends what can be sent. */
  reread(): void {
    this.#changed();
    this.flush();
  }

  /** Sends all messages that can be sent. */
  flush(): void {
    for (const room of new Set(this.list().map((item) => item.room))) void this.#drain(room);
  }

  async #drain(room: string): Promise<void> {
    if (this.#draining.has(room)) {
      this.#again.add(room);
      return;
    }
    this.#draining.add(room);
    try {
      do {
        this.#again.delete(room);
        if (this.#next(room) !== undefined) await this.#alone(room, () => this.#sendAll(room));
      } while (this.#again.has(room));
    } finally {
      this.#draining.delete(room);
    }
  }

  async #sendAll(room: string): Promise<void> {
    // While this tab waited for the lock, another tab may have sent everything.
    this.#items = undefined;
    for (let item = this.#next(room), tries = 0; item !== undefined; item = this.#next(room)) {
      try {
        const sent = await this.#port.send(item);
        tries = 0;
        if ('seq' in sent) {
          this.#delete(item);
          this.#port.sent(sent);
        } else if (this.#isKept(item)) {
          this.#set(sent);
          this.#port.held();
        }
        this.#changed();
      } catch (error) {
        const { code, retryAfterMs } = error as { code?: string; retryAfterMs?: number };
        // An error without a code is a bug in this program.
        if (code === undefined) throw error;
        if (FINAL.has(code)) {
          this.#refuse(item, code);
        } else {
          const pause = retryAfterMs ?? Math.min(30_000, 1000 * 2 ** tries++);
          if (!this.#port.canSend(room)) return;
          this.#port.waiting(code, pause);
          await this.#pause(pause);
        }
      }
    }
  }

  #refuse(item: Unsent, code: string): void {
    if (!this.#isKept(item)) return this.#changed();
    // If the original was deleted, its text is removed from the copy.
    const isGone = item.forward !== undefined && code === 'unknown_message';
    const failed = { ...item, failed: code, ...(isGone && { text: '' }) };
    this.#set(failed);
    this.#changed();
    this.#port.failed(failed);
  }

  /** Whether the item still exists. It may have been discarded, or deleted at the end of the session. */
  #isKept(item: Unsent): boolean {
    return this.#store.get(keyOf(item), unsentForm) !== undefined;
  }

  /** Stops sending, because the session may be over. Another outbox continues with the stored items. */
  close(): void {
    this.#closed = true;
    this.wake();
  }

  /** Ends all delays. */
  wake(): void {
    for (const end of this.#pauses) end();
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        this.#pauses.delete(end);
        resolve();
      };
      const timer = setTimeout(end, ms);
      this.#pauses.add(end);
    });
  }

  #next(room: string): Unsent | undefined {
    if (this.#closed || !this.#port.canSend(room)) return undefined;
    return this.list(room).find(
      (item) => item.failed === undefined && item.files?.every(({ id }) => id) !== false,
    );
  }

  /** Stores a message that is shown but not sent. */
  keep(item: Unsent): void {
    this.#set(item);
    this.#changed();
  }

  /** Stores a message and sends it when possible. */
  put(item: Unsent): void {
    this.keep(item);
    void this.#drain(item.room);
  }

  #set(item: Unsent): void {
    this.#store.set(keyOf(item), item);
  }

  #delete(item: Unsent): void {
    this.#store.delete(keyOf(item));
  }

  #changed(): void {
    this.#items = undefined;
    this.#port.changed();
  }
}

const keyOf = (item: Unsent) => `out/${item.clientId}`;

/** `crypto.randomUUID` exists only in secure contexts. */
export function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

import type { Message } from '../../../server/wire/events.ts';
import { type NewMention, type Pending, pendingForm, type SentFile } from '../store/entries.ts';
import type { Store } from './storage.ts';

/** The same message again would be refused again: only the user can decide. */
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
  /** Connected, and the room joined. */
  canSend(room: string): boolean;
  /** The stored message; or, if it waits for a moderator, what is kept of it until then. */
  send(item: Pending): Promise<Message | Pending>;
  sent(message: Message): void;
  /** A message waits for a moderator. */
  held(): void;
  failed(item: Pending): void;
  changed(): void;
  /** Sending goes on after a pause; `code` tells why. */
  waiting(code: string, ms: number): void;
}

/** Runs `task` alone among all tabs of this browser, where it can: without, a repeat is harmless. */
export type Alone = (name: string, task: () => Promise<void>) => Promise<void>;

/**
 * Messages on their way: kept until the server has acknowledged them, sent in order, a room at a time.
 * Every tab sees the same outbox, and whichever can sends it.
 */
export class Outbox {
  readonly #store: Store;
  readonly #port: OutboxPort;
  readonly #alone: Alone;
  readonly #draining = new Set<string>();
  readonly #again = new Set<string>();
  readonly #pauses = new Set<() => void>();
  /** Kept messages as they are now, by their keys, where the browser's storage has no room for the change. */
  readonly #unstored = new Map<string, Pending>();
  #items: Pending[] | undefined;
  #closed = false;

  constructor(store: Store, port: OutboxPort, alone: Alone) {
    this.#store = store;
    this.#port = port;
    this.#alone = alone;
  }

  /** Oldest first. */
  list(room?: string): Pending[] {
    this.#items ??= this.#store
      .keys('out/')
      .map((key) => {
        const item = this.#unstored.get(key) ?? this.#store.get(key, pendingForm);
        return item !== undefined && keyOf(item) === key ? item : undefined;
      })
      .filter((item) => item !== undefined)
      .sort((a, b) => a.sentAt - b.sentAt || (a.clientId < b.clientId ? -1 : 1));
    return room === undefined ? this.#items : this.#items.filter((item) => item.room === room);
  }

  get(clientId: string): Pending | undefined {
    return this.list().find((item) => item.clientId === clientId);
  }

  /** False when the browser's storage is full: nothing was taken over then. */
  add(
    room: string,
    text: string,
    replyTo?: number,
    mentions: readonly NewMention[] = [],
    files?: readonly SentFile[],
    bare?: boolean,
  ): boolean {
    const item = {
      clientId: newId(),
      room,
      text,
      sentAt: this.#time(room),
      ...(replyTo === undefined ? {} : { replyTo }),
      ...(mentions.length === 0 ? {} : { mentions }),
      ...(files && { files }),
      ...(bare && { preview: false }),
    };
    return this.put(item);
  }

  /** A copy of that message. False when the browser's storage is full. */
  forward(room: string, { room: from, seq, text }: Message): boolean {
    return this.put({
      clientId: newId(),
      room,
      text,
      sentAt: this.#time(room),
      forward: { room: from, seq },
    });
  }

  /** Two messages of the same millisecond, or a clock set back, keep their order. */
  #time(room: string): number {
    return Math.max(Date.now(), (this.list(room).at(-1)?.sentAt ?? 0) + 1);
  }

  /** A refused message again, as it is or, where its id was already used for another text, as a new one. */
  retry(item: Pending): void {
    const { failed, ...again } = item;
    if (failed !== 'conflict') {
      this.put(again);
    } else if (this.put({ ...again, clientId: newId() })) {
      this.discard(item.clientId);
    }
  }

  discard(clientId: string): void {
    const item = this.get(clientId);
    if (item === undefined) return;
    this.#delete(item);
    this.#changed();
  }

  /**
   * A message of one's own was seen stored: its acknowledgement may have been lost.
   *
   * @returns whether a moderator has approved it
   */
  confirm(message: Message): boolean {
    const item = this.get(message.clientId);
    // A copy has the text of the original, which may have been edited meanwhile.
    const changed =
      message.editedAt !== undefined || message.deletedAt !== undefined || item?.forward !== undefined;
    // Other words under the same id: the server answers `conflict` when they are sent, so nothing is lost silently.
    if (item === undefined || (!changed && item.text !== message.text)) return false;
    this.discard(item.clientId);
    return item.held !== undefined;
  }

  /** Nothing more can be sent to that room. */
  refuse(room: string, code: string): void {
    for (const item of this.list(room)) if (item.failed === undefined) this.#refuse(item, code);
  }

  /** Another tab has changed something. */
  reread(): void {
    this.#changed();
    this.flush();
  }

  /** Sends what can be sent. */
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
    // While this tab waited for its turn, another one may have sent everything.
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
        // No refusal, but a fault of this program.
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

  #refuse(item: Pending, code: string): void {
    if (!this.#isKept(item)) return this.#changed();
    // The words of an original that is gone go with it.
    const isGone = item.forward !== undefined && code === 'unknown_message';
    const failed = { ...item, failed: code, ...(isGone && { text: '' }) };
    this.#set(failed);
    this.#changed();
    this.#port.failed(failed);
  }

  /** Neither discarded meanwhile, nor deleted because the session ended. */
  #isKept(item: Pending): boolean {
    return this.#store.get(keyOf(item), pendingForm) !== undefined;
  }

  /** Sends no more: the session may be over, and another outbox goes on with what is kept. */
  close(): void {
    this.#closed = true;
    this.wake();
  }

  /** Ends all pauses. */
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

  #next(room: string): Pending | undefined {
    if (this.#closed || !this.#port.canSend(room)) return undefined;
    return this.list(room).find(
      (item) => item.failed === undefined && item.files?.every(({ id }) => id) !== false,
    );
  }

  /** Keeps a message that is shown, and not to be sent. */
  keep(item: Pending): void {
    this.#set(item);
    this.#changed();
  }

  /** Keeps it as it is now, and sends it when that can be. False when there is no room for a new message. */
  put(item: Pending): boolean {
    if (!this.#set(item)) return false;
    this.#changed();
    void this.#drain(item.room);
    return true;
  }

  /** A message that is kept already changes in any case: else it would be sent as before, or drawn, for ever. */
  #set(item: Pending): boolean {
    const key = keyOf(item);
    this.#unstored.delete(key);
    if (this.#store.set(key, item)) return true;
    if (!this.#isKept(item)) return false;
    this.#unstored.set(key, item);
    return true;
  }

  #delete(item: Pending): void {
    this.#unstored.delete(keyOf(item));
    this.#store.delete(keyOf(item));
  }

  #changed(): void {
    this.#items = undefined;
    this.#port.changed();
  }
}

const keyOf = (item: Pending) => `out/${item.clientId}`;

/** `crypto.randomUUID` is missing on pages without TLS. */
export function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

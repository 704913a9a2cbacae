import type { Message } from '../../../server/wire/events.ts';
import { afterChange, type Reacted } from './reactions.ts';

export interface JoinAnswer {
  room: { head: number; lastSeq: number };
  messages: Message[];
  complete: boolean;
  reset?: boolean;
}

export interface SyncAnswer {
  head: number;
  messages: Message[];
  complete: boolean;
  reset?: boolean;
}

export interface HistoryAnswer {
  messages: Message[];
  complete: boolean;
}

/**
 * The maximum number of live events that are held back while older changes are loaded. Further events arrive with the
 * next sync or a later page.
 */
const HELD = 1000;
/** The maximum number of messages in memory, and of the newest messages while the user reads further back. */
const KEPT = 2000;
const KEPT_NEWEST = 100;
/** The maximum length of the list while the user has not read its end. */
export const KEPT_UNREAD = 4000;

/**
 * The known part of a room's history: ordering and deduplication, without any input or output.
 *
 * `seq` orders messages, and `rev` orders changes. All changes up to `head` are known. Responses and events may arrive
 * in any order, late or twice. The newest state of each message wins.
 *
 * The known messages are the newest ones, without a gap. A user who reads far back sees a window, which is another
 * range without a gap. It is merged with the newest messages when it reaches them.
 */
export class Timeline {
  /**
   * The messages by `seq`. Some belong to neither range: quoted messages, and synced changes to messages that are not
   * loaded.
   */
  #messages = new Map<number, Message>();
  /** Live events that cannot be applied yet, by `rev`. */
  #held = new Map<number, Message | Reacted>();
  /** The latest changes to messages that are not loaded. A page in flight may not contain them. */
  #late: (Message | Reacted)[] = [];
  #me = '';
  /** Up to this `rev`, an incomplete sync left out states of messages that were changed again later. */
  #partly = 0;
  #head: number | undefined;
  #seen = 0;
  /** The first `seq` of the range that reaches the end. */
  #first = Number.POSITIVE_INFINITY;
  #complete = false;
  #window: { first: number; last: number } | undefined;
  /** Messages before this `seq` were too old and are deleted. */
  #oldest = 1;
  #epoch = 0;
  #joining = false;
  #sorted: readonly Message[] | undefined;

  /** Every change up to this `rev` is known; undefined before the first join. */
  get head(): number | undefined {
    return this.#head;
  }

  /** The `since` of the next sync; undefined if no change was missed. */
  get syncFrom(): number | undefined {
    return !this.#joining && this.#head !== undefined && this.#seen > this.#head ? this.#head : undefined;
  }

  /** The oldest `seq` of the list, which is the `before` of the next page. */
  get first(): number {
    return this.#window?.first ?? this.#first;
  }

  /** The newest `seq` of the list. If the list does not reach the end, it is the `after` of the next page. */
  get last(): number {
    return this.#window?.last ?? this.list().at(-1)?.seq ?? 0;
  }

  /** Whether the list reaches the end and grows with each new message. */
  get attached(): boolean {
    return this.#window === undefined;
  }

  /** Whether the list contains the oldest message. */
  get complete(): boolean {
    return this.#window === undefined ? this.#complete : this.#window.first <= this.#oldest;
  }

  /** Changes when the list starts again. Pages requested before that are ignored. */
  get epoch(): number {
    return this.#epoch;
  }

  /** The list by `seq`, without unsent messages. */
  list(): readonly Message[] {
    const { first, last } = this.#window ?? { first: this.#first, last: Number.POSITIVE_INFINITY };
    this.#sorted ??= this.#between(first, last);
    return this.#sorted;
  }

  get(seq: number): Message | undefined {
    return this.#messages.get(seq);
  }

  /** Returns the `since` for a request to join. Live events are held back until the response. */
  join(): number | undefined {
    this.#joining = true;
    this.#held.clear();
    // After a restore from a backup, revs start at a lower number, so the highest rev seen is not valid.
    this.#seen = 0;
    return this.#head;
  }

  joined(answer: JoinAnswer, since: number | undefined): void {
    this.#joining = false;
    if (since === undefined || since !== this.#head || answer.reset === true) {
      this.forget();
      this.#complete = answer.complete;
      this.#first = answer.messages[0]?.seq ?? answer.room.lastSeq + 1;
      this.#head = answer.room.head;
      for (const message of answer.messages) this.#put(message);
      this.#settle();
    } else {
      this.#merge({ ...answer, head: answer.room.head }, since);
    }
  }

  synced(answer: SyncAnswer, since: number): void {
    if (answer.reset === true) this.forget();
    else if (this.#head !== undefined && since <= this.#head) this.#merge(answer, since);
  }

  /** Applies a `message:new`, `message:changed` or `message:reacted` event, as the user `me` receives it. */
  live(change: Message | Reacted, me: string): void {
    this.#me = me;
    this.#seen = Math.max(this.#seen, change.rev);
    if (this.#held.size < HELD) this.#held.set(change.rev, change);
    this.#settle();
  }

  /** Adds the message of an acknowledgement. Earlier changes may still be missing. */
  stored(message: Message): void {
    if (this.#head === undefined) return;
    this.#put(message);
    if (message.rev === this.#head + 1 && !this.#joining) {
      this.#head = message.rev;
      this.#settle();
    }
  }

  /** Replaces a message with another form of the same state, unless a newer state is known. */
  shown(message: Message): void {
    if (this.#messages.get(message.seq)?.rev !== message.rev) return;
    this.#messages.set(message.seq, message);
    this.#sorted = undefined;
  }

  /** Adds an older page of `message:history`. It was requested with `before` while this was the `epoch`. */
  older(answer: HistoryAnswer, before: number, epoch: number): void {
    if (epoch !== this.#epoch) return;
    for (const message of answer.messages) this.#put(message);
    const first = answer.messages[0]?.seq ?? before;
    if (this.#window !== undefined) this.#window.first = Math.min(this.#window.first, first);
    else this.#first = Math.min(this.#first, first);
    if (answer.complete && this.#window === undefined) this.#complete = true;
    this.#sorted = undefined;
    this.#detach();
  }

  /** Adds a newer page, which was requested with `after`. */
  newer(answer: HistoryAnswer, epoch: number): void {
    if (epoch !== this.#epoch || this.#window === undefined) return;
    for (const message of answer.messages) this.#put(message);
    this.#window.last = Math.max(this.#window.last, answer.messages.at(-1)?.seq ?? 0);
    if (this.#window.last - this.#window.first >= KEPT * 1.1) {
      this.#window.first = this.#window.last - KEPT + 1;
      this.#epoch++;
      this.#sweep();
    }
    this.#sorted = undefined;
    this.#attach();
  }

  /** Shows a range of the history without a gap, instead of the end. */
  window(answer: HistoryAnswer, epoch: number): void {
    const [first, last] = [answer.messages[0]?.seq, answer.messages.at(-1)?.seq];
    if (epoch !== this.#epoch || first === undefined || last === undefined) return;
    for (const message of answer.messages) this.#put(message);
    this.#epoch++;
    this.#window = { first, last };
    this.#sorted = undefined;
    this.#attach();
  }

  /** Shows the end again. */
  toEnd(): void {
    if (this.#window === undefined) return;
    this.#window = undefined;
    this.#epoch++;
    this.#sweep();
    this.#sorted = undefined;
  }

  /** Adds a single message for a quote. */
  quoted(message: Message, epoch: number): void {
    if (epoch === this.#epoch) this.#put(message);
  }

  /**
   * Drops the oldest messages of the range that reaches the end. It waits until there are 10 % too many, because
   * dropping rebuilds the list.
   */
  trim(kept = KEPT): void {
    if (this.#messages.size <= kept * 1.1) return;
    const newest = this.#window === undefined ? this.list() : this.#between(this.#first);
    if (newest.length <= kept * 1.1) return;
    this.#first = newest.at(-kept)?.seq ?? this.#first;
    this.#complete = false;
    if (this.#window === undefined) this.#epoch++;
    this.#sweep();
    this.#sorted = undefined;
  }

  /** Deletes the messages before this `seq`, which are too old. */
  expire(oldest = 1): void {
    if (oldest <= this.#oldest) return;
    this.#oldest = oldest;
    if (this.#first <= oldest) {
      this.#first = oldest;
      this.#complete = true;
    }
    if (this.#window !== undefined) {
      this.#window.first = Math.max(this.#window.first, oldest);
      if (this.#window.last < oldest) this.toEnd();
    }
    for (const seq of this.#messages.keys()) if (seq < oldest) this.#messages.delete(seq);
    this.#epoch++;
    this.#sorted = undefined;
  }

  /** Deletes everything. The room must be joined again. */
  forget(): void {
    this.#messages.clear();
    this.#late = [];
    this.#partly = 0;
    this.#head = undefined;
    this.#first = Number.POSITIVE_INFINITY;
    this.#complete = false;
    this.#window = undefined;
    this.#epoch++;
    this.#sorted = undefined;
  }

  #merge(answer: SyncAnswer, since: number): void {
    for (const message of answer.messages) this.#put(message);
    // An incomplete response without messages would otherwise be requested again endlessly.
    const last = answer.messages.at(-1)?.rev;
    const reached = answer.complete || last === undefined ? answer.head : last;
    this.#head = Math.max(this.#head ?? since, reached);
    if (!answer.complete) {
      this.#seen = Math.max(this.#seen, answer.head);
      this.#partly = answer.head;
    }
    this.#settle();
  }

  /** Applies the held events that follow `head` without a gap. */
  #settle(): void {
    if (this.#head === undefined || this.#joining) return;
    for (;;) {
      const next = this.#held.get(this.#head + 1);
      if (next === undefined) break;
      const known = this.#messages.get(next.seq);
      // The remaining pages of the sync contain the whole message, with `mine`.
      if (next.rev <= this.#partly && (known === undefined || 'changes' in next)) break;
      if (known !== undefined) this.#put(afterChange(known, next, this.#me));
      else if ('changes' in next || next.seq < this.#first) {
        // Assumes that a page in flight arrives within `HELD` such changes.
        if (this.#late.push(next) > HELD) this.#late.shift();
      } else this.#put(next);
      this.#head = next.rev;
    }
    for (const rev of this.#held.keys()) if (rev <= this.#head) this.#held.delete(rev);
  }

  #between(first: number, last = Number.POSITIVE_INFINITY): Message[] {
    return [...this.#messages.values()]
      .filter(({ seq }) => seq >= first && seq <= last)
      .sort((a, b) => a.seq - b.seq);
  }

  /** Limits the list of a user who has read far back. The user then sees a window. */
  #detach(): void {
    if (this.#window !== undefined) {
      if (this.#window.last - this.#window.first < KEPT * 1.1) return;
      this.#window.last = this.#window.first + KEPT - 1;
    } else {
      const list = this.list();
      const [first, last] = [list[0]?.seq, list[KEPT - 1]?.seq];
      if (list.length < KEPT * 1.1 || first === undefined || last === undefined) return;
      this.#window = { first, last };
      this.#first = list.at(-KEPT_NEWEST)?.seq ?? this.#first;
      this.#complete = false;
    }
    this.#epoch++;
    this.#sweep();
    this.#sorted = undefined;
  }

  /** Merges the window with the newest messages when it has reached them. */
  #attach(): void {
    if (this.#window === undefined || this.#window.last < this.#first - 1) return;
    this.#complete =
      this.#window.first <= this.#oldest || (this.#complete && this.#first <= this.#window.first);
    this.#first = Math.min(this.#first, this.#window.first);
    this.#window = undefined;
    this.#sorted = undefined;
  }

  /** Deletes messages outside both ranges. */
  #sweep(): void {
    const { first = 0, last = 0 } = this.#window ?? {};
    for (const seq of this.#messages.keys()) {
      if (seq < this.#first && (seq < first || seq > last)) this.#messages.delete(seq);
    }
  }

  /**
   * Stores a message unless a newer state is known. A response replaces an event of the same `rev`, because only the
   * response contains `mine`.
   */
  #put(message: Message): void {
    const { seq, rev } = message;
    if ((this.#messages.get(seq)?.rev ?? 0) > rev) return;
    const late = this.#late.filter((change) => change.seq === seq);
    this.#messages.set(
      seq,
      late.reduce<Message>((message, change) => afterChange(message, change, this.#me), message),
    );
    this.#sorted = undefined;
  }
}

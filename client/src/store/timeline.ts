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

/** Live events kept while something older is fetched; what is beyond comes with the next sync, or with a later page. */
const HELD = 1000;
/** The most messages in memory, and the most of the newest while the user reads further back than that. */
const KEPT = 2000;
const KEPT_NEWEST = 100;
/** The list grows up to so many, as long as nobody has read its end. */
export const KEPT_UNREAD = 4000;

/**
 * The known part of a room's history: ordering and deduplication, without any input or output.
 *
 * `seq` orders, `rev` tells what is known: every change up to `head` is. Answers and events may come in any
 * order, late, or twice; of each message the newest state wins.
 *
 * What is known are the newest messages without a gap. Somebody who reads far back sees a window: another piece
 * without a gap, which becomes one with the newest as soon as it reaches them.
 */
export class Timeline {
  /** By `seq`. May hold messages of neither piece: quoted ones, and what a sync says of what is not loaded. */
  #messages = new Map<number, Message>();
  /** Live events that cannot be applied yet, by `rev`. */
  #held = new Map<number, Message | Reacted>();
  /** The newest changes to what is not loaded: a page that is on its way may not have them. */
  #late: (Message | Reacted)[] = [];
  #me = '';
  /** Up to here an answer that was not complete has left out states which later changes of the same messages replace. */
  #partly = 0;
  #head: number | undefined;
  #seen = 0;
  /** Where the piece that reaches to the end begins. */
  #first = Number.POSITIVE_INFINITY;
  #complete = false;
  #window: { first: number; last: number } | undefined;
  /** Messages before this one were too old, and are deleted. */
  #oldest = 1;
  #epoch = 0;
  #joining = false;
  #sorted: readonly Message[] | undefined;

  /** Every change up to this `rev` is known; undefined before the first join. */
  get head(): number | undefined {
    return this.#head;
  }

  /** Set when something was missed: the `since` to ask with. */
  get syncFrom(): number | undefined {
    return !this.#joining && this.#head !== undefined && this.#seen > this.#head ? this.#head : undefined;
  }

  /** The oldest `seq` of the list: the `before` of the next page. */
  get first(): number {
    return this.#window?.first ?? this.#first;
  }

  /** The newest `seq` of the list, and the `after` of the next page where the list does not reach the end. */
  get last(): number {
    return this.#window?.last ?? this.list().at(-1)?.seq ?? 0;
  }

  /** The list reaches the end, and grows with each new message. */
  get attached(): boolean {
    return this.#window === undefined;
  }

  /** Nothing older than the list is left. */
  get complete(): boolean {
    return this.#window === undefined ? this.#complete : this.#window.first <= this.#oldest;
  }

  /** Changes when the list begins again: a page that was asked for earlier no longer fits. */
  get epoch(): number {
    return this.#epoch;
  }

  /** The list, by `seq`, without pending messages. */
  list(): readonly Message[] {
    const { first, last } = this.#window ?? { first: this.#first, last: Number.POSITIVE_INFINITY };
    this.#sorted ??= this.#between(first, last);
    return this.#sorted;
  }

  get(seq: number): Message | undefined {
    return this.#messages.get(seq);
  }

  /** Before asking to join: the `since` to ask with. Until the answer all live events are held back. */
  join(): number | undefined {
    this.#joining = true;
    this.#held.clear();
    // A history restored from a backup counts from lower revs again: what was seen says nothing now.
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

  /** `message:new`, `message:changed` and `message:reacted` alike, as the user `me` hears them. */
  live(change: Message | Reacted, me: string): void {
    this.#me = me;
    this.#seen = Math.max(this.#seen, change.rev);
    if (this.#held.size < HELD) this.#held.set(change.rev, change);
    this.#settle();
  }

  /** The message of an ack: known at once, but it proves nothing about what came before it. */
  stored(message: Message): void {
    if (this.#head === undefined) return;
    this.#put(message);
    if (message.rev === this.#head + 1 && !this.#joining) {
      this.#head = message.rev;
      this.#settle();
    }
  }

  /** A message is shown in another way, as long as nothing newer is known of it. */
  shown(message: Message): void {
    if (this.#messages.get(message.seq)?.rev !== message.rev) return;
    this.#messages.set(message.seq, message);
    this.#sorted = undefined;
  }

  /** An older page of `message:history`, as asked for with `before` when `epoch` was this one's. */
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

  /** A newer page, as asked for with `after`. */
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

  /** A piece of the history, without a gap, is shown instead of the end. */
  window(answer: HistoryAnswer, epoch: number): void {
    const [first, last] = [answer.messages[0]?.seq, answer.messages.at(-1)?.seq];
    if (epoch !== this.#epoch || first === undefined || last === undefined) return;
    for (const message of answer.messages) this.#put(message);
    this.#epoch++;
    this.#window = { first, last };
    this.#sorted = undefined;
    this.#attach();
  }

  /** The end is shown again. */
  toEnd(): void {
    if (this.#window === undefined) return;
    this.#window = undefined;
    this.#epoch++;
    this.#sweep();
    this.#sorted = undefined;
  }

  /** A single message, for a quote. */
  quoted(message: Message, epoch: number): void {
    if (epoch === this.#epoch) this.#put(message);
  }

  /**
   * Drops the oldest, as long as the end is shown; not at each new message, since that builds the list again.
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

  /** Messages before this one are too old. */
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

  /** Everything is gone; the room has to be joined again. */
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
    // An answer that is not complete and yet empty would be asked for for ever.
    const last = answer.messages.at(-1)?.rev;
    const reached = answer.complete || last === undefined ? answer.head : last;
    this.#head = Math.max(this.#head ?? since, reached);
    if (!answer.complete) {
      this.#seen = Math.max(this.#seen, answer.head);
      this.#partly = answer.head;
    }
    this.#settle();
  }

  /** Applies what is held as far as it follows without a gap. */
  #settle(): void {
    if (this.#head === undefined || this.#joining) return;
    for (;;) {
      const next = this.#held.get(this.#head + 1);
      if (next === undefined) break;
      const known = this.#messages.get(next.seq);
      // The rest of the answer has the whole message: an event has only what is different, and never what is one's own.
      if (next.rev <= this.#partly && (known === undefined || 'changes' in next)) break;
      if (known !== undefined) this.#put(afterChange(known, next, this.#me));
      else if ('changes' in next || next.seq < this.#first) {
        // No page is on its way for so long.
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

  /** A user who has read back so far that the whole would be too much to keep sees a window from now on. */
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

  /** A window that has reached the newest is one piece with them. */
  #attach(): void {
    if (this.#window === undefined || this.#window.last < this.#first - 1) return;
    this.#complete =
      this.#window.first <= this.#oldest || (this.#complete && this.#first <= this.#window.first);
    this.#first = Math.min(this.#first, this.#window.first);
    this.#window = undefined;
    this.#sorted = undefined;
  }

  /** Forgets what belongs to no piece. */
  #sweep(): void {
    const { first = 0, last = 0 } = this.#window ?? {};
    for (const seq of this.#messages.keys()) {
      if (seq < this.#first && (seq < first || seq > last)) this.#messages.delete(seq);
    }
  }

  /** Of one `rev`, an answer says more than events: what is one's own. */
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

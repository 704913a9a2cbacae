import type { Message } from '../../../server/events.ts';

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

/** Live events kept while something older is fetched; what is beyond comes with the next sync. */
const HELD = 1000;

/**
 * What is known of one room's history: ordering and deduplication, without any input or output.
 *
 * `seq` orders, `rev` tells what is known: every change up to `head` is. Answers and events may come in
 * any order, late, or twice; of each message the newest state wins.
 */
export class Timeline {
  /** By `seq`. May hold messages older than `first`: quoted ones, and changes to what is not loaded. */
  #messages = new Map<number, Message>();
  /** Live events that cannot be applied yet, by `rev`. */
  #held = new Map<number, Message>();
  #head: number | undefined;
  #seen = 0;
  #first = Number.POSITIVE_INFINITY;
  #complete = false;
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
    return this.#first;
  }

  /** Nothing older than the list is left. */
  get complete(): boolean {
    return this.#complete;
  }

  /** Changes when the list starts anew: a page asked for earlier no longer fits. */
  get epoch(): number {
    return this.#epoch;
  }

  /** The list, by `seq`, without pending messages. */
  list(): readonly Message[] {
    this.#sorted ??= [...this.#messages.values()]
      .filter((message) => message.seq >= this.#first)
      .sort((a, b) => a.seq - b.seq);
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

  /** `message:new` and `message:changed` alike. */
  live(message: Message): void {
    this.#seen = Math.max(this.#seen, message.rev);
    if (this.#held.size < HELD) this.#held.set(message.rev, message);
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

  /** A page of `message:history`, as asked for with `before` when `epoch` was this one's. */
  page(answer: { messages: Message[]; complete: boolean }, before: number, epoch: number): void {
    if (epoch !== this.#epoch) return;
    for (const message of answer.messages) this.#put(message);
    if (before < this.#first) return; // a single quoted message
    this.#first = Math.min(this.#first, answer.messages[0]?.seq ?? before);
    if (answer.complete) this.#complete = true;
    this.#sorted = undefined;
  }

  /** Drops the oldest beyond `count`. */
  trim(count: number): void {
    const first = this.list().at(-count)?.seq;
    if (first === undefined || first === this.#first) return;
    for (const seq of this.#messages.keys()) if (seq < first) this.#messages.delete(seq);
    this.#first = first;
    this.#complete = false;
    this.#epoch++;
    this.#sorted = undefined;
  }

  /** Everything is gone; the room has to be joined anew. */
  forget(): void {
    this.#messages.clear();
    this.#head = undefined;
    this.#first = Number.POSITIVE_INFINITY;
    this.#complete = false;
    this.#epoch++;
    this.#sorted = undefined;
  }

  #merge(answer: SyncAnswer, since: number): void {
    for (const message of answer.messages) this.#put(message);
    // An answer that is not complete and yet empty would be asked for for ever.
    const last = answer.messages.at(-1)?.rev;
    const reached = answer.complete || last === undefined ? answer.head : last;
    this.#head = Math.max(this.#head ?? since, reached);
    if (!answer.complete) this.#seen = Math.max(this.#seen, answer.head);
    this.#settle();
  }

  /** Applies what is held as far as it follows without a gap. */
  #settle(): void {
    if (this.#head === undefined || this.#joining) return;
    for (;;) {
      const next = this.#held.get(this.#head + 1);
      if (next === undefined) break;
      this.#put(next);
      this.#head = next.rev;
    }
    for (const rev of this.#held.keys()) if (rev <= this.#head) this.#held.delete(rev);
  }

  #put(message: Message): void {
    const known = this.#messages.get(message.seq);
    if (known !== undefined && known.rev >= message.rev) return;
    this.#messages.set(message.seq, message);
    this.#sorted = undefined;
  }
}

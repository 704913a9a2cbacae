import type { Answers, Thread as Counts, Message, MessageReacted } from '../../../server/wire/events.ts';
import type { Connection } from '../connection/connection.ts';
import type { Tasks } from '../connection/tasks.ts';
import type { Unsent } from '../store/entries.ts';
import { afterChange } from '../store/reactions.ts';
import type { Room } from '../store/room.ts';
import type { Talk } from '../store/talk.ts';
import type { Follower } from './chat-listener.ts';

interface Port {
  readonly connection: Connection;
  readonly tasks: Tasks;
  me(): string;
  changed(): void;
}

/** A thread while it is shown: its root message, and its newest replies without a gap. */
export class Thread implements Talk, Follower {
  readonly id: string;
  readonly room: Room;
  readonly number: number;
  newFrom: number | undefined;
  following = false;
  /** The thread could not be loaded. */
  failed = false;
  readonly timeline: Talk['timeline'];
  readonly #port: Port;
  readonly #messages = new Map<number, Message>();
  #first: Message | undefined;
  #complete = false;
  /** Incremented when the list starts again. Pages requested before that are ignored. */
  #epoch = 0;
  /** The newest reply when the connection was lost, or 0 after a reset. The next response may leave a gap after it. */
  #lost: number | undefined;

  constructor(room: Room, number: number, port: Port) {
    this.id = `${room.id}/${number}`;
    this.room = room;
    this.number = number;
    this.#port = port;
    const thread = this;
    this.timeline = {
      get head() {
        return thread.#first && room.timeline.head;
      },
      attached: true,
      get complete() {
        return thread.#complete;
      },
      get first() {
        return thread.#list()[0]?.seq ?? Number.POSITIVE_INFINITY;
      },
      get last() {
        return thread.#list().at(-1)?.seq ?? 0;
      },
      list: () => this.#list(),
      get: (seq) => this.#known(seq) ?? room.timeline.get(seq),
      toEnd() {},
    };
  }

  get opening(): boolean {
    return this.#first === undefined;
  }

  get root(): number | undefined {
    return this.#first?.seq;
  }

  /** The thread's root message. */
  get first(): Message | undefined {
    return this.#first === undefined ? undefined : this.#newest(this.#first);
  }

  get counts(): Counts | undefined {
    return this.room.threads.get(this.number);
  }

  has({ seq, thread = seq }: Pick<Message, 'seq' | 'thread'>): boolean {
    return thread === this.number;
  }

  /** Whether an unsent message will be a reply in this thread. */
  takes({ room, replyTo }: Unsent): boolean {
    const replied = replyTo === undefined ? undefined : this.timeline.get(replyTo);
    return room === this.room.id && (replyTo === this.number || (replied !== undefined && this.has(replied)));
  }

  /** Loads the newest replies. */
  async load(): Promise<void> {
    this.failed = false;
    const { connection, tasks } = this.#port;
    const done = await tasks.once(
      `thread ${this.id}`,
      async (current) => {
        const answer = await connection.request('thread:get', { room: this.room.id, thread: this.number });
        if (current()) this.#begin(answer);
      },
      () => {
        this.failed = true;
        this.#port.changed();
      },
    );
    if (done) this.#port.changed();
  }

  /** Loads the next older page. */
  async older(): Promise<void> {
    if (this.#complete || this.#first === undefined) return;
    const [before, epoch] = [this.timeline.first, this.#epoch];
    const { connection, tasks, changed } = this.#port;
    const done = await tasks.once(`thread ${this.id} before`, async () => {
      const payload = { room: this.room.id, thread: this.number, before };
      const answer = await connection.request('thread:get', payload);
      if (epoch !== this.#epoch) return;
      for (const message of answer.messages) this.#put(message);
      this.#complete = answer.complete;
    });
    if (done) changed();
  }

  /** Loads older pages until the message is in the list. Returns false if it is not in this thread. */
  async reach(seq: number): Promise<boolean> {
    while (this.timeline.first > seq && !this.#complete) {
      const { first } = this.timeline;
      await this.older();
      if (this.timeline.first >= first) return false;
    }
    return this.#known(seq) !== undefined;
  }

  async follow(following: boolean): Promise<void> {
    await this.#port.connection.request('thread:follow', {
      room: this.room.id,
      thread: this.number,
      following,
    });
    this.following = following;
  }

  // Events of the chat

  ready(): void {
    void this.load();
  }

  silent(room?: string): void {
    if (room === undefined) this.#lost ??= this.timeline.last;
  }

  reset(room: Room): void {
    if (room !== this.room) return;
    this.#lost = 0;
    void this.load();
  }

  message(message: Message): void {
    if (message.room !== this.room.id || !this.has(message) || this.#first === undefined) return;
    this.#put(message);
    this.room.seenReplies(this.number);
  }

  reacted(room: Room, reacted: MessageReacted): void {
    const known = room === this.room ? this.#known(reacted.seq) : undefined;
    if (known !== undefined) this.#put(afterChange(known, reacted, this.#port.me()));
  }

  followed({ room, thread, following }: { room: string; thread: number; following: boolean }): void {
    if (room !== this.room.id || thread !== this.number) return;
    this.following = following;
    this.#port.changed();
  }

  #begin({ root, thread, following, messages, complete }: Answers['thread:get']): void {
    const from = messages[0]?.seq ?? 0;
    const hasGap = !complete && this.#lost !== undefined && from > this.#lost;
    if (this.#first === undefined || hasGap || this.#lost === 0) {
      this.#messages.clear();
      this.#complete = complete;
      this.#epoch++;
      this.newFrom ??= this.#newIn(messages, thread.new);
    }
    this.#lost = undefined;
    this.#first = root;
    this.following = following;
    this.#complete ||= complete;
    this.room.noteThreads([thread]);
    for (const message of messages) this.#put(message);
  }

  /** Returns the `seq` of the first of the last `count` messages by other users. */
  #newIn(messages: readonly Message[], count = this.counts?.new ?? 0): number | undefined {
    if (count === 0) return undefined;
    const others = messages.filter(
      ({ user, deletedAt, hidden }) => user.id !== this.#port.me() && deletedAt === undefined && !hidden,
    );
    return (others.at(-count) ?? others[0])?.seq;
  }

  #list(): readonly Message[] {
    if (this.#first === undefined) return [];
    const { firstSeq = 1 } = this.room.summary;
    const replies = [...this.#messages.values()]
      .filter(({ seq }) => seq >= firstSeq)
      .sort((a, b) => a.seq - b.seq)
      .map((message) => this.#newest(message));
    return this.#complete && this.#first.seq >= firstSeq ? [this.#newest(this.#first), ...replies] : replies;
  }

  #known(seq: number): Message | undefined {
    return seq === this.#first?.seq ? this.#first : this.#messages.get(seq);
  }

  /**
   * Returns the room's copy of a message if it is newer. The room may have received changes that the thread missed
   * while offline.
   */
  #newest(message: Message): Message {
    const other = this.room.timeline.get(message.seq);
    return other !== undefined && other.rev > message.rev ? other : message;
  }

  #put(message: Message): void {
    const known = this.#known(message.seq);
    if (known !== undefined && known.rev > message.rev) return;
    if (message.seq === this.#first?.seq) this.#first = message;
    else this.#messages.set(message.seq, message);
  }
}

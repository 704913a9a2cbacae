import type {
  LastMessage,
  Message,
  Notify,
  Pin,
  PresenceChange,
  RoomActivity,
  RoomSummary,
  Thread,
  User,
} from '../../../server/wire/events.ts';
import { addToRuns, countAfter } from '../../../server/wire/runs.ts';
import { Clock } from '../connection/clock.ts';
import { Timeline } from './timeline.ts';
import { mentions } from './user-ids.ts';

/** The length to which the server cuts a room's newest message. */
const PREVIEW = 120;

/** A room as this client sees it. */
export class Room {
  summary: RoomSummary;
  readonly timeline = new Timeline();
  /** Members who are online, at first at most 100, and their total number. */
  present: User[] = [];
  presentCount = 0;
  /** Whether the room is joined on the current connection. */
  joined = false;
  /** A public room that the user can read but has not joined. */
  preview = false;
  /** Whether opening this public room joins it. */
  wanted = false;
  /** The "New" line is above the first message by another user with this `seq` or a later one. */
  newFrom: number | undefined;
  /** Another user added this user, who has not opened the room since. */
  fresh = false;
  /** The user blocked the other user of this direct room, so nothing in it is unread. */
  blocked = false;
  /** The user marked messages as unread. They stay unread until the room is opened again. */
  keptUnread = false;
  /** The unread messages are being loaded. The room opens at the first one. */
  opening = false;
  /**
   * The position in the list of rooms, usually the time of the newest message. Rooms with later times are further up.
   */
  at = 0;
  /** The `seq` of the read marker that the server knows. */
  marked: number;
  /** The `seq` up to which the other user of a direct room has read. */
  readByOther: number;
  /** The other user of this direct room had never connected when this client last sent a message, and gets no mail. */
  unreached = false;
  /** The threads that have replies, by their number. */
  readonly threads = new Map<number, Thread>();
  /** The pinned messages, the newest pin first. Known once the room is joined. */
  pins: readonly Pin[] = [];
  /** The end of the timed mute, or 0. */
  quietUntil: number;
  /** The quotes that were requested. */
  readonly askedQuotes = new Set<string>();

  /** The number of unread messages that are only in a thread. */
  #threadOnly: number;
  readonly #clock: Clock;

  constructor(summary: RoomSummary, clock = new Clock()) {
    this.#clock = clock;
    this.summary = summary;
    this.quietUntil = this.#endOf(summary);
    this.#threadOnly = unreadInThreads(summary);
    this.marked = summary.readSeq;
    this.readByOther = summary.readByOther ?? 0;
  }

  get id(): string {
    return this.summary.id;
  }

  get room(): this {
    return this;
  }

  /** Includes replies that are only in a thread if they concern the user. */
  get unread(): number {
    const { member, mentions } = this.summary;
    if (!member || this.blocked) return 0;
    const all = unreadBy(this.summary);
    const ofRoom = all - this.#threadOnly;
    return mentions > ofRoom ? Math.min(all, mentions) : ofRoom;
  }

  /** The number of unread mentions, and of unread replies in followed threads. */
  get mentions(): number {
    return Math.min(this.summary.mentions, this.unread);
  }

  /** Whether the room's messages can be requested on the current connection. */
  get readable(): boolean {
    return this.joined || this.preview;
  }

  /** Whether the room can have replies that are only in their thread. */
  get hasThreadOnly(): boolean {
    const { kind, question } = this.summary;
    return kind !== 'direct' && question === undefined;
  }

  /** The messages that notify the user now. During a timed mute there are none, in the archive at most mentions. */
  get notify(): Notify {
    const { notify, kind, archived } = this.summary;
    if (this.quietUntil > this.#clock.now) return 'none';
    return notify === 'all' && archived && kind !== 'direct' ? 'mentions' : notify;
  }

  /** A muted room does not count in the page's title or in any other total. */
  get muted(): boolean {
    return this.notify === 'none';
  }

  /**
   * Applies the server's description of the room. Messages that were read here stay read, with two exceptions: the
   * history starts again, or the read marker was moved back after the server had received it.
   */
  update(summary: RoomSummary): void {
    this.timeline.expire(summary.firstSeq);
    this.#expire(summary.firstSeq);
    const { member, readSeq } = this.summary;
    const isNews = member && summary.member && readSeq > this.marked;
    const read = isNews ? Math.max(summary.readSeq, readSeq) : summary.readSeq;
    this.marked = Math.min(summary.readSeq, summary.lastSeq);
    this.summary = { ...summary, readSeq: Math.min(read, summary.lastSeq) };
    this.quietUntil = this.#endOf(summary);
    this.#threadOnly = unreadInThreads(summary);
    this.readByOther = Math.min(Math.max(summary.readByOther ?? 0, this.readByOther), summary.lastSeq);
  }

  #endOf({ quietForMs }: RoomSummary): number {
    return quietForMs === undefined ? 0 : this.#clock.now + quietForMs;
  }

  /** Applies the activity of a room that is not joined. */
  activity(activity: RoomActivity): void {
    const { head, lastSeq, firstSeq, members, name, topic, last, threadOnly = 0, deleted = [] } = activity;
    this.timeline.expire(firstSeq);
    this.#expire(firstSeq);
    const { topic: _topic, last: before, ...rest } = this.summary;
    const news = head >= rest.head;
    const shown = news ? last : before;
    if (news) this.#threadOnly += threadOnly - (rest.threadOnly ?? 0);
    this.summary = {
      ...rest,
      name,
      members,
      ...(news ? { head, lastSeq, threadOnly, deleted } : {}),
      ...(firstSeq === undefined ? {} : { firstSeq }),
      topic,
      last: shown,
    };
  }

  /**
   * Applies a new or changed message. A message of this user, from any device, marks everything before it as read.
   *
   * @returns whether this moved the read position
   */
  note(message: Message, me: User): boolean {
    const { lastSeq, readSeq, head, last, threadOnly } = this.summary;
    const own = message.user.id === me.id;
    const isNew = message.seq > lastSeq;
    const newest = (isNew && !message.threadOnly) || (message.seq === last?.seq && message.rev > head);
    if (own) {
      this.marked = Math.max(this.marked, message.seq);
      this.keptUnread = false;
    }
    this.summary = {
      ...this.summary,
      head: Math.max(head, message.rev),
      lastSeq: Math.max(lastSeq, message.seq),
      readSeq: own ? Math.max(readSeq, message.seq) : readSeq,
      ...(isNew && message.threadOnly ? { threadOnly: (threadOnly ?? 0) + 1 } : {}),
      ...(newest ? { last: preview(message) } : {}),
    };
    this.#noteDeleted(message);
    if (own) this.#recount();
    else if (isNew && message.threadOnly) this.#threadOnly++;
    return own && message.seq > readSeq;
  }

  /** Returns the thread that has this message as its root and has replies. */
  threadUnder({ seq, thread = seq }: Pick<Message, 'seq' | 'thread'>): Thread | undefined {
    const known = this.threads.get(thread);
    return known?.root === seq && known.replies > 0 ? known : undefined;
  }

  /** Applies threads of a response or an event. Events do not contain the number of new replies. */
  noteThreads(threads: readonly Thread[] = []): void {
    for (const thread of threads) {
      const fresh = thread.new ?? this.threads.get(thread.thread)?.new;
      this.threads.set(thread.thread, fresh === undefined ? thread : { ...thread, new: fresh });
    }
  }

  /** Counts a new reply that arrived while the room was not viewed. */
  noteReply({ thread: number }: Message): void {
    const known = number === undefined ? undefined : this.threads.get(number);
    if (known !== undefined) this.threads.set(known.thread, { ...known, new: (known.new ?? 0) + 1 });
  }

  /** Marks the new replies of a thread as seen, or of all threads. */
  seenReplies(number?: number): void {
    for (const { new: fresh, ...thread } of this.threads.values())
      if (fresh !== undefined && (number ?? thread.thread) === thread.thread)
        this.threads.set(thread.thread, thread);
  }

  /** Adds or changes the pin of a message, or removes it if `pin` is undefined. */
  pin(seq: number, pin: Pin | undefined): void {
    const isKnown = this.pins.some((known) => known.seq === seq);
    if (pin === undefined) this.pins = this.pins.filter((known) => known.seq !== seq);
    else if (isKnown) this.pins = this.pins.map((known) => (known.seq === seq ? pin : known));
    else this.pins = [pin, ...this.pins];
  }

  markRead(): boolean {
    return this.readUpTo(this.summary.lastSeq);
  }

  /**
   * The read marker was moved back to `seq`. The messages after it are unread again and contain this number of
   * mentions.
   */
  unreadAfter(seq: number, mentions: number): void {
    this.marked = seq;
    this.summary = { ...this.summary, readSeq: seq, mentions };
    for (const message of this.timeline.list()) this.#noteDeleted(message);
    this.#recount();
  }

  /** Deleted messages are not unread. */
  #noteDeleted({ seq, deletedAt, threadOnly }: Message): void {
    const { readSeq, deleted = [] } = this.summary;
    if (deletedAt === undefined || threadOnly || seq <= readSeq) return;
    this.summary = { ...this.summary, deleted: addToRuns(deleted, seq) };
  }

  /** Whether a message is shown among the messages of the room. Otherwise it is only in its thread. */
  shows({ seq, thread = 0, threadOnly }: Message): boolean {
    // The replies would be unreachable if the root of their thread expired.
    return threadOnly === undefined || this.threads.get(thread)?.root === seq;
  }

  /** Whether a reply mentions the user, or its thread has a message of the user. */
  concerns(message: Message, me: string): boolean {
    const { thread = 0 } = message;
    const { authors = [] } = this.threads.get(thread) ?? {};
    return (
      mentions(message, me) ||
      [this.timeline.get(thread)?.user, ...authors].some((author) => author?.id === me)
    );
  }

  /** Counts the unread messages that are only in a thread again, after the read marker moved. */
  #recount(): void {
    const { readSeq } = this.summary;
    this.#threadOnly = this.timeline
      .list()
      .filter(({ seq, threadOnly }) => threadOnly && seq > readSeq).length;
  }

  readUpTo(seq: number): boolean {
    if (this.keptUnread || !this.summary.member || this.summary.readSeq >= seq) return false;
    this.summary = { ...this.summary, readSeq: seq };
    this.#recount();
    return true;
  }

  /** The user is no longer a member but may join again. */
  left(): void {
    const {
      role: _,
      quietForMs: _quiet,
      favourite: _favourite,
      archived: _archived,
      ...summary
    } = this.summary;
    this.summary = {
      ...summary,
      member: false,
      may: ['send'],
      unread: 0,
      mentions: 0,
      readSeq: 0,
      notify: 'mentions',
    };
    this.quietUntil = 0;
    this.marked = 0;
    this.joined = false;
    this.wanted = false;
    this.newFrom = undefined;
  }

  #expire(firstSeq = 1): void {
    if (this.pins.some(({ seq }) => seq < firstSeq))
      this.pins = this.pins.filter(({ seq }) => seq >= firstSeq);
  }

  presence(change: PresenceChange): void {
    const other = this.summary.with?.id;
    if (other !== undefined) {
      const here = change.joined.some(({ id }) => id === other);
      if (here || change.left.includes(other)) this.summary = { ...this.summary, present: here };
    }
    if (!this.joined) return;
    const left = new Set([...change.left, ...change.joined.map((user) => user.id)]);
    this.present = [...this.present.filter((user) => !left.has(user.id)), ...change.joined];
    this.presentCount = change.count;
  }
}

/** Includes messages that are only in a thread. */
function unreadBy({ lastSeq, readSeq, firstSeq = 1, deleted }: RoomSummary): number {
  const after = Math.max(readSeq, firstSeq - 1);
  return Math.max(0, lastSeq - after - countAfter(deleted, after));
}

/** The server counts no unread messages in a direct room with a blocked user. */
function unreadInThreads(summary: RoomSummary): number {
  return summary.threadOnly && summary.member ? unreadBy(summary) - summary.unread : 0;
}

/** Returns a message as the list of rooms shows it. */
export function preview({
  seq,
  user,
  text,
  sentAt,
  deletedAt,
  files,
  card,
  hidden,
}: Omit<LastMessage, 'files' | 'pictures' | 'voice' | 'card'> &
  Pick<Message, 'files' | 'card'>): LastMessage {
  const sound = files?.[0]?.audio;
  const pictures = files?.filter(({ image }) => image).length;
  const short = text.length <= PREVIEW ? text : [...text.slice(0, 2 * PREVIEW)].slice(0, PREVIEW).join('');
  return {
    seq,
    user,
    text: short,
    sentAt,
    deletedAt,
    files: files?.length,
    pictures: pictures || undefined,
    voice: sound?.peaks === undefined ? undefined : (sound.duration ?? 0),
    card: card && card === text ? true : undefined,
    hidden,
  };
}

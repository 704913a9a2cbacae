import type {
  LastMessage,
  Message,
  Pin,
  PresenceChange,
  RoomActivity,
  RoomSummary,
  Thread,
  User,
} from '../../../server/wire/events.ts';
import { Timeline } from './timeline.ts';

/** As long as the server cuts the newest message of a room. */
const PREVIEW = 120;

/** A room as this client sees it. */
export class Room {
  summary: RoomSummary;
  readonly timeline = new Timeline();
  /** At most 100 of those who are here, and how many they are. */
  present: User[] = [];
  presentCount = 0;
  /** Joined over the connection that is open now. */
  joined = false;
  /** A public room that is shown to somebody who has not joined it: it is read, and no more. */
  preview = false;
  /** Opening it joins it, although it is a public one: the page, or the user, wants that. */
  wanted = false;
  /** The "New" line stands before the first message of others from this `seq` on. */
  newFrom: number | undefined;
  /** Somebody else has added the user, who has not opened the room since. */
  fresh = false;
  /** The other one of a direct room is somebody whom the user has blocked: nothing is unread there. */
  blocked = false;
  /** The user has marked messages as unread: they stay so until the room is opened again. */
  keptUnread = false;
  /** The unread messages are being fetched: the room opens where they begin. */
  opening = false;
  /** Where the room stands among the others: the later, the further above. */
  at = 0;
  /** Up to here the server knows that one has read. */
  marked: number;
  /** Up to here the other one of a direct room has read. */
  readByOther: number;
  /** The threads that have replies, by number. */
  readonly threads = new Map<number, Thread>();
  /** Pinned messages, the last one pinned first; known once the room is joined. */
  pins: readonly Pin[] = [];
  /** Which quotes were asked for. */
  readonly askedQuotes = new Set<string>();

  constructor(summary: RoomSummary) {
    this.summary = summary;
    this.marked = summary.readSeq;
    this.readByOther = summary.readByOther ?? 0;
  }

  get id(): string {
    return this.summary.id;
  }

  get room(): this {
    return this;
  }

  get unread(): number {
    const { member, lastSeq, readSeq, firstSeq = 1 } = this.summary;
    return member && !this.blocked ? Math.max(0, lastSeq - Math.max(readSeq, firstSeq - 1)) : 0;
  }

  /** Unread messages that mention one. */
  get mentions(): number {
    return Math.min(this.summary.mentions, this.unread);
  }

  /** Its messages can be asked for over the connection that is open now. */
  get readable(): boolean {
    return this.joined || this.preview;
  }

  /** Counts neither in the page's title nor in any other sum. */
  get muted(): boolean {
    return this.summary.notify === 'none';
  }

  /**
   * The room as the server describes it now. Messages that were read here stay read, unless the history begins
   * again, or the server knew that and the mark was moved back since.
   */
  update(summary: RoomSummary): void {
    this.timeline.expire(summary.firstSeq);
    this.#expire(summary.firstSeq);
    const { member, readSeq } = this.summary;
    const isNews = member && summary.member && readSeq > this.marked;
    const read = isNews ? Math.max(summary.readSeq, readSeq) : summary.readSeq;
    this.marked = Math.min(summary.readSeq, summary.lastSeq);
    this.summary = { ...summary, readSeq: Math.min(read, summary.lastSeq) };
    this.readByOther = Math.min(Math.max(summary.readByOther ?? 0, this.readByOther), summary.lastSeq);
  }

  /** Takes in the activity of a room that is not joined. */
  activity({ head, lastSeq, firstSeq, members, name, topic, last }: RoomActivity): void {
    this.timeline.expire(firstSeq);
    this.#expire(firstSeq);
    const { topic: _topic, last: before, ...rest } = this.summary;
    const news = head >= rest.head;
    const shown = news ? last : before;
    this.summary = {
      ...rest,
      name,
      members,
      ...(news ? { head, lastSeq } : {}),
      ...(firstSeq === undefined ? {} : { firstSeq }),
      ...(topic === undefined ? {} : { topic }),
      ...(shown === undefined ? {} : { last: shown }),
    };
  }

  /**
   * A new or changed message: it may count as unread; one's own (from any device) marks as read up to it.
   *
   * @returns whether it has marked anything
   */
  note(message: Message, me: User): boolean {
    const { lastSeq, readSeq, head, last } = this.summary;
    const own = message.user.id === me.id;
    const newest = message.seq > lastSeq || (message.seq === last?.seq && message.rev > head);
    if (own) {
      this.marked = Math.max(this.marked, message.seq);
      this.keptUnread = false;
    }
    this.summary = {
      ...this.summary,
      head: Math.max(head, message.rev),
      lastSeq: Math.max(lastSeq, message.seq),
      readSeq: own ? Math.max(readSeq, message.seq) : readSeq,
      ...(newest ? { last: preview(message) } : {}),
    };
    return own && message.seq > readSeq;
  }

  /** The thread that is shown under that message. */
  threadUnder({ seq, thread = seq }: Pick<Message, 'seq' | 'thread'>): Thread | undefined {
    const known = this.threads.get(thread);
    return known?.root === seq && known.replies > 0 ? known : undefined;
  }

  /** From an answer or an event, which says nothing of what is new. */
  noteThreads(threads: readonly Thread[] = []): void {
    for (const thread of threads) {
      const fresh = thread.new ?? this.threads.get(thread.thread)?.new;
      this.threads.set(thread.thread, fresh === undefined ? thread : { ...thread, new: fresh });
    }
  }

  /** A reply that has come while nobody was looking. */
  noteReply({ thread: number }: Message): void {
    const known = number === undefined ? undefined : this.threads.get(number);
    if (known !== undefined) this.threads.set(known.thread, { ...known, new: (known.new ?? 0) + 1 });
  }

  /** The new replies of that thread, or of all, have been seen. */
  seenReplies(number?: number): void {
    for (const { new: fresh, ...thread } of this.threads.values())
      if (fresh !== undefined && (number ?? thread.thread) === thread.thread)
        this.threads.set(thread.thread, thread);
  }

  /** The message is pinned now; undefined: it is not. */
  pin(seq: number, pin: Pin | undefined): void {
    const isKnown = this.pins.some((known) => known.seq === seq);
    if (pin === undefined) this.pins = this.pins.filter((known) => known.seq !== seq);
    else if (isKnown) this.pins = this.pins.map((known) => (known.seq === seq ? pin : known));
    else this.pins = [pin, ...this.pins];
  }

  markRead(): boolean {
    return this.readUpTo(this.summary.lastSeq);
  }

  /** The mark was moved back: messages after it are unread again, and so many mentions. */
  unreadAfter(seq: number, mentions: number): void {
    this.marked = seq;
    this.summary = { ...this.summary, readSeq: seq, mentions };
  }

  readUpTo(seq: number): boolean {
    if (this.keptUnread || !this.summary.member || this.summary.readSeq >= seq) return false;
    this.summary = { ...this.summary, readSeq: seq };
    return true;
  }

  /** The user is no member any more, but may join again. */
  left(): void {
    const { role: _role, ...summary } = this.summary;
    this.summary = {
      ...summary,
      member: false,
      may: ['send'],
      unread: 0,
      mentions: 0,
      readSeq: 0,
      notify: 'mentions',
    };
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

/** A message as the list of rooms shows it. */
export function preview({
  seq,
  user,
  text,
  sentAt,
  deletedAt,
  files,
  hidden,
}: Omit<LastMessage, 'files' | 'voice'> & Pick<Message, 'files'>): LastMessage {
  const sound = files?.[0]?.audio;
  const short = text.length <= PREVIEW ? text : [...text.slice(0, 2 * PREVIEW)].slice(0, PREVIEW).join('');
  return {
    seq,
    user,
    text: short,
    sentAt,
    ...(deletedAt === undefined ? {} : { deletedAt }),
    ...(sound?.peaks === undefined ? {} : { voice: sound.duration ?? 0 }),
    ...(hidden && { hidden }),
  };
}

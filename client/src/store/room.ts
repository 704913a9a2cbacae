import type { Message, RoomSummary, User } from '../../../server/events.ts';
import { Timeline } from './timeline.ts';

/** So many messages stay in memory while nobody reads further back. */
const KEPT = 2000;

/** One room as this client sees it. */
export class Room {
  summary: RoomSummary;
  readonly timeline = new Timeline();
  present: User[] = [];
  presentCount = 0;
  /** Joined over the connection that is open now. */
  joined = false;
  /** The "New" line stands before the first message of others from this `seq` on. */
  newFrom: number | undefined;

  constructor(summary: RoomSummary) {
    this.summary = summary;
  }

  get id(): string {
    return this.summary.id;
  }

  get unread(): number {
    const { member, lastSeq, readSeq } = this.summary;
    return member ? Math.max(0, lastSeq - readSeq) : 0;
  }

  /** What the server says now. What was read here stays read, unless the history starts anew. */
  update(summary: RoomSummary): void {
    const readSeq = Math.min(Math.max(summary.readSeq, this.summary.readSeq), summary.lastSeq);
    this.summary = { ...summary, readSeq };
  }

  /** A new message: counts as unread, and one's own (from any device) marks as read up to it. */
  note(message: Message, me: User): void {
    const lastSeq = Math.max(this.summary.lastSeq, message.seq);
    const readSeq =
      message.user.id === me.id ? Math.max(this.summary.readSeq, message.seq) : this.summary.readSeq;
    this.summary = { ...this.summary, lastSeq, readSeq };
  }

  markRead(): boolean {
    if (this.summary.readSeq >= this.summary.lastSeq) return false;
    this.summary = { ...this.summary, readSeq: this.summary.lastSeq };
    return true;
  }

  /** Drops the oldest messages; not at each new one, since the list is built anew. */
  trim(): void {
    if (this.timeline.list().length > KEPT * 1.1) this.timeline.trim(KEPT);
  }

  presence(change: { joined: User[]; left: string[]; count: number }): void {
    const left = new Set([...change.left, ...change.joined.map((user) => user.id)]);
    this.present = [...this.present.filter((user) => !left.has(user.id)), ...change.joined];
    this.presentCount = change.count;
  }
}

/** Rooms, then direct ones, each by name. */
export function byName(rooms: Iterable<Room>, lang: string): Room[] {
  const { compare } = new Intl.Collator(lang, { numeric: true });
  return [...rooms].sort(
    (a, b) =>
      Number(a.summary.kind === 'direct') - Number(b.summary.kind === 'direct') ||
      compare(a.summary.name, b.summary.name),
  );
}

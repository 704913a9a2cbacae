import {
  type Change,
  everybody,
  mostUnreadMentions,
  type RoomRecord,
  type StoredMessage,
} from '../history/history.ts';
import { nobody, type Person, type RoomOfPerson } from './model.ts';

export const noMentions: readonly number[] = [];

/** Of messages that mention somebody, by `seq`, those after what has been read. */
export function stillUnread(mentions: readonly number[], readSeq: number): readonly number[] {
  return (mentions[0] ?? Number.POSITIVE_INFINITY) > readSeq
    ? mentions
    : mentions.filter((seq) => seq > readSeq);
}

export function applyRead(membership: RoomOfPerson, upTo: number): void {
  const { member, mentions } = membership;
  const readSeq = Math.max(member.readSeq, upTo);
  membership.member = { ...member, readSeq };
  membership.mentions = stillUnread(mentions, readSeq);
}

/** Whom a message mentions has changed: what it says now counts, however often that is applied. */
export function applyMentions(
  person: Person,
  { room, seq, user: { id: author }, mentions = [] }: StoredMessage,
): void {
  const membership = person.memberships.get(room);
  if (membership === undefined) return;
  const others = membership.mentions.filter((one) => one !== seq);
  const isNamed =
    !person.blocked.has(author) && mentions.some(({ user }) => user === person.user.id || user === everybody);
  if (isNamed && seq > membership.member.readSeq) others.push(seq);
  membership.mentions =
    others.length === 0 ? noMentions : others.sort((a, b) => a - b).slice(-mostUnreadMentions);
}

export function applyBlock(person: Person, { other, blocked }: Change & { type: 'blocked' }): void {
  const now = new Set(person.blocked);
  if (blocked) now.add(other);
  else now.delete(other);
  person.blocked = now.size === 0 ? nobody : now;
}

/** Applies a message to its room, unless the room is further already. */
export function applyMessage(record: RoomRecord, { message }: Change & { type: 'message' }): void {
  if (message.rev <= record.head) return;
  record.head = message.rev;
  record.lastSeq = Math.max(record.lastSeq, message.seq);
  if (message.seq === record.lastSeq) record.last = message;
}

/** Applies the room's own fields as they are stored. `head`, `lastSeq` and `last` follow the messages alone. */
export function applyRecord(
  record: RoomRecord,
  { name, topic, write, slow, reports, access, members, firstSeq }: RoomRecord,
): void {
  record.name = name;
  if (topic === undefined) delete record.topic;
  else record.topic = topic;
  if (write === undefined) delete record.write;
  else record.write = write;
  if (slow === undefined) delete record.slow;
  else record.slow = slow;
  if (reports === undefined) delete record.reports;
  else record.reports = reports;
  record.access = access;
  record.members = members;
  // A server of the version before does not name it.
  if (firstSeq > record.firstSeq) record.firstSeq = firstSeq;
  if (record.last !== undefined && record.last.seq < record.firstSeq) delete record.last;
}

import { type Change, everybody, type RoomRecord, type StoredMessage } from '../history/history.ts';
import { countMentions, stillUnread, withMention, withoutMention } from './messages/unread-mentions.ts';
import { nobody, type Person, type Room, type RoomOfPerson } from './model.ts';

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
  const others = withoutMention(membership.mentions, seq);
  const isNamed = mentions.some(({ user }) => user === person.user.id || user === everybody);
  const isUnread = isNamed && seq > membership.member.readSeq;
  membership.mentions = isUnread ? withMention(others, author, seq) : others;
}

/** @returns the rooms in which another number of unread messages mentions this user now */
export function applyBlock(person: Person, { other, blocked }: Change & { type: 'blocked' }): Room[] {
  const countIn = ({ room, mentions }: RoomOfPerson) =>
    countMentions(mentions, person.blocked, room.record.firstSeq);
  const named = [...person.memberships.values()].filter(({ mentions }) => mentions.has(other));
  const before = named.map(countIn);
  const now = new Set(person.blocked);
  if (blocked) now.add(other);
  else now.delete(other);
  person.blocked = now.size === 0 ? nobody : now;
  return named.filter((one, n) => countIn(one) !== before[n]).map(({ room }) => room);
}

/** Applies a message to its room, unless the room is further already. */
export function applyMessage(record: RoomRecord, { message }: Change & { type: 'message' }): void {
  if (message.rev <= record.head) return;
  record.head = message.rev;
  record.lastSeq = Math.max(record.lastSeq, message.seq);
  if (message.seq === record.lastSeq) record.last = message;
}

/** Much has changed, and this is how the room is now. */
export function applyReset(record: RoomRecord, now: RoomRecord): void {
  applyRecord(record, now);
  record.head = Math.max(record.head, now.head);
  if (now.reset !== undefined) record.reset = now.reset;
  // What comes later than this is newer.
  if (now.lastSeq < record.lastSeq) return;
  if (now.last === undefined) delete record.last;
  else record.last = now.last;
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

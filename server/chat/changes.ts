import { type Change, everybody, type RoomRecord, type StoredMessage } from '../history/history.ts';
import type { RoomSettings } from '../wire/events.ts';
import { countMentions, stillUnread, withMention, withoutMention } from './messages/unread-mentions.ts';
import { nobody, type Person, type Room, type RoomOfPerson } from './model.ts';

export function applyRead(
  { memberships, blocked }: Person,
  { room, readSeq: upTo, seenSeq, unread }: Change & { type: 'read' },
): void {
  const membership = memberships.get(room);
  if (membership === undefined) return;
  const { seenSeq: _, ...member } = membership.member;
  const readSeq = unread === undefined ? Math.max(member.readSeq, upTo) : upTo;
  membership.member = { ...member, readSeq, ...(seenSeq === undefined ? {} : { seenSeq }) };
  let { mentions } = membership;
  for (const [seq, author] of unread ?? [])
    mentions = withMention(withoutMention(mentions, seq), author, seq, blocked);
  membership.mentions = stillUnread(mentions, readSeq);
}

/** Updates a person's unread mentions from a changed message. Applying it again has no further effect. */
export function applyMentions(
  person: Person,
  { room, seq, user: { id: author }, mentions = [] }: StoredMessage,
): void {
  const membership = person.memberships.get(room);
  if (membership === undefined) return;
  const others = withoutMention(membership.mentions, seq);
  const isNamed = mentions.some(({ user }) => user === person.user.id || user === everybody);
  const isUnread = isNamed && seq > membership.member.readSeq;
  membership.mentions = isUnread ? withMention(others, author, seq, person.blocked) : others;
}

/** Updates the unread mentions of a person whom a reply concerns. Applying it again has no further effect. */
export function applyConcerned(
  person: Person | undefined,
  { message: { room, seq, user: author }, is }: Change & { type: 'concerned' },
): void {
  const membership = person?.memberships.get(room);
  if (person === undefined || membership === undefined) return;
  const others = withoutMention(membership.mentions, seq);
  const isUnread = is !== 'deleted' && seq > membership.member.readSeq;
  membership.mentions = isUnread ? withMention(others, author.id, seq, person.blocked) : others;
}

/** @returns the rooms in which the number of unread mentions has changed for this user */
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

/** Applies a message to its room, unless the room is already further. */
export function applyMessage(record: RoomRecord, { message }: Change & { type: 'message' }): void {
  if (message.rev <= record.head) return;
  record.head = message.rev;
  record.lastSeq = Math.max(record.lastSeq, message.seq);
  if (message.seq === record.lastSeq) record.last = message;
}

/** Replaces the state of the room after a large change. */
export function applyReset(record: RoomRecord, now: RoomRecord): void {
  applyRecord(record, now);
  record.head = Math.max(record.head, now.head);
  if (now.reset !== undefined) record.reset = now.reset;
  // A message that was applied since is newer than this state.
  if (now.lastSeq < record.lastSeq) return;
  if (now.last === undefined) delete record.last;
  else record.last = now.last;
}

/** Applies the room's own stored fields. `head`, `lastSeq` and `last` follow only messages. */
export function applyRecord(record: RoomRecord, now: RoomRecord): void {
  for (const field of [
    'name',
    'topic',
    'reports',
    'pins',
    'access',
    'members',
    'firstSeq',
    'settings',
    'previewsOf',
  ] as const) {
    if (now[field] === undefined) Reflect.deleteProperty(record, field);
    else Object.assign(record, { [field]: now[field] });
  }
  if (record.last !== undefined && record.last.seq < record.firstSeq) delete record.last;
}

export function haveSameSettings(before: RoomRecord, now: RoomRecord): boolean {
  if (before.previewsOf !== now.previewsOf) return false;
  const [a, b] = [before.settings, now.settings];
  const names = Object.keys({ ...a, ...b }) as (keyof RoomSettings)[];
  return names.every((name) => a[name] === b[name]);
}

/** The changes without those of rooms that they delete later: a new room may have the same id. */
export function ofRoomsThatStay(changes: readonly Change[]): Change[] {
  const deleted = new Set<string>();
  const newestFirst = changes.toReversed().filter((change) => {
    const room = roomOf(change);
    const isVoid = room !== undefined && deleted.has(room);
    if (change.type === 'room' && change.is === 'deleted') deleted.add(change.room.id);
    return !isVoid;
  });
  return newestFirst.reverse();
}

function roomOf(change: Change): string | undefined {
  if ('message' in change) return change.message.room;
  if ('room' in change) return typeof change.room === 'string' ? change.room : change.room.id;
  return undefined;
}

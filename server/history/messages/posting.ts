import { randomUUID } from 'node:crypto';
import { RequestError } from '../../wire/errors.ts';
import type { ChosenFile, MessageFile } from '../../wire/events.ts';
import type { Change } from '../changes.ts';
import { refuse } from '../engine/rule.ts';
import type { Need, Work } from '../engine/work.ts';
import { isHeld } from '../files/file.ts';
import { fileNeed, getFile, setFile } from '../files/loaded.ts';
import { getMember, memberNeed, setMember } from '../members/loaded.ts';
import { acted, isMember, leftOf, type MemberRecord } from '../members/member.ts';
import { add, isModerator } from '../members/membership.ts';
import { isBlocked } from '../people/blocks.ts';
import { userNeed } from '../people/loaded.ts';
import { actInPublic, named, rename } from '../people/users.ts';
import { withOneMore } from '../rooms/days.ts';
import { setRoom } from '../rooms/loaded.ts';
import type { RoomRow } from '../rooms/room.ts';
import { requireRoom } from '../rooms/room-changes.ts';
import { replyNeeds } from '../threads/loaded.ts';
import { addReply, isReply, threadOf } from '../threads/threads.ts';
import { clientIdNeed, getMessageByClientId, insertMessage } from './loaded.ts';
import { mentionsFor, mentionsNamed, tellMentions } from './mentions.ts';
import type { NewMessage, StoredMessage } from './message.ts';
import { showsPreviews } from './previews.ts';

// How a message comes into a room, whoever has let it in: its author at once, or a moderator later.

/** How somebody writes: a member, as what the user is there, or the PHP application, which may always. */
export interface Sending {
  asMember: boolean;
  /** The session makes a moderator of the whole site of the sender. */
  siteModerator?: boolean;
  /** The own message of that time was so many milliseconds ago, by a clock that nobody sets. */
  lastOwn?: { sentAt: number; ms: number };
}

export type Content = Pick<
  StoredMessage,
  'text' | 'replyTo' | 'thread' | 'files' | 'mentions' | 'preview' | 'forwarded'
>;

export const postNeeds = ({
  room,
  user,
  clientId,
}: Pick<NewMessage, 'room' | 'user' | 'clientId'>): Need[] => [
  memberNeed(room, user.id),
  clientIdNeed(room, user.id, clientId),
  userNeed(user.id),
];

export const sendNeeds = (input: NewMessage): Need[] => [
  ...postNeeds(input),
  ...replyNeeds(input.room, input.user.id, input.replyTo),
  ...filesNamed(input.files),
  ...mentionsNamed(input.room, input.mentions),
];

/**
 * Whether the author may write in the room now.
 * @returns whether that is as a moderator, or as the PHP application
 */
export function mayPost(
  work: Work,
  room: RoomRow,
  input: Pick<NewMessage, 'user' | 'sentAt'> & Pick<Sending, 'asMember' | 'siteModerator'>,
): boolean {
  const { id } = input.user;
  const member = getMember(work, room.id, id);
  const free = !input.asMember || isModerator(member, input.siteModerator);
  if (room.settings.write === 'moderators' && !free) refuse('forbidden');
  if (input.asMember && isBlocked(work, room, id)) refuse('forbidden');
  if (room.kind === 'direct' && room.pair === undefined) refuse('forbidden', 'the other user was erased');
  if (input.asMember) checkMuted(member, input.sentAt);
  return free;
}

/**
 * A new message.
 * @param said what a repeat has in common with it
 * @param content is called when the author may write there; `free`: as a moderator, or the PHP application
 */
export function post(
  work: Work,
  input: Pick<NewMessage, 'room' | 'user' | 'clientId' | 'sentAt'> & Sending,
  said: string,
  changes: Change[],
  content: (room: RoomRow, free: boolean) => Content,
): { message: StoredMessage; repeated: boolean } {
  const room = requireRoom(work, input.room);
  const member = getMember(work, room.id, input.user.id);
  if (input.asMember && !isMember(member)) refuse('unknown_room');
  const repeat = repeatOf(work, input, said);
  if (repeat !== null) return { message: repeat, repeated: true };
  const free = mayPost(work, room, input);
  const { text, ...more } = content(room, free);
  if (!free) checkPause(room, member, input);
  const { clientId, user, sentAt } = input;
  const made = { id: randomUUID(), clientId, user, text, sentAt, ...more };
  const message = appendMessage(work, room, made, work.digest(said), changes);
  if (isMember(member)) {
    const { seenSeq, ...rest } = member;
    const readSeq = message.seq;
    setMember(work, room.id, user.id, { ...rest, readSeq, acted: acted.written, wroteAt: sentAt });
    changes.push({ type: 'read', room: room.id, user: user.id, readSeq });
  }
  tellPosted(work, room, message, changes);
  return { message, repeated: false };
}

/** Stores a message as the newest one of its room. `tellPosted` has to follow, when what is stored of its author is changed. */
export function appendMessage(
  work: Work,
  room: RoomRow,
  { id, ...made }: Omit<StoredMessage, 'room' | 'seq' | 'rev'>,
  digest: string,
  changes: Change[],
): StoredMessage {
  const message = { id, room: room.id, seq: room.lastSeq + 1, rev: room.head + 1, ...made };
  insertMessage(work, { message, digest });
  carry(work, message, message.sentAt);
  const sent = withOneMore(work, room, message.sentAt);
  setRoom(work, { ...room, head: message.rev, lastSeq: message.seq, sent });
  changes.push({ type: 'message', is: 'new', message });
  rename(work, message.user, changes);
  return message;
}

/** @param room as it was before */
export function tellPosted(work: Work, room: RoomRow, message: StoredMessage, changes: Change[]): void {
  if (room.kind === 'public') actInPublic(work, message.user, changes);
  if (room.pair !== undefined) invitePartner(work, room.id, room.pair, message, changes);
  // At the end: this message may have made the mentioned user a member.
  tellMentions(message, undefined, changes);
  if (isReply(message)) addReply(work, message, changes);
}

/**
 * The content of a message that is sent.
 * @param how.free as a moderator, or the PHP application
 * @param how.held the files that have waited with it
 */
export function contentOf(
  work: Work,
  room: RoomRow,
  input: Pick<NewMessage, 'room' | 'user' | 'text' | 'replyTo' | 'files' | 'mentions' | 'preview'>,
  { free, held = [] }: { free: boolean; held?: readonly string[] },
): Content {
  const { text, replyTo, preview } = input;
  const thread = replyTo === undefined ? undefined : threadOf(work, room, replyTo);
  const files = filesOf(work, input, { chosen: input.files ?? [], held });
  const mentions = mentionsFor(work, room, input.mentions, free);
  return {
    text,
    ...(replyTo === undefined ? {} : { replyTo }),
    ...(thread === undefined ? {} : { thread }),
    ...(files.length === 0 ? {} : { files }),
    ...(mentions.length === 0 ? {} : { mentions }),
    ...(preview === undefined || !showsPreviews(room) ? {} : { preview: { url: preview } }),
  };
}

/**
 * Milliseconds by which a message may be older than the last one: that has overtaken it, or the clocks of two servers differ.
 */
const mostBehind = 10_000;

/**
 * In slow mode. The stored time is that of a wall clock, which is the same for all servers and outlives them; where this
 * server has measured how long ago that was, it counts. A clock that was set back further locks nobody out.
 * @throws RequestError `rate_limited`
 */
export function checkPause(
  { settings: { slow } }: RoomRow,
  member: MemberRecord | undefined,
  { sentAt, lastOwn }: Pick<NewMessage, 'sentAt'> & Pick<Sending, 'lastOwn'>,
): void {
  if (slow === undefined || member?.wroteAt === undefined) return;
  const ago = lastOwn?.sentAt === member.wroteAt ? lastOwn.ms : sentAt - member.wroteAt;
  const wait = slow * 1000 - Math.max(ago, 0);
  if (ago < -mostBehind || wait <= 0) return;
  throw new RequestError('rate_limited', 'the room is in slow mode', { retryAfterMs: Math.ceil(wait) });
}

/** @throws RequestError `muted` */
export function checkMuted(member: MemberRecord | undefined, at: number): void {
  const muted = member?.restricted?.muted;
  const wait = muted === undefined ? 0 : leftOf(muted, at);
  if (wait > 0) throw new RequestError('muted', undefined, { retryAfterMs: wait });
}

export const sameClientId =
  'this clientId was already used for another text, reply, files, mentions or forwarded message in this room';

/** The stored message of the same clientId, or null. @throws RequestError `conflict` when it says something else */
export function repeatOf(
  work: Work,
  { room, user, clientId }: Pick<NewMessage, 'room' | 'user' | 'clientId'>,
  said: string,
): StoredMessage | null {
  const earlier = getMessageByClientId(work, room, user.id, clientId);
  if (earlier === undefined) return null;
  if (earlier.digest !== work.digest(said)) {
    refuse('conflict', sameClientId);
  }
  return earlier.message;
}

/**
 * The contents that a repeat has in common with the stored message. No two messages have the same text: only the
 * second form begins with a bracket.
 */
export function saidBy({ text, replyTo, files = [], mentions = [] }: NewMessage): string {
  if (files.length === 0 && mentions.length === 0) return `${replyTo ?? ''}\n${text}`;
  const ids = files.map(({ id }) => id);
  // Also those that are left out: the same users may be members later.
  const named = mentions.map(({ user, start, length }) => [user, start, length]);
  return JSON.stringify([replyTo ?? null, text, ids, ...(named.length === 0 ? [] : [named])]);
}

/**
 * The files that a message is going to carry: loose ones that its author has uploaded into this room and no other message
 * has carried, and its own.
 * @throws RequestError `unknown_file`
 */
export function filesOf(
  work: Work,
  { room, user }: Pick<StoredMessage, 'room' | 'user'>,
  { chosen, seq, held = [] }: { chosen: readonly ChosenFile[]; seq?: number; held?: readonly string[] },
): MessageFile[] {
  return chosen.map(({ id, alt }) => {
    const file = getFile(work, room, id);
    if (file === undefined || file.user !== user.id) refuse('unknown_file');
    const isOwn = file.seq !== undefined && file.seq === seq && file.state !== 'dropped';
    if (!isOwn && (file.state !== 'loose' || file.seq !== undefined)) refuse('unknown_file');
    if (isHeld(file) && !held.includes(id)) refuse('unknown_file');
    return { ...file.about, ...(alt ? { alt } : {}) };
  });
}

/** Its files are no other message's from now on. */
export function carry(work: Work, { room, seq, files = [] }: StoredMessage, at: number): void {
  for (const { id } of files) {
    const file = getFile(work, room, id);
    if (file !== undefined && file.state !== 'carried') {
      setFile(work, { ...file, state: 'carried', seq, at });
    }
  }
}

/** The other side of a direct room becomes a member with the first message, which is then unread. */
function invitePartner(
  work: Work,
  id: string,
  pair: readonly [string, string],
  message: StoredMessage,
  changes: Change[],
): void {
  const other = pair[0] === message.user.id ? pair[1] : pair[0];
  if (isMember(getMember(work, id, other))) return;
  const partner = { id: other, name: named(work, other).name };
  const readSeq = message.seq - 1;
  const at = message.sentAt;
  add(
    work,
    requireRoom(work, id),
    partner,
    { source: 'people', role: 'member', acted: acted.never, readSeq, at },
    changes,
  );
}

export const filesNamed = (files: readonly { id: string }[] = []): Need[] =>
  files.map(({ id }) => fileNeed(id));

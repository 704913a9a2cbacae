import { randomUUID } from 'node:crypto';
import {
  type ContentField,
  fieldsIn,
  fieldsWith,
  type NewContent,
  refusedWaiting,
  type WaitingContent,
} from '../../wire/content.ts';
import { RequestError } from '../../wire/errors.ts';
import type { ChosenFile, MessageFile } from '../../wire/events.ts';
import { countAfter } from '../../wire/runs.ts';
import { withOneMore } from '../days.ts';
import { refuse } from '../engine/rule.ts';
import type { Need, Work } from '../engine/work.ts';
import { add, isModerator } from '../members/membership.ts';
import type { Change } from '../records/changes.ts';
import { isReserved } from '../records/file.ts';
import { acted, isMember, leftOf, type MemberRecord } from '../records/member.ts';
import { type NewMessage, pickSet, type StoredMessage, sentFields } from '../records/message.ts';
import { hasReader, isConversation, type RoomRow, withMessage } from '../records/room.ts';
import { fileNeed, getFile, setFile } from '../rows/files.ts';
import { getMember, memberNeed, setMember } from '../rows/members.ts';
import { clientIdNeed, getMessageByClientId, insertMessage } from '../rows/messages.ts';
import { requireRoom } from '../rows/room-changes.ts';
import { setRoom } from '../rows/rooms.ts';
import { replyNeeds } from '../rows/threads.ts';
import { userNeed } from '../rows/users.ts';
import { addReply, isReply, threadOf } from '../threads/threads.ts';
import { isBlocked } from '../users/blocks.ts';
import { actInPublic, named, rename } from '../users/users.ts';
import { mentionsFor, mentionsNamed, tellMentions } from './mentions.ts';
import { showsPreviews } from './previews.ts';

// Adds messages to rooms: directly from their authors, or later when a moderator approves them.

/** The rights of the sender. */
export interface Sending {
  /** Whether the rights of a member apply. false: the PHP application sends the message and may always write. */
  asMember: boolean;
  /** Whether the session makes the sender a moderator of the whole site. */
  siteModerator?: boolean;
  /** The time of the sender's last message, and its age in milliseconds by a monotonic clock. */
  lastOwn?: { sentAt: number; ms: number };
  /**
   * Set if the message was written earlier, and its author may be offline now. `files`: IDs reserved for it. `digest`:
   * of the content before edits.
   */
  waited?: { files: readonly string[]; digest: string };
}

export type Content = Pick<StoredMessage, ContentField | 'thread'>;

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
 * Checks that the author may write in the room now.
 * @returns whether the author writes as a moderator or as the PHP application
 * @throws RequestError `forbidden` or `muted`
 */
export function mayPost(
  work: Work,
  room: RoomRow,
  input: Pick<NewMessage, 'user' | 'sentAt'> & Pick<Sending, 'asMember' | 'siteModerator'>,
): boolean {
  const { id } = input.user;
  const member = getMember(work, room.id, id);
  const asModerator = !input.asMember || isModerator(member, input.siteModerator);
  if (room.settings.write === 'moderators' && !asModerator) refuse('forbidden');
  if (input.asMember && isBlocked(work, room, id)) refuse('forbidden');
  if (!hasReader(room)) refuse('forbidden', 'the other user was erased');
  if (input.asMember) checkMuted(member, input.sentAt);
  return asModerator;
}

/**
 * Posts a new message, or finds the stored one of the same `clientId`.
 * @param fingerprint the same for duplicates of the request
 * @param buildContent called if the author may write in the room
 */
export function post(
  work: Work,
  input: Pick<NewMessage, 'room' | 'user' | 'clientId' | 'sentAt'> & Sending,
  fingerprint: string,
  changes: Change[],
  buildContent: (room: RoomRow, asModerator: boolean) => Content,
): { message: StoredMessage; repeated: boolean } {
  const room = requireRoom(work, input.room);
  const member = getMember(work, room.id, input.user.id);
  if (input.asMember && !isMember(member)) refuse('unknown_room');
  const duplicate = repeatOf(work, input, fingerprint);
  if (duplicate !== null) return { message: duplicate, repeated: true };
  const asModerator = mayPost(work, room, input);
  const content = buildContent(room, asModerator);
  if (!asModerator) checkPause(room, member, input);
  const { clientId, user, sentAt } = input;
  const fields = { id: randomUUID(), clientId, user, sentAt, ...content };
  const message = appendMessage(work, room, fields, digestOf(work, input, fingerprint), changes);
  recordWriting(work, message, { wroteAt: sentAt, waited: input.waited !== undefined }, changes);
  tellPosted(work, room, message, changes);
  return { message, repeated: false };
}

/** Maximum own messages among unread ones that do not count as unread. */
const mostOwnUnread = 100;

/**
 * Updates the member record of the author of a new message, and moves the read marker to the message.
 * @param options.wroteAt the time from which slow mode counts; absent if it was stored before
 * @param options.waited the author may be offline, so the marker moves only over deleted and expired messages
 */
export function recordWriting(
  work: Work,
  { room, user, seq, threadOnly }: StoredMessage,
  { wroteAt, waited }: { wroteAt?: number; waited: boolean },
  changes: Change[],
): void {
  const member = getMember(work, room, user.id);
  if (!isMember(member)) return;
  const wrote = { acted: acted.written, ...(wroteAt === undefined ? {} : { wroteAt }) };
  const { seenSeq, ownUnread = [], ...rest } = member;
  const { readSeq } = member;
  if (waited && hasBetween(requireRoom(work, room), readSeq, seq)) {
    // Replies that are only in a thread do not count either way.
    if (threadOnly !== undefined) return setMember(work, room, user.id, { ...member, ...wrote });
    const own = { ownUnread: [...ownUnread, seq].slice(-mostOwnUnread) };
    setMember(work, room, user.id, { ...member, ...wrote, ...own });
    const seen = seenSeq === undefined ? {} : { seenSeq };
    changes.push({ type: 'read', room, user: user.id, readSeq, again: true, ...seen, ...own });
    return;
  }
  setMember(work, room, user.id, { ...rest, ...wrote, readSeq: seq });
  changes.push({ type: 'read', room, user: user.id, readSeq: seq });
}

/** Whether a message between two others is neither deleted nor expired. It may be shown only in a thread. */
const hasBetween = ({ firstSeq, deleted }: RoomRow, after: number, before: number): boolean => {
  const from = Math.max(after, firstSeq - 1);
  return before - 1 - from > countAfter(deleted, from);
};

/** Stores a message as the newest one in the room. Then call `recordWriting` and `tellPosted`. */
export function appendMessage(
  work: Work,
  room: RoomRow,
  { id, ...fields }: Omit<StoredMessage, 'room' | 'seq' | 'rev'>,
  digest: string,
  changes: Change[],
): StoredMessage {
  const message = { id, room: room.id, seq: room.lastSeq + 1, rev: room.head + 1, ...fields };
  insertMessage(work, { message, digest });
  carry(work, message, message.sentAt);
  const sent = withOneMore(work, room, message.sentAt);
  setRoom(work, { ...withMessage(room, message), head: message.rev, sent });
  changes.push({ type: 'message', is: 'new', message });
  rename(work, message.user, changes);
  return message;
}

/**
 * Applies the effects of a new message: shows the author's name in a public room, makes the peer of a direct room a
 * member, records mentions, counts a reply in its thread, and runs the hooks of the subjects.
 * @param room the room before the message
 */
export function tellPosted(work: Work, room: RoomRow, message: StoredMessage, changes: Change[]): void {
  if (room.kind === 'public') actInPublic(work, message.user, changes);
  if (room.pair !== undefined) invitePartner(work, room.id, room.pair, message, changes);
  // After `invitePartner`, which may have made the mentioned user a member.
  tellMentions(message, undefined, changes);
  if (isReply(message)) addReply(work, message, changes);
  for (const { onMessage } of work.subjects.hooks) onMessage?.(work, room, message, changes);
}

const postedFields = [...sentFields, 'thread'] as const;

/**
 * Builds the content of a new message. `sentAt` is needed only for a poll.
 * @param options.free the author writes as a moderator or as the PHP application
 * @param options.reserved IDs of files reserved for the message while it was pending approval
 */
export function contentOf(
  work: Work,
  room: RoomRow,
  input: Pick<NewMessage, 'room' | 'user'> & Partial<Pick<NewMessage, 'sentAt'>> & NewContent,
  { free, reserved = [] }: { free: boolean; reserved?: readonly string[] },
): Content {
  const { replyTo, preview, poll, sentAt = 0 } = input;
  if (poll?.until !== undefined && poll.until <= sentAt) refuse('bad_request', 'poll.until is in the past');
  const thread = replyTo === undefined ? undefined : threadOf(work, room, replyTo);
  const files = filesOf(work, input, { chosen: input.files ?? [], reserved });
  const mentions = mentionsFor(work, room, input.mentions, free);
  const content = {
    ...input,
    // A direct room has no members who could miss the thread. Guests do not follow threads, so that a guest would not get
    // the answer to a question by mail.
    threadOnly: isConversation(room) ? undefined : input.threadOnly,
    thread,
    files,
    mentions,
    preview: preview === undefined || !showsPreviews(room) ? undefined : { url: preview },
  };
  return pickSet(content, postedFields);
}

export const waitingFields = fieldsIn('waiting');

/**
 * Builds the content of a new message that is scheduled or pending approval. Mentions stay as they were sent.
 * @param reserved see `contentOf`
 * @throws RequestError `forbidden` for a field that such a message cannot have; others as in `contentOf`
 */
export function waitingContentOf(
  work: Work,
  room: RoomRow,
  input: NewMessage,
  reserved: readonly string[] = [],
): WaitingContent {
  const field = refusedWaiting.find((name) => input[name] !== undefined);
  if (field !== undefined)
    refuse('forbidden', `the ${field} would need approval: write a message without it instead`);
  const { files, preview } = contentOf(work, room, input, { free: false, reserved });
  return pickSet({ ...input, files, preview } as WaitingContent, waitingFields);
}

/** Returns the content to send, or the edit to apply, of a message that was scheduled or pending approval. */
export const toNewContent = ({ files, preview, ...content }: WaitingContent): NewContent => ({
  ...content,
  files: files?.map(({ id, alt }) => ({ id, alt })),
  preview: preview?.url,
});

/**
 * A message may be this much older than the author's previous one, because messages can overtake each other and the
 * clocks of servers differ.
 */
const maxClockSkewMs = 10_000;

/**
 * Checks the delay between two messages in slow mode. It uses the time that this server measured since the last
 * message, or else the stored wall-clock time. If the clock was set back by more than `maxClockSkewMs`, the author may
 * write.
 * @throws RequestError `rate_limited`
 */
export function checkPause(
  { settings: { slow } }: RoomRow,
  member: MemberRecord | undefined,
  { sentAt, lastOwn }: Pick<NewMessage, 'sentAt'> & Pick<Sending, 'lastOwn'>,
): void {
  if (slow === undefined || member?.wroteAt === undefined) return;
  const elapsedMs = lastOwn?.sentAt === member.wroteAt ? lastOwn.ms : sentAt - member.wroteAt;
  const waitMs = slow * 1000 - Math.max(elapsedMs, 0);
  if (elapsedMs < -maxClockSkewMs || waitMs <= 0) return;
  throw new RequestError('rate_limited', 'the room is in slow mode', { retryAfterMs: Math.ceil(waitMs) });
}

/** Checks that the member is not muted. @throws RequestError `muted` */
export function checkMuted(member: MemberRecord | undefined, at: number): void {
  const muted = member?.restricted?.muted;
  const waitMs = muted === undefined ? 0 : leftOf(muted, at);
  if (waitMs > 0) throw new RequestError('muted', undefined, { retryAfterMs: waitMs });
}

export const sameClientId = 'this clientId was already used for another message in this room';

/**
 * Returns the stored message of the same `clientId`, or null.
 * @throws RequestError `conflict` if its original content was different
 */
export function repeatOf(
  work: Work,
  input: Pick<NewMessage, 'room' | 'user' | 'clientId'> & Pick<Sending, 'waited'>,
  fingerprint: string,
): StoredMessage | null {
  const { room, user, clientId } = input;
  const stored = getMessageByClientId(work, room, user.id, clientId);
  if (stored === undefined) return null;
  if (stored.digest !== digestOf(work, input, fingerprint)) {
    refuse('conflict', sameClientId);
  }
  return stored.message;
}

/** Returns the digest to store with a message, so that a repeat of its request finds it even after an edit. */
export const digestOf = (work: Work, { waited }: Pick<Sending, 'waited'>, fingerprint: string): string =>
  waited?.digest ?? work.digest(fingerprint);

const repeatedFields = fieldsWith('repeats', true);

/**
 * Returns a fingerprint of the content, the same for duplicates of a request. It includes mentions that `mentionsFor`
 * drops, because it may accept them when the request is repeated.
 */
export const saidBy = (message: NewContent): string => JSON.stringify(pickSet(message, repeatedFields));

/**
 * Returns the files to store in a message. The message may keep its own files, and attach files that its author
 * uploaded into this room and that no message has ever had.
 * @param options.seq the message, if it exists already
 * @param options.reserved IDs of files reserved for this message while it is pending approval
 * @throws RequestError `unknown_file`
 */
export function filesOf(
  work: Work,
  { room, user }: Pick<StoredMessage, 'room' | 'user'>,
  {
    chosen,
    seq,
    reserved = [],
  }: { chosen: readonly ChosenFile[]; seq?: number; reserved?: readonly string[] },
): MessageFile[] {
  return chosen.map(({ id, alt }) => {
    const file = getFile(work, room, id);
    if (file === undefined || file.user !== user.id || file.about.isPicture) refuse('unknown_file');
    const isOwn = file.seq !== undefined && file.seq === seq && file.state !== 'dropped';
    if (!isOwn && (file.state !== 'loose' || file.seq !== undefined)) refuse('unknown_file');
    if (isReserved(file) && !reserved.includes(id)) refuse('unknown_file');
    return { ...file.about, ...(alt ? { alt } : {}) };
  });
}

/** Attaches the files to the message. */
export function carry(work: Work, { room, seq, files = [] }: StoredMessage, at: number): void {
  for (const { id } of files) {
    const file = getFile(work, room, id);
    if (file !== undefined && file.state !== 'carried') {
      setFile(work, { ...file, state: 'carried', seq, at });
    }
  }
}

/** Makes the peer of a direct room a member when the first message arrives. The message stays unread for the peer. */
function invitePartner(
  work: Work,
  id: string,
  pair: readonly [string, string],
  message: StoredMessage,
  changes: Change[],
): void {
  const peer = pair[0] === message.user.id ? pair[1] : pair[0];
  if (isMember(getMember(work, id, peer))) return;
  const user = { id: peer, name: named(work, peer).name };
  const readSeq = message.seq - 1;
  const at = message.sentAt;
  add(
    work,
    requireRoom(work, id),
    user,
    { source: 'people', role: 'member', acted: acted.never, readSeq, at },
    changes,
  );
}

export const filesNamed = (files: readonly { id: string }[] = []): Need[] =>
  files.map(({ id }) => fileNeed(id));

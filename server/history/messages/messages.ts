import { randomBytes } from 'node:crypto';
import { isBlank } from '../../text/blank.ts';
import { type FieldsWith, fieldsWith, isSet, pick } from '../../wire/content.ts';
import { RequestError } from '../../wire/errors.ts';
import type { ChosenFile, MessageFile, User } from '../../wire/events.ts';
import { tellAct } from '../audit.ts';
import { type Rule, refuse } from '../engine/rule.ts';
import { subject } from '../engine/subject.ts';
import { type Need, rows, type Work } from '../engine/work.ts';
import { isModerator } from '../members/membership.ts';
import type { Change } from '../records/changes.ts';
import {
  fixedBecause,
  type NewMessage,
  type StoredMessage,
  sameMentions,
  toTombstone,
} from '../records/message.ts';
import { isReadable, type RoomRow, withDeleted } from '../records/room.ts';
import { getFile, insertFile, release } from '../rows/files.ts';
import { getMember, memberNeed } from '../rows/members.ts';
import { messageNeed, storeMessages, textRevOf, updateMessage } from '../rows/messages.ts';
import { discardEdit, filesOfEdit, pendingMessages } from '../rows/pending.ts';
import { messageIn, requireRoom, requireRoomOf } from '../rows/room-changes.ts';
import { getRoom, setRoom } from '../rows/rooms.ts';
import { isReply, keepConcerned, removeReply } from '../threads/threads.ts';
import { isBlocked } from '../users/blocks.ts';
import { mentionsFor, mentionsNamed, tellMentions } from './mentions.ts';
import { type MessageReads, messageReads } from './pages.ts';
import {
  type Content,
  carry,
  checkMuted,
  contentOf,
  filesNamed,
  filesOf,
  post,
  postNeeds,
  type Sending,
  saidBy,
  sendNeeds,
} from './posting.ts';
import { changedPreview, releasePicture } from './previews.ts';

/** A request to copy the message `from` into `room`. */
interface NewForward {
  room: string;
  from: { room: string; seq: number };
  /**
   * Set if the user may not read the source room. It is not read, so that the response time does not show whether it
   * exists.
   */
  hidden?: true;
  /** The source as the caller checked it. If what is copied differs now, the request fails. */
  checked?: Pick<StoredMessage, FieldsWith<'forward', 'copied'>>;
  clientId: string;
  user: User;
  sentAt: number;
}

/** The content of an edit. Absent fields stay, except that `preview`, the URL of the page, follows from the text. */
export type EditedContent = Pick<NewMessage, FieldsWith<'edit', 'replaced'> | 'preview'>;

export interface MessageWrites {
  /**
   * Stores a message and moves the sender's read marker to it. If the user already used the `clientId` in this room, it
   * only returns the stored message in its current state.
   *
   * Drops mentions of users who may not read the room, and @all unless a moderator sends the message. In a public room,
   * mentions of banned users are dropped only if a moderator sends the message. Otherwise the sender would learn of the
   * ban.
   *
   * Codes: `unknown_room` (also for users who are not members), `conflict` (same `clientId`, other text, replyTo, files
   * or mentions), `forbidden` (only moderators may write there, the peer of a direct room blocked the sender, or was
   * erased), `muted`, `unknown_message` (`replyTo` does not exist), `unknown_file` (not an unattached file of this user
   * in this room), `rate_limited` (slow mode).
   */
  send: { in: NewMessage & Sending; out: { message: StoredMessage; repeated: boolean } };
  /**
   * Sends a copy of another message, as `send` does. Codes: as for `send`, `unknown_message`
   * (the source is deleted, or the sender may not read it), `forbidden` (the source differs from `checked`).
   */
  forward: { in: NewForward & Sending; out: MessageWrites['send']['out'] };
  /**
   * Edits a message. Without `files`, the files stay. Without `mentions`, a changed text has no mentions, and an
   * unchanged text keeps its mentions.
   *
   * Codes: `unknown_room` (not a member), `muted`, `unknown_message` (missing or deleted), `forbidden` (the user is not
   * the author, or may not write there now; the message is a forwarded copy), `conflict` (the text changed after `rev`;
   * the error contains the current message), `unknown_file` (neither a file of this message nor one to attach),
   * `bad_request` (the message would be empty).
   */
  edit: {
    in: EditedContent & {
      room: string;
      seq: number;
      user: string;
      siteModerator?: boolean;
      rev?: number;
      at: number;
    };
    out: { message: StoredMessage };
  };
  /**
   * Replaces a message with a tombstone, drops its files, and discards a pending edit. Codes: `unknown_room` (not a
   * member), `unknown_message`, `forbidden` (the user is neither the author nor, with `moderator`, a moderator now).
   * @param in.id the expected message ID. In a room that was created again under the ID of a deleted room, the message
   *   at `seq` has another ID and counts as unknown.
   * @param in.moderator the user acts as a moderator
   * @param in.siteModerator see `Sending`
   * @param in.anywhere the user has the right in all rooms, and need not be a member
   */
  delete: {
    in: {
      room: string;
      seq: number;
      id?: string;
      user: string;
      moderator: boolean;
      siteModerator?: boolean;
      anywhere?: true;
      reason?: string;
      at: number;
    };
    out: { message: StoredMessage; changed: boolean };
  };
}

const send: Rule<MessageWrites['send']> = {
  adds: true,
  needs: sendNeeds,
  run: (work, input, changes) =>
    post(work, input, saidBy(input), changes, (room, asModerator) =>
      contentOf(work, room, input, { free: asModerator }),
    ),
};

const forward: Rule<MessageWrites['forward']> = {
  adds: true,
  needs: (input) => [...postNeeds(input), ...(input.hidden ? [] : originNeeds(input))],
  run: (work, input, changes) =>
    post(work, input, JSON.stringify(['forward', input.from.room, input.from.seq]), changes, () =>
      buildForwardedContent(work, input),
    ),
};

const copiedFields = fieldsWith('forward', 'copied');

const originNeeds = ({ from, user }: NewForward): Need[] => [
  messageNeed(from.room, from.seq),
  memberNeed(from.room, user.id),
];

/**
 * Builds the content of a forwarded copy. Files are copied by reference. The transaction locks the source room and its
 * files, so the bytes cannot be deleted before it commits.
 * @throws RequestError `unknown_message` if the user may not read the source, `forbidden` if it differs from `checked`
 */
function buildForwardedContent(
  work: Work,
  { room, from, hidden, checked, user, sentAt }: NewForward,
): Content {
  if (hidden) refuse('unknown_message');
  const sourceRoom = getRoom(work, from.room);
  if (sourceRoom === undefined) refuse('unknown_message');
  const canRead = isReadable(sourceRoom, getMember(work, from.room, user.id));
  const source = canRead ? messageIn(work, sourceRoom, from.seq) : undefined;
  if (source === undefined || source.deletedAt !== undefined) refuse('unknown_message');
  const files = (source.files ?? []).flatMap((attachment): MessageFile[] => {
    const file = getFile(work, from.room, attachment.id);
    // An erasure of the uploader can drop the file before it updates the message.
    if (file?.state !== 'carried') return [];
    const copy = { ...attachment, id: randomBytes(16).toString('hex') };
    insertFile(work, room, {
      id: copy.id,
      user: user.id,
      state: 'loose',
      at: sentAt,
      about: copy,
      stored: file.stored,
    });
    return [copy];
  });
  if (isBlank(source.text) && files.length === 0) refuse('unknown_message');
  const copied = pick(source, copiedFields);
  if (checked !== undefined && !isSame(pick(checked, copiedFields), copied))
    refuse('forbidden', 'the message was edited after you read it');
  const showsAuthor = sourceRoom.kind === 'public';
  const author = { id: source.user.id, name: showsAuthor ? source.user.name : '' };
  return {
    ...copied,
    files: files.length === 0 ? undefined : files,
    forwarded: source.forwarded ?? { user: author, shown: showsAuthor },
  };
}

const isSame = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

type EditInput = MessageWrites['edit']['in'];

export const editNeeds = ({ room, seq, user, files, mentions }: EditInput): Need[] => [
  memberNeed(room, user),
  messageNeed(room, seq),
  rows(pendingMessages, { room, seq }),
  ...filesNamed(files),
  ...mentionsNamed(room, mentions),
];

export const edit: Rule<MessageWrites['edit']> = {
  adds: true,
  needs: editNeeds,
  run(work, input, changes) {
    const { room, before, free } = mayEdit(work, input);
    const content = editedTo(work, room, before, input, { free, reserved: filesOfEdit(work, before) });
    discardEdit(work, before, input.at, changes);
    return {
      message:
        content === null ? before : storeEdit(work, room, before, { ...content, at: input.at }, changes),
    };
  },
};

/**
 * Finds the message and checks that its author may edit it now.
 * @returns `free`: the author moderates the room or the site
 * @throws RequestError `unknown_room`, `unknown_message`, `forbidden` or `muted`
 */
export function mayEdit(
  work: Work,
  {
    room: id,
    seq,
    user,
    at,
    siteModerator,
  }: Pick<EditInput, 'room' | 'seq' | 'user' | 'at' | 'siteModerator'>,
): { room: RoomRow; before: StoredMessage; free: boolean } {
  const room = requireRoomOf(work, id, user);
  const member = getMember(work, id, user);
  const free = isModerator(member, siteModerator);
  if (room.settings.write === 'moderators' && !free) refuse('forbidden');
  if (isBlocked(work, room, user)) refuse('forbidden');
  checkMuted(member, at);
  const before = messageIn(work, room, seq);
  if (before === undefined || before.deletedAt !== undefined) refuse('unknown_message');
  if (before.user.id !== user) refuse('forbidden');
  const fixed = fixedBecause(before);
  if (fixed !== undefined) refuse('forbidden', fixed);
  return { room, before, free };
}

/** The fields that an edit sets as they are sent. `editedTo` checks the files and the mentions. */
type PlainField = Exclude<FieldsWith<'edit', 'replaced'>, 'files' | 'mentions'>;

const plainFields = fieldsWith('edit', 'replaced').filter(
  (field): field is PlainField => field !== 'files' && field !== 'mentions',
);

/** Returns the plain fields after an edit: the new or the former values. */
export function plainAfter(
  before: Pick<StoredMessage, PlainField>,
  edit: Partial<Pick<NewMessage, PlainField>>,
): Pick<StoredMessage, PlainField> {
  const after = { ...before, ...pick(edit, plainFields) };
  return Object.fromEntries(
    plainFields.map((field) => [field, isSet(after[field]) ? after[field] : undefined]),
  ) as unknown as Pick<StoredMessage, PlainField>;
}

/**
 * Computes the content after the edit.
 * @param options.free the author edits as a moderator
 * @param options.reserved IDs of files reserved for this edit, or for the pending edit that it replaces
 * @returns null for a no-op edit
 * @throws RequestError `conflict` if the text changed after `input.rev`, `unknown_file` or `bad_request`
 */
export function editedTo(
  work: Work,
  room: RoomRow,
  before: StoredMessage,
  input: EditedContent & Pick<EditInput, 'rev'>,
  { free, reserved = [] }: { free: boolean; reserved?: readonly string[] },
): Pick<StoredMessage, keyof EditedContent> | null {
  const { text, files: chosen, rev } = input;
  const plain = plainAfter(before, input);
  const { files: filesBefore = [], seq } = before;
  const mentions =
    input.mentions === undefined && before.text === text
      ? (before.mentions ?? [])
      : mentionsFor(work, room, input.mentions, free);
  const hasSameFiles = chosen === undefined || areSameFiles(chosen, filesBefore);
  const hasSamePlain = isSame(pick(plain, plainFields), pick(before, plainFields));
  if (hasSamePlain && hasSameFiles && sameMentions(mentions, before.mentions)) return null;
  const files = chosen === undefined ? filesBefore : filesOf(work, before, { chosen, seq, reserved });
  // Reactions and previews also raise `rev`, but do not conflict with an edit.
  if (rev !== undefined && rev < before.rev && rev < textRevOf(work, before)) {
    throw new RequestError('conflict', 'the message was edited after you read it', { current: before });
  }
  if (isBlank(text) && files.length === 0) refuse('bad_request', 'text is blank');
  const preview = changedPreview(room, before, input);
  return {
    ...plain,
    files: files.length === 0 ? undefined : files,
    mentions: mentions.length === 0 ? undefined : mentions,
    preview,
  };
}

/**
 * Stores an edit of a message, and attaches and detaches files.
 * @param edit the result of `editedTo`, and the time of the edit
 */
export function storeEdit(
  work: Work,
  room: RoomRow,
  before: StoredMessage,
  { at, ...content }: NonNullable<ReturnType<typeof editedTo>> & { at: number },
  changes: Change[],
): StoredMessage {
  const { files: filesBefore = [] } = before;
  const message: StoredMessage = { ...before, rev: room.head + 1, editedAt: at, ...content };
  updateMessage(work, message, before);
  if (message.preview !== before.preview) releasePicture(work, before, at);
  const remainingIds = new Set(message.files?.map((file) => file.id));
  for (const file of filesBefore)
    if (!remainingIds.has(file.id)) release(work, message, file.id, { state: 'loose', at });
  carry(work, message, at);
  setRoom(work, { ...room, head: message.rev });
  changes.push({ type: 'message', is: 'changed', message });
  tellMentions(message, before, changes);
  keepConcerned(work, message, before, changes);
  return message;
}

export const deleteMessage: Rule<MessageWrites['delete']> = {
  needs: ({ room, seq, user }) => [
    memberNeed(room, user),
    messageNeed(room, seq),
    rows(pendingMessages, { room, seq }),
  ],
  run(
    work,
    { room: id, seq, id: expectedId, user, moderator, siteModerator, anywhere, reason, at },
    changes,
  ) {
    const room = anywhere ? requireRoom(work, id) : requireRoomOf(work, id, user);
    const before = messageIn(work, room, seq);
    if (before === undefined || (expectedId !== undefined && before.id !== expectedId))
      refuse('unknown_message');
    const isAuthor = before.user.id === user;
    const mayModerate = moderator && (anywhere || isModerator(getMember(work, id, user), siteModerator));
    if (!isAuthor && !mayModerate) refuse('forbidden');
    if (before.deletedAt !== undefined) return { message: before, changed: false };
    const { files = [] } = before;
    const content = toTombstone(before, at, isAuthor ? 'author' : 'moderator');
    const tombstone: StoredMessage = { ...content, rev: room.head + 1 };
    updateMessage(work, tombstone, before);
    for (const file of files) release(work, tombstone, file.id, { state: 'dropped', at });
    releasePicture(work, before, at);
    discardEdit(work, before, at, changes);
    setRoom(work, { ...withDeleted(room, [tombstone]), head: tombstone.rev });
    changes.push({ type: 'message', is: 'changed', message: tombstone });
    tellMentions(tombstone, before, changes);
    if (isReply(before)) removeReply(work, tombstone, before, changes);
    const author = before.user.id;
    if (!isAuthor) tellAct(changes, { kind: 'message_deleted', by: user, user: author, room, seq, reason });
    return { message: tombstone, changed: true };
  },
};

function areSameFiles(chosen: readonly ChosenFile[], stored: readonly MessageFile[]): boolean {
  return (
    chosen.length === stored.length &&
    chosen.every(({ id, alt }, n) => id === stored[n]?.id && (alt || undefined) === stored[n]?.alt)
  );
}

export const messageSubject = subject<MessageWrites, MessageReads>({
  rules: { send, forward, edit, delete: deleteMessage },
  reads: messageReads,
  stores: [storeMessages],
});

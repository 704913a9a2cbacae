import { randomBytes } from 'node:crypto';
import { isBlank } from '../../wire/blank.ts';
import { RequestError } from '../../wire/errors.ts';
import type { ChosenFile, MessageFile, User } from '../../wire/events.ts';
import type { Change } from '../changes.ts';
import { type Rule, refuse } from '../engine/rule.ts';
import { type Need, rows, type Work } from '../engine/work.ts';
import { getFile, insertFile, release } from '../files/loaded.ts';
import { getMember, memberNeed } from '../members/loaded.ts';
import { isModerator } from '../members/membership.ts';
import { tellAct } from '../moderation/acts.ts';
import { discardEdit, filesOfEdit, held } from '../moderation/waiting.ts';
import { isBlocked } from '../people/blocks.ts';
import { getRoom, setRoom } from '../rooms/loaded.ts';
import { isReadable, type RoomRow } from '../rooms/room.ts';
import { messageIn, requireRoom, requireRoomOf } from '../rooms/room-changes.ts';
import { isReply, keepConcerned, removeReply } from '../threads/threads.ts';
import { messageNeed, textRevOf, updateMessage } from './loaded.ts';
import { mentionsFor, mentionsNamed, tellMentions } from './mentions.ts';
import { type NewMention, type NewMessage, type StoredMessage, sameMentions } from './message.ts';
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

/**
 * A message of `room` that is to be a copy of another one. `checked`: it is refused if that one says something else meanwhile.
 * `hidden`: the user may not read the room of that one, so it is not looked at: no time shows whether it is there.
 */
interface NewForward {
  room: string;
  from: { room: string; seq: number };
  hidden?: true;
  checked?: Pick<StoredMessage, 'text' | 'files'>;
  clientId: string;
  user: User;
  sentAt: number;
}

export interface MessageWrites {
  /**
   * Stores a message; marks the room as read up to it for the sender. A `clientId` that this user has used in this
   * room before stores nothing and gives the stored message as it is now.
   * Mentions of users who may not read the room are left out, and of everybody
   * unless a moderator sends it. Of users who are banned from a public room they stay, unless a moderator sends it.
   * Codes: `unknown_room` (also for users who are not members), `conflict` (same clientId, other text, replyTo, files
   * or mentions),
   * `forbidden` (moderators alone write there, or the other one of a direct room has blocked the sender), `muted`,
   * `unknown_message` (replyTo names none), `unknown_file` (no loose one of this user and room),
   * `rate_limited` (slow mode).
   */
  send: { in: NewMessage & Sending; out: { message: StoredMessage; repeated: boolean } };
  /**
   * Sends a copy of the text and the files of another message, as `send` does. Codes: those of `send`, and
   * `unknown_message` (deleted, or the sender may not read it).
   */
  forward: { in: NewForward & Sending; out: MessageWrites['send']['out'] };
  /**
   * `files`: those that it carries from now on; absent for no change. Without `mentions`, another text mentions nobody, and
   * the same text those whom it did. Codes: `muted`, `unknown_message` (none, or deleted),
   * `forbidden` (another's), `conflict` (changed after `rev`; the error carries the message as it is now), `unknown_file`
   * (neither one of this message nor one that it may carry), `bad_request` (nothing would be left).
   */
  edit: {
    in: {
      room: string;
      seq: number;
      user: string;
      text: string;
      files?: readonly ChosenFile[];
      mentions?: readonly NewMention[];
      preview?: string;
      siteModerator?: boolean;
      rev?: number;
      at: number;
    };
    out: { message: StoredMessage };
  };
  /**
   * Its files are dropped, and an edit of it that waits is discarded. `anywhere`: also for one who is no member, and has the
   * right. Codes: `unknown_room` (no member), `unknown_message`, `forbidden` (another's, without `moderator`, or of somebody
   * who is no moderator there any more).
   * @param in.id if it is given, a message with another id is unknown: that of another room, made again under the same id
   * @param in.siteModerator see `Sending`
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

export const send: Rule<MessageWrites['send']> = {
  adds: true,
  needs: sendNeeds,
  run: (work, input, changes) =>
    post(work, input, saidBy(input), changes, (room, free) => contentOf(work, room, input, { free })),
};

export const forward: Rule<MessageWrites['forward']> = {
  adds: true,
  needs: (input) => [...postNeeds(input), ...(input.hidden ? [] : originNeeds(input))],
  run: (work, input, changes) =>
    post(work, input, JSON.stringify(['forward', input.from.room, input.from.seq]), changes, () =>
      copyOf(work, input),
    ),
};

const originNeeds = ({ from, user }: NewForward): Need[] => [
  messageNeed(from.room, from.seq),
  memberNeed(from.room, user.id),
];

/**
 * The copy of a message that the user may read now. The room of the original is locked, so the bytes of its files are
 * still there. @throws RequestError `unknown_message`
 */
function copyOf(work: Work, { room, from, hidden, checked, user, sentAt }: NewForward): Content {
  if (hidden) refuse('unknown_message');
  const origin = getRoom(work, from.room);
  if (origin === undefined) refuse('unknown_message');
  const isShown = isReadable(origin, getMember(work, from.room, user.id));
  const message = isShown ? messageIn(work, origin, from.seq) : undefined;
  if (message === undefined || message.deletedAt !== undefined) refuse('unknown_message');
  const files = (message.files ?? []).flatMap((about): MessageFile[] => {
    const file = getFile(work, from.room, about.id);
    // Another stage of the erasure of its uploader may have dropped it.
    if (file?.state !== 'carried') return [];
    const copy = { ...about, id: randomBytes(16).toString('hex') };
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
  if (isBlank(message.text) && files.length === 0) refuse('unknown_message');
  if (checked !== undefined && !saysTheSame(checked, message))
    refuse('forbidden', 'the message was edited meanwhile');
  const shown = origin.kind === 'public';
  const author = { id: message.user.id, name: shown ? message.user.name : '' };
  return {
    text: message.text,
    ...(files.length === 0 ? {} : { files }),
    forwarded: message.forwarded ?? { user: author, shown },
  };
}

const saysTheSame = (one: Pick<StoredMessage, 'text' | 'files'>, other: StoredMessage): boolean =>
  one.text === other.text && isSame(one.files ?? [], other.files ?? []);

type Edit = MessageWrites['edit']['in'];

export const editNeeds = ({ room, seq, user, files, mentions }: Edit): Need[] => [
  memberNeed(room, user),
  messageNeed(room, seq),
  rows(held, { room, seq }),
  ...filesNamed(files),
  ...mentionsNamed(room, mentions),
];

export const edit: Rule<MessageWrites['edit']> = {
  adds: true,
  needs: editNeeds,
  run(work, input, changes) {
    const { room, before, free } = mayEdit(work, input);
    const to = editedTo(work, room, before, input, { free, held: filesOfEdit(work, before) });
    discardEdit(work, before, input.at, changes);
    return {
      message: to === null ? before : storeEdit(work, room, before, { ...to, at: input.at }, changes),
    };
  },
};

/**
 * The message that its author may edit now.
 * @returns `free`: as a moderator
 */
export function mayEdit(
  work: Work,
  { room: id, seq, user, at, siteModerator }: Pick<Edit, 'room' | 'seq' | 'user' | 'at' | 'siteModerator'>,
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
  if (before.forwarded !== undefined) refuse('forbidden', 'a forwarded message cannot be edited');
  return { room, before, free };
}

/**
 * The message as the edit makes it; null for no change.
 * @param how.free as a moderator
 * @param how.held the files that have waited with it, or with the edit that it replaces
 */
export function editedTo(
  work: Work,
  room: RoomRow,
  before: StoredMessage,
  input: Pick<Edit, 'text' | 'files' | 'mentions' | 'preview' | 'rev'>,
  { free, held = [] }: { free: boolean; held?: readonly string[] },
): Pick<StoredMessage, 'text' | 'files' | 'mentions' | 'preview'> | null {
  const { text, files: chosen, rev } = input;
  const { files: carried = [], seq } = before;
  const mentions =
    input.mentions === undefined && before.text === text
      ? (before.mentions ?? [])
      : mentionsFor(work, room, input.mentions, free);
  const isSameFiles = chosen === undefined || isSame(chosen, carried);
  if (before.text === text && isSameFiles && sameMentions(mentions, before.mentions)) return null;
  const files = chosen === undefined ? carried : filesOf(work, before, { chosen, seq, held });
  if (rev !== undefined && rev < before.rev && rev < textRevOf(work, before)) {
    throw new RequestError('conflict', 'the message was edited meanwhile', { current: before });
  }
  if (isBlank(text) && files.length === 0) refuse('bad_request', 'text is blank');
  const preview = changedPreview(room, before, input);
  return {
    text,
    ...(files.length === 0 ? {} : { files }),
    ...(mentions.length === 0 ? {} : { mentions }),
    ...(preview === undefined ? {} : { preview }),
  };
}

/** @param to by `editedTo` */
export function storeEdit(
  work: Work,
  room: RoomRow,
  before: StoredMessage,
  { at, ...to }: NonNullable<ReturnType<typeof editedTo>> & { at: number },
  changes: Change[],
): StoredMessage {
  const { files: carried = [], mentions: _, preview: shown, ...rest } = before;
  const message: StoredMessage = { ...rest, rev: room.head + 1, editedAt: at, ...to };
  updateMessage(work, message, before);
  if (message.preview !== shown) releasePicture(work, before, at);
  const kept = new Set(message.files?.map((file) => file.id));
  for (const file of carried) if (!kept.has(file.id)) release(work, message, file.id, { state: 'loose', at });
  carry(work, message, at);
  setRoom(work, { ...room, head: message.rev });
  changes.push({ type: 'message', is: 'changed', message });
  tellMentions(message, before, changes);
  keepConcerned(work, message, before, changes);
  return message;
}

export const deleteMessage: Rule<MessageWrites['delete']> = {
  needs: ({ room, seq, user }) => [memberNeed(room, user), messageNeed(room, seq), rows(held, { room, seq })],
  run(work, { room: id, seq, id: is, user, moderator, siteModerator, anywhere, reason, at }, changes) {
    const room = anywhere ? requireRoom(work, id) : requireRoomOf(work, id, user);
    const before = messageIn(work, room, seq);
    if (before === undefined || (is !== undefined && before.id !== is)) refuse('unknown_message');
    const own = before.user.id === user;
    const mayModerate = moderator && (anywhere || isModerator(getMember(work, id, user), siteModerator));
    if (!own && !mayModerate) refuse('forbidden');
    if (before.deletedAt !== undefined) return { message: before, changed: false };
    const {
      editedAt: _,
      mentions: _named,
      reactions: _gone,
      preview: _shown,
      forwarded: _from,
      files = [],
      ...kept
    } = before;
    const message: StoredMessage = {
      ...kept,
      text: '',
      rev: room.head + 1,
      deletedAt: at,
      deletedBy: own ? 'author' : 'moderator',
    };
    updateMessage(work, message, before);
    for (const file of files) release(work, message, file.id, { state: 'dropped', at });
    releasePicture(work, before, at);
    discardEdit(work, before, at, changes);
    setRoom(work, { ...room, head: message.rev });
    changes.push({ type: 'message', is: 'changed', message });
    tellMentions(message, before, changes);
    if (isReply(before)) removeReply(work, message, before, changes);
    const author = before.user.id;
    if (!own) tellAct(changes, { kind: 'message_deleted', by: user, user: author, room, seq, reason });
    return { message, changed: true };
  },
};

function isSame(chosen: readonly ChosenFile[], carried: readonly MessageFile[]): boolean {
  return (
    chosen.length === carried.length &&
    chosen.every(({ id, alt }, n) => id === carried[n]?.id && (alt || undefined) === carried[n]?.alt)
  );
}

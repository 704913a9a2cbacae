import { randomBytes } from 'node:crypto';
import { isBlank } from '../../wire/blank.ts';
import { RequestError } from '../../wire/errors.ts';
import type { ChosenFile, MessageFile, MessageReacted, Reaction } from '../../wire/events.ts';
import { type Need, rows, type Work } from '../engine/work.ts';
import { getFile, insertFile } from '../files/loaded.ts';
import {
  type Change,
  isMember,
  isReadable,
  type MessageWrites,
  mostReactions,
  type NewForward,
  namedReactors,
  type StoredMessage,
} from '../history.ts';
import { getMember, memberNeed } from '../members/loaded.ts';
import { getReacted, messageNeed, setReacted, updateMessage } from '../messages/loaded.ts';
import { firstReactors, hasReaction, reactionNeed, setReaction } from '../messages/loaded-reactions.ts';
import { getRoom, setRoom } from '../rooms/loaded.ts';
import { type RoomRow, sameMentions } from '../rows.ts';
import { held } from '../tables.ts';
import {
  type Content,
  carry,
  checkMuted,
  contentOf,
  filesNamed,
  filesOf,
  mentionsFor,
  mentionsNamed,
  post,
  postNeeds,
  saidBy,
  sendNeeds,
} from './posting.ts';
import { changedPreview, releasePicture } from './previews.ts';
import {
  existing,
  existingFor,
  isBlocked,
  isModerator,
  messageIn,
  refuse,
  release,
  tellAct,
  tellMentions,
  textRevOf,
} from './room-changes.ts';
import type { Rule } from './rule.ts';
import { isReply, keepConcerned, removeReply } from './threads.ts';
import { discardEdit, filesOfEdit } from './waiting.ts';
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
  const room = existingFor(work, id, user);
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

const deleteMessage: Rule<MessageWrites['delete']> = {
  needs: ({ room, seq, user }) => [memberNeed(room, user), messageNeed(room, seq), rows(held, { room, seq })],
  run(work, { room: id, seq, id: is, user, moderator, siteModerator, anywhere, reason, at }, changes) {
    const room = anywhere ? existing(work, id) : existingFor(work, id, user);
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

export const react: Rule<MessageWrites['react']> = {
  adds: true,
  needs: ({ room, seq, reactions }) => [
    messageNeed(room, seq),
    ...reactions.flatMap(({ user, emoji }): Need[] => [
      memberNeed(room, user),
      reactionNeed({ room, seq, emoji, user }),
    ]),
  ],
  run(work, { room: id, seq, reactions }, changes) {
    const room = existing(work, id);
    const isRefused = ({ user, on }: (typeof reactions)[number]) => on && isBlocked(work, room, user);
    const before = messageIn(work, room, seq);
    if (before === undefined || before.deletedAt !== undefined) {
      const members = reactions.filter(({ user }) => isMember(getMember(work, id, user)));
      if (members.length === 0) refuse('unknown_room');
      refuse(members.every(isRefused) ? 'forbidden' : 'unknown_message');
    }
    const list = new Map(before.reactions?.map((reaction) => [reaction.emoji, reaction]));
    const reacted = new Map<string, { added: string[]; removed: string[] }>();
    let placed = getReacted(work, id, seq)?.placed ?? 0;
    const last = new Map(reactions.map(({ user, emoji }, n) => [`${emoji} ${user}`, n]));
    const results = reactions.map((reaction, n) => {
      const { user, emoji, on } = reaction;
      if (!isMember(getMember(work, id, user))) return 'unknown_room';
      if (last.get(`${emoji} ${user}`) !== n) return 'same';
      if (hasReaction(work, { room: id, seq, emoji, user }) === on) return 'same';
      if (isRefused(reaction)) return 'forbidden';
      const { count, users }: Omit<Reaction, 'emoji'> = list.get(emoji) ?? { count: 0, users: [] };
      if (count === 0 && list.size === mostReactions) return 'limit_reached';
      const change = reacted.get(emoji) ?? { added: [], removed: [] };
      reacted.set(emoji, change);
      if (on) {
        setReaction(work, { room: id, seq, emoji, user }, ++placed);
        change.added.push(user);
        list.set(emoji, { emoji, count: count + 1, users: [...users, user].slice(0, namedReactors) });
        return 'changed';
      }
      setReaction(work, { room: id, seq, emoji, user }, null);
      change.removed.push(user);
      // Somebody who has not been named so far may take the place.
      const isLong = count > namedReactors && users.includes(user);
      const rest = isLong
        ? firstReactors(work, id, seq, emoji, namedReactors)
        : users.filter((one) => one !== user);
      if (count === 1) list.delete(emoji);
      else list.set(emoji, { emoji, count: count - 1, users: rest });
      return 'changed';
    });
    if (reacted.size === 0) return { message: before, results };
    const { reactions: _, ...kept } = before;
    const rev = room.head + 1;
    const message: StoredMessage = {
      ...kept,
      rev,
      ...(list.size === 0 ? {} : { reactions: [...list.values()] }),
    };
    setReacted(work, message, { rev, textRev: textRevOf(work, before), placed });
    setRoom(work, { ...room, head: rev });
    changes.push({
      type: 'message',
      is: 'changed',
      message,
      reacted: [...reacted].map(([emoji, { added, removed }]): MessageReacted['changes'][number] => ({
        emoji,
        count: list.get(emoji)?.count ?? 0,
        ...(added.length === 0 ? {} : { added }),
        ...(removed.length === 0 ? {} : { removed }),
      })),
    });
    return { message, results };
  },
};

function isSame(chosen: readonly ChosenFile[], carried: readonly MessageFile[]): boolean {
  return (
    chosen.length === carried.length &&
    chosen.every(({ id, alt }, n) => id === carried[n]?.id && (alt || undefined) === carried[n]?.alt)
  );
}

export { deleteMessage as delete };

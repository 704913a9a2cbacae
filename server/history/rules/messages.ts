import { randomBytes, randomUUID } from 'node:crypto';
import { isBlank } from '../../session/blank.ts';
import { RequestError } from '../../wire/errors.ts';
import type { ChosenFile, MessageFile, MessageReacted, Reaction } from '../../wire/events.ts';
import {
  acted,
  type Change,
  everybody,
  isBanned,
  isMember,
  isNamed,
  leftOf,
  type MemberRecord,
  mostReactions,
  type NewForward,
  type NewMention,
  type NewMessage,
  namedReactors,
  type Sending,
  type StoredMention,
  type StoredMessage,
  type Writes,
} from '../history.ts';
import { type RoomRow, sameMentions } from '../rows.ts';
import type { Need, Work } from '../sql/work.ts';
import { changedPreview, releasePicture, showsPreviews } from './previews.ts';
import {
  actInPublic,
  add,
  existing,
  existingFor,
  isBlocked,
  messageIn,
  named,
  peopleIn,
  refuse,
  release,
  rename,
  tellAct,
  tellMentions,
  textRevOf,
} from './room-changes.ts';
import type { Rule } from './rule.ts';
import { addReply, isReply, keepConcerned, removeReply, replyNeeds, threadOf } from './threads.ts';

export const send: Rule<'send'> = {
  needs: (input) => [
    ...postNeeds(input),
    ...replyNeeds(input.room, input.user.id, input.replyTo),
    ...filesNamed(input.files),
    ...mentionsNamed(input.room, input.mentions),
  ],
  run: (work, input, changes) =>
    post(work, input, saidBy(input), changes, (room, free) => {
      const { text, replyTo, preview } = input;
      const thread = replyTo === undefined ? undefined : threadOf(work, room, replyTo);
      const files = filesOf(work, input, { chosen: input.files ?? [] });
      const mentions = mentionsFor(work, room, input.mentions, free);
      return {
        text,
        ...(replyTo === undefined ? {} : { replyTo }),
        ...(thread === undefined ? {} : { thread }),
        ...(files.length === 0 ? {} : { files }),
        ...(mentions.length === 0 ? {} : { mentions }),
        ...(preview === undefined || !showsPreviews(room) ? {} : { preview: { url: preview } }),
      };
    }),
};

export const forward: Rule<'forward'> = {
  needs: (input) => [
    ...postNeeds(input),
    { what: 'message', ...input.from },
    { what: 'member', room: input.from.room, user: input.user.id },
  ],
  run: (work, input, changes) =>
    post(work, input, JSON.stringify(['forward', input.from.room, input.from.seq]), changes, () =>
      copyOf(work, input),
    ),
};

type Content = Pick<
  StoredMessage,
  'text' | 'replyTo' | 'thread' | 'files' | 'mentions' | 'preview' | 'forwarded'
>;

const postNeeds = ({ room, user, clientId }: Pick<NewMessage, 'room' | 'user' | 'clientId'>): Need[] => [
  { what: 'member', room, user: user.id },
  { what: 'clientId', room, user: user.id, clientId },
  { what: 'user', id: user.id },
];

/**
 * A new message.
 * @param said what a repeat has in common with it
 * @param content is called when the author may write there; `free`: as a moderator, or the PHP application
 */
function post(
  work: Work,
  input: Pick<NewMessage, 'room' | 'user' | 'clientId' | 'sentAt'> & Sending,
  said: string,
  changes: Change[],
  content: (room: RoomRow, free: boolean) => Content,
): Writes['send']['out'] {
  const { room: id, user } = input;
  const room = existing(work, id);
  const member = work.member(id, user.id);
  if (input.asMember && !isMember(member)) refuse('unknown_room');
  const repeat = repeatOf(work, input, said);
  if (repeat !== null) return { message: repeat, repeated: true };
  const free = !input.asMember || input.siteModerator === true || isRoomModerator(member);
  if (room.settings.write === 'moderators' && !free) refuse('forbidden');
  if (input.asMember && isBlocked(work, room, user.id)) refuse('forbidden');
  if (room.kind === 'direct' && room.pair === undefined) refuse('forbidden', 'the other user was erased');
  if (input.asMember) checkMuted(member, input.sentAt);
  const { text, ...more } = content(room, free);
  const { slow } = room.settings;
  if (slow !== undefined && !free) checkPause(slow, member, input);
  const message: StoredMessage = {
    id: randomUUID(),
    room: id,
    seq: room.lastSeq + 1,
    rev: room.head + 1,
    clientId: input.clientId,
    user,
    text,
    sentAt: input.sentAt,
    ...more,
  };
  work.insertMessage({ message, digest: work.digest(said) });
  carry(work, message, input.sentAt);
  work.putRoom({ ...room, head: message.rev, lastSeq: message.seq });
  changes.push({ type: 'message', is: 'new', message });
  rename(work, user, changes);
  if (isMember(member)) {
    const { seenSeq, ...rest } = member;
    work.putMember(id, user.id, {
      ...rest,
      readSeq: message.seq,
      acted: acted.written,
      wroteAt: input.sentAt,
    });
    changes.push({ type: 'read', room: id, user: user.id, readSeq: message.seq });
  }
  if (room.kind === 'public') actInPublic(work, user, changes);
  if (room.pair !== undefined) invitePartner(work, room.id, room.pair, message, changes);
  // At the end: this message may have made the mentioned user a member.
  tellMentions(message, undefined, changes);
  if (isReply(message)) addReply(work, message, changes);
  return { message, repeated: false };
}

/**
 * The copy of a message that the user may read now. The room of the original is locked, so the bytes of its files are
 * still there. @throws RequestError `unknown_message`
 */
function copyOf(work: Work, { room, from, user, sentAt }: NewForward): Content {
  const origin = work.room(from.room);
  if (origin === undefined) refuse('unknown_message');
  const member = work.member(from.room, user.id);
  const mayRead = isMember(member) || (origin.kind === 'public' && !isBanned(member));
  const message = mayRead ? messageIn(work, origin, from.seq) : undefined;
  if (message === undefined || message.deletedAt !== undefined) refuse('unknown_message');
  const files = (message.files ?? []).flatMap((about): MessageFile[] => {
    const file = work.file(from.room, about.id);
    // Another stage of the erasure of its uploader may have dropped it.
    if (file?.state !== 'carried') return [];
    const copy = { ...about, id: randomBytes(16).toString('hex') };
    work.insertFile(room, {
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
  const shown = origin.kind === 'public';
  const author = { id: message.user.id, name: shown ? message.user.name : '' };
  return {
    text: message.text,
    ...(files.length === 0 ? {} : { files }),
    forwarded: message.forwarded ?? { user: author, shown },
  };
}

export const edit: Rule<'edit'> = {
  needs: ({ room, seq, user, files, mentions }) => [
    { what: 'member', room, user },
    { what: 'message', room, seq },
    ...filesNamed(files),
    ...mentionsNamed(room, mentions),
  ],
  run(work, input, changes) {
    const { room: id, seq, user, text, files: chosen, rev, at } = input;
    const room = existingFor(work, id, user);
    if (isBlocked(work, room, user)) refuse('forbidden');
    checkMuted(work.member(id, user), at);
    const before = messageIn(work, room, seq);
    if (before === undefined || before.deletedAt !== undefined) refuse('unknown_message');
    if (before.user.id !== user) refuse('forbidden');
    if (before.forwarded !== undefined) refuse('forbidden', 'a forwarded message cannot be edited');
    const { files: carried = [], mentions: _, preview: shown, ...rest } = before;
    const mentions =
      input.mentions === undefined && before.text === text
        ? (before.mentions ?? [])
        : mentionsFor(
            work,
            room,
            input.mentions,
            input.siteModerator || isRoomModerator(work.member(id, user)),
          );
    const isSameFiles = chosen === undefined || isSame(chosen, carried);
    if (before.text === text && isSameFiles && sameMentions(mentions, before.mentions))
      return { message: before };
    const files = chosen === undefined ? carried : filesOf(work, before, { chosen, seq });
    if (rev !== undefined && rev < before.rev && rev < textRevOf(work, before)) {
      throw new RequestError('conflict', 'the message was edited meanwhile', { current: before });
    }
    if (isBlank(text) && files.length === 0) refuse('bad_request', 'text is blank');
    const preview = changedPreview(room, before, input);
    const message: StoredMessage = {
      ...rest,
      text,
      rev: room.head + 1,
      editedAt: at,
      ...(files.length === 0 ? {} : { files }),
      ...(mentions.length === 0 ? {} : { mentions }),
      ...(preview === undefined ? {} : { preview }),
    };
    work.updateMessage(message, before);
    if (preview !== shown) releasePicture(work, before, at);
    const kept = new Set(files.map((file) => file.id));
    for (const file of carried)
      if (!kept.has(file.id)) release(work, message, file.id, { state: 'loose', at });
    carry(work, message, at);
    work.putRoom({ ...room, head: message.rev });
    changes.push({ type: 'message', is: 'changed', message });
    tellMentions(message, before, changes);
    keepConcerned(work, message, before, changes);
    return { message };
  },
};

const deleteMessage: Rule<'delete'> = {
  needs: ({ room, seq, user }) => [
    { what: 'member', room, user },
    { what: 'message', room, seq },
  ],
  run(work, { room: id, seq, user, moderator, anywhere, reason, at }, changes) {
    const room = anywhere ? existing(work, id) : existingFor(work, id, user);
    const before = messageIn(work, room, seq);
    if (before === undefined) refuse('unknown_message');
    const own = before.user.id === user;
    if (!own && !moderator) refuse('forbidden');
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
    work.updateMessage(message, before);
    for (const file of files) release(work, message, file.id, { state: 'dropped', at });
    releasePicture(work, before, at);
    work.putRoom({ ...room, head: message.rev });
    changes.push({ type: 'message', is: 'changed', message });
    tellMentions(message, before, changes);
    if (isReply(before)) removeReply(work, message, before, changes);
    const author = before.user.id;
    if (!own) tellAct(changes, { kind: 'message_deleted', by: user, user: author, room: id, seq, reason });
    return { message, changed: true };
  },
};

export const react: Rule<'react'> = {
  needs: ({ room, seq, reactions }) => [
    { what: 'message', room, seq },
    ...reactions.flatMap(({ user, emoji }): Need[] => [
      { what: 'member', room, user },
      { what: 'reaction', room, seq, emoji, user },
    ]),
  ],
  run(work, { room: id, seq, reactions }, changes) {
    const room = existing(work, id);
    const isRefused = ({ user, on }: (typeof reactions)[number]) => on && isBlocked(work, room, user);
    const before = messageIn(work, room, seq);
    if (before === undefined || before.deletedAt !== undefined) {
      refuse(reactions.every(isRefused) ? 'forbidden' : 'unknown_message');
    }
    const list = new Map(before.reactions?.map((reaction) => [reaction.emoji, reaction]));
    const reacted = new Map<string, { added: string[]; removed: string[] }>();
    let placed = work.reacted(id, seq)?.placed ?? 0;
    const last = new Map(reactions.map(({ user, emoji }, n) => [`${emoji} ${user}`, n]));
    const results = reactions.map((reaction, n) => {
      const { user, emoji, on } = reaction;
      if (!isMember(work.member(id, user))) return 'unknown_room';
      if (last.get(`${emoji} ${user}`) !== n) return 'same';
      if (work.hasReaction(id, seq, emoji, user) === on) return 'same';
      if (isRefused(reaction)) return 'forbidden';
      const { count, users }: Omit<Reaction, 'emoji'> = list.get(emoji) ?? { count: 0, users: [] };
      if (count === 0 && list.size === mostReactions) return 'limit_reached';
      const change = reacted.get(emoji) ?? { added: [], removed: [] };
      reacted.set(emoji, change);
      if (on) {
        work.putReaction(id, seq, emoji, user, ++placed);
        change.added.push(user);
        list.set(emoji, { emoji, count: count + 1, users: [...users, user].slice(0, namedReactors) });
        return 'changed';
      }
      work.putReaction(id, seq, emoji, user, null);
      change.removed.push(user);
      // Somebody who has not been named so far may take the place.
      const isLong = count > namedReactors && users.includes(user);
      const rest = isLong
        ? work.reactors(id, seq, emoji, namedReactors)
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
    work.putReacted(message, { rev, textRev: textRevOf(work, before), placed });
    work.putRoom({ ...room, head: rev });
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

function isRoomModerator(member: MemberRecord | undefined): boolean {
  return isMember(member) && member.role !== 'member';
}

/**
 * In slow mode. The stored time is that of a wall clock, which is the same for all servers and outlives them; where this
 * server has measured how long ago that was, it counts. A clock that was set back locks nobody out.
 * @throws RequestError `rate_limited`
 */
function checkPause(
  slow: number,
  member: MemberRecord | undefined,
  { sentAt, lastOwn }: { sentAt: number } & Sending,
): void {
  if (member?.wroteAt === undefined) return;
  const ago = lastOwn?.sentAt === member.wroteAt ? lastOwn.ms : sentAt - member.wroteAt;
  const wait = slow * 1000 - ago;
  if (ago < 0 || wait <= 0) return;
  throw new RequestError('rate_limited', 'the room is in slow mode', { retryAfterMs: Math.ceil(wait) });
}

/** @throws RequestError `muted` */
function checkMuted(member: MemberRecord | undefined, at: number): void {
  const muted = member?.restricted?.muted;
  const wait = muted === undefined ? 0 : leftOf(muted, at);
  if (wait > 0) throw new RequestError('muted', undefined, { retryAfterMs: wait });
}

/** The stored message of the same clientId, or null. @throws RequestError `conflict` when it says something else */
function repeatOf(
  work: Work,
  { room, user, clientId }: Pick<NewMessage, 'room' | 'user' | 'clientId'>,
  said: string,
): StoredMessage | null {
  const earlier = work.messageByClientId(room, user.id, clientId);
  if (earlier === undefined) return null;
  if (earlier.digest !== work.digest(said)) {
    refuse(
      'conflict',
      'this clientId was already used for another text, reply, files, mentions or forwarded message in this room',
    );
  }
  return earlier.message;
}

/**
 * The contents that a repeat has in common with the stored message. No two messages have the same text: only the
 * second form begins with a bracket.
 */
function saidBy({ text, replyTo, files = [], mentions = [] }: NewMessage): string {
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
function filesOf(
  work: Work,
  { room, user }: Pick<StoredMessage, 'room' | 'user'>,
  { chosen, seq }: { chosen: readonly ChosenFile[]; seq?: number },
): MessageFile[] {
  return chosen.map(({ id, alt }) => {
    const file = work.file(room, id);
    if (file === undefined || file.user !== user.id) refuse('unknown_file');
    const isOwn = file.seq !== undefined && file.seq === seq && file.state !== 'dropped';
    if (!isOwn && (file.state !== 'loose' || file.seq !== undefined)) refuse('unknown_file');
    return { ...file.about, ...(alt ? { alt } : {}) };
  });
}

/** Its files are no other message's from now on. */
function carry(work: Work, { room, seq, files = [] }: StoredMessage, at: number): void {
  for (const { id } of files) {
    const file = work.file(room, id);
    if (file !== undefined && file.state !== 'carried') {
      work.putFile(room, { ...file, state: 'carried', seq, at });
    }
  }
}

function isSame(chosen: readonly ChosenFile[], carried: readonly MessageFile[]): boolean {
  return (
    chosen.length === carried.length &&
    chosen.every(({ id, alt }, n) => id === carried[n]?.id && (alt || undefined) === carried[n]?.alt)
  );
}

/** The mentions that a message gets, with the names of now: those of users who may not read the room are left out. */
function mentionsFor(
  work: Work,
  room: RoomRow,
  mentions: NewMessage['mentions'] = [],
  byModerator = false,
): StoredMention[] {
  return mentions.flatMap(({ user, start, length }): StoredMention[] => {
    if (user === everybody) {
      const may = byModerator && room.kind !== 'direct';
      return may ? [{ user, start, length, name: everybody, shown: true }] : [];
    }
    const member = work.member(room.id, user);
    // Only moderators may learn who is banned from a public room. A banned user gets nothing of it.
    const isHidden = byModerator && isBanned(member);
    const may = room.kind === 'public' ? !isHidden : room.pair?.includes(user) || isMember(member);
    if (!may) return [];
    const known = work.user(user);
    return [{ user, start, length, name: known?.name ?? user, shown: isNamed(known, member) }];
  });
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
  if (isMember(work.member(id, other))) return;
  const partner = { id: other, name: named(work, other).name };
  const readSeq = message.seq - 1;
  const at = message.sentAt;
  add(
    work,
    existing(work, id),
    partner,
    { source: 'people', role: 'member', acted: acted.never, readSeq, at },
    changes,
  );
}

const filesNamed = (files: readonly { id: string }[] = []): Need[] =>
  files.map(({ id }) => ({ what: 'file', id }));

const mentionsNamed = (room: string, mentions: readonly NewMention[] = []): Need[] =>
  peopleIn(
    room,
    mentions.map(({ user }) => user).filter((user) => user !== everybody),
  );

export { deleteMessage as delete };

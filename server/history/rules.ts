import { randomUUID } from 'node:crypto';
import { isBlank } from '../session/blank.ts';
import { RequestError } from '../wire/errors.ts';
import type { ChosenFile, MessageFile, MessageReacted, Reaction, User } from '../wire/events.ts';
import { consume } from './consuming.ts';
import { erase, eraseStep } from './erasing.ts';
import { isBeforeEnd } from './erasure.ts';
import {
  acted,
  type Change,
  deletedUser,
  everybody,
  isMember,
  isNamed,
  leftOf,
  type MemberRecord,
  mostBlocked,
  mostReactions,
  type NewMessage,
  namedReactors,
  otherOf,
  type Restriction,
  type RestrictionKind,
  type RoomRecord,
  restrictionKinds,
  type Sending,
  type StoredMention,
  type StoredMessage,
  sources,
  type UserRecord,
  type Writes,
} from './history.ts';
import {
  byPeople,
  countMembers,
  countReports,
  deleteRoom,
  existing,
  handOver,
  named,
  putMember,
  record,
  refuse,
  setRole,
  tellMentions,
} from './room-changes.ts';
import { type RoomRow, sameMentions } from './rows.ts';
import { nameKey } from './text-keys.ts';
import type { Work } from './work.ts';

type Rule<Op extends keyof Writes> = (
  work: Work,
  input: Writes[Op]['in'],
  changes: Change[],
) => Writes[Op]['out'];

/**
 * The rules of each operation: numbering, repeats, conflicts, memberships. The same for every database. A rule checks
 * everything before it puts anything, so that one that throws has changed nothing.
 */
export const rules: { [Op in keyof Writes]: Rule<Op> } = {
  send(work, input, changes) {
    const { room: id, user } = input;
    const room = existing(work, id);
    const member = work.member(id, user.id);
    if (input.asMember && !isMember(member)) refuse('unknown_room');
    const repeat = repeatOf(work, input);
    if (repeat !== null) return { message: repeat, repeated: true };
    const free = !input.asMember || input.siteModerator === true || isRoomModerator(member);
    if (room.write === 'moderators' && !free) refuse('forbidden');
    if (input.asMember && isBlocked(work, room, user.id)) refuse('forbidden');
    if (room.kind === 'direct' && room.pair === undefined) refuse('forbidden', 'the other user was erased');
    if (input.asMember) checkMuted(member, input.sentAt);
    checkReply(room, input.replyTo);
    const files = filesOf(work, input, { chosen: input.files ?? [] });
    const mentions = mentionsFor(work, room, input.mentions, free);
    if (room.slow !== undefined && !free) checkPause(room.slow, member, input);
    const message: StoredMessage = {
      id: randomUUID(),
      room: id,
      seq: room.lastSeq + 1,
      rev: room.head + 1,
      clientId: input.clientId,
      user,
      text: input.text,
      sentAt: input.sentAt,
      ...(input.replyTo === undefined ? {} : { replyTo: input.replyTo }),
      ...(files.length === 0 ? {} : { files }),
      ...(mentions.length === 0 ? {} : { mentions }),
    };
    work.insertMessage({ message, digest: work.digest(saidBy(input)) });
    carry(work, message, input.sentAt);
    work.putRoom({ ...room, head: message.rev, lastSeq: message.seq });
    changes.push({ type: 'message', is: 'new', message });
    rename(work, user, changes);
    if (isMember(member)) {
      work.putMember(id, user.id, {
        ...member,
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
    return { message, repeated: false };
  },

  edit(work, input, changes) {
    const { room: id, seq, user, text, files: chosen, rev, at } = input;
    const room = existingFor(work, id, user);
    if (isBlocked(work, room, user)) refuse('forbidden');
    checkMuted(work.member(id, user), at);
    const before = messageIn(work, room, seq);
    if (before === undefined || before.deletedAt !== undefined) refuse('unknown_message');
    if (before.user.id !== user) refuse('forbidden');
    const { files: carried = [], mentions: _, ...rest } = before;
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
    const message: StoredMessage = {
      ...rest,
      text,
      rev: room.head + 1,
      editedAt: at,
      ...(files.length === 0 ? {} : { files }),
      ...(mentions.length === 0 ? {} : { mentions }),
    };
    work.updateMessage(message, before);
    const kept = new Set(files.map((file) => file.id));
    for (const file of carried)
      if (!kept.has(file.id)) release(work, message, file.id, { state: 'loose', at });
    carry(work, message, at);
    work.putRoom({ ...room, head: message.rev });
    changes.push({ type: 'message', is: 'changed', message });
    tellMentions(message, before, changes);
    return { message };
  },

  delete(work, { room: id, seq, user, moderator, anywhere, at }, changes) {
    const room = anywhere ? existing(work, id) : existingFor(work, id, user);
    const before = messageIn(work, room, seq);
    if (before === undefined) refuse('unknown_message');
    const own = before.user.id === user;
    if (!own && !moderator) refuse('forbidden');
    if (before.deletedAt !== undefined) return { message: before, changed: false };
    const { editedAt: _, mentions: _named, reactions: _gone, files = [], ...kept } = before;
    const message: StoredMessage = {
      ...kept,
      text: '',
      rev: room.head + 1,
      deletedAt: at,
      deletedBy: own ? 'author' : 'moderator',
    };
    work.updateMessage(message, before);
    for (const file of files) release(work, message, file.id, { state: 'dropped', at });
    work.putRoom({ ...room, head: message.rev });
    changes.push({ type: 'message', is: 'changed', message });
    tellMentions(message, before, changes);
    return { message, changed: true };
  },

  react(work, { room: id, seq, reactions }, changes) {
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

  addFile(work, { room, user, file, at }) {
    existing(work, room);
    const erasure = work.erasureOf(user);
    // The stage that looks for files may just be over: nobody would find this one.
    if (erasure !== undefined && isBeforeEnd(erasure)) refuse('forbidden', 'the user is being erased');
    work.insertFile(room, { id: file.id, user, state: 'loose', at, about: file });
    return {};
  },

  dropFiles(work, { before, most }) {
    const ids = work.doomedFiles(before, most);
    for (const id of ids) work.dropFile(id);
    return { ids };
  },

  forgetFiles(work, { ids }) {
    for (const id of ids) work.forgetFile(id);
    return {};
  },

  publicRooms(work, { rooms, at }, changes) {
    for (const { id, name } of rooms) {
      if (work.room(id) !== undefined) continue;
      newRoom(work, { ...emptyRoom(id, 'public', name, at) }, changes);
    }
    return {};
  },

  createRoom(work, { id, kind, name, topic, by, clientId, most, at }, changes) {
    const repeat = work.roomMadeBy(by.id, clientId);
    if (repeat !== undefined) return { room: record(work, repeat), repeated: true };
    if (kind === 'public') checkName(work, name);
    if (most > 0 && work.countRoomsMadeBy(by.id) >= most) refuse('limit_reached');
    const room = newRoom(
      work,
      { ...emptyRoom(id, kind, name, at), ...(topic ? { topic } : {}), createdBy: by.id, clientId },
      changes,
    );
    rename(work, by, changes);
    if (kind === 'public') actInPublic(work, by, changes);
    add(work, room, by, { source: 'people', role: 'owner', acted: acted.joined, at }, changes);
    return { room: record(work, room), repeated: false };
  },

  putRoom(work, { id, kind, name, topic, at }, changes) {
    const room = work.room(id);
    if (room === undefined) {
      if (kind === 'public') checkName(work, name);
      const made = newRoom(work, { ...emptyRoom(id, kind, name, at), ...(topic ? { topic } : {}) }, changes);
      return { room: record(work, made), created: true };
    }
    if (room.kind !== kind) refuse('conflict', 'the room exists and is of another kind');
    return { room: update(work, room, { name, topic: topic ?? '' }, changes), created: false };
  },

  updateRoom(work, { room: id, access, ...change }, changes) {
    const room = existing(work, id);
    if (isStale(room, access)) return { room: record(work, room), stale: true };
    return { room: update(work, room, change, changes), stale: false };
  },

  deleteRoom(work, { room: id, access }, changes) {
    const room = existing(work, id);
    if (isStale(room, access)) return { stale: true };
    deleteRoom(work, room, changes);
    return { stale: false };
  },

  expire(work, { room: id, firstSeq }, changes) {
    const room = existing(work, id);
    if (firstSeq <= room.firstSeq) return {};
    const { reports = 0, ...rest } = room;
    const first = Math.min(firstSeq, room.lastSeq + 1);
    const left = reports === 0 ? 0 : work.openReports(id, first);
    const now = { ...rest, firstSeq: first, ...(left === 0 ? {} : { reports: left }) };
    work.putRoom(now);
    changes.push({ type: 'room', is: 'changed', room: record(work, now) });
    return {};
  },

  deleteEmptyRooms(work, { before, most }, changes) {
    const rooms = work.emptyRooms(before, most);
    for (const room of rooms) deleteRoom(work, room, changes);
    return { deleted: rooms.length };
  },

  openDirect(work, { id, by, other, at }, changes) {
    const pair = pairOf(by.id, other);
    const known = work.roomOfPair(pair);
    if (other === deletedUser.id || work.hasBlocked(other, by.id)) refuse('forbidden');
    rename(work, by, changes);
    const room =
      known ?? newRoom(work, { ...emptyRoom(id, 'direct', '', at), pair, createdBy: by.id }, changes);
    add(work, room, by, { source: 'people', role: 'member', acted: acted.joined, at }, changes);
    return { room: record(work, room), created: known === undefined };
  },

  addMembers(work, { room: id, users, source, by, mayReturn, most = 0, access, at }, changes) {
    const room = existing(work, id);
    if (isStale(room, access)) return { results: [], stale: true };
    const results = users.map(({ id: user, name }) => {
      if (user === deletedUser.id) return 'forbidden' as const;
      const before = work.member(id, user);
      const hasLeft = before?.left === true;
      if (!isMember(before)) {
        // The code is the same for all of them, so that it does not reveal the cause.
        if (source === 'people' && (hasLeft || isBanned(before))) return 'forbidden' as const;
        if (by !== undefined && work.hasBlocked(user, by)) return 'forbidden' as const;
        if (!mayReturn && work.hasBeenMember(id, user)) return 'forbidden' as const;
        if (most > 0 && existing(work, id).members >= most) return 'limit_reached' as const;
      }
      const known = work.user(user);
      const as = { id: user, name: name ?? known?.name ?? user };
      if (known === undefined || name !== undefined) rename(work, as, changes);
      add(work, room, as, { source, role: 'member', acted: acted.never, at }, changes);
      return null;
    });
    return { results, stale: false };
  },

  join(work, { room: id, user, at }, changes) {
    const room = existing(work, id);
    const before = work.member(id, user.id);
    if (room.kind === 'public' ? isBanned(before) : !isMember(before)) refuse('unknown_room');
    rename(work, user, changes);
    if (room.kind === 'public') actInPublic(work, user, changes);
    add(
      work,
      room,
      user,
      { source: room.kind === 'public' ? 'people' : undefined, role: 'member', acted: acted.joined, at },
      changes,
    );
    return {};
  },

  removeMembers(work, { room: id, users, sources: bits, by, cause, access, at }, changes) {
    const room = existing(work, id);
    if (isStale(room, access)) return { stale: true };
    for (const user of users) take(work, id, user, { bits, by, cause, at }, changes);
    return { stale: false };
  },

  restrict(work, { room: id, user, kind, restriction, access, at }, changes) {
    if (isStale(existing(work, id), access)) return { stale: true };
    restrict(work, id, user, { kind, restriction, at }, changes);
    return { stale: false };
  },

  report(work, { room: id, seq, by, ...report }, changes) {
    const room = existing(work, id);
    const member = work.member(id, by);
    if (room.kind === 'public' ? isBanned(member) : !isMember(member)) refuse('unknown_room');
    if (work.reportOf(id, seq, by) !== undefined) return { repeated: true };
    const found = messageIn(work, room, seq);
    if (found === undefined || found.deletedAt !== undefined) refuse('unknown_message');
    if (found.user.id === by) refuse('forbidden', 'the message is one’s own');
    const { reactions: _, ...message } = found;
    const row = { id: randomUUID(), room: id, seq, by, ...report, message };
    work.putReport(row);
    countReports(work, room, 1);
    changes.push({ type: 'report', room: record(work, room), id: row.id, closed: false });
    return { repeated: false };
  },

  closeReport(work, { room: id, id: report, ...closed }, changes) {
    const room = existing(work, id);
    const known = work.report(report);
    if (known === undefined || known.room !== id || known.seq < room.firstSeq) refuse('unknown_message');
    if (known.closed !== undefined) return {};
    const { message: _, text: _text, ...rest } = known;
    work.putReport({ ...rest, closed });
    countReports(work, room, -1);
    changes.push({ type: 'report', room: record(work, room), id: report, closed: true });
    return {};
  },

  endRestrictions(work, { before, most }, changes) {
    const ended = work.endedRestrictions(before, most);
    for (const { room, user } of ended) {
      const { restricted = {} } = work.member(room, user) ?? {};
      for (const kind of restrictionKinds) {
        const known = restricted[kind];
        if (known === undefined || leftOf(known, before) > 0) continue;
        restrict(work, room, user, { kind, restriction: null, at: before }, changes);
      }
    }
    return { ended: ended.length };
  },

  setRole(work, { room: id, user, role, access }, changes) {
    const room = existing(work, id);
    if (isStale(room, access)) return { stale: true };
    const before = work.member(id, user);
    if (!isMember(before)) refuse('unknown_user');
    if (before.role === role) return { stale: false };
    if (role === 'owner') {
      const owner = work.owner(id);
      if (owner !== undefined) setRole(work, id, owner, 'moderator', changes);
    }
    setRole(work, id, user, role, changes);
    return { stale: false };
  },

  setNotify(work, { room: id, user, notify }, changes) {
    existing(work, id);
    const before = work.member(id, user);
    if (!isMember(before)) refuse('unknown_room');
    if (before.notify === notify) return {};
    putMember(work, { room: id, user, before, now: { ...before, notify }, ...byPeople }, changes);
    return {};
  },

  markRead(work, { room: id, user, seq }, changes) {
    const room = existing(work, id);
    const member = work.member(id, user);
    if (!isMember(member)) refuse('unknown_room');
    if (seq > room.lastSeq) refuse('bad_request', 'seq is beyond the last message');
    if (seq <= member.readSeq) return { readSeq: member.readSeq };
    work.putMember(id, user, { ...member, readSeq: seq });
    changes.push({ type: 'read', room: id, user, readSeq: seq });
    return { readSeq: seq };
  },

  arrive(work, { user, siteRole, rooms, at }, changes) {
    rename(work, user, changes);
    const known = work.user(user.id);
    if (known !== undefined && known.siteRole !== siteRole) {
      const { siteRole: _, ...rest } = known;
      putUser(work, { ...rest, ...(siteRole === undefined ? {} : { siteRole }) }, changes);
    }
    if (rooms === undefined) return {};
    const listed = new Set(rooms.map(({ id }) => id));
    // In one order, whatever the database.
    for (const id of work.sessionRooms(user.id).sort()) {
      const how = { bits: sources.session, by: 'session', cause: 'removed', at } as const;
      if (!listed.has(id)) take(work, id, user.id, how, changes);
    }
    for (const { id, name } of rooms) {
      const room = work.room(id) ?? newRoom(work, emptyRoom(id, 'private', name, at), changes);
      if (room.kind === 'direct') continue;
      add(work, room, user, { source: 'session', role: 'member', acted: acted.never, at }, changes);
    }
    return {};
  },

  setBan(work, { user, ban }, changes) {
    work.putBan(user, ban);
    changes.push({ type: 'ban', user, ban });
    return {};
  },

  block(work, { user, other, blocked, at }, changes) {
    if (work.hasBlocked(user, other) === blocked) return {};
    if (blocked && work.countBlocked(user) >= mostBlocked) refuse('limit_reached');
    work.putBlocked(user, other, blocked ? at : null);
    changes.push({ type: 'blocked', user, other, blocked });
    return {};
  },

  erase,
  eraseStep,

  consume,

  tell(_work, told, changes) {
    changes.push({ type: 'told', ...told });
    return {};
  },
};

/** Both users of a direct room, in the same order whoever opens it. */
export function pairOf(a: string, b: string): readonly [string, string] {
  return a < b ? [a, b] : [b, a];
}

/**
 * The room of a member: somebody who was removed while the request was under way is none. @throws RequestError
 * `unknown_room`
 */
function existingFor(work: Work, id: string, user: string): RoomRow {
  const room = existing(work, id);
  if (!isMember(work.member(id, user))) refuse('unknown_room');
  return room;
}

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

/** A message that is not too old: see `expire`. */
function messageIn(work: Work, room: RoomRow, seq: number): StoredMessage | undefined {
  return seq < room.firstSeq ? undefined : work.message(room.id, seq);
}

/** Whether the other one of a direct room has blocked this user. */
function isBlocked(work: Work, { pair }: RoomRow, user: string): boolean {
  const other = otherOf(pair, user);
  return other !== undefined && work.hasBlocked(other, user);
}

/** @throws RequestError `muted` */
function checkMuted(member: MemberRecord | undefined, at: number): void {
  const muted = member?.restricted?.muted;
  const wait = muted === undefined ? 0 : leftOf(muted, at);
  if (wait > 0) throw new RequestError('muted', undefined, { retryAfterMs: wait });
}

function isBanned(member: MemberRecord | undefined): member is MemberRecord & { held: number } {
  return member?.held !== undefined;
}

function isStale(room: RoomRow, access: number | undefined): boolean {
  return access !== undefined && access !== room.access;
}

/** The stored message of the same clientId, or null. @throws RequestError `conflict` when it says something else */
function repeatOf(work: Work, message: NewMessage): StoredMessage | null {
  const { room, user, clientId } = message;
  const earlier = work.messageByClientId(room, user.id, clientId);
  if (earlier === undefined) return null;
  if (earlier.digest !== work.digest(saidBy(message))) {
    refuse(
      'conflict',
      'this clientId was already used for another text, reply, files or mentions in this room',
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

/** A message carries it no more. */
function release(
  work: Work,
  { room }: StoredMessage,
  id: string,
  now: { state: 'loose' | 'dropped'; at: number },
): void {
  const file = work.file(room, id);
  if (file !== undefined) work.putFile(room, { ...file, ...now });
}

function isSame(chosen: readonly ChosenFile[], carried: readonly MessageFile[]): boolean {
  return (
    chosen.length === carried.length &&
    chosen.every(({ id, alt }, n) => id === carried[n]?.id && (alt || undefined) === carried[n]?.alt)
  );
}

/** The `rev` of the last change that was not one of reactions. */
function textRevOf(work: Work, { room, seq, rev }: StoredMessage): number {
  const reacted = work.reacted(room, seq);
  return reacted?.rev === rev ? reacted.textRev : rev;
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

function checkReply(room: RoomRow, replyTo: number | undefined): void {
  if (replyTo !== undefined && (replyTo > room.lastSeq || replyTo < room.firstSeq)) {
    refuse('unknown_message', 'replyTo names no message of this room');
  }
}

/** @throws RequestError `conflict` when a public room but `except` has that name */
function checkName(work: Work, name: string, except?: string): void {
  const other = work.publicRoomNamed(nameKey(name));
  if (other !== undefined && other !== except) refuse('conflict', 'a public room of that name exists');
}

function emptyRoom(id: string, kind: RoomRow['kind'], name: string, at: number): RoomRow {
  return {
    id,
    kind,
    name,
    head: 0,
    lastSeq: 0,
    firstSeq: 1,
    access: 0,
    members: 0,
    createdAt: at,
    emptySince: at,
  };
}

function newRoom(work: Work, room: RoomRow, changes: Change[]): RoomRow {
  work.putRoom(room);
  changes.push({ type: 'room', is: 'new', room: record(work, room) });
  return room;
}

function update(
  work: Work,
  room: RoomRow,
  change: Pick<Writes['updateRoom']['in'], 'name' | 'topic' | 'write' | 'slow'>,
  changes: Change[],
): RoomRecord {
  const { name = room.name, topic = room.topic, write = room.write, slow = room.slow } = change;
  const { topic: _topic, write: _write, slow: _slow, ...rest } = room;
  const now: RoomRow = {
    ...rest,
    name,
    ...(topic ? { topic } : {}),
    ...(write === 'moderators' ? { write } : {}),
    ...(slow ? { slow } : {}),
  };
  const isSame = (['name', 'topic', 'write', 'slow'] as const).every((field) => now[field] === room[field]);
  if (isSame) return record(work, room);
  if (room.kind === 'public') checkName(work, name, room.id);
  work.putRoom(now);
  const updated = record(work, room);
  changes.push({ type: 'room', is: 'changed', room: updated });
  return updated;
}

/** Keeps the name of a user, who may be new. */
function rename(work: Work, { id, name }: User, changes: Change[]): void {
  const known = work.user(id);
  if (known?.name === name) return;
  putUser(work, { ...known, id, name, actedPublic: known?.actedPublic ?? false }, changes);
}

function actInPublic(work: Work, { id, name }: User, changes: Change[]): void {
  const known = work.user(id);
  if (known?.actedPublic) return;
  putUser(work, { ...known, id, name, actedPublic: true }, changes);
}

function putUser(work: Work, user: UserRecord, changes: Change[]): void {
  work.putUser(user);
  changes.push({ type: 'user', user });
}

/** Adds a source to a membership, which may begin with it. A new member has read everything up to `readSeq`, or all. */
function add(
  work: Work,
  { id }: RoomRow,
  user: User,
  how: {
    source: keyof typeof sources | undefined;
    role: MemberRecord['role'];
    acted: number;
    readSeq?: number;
    at: number;
  },
  changes: Change[],
): void {
  const room = existing(work, id);
  const before = work.member(id, user.id);
  const bits = how.source === undefined ? 0 : sources[how.source];
  const bySite = how.source === 'session' || how.source === 'api';
  // The site has its users know each other where nobody else can read.
  const least = bySite && room.kind !== 'public' ? acted.joined : acted.never;
  const nowActed = Math.max(before?.acted ?? acted.never, how.acted, least);
  if (isBanned(before)) {
    const held = before.held | bits;
    const { left: _, ...rest } = before;
    if (held !== before.held) work.putMember(id, user.id, { ...rest, held, acted: nowActed });
    return;
  }
  const { wroteAt, restricted } = before ?? {};
  const was = isMember(before);
  const now: MemberRecord = was
    ? { ...before, sources: before.sources | bits, acted: nowActed }
    : {
        sources: bits,
        role: how.role,
        readSeq: how.readSeq ?? room.lastSeq,
        acted: nowActed,
        ...(wroteAt === undefined ? {} : { wroteAt }),
        ...(restricted === undefined ? {} : { restricted }),
      };
  if (was && now.sources === before.sources && now.acted === before.acted) return;
  if (!was) countMembers(work, room, 1, how.at);
  const since = was ? undefined : how.at;
  putMember(
    work,
    { room: id, user: user.id, before, now, since, by: how.source ?? 'people', cause: 'other' },
    changes,
  );
}

/** Removes sources from a membership, which may end by that. */
function take(
  work: Work,
  id: string,
  user: string,
  { bits, by, cause, at }: { bits: number; by: keyof typeof sources; cause: 'left' | 'removed'; at: number },
  changes: Change[],
): void {
  const room = existing(work, id);
  const before = work.member(id, user);
  if (isBanned(before)) {
    const held = before.held & ~bits;
    if (held !== before.held) work.putMember(id, user, { ...before, held });
    return;
  }
  if (!isMember(before)) return;
  const left = before.sources & ~bits;
  if (left === before.sources) return;
  const hasLeft = cause === 'left' ? { left: true as const } : {};
  const now: MemberRecord =
    left === 0 ? { ...before, sources: 0, role: 'member', ...hasLeft } : { ...before, sources: left };
  if (left === 0) countMembers(work, room, -1, at);
  putMember(work, { room: id, user, before, now, by, cause }, changes);
  if (left === 0) handOver(work, id, user, before, changes);
}

/** Changes what is laid on a user of a room. A ban takes the membership away, and its end gives it back. */
function restrict(
  work: Work,
  id: string,
  user: string,
  { kind, restriction, at }: { kind: RestrictionKind; restriction: Restriction | null; at: number },
  changes: Change[],
): void {
  const room = existing(work, id);
  const before = work.member(id, user) ?? { sources: 0, role: 'member', readSeq: 0, acted: acted.never };
  if (restriction === null && before.restricted?.[kind] === undefined) return;
  const { restricted, held: _, ...rest } = before;
  const { [kind]: former, ...others } = restricted ?? {};
  const wasMember = isMember(before);
  const endsMembership = kind === 'banned' && (wasMember || former?.endsMembership === true);
  const next = restriction && endsMembership ? { ...restriction, endsMembership } : restriction;
  const all = next === null ? others : { ...others, [kind]: next };
  const laid = Object.keys(all).length === 0 ? {} : { restricted: all };
  let now: MemberRecord = { ...before, ...laid };
  if (kind === 'banned') {
    const held = before.held ?? before.sources;
    // A user who comes back is a member like a new one.
    if (restriction === null) now = { ...rest, sources: held, readSeq: room.lastSeq, ...laid };
    else now = { ...rest, sources: 0, role: 'member', held, ...laid };
  } else if (restriction === null) {
    now = { ...rest, ...(isBanned(before) ? { held: before.held } : {}), ...laid };
  }
  const is = isMember(now);
  if (is === wasMember) work.putRoom({ ...room, access: room.access + 1 });
  else countMembers(work, room, is ? 1 : -1, at);
  changes.push({ type: 'restricted', room: record(work, room), user, kind, now: next });
  if (is === wasMember) return work.putMember(id, user, now);
  const since = is ? at : undefined;
  const cause = is ? 'other' : 'banned';
  putMember(work, { room: id, user, before, now, since, by: 'people', cause }, changes);
  if (!is) handOver(work, id, user, before, changes);
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

import type { WaitingContent } from '../../wire/content.ts';
import type { Reaction } from '../../wire/events.ts';
import { withoutWords } from '../engine/change-log.ts';
import { raw, sql } from '../engine/dialect.ts';
import type { Table } from '../engine/table.ts';
import { type Need, needOf, type Query, rows, type ValueLoader, type Work } from '../engine/work.ts';
import { countMembers, handOver, peopleIn } from '../members/membership.ts';
import { tellMentions } from '../messages/mentions.ts';
import { releasePicture } from '../messages/previews.ts';
import { reactionNeed, removeReactor, setReaction } from '../messages/reactions.ts';
import { bans } from '../moderation/bans.ts';
import { reports } from '../moderation/reports.ts';
import type { Change } from '../records/changes.ts';
import { type Erasable, type Erasure, type ErasureStage, erasureConsumer } from '../records/erasure.ts';
import { fileStates } from '../records/file.ts';
import { isMember, type MemberRecord, restrictionKinds } from '../records/member.ts';
import { type StoredMessage, toTombstone, withoutErased } from '../records/message.ts';
import { gone, otherOf, withDeleted } from '../records/room.ts';
import { deletedUser } from '../records/user.ts';
import { noteErased, settleErased } from '../rows/erasures.ts';
import { release } from '../rows/files.ts';
import { deleteMember, getMember, setMember } from '../rows/members.ts';
import {
  eraseMessage,
  getMessage,
  getReacted,
  lastMessageNeed,
  messageNeed,
  setReacted,
  updateMessage,
} from '../rows/messages.ts';
import { countReports, recordOf, removeRoom, requireRoom } from '../rows/room-changes.ts';
import { getRoom, roomNeed, setRoom } from '../rows/rooms.ts';
import { deleteUser } from '../rows/users.ts';
import { giveReply, isReply, removeReply } from '../threads/threads.ts';

/** How a stage processes each row that it finds. */
interface Step {
  needs(user: string, found: Erasable, tables: readonly Table[]): Need[];
  run(work: Work, erasure: Erasure, found: Erasable, changes: Change[]): void;
}

export const steps: { [Stage in ErasureStage]: Step } = {
  begin: { needs: () => [], run() {} },

  /** Deletes direct rooms of the user. A room whose peer is a member stays, without the erased user. */
  directs: {
    needs: (user, { room }) => [lastMessageNeed(room), ...peopleIn(room, [user])],
    run(work, { user, at }, { room: id }, changes) {
      const { pair } = getRoom(work, id) ?? {};
      const other = otherOf(pair, user);
      if (other === undefined) return;
      if (!isMember(getMember(work, id, other))) return removeRoom(work, requireRoom(work, id), changes);
      removeMember(work, { room: id, user, at }, changes);
      const { pair: _, previewsOf: _wish, createdBy, ...room } = requireRoom(work, id);
      setRoom(work, { ...room, createdBy: createdBy === other ? createdBy : undefined });
      changes.push({ type: 'room', is: 'changed', room: recordOf(work, room) });
      noteErased(work, user, id);
    },
  },

  members: {
    needs: (user, { room }) => [lastMessageNeed(room), ...peopleIn(room, [user])],
    run(work, { user, at }, { room: id }, changes) {
      const room = getRoom(work, id);
      if (room === undefined) return;
      // The peer was erased before, so the room has no readers left.
      if (room.kind === 'direct' && room.pair === undefined) return removeRoom(work, room, changes);
      removeMember(work, { room: id, user, at }, changes);
      for (const { onErasure } of work.subjects.hooks) onErasure?.(work, { room: id, user, at }, changes);
    },
  },

  made: {
    needs: (_user, { room }) => [roomNeed(room)],
    run(work, _erasure, { room: id }) {
      const { createdBy: _by, clientId: _id, ...room } = requireRoom(work, id);
      setRoom(work, room);
    },
  },

  restricted: {
    needs: (_user, { room, user }) => [lastMessageNeed(room), ...peopleIn(room, [user])],
    run(work, { user }, { room: id, user: restricted }, changes) {
      const member = getMember(work, id, restricted);
      if (member?.restricted === undefined) return;
      const now = { ...member.restricted };
      for (const kind of restrictionKinds) {
        if (now[kind]?.by !== user) continue;
        now[kind] = { ...now[kind], by: deletedUser.id };
        const room = recordOf(work, requireRoom(work, id));
        changes.push({ type: 'restricted', room, user: restricted, kind, now: now[kind] });
      }
      setMember(work, id, restricted, { ...member, restricted: now });
    },
  },

  rows: {
    needs: (_user, { id }, tables) => [rows(...rowNamed(tables, id))],
    run(work, { user }, { id }, changes) {
      const [table, where] = rowNamed(work.subjects.tables, id);
      const [found] = work.find(table, where);
      const left = found && table.erased?.without(found, user);
      if (left === undefined) return;
      work.remove(table, where);
      if (left.row !== null) work.put(table, left.row);
      // Members of the room see the change.
      if ('room' in where && (left.row !== null || table.erased?.isShown))
        note(work, user, where.room as string);
      if (left.change !== undefined) changes.push(left.change as Change);
    },
  },

  files: {
    needs: (_user, { room }) => (room ? [lastMessageNeed(room)] : []),
    run(work, _erasure, { id, room: roomId }, changes) {
      const room = roomId ? getRoom(work, roomId) : undefined;
      if (room?.settings.picture === id) {
        const { picture: _, ...settings } = room.settings;
        setRoom(work, { ...room, settings });
        changes.push({ type: 'room', is: 'changed', room: recordOf(work, room) });
      }
      // Drops the file, and deletes its owner and its description.
      work.later(
        () =>
          sql`UPDATE chat_files SET state = ${fileStates.dropped}, user_id = '', about = '{}' WHERE id = ${id}`,
      );
    },
  },

  person: {
    needs: () => [],
    run(work, { user }, _found, changes) {
      deleteUser(work, user);
      work.remove(bans, { user });
      changes.push({ type: 'ban', user, ban: null }, { type: 'erased', user });
    },
  },

  log: {
    needs: (_user, { id }) => [entryNeed(Number(id))],
    run(work, { user }, { id }) {
      eraseInLog(work, user, Number(id));
    },
  },

  audit: {
    needs: () => [],
    run(work, { user }, { id }) {
      const erased = (column: 'by_id' | 'user_id') =>
        sql`${raw(column)} = CASE WHEN ${raw(column)} = ${user} THEN ${deletedUser.id} ELSE ${raw(column)} END`;
      work.later(
        () =>
          sql`UPDATE chat_audit SET ${erased('by_id')}, ${erased('user_id')}, reason = NULL WHERE num = ${Number(id)}`,
      );
    },
  },

  reports: {
    needs: (_user, { room, id, seq }) => [
      lastMessageNeed(room),
      messageNeed(room, seq),
      rows(reports, { room, id }),
    ],
    run(work, erasure, { room: id, id: report }, changes) {
      const [known] = work.find(reports, { room: id, id: report });
      if (known === undefined) return;
      const { user, messages } = erasure;
      const { closed, message } = known;
      // The stage `messages` has run, so a message with this author belongs to a new user of the same ID.
      const isOfNewUser = getMessage(work, id, known.seq)?.user.id === user;
      const isOwn = message?.user.id === user && !isOfNewUser;
      const isCopy = isOwn || message?.forwarded?.user.id === user;
      const author = known.author === user && !isOfNewUser ? { author: deletedUser.id } : {};
      // A copy is deleted in the same cases as its message.
      const isToGo = isCopy && (messages === 'delete' || message?.text === '');
      if (known.by === user || isToGo) {
        work.remove(reports, known);
        const room = requireRoom(work, id);
        // Neither closed reports nor reports of expired messages are counted.
        if (closed !== undefined || known.seq < room.firstSeq) return;
        countReports(work, room, -1);
        return void changes.push({
          type: 'report',
          room: recordOf(work, requireRoom(work, id)),
          id: report,
          closed: true,
        });
      }
      work.put(reports, {
        ...known,
        ...author,
        ...(message === undefined
          ? {}
          : { message: withoutMention(withoutOrigin(isOwn ? asNobodys(message) : message, user), user) }),
        ...(closed?.by === user ? { closed: { ...closed, by: deletedUser.id } } : {}),
      });
    },
  },

  /** Removes mentions of the user from messages of other users that are not in a room yet. */
  held: {
    needs: (_user, { id }, tables) => [rows(...rowNamed(tables, id))],
    run(work, { user }, { id }) {
      const [table, where] = rowNamed(work.subjects.tables, id);
      const [row] = work.find(table, where) as { content: WaitingContent }[];
      if (row !== undefined) work.put(table, { ...row, content: withoutMention(row.content, user) });
    },
  },

  reactions: {
    needs: (user, { room, seq, emoji }) => [messageNeed(room, seq), reactionNeed({ room, seq, emoji, user })],
    run(work, { user }, { room: id, seq, emoji }) {
      const message = getMessage(work, id, seq);
      setReaction(work, { room: id, seq, emoji, user }, null);
      const reacted = getReacted(work, id, seq);
      if (message === undefined || reacted === undefined) return;
      const { reactions: before = [], ...kept } = message;
      const reactions = before.flatMap((one): Reaction[] => {
        const rest = one.emoji === emoji ? removeReactor(work, message, one, user) : one;
        return rest === null ? [] : [rest];
      });
      // The message keeps its `rev`, here and below. The stage `resets` raises the head of the room once for all
      // changes.
      setReacted(work, { ...kept, reactions: reactions.length === 0 ? undefined : reactions }, reacted);
      note(work, user, id);
    },
  },

  /** Removes mentions of the user from messages of other users. The texts stay. */
  mentions: {
    needs: (_user, { room, seq }) => [messageNeed(room, seq)],
    run(work, { user }, { room: id, seq }) {
      const message = getMessage(work, id, seq);
      if (message === undefined) return;
      updateMessage(work, withoutMention(message, user), message);
      note(work, user, id);
    },
  },

  messages: {
    needs: (_user, { room, seq }) => [messageNeed(room, seq)],
    run(work, { user, at, messages }, { room: id, seq }, changes) {
      const before = getMessage(work, id, seq);
      if (before === undefined) return;
      const after = asNobodys(before);
      // A message that had only files is empty now.
      const isToGo = messages === 'delete' || after.text === '';
      const message = isToGo && after.deletedAt === undefined ? toTombstone(after, at) : after;
      eraseMessage(work, message, before);
      countDeletion(work, message);
      // The image of the preview may have been stored after the stage `files`.
      releasePicture(work, before, at);
      tellMentions(message, before, changes);
      if (isReply(before) && before.deletedAt === undefined) {
        if (message.deletedAt !== undefined) removeReply(work, message, before, changes);
        else giveReply(work, { ...message, thread: before.thread }, before);
      }
      note(work, user, id);
    },
  },

  /** Deletes copies that other users forwarded, or removes from them what is removed from the original. */
  forwards: {
    needs: (_user, { room, seq }) => [messageNeed(room, seq)],
    run(work, { user, at, messages }, { room: id, seq }, changes) {
      const before = getMessage(work, id, seq);
      if (before?.forwarded?.user.id !== user) return;
      const { files = [] } = before;
      const after = withoutOrigin(before, user);
      const isToGo = messages === 'delete' || after.text === '';
      const message = isToGo ? toTombstone(after, at) : after;
      updateMessage(work, message, before);
      countDeletion(work, message);
      for (const file of files) release(work, message, file.id, { state: 'dropped', at });
      releasePicture(work, before, at);
      tellMentions(message, before, changes);
      note(work, user, id);
    },
  },

  resets: {
    needs: (_user, { room }) => [lastMessageNeed(room)],
    run(work, { user }, { room: id }, changes) {
      const room = getRoom(work, id);
      settleErased(work, user, id);
      if (room === undefined || id.startsWith(gone)) return;
      const now = { ...room, head: room.head + 1, reset: room.head + 1 };
      setRoom(work, now);
      changes.push({ type: 'reset', room: recordOf(work, now) });
    },
  },
};

/** Parses the ID of a row that the stage `rows` found. */
function rowNamed(tables: readonly Table[], id: string): [table: Table, where: object] {
  const [name, where] = JSON.parse(id) as [string, object];
  return [tables.find((table) => table.name === name) as Table, where];
}

function countDeletion(work: Work, message: StoredMessage): void {
  if (message.deletedAt !== undefined) setRoom(work, withDeleted(requireRoom(work, message.room), [message]));
}

/** Records a changed room for the stage `resets`. Deleted rooms are skipped, because they have no readers. */
function note(work: Work, user: string, room: string): void {
  if (!room.startsWith(gone)) noteErased(work, user, room);
}

/**
 * Deletes the user's membership, with its settings and restrictions. If the user owned the room, a successor becomes
 * its owner.
 */
function removeMember(
  work: Work,
  { room: id, user, at }: { room: string; user: string; at: number },
  changes: Change[],
): void {
  const before = getMember(work, id, user);
  if (before === undefined) return;
  const room = requireRoom(work, id);
  const laid = restrictionKinds.filter((kind) => before.restricted?.[kind] !== undefined);
  if (isMember(before)) countMembers(work, room, -1, at);
  // `access` rises only if a change announces it. Otherwise other servers would keep an outdated value.
  else if (laid.length > 0) setRoom(work, { ...room, access: room.access + 1 });
  deleteMember(work, id, user);
  const now: MemberRecord = { sources: 0, role: 'member', readSeq: 0, acted: 0 };
  const after = recordOf(work, room);
  for (const kind of laid) changes.push({ type: 'restricted', room: after, user, kind, now: null });
  if (!isMember(before)) return;
  const named = { id: user, name: user };
  changes.push({ type: 'member', room: after, user: named, before, now, by: 'api', cause: 'removed' });
  handOver(work, id, user, before, changes);
}

/** Removes the author, including the `clientId`, which the author's client chose, and what an erasure deletes. */
const asNobodys = (message: StoredMessage): StoredMessage => ({
  ...withoutErased(message),
  clientId: `erased-${message.seq}`,
  user: deletedUser,
});

/** Removes from a forwarded copy of the user's message the author, and what an erasure deletes. */
function withoutOrigin(message: StoredMessage, user: string): StoredMessage {
  const { forwarded } = message;
  if (forwarded?.user.id !== user) return message;
  return { ...withoutErased(message), forwarded: { ...forwarded, user: deletedUser } };
}

function withoutMention<M extends { mentions?: readonly { user: string }[] }>(message: M, user: string): M {
  const { mentions, ...rest } = message;
  const others = mentions?.filter((mention) => mention.user !== user) ?? [];
  return (others.length === 0 ? rest : { ...rest, mentions: others }) as M;
}

/** Loads entries of the change log by number. */
const entryLoader: ValueLoader<{ num: number }, string> = {
  name: 'entry of the log',
  keyOf: ({ num }) => String(num),
  ask: ({ dialect }, work, needs): Query[] => [
    {
      sql: sql`SELECT num, changes FROM chat_changes WHERE ${dialect.each(
        ['num'],
        needs.map(({ num }) => [num]),
      )}`,
      take(found) {
        const values = work.valuesOf(entryLoader);
        for (const { num, changes } of found) values.set(String(num), changes as string);
      },
    },
  ],
};
const entryNeed = (num: number): Need => needOf(entryLoader, { num });

/** Removes the user's name and words from an entry of the change log: see `withoutWords`. */
function eraseInLog(work: Work, user: string, num: number): void {
  const text = work.valuesOf(entryLoader).get(String(num));
  if (text === undefined) return;
  const changes = withoutWords(text, user);
  work.later(() => sql`UPDATE chat_changes SET changes = ${changes} WHERE num = ${num}`);
  // A consumer may be processing the old text of the entry. Without its lease it must read the entry again.
  work.later(
    () =>
      sql`UPDATE chat_consumers SET holder = '', held_until = 0
          WHERE position < ${num} AND id <> ${erasureConsumer}`,
  );
}

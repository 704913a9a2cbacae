import type { MessageReacted, Reaction } from '../../wire/events.ts';
import { ask, raw, sql } from '../engine/dialect.ts';
import { cutPage, type ReadsOf } from '../engine/read.ts';
import { type Code, type Rule, refuse } from '../engine/rule.ts';
import { deleteRows } from '../engine/store.ts';
import type { Value } from '../engine/table.ts';
import {
  type LoadedRoom,
  type Loader,
  missing,
  type Need,
  needOf,
  type Place,
  partOf,
  type Question,
  roomsByNum,
  roomValueLoader,
  storedRoom,
  type Work,
} from '../engine/work.ts';
import { getMember, memberNeed } from '../members/loaded.ts';
import { isMember } from '../members/member.ts';
import { isBlocked } from '../people/blocks.ts';
import { existingRoom, setRoom } from '../rooms/loaded.ts';
import { goneRooms } from '../rooms/room.ts';
import { messageIn, requireRoom } from '../rooms/room-changes.ts';
import { findRoomNumbers, isUnexpired, roomNumber } from '../rooms/select.ts';
import { getReacted, loadedMessage, loadedMessages, messageNeed, setReacted, textRevOf } from './loaded.ts';
import type { StoredMessage } from './message.ts';

export interface ReactionWrites {
  /**
   * Reactions of several users to one message, as one change of it. If a user changes a reaction twice, the last
   * change counts.
   * Each is answered for: whether it changed anything, or why it could not (`unknown_room`: no member; `forbidden`:
   * the other
   * one of a direct room has blocked the user; `limit_reached`). Codes: `unknown_room`, `forbidden`,
   * `unknown_message` (none, or deleted).
   */
  react: {
    in: { room: string; seq: number; reactions: readonly { user: string; emoji: string; on: boolean }[] };
    out: { message: StoredMessage; results: ('changed' | 'same' | Code)[] };
  };
}

/** Different emoji on one message, and users of each that a message names. */
const mostReactions = 12;

export const namedReactors = 10;

export interface ReactionReads {
  /** The reactions that are this user's. */
  reactionsOf: {
    in: { user: string; of: readonly { room: string; seq: number; emoji: string }[] };
    out: { room: string; seq: number; emoji: string }[];
  };
  /** All reactions of a user; pages as those of `written`. */
  reactionsBy: {
    in: { user: string; from: string; limit: number };
    out: { reactions: { room: string; seq: number; emoji: string }[]; next?: string };
  };
  /**
   * The ids of the users who have reacted so, by time, after the place `after`; null where there is no such message, or a
   * deleted one.
   */
  reactors: {
    in: { room: string; seq: number; emoji: string; after: number; limit: number };
    out: { users: string[]; next?: number } | null;
  };
}

export const react: Rule<ReactionWrites['react']> = {
  adds: true,
  needs: ({ room, seq, reactions }) => [
    messageNeed(room, seq),
    ...reactions.flatMap(({ user, emoji }): Need[] => [
      memberNeed(room, user),
      reactionNeed({ room, seq, emoji, user }),
    ]),
  ],
  run(work, { room: id, seq, reactions }, changes) {
    const room = requireRoom(work, id);
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

/** The users who have reacted to a message with one emoji. `place` is null for a user who has not. */
type Reactors = Map<string, { place: number | null; isChanged: boolean }>;

/** By message and emoji. */
const reactions = (): Map<number, Map<string, Reactors>> => new Map();

function reactorsIn(room: LoadedRoom, seq: number, emoji: string): Reactors {
  const all = partOf(room, reactions);
  const byEmoji = all.get(seq) ?? new Map<string, Reactors>();
  all.set(seq, byEmoji);
  const reactors: Reactors = byEmoji.get(emoji) ?? new Map();
  byEmoji.set(emoji, reactors);
  return reactors;
}

interface ReactionBy {
  room: string;
  seq: number;
  emoji: string;
  user: string;
}

const key = ['room', 'seq', 'emoji', 'user_id'] as const;

const reactionLoader: Loader<ReactionBy> = {
  name: 'reaction',
  ask({ dialect }, work, needs): Question[] {
    const wanted: Value[][] = [];
    for (const { room: id, seq, emoji, user } of needs) {
      const room = storedRoom(work, id);
      if (room === undefined) continue;
      const users = reactorsIn(room, seq, emoji);
      if (users.has(user)) continue;
      users.set(user, { place: null, isChanged: false });
      wanted.push([room.num, seq, emoji, user]);
    }
    if (wanted.length === 0) return [];
    return [
      {
        sql: sql`SELECT room, seq, emoji, user_id, place FROM chat_reactions WHERE ${dialect.each(key, wanted)}`,
        take(found) {
          const rooms = roomsByNum(work);
          for (const row of found) {
            const room = rooms.get(row.room as number) as LoadedRoom;
            const users = reactorsIn(room, row.seq as number, row.emoji as string);
            users.set(row.user_id as string, { place: row.place as number, isChanged: false });
          }
        },
      },
    ];
  },
};

export const reactionNeed = (reaction: ReactionBy): Need => needOf(reactionLoader, reaction);

type FirstReactors = Omit<ReactionBy, 'user'> & { most: number };

/** The first users who have reacted so, as they are in the database. */
const firstReactorsLoader = roomValueLoader<FirstReactors, { users: readonly string[]; isAll: boolean }>(
  'first reactors',
  {
    keyOf: ({ room, seq, emoji }) => `${seq} ${emoji} ${room}`,
    select: ({ num }, { seq, emoji, most }) =>
      sql`SELECT user_id FROM chat_reactions WHERE room = ${num} AND seq = ${seq} AND emoji = ${emoji}
          ORDER BY place LIMIT ${most}`,
    value: (rows, { most }) => ({
      users: rows.map(({ user_id }) => user_id as string),
      isAll: rows.length < most,
    }),
    none: { users: [], isAll: true },
  },
);

function hasReaction(work: Work, { room, seq, emoji, user }: ReactionBy): boolean {
  const known = reactorsIn(existingRoom(work, room), seq, emoji).get(user);
  if (known === undefined && loadedMessage(work, room, seq).state !== 'new')
    return missing(reactionLoader, { room, seq, emoji, user });
  return typeof known?.place === 'number';
}

/** The first users who have reacted so, by time. */
export function firstReactors(work: Work, id: string, seq: number, emoji: string, most: number): string[] {
  const users = reactorsIn(existingRoom(work, id), seq, emoji);
  const own = new Map([...users].filter(([, { isChanged }]) => isChanged));
  const isNew = loadedMessage(work, id, seq).state === 'new';
  const need = { room: id, seq, emoji, most: most + users.size };
  const stored = isNew ? { users: [], isAll: true } : work.known(firstReactorsLoader, need);
  if (stored === undefined || (!stored.isAll && stored.users.length < most + own.size)) {
    // The loaded users are going to change their reactions: the list is long enough for all of them, or the rule
    // would run again for each.
    return missing(firstReactorsLoader, need);
  }
  const added = [...own].flatMap(([user, { place }]) => (place === null ? [] : [{ user, place }]));
  added.sort((a, b) => a.place - b.place);
  const rest = stored.users.filter((user) => !own.has(user));
  return [...rest, ...added.map(({ user }) => user)].slice(0, most);
}

/** @param place by which they are ordered; null: it is taken back */
export function setReaction(work: Work, { room, seq, emoji, user }: ReactionBy, place: number | null): void {
  const users = reactorsIn(existingRoom(work, room), seq, emoji);
  work.set(users, user, { place, isChanged: true });
}

export function storeReactions(place: Place, work: Work): undefined {
  const { dialect, transaction } = place;
  const added: Value[][] = [];
  const removed: Value[][] = [];
  const cleared: Value[][] = [];
  for (const room of work.rooms.values()) {
    if (room === null) continue;
    const num = room.num as number;
    const isDeleted = new Set<number>();
    for (const one of loadedMessages(room).values()) {
      if (one === null || one.state === 'stored' || one.row.message.deletedAt === undefined) continue;
      const { seq } = one.row.message;
      isDeleted.add(seq);
      if (one.reacted !== undefined) cleared.push([num, seq]);
    }
    for (const [seq, byEmoji] of partOf(room, reactions)) {
      if (isDeleted.has(seq)) continue;
      for (const [emoji, users] of byEmoji) {
        for (const [user, { place, isChanged }] of users) {
          if (!isChanged) continue;
          if (place === null) removed.push([num, seq, emoji, user]);
          else added.push([num, seq, emoji, user, place]);
        }
      }
    }
  }
  deleteRows(place, 'chat_reactions', ['room', 'seq'], cleared);
  deleteRows(place, 'chat_reactions', key, removed);
  if (added.length > 0) transaction.later(dialect.upsert('chat_reactions', key, [...key, 'place'], added));
}

const reactionsPerStatement = 500;

export const reactionReads: ReadsOf<ReactionReads> = {
  *reactionsOf({ dialect }, { user, of }) {
    const reactions: ReactionReads['reactionsOf']['out'] = [];
    const numById = yield* findRoomNumbers(dialect, [...new Set(of.map(({ room }) => room))]);
    const idByNum = new Map([...numById].map(([id, num]) => [num, id]));
    const keys = of.flatMap(({ room, seq, emoji }) => {
      const num = numById.get(room);
      return num === undefined ? [] : [[num, seq, emoji, user]];
    });
    for (let n = 0; n < keys.length; n += reactionsPerStatement) {
      const some = keys.slice(n, n + reactionsPerStatement);
      const rows = yield* ask(
        sql`SELECT room, seq, emoji FROM chat_reactions
            WHERE ${dialect.among(['room', 'seq', 'emoji', 'user_id'], some)}`,
      );
      for (const { room, seq, emoji } of rows) {
        reactions.push({
          room: idByNum.get(room as number) as string,
          seq: seq as number,
          emoji: emoji as string,
        });
      }
    }
    return reactions;
  },
  *reactors(_, { room, seq, emoji, after, limit }) {
    const [message] = yield* ask(
      sql`SELECT room FROM chat_messages
          WHERE room = ${roomNumber(room)} AND seq = ${seq} AND deleted_at IS NULL AND ${isUnexpired(room)}`,
    );
    if (message === undefined) return null;
    const rows = yield* ask(
      sql`SELECT user_id, place FROM chat_reactions
          WHERE room = ${message.room as number} AND seq = ${seq} AND emoji = ${emoji} AND place > ${after}
          ORDER BY place LIMIT ${limit + 1}`,
    );
    const { page, last } = cutPage(rows, limit);
    return {
      users: page.map(({ user_id }) => user_id as string),
      ...(last && { next: last.place as number }),
    };
  },
  *reactionsBy(_, { user, from, limit }) {
    const [room = 0, seq = 0, emoji = ''] = from === '' ? [] : from.split(/[. ]/);
    const rows = yield* ask(
      sql`SELECT rooms.id AS room, seq, emoji, concat(rooms.num, '.', seq) AS place
          FROM chat_reactions AS reactions JOIN chat_rooms AS rooms ON rooms.num = reactions.room
          WHERE user_id = ${user} AND NOT (${raw(goneRooms)}) AND room >= ${Number(room)} AND (room > ${Number(room)}
            OR seq > ${Number(seq)} OR (seq = ${Number(seq)} AND emoji > ${emoji}))
          ORDER BY rooms.num, seq, emoji LIMIT ${limit + 1}`,
    );
    const { page, last } = cutPage(rows, limit);
    const reactions = page.map(({ room, seq, emoji }) => ({
      room: room as string,
      seq: seq as number,
      emoji: emoji as string,
    }));
    return { reactions, ...(last && { next: `${last.place} ${last.emoji}` }) };
  },
};

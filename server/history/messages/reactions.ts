import type { MessageReacted, Reaction } from '../../wire/events.ts';
import { hasEnded, isSecret, optionOf, voteKeys } from '../../wire/polls.ts';
import { type Asking, ask, raw, type Sql, sql } from '../engine/dialect.ts';
import { cutPage, type ReadsOf } from '../engine/read.ts';
import { type Code, type Rule, refuse } from '../engine/rule.ts';
import { deleteRows } from '../engine/store.ts';
import { subject } from '../engine/subject.ts';
import {
  type LoadedRoom,
  type Loader,
  missing,
  type Need,
  needOf,
  partOf,
  type Query,
  roomsByNum,
  roomValueLoader,
  storedRoom,
  type Work,
  type WriteContext,
} from '../engine/work.ts';
import { isModerator } from '../members/membership.ts';
import type { Value } from '../records/columns.ts';
import { isMember } from '../records/member.ts';
import type { StoredMessage } from '../records/message.ts';
import { goneRooms } from '../records/room.ts';
import { getMember, memberNeed } from '../rows/members.ts';
import {
  getReacted,
  loadedMessage,
  loadedMessages,
  messageNeed,
  setReacted,
  textRevOf,
} from '../rows/messages.ts';
import { messageIn, requireRoom, requireRoomOf } from '../rows/room-changes.ts';
import { existingRoom, setRoom } from '../rows/rooms.ts';
import { findRoomNumbers, isUnexpired, roomNumber } from '../rows/select.ts';
import { isBlocked } from '../users/blocks.ts';
import { putBesideText } from './previews.ts';

export interface ReactionWrites {
  /**
   * Applies reactions and votes of several users to one message as one change. If the list changes a reaction or a vote
   * twice, the last entry counts. `results` has one entry per reaction: whether it changed anything, or the error code
   * (`unknown_room`: not a member; `forbidden`: the peer of a direct room blocked the user, or the poll has ended;
   * `limit_reached`: `mostReactions`, `mostBegun`; `unknown_message`: not a poll; `bad_request`: not a choice of the poll).
   *
   * Codes for the whole request: `unknown_room`, `forbidden`, `unknown_message` (missing or deleted).
   */
  react: {
    in: { room: string; seq: number; reactions: readonly (NewReaction | NewVote)[] };
    out: { message: StoredMessage; results: ('changed' | 'same' | Code | 'bad_request')[] };
  };
  /**
   * Ends a poll or the answers to an event. Codes: `unknown_room` (not a member), `unknown_message` (missing, deleted
   * or not a poll), `forbidden` (the user is neither the author nor, with `moderator`, a moderator now).
   * @param in.moderator,in.siteModerator see `delete`
   */
  endPoll: {
    in: {
      room: string;
      seq: number;
      user: string;
      moderator: boolean;
      siteModerator?: boolean;
      at: number;
    };
    out: { message: StoredMessage };
  };
}

export interface NewReaction {
  user: string;
  emoji: string;
  on: boolean;
}

/** The complete choice of a user in a poll: the numbers of the options, from 1. */
export interface NewVote {
  user: string;
  choice: readonly number[];
  at: number;
}

/** Maximum number of different emoji on one message. */
const mostReactions = 12;

/** Maximum number of different emoji on one message that the same user was the first to use. */
const mostBegun = 4;

export const reactionLimitReason = `a message can have ${mostReactions} different emoji, and a user can be the first to use ${mostBegun} of them`;

/** Maximum number of users that a message names per emoji. */
const namedReactors = 10;

export interface ReactionReads {
  /** Returns the reactions in `of` that this user gave. */
  reactionsOf: {
    in: { user: string; of: readonly { room: string; seq: number; emoji: string }[] };
    out: { room: string; seq: number; emoji: string }[];
  };
  /** Returns all reactions of a user except secret votes, paginated like `written`. */
  reactionsBy: {
    in: { user: string; from: string; limit: number };
    out: { reactions: { room: string; seq: number; emoji: string }[]; next?: string };
  };
  /**
   * Returns the IDs of the users who reacted with this emoji, oldest reaction first. `after` is the `next` of the
   * previous page. null: the message is missing or deleted.
   */
  reactors: {
    in: { room: string; seq: number; emoji: string; after: number; limit: number };
    out: { users: string[]; next?: number } | null;
  };
}

const react: Rule<ReactionWrites['react']> = {
  adds: true,
  needs: ({ room, seq, reactions }) => [
    messageNeed(room, seq),
    ...reactions.flatMap((reaction): Need[] => {
      const { user } = reaction;
      const isVote = 'choice' in reaction;
      return [
        memberNeed(room, user),
        isVote ? voteNeed({ room, seq, user }) : reactionNeed({ room, seq, emoji: reaction.emoji, user }),
      ];
    }),
  ],
  run(work, { room: id, seq, reactions }, changes) {
    const room = requireRoom(work, id);
    const isBlockedReactor = (reaction: NewReaction | NewVote) =>
      ('choice' in reaction ? reaction.choice.length > 0 : reaction.on) &&
      isBlocked(work, room, reaction.user);
    const before = messageIn(work, room, seq);
    if (before === undefined || before.deletedAt !== undefined) {
      const members = reactions.filter(({ user }) => isMember(getMember(work, id, user)));
      if (members.length === 0) refuse('unknown_room');
      refuse(members.every(isBlockedReactor) ? 'forbidden' : 'unknown_message');
    }
    const byEmoji = new Map(before.reactions?.map((reaction) => [reaction.emoji, reaction]));
    const changesByEmoji = new Map<string, { added: string[]; removed: string[] }>();
    let placed = getReacted(work, id, seq)?.placed ?? 0;
    const keyOf = (reaction: NewReaction | NewVote) =>
      `${'choice' in reaction ? 'vote' : reaction.emoji} ${reaction.user}`;
    const lastIndexByKey = new Map(reactions.map((reaction, n) => [keyOf(reaction), n]));
    const set = (user: string, emoji: string, on: boolean): void => {
      const { count, users }: Omit<Reaction, 'emoji'> = byEmoji.get(emoji) ?? { count: 0, users: [] };
      const change = changesByEmoji.get(emoji) ?? { added: [], removed: [] };
      changesByEmoji.set(emoji, change);
      const names = isSecret(emoji) ? [] : [user];
      change[on ? 'added' : 'removed'].push(...names);
      if (on) {
        setReaction(work, { room: id, seq, emoji, user }, ++placed);
        byEmoji.set(emoji, { emoji, count: count + 1, users: [...users, ...names].slice(0, namedReactors) });
        return;
      }
      const remaining = removeReactor(work, before, { emoji, count, users }, user);
      if (remaining === null) byEmoji.delete(emoji);
      else byEmoji.set(emoji, remaining);
    };
    const isFull = (emoji: string, user: string) => {
      if (byEmoji.has(emoji)) return false;
      const different = [...byEmoji.values()].filter((other) => !optionOf(other.emoji));
      const begun = different.filter(({ users: [first] }) => first === user);
      return different.length >= mostReactions || begun.length >= mostBegun;
    };
    const results = reactions.map((reaction, n) => {
      const { user } = reaction;
      if (!isMember(getMember(work, id, user))) return 'unknown_room';
      if (lastIndexByKey.get(keyOf(reaction)) !== n) return 'same';
      const has = (emoji: string) => hasReaction(work, { room: id, seq, emoji, user });
      if ('choice' in reaction) {
        const { choice, at } = reaction;
        const { poll } = before;
        if (poll === undefined) return 'unknown_message';
        const keys = voteKeys(poll);
        if (choice.some((option) => keys[option - 1] === undefined)) return 'bad_request';
        if (choice.length > 1 && !poll.multiple) return 'bad_request';
        const changed = keys.filter((key, index) => has(key) !== choice.includes(index + 1));
        if (changed.length === 0) return 'same';
        if (hasEnded(poll, at) || isBlockedReactor(reaction)) return 'forbidden';
        for (const key of changed) set(user, key, !has(key));
        return 'changed';
      }
      const { emoji, on } = reaction;
      if (has(emoji) === on) return 'same';
      if (isBlockedReactor(reaction)) return 'forbidden';
      if (isFull(emoji, user)) return 'limit_reached';
      set(user, emoji, on);
      return 'changed';
    });
    if (changesByEmoji.size === 0) return { message: before, results };
    const { reactions: _, ...fields } = before;
    const rev = room.head + 1;
    const message: StoredMessage = {
      ...fields,
      rev,
      reactions: byEmoji.size === 0 ? undefined : inOrder([...byEmoji.values()]),
    };
    setReacted(work, message, { rev, textRev: textRevOf(work, before), placed });
    setRoom(work, { ...room, head: rev });
    changes.push({
      type: 'message',
      is: 'changed',
      message,
      reacted: [...changesByEmoji].map(([emoji, { added, removed }]): MessageReacted['changes'][number] => ({
        emoji,
        count: byEmoji.get(emoji)?.count ?? 0,
        added: added.length === 0 ? undefined : added,
        removed: removed.length === 0 ? undefined : removed,
      })),
    });
    return { message, results };
  },
};

/** Puts votes after emoji, by option. The order of the first votes could tell who voted in an anonymous poll. */
const inOrder = (reactions: Reaction[]): Reaction[] =>
  reactions.sort((a, b) => optionOf(a.emoji) - optionOf(b.emoji));

const endPoll: Rule<ReactionWrites['endPoll']> = {
  needs: ({ room, seq, user }) => [memberNeed(room, user), messageNeed(room, seq)],
  run(work, { room: id, seq, user, moderator, siteModerator, at }, changes) {
    const room = requireRoomOf(work, id, user);
    const before = messageIn(work, room, seq);
    if (before?.poll === undefined) refuse('unknown_message');
    const mayModerate = moderator && isModerator(getMember(work, id, user), siteModerator);
    if (before.user.id !== user && !mayModerate) refuse('forbidden');
    if (hasEnded(before.poll, at)) return { message: before };
    const change = putBesideText(work, room, before, { ...before, poll: { ...before.poll, endedAt: at } });
    changes.push(change);
    return { message: change.message };
  },
};

/** The users who reacted to a message with one emoji. `place` is null for a user without this reaction. */
type Reactors = Map<string, { place: number | null; isChanged: boolean }>;

/** The state of a room: the reactors by message and emoji. */
const reactions = (): Map<number, Map<string, Reactors>> => new Map();

function reactorsIn(room: LoadedRoom, seq: number, emoji: string): Reactors {
  const all = partOf(room, reactions);
  const byEmoji = all.get(seq) ?? new Map<string, Reactors>();
  all.set(seq, byEmoji);
  const reactors: Reactors = byEmoji.get(emoji) ?? new Map();
  byEmoji.set(emoji, reactors);
  return reactors;
}

interface UserReaction {
  room: string;
  seq: number;
  emoji: string;
  user: string;
}

const key = ['room', 'seq', 'emoji', 'user_id'] as const;

const reactionLoader: Loader<UserReaction> = {
  name: 'reaction',
  ask({ dialect }, work, needs): Query[] {
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
        take(rows) {
          const rooms = roomsByNum(work);
          for (const row of rows) {
            const room = rooms.get(row.room as number) as LoadedRoom;
            const users = reactorsIn(room, row.seq as number, row.emoji as string);
            users.set(row.user_id as string, { place: row.place as number, isChanged: false });
          }
        },
      },
    ];
  },
};

export const reactionNeed = (reaction: UserReaction): Need => needOf(reactionLoader, reaction);

/** Loads the votes of users, once it is known which options the poll has. */
const voteLoader: Loader<Omit<UserReaction, 'emoji'>> = {
  name: 'vote',
  *finish(context, work, needs): Asking<void> {
    const reactions = needs.flatMap(({ room: id, seq, user }) => {
      const room = storedRoom(work, id);
      const poll = room && loadedMessages(room).get(seq)?.row.message.poll;
      return poll === undefined ? [] : voteKeys(poll).map((emoji) => ({ room: id, seq, emoji, user }));
    });
    for (const { sql, take } of reactionLoader.ask?.(context, work, reactions) ?? [])
      take(yield* context.transaction.query(sql));
  },
};

const voteNeed = (vote: Omit<UserReaction, 'emoji'>): Need => needOf(voteLoader, vote);

type FirstReactors = Omit<UserReaction, 'user'> & { most: number };

/** Loads the first users with this reaction, as of the database. */
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

function hasReaction(work: Work, { room, seq, emoji, user }: UserReaction): boolean {
  const reaction = reactorsIn(existingRoom(work, room), seq, emoji).get(user);
  if (reaction === undefined && loadedMessage(work, room, seq).state !== 'new')
    return missing(reactionLoader, { room, seq, emoji, user });
  return typeof reaction?.place === 'number';
}

/** Removes a user from the reactions with one emoji. @returns null if there are no others */
export function removeReactor(
  work: Work,
  { room, seq }: StoredMessage,
  { emoji, count, users }: Reaction,
  user: string,
): Reaction | null {
  setReaction(work, { room, seq, emoji, user }, null);
  if (count === 1) return null;
  // The message names the first reactors only. Removing a named user makes room for the next user.
  const hasUnnamed = count > namedReactors && users.includes(user);
  const remaining = hasUnnamed
    ? firstReactors(work, room, seq, emoji, namedReactors)
    : users.filter((userId) => userId !== user);
  return { emoji, count: count - 1, users: remaining };
}

/** Returns the first `most` users who reacted with this emoji, oldest reaction first. */
function firstReactors(work: Work, id: string, seq: number, emoji: string, most: number): string[] {
  const users = reactorsIn(existingRoom(work, id), seq, emoji);
  const changed = new Map([...users].filter(([, { isChanged }]) => isChanged));
  const isNew = loadedMessage(work, id, seq).state === 'new';
  const need = { room: id, seq, emoji, most: most + users.size };
  const stored = isNew ? { users: [], isAll: true } : work.known(firstReactorsLoader, need);
  if (stored === undefined || (!stored.isAll && stored.users.length < most + changed.size)) {
    // All loaded users may change their reactions. Load enough for all of them, or the rule would run again for each.
    return missing(firstReactorsLoader, need);
  }
  const added = [...changed].flatMap(([user, { place }]) => (place === null ? [] : [{ user, place }]));
  added.sort((a, b) => a.place - b.place);
  const unchanged = stored.users.filter((user) => !changed.has(user));
  return [...unchanged, ...added.map(({ user }) => user)].slice(0, most);
}

/** Sets a reaction of a user. @param place orders the users of an emoji; null removes the reaction */
export function setReaction(
  work: Work,
  { room, seq, emoji, user }: UserReaction,
  place: number | null,
): void {
  const users = reactorsIn(existingRoom(work, room), seq, emoji);
  work.set(users, user, { place, isChanged: true });
}

function storeReactions(context: WriteContext, work: Work): undefined {
  const { dialect, transaction } = context;
  const added: Value[][] = [];
  const removed: Value[][] = [];
  const cleared: Value[][] = [];
  for (const room of work.rooms.values()) {
    if (room === null) continue;
    const num = room.num as number;
    const tombstones = new Set<number>();
    for (const loaded of loadedMessages(room).values()) {
      if (loaded === null || loaded.state === 'stored' || loaded.row.message.deletedAt === undefined)
        continue;
      const { seq } = loaded.row.message;
      tombstones.add(seq);
      if (loaded.reacted !== undefined) cleared.push([num, seq]);
    }
    for (const [seq, byEmoji] of partOf(room, reactions)) {
      if (tombstones.has(seq)) continue;
      for (const [emoji, users] of byEmoji) {
        for (const [user, { place, isChanged }] of users) {
          if (!isChanged) continue;
          if (place === null) removed.push([num, seq, emoji, user]);
          else added.push([num, seq, emoji, user, place]);
        }
      }
    }
  }
  deleteRows(context, 'chat_reactions', ['room', 'seq'], cleared);
  deleteRows(context, 'chat_reactions', key, removed);
  if (added.length > 0) transaction.later(dialect.upsert('chat_reactions', key, [...key, 'place'], added));
}

const reactionsPerStatement = 500;

/** Selects the reactions of a user in these rooms, except secret votes: see `isSecret`. */
export const reactionsIn = (rooms: Sql, user: string): Sql =>
  sql`SELECT seq FROM ${rooms} AS rooms CROSS JOIN chat_reactions AS reactions
      WHERE reactions.room = rooms.num AND user_id = ${user} AND seq >= first_seq
        AND (emoji < ${'?'} OR emoji >= ${'@'})`;

const reads: ReadsOf<ReactionReads> = {
  *reactionsOf({ dialect }, { user, of }) {
    const reactions: ReactionReads['reactionsOf']['out'] = [];
    const numById = yield* findRoomNumbers(dialect, [...new Set(of.map(({ room }) => room))]);
    const idByNum = new Map([...numById].map(([id, num]) => [num, id]));
    const keys = of.flatMap(({ room, seq, emoji }) => {
      const num = numById.get(room);
      return num === undefined ? [] : [[num, seq, emoji, user]];
    });
    for (let n = 0; n < keys.length; n += reactionsPerStatement) {
      const chunk = keys.slice(n, n + reactionsPerStatement);
      const rows = yield* ask(
        sql`SELECT room, seq, emoji FROM chat_reactions
            WHERE ${dialect.among(['room', 'seq', 'emoji', 'user_id'], chunk)}`,
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
      next: last && (last.place as number),
    };
  },
  *reactionsBy(_, { user, from, limit }) {
    const [room = 0, seq = 0, emoji = ''] = from === '' ? [] : from.split(/[. ]/);
    const rows = yield* ask(
      sql`SELECT rooms.id AS room, seq, emoji, concat(rooms.num, '.', seq) AS place
          FROM chat_reactions AS reactions JOIN chat_rooms AS rooms ON rooms.num = reactions.room
          WHERE user_id = ${user} AND NOT (${raw(goneRooms)}) AND room >= ${Number(room)} AND (room > ${Number(room)}
            OR seq > ${Number(seq)} OR (seq = ${Number(seq)} AND emoji > ${emoji}))
          ORDER BY reactions.room, seq, emoji LIMIT ${limit + 1}`,
    );
    const { page, last } = cutPage(rows, limit);
    // The moderator who exports the data of a user must not learn the user's secret votes.
    const visible = page.filter(({ emoji }) => !isSecret(emoji as string));
    const reactions = visible.map(({ room, seq, emoji }) => ({
      room: room as string,
      seq: seq as number,
      emoji: emoji as string,
    }));
    return { reactions, next: last && `${last.place} ${last.emoji}` };
  },
};

export const reactionSubject = subject<ReactionWrites, ReactionReads>({
  rules: { react, endPoll },
  reads,
  stores: [storeReactions],
});

import { sql } from '../engine/dialect.ts';
import { deleteRows } from '../engine/store.ts';
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
  storedRoom,
  type Work,
} from '../engine/work.ts';
import { existingRoom } from '../rooms/loaded.ts';
import type { Value } from '../tables.ts';
import { loadedMessage, loadedMessages } from './loaded.ts';

// Reactions in a transaction.

/** The reactions to a message with one emoji. */
interface LoadedReactions {
  /** By user: the place, or null where there is none. */
  users: Map<string, { place: number | null; isChanged: boolean }>;
  /** The first users who have reacted so, as they are in the database. */
  first?: { users: readonly string[]; isAll: boolean };
}

/** By message and emoji. */
const reactions = (): Map<number, Map<string, LoadedReactions>> => new Map();

function reactionsOf(room: LoadedRoom, seq: number, emoji: string): LoadedReactions {
  const all = partOf(room, reactions);
  const byEmoji = all.get(seq) ?? new Map<string, LoadedReactions>();
  all.set(seq, byEmoji);
  const known = byEmoji.get(emoji) ?? { users: new Map() };
  byEmoji.set(emoji, known);
  return known;
}

interface Reaction {
  room: string;
  seq: number;
  emoji: string;
  user: string;
}

const key = ['room', 'seq', 'emoji', 'user_id'] as const;

const reactionLoader: Loader<Reaction> = {
  name: 'reaction',
  ask({ dialect }, work, needs): Question[] {
    const wanted: Value[][] = [];
    for (const { room: id, seq, emoji, user } of needs) {
      const room = storedRoom(work, id);
      if (room === undefined) continue;
      const { users } = reactionsOf(room, seq, emoji);
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
            const { users } = reactionsOf(room, row.seq as number, row.emoji as string);
            users.set(row.user_id as string, { place: row.place as number, isChanged: false });
          }
        },
      },
    ];
  },
};
export const reactionNeed = (reaction: Reaction): Need => needOf(reactionLoader, reaction);

const firstReactorsLoader: Loader<Omit<Reaction, 'user'> & { most: number }> = {
  name: 'first reactors',
  ask: (_place, work, needs): Question[] =>
    needs.flatMap(({ room: id, seq, emoji, most }) => {
      const room = storedRoom(work, id);
      if (room === undefined) return [];
      return {
        sql: sql`SELECT user_id FROM chat_reactions WHERE room = ${room.num} AND seq = ${seq} AND emoji = ${emoji}
                 ORDER BY place LIMIT ${most}`,
        take(found) {
          const users = found.map(({ user_id }) => user_id as string);
          reactionsOf(room, seq, emoji).first = { users, isAll: found.length < most };
        },
      };
    }),
};

export function hasReaction(work: Work, { room, seq, emoji, user }: Reaction): boolean {
  const known = reactionsOf(existingRoom(work, room), seq, emoji).users.get(user);
  if (known === undefined && loadedMessage(work, room, seq).state !== 'new')
    return missing(reactionLoader, { room, seq, emoji, user });
  return typeof known?.place === 'number';
}

/** The first users who have reacted so, by time. */
export function firstReactors(work: Work, id: string, seq: number, emoji: string, most: number): string[] {
  const { users, first } = reactionsOf(existingRoom(work, id), seq, emoji);
  const own = new Map([...users].filter(([, { isChanged }]) => isChanged));
  const isNew = loadedMessage(work, id, seq).state === 'new';
  const stored = isNew ? { users: [], isAll: true } : first;
  if (stored === undefined || (!stored.isAll && stored.users.length < most + own.size)) {
    // The loaded users are going to change their reactions: the list is long enough for all of them, or the rule
    // would run again for each.
    return missing(firstReactorsLoader, { room: id, seq, emoji, most: most + users.size });
  }
  const added = [...own].flatMap(([user, { place }]) => (place === null ? [] : [{ user, place }]));
  added.sort((a, b) => a.place - b.place);
  const rest = stored.users.filter((user) => !own.has(user));
  return [...rest, ...added.map(({ user }) => user)].slice(0, most);
}

/** @param place by which they are ordered; null: it is taken back */
export function setReaction(work: Work, { room, seq, emoji, user }: Reaction, place: number | null): void {
  const { users } = reactionsOf(existingRoom(work, room), seq, emoji);
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
      for (const [emoji, { users }] of byEmoji) {
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

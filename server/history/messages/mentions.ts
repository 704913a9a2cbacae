import type { Change } from '../changes.ts';
import type { Need, Work } from '../engine/work.ts';
import { getMember } from '../members/loaded.ts';
import { isBanned, isMember, isNamed } from '../members/member.ts';
import { peopleIn } from '../members/membership.ts';
import { getUser } from '../people/loaded.ts';
import type { RoomRow } from '../rooms/room.ts';
import {
  everybody,
  mentioned,
  type NewMention,
  type NewMessage,
  type StoredMention,
  type StoredMessage,
} from './message.ts';

/** @param before the message as it was; undefined for a new one */
export function tellMentions(
  message: StoredMessage,
  before: StoredMessage | undefined,
  changes: Change[],
): void {
  const [were, are] = [mentioned(before?.mentions), mentioned(message.mentions)];
  const added = [...are].filter((user) => !were.has(user));
  const removed = [...were].filter((user) => !are.has(user));
  if (added.length > 0 || removed.length > 0) changes.push({ type: 'mentions', message, added, removed });
}

/** The mentions that a message gets, with the names of now: those of users who may not read the room are left out. */
export function mentionsFor(
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
    const member = getMember(work, room.id, user);
    // Only moderators may learn who is banned from a public room. A banned user gets nothing of it.
    const isHidden = byModerator && isBanned(member);
    const may = room.kind === 'public' ? !isHidden : room.pair?.includes(user) || isMember(member);
    if (!may) return [];
    const known = getUser(work, user);
    return [{ user, start, length, name: known?.name ?? user, shown: isNamed(known, member) }];
  });
}

export const mentionsNamed = (room: string, mentions: readonly NewMention[] = []): Need[] =>
  peopleIn(
    room,
    mentions.map(({ user }) => user).filter((user) => user !== everybody),
  );

import type { Need, Work } from '../engine/work.ts';
import { peopleIn } from '../members/membership.ts';
import type { Change } from '../records/changes.ts';
import { isBanned, isMember, isNamed } from '../records/member.ts';
import {
  everybody,
  mentioned,
  type NewMention,
  type NewMessage,
  type StoredMention,
  type StoredMessage,
} from '../records/message.ts';
import type { RoomRow } from '../records/room.ts';
import { getMember } from '../rows/members.ts';
import { getUser } from '../rows/users.ts';

/** Records which users a change of the message starts or stops mentioning. @param before undefined for a new message */
export function tellMentions(
  message: StoredMessage,
  before: StoredMessage | undefined,
  changes: Change[],
): void {
  const [usersBefore, users] = [mentioned(before?.mentions), mentioned(message.mentions)];
  const added = [...users].filter((user) => !usersBefore.has(user));
  const removed = [...usersBefore].filter((user) => !users.has(user));
  if (added.length > 0 || removed.length > 0) changes.push({ type: 'mentions', message, added, removed });
}

/**
 * Returns the mentions to store, with the users' current names. Drops mentions of users who may not read the room; for
 * banned users see below. Drops @all unless a moderator writes it outside of a direct room.
 */
export function mentionsFor(
  work: Work,
  room: RoomRow,
  mentions: NewMessage['mentions'] = [],
  byModerator = false,
): StoredMention[] {
  return mentions.flatMap(({ user, start, length }): StoredMention[] => {
    if (user === everybody) {
      const canMentionAll = byModerator && room.kind !== 'direct';
      return canMentionAll ? [{ user, start, length, name: everybody, shown: true }] : [];
    }
    const member = getMember(work, room.id, user);
    // Only moderators may learn who is banned from a public room. For other authors the mention stays, without effect.
    const isHidden = byModerator && isBanned(member);
    const canMention = room.kind === 'public' ? !isHidden : room.pair?.includes(user) || isMember(member);
    if (!canMention) return [];
    const record = getUser(work, user);
    return [{ user, start, length, name: record?.name ?? user, shown: isNamed(record, member) }];
  });
}

export const mentionsNamed = (room: string, mentions: readonly NewMention[] = []): Need[] =>
  peopleIn(
    room,
    mentions.map(({ user }) => user).filter((user) => user !== everybody),
  );

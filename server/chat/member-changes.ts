import { type Change, hasSamePreferences, isMember, type MemberRecord } from '../history/history.ts';
import type { RemovalReason, User } from '../wire/events.ts';
import type { Chat } from './chat.ts';
import type { Effect } from './effect.ts';
import { connectionIdsOf, type Person, type Room } from './model.ts';
import { removalBy } from './moderation/removals.ts';
import { isListed } from './questions/shown.ts';
import { applyRecord } from './room-changes.ts';
import { sendSummary, summaryOf } from './summary.ts';

type MemberChange = Change & { type: 'member' };

/** A membership began, changed or ended. */
export const memberEffect: Effect<'member'> = {
  outdates: ({ directory }, { user }) => directory.withPeers(user.id),
  apply(chat, change, find) {
    const { directory, partners } = chat;
    const { room: record, user, before, now } = change;
    const person = find(user.id);
    const existing = directory.room(record.id);
    if (existing === undefined && (person === undefined || !isMember(now))) return undefined;
    const room = existing ?? directory.addRoom(record);
    applyRecord(room.record, record);
    if (!isMember(now)) {
      if (!isMember(before)) return undefined;
      if (record.kind === 'private') partners.lostRoom(user.id);
      const left = person === undefined ? [] : directory.remove(room, person);
      directory.forgetIfEmpty(room);
      return () => {
        for (const connection of left) chat.publisher.leave(connection.id, record.id);
        announceRemoval(chat, room, change, person);
      };
    }
    const partner = room.partners.get(user.id);
    if (partner !== undefined) partner.acted = now.acted;
    if (person !== undefined) directory.enter(room, person, now);
    return () => {
      if (isMember(before)) announceChange(chat, room, change, before, person);
      else announceMember(chat, room, change, person);
    };
  },
};

function announceMember(chat: Chat, room: Room, { user, now, asker }: MemberChange, person?: Person): void {
  announceToRoom(chat, room, user, now);
  for (const connection of person?.connections ?? []) {
    if (connection.id === asker) continue;
    const summary = summaryOf(chat.directory, room, connection);
    chat.publisher.toConnections([connection.id], 'room:added', summary);
  }
}

function announceChange(
  chat: Chat,
  room: Room,
  { user, now }: MemberChange,
  before: MemberRecord,
  person?: Person,
): void {
  const becomesVisible = shownUser(chat, user, before).name !== shownUser(chat, user, now).name;
  // Public rooms announce a first visit. In other rooms an event without a visible change would reveal the first visit.
  const joins = room.record.kind === 'public' && before.acted !== now.acted;
  if (before.role !== now.role || becomesVisible || joins) announceToRoom(chat, room, user, now);
  const hasSameRights = before.role === now.role && before.sources === now.sources;
  if (hasSameRights && hasSamePreferences(before, now)) return;
  for (const connection of person?.connections ?? []) sendSummary(chat, room, connection);
}

function announceRemoval(
  chat: Chat,
  room: Room,
  { user, now, by, cause, asker }: MemberChange,
  person?: Person,
): void {
  const { publisher, typing, presence } = chat;
  const { id, kind } = room.record;
  typing.stop(room, user.id);
  const ban = cause === 'banned' ? now.restricted?.banned : undefined;
  const byPeople: RemovalReason = cause === 'left' ? 'left' : 'removed';
  publisher.toConnections(
    connectionIdsOf(person === undefined ? [] : [person], asker),
    'room:removed',
    ban === undefined
      ? { room: id, readable: kind === 'public', reason: by === 'people' ? byPeople : 'site' }
      : removalBy(id, ban),
  );
  if (isListed(room.record, now))
    presence.memberChanged(room, user.id, { user: shownUser(chat, user, now), gone: true });
}

function announceToRoom(chat: Chat, room: Room, user: MemberChange['user'], member: MemberRecord): void {
  if (!isListed(room.record, member)) return;
  chat.presence.memberChanged(room, user.id, {
    user: shownUser(chat, user, member),
    role: member.role,
    present: room.present.has(user.id),
  });
}

/** Returns the user as other members of the room may see them. */
function shownUser({ directory }: Chat, user: MemberChange['user'], member: MemberRecord): User {
  const { id, name } = user;
  return { id, name: directory.isVisible(user, member) ? name : id };
}

import { type Change, otherOf, ownAfter } from '../../history/history.ts';
import { RequestError } from '../../wire/errors.ts';
import type { Answers, RequestPayload } from '../../wire/events.ts';
import type { Chat } from '../chat.ts';
import type { Effect } from '../effect.ts';
import { type Connection, connectionIdsOf, nobody, type Person, type Room } from '../model.ts';
import { hasReturned, summaryAfter } from '../summary.ts';
import { countMentions, noMentions, stillUnread, withMention, withoutMention } from './unread-mentions.ts';

export async function markRead(
  { history, directory }: Chat,
  connection: Connection,
  room: Room,
  { seq, unread }: RequestPayload<'read:mark'>,
): Promise<Answers['read:mark']> {
  // The client may have the message from another server, before this server has it.
  if (seq > room.record.lastSeq) {
    await history.current();
    // The user may have lost the room during the wait.
    if (directory.find(connection.person, room.record.id) !== room) throw new RequestError('unknown_room');
  }
  if (seq > room.record.lastSeq) throw new RequestError('bad_request', 'seq is beyond the last message');
  const { person } = connection;
  const { id } = room.record;
  const membership = person.memberships.get(id);
  // A public room may be read by users who are not members. Their read marker is not stored.
  if (unread && membership !== undefined && seq < membership.member.readSeq) {
    await history.write.markUnread({ room: id, user: person.user.id, seq }, connection.id);
  } else if (membership !== undefined && seq > membership.member.readSeq) {
    // Otherwise the room would be archived again once the mention is read.
    if (hasReturned(room, person))
      await history.write.setPreferences({ room: id, user: person.user.id, set: { archived: null } });
    await history.write.markRead({ room: id, user: person.user.id, seq }, connection.id);
  }
  return { room: summaryAfter(directory, room, connection) };
}

/** A read marker was moved. */
export const readEffect: Effect<'read'> = {
  outdates: (_, { user }) => [user],
  apply({ directory, publisher, seenBy, summaries }, change, find) {
    const { user, readSeq, again = false, unread, asker } = change;
    const room = directory.room(change.room);
    const reader = find(user);
    if (reader !== undefined) applyRead(reader, change);
    const partner = room?.partners.get(user);
    if (partner !== undefined) partner.readSeq = Math.max(partner.readSeq, readSeq);
    if (room === undefined) return undefined;
    // Only the number of unread messages changed.
    if (change.ownUnread !== undefined) return () => summaries.send(room, reader?.connections ?? []);
    return () => {
      if (!again) seenBy.read(room, user, readSeq);
      const { id, pair, firstSeq } = room.record;
      const peer = directory.person(otherOf(pair, user) ?? '');
      const sees = directory.showsSeen && !again && peer?.memberships.has(id) === true;
      const ids = [
        ...connectionIdsOf(reader === undefined ? [] : [reader], asker),
        ...connectionIdsOf(sees ? [peer] : []),
      ];
      if (ids.length === 0) return;
      const { mentions = noMentions } = reader?.memberships.get(id) ?? {};
      publisher.toConnections(ids, 'read:changed', {
        room: id,
        user,
        seq: readSeq,
        mentions: unread && countMentions(mentions, reader?.blocked ?? nobody, firstSeq),
      });
    };
  },
};

function applyRead({ memberships, blocked }: Person, change: Change & { type: 'read' }): void {
  const membership = memberships.get(change.room);
  if (membership === undefined) return;
  const { seenSeq: _, ownUnread, ...member } = membership.member;
  const { seenSeq, unread } = change;
  const readSeq = unread === undefined ? Math.max(member.readSeq, change.readSeq) : change.readSeq;
  membership.member = { ...member, readSeq, seenSeq, ...ownAfter(change.ownUnread ?? ownUnread, readSeq) };
  let { mentions } = membership;
  for (const [seq, author] of unread ?? [])
    mentions = withMention(withoutMention(mentions, seq), author, seq, blocked);
  membership.mentions = stillUnread(mentions, readSeq);
}

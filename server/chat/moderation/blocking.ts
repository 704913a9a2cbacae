import { RequestError } from '../../wire/errors.ts';
import type { Answers, RequestPayload } from '../../wire/events.ts';
import type { Chat } from '../chat.ts';
import type { Effect } from '../effect.ts';
import { countMentions, leavesOut, noMentions, stillUnread } from '../messages/unread-mentions.ts';
import {
  type Connection,
  connectionIdsOf,
  nobody,
  type Person,
  type Room,
  type RoomOfPerson,
} from '../model.ts';

export async function block(
  { history }: Chat,
  connection: Connection,
  { user: other, blocked }: RequestPayload<'user:block'>,
): Promise<Answers['user:block']> {
  const user = connection.person.user.id;
  if (other === user) throw new RequestError('bad_request', 'users cannot block themselves');
  await history.write.block({ user, other, blocked, at: Date.now() }, connection.id);
  return {};
}

/** Returns the users that this user blocked. Names that the user may not know are replaced by IDs. */
export async function blockedBy(
  { history, directory }: Chat,
  { person }: Connection,
): Promise<Answers['user:blocked']> {
  const ids = [...person.blocked];
  const [users, sharing] = await Promise.all([
    history.read.users({ ids }),
    history.read.sharesRoom({ user: person.user.id, of: ids }),
  ]);
  const names = new Map(
    users
      .filter((user) => directory.isVisible(user, undefined) || sharing.includes(user.id))
      .map(({ id, name }) => [id, name]),
  );
  return { users: ids.map((id) => ({ id, name: names.get(id) ?? id })) };
}

/** `user` blocked or unblocked `other`. */
export const blockedEffect: Effect<'blocked'> = {
  outdates: (_, { user }) => [user],
  apply(chat, { user, other, blocked, asker }, find) {
    const { publisher, typing, summaries } = chat;
    const person = find(user);
    const recounted = person === undefined ? [] : applyBlock(person, other, blocked);
    return () => {
      if (blocked) typing.blocked(user, other);
      if (person === undefined) return;
      const sendSummaries = () => {
        for (const room of recounted) summaries.send(room, person.connections);
      };
      sendSummaries();
      const isIncomplete = ({ record }: Room) =>
        leavesOut(person.memberships.get(record.id)?.mentions ?? noMentions);
      if (blocked && recounted.some(isIncomplete)) {
        readMentions(chat, person)
          .then(sendSummaries)
          // If this fails, the mentions are counted when the user connects again.
          .catch((error) => chat.onAsideFailure('mentions_counted', error));
      }
      const ids = connectionIdsOf([person], asker);
      publisher.toConnections(ids, 'blocked:changed', { user: other, blocked });
    };
  },
};

/** Blocks or unblocks a user in memory. @returns the rooms in which the number of unread mentions changed */
function applyBlock(person: Person, other: string, isBlocked: boolean): Room[] {
  const countIn = ({ room, mentions }: RoomOfPerson) =>
    countMentions(mentions, person.blocked, room.record.firstSeq);
  const affected = [...person.memberships.values()].filter(({ mentions }) => mentions.has(other));
  const before = affected.map(countIn);
  const blocked = new Set(person.blocked);
  if (isBlocked) blocked.add(other);
  else blocked.delete(other);
  person.blocked = blocked.size === 0 ? nobody : blocked;
  return affected.filter((membership, n) => countIn(membership) !== before[n]).map(({ room }) => room);
}

/** Reads the unread mentions again, because mentions by the blocked user may have displaced older ones from memory. */
function readMentions(
  { history, directory, catchUp }: Chat,
  { user: { id }, memberships }: Person,
): Promise<void> {
  return catchUp(
    history.read.user({ user: id }),
    (stored) => {
      for (const { room, mentions } of stored.memberships) {
        const membership = memberships.get(room.id);
        if (membership === undefined) continue;
        membership.mentions = stillUnread(mentions, membership.member.readSeq);
      }
    },
    (user) => (user === id ? directory.person(id) : undefined),
  );
}

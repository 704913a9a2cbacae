import { RequestError } from '../../wire/errors.ts';
import { type Answers, mostSeers, type RequestPayload } from '../../wire/events.ts';
import type { Chat } from '../chat.ts';
import type { Connection, Room } from '../model.ts';

/** The members who have seen a message, for its author. */
export async function seenBy(
  { history, directory }: Chat,
  { person }: Connection,
  { record }: Room,
  { seq }: RequestPayload<'message:seen'>,
): Promise<Answers['message:seen']> {
  if (record.kind === 'direct') throw new RequestError('bad_request', 'a direct room has readByOther for it');
  const asker = person.user.id;
  if (!person.memberships.has(record.id) || record.settings.seen === 'off')
    throw new RequestError('forbidden');
  if (record.members > mostSeers)
    throw new RequestError('limit_reached', `the room has more than ${mostSeers} members`);
  const found = await history.read.seenBy({ room: record.id, seq, asker, limit: mostSeers });
  if (found === null) throw new RequestError('unknown_message');
  if (found.author !== asker) throw new RequestError('forbidden');
  const known = found.seers.filter(({ user, member }) => directory.isVisible(user, member));
  // All members count, so that the difference does not show who hides what they have seen, or who has blocked whom.
  return {
    users: known.map(({ user: { id, name } }) => ({ id, name })),
    total: Math.max(0, record.members - 1),
  };
}

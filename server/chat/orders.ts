import type { Chat } from './chat.ts';
import type { Connection } from './model.ts';
import type { Order, OrderAnswer } from './other-servers.ts';

/** Runs a node command on the connections to this server, at once. A kick resolves as `Chat.kick` does. */
export async function obey(
  { directory, publisher, cards, kick }: Pick<Chat, 'directory' | 'publisher' | 'cards' | 'kick'>,
  user: string,
  order: Order,
): Promise<OrderAnswer> {
  const person = directory.person(user);
  const connections = [...(person?.connections ?? [])];
  if (order.is === 'kick') {
    for (const connection of connections) {
      connection.ended = true;
      connection.ban = order.ban;
    }
    await kick(user);
  }
  if (order.is === 'card') {
    const { room, card } = order;
    cards?.forget(card);
    publisher.toRoom(room, 'card:changed', { room, card });
  }
  if (order.is === 'push') {
    const { name, data, room } = order;
    // Commands of other servers come through the change log, so this server already knows of earlier removals.
    if (person === undefined || (room !== undefined && directory.find(person, room) === undefined))
      return { count: 0 };
    const ids = connections.map(({ id }) => id);
    publisher.toConnections(ids, 'push', { name, data });
  }
  if (order.is === 'joined') {
    const { room, users = [user] } = order;
    const hasJoined = ({ joined }: Connection) => [...joined].some(({ record }) => record.id === room);
    const joined = users.filter((id) => [...(directory.person(id)?.connections ?? [])].some(hasJoined));
    return { count: joined.length, joined };
  }
  return { count: connections.length };
}

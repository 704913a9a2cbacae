import type { Directory } from './directory.ts';
import type { Order } from './other-servers.ts';
import type { Publisher } from './publisher.ts';

/** Carries out an order on the connections to this server. @returns the number of these connections */
export function obey(
  {
    directory,
    publisher,
    kick,
  }: { directory: Directory; publisher: Publisher; kick: (user: string) => void },
  user: string,
  order: Order,
): number {
  const connections = [...(directory.person(user)?.connections ?? [])];
  if (order.is === 'kick') {
    for (const connection of connections) connection.kicked = true;
    kick(user);
  }
  if (order.is === 'push') {
    const { name, data } = order;
    const ids = connections.map(({ id }) => id);
    publisher.toConnections(ids, 'push', { name, ...(data === undefined ? {} : { data }) });
  }
  if (order.is === 'joined') {
    return connections.filter(({ joined }) => [...joined].some(({ record }) => record.id === order.room))
      .length;
  }
  return connections.length;
}

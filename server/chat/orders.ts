import type { Directory } from './directory.ts';
import type { Order } from './other-servers.ts';
import type { Publisher } from './publisher.ts';

/** Carries out what concerns the connections to this server. @returns how many they are */
export function carryOut(
  {
    directory,
    publisher,
    kick,
  }: { directory: Directory; publisher: Publisher; kick: (user: string) => number },
  user: string,
  order: Order,
): number {
  if (order.is === 'kick') return kick(user);
  const connections = [...(directory.person(user)?.connections ?? [])].map(({ id }) => id);
  if (order.is === 'push') {
    const { name, data } = order;
    publisher.toConnections(connections, 'push', { name, ...(data === undefined ? {} : { data }) });
  }
  return connections.length;
}

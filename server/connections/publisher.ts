import type { DefaultEventsMap, Server } from 'socket.io';
import type { Publisher } from '../chat/publisher.ts';
import type { ClientToServer, ServerToClient } from '../events.ts';

/**
 * The chat's events on their way to Socket.IO's connections. A connection is named by its socket's id, which is also a
 * room of its own, so that whoever an event is for, its frame is built once.
 */
export function createPublisher<Data>(
  io: Server<ClientToServer, ServerToClient, DefaultEventsMap, Data>,
): Publisher {
  const { sockets } = io.of('/');
  return {
    join: (connection, room) => void sockets.get(connection)?.join(`room:${room}`),
    leave: (connection, room) => void sockets.get(connection)?.leave(`room:${room}`),
    toRoom(room, event, payload, except) {
      const to = io.to(`room:${room}`);
      (except === undefined ? to : to.except(except)).emit(event, ...([payload] as never));
    },
    toConnections(connections, event, payload) {
      if (connections.length > 0) io.to([...connections]).emit(event, ...([payload] as never));
    },
  };
}

import type { ServerToClient } from '../wire/events.ts';

type Event = keyof ServerToClient;
type Payload<E extends Event> = Parameters<ServerToClient[E]>[0];

/**
 * Sends events to connections. An event is one frame, built once for all receivers. The chat knows connections only by
 * their ids.
 */
export interface Publisher {
  /** Adds the connection to the receivers of the room's events. */
  join(connection: string, room: string): void;
  leave(connection: string, room: string): void;
  /** Sends an event to all connections that joined the room. */
  toRoom<E extends Event>(room: string, event: E, payload: Payload<E>): void;
  toConnections<E extends Event>(connections: readonly string[], event: E, payload: Payload<E>): void;
}

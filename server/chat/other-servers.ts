import type { RoomRecord } from '../history/history.ts';
import type { User } from '../wire/events.ts';

/** An action on all connections of a user, on every server. */
export type Order =
  | { is: 'count' }
  /** Asks which of these users have joined the room. An earlier version asks about the user of the order alone. */
  | { is: 'joined'; room: string; users?: readonly string[] }
  | { is: 'kick' }
  /** Says something of that room, if any: only to a user who may know of it. */
  | { is: 'push'; name: string; data?: unknown; room?: string };

/** The answer of one server, or of several together. */
export interface OrderAnswer {
  /** The connections on which the order was carried out. */
  count: number;
  /** The users who have joined the room that was asked about. */
  joined?: readonly string[];
}

/** How others see a user: under which name, and in which rooms. */
export interface Seen {
  name: string;
  rooms: readonly string[];
}

/** A run of a server. */
export interface Run {
  version: string;
  /** When it has begun. */
  since: number;
}

/** One of several servers. */
export interface ServerState {
  name: string;
  /** Absent for one of an earlier version. */
  run?: Run;
  /** How many milliseconds it took to store its last announcement; absent as long as that is unknown. */
  took?: number;
  /** It has been heard lately. */
  working: boolean;
  /** When it was heard last, if it does not work. */
  downSince?: number;
  /** The users who are connected to it; none if it does not work. */
  users: readonly string[];
}

/** The other servers of this chat. A single server has none. */
export interface OtherServers {
  /** This server. */
  readonly own: Pick<ServerState, 'name' | 'run' | 'took'>;
  /** The others, as far as they are known by name. */
  states(): ServerState[];
  /** The users who are connected to other servers and visible in the room, by id. */
  presentIn(room: string): ReadonlyMap<string, User>;
  isConnected(user: string): boolean;
  /** Must be called when others may see a user of this server differently. */
  seenChanged(user: string): void;
  typing(room: RoomRecord, user: string, typing: boolean): void;
  /**
   * Carries out the order on all other servers.
   * @param user '' for an order that names its users itself
   * @returns the answers that arrive in time, together
   * @throws RequestError if they cannot be reached
   */
  orderOthers(user: string, order: Order): Promise<OrderAnswer>;
}

/** The interface of this server for the others. */
export interface ThisServer {
  /** How others see a user who is connected here; null if the user is not. */
  seen(user: string): Seen | null;
  everybody(): Iterable<{ user: User }>;
  /** Presence on other servers has changed. */
  presenceChanged(room: string, user: string): void;
  /** A user on another server is typing, or has stopped. */
  typing(room: Pick<RoomRecord, 'id' | 'createdAt'>, user: string, typing: boolean): void;
  /** Carries out an order on the connections to this server. */
  obey(user: string, order: Order): Promise<OrderAnswer>;
}

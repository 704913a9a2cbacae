import type { Ban, RoomRecord } from '../history/history.ts';
import type { User } from '../wire/events.ts';

/** A node command: an action on all connections of a user, on every server. */
export type Order =
  | { is: 'count' }
  /** Asks which of `users` joined the room. A server of an earlier version omits `users` and asks about one user. */
  | { is: 'joined'; room: string; users?: readonly string[] }
  /** `ban`: set if a ban closes the connections. A server may read it before the stored ban. */
  | { is: 'kick'; ban?: Ban }
  /** A button of this card was clicked in the room. */
  | { is: 'card'; room: string; card: string }
  /** Sends the event `push`. With `room`, only if the user may know of that room. */
  | { is: 'push'; name: string; data?: unknown; room?: string };

/** The response of one server, or the combined responses of several. */
export interface OrderAnswer {
  /** The number of connections on which the command ran. For `joined`, the number of users. */
  count: number;
  /** For `joined`: the users who joined the room. */
  joined?: readonly string[];
}

/** The state of a user that others see: the name, and the rooms in which the user is visible. */
export interface Seen {
  name: string;
  rooms: readonly string[];
}

/** A process instance of a server. */
export interface Run {
  version: string;
  /** When it started, as Unix ms. */
  since: number;
}

/** The state of one of several servers. */
export interface ServerState {
  name: string;
  /** Absent for a server of an earlier version. */
  run?: Run;
  /** The time that it took to store its last announcement, in ms. Absent until known. */
  took?: number;
  /** Whether the server was heard recently. */
  working: boolean;
  /** When it was last heard, as Unix ms. Set while it does not work. */
  downSince?: number;
  /** The users who are connected to it. Empty while it does not work. */
  users: readonly string[];
}

/** The other servers of this chat. A single server has none. */
export interface OtherServers {
  /** This server. */
  readonly own: Pick<ServerState, 'name' | 'run' | 'took'>;
  /** Returns the other servers whose names are known. */
  states(): ServerState[];
  /** Returns the users who are connected to other servers and visible in the room, by ID. */
  presentIn(room: string): ReadonlyMap<string, User>;
  isConnected(user: string): boolean;
  /** Must be called when others may see a user of this server differently. */
  seenChanged(user: string): void;
  typing(room: RoomRecord, user: string, typing: boolean): void;
  /** Must be called when a user of this server reads a page and shows that. */
  reads(page: string, user: User): void;
  /**
   * Runs a node command on all other servers.
   * @param user the affected user; '' if the command itself lists the users
   * @returns the combined responses that arrive in time
   * @throws RequestError if the command cannot be stored, or this server is shutting down
   */
  orderOthers(user: string, order: Order): Promise<OrderAnswer>;
}

/** The interface of this server for the others. */
export interface ThisServer {
  /** Returns how others see a user who is connected to this server; null if the user is not. */
  seen(user: string): Seen | null;
  everybody(): Iterable<{ user: User }>;
  /** Must be called when the presence of a user on other servers changed. */
  presenceChanged(room: string, user: string): void;
  /** Must be called when a user on another server starts or stops typing. */
  typing(room: Pick<RoomRecord, 'id' | 'createdAt'>, user: string, typing: boolean): void;
  /** Must be called when a user of another server reads a page and shows that. */
  reads(page: string, user: User): void;
  /** Runs a node command on the connections to this server. */
  obey(user: string, order: Order): Promise<OrderAnswer>;
}

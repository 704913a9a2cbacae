import type { User } from '../events.ts';

/** What is done with all connections of one user, on whatever server they are. `joined` counts those that have joined a room. */
export type Order =
  | { is: 'count' }
  | { is: 'joined'; room: string }
  | { is: 'kick' }
  | { is: 'push'; name: string; data?: unknown };

/** How others see a user: by which name, and in which rooms. */
export interface Seen {
  name: string;
  rooms: readonly string[];
}

/** The other servers of this chat. A server alone has none. */
export interface OtherServers {
  /** Who is connected to them, as the members of a room see it, by id. */
  presentIn(room: string): ReadonlyMap<string, User>;
  isConnected(user: string): boolean;
  /** How others see a user who is connected here may have changed. */
  seenChanged(user: string): void;
  typing(room: string, user: User, typing: boolean): void;
  /**
   * Has the order carried out on all servers but this one.
   * @returns the sum of what they say in time
   * @throws RequestError if they cannot be told
   */
  orderOthers(user: string, order: Order): Promise<number>;
}

/** What the other servers need of this one. */
export interface ThisServer {
  /** How others see a user who is connected here; null if there is none. */
  seen(user: string): Seen | null;
  everybody(): Iterable<{ user: User }>;
  /** Who is present on other servers has changed. */
  presenceChanged(room: string, user: string): void;
  /** Somebody on another server is typing, or has stopped. */
  typing(room: string, user: User, typing: boolean): void;
  /** Carries an order out for the connections to this server. @returns how many they are */
  obey(user: string, order: Order): number;
}

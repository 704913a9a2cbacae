import type { User } from '../events.ts';

/** One connection of one user, as the chat sees it. */
export interface Member {
  /** Who this is now: a name that changes in the session is replaced here. */
  user: User;
  /** The rooms this connection has joined. */
  readonly joined: Set<string>;
  /** Set when the connection is closed: what is still under way for it must not join anything. */
  gone: boolean;
}

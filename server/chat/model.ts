import type {
  Ban,
  MemberRecord,
  Partner,
  RoomRecord,
  StoredMessage,
  UnreadMentions,
  UserRecord,
} from '../history/history.ts';
import type { SiteRole, User } from '../wire/events.ts';
import type { Actor } from './access.ts';

// The chat's state in memory: connected users, their connections, and the rooms that they can reach.

/** A room that the site puts a user into: see CHAT_USER_ROOMS. */
export interface SiteRoom {
  id: string;
  name: string;
}

/** The identity of a user in a session. */
export interface SessionIdentity extends User {
  roles: readonly SiteRole[];
  /** Absent if the session's list is unreadable. In that case memberships do not change. */
  rooms?: readonly SiteRoom[];
}

/** An open connection of a user. */
export interface Connection {
  readonly id: string;
  /** The key of limits and shares: the user, or for a guest the address, because one person can be many guests. */
  readonly account: string;
  readonly person: Person;
  /** Roles and rights come from the session of this connection. */
  identity: SessionIdentity;
  /** The rooms whose events this connection gets. */
  readonly joined: Set<Room>;
  /** Set when the connection is closed, so that requests in progress do not join a room. */
  gone: boolean;
  /**
   * Set when the login ends or the user is kicked. Queued requests are dropped, even if the page is already closed. A
   * connection that is still being accepted is closed afterwards.
   */
  ended: boolean;
  /** Set if a ban from the whole site ended the connection, perhaps before the ban is stored. */
  ban?: Ban | undefined;
}

/** A user with an open connection, now or a moment ago. */
export interface Person {
  user: UserRecord;
  readonly connections: Set<Connection>;
  /** Users this user has blocked. */
  blocked: ReadonlySet<string>;
  /** The user's current memberships, by room ID. */
  readonly memberships: Map<string, RoomOfPerson>;
  /** Whether the history has stored the user with `arrive`. */
  isStored: boolean;
}

/** Returns a connected user if changes must be applied to this user. */
export type FindUser = (id: string) => Person | undefined;

export interface RoomOfPerson {
  room: Room;
  member: MemberRecord;
  mentions: UnreadMentions;
}

/** An empty set, shared by all users who have not blocked anyone. */
export const nobody: ReadonlySet<string> = new Set();

export function siteRole(person: Person | undefined): SiteRole | undefined {
  const roles = [...(person?.connections ?? [])].flatMap(({ identity }) => identity.roles);
  return roles.includes('admin') ? 'admin' : roles.includes('moderator') ? 'moderator' : undefined;
}

/** Returns the user of this connection as an actor in a room. */
export function actorOf(room: Room, { identity, person }: Connection): Actor {
  return { roles: identity.roles, member: person.memberships.get(room.record.id)?.member };
}

/** Returns the user of this connection as others see the user. */
export function userOf({ identity }: Connection): User {
  return { id: identity.id, name: identity.name };
}

/**
 * A room in memory: each public room, and each room with a connected member. `record` is the last published state,
 * never newer than the events that were sent to joined connections.
 */
export interface Room {
  record: RoomRecord;
  /** Members who are connected to this server. */
  readonly here: Set<Person>;
  /** Members who are connected to any server, and whom other members may see, by ID. */
  readonly present: Map<string, User>;
  readonly joined: Set<Connection>;
  /** The number of joins so far. */
  joins: number;
  /** The users of a direct room who were read from the history, by ID. */
  readonly partners: Map<string, Partner>;
  /** A list for each join in progress. Each message is added to all lists before it is published. */
  readonly missed: Set<StoredMessage[]>;
}

/** Copies `record`, because changes of the history may share the object. */
export function newRoom(record: RoomRecord): Room {
  return {
    record: { ...record },
    here: new Set(),
    present: new Map(),
    joined: new Set(),
    joins: 0,
    partners: new Map(),
    missed: new Set(),
  };
}

/** Returns the number of members. A direct room has two, even before the other user has opened it. */
export function membersOf({ record }: Room): number {
  return record.kind === 'direct' ? 2 : record.members;
}

export function connectionIdsOf(people: readonly Person[], except?: string): string[] {
  return people
    .flatMap(({ connections }) => [...connections].map(({ id }) => id))
    .filter((id) => id !== except);
}

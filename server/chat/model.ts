import type { SiteRole, User } from '../events.ts';
import type { MemberRecord, Partner, RoomRecord, UnreadMentions, UserRecord } from '../history/history.ts';
import type { Actor } from './access.ts';

// What the chat holds in memory: who is here, over which connections, and the rooms that they can reach.

/** A room that the site puts a user into: see CHAT_USER_ROOMS. */
export interface SiteRoom {
  id: string;
  name: string;
}

/** What a session says about its user. */
export interface SessionIdentity extends User {
  roles: readonly SiteRole[];
  /** Absent if the session's list cannot be read: then nothing changes. */
  rooms?: readonly SiteRoom[];
}

/** One open connection of one user. */
export interface Connection {
  readonly id: string;
  readonly person: Person;
  /** Roles and rights are those of the session that this connection uses. */
  identity: SessionIdentity;
  /** The rooms that it has joined: it gets their events. */
  readonly joined: Set<Room>;
  /** Set when it is closed: requests that are still under way must not join a room any more. */
  gone: boolean;
  /** Set when all connections of the user are closed: one that is still being let in is closed when it is in. */
  kicked: boolean;
}

/** A user with an open connection, or who had one a moment ago. */
export interface Person {
  user: UserRecord;
  readonly connections: Set<Connection>;
  /** Whom the user has blocked. */
  blocked: ReadonlySet<string>;
  /** The user's current memberships, by room id. */
  readonly memberships: Map<string, RoomOfPerson>;
}

export interface RoomOfPerson {
  room: Room;
  member: MemberRecord;
  mentions: UnreadMentions;
}

/** Of those who have blocked nobody, which are nearly all. */
export const nobody: ReadonlySet<string> = new Set();

export function siteRole(person: Person | undefined): SiteRole | undefined {
  const roles = [...(person?.connections ?? [])].flatMap(({ identity }) => identity.roles);
  return roles.includes('admin') ? 'admin' : roles.includes('moderator') ? 'moderator' : undefined;
}

/** The user of this connection, as the one who acts in a room. */
export function actorOf(room: Room, { identity, person }: Connection): Actor {
  return { roles: identity.roles, member: person.memberships.get(room.record.id)?.member };
}

/** As others see the user of this connection. */
export function userOf({ identity }: Connection): User {
  return { id: identity.id, name: identity.name };
}

/**
 * A room in memory: every public one, and those of which a member is here. `record` is as it was last published, never
 * newer than what every joined connection was sent.
 */
export interface Room {
  record: RoomRecord;
  /** Its members who are here. */
  readonly here: Set<Person>;
  /** Those of them whom other members may see, by id. */
  readonly present: Map<string, User>;
  readonly joined: Set<Connection>;
  /** How many connections have ever joined it. */
  joins: number;
  /** Both sides of a direct room, as far as they are known, by user id. */
  readonly partners: Map<string, Partner>;
}

export function newRoom(record: RoomRecord): Room {
  return { record, here: new Set(), present: new Map(), joined: new Set(), joins: 0, partners: new Map() };
}

import type { PresenceChange, User } from '../events.ts';
import type { Member } from './member.ts';

/** Comings and goings of this long are told together, so that a storm of reconnects is one event a room. */
const gatherFor = 250;
/** At most so many users are listed in the answer to a join. */
const listed = 100;

interface Room {
  /** By user id; a user is present as long as one of his connections has joined. */
  readonly users: Map<string, { user: User; members: Set<Member> }>;
  /** Who was present when the last change was told; kept while a change waits. */
  before?: Set<string>;
}

/** Who has joined which room, by user and not by connection. */
export class Presence {
  readonly #rooms = new Map<string, Room>();
  readonly #tell: (change: PresenceChange) => void;
  readonly #timers = new Set<NodeJS.Timeout>();

  constructor(tell: (change: PresenceChange) => void) {
    this.#tell = tell;
  }

  join(roomId: string, member: Member): void {
    const room = this.#rooms.get(roomId) ?? { users: new Map() };
    this.#rooms.set(roomId, room);
    const present = room.users.get(member.user.id);
    if (present === undefined) {
      this.#changes(roomId, room);
      room.users.set(member.user.id, { user: member.user, members: new Set([member]) });
    } else {
      present.user = member.user;
      present.members.add(member);
    }
  }

  leave(roomId: string, member: Member): void {
    const room = this.#rooms.get(roomId);
    const present = room?.users.get(member.user.id);
    if (room === undefined || present === undefined || !present.members.delete(member)) return;
    if (present.members.size > 0) return;
    this.#changes(roomId, room);
    room.users.delete(member.user.id);
  }

  /** For the answer to a join: at most 100 users, the joiner among them. */
  of(roomId: string, joiner: Member): { present: User[]; presentCount: number } {
    const users = this.#rooms.get(roomId)?.users ?? new Map<string, { user: User }>();
    const present = [joiner.user];
    for (const { user } of users.values()) {
      if (present.length === listed) break;
      if (user.id !== joiner.user.id) present.push(user);
    }
    return { present, presentCount: users.size };
  }

  close(): void {
    for (const timer of this.#timers) clearTimeout(timer);
  }

  #changes(roomId: string, room: Room): void {
    if (room.before !== undefined) return;
    room.before = new Set(room.users.keys());
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      const before = room.before ?? new Set();
      delete room.before;
      const joined: User[] = [];
      for (const [id, { user }] of room.users) if (!before.has(id)) joined.push(user);
      const left = [...before].filter((id) => !room.users.has(id));
      if (room.users.size === 0) this.#rooms.delete(roomId);
      if (joined.length > 0 || left.length > 0) {
        this.#tell({ room: roomId, joined, left, count: room.users.size });
      }
    }, gatherFor);
    this.#timers.add(timer);
  }
}

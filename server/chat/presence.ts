import type { PresenceChange, User } from '../events.ts';
import type { Member } from './member.ts';

/** Comings and goings of this long are told together, so that a storm of reconnects is one event a room. */
const gatherFor = 250;
/** At most so many users are listed in the answer to a join. */
const listed = 100;

interface Room {
  /** The connections that have joined, by user id; a user is present as long as he has one. */
  readonly users: Map<string, Set<Member>>;
  /** Who was present when the last change was told, and under which name; kept while a change waits. */
  before?: Map<string, string>;
}

/** Who has joined which room, by user and not by connection. */
export class Presence {
  readonly #rooms = new Map<string, Room>();
  readonly #tell: (change: PresenceChange) => void;

  constructor(tell: (change: PresenceChange) => void) {
    this.#tell = tell;
  }

  join(roomId: string, member: Member): void {
    const room: Room = this.#rooms.get(roomId) ?? { users: new Map() };
    this.#rooms.set(roomId, room);
    const members = room.users.get(member.user.id);
    if (members !== undefined) return void members.add(member);
    this.#changes(roomId, room);
    room.users.set(member.user.id, new Set([member]));
  }

  leave(roomId: string, member: Member): void {
    const room = this.#rooms.get(roomId);
    const members = room?.users.get(member.user.id);
    if (room === undefined || !members?.has(member)) return;
    // Another connection of his may have another name for him.
    this.#changes(roomId, room);
    members.delete(member);
    if (members.size === 0) room.users.delete(member.user.id);
  }

  /** A user is about to be called something else: those who list him are told, as of one who has joined. */
  renames(roomId: string): void {
    const room = this.#rooms.get(roomId);
    if (room !== undefined) this.#changes(roomId, room);
  }

  /** For the answer to a join: at most 100 users, the joiner among them. */
  of(roomId: string, joiner: Member): { present: User[]; presentCount: number } {
    const users = this.#rooms.get(roomId)?.users ?? new Map<string, Set<Member>>();
    const present = [joiner.user];
    for (const members of users.values()) {
      if (present.length === listed) break;
      const user = userOf(members);
      if (user.id !== joiner.user.id) present.push(user);
    }
    return { present, presentCount: users.size };
  }

  #changes(roomId: string, room: Room): void {
    if (room.before !== undefined) return;
    room.before = new Map([...room.users].map(([id, members]) => [id, userOf(members).name]));
    setTimeout(() => this.#tellChange(roomId, room), gatherFor);
  }

  #tellChange(roomId: string, room: Room): void {
    const before = room.before ?? new Map<string, string>();
    delete room.before;
    const joined = [...room.users.values()].map(userOf).filter(({ id, name }) => before.get(id) !== name);
    const left = [...before.keys()].filter((id) => !room.users.has(id));
    if (room.users.size === 0) this.#rooms.delete(roomId);
    if (joined.length > 0 || left.length > 0) {
      this.#tell({ room: roomId, joined, left, count: room.users.size });
    }
  }
}

/** As he is called now: a name can change while he is present. */
function userOf(members: Set<Member>): User {
  const [member] = members;
  return (member as Member).user;
}

/**
 * A minimal model of rooms, members, messages and read marks: the rules of docs/protocol.md for users' own rooms,
 * independent of the server's code. Users have no site roles.
 */
export interface ModelRoom {
  id: string;
  kind: 'public' | 'private';
  members: Map<string, { role: 'owner' | 'moderator' | 'member'; readSeq: number; since: number }>;
  /** Removed users: only the owner and moderators can add them again. */
  removed: Set<string>;
  /** Users who have left: other users cannot add them again. */
  left: Set<string>;
  messages: { user: string; text: string; deleted: boolean; rev: number }[];
  head: number;
}

const ranks = { owner: 2, moderator: 1, member: 0 };

/** Each method does what the request does, and returns the code of the answer: `ok` or a refusal. */
export class ChatModel {
  readonly rooms = new Map<string, ModelRoom>();
  #clock = 0;

  create(user: string, id: string, kind: 'public' | 'private'): void {
    const owner = { role: 'owner' as const, readSeq: 0, since: this.#clock++ };
    this.rooms.set(id, {
      id,
      kind,
      members: new Map([[user, owner]]),
      removed: new Set(),
      left: new Set(),
      messages: [],
      head: 0,
    });
  }

  join(user: string, id: string): string {
    const room = this.#readable(user, id);
    if (room === undefined) return 'unknown_room';
    this.#add(room, user);
    return 'ok';
  }

  invite(user: string, id: string, other: string): string {
    const room = this.#readable(user, id);
    if (room === undefined) return 'unknown_room';
    if (room.kind === 'public') return 'forbidden';
    if (!room.members.has(other)) {
      if (room.left.has(other)) return 'failed';
      if (room.removed.has(other) && this.#rank(room, user) === 0) return 'failed';
    }
    this.#add(room, other);
    return 'ok';
  }

  remove(user: string, id: string, other: string): string {
    const room = this.#readable(user, id);
    if (room === undefined) return 'unknown_room';
    if (user === other) {
      if (room.members.has(user)) this.#end(room, user, room.left);
      return 'ok';
    }
    if (this.#rank(room, user) < 1) return 'forbidden';
    if (!room.members.has(other)) return 'ok';
    if (this.#rank(room, user) <= this.#rank(room, other)) return 'forbidden';
    this.#end(room, other, room.removed);
    return 'ok';
  }

  role(user: string, id: string, other: string, role: 'owner' | 'moderator' | 'member'): string {
    const room = this.#readable(user, id);
    if (room === undefined) return 'unknown_room';
    const target = room.members.get(other);
    if (target?.role === role) return 'ok';
    const self = room.members.get(user);
    if (self?.role !== 'owner') return 'forbidden';
    if (target === undefined) return 'unknown_user';
    if (user === other) return 'forbidden';
    if (role === 'owner') self.role = 'moderator';
    target.role = role;
    return 'ok';
  }

  send(user: string, id: string, text: string): string {
    const room = this.#readable(user, id);
    const member = room?.members.get(user);
    if (room === undefined || member === undefined) return 'unknown_room';
    room.messages.push({ user, text, deleted: false, rev: ++room.head });
    member.readSeq = room.messages.length;
    return 'ok';
  }

  edit(user: string, id: string, seq: number, text: string): string {
    const room = this.#readable(user, id);
    if (room === undefined) return 'unknown_room';
    const message = room.messages[seq - 1];
    if (message === undefined || message.deleted) return 'unknown_message';
    if (message.user !== user) return 'forbidden';
    if (message.text !== text) Object.assign(message, { text, rev: ++room.head });
    return 'ok';
  }

  delete(user: string, id: string, seq: number): string {
    const room = this.#readable(user, id);
    if (room === undefined) return 'unknown_room';
    const message = room.messages[seq - 1];
    if (message === undefined) return 'unknown_message';
    const own = message.user === user;
    if (!own && (this.#rank(room, user) < 1 || this.#rank(room, user) <= this.#rank(room, message.user))) {
      return 'forbidden';
    }
    if (!message.deleted) Object.assign(message, { text: '', deleted: true, rev: ++room.head });
    return 'ok';
  }

  mark(user: string, id: string, seq: number): string {
    const room = this.#readable(user, id);
    if (room === undefined) return 'unknown_room';
    if (seq > room.messages.length) return 'bad_request';
    const member = room.members.get(user);
    if (member !== undefined) member.readSeq = Math.max(member.readSeq, seq);
    return 'ok';
  }

  /** The content of a user's list of own rooms, by id. */
  list(user: string): Record<string, object> {
    const own = [...this.rooms.values()].filter((room) => room.members.has(user));
    return Object.fromEntries(
      own.map((room) => {
        const { role, readSeq } = room.members.get(user) as { role: string; readSeq: number };
        const lastSeq = room.messages.length;
        const numbers = { head: room.head, lastSeq, readSeq, unread: lastSeq - readSeq };
        return [room.id, { role, members: room.members.size, ...numbers }];
      }),
    );
  }

  #readable(user: string, id: string): ModelRoom | undefined {
    const room = this.rooms.get(id);
    return room?.kind === 'public' || room?.members.has(user) ? room : undefined;
  }

  #rank(room: ModelRoom, user: string): number {
    return ranks[room.members.get(user)?.role ?? 'member'];
  }

  #add(room: ModelRoom, user: string): void {
    if (room.members.has(user)) return;
    room.members.set(user, { role: 'member', readSeq: room.messages.length, since: this.#clock++ });
  }

  #end(room: ModelRoom, user: string, cause: Set<string>): void {
    const wasOwner = room.members.get(user)?.role === 'owner';
    room.members.delete(user);
    cause.add(user);
    const [next] = [...room.members.values()].sort(
      (a, b) => ranks[b.role] - ranks[a.role] || a.since - b.since,
    );
    if (wasOwner && next !== undefined) next.role = 'owner';
  }
}

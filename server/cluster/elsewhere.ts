import type { Seen } from '../chat/other-servers.ts';
import type { User } from '../wire/events.ts';

/** The state of one other server. */
interface OtherServer {
  users: Map<string, Seen>;
  counts: boolean;
}

/** How many users of a lost or returned server are handled per event-loop tick. */
const atOnce = 200;

const nobody: ReadonlyMap<string, User> = new Map();

/** The users who are connected to other servers, and the rooms in which members see them. */
export class Elsewhere {
  readonly #servers = new Map<string, OtherServer>();
  /** Users who count as present, by room. A user who is connected to several servers is included once. */
  readonly #rooms = new Map<string, Map<string, User>>();
  readonly #onChange: (room: string, user: string) => void;

  /** @param onChange called when the presence or the name of a user in a room changes */
  constructor(onChange: (room: string, user: string) => void) {
    this.#onChange = onChange;
  }

  presentIn(room: string): ReadonlyMap<string, User> {
    return this.#rooms.get(room) ?? nobody;
  }

  usersOf(id: string): string[] {
    const server = this.#servers.get(id);
    return server?.counts ? [...server.users.keys()] : [];
  }

  isConnected(user: string): boolean {
    for (const { users, counts } of this.#servers.values()) if (counts && users.has(user)) return true;
    return false;
  }

  /** Sets how others see a user of that server. Null if the user disconnected from it. */
  set(id: string, user: string, seen: Seen | null): void {
    const server = this.#servers.get(id) ?? { users: new Map(), counts: true };
    this.#servers.set(id, server);
    const before = server.users.get(user);
    if (seen === null) server.users.delete(user);
    else server.users.set(user, seen);
    for (const room of new Set([...(before?.rooms ?? []), ...(seen?.rooms ?? [])])) this.#look(room, user);
  }

  /** Sets whether the users of that server count as present. */
  setCounts(id: string, counts: boolean): void {
    const server = this.#servers.get(id);
    if (server === undefined || server.counts === counts) return;
    server.counts = counts;
    void this.#lookAtAll(server);
  }

  /** Removes a user from a room after the end of the membership, even if a server announced the user there before. */
  removed(room: string, user: string): void {
    for (const { users } of this.#servers.values()) {
      const seen = users.get(user);
      if (!seen?.rooms.includes(room)) continue;
      users.set(user, { ...seen, rooms: seen.rooms.filter((one) => one !== room) });
      this.#look(room, user);
    }
  }

  /** Removes a deleted room from all servers, including silent servers that may return. */
  roomDeleted(room: string): void {
    for (const { users } of this.#servers.values()) {
      for (const [user, { rooms }] of users) if (rooms.includes(room)) this.removed(room, user);
    }
  }

  forget(id: string): void {
    const server = this.#servers.get(id);
    if (server === undefined) return;
    this.#servers.delete(id);
    void this.#lookAtAll(server);
  }

  async #lookAtAll({ users }: OtherServer): Promise<void> {
    let looked = 0;
    for (const [user, { rooms }] of users) {
      for (const room of rooms) this.#look(room, user);
      if (++looked % atOnce === 0) await new Promise(setImmediate);
    }
  }

  #look(room: string, user: string): void {
    let name: string | undefined;
    for (const { users, counts } of this.#servers.values()) {
      const seen = counts ? users.get(user) : undefined;
      if (seen?.rooms.includes(room)) name = seen.name;
    }
    const users = this.#rooms.get(room);
    if (users?.get(user)?.name === name) return;
    if (name === undefined) {
      users?.delete(user);
      if (users?.size === 0) this.#rooms.delete(room);
    } else if (users === undefined) this.#rooms.set(room, new Map([[user, { id: user, name }]]));
    else users.set(user, { id: user, name });
    this.#onChange(room, user);
  }
}

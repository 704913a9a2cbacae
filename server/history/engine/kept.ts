import type { UserRecord } from '../history.ts';
import type { RoomRow } from '../rows.ts';
import type { Member, Work } from './work.ts';

/** The most rooms, members and users that are kept, of each. */
const most = 2000;

/**
 * Rooms, members and users as the last transactions have left them, so that the next one need not load them. For a
 * database that nobody else writes to. After a transaction that fails, `forget` is called.
 */
export class Kept {
  readonly #rooms = new Map<string, { num: number; row: RoomRow }>();
  /** By the number of the room and the user. */
  readonly #members = new Map<string, Member>();
  readonly #users = new Map<string, UserRecord>();

  room(id: string): { num: number; row: RoomRow } | undefined {
    return this.#rooms.get(id);
  }

  member(room: number, user: string): Member | undefined {
    return this.#members.get(`${room} ${user}`);
  }

  user(id: string): UserRecord | undefined {
    return this.#users.get(id);
  }

  /** @param work of a transaction whose changes are stored */
  keep(work: Work): void {
    // Such changes reach rows that are not loaded here; and nothing of an erased user stays.
    const isOther = [...work.users.values()].some(({ row, before }) => row !== before || row === undefined);
    if (isOther || work.deleted.length > 0) return this.forget();
    for (const [id, room] of work.rooms) {
      if (room?.num === undefined) continue;
      put(this.#rooms, id, { num: room.num, row: room.row });
      for (const [user, member] of room.members) {
        const key = `${room.num} ${user}`;
        if (member === null) this.#members.delete(key);
        else put(this.#members, key, { row: member.row, since: member.since, sort: member.sort });
      }
    }
    for (const [id, { row }] of work.users) if (row !== undefined) put(this.#users, id, row);
  }

  forget(): void {
    this.#rooms.clear();
    this.#members.clear();
    this.#users.clear();
  }
}

function put<Entry>(map: Map<string, Entry>, key: string, entry: Entry): void {
  if (map.size === most && !map.has(key)) map.clear();
  map.set(key, entry);
}

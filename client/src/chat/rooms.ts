import type { RoomActivity, RoomSummary, SessionReady, Totals, User } from '../../../server/wire/events.ts';
import type { Connection } from '../connection/connection.ts';
import type { Tasks } from '../connection/tasks.ts';
import { Room } from '../store/room.ts';
import type { RoomRemoval } from './chat-listener.ts';

export interface RoomsPort {
  /** Called when all rooms of the user are listed, if `session:ready` did not name them all. */
  listed?(): void;
  /** It is in the list no more. */
  removed(room: Room, removal: RoomRemoval): void;
  changed(): void;
}

/** The most rooms that one answer of `room:list` holds. */
const PAGE = 200;
/** Lists one thing above the next where the server says no time. */
const STEP = 0.001;

/**
 * All rooms that this client knows: one's own, and public ones that one may join. `session:ready` names the first
 * hundred; the rest of one's own is asked for at once, since each may have something unread, the public ones by page.
 */
export class Rooms {
  readonly byId = new Map<string, Room>();
  readonly #connection: Connection;
  readonly #tasks: Tasks;
  readonly #port: RoomsPort;
  /** Where the next page of the public rooms begins; null when all are here, undefined before the first page. */
  #next: string | null | undefined = null;
  /** Whether all rooms of the user are listed. */
  whole = false;
  /** Unread messages in the user's own rooms that are not listed yet. */
  #unlisted: Totals = { unread: 0, mentions: 0 };
  /** A room has become one's own since the server was asked where rooms without a message stand. */
  #unplaced = false;
  /** How far the server's clock is ahead of this one. */
  #ahead = 0;

  constructor(connection: Connection, tasks: Tasks, port: RoomsPort) {
    this.#connection = connection;
    this.#tasks = tasks;
    this.#port = port;
  }

  /**
   * The user's own rooms, the newest message first.
   *
   * @param opened - opening it makes the user a member: it counts as an own room before the server has said so
   */
  own(opened?: Room): Room[] {
    return [...this.byId.values()]
      .filter((room) => room.summary.member || room === opened)
      .sort((a, b) => b.at - a.at || (a.id < b.id ? -1 : 1));
  }

  /** Public ones that one is not a member of, by name. */
  others(lang: string, opened?: Room): Room[] {
    const { compare } = new Intl.Collator(lang, { numeric: true });
    return [...this.byId.values()]
      .filter((room) => !room.summary.member && room !== opened)
      .sort((a, b) => compare(a.summary.name, b.summary.name));
  }

  /** Sums over one's own rooms, but for muted ones. */
  get totals(): Totals {
    let { unread, mentions } = this.#unlisted;
    for (const room of this.byId.values()) {
      if (room.muted) continue;
      unread += room.unread;
      mentions += room.mentions;
    }
    return { unread, mentions };
  }

  /** Over a new connection. */
  ready({ rooms, more, totals, serverTime }: SessionReady): void {
    this.#ahead = serverTime - Date.now();
    // Other public rooms that were never opened are fetched again, page by page.
    for (const [id, room] of this.byId) {
      if (!room.summary.member && room.timeline.head === undefined) this.byId.delete(id);
    }
    const missing = new Set(this.byId.keys());
    this.#list(rooms, this.now, missing);
    this.#next = more ? undefined : null;
    this.whole = !more;
    // Messages that were read here, but not yet reported to the server, are in both sums.
    const rest = (of: keyof Totals) =>
      Math.max(
        0,
        rooms.reduce((sum, room) => (room.notify === 'none' ? sum : sum - room[of]), totals[of]),
      );
    this.#unlisted = { unread: rest('unread'), mentions: rest('mentions') };
    void this.#rest(more, missing);
  }

  clear(): void {
    this.byId.clear();
    this.#next = null;
    this.#unlisted = { unread: 0, mentions: 0 };
  }

  /** There are public rooms that are not listed yet. */
  get moreOthers(): boolean {
    return this.#next !== null;
  }

  /** The next page of the public rooms. */
  async loadOthers(): Promise<void> {
    await this.#tasks.once('list others', async (current) => {
      if (this.#next === null) return;
      const cursor = this.#next === undefined ? {} : { cursor: this.#next };
      const answer = await this.#connection.request('room:list', { member: false, limit: PAGE, ...cursor });
      if (!current()) return;
      this.#listOthers(answer.rooms);
      this.#next = answer.next ?? null;
      this.#port.changed();
    });
  }

  /** Public rooms with that in their names, even if their page has not come. */
  async findOthers(query: string): Promise<void> {
    if (!this.moreOthers || query.trim() === '') return;
    await this.#tasks.once(`find others ${query}`, async (current) => {
      const answer = await this.#connection.request('room:list', { member: false, query, limit: PAGE });
      if (!current()) return;
      this.#listOthers(answer.rooms);
      this.#port.changed();
    });
  }

  /** Puts rooms without a message where the server has them: no other answer says where that is. */
  async place(): Promise<void> {
    this.#unplaced = true;
    await this.#tasks.once('place', async (current) => {
      do {
        this.#unplaced = false;
        // A room with a message that came while the answer was on its way stands above: the answer does not
        // have it.
        const from = this.now;
        const { rooms } = await this.#connection.request('room:list', { limit: PAGE });
        if (!current()) return;
        this.#list(rooms, from);
        this.#port.changed();
      } while (this.#unplaced);
    });
  }

  /** A room as it is now, whether it is listed or not; `unknown_room` if there is none that one may read. */
  async fetch(id: string): Promise<Room> {
    // Marks nothing, and asks for no more than the right to read.
    const answer = await this.#connection.request('read:mark', { room: id, seq: 0 });
    return this.put(answer.room);
  }

  /** A room that is new, or known and now like this. */
  put(summary: RoomSummary): Room {
    const at = summary.last?.sentAt;
    const known = this.byId.get(summary.id);
    const room = known ?? new Room(summary);
    known?.update(summary);
    room.at = at ?? (known === undefined ? this.now : room.at);
    this.byId.set(room.id, room);
    return room;
  }

  activity(activity: RoomActivity): void {
    const room = this.byId.get(activity.room);
    if (room === undefined) return this.#meet(activity.room);
    room.activity(activity);
    this.moved(room);
  }

  /**
   * Fetches a direct room if a message of the other user has another name. The server sends no events with the name and
   * presence of users whom this user may not find.
   */
  heard({ id, summary }: Room, { id: user, name }: User): void {
    const other = summary.with;
    if (other?.id === user && (other.name !== name || summary.present === false)) this.#meet(id);
  }

  /** Its newest message may be another one. */
  moved(room: Room): void {
    room.at = room.summary.last?.sentAt ?? room.at;
  }

  /** `readable`: a public room, which one may join again. */
  removed(removal: RoomRemoval & { room: string; readable: boolean }): void {
    const room = this.byId.get(removal.room);
    if (room === undefined) return;
    if (removal.readable) room.left();
    else this.byId.delete(room.id);
    this.#port.removed(room, removal);
  }

  /** A room that was not listed yet, or of which more is to be known now. */
  #meet(id: string): void {
    void this.#tasks.once(
      `meet ${id}`,
      async () => {
        await this.fetch(id);
        this.#port.changed();
      },
      () => {},
    );
  }

  /**
   * In the server's order, below what stands at `from`; where the last of them stands. A room without messages
   * stands where the server has put it: below the rooms before it.
   */
  #list(summaries: readonly RoomSummary[], from: number, missing?: Set<string>): number {
    let above = from;
    for (const summary of summaries) {
      missing?.delete(summary.id);
      const room = this.put(summary);
      if (summary.last === undefined) room.at = above - STEP;
      above = room.at;
    }
    return above;
  }

  /** A room that was joined while the answer was on its way is one's own. */
  #listOthers(rooms: readonly RoomSummary[]): void {
    this.#list(
      rooms.filter(({ id }) => this.byId.get(id)?.summary.member !== true),
      0,
    );
  }

  /** By the server's clock. Where a room stands that is made now. */
  get now(): number {
    return Date.now() + this.#ahead;
  }

  /** Rooms that `session:ready` did not name: other own rooms, and rooms that were listed before. */
  async #rest(more: boolean, missing: Set<string>): Promise<void> {
    if (more) {
      await this.#tasks.once('list own', async (current) => {
        let cursor: string | undefined;
        let above = this.now;
        do {
          const answer = await this.#connection.request('room:list', {
            limit: PAGE,
            ...(cursor === undefined ? {} : { cursor }),
          });
          if (!current()) return;
          above = this.#list(answer.rooms, above, missing);
          cursor = answer.next;
        } while (cursor !== undefined);
        this.whole = true;
        this.#unlisted = { unread: 0, mentions: 0 };
        this.#port.listed?.();
        this.#port.changed();
      });
      void this.loadOthers();
    }
    for (const id of missing) {
      await this.#tasks.once(
        `look for ${id}`,
        async () => void (await this.fetch(id)),
        ({ code }) => {
          if (code === 'unknown_room') this.removed({ room: id, readable: false, reason: 'unknown' });
        },
      );
      this.#port.changed();
    }
  }
}

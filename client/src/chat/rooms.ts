import type { RoomActivity, RoomSummary, SessionReady, Totals, User } from '../../../server/wire/events.ts';
import type { Connection } from '../connection/connection.ts';
import type { Tasks } from '../connection/tasks.ts';
import { Room } from '../store/room.ts';
import type { RoomRemoval } from './chat-listener.ts';

/** The first key for sorting rooms. Positions of favourites are safe integers. */
const place = ({ summary: { favourite, archived } }: Room) => favourite ?? (archived ? 2 ** 55 : 2 ** 54);

export interface RoomsPort {
  /** Whether the user is in the team that answers questions. */
  answers?(): boolean;
  /** Called when all rooms of the user are listed, if `session:ready` did not name them all. */
  listed?(): void;
  /** The user is no longer in the room. */
  removed(room: Room, removal: RoomRemoval): void;
  changed(): void;
}

/** The maximum number of rooms in a response to `room:list`. */
const PAGE = 200;
/** Browsers run timers with longer delays at once. */
const MAX_TIMEOUT = 2 ** 31 - 1;
/** The distance between the positions of two rooms without messages. The server sends no time for such rooms. */
const STEP = 0.001;

/**
 * All rooms that this client knows: the user's own rooms, and public rooms that the user may join. `session:ready`
 * contains the first hundred. The user's other rooms are requested at once, since each may have unread messages. Public
 * rooms are loaded page by page.
 */
export class Rooms {
  readonly byId = new Map<string, Room>();
  readonly #connection: Connection;
  readonly #tasks: Tasks;
  readonly #port: RoomsPort;
  /** The cursor of the next page of public rooms; null after the last page, undefined before the first. */
  #next: string | null | undefined = null;
  /** Whether all rooms of the user are listed. */
  whole = false;
  /** Unread messages in the user's own rooms that are not listed yet. */
  #unlisted: Totals = { unread: 0, mentions: 0 };
  /** The timers for the ends of timed mutes, by room. */
  readonly #quietEnds = new Map<string, ReturnType<typeof setTimeout>>();
  /** The user joined a room since the order of rooms without messages was requested. */
  #unplaced = false;

  constructor(connection: Connection, tasks: Tasks, port: RoomsPort) {
    this.#connection = connection;
    this.#tasks = tasks;
    this.#port = port;
  }

  /**
   * The user's own rooms: the favourites in the user's order, then the newest message first, then the archive.
   *
   * @param opened - a room that the user joins by opening it; it counts as an own room before the server has confirmed
   * that
   */
  own(opened?: Room): Room[] {
    return [...this.byId.values()]
      .filter((room) => room.summary.member || room === opened)
      .sort((a, b) => place(a) - place(b) || b.at - a.at || (a.id < b.id ? -1 : 1));
  }

  /** The user's question to the team. */
  questionOf(user: string | undefined): Room | undefined {
    return this.own().find(({ summary }) => summary.question?.asker.id === user);
  }

  /** Public rooms that the user is not a member of, by name. */
  others(lang: string, opened?: Room): Room[] {
    const { compare } = new Intl.Collator(lang, { numeric: true });
    return [...this.byId.values()]
      .filter((room) => !room.summary.member && room !== opened)
      .sort((a, b) => compare(a.summary.name, b.summary.name));
  }

  /** The totals of the user's own rooms that are not muted. */
  get totals(): Totals {
    let { unread, mentions } = this.#unlisted;
    for (const room of this.byId.values()) {
      if (room.muted) continue;
      unread += room.unread;
      mentions += room.mentions;
    }
    return { unread, mentions };
  }

  /** Updates the list on a new connection. */
  ready({ rooms, more, totals }: SessionReady): void {
    // Public rooms that the user neither joined nor opened are fetched again, page by page.
    for (const [id, room] of this.byId) {
      if (!room.summary.member && room.timeline.head === undefined) this.byId.delete(id);
    }
    const missing = new Set(this.byId.keys());
    const own = this.own();
    this.#list(rooms, this.#connection.clock.now, missing);
    this.#next = more ? undefined : null;
    this.whole = !more;
    // Uses the server's counts of the rooms, because `totals` also contains messages that were read here but not
    // reported yet.
    const rest = (of: keyof Totals) =>
      Math.max(
        0,
        // The totals count a room's mentions if they are more than its unread messages.
        rooms.reduce(
          (sum, { id, mentions, [of]: n }) => (this.byId.get(id)?.muted ? sum : sum - Math.max(n, mentions)),
          totals[of],
        ),
      );
    this.#unlisted = { unread: rest('unread'), mentions: rest('mentions') };
    for (const room of own) this.#lost(room);
    void this.#rest(more, missing);
  }

  clear(): void {
    for (const timer of this.#quietEnds.values()) clearTimeout(timer);
    this.#quietEnds.clear();
    this.byId.clear();
    this.#next = null;
    this.#unlisted = { unread: 0, mentions: 0 };
  }

  /** Whether there are public rooms that are not listed yet. */
  get moreOthers(): boolean {
    return this.#next !== null;
  }

  /** Loads the next page of public rooms. */
  async loadOthers(): Promise<void> {
    await this.#tasks.once('list others', async (current) => {
      if (this.#next === null) return;
      const answer = await this.#connection.request('room:list', {
        member: false,
        limit: PAGE,
        cursor: this.#next,
      });
      if (!current()) return;
      this.#listOthers(answer.rooms);
      this.#next = answer.next ?? null;
      this.#port.changed();
    });
  }

  /** Loads public rooms whose name contains the query, even if their page has not been loaded. */
  async findOthers(query: string): Promise<void> {
    if (!this.moreOthers || query.trim() === '') return;
    await this.#tasks.once(`find others ${query}`, async (current) => {
      const answer = await this.#connection.request('room:list', { member: false, query, limit: PAGE });
      if (!current()) return;
      this.#listOthers(answer.rooms);
      this.#port.changed();
    });
  }

  /** Sorts rooms without messages as the server does. No other response contains their order. */
  async place(): Promise<void> {
    this.#unplaced = true;
    await this.#tasks.once('place', async (current) => {
      do {
        this.#unplaced = false;
        // A room that received a message during the request stays above, because the response does not contain the
        // message.
        const from = this.#connection.clock.now;
        const { rooms } = await this.#connection.request('room:list', { limit: PAGE });
        if (!current()) return;
        this.#list(rooms, from);
        this.#port.changed();
      } while (this.#unplaced);
    });
  }

  /** Fetches the current state of a room, listed or not. Fails with `unknown_room` if the user may not read it. */
  async fetch(id: string): Promise<Room> {
    const { room } = await (this.#port.answers?.() && id.startsWith('u-question-')
      ? // The team can open all questions.
        this.#connection.request('question:open', { question: id })
      : // A marker at 0 changes nothing and requires only the right to read.
        this.#connection.request('read:mark', { room: id, seq: 0 }));
    return this.put(room);
  }

  /** Adds a room, or updates it if it is known. */
  put(summary: RoomSummary): Room {
    const at = summary.last?.sentAt;
    const known = this.byId.get(summary.id);
    const room = known ?? new Room(summary, this.#connection.clock);
    known?.update(summary);
    room.at = at ?? (known === undefined ? this.#connection.clock.now : room.at);
    this.byId.set(room.id, room);
    // The end of a timed mute sends no event.
    clearTimeout(this.#quietEnds.get(room.id));
    this.#quietEnds.delete(room.id);
    if (summary.quietForMs !== undefined) {
      const timer = setTimeout(() => this.#meet(room.id), Math.min(summary.quietForMs + 1, MAX_TIMEOUT));
      this.#quietEnds.set(room.id, timer);
    }
    return room;
  }

  activity(activity: RoomActivity): void {
    const room = this.byId.get(activity.room);
    if (room === undefined) return this.#meet(activity.room);
    room.activity(activity);
    this.moved(room);
  }

  /**
   * Fetches a direct room if a message shows that the other user's name or presence is outdated. The server does not
   * send changes of users that this user may not find.
   */
  heard({ id, summary }: Room, { id: user, name }: User): void {
    const other = summary.with;
    if (other?.id === user && (other.name !== name || summary.present === false)) this.#meet(id);
  }

  /** Updates the room's position after its newest message may have changed. */
  moved(room: Room): void {
    room.at = room.summary.last?.sentAt ?? room.at;
  }

  /** `readable`: the room is public, so it stays listed, and the user may join it again. */
  removed(removal: RoomRemoval & { room: string; readable: boolean }): void {
    const room = this.byId.get(removal.room);
    if (room === undefined) return;
    if (removal.readable) room.left();
    else this.byId.delete(room.id);
    this.#port.removed(room, removal);
  }

  /** Reports a public room if the user was a member before the connection was lost, and no longer is. */
  #lost({ id, summary }: Room): void {
    if (!summary.member) this.removed({ room: id, readable: true, reason: 'unknown' });
  }

  /** Fetches a room that is not listed yet, or whose data is outdated. */
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
   * Adds rooms in the server's order, below the position `from`. A room without messages goes just below the room
   * before it.
   *
   * @returns the position of the last room
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

  /** Adds public rooms, except rooms that the user joined during the request. */
  #listOthers(rooms: readonly RoomSummary[]): void {
    this.#list(
      rooms.filter(({ id }) => this.byId.get(id)?.summary.member !== true),
      0,
    );
  }

  /** Loads rooms that `session:ready` did not contain: other rooms of the user, and rooms that were listed before. */
  async #rest(more: boolean, missing: Set<string>): Promise<void> {
    if (more) {
      await this.#tasks.once('list own', async (current) => {
        let cursor: string | undefined;
        let above = this.#connection.clock.now;
        do {
          const answer = await this.#connection.request('room:list', {
            limit: PAGE,
            cursor,
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
      const isOwn = this.byId.get(id)?.summary.member;
      await this.#tasks.once(
        `look for ${id}`,
        async () => {
          const room = await this.fetch(id);
          if (isOwn) this.#lost(room);
        },
        ({ code }) => {
          if (code === 'unknown_room') this.removed({ room: id, readable: false, reason: 'unknown' });
        },
      );
      this.#port.changed();
    }
  }
}

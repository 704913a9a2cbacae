import type { MembersChange, PresenceChange, RoomMember } from '../../../server/wire/events.ts';
import type { Connection } from '../connection/connection.ts';
import type { Tasks } from '../connection/tasks.ts';
import type { Room } from '../store/room.ts';
import type { Follower } from './chat-listener.ts';
import { foundMembers } from './found-members.ts';

const PAGE = 50;

/** One of the two lists: members who are online, or offline. */
interface List {
  readonly members: Map<string, RoomMember>;
  /** The cursor of the next page; null after the last page, undefined before the first. */
  next: string | null | undefined;
}

/** Member changes received while a page request is in flight. They are newer than the page. */
interface Newer {
  /** Members who changed or left, by ID. */
  readonly changed: Set<string>;
  /** Members whose presence changed, by ID. Their role is in the response. */
  readonly present: Map<string, boolean>;
}

const empty = (): List => ({ members: new Map(), next: undefined });

/** The loaded members of a room, kept up to date by events. */
export class RoomMembers implements Follower {
  readonly #connection: Connection;
  readonly #tasks: Tasks;
  readonly #changed: () => void;
  readonly #room: Room;
  readonly #here = empty();
  readonly #away = empty();
  #found: { query: string; members: readonly RoomMember[] } | undefined;
  #wanted = '';
  /** One entry for each request in flight. */
  readonly #awaited = new Set<Newer>();
  /** Incremented by `ready`. Responses to earlier requests are ignored. */
  #turn = 0;

  constructor(connection: Connection, tasks: Tasks, room: Room, changed: () => void) {
    this.#connection = connection;
    this.#tasks = tasks;
    this.#room = room;
    this.#changed = changed;
  }

  /**
   * Loads the members: at first, on a new connection, and when an event does not contain all changes. The old lists are
   * shown until the response arrives.
   */
  ready(): void {
    this.#turn++;
    this.#here.next = undefined;
    this.#away.next = undefined;
    if (this.#connection.state.kind !== 'ready') return;
    void this.load(true);
    void this.load(false);
    void this.find(this.#wanted);
  }

  /**
   * The members sorted by name. Before the first page arrives, the response to `room:join` determines who is online.
   */
  list(present: boolean, lang: string): RoomMember[] {
    const { members, next } = present ? this.#here : this.#away;
    const { compare } = new Intl.Collator(lang, { numeric: true });
    const known =
      present && next === undefined && members.size === 0
        ? this.#room.present.map((user): RoomMember => ({ user, role: 'member', present }))
        : [...members.values()];
    return known.sort((a, b) => compare(a.user.name, b.user.name) || (a.user.id < b.user.id ? -1 : 1));
  }

  /** Whether there is another page. */
  more(present: boolean): boolean {
    const { next } = present ? this.#here : this.#away;
    return next !== null && next !== undefined;
  }

  /** Loads the next page. */
  async load(present: boolean): Promise<void> {
    const list = present ? this.#here : this.#away;
    const turn = this.#turn;
    if (list.next === null) return;
    await this.#tasks.once(
      `people of ${this.#room.id} ${turn} ${present} ${list.next ?? ''}`,
      async () => {
        if (this.#turn !== turn) return;
        const newer: Newer = { changed: new Set(), present: new Map() };
        this.#awaited.add(newer);
        const answer = await this.#connection
          .request('room:members', {
            room: this.#room.id,
            present,
            limit: PAGE,
            cursor: list.next === undefined ? undefined : (list.next ?? ''),
          })
          .finally(() => this.#awaited.delete(newer));
        if (this.#turn !== turn) return;
        if (list.next === undefined)
          for (const id of list.members.keys())
            if (!newer.changed.has(id) && !newer.present.has(id)) list.members.delete(id);
        for (const member of answer.members) {
          const { id } = member.user;
          if (!newer.changed.has(id)) this.#put(id, { ...member, present: newer.present.get(id) ?? present });
        }
        list.next = answer.next ?? null;
        this.#changed();
      },
      () => {},
    );
  }

  /** The results of the last `find`; undefined until the response arrives. */
  get found(): readonly RoomMember[] | undefined {
    return this.#found?.query === this.#wanted ? this.#found.members : undefined;
  }

  /**
   * Finds members by the beginning of their name, of a word in it, or of their ID. Responses to older queries are
   * ignored.
   */
  async find(query: string): Promise<void> {
    this.#wanted = query.trim();
    if (this.#wanted === '') {
      this.#found = undefined;
      return;
    }
    const wanted = this.#wanted;
    const turn = this.#turn;
    const old = () => this.#turn !== turn || this.#wanted !== wanted;
    await this.#tasks.once(`find people of ${this.#room.id} ${turn} ${wanted}`, async () => {
      if (old()) return;
      const request = { room: this.#room.id, query: wanted, limit: PAGE };
      const answer = await foundMembers(this.#connection, request, () => !old());
      if (old()) return;
      this.#found = { query: wanted, members: answer.members };
      this.#changed();
    });
  }

  presence({ room, joined, left, partial }: PresenceChange): void {
    if (room !== this.#room.id) return;
    if (partial === true) return this.ready();
    for (const user of joined)
      this.#put(user.id, { role: 'member', ...this.#known(user.id), user, present: true });
    for (const id of left) {
      const known = this.#known(id);
      if (known !== undefined) this.#put(id, { ...known, present: false });
    }
    for (const { present: noted } of this.#awaited) {
      for (const { id } of joined) noted.set(id, true);
      for (const id of left) noted.set(id, false);
    }
  }

  members({ room, changed, partial }: MembersChange): void {
    if (room !== this.#room.id) return;
    if (partial === true) return this.ready();
    for (const change of changed) {
      const { id } = change.user;
      this.#put(id, 'gone' in change ? undefined : change);
      for (const newer of this.#awaited) newer.changed.add(id);
    }
  }

  /** Whether the user is in one of the lists. */
  lists(id: string): boolean {
    return this.#known(id) !== undefined;
  }

  #known(id: string): RoomMember | undefined {
    return this.#here.members.get(id) ?? this.#away.members.get(id);
  }

  /** Moves a member to the right list, or removes it if `member` is undefined. */
  #put(id: string, member: RoomMember | undefined): void {
    this.#here.members.delete(id);
    this.#away.members.delete(id);
    if (member !== undefined) (member.present ? this.#here : this.#away).members.set(id, member);
  }
}

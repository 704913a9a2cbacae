import type { Tasks } from '../connection/tasks.ts';
import type { Room } from '../store/room.ts';
import type { RoomRemoval } from './chat-listener.ts';
import { text } from './form.ts';
import type { Rooms } from './rooms.ts';
import type { Store } from './storage.ts';

export interface ShownRoomPort {
  /** Whether to show only the user's question to the team. */
  asks(): boolean;
  shown(room: Room): void;
  /** The room that the page requests does not exist, or the user may not read it. */
  unknown(id: string): void;
  changed(): void;
}

/** Decides which room is shown: at the start, when the user opens a room, after a removal and after another login. */
export class ShownRoom {
  room: Room | undefined;
  /** Set if the user was banned from the shown room, or from the room to start with. The ban is shown instead. */
  ban: (RoomRemoval & { readonly id: string; readonly name?: string }) | undefined;
  /** Whether the newest message is in sight and the page has the user's attention. Set when the room is rendered. */
  sight: (() => boolean) | undefined;
  /** Whether the page shows only the room that it requests, and no replacement for it. */
  readonly single: () => boolean;
  readonly #list: Rooms;
  readonly #tasks: Tasks;
  readonly #port: ShownRoomPort;
  /**
   * The room that the page requests. Cleared when it is found missing or, without `single`, when the first room is
   * shown.
   */
  #wanted: string | undefined;
  /** Whether a requested room comes from the page's address. Such a public room is not joined. */
  readonly #byAddress: boolean;
  /** The room that the server names for new users. */
  #first: string | undefined;
  #user: string | undefined;
  #store: Store | undefined;
  /** The number of lookups in progress for a room to start with, and the room of the newest lookup. */
  #looking = 0;
  #lookedFor: string | undefined;
  /**
   * The user and the room that was shown when the chat was hidden. If the same user is admitted again, the room is
   * shown again.
   */
  #before: { readonly user: string | undefined; readonly room: string } | undefined;

  constructor(
    wanted: string | undefined,
    byAddress: boolean,
    single: () => boolean,
    list: Rooms,
    tasks: Tasks,
    port: ShownRoomPort,
  ) {
    this.#wanted = wanted;
    this.#byAddress = byAddress;
    this.single = single;
    this.#list = list;
    this.#tasks = tasks;
    this.#port = port;
  }

  /** Whether `sight` is true now. The panel may have closed since the last rendering. */
  get viewing(): boolean {
    return this.sight?.() === true;
  }

  /** Whether no room is shown or being looked up. */
  get none(): boolean {
    return this.room === undefined && this.#looking === 0;
  }

  /** A new connection of this user is ready. */
  ready(user: string, store: Store, first: string | undefined): void {
    this.#user = user;
    this.#store = store;
    this.#first = first;
  }

  show(room: Room): void {
    this.room = room;
    this.ban = undefined;
    this.sight = undefined;
    room.keptUnread = false;
    room.newFrom = room.unread > 0 ? room.summary.readSeq + 1 : undefined;
    // A single room concerns this page only. Other pages continue with the last room.
    if (!this.single()) this.#store?.set('room', room.id);
    this.#port.shown(room);
  }

  /**
   * Shows the first room: the room that the page requests, the last one shown, the server's room for new users, or the
   * user's newest.
   */
  begin(): void {
    if (this.#port.asks()) return this.#beginWith(this.#list.questionOf(this.#user));
    if (this.ban !== undefined && !this.#list.byId.has(this.ban.id)) return;
    const before = this.#before?.user === this.#user ? this.#before?.room : undefined;
    this.#before = undefined;
    const single = this.single();
    const last = before ?? (single ? undefined : this.#store?.get('room', text));
    for (const id of [this.#wanted, last]) {
      const room = this.#list.byId.get(id ?? '');
      if (room === undefined && id !== undefined) return void this.#lookFor(id);
      // Users who left a room are not taken back to it.
      if (room !== undefined && (room.summary.member || id === this.#wanted)) return this.#beginWith(room);
    }
    if (single) return;
    const first = this.#list.byId.get(this.#first ?? '');
    const left = first?.summary.member === false && this.#store?.get('left', text) === first.id;
    this.#beginWith((left ? undefined : first) ?? this.#list.own()[0]);
  }

  joined({ id }: Room): void {
    if (id === this.#first) this.#store?.delete('left');
  }

  removed({ id }: Room): void {
    if (this.#store?.get('room', text) === id) this.#store.delete('room');
    // Otherwise the next connection would open the room, and so join it.
    if (id === this.#first) this.#store?.set('left', id);
  }

  /** The user is banned from a room that is not listed, so its current name is unknown. */
  banned(id: string, ban: RoomRemoval): void {
    if (id === this.#lookedFor && this.room === undefined) this.ban = { ...ban, id };
  }

  /** Replaces a removed room: after a ban by a notice of the ban, otherwise by another room. */
  replace(ban?: ShownRoom['ban']): void {
    this.#clear();
    this.ban = ban;
    if (ban !== undefined) return;
    // Only an own room, because opening another public room would make the user a member.
    if (!this.single()) this.#beginWith(this.#list.own()[0]);
  }

  hide(): void {
    if (this.room !== undefined) this.#before = { user: this.#user, room: this.room.id };
    this.#clear();
    this.#store = undefined;
  }

  #clear(): void {
    this.room = undefined;
    this.ban = undefined;
    this.sight = undefined;
  }

  #beginWith(room: Room | undefined): void {
    if (room === undefined) return;
    if (room.id !== this.#wanted || !this.#byAddress) room.wanted = true;
    if (!this.single()) this.#wanted = undefined;
    this.show(room);
  }

  /** Looks up a room to start with that is not listed. */
  async #lookFor(id: string): Promise<void> {
    this.#looking += 1;
    this.#lookedFor = id;
    const found = await this.#tasks.once(
      `look for ${id}`,
      async () => void (await this.#list.fetch(id)),
      () => {
        // Forgets the last room, so that its ban is shown once. A room that the page requests stays requested.
        if (this.ban?.id === id) return void (id !== this.#wanted && this.#store?.delete('room'));
        if (id === this.#wanted) this.#port.unknown(id);
        else this.#store?.delete('room');
        this.#wanted = undefined;
        if (this.room === undefined) this.begin();
      },
    );
    this.#looking -= 1;
    if (id === this.#lookedFor) this.#lookedFor = undefined;
    if (found && this.room === undefined) this.begin();
    this.#port.changed();
  }
}

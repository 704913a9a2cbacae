import type { Tasks } from '../connection/tasks.ts';
import type { Room } from '../store/room.ts';
import type { RoomRemoval } from './chat-listener.ts';
import { text } from './form.ts';
import type { Rooms } from './rooms.ts';
import type { Store } from './storage.ts';

export interface ShownRoomPort {
  /** It is shown from now on. */
  shown(room: Room): void;
  /** The page wants a room that is missing, or that this user may not read. */
  unknown(id: string): void;
  changed(): void;
}

/** Which room is shown: the one that the user opens, and which one before, after a removal and after another login. */
export class ShownRoom {
  room: Room | undefined;
  /** The user was banned from the room that was shown, or that the page begins with: that is said in its place. */
  ban: (RoomRemoval & { readonly id: string; readonly name?: string }) | undefined;
  /** Its newest message is in sight, and the page has the reader's attention. */
  viewing = false;
  /** The room that the page wants is shown alone: no other one takes its place. */
  readonly single: () => boolean;
  readonly #list: Rooms;
  readonly #tasks: Tasks;
  readonly #port: ShownRoomPort;
  /** The room the page wants opened; undefined once it was, or was found missing. */
  #wanted: string | undefined;
  /** Its address alone names it: a public one is not joined for that. */
  readonly #byAddress: boolean;
  /** New users begin with it, says the server. */
  #first: string | undefined;
  #user: string | undefined;
  #store: Store | undefined;
  /** How often it is being asked whether there is a room to begin with, and the last one that was asked for. */
  #looking = 0;
  #lookedFor: string | undefined;
  /** The room that was shown when all was hidden, and to whom: a user who is let in again goes on there. */
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

  /** No room is shown, and none is being looked for. */
  get none(): boolean {
    return this.room === undefined && this.#looking === 0;
  }

  /** Over a new connection, for this user. */
  ready(user: string, store: Store, first: string | undefined): void {
    this.#user = user;
    this.#store = store;
    this.#first = first;
  }

  show(room: Room): void {
    this.room = room;
    this.ban = undefined;
    this.viewing = false;
    room.keptUnread = false;
    room.newFrom = room.unread > 0 ? room.summary.readSeq + 1 : undefined;
    // It is only what that page shows: other pages go on where they were.
    if (!this.single()) this.#store?.set('room', room.id);
    this.#port.shown(room);
  }

  /** Shows the room to begin with. */
  begin(): void {
    if (this.ban !== undefined && !this.#list.byId.has(this.ban.id)) return;
    const before = this.#before?.user === this.#user ? this.#before?.room : undefined;
    this.#before = undefined;
    const single = this.single();
    const last = before ?? (single ? undefined : this.#store?.get('room', text));
    for (const id of [this.#wanted, last]) {
      const room = this.#list.byId.get(id ?? '');
      if (room === undefined && id !== undefined) return void this.#lookFor(id);
      // Users who have left a room are not taken back there.
      if (room !== undefined && (room.summary.member || id === this.#wanted)) return this.#beginWith(room);
    }
    if (single) return;
    const first = this.#list.byId.get(this.#first ?? '');
    const left = first?.summary.member === false && this.#store?.get('left', text) === first.id;
    this.#beginWith((left ? undefined : first) ?? this.#list.own()[0]);
  }

  /** It has been joined. */
  joined({ id }: Room): void {
    if (id === this.#first) this.#store?.delete('left');
  }

  /** The user is in it no more. */
  removed({ id }: Room): void {
    if (this.#store?.get('room', text) === id) this.#store.delete('room');
    // It would be opened, and so joined, for the next connection.
    if (id === this.#first) this.#store?.set('left', id);
  }

  /** Of a room that is not listed: its name, which may be another one now, is not known. */
  banned(id: string, ban: RoomRemoval): void {
    if (id === this.#lookedFor && this.room === undefined) this.ban = { ...ban, id };
  }

  /** Shows another one in place of a room that was removed, or a ban from it. */
  replace(ban?: ShownRoom['ban']): void {
    this.#clear();
    this.ban = ban;
    if (ban !== undefined) return;
    // Not one that is only offered: joining it would make one a member.
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
    this.viewing = false;
  }

  #beginWith(room: Room | undefined): void {
    if (room === undefined) return;
    if (room.id !== this.#wanted || !this.#byAddress) room.wanted = true;
    if (!this.single()) this.#wanted = undefined;
    this.show(room);
  }

  /** A room to begin with that is not among those that are listed. */
  async #lookFor(id: string): Promise<void> {
    this.#looking += 1;
    this.#lookedFor = id;
    const found = await this.#tasks.once(
      `look for ${id}`,
      async () => void (await this.#list.fetch(id)),
      () => {
        // Told once of the room that was shown last; the page may want the room again.
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

import type { Message, PresenceChange, RoomSummary, User } from '../../server/events.ts';
import type { ChatListener } from './chat-listener.ts';
import { Connection } from './connection.ts';
import type { ConnectionListener, ConnectionState, Ready } from './connection-state.ts';
import { openOutbox, type Pause } from './delivery.ts';
import type { Outbox } from './outbox.ts';
import { RoomSync } from './room-sync.ts';
import { browserStorage, Store } from './storage.ts';
import type { Pending } from './store/entries.ts';
import { Room } from './store/room.ts';
import { tabLock } from './tab-lock.ts';

/** What the user's rooms are and what goes on in them: between the one connection and the views. */
export class Chat implements ConnectionListener {
  readonly connection: Connection;
  readonly sync: RoomSync;
  readonly rooms = new Map<string, Room>();
  me: User | undefined;
  limit = Number.POSITIVE_INFINITY;
  /** The room that is shown. */
  current: Room | undefined;
  /** Its newest message is in sight, and the page has the reader's attention. */
  viewing = false;
  /** The outbox waits before it tries again. */
  paused: Pause | undefined;
  outbox: Outbox | undefined;
  /** What is kept for this user. */
  store: Store | undefined;
  /** What is kept for whoever uses this browser. */
  readonly settings: Store;

  readonly #server: string;
  readonly #listener: ChatListener;
  readonly #storage = browserStorage();
  /** The room the page wants opened. */
  readonly #wanted: string | undefined;

  constructor(server: string, wanted: string | undefined, listener: ChatListener) {
    this.#server = server;
    this.#wanted = wanted;
    this.#listener = listener;
    this.settings = new Store(this.#storage, server);
    this.connection = new Connection(server, this);
    this.sync = new RoomSync(this.connection, {
      arrived: (room, messages) => this.#note(room, messages),
      joined: (room) => this.#joined(room),
      gone: (room) => this.#drop(room),
      loaded: (count) => listener.loaded(count),
      changed: () => listener.changed(),
    });
  }

  start(): void {
    addEventListener('storage', this.#stored);
    this.connection.start();
  }

  stop(): void {
    removeEventListener('storage', this.#stored);
    this.connection.stop();
    this.hide();
  }

  get unread(): number {
    return [...this.rooms.values()].reduce((sum, room) => sum + this.unreadIn(room), 0);
  }

  /** What is in sight is not told as unread, not even for the moment until it counts as read. */
  unreadIn(room: Room): number {
    return room === this.current && this.viewing ? 0 : room.unread;
  }

  pending(room?: Room): Pending[] {
    return this.outbox?.list(room?.id) ?? [];
  }

  open(id: string): void {
    const room = this.rooms.get(id);
    if (room === undefined || room === this.current) return;
    if (this.current !== undefined) this.current.newFrom = undefined;
    this.#show(room);
    if (!room.joined) void this.sync.join(room);
    else void this.sync.unseen(room);
    this.#listener.changed();
  }

  /** False when there is no room for it in the browser's storage. */
  send(text: string, replyTo?: number): boolean {
    if (this.current === undefined || this.outbox?.add(this.current.id, text, replyTo) !== true) return false;
    this.current.newFrom = undefined;
    return true;
  }

  markRead(): void {
    if (this.current?.markRead() === true) this.#listener.changed();
  }

  /** How many messages of that user wait in this browser. */
  kept(user: User): number {
    return this.#userStore(user).keys('out/').length;
  }

  // From the connection

  state(state: ConnectionState): void {
    if (state.kind !== 'ready') {
      for (const room of this.rooms.values()) room.joined = false;
      // Ends pauses: another tab, which may be connected, waits for its turn to send.
      this.outbox?.wake();
      this.paused = undefined;
    }
    if (state.kind === 'ended' && (state.reason === 'logout' || state.reason === 'user_changed')) {
      // Privacy outranks unsent text: whoever comes next to this browser must not find it.
      if (state.user !== undefined) this.#userStore(state.user).clear();
    }
    this.#listener.state(state);
  }

  ready(ready: Ready): void {
    this.sync.restart();
    this.me = ready.user;
    this.limit = ready.limits.text;
    this.settings.keepOnly(ready.user.id);
    this.store ??= this.#userStore(ready.user);
    this.outbox ??= this.#newOutbox(this.store, ready.user);
    this.outbox.wake();
    this.#list(ready.rooms);
    if (this.current === undefined) {
      const first = this.#first();
      if (first !== undefined) this.#show(first);
    }
    // The one that is shown first: requests take effect in their order.
    for (const room of new Set([this.current, ...this.rooms.values()])) {
      if (room !== undefined && (room === this.current || room.summary.member)) void this.sync.join(room);
    }
    this.#listener.changed();
  }

  hide(): void {
    this.sync.restart();
    this.outbox?.close();
    // First the views: they keep a draft that was just typed.
    this.#listener.hide();
    this.rooms.clear();
    this.current = undefined;
    this.viewing = false;
    this.me = undefined;
    this.outbox = undefined;
    this.store = undefined;
    this.paused = undefined;
  }

  message(message: Message): void {
    const room = this.rooms.get(message.room);
    if (room === undefined || this.me === undefined) return;
    const fresh = message.seq > room.summary.lastSeq && message.user.id !== this.me.id;
    room.timeline.live(message);
    this.#note(room, [message]);
    const viewed = room === this.current && this.viewing;
    if (viewed) room.markRead();
    else if (fresh && room === this.current) room.newFrom ??= message.seq;
    if (viewed || room !== this.current) room.trim();
    if (fresh) this.#listener.message(room, message);
    void this.sync.sync(room);
    this.#listener.changed();
  }

  presence(change: PresenceChange): void {
    this.rooms.get(change.room)?.presence(change);
    // Perhaps the own name has changed.
    this.me = change.joined.find(({ id }) => id === this.me?.id) ?? this.me;
    this.#listener.changed();
  }

  #list(summaries: RoomSummary[]): void {
    const known = new Set(summaries.map(({ id }) => id));
    for (const room of this.rooms.values()) if (!known.has(room.id)) this.#drop(room);
    for (const summary of summaries) {
      const room = this.rooms.get(summary.id);
      if (room === undefined) this.rooms.set(summary.id, new Room(summary));
      else room.update(summary);
    }
  }

  #first(): Room | undefined {
    const last = this.store?.get<string>('room');
    return this.rooms.get(this.#wanted ?? '') ?? this.rooms.get(last ?? '') ?? [...this.rooms.values()][0];
  }

  #show(room: Room): void {
    this.current = room;
    this.viewing = false;
    room.newFrom = room.unread > 0 ? room.summary.readSeq + 1 : undefined;
    this.store?.set('room', room.id);
  }

  #joined(room: Room): void {
    this.outbox?.flush();
    if (room === this.current && !this.viewing && room.unread > 0) room.newFrom ??= room.summary.readSeq + 1;
    if (room === this.current) void this.sync.unseen(room);
  }

  #drop(room: Room): void {
    this.rooms.delete(room.id);
    if (this.current === room) this.current = undefined;
    this.#listener.changed();
  }

  /** What a message says besides its text: what is unread, and that one's own has arrived. */
  #note(room: Room, messages: readonly Message[]): void {
    if (this.me === undefined) return;
    for (const message of messages) {
      room.note(message, this.me);
      if (message.user.id === this.me.id) this.outbox?.confirm(message);
    }
  }

  #newOutbox(store: Store, me: User): Outbox {
    const { connection, sync, rooms } = this;
    return openOutbox(store, tabLock(`${this.#server} ${me.id}`), {
      connection,
      sync,
      rooms,
      stored: (room, message) => {
        room.timeline.stored(message);
        this.#note(room, [message]);
      },
      failed: (item) => this.#listener.unsent(item),
      paused: (pause) => {
        this.paused = pause;
        this.#listener.changed();
      },
      changed: () => this.#listener.changed(),
    });
  }

  #userStore(user: User): Store {
    return new Store(this.#storage, this.#server, user.id);
  }

  readonly #stored = (event: StorageEvent) => {
    if (this.store?.owns(event.key, 'out/') === true) this.outbox?.reread();
  };
}

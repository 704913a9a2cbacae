import type {
  Answers,
  Can,
  EventPayload,
  Held,
  Message,
  Profile,
  RequestName,
  RoomActivity,
  SiteRole,
  Totals,
  User,
} from '../../../server/wire/events.ts';
import { isGuest } from '../../../server/wire/guest.ts';
import type { Clock } from '../connection/clock.ts';
import { Connection, type RequestOf } from '../connection/connection.ts';
import type {
  ConnectionListener,
  ConnectionState,
  Ready,
  ServerEvents,
} from '../connection/connection-state.ts';
import { GuestPass } from '../connection/guest-pass.ts';
import { Tasks } from '../connection/tasks.ts';
import { type NewContent, type Unsent, unsentForm } from '../store/entries.ts';
import type { Room } from '../store/room.ts';
import { KEPT_UNREAD } from '../store/timeline.ts';
import type { ChatListener, Follower, RoomRemoval } from './chat-listener.ts';
import { openOutbox, type Pause } from './delivery.ts';
import { compareHeld, followHeld } from './held.ts';
import type { Outbox } from './outbox.ts';
import { localValues } from './page-storage.ts';
import { ReadMarks } from './read-marks.ts';
import { RoomSync } from './room-sync.ts';
import { Rooms } from './rooms.ts';
import { ShownRoom } from './shown-room.ts';
import { Store } from './storage.ts';
import { tabLock } from './tab-lock.ts';
import { OwnTyping } from './typing.ts';

/** The tab that wrote a message has this time to send it before another tab does. */
const FOREIGN_MS = 2000;
const NOTHING: Can = {
  createPublic: false,
  createPrivate: false,
  direct: false,
  findPeople: false,
  mail: false,
  files: false,
  previews: false,
  seen: false,
  push: false,
  report: false,
  hold: false,
};

/** The model of the chat, between the connection and the views: the user's rooms and what happens in them. */
export class Chat implements ConnectionListener {
  readonly connection: Connection;
  readonly sync: RoomSync;
  readonly list: Rooms;
  /** The server's time. */
  readonly clock: Clock;
  readonly shown: ShownRoom;
  readonly ownTyping: OwnTyping;
  me: User | undefined;
  roles: readonly SiteRole[] = [];
  /** What the operator's settings allow this user, in any room. */
  can: Can = NOTHING;
  profile: Profile = {};
  /** The look of the site, from the operator's settings. */
  site: Ready['site'];
  limits: Omit<Ready['limits'], 'mentions'> = { text: Number.POSITIVE_INFINITY, file: 0, files: 0 };
  /** Set while the outbox waits for its next attempt. */
  paused: Pause | undefined;
  outbox: Outbox | undefined;
  /** Settings, drafts and unsent messages of this user in this browser. */
  store: Store | undefined;
  /** Settings of this browser that all users share. */
  readonly settings: Store;

  /** Whether this user blocked another user. False until the list of blocked users is loaded. */
  hasBlocked: (user: string) => boolean = () => false;
  /** Parts of the view that receive events. */
  readonly followers = new Set<Follower>();
  /** The messages that the user is deleting, in their deleted form, by ID. The server deletes them a moment later. */
  readonly deleting = new Map<string, Message>();
  readonly tasks = new Tasks();

  /** The server's address with a trailing slash. */
  readonly server: string;
  readonly #listener: ChatListener;
  readonly #storage = localValues;
  readonly #marks: ReadMarks;
  readonly pass: GuestPass;
  readonly #asks: () => boolean;
  #delivery: ReturnType<typeof setTimeout> | undefined;

  constructor(
    server: string,
    wanted: string | undefined,
    listener: ChatListener,
    single: () => boolean = () => false,
    byAddress = false,
    ticketUrl?: string,
    asks: () => boolean = () => false,
  ) {
    this.server = server;
    this.#listener = listener;
    this.settings = new Store(this.#storage, server);
    this.pass = new GuestPass(this.settings);
    this.connection = new Connection(server, this, this.#events, { ticketUrl, pass: this.pass });
    this.clock = this.connection.clock;
    const changed = () => listener.changed();
    this.list = new Rooms(this.connection, this.tasks, {
      answers: () => this.answers,
      listed: () => this.#listed(),
      removed: (room, removal) => this.#removed(room, removal),
      changed,
    });
    this.#asks = asks;
    const alone = () => single() || this.asks;
    this.shown = new ShownRoom(wanted, byAddress, alone, this.list, this.tasks, {
      asks: () => this.asks,
      shown: (room) => this.#shown(room),
      unknown: (id) => listener.unknownRoom?.(id),
      changed,
    });
    this.sync = new RoomSync(this.connection, this.tasks, {
      arrived: (room, messages) => this.#note(room, messages),
      joined: (room, isNew) => this.#joined(room, isNew),
      gone: (room) => this.list.removed({ room: room.id, readable: false, reason: 'unknown' }),
      loaded: (count) => listener.loaded(count),
      changed,
    });
    this.ownTyping = new OwnTyping(this.connection);
    this.#marks = new ReadMarks(this.connection, this.rooms);
  }

  /** See `Connection.fileAccess`. */
  get fileAccess(): string | undefined {
    return this.connection.fileAccess;
  }

  renewed(): void {
    this.#listener.changed();
  }

  /** All known rooms: the user's own and other public rooms. */
  get rooms(): ReadonlyMap<string, Room> {
    return this.list.byId;
  }

  /** The room that is shown. */
  get current(): Room | undefined {
    return this.shown.room;
  }

  start(): void {
    addEventListener('storage', this.#stored);
    this.connection.start();
  }

  stop(): void {
    removeEventListener('storage', this.#stored);
    this.ownTyping.stop();
    clearTimeout(this.#delivery);
    this.connection.stop();
    this.hide();
  }

  get unread(): number {
    return this.totals.unread;
  }

  /** The totals of all rooms that are not muted. With `single`, the unread count of the shown room only. */
  get totals(): Totals {
    const { current } = this;
    if (this.single) {
      return { unread: current === undefined || current.muted ? 0 : this.unreadIn(current), mentions: 0 };
    }
    const { unread, mentions } = this.list.totals;
    const inSight = current === undefined || current.muted ? 0 : current.unread - this.unreadIn(current);
    return { unread: unread - inSight, mentions };
  }

  get single(): boolean {
    return this.shown.single();
  }

  /** Whether the page wants the user's question to the team, and nothing else. The team itself sees all rooms. */
  get asks(): boolean {
    return this.#asks() && (this.me === undefined || this.can.ask === true);
  }

  /** Whether there is no room to show. Either none was found, or the shown room was removed. */
  get roomless(): boolean {
    return this.connection.state.kind === 'ready' && this.shown.none;
  }

  /** Whether the user answers questions. */
  get answers(): boolean {
    return this.roles.includes('team');
  }

  /** Whether this is a visitor without a login. */
  get isGuest(): boolean {
    return isGuest(this.me?.id ?? '');
  }

  get mayCreate(): boolean {
    return this.can.createPublic || this.can.createPrivate;
  }

  /** Messages in sight are not counted as unread, even before the server knows that they were read. */
  unreadIn(room: Room): number {
    return room === this.current && this.shown.viewing && !room.keptUnread ? 0 : room.unread;
  }

  unsent(room?: Room): Unsent[] {
    return this.outbox?.list(room?.id) ?? [];
  }

  // Actions of the user

  /** Shows a listed room. */
  open(id: string): void {
    const room = this.rooms.get(id);
    if (room === undefined || room === this.current) return;
    const before = this.current;
    this.ownTyping.stop();
    if (before !== undefined) {
      before.newFrom = undefined;
      before.seenReplies();
      before.timeline.toEnd();
    }
    this.shown.show(room);
    this.#tidy();
    this.#listener.changed();
  }

  /** Opens the shown room at the messages that arrived while the list of rooms covered it. */
  reopen(): void {
    if (this.current === undefined) return;
    this.shown.show(this.current);
    this.#listener.changed();
  }

  /**
   * Shows a room, listed or not, as soon as there is a connection. Fails with `unknown_room` if the user may not read
   * it.
   *
   * @param wanted - whether the page requests the room; then a public room is joined, and after the end of a session
   * the next login is awaited
   */
  async openRoom(id: string, wanted = false): Promise<Room> {
    await this.connection.ready(wanted);
    const room = this.rooms.get(id) ?? (await this.list.fetch(id));
    if (wanted) room.wanted = true;
    this.open(room.id);
    return room;
  }

  /** Joins the public room that is shown. */
  join(room: Room): void {
    room.wanted = true;
    this.#enter(room);
    this.#listener.changed();
  }

  /** Shows the direct room with a user, and creates it if necessary. */
  async openDirect(user: string): Promise<Room> {
    await this.connection.ready();
    const { room } = await this.connection.request('direct:open', { user });
    const listed = this.list.put(room);
    this.open(room.id);
    return listed;
  }

  /**
   * Adds a message to the outbox. Returns false without a login.
   *
   * @param thread - set in the panel of a thread, so the room does not scroll to its end
   */
  send({ room, thread }: { readonly room: Room; readonly thread?: object }, content: NewContent): boolean {
    const { outbox } = this;
    if (!outbox) return false;
    outbox.add(room.id, content);
    this.ownTyping.stop();
    if (thread !== undefined) return true;
    room.newFrom = undefined;
    room.timeline.toEnd();
    return true;
  }

  /** Sends a copy of a message to a room, after `note` if it is not empty. Returns false without a login. */
  forward(message: Message, room: Room, note: string): boolean {
    const { outbox } = this;
    if (outbox === undefined) return false;
    if (note !== '') outbox.add(room.id, { text: note });
    outbox.forward(room.id, message);
    this.#deliver();
    return true;
  }

  /** Retries the failed messages of a room, except those that are pending approval or were rejected. */
  retry(room: string): void {
    for (const item of this.outbox?.list(room) ?? [])
      if (item.failed !== undefined && item.held === undefined) this.outbox?.retry(item);
    this.#deliver();
  }

  /** Discards a message that was not sent, is pending approval or was rejected. */
  async discard({ clientId, held }: Unsent): Promise<void> {
    if (held !== undefined) await this.connection.request('held:discard', { id: held });
    this.outbox?.discard(clientId);
  }

  /**
   * Edits a message. `rev` is the revision that the user saw. The error `conflict` contains the current message.
   *
   * @returns whether the edit is pending approval
   */
  async edit(edit: RequestOf<'message:edit'>): Promise<boolean> {
    const answer = await this.connection.request('message:edit', edit);
    if ('held' in answer) return true;
    this.#acknowledged(answer.message);
    return false;
  }

  async delete({ room, seq }: Pick<Message, 'room' | 'seq'>, reason?: string): Promise<void> {
    const answer = await this.connection.request('message:delete', {
      room,
      seq,
      reason,
    });
    this.#acknowledged(answer.message);
  }

  markRead(): void {
    if (this.current !== undefined) this.readUpTo(this.current, this.current.summary.lastSeq);
  }

  readUpTo(room: Room, seq: number): void {
    if (!room.readUpTo(seq)) return;
    this.#marks.changed();
    this.#listener.changed();
  }

  /** Sends a request that does not change this model, or whose effect arrives as an event. */
  async request<E extends RequestName>(name: E, payload: RequestOf<E>): Promise<Answers[E]> {
    const answer = await this.connection.request(name, payload);
    if (name === 'room:mute' || name === 'room:ban' || name === 'report:close')
      for (const follower of this.followers) follower.restricted?.();
    return answer;
  }

  /** Counts the user's unsent messages in this browser. */
  kept(user: User): number {
    const store = this.#userStore(user);
    return store.keys('out/').filter((key) => store.get(key, unsentForm)?.held === undefined).length;
  }

  /** Whether this browser has drafts of the user. */
  hasDrafts(user: User): boolean {
    return this.#userStore(user).keys('draft/').length > 0;
  }

  // From the connection

  state(state: ConnectionState): void {
    if (state.kind !== 'ready') {
      for (const room of this.rooms.values()) {
        room.joined = false;
        room.opening = false;
      }
      this.#silent();
      this.ownTyping.forget();
      // Ends the outbox's delays, so that it releases its lock. Another tab may be connected and waiting for the lock.
      this.outbox?.wake();
      this.paused = undefined;
    }
    this.#listener.state(state);
  }

  ready(ready: Ready): void {
    this.limits = ready.limits;
    this.site = ready.site;
    this.#identity(ready);
    this.limits = ready.limits;
    // A guest may be a user whose login expired, and whose unsent texts stay until the next login.
    if (!this.isGuest) this.settings.keepOnly(ready.user.id);
    this.store ??= this.#userStore(ready.user);
    this.shown.ready(ready.user.id, this.store, ready.firstRoom);
    this.outbox ??= this.#newOutbox(this.store, ready.user);
    this.outbox.wake();
    // If the user was removed from the shown public room while offline, this replaces it, because joining it would make
    // them a member again.
    this.list.ready(ready);
    if (this.current === undefined) this.shown.begin();
    else this.#enter(this.current);
    this.#deliver();
    this.#compareHeld(this.outbox);
    for (const follower of this.followers) follower.ready?.();
    if (this.list.whole) this.#listed();
    this.#marks.changed();
    this.#listener.changed();
  }

  #listed(): void {
    for (const follower of this.followers) follower.listed?.();
  }

  hide(): void {
    this.tasks.restart();
    this.outbox?.close();
    // Hide the views first, because they save the draft that was just typed.
    this.#listener.hide();
    this.list.clear();
    this.ownTyping.forget();
    this.#marks.stop();
    this.shown.hide();
    this.me = undefined;
    this.#silent();
    this.roles = [];
    this.can = NOTHING;
    this.profile = {};
    this.outbox = undefined;
    this.store = undefined;
    this.paused = undefined;
  }

  over(user: User): void {
    this.#userStore(user).erase();
    for (const follower of this.followers) follower.over?.();
  }

  /** Handlers for all events of the server. */
  readonly #events: ServerEvents = {
    'session:changed': (change) => {
      this.#identity(change);
      this.#listener.changed();
    },
    'message:new': (message) => this.#message(message),
    'message:changed': (message) => this.#message(message),
    'message:reacted': (reacted) => {
      const room = this.rooms.get(reacted.room);
      if (room === undefined || this.me === undefined) return;
      room.timeline.live(reacted, this.me.id);
      if (room.joined) void this.sync.sync(room);
      for (const follower of this.followers) follower.reacted?.(room, reacted);
      this.#listener.changed();
    },
    'room:activity': (activity) => this.#activity(activity),
    'room:added': (summary) => {
      const member = this.rooms.get(summary.id)?.summary.member;
      const room = this.list.put(summary);
      if (member !== true) for (const follower of this.followers) follower.added?.(room);
      // The user's ban from this room ended.
      if (this.shown.ban?.id === room.id) this.open(room.id);
      // The room was joined in another window.
      if (room === this.current && room.preview && summary.member) this.#enter(room);
      this.#listener.changed();
    },
    'room:changed': (summary) => this.#put({ room: summary }),
    'room:removed': (removal) => {
      const { room, reason } = removal;
      if (this.rooms.has(room)) return this.list.removed(removal);
      if (reason !== 'banned') return;
      this.shown.banned(room, removal);
      this.#listener.changed();
    },
    'room:reset': ({ room: id }) => {
      const room = this.rooms.get(id);
      if (room === undefined) return;
      void this.sync.rejoin(room);
      for (const follower of this.followers) follower.reset?.(room);
      this.#listener.changed();
    },
    'members:changed': (change) => {
      const room = this.rooms.get(change.room);
      if (room !== undefined) room.summary = { ...room.summary, members: change.count };
      for (const follower of this.followers) follower.members?.(change);
      this.#listener.changed();
    },
    'presence:changed': (change) => {
      this.rooms.get(change.room)?.presence(change);
      for (const follower of this.followers) follower.presence?.(change);
      // The user's own name may have changed.
      this.me = change.joined.find(({ id }) => id === this.me?.id) ?? this.me;
      this.#listener.changed();
    },
    'typing:changed': (change) => {
      for (const follower of this.followers) follower.typing?.(change);
    },
    'pin:changed': (change) => {
      const room = this.rooms.get(change.room);
      if (room === undefined) return;
      room.summary = { ...room.summary, pins: change.count };
      for (const follower of this.followers) follower.pinned?.(room, change);
      this.#listener.changed();
    },
    'card:changed': (change) => {
      for (const follower of this.followers) follower.card?.(change);
    },
    'read:changed': (read) => this.#read(read),
    mention: ({ message }) => {
      const room = this.rooms.get(message.room);
      // Compared with `readSeq`, because the room's unread count may not contain the message yet. A mention that an
      // edit adds to a read message does not count.
      if (room !== undefined && message.seq > room.summary.readSeq)
        room.summary = { ...room.summary, mentions: room.summary.mentions + 1 };
      for (const follower of this.followers) follower.mentioned?.(message);
      this.#listener.changed();
    },
    'thread:changed': ({ room, threads }) => {
      this.rooms.get(room)?.noteThreads(threads);
      this.#listener.changed();
    },
    'thread:followed': (change) => {
      for (const follower of this.followers) follower.followed?.(change);
    },
    'seen:changed': (change) => {
      for (const follower of this.followers) follower.seen?.(change);
    },
    'report:changed': (change) => {
      const room = this.rooms.get(change.report.room);
      if (room !== undefined) room.summary = { ...room.summary, reports: change.open };
      this.#listener.changed();
      for (const follower of this.followers) follower.reported?.(change);
    },
    'held:changed': (change) => {
      const { held, is } = change;
      // Moderators also receive the pending messages of other users.
      if (this.outbox !== undefined && (held === undefined || held.user.id === this.me?.id))
        followHeld(this.outbox, change);
      if (held !== undefined && is === 'rejected' && held.user.id === this.me?.id) {
        for (const follower of this.followers) follower.rejected?.(held);
        // After a rejected edit the message is unchanged and nothing else is shown, so discard the edit.
        if (held.seq !== undefined) this.#discardHeld(held);
      }
      for (const follower of this.followers) follower.held?.(change);
      this.#listener.changed();
    },
    'scheduled:changed': (change) => {
      for (const follower of this.followers) follower.scheduled?.(change);
    },
    'reminder:changed': (change) => {
      for (const follower of this.followers) follower.reminded?.(change);
    },
    'blocked:changed': (change) => {
      for (const follower of this.followers) follower.blocked?.(change);
    },
    'question:changed': ({ question }) => {
      for (const follower of this.followers) follower.question?.(question);
    },
    'question:noted': (change) => {
      for (const follower of this.followers) follower.noted?.(change);
    },
    push: ({ name, data }) => {
      for (const follower of this.followers) follower.pushed?.(name, data);
    },
  };

  #message(message: Message): void {
    const room = this.rooms.get(message.room);
    if (room === undefined || this.me === undefined) return;
    const fresh = message.seq > room.summary.lastSeq && message.user.id !== this.me.id;
    room.timeline.live(message, this.me.id);
    this.#note(room, [message]);
    const viewed = room === this.current && this.shown.viewing;
    const isShown = room.shows(message);
    // An open thread marks the reply as seen.
    if (fresh && !(viewed && isShown) && !this.hasBlocked(message.user.id)) room.noteReply(message);
    this.#changed(message);
    if (viewed && room.markRead()) this.#marks.changed();
    else if (!viewed && fresh && isShown && room === this.current) room.newFrom ??= message.seq;
    if (fresh) {
      if (isShown || room.concerns(message, this.me.id)) this.#listener.message(room, message);
      this.list.heard(room, message.user);
    }
    if (room.joined) void this.sync.sync(room);
    this.#listener.changed();
  }

  #silent(room?: string): void {
    for (const follower of this.followers) follower.silent?.(room);
  }

  #changed(message: Message): void {
    for (const follower of this.followers) follower.message?.(message);
  }

  #outdated(room: Room, seq: number, isDeleted: boolean): void {
    for (const follower of this.followers) follower.outdated?.(room, seq, isDeleted);
  }

  #activity(activity: RoomActivity): void {
    const room = this.rooms.get(activity.room);
    const { last } = activity;
    const { lastSeq: known = 0, last: before } = room?.summary ?? {};
    this.list.activity(activity);
    // If the room is not joined, only its newest message is known.
    if (room !== undefined && before !== undefined) {
      const { last: now } = room.summary;
      const isDeleted =
        now === undefined ||
        now.seq < before.seq ||
        (now.seq === before.seq && (now.deletedAt !== undefined || now.user.id !== before.user.id));
      if (isDeleted || (now.seq === before.seq && now.text !== before.text))
        this.#outdated(room, before.seq, isDeleted);
    }
    const fresh = last !== undefined && last.seq > known && last.user.id !== this.me?.id;
    if (room !== undefined && fresh) {
      if (!room.muted) this.#listener.message(room, last);
      this.list.heard(room, last.user);
    }
    this.#listener.changed();
  }

  #read({ room: id, user, seq, mentions }: EventPayload<'read:changed'>): void {
    const room = this.rooms.get(id);
    if (room === undefined) return;
    if (user === this.me?.id && mentions !== undefined) {
      room.keptUnread = room === this.current;
      room.unreadAfter(seq, mentions);
    } else if (user === this.me?.id) {
      room.keptUnread = false;
      room.readUpTo(seq);
      room.marked = Math.max(room.marked, seq);
      this.#countMentions(room);
      for (const follower of this.followers) follower.opened?.(room);
    } else {
      room.readByOther = Math.max(room.readByOther, seq);
    }
    this.#listener.changed();
  }

  /**
   * Fetches the number of unread mentions. Needed if the room was read without a read marker from this client, because
   * only the response to a marker contains the number.
   */
  #countMentions(room: Room): void {
    if (room.summary.mentions === 0) return;
    void this.tasks.once(`count mentions in ${room.id}`, async () => {
      let upTo: number;
      do {
        upTo = room.summary.readSeq;
        const { room: now } = await this.connection.request('read:mark', { room: room.id, seq: 0 });
        room.summary = { ...room.summary, mentions: now.mentions };
        this.#listener.changed();
      } while (room.summary.readSeq > upTo);
    });
  }

  #identity({ user, roles, can, profile }: EventPayload<'session:changed'>): void {
    this.me = user;
    this.roles = roles;
    this.can = can;
    this.profile = profile;
  }

  #put({ room }: { room: Parameters<Rooms['put']>[0] }): void {
    this.list.put(room);
    this.#listener.changed();
  }

  #shown(room: Room): void {
    // Without a connection the room shows the messages in memory at once.
    room.opening = room.newFrom !== undefined && this.connection.state.kind === 'ready';
    for (const follower of this.followers) follower.opened?.(room);
    this.#enter(room);
  }

  #enter(room: Room): void {
    const { kind, member } = room.summary;
    room.preview = !room.joined && kind === 'public' && !member && !room.wanted;
    if (room.preview) void this.sync.look(room);
    else if (!room.joined) void this.sync.join(room);
    else void this.sync.unseen(room);
  }

  #joined(room: Room, isNew: boolean): void {
    this.shown.joined(room);
    if (isNew && room.summary.last === undefined) void this.list.place();
    this.outbox?.flush();
    for (const follower of this.followers) follower.joined?.(room);
    if (room === this.current) {
      if (!this.shown.viewing && room.unread > 0) room.newFrom ??= room.summary.readSeq + 1;
      void this.sync.unseen(room);
    }
    this.#tidy();
  }

  /** Leaves rooms that are no longer shown, once they have no messages to send. */
  #tidy(): void {
    for (const room of this.rooms.values()) {
      if (!room.joined || room === this.current || this.#unsentIn(room.id)) continue;
      this.sync.leave(room);
      this.#silent(room.id);
    }
  }

  #unsentIn(room: string): boolean {
    return this.outbox?.list(room).some(({ failed }) => failed === undefined) === true;
  }

  /** Sends unsent messages of rooms that are not shown. Such a room is joined until its messages are sent. */
  #deliver(): void {
    for (const id of new Set(this.unsent().map(({ room }) => room))) {
      if (id === this.current?.id || this.rooms.get(id)?.joined === true || !this.#unsentIn(id)) continue;
      void this.tasks.once(
        `deliver to ${id}`,
        async () => void this.sync.join(this.rooms.get(id) ?? (await this.list.fetch(id))),
        ({ code }) => this.outbox?.refuse(id, code),
      );
    }
  }

  #discardHeld({ id }: Held): void {
    void this.tasks.once(`discard ${id}`, async () => {
      await this.connection.request('held:discard', { id });
    });
  }

  /** Updates this user's pending messages in the outbox with the server's list. */
  #compareHeld(outbox: Outbox): void {
    const before = outbox.list().filter(({ held }) => held !== undefined);
    if (!this.can.hold && before.length === 0) return;
    void this.tasks.once('held messages', async () => {
      const { held } = await this.connection.request('held:list', { mine: true });
      compareHeld(outbox, held, before);
    });
  }

  #removed(room: Room, removal: RoomRemoval): void {
    const shown = room === this.current;
    room.joined = false;
    this.#silent(room.id);
    this.shown.removed(room);
    this.outbox?.refuse(room.id, 'unknown_room');
    this.#listener.removed?.(room, removal);
    for (const follower of this.followers) follower.removed?.(room, removal);
    const { id, summary } = room;
    if (shown)
      this.shown.replace(removal.reason === 'banned' ? { ...removal, id, name: summary.name } : undefined);
    this.#listener.changed();
  }

  /** Updates the unread count for messages, and confirms the user's own messages in the outbox. */
  #note(room: Room, messages: readonly Message[]): void {
    if (this.me === undefined) return;
    for (const message of messages) {
      if (room.note(message, this.me)) this.#countMentions(room);
      const { seq, editedAt, deletedAt } = message;
      if (editedAt !== undefined || deletedAt !== undefined)
        this.#outdated(room, seq, deletedAt !== undefined);
      if (message.user.id === this.me.id && this.outbox?.confirm(message) === true)
        for (const follower of this.followers) follower.approved?.();
    }
    // The user may continue reading where they stopped, so more messages are kept.
    const unread = room === this.current && !this.shown.viewing && room.timeline.attached;
    room.timeline.trim(unread ? KEPT_UNREAD : undefined);
    this.list.moved(room);
  }

  #acknowledged(message: Message): void {
    const room = this.rooms.get(message.room);
    if (room === undefined) return;
    room.timeline.stored(message);
    this.#note(room, [message]);
    this.#changed(message);
    this.#listener.changed();
  }

  #newOutbox(store: Store, me: User): Outbox {
    const { connection, sync, rooms } = this;
    return openOutbox(store, tabLock(`${this.server} ${me.id}`), {
      connection,
      sync,
      rooms,
      stored: (message) => this.#acknowledged(message),
      held: () => {
        for (const follower of this.followers) follower.waits?.();
      },
      failed: (item) => this.#listener.failed(item),
      paused: (pause) => {
        this.paused = pause;
        this.#listener.changed();
      },
      changed: () => {
        this.#tidy();
        this.#listener.changed();
      },
    });
  }

  #userStore(user: User): Store {
    return new Store(this.#storage, this.server, user.id);
  }

  readonly #stored = ({ key }: StorageEvent) => {
    if (key !== null) this.#storage.forget(key);
    this.reread(key);
  };

  /**
   * Applies what other tabs stored.
   *
   * @param key - null for all values: another tab cleared the storage, or this page slept and got no events
   */
  reread(key: string | null): void {
    if (this.store?.owns(key, '') !== true) return;
    for (const follower of this.followers) follower.stored?.(key);
    this.#listener.changed();
    if (!this.store.owns(key, 'out/')) return;
    this.outbox?.reread();
    // The tab that wrote the message sends it if it can.
    clearTimeout(this.#delivery);
    this.#delivery = setTimeout(() => this.#deliver(), FOREIGN_MS);
  }
}

import type {
  Answers,
  Can,
  EventPayload,
  Profile,
  RequestName,
  SiteRole,
  User,
} from '../../../server/wire/events.ts';
import type { Follower } from '../chat/chat-listener.ts';
import { localValues } from '../chat/page-storage.ts';
import { Rooms } from '../chat/rooms.ts';
import { Store } from '../chat/storage.ts';
import type { Clock } from '../connection/clock.ts';
import { Connection, type RequestOf } from '../connection/connection.ts';
import type {
  ConnectionListener,
  ConnectionState,
  Ready,
  ServerEvents,
} from '../connection/connection-state.ts';
import { Tasks } from '../connection/tasks.ts';
import { type Section, sections } from './place.ts';

const NO_ROOM = { createPublic: false, createPrivate: false };
const NOTHING: Desk['can'] = { people: false, log: false, data: false };

export interface DeskListener {
  changed(): void;
  /** The view must remove all content before this returns. */
  hide(): void;
  state(state: ConnectionState): void;
}

/**
 * The moderator's connection, and the rooms that the moderator knows. It does not join rooms, because joining a public
 * room would make the moderator a member of it.
 */
export class Desk implements ConnectionListener {
  readonly connection: Connection;
  readonly list: Rooms;
  readonly clock: Clock;
  readonly tasks = new Tasks();
  readonly followers = new Set<Follower>();
  /** The server's address with a trailing slash. */
  readonly server: string;
  me: User | undefined;
  roles: readonly SiteRole[] = [];
  /** The kinds of rooms that this user may create. */
  creates: Pick<Can, 'createPublic' | 'createPrivate'> = NO_ROOM;
  /** The rights of this user in addition to the queue, and whether messages can have cards. */
  can: NonNullable<Can['moderate']> & Pick<Can, 'cards'> = NOTHING;
  site: Ready['site'];
  profile: Profile = {};
  /** Settings of this user in this browser. */
  store: Store | undefined;
  /** Settings of this browser that all users share. */
  readonly settings: Store;
  readonly #listener: DeskListener;
  readonly #storage = localValues;

  constructor(server: string, listener: DeskListener) {
    this.server = server;
    this.#listener = listener;
    this.settings = new Store(this.#storage, server);
    const changed = () => listener.changed();
    this.connection = new Connection(server, this, this.#events);
    this.clock = this.connection.clock;
    this.list = new Rooms(this.connection, this.tasks, { removed: changed, changed });
  }

  start(): void {
    this.connection.start();
  }

  stop(): void {
    this.connection.stop();
    this.hide();
  }

  /** The parts of the page that this user may see. */
  get parts(): Section[] {
    const { people, log } = this.can;
    return sections.filter((one) => one === 'queue' || (one === 'log' ? log : people));
  }

  request<E extends RequestName>(name: E, payload: RequestOf<E>): Promise<Answers[E]> {
    return this.connection.request(name, payload);
  }

  /** This page does not store unsent texts for the next login. */
  kept(): number {
    return 0;
  }

  hasDrafts(): boolean {
    return false;
  }

  // From the connection

  state(state: ConnectionState): void {
    this.#listener.state(state);
  }

  ready(ready: Ready): void {
    this.tasks.restart();
    this.site = ready.site;
    this.#identity(ready);
    this.settings.keepOnly(ready.user.id);
    this.store ??= this.#storeOf(ready.user);
    this.list.ready(ready);
    this.#afresh();
  }

  hide(): void {
    this.tasks.restart();
    this.#listener.hide();
    this.list.clear();
    this.me = undefined;
    this.roles = [];
    this.creates = NO_ROOM;
    this.can = NOTHING;
    this.profile = {};
    this.store = undefined;
  }

  /** Also deletes drafts of the chat, because the logout may happen while no chat is open. */
  over(user: User): void {
    this.#storeOf(user).erase();
  }

  #storeOf({ id }: User): Store {
    return new Store(this.#storage, this.server, id);
  }

  readonly #events: Partial<ServerEvents> = {
    'session:changed': (change) => {
      this.#identity(change);
      this.#afresh();
    },
    'room:added': (summary) => this.#put(summary),
    'room:changed': (summary) => this.#put(summary),
    'room:removed': (removal) => {
      this.list.removed(removal);
      this.#afresh();
    },
    'room:activity': (activity) => {
      this.list.activity(activity);
      this.#listener.changed();
    },
    'report:changed': (change) => {
      for (const follower of this.followers) follower.reported?.(change);
    },
    'held:changed': (change) => {
      for (const follower of this.followers) follower.held?.(change);
    },
  };

  #put(summary: EventPayload<'room:added'>): void {
    const moderates = () => this.list.byId.get(summary.id)?.summary.may.includes('moderate');
    const before = moderates();
    this.list.put(summary);
    if (moderates() === before) this.#listener.changed();
    else this.#afresh();
  }

  /** Reloads everything, after a new connection or a change of the user's rights. */
  #afresh(): void {
    for (const follower of this.followers) follower.ready?.();
    this.#listener.changed();
  }

  #identity({ user, roles, can, profile }: EventPayload<'session:changed'>): void {
    this.me = user;
    this.roles = roles;
    this.creates = can;
    this.can = { ...(can.moderate ?? NOTHING), cards: can.cards };
    this.profile = profile;
  }
}

import { createHash } from 'node:crypto';
import type { History, StoredHeld, StoredMessage } from '../history/history.ts';
import { type Answers, type RequestPayload, roomId, type User } from '../wire/events.ts';
import { Announcements } from './announcements.ts';
import type { OnAsideFailure } from './asides.ts';
import { Directory } from './directory.ts';
import { LastHere } from './last-here.ts';
import { NewestPages } from './messages/newest-pages.ts';
import { Reactions } from './messages/reactions.ts';
import { SeenBy } from './messages/seen.ts';
import { pinOf } from './messages/shown-pins.ts';
import { ThreadChanges } from './messages/thread-changes.ts';
import { Typing } from './messages/typing.ts';
import type { Connection } from './model.ts';
import type { HoldSettings } from './moderation/hold-settings.ts';
import { keepEnding } from './moderation/restriction-ends.ts';
import { shownHeld } from './moderation/shown-held.ts';
import { reportOf } from './moderation/shown-reports.ts';
import { obey } from './orders.ts';
import type { Order, OtherServers, ThisServer } from './other-servers.ts';
import type { Publisher } from './publisher.ts';
import { enforceRetention, type Retention } from './retention.ts';
import type { ChatSettings } from './summary.ts';

/** The operator's limits. Texts and names are counted in Unicode code points. */
export interface Limits {
  /** Characters of a message. */
  text: number;
  /** Members of a private room; 0 lifts the limit. */
  members: number;
  /** Existing rooms that one user has created; 0 lifts the limit. */
  roomsOfUser: number;
}

/** Limits the files that one user may copy. */
export interface CopyBudget {
  /** @throws RequestError `rate_limited` */
  charge(user: string, bytes: number, files: number): { cancel(): void };
}

/** Fetches the pages of links in stored messages. */
export interface LinkPreviews {
  begin(message: StoredMessage): void;
  /** The same for a message that is pending approval. */
  beginHeld(held: StoredHeld): void;
}

/** The accounts of the site that can log in, by the site's own table of users. */
export interface SiteAccounts {
  /** The names of these accounts. An ID that the site does not have is left out. Rejects if the table cannot be read. */
  names(ids: readonly string[]): Promise<ReadonlyMap<string, string>>;
  /** Accounts with a word of the name that begins so, or with that ID. None if the table cannot be read. */
  search(text: string, limit: number): Promise<User[]>;
}

/** Reaches the devices of users while no page is open. */
export interface Devices {
  /** The site has switched it on for browsers, and for apps. */
  readonly takes: { readonly browsers: boolean; readonly apps: boolean };
  /** @throws RequestError `bad_request` for a device that cannot be reached, `forbidden` if the login has just ended */
  register(
    connection: Connection,
    payload: RequestPayload<'device:register'>,
  ): Promise<Answers['device:register']>;
}

/** Notifies people who are away. */
export interface Notifying {
  /** A user has done something. */
  acted(user: string, said?: RequestPayload<'client:active'>): void;
  /** A user who is no member of this public room has opened it, and its last message was that one. Never rejects. */
  opened(user: string, room: string, seq: number): Promise<void>;
  get(user: string): Promise<Answers['notify:get']>;
  set(user: string, change: RequestPayload<'notify:set'>): Promise<Answers['notify:set']>;
}

/** The parts that the operations of the chat work on. */
export interface Chat {
  history: History;
  directory: Directory;
  publisher: Publisher;
  typing: Typing;
  threads: ThreadChanges;
  seenBy: SeenBy;
  newest: NewestPages;
  reactions: Reactions;
  settings: ChatSettings;
  limits: Limits;
  fileBudget: CopyBudget;
  /** Absent if the site has no table of users that is known. */
  accounts?: SiteAccounts | undefined;
  /** Absent if no message waits for a moderator. */
  hold?: HoldSettings | undefined;
  /** Absent if links have no previews. */
  previews?: LinkPreviews | undefined;
  /** Absent if nobody is notified while no page is open. */
  devices?: Devices | undefined;
  /** Absent if nobody is notified while away. */
  notify?: Notifying | undefined;
  /** Sends events for the site again that have no tries left; absent if it takes none. @returns how many */
  retryEvents?: (() => Promise<number>) | undefined;
  /**
   * Carries out an order on all servers; here at once, whether the others can be reached or not.
   * @returns how many connections the user has there
   * @throws RequestError if the others cannot be reached and the order may safely be repeated
   */
  everywhere(user: string, order: Order): Promise<number>;
  /** Absent for a single server. */
  others?: OtherServers | undefined;
  /** The interface that the other servers use. */
  here: ThisServer;
  onAsideFailure: OnAsideFailure;
  /** The ids of the rooms in CHAT_ROOMS, in that order. */
  configured: readonly string[];
  /** Starts no more background work. */
  close(): void;
}

/** The id of a room in CHAT_ROOMS: its name, if that is a valid id. */
function roomIdOf(name: string): string {
  if (roomId.safeParse(name).success) return name;
  return `r-${createHash('sha256').update(name.normalize('NFC')).digest('hex').slice(0, 16)}`;
}

/** @param rooms those of CHAT_ROOMS; an undefined id is derived from the name */
export async function openChat(options: {
  history: History;
  publisher: Publisher;
  settings: ChatSettings;
  limits: Limits;
  fileBudget: CopyBudget;
  rooms: readonly { id?: string; name: string }[];
  retention: Retention;
  /**
   * Closes the user's connections to this server. Resolves when none of their requests changes anything any more, or after
   * some seconds. Never rejects.
   */
  kick: (user: string) => Promise<void>;
  /** Absent for a single server. */
  others?: OtherServers | undefined;
  accounts?: SiteAccounts | undefined;
  hold?: HoldSettings | undefined;
  previews?: LinkPreviews | undefined;
  devices?: Devices | undefined;
  notify?: Notifying | undefined;
  retryEvents?: (() => Promise<number>) | undefined;
  onAsideFailure: OnAsideFailure;
  /** Called when expired mutes and bans could not be lifted. */
  onEndFailure: (error: Error) => void;
  /** Called when rooms without members or expired messages could not be deleted. */
  onSweepFailure: (error: Error) => void;
  /** Called when an existing room of CHAT_ROOMS differs from the setting, which then has no effect on it. */
  onOtherRoom: (room: { id: string; name: string; is: 'private' | 'called otherwise' }) => void;
}): Promise<Chat> {
  const { history, publisher, settings, limits, kick, others, onAsideFailure } = options;
  const typing = new Typing(publisher, others);
  const threads = new ThreadChanges(history, publisher, onAsideFailure);
  const seenBy = new SeenBy(history, () => directory, publisher, onAsideFailure);
  const rooms = options.rooms.map(({ id, name }) => ({ id: id ?? roomIdOf(name), name }));
  await history.write.publicRooms({ rooms, at: Date.now() });
  const announcements: Announcements = new Announcements({
    publisher,
    typing,
    threads,
    seenBy,
    directory: () => directory,
    kick,
    onRestrictions: () => endInTime(),
    onAsideFailure,
    readReport: (id) => reportOf({ history, directory }, id),
    async readHeld(id) {
      const stored = await history.read.held({ id });
      const [held] = stored === null ? [] : await shownHeld(history, [stored]);
      return held;
    },
    async readUser(id) {
      const [known] = await history.read.users({ ids: [id] });
      return { id, name: known?.name ?? id };
    },
    readPin: (room, seq) => pinOf({ history, directory }, room, seq),
    async readMessage({ room, seq, id }) {
      const [message] = await history.read.messages({ places: [{ room, seq }] });
      return message?.id === id && message.deletedAt === undefined ? message : undefined;
    },
    others,
  });
  const findAll = settings.findPeople === 'all';
  const closing = new AbortController();
  const lastHere = new LastHere(history, onAsideFailure);
  const left = (user: string) => settings.lastSeen && !closing.signal.aborted && lastHere.left(user);
  const directory = await Directory.open(history, announcements, {
    findAll,
    showsSeen: settings.seen,
    left,
    others,
    onAsideFailure,
  });
  for (const { id, name } of options.rooms) {
    // Without an id, the name created the room at the first start: people may have renamed it since.
    if (id === undefined) continue;
    const room = directory.room(id);
    if (room === undefined) options.onOtherRoom({ id, name, is: 'private' });
    else if (room.record.name !== name) options.onOtherRoom({ id, name, is: 'called otherwise' });
  }
  const here: ThisServer = {
    seen: (user) => directory.seen(user),
    everybody: () => directory.everybody(),
    presenceChanged: (room, user) => directory.presenceChanged(room, user),
    typing({ id, createdAt }, user, isTyping) {
      const room = directory.room(id);
      // The servers may know of another room of that id, or of another membership.
      if (room?.record.createdAt !== createdAt) return;
      const shown = room.present.get(user);
      if (shown !== undefined) typing.setElsewhere(room, shown, isTyping);
    },
    obey: (user, order) => obey({ directory, publisher, kick }, user, order),
  };
  const endInTime = keepEnding({ history, directory }, closing.signal, options.onEndFailure);
  endInTime();
  // Not awaited: there may be very many such rooms, and the port opens meanwhile.
  enforceRetention(history, options.retention, closing.signal, options.onSweepFailure);
  const everywhere: Chat['everywhere'] = async (user, order) => {
    const obeyed = here.obey(user, order);
    if (others === undefined) return (await obeyed).count;
    const [own, elsewhere] = await Promise.allSettled([obeyed, others.orderOthers(user, order)]);
    if (own.status === 'rejected') throw own.reason;
    const { count } = own.value;
    if (elsewhere.status === 'fulfilled') return count + elsewhere.value.count;
    // If the caller repeated the order, connections here would get the push twice.
    if (order.is === 'kick' || (order.is === 'push' && count === 0)) throw elsewhere.reason;
    return count;
  };
  return {
    history,
    directory,
    publisher,
    typing,
    threads,
    seenBy,
    newest: new NewestPages(history),
    reactions: new Reactions(history),
    settings,
    limits,
    fileBudget: options.fileBudget,
    accounts: options.accounts,
    hold: options.hold,
    previews: options.previews,
    devices: options.devices,
    notify: options.notify,
    retryEvents: options.retryEvents,
    others,
    here,
    everywhere,
    onAsideFailure,
    configured: rooms.map(({ id }) => id),
    close: () => closing.abort(),
  };
}

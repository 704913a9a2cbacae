import type { History, StoredHeld, StoredMessage } from '../history/history.ts';
import type { Answers, RequestPayload, User } from '../wire/events.ts';
import type { Activity } from './activity.ts';
import type { AnnouncementQueues, OnAsideFailure } from './asides.ts';
import type { ChangedSummaries } from './changed-summaries.ts';
import type { Directory } from './directory.ts';
import type { LastHere } from './last-here.ts';
import type { NewestPages } from './messages/newest-pages.ts';
import type { Reactions } from './messages/reactions.ts';
import type { SeenBy } from './messages/seen.ts';
import type { ThreadChanges } from './messages/thread-changes.ts';
import type { Typing } from './messages/typing.ts';
import type { Connection, FindUser } from './model.ts';
import type { HoldSettings } from './moderation/hold-settings.ts';
import type { Order, OtherServers, ThisServer } from './other-servers.ts';
import type { Partners } from './partners.ts';
import type { Presence } from './presence.ts';
import type { Publisher } from './publisher.ts';
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
  presence: Presence;
  activity: Activity;
  summaries: ChangedSummaries;
  announcements: AnnouncementQueues;
  partners: Partners;
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
  /** See follow-changes.ts. */
  catchUp<Found>(reading: Promise<Found>, take: (found: Found) => void, find: FindUser): Promise<void>;
  /**
   * Closes the user's connections to this server. Resolves when their requests no longer change anything, or after some
   * seconds. Never rejects.
   */
  kick(user: string): Promise<void>;
  /** Called after a mute or ban has changed, which may be the next to end. */
  endRestrictions(): void;
  /** Absent if no time is stored when users were last seen. */
  lastHere?: LastHere | undefined;
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

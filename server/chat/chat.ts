import type { History, PendingMessage, StoredMessage } from '../history/history.ts';
import type { Rate } from '../limits/by-key.ts';
import type { Answers, Card, CardReader, CardReference, RequestPayload, User } from '../wire/events.ts';
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
import type { PageReaders } from './page-readers.ts';
import type { Partners } from './partners.ts';
import type { Presence } from './presence.ts';
import type { Publisher } from './publisher.ts';
import type { Team } from './questions/team.ts';
import type { ChatSettings } from './summary.ts';

/** The operator's limits. */
export interface Limits {
  /** Maximum Unicode code points of a message. */
  text: number;
  /** Maximum members of a private room; 0 for no limit. */
  members: number;
  /** Maximum existing rooms of one creator; 0 for no limit. */
  roomsOfUser: number;
  /** Maximum scheduled messages of a user. */
  later: number;
  /** The rate at which scheduled messages of a user are sent. Other messages do not count. */
  send: Rate;
}

/** Limits the files that one user may copy. */
export interface CopyBudget {
  /** Charges the files to the user; `cancel` undoes that. @throws RequestError `rate_limited` */
  charge(user: string, bytes: number, files: number): { cancel(): void };
}

/** Fetches the pages of links in stored messages. */
export interface LinkPreviews {
  begin(message: StoredMessage): void;
  /** Fetches the page for a message that is pending approval. */
  beginPending(held: PendingMessage): void;
}

/** Requests cards from the site, for each user separately. */
export interface Cards {
  /** Returns the card for this user, or undefined if the site shows this user none. */
  get(user: CardReader, reference: CardReference): Promise<Card | undefined>;
  find(user: CardReader, search: { about?: string; query: string }): Promise<Card[]>;
  /**
   * Runs a button once for each `key`, and returns the card that replaces the old one. If the user's card does not have
   * the button, returns that card.
   * @param click.onRun called once after the button ran
   */
  press(
    user: CardReader,
    reference: CardReference,
    click: { button: string; key: string; onRun: () => void },
  ): Promise<Card | undefined>;
  /** Forgets this card of all users, because it may have changed. */
  forget(about: string): void;
}

/** The accounts that can log in to the site, read from the site's own table of users. */
export interface SiteAccounts {
  /** Returns the names of these accounts, without unknown IDs. Rejects if the table cannot be read. */
  names(ids: readonly string[]): Promise<ReadonlyMap<string, string>>;
  /**
   * Returns the accounts whose ID is `text`, or whose name has a word that starts with it. Returns no accounts if the
   * table cannot be read.
   * @param account see `Connection`
   */
  search(text: string, limit: number, account: string): Promise<User[]>;
}

/** The devices that get push notifications. */
export interface Devices {
  /** Whether the site has enabled push for browsers, and for apps. */
  readonly takes: { readonly browsers: boolean; readonly apps: boolean };
  /**
   * Registers a device of the connection's login.
   * @throws RequestError `bad_request` if the push address is not accepted, `forbidden` if the login just ended
   */
  register(
    connection: Connection,
    payload: RequestPayload<'device:register'>,
  ): Promise<Answers['device:register']>;
}

/** Notifies offline users. */
export interface Notifying {
  /** Whether users who never connected get mails about direct messages. */
  readonly reachesNewMembers: boolean;
  /** Records user activity. */
  acted(user: string, said?: RequestPayload<'client:active'>): void;
  /** Records that a user who is not a member opened a public room whose last message is `seq`. Never rejects. */
  opened(user: string, room: string, seq: number): Promise<void>;
  get(user: string): Promise<Answers['notify:get']>;
  set(user: string, change: RequestPayload<'notify:set'>): Promise<Answers['notify:set']>;
}

/** The parts of the chat that the caller of `openChat` provides. */
export interface GivenParts {
  history: History;
  publisher: Publisher;
  settings: ChatSettings;
  limits: Limits;
  fileBudget: CopyBudget;
  /** Absent if the server does not know the site's table of users. */
  accounts?: SiteAccounts | undefined;
  /** Returns the ID of the guest with this secret. Absent if all users need a login. */
  guestOf?: ((secret: string) => string) | undefined;
  /** Absent if messages need no approval. */
  hold?: HoldSettings | undefined;
  /** Absent if links have no previews. */
  previews?: LinkPreviews | undefined;
  /** Absent without CHAT_CARDS_URL. Requests fail with `site_unavailable`. */
  cards?: Cards | undefined;
  /** Absent without push notifications. */
  devices?: Devices | undefined;
  /** Absent if offline users are not notified. */
  notify?: Notifying | undefined;
  /** Returns the parts that this server lacks to be ready, as named by `/readyz`. */
  missing?: (() => Promise<readonly string[]>) | undefined;
  /** Retries the webhook events that used up their attempts. Absent without webhooks. @returns the number of events */
  retryEvents?: (() => Promise<number>) | undefined;
  /**
   * Closes the user's connections to this server. Resolves when their requests no longer change anything, or after some
   * seconds. Never rejects.
   */
  kick(user: string): Promise<void>;
  /** Absent for a single server. */
  others?: OtherServers | undefined;
  onAsideFailure: OnAsideFailure;
}

/** The parts that requests and effects use. */
export interface Chat extends GivenParts {
  directory: Directory;
  typing: Typing;
  pageReaders: PageReaders;
  threads: ThreadChanges;
  seenBy: SeenBy;
  presence: Presence;
  activity: Activity;
  summaries: ChangedSummaries;
  announcements: AnnouncementQueues;
  partners: Partners;
  newest: NewestPages;
  reactions: Reactions;
  team: Team;
  /**
   * Runs a node command on all servers. On this server it runs at once, even if the history fails.
   * @returns the sum of `OrderAnswer.count`, without servers that do not respond in time
   * @throws RequestError if the command cannot be stored for the other servers, and may safely be repeated
   */
  everywhere(user: string, order: Order): Promise<number>;
  /**
   * Passes the result of a read to `take`. The result may lack changes that arrived during the read, so they are
   * applied afterwards to the users that `find` returns. Other users got these changes when they arrived.
   */
  catchUp<Stored>(reading: Promise<Stored>, take: (stored: Stored) => void, find: FindUser): Promise<void>;
  /** Call this after a mute or ban changes, because it may be the next to expire. */
  endRestrictions(): void;
  /** Call this after a message was scheduled, because it may be the next to send. */
  sendDue(): void;
  /** Absent if last-seen times are not stored. */
  lastHere?: LastHere | undefined;
  /** The interface that the other servers use. */
  here: ThisServer;
  /** The IDs of the rooms in CHAT_ROOMS, in that order. */
  configured: readonly string[];
  /** Stops background work. */
  close(): void;
}

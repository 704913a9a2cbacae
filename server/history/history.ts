import type {
  AuditScope,
  ChosenFile,
  HoldReason,
  Message,
  MessageFile,
  MessageReacted,
  Notify,
  Preview,
  Report,
  ReportEnd,
  RoomKind,
  RoomRole,
  RoomSettings,
  ShownAct,
  SiteRole,
  User,
} from '../wire/events.ts';
import type { Consume } from './engine/change-log.ts';

/** No answer exceeds this many bytes of JSON, however many messages were asked for. */
export const maxPageBytes = 256 * 1024;

/** The id by which everybody in a room is mentioned. */
export const everybody = '*';

/** The consumer of the log of changes that erases users: its holder takes the steps. */
export const erasureConsumer = 'erasure';

/** Milliseconds. If the server that holds a consumer crashes, another server takes over after this time. */
export const leaseTime = 5000;

/** Whether a user made the room, and not the settings, a session or the API. */
export const isUserRoom = (room: string): boolean => room.startsWith('u-');

/** The user in place of an erased one. No session has this id: PHP calls it empty. */
export const deletedUser: User = { id: '0', name: 'Deleted user' };

/** A user who is named in a text, and where, as it is sent. */
export interface NewMention {
  user: string;
  start: number;
  length: number;
}

/** A mention with the name that its user has now. `shown`: those who may read the message may see the name. */
export interface StoredMention extends NewMention {
  name: string;
  shown: boolean;
}

/** A message as it is stored: what users get of it depends on whose names they may see. */
export type StoredMessage = Omit<Message, 'mentions' | 'forwarded'> & {
  mentions?: StoredMention[];
  /** Of a forwarded copy: the author of what it is a copy of; `shown`: whether its readers may know. */
  forwarded?: { user: User; shown: boolean };
};

/** Most bytes of a user's name with its id, as JSON: each has 64 characters at most. */
export const mostNameBytes = 600;

/**
 * Most bytes of a message in an answer, with what only an answer says: `,"hidden":true`, `,"mine":true` of its
 * reactions, and of a mention the
 * id in place of the name.
 */
export function sizeOf(message: StoredMessage): number {
  const ids = (message.mentions ?? []).reduce((bytes, { user }) => bytes + Buffer.byteLength(user), 0);
  return Buffer.byteLength(JSON.stringify(message)) + 14 + 12 * (message.reactions?.length ?? 0) + ids;
}

/**
 * The reasons for which a user is a member of a room. Kept apart: each can end without the others. A user is a member
 * as long as one
 * of them says so. Numbers, because they are stored as one set of bits.
 */
export const sources = { session: 1, api: 2, people: 4 } as const;
export type Source = keyof typeof sources;

/** Different emoji on one message, and users of each that a message names. */
export const mostReactions = 12;
export const namedReactors = 10;
/** Of so many unread mentions in a room their number is exact. */
export const mostUnreadMentions = 1000;

/** The lists of a room: messages with pictures, with other files, and with links. */
export const holdings = ['pictures', 'files', 'links'] as const;
export type Holding = (typeof holdings)[number];

/** Which messages a search looks for, beside their text. */
export interface SearchFilter {
  /** The id of their author. */
  from?: string;
  has?: Holding;
  /** Sent at this time or later, and before that one, in milliseconds. */
  sentFrom?: number;
  sentBefore?: number;
}

/** Pinned messages of one room. */
export const mostPins = 50;
/** Users who may follow one thread: each reply is noted for all of them. */
export const mostFollowers = 200;
/** Authors of a thread that are named. */
export const namedAuthors = 3;
/** New replies in a thread are counted up to here, among the newest thousand. */
export const mostNewReplies = 100;

/** Invite links of one user to one room. */
export const mostInvites = 20;
/** And of the room: all are listed at once. Members do not see the links of others. */
export const mostInvitesOfRoom = 200;

/** Of a time in milliseconds since 1970: the number of its day, by UTC. */
export const dayOf = (at: number): number => Math.floor(at / (24 * 60 * 60 * 1000));

/** Users whom one user may block. */
export const mostBlocked = 1000;

/**
 * How far a user has shown up in a room. Others see no more than the id of somebody whom people have merely added. The site
 * has people join: in rooms that are not public, a user whom the session or the API has made a member counts as `joined`.
 */
export const acted = { never: 0, joined: 1, written: 2 } as const;

/** Whether the members of a room may know the name of a user, and whether the user is here. */
export function isNamed(
  user: Partial<Pick<UserRecord, 'actedPublic'>> | null | undefined,
  member: { acted: number } | null | undefined,
): boolean {
  return user?.actedPublic === true || (member?.acted ?? acted.never) > acted.never;
}

/** A room as it is stored. `access` rises when somebody becomes a member, stops being one, or gets another role. */
export interface RoomRecord {
  id: string;
  kind: RoomKind;
  name: string;
  topic?: string;
  head: number;
  lastSeq: number;
  /** The oldest message that is left: those before it are too old. 1 as long as none has gone. */
  firstSeq: number;
  access: number;
  /** How many members it has. */
  members: number;
  /** Milliseconds since 1970. */
  createdAt: number;
  /** Only those that differ from the settings of a new room. */
  settings: RoomSettings;
  /** Which of the pair of a direct room want previews of links: the first, the second, or both; absent for none. */
  previewsOf?: 'low' | 'high' | 'both';
  /** Open reports of messages that are not too old; absent for none. */
  reports?: number;
  /** Pinned messages that are not too old; absent for none. */
  pins?: number;
  /** The head when what was known before said nothing any more: so much had changed at once, or another room had the id. */
  reset?: number;
  /** Both users of a direct room; absent if one of them was erased. */
  pair?: readonly [string, string];
  /** The newest message as it is now, with its whole text. */
  last?: StoredMessage;
}

/** A room as it was when something was decided; `createdAt` tells it from another one of its id. */
export type RoomState = Pick<RoomRecord, 'access' | 'createdAt'>;

/** A copy: the record of a room in memory goes on. */
export function stateOf({ access, createdAt }: RoomState): RoomState {
  return { access, createdAt };
}

/** A thread, by the message that was its first one. That may have expired. */
export interface ThreadPlace {
  room: string;
  thread: number;
}

export interface ThreadAuthor {
  user: User;
  replies: number;
  /** Of the last one. */
  seq: number;
  at: number;
}

/** The replies of a thread that are neither deleted nor too old. */
export interface StoredThread {
  thread: number;
  /** The first message that is left. */
  root: number;
  /** With those of the authors who come apart. */
  replies: number;
  /** The last ones, the last first. */
  authors: ThreadAuthor[];
  /** All of those asked for. */
  apart: ThreadAuthor[];
  /** Of the replies that `unread` asks for, up to `mostNewReplies`. */
  fresh: number;
}

/** The stored data of a user in a room. It stays after the user has left: `sources` is 0 then. */
export interface MemberRecord {
  sources: number;
  role: RoomRole;
  readSeq: number;
  /** Up to here the user had read before the mark was moved back; absent where the mark is as far. */
  seenSeq?: number;
  /** The room's last message when the membership began: earlier ones were not seen by that; absent for none. */
  fromSeq?: number;
  notify?: Notify;
  /** One of `acted`. */
  acted: number;
  /** When the last own message was sent; absent if there is none. Milliseconds since 1970. */
  wroteAt?: number;
  /** Restrictions of the user there, member or not. */
  restricted?: Partial<Record<RestrictionKind, Restriction>>;
  /** The user has ended the membership: people do not begin it again. */
  left?: true;
  /** The room's `access` when somebody else ended the membership: only links that moderators made since begin it again. */
  removed?: number;
  /** While the user is banned: the sources that make a member again when the ban ends. `sources` is 0 until then. */
  held?: number;
}

/** Muted: may not write. Banned: may not know of the room, whatever made the user a member. */
export const restrictionKinds = ['muted', 'banned'] as const;
export type RestrictionKind = (typeof restrictionKinds)[number];

export interface Restriction {
  /** Milliseconds since 1970, by the wall clock; absent for good. */
  until?: number;
  reason?: string;
  /** The moderator's id. */
  by: string;
  /** A ban that has ended a membership, so that its user learns of it. */
  endsMembership?: true;
}

/** Milliseconds of what has no end. The largest whole number that every client holds exactly. */
export const forGood = Number.MAX_SAFE_INTEGER;

/** Milliseconds until it ends; 0 or less if it is over. */
export function leftOf({ until }: Pick<Restriction, 'until'>, at: number): number {
  return until === undefined ? forGood : until - at;
}

/** Whether this user wants previews of links in a direct room. */
export function wantsPreviews(
  { pair, previewsOf }: Pick<RoomRecord, 'pair' | 'previewsOf'>,
  user: string,
): boolean {
  if (previewsOf === undefined || !pair?.includes(user)) return false;
  return previewsOf === 'both' || pair[previewsOf === 'low' ? 0 : 1] === user;
}

/** The other one of the two who have a direct room. */
export function otherOf(pair: RoomRecord['pair'], user: string): string | undefined {
  return pair?.find((one) => one !== user);
}

/**
 * Before the first message of a direct room, neither of the two is shown that the other one has opened it, nor what the
 * other one does there.
 */
export const hasBegun = ({ kind, lastSeq }: Pick<RoomRecord, 'kind' | 'lastSeq'>): boolean =>
  kind !== 'direct' || lastSeq > 0;

/**
 * Whether a link lets this user in who is no member: neither somebody who is banned, nor somebody who was removed, unless an
 * owner or moderator has made it since.
 * @param of.maker the membership of the link's maker, and the role on the whole site
 */
export function opens(
  { access, readmits, until, uses, used }: StoredInvite,
  {
    member,
    maker,
  }: {
    member: MemberRecord | null;
    maker: { member: MemberRecord | null; siteRole?: SiteRole };
  },
  at: number,
): boolean {
  if ((until !== undefined && until <= at) || (uses !== undefined && used >= uses)) return false;
  if (!isMember(maker.member) || isBanned(member)) return false;
  if (readmits && maker.member.role === 'member' && maker.siteRole === undefined) return false;
  return member?.removed === undefined || (readmits === 1 && access >= member.removed);
}

/** Whether somebody is a member now. */
export function isMember(member: MemberRecord | null | undefined): member is MemberRecord {
  return member !== null && member !== undefined && member.sources !== 0;
}

export function isBanned(member: MemberRecord | null | undefined): member is MemberRecord & { held: number } {
  return member !== null && member !== undefined && member.held !== undefined;
}

/** Whether a user may know of the room. */
export function isReadable({ kind }: Pick<RoomRecord, 'kind'>, member: MemberRecord | undefined): boolean {
  return isMember(member) || (kind === 'public' && !isBanned(member));
}

/**
 * The numbers of unread messages in a room that mention a user or everybody: the newest 1,000, in order, by who has written
 * them. Mentions by people whom the user has blocked are included, as far as the others leave places.
 */
export type UnreadMentions = ReadonlyMap<string, readonly number[]>;

export interface Membership {
  room: RoomRecord;
  member: MemberRecord;
  /** When it began, in milliseconds since 1970. */
  since: number;
  mentions: UnreadMentions;
  /** The other side of a direct room. */
  partner?: Partner;
}

/** The other side of a direct room: what is known of that user, and how much others may see of it. */
export interface Partner {
  user: UserRecord;
  /** One of `acted`, in the direct room. */
  acted: number;
  /** Up to here this user has read the direct room. */
  readSeq: number;
  /** Whether both are members of another room in which this user has acted. */
  shares: boolean;
}

/** A user's report of a message, as it is stored. */
export interface StoredReport {
  id: string;
  room: string;
  seq: number;
  by: string;
  /** Of the message. */
  author: string;
  reason: Report['reason'];
  text?: string;
  at: number;
  /** As it was then, until the report is closed: it may have been edited or deleted since. */
  message?: StoredMessage;
  closed?: { by: string; done: ReportEnd; at: number };
}

/** A pinned message. */
export interface StoredPin {
  room: string;
  seq: number;
  by: string;
  at: number;
  /** The newest message of the room at that time. */
  after: number;
  /** Pins are listed by it: a later one has a higher place. */
  place: number;
}

/** A link by which people become members of a room. The token is not stored. */
export interface StoredInvite {
  id: string;
  room: string;
  /** Of the token: see `digestOf` in chat/invites.ts. */
  digest: string;
  by: string;
  /** The room's number when the link was made. */
  access: number;
  /** Made by an owner or moderator: it lets in people who were removed before. */
  readmits?: 1;
  at: number;
  /** Absent if it does not expire. */
  until?: number;
  /** The number of people whom it lets in; absent for any number. */
  uses?: number;
  used: number;
}

/** Messages of one user in one room that may wait for a moderator, with the rejected ones that the author still sees. */
export const mostHeld = 20;
/** Messages of one user in all rooms, those that the user has lost among them: all are read at once. */
export const mostHeldWithLost = 200;

/** A message, or an edit of one, that waits for a moderator, or that one has rejected. It has no place in the room. */
export interface StoredHeld {
  /** The message keeps it. */
  id: string;
  room: string;
  /** The author. */
  user: string;
  /** The message keeps it; an edit has one of its own. */
  clientId: string;
  /** The message that this is an edit of. */
  seq?: number;
  why: HoldReason;
  /** When it was sent, in milliseconds since 1970. */
  at: number;
  /**
   * `files` of an edit: absent for no change. `preview`: of an edit, only that of another page. Without a title it is being
   * fetched, or could not be: the message is then published without it.
   */
  message: Pick<NewMessage, 'text' | 'replyTo' | 'mentions'> & {
    files?: readonly MessageFile[];
    preview?: Preview;
  };
  /** Rejected: when and why. */
  closed?: { at: number; reason?: string };
  /** By it a repeat is recognised. */
  digest: string;
}

/** The treatment of the messages of an erased user. */
export type ErasedMessages = 'anonymise' | 'delete';

/** Of a user on the whole site. Moderators of a room lay a `Restriction` on somebody. */
export interface Ban {
  /** Milliseconds since 1970; absent for good. */
  until?: number;
  reason?: string;
  /** The moderator; absent for the PHP application. */
  by?: string;
}

/** The stored data of a user. */
export interface UserRecord extends User {
  /** Has joined or written in a public room. */
  actedPublic: boolean;
  /** The highest role that the sessions gave when the user was last here. */
  siteRole?: SiteRole;
}

export interface NewMessage {
  room: string;
  clientId: string;
  user: User;
  text: string;
  replyTo?: number;
  files?: readonly ChosenFile[];
  /** In the order of their places. */
  mentions?: readonly NewMention[];
  /** The address of a page that is to be previewed. */
  preview?: string;
  sentAt: number;
}

/**
 * A message of `room` that is to be a copy of another one. `checked`: it is refused if that one says something else meanwhile.
 * `hidden`: the user may not read the room of that one, so it is not looked at: no time shows whether it is there.
 */
export interface NewForward {
  room: string;
  from: { room: string; seq: number };
  hidden?: true;
  checked?: Pick<StoredMessage, 'text' | 'files'>;
  clientId: string;
  user: User;
  sentAt: number;
}

/** A place in the list of a room's members. It says nothing that is not shown there. */
export interface MemberPlace {
  /** `memberKey` of the user there. */
  sort: string;
  id: string;
}

/** How somebody writes: a member, as what the user is there, or the PHP application, which may always. */
export interface Sending {
  asMember: boolean;
  /** The session makes a moderator of the whole site of the sender. */
  siteModerator?: boolean;
  /** The own message of that time was so many milliseconds ago, by a clock that nobody sets. */
  lastOwn?: { sentAt: number; ms: number };
}

/** A file that has been uploaded. The first message that carries it keeps it. */
export interface StoredFile {
  id: string;
  user: string;
  /** `loose`: no message carries it, or none any more. `dropped`: it is about to be deleted, and is nobody's. */
  state: 'loose' | 'carried' | 'dropped';
  /** The message that has carried it first. */
  seq?: number;
  /** Since when it is in this state, in milliseconds since 1970. */
  at: number;
  about: MessageFile;
  /** The file under whose id the bytes are stored: a forwarded copy shares them. */
  stored: string;
}

/** The time of a file whose message waits for a moderator: nothing that drops old files finds it. */
export const waitsSince = Number.MAX_SAFE_INTEGER;

/** Whether the message that is going to carry the file waits for a moderator. */
export const isHeld = ({ state, at }: StoredFile) => state === 'loose' && at === waitsSince;

/** `complete`: nothing that was asked for is left beyond `messages`. */
export interface Page {
  messages: StoredMessage[];
  complete: boolean;
}

/**
 * The changes of a write. All changes are handed out in the order of the commits, before the write that made them
 * resolves; a listener's copy is therefore current when the write resolves. `asker`: see `History.write`.
 */
export type Change = {
  asker?: string;
} & (
  | {
      type: 'message';
      is: 'new' | 'changed';
      message: StoredMessage;
      /** Only these reactions have changed. A server that reads the change from the database later does not get it. */
      reacted?: MessageReacted['changes'];
    }
  /**
   * These users are mentioned by a message, or not any more. A server that reads it later gets the message as it is
   * then.
   */
  | { type: 'mentions'; message: StoredMessage; added: readonly string[]; removed: readonly string[] }
  /**
   * A reply concerns these users, because they follow its thread: it is new, concerns them still when it mentions them
   * no more (`again`), or is deleted.
   */
  | { type: 'concerned'; message: StoredMessage; users: readonly string[]; is: 'new' | 'again' | 'deleted' }
  | ({ type: 'followed'; user: string; following: boolean } & ThreadPlace)
  /** Created, renamed, or with another number of members. */
  | { type: 'room'; is: 'new' | 'changed' | 'deleted'; room: RoomRecord }
  | {
      type: 'member';
      room: RoomRecord;
      user: User & Partial<Pick<UserRecord, 'actedPublic'>>;
      before: MemberRecord | null;
      now: MemberRecord;
      by: Source;
      cause: 'left' | 'removed' | 'banned' | 'other';
    }
  | { type: 'blocked'; user: string; other: string; blocked: boolean }
  /** A report of a message of that room is new, or closed. */
  | { type: 'report'; room: RoomRecord; id: string; closed: boolean }
  /**
   * A message of that author waits for a moderator, or does so no more. `discarded`: by its author, or it is kept no
   * longer. `by`: who has decided.
   */
  | { type: 'held'; room: string; id: string; user: string; is: HeldChange; by?: string }
  /** A message of that room was pinned, or is not pinned any more. */
  | { type: 'pin'; room: RoomRecord; seq: number }
  /** It has begun, changed or (null) ended. If a ban changes a membership, another change follows it. */
  | { type: 'restricted'; room: RoomRecord; user: string; kind: RestrictionKind; now: Restriction | null }
  /**
   * `seenSeq`: as in `MemberRecord`. `again`: the other one of a direct room knows that already. `unread`: the mark was
   * moved back; the mentions behind it, with their authors.
   */
  | {
      type: 'read';
      room: string;
      user: string;
      readSeq: number;
      seenSeq?: number;
      again?: true;
      unread?: readonly (readonly [seq: number, author: string])[];
    }
  | { type: 'user'; user: UserRecord }
  | { type: 'ban'; user: string; ban: Ban | null }
  /** Much of the room has changed, and no other change says what. */
  | { type: 'reset'; room: RoomRecord }
  /** Nobody is known by that id any more. */
  | { type: 'erased'; user: string }
  /** The changes beside it are an act of moderation. */
  | { type: 'act'; act: Omit<Act, 'at'> }
  /** The erasure of a user was asked for. */
  | { type: 'erasing' }
  /** A notification of a server to all servers. */
  | { type: 'broadcast'; from: string; what: object }
);

export type HeldChange = 'held' | 'approved' | 'rejected' | 'discarded';

/** An act of moderation: by whom, of whom, where, when and why. It holds no name and no text of a message. */
export interface Act {
  kind: ShownAct['kind'];
  /** Milliseconds since 1970. */
  at: number;
  /** The moderator; absent for the PHP application. */
  by?: string;
  user?: string;
  room?: string;
  /** It concerns a public room, or none. Not read. */
  open?: true;
  seq?: number;
  reason?: string;
  /** The new state: when a mute or ban ends, the role, the decision of a report, the changed settings of a room. */
  to?: {
    until?: number;
    role?: RoomRole;
    done?: ReportEnd;
    changed?: ('name' | 'topic' | keyof RoomSettings)[];
  } & RoomSettings;
}

/** The types of events that the site is notified of, the most important first. */
export const eventTypes = [
  'message.reported',
  'message.held',
  'notify.due',
  'room.created',
  'room.changed',
  'room.member_added',
  'room.member_removed',
  'message.created',
  'message.changed',
] as const;
export type EventType = (typeof eventTypes)[number];

/** An event that waits to be sent to the site: ids alone, no text and no name. */
export interface StoredEvent {
  /** The same for all tries. */
  id: string;
  type: EventType;
  /** When it happened, in milliseconds since 1970. */
  at: number;
  /** When it is to be sent, in milliseconds since 1970; absent when no more tries are left. */
  due?: number;
  /** Tries so far, that under way included. */
  tries: number;
  roomId?: string;
  /** When that room was made, as far as the change says it: a later room may have the same id. */
  roomCreatedAt?: number;
  seq?: number;
  /** The id of the message: a later room may have the same id, and a message of the same `seq`. */
  messageId?: string;
  user?: string;
  report?: string;
  held?: string;
}

/** Devices of one user. */
export const mostDevices = 10;

/** A device of a user that is notified while no page is open. It holds no address in plain text. */
export interface StoredDevice {
  /** The digest of its address at its push service: a device has one user. */
  id: string;
  user: string;
  kind: 'browser' | 'app';
  /** As the device calls itself; absent if it does not. */
  name?: string;
  /** Its address and its login, sealed by a key outside the history. */
  sealed: string;
  /** When it was registered last, in milliseconds since 1970. */
  at: number;
  /** When its login ends by itself, as far as that is known. */
  until?: number;
  /** Since when its login is expired, or a server had no key for the device. */
  since?: number;
}

/** A device of a user; with `sealed`, as it was registered then. */
export type DeviceOf = Pick<StoredDevice, 'id' | 'user'> & Partial<Pick<StoredDevice, 'sealed'>>;

/** A key by which push services know this chat. */
export interface StoredVapidKey {
  /** The public key in base64url. */
  id: string;
  /** The private key, sealed by a key outside the history. */
  sealed: string;
  at: number;
}

/** How a user wants to be notified while away, as far as the user has chosen. */
export interface StoredNotices {
  /** `off`, `daily`, or minutes. */
  mail?: string;
  /** When a link in a mail has switched mails off, in milliseconds since 1970. */
  stopped?: number;
  /** 0 for off. */
  push?: number;
  /** Such as `22:00-07:00`, or `off`. */
  quiet?: string;
  /** The part of a message that is shown: `text`, `name` or `nothing`. */
  shows?: string;
  /** An IANA name. */
  zone?: string;
  /** A language tag. */
  lang?: string;
}

/** Where mails to a user go. */
export interface StoredMailAddress {
  user: string;
  /** As the user's session has said it last; absent if it has not. */
  address?: string;
  /** The digest of the address that takes no mail. */
  refused?: string;
}

/** Milliseconds for which the link in a mail stops mails; laws ask for 30 days. */
export const mailStopsFor = 60 * 24 * 60 * 60 * 1000;

/** A link in a mail that switches mails to a user off. */
export interface StoredMailStop {
  /** The digest of its token. */
  id: string;
  user: string;
  /** When the mail was sent, in milliseconds since 1970. */
  at: number;
}

/** Messages that concern users who may not have read them. Ids alone. */
export interface Concerned {
  users: readonly string[];
  /** The members of these rooms who want to hear of each message, or (`everyone`) all members but those who want none. */
  rooms: readonly { room: string; everyone: boolean }[];
  /** When to look whether users have read it, in milliseconds since 1970. */
  due: number;
  /** Likewise of the members of rooms. */
  roomsDue: number;
  /** The users among them who have devices. */
  pushes: readonly PushPlace[];
  pushDue: number;
}

/** A push to the devices of a user, of what is unread in a room. */
export interface PushPlace {
  user: string;
  room: string;
}

/** The message of a room that was pushed to a user last. */
export interface Pushed {
  /** Its id, and how many unread messages of the room mentioned the user. */
  message: string;
  mentions: number;
  /** The ids of the devices that have got it; absent if nobody else is to get it. */
  got?: readonly string[];
}

/** A push that is due. */
export interface DuePush extends PushPlace {
  /** A server has ended while it sent the message of `pushed`. */
  sending: boolean;
  /** The message that was pushed last, unless that was a while ago. */
  pushed?: Pushed;
}

/** The end of a look at a push. */
export interface SettledPush extends PushPlace {
  /** The message that was pushed last: it is remembered for a while. Absent if that is not needed. */
  pushed?: Pushed | undefined;
  /** When to look again; absent if nothing is left to be sent. */
  due?: number;
  /** Devices wait until `due`; a newer message is due as usual. */
  yields?: boolean;
}

/** Milliseconds between two times that the members of a large room are looked through. */
export const lookThroughPause = 60_000;

/** The rows of consumers: each is stored with the position of its consumer. */
export interface ConsumedRows {
  acts?: readonly Act[];
  events?: readonly StoredEvent[];
  concerned?: Concerned;
}

/** The types of changes, each with the bit that stands for it in the log of changes. A bit keeps its meaning for ever. */
export const changeBits = {
  message: 1 << 0,
  mentions: 1 << 1,
  room: 1 << 2,
  member: 1 << 3,
  blocked: 1 << 4,
  report: 1 << 5,
  restricted: 1 << 6,
  read: 1 << 7,
  user: 1 << 8,
  ban: 1 << 9,
  reset: 1 << 10,
  erased: 1 << 11,
  broadcast: 1 << 12,
  act: 1 << 13,
  erasing: 1 << 14,
  pin: 1 << 15,
  concerned: 1 << 16,
  followed: 1 << 17,
  held: 1 << 18,
} as const satisfies Record<Change['type'], number>;

/** A message without its text, which may be deleted while the log still has the change. */
export interface MessagePlace {
  room: string;
  seq: number;
  rev: number;
  /** That of the message: another one has the place in a room that is made again under the id of a deleted one. */
  id: string;
}

/** A change as the log has it. */
export type LoggedChange =
  | Exclude<Change, { type: 'message' | 'mentions' | 'concerned' }>
  | (Omit<Change & { type: 'mentions' }, 'message'> & { message: MessagePlace })
  | (Omit<Change & { type: 'concerned' }, 'message'> & { message: MessagePlace })
  | { type: 'message'; is: 'new' | 'changed'; message: MessagePlace };

/** The changes of a transaction, as far as the log has them. `num` rises in the order of the commits. */
export interface LoggedEntry {
  num: number;
  /** Milliseconds since 1970, by the clock of the database. */
  at: number;
  changes: LoggedChange[];
}

type Code =
  | 'conflict'
  | 'unknown_room'
  | 'unknown_message'
  | 'unknown_user'
  | 'unknown_file'
  | 'forbidden'
  | 'limit_reached';

type Nothing = Record<string, never>;

export interface MessageWrites {
  /**
   * Stores a message; marks the room as read up to it for the sender. A `clientId` that this user has used in this
   * room before stores nothing and gives the stored message as it is now.
   * Mentions of users who may not read the room are left out, and of everybody
   * unless a moderator sends it. Of users who are banned from a public room they stay, unless a moderator sends it.
   * Codes: `unknown_room` (also for users who are not members), `conflict` (same clientId, other text, replyTo, files
   * or mentions),
   * `forbidden` (moderators alone write there, or the other one of a direct room has blocked the sender), `muted`,
   * `unknown_message` (replyTo names none), `unknown_file` (no loose one of this user and room),
   * `rate_limited` (slow mode).
   */
  send: { in: NewMessage & Sending; out: { message: StoredMessage; repeated: boolean } };
  /**
   * Sends a copy of the text and the files of another message, as `send` does. Codes: those of `send`, and
   * `unknown_message` (deleted, or the sender may not read it).
   */
  forward: { in: NewForward & Sending; out: MessageWrites['send']['out'] };
  /**
   * `files`: those that it carries from now on; absent for no change. Without `mentions`, another text mentions nobody, and
   * the same text those whom it did. Codes: `muted`, `unknown_message` (none, or deleted),
   * `forbidden` (another's), `conflict` (changed after `rev`; the error carries the message as it is now), `unknown_file`
   * (neither one of this message nor one that it may carry), `bad_request` (nothing would be left).
   */
  edit: {
    in: {
      room: string;
      seq: number;
      user: string;
      text: string;
      files?: readonly ChosenFile[];
      mentions?: readonly NewMention[];
      preview?: string;
      siteModerator?: boolean;
      rev?: number;
      at: number;
    };
    out: { message: StoredMessage };
  };
  /**
   * Its files are dropped, and an edit of it that waits is discarded. `anywhere`: also for one who is no member, and has the
   * right. Codes: `unknown_room` (no member), `unknown_message`, `forbidden` (another's, without `moderator`, or of somebody
   * who is no moderator there any more).
   * @param in.id if it is given, a message with another id is unknown: that of another room, made again under the same id
   * @param in.siteModerator see `Sending`
   */
  delete: {
    in: {
      room: string;
      seq: number;
      id?: string;
      user: string;
      moderator: boolean;
      siteModerator?: boolean;
      anywhere?: true;
      reason?: string;
      at: number;
    };
    out: { message: StoredMessage; changed: boolean };
  };
  /**
   * Reactions of several users to one message, as one change of it. If a user changes a reaction twice, the last
   * change counts.
   * Each is answered for: whether it changed anything, or why it could not (`unknown_room`: no member; `forbidden`:
   * the other
   * one of a direct room has blocked the user; `limit_reached`). Codes: `unknown_room`, `forbidden`,
   * `unknown_message` (none, or deleted).
   */
  react: {
    in: { room: string; seq: number; reactions: readonly { user: string; emoji: string; on: boolean }[] };
    out: { message: StoredMessage; results: ('changed' | 'same' | Code)[] };
  };
}

export interface HeldWrites {
  /**
   * As `send`, but the message waits for a moderator, unless its author may write there as a moderator, or the room is a
   * direct one. `why` null: it does not have to, but may be a repeat of one that waits. More codes: `limit_reached`
   * (`mostHeld`).
   */
  hold: {
    in: MessageWrites['send']['in'] & { why: HoldReason | null };
    out: MessageWrites['send']['out'] | { held: StoredHeld; repeated: boolean };
  };
  /** As `edit`, but the edit waits likewise; the message stays as it is, and an edit of it that waited is discarded. */
  holdEdit: {
    in: MessageWrites['edit']['in'] & { why: HoldReason };
    out: MessageWrites['edit']['out'] | { held: StoredHeld };
  };
  /**
   * The message gets its place in the room, or the edit is made, as if it was sent now. Codes: `unknown_room`,
   * `unknown_message` (it does not wait, or `by` does not decide there any more), `forbidden` (one's own, or the author may
   * not write there any more), and those of `send` and `edit`.
   * @param in.user the author
   * @param in.preview false: without its preview
   * @param in.siteModerator see `Sending`
   */
  approveHeld: {
    in: {
      room: string;
      id: string;
      user: string;
      by: string;
      preview?: boolean;
      siteModerator?: boolean;
      at: number;
    };
    out: { message: StoredMessage };
  };
  /**
   * Its author sees it until it is discarded. Codes: `unknown_room`, `unknown_message` (it does not wait, or `by` does not
   * decide there any more), `forbidden` (one's own).
   */
  rejectHeld: {
    in: { room: string; id: string; by: string; siteModerator?: boolean; reason?: string; at: number };
    out: Nothing;
  };
  /** If it is this user's. */
  discardHeld: { in: { room: string; id: string; user: string; at: number }; out: Nothing };
  /** Discards messages that have waited for too long: see `heldBefore`. */
  forgetHeld: { in: { of: readonly { room: string; id: string }[]; at: number }; out: Nothing };
  /** The same for a message that waits for a moderator. */
  heldPreview: {
    in: { room: string; id: string } & Pick<PreviewWrites['preview']['in'], 'url' | 'page' | 'at'>;
    out: { changed: boolean };
  };
}

export interface ImportWrites {
  /**
   * A room that another chat has exported. As all imports it is neither announced nor logged: no server runs meanwhile.
   * Codes: `conflict` (a public room has that name).
   */
  importRoom: {
    in: {
      id: string;
      kind: 'public' | 'private';
      name: string;
      topic?: string;
      at: number;
    };
    /** An existing room keeps its kind. */
    out: { kind: RoomRecord['kind'] };
  };
  /** A message of such a room. A `clientId` that this user has used there stores nothing. Codes: as in `send`. */
  importMessage: { in: NewMessage; out: { seq: number; repeated: boolean } };
  /** Members of such a room, who have read everything. Codes: `unknown_room`. */
  importMembers: {
    in: { room: string; users: readonly (User & { role: RoomRole })[]; at: number };
    out: Nothing;
  };
}

export interface PinWrites {
  /**
   * Pins a message, or unpins it. Doing it again changes nothing. Codes: `unknown_room` (also for users who are not
   * members), `forbidden` (the other one of a direct room has blocked the user), `unknown_message` (none, or a deleted one
   * is to be pinned), `limit_reached` (`mostPins`).
   */
  pin: {
    in: { room: string; seq: number; user: string; pinned: boolean; decidedFor?: RoomState; at: number };
    out: { changed: boolean; stale: boolean };
  };
}

export interface PreviewWrites {
  /**
   * The page of a message's link, or that there is nothing to show of it. `changed` is false if the message no longer waits
   * for this page, whose picture is dropped then. Codes: `unknown_room`.
   */
  preview: {
    in: {
      room: string;
      seq: number;
      url: string;
      page?: Pick<Preview, 'title' | 'description' | 'image'>;
      at: number;
    };
    out: { changed: boolean };
  };
  /** A message shows no page of its link. Codes as for `delete`. */
  removePreview: {
    in: {
      room: string;
      seq: number;
      user: string;
      moderator: boolean;
      siteModerator?: boolean;
      at: number;
    };
    out: { message: StoredMessage };
  };
  /** Whether a user wants previews of links in a direct room. Codes: `unknown_room`, `forbidden`. */
  setPreviews: { in: { room: string; user: string; previews: 'on' | 'off' }; out: Nothing };
}

export interface FileWrites {
  /** A file that is being uploaded into a room. Codes: `unknown_room`. */
  addFile: { in: { room: string; user: string; file: MessageFile; at: number }; out: Nothing };
  /**
   * Drops files that no message has carried since before `before`, so many at a time. `ids`: those whose bytes are to be
   * deleted, these and others, those of deleted rooms among them.
   */
  dropFiles: { in: { before: number; most: number }; out: { ids: string[]; stored: string[] } };
  /** Forgets files whose bytes are deleted. */
  forgetFiles: { in: { ids: readonly string[] }; out: Nothing };
}

export interface ThreadWrites {
  /**
   * From now on a user follows a thread, or does not want to. Codes: `unknown_room` (no member), `unknown_message` (no
   * such thread), `limit_reached` (`mostFollowers`).
   */
  follow: { in: ThreadPlace & { user: string; following: boolean }; out: Nothing };
}

export interface RoomWrites {
  /** Makes the rooms of the settings that do not exist yet. */
  publicRooms: { in: { rooms: readonly { id: string; name: string }[]; at: number }; out: Nothing };
  /**
   * A room made by a user, who owns it. Codes: `conflict` (a public room has that name, without regard to case),
   * `limit_reached` (`most` rooms of this user exist).
   */
  createRoom: {
    in: {
      id: string;
      kind: 'public' | 'private';
      name: string;
      topic?: string;
      by: User;
      clientId: string;
      most: number;
      at: number;
    };
    out: { room: RoomRecord; repeated: boolean };
  };
  /** Makes or changes a room for the PHP application. Codes: `conflict` (another kind, or the name of a public room). */
  putRoom: {
    in: { id: string; kind: 'public' | 'private'; name: string; topic?: string; at: number };
    out: { room: RoomRecord; created: boolean };
  };
  /** An empty topic removes it. Codes: `unknown_room`, `conflict` (a public room has that name). */
  updateRoom: {
    in: {
      room: string;
      name?: string;
      topic?: string;
      actor?: string;
      decidedFor?: RoomState;
    } & RoomSettings;
    out: { room: RoomRecord; stale: boolean };
  };
  /** Deletes the room with all that is in it. Codes: `unknown_room`. */
  deleteRoom: { in: { room: string; actor?: string; decidedFor?: RoomState }; out: { stale: boolean } };
  /**
   * All messages before `firstSeq` are too old: nobody gets them any more, and they are deleted step by step. Never falls.
   * Codes: `unknown_room`.
   */
  expire: { in: { room: string; firstSeq: number }; out: Nothing };
  /** Deletes private rooms that have had no members since before `before`, so many at a time. */
  deleteEmptyRooms: { in: { before: number; most: number }; out: { deleted: number } };
  /**
   * The direct room of these two; the first becomes a member. Codes: `forbidden` (the other one has blocked the
   * first, or is nobody).
   * @param in.otherName of the other one on the site; it does not replace a name that the chat has
   * @returns `repeated`: the first was a member
   */
  openDirect: {
    in: { id: string; by: User; other: string; otherName?: string; at: number };
    out: { room: RoomRecord; repeated: boolean };
  };
}

export interface MemberWrites {
  /**
   * Makes users members. Rejects users who have blocked `by` and, if the source is `people`, those who left or are banned.
   * `mayReturn`: accepts users who were members before. `most`: the most members of the room; 0 for no limit.
   * @returns for each user null, or why the user was rejected: `forbidden`, `limit_reached`. Codes: `unknown_room` (also if `by`
   * is not a member).
   */
  addMembers: {
    in: {
      room: string;
      users: readonly { id: string; name?: string }[];
      source: Source;
      by?: string;
      mayReturn: boolean;
      most?: number;
      decidedFor?: RoomState;
      at: number;
    };
    out: { results: (Code | null)[]; stale: boolean };
  };
  /** Joining by oneself: as `addMembers` from people, and an own act. Codes: `unknown_room`. */
  join: { in: { room: string; user: User; at: number }; out: Nothing };
  /**
   * Ends memberships: those that come from `sources` (bits). The owner's room goes to the longest-standing moderator,
   * else member. Codes: `unknown_room`.
   */
  removeMembers: {
    in: {
      room: string;
      users: readonly string[];
      sources: number;
      by: Source;
      cause: 'left' | 'removed';
      actor?: string;
      decidedFor?: RoomState;
      at: number;
    };
    out: { stale: boolean };
  };
  /** Codes: `unknown_room`, `unknown_user` (not a member). */
  setRole: {
    in: { room: string; user: string; role: RoomRole; actor?: string; decidedFor?: RoomState };
    out: { stale: boolean };
  };
  /** Codes: `unknown_room` (not a member). */
  setNotify: { in: { room: string; user: string; notify: Notify }; out: Nothing };
}

export interface InviteWrites {
  /**
   * Makes an invite link. Codes: `unknown_room`, `forbidden` (no member), `limit_reached` (the maker has `mostInvites` there, or
   * the room `mostInvitesOfRoom`).
   */
  createInvite: {
    in: { invite: Omit<StoredInvite, 'access' | 'used'>; decidedFor?: RoomState };
    out: { stale: boolean };
  };
  /** @param in.by the maker; absent for a link of whomever */
  revokeInvite: {
    in: { room: string; id: string; by?: string; decidedFor?: RoomState };
    out: { stale: boolean };
  };
  /**
   * Makes the user a member by this link, and counts that; a member stays one. Codes: `unknown_invite` (it lets this user
   * in no more, see `opens`), `limit_reached` (`most` members).
   * @param in.by the maker, as it was read
   */
  acceptInvite: {
    in: { room: string; id: string; by: string; user: User; most: number; at: number };
    out: Nothing;
  };
  /** Forgets links that expired before that time. */
  forgetInvites: { in: { before: number }; out: Nothing };
}

export interface RestrictionWrites {
  /** Lays it on a user of a room, or (null) lifts it. Codes: `unknown_room`. */
  restrict: {
    in: {
      room: string;
      user: string;
      kind: RestrictionKind;
      restriction: Restriction | null;
      actor?: string;
      decidedFor?: RoomState;
      at: number;
    };
    out: { stale: boolean };
  };
  /** Lifts what has ended by that time, so many at a time. */
  endRestrictions: { in: { before: number; most: number }; out: { ended: number } };
}

export interface ReportWrites {
  /**
   * A report of a message, one a user and message. Codes: `unknown_room` (who may not read it), `unknown_message` (none, or
   * deleted), `forbidden` (one's own).
   */
  report: {
    in: Omit<StoredReport, 'id' | 'author' | 'message' | 'closed'>;
    out: { repeated: boolean };
  };
  /**
   * Closes a report, and in the same moment deletes the message (`deleted`), or lays `restriction` on its author. The message
   * as it was is forgotten. Closing again changes nothing: `decided` is false then. Codes: `unknown_room`,
   * `unknown_message`.
   * @param in.others reports of the same message that are closed, too
   * @param in.again another decision was noted as an act before; this one goes with it
   */
  closeReport: {
    in: {
      room: string;
      seq: number;
      id: string;
      others?: readonly string[];
      author?: string;
      restriction?: Restriction;
      reason?: string;
      again?: true;
      decidedFor?: RoomState;
    } & NonNullable<StoredReport['closed']>;
    out: { decided: boolean; stale: boolean };
  };
}

export interface DayWrites {
  /** Forgets how many messages were sent on the days before that time. */
  forgetDays: { in: { before: number }; out: Nothing };
}

export interface ActWrites {
  /** Forgets the acts of moderation before that time. */
  forgetActs: { in: { before: number }; out: Nothing };
  /** A moderator has exported the data of a user: an act, and nothing else. */
  noteExport: { in: { user: string; actor: string }; out: Nothing };
}

export interface ReadingWrites {
  /** Changes nothing where the mark is as far. Codes: `unknown_room` (not a member). */
  markRead: { in: { room: string; user: string; seq: number }; out: { readSeq: number } };
  /** Moves the mark back. Codes: `unknown_room` (not a member). */
  markUnread: { in: { room: string; user: string; seq: number }; out: { readSeq: number } };
}

export interface ArrivalWrites {
  /**
   * A user is here: keeps name and role, and makes the session's rooms exactly `rooms` (absent: as they are), which are
   * made at first sight.
   */
  arrive: {
    in: { user: User; siteRole?: SiteRole; rooms?: readonly { id: string; name: string }[]; at: number };
    out: Nothing;
  };
  /** Adds users of the site. Whoever may find all users finds them before they first open the chat. */
  putSiteUsers: { in: { users: readonly User[]; at: number }; out: Nothing };
}

export interface BanWrites {
  /** Ending a ban that is none changes nothing. */
  setBan: { in: { user: string; ban: Ban | null; actor?: string }; out: Nothing };
}

export interface BlockWrites {
  /**
   * From now on this user wants to hear nothing of another one, or does again. Codes: `limit_reached` (`mostBlocked`).
   */
  block: { in: { user: string; other: string; blocked: boolean; at: number }; out: Nothing };
}

export interface LastHereWrites {
  /** A user was here at that time. If the user is hidden, being erased, or not known, nothing is stored. */
  noteHere: { in: { user: string; at: number }; out: Nothing };
  /**
   * From now on others learn when this user was last here, or do not; then nothing is stored of it. If the user is being
   * erased, or not known, nothing is stored.
   */
  hideHere: { in: { user: string; hidden: boolean }; out: Nothing };
  /** Forgets who was last here before that time. */
  forgetHere: { in: { before: number }; out: Nothing };
}

export interface ErasureWrites {
  /**
   * From now on this user is being erased: see `eraseStep`. Asked for again, it begins again; what is to be deleted
   * stays so.
   * Codes: `bad_request` (the id of nobody).
   * @param in.messages whether the messages stay, as nobody's, or are deleted
   * @param in.reason for the list of acts alone, which keeps it as long as the act
   */
  erase: {
    in: { user: string; messages: ErasedMessages; actor?: string; reason?: string; at: number };
    out: Nothing;
  };
  /**
   * The next step of an erasure, for the server that holds the lease of the consumer `erasureConsumer`; null for others,
   * and if no erasure is left. `kick`: nothing was done. The user's connections have to be closed first.
   * @param in.kicked the user whose connections were closed since the last step
   */
  eraseStep: { in: { by: string; kicked?: string; at: number }; out: { user: string; kick: boolean } | null };
}

export interface LogWrites {
  /**
   * Takes or renews the lease of a consumer of the log of changes, which begins with what is written from then on, and
   * gives its next entries: those with a change of its types. `heldFor`: this server has no lease; another
   * one has it for at most so many milliseconds. Only the holder's `done` counts: if another server has taken the lease since,
   * nothing is stored. `rows` are stored along with `done`.
   */
  consume: {
    in: Consume & { rows?: ConsumedRows };
    out: { heldFor: number } | { entries: LoggedEntry[]; upTo: number; skipped: number };
  };
  /** Forgets the consumers but these, if no server has had their lease for a day: they were switched off. */
  keepConsumers: { in: { names: readonly string[] }; out: Nothing };
  /** With several servers: reaches all of them as a change, this one too. Nothing else is written. */
  broadcast: { in: { from: string; what: object }; out: Nothing };
}

export interface WebhookWrites {
  /**
   * Settles events that were sent or are to be tried again (`due`; without it, never), and gives the next ones that are
   * due: they are due again at `until`, in case this server ends. `next`: when the first of all others is due.
   */
  claimEvents: {
    in: {
      sent: readonly string[];
      failed: readonly { id: string; due?: number }[];
      at: number;
      until: number;
      most: number;
    };
    out: { events: StoredEvent[]; next?: number };
  };
  /** Deletes events beyond that number: of the least important type first, and of that the oldest. */
  dropEvents: { in: { most: number }; out: { dropped: number } };
  /** All events without tries left are due now. */
  retryEvents: { in: { at: number }; out: { events: number } };
}

export interface DeviceWrites {
  /**
   * A device is this user's from now on, whosever it was before. Beyond `mostDevices` the one goes that was registered
   * the longest ago. Of a user who is being erased, or was, nothing is stored.
   */
  registerDevice: { in: StoredDevice; out: Nothing };
  /** If the device is that user's; with `sealed`, if it was not registered again since. */
  removeDevice: { in: DeviceOf; out: Nothing };
  /** The known state of the login of a device; nothing if it would not be removed. */
  noteDevice: { in: DeviceOf & Pick<StoredDevice, 'until' | 'since'>; out: Nothing };
  /** Forgets devices whose login is expired since before that time. */
  forgetDevices: { in: { before: number }; out: Nothing };
  addVapidKey: { in: StoredVapidKey; out: Nothing };
}

export interface NoticeWrites {
  /**
   * Changes how a user wants to be notified; null: as if never chosen. If that changes when, whatever waits is due now. If the
   * user is being erased or not known, nothing is stored.
   */
  setNotices: {
    in: { user: string; set: { [Name in keyof StoredNotices]: StoredNotices[Name] | null } };
    out: Nothing;
  };
  /** A user has done something at that time. A user who is being erased, or not known, is not noted. */
  noteActive: { in: { user: string; at: number }; out: Nothing };
  /** A user who is no member of a public room has read it up to that message. A user as above is not noted. */
  noteOpened: { in: { room: string; user: string; seq: number }; out: Nothing };
  /** Forgets acts before that time. */
  forgetActive: { in: { before: number }; out: Nothing };
}

export interface DueWrites {
  /**
   * Gives users who are due: they are due again at `until`, in case this server ends. `sending`: a server has ended while it
   * sent to this user. `next`: when the first of all others is due.
   */
  claimDueUsers: {
    in: { at: number; until: number; most: number };
    out: { users: { user: string; sending: boolean }[]; next?: number };
  };
  /** Gives rooms whose members are to be looked through, likewise. */
  claimDueRooms: {
    in: { at: number; until: number; most: number };
    out: { rooms: { room: string; everyone: boolean }[]; next?: number };
  };
  /**
   * Users are looked at: again at that time (`due`), or when something more concerns them: now, if there was more meanwhile.
   * @param in.until that of `claimDueUsers`: a user whom another server has taken over is left to it
   */
  settleDue: {
    in: { users: readonly { user: string; due?: number }[]; until: number; at: number };
    out: Nothing;
  };
  /** These members of a room are to be looked at (`due`). `next`: no others are left, and when to begin again if there is more. */
  noteDue: {
    in: {
      room: string;
      users: readonly string[];
      due: number;
      /** The users among them who have devices. */
      pushes: readonly string[];
      pushDue: number;
      next?: number;
    };
    out: Nothing;
  };
  /**
   * The user is being notified of what is unread in these rooms. `sending`: it is noted that the outcome is not known yet;
   * otherwise the user has been looked at. `event` is stored along with that. `lost`: another server has taken over, since
   * this one has taken longer than until then; nothing is stored.
   */
  noteNotified: {
    in: {
      user: string;
      rooms: readonly string[];
      until: number;
      at: number;
      sending: boolean;
      event?: StoredEvent;
    };
    out: { lost: boolean };
  };
  /**
   * Gives pushes that are due: they are due again at `until`, in case this server ends. `next` as that of `claimDueUsers`.
   * Messages that were pushed before the time `before` are forgotten.
   */
  claimPushes: {
    in: { at: number; until: number; most: number; before: number };
    out: { pushes: DuePush[]; next?: number };
  };
  /** Pushes are looked at. If there was more meanwhile, they are due now. */
  settlePushes: {
    in: { pushes: readonly SettledPush[]; until: number; at: number };
    out: Nothing;
  };
  /**
   * `pushed` is being sent: the outcome is not known yet, and no server sends it to the devices in `got` again.
   * `lost`: another server has taken over.
   */
  notePushing: { in: PushPlace & { until: number; pushed: Pushed }; out: { lost: boolean } };
  /** The user was not notified of these rooms after all; `at` and `lastNotified`: the earlier times, if there were any. */
  forgetNotified: {
    in: { user: string; rooms: readonly { room: string; at?: number }[]; lastNotified?: number };
    out: Nothing;
  };
}

export interface MailWrites {
  /** Changes what is given; null forgets the address. A user who is being erased, or not known, is not noted. */
  noteMailAddress: { in: Omit<StoredMailAddress, 'address'> & { address?: string | null }; out: Nothing };
  addMailStop: { in: StoredMailStop; out: Nothing };
  /** Forgets links of mails from before that time. */
  forgetMailStops: { in: { before: number }; out: Nothing };
}

/**
 * The writes: the input and the output of each operation. Each is one transaction, shared with others
 * (group commit). An operation that is impossible rejects with a RequestError, and changes nothing. Its codes are
 * listed; `storage_full` and `storage_unavailable` are always possible.
 *
 * `actor`: the moderator who does it; absent for the PHP application.
 * `decidedFor`: the state of the room when it was decided that the user may do this. If its number has changed
 * since, or another room has its id, the result is `stale`, and the caller has to decide again.
 */
export interface Writes
  extends ActWrites,
    ArrivalWrites,
    BanWrites,
    BlockWrites,
    DayWrites,
    DeviceWrites,
    DueWrites,
    ErasureWrites,
    FileWrites,
    HeldWrites,
    ImportWrites,
    InviteWrites,
    LastHereWrites,
    LogWrites,
    MailWrites,
    MemberWrites,
    MessageWrites,
    NoticeWrites,
    PinWrites,
    PreviewWrites,
    ReadingWrites,
    ReportWrites,
    RestrictionWrites,
    RoomWrites,
    ThreadWrites,
    WebhookWrites {}

/** A place in a list of `arrivals`: the time, or what was found, and the user. */
export interface ArrivalPlace {
  key: number | string;
  user: string;
}

/** The rooms that a user may know of: all public ones but `except`, and those of `rooms`. */
export interface KnownRooms {
  rooms: readonly string[];
  except: readonly string[];
}

export interface RoomReads {
  /** For the start: all rooms that everybody may read. */
  publicRooms: { in: null; out: RoomRecord[] };
  /** `bare`: without its last message, so that it takes no longer for one that has messages. */
  room: { in: { room: string; bare?: true }; out: RoomRecord | null };
}

export interface BanReads {
  bans: { in: null; out: { user: string; ban: Ban }[] };
}

export interface ReportReads {
  report: { in: { id: string }; out: StoredReport | null };
  /**
   * Open ones of messages that are not too old, the newest first; `rooms` null: of all but `except`. `next`:
   * a cursor for `from`, from which clients can read nothing. Codes: `bad_request` (no `from` of this history).
   */
  reports: {
    in: { rooms: readonly string[] | null; except?: readonly string[]; from?: string; limit: number };
    out: { reports: StoredReport[]; next?: string };
  };
  /** Open ones of a message, the newest first. */
  reportsOf: { in: { room: string; seq: number; limit: number }; out: StoredReport[] };
  /** All reports by a user, closed or not, of messages that are not too old; pages as those of `reports`. */
  reportsBy: {
    in: { user: string; from?: string; limit: number };
    out: ReportReads['reports']['out'];
  };
  /** How many reports of messages by these users are open in these rooms. Users without any are left out. */
  openReportsAbout: {
    in: KnownRooms & { users: readonly string[] };
    out: { user: string; reports: number }[];
  };
  /** Reports of messages by a user in these rooms, closed or not, the newest first. */
  reportsAbout: { in: KnownRooms & { user: string; limit: number }; out: StoredReport[] };
}

export interface HeldReads {
  held: { in: { id: string }; out: StoredHeld | null };
  /** The messages of a user that wait or were rejected, in all rooms, the oldest first. */
  heldBy: { in: { user: string }; out: StoredHeld[] };
  /** The messages that wait in these rooms and (`everyPublic`) in all public ones but `except`, newest first; pages as those of `reports`. */
  heldIn: {
    in: {
      rooms: readonly string[];
      everyPublic: boolean;
      except?: readonly string[];
      from?: string;
      limit: number;
    };
    out: { held: StoredHeld[]; next?: string };
  };
  /** The oldest ones that were sent before that time. */
  heldBefore: { in: { before: number; limit: number }; out: { room: string; id: string }[] };
  /**
   * Whether a message of the user is in that room, or in one that the site has made: a public one from which the user is not
   * banned, or one of the user's.
   */
  hasWritten: { in: { user: string; room: string }; out: boolean };
}

export interface UserReads {
  /** Which of these users the site has put here: see `putSiteUsers`. */
  siteUsers: { in: { ids: readonly string[] }; out: string[] };
  /** The users of these ids, as far as they are known. */
  users: { in: { ids: readonly string[] }; out: UserRecord[] };
  /** A user; null for one who is not known, or is being erased. */
  unerased: { in: { user: string }; out: UserRecord | null };
}

export interface ArrivalReads {
  /** When a user came here for the first time, 0 for long ago; null for one who has never been here. */
  arrival: { in: { user: string }; out: { user: UserRecord; at: number } | null };
  /**
   * The users who have been here: the last one who came first, or, with `query`, by the name or id that begins so, or the word
   * of the name. `next`: where to go on, as `after`.
   */
  arrivals: {
    in: { query?: string; after?: ArrivalPlace; limit: number };
    out: { users: UserRecord[]; next?: ArrivalPlace };
  };
  /** How many users have been here, up to `most`. */
  arrived: { in: { most: number }; out: number };
}

export interface AboutPersonReads {
  /** The acts of a user in these rooms: both numbers end at `most`, and the rooms at `mostRooms`. */
  activity: {
    in: KnownRooms & { user: string; most: number; mostRooms: number };
    out: {
      messages: number;
      /** The room where all of these messages are, if it is one. */
      onlyIn?: string;
      reports: number;
      /** Messages of the user that moderators have deleted, by the acts that are kept. */
      removed: number;
      rooms: { room: string; name: string; kind: Exclude<RoomKind, 'direct'>; role: RoomRole }[];
    };
  };
  /** The files that the messages of a user carry in these rooms, and the reactions of the user there, up to `most` of each. */
  filesAndReactions: {
    in: KnownRooms & { user: string; most: number };
    out: { files: number; reactions: number };
  };
  /** The messages of a user since that time in these rooms, the newest `most` of them. */
  recentOf: {
    in: KnownRooms & { user: string; since: number; most: number };
    out: { room: string; seq: number; id: string }[];
  };
}

export interface ActReads {
  /**
   * Acts of moderation in these rooms and in none, the newest first; pages as those of `reports`.
   */
  actsIn: {
    in: KnownRooms & { scope?: AuditScope; from?: string; limit: number };
    out: { acts: Act[]; next?: string };
  };
  /** How many of the last `most` acts of a user are decisions about messages in these rooms since that time. */
  decisionsBy: { in: KnownRooms & { user: string; since: number; most: number }; out: number };
  /**
   * Acts of moderation, the newest first, before the place `before`. `of`: those by this user, and those of the user that the
   * user may know of: in public rooms, in `rooms`, removals, and bans in `lost`. `next`: where to go on. `by` and `scope`
   * filter a list without `of`.
   */
  acts: {
    in: {
      by?: string;
      scope?: AuditScope;
      of?: { user: string; rooms: readonly string[]; lost: readonly string[] };
      before?: number;
      limit: number;
    };
    out: { acts: Act[]; next?: number };
  };
}

export interface LastHereReads {
  /** How many users were here last since that time, and how many of `users` were. Nobody who hides it. */
  recentlyHere: {
    in: { since: number; users: readonly string[] };
    out: { all: number; among: number };
  };
  /** When a user was last here: not for an asker whom the user has blocked, or who has blocked the user. */
  lastHere: { in: { user: string; asker: string }; out: { at?: number; hidden: boolean } };
}

export interface RestrictionReads {
  restrictions: {
    in: null;
    out: { room: string; user: string; restricted: NonNullable<MemberRecord['restricted']> }[];
  };
}

export interface DayReads {
  /** How many messages were sent in these rooms, by day, from that day on; days without any are left out. */
  messagesByDay: { in: KnownRooms & { from: number }; out: { day: number; messages: number }[] };
  /** How many messages were sent in each of these rooms from that day on; rooms that do not exist are left out. */
  messagesIn: { in: { rooms: readonly string[]; from: number }; out: { room: string; messages: number }[] };
}

export interface FileReads {
  /**
   * The bytes of the files that the messages of rooms carry, copies too; rooms that do not exist are left out. `more`: there
   * are more than `most` files, which are at least so large.
   */
  filesIn: {
    in: { rooms: readonly string[]; most: number };
    out: { room: string; bytes: number; more: boolean }[];
  };
  /** The same, of all these rooms together. */
  filesInAll: { in: KnownRooms & { most: number }; out: { bytes: number; more: boolean } };
  /** A file that is not dropped, the room of its upload, and what is stored of this user there. */
  file: {
    in: { id: string; user: string };
    out: { file: StoredFile; room: RoomRecord; member: MemberRecord | null } | null;
  };
}

export interface InviteReads {
  /** The links of a room, the newest first. */
  invites: { in: { room: string }; out: StoredInvite[] };
  /** All links that a user has made, the oldest first. */
  invitesBy: { in: { user: string }; out: StoredInvite[] };
  /** The link of that digest, with its room, and what decides whether it lets `user` in: see `opens`. */
  invite: {
    in: { digest: string; user: string };
    out:
      | ({ invite: StoredInvite; room: Pick<RoomRecord, 'name' | 'topic' | 'members'> } & Parameters<
          typeof opens
        >[1])
      | null;
  };
}

export interface MembershipReads {
  partner: { in: { user: string; other: string; room: string }; out: Partner };
  /** All rooms that a user is a member of, what is known of the user, and whom the user has blocked, the last one first. */
  user: {
    in: { user: string };
    out: {
      user: UserRecord | null;
      memberships: Membership[];
      blocked: string[];
      /** Whether the user has ever been here. */
      arrived: boolean;
    };
  };
  /** The users who have acted in a private room of which `user` is a member too. */
  sharesRoom: { in: { user: string; of: readonly string[] }; out: string[] };
}

export interface NoticeReads {
  /**
   * How a user wants to be notified, the user's last act, and when the user was last notified of which rooms, and of anything
   * (`lastNotified`), also of a room that is deleted since. `before`: the time before that, if this one is that of an event;
   * not that of an event which the site has not taken.
   */
  notices: {
    in: { user: string };
    out: {
      notices: StoredNotices;
      activeAt?: number;
      notified: { room: string; at: number; before?: number }[];
      lastNotified?: number;
    };
  };
  /**
   * Members with unread messages who want to hear of each message of the room, or (`everyone`) who want to hear of any, and
   * have not been notified of the room since their last act. By id, after that one.
   */
  concernedMembers: {
    in: { room: string; everyone: boolean; after: string; limit: number };
    out: { users: string[]; next?: string };
  };
}

export interface DeviceReads {
  /** The users among these who have devices that are notified while no page is open. */
  withDevices: { in: { users: readonly string[] }; out: string[] };
  /** The devices of a user, the last one registered first. */
  devices: { in: { user: string }; out: StoredDevice[] };
  /** The oldest first. */
  vapidKeys: { in: null; out: StoredVapidKey[] };
}

export interface ReadingReads {
  /**
   * Unread messages since `since` that mention the user in public rooms without being a member there, by room. Excludes own
   * messages, messages of blocked users, and rooms where the user is banned or has notifications off. `member` is the user's
   * stored row in the room.
   */
  namedOutside: {
    in: { user: string; since: number };
    out: { room: RoomRecord; member?: MemberRecord; mentions: UnreadMentions }[];
  };
  /** Whether a message of the room names the user that the user has not read there. */
  isNamed: { in: { room: string; user: string }; out: boolean };
  /** Public rooms of which the user is no member, and up to where the user has read them. */
  openedBy: { in: { user: string }; out: { room: string; readSeq: number }[] };
  /**
   * The members who have seen a message, by name and up to so many: none who was no member yet, who hides it, or whom the
   * asker has blocked, or who has blocked the asker. Nobody if the asker has not written the message; null if there is none.
   */
  seenBy: {
    in: { room: string; seq: number; asker: string; limit: number };
    out: { author: string; seers: { user: UserRecord; member: MemberRecord }[] } | null;
  };
  /**
   * The messages with `after` < `seq` ≤ `upTo`, or with these numbers (`seqs`, at least one), that are not deleted and are by
   * none of the authors `without`: the first ones up to `limit`, and the last one. They may leave out what comes after
   * thousands of others.
   */
  unread: {
    in: {
      room: string;
      after: number;
      upTo: number;
      seqs?: readonly number[];
      without: readonly string[];
      limit: number;
    };
    out: { seq: number; sentAt: number }[];
  };
}

export interface MailReads {
  mailAddress: { in: { user: string }; out: StoredMailAddress };
  /** The link with that digest; null if it is not known. */
  mailStop: { in: { id: string }; out: StoredMailStop | null };
}

export interface MemberReads {
  /** The stored data of each of the users in a room. */
  membersOf: { in: { room: string; users: readonly string[] }; out: (MemberRecord | null)[] };
  /**
   * In the order of `memberKey`, then by id, after the place `after`; `query`: the beginning of the id, the name, or a word
   * of the name. `next`: where to go on; a page may be short though there are more.
   */
  members: {
    in: { room: string; query?: string; after?: MemberPlace; limit: number };
    out: { members: { user: UserRecord; member: MemberRecord; place: MemberPlace }[]; next?: MemberPlace };
  };
}

export interface BlockReads {
  /** Whether this user has blocked the other one. */
  hasBlocked: { in: { user: string; other: string }; out: boolean };
}

export interface FindUsersReads {
  /**
   * Users by the beginning of the id, the name or a word of the name; those who share a private room with `user` first.
   * `onlyShared`: no others.
   */
  findUsers: { in: { user: string; query: string; onlyShared: boolean; limit: number }; out: UserRecord[] };
}

export interface MessageReads {
  /** The messages in these places, as far as they are left. */
  messages: { in: { places: readonly { room: string; seq: number }[] }; out: StoredMessage[] };
  /** The newest messages with `seq` ≤ `upTo`, oldest first. */
  newest: { in: { room: string; upTo: number; limit: number }; out: Page };
  /** The oldest messages with `after` < `seq` ≤ `upTo`. */
  after: { in: { room: string; after: number; upTo: number; limit: number }; out: Page };
  /**
   * The messages that changed after `since` and up to `upTo`, by `rev`, each once and in its newest state. A complete
   * answer also
   * has each message that changed up to `upTo` and got a reaction after it: the event for a reaction carries no text.
   */
  changes: { in: { room: string; since: number; upTo: number; limit: number }; out: Page };
  /**
   * The messages of a user that nobody has deleted, room by room, by `seq`. `next`: where to go on, as `from`; a page
   * may be
   * empty though there are more.
   */
  written: {
    in: { user: string; from: string; limit: number };
    out: { messages: Page['messages']; next?: string };
  };
  /** The newest messages with `seq` < `before` that hold such things, newest first. */
  holding: { in: { room: string; what: Holding; before: number; limit: number }; out: Page };
}

export interface WebhookReads {
  /** How many events wait to be sent, and the newest ones without tries left. */
  events: { in: { limit: number }; out: { waiting: number; failed: StoredEvent[] } };
}

export interface ThreadReads {
  /**
   * The threads among these that have replies. `apart`: these authors are not among the last ones.
   * @param in.unread counts the replies after that message by others than this user and those apart
   */
  threads: {
    in: {
      room: string;
      threads: readonly number[];
      apart?: readonly string[];
      unread?: { after: number; user: string };
    };
    out: StoredThread[];
  };
  /**
   * The thread of that message, which may have expired: its first message that is left, and whether the user follows
   * it. Null where nothing is left.
   */
  thread: {
    in: ThreadPlace & { user: string };
    out: { thread: number; root: StoredMessage; following: boolean } | null;
  };
  /** The replies of a thread with `after` < `seq` < `before`, oldest first: the last ones, or (`from: 'start'`) the first. */
  replies: {
    in: ThreadPlace & { after: number; before: number; from: 'start' | 'end'; limit: number };
    out: Page;
  };
  /** The threads that a user follows; pages as those of `written`. */
  followedBy: {
    in: { user: string; from: string; limit: number };
    out: { threads: ThreadPlace[]; next?: string };
  };
}

export interface ExpiryReads {
  /**
   * Rooms whose oldest messages were sent before `before`, or in direct rooms before `beforeDirect` (0: none is too
   * old), with
   * the first that is left of those that were looked at. `next`: where to go on, as `from`; a room may come again.
   */
  expired: {
    in: { before: number; beforeDirect: number; from: number };
    out: { rooms: { room: string; firstSeq: number }[]; next?: number };
  };
}

export interface ReactionReads {
  /** The reactions that are this user's. */
  reactionsOf: {
    in: { user: string; of: readonly { room: string; seq: number; emoji: string }[] };
    out: { room: string; seq: number; emoji: string }[];
  };
  /** All reactions of a user; pages as those of `written`. */
  reactionsBy: {
    in: { user: string; from: string; limit: number };
    out: { reactions: { room: string; seq: number; emoji: string }[]; next?: string };
  };
  /**
   * The ids of the users who have reacted so, by time, after the place `after`; null where there is no such message, or a
   * deleted one.
   */
  reactors: {
    in: { room: string; seq: number; emoji: string; after: number; limit: number };
    out: { users: string[]; next?: number } | null;
  };
}

export interface PinReads {
  /** The pinned messages of a room, the last one pinned first. `seq`: this one alone. */
  pins: {
    in: { room: string; seq?: number };
    out: { pin: StoredPin; message: StoredMessage }[];
  };
  /** All pins by a user; pages as those of `written`. */
  pinsBy: {
    in: { user: string; from: string; limit: number };
    out: { pins: Pick<StoredPin, 'room' | 'seq' | 'at'>[]; next?: string };
  };
}

export interface SearchReads {
  /**
   * Messages whose text holds `query`, if that is given, and that fit `only`, newest first, in these rooms and
   * (`everyPublic`) in all public ones but `except`. Deleted ones are never found. `next`: where to go on (as `from`); a page may be short though there are more. It says nothing to those who read it, such as how
   * many messages there are. Codes: `bad_request` (no `from` of this history).
   */
  search: {
    in: {
      query?: string;
      only?: SearchFilter;
      rooms: readonly string[];
      everyPublic: boolean;
      except?: readonly string[];
      from?: string;
      limit: number;
    };
    out: { messages: StoredMessage[]; next?: string };
  };
}

/** The reads. A read sees all writes that resolved before it was asked. */
export interface Reads
  extends AboutPersonReads,
    ActReads,
    ArrivalReads,
    BanReads,
    BlockReads,
    DayReads,
    DeviceReads,
    ExpiryReads,
    FileReads,
    FindUsersReads,
    HeldReads,
    InviteReads,
    LastHereReads,
    MailReads,
    MemberReads,
    MembershipReads,
    MessageReads,
    NoticeReads,
    PinReads,
    ReactionReads,
    ReadingReads,
    ReportReads,
    RestrictionReads,
    RoomReads,
    ThreadReads,
    UserReads,
    WebhookReads,
    SearchReads {}

/** The methods of `History.write`, `probe` or `read`: each passes its name on, and what it is called with. */
export function methods<Methods extends object>(
  pass: (name: keyof Methods & string, input: never, asker?: string) => Promise<unknown>,
): Methods {
  return new Proxy({} as Record<string, unknown>, {
    get(made, name: string) {
      made[name] ??= (input: never, asker?: string) => pass(name as keyof Methods & string, input, asker);
      return made[name];
    },
  }) as Methods;
}

/** All rooms, members and messages, on disk. Every database passes test/contracts/history.ts. */
export interface History {
  /** `asker`: the id of the connection that asked. It comes with the changes, which that connection is not notified of. */
  readonly write: {
    readonly [Op in keyof Writes]: (input: Writes[Op]['in'], asker?: string) => Promise<Writes[Op]['out']>;
  };
  /**
   * The result of the write if there is nothing to change, as for a repeat; null if it would change something.
   * Rejects as the write would. Changes nothing.
   */
  readonly probe: {
    readonly [Op in keyof Writes]: (input: Writes[Op]['in']) => Promise<Writes[Op]['out'] | null>;
  };
  /**
   * A read resolves after all changes that were stored before it, by any server, were handed out. A listener's copy is then as
   * new as the answer, so it decides which parts of the answer a user may get.
   */
  readonly read: {
    readonly [Query in keyof Reads]: (input: Reads[Query]['in']) => Promise<Reads[Query]['out']>;
  };
  /**
   * Resolves when everything was handed out that was stored before, by any server. Only for decisions that follow no read.
   * Rejects if the database fails.
   */
  current(): Promise<void>;
  /** See `Change`. */
  onChange(listener: (change: Change) => void): void;
  /** With several servers and a bus: says something small to the others, which may be lost. Never waits, never fails. */
  say?(what: object): void;
  /** With several servers: the digest of a text by a key that only servers of this history have. */
  digest?(text: string): string;
  /** Finishes what was asked for, then closes. */
  close(): Promise<void>;
}

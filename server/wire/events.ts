import { z } from 'zod';
import { colors } from './avatar.ts';
import { asLine, isBlank, isLine, visibleLine } from './blank.ts';
import { type ConnectErrorCode, type RequestErrorCode, requestErrors } from './errors.ts';

/**
 * The wire contract (docs/protocol.md) as schemas. The server checks all client input by them, and docs/asyncapi.json
 * is generated from them. The browser client imports only the types.
 */
const characters = (text: string) => (text.length > 2 * 250 ? text.length / 2 : [...text].length);
/** A line of text without control characters, ends of lines and lone surrogates; its length is in code points. */
const line = (most: number) =>
  z
    .string()
    .refine((text) => text.isWellFormed() && isLine(text) && characters(text) <= most)
    .meta({ maxLength: most });
/** A year. */
export const longestSeconds = 31_536_000;
export const roomId = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/);
export const clientId = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/);
/** 1 to 64 characters without control characters, as in a session. */
export const userId = line(64).refine((id) => id !== '');
/** An id that a user can have: 0 stands for erased users, and * for everybody in a room. */
export const ownUserId = userId.refine((id) => id !== '0' && id !== '*', {
  message: 'the ids 0 and * are nobody’s',
});
/** A user's name, as the site gives it; empty if there is nothing to see in it. */
export const userName = z.string().transform((name) => visibleLine(name, 64));
/** The reason of a ban, as the site gives it. */
export const banReason = z.string().max(250).transform(asLine);
/** Whether the text changes the direction of the words after it, including those of a sentence that contains it. */
const turnsDirection = (text: string) => /[\u202a-\u202e\u2066-\u2069]/.test(text);
export const roomName = line(80).refine((name) => !isBlank(name) && !turnsDirection(name));
export const topic = line(250).refine((text) => !turnsDirection(text));
/** A `seq` or `rev`: a whole number that JavaScript holds exactly. */
const counter = z.int().min(0);
const seq = z.int().min(1);
/** Milliseconds since 1970, for display only: `seq` and `rev` define the order. */
const time = z.int().min(0);

/** Members of the largest room in which authors learn who has seen a message. */
export const mostSeers = 50;
/** Most mentions of one message. */
export const mostMentions = 20;

/** A user as others see them. `name`: at most 64 characters. */
const user = z.object({ id: userId, name: z.string() });
const kind = z.enum(['public', 'private', 'direct']);
const role = z.enum(['owner', 'moderator', 'member']);
const siteRole = z.enum(['admin', 'moderator']);
const notify = z.enum(['all', 'mentions', 'none']);
const write = z.enum(['all', 'moderators']);
const right = z.enum(['send', 'invite', 'update', 'remove', 'moderate', 'pin', 'roles', 'delete', 'leave']);

/**
 * The newest message of a room as it is now; `text` is cut to 120 characters, `files` counts its files. `voice`: the
 * first of them is a voice message of so many milliseconds, 0 if that is unknown.
 */
const lastMessage = z.object({
  seq,
  user,
  text: z.string(),
  sentAt: time,
  deletedAt: time.exactOptional(),
  files: seq.exactOptional(),
  voice: counter.exactOptional(),
  /** Not in events for several users: this user has blocked the author. */
  hidden: z.literal(true).exactOptional(),
});

/** A pinned message as it is now; `text` is cut to 120 characters. */
const pin = lastMessage.extend({
  /** The user who has pinned it, and when. */
  by: user,
  at: time,
  /** The newest message at that time: “… pinned a message” stands behind it. */
  after: counter,
});
/** A single emoji that Unicode recommends for general interchange. The longest has 35 bytes. */
const emoji = z
  .string()
  .max(40)
  .refine((text) => /^\p{RGI_Emoji}$/v.test(text));

/** The settings of a room as an update takes them. A value that every new room has is not stored. */
const roomSettings = z.object({
  write: write.exactOptional(),
  slow: z.int().min(0).max(3600).exactOptional(),
  previews: z.enum(['on', 'off']).exactOptional(),
  seen: z.enum(['on', 'off']).exactOptional(),
  color: z.enum(['', ...colors]).exactOptional(),
  emoji: emoji.or(z.literal('')).exactOptional(),
});

/** A room as one user sees it. `unread` is 0 for users who are not members. */
const roomSummary = z.object({
  id: roomId,
  name: z.string(),
  topic: z.string().exactOptional(),
  kind,
  member: z.boolean(),
  members: counter,
  role: role.exactOptional(),
  may: z.array(right),
  /** The other user of a direct room, and whether that user is present. */
  with: user.exactOptional(),
  present: z.boolean().exactOptional(),
  /** The `seq` up to which the other user of a direct room has read. */
  readByOther: counter.exactOptional(),
  head: counter,
  lastSeq: counter,
  /** The oldest message that is kept, if older ones have expired. */
  firstSeq: seq.exactOptional(),
  readSeq: counter,
  unread: counter,
  /** Unread messages that mention this user, or everybody. */
  mentions: counter,
  last: lastMessage.exactOptional(),
  notify,
  write,
  /** Seconds between two messages of one user; moderators are exempt. */
  slow: z.int().min(1).exactOptional(),
  /** Milliseconds for which the user may not write there; 2^53 − 1 for a permanent mute. */
  mutedForMs: counter.exactOptional(),
  mutedReason: z.string().exactOptional(),
  /** Open reports, for users who have the right `moderate` there. */
  reports: counter.exactOptional(),
  /**
   * Links have no previews there; absent if they have, where `can.previews` says so. `asked`, of a direct room: this user
   * wants them, and the other one does not yet.
   */
  previews: z.enum(['off', 'asked']).exactOptional(),
  /** Authors do not learn who has seen a message there; absent if they do, where `can.seen` says so. */
  seen: z.literal('off').exactOptional(),
  /** The room's own colour and emoji; absent if it has none. */
  color: z.enum(colors).exactOptional(),
  emoji: z.string().exactOptional(),
  /** Pinned messages; absent if there are none. */
  pins: seq.exactOptional(),
});

/** A user who is named in a text, and where, in characters. Mentions do not overlap. */
const mention = z.object({ user, start: counter, length: seq });

const roomMember = z.object({ user, role, present: z.boolean() });

/**
 * Users with the same emoji on a message. `users`: the first 10 by time; `mine`, in answers only: the asking user is
 * one of them.
 */
const reaction = z.object({
  emoji: z.string(),
  count: seq,
  users: z.array(userId),
  mine: z.literal(true).exactOptional(),
});

/**
 * The id of a report, a message that waits, an invite link, a device or a chosen file. Its form is not checked further: one that is not
 * stored is unknown. But PostgreSQL fails at U+0000, and with it what others write at the same time has to be done again.
 */
const entryId = z.string().regex(/^[!-~]{1,64}$/);
/** The id of a file. It cannot be guessed. */
const fileId = z.string().regex(/^[A-Za-z0-9_-]{16,64}$/);
/** The text for people who do not see the picture. */
const alt = line(250);
/** Loudness from 0 to v, 31 in base 32. */
export const peaks = z.string().regex(/^[0-9a-v]{46}$/);
/** Files of one message. */
export const mostFiles = 10;
/**
 * A file as a message shows it. `type` is detected from its bytes, `size` is in bytes. A picture has its displayed
 * width and height, and a BlurHash to show while it loads. Sound and video that browsers play have what their container
 * says, with durations in milliseconds. `peaks` makes a voice message of sound: its loudness in equal steps, as its
 * sender has measured it.
 */
const file = z.object({
  id: fileId,
  name: z.string(),
  type: z.string(),
  size: counter,
  alt: alt.exactOptional(),
  image: z.object({ width: seq, height: seq, blur: z.string().max(64) }).exactOptional(),
  audio: z.object({ duration: seq.exactOptional(), peaks: peaks.exactOptional() }).exactOptional(),
  video: z.object({ width: seq, height: seq, duration: seq.exactOptional() }).exactOptional(),
});
/** Files as a client names them, each at most once. */
const chosenFiles = z
  .array(z.object({ id: entryId, alt: alt.optional() }))
  .max(mostFiles)
  .refine((files) => new Set(files.map(({ id }) => id)).size === files.length, {
    message: 'a file is named twice',
  });

/**
 * The page of the first link in a text. Without a title the server is fetching it, or has stopped before it came: `url` alone
 * says nothing about the page. A picture is a file that is no attachment.
 */
const preview = z.object({
  url: z.string(),
  title: z.string().exactOptional(),
  description: z.string().exactOptional(),
  image: z.object({ id: fileId, width: seq, height: seq }).exactOptional(),
});

/** A stored message. */
const message = z.object({
  id: z.string(),
  room: roomId,
  seq,
  rev: seq,
  clientId,
  user,
  text: z.string(),
  sentAt: time,
  editedAt: time.exactOptional(),
  deletedAt: time.exactOptional(),
  deletedBy: z.enum(['author', 'moderator']).exactOptional(),
  replyTo: seq.exactOptional(),
  /** Of a reply: the first message of its thread, which may have expired. */
  thread: seq.exactOptional(),
  /** By position, with current names. Absent if there are none. */
  mentions: z.array(mention).exactOptional(),
  /** In display order; absent if there are none. */
  files: z.array(file).exactOptional(),
  preview: preview.exactOptional(),
  /** A copy of another message. `user`: its author, if that was in a public room. */
  forwarded: z.object({ user: user.exactOptional() }).exactOptional(),
  /** In answers only: the asking user has blocked the author. */
  hidden: z.literal(true).exactOptional(),
  /** In order of first use; absent if there are none. */
  reactions: z.array(reaction).exactOptional(),
});

/** The replies of a thread that are not deleted, without those of users whom the asking user has blocked. */
const thread = z.object({
  thread: seq,
  /** The first message that is left: the thread is shown under it. */
  root: seq,
  replies: counter,
  /** The last authors, at most three, the last first. */
  authors: z.array(user),
  lastAt: time.exactOptional(),
  /** In answers only: those that the asking member has not read, up to 100. */
  new: seq.exactOptional(),
});

const reportReason = z.enum(['spam', 'abuse', 'other']);
const reportEnd = z.enum(['deleted', 'muted', 'banned', 'nothing']);

/** A user's report of a message. `message`: as it was when reported; once the report is closed, as it is now. */
const report = z.object({
  id: z.string(),
  room: roomId,
  message,
  by: user,
  reason: reportReason,
  text: z.string().exactOptional(),
  at: time,
  closed: z.object({ by: user, done: reportEnd, at: time }).exactOptional(),
});

const restrictionKind = z.enum(['muted', 'banned']);

/** A mute or a ban of a person. Without a room it is a ban from the whole site. */
const restrictionOfPerson = z.object({
  room: roomId.exactOptional(),
  name: z.string().exactOptional(),
  kind: restrictionKind,
  until: time.exactOptional(),
  reason: z.string().exactOptional(),
  /** Absent if the PHP application has laid it. */
  by: user.exactOptional(),
});

/** Acts of moderation. */
export const actKinds = [
  'muted',
  'unmuted',
  'banned',
  'unbanned',
  'removed',
  'message_deleted',
  'pinned',
  'unpinned',
  'report_closed',
  'approved',
  'rejected',
  'role_changed',
  'room_changed',
  'room_deleted',
  'site_banned',
  'site_unbanned',
  'exported',
  'erased',
] as const;

/**
 * `site`: acts outside of rooms, in rooms that the site made, and by the PHP application. `rooms`: all other acts in rooms that
 * users made.
 */
export const auditScopes = ['site', 'rooms'] as const;
export type AuditScope = (typeof auditScopes)[number];

/** An act of moderation. It holds no text of a message. */
const act = z.object({
  kind: z.enum(actKinds),
  at: time,
  /** Absent if the PHP application has done it. */
  by: user.exactOptional(),
  user: user.exactOptional(),
  /** The room and its name; the name is absent if the room is deleted. */
  room: roomId.exactOptional(),
  name: z.string().exactOptional(),
  seq: seq.exactOptional(),
  reason: z.string().exactOptional(),
  /** The new state. */
  to: z
    .object({
      until: time.exactOptional(),
      role: role.exactOptional(),
      done: reportEnd.exactOptional(),
      changed: z.array(z.string()).exactOptional(),
      ...roomSettings.shape,
    })
    .exactOptional(),
});
/** Why a message waits: the author's first one, it has a link, it has a word of CHAT_HOLD_WORDS, or all messages wait. */
const holdReason = z.enum(['first', 'links', 'words', 'all']);
export type HoldReason = z.output<typeof holdReason>;

/**
 * A message, or an edit of the message `seq`, that waits for a moderator, or that one has rejected. It has no place in the
 * room: its author and the moderators alone see it.
 */
const held = z.object({
  id: z.string(),
  room: roomId,
  user,
  /** Absent for an edit. */
  clientId: clientId.exactOptional(),
  seq: seq.exactOptional(),
  why: holdReason,
  text: z.string(),
  replyTo: seq.exactOptional(),
  /** Of an edit: absent for no change. */
  files: z.array(file).exactOptional(),
  mentions: z.array(z.object({ user: userId, start: counter, length: seq })).exactOptional(),
  /** Of an edit: only that of another page. Without a title it is being fetched, or there is nothing to show. */
  preview: preview.exactOptional(),
  /** When it was sent. */
  at: time,
  rejected: z.object({ at: time, reason: z.string().exactOptional() }).exactOptional(),
});
export type Held = z.output<typeof held>;

/** A link by which people become members of a private room. Its token is given to its maker alone, once. */
const invite = z.object({
  id: z.string(),
  /** The maker. */
  by: user,
  at: time,
  /** Absent if it does not expire. */
  until: time.exactOptional(),
  /** The number of people whom it lets in; absent for any number. */
  uses: seq.exactOptional(),
  used: counter,
});

/** Actions that the operator's settings allow a user; all others are `forbidden`. */
const can = z.object({
  createPublic: z.boolean(),
  createPrivate: z.boolean(),
  direct: z.boolean(),
  findPeople: z.boolean(),
  /** Whether files can be uploaded. */
  files: z.boolean(),
  /** Whether links can have previews. */
  previews: z.boolean(),
  /** Whether authors learn who has seen a message. */
  seen: z.boolean(),
  /** Whether browsers can be notified while no page is open. */
  push: z.boolean(),
  /** Whether messages can be reported. */
  report: z.boolean(),
  /** Whether people who are away get mails, from this server or from the site. */
  mail: z.boolean(),
  /** Whether messages of the user may have to wait for a moderator. */
  hold: z.boolean(),
  /** The parts of the moderators' page beside the reports; absent for users without a role on the site. */
  moderate: z
    .object({
      /** People and their restrictions, bans from the whole site, the overview. */
      people: z.boolean(),
      /** The acts of moderation. */
      log: z.boolean(),
      /** Whether the data of people can be exported and erased. */
      data: z.boolean(),
    })
    .exactOptional(),
});
/** Templates in which a client replaces `{id}` by the percent-encoded user id. */
const profile = z.object({ avatar: z.string().exactOptional(), url: z.string().exactOptional() });
/** Sums over all rooms of a user whose `notify` is not `none`. */
const totals = z.object({ unread: counter, mentions: counter });

/** The shapes that events and answers share, by the names of docs/protocol.md. */
export const shapes = {
  User: user,
  RoomSummary: roomSummary,
  LastMessage: lastMessage,
  Pin: pin,
  RoomMember: roomMember,
  Message: message,
  Thread: thread,
  Mention: mention,
  File: file,
  Reaction: reaction,
  Preview: preview,
  Report: report,
  Restriction: restrictionOfPerson,
  Act: act,
  Invite: invite,
  Held: held,
} as const;

export type User = z.output<typeof user>;
export type RoomKind = z.output<typeof kind>;
export type RoomRole = z.output<typeof role>;
/** Roles on the whole site, from the session (`CHAT_USER_ROLES`). */
export type SiteRole = z.output<typeof siteRole>;
export type Notify = z.output<typeof notify>;
export type Write = z.output<typeof write>;
export type RoomSettings = z.output<typeof roomSettings>;
/** An action that a user may take in a room, as in `RoomSummary.may`. */
export type Right = z.output<typeof right>;
export type LastMessage = z.output<typeof lastMessage>;
export type Pin = z.output<typeof pin>;
export type RoomSummary = z.output<typeof roomSummary>;
export type RoomMember = z.output<typeof roomMember>;
export type Message = z.output<typeof message>;
export type MessageFile = z.output<typeof file>;
export type ChosenFile = z.output<typeof chosenFiles>[number];
export type Thread = z.output<typeof thread>;
export type Mention = z.output<typeof mention>;
export type Report = z.output<typeof report>;
export type ReportEnd = z.output<typeof reportEnd>;
export type RestrictionOfPerson = z.output<typeof restrictionOfPerson>;
export type ShownAct = z.output<typeof act>;
export type Invite = z.output<typeof invite>;
export type Reaction = z.output<typeof reaction>;
export type Preview = z.output<typeof preview>;
export type Can = z.output<typeof can>;
export type Profile = z.output<typeof profile>;
export type Totals = z.output<typeof totals>;

/** The longest holds the sort key of a name, in which one character may become 18 of two or three bytes each. */
const cursor = z.string().min(1).max(4096);
const limit = (most: number, usual = most) => z.int().min(1).max(most).default(usual);
/** A mute or a ban. `seconds`: 0 lifts it; absent means permanent. */
const restriction = z.object({
  room: roomId,
  user: userId,
  seconds: z.int().min(0).max(longestSeconds).optional(),
  reason: line(250).optional(),
});
/** The lists of a room in which a message may be. */
const holding = z.enum(['pictures', 'files', 'links']);
const query = line(100).refine((text) => !isBlank(text));
const clockTime = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/);
/** An IANA name such as `Europe/Paris`. */
export const zone = z
  .string()
  .max(64)
  .refine((name) => isZone(name));
/** A language tag such as `pt-BR`. */
const language = z
  .string()
  .regex(/^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,3}$/)
  .max(16);
const noticeText = z.enum(['text', 'name', 'nothing']);

/** Quiet hours are reckoned by `Temporal`, and times are written by `Intl`, which knows more names, such as `PST`. */
function isZone(name: string): boolean {
  try {
    Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(name);
    return Boolean(new Intl.DateTimeFormat('en', { timeZone: name }));
  } catch {
    return false;
  }
}

/** Of an invite link. Its form is not checked further: a token that is not stored is unknown. */
const token = z.string().regex(/^[!-~]{1,128}$/);

/** Mentions as a client sends them. Whether they fit is checked with the text. */
const mentions = z.array(z.object({ user: userId, start: counter, length: seq })).max(mostMentions);

/** The payload of every request this server knows. Unknown fields are ignored. */
export const requests = {
  'room:list': z.object({
    member: z.boolean().default(true),
    query: line(100).optional(),
    cursor: cursor.optional(),
    limit: limit(200, 100),
  }),
  'room:join': z.object({ room: roomId, since: counter.optional() }),
  'room:sync': z.object({ room: roomId, since: counter, limit: limit(500, 200) }),
  'room:leave': z.object({ room: roomId }),
  'room:create': z.object({
    name: roomName,
    topic: topic.optional(),
    kind: z.enum(['public', 'private']),
    members: z.array(userId).max(100).optional(),
    clientId,
  }),
  'room:update': z.object({
    room: roomId,
    name: roomName.exactOptional(),
    topic: topic.exactOptional(),
    ...roomSettings.shape,
  }),
  'room:delete': z.object({ room: roomId }),
  'room:invite': z.object({ room: roomId, users: z.array(userId).min(1).max(100) }),
  'room:remove': z.object({ room: roomId, user: userId }),
  'room:role': z.object({ room: roomId, user: userId, role }),
  'room:members': z.object({
    room: roomId,
    query: line(100).optional(),
    present: z.boolean().optional(),
    cursor: cursor.optional(),
    limit: limit(100),
  }),
  'room:notify': z.object({ room: roomId, notify }),
  'room:previews': z.object({ room: roomId, previews: z.enum(['on', 'off']) }),
  'room:mute': restriction,
  'room:ban': restriction,
  'room:restricted': z.object({ room: roomId, cursor: cursor.optional() }),
  'room:files': z.object({
    room: roomId,
    what: holding,
    before: counter.optional(),
    limit: limit(100, 30),
  }),
  'room:pins': z.object({ room: roomId }),
  'invite:create': z.object({
    room: roomId,
    /** 0: it does not expire. */
    seconds: z.int().min(0).max(longestSeconds).default(604_800),
    /** 0: any number of people. */
    uses: z.int().min(0).max(10_000).default(50),
  }),
  'invite:list': z.object({ room: roomId }),
  'invite:revoke': z.object({ room: roomId, id: entryId }),
  'invite:look': z.object({ token }),
  'invite:accept': z.object({ token }),
  'direct:open': z.object({ user: userId }),
  'user:block': z.object({ user: userId, blocked: z.boolean() }),
  'user:blocked': z.object({}),
  'user:about': z.object({ room: roomId, user: userId }),
  'user:hide': z.object({ hidden: z.boolean() }),
  'notify:get': z.object({}),
  'notify:set': z.object({
    mail: z.union([z.enum(['off', 'daily']), z.literal([5, 15, 60])]).optional(),
    push: z.boolean().optional(),
    quiet: z.object({ from: clockTime, to: clockTime, zone: zone.optional() }).nullable().optional(),
    text: noticeText.optional(),
    lang: language.optional(),
  }),
  'client:active': z.object({ zone: zone.optional(), lang: language.optional() }),
  'user:find': z.object({ query, room: roomId.optional(), limit: limit(20) }),
  'device:register': z
    .object({
      /** Of an app, by its push service. */
      token: z
        .string()
        .regex(/^[\x21-\x7e]{1,4096}$/)
        .optional(),
      /** Of a browser: `PushSubscription`, with the public key with which it has subscribed. */
      endpoint: z.string().max(2048).optional(),
      p256dh: z.string().max(100).optional(),
      auth: z.string().max(40).optional(),
      key: z.string().max(100).optional(),
      /** The page that a press on a notice opens. */
      page: z.string().max(1000).optional(),
      name: line(64).optional(),
    })
    .refine(
      ({ token, endpoint, p256dh, auth, key, page }) =>
        [endpoint, p256dh, auth, key, page].every((one) => (one === undefined) === (token !== undefined)),
      { message: 'either token, or endpoint, p256dh, auth, key and page' },
    ),
  'device:remove': z.object({ id: entryId }),
  'device:list': z.object({}),
  'message:send': z.object({
    room: roomId,
    text: z.string(),
    clientId,
    replyTo: seq.optional(),
    files: chosenFiles.optional(),
    mentions: mentions.optional(),
    /** False: without the page of its link. */
    preview: z.boolean().default(true),
  }),
  'message:forward': z.object({ room: roomId, from: z.object({ room: roomId, seq }), clientId }),
  'message:edit': z.object({
    room: roomId,
    seq,
    text: z.string(),
    rev: seq.optional(),
    files: chosenFiles.optional(),
    mentions: mentions.optional(),
  }),
  'message:unpreview': z.object({ room: roomId, seq }),
  'message:delete': z.object({ room: roomId, seq, reason: line(250).optional() }),
  'message:react': z.object({ room: roomId, seq, emoji, on: z.boolean() }),
  'message:seen': z.object({ room: roomId, seq }),
  'message:pin': z.object({ room: roomId, seq }),
  'message:unpin': z.object({ room: roomId, seq }),
  'message:report': z.object({
    room: roomId,
    seq,
    reason: reportReason,
    /** May have several lines, like a message. */
    text: z
      .string()
      .refine((text) => text.isWellFormed() && !/[^\P{Cc}\t\n]/u.test(text) && text.length <= 1000)
      .refine((text) => [...text].length <= 500)
      .meta({ maxLength: 500 })
      .optional(),
  }),
  'report:list': z.object({
    /** Asks for `decided`, from that time on. */
    since: time.optional(),
    cursor: cursor.optional(),
    limit: limit(100, 50),
  }),
  'report:close': z.object({
    id: entryId,
    done: reportEnd,
    /** Duration of `muted` and `banned`; absent means permanent. */
    seconds: z.int().min(1).max(longestSeconds).optional(),
    reason: line(250).optional(),
    /** Closes all open reports of that message. */
    all: z.boolean().default(false),
  }),
  'report:context': z.object({ id: entryId }),
  'moderate:people': z.object({
    query: query.optional(),
    cursor: cursor.optional(),
    limit: limit(100, 50),
  }),
  'moderate:person': z.object({ user: userId }),
  'moderate:ban': z
    .object({
      user: userId,
      /** Absent means permanent. */
      seconds: z.int().min(1).max(longestSeconds).optional(),
      reason: line(250).optional(),
      /** Deletes the messages of the last 24 hours, too. */
      messages: z.literal('delete').optional(),
      /** Ends the ban. */
      end: z.boolean().default(false),
    })
    .refine(({ seconds, reason, messages, end }) => !end || (seconds ?? reason ?? messages) === undefined, {
      message: 'end cannot be used with seconds, reason or messages',
    }),
  'moderate:erase': z.object({
    user: userId,
    /** Exactly the name of the user, who is then certainly the one that is meant. */
    name: z.string().max(250),
    /** For the list of acts, which keeps it. */
    reason: line(250).optional(),
  }),
  'moderate:acts': z.object({
    scope: z.enum(auditScopes).optional(),
    cursor: cursor.optional(),
    limit: limit(100, 50),
  }),
  /** Rooms of which the user may not know are left out of the answer. */
  'moderate:rooms': z.object({ rooms: z.array(roomId).min(1).max(100) }),
  'moderate:overview': z.object({}),
  'moderate:retry': z.object({}),
  'held:list': z.object({
    /** The user's own, rejected ones too, instead of those that the user decides about. */
    mine: z.literal(true).optional(),
    cursor: cursor.optional(),
    limit: limit(100, 50),
  }),
  'held:approve': z.object({
    id: entryId,
    /** Whether to publish the preview. False if the moderator has not seen it. */
    preview: z.boolean().default(true),
  }),
  'held:reject': z.object({ id: entryId, reason: line(250).optional() }),
  'held:discard': z.object({ id: entryId }),
  'message:reactions': z.object({ room: roomId, seq, emoji, cursor: cursor.optional() }),
  'message:history': z
    .object({ room: roomId, before: counter.optional(), after: counter.optional(), limit: limit(100, 50) })
    .refine(({ before, after }) => before === undefined || after === undefined, {
      message: 'before and after cannot be used together',
    }),
  'thread:get': z
    .object({
      room: roomId,
      thread: seq,
      before: counter.optional(),
      after: counter.optional(),
      limit: limit(100, 50),
    })
    .refine(({ before, after }) => before === undefined || after === undefined, {
      message: 'before and after cannot be used together',
    }),
  'thread:follow': z.object({ room: roomId, thread: seq, following: z.boolean() }),
  'message:search': z
    .object({
      query: query.optional(),
      room: roomId.optional(),
      from: userId.optional(),
      has: holding.optional(),
      sentFrom: time.optional(),
      sentBefore: time.optional(),
      cursor: cursor.optional(),
      limit: limit(50),
    })
    .refine(
      ({ query, from, has, sentFrom, sentBefore }) =>
        [query, from, has, sentFrom, sentBefore].some((one) => one !== undefined),
      {
        message: 'a search needs query, from, has, sentFrom or sentBefore',
      },
    ),
  'read:mark': z.object({ room: roomId, seq: counter, unread: z.boolean().optional() }),
  'typing:set': z.object({ room: roomId, typing: z.boolean() }),
} as const;

export type RequestName = keyof typeof requests;
export type RequestPayload<E extends RequestName> = z.output<(typeof requests)[E]>;

const nothing = z.object({});
const notices = z.object({
  /** Never, once a day, or after so many minutes. */
  mail: z.union([z.enum(['off', 'daily']), z.number()]),
  /** The address of this user; null if the site has none. Absent if the site itself sends the mails. */
  mailTo: z.string().nullable().exactOptional(),
  /** When a link in a mail has switched mails off. */
  mailStoppedAt: time.exactOptional(),
  push: z.boolean(),
  quiet: z.object({ from: z.string(), to: z.string(), zone: z.string() }).nullable(),
  text: noticeText,
});
const next = z.string().exactOptional();
/** Bytes of all files; `more`: of so many files that not all are counted. */
const fileSizes = z.object({ bytes: counter, more: z.literal(true).exactOptional() });
const errorCode = z.enum(Object.keys(requestErrors) as [RequestErrorCode, ...RequestErrorCode[]]);
const failed = z.array(z.object({ user: userId, code: errorCode }));
const messages = z.array(message);
const complete = z.boolean();
/** The threads of the messages of an answer; absent if there are none. */
const threads = z.array(thread).exactOptional();
const reset = z.literal(true).exactOptional();

/** The `data` of each request's answer. */
export const answers = {
  'room:list': z.object({ rooms: z.array(roomSummary), next }),
  'room:join': z.object({
    room: roomSummary,
    messages,
    threads,
    complete,
    reset,
    present: z.array(user),
    presentCount: counter,
  }),
  'room:sync': z.object({ head: counter, messages, threads, complete, reset }),
  'room:leave': nothing,
  'room:create': z.object({ room: roomSummary, failed }),
  'room:update': z.object({ room: roomSummary }),
  'room:delete': nothing,
  'room:invite': z.object({ added: z.array(userId), failed }),
  'room:remove': nothing,
  'room:role': nothing,
  'room:members': z.object({ members: z.array(roomMember), count: counter, next }),
  'room:notify': z.object({ room: roomSummary }),
  'room:previews': z.object({ room: roomSummary }),
  'room:mute': nothing,
  'room:ban': nothing,
  'room:restricted': z.object({
    users: z.array(
      z.object({
        user,
        kind: restrictionKind,
        until: time.exactOptional(),
        reason: z.string().exactOptional(),
        by: user,
      }),
    ),
    next,
  }),
  'room:files': z.object({ messages, complete }),
  'room:pins': z.object({ pins: z.array(pin) }),
  'invite:create': z.object({ invite, token: z.string() }),
  'invite:list': z.object({ invites: z.array(invite) }),
  'invite:revoke': nothing,
  'invite:look': z.object({
    by: user,
    name: z.string(),
    topic: z.string().exactOptional(),
    members: counter,
    /** How many of the members are present. */
    present: counter,
    /** Some of the members. */
    people: z.array(user),
    /** The id of the room, for its members. */
    room: roomId.exactOptional(),
  }),
  'invite:accept': z.object({ room: roomSummary }),
  'direct:open': z.object({ room: roomSummary }),
  'user:block': nothing,
  'user:blocked': z.object({ users: z.array(user) }),
  'user:about': z.object({
    /** In the room; absent for users who are not members. */
    role: role.exactOptional(),
    present: z.boolean(),
    /** The end of the last visit, in steps of five minutes; absent if the asker may not know it, or nobody does. */
    lastHere: time.exactOptional(),
    /** Only about the asker, and only where the site shows when people were here, or what they have seen. */
    hidden: z.boolean().exactOptional(),
  }),
  'user:hide': nothing,
  'notify:get': notices,
  'notify:set': notices,
  'client:active': nothing,
  'user:find': z.object({ users: z.array(user), inRoom: z.array(userId) }),
  'device:register': z.object({ id: z.string() }),
  'device:remove': nothing,
  'device:list': z.object({
    devices: z.array(
      z.object({
        id: z.string(),
        kind: z.enum(['browser', 'app']),
        name: z.string().exactOptional(),
        /** When it was registered last. */
        at: time,
      }),
    ),
  }),
  'message:send': z.union([z.object({ message }), z.object({ held })]),
  'message:forward': z.object({ message }),
  'message:edit': z.union([z.object({ message }), z.object({ held })]),
  'message:unpreview': z.object({ message }),
  'message:delete': z.object({ message }),
  'message:react': z.object({ message }),
  /** `total`: all members of the room but the author. */
  'message:seen': z.object({ users: z.array(user), total: counter }),
  'message:pin': nothing,
  'message:unpin': nothing,
  'message:report': nothing,
  'report:list': z.object({
    reports: z.array(report),
    /** How many messages the user has decided about. */
    decided: counter.exactOptional(),
    next,
  }),
  'report:close': z.object({ report }),
  'report:context': z.object({ messages, reports: z.array(report) }),
  'moderate:people': z.object({
    people: z.array(
      z.object({
        user,
        here: z.boolean(),
        /** Open reports of messages of the person. */
        reports: counter,
        /** Mutes and bans. */
        restricted: counter,
      }),
    ),
    /** How many have ever been here. */
    all: counter.optional(),
    next,
  }),
  'moderate:person': z.object({
    user,
    here: z.boolean(),
    lastHere: time.exactOptional(),
    /** When the person came for the first time; absent if that was before the server noted it. */
    since: time.exactOptional(),
    messages: counter,
    /** The room where all of these messages are; absent if they are in several, or none. */
    onlyIn: roomId.exactOptional(),
    /** Messages of the last 24 hours, up to 200, which a ban can delete. */
    recent: counter,
    rooms: z.array(
      z.object({
        room: roomId,
        name: z.string(),
        kind: z.enum(['public', 'private']),
        role,
      }),
    ),
    restrictions: z.array(restrictionOfPerson),
    /** Reports of messages of the person, closed ones too. */
    reports: z.array(report),
    /** How many reports the person has made. */
    reportsBy: counter,
    /** How many messages of the person moderators have deleted, by the acts that are kept. */
    removed: counter,
    may: z.object({ ban: z.boolean(), export: z.boolean(), erase: z.boolean() }),
    /** An erasure deletes these beside the messages; absent unless the user may erase the person. */
    erases: z.object({ files: counter, reactions: counter }).exactOptional(),
  }),
  /** How many messages were deleted. */
  'moderate:ban': z.object({ deleted: counter }),
  'moderate:erase': nothing,
  'moderate:acts': z.object({ acts: z.array(act), next }),
  /** How many are sent again. */
  'moderate:retry': z.object({ events: counter }),
  'moderate:rooms': z.object({
    rooms: z.array(
      z.object({
        room: roomId,
        /** The messages of the last 30 days by UTC. */
        messages: counter,
        files: fileSizes,
      }),
    ),
  }),
  'moderate:overview': z.object({
    /** People who are connected now. */
    here: counter,
    /** The same and people who were in the last seven days and do not hide it; absent where the site does not store it. */
    week: counter.exactOptional(),
    /** Of the last 30 days by UTC, the oldest first. */
    messages: z.array(z.object({ day: z.string().regex(/^\d{4}-\d\d-\d\d$/), count: counter })),
    rooms: counter,
    /** How many of these rooms are private. */
    private: counter,
    /** How many of them were made in the last seven days. */
    fresh: counter,
    /** Open ones. */
    reports: counter,
    /** Of these rooms; absent where nobody can send files. */
    files: fileSizes.exactOptional(),
    /** Events for the site: those that wait, and up to 100 without tries left. For admins, where the site takes events. */
    events: z.object({ waiting: counter, failed: counter }).exactOptional(),
    /** Absent for a single server. */
    servers: z
      .array(
        z.object({
          name: z.string(),
          working: z.boolean(),
          /** People who are connected to it. */
          here: counter,
          /** How many milliseconds it took to store its last announcement; absent as long as it is unknown. */
          took: counter.exactOptional(),
          /** When it was heard last, if it does not work. */
          downSince: time.exactOptional(),
          /** Absent for a server of an earlier version. */
          version: z.string().exactOptional(),
          /** When it was started. */
          since: time.exactOptional(),
        }),
      )
      .exactOptional(),
  }),
  'held:list': z.object({ held: z.array(held), next }),
  'held:approve': z.object({ message }),
  'held:reject': nothing,
  'held:discard': nothing,
  'message:reactions': z.object({ users: z.array(user), next }),
  'message:history': z.object({ messages, threads, complete }),
  'thread:get': z.object({ root: message, thread, following: z.boolean(), messages, complete }),
  'thread:follow': nothing,
  'message:search': z.object({ messages, next }),
  'read:mark': z.object({ room: roomSummary }),
  'typing:set': nothing,
} as const satisfies Record<RequestName, z.ZodType>;

export type Answers = { [E in RequestName]: z.output<(typeof answers)[E]> };

/** Why a session's sockets are closed. */
export const endReasons = ['logout', 'expired', 'user_changed', 'invalid', 'kicked'] as const;
export const removalReasons = ['left', 'removed', 'banned', 'site', 'deleted'] as const;
export type EndReason = (typeof endReasons)[number];
export type RemovalReason = (typeof removalReasons)[number];

const partial = z.literal(true).exactOptional();
const whoIAm = { user, roles: z.array(siteRole), can, profile };

/** Every event of the server, with its payload. */
export const events = {
  'session:ready': z.object({
    protocol: z.literal(1),
    ...whoIAm,
    rooms: z.array(roomSummary),
    /** There are more rooms, which `room:list` returns. */
    more: z.boolean(),
    firstRoom: roomId.exactOptional(),
    /** The name of the server, if it has one. */
    node: z.string().exactOptional(),
    totals,
    /** Characters and mentions per message, bytes per file, files per message. */
    limits: z.object({ text: z.int(), mentions: z.int(), file: z.int(), files: z.int() }),
    serverTime: time,
  }),
  'session:changed': z.object(whoIAm),
  'session:ended': z.object({ reason: z.enum(endReasons) }),
  'message:new': message,
  'message:changed': message,
  'message:reacted': z.object({
    room: roomId,
    seq,
    rev: seq,
    changes: z.array(
      z.object({
        emoji: z.string(),
        /** The number of users who have it now. */
        count: counter,
        added: z.array(userId).exactOptional(),
        removed: z.array(userId).exactOptional(),
      }),
    ),
  }),
  /** `pin` absent: it is not pinned any more. `count`: pinned messages of the room. */
  'pin:changed': z.object({ room: roomId, seq, pin: pin.exactOptional(), count: counter }),
  mention: z.object({
    message,
    /** It does not mention the user, but is a reply in a thread that the user follows. */
    followed: z.literal(true).exactOptional(),
  }),
  'thread:changed': z.object({ room: roomId, threads: z.array(thread) }),
  'thread:followed': z.object({ room: roomId, thread: seq, following: z.boolean() }),
  'room:activity': z.object({
    room: roomId,
    head: counter,
    lastSeq: counter,
    firstSeq: seq.exactOptional(),
    members: counter,
    name: z.string(),
    topic: z.string().exactOptional(),
    last: lastMessage.exactOptional(),
  }),
  'room:added': roomSummary,
  'room:changed': roomSummary,
  'room:removed': z.object({
    room: roomId,
    readable: z.boolean(),
    reason: z.enum(removalReasons),
    /** With a ban: its reason and its end. */
    text: z.string().exactOptional(),
    until: time.exactOptional(),
  }),
  'room:reset': z.object({ room: roomId }),
  'members:changed': z.object({
    room: roomId,
    changed: z.array(z.union([roomMember, z.object({ user, gone: z.literal(true) })])),
    count: counter,
    partial,
  }),
  'presence:changed': z.object({
    room: roomId,
    joined: z.array(user),
    left: z.array(userId),
    count: counter,
    partial,
  }),
  'typing:changed': z.object({ room: roomId, user, typing: z.boolean() }),
  /** `mentions`: the mark has fallen back to `seq`, and so many mentions are unread now. */
  'read:changed': z.object({ room: roomId, user: userId, seq: counter, mentions: counter.exactOptional() }),
  'seen:changed': z.object({ room: roomId, seq, users: z.array(user), total: counter }),
  'report:changed': z.object({ report, open: counter }),
  /** `by`: who has decided; for moderators alone. */
  'held:changed': z.object({
    id: z.string(),
    room: roomId,
    is: z.enum(['held', 'approved', 'rejected', 'discarded']),
    held: held.exactOptional(),
    by: user.exactOptional(),
  }),
  'blocked:changed': z.object({ user: userId, blocked: z.boolean() }),
  push: z.object({ name: z.string(), data: z.unknown().exactOptional() }),
} as const;

export type EventName = keyof typeof events;
export type EventPayload<E extends EventName> = z.output<(typeof events)[E]>;
export type SessionReady = EventPayload<'session:ready'>;
export type SessionChange = EventPayload<'session:changed'>;
export type PinChange = EventPayload<'pin:changed'>;
export type PresenceChange = EventPayload<'presence:changed'>;
export type MembersChange = EventPayload<'members:changed'>;
export type MessageReacted = EventPayload<'message:reacted'>;
export type RoomActivity = EventPayload<'room:activity'>;

/** For socket.io's typed sockets, on either side. */
export type ClientToServer = {
  [E in RequestName]: (
    payload: z.input<(typeof requests)[E]>,
    ack: (answer: Answer<Answers[E]>) => void,
  ) => void;
};
export type ServerToClient = { [E in EventName]: (payload: EventPayload<E>) => void };

export interface RequestFailure {
  code: RequestErrorCode;
  message: string;
  retryAfterMs?: number;
  /** With `conflict` of `message:edit`: the message as it is now. */
  current?: Message;
}

/** The `data` of a `connect_error`. */
export interface ConnectFailure {
  code: ConnectErrorCode;
  message: string;
  retryable: boolean;
  retryAfterMs?: number;
  /** With `unauthorized`: `CHAT_LOGIN_URL`, where the operator has set it. */
  loginUrl?: string;
}

export type Answer<T> = { ok: true; data: T } | { ok: false; error: RequestFailure };

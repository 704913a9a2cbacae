import { z } from 'zod';
import { asLine, isBlank } from '../text/blank.ts';
import { isMailAddress } from '../text/mail-address.ts';
import { colors } from './avatar.ts';
import {
  cardRef,
  editedContent,
  file,
  holdings,
  mention,
  poll,
  preview,
  scheduledContent,
  sentContent,
  shownContent,
  waitingContent,
} from './content.ts';
import { type ConnectErrorCode, type RequestErrorCode, requestErrors } from './errors.ts';
import { mostOptions } from './polls.ts';
import { longestNote, longestSnippet, longestSnippetName } from './questions.ts';
import {
  clientId,
  counter,
  date,
  entryId,
  fileId,
  line,
  plainLine,
  roomId,
  seq,
  time,
  upTo,
  user,
  userId,
  visible,
} from './values.ts';

export { cardRef, mostFiles, mostMentions, peaks } from './content.ts';
export { loginId, ownUserId, roomId, siteRoomId, userId, userName } from './values.ts';

/**
 * The wire contract (docs/protocol.md) as schemas. The server validates all client input with them, and
 * docs/asyncapi.json is generated from them. The browser client imports only the types.
 */

/** A year. */
export const longestSeconds = 31_536_000;
/** The reason of a ban, from the site. */
export const banReason = upTo(250).transform(asLine);
export const roomName = visible(80);
export const topic = plainLine(250);
/** Maximum members of a room with `message:seen`. */
export const mostSeers = 50;
/** Maximum cards that the site can suggest. */
export const mostCards = 8;
/** Maximum buttons of a card. */
export const mostButtons = 3;

const kind = z.enum(['public', 'private', 'direct']);
const role = z.enum(['owner', 'moderator', 'member']);
const siteRole = z.enum(['admin', 'moderator', 'team', 'guest', 'reader']);
const notify = z.enum(['all', 'mentions', 'none']);
const write = z.enum(['all', 'moderators']);
const right = z.enum(['send', 'invite', 'update', 'remove', 'moderate', 'pin', 'roles', 'delete', 'leave']);

/** Deleted messages of a room, without those shown only in a thread: the first `seq` of each run, and its length. */
const runs = z.array(z.tuple([seq, seq]));

/** The newest message of a room in its current state. */
const lastMessage = z.object({
  seq: seq.describe('The number of the message in the room.'),
  user: user.describe('The author.'),
  text: z.string().describe('Cut to 120 characters.'),
  sentAt: time.describe('When it was stored, as Unix time in milliseconds.'),
  deletedAt: time.exactOptional().describe('When it was deleted. Absent if it was not deleted.'),
  files: seq.exactOptional().describe('The number of files.'),
  pictures: seq.exactOptional().describe('The number of pictures among the files. Absent if 0.'),
  voice: counter
    .exactOptional()
    .describe(
      'The duration in milliseconds if the first file is a voice message, or 0 if it is unknown. Absent if there is none.',
    ),
  card: z.literal(true).exactOptional().describe('Whether the text is only the reference of a card.'),
  hidden: z
    .literal(true)
    .exactOptional()
    .describe('Whether this user blocked the author. Not in events to several users.'),
});

/** A pinned message in its current state. */
const pin = lastMessage.extend({
  by: user.describe('The user who pinned the message.'),
  at: time.describe('When the message was pinned, as Unix time in milliseconds.'),
  after: counter.describe('The newest message at that time. Clients show “… pinned a message” after it.'),
});
/** A single emoji that Unicode recommends for general interchange. */
const emoji = z
  .string()
  .max(40)
  .refine((text) => /^\p{RGI_Emoji}$/v.test(text));

/** The room settings in an update. Default values are not stored. */
const roomSettings = z.object({
  write: write.exactOptional(),
  slow: z.int().min(0).max(3600).exactOptional(),
  previews: z.enum(['on', 'off']).exactOptional(),
  seen: z.enum(['on', 'off']).exactOptional(),
  color: z.enum(['', ...colors]).exactOptional(),
  emoji: emoji.or(z.literal('')).exactOptional(),
  picture: fileId.or(z.literal('')).exactOptional(),
});

/** What a question is about. */
export const aboutQuestion = z.object({
  page: z
    .string()
    .max(1000)
    .regex(/^\/(?![/\\])[!-~]*$/)
    .describe('The page where it was asked, as a path on the site.'),
  title: line(200).exactOptional().describe('The title of the page.'),
  card: cardRef.exactOptional().describe('The reference of a card of the site.'),
});

const questionState = {
  state: z.enum(['open', 'closed']).describe('Whether it is open.'),
  asker: user.describe('The user who asks. Has the ID 0 after the erasure of this user.'),
  by: user
    .exactOptional()
    .describe('The member of the team who has the question. Absent if it is unassigned.'),
  about: aboutQuestion.exactOptional().describe('What it is about.'),
  address: z
    .enum(['given', 'verified'])
    .exactOptional()
    .describe('Whether a guest gave a mail address, and answered a mail from it. Absent without address.'),
};

/** A room as its reader sees it. */
const roomSummary = z.object({
  id: roomId.describe('The room ID.'),
  name: z
    .string()
    .describe(
      'The name; in a direct room, the name of the other user. For the team, a question has also that of its asker.',
    ),
  topic: z.string().exactOptional().describe('The topic.'),
  kind: kind.describe('Who can read the room.'),
  member: z.boolean().describe('Whether the reader is a member.'),
  members: counter.describe('The number of members.'),
  role: role.exactOptional().describe('The role of the reader. Absent if the reader is not a member.'),
  may: z.array(right).describe('The rights of the reader.'),
  with: user.exactOptional().describe('The other user of a direct room. Absent in other rooms.'),
  present: z.boolean().exactOptional().describe('Whether the other user of a direct room is online.'),
  readByOther: counter
    .exactOptional()
    .describe('In a direct room, the `seq` of the last message that the other user read.'),
  head: counter.describe('The number of the last change of the room.'),
  lastSeq: counter.describe('The `seq` of the newest message, if there is one.'),
  firstSeq: seq
    .exactOptional()
    .describe('The `seq` of the oldest message that has not expired. Absent if none has expired.'),
  readSeq: counter.describe('The `seq` of the last message that the reader read.'),
  unread: counter.describe(
    'The number of unread messages, without deleted ones and those shown only in a thread.',
  ),
  threadOnly: counter
    .exactOptional()
    .describe('The number of messages that were ever sent only to a thread of the room. Absent without any.'),
  deleted: runs
    .exactOptional()
    .describe(
      'Messages after `readSeq` that are not unread: deleted ones, and own ones that were sent while others were unread. Only for members. Absent without any.',
    ),
  mentions: counter.describe(
    'The number of unread messages that mention the reader or all members, or reply in a followed thread.',
  ),
  last: lastMessage.exactOptional().describe('The newest message. Absent if the room is empty.'),
  notify: notify.describe('Which messages the reader is notified of.'),
  quietForMs: seq
    .exactOptional()
    .describe(
      'The remaining time of a timed mute in milliseconds. Until then, the room counts as one with `notify` `none`.',
    ),
  favourite: counter
    .exactOptional()
    .describe(
      'The position among the favourites of the reader, which clients show first. Absent if the room is not a favourite.',
    ),
  archived: z.literal(true).exactOptional().describe("Whether the room is in the reader's archive."),
  write: write.describe('Who can write.'),
  slow: z
    .int()
    .min(1)
    .exactOptional()
    .describe(
      'The minimum interval in seconds between messages of a user who is not a moderator. Absent without a minimum.',
    ),
  mutedForMs: counter
    .exactOptional()
    .describe(
      'The remaining time in milliseconds for which the reader is muted, or the largest safe integer if the mute is permanent.',
    ),
  mutedReason: z.string().exactOptional().describe('Why the reader is muted. Absent without a reason.'),
  reports: counter
    .exactOptional()
    .describe('The number of open reports, for readers with the right `moderate`. Absent for others.'),
  previews: z
    .enum(['off', 'asked'])
    .exactOptional()
    .describe(
      'Present if links have no previews in this room. `asked`: in a direct room, the reader wants previews but the other user did not agree yet. If absent, `can.previews` decides.',
    ),
  seen: z
    .literal('off')
    .exactOptional()
    .describe(
      'Present if authors cannot see who read their messages in this room. If absent, `can.seen` decides.',
    ),
  color: z
    .enum(colors)
    .exactOptional()
    .describe("The colour of the room's icon. Absent if clients choose one."),
  emoji: z.string().exactOptional().describe("The emoji of the room's icon."),
  picture: fileId
    .exactOptional()
    .describe("The ID of the picture of the room's icon, which is shown instead of the emoji."),
  pins: seq.exactOptional().describe('The number of pinned messages. Absent without any.'),
  question: z
    .object(questionState)
    .exactOptional()
    .describe('The question to the team of the site. Absent in other rooms.'),
});

/** A question as the team sees it. */
const question = z.object({
  room: roomId.describe('The room ID.'),
  name: z.string().describe('The name of the room: the first line of the text that opened it.'),
  ...questionState,
  openedAt: time.describe('When it was last opened, as Unix time in milliseconds.'),
  waitingSince: time
    .exactOptional()
    .describe(
      "The asker's first message after the team's last one. Absent after an answer, and when it is closed.",
    ),
  answeredAt: time.exactOptional().describe('The first answer after it was opened. Absent without answer.'),
  closedAt: time.exactOptional().describe('When it was closed. Absent while it is open.'),
  last: lastMessage.exactOptional().describe('The newest message. Absent if it expired.'),
});

/** An internal note of the team. */
const note = z.object({
  id: z.string().describe('The ID of the note.'),
  room: roomId.describe('The room ID.'),
  after: counter.describe('The newest message at that time. Clients show the note after it.'),
  user: user.describe('The author.'),
  text: z.string().describe('The text.'),
  at: time.describe('When it was written, as Unix time in milliseconds.'),
});

const snippets = z.array(
  z.object({
    name: z.string().describe('The name, by which the team finds it.'),
    text: z.string().describe('The text. Clients replace `{name}` with the name of the asker.'),
  }),
);

const roomMember = z.object({
  user: user.describe('The user.'),
  role: role.describe('The role of the member in the room.'),
  present: z.boolean().describe('Whether the member is online.'),
  after: counter
    .exactOptional()
    .describe('With `joined`: the newest message when the membership began, 0 for none.'),
});

/** Reactions with the same emoji to a message, or votes for the same option. */
const reaction = z.object({
  emoji: z
    .string()
    .describe('The emoji. For votes, the number of the option, in an anonymous poll after `?`.'),
  count: seq.describe('The number of users.'),
  users: z.array(userId).describe('The first 10 users by time. Empty in an anonymous poll.'),
  mine: z
    .literal(true)
    .exactOptional()
    .describe('Whether the requesting user is one of the users. Only in responses.'),
});

/** The `access` of file URLs, for a login by ticket or a guest. With a ticket, it expires when the ticket does. */
const fileAccess = z.string();

/** The ID of a button, which the site chooses. */
export const cardButtonId = z.string().regex(/^[\w.:-]{1,64}$/);
/** What the site says about a reference to one user. Other users may get another card, or none. */
const card = z.object({
  about: cardRef.describe('The reference.'),
  title: z.string().describe('The title.'),
  text: z.string().exactOptional().describe('The text. May have several lines.'),
  state: z.string().exactOptional().describe('The state, such as “shipped”.'),
  image: z.string().exactOptional().describe('A picture, as a path on the site.'),
  url: z.string().exactOptional().describe('The page of the subject, as a path on the site.'),
  buttons: z
    .array(
      z.object({
        id: cardButtonId.describe('The ID, which the site chose.'),
        label: z.string().describe('The label.'),
      }),
    )
    .max(mostButtons)
    .exactOptional()
    .describe('The buttons.'),
});

/** A stored message. */
const message = z.object({
  id: z.string().describe('The message ID.'),
  room: roomId.describe('The room ID.'),
  seq: seq.describe('The number of the message in the room, without gaps.'),
  rev: seq.describe('The number of the last change of the message, counted in the room.'),
  clientId: clientId.describe('The ID that the sending client chose.'),
  user: user.describe('The author, with the name at the time of sending.'),
  sentAt: time.describe('When it was stored, as Unix time in milliseconds.'),
  editedAt: time.exactOptional().describe('When it was last edited. Absent if it was not edited.'),
  deletedAt: time.exactOptional().describe('When it was deleted. Absent if it was not deleted.'),
  deletedBy: z
    .enum(['author', 'moderator'])
    .exactOptional()
    .describe('Who deleted it. Absent if it was not deleted, or was deleted with the data of its author.'),
  thread: seq
    .exactOptional()
    .describe(
      'For a reply, the first message of the thread, which may be expired. Absent if it is not a reply.',
    ),
  ...shownContent,
  hidden: z
    .literal(true)
    .exactOptional()
    .describe('Whether the requesting user blocked the author. Only in responses.'),
  reactions: z
    .array(reaction)
    .exactOptional()
    .describe('The reactions in order of first use, then the votes by option. Absent without reactions.'),
});

/** A summary of a thread. Excludes deleted replies, and replies of users whom the requesting user blocked. */
const thread = z.object({
  thread: seq.describe('The thread, as in its replies.'),
  root: seq.describe('The first message that is not expired. Clients show the thread below it.'),
  replies: counter.describe('The number of replies.'),
  authors: z.array(user).describe('The last authors, newest first.'),
  lastAt: time
    .exactOptional()
    .describe('When the last reply was stored, as Unix time in milliseconds. Absent without replies.'),
  new: seq.exactOptional().describe('Replies that the requesting member did not read. Only in responses.'),
});

const reportReason = z.enum(['spam', 'abuse', 'other']);
const reportEnd = z.enum(['deleted', 'muted', 'banned', 'nothing']);

/** A report of a message. */
const report = z.object({
  id: z.string().describe('The ID of the report.'),
  room: roomId.describe('The room ID.'),
  message: message.describe(
    'The reported version, or the current version if the report is closed. For users who may not read the room, a closed report has no text, files and later changes.',
  ),
  by: user.describe('The user who reported it.'),
  reason: reportReason.describe('The reason.'),
  text: z.string().exactOptional().describe('The text of the reporter.'),
  at: time.describe('When it was reported, as Unix time in milliseconds.'),
  closed: z
    .object({
      by: user.describe('The moderator.'),
      done: reportEnd.describe('The action.'),
      at: time.describe('When it was closed, as Unix time in milliseconds.'),
    })
    .exactOptional()
    .describe('How it was closed. Absent while it is open.'),
});

const restrictionKind = z.enum(['muted', 'banned']);

/** A mute or a ban of a user. */
const restrictionOfPerson = z.object({
  room: roomId.exactOptional().describe('Absent if the ban is from the whole site.'),
  name: z.string().exactOptional().describe('The name of the room.'),
  kind: restrictionKind,
  until: time.exactOptional(),
  reason: z.string().exactOptional(),
  by: user.exactOptional().describe('Absent if it is from the PHP application.'),
});

/** The kinds of audit entries. */
const actKinds = [
  'muted',
  'unmuted',
  'banned',
  'unbanned',
  'removed',
  'message_deleted',
  'pinned',
  'unpinned',
  'marked',
  'unmarked',
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
 * `site`: audit entries outside of rooms, in rooms of the site, and by the PHP application. `rooms`: all other audit
 * entries in rooms of users.
 */
export const auditScopes = ['site', 'rooms'] as const;
export type AuditScope = (typeof auditScopes)[number];

/** An audit entry. It does not contain texts of messages. */
const act = z.object({
  kind: z.enum(actKinds),
  at: time,
  /** Absent if the PHP application did it. */
  by: user.exactOptional(),
  user: user.exactOptional(),
  /** The room and its name. `name` is absent if the room was deleted. */
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
/**
 * Why a message needs approval: all messages do, or it is its author's first, has a link, or has a word of
 * CHAT_HOLD_WORDS.
 */
const holdReason = z.enum(['first', 'links', 'words', 'all']);
export type HoldReason = z.output<typeof holdReason>;

/**
 * A message, or an edit of the message `seq`, that is pending approval or was rejected. It is not in the room yet, so
 * only its author and the moderators see it.
 */
const held = z.object({
  id: z.string().describe('The ID of the pending message.'),
  room: roomId.describe('The room ID.'),
  user: user.describe('The author.'),
  clientId: clientId.exactOptional().describe('The ID that the sending client chose. Absent on an edit.'),
  seq: seq.exactOptional().describe('The edited message. Absent on a new message.'),
  why: holdReason.describe('Why it needs approval.'),
  ...waitingContent,
  files: waitingContent.files.describe(
    'The files in display order. Absent without files, and on an edit that does not change them.',
  ),
  preview: waitingContent.preview.describe(
    'A preview of the first link in the text. Absent on an edit without a new link.',
  ),
  at: time.describe('When it was sent, as Unix time in milliseconds.'),
  rejected: z
    .object({
      at: time.describe('When it was rejected, as Unix time in milliseconds.'),
      reason: z.string().exactOptional().describe('The reason that the moderator gave.'),
    })
    .exactOptional()
    .describe('The rejection by a moderator. Absent while the message is pending.'),
});
export type Held = z.output<typeof held>;

const errorCode = z.enum(Object.keys(requestErrors) as [RequestErrorCode, ...RequestErrorCode[]]);

/** A message that its author wrote to be sent at the time `at`. Only its author sees it. */
const scheduled = z.object({
  id: z.string().describe('The ID of the scheduled message.'),
  room: roomId.describe('The room ID. The author may have lost the room.'),
  clientId: clientId.describe('The ID that the client chose. The sent message keeps it.'),
  rev: seq.describe('Rises by one with each edit.'),
  ...waitingContent,
  preview: waitingContent.preview.describe(
    'The address of the first link in the text. The page is fetched when the message is sent.',
  ),
  at: time.describe('When it is sent, as Unix time in milliseconds.'),
  failed: z
    .object({
      at: time.describe('When sending failed, as Unix time in milliseconds.'),
      code: errorCode.describe('The error code.'),
    })
    .exactOptional()
    .describe('Why it was not sent. Absent while it is scheduled.'),
});
export type Scheduled = z.output<typeof scheduled>;

/** A private reminder of a message. */
const reminder = z.object({
  id: z.string().describe('The ID of the reminder.'),
  room: roomId.describe('The room ID.'),
  seq: seq.describe('The number of the message in the room.'),
  at: time.describe('When it is due, as Unix time in milliseconds.'),
  due: z
    .literal(true)
    .exactOptional()
    .describe('Whether the time `at` is over. The user did not delete it yet.'),
  message: message.exactOptional().describe('The message. Absent if the user can no longer see it.'),
});

/** An invite link to a private room. Only its creator receives the token, once. */
const invite = z.object({
  id: z.string().describe('The ID of the link.'),
  by: user.describe('The user who created it.'),
  at: time.describe('When it was created, as Unix time in milliseconds.'),
  until: time.exactOptional().describe('When it expires. Absent if the link does not expire.'),
  uses: seq.exactOptional().describe('Maximum users who can join by the link. Absent without a limit.'),
  used: counter.describe('The number of users who joined by the link.'),
});

/** Actions that the operator's settings allow a user. All other actions are `forbidden`. */
const can = z.object({
  createPublic: z.boolean().describe('Whether the user may create public rooms.'),
  createPrivate: z.boolean().describe('Whether the user may create private rooms.'),
  direct: z.boolean().describe('Whether the user may open direct rooms.'),
  findPeople: z.boolean().describe('Whether the user may search for other users.'),
  files: z.boolean().describe('Whether the user may upload files.'),
  previews: z.boolean().describe('Whether the operator allows previews of links.'),
  cards: z.literal(true).exactOptional().describe('Messages can have cards of the site.'),
  seen: z.boolean().describe('Whether authors can see who read their messages.'),
  push: z.boolean().describe('Whether browsers can be notified while no page is open.'),
  report: z.boolean().describe('Whether the user may report messages.'),
  mail: z.boolean().describe('Whether offline users receive mails, from this server or from the site.'),
  hold: z.boolean().describe('Whether messages of the user may need approval.'),
  ask: z.literal(true).exactOptional().describe('Whether the user may ask the team of the site.'),
  address: z
    .literal(true)
    .exactOptional()
    .describe('Whether the user, a guest, can leave a mail address for the answers.'),
  /** The parts of the moderators' page besides the reports. Absent for users without a role on the site. */
  moderate: z
    .object({
      /** Users and their restrictions, bans from the whole site, and the overview. */
      people: z.boolean(),
      /** The audit log. */
      log: z.boolean(),
      /** Whether the data of users can be exported and erased. */
      data: z.boolean(),
    })
    .exactOptional(),
});
/** URL templates. Clients replace `{id}` with the percent-encoded user ID. */
const profile = z.object({
  avatar: z
    .string()
    .exactOptional()
    .describe("The address of a user's picture, with `{id}` for the percent-encoded user ID."),
  url: z
    .string()
    .exactOptional()
    .describe("The address of a user's profile page, with `{id}` for the percent-encoded user ID."),
});
/** Sums over the rooms of a user, except muted rooms. */
const totals = z.object({ unread: counter, mentions: counter });

/** The shapes that events and responses share, by their names in docs/protocol.md. */
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
  Poll: poll,
  Card: card,
  Report: report,
  Restriction: restrictionOfPerson,
  Act: act,
  Invite: invite,
  Question: question,
  Note: note,
  Held: held,
  Scheduled: scheduled,
  Reminder: reminder,
} as const;

export type User = z.output<typeof user>;
export type Reminder = z.output<typeof reminder>;
export type RoomKind = z.output<typeof kind>;
export type RoomRole = z.output<typeof role>;
/**
 * Roles on the whole site: from the session (`CHAT_USER_ROLES`), `team` for users of `CHAT_TEAM`, `guest` for a visitor
 * without a login, and `reader` for a guest who may not write.
 */
export type SiteRole = z.output<typeof siteRole>;
export type Notify = z.output<typeof notify>;
export type Write = z.output<typeof write>;
export type RoomSettings = z.output<typeof roomSettings>;
/** An action that a user may take in a room. See `RoomSummary.may`. */
export type Right = z.output<typeof right>;
export type LastMessage = z.output<typeof lastMessage>;
export type Pin = z.output<typeof pin>;
export type RoomSummary = z.output<typeof roomSummary>;
export type RoomMember = z.output<typeof roomMember>;
export type Message = z.output<typeof message>;
export type MessageFile = z.output<typeof file>;
export type ChosenFile = NonNullable<z.output<typeof sentContent.files>>[number];
export type Thread = z.output<typeof thread>;
export type Mention = z.output<typeof mention>;
export type Report = z.output<typeof report>;
export type ReportEnd = z.output<typeof reportEnd>;
export type RestrictionOfPerson = z.output<typeof restrictionOfPerson>;
export type ShownAct = z.output<typeof act>;
export type Invite = z.output<typeof invite>;
export type Question = z.output<typeof question>;
export type QuestionAbout = z.output<typeof aboutQuestion>;
export type Note = z.output<typeof note>;
export type Reaction = z.output<typeof reaction>;
export type Preview = z.output<typeof preview>;
export type Poll = z.output<typeof poll>;
export type Card = z.output<typeof card>;
/** The user who gets a card, as the site learns it. `lang`: the language of the client. */
export type CardReader = User & { lang?: string };
/** What a card is about. The author of the message, a user ID, chose it. */
export interface CardReference {
  about: string;
  author: string;
}
export type Can = z.output<typeof can>;
export type Profile = z.output<typeof profile>;
export type Totals = z.output<typeof totals>;

/** Long enough for the sort key of a name, where U+FDFA becomes 18 characters. */
const cursor = z.string().min(1).max(4096);
const limit = (most: number, usual = most) => z.int().min(1).max(most).default(usual);
/** A mute or a ban. `seconds`: 0 lifts it, and without a value it is permanent. */
const restriction = z.object({
  room: roomId,
  user: userId,
  seconds: z.int().min(0).max(longestSeconds).optional(),
  reason: line(250).optional(),
});
const holding = z.enum(holdings);
const query = line(100).refine((text) => !isBlank(text));
const clockTime = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/);
/** An IANA name such as `Europe/Paris`. */
export const zone = z
  .string()
  .max(64)
  .refine((name) => isZone(name));
/** A daily period without notifications. It may end on the next day. */
const quiet = z.object({
  from: clockTime.describe('The start, as `HH:MM`.'),
  to: clockTime.describe('The end, as `HH:MM`.'),
  zone: zone
    .optional()
    .describe(
      'The time zone, such as `Europe/Paris`. Absent: the zone that the server has stored for the user.',
    ),
});
/** A language tag such as `pt-BR`. */
const language = z
  .string()
  .regex(/^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,3}$/)
  .max(16);
const noticeText = z.enum(['text', 'name', 'nothing']);

/**
 * Whether both accept a zone: `Temporal`, which computes quiet hours, and `Intl`, which formats times and also knows
 * `PST`.
 */
function isZone(name: string): boolean {
  try {
    Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(name);
    return Boolean(new Intl.DateTimeFormat('en', { timeZone: name }));
  } catch {
    return false;
  }
}

/** The token of an invite link. Its format is not checked further, because an invalid token is not found. */
const token = z.string().regex(/^[!-~]{1,128}$/);

/** A reply that is only in its thread must name the message that it replies to. */
const isReplyIfThreadOnly = ({ replyTo, threadOnly }: { replyTo?: unknown; threadOnly?: unknown }) =>
  threadOnly === undefined || replyTo !== undefined;
const needsReplyTo = { message: 'threadOnly needs replyTo' };

/** The field is not `room`, because members of the team need not be members of the room. */
const ofQuestion = z.object({ question: roomId });
/** Accepts a text of several lines that is not blank. */
const paragraphs = (most: number) =>
  upTo(most).refine((text) => text.isWellFormed() && !isBlank(text) && !/[^\P{Cc}\t\n]/u.test(text), {
    message: 'must have a visible character, and no control characters but tab and LF',
  });

/** The payloads of all requests. Unknown fields are ignored. */
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
    joined: z
      .literal(true)
      .optional()
      .describe(
        'In a private room, answers `after` for members who joined, were invited or created it. Not with `present: true`.',
      ),
  }),
  'room:notify': z.object({
    room: roomId,
    notify,
    quietForMs: z
      .int()
      .min(1)
      .max(longestSeconds * 1000)
      .optional(),
  }),
  'room:arrange': z
    .object({
      room: roomId,
      favourite: counter.nullable().optional(),
      archived: z.boolean().optional(),
    })
    .refine(({ favourite, archived }) => archived !== true || favourite == null, {
      message: 'an archived room cannot be a favourite',
    }),
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
    /** 0 if the link does not expire. */
    seconds: z.int().min(0).max(longestSeconds).default(604_800),
    /** 0 for any number of users. */
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
    quiet: quiet.nullable().optional(),
    text: noticeText.optional(),
    lang: language.optional(),
  }),
  'client:active': z.object({ zone: zone.optional(), lang: language.optional() }),
  'user:find': z.object({ query, room: roomId.optional(), limit: limit(20) }),
  'device:register': z
    .object({
      /** For an app, the token from its push service. */
      token: z
        .string()
        .regex(/^[\x21-\x7e]{1,4096}$/)
        .optional(),
      /** For a browser, its `PushSubscription` and the public key that it subscribed with. */
      endpoint: z.string().max(2048).optional(),
      p256dh: z.string().max(100).optional(),
      auth: z.string().max(40).optional(),
      key: z.string().max(100).optional(),
      /** The page that a click on the notification opens. */
      page: z.string().max(1000).optional(),
      name: line(64).optional(),
    })
    .refine(
      ({ token, endpoint, p256dh, auth, key, page }) =>
        [endpoint, p256dh, auth, key, page].every((one) => (one === undefined) === (token !== undefined)),
      { message: 'give either token, or endpoint, p256dh, auth, key and page' },
    ),
  'device:remove': z.object({ id: entryId }),
  'session:renew': z.object({ ticket: z.string().max(4096) }),
  'device:list': z.object({}),
  'message:send': z
    .object({
      room: roomId,
      clientId,
      ...sentContent,
    })
    .refine(isReplyIfThreadOnly, needsReplyTo),
  'message:forward': z.object({ room: roomId, from: z.object({ room: roomId, seq }), clientId }),
  'message:edit': z.object({
    room: roomId,
    seq,
    rev: seq.optional(),
    ...editedContent,
  }),
  'message:unpreview': z.object({ room: roomId, seq }),
  'message:delete': z.object({ room: roomId, seq, reason: line(250).optional() }),
  'message:react': z.object({ room: roomId, seq, emoji, on: z.boolean() }),
  'poll:vote': z.object({
    room: roomId,
    seq,
    /** The numbers of the chosen options, from 1. They replace an earlier choice. */
    choice: z
      .array(z.int().min(1).max(mostOptions))
      .max(mostOptions)
      .refine((choice) => new Set(choice).size === choice.length, { message: 'an option appears twice' }),
  }),
  'poll:end': z.object({ room: roomId, seq }),
  'card:get': z
    .object({
      room: roomId,
      seq: seq.optional(),
      /** The ID of a pending message, instead of `seq`. */
      held: entryId.optional(),
      lang: language.optional(),
    })
    .refine(({ seq, held }) => (seq === undefined) !== (held === undefined), {
      message: 'give either seq or held',
    }),
  'card:find': z.object({
    room: roomId,
    /** What the page is about. */
    about: cardRef.optional(),
    /** The typed words. */
    query: line(100).default(''),
    lang: language.optional(),
  }),
  'card:press': z.object({ room: roomId, seq, button: cardButtonId, clientId, lang: language.optional() }),
  'message:seen': z.object({ room: roomId, seq }),
  'message:mark': z.object({ room: roomId, seq, important: z.boolean() }),
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
    /** Requests `decided`, counted from this time. */
    since: time.optional(),
    cursor: cursor.optional(),
    limit: limit(100, 50),
  }),
  'report:close': z.object({
    id: entryId,
    done: reportEnd,
    /** Duration of `muted` and `banned`. Permanent if absent. */
    seconds: z.int().min(1).max(longestSeconds).optional(),
    reason: line(250).optional(),
    /** Also closes the other open reports of the message. */
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
      /** Permanent if absent. */
      seconds: z.int().min(1).max(longestSeconds).optional(),
      reason: line(250).optional(),
      /** Also deletes the messages of the last 24 hours. */
      messages: z.literal('delete').optional(),
      /** Ends the ban. */
      end: z.boolean().default(false),
    })
    .refine(({ seconds, reason, messages, end }) => !end || (seconds ?? reason ?? messages) === undefined, {
      message: 'end cannot be used with seconds, reason or messages',
    }),
  'moderate:erase': z.object({
    user: userId,
    /** The exact name of the user, as a safeguard against a wrong ID. */
    name: z.string().max(250),
    /** Kept in the audit log. */
    reason: line(250).optional(),
  }),
  'moderate:acts': z.object({
    scope: z.enum(auditScopes).optional(),
    cursor: cursor.optional(),
    limit: limit(100, 50),
  }),
  /** The response omits rooms that the user may not see. */
  'moderate:rooms': z.object({ rooms: z.array(roomId).min(1).max(100) }),
  'moderate:overview': z.object({}),
  'moderate:retry': z.object({}),
  'held:list': z.object({
    /** Lists the user's own messages, including rejected messages, instead of those that the user can approve. */
    mine: z.literal(true).optional(),
    cursor: cursor.optional(),
    limit: limit(100, 50),
  }),
  'held:approve': z.object({
    id: entryId,
    /** Whether to publish the preview. False if the moderator did not see it. */
    preview: z.boolean().default(true),
  }),
  'held:reject': z.object({ id: entryId, reason: line(250).optional() }),
  'held:discard': z.object({ id: entryId }),
  'scheduled:add': z
    .object({
      room: roomId,
      /** When to send it. At once if this is in the past. */
      at: time,
      clientId,
      ...scheduledContent,
    })
    .refine(isReplyIfThreadOnly, needsReplyTo),
  'scheduled:list': z.object({}),
  'scheduled:edit': z.object({
    id: entryId,
    rev: seq.optional(),
    at: time.optional(),
    ...z.object(editedContent).partial().shape,
  }),
  'scheduled:send': z.object({ id: entryId }),
  'scheduled:delete': z.object({ id: entryId }),
  'reminder:set': z.object({ room: roomId, seq, at: date }),
  'reminder:list': z.object({}),
  'reminder:delete': z.object({ id: entryId }),
  'message:reactions': z.object({
    room: roomId,
    seq,
    /** An emoji, or the number of an option. */
    emoji: emoji.or(z.string().regex(/^([1-9]|10)$/)),
    cursor: cursor.optional(),
  }),
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
  'question:about': z.object({}),
  'question:ask': z.object({ text: z.string(), clientId, about: aboutQuestion.optional() }),
  'question:address': z.object({ mail: z.string().refine(isMailAddress).nullable() }),
  /** `guest`: the secret with which the user was connected as a guest. */
  'question:claim': z.object({ guest: z.string().regex(/^[A-Za-z0-9_-]{43}$/) }),
  'question:list': z.object({
    which: z.enum(['mine', 'unassigned', 'all', 'closed']),
    cursor: cursor.optional(),
    limit: limit(100, 50),
  }),
  'question:open': ofQuestion,
  'question:take': ofQuestion,
  'question:hand': ofQuestion.extend({ to: userId }),
  'question:close': ofQuestion,
  'question:note': ofQuestion.extend({ text: paragraphs(longestNote), clientId }),
  'question:unnote': ofQuestion.extend({ id: entryId }),
  'question:snippets': z.object({}),
  'question:snippet': z.object({
    name: visible(longestSnippetName),
    text: paragraphs(longestSnippet).or(z.literal('')),
  }),
} as const;

export type RequestName = keyof typeof requests;
export type RequestPayload<E extends RequestName> = z.output<(typeof requests)[E]>;

const nothing = z.object({});
const notices = z.object({
  mail: z
    .union([z.enum(['off', 'daily']), z.number()])
    .describe('Never, daily at 09:00, or after this delay in minutes. Default: CHAT_NOTIFY_AFTER.'),
  mailTo: z
    .string()
    .nullable()
    .exactOptional()
    .describe(
      'The address of the user, or null if the site does not have it. Absent if the site sends the mails.',
    ),
  mailStoppedAt: time
    .exactOptional()
    .describe(
      'When the user turned off mails by the link in a mail, as Unix time in milliseconds. Absent if they did not.',
    ),
  push: z.boolean().describe('Whether the devices of the user get pushes.'),
  quiet: quiet
    .required()
    .nullable()
    .describe(
      'Hours without notifications, in the time zone of the user. Default: 22:00 to 07:00. Null if there are none.',
    ),
  text: noticeText.describe(
    'What notifications show: author and text, only the author (`name`), or neither (`nothing`).',
  ),
});
const next = z.string().exactOptional();
const fileSizes = z.object({ bytes: counter, more: z.literal(true).exactOptional() });
const connected = z.boolean().describe('Whether the user is connected.');
const failed = z.array(z.object({ user: userId, code: errorCode }));
const messages = z.array(message);
const complete = z.boolean();
/** The threads of the messages in a response. Absent without threads. */
const threads = z.array(thread).exactOptional();
const reset = z.literal(true).exactOptional();
const shownCard = z.object({
  card: card.exactOptional().describe('Absent if the site does not show it to this user.'),
});

/** The `data` of the response to each request. */
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
  'room:arrange': z.object({ room: roomSummary }),
  'room:previews': z.object({ room: roomSummary }),
  'room:mute': nothing,
  'room:ban': nothing,
  'room:restricted': z.object({
    users: z.array(
      z.object({
        user: user.describe('The user.'),
        kind: restrictionKind.describe('The kind.'),
        until: time
          .exactOptional()
          .describe('The end, as Unix time in milliseconds. Absent if it is permanent.'),
        reason: z.string().exactOptional().describe('The reason.'),
        by: user.describe('The user who restricted the user.'),
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
    by: user.describe('The user who created the link.'),
    name: z.string().describe('The name of the room.'),
    topic: z.string().exactOptional().describe('The topic.'),
    members: counter.describe('The number of members.'),
    present: counter.describe('The number of present members.'),
    people: z.array(user).describe('Up to 3 of the members.'),
    room: roomId.exactOptional().describe('The ID of the room, only for members.'),
    picture: z
      .object({ id: fileId, invite: z.string().describe('Add it to the URL of the file.') })
      .exactOptional(),
  }),
  'invite:accept': z.object({ room: roomSummary }),
  'direct:open': z.object({ room: roomSummary }),
  'user:block': nothing,
  'user:blocked': z.object({ users: z.array(user) }),
  'user:about': z.object({
    role: role.exactOptional().describe('The role in the room. Absent for users who are not members.'),
    present: z.boolean().describe('Whether the user is online, if the requester may know it.'),
    lastHere: time
      .exactOptional()
      .describe(
        'The end of the last visit, rounded down. Absent while the user is present, if unknown, and if the requester may not know it.',
      ),
    hidden: z
      .boolean()
      .exactOptional()
      .describe(
        'Whether the requester hides the last visit and read receipts. Only about the requester, and only with CHAT_LAST_SEEN or CHAT_SEEN.',
      ),
  }),
  'user:hide': nothing,
  'notify:get': notices,
  'notify:set': notices,
  'client:active': nothing,
  'user:find': z.object({ users: z.array(user), inRoom: z.array(userId) }),
  'device:register': z.object({ id: z.string() }),
  'device:remove': nothing,
  'session:renew': z.object({ fileAccess }),
  'device:list': z.object({
    devices: z.array(
      z.object({
        id: z.string().describe('The ID of the device.'),
        kind: z.enum(['browser', 'app']).describe('The kind.'),
        name: z.string().exactOptional().describe('The name.'),
        at: time.describe('When it was last registered, as Unix time in milliseconds.'),
      }),
    ),
  }),
  'message:send': z.union([
    z.object({
      message,
      unreached: z
        .literal(true)
        .exactOptional()
        .describe('In a direct room: the other user has never connected, and gets no mail.'),
    }),
    z.object({ held }),
  ]),
  'message:forward': z.object({ message }),
  'message:edit': z.union([z.object({ message }), z.object({ held })]),
  'message:unpreview': z.object({ message }),
  'message:delete': z.object({ message }),
  'message:react': z.object({ message }),
  'poll:vote': z.object({ message }),
  'poll:end': z.object({ message }),
  'card:get': shownCard,
  'card:find': z.object({ cards: z.array(card).max(mostCards) }),
  'card:press': shownCard,
  /** `total`: the number of members except the author. */
  'message:seen': z.object({ users: z.array(user), total: counter }),
  'message:mark': z.object({ message }),
  'message:pin': nothing,
  'message:unpin': nothing,
  'message:report': nothing,
  'report:list': z.object({
    reports: z.array(report),
    /** The number of messages that the user decided about since `since`. */
    decided: counter.exactOptional(),
    next,
  }),
  'report:close': z.object({ report }),
  'report:context': z.object({ messages, reports: z.array(report) }),
  'moderate:people': z.object({
    people: z.array(
      z.object({
        user,
        here: connected,
        reports: counter.describe('Open reports of the messages of the user.'),
        restricted: counter.describe('The number of mutes and bans.'),
      }),
    ),
    all: counter.optional().describe('The number of users who ever connected. Absent above 10,000.'),
    next,
  }),
  'moderate:person': z.object({
    user,
    here: connected,
    lastHere: time
      .exactOptional()
      .describe(
        'The end of the last visit. Absent if the user hides it, or one of the two blocked the other.',
      ),
    since: time.exactOptional().describe('The first visit. Absent if the server did not store its time.'),
    messages: counter.describe('Messages that are not deleted, counted up to 10,000.'),
    onlyIn: roomId
      .exactOptional()
      .describe('The room of all these messages. Absent if they are in several rooms, or there are none.'),
    recent: counter.describe(
      'Messages of the last 24 hours, counted up to 200. `moderate:ban` can delete these.',
    ),
    rooms: z
      .array(
        z.object({
          room: roomId,
          name: z.string(),
          kind: z.enum(['public', 'private']),
          role,
        }),
      )
      .describe('Up to 200 rooms of which the user is a member.'),
    restrictions: z.array(restrictionOfPerson),
    reports: z
      .array(report)
      .describe('The newest 50 reports of the messages of the user, including closed reports.'),
    reportsBy: counter.describe('The number of reports by the user.'),
    removed: counter.describe(
      'Messages of the user that moderators deleted within CHAT_AUDIT, counted up to 10,000.',
    ),
    may: z
      .object({ ban: z.boolean(), export: z.boolean(), erase: z.boolean() })
      .describe('What the requesting user may do with this user.'),
    erases: z
      .object({ files: counter, reactions: counter })
      .exactOptional()
      .describe(
        'With `may.erase`, what an erasure deletes besides the messages, counted up to 10,000 each. In rooms that the requesting user may not see, it deletes more.',
      ),
  }),
  'moderate:ban': z.object({ deleted: counter.describe('The number of deleted messages.') }),
  'moderate:erase': nothing,
  'moderate:acts': z.object({ acts: z.array(act), next }),
  'moderate:retry': z.object({ events: counter.describe('The number of events that are sent again.') }),
  'moderate:rooms': z.object({
    rooms: z.array(
      z.object({
        room: roomId,
        messages: counter.describe('Messages of the last 30 days by UTC, including deleted messages.'),
        files: fileSizes.describe(
          'The size of all files in messages, including copies and preview pictures. With `more`, of 2,000 files.',
        ),
      }),
    ),
  }),
  'moderate:overview': z.object({
    here: counter.describe('Connected users.'),
    week: counter
      .exactOptional()
      .describe(
        '`here`, and the users of the last seven days who do not hide their last visit. Absent without CHAT_LAST_SEEN.',
      ),
    messages: z
      .array(z.object({ day: z.string().regex(/^\d{4}-\d\d-\d\d$/), count: counter }))
      .describe('Messages per day of the last 30 days by UTC, oldest first.'),
    rooms: counter.describe('Public rooms, and private rooms of the requesting user.'),
    private: counter.describe('The private rooms among `rooms`.'),
    fresh: counter.describe('The rooms created in the last seven days.'),
    reports: counter.describe('Open reports in `rooms`.'),
    files: fileSizes
      .exactOptional()
      .describe(
        'The size of the files in `rooms`. With `more`, at least this size, because there are over 100,000 files. Absent if files are off.',
      ),
    questions: z
      .object({
        asked: counter,
        answered: counter,
        answeredInMs: counter
          .exactOptional()
          .describe('The median time to the first answer in milliseconds. Absent with few answers.'),
      })
      .exactOptional()
      .describe(
        'Questions to the team of the last 30 days, counted up to 10,000. Absent without a team of the site.',
      ),
    events: z
      .object({ waiting: counter, failed: counter })
      .exactOptional()
      .describe(
        'Queued events for the site, and failed events, counted up to 100. For admins, if the site receives events.',
      ),
    missing: z
      .array(z.string())
      .exactOptional()
      .describe(
        'What this server lacks to be ready, as named by `/readyz`. For admins, if it lacks something.',
      ),
    servers: z
      .array(
        z.object({
          name: z.string(),
          working: z.boolean(),
          here: counter.describe('Users who are connected to this server.'),
          took: counter
            .exactOptional()
            .describe(
              'Milliseconds to store the last announcement, which a server makes every 5 s. Absent if unknown.',
            ),
          downSince: time.exactOptional().describe('The last announcement of a server that does not work.'),
          version: z.string().exactOptional().describe('Absent for a server of an earlier version.'),
          since: time.exactOptional().describe('When the server was started.'),
        }),
      )
      .exactOptional()
      .describe('Absent for a single server.'),
  }),
  'held:list': z.object({ held: z.array(held), next }),
  'held:approve': z.object({ message }),
  'held:reject': nothing,
  'held:discard': nothing,
  /** A repeat of a request whose message was sent returns that message. */
  'scheduled:add': z.union([z.object({ scheduled }), z.object({ message }), z.object({ held })]),
  'scheduled:list': z.object({ scheduled: z.array(scheduled) }),
  'scheduled:edit': z.object({ scheduled }),
  'scheduled:send': z.union([z.object({ message }), z.object({ held })]),
  'scheduled:delete': nothing,
  'reminder:set': z.object({ reminder }),
  'reminder:list': z.object({ reminders: z.array(reminder) }),
  'reminder:delete': nothing,
  'message:reactions': z.object({ users: z.array(user), next }),
  'message:history': z.object({ messages, threads, complete }),
  'thread:get': z.object({ root: message, thread, following: z.boolean(), messages, complete }),
  'thread:follow': nothing,
  'message:search': z.object({ messages, next }),
  'read:mark': z.object({ room: roomSummary }),
  'typing:set': nothing,
  'question:about': z.object({
    team: z.array(user).describe('Up to 3 members of the team.'),
    answeredInMs: counter
      .exactOptional()
      .describe('The median time to the first answer in milliseconds. Absent with few answers.'),
    text: z.string().exactOptional().describe('`CHAT_TEAM_TEXT`. Absent without it.'),
  }),
  'question:ask': z.object({ room: roomSummary, message }),
  'question:address': z.object({ address: questionState.address }),
  'question:claim': z.object({
    room: roomSummary.exactOptional().describe('Absent if the guest has no question.'),
  }),
  'question:list': z.object({
    questions: z.array(question),
    counts: z
      .object({ mine: counter, unassigned: counter, all: counter })
      .describe('Open questions, counted up to 1,000.'),
    next,
  }),
  'question:open': z.object({
    room: roomSummary,
    question,
    notes: z.array(note).describe('The notes in the order of their times.'),
    team: z.array(user).describe('Up to 100 members of the team, to whom it can be handed over.'),
  }),
  'question:take': z.object({ question }),
  'question:hand': z.object({ question }),
  'question:close': z.object({ question }),
  'question:note': z.object({ note }),
  'question:unnote': nothing,
  'question:snippets': z.object({ snippets }),
  'question:snippet': z.object({ snippets }),
} as const satisfies Record<RequestName, z.ZodType>;

export type Answers = { [E in RequestName]: z.output<(typeof answers)[E]> };

/** Why the connections of a login are closed. */
export const endReasons = ['logout', 'expired', 'user_changed', 'invalid', 'kicked'] as const;
export const removalReasons = ['left', 'removed', 'banned', 'site', 'deleted'] as const;
export type EndReason = (typeof endReasons)[number];
export type RemovalReason = (typeof removalReasons)[number];

const partial = z.literal(true).exactOptional();
/** A ban from the whole site, as the banned user sees it. */
const siteBan = z.object({
  /** Absent if the ban is permanent. */
  until: time.exactOptional(),
  reason: z.string().exactOptional(),
});
export type SiteBan = z.output<typeof siteBan>;

const whoIAm = {
  user: user.describe('The user.'),
  roles: z.array(siteRole).describe('The roles of the user on the whole site.'),
  can,
  profile,
};

/** Every event of the server, with its payload. */
export const events = {
  'session:ready': z.object({
    protocol: z.literal(1),
    ...whoIAm,
    rooms: z.array(roomSummary),
    /**
     * Present if the client sent `auth.tags`: a tag for each listed room, in order. `rooms` lacks those whose tag the
     * client sent.
     */
    tags: z.array(z.string()).exactOptional(),
    /** Whether there are more rooms, which `room:list` returns. */
    more: z.boolean(),
    firstRoom: roomId
      .exactOptional()
      .describe("The ID of the room to open first. Absent: the first of the user's rooms."),
    /** The name of the server, if the operator set it. */
    node: z.string().exactOptional(),
    totals,
    limits: z.object({
      text: z.int().describe('Maximum length of a message in code points.'),
      mentions: z.int().describe('Maximum number of mentions in a message.'),
      file: z.int().describe('Maximum size of a file in bytes.'),
      files: z.int().describe('Maximum number of files in a message.'),
    }),
    fileAccess: fileAccess.exactOptional(),
    /** The look of the site, from the settings. */
    site: z
      .object({
        name: z.string().exactOptional().describe('The name of the site.'),
        accent: z.string().exactOptional().describe('The accent colour of the site, such as `#a3420b`.'),
        logo: z
          .string()
          .exactOptional()
          .describe("The path of the site's logo on the chat server, without the first slash."),
      })
      .exactOptional(),
    serverTime: time,
  }),
  'session:changed': z.object(whoIAm),
  'session:ended': z.object({ reason: z.enum(endReasons), ban: siteBan.exactOptional() }),
  'message:new': message,
  'message:changed': message,
  'message:reacted': z.object({
    room: roomId,
    seq,
    rev: seq,
    changes: z.array(
      z.object({
        emoji: z.string(),
        /** The current number of users with this reaction. */
        count: counter,
        added: z.array(userId).exactOptional(),
        removed: z.array(userId).exactOptional(),
      }),
    ),
  }),
  /** Without `pin`, the message was unpinned. `count`: the number of pinned messages in the room. */
  'pin:changed': z.object({ room: roomId, seq, pin: pin.exactOptional(), count: counter }),
  /** A button changed what the card shows, perhaps differently for each reader. Clients ask for it again. */
  'card:changed': z.object({ room: roomId, card: cardRef }),
  mention: z.object({
    message,
    /** The message does not mention the user, but is a reply in a thread that the user follows. */
    followed: z.literal(true).exactOptional(),
  }),
  'thread:changed': z.object({ room: roomId, threads: z.array(thread) }),
  'thread:followed': z.object({ room: roomId, thread: seq, following: z.boolean() }),
  'room:activity': z.object({
    room: roomId,
    head: counter,
    lastSeq: counter,
    firstSeq: seq.exactOptional(),
    threadOnly: counter.exactOptional(),
    deleted: runs.exactOptional(),
    members: counter,
    name: z.string(),
    topic: z.string().exactOptional(),
    last: lastMessage.exactOptional(),
  }),
  'room:added': roomSummary,
  'room:changed': roomSummary,
  'room:removed': z.object({
    room: roomId,
    readable: z.boolean().describe('Whether the room is public and the user may join again.'),
    reason: z.enum(removalReasons).describe('The reason.'),
    text: z.string().exactOptional().describe('The reason that was given for a ban.'),
    until: time
      .exactOptional()
      .describe(
        'The end of a ban, as Unix time in milliseconds. Absent if it is permanent, and for other reasons.',
      ),
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
  /** `mentions`: the number of unread mentions, present if the read marker was moved back to `seq`. */
  'read:changed': z.object({ room: roomId, user: userId, seq: counter, mentions: counter.exactOptional() }),
  'seen:changed': z.object({ room: roomId, seq, users: z.array(user), total: counter }),
  'report:changed': z.object({ report, open: counter }),
  /** `by`: who decided, only for moderators. */
  'held:changed': z.object({
    id: z.string(),
    room: roomId,
    is: z.enum(['held', 'approved', 'rejected', 'discarded']),
    held: held.exactOptional(),
    by: user.exactOptional(),
  }),
  /** `code`: why it failed. */
  'scheduled:changed': z.object({
    id: z.string(),
    room: roomId,
    is: z.enum(['scheduled', 'edited', 'sent', 'failed', 'discarded']),
    code: errorCode.exactOptional(),
  }),
  'reminder:changed': z.object({ id: z.string(), room: roomId, seq, is: z.enum(['set', 'due', 'deleted']) }),
  'blocked:changed': z.object({ user: userId, blocked: z.boolean() }),
  'question:changed': z.object({ question }),
  /** Without `note`, it was deleted. */
  'question:noted': z.object({ room: roomId, id: z.string(), note: note.exactOptional() }),
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

/** The event types of socket.io's typed sockets, for server and client. */
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
  /** With `conflict` of `message:edit`, the current message. */
  current?: Message;
  /** With `conflict` of `question:take`, the question, which another member of the team has. */
  question?: Question;
}

/** The `data` of a `connect_error`. */
export interface ConnectFailure {
  code: ConnectErrorCode;
  message: string;
  retryable: boolean;
  retryAfterMs?: number;
  /** With `unauthorized`, `CHAT_LOGIN_URL` if the operator set it. */
  loginUrl?: string;
  /** With `unauthorized`, what the visitor may do as a guest. Absent if the server accepts no guests. */
  guests?: 'read' | 'write';
  /** With `forbidden`. Absent if the site banned the user by the session. */
  ban?: SiteBan;
}

export type Answer<T> = { ok: true; data: T } | { ok: false; error: RequestFailure };

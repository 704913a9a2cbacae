import type { ChosenFile, Message, MessageFile, Preview, Reaction, User } from '../../wire/events.ts';
import type { Columns, Row, Value } from '../engine/table.ts';
import { isNamed, type MemberRecord } from '../members/member.ts';
import type { UserRecord } from '../people/user.ts';

/** The id by which everybody in a room is mentioned. */
export const everybody = '*';

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

/** The lists of a room: messages with pictures, with other files, and with links. */
export const holdings = ['pictures', 'files', 'links'] as const;

export type Holding = (typeof holdings)[number];

/** A thread, by the message that was its first one. That may have expired. */
export interface ThreadPlace {
  room: string;
  thread: number;
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

/** `complete`: nothing that was asked for is left beyond `messages`. */
export interface Page {
  messages: StoredMessage[];
  complete: boolean;
}

/** A message with the keyed digest of what was first sent: it tells a repeat from a conflict after an edit, too. */
export interface MessageRow {
  message: StoredMessage;
  digest: string;
}

const ownColumns =
  'seq, rev, messages.id AS id, messages.client_id AS client_id, user_id, user_name, text, sent_at, edited_at, deleted_at, ' +
  'deleted_by, reply_to, thread, rich, files, mentions, preview, origin, origin_name';

/** Between two fields and two users in the column `names`: neither ids nor names have control characters. */
const field = '\t';

const next = '\n';

/**
 * With the names of those who are mentioned, as they are now, and whether they have shown up where the readers of the
 * message
 * are (`acted`). A message that mentions nobody costs nothing more.
 * @param prefix of the names of tables
 * @param listed how the database makes one text of many, with `next` between them
 */
export function messageColumns(prefix: string, listed: (text: string) => string): string {
  const one = `concat(people.id, '${field}', people.name, '${field}',
    CASE WHEN people.acted_public <> 0 OR coalesce(named_member.acted, 0) > 0 THEN 1 ELSE 0 END)`;
  return `${ownColumns}, CASE WHEN mentions IS NOT NULL THEN (
    SELECT ${listed(one)} FROM ${prefix}mentions AS named JOIN ${prefix}users AS people ON people.id = named.user_id
    LEFT JOIN ${prefix}members AS named_member ON named_member.user_id = named.user_id AND named_member.room = named.room
    WHERE named.room = messages.room AND named.seq = messages.seq) END AS names`;
}

/** As PostgreSQL and SQLite write it. */
export const stringAgg = (text: string) => `string_agg(${text}, '${next}')`;

/** As MariaDB writes it. */
export const groupConcat = (text: string) => `GROUP_CONCAT(${text} SEPARATOR '${next}')`;

/** The column `mentions`. */
function mentionsJson({ mentions }: StoredMessage): string | null {
  if (mentions === undefined) return null;
  return JSON.stringify(mentions.map(({ user, start, length }) => [user, start, length]));
}

function mentionsFrom({ mentions, names }: Row): StoredMention[] {
  if (mentions === null) return [];
  const known = new Map<string, readonly [name: string, shown: boolean]>([[everybody, [everybody, true]]]);
  for (const line of ((names as string | null) ?? '').split(next)) {
    const [id = '', name = '', shown] = line.split(field);
    if (id !== everybody) known.set(id, [name, shown === '1']);
  }
  return (JSON.parse(mentions as string) as [string, number, number][]).map(([user, start, length]) => {
    const [name, shown] = known.get(user) ?? [user, false];
    return { user, start, length, name, shown };
  });
}

/**
 * The message with what a transaction knows of those it mentions, where that is newer than what it has read.
 * @param user null: there is none; undefined: the transaction does not know. So does `member`
 */
export function withNames(
  message: StoredMessage,
  user: (id: string) => UserRecord | null | undefined,
  member: (id: string) => MemberRecord | null | undefined,
): StoredMessage {
  const { mentions } = message;
  if (mentions === undefined) return message;
  const now = mentions.map((mention) => {
    const known = user(mention.user);
    const there = member(mention.user);
    const isCertain = known !== undefined && there !== undefined;
    const shown = isNamed(known, there) || (mention.shown && !isCertain);
    return { ...mention, name: known?.name ?? mention.name, shown };
  });
  return { ...message, mentions: now };
}

/** Where a link may begin: the client decides what is one. */
const link = /(?<![\p{L}\p{N}])(?:https?:\/\/|www\.)[^\s<>"`]/iu;

/** The lists of its room in which a message is, as in the column `holds`. */
export function holdingsOf({ text, files = [] }: Pick<StoredMessage, 'text' | 'files'>): number[] {
  const isIn: Record<Holding, boolean> = {
    pictures: files.some(({ image }) => image !== undefined),
    files: files.some(({ image }) => image === undefined),
    links: link.test(text),
  };
  return holdings.flatMap((what, n) => (isIn[what] ? [n] : []));
}

/** Each of those who are mentioned once. */
export const mentioned = (mentions: readonly StoredMention[] = []) =>
  new Set(mentions.map(({ user }) => user));

/** Whether the same users are mentioned in the same places. */
export function sameMentions(
  some: readonly StoredMention[] = [],
  others: readonly StoredMention[] = [],
): boolean {
  return (
    some.length === others.length &&
    some.every(({ user, start, length }, n) => {
      const other = others[n];
      return other?.user === user && other.start === start && other.length === length;
    })
  );
}

/** The state of a message's reactions that the rules need beside those that it shows. */
export interface Reacted {
  /** The message's `rev` when they last changed. A higher one is that of a change of the text. */
  rev: number;
  /** The text's `rev` by then. */
  textRev: number;
  /** How many there have ever been: the next one's place. */
  placed: number;
}

/**
 * The column `rich`: what a message has beside its text, as JSON. Its reactions as they are shown stand with the message,
 * so that reading a page costs nothing more; one row each, they tell who has reacted.
 */
interface Rich extends Reacted {
  reactions: [emoji: string, count: number, users: string[]][];
}

function richOf({ deletedAt, reactions = [] }: StoredMessage, reacted: Reacted | undefined): string | null {
  if (reacted === undefined || deletedAt !== undefined) return null;
  const shown = reactions.map(({ emoji, count, users }) => [emoji, count, users]);
  return JSON.stringify({ ...reacted, reactions: shown } satisfies Record<keyof Rich, unknown>);
}

export function reactedFrom({ rich }: Row): Reacted | undefined {
  if (rich === null) return undefined;
  const { rev, textRev, placed } = JSON.parse(rich as string) as Rich;
  return { rev, textRev, placed };
}

function reactionsFrom({ rich }: Row): Reaction[] {
  if (rich === null) return [];
  const { reactions } = JSON.parse(rich as string) as Rich;
  return reactions.map(([emoji, count, users]) => ({ emoji, count, users }));
}

const forwardedFrom = ({ origin, origin_name: name }: Row): NonNullable<StoredMessage['forwarded']> => ({
  user: { id: origin as string, name: (name ?? '') as string },
  shown: name !== null,
});

export function messageFrom(row: Row, room: string): StoredMessage {
  const mentions = mentionsFrom(row);
  const reactions = reactionsFrom(row);
  return {
    id: row.id as string,
    room,
    seq: row.seq as number,
    rev: row.rev as number,
    clientId: row.client_id as string,
    user: { id: row.user_id as string, name: row.user_name as string },
    text: row.text as string,
    sentAt: row.sent_at as number,
    ...(row.edited_at === null ? {} : { editedAt: row.edited_at as number }),
    ...(row.deleted_at === null
      ? {}
      : {
          deletedAt: row.deleted_at as number,
          ...(row.deleted_by === null
            ? {}
            : { deletedBy: row.deleted_by as NonNullable<StoredMessage['deletedBy']> }),
        }),
    ...(row.reply_to === null ? {} : { replyTo: row.reply_to as number }),
    ...(row.thread === null ? {} : { thread: row.thread as number }),
    ...(row.files === null ? {} : { files: JSON.parse(row.files as string) as MessageFile[] }),
    ...(mentions.length === 0 ? {} : { mentions }),
    ...(row.preview === null ? {} : { preview: JSON.parse(row.preview as string) as Preview }),
    ...(row.origin === null ? {} : { forwarded: forwardedFrom(row) }),
    ...(reactions.length === 0 ? {} : { reactions }),
  };
}

/** The columns that are written of a message. */
export const messageFields: Columns = [
  'room',
  'seq',
  'rev',
  'id',
  'client_id',
  'user_id',
  'user_name',
  'text',
  'sent_at',
  'edited_at',
  'deleted_at',
  'deleted_by',
  'reply_to',
  'thread',
  'rich',
  'files',
  'mentions',
  'preview',
  'origin',
  'origin_name',
  'digest',
];

export function messageRow(
  room: number,
  { message, digest }: MessageRow,
  reacted: Reacted | undefined,
): Value[] {
  return [
    room,
    message.seq,
    message.rev,
    message.id,
    message.clientId,
    message.user.id,
    message.user.name,
    message.text,
    message.sentAt,
    message.editedAt ?? null,
    message.deletedAt ?? null,
    message.deletedBy ?? null,
    message.replyTo ?? null,
    message.thread ?? null,
    richOf(message, reacted),
    filesColumn(message),
    mentionsJson(message),
    message.preview === undefined ? null : JSON.stringify(message.preview),
    message.forwarded?.user.id ?? null,
    message.forwarded?.shown ? message.forwarded.user.name : null,
    digest,
  ];
}

/** The column `files` of a message, so that reading a page costs nothing more; one row each, they tell whose they are. */
const filesColumn = ({ files }: StoredMessage): string | null =>
  files === undefined ? null : JSON.stringify(files);

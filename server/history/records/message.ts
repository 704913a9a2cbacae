import { firstPage } from '../../text/format.ts';
import {
  type FieldsWith,
  fieldsIn,
  fieldsWith,
  type Holding,
  holdings,
  isSet,
  type NewContent,
  pick,
  type WaitingContent,
} from '../../wire/content.ts';
import type { Message, Reaction, User } from '../../wire/events.ts';
import type { ColumnName, Columns, Row, Value } from './columns.ts';
import { isNamed, type MemberRecord } from './member.ts';
import type { UserRecord } from './user.ts';

/** The user ID of an @all mention. */
export const everybody = '*';

/** A mention as the client sends it: the user and the position of the mention in the text. */
export type NewMention = NonNullable<WaitingContent['mentions']>[number];

/** A mention with the user's current name. `shown`: readers of the message may see the name. */
export type StoredMention = NewMention & { name: string; shown: boolean };

/** A message as stored. Users receive it without the names that they may not see. */
export type StoredMessage = Omit<Message, 'mentions' | 'forwarded'> & {
  mentions?: StoredMention[];
  /** In a forwarded copy: the author of the original message. `shown`: readers of the copy may see the author. */
  forwarded?: { user: User; shown: boolean };
};

/** Maximum size in bytes of a user's ID and name as JSON. Each has at most 64 characters. */
export const mostNameBytes = 600;

/**
 * Returns the maximum size in bytes of the message in a response. A response can add `,"hidden":true` (14 bytes),
 * `,"mine":true` (12 bytes) per reaction, and a mentioned user's ID instead of the name.
 */
export function sizeOf(message: StoredMessage): number {
  const ids = (message.mentions ?? []).reduce((bytes, { user }) => bytes + Buffer.byteLength(user), 0);
  return Buffer.byteLength(JSON.stringify(message)) + 14 + 12 * (message.reactions?.length ?? 0) + ids;
}

const keptWhenDeleted = fieldsWith('deleted', 'kept');

/** Returns what a deleted message keeps: the envelope without its changes, and its place in a thread. */
export const withoutContent = (message: StoredMessage): StoredMessage => ({
  ...pick(message, ['id', 'room', 'seq', 'rev', 'clientId', 'user', 'sentAt', 'thread']),
  text: '',
  ...pick(message, keptWhenDeleted),
});

/** Returns the deleted form of a message. @param deletedBy absent after an erasure */
export const toTombstone = (
  message: StoredMessage,
  deletedAt: number,
  deletedBy?: NonNullable<StoredMessage['deletedBy']>,
): StoredMessage => ({ ...withoutContent(message), deletedAt, deletedBy });

const erasedWithAuthor = fieldsWith('erased', 'dropped');

/** Returns a message without what an erasure of its author, or of the author of its original, deletes. */
export function withoutErased(message: StoredMessage): StoredMessage {
  const kept = { ...message };
  for (const field of erasedWithAuthor) delete kept[field];
  return kept;
}

const fixedFields = fieldsWith('edit', 'fixed');

/** Returns why the message cannot be edited, or undefined if it can. */
export function fixedBecause(message: StoredMessage): string | undefined {
  // For example, an edit could turn the votes of a poll into answers to another question.
  const field = fixedFields.find((name) => message[name] !== undefined);
  return field && `a message with the field ${field} cannot be edited`;
}

/** A reference to a thread. `thread` is the `seq` of its root message, which may have expired. */
export interface ThreadRef {
  room: string;
  thread: number;
}

export interface NewMessage extends NewContent {
  room: string;
  clientId: string;
  user: User;
  sentAt: number;
}

export const sentFields = fieldsIn('sent');

type SetFields<Of> = { [Field in keyof Of]: Exclude<Of[Field], false> };

/** Returns the set fields of a content: see `isSet`. */
export const pickSet = <Of extends object, Field extends keyof Of>(from: Of, fields: readonly Field[]) =>
  pick(
    from,
    fields.filter((field) => isSet(from[field])),
  ) as SetFields<Pick<Of, Field>>;

/** `complete`: no further messages match the query. */
export interface Page {
  messages: StoredMessage[];
  complete: boolean;
}

/**
 * A message with the keyed digest of its original content. Edits keep the digest, so that a request with a used
 * `clientId` can be recognised as a duplicate or a conflict.
 */
export interface MessageRow {
  message: StoredMessage;
  digest: string;
}

/** The columns of a message, except its room and digest. */
const columns: {
  readonly [Column in ColumnName]?: (
    message: StoredMessage,
    reacted: Reacted | undefined,
  ) => Value | undefined;
} = {
  seq: ({ seq }) => seq,
  rev: ({ rev }) => rev,
  id: ({ id }) => id,
  client_id: ({ clientId }) => clientId,
  user_id: ({ user }) => user.id,
  user_name: ({ user }) => user.name,
  text: ({ text }) => text,
  sent_at: ({ sentAt }) => sentAt,
  edited_at: ({ editedAt }) => editedAt,
  deleted_at: ({ deletedAt }) => deletedAt,
  deleted_by: ({ deletedBy }) => deletedBy,
  reply_to: ({ replyTo }) => replyTo,
  thread: ({ thread }) => thread,
  thread_only: ({ threadOnly }) => threadOnly && 1,
  rich: richOf,
  content: contentJson,
  origin: ({ forwarded }) => forwarded?.user.id,
  origin_name: ({ forwarded }) => (forwarded?.shown ? forwarded.user.name : null),
};

const columnNames = Object.keys(columns) as ColumnName[];
const valuesOf = Object.values(columns);

/** Returns the SQL condition that a message has this field in the column `content`. */
export const hasStored = (field: FieldsWith<'stored', 'content'>) => `content LIKE '%"${field}":%'`;

/** Separators in the column `names`. IDs and names contain no control characters. */
const fieldSeparator = '\t';
const userSeparator = '\n';

/**
 * Returns the columns to select for a message. `names` has the current names of the mentioned users, and whether
 * readers of the message may see them: a user must have joined or written in the room, or acted in a public one. The
 * subquery runs only for messages with mentions.
 * @param prefix of the table names
 * @param aggregate the database's function that joins texts with `userSeparator`
 */
export function messageColumns(prefix: string, aggregate: (text: string) => string): string {
  const user = `concat(people.id, '${fieldSeparator}', people.name, '${fieldSeparator}',
    CASE WHEN people.acted_public <> 0 OR coalesce(named_member.acted, 0) > 0 THEN 1 ELSE 0 END)`;
  const own = columnNames.map((column) => `messages.${column} AS ${column}`).join(', ');
  return `${own}, CASE WHEN ${hasStored('mentions')} THEN (
    SELECT ${aggregate(user)} FROM ${prefix}mentions AS named JOIN ${prefix}users AS people ON people.id = named.user_id
    LEFT JOIN ${prefix}members AS named_member ON named_member.user_id = named.user_id AND named_member.room = named.room
    WHERE named.room = messages.room AND named.seq = messages.seq) END AS names`;
}

/** Joins texts in PostgreSQL and SQLite. */
export const stringAgg = (text: string) => `string_agg(${text}, '${userSeparator}')`;

/** Joins texts in MariaDB. */
export const groupConcat = (text: string) => `GROUP_CONCAT(${text} SEPARATOR '${userSeparator}')`;

const storedInContent = fieldsWith('stored', 'content');

/** The column `content`, as JSON: the fields of the content without a column of their own. */
type StoredContent = Omit<Pick<StoredMessage, FieldsWith<'stored', 'content'>>, 'mentions'> & {
  mentions?: NewMention[];
};

function contentJson(message: StoredMessage): string | null {
  const content: StoredContent = pick(message, storedInContent);
  const { mentions } = message;
  // The names are in `chat_users`, because they change.
  if (mentions !== undefined)
    content.mentions = mentions.map(({ user, start, length }) => ({ user, start, length }));
  return Object.keys(content).length === 0 ? null : JSON.stringify(content);
}

function contentFrom({ content, names }: Row): Pick<StoredMessage, FieldsWith<'stored', 'content'>> {
  if (content === null) return {};
  const { mentions, ...others } = JSON.parse(content as string) as StoredContent;
  return mentions === undefined ? others : { ...others, mentions: withStoredNames(mentions, names) };
}

function withStoredNames(mentions: readonly NewMention[], names: Row[string]): StoredMention[] {
  const userById = new Map<string, readonly [name: string, shown: boolean]>([[everybody, [everybody, true]]]);
  for (const line of ((names as string | null) ?? '').split(userSeparator)) {
    const [id = '', name = '', shown] = line.split(fieldSeparator);
    if (id !== everybody) userById.set(id, [name, shown === '1']);
  }
  return mentions.map((mention) => {
    const [name, shown] = userById.get(mention.user) ?? [mention.user, false];
    return { ...mention, name, shown };
  });
}

/**
 * Updates the mentions with the users and members that the transaction has loaded. They can be newer than the message
 * row.
 * @param findUser returns null if the user does not exist, undefined if the user is not loaded
 * @param findMember the same for a member
 */
export function withNames(
  message: StoredMessage,
  findUser: (id: string) => UserRecord | null | undefined,
  findMember: (id: string) => MemberRecord | null | undefined,
): StoredMessage {
  const { mentions } = message;
  if (mentions === undefined) return message;
  const updated = mentions.map((mention) => {
    const user = findUser(mention.user);
    const member = findMember(mention.user);
    const areLoaded = user !== undefined && member !== undefined;
    const shown = isNamed(user, member) || (mention.shown && !areLoaded);
    return { ...mention, name: user?.name ?? mention.name, shown };
  });
  return { ...message, mentions: updated };
}

/** Returns the lists of the room that contain the message, as indexes of `holdings`. The column `holds` stores them. */
export function holdingsOf({
  text,
  files = [],
  important,
}: Pick<StoredMessage, 'text' | 'files' | 'important'>): number[] {
  const isIn: Record<Holding, boolean> = {
    pictures: files.some(({ image }) => image !== undefined),
    files: files.some(({ image }) => image === undefined),
    links: firstPage(text) !== null,
    important: important !== undefined,
  };
  return holdings.flatMap((what, n) => (isIn[what] ? [n] : []));
}

/** Returns the IDs of the mentioned users, each once. */
export const mentioned = (mentions: readonly StoredMention[] = []) =>
  new Set(mentions.map(({ user }) => user));

/** Whether both mention the same users at the same positions. */
export function sameMentions(a: readonly StoredMention[] = [], b: readonly StoredMention[] = []): boolean {
  return (
    a.length === b.length &&
    a.every(({ user, start, length }, n) => {
      const mention = b[n];
      return mention?.user === user && mention.start === start && mention.length === length;
    })
  );
}

/** State that the rules need for changes of reactions and previews. */
export interface Reacted {
  /**
   * The message's `rev` after the last change of its reactions or preview. A higher `rev` means a later change of the
   * text.
   */
  rev: number;
  /** The `rev` of the last text change before that. */
  textRev: number;
  /** The number of reactions that were ever added. It numbers them in time order. */
  placed: number;
}

/**
 * The column `rich`, as JSON. It repeats the visible reactions, so that reading a page of messages needs no join. The
 * rows of `chat_reactions` have the users who reacted.
 */
interface Rich extends Partial<Reacted> {
  reactions: [emoji: string, count: number, users: string[]][];
}

function richOf({ deletedAt, reactions = [] }: StoredMessage, reacted: Reacted | undefined): string | null {
  if (deletedAt !== undefined || reacted === undefined) return null;
  const rich: Rich = {
    ...reacted,
    reactions: reactions.map(({ emoji, count, users }) => [emoji, count, users]),
  };
  return JSON.stringify(rich);
}

const richFrom = ({ rich }: Row): Rich =>
  rich === null ? { reactions: [] } : (JSON.parse(rich as string) as Rich);

export function reactedFrom(row: Row): Reacted | undefined {
  const { rev, textRev, placed } = richFrom(row);
  return rev === undefined || textRev === undefined || placed === undefined
    ? undefined
    : { rev, textRev, placed };
}

const forwardedFrom = ({ origin, origin_name: name }: Row): NonNullable<StoredMessage['forwarded']> => ({
  user: { id: origin as string, name: (name ?? '') as string },
  shown: name !== null,
});

export function messageFrom(row: Row, room: string): StoredMessage {
  const { reactions } = richFrom(row);
  return {
    id: row.id as string,
    room,
    seq: row.seq as number,
    rev: row.rev as number,
    clientId: row.client_id as string,
    user: { id: row.user_id as string, name: row.user_name as string },
    sentAt: row.sent_at as number,
    text: row.text as string,
    editedAt: (row.edited_at ?? undefined) as number | undefined,
    ...(row.deleted_at === null
      ? {}
      : {
          deletedAt: row.deleted_at as number,
          deletedBy: (row.deleted_by ?? undefined) as StoredMessage['deletedBy'],
        }),
    replyTo: (row.reply_to ?? undefined) as number | undefined,
    thread: (row.thread ?? undefined) as number | undefined,
    threadOnly: row.thread_only === null ? undefined : true,
    forwarded: row.origin === null ? undefined : forwardedFrom(row),
    ...contentFrom(row),
    reactions:
      reactions.length === 0
        ? undefined
        : reactions.map(([emoji, count, users]): Reaction => ({ emoji, count, users })),
  };
}

/** The columns to write for a message. */
export const messageFields: Columns = ['room', ...columnNames, 'digest'];

export const messageRow = (
  room: number,
  { message, digest }: MessageRow,
  reacted: Reacted | undefined,
): Value[] => [room, ...valuesOf.map((value) => value(message, reacted) ?? null), digest];

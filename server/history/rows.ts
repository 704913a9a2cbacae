import type { MessageFile, Preview, Reaction, RoomSettings } from '../wire/events.ts';
import type { Erasure } from './erasure.ts';
import {
  type Act,
  everybody,
  forGood,
  type Holding,
  holdings,
  isNamed,
  isUserRoom,
  type MemberRecord,
  type RoomRecord,
  type SearchFilter,
  type StoredFile,
  type StoredMention,
  type StoredMessage,
  type UserRecord,
} from './history.ts';
import { type ColumnName, type Columns, type Row, roomSettings, type Value } from './tables.ts';
import { nameKey, storedNameKey } from './text-keys.ts';

// Turns rows of the tables into what the history returns. All of its threads use it.

const settings = Object.entries(roomSettings) as [keyof RoomSettings, { column: ColumnName }][];

/** The columns that are written of a room. */
export const roomFields: Columns = [
  'id',
  'kind',
  'name',
  'public_key',
  'topic',
  'head',
  'last_seq',
  'first_seq',
  'access',
  'members',
  'created_at',
  'created_by',
  'client_id',
  'pair_low',
  'pair_high',
  'empty_since',
  ...settings.map(([, { column }]) => column),
  'previews_of',
  'reports',
  'pins',
  'reset_rev',
  'day',
  'sent',
];
/** The columns that only the rules need. */
const ofRules: Columns = ['created_by', 'client_id', 'empty_since', 'day', 'sent'];

export const roomColumns = roomFields
  .filter((column) => column !== 'public_key' && !ofRules.includes(column))
  .map((column) => `rooms.${column} AS ${column}`)
  .join(', ');

export function roomFrom(row: Row): RoomRecord {
  return {
    id: row.id as string,
    kind: row.kind as RoomRecord['kind'],
    name: row.name as string,
    ...(row.topic === null ? {} : { topic: row.topic as string }),
    head: row.head as number,
    lastSeq: row.last_seq as number,
    firstSeq: row.first_seq as number,
    access: row.access as number,
    members: row.members as number,
    createdAt: row.created_at as number,
    settings: settingsFrom(row),
    ...(row.previews_of === null
      ? {}
      : { previewsOf: row.previews_of as NonNullable<RoomRecord['previewsOf']> }),
    ...(row.reports === null ? {} : { reports: row.reports as number }),
    ...(row.pins === null ? {} : { pins: row.pins as number }),
    ...(row.reset_rev === null ? {} : { reset: row.reset_rev as number }),
    ...(row.pair_low === null ? {} : { pair: [row.pair_low as string, row.pair_high as string] as const }),
  };
}

function settingsFrom(row: Row): RoomSettings {
  return Object.fromEntries(
    settings.flatMap(([name, { column }]) => (row[column] === null ? [] : [[name, row[column]]])),
  );
}

/** A room with what only the rules need. */
export interface RoomRow extends Omit<RoomRecord, 'last'> {
  createdBy?: string;
  clientId?: string;
  /** Since when it has no members. */
  emptySince?: number;
  /** How many messages were sent on the last day with any. */
  sent?: { day: number; messages: number };
}

/** A message with the keyed digest of what was first sent: it tells a repeat from a conflict after an edit, too. */
export interface MessageRow {
  message: StoredMessage;
  digest: string;
}

export function roomRow(room: RoomRow): Value[] {
  return [
    room.id,
    room.kind,
    room.name,
    room.kind === 'public' ? storedNameKey(nameKey(room.name)) : null,
    room.topic ?? null,
    room.head,
    room.lastSeq,
    room.firstSeq,
    room.access,
    room.members,
    room.createdAt,
    room.createdBy ?? null,
    room.clientId ?? null,
    room.pair?.[0] ?? null,
    room.pair?.[1] ?? null,
    room.emptySince ?? null,
    ...settings.map(([name]) => room.settings[name] ?? null),
    room.previewsOf ?? null,
    room.reports ?? null,
    room.pins ?? null,
    room.reset ?? null,
    room.sent?.day ?? null,
    room.sent?.messages ?? null,
  ];
}

/** A room with the columns that only the rules need. */
export const roomRowFrom = (row: Row): RoomRow => ({
  ...roomFrom(row),
  ...(row.created_by === null ? {} : { createdBy: row.created_by as string }),
  ...(row.client_id === null ? {} : { clientId: row.client_id as string }),
  ...(row.empty_since === null ? {} : { emptySince: row.empty_since as number }),
  ...(row.day === null ? {} : { sent: { day: row.day as number, messages: row.sent as number } }),
});
export const roomRowColumns = `num, ${roomColumns}, ${ofRules.join(', ')}`;

export const memberColumns =
  'sources, role, read_seq, seen_seq, from_seq, notify, acted, wrote_at, has_left, removed, restricted, held';

export function memberFrom(row: Row): MemberRecord {
  return {
    sources: row.sources as number,
    role: row.role as MemberRecord['role'],
    readSeq: row.read_seq as number,
    ...(row.seen_seq === null ? {} : { seenSeq: row.seen_seq as number }),
    ...(row.from_seq === null ? {} : { fromSeq: row.from_seq as number }),
    ...(row.notify === null ? {} : { notify: row.notify as NonNullable<MemberRecord['notify']> }),
    acted: row.acted as number,
    ...(row.wrote_at === null ? {} : { wroteAt: row.wrote_at as number }),
    ...(row.has_left === 1 ? { left: true } : {}),
    ...(row.removed === null ? {} : { removed: row.removed as number }),
    ...(row.restricted === null ? {} : { restricted: JSON.parse(row.restricted as string) }),
    ...(row.held === null ? {} : { held: row.held as number }),
  };
}

/** The columns that are written of a member. */
export const memberFields: Columns = [
  'room',
  'user_id',
  'sources',
  'role',
  'read_seq',
  'seen_seq',
  'from_seq',
  'notify',
  'acted',
  'wrote_at',
  'has_left',
  'removed',
  'held',
  'restricted',
  'restricted_until',
  'since',
  'sort',
];

export function memberRow(
  room: number,
  user: string,
  { row, since, sort }: { row: MemberRecord; since: number; sort: string },
): Value[] {
  return [
    room,
    user,
    row.sources,
    row.role,
    row.readSeq,
    row.seenSeq ?? null,
    row.fromSeq ?? null,
    row.notify ?? null,
    row.acted,
    row.wroteAt ?? null,
    row.left ? 1 : 0,
    row.removed ?? null,
    row.held ?? null,
    ...restrictedOf(row),
    since,
    sort,
  ];
}

/** The columns `restricted` and `restricted_until` of a member: the latter is when the first restriction ends. */
export function restrictedOf({ restricted }: MemberRecord): [json: string | null, until: number | null] {
  if (restricted === undefined) return [null, null];
  const ends = Object.values(restricted).map(({ until = forGood }) => until);
  return [JSON.stringify(restricted), Math.min(...ends)];
}

export function userFrom(row: Row): UserRecord {
  return {
    id: row.id as string,
    name: row.name as string,
    actedPublic: row.acted_public === 1,
    ...(row.site_role === null ? {} : { siteRole: row.site_role as NonNullable<UserRecord['siteRole']> }),
  };
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

/** Whether a search may find the message: by all but its text and what it holds, for which there are indexes. */
export function isSearched(
  { user_id, sent_at, deleted_at }: Row,
  { from, sentFrom = 0, sentBefore = Number.POSITIVE_INFINITY }: SearchFilter,
): boolean {
  if (deleted_at !== null || (from !== undefined && user_id !== from)) return false;
  return (sent_at as number) >= sentFrom && (sent_at as number) < sentBefore;
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

export function erasureFrom(row: Row): Erasure {
  return {
    user: row.user_id as string,
    messages: row.erases as Erasure['messages'],
    at: row.asked_at as number,
    upTo: row.up_to as number,
    stage: row.stage as Erasure['stage'],
    place: row.place as number,
  };
}

/** Of `erasures`. */
export const erasureColumns = ['user_id', 'erases', 'asked_at', 'up_to', 'stage', 'place'] as const;

/** Their values. */
export function erasureRow({ user, messages, at, upTo, stage, place }: Erasure) {
  return [user, messages, at, upTo, stage, place];
}

export const actColumns = [
  'act',
  'at',
  'by_id',
  'user_id',
  'room_id',
  'shown',
  'site',
  'seq',
  'reason',
  'about',
] as const;

export function actRow({ kind, at, by, user, room, open, seq, reason, to }: Act): Value[] {
  const about = to === undefined ? null : JSON.stringify(to);
  const isSite = by === undefined || room === undefined || !isUserRoom(room);
  return [
    kind,
    at,
    by ?? null,
    user ?? null,
    room ?? null,
    open ? 1 : null,
    isSite ? 1 : null,
    seq ?? null,
    reason ?? null,
    about,
  ];
}

/** The most rows that a step of an erasure finds at once, and that it looks through where no index has the user. */
export const erasuresAtOnce = 100;
export const rowsLookedThrough = 5000;

/** Parts of JSON: of a restriction or a closed report by this user, and of a message by or with the user. */
export const byIn = (user: string): string => `"by":${JSON.stringify(user)}`;
export const authorIn = (user: string): string => `"user":{"id":${JSON.stringify(user)},`;
export const mentionIn = (user: string): string => `"user":${JSON.stringify(user)},`;

/** Files by their states in the database. */
export const fileStates = { loose: 0, carried: 1, dropped: 2 } as const satisfies Record<
  StoredFile['state'],
  number
>;

export const fileColumns =
  'files.id AS file_id, files.user_id AS file_user, files.seq AS file_seq, files.state AS file_state, files.at AS file_at, files.about AS file_about, files.stored AS file_stored';

export function fileFrom(row: Row): StoredFile {
  const states = Object.keys(fileStates) as StoredFile['state'][];
  return {
    id: row.file_id as string,
    user: row.file_user as string,
    state: states[row.file_state as number] as StoredFile['state'],
    ...(row.file_seq === null ? {} : { seq: row.file_seq as number }),
    at: row.file_at as number,
    about: JSON.parse(row.file_about as string) as MessageFile,
    stored: row.file_stored as string,
  };
}

/** The columns that are written of a file. */
export const fileFields: Columns = ['id', 'room', 'user_id', 'seq', 'state', 'at', 'about', 'size', 'stored'];

export const fileRow = (room: number, { id, user, seq, state, at, about, stored }: StoredFile): Value[] => [
  id,
  room,
  user,
  seq ?? null,
  fileStates[state],
  at,
  JSON.stringify(about),
  about.size,
  stored,
];

/**
 * Prefix of the id of a deleted room whose messages are still being deleted, step by step: it may have any number of
 * them, and to delete all at once would hold up everybody. No room that anybody can name has a slash in its id.
 */
export const gone = 'gone/';
/** The condition for such rooms. */
export const goneRooms = `id >= '${gone}' AND id < '${gone}:'`;

/** The most rooms that are examined at once for messages of a user. */
export const roomsLookedThrough = 5000;

import type { RoomSettings } from '../wire/events.ts';
import {
  type Ban,
  deletedUser,
  type Pushed,
  type StoredDevice,
  type StoredEvent,
  type StoredHeld,
  type StoredInvite,
  type StoredMailAddress,
  type StoredMailStop,
  type StoredNotices,
  type StoredPin,
  type StoredReport,
  type StoredVapidKey,
  type ThreadPlace,
} from './history.ts';

/** A change of the history: see `Change`. */
interface AnyChange {
  readonly type: string;
}

/** A row of a statement's answer. */
export type Row = Record<string, unknown>;

export type Value = string | number | null;

/** All columns of all tables, and whether they hold numbers or text. A name has the same type everywhere. */
export const columnTypes = {
  num: 'int',
  id: 'text',
  kind: 'text',
  name: 'text',
  public_key: 'text',
  topic: 'text',
  head: 'int',
  last_seq: 'int',
  access: 'int',
  members: 'int',
  created_at: 'int',
  created_by: 'text',
  client_id: 'text',
  pair_low: 'text',
  pair_high: 'text',
  empty_since: 'int',
  writers: 'text',
  slow: 'int',
  previews: 'text',
  seen: 'text',
  previews_of: 'text',
  reports: 'int',
  pins: 'int',
  behind: 'int',
  hidden: 'int',
  holds: 'int',
  by_id: 'text',
  note: 'text',
  reported_at: 'int',
  message: 'text',
  closed: 'text',
  room_id: 'text',
  room: 'int',
  user_id: 'text',
  other_id: 'text',
  sources: 'int',
  role: 'text',
  read_seq: 'int',
  seen_seq: 'int',
  from_seq: 'int',
  notify: 'text',
  acted: 'int',
  wrote_at: 'int',
  has_left: 'int',
  restricted: 'text',
  restricted_until: 'int',
  held: 'int',
  since: 'int',
  at_before: 'int',
  sort: 'text',
  seq: 'int',
  rev: 'int',
  user_name: 'text',
  text: 'text',
  sent_at: 'int',
  edited_at: 'int',
  deleted_at: 'int',
  deleted_by: 'text',
  reply_to: 'int',
  thread: 'int',
  replies: 'int',
  last_at: 'int',
  following: 'int',
  rich: 'text',
  preview: 'text',
  origin: 'text',
  origin_name: 'text',
  mentions: 'text',
  emoji: 'text',
  place: 'int',
  erases: 'text',
  asked_at: 'int',
  up_to: 'int',
  stage: 'text',
  holder: 'text',
  held_until: 'int',
  reset_rev: 'int',
  digest: 'text',
  acted_public: 'int',
  site_role: 'text',
  find_key: 'text',
  until: 'int',
  removed: 'int',
  readmits: 'int',
  uses: 'int',
  used: 'int',
  reason: 'text',
  block: 'int',
  term: 'int',
  first_num: 'int',
  first_seq: 'int',
  last_num: 'int',
  stale: 'int',
  day: 'int',
  sent: 'int',
  changes: 'text',
  types: 'int',
  position: 'int',
  act: 'text',
  files: 'text',
  stored: 'text',
  state: 'int',
  at: 'int',
  about: 'text',
  size: 'int',
  type: 'text',
  due: 'int',
  tries: 'int',
  report_id: 'text',
  message_id: 'text',
  held_message: 'text',
  sealed: 'text',
  mail: 'text',
  stopped: 'int',
  push: 'int',
  quiet: 'text',
  shows: 'text',
  author_id: 'text',
  shown: 'int',
  site: 'int',
  zone: 'text',
  lang: 'text',
  claimed: 'int',
  again: 'int',
  sending: 'int',
  pushed: 'text',
  everyone: 'int',
  done: 'int',
  address: 'text',
  refused: 'text',
} as const;

export type ColumnName = keyof typeof columnTypes;
/** The columns of a statement, by which their types are known. */
export type Columns = readonly ColumnName[];

/** The column of each setting of a room, and its value in a new room, which is not stored. */
export const roomSettings: {
  readonly [Name in keyof RoomSettings]-?: {
    readonly column: ColumnName;
    readonly initial: Required<RoomSettings>[Name];
  };
} = {
  write: { column: 'writers', initial: 'all' },
  slow: { column: 'slow', initial: 0 },
  previews: { column: 'previews', initial: 'on' },
  seen: { column: 'seen', initial: 'on' },
};

/**
 * A table whose rows the rules find by some of their fields (`Work.find`), put (`Work.put`) and remove (`Work.remove`).
 * A field that is absent is NULL in its column, and an object is JSON. The field `room` is the id of a room, in the
 * column of that name its number; such rows are found by their room alone, and go with it.
 */
export interface Table<Of extends object = object> {
  readonly name: string;
  /** The fields that identify a row. */
  readonly key: readonly string[];
  readonly columns: Readonly<Record<string, ColumnName>>;
  /** If rows name users: the rows of an erased user. */
  readonly erased?: {
    /** The fields that name a user; each has an index. */
    readonly users: readonly string[];
    /** Such a row without that user, or null if it goes, and the change that announces it. */
    without(row: Of, user: string): { row: Of | null; change?: AnyChange | undefined };
  };
}

const table = <Of extends object>(
  name: `chat_${string}`,
  key: readonly (keyof Of & string)[],
  columns: Readonly<Record<keyof Of & string, ColumnName>>,
  erased?: Table<Of>['erased'],
): Table<Of> => ({ name, key, columns, ...(erased === undefined ? {} : { erased }) });

export const bans = table<Ban & { user: string }>(
  'chat_bans',
  ['user'],
  { user: 'user_id', until: 'until', reason: 'reason', by: 'by_id' },
  {
    users: ['by'],
    // The ban of an erased user ends with the person.
    without({ user, ...ban }) {
      const now = { ...ban, by: deletedUser.id };
      return { row: { user, ...now }, change: { type: 'ban', user, ban: now } };
    },
  },
);

/** When users came here for the first time. */
export const arrivals = table<{ user: string; at: number }>(
  'chat_arrivals',
  ['user'],
  { user: 'user_id', at: 'at' },
  { users: ['user'], without: () => ({ row: null }) },
);

/** Users whom the site has put here by its API, and when. */
export const siteUsers = table<{ user: string; at: number }>(
  'chat_site_users',
  ['user'],
  { user: 'user_id', at: 'at' },
  { users: ['user'], without: () => ({ row: null }) },
);

/** The users whom users have blocked. */
export const blocks = table<{ user: string; other: string; since: number }>(
  'chat_blocked',
  ['user', 'other'],
  { user: 'user_id', other: 'other_id', since: 'since' },
  {
    users: ['user', 'other'],
    without: ({ user, other }, erased) => ({
      row: null,
      change: user === erased ? undefined : { type: 'blocked', user, other, blocked: false },
    }),
  },
);

/** When users were last here; `hidden`: this user does not want others to know. */
export const lastHere = table<{ user: string; at: number; hidden?: 1 }>(
  'chat_last_here',
  ['user'],
  { user: 'user_id', at: 'at', hidden: 'hidden' },
  { users: ['user'], without: () => ({ row: null }) },
);

export const reports = table<StoredReport>('chat_reports', ['id'], {
  id: 'id',
  room: 'room',
  seq: 'seq',
  by: 'by_id',
  author: 'author_id',
  reason: 'reason',
  text: 'note',
  at: 'reported_at',
  message: 'message',
  closed: 'closed',
});

/** The messages that wait for a moderator, and rejected ones. */
export const held = table<StoredHeld>(
  'chat_held',
  ['id'],
  {
    id: 'id',
    room: 'room',
    user: 'user_id',
    clientId: 'client_id',
    seq: 'seq',
    why: 'reason',
    at: 'at',
    message: 'message',
    closed: 'closed',
    digest: 'digest',
  },
  {
    users: ['user'],
    without: ({ room, id, user }) => ({
      row: null,
      change: { type: 'held', room, id, user, is: 'discarded' },
    }),
  },
);

export const pins = table<StoredPin>(
  'chat_pins',
  ['room', 'seq'],
  { room: 'room', seq: 'seq', by: 'by_id', at: 'at', after: 'behind', place: 'place' },
  { users: ['by'], without: (pin) => ({ row: { ...pin, by: deletedUser.id } }) },
);

/** The links by which people become members of rooms. They end with the membership of who has made them: see `putMember`. */
export const invites = table<StoredInvite>(
  'chat_invites',
  ['id'],
  {
    id: 'id',
    room: 'room',
    digest: 'digest',
    by: 'by_id',
    access: 'access',
    readmits: 'readmits',
    at: 'at',
    until: 'until',
    uses: 'uses',
    used: 'used',
  },
  { users: ['by'], without: () => ({ row: null }) },
);

const ofThread = { room: 'room', thread: 'thread' } as const;

/** The threads that have replies. */
export const threads = table<ThreadPlace & { replies: number }>('chat_threads', ['room', 'thread'], {
  ...ofThread,
  replies: 'replies',
});

/** The authors of the replies. The rows of an erased user go with the messages, or become nobody's. */
export const threadAuthors = table<ThreadPlace & { user: string; replies: number; seq: number; at: number }>(
  'chat_thread_authors',
  ['room', 'thread', 'user'],
  {
    ...ofThread,
    user: 'user_id',
    replies: 'replies',
    seq: 'last_seq',
    at: 'last_at',
  },
);

/** The users who follow threads (1), or do not want to (0). */
export const followers = table<ThreadPlace & { user: string; following: number }>(
  'chat_followers',
  ['room', 'thread', 'user'],
  { ...ofThread, user: 'user_id', following: 'following' },
  { users: ['user'], without: () => ({ row: null }) },
);

/** The users whom a reply concerns. */
export const concerned = table<{ room: string; user: string; seq: number }>(
  'chat_concerned',
  ['room', 'user', 'seq'],
  { room: 'room', user: 'user_id', seq: 'seq' },
  { users: ['user'], without: () => ({ row: null }) },
);

/** How many messages were sent, by room and day; those of a room's last day are in its row. */
export const days = table<{ room: string; day: number; messages: number }>('chat_days', ['room', 'day'], {
  room: 'room',
  day: 'day',
  messages: 'sent',
});

/** The events that wait to be sent to the site. */
export const webhooks = table<StoredEvent>(
  'chat_webhooks',
  ['id'],
  {
    id: 'id',
    type: 'type',
    at: 'at',
    due: 'due',
    tries: 'tries',
    roomId: 'room_id',
    roomCreatedAt: 'created_at',
    seq: 'seq',
    messageId: 'message_id',
    user: 'user_id',
    report: 'report_id',
    held: 'held_message',
  },
  { users: ['user'], without: () => ({ row: null }) },
);

/** The devices of users that are notified while no page is open. */
export const devices = table<StoredDevice>(
  'chat_devices',
  ['id'],
  {
    id: 'id',
    user: 'user_id',
    kind: 'kind',
    name: 'name',
    sealed: 'sealed',
    at: 'at',
    until: 'until',
    since: 'since',
  },
  { users: ['user'], without: () => ({ row: null }) },
);

/** The last heads of deleted rooms: see `formerKeys` of `Work`. */
export const formerRooms = table<{ digest: string; head: number }>('chat_former_rooms', ['digest'], {
  digest: 'digest',
  head: 'head',
});

/** The keys by which push services know this chat. */
export const vapidKeys = table<StoredVapidKey>('chat_vapid_keys', ['id'], {
  id: 'id',
  sealed: 'sealed',
  at: 'at',
});

/** How users want to be notified while they are away. */
export const notices = table<StoredNotices & { user: string }>(
  'chat_notices',
  ['user'],
  {
    user: 'user_id',
    mail: 'mail',
    stopped: 'stopped',
    push: 'push',
    quiet: 'quiet',
    shows: 'shows',
    zone: 'zone',
    lang: 'lang',
  },
  { users: ['user'], without: () => ({ row: null }) },
);

/** The last acts of users. */
export const active = table<{ user: string; at: number }>(
  'chat_active',
  ['user'],
  { user: 'user_id', at: 'at' },
  { users: ['user'], without: () => ({ row: null }) },
);

/** The users whom something concerns that they may not have read: see `claimDueUsers`. */
export const due = table<{ user: string; due: number; claimed?: 1; again?: 1; sending?: 1 }>(
  'chat_due',
  ['user'],
  { user: 'user_id', due: 'due', claimed: 'claimed', again: 'again', sending: 'sending' },
  { users: ['user'], without: () => ({ row: null }) },
);

/** The rooms whose members are to be looked through for that. */
export const dueRooms = table<{
  roomId: string;
  due?: number;
  everyone?: 1;
  claimed?: 1;
  again?: 1;
  done?: number;
}>('chat_due_rooms', ['roomId'], {
  roomId: 'room_id',
  due: 'due',
  everyone: 'everyone',
  claimed: 'claimed',
  again: 'again',
  done: 'done',
});

/** The pushes to the devices of users: see `claimPushes`. */
export const pushes = table<{
  user: string;
  roomId: string;
  due?: number;
  claimed?: 1;
  again?: 1;
  sending?: 1;
  pushed?: Pushed;
  done?: number;
}>(
  'chat_pushes',
  ['user', 'roomId'],
  {
    user: 'user_id',
    roomId: 'room_id',
    due: 'due',
    claimed: 'claimed',
    again: 'again',
    sending: 'sending',
    pushed: 'pushed',
    done: 'done',
  },
  { users: ['user'], without: () => ({ row: null }) },
);

/** When users were last notified of a room; `before`: see `Reads.notices`. */
export const notified = table<{ room: string; user: string; at: number; before?: number }>(
  'chat_notified',
  ['room', 'user'],
  { room: 'room', user: 'user_id', at: 'at', before: 'at_before' },
  { users: ['user'], without: () => ({ row: null }) },
);

/** When users were last notified of anything, also of a room that is deleted since. */
export const lastNotified = table<{ user: string; at: number }>(
  'chat_last_notified',
  ['user'],
  { user: 'user_id', at: 'at' },
  { users: ['user'], without: () => ({ row: null }) },
);

/** Where mails to users go. */
export const mailAddresses = table<StoredMailAddress>(
  'chat_mail_addresses',
  ['user'],
  { user: 'user_id', address: 'address', refused: 'refused' },
  { users: ['user'], without: () => ({ row: null }) },
);

/** The links in mails that stop mails. */
export const mailStops = table<StoredMailStop>(
  'chat_mail_stops',
  ['id'],
  { id: 'id', user: 'user_id', at: 'at' },
  { users: ['user'], without: () => ({ row: null }) },
);

export const tables: readonly Table[] = [
  bans,
  arrivals,
  siteUsers,
  blocks,
  lastHere,
  reports,
  held,
  pins,
  invites,
  threads,
  threadAuthors,
  followers,
  concerned,
  days,
  formerRooms,
  webhooks,
  devices,
  vapidKeys,
  notices,
  active,
  due,
  dueRooms,
  pushes,
  notified,
  lastNotified,
  mailAddresses,
  mailStops,
];

/** The columns that hold JSON. */
const json: ReadonlySet<ColumnName> = new Set(['message', 'closed', 'pushed']);

/** @param room the id of its room, for a table of rooms */
export function rowFrom<Of extends object>({ columns }: Table<Of>, row: Row, room?: string): Of {
  const fields: Record<string, unknown> = {};
  for (const [field, column] of Object.entries(columns)) {
    const value = row[column];
    if (field === 'room') fields[field] = room;
    else if (value !== null) fields[field] = json.has(column) ? JSON.parse(value as string) : value;
  }
  return fields as Of;
}

/** The values of these fields of a row. @param room the number of its room */
export function valuesOf(row: object, fields: readonly string[], room: number | undefined): Value[] {
  return fields.map((field) => {
    const value = (row as Record<string, unknown>)[field] ?? null;
    if (field === 'room') return room as number;
    return typeof value === 'object' && value !== null ? JSON.stringify(value) : (value as Value);
  });
}

/** The same for the same fields of a row. */
export function keyOf(row: object, fields: readonly string[]): string {
  return JSON.stringify(fields.map((field) => (row as Record<string, unknown>)[field]));
}

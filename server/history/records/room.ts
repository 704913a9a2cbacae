import type { RoomKind, RoomSettings } from '../../wire/events.ts';
import { addToRuns, countAfter, type Runs } from '../../wire/runs.ts';
import type { ColumnName, Columns, Row, Value } from './columns.ts';
import { isBanned, isMember, type MemberRecord } from './member.ts';
import type { StoredMessage } from './message.ts';
import { questionColumns, questionFrom, type RoomQuestion } from './question.ts';
import { roomKey, storedNameKey } from './text-keys.ts';

/** Whether a user created the room, not the settings, a session or the API. */
export const isUserRoom = (room: string): boolean => room.startsWith('u-');

/** A room as stored. `access` rises with each change of a membership, a role, a mute or a ban. */
export interface RoomRecord {
  id: string;
  kind: RoomKind;
  name: string;
  topic?: string;
  head: number;
  lastSeq: number;
  /** The oldest unexpired message; 1 if no message has expired. */
  firstSeq: number;
  access: number;
  /** The number of members. */
  members: number;
  /** Unix ms. */
  createdAt: number;
  /** The settings that differ from the defaults in `roomSettings`. */
  settings: RoomSettings;
  /** Which users of `pair` want link previews: the first (`low`), the second, or both. Absent if neither does. */
  previewsOf?: 'low' | 'high' | 'both';
  /** The number of open reports of unexpired messages. Absent if 0. */
  reports?: number;
  /** The number of unexpired pinned messages. Absent if 0. */
  pins?: number;
  /**
   * The head at the last reset. Clients must discard an older state, because an erasure or a restore changed it, or
   * because it belongs to a deleted room with the same ID.
   */
  reset?: number;
  /** Both users of a direct room. Absent if one of them was erased. */
  pair?: readonly [string, string];
  /** Set if the room is a question to a team of the site. */
  question?: RoomQuestion;
  /** Absent if no message is shown only in a thread. */
  threadOnly?: ThreadOnly;
  /** The newest deleted messages, without those that are shown only in a thread. Absent without such messages. */
  deleted?: Runs;
  /** The newest message that is not shown only in a thread, in its current state, with its whole text. */
  last?: StoredMessage;
}

/** The messages of a room that are shown only in a thread. */
export interface ThreadOnly {
  /** The number of such messages since the room was created. */
  total: number;
  /** The newest of them. */
  runs: Runs;
}

/** Maximum number of runs. A write of a message rewrites them all, and older messages count as shown in the room. */
const mostRuns = 200;
/** Fewer, because events contain them. Older messages count as not deleted. */
const mostDeletedRuns = 100;

/** Returns the room with a new message. */
export function withMessage<Of extends Pick<RoomRecord, 'lastSeq' | 'threadOnly'>>(
  room: Of,
  { seq, threadOnly }: Pick<StoredMessage, 'seq' | 'threadOnly'>,
): Of {
  if (threadOnly === undefined) return { ...room, lastSeq: seq };
  const { total, runs } = room.threadOnly ?? { total: 0, runs: [] };
  const grown = addToRuns(runs, seq).slice(-mostRuns);
  return { ...room, lastSeq: seq, threadOnly: { total: total + 1, runs: grown } };
}

/** Returns the room after the deletion of messages. */
export function withDeleted<Of extends Pick<RoomRecord, 'firstSeq' | 'deleted'>>(
  room: Of,
  messages: readonly Pick<StoredMessage, 'seq' | 'threadOnly'>[],
): Of {
  const shown = messages.filter(({ threadOnly }) => threadOnly === undefined);
  const grown = shown.reduce((runs, { seq }) => addToRuns(runs, seq), room.deleted ?? []);
  const deleted = grown.filter(([first, count]) => first + count > room.firstSeq).slice(-mostDeletedRuns);
  return deleted.length === 0 ? room : { ...room, deleted };
}

/** Counts the messages after `seq` that are neither deleted nor shown only in a thread. */
export function shownAfter(
  { lastSeq, threadOnly, deleted }: Pick<RoomRecord, 'lastSeq' | 'threadOnly' | 'deleted'>,
  seq: number,
): number {
  return Math.max(0, lastSeq - seq - countAfter(threadOnly?.runs, seq) - countAfter(deleted, seq));
}

/** Returns the `seq` of the newest message that is not shown only in a thread; 0 without messages. */
export function lastInRoom({ lastSeq, threadOnly }: Pick<RoomRecord, 'lastSeq' | 'threadOnly'>): number {
  const [first, count] = threadOnly?.runs.at(-1) ?? [0, 0];
  return first + count - 1 === lastSeq ? first - 1 : lastSeq;
}

/** The state of a room on which a decision was based. `createdAt` distinguishes rooms with the same ID. */
export type RoomState = Pick<RoomRecord, 'access' | 'createdAt'>;

/** Copies the state, because the record of a room in memory changes. */
export function stateOf({ access, createdAt }: RoomState): RoomState {
  return { access, createdAt };
}

/** Whether this user wants previews of links in a direct room. */
export function wantsPreviews(
  { pair, previewsOf }: Pick<RoomRecord, 'pair' | 'previewsOf'>,
  user: string,
): boolean {
  if (previewsOf === undefined || !pair?.includes(user)) return false;
  return previewsOf === 'both' || pair[previewsOf === 'low' ? 0 : 1] === user;
}

/** Returns the peer of a user in a direct room. */
export function otherOf(pair: RoomRecord['pair'], user: string): string | undefined {
  return pair?.find((one) => one !== user);
}

/**
 * Whether the users of a room may see each other's activity there. In a direct room without messages, neither user may
 * see that the other opened it, or what the other does there.
 */
export const hasBegun = ({ kind, lastSeq }: Pick<RoomRecord, 'kind' | 'lastSeq'>): boolean =>
  kind !== 'direct' || lastSeq > 0;

/**
 * Whether the room is a conversation between two users, or with the team. Its messages need no approval, and moderators
 * of the site see only reported messages.
 */
export const isConversation = ({ kind, question }: Pick<RoomRecord, 'kind' | 'question'>): boolean =>
  kind === 'direct' || question !== undefined;

/** Whether messages of the room have a reader. Those of a conversation have none after the erasure of the other user. */
export const hasReader = ({
  kind,
  pair,
  question,
}: Pick<RoomRecord, 'kind' | 'pair' | 'question'>): boolean =>
  kind === 'direct' ? pair !== undefined : question === undefined || question.asker !== undefined;

/** Whether a user may know of the room. */
export function isReadable(
  { kind }: Pick<RoomRecord, 'kind'>,
  member: MemberRecord | null | undefined,
): boolean {
  return isMember(member) || (kind === 'public' && !isBanned(member));
}

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
  color: { column: 'tile_color', initial: '' },
  emoji: { column: 'tile_emoji', initial: '' },
  picture: { column: 'tile_picture', initial: '' },
};

const settings = Object.entries(roomSettings) as [keyof RoomSettings, { column: ColumnName }][];

/** Fields of a room that only the rules need. */
interface RuleFields {
  createdBy?: string;
  clientId?: string;
  /** Since when the room has no members, as Unix ms. */
  emptySince?: number;
  /** The number of messages on the last day with messages. */
  sent?: { day: number; messages: number };
}

export interface RoomRow extends Omit<RoomRecord, 'last'>, RuleFields {}

const ruleFields: Readonly<Record<keyof RuleFields, true>> = {
  createdBy: true,
  clientId: true,
  emptySince: true,
  sent: true,
};

/** Returns the room as other servers and the chat get it. */
export function withoutRuleFields(row: RoomRow): Omit<RoomRecord, 'last'> {
  const room = { ...row };
  for (const field of Object.keys(ruleFields) as (keyof RuleFields)[]) delete room[field];
  return room;
}

/**
 * The columns of a room. `required` columns are set in all rooms. A `RoomRecord` lacks `for rules` columns, and
 * `for indexes` columns are used in conditions only.
 */
const columns: readonly {
  readonly column: ColumnName;
  readonly is?: 'required' | 'for rules' | 'for indexes';
  value(room: RoomRow): Value | undefined;
}[] = [
  { column: 'id', is: 'required', value: ({ id }) => id },
  { column: 'kind', is: 'required', value: ({ kind }) => kind },
  { column: 'name', is: 'required', value: ({ name }) => name },
  {
    column: 'public_key',
    is: 'for indexes',
    value: ({ kind, name }) => (kind === 'public' ? storedNameKey(roomKey(name)) : null),
  },
  { column: 'topic', value: ({ topic }) => topic },
  { column: 'head', is: 'required', value: ({ head }) => head },
  { column: 'last_seq', is: 'required', value: ({ lastSeq }) => lastSeq },
  { column: 'first_seq', is: 'required', value: ({ firstSeq }) => firstSeq },
  { column: 'access', is: 'required', value: ({ access }) => access },
  { column: 'members', is: 'required', value: ({ members }) => members },
  { column: 'created_at', is: 'required', value: ({ createdAt }) => createdAt },
  { column: 'created_by', is: 'for rules', value: ({ createdBy }) => createdBy },
  { column: 'client_id', is: 'for rules', value: ({ clientId }) => clientId },
  { column: 'pair_low', value: ({ pair }) => pair?.[0] },
  { column: 'pair_high', value: ({ pair }) => pair?.[1] },
  { column: 'empty_since', is: 'for rules', value: ({ emptySince }) => emptySince },
  ...settings.map(([name, { column }]) => ({ column, value: (room: RoomRow) => room.settings[name] })),
  {
    column: 'thread_only_runs',
    value: ({ threadOnly }) => (threadOnly === undefined ? undefined : JSON.stringify(threadOnly)),
  },
  {
    column: 'deleted_runs',
    value: ({ deleted }) => (deleted === undefined ? undefined : JSON.stringify(deleted)),
  },
  { column: 'previews_of', value: ({ previewsOf }) => previewsOf },
  ...questionColumns.map(({ column, value }) => ({
    column,
    value: ({ question }: RoomRow) => question && value(question),
  })),
  { column: 'reports', value: ({ reports }) => reports },
  { column: 'pins', value: ({ pins }) => pins },
  { column: 'reset_rev', value: ({ reset }) => reset },
  { column: 'day', is: 'for rules', value: ({ sent }) => sent?.day },
  { column: 'sent', is: 'for rules', value: ({ sent }) => sent?.messages },
];

/** The columns to write for a room. */
export const roomFields: Columns = columns.map(({ column }) => column);

/** The columns that are set to NULL when the room is deleted. */
export const optionalRoomFields: Columns = columns
  .filter(({ is }) => is !== 'required')
  .map(({ column }) => column);

/** Returns the values of `roomFields`. */
export const roomRow = (room: RoomRow): Value[] => columns.map(({ value }) => value(room) ?? null);

const selected = (...kinds: readonly ('required' | 'for rules' | undefined)[]): string =>
  columns
    .filter(({ is }) => kinds.some((kind) => kind === is))
    .map(({ column }) => `rooms.${column} AS ${column}`)
    .join(', ');

/** The columns that `roomFrom` reads. */
export const roomColumns = selected('required', undefined);

export function roomFrom(row: Row): RoomRecord {
  return {
    id: row.id as string,
    kind: row.kind as RoomRecord['kind'],
    name: row.name as string,
    topic: (row.topic ?? undefined) as string | undefined,
    head: row.head as number,
    lastSeq: row.last_seq as number,
    firstSeq: row.first_seq as number,
    access: row.access as number,
    members: row.members as number,
    createdAt: row.created_at as number,
    settings: settingsFrom(row),
    previewsOf: (row.previews_of ?? undefined) as RoomRecord['previewsOf'],
    threadOnly:
      row.thread_only_runs === null ? undefined : (JSON.parse(row.thread_only_runs as string) as ThreadOnly),
    deleted: row.deleted_runs === null ? undefined : (JSON.parse(row.deleted_runs as string) as Runs),
    reports: (row.reports ?? undefined) as number | undefined,
    pins: (row.pins ?? undefined) as number | undefined,
    reset: (row.reset_rev ?? undefined) as number | undefined,
    pair: row.pair_low === null ? undefined : ([row.pair_low as string, row.pair_high as string] as const),
    question: questionFrom(row),
  };
}

function settingsFrom(row: Row): RoomSettings {
  return Object.fromEntries(
    settings.flatMap(([name, { column }]) => (row[column] === null ? [] : [[name, row[column]]])),
  );
}

/** Builds a room with the fields that only the rules need. */
export const roomRowFrom = (row: Row): RoomRow => ({
  ...roomFrom(row),
  createdBy: (row.created_by ?? undefined) as string | undefined,
  clientId: (row.client_id ?? undefined) as string | undefined,
  emptySince: (row.empty_since ?? undefined) as number | undefined,
  sent: row.day === null ? undefined : { day: row.day as number, messages: row.sent as number },
});

/** The columns that `roomRowFrom` reads, and the room's number. */
export const roomRowColumns = `num, ${selected('required', undefined, 'for rules')}`;

/**
 * The prefix of the ID of a deleted room whose messages are still being deleted. They are deleted step by step, because
 * a single transaction would block other requests. IDs of other rooms contain no slash.
 */
export const gone = 'gone/';

/** The SQL condition for deleted rooms whose messages are still being deleted. */
export const goneRooms = `id >= '${gone}' AND id < '${gone}:'`;

/** Maximum rooms that one query scans for messages of a user. */
export const roomsLookedThrough = 5000;

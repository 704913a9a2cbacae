import type { RoomKind, RoomSettings } from '../../wire/events.ts';
import type { ColumnName } from '../columns.ts';
import type { Columns, Row, Value } from '../engine/table.ts';
import { isBanned, isMember, type MemberRecord } from '../members/member.ts';
import type { StoredMessage } from '../messages/message.ts';
import { nameKey, storedNameKey } from '../text-keys.ts';

/** Whether a user made the room, and not the settings, a session or the API. */
export const isUserRoom = (room: string): boolean => room.startsWith('u-');

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

/** Whether a user may know of the room. */
export function isReadable({ kind }: Pick<RoomRecord, 'kind'>, member: MemberRecord | undefined): boolean {
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
};

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

/**
 * Prefix of the id of a deleted room whose messages are still being deleted, step by step: it may have any number of
 * them, and to delete all at once would hold up everybody. No room that anybody can name has a slash in its id.
 */
export const gone = 'gone/';

/** The condition for such rooms. */
export const goneRooms = `id >= '${gone}' AND id < '${gone}:'`;

/** The most rooms that are examined at once for messages of a user. */
export const roomsLookedThrough = 5000;

import type { Notify, RoomKind, RoomRole } from '../../wire/events.ts';
import type { ColumnName, Columns, Row, Value } from './columns.ts';
import type { UserRecord } from './user.ts';

/**
 * The reasons for a membership, stored as bits. Each source can end without the others. The membership lasts while any
 * bit is set. `people`: the user joined, was invited or was added by another user.
 */
export const sources = { session: 1, api: 2, people: 4 } as const;

export type Source = keyof typeof sources;

/**
 * A user's participation in a room. While it is `never`, as for a user whom another user added, the members see only
 * the user's ID. In rooms that are not public, a membership from the session or the API counts as `joined`.
 */
export const acted = { never: 0, joined: 1, written: 2 } as const;

/** Whether the members of a room may see the user's name and online status. */
export function isNamed(
  user: Partial<Pick<UserRecord, 'actedPublic'>> | null | undefined,
  member: { acted: number } | null | undefined,
): boolean {
  return user?.actedPublic === true || (member?.acted ?? acted.never) > acted.never;
}

/** A member's own settings of a room. Only this user sees them. */
export interface RoomPreferences {
  notify?: Notify;
  /** Until this time, nothing in the room notifies the user, as Unix ms. */
  quietUntil?: number;
  /** The position among the user's favourites. */
  favourite?: number;
  /** The `lastSeq` of the room when the user archived it. */
  archived?: number;
}

/** The stored data of a user in a room. The row remains after the membership ends; then `sources` is 0. */
export interface MemberRecord extends RoomPreferences {
  sources: number;
  role: RoomRole;
  readSeq: number;
  /** The highest `readSeq` of this membership. Set only while the read marker is moved back. */
  seenSeq?: number;
  /**
   * The newest own messages after `readSeq`, which were sent while messages of others were unread: scheduled, approved or
   * by mail. They do not count as unread.
   */
  ownUnread?: readonly number[];
  /** The first `readSeq` of the membership. Read receipts exclude messages up to it. Absent if it was 0. */
  fromSeq?: number;
  /** The user's participation in the room, a value of `acted`. */
  acted: number;
  /** When the user last sent a message there, in milliseconds since 1970. */
  wroteAt?: number;
  /** Mutes and bans. Users who are not members can have them also. */
  restricted?: Partial<Record<RestrictionKind, Restriction>>;
  /** Set if the user left. Other users cannot add the user again. */
  left?: true;
  /** The room's `access` after the user was removed or banned. Decides which invite links readmit the user. */
  removed?: number;
  /**
   * Set while the user is banned: the sources to restore when the ban ends. Until then, `sources` is 0. Do not rename
   * this field, because the change log contains its name.
   */
  held?: number;
}

/** A muted user cannot write. A banned user is not a member and cannot see the room, not even a public one. */
export const restrictionKinds = ['muted', 'banned'] as const;

export type RestrictionKind = (typeof restrictionKinds)[number];

export interface Restriction {
  /** When it ends, in milliseconds since 1970. Absent if it is permanent. */
  until?: number;
  reason?: string;
  /** The moderator's id. */
  by: string;
  /** Set if the ban ended a membership, so that the user is notified of the ban. */
  endsMembership?: true;
}

/** The remaining time of a permanent restriction. The largest integer that every client represents exactly. */
const forGood = Number.MAX_SAFE_INTEGER;

/** Returns the remaining time in milliseconds; 0 or less if the restriction expired. */
export function leftOf({ until }: Pick<Restriction, 'until'>, at: number): number {
  return until === undefined ? forGood : until - at;
}

/** Returns the field with the messages of `ownUnread` after `seq`, if any. */
export function ownAfter(own: readonly number[] = [], seq: number): Pick<MemberRecord, 'ownUnread'> {
  const ownUnread = own.filter((one) => one > seq);
  return ownUnread.length === 0 ? {} : { ownUnread };
}

export function isMember(member: MemberRecord | null | undefined): member is MemberRecord {
  return member !== null && member !== undefined && member.sources !== 0;
}

export function isBanned(member: MemberRecord | null | undefined): member is MemberRecord & { held: number } {
  return member !== null && member !== undefined && member.held !== undefined;
}

/** The columns of a `MemberRecord`. */
const columns: { readonly [Column in ColumnName]?: (member: MemberRecord) => Value | undefined } = {
  sources: ({ sources }) => sources,
  role: ({ role }) => role,
  read_seq: ({ readSeq }) => readSeq,
  seen_seq: ({ seenSeq }) => seenSeq,
  own_unread: ({ ownUnread }) => ownUnread && JSON.stringify(ownUnread),
  from_seq: ({ fromSeq }) => fromSeq,
  notify: ({ notify }) => notify,
  quiet_until: ({ quietUntil }) => quietUntil,
  favourite: ({ favourite }) => favourite,
  archived: ({ archived }) => archived,
  acted: ({ acted }) => acted,
  wrote_at: ({ wroteAt }) => wroteAt,
  has_left: ({ left }) => (left ? 1 : 0),
  removed: ({ removed }) => removed,
  held: ({ held }) => held,
  restricted: ({ restricted }) => restricted && JSON.stringify(restricted),
};

const columnNames = Object.keys(columns) as ColumnName[];
const valuesOf = Object.values(columns);

/** The columns that `memberFrom` reads. */
export const memberColumns = columnNames.join(', ');

export function memberFrom(row: Row): MemberRecord {
  return {
    sources: row.sources as number,
    role: row.role as MemberRecord['role'],
    readSeq: row.read_seq as number,
    seenSeq: (row.seen_seq ?? undefined) as number | undefined,
    ownUnread: row.own_unread === null ? undefined : JSON.parse(row.own_unread as string),
    fromSeq: (row.from_seq ?? undefined) as number | undefined,
    notify: (row.notify ?? undefined) as MemberRecord['notify'],
    quietUntil: (row.quiet_until ?? undefined) as number | undefined,
    favourite: (row.favourite ?? undefined) as number | undefined,
    archived: (row.archived ?? undefined) as number | undefined,
    acted: row.acted as number,
    wroteAt: (row.wrote_at ?? undefined) as number | undefined,
    left: row.has_left === 1 ? true : undefined,
    removed: (row.removed ?? undefined) as number | undefined,
    restricted: row.restricted === null ? undefined : JSON.parse(row.restricted as string),
    held: (row.held ?? undefined) as number | undefined,
  };
}

/** The columns of `memberRow`. */
export const memberFields: Columns = ['room', 'user_id', ...columnNames, 'restricted_until', 'since', 'sort'];

export const memberRow = (
  room: number,
  user: string,
  { row, since, sort }: { row: MemberRecord; since: number; sort: string },
): Value[] => [room, user, ...valuesOf.map((value) => value(row) ?? null), firstEnd(row), since, sort];

/** Returns when the first restriction ends. */
function firstEnd({ restricted }: MemberRecord): number | null {
  if (restricted === undefined) return null;
  return Math.min(...Object.values(restricted).map(({ until = forGood }) => until));
}

const preferenceNames = [
  'notify',
  'quietUntil',
  'favourite',
  'archived',
] as const satisfies readonly (keyof RoomPreferences)[];

export const hasSamePreferences = (a: RoomPreferences, b: RoomPreferences): boolean =>
  preferenceNames.every((name) => a[name] === b[name]);

export function withoutPreferences(member: MemberRecord): MemberRecord {
  const rest = { ...member };
  for (const name of preferenceNames) delete rest[name];
  return rest;
}

/** Which messages of a room the user chose to be notified of. */
export const chosenNotify = (kind: RoomKind, member: MemberRecord | undefined): Notify =>
  member?.notify ?? (kind === 'public' ? 'mentions' : 'all');

/** Returns the remaining milliseconds of a timed mute, or 0. */
export const quietForMs = (member: RoomPreferences | undefined): number =>
  Math.max(0, (member?.quietUntil ?? 0) - Date.now());

/** Returns which messages notify the user now: `none` during a timed mute, at most `mentions` in the archive. */
export function notifyOf(kind: RoomKind, member: MemberRecord | undefined): Notify {
  if (quietForMs(member) > 0) return 'none';
  const notify = chosenNotify(kind, member);
  return notify === 'all' && kind !== 'direct' && member?.archived !== undefined ? 'mentions' : notify;
}

import type { Notify, RoomRole } from '../../wire/events.ts';
import { raw } from '../engine/dialect.ts';
import type { Columns, Row, Value } from '../engine/table.ts';
import type { UserRecord } from '../people/user.ts';

/**
 * The reasons for which a user is a member of a room. Kept apart: each can end without the others. A user is a member
 * as long as one
 * of them says so. Numbers, because they are stored as one set of bits.
 */
export const sources = { session: 1, api: 2, people: 4 } as const;

export type Source = keyof typeof sources;

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
const forGood = Number.MAX_SAFE_INTEGER;

/** Milliseconds until it ends; 0 or less if it is over. */
export function leftOf({ until }: Pick<Restriction, 'until'>, at: number): number {
  return until === undefined ? forGood : until - at;
}

/** Whether somebody is a member now. */
export function isMember(member: MemberRecord | null | undefined): member is MemberRecord {
  return member !== null && member !== undefined && member.sources !== 0;
}

export function isBanned(member: MemberRecord | null | undefined): member is MemberRecord & { held: number } {
  return member !== null && member !== undefined && member.held !== undefined;
}

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
function restrictedOf({ restricted }: MemberRecord): [json: string | null, until: number | null] {
  if (restricted === undefined) return [null, null];
  const ends = Object.values(restricted).map(({ until = forGood }) => until);
  return [JSON.stringify(restricted), Math.min(...ends)];
}

/** The columns of a `MemberRecord`. */
export const memberSelection = raw(memberColumns);

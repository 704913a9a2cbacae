import { ask, sql } from '../engine/dialect.ts';
import { expiryOf, type Forget, forgetting } from '../engine/expired-rows.ts';
import { findRows, type ReadsOf } from '../engine/read.ts';
import type { Nothing, Rule } from '../engine/rule.ts';
import { subject } from '../engine/subject.ts';
import { table } from '../engine/table.ts';
import { rows } from '../engine/work.ts';
import { acted, type MemberRecord } from '../records/member.ts';
import { aboutUser, isGone } from '../rows/erasures.ts';
import { getMember, memberNeed, setMember } from '../rows/members.ts';
import { requireRoom } from '../rows/room-changes.ts';
import { isNotified, roomNumber } from '../rows/select.ts';
import { guestIds } from '../rows/users.ts';
import { recheckNow } from './due.ts';

/** A user's notification settings. Unset ones have the site's defaults. */
export interface StoredNotices {
  /** `off`, `daily`, or the delay of mails in minutes. */
  mail?: string;
  /** When the user turned mails off by the unsubscribe link of a mail, as Unix ms. */
  stopped?: number;
  /** 0 for off. */
  push?: number;
  /** Quiet hours such as `22:00-07:00`, or `off`. */
  quiet?: string;
  /** What notifications show of a message: `text`, `name` or `nothing`. */
  shows?: string;
  /** The IANA name of the time zone. */
  zone?: string;
  /** A language tag. */
  lang?: string;
}

export interface NoticeWrites {
  /**
   * Changes a user's notification settings; null resets a setting to the default. If the time of notifications can
   * change, queued ones are due now. No-op for a user who is unknown or being erased.
   */
  setNotices: {
    in: { user: string; set: { [Name in keyof StoredNotices]: StoredNotices[Name] | null } };
    out: Nothing;
  };
  /** Records the time of a user's latest activity. No-op for a user who is unknown or being erased. */
  noteActive: { in: { user: string; at: number }; out: Nothing };
  /**
   * Moves a user's read marker in a public room where the user is not a member. No-op for a user who is unknown or
   * being erased. Codes: `unknown_room`.
   */
  noteOpened: { in: { room: string; user: string; seq: number }; out: Nothing };
  /** Deletes user activity before this time. */
  forgetActive: Forget;
}

export interface NoticeReads {
  /**
   * Returns a user's notification settings, latest activity, and last notification by room. `lastNotified` is the time
   * of the last notification, including rooms deleted since. `before` is the time of the previous notification, without
   * events that the site had not received by then. It is set only if the last notification was an event for the site.
   */
  notices: {
    in: { user: string };
    out: {
      notices: StoredNotices;
      activeAt?: number;
      notified: { room: string; at: number; before?: number }[];
      lastNotified?: number;
    };
  };
  /**
   * Finds members of a room to notify, by ID: they have unread messages, want notifications of each message
   * (`everyone`: of any message), and either have devices or were not notified of the room since their latest activity.
   * Excludes members whose mail and push are queued already. A page is read from at most `limit` members. `next` is the
   * `after` of the next page.
   */
  concernedMembers: {
    in: { room: string; everyone: boolean; after: string; limit: number };
    out: { users: string[]; next?: string };
  };
}

/** The notification settings of users. */
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

/** The latest activity of users. */
export const active = table<{ user: string; at: number }>(
  'chat_active',
  ['user'],
  { user: 'user_id', at: 'at' },
  { users: ['user'], without: () => ({ row: null }) },
);

/** The clocks of two servers may differ by this time. */
const maxClockSkewMs = 2 * 60_000;

/** Settings that determine when a user is notified. */
const timeSettings = ['mail', 'push', 'quiet', 'zone'] as const satisfies readonly (keyof StoredNotices)[];

const setNotices: Rule<NoticeWrites['setNotices']> = {
  needs: ({ user }) => [rows(notices, { user }), ...aboutUser(user)],
  run(work, { user, set }) {
    const [stored] = work.find(notices, { user });
    if (isGone(work, user)) return {};
    const entries = Object.entries({ ...stored, ...set }).filter(([, value]) => value !== null);
    const settings = Object.fromEntries(entries) as StoredNotices;
    work.put(notices, { ...settings, user });
    // The time of a queued push or mail follows from the old settings, such as quiet hours that are off now.
    if (timeSettings.some((name) => settings[name] !== stored?.[name])) recheckNow(work, user);
    return {};
  },
};

const noteActive: Rule<NoticeWrites['noteActive']> = {
  needs: ({ user }) => [rows(active, { user }), ...aboutUser(user)],
  run(work, { user, at }) {
    const [latest] = work.find(active, { user });
    // Older activity can arrive later from another server. Activity in the far future was stored before the clock was
    // set back.
    const isOutdated = latest !== undefined && latest.at >= at && latest.at < at + maxClockSkewMs;
    if (isGone(work, user) || isOutdated) return {};
    work.put(active, { user, at });
    return {};
  },
};

const noteOpened: Rule<NoticeWrites['noteOpened']> = {
  needs: ({ room, user }) => [memberNeed(room, user), ...aboutUser(user)],
  run(work, { room: id, user, seq }) {
    const room = requireRoom(work, id);
    const none: MemberRecord = { sources: 0, role: 'member', readSeq: 0, acted: acted.never };
    const member = getMember(work, id, user) ?? none;
    if (room.kind !== 'public' || member.sources !== 0 || isGone(work, user)) return {};
    if (seq <= room.lastSeq && seq > member.readSeq) setMember(work, id, user, { ...member, readSeq: seq });
    return {};
  },
};

const forgetActive = forgetting(expiryOf(active, 'at'));

/**
 * Whether a member may need a mail about the room. A queued check includes the new messages, unless a server has
 * claimed it and may have read the messages already.
 */
const isMailNeeded = sql`(
  (members.user_id >= ${guestIds.from} AND members.user_id < ${guestIds.to} OR NOT EXISTS (
    SELECT 1 FROM chat_notified AS notified WHERE notified.room = members.room
      AND notified.user_id = members.user_id AND notified.at >= coalesce(
        (SELECT active.at FROM chat_active AS active WHERE active.user_id = members.user_id), 0)))
  AND NOT EXISTS (SELECT 1 FROM chat_due AS queued
    WHERE queued.user_id = members.user_id AND queued.claimed IS NULL))`;

/** Like `isMailNeeded`, for pushes. A queued push that only retries devices gets the time of the new message. */
const isPushNeeded = sql`(
  EXISTS (SELECT 1 FROM chat_devices AS devices WHERE devices.user_id = members.user_id)
  AND NOT EXISTS (SELECT 1 FROM chat_pushes AS queued
    WHERE queued.user_id = members.user_id AND queued.room_id = rooms.id
      AND queued.claimed IS NULL AND queued.done IS NULL))`;

const reads: ReadsOf<NoticeReads> = {
  *notices(_, { user }) {
    const [stored = {}] = yield* findRows(notices, sql`WHERE user_id = ${user}`);
    const [active] = yield* ask(sql`SELECT at FROM chat_active WHERE user_id = ${user}`);
    const notified = yield* ask(
      sql`SELECT rooms.id AS room_id, at, at_before FROM chat_notified AS notified
          JOIN chat_rooms AS rooms ON rooms.num = notified.room WHERE user_id = ${user}`,
    );
    const [last] = yield* ask(sql`SELECT at FROM chat_last_notified WHERE user_id = ${user}`);
    return {
      notices: stored,
      activeAt: active && (active.at as number),
      notified: notified.map(({ room_id, at, at_before }) => ({
        room: room_id as string,
        at: at as number,
        before: (at_before ?? undefined) as number | undefined,
      })),
      lastNotified: last && (last.at as number),
    };
  },
  *concernedMembers(_, { room, everyone, after, limit }) {
    // The page limits the members that are read, not the members that are found. In a large room, most may be excluded.
    const members = yield* ask(
      sql`SELECT p.user_id AS user_id, CASE WHEN read_seq < last_seq AND ${isNotified(everyone)}
              AND (${isMailNeeded} OR ${isPushNeeded}) THEN 1 ELSE 0 END AS concerned
          FROM (SELECT room, user_id FROM chat_members
              WHERE room = ${roomNumber(room)} AND sources <> 0 AND user_id > ${after}
              ORDER BY user_id LIMIT ${limit}) AS p
            JOIN chat_members AS members ON members.room = p.room AND members.user_id = p.user_id
            JOIN chat_rooms AS rooms ON rooms.num = p.room
          ORDER BY p.user_id`,
    );
    const users = members.filter(({ concerned }) => concerned === 1).map(({ user_id }) => user_id as string);
    const next = members.length === limit ? (members.at(-1)?.user_id as string) : undefined;
    return { users, next };
  },
};

export const noticeSubject = subject<NoticeWrites, NoticeReads>({
  tables: [notices, active],
  rules: { setNotices, noteActive, noteOpened, forgetActive },
  reads,
});

import { ask, sql } from '../engine/dialect.ts';
import { findRows, type ReadsOf } from '../engine/read.ts';
import type { Nothing, Rule } from '../engine/rule.ts';
import { table } from '../engine/table.ts';
import { rows } from '../engine/work.ts';
import { aboutUser, isGone } from '../erasure/erasures.ts';
import { getMember, memberNeed, setMember } from '../members/loaded.ts';
import { acted, type MemberRecord } from '../members/member.ts';
import { requireRoom } from '../rooms/room-changes.ts';
import { lookAgain } from './due.ts';

/** How a user wants to be notified while away, as far as the user has chosen. */
export interface StoredNotices {
  /** `off`, `daily`, or minutes. */
  mail?: string;
  /** When a link in a mail has switched mails off, in milliseconds since 1970. */
  stopped?: number;
  /** 0 for off. */
  push?: number;
  /** Such as `22:00-07:00`, or `off`. */
  quiet?: string;
  /** The part of a message that is shown: `text`, `name` or `nothing`. */
  shows?: string;
  /** An IANA name. */
  zone?: string;
  /** A language tag. */
  lang?: string;
}

export interface NoticeWrites {
  /**
   * Changes how a user wants to be notified; null: as if never chosen. If that changes when, whatever waits is due now. If the
   * user is being erased or not known, nothing is stored.
   */
  setNotices: {
    in: { user: string; set: { [Name in keyof StoredNotices]: StoredNotices[Name] | null } };
    out: Nothing;
  };
  /** A user has done something at that time. A user who is being erased, or not known, is not noted. */
  noteActive: { in: { user: string; at: number }; out: Nothing };
  /** A user who is no member of a public room has read it up to that message. A user as above is not noted. */
  noteOpened: { in: { room: string; user: string; seq: number }; out: Nothing };
  /** Forgets acts before that time. */
  forgetActive: { in: { before: number }; out: Nothing };
}

export interface NoticeReads {
  /**
   * How a user wants to be notified, the user's last act, and when the user was last notified of which rooms, and of anything
   * (`lastNotified`), also of a room that is deleted since. `before`: the time before that, if this one is that of an event;
   * not that of an event which the site has not taken.
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
   * Members with unread messages who want to hear of each message of the room, or (`everyone`) who want to hear of any, and
   * have not been notified of the room since their last act. By id, after that one.
   */
  concernedMembers: {
    in: { room: string; everyone: boolean; after: string; limit: number };
    out: { users: string[]; next?: string };
  };
}

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

/** Milliseconds by which the clocks of two servers may differ. */
const furthestAhead = 2 * 60_000;

/** The choices that say when a user is notified, if at all. */
const times = ['mail', 'push', 'quiet', 'zone'] as const satisfies readonly (keyof StoredNotices)[];

export const setNotices: Rule<NoticeWrites['setNotices']> = {
  needs: ({ user }) => [rows(notices, { user }), ...aboutUser(user)],
  run(work, { user, set }) {
    const [known] = work.find(notices, { user });
    if (isGone(work, user)) return {};
    const chosen = Object.entries({ ...known, ...set }).filter(([, value]) => value !== null);
    const now = Object.fromEntries(chosen) as StoredNotices;
    work.put(notices, { ...now, user });
    // A push or mail that waits has its time by the earlier choice, such as by quiet hours that are off now.
    if (times.some((name) => now[name] !== known?.[name])) lookAgain(work, user);
    return {};
  },
};

export const noteActive: Rule<NoticeWrites['noteActive']> = {
  needs: ({ user }) => [rows(active, { user }), ...aboutUser(user)],
  run(work, { user, at }) {
    const [known] = work.find(active, { user });
    // An older act may come later, from another server. A stored act of the far future was noted before the clock was set back.
    const isKnown = known !== undefined && known.at >= at && known.at < at + furthestAhead;
    if (isGone(work, user) || isKnown) return {};
    work.put(active, { user, at });
    return {};
  },
};

export const noteOpened: Rule<NoticeWrites['noteOpened']> = {
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

export const forgetActive: Rule<NoticeWrites['forgetActive']> = {
  needs: () => [],
  run(work, { before }) {
    work.later(() => sql`DELETE FROM chat_active WHERE at < ${before}`);
    return {};
  },
};

export const noticeReads: ReadsOf<NoticeReads> = {
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
      ...(active && { activeAt: active.at as number }),
      notified: notified.map(({ room_id, at, at_before }) => ({
        room: room_id as string,
        at: at as number,
        ...(at_before === null ? {} : { before: at_before as number }),
      })),
      ...(last && { lastNotified: last.at as number }),
    };
  },
  *concernedMembers(_, { room, everyone, after, limit }) {
    // In private and direct rooms members are notified of each message by default.
    const wants = everyone
      ? sql`(members.notify IS NULL OR members.notify <> 'none')`
      : sql`(members.notify = 'all' OR (members.notify IS NULL AND kind <> 'public'))`;
    const rows = yield* ask(
      sql`SELECT members.user_id AS user_id FROM chat_rooms AS rooms
          JOIN chat_members AS members ON members.room = rooms.num
          WHERE rooms.id = ${room} AND sources <> 0 AND members.user_id > ${after}
            AND read_seq < last_seq AND ${wants}
            AND (EXISTS (SELECT 1 FROM chat_devices AS devices WHERE devices.user_id = members.user_id) OR NOT EXISTS (
              SELECT 1 FROM chat_notified AS notified WHERE notified.room = members.room
                AND notified.user_id = members.user_id AND notified.at >= coalesce(
                  (SELECT active.at FROM chat_active AS active WHERE active.user_id = members.user_id), 0)))
          ORDER BY members.user_id LIMIT ${limit}`,
    );
    const users = rows.map(({ user_id }) => user_id as string);
    const next = users.length === limit ? users.at(-1) : undefined;
    return { users, ...(next === undefined ? {} : { next }) };
  },
};

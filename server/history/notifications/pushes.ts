import { sql } from '../engine/dialect.ts';
import { claimRows, dueRowsNeed, markRows } from '../engine/due-rows.ts';
import { deleteExpired, type Expiry, expiredRowsNeed, expiryOf } from '../engine/expired-rows.ts';
import type { Nothing, Rule } from '../engine/rule.ts';
import { type None, subject } from '../engine/subject.ts';
import { table } from '../engine/table.ts';
import { rows, type Work } from '../engine/work.ts';

/** A push to the devices of a user about unread messages in a room. */
export interface PushRef {
  user: string;
  room: string;
}

/** The latest push to a user about a room. */
export interface Pushed {
  /** The ID of the newest message in the push. */
  message: string;
  /** The number of unread messages of the room that mentioned the user. */
  mentions: number;
  /** IDs of the devices that received it; absent if no other device needs it. */
  got?: readonly string[];
}

/** A push that is due. */
export interface DuePush extends PushRef {
  /** Whether a server crashed while sending `pushed`. */
  sending: boolean;
  /** The latest push about the room; absent if there was none, or `claimPushes` deleted it. */
  pushed?: Pushed;
}

/** The result of checking a due push. */
export interface SettledPush extends PushRef {
  /** The latest push about the room, stored for later checks; absent if they do not need it. */
  pushed?: Pushed | undefined;
  /** When to check again; absent if nothing is left to send. */
  due?: number;
  /**
   * Whether `due` is only a retry for devices that were not available. A newer message replaces it with its own time.
   */
  yields?: boolean;
}

export interface PushWrites {
  /** Claims pushes that are due, like `claimDueUsers`. Deletes some pushes that were completed before `before`. */
  claimPushes: {
    in: { at: number; until: number; most: number; before: number };
    out: { pushes: DuePush[]; next?: number };
  };
  /** Ends the claims of pushes. A push is due now if there was a new message during the check. */
  settlePushes: {
    in: { pushes: readonly SettledPush[]; until: number; at: number };
    out: Nothing;
  };
  /**
   * Records that this server is sending `pushed`. Even if it crashes, no server sends that to the devices in `got`
   * again. `lost`: the claim expired at `until` and another server took the push over.
   */
  notePushing: { in: PushRef & { until: number; pushed: Pushed }; out: { lost: boolean } };
}

/**
 * The queue of pushes, and the latest completed ones: see `claimPushes`. `done`: when a push was completed, as Unix ms.
 */
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

/** Maximum completed pushes that a claim deletes: more than it claims, so that their number does not grow. */
const maxDeleted = 1000;

// Without an order, because MariaDB would sort all of them, although the index is sorted.
const completed: Expiry = {
  ...expiryOf(pushes, 'done', (before) => sql`due IS NULL AND done < ${before}`),
  order: undefined,
};

const claimPushes: Rule<PushWrites['claimPushes']> = {
  alone: true,
  needs: ({ at, most, before }) => [
    dueRowsNeed(pushes, at, most),
    expiredRowsNeed(completed, before, maxDeleted),
  ],
  run(work, input) {
    const { rows, ...next } = claimRows(work, pushes, input, ({ sending, done, ...row }) => row);
    deleteExpired(work, completed, input.before, maxDeleted);
    return {
      pushes: rows.map(({ user, roomId, sending, pushed }) => ({
        user,
        room: roomId,
        sending: sending === 1,
        pushed,
      })),
      ...next,
    };
  },
};

const settlePushes: Rule<PushWrites['settlePushes']> = {
  needs: () => [],
  run(work, { pushes, until, at }) {
    for (const push of pushes) settlePush(work, push, until, at);
    return {};
  },
};

const notePushing: Rule<PushWrites['notePushing']> = {
  needs: ({ user, room }) => [rows(pushes, { user, roomId: room })],
  run(work, { until, pushed, ...push }) {
    const [row] = work.find(pushes, { user: push.user, roomId: push.room });
    if (row?.due !== until) return { lost: true };
    markPushing(work, push, pushed);
    return { lost: false };
  },
};

/** Queues pushes. Completed pushes, and pushes that only retry devices, get the time `due`. */
export function markPushes(work: Work, queued: readonly PushRef[], due: number): void {
  markRows(
    work,
    pushes,
    queued.map(({ user, room }) => [user, room]),
    due,
    {
      set: sql`due = CASE WHEN claimed = 1 THEN due ELSE ${due} END, again = claimed, done = NULL`,
      where: sql`(claimed = 1 OR done IS NOT NULL)`,
    },
  );
}

function markPushing(work: Work, { user, room }: PushRef, pushed: Pushed): void {
  work.later(
    () =>
      sql`UPDATE chat_pushes SET sending = 1, pushed = ${JSON.stringify(pushed)}
          WHERE user_id = ${user} AND room_id = ${room}`,
  );
}

/** Ends the claim of a push. @param until identifies the claim */
function settlePush(
  work: Work,
  { user, room, pushed, due, yields }: SettledPush,
  until: number,
  at: number,
): void {
  const where = sql`user_id = ${user} AND room_id = ${room} AND due = ${until}`;
  const isComplete = due === undefined;
  if (isComplete && pushed === undefined) {
    work.later(() => sql`DELETE FROM chat_pushes WHERE ${where} AND again IS NULL`);
  }
  const done = isComplete || yields === true ? at : null;
  const stored = pushed === undefined ? null : JSON.stringify(pushed);
  // `again` is 1 or NULL. MariaDB assigns the columns in order, so `due` must read `again` before it is reset.
  work.later(
    () =>
      sql`UPDATE chat_pushes
          SET due = coalesce(again * ${at}, ${due ?? null}), done = ${done}, pushed = ${stored},
              claimed = NULL, again = NULL, sending = NULL
          WHERE ${where}`,
  );
}

export const pushSubject = subject<PushWrites, None>({
  tables: [pushes],
  rules: { claimPushes, settlePushes, notePushing },
  reads: {},
});

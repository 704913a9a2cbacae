import { sql } from '../engine/dialect.ts';
import { claimRows, dueRowsNeed, markRows } from '../engine/due-rows.ts';
import type { Nothing, Rule } from '../engine/rule.ts';
import { table } from '../engine/table.ts';
import { rows, type Work } from '../engine/work.ts';

/** A push to the devices of a user, of what is unread in a room. */
export interface PushPlace {
  user: string;
  room: string;
}

/** The message of a room that was pushed to a user last. */
export interface Pushed {
  /** Its id, and how many unread messages of the room mentioned the user. */
  message: string;
  mentions: number;
  /** The ids of the devices that have got it; absent if nobody else is to get it. */
  got?: readonly string[];
}

/** A push that is due. */
export interface DuePush extends PushPlace {
  /** A server has ended while it sent the message of `pushed`. */
  sending: boolean;
  /** The message that was pushed last, unless that was a while ago. */
  pushed?: Pushed;
}

/** The end of a look at a push. */
export interface SettledPush extends PushPlace {
  /** The message that was pushed last: it is remembered for a while. Absent if that is not needed. */
  pushed?: Pushed | undefined;
  /** When to look again; absent if nothing is left to be sent. */
  due?: number;
  /** Devices wait until `due`; a newer message is due as usual. */
  yields?: boolean;
}

export interface PushWrites {
  /**
   * Gives pushes that are due: they are due again at `until`, in case this server ends. `next` as that of `claimDueUsers`.
   * Messages that were pushed before the time `before` are forgotten.
   */
  claimPushes: {
    in: { at: number; until: number; most: number; before: number };
    out: { pushes: DuePush[]; next?: number };
  };
  /** Pushes are looked at. If there was more meanwhile, they are due now. */
  settlePushes: {
    in: { pushes: readonly SettledPush[]; until: number; at: number };
    out: Nothing;
  };
  /**
   * `pushed` is being sent: the outcome is not known yet, and no server sends it to the devices in `got` again.
   * `lost`: another server has taken over.
   */
  notePushing: { in: PushPlace & { until: number; pushed: Pushed }; out: { lost: boolean } };
}

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

export const claimPushes: Rule<PushWrites['claimPushes']> = {
  alone: true,
  needs: ({ at, most }) => [dueRowsNeed(pushes, at, most)],
  run(work, input) {
    const { rows, ...next } = claimRows(work, pushes, input, ({ sending, done, ...row }) => row);
    work.later(() => sql`DELETE FROM chat_pushes WHERE done < ${input.before} AND due IS NULL`);
    return {
      pushes: rows.map(({ user, roomId, sending, pushed }) => ({
        user,
        room: roomId,
        sending: sending === 1,
        ...(pushed === undefined ? {} : { pushed }),
      })),
      ...next,
    };
  },
};

export const settlePushes: Rule<PushWrites['settlePushes']> = {
  needs: () => [],
  run(work, { pushes, until, at }) {
    for (const push of pushes) settlePush(work, push, until, at);
    return {};
  },
};

export const notePushing: Rule<PushWrites['notePushing']> = {
  needs: ({ user, room }) => [rows(pushes, { user, roomId: room })],
  run(work, { until, pushed, ...place }) {
    const [row] = work.find(pushes, { user: place.user, roomId: place.room });
    if (row?.due !== until) return { lost: true };
    markPushing(work, place, pushed);
    return { lost: false };
  },
};

/** The same for pushes; those that have ended, or wait for devices, are due as new ones. */
export function markPushes(work: Work, pushes: readonly PushPlace[], due: number): void {
  markRows(
    work,
    'chat_pushes',
    ['user_id', 'room_id'],
    pushes.map(({ user, room }) => [user, room]),
    due,
    {
      set: sql`due = CASE WHEN claimed = 1 THEN due ELSE ${due} END, again = claimed, done = NULL`,
      where: sql`(claimed = 1 OR done IS NOT NULL)`,
    },
  );
}

function markPushing(work: Work, { user, room }: PushPlace, pushed: Pushed): void {
  work.later(
    () =>
      sql`UPDATE chat_pushes SET sending = 1, pushed = ${JSON.stringify(pushed)}
          WHERE user_id = ${user} AND room_id = ${room}`,
  );
}

/** A server has looked at a push, which it has until then. */
function settlePush(
  work: Work,
  { user, room, pushed, due, yields }: SettledPush,
  until: number,
  at: number,
): void {
  const where = sql`user_id = ${user} AND room_id = ${room} AND due = ${until}`;
  const isOver = due === undefined;
  if (isOver && pushed === undefined) {
    work.later(() => sql`DELETE FROM chat_pushes WHERE ${where} AND again IS NULL`);
  }
  const done = isOver || yields === true ? at : null;
  const stored = pushed === undefined ? null : JSON.stringify(pushed);
  // If there was more, `again` is 1, else NULL. MariaDB goes from one column to the next: it is read before it is set.
  work.later(
    () =>
      sql`UPDATE chat_pushes
          SET due = coalesce(again * ${at}, ${due ?? null}), done = ${done}, pushed = ${stored},
              claimed = NULL, again = NULL, sending = NULL
          WHERE ${where}`,
  );
}

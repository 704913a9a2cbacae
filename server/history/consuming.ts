import { insertActs } from './audit.ts';
import { type Consume, leaseTime } from './engine/change-log.ts';
import { consumerNeed, deleteOtherConsumers, getConsumer, setConsumer } from './engine/consumers.ts';
import type { Nothing, Rule } from './engine/rule.ts';
import { type None, subject } from './engine/subject.ts';
import type { Need } from './engine/work.ts';
import { type Concerned, lookThroughPause, markDue, markDueRooms } from './notifications/due.ts';
import { markPushes } from './notifications/pushes.ts';
import type { LoggedEntry } from './records/changes.ts';
import type { Act } from './records/moderation.ts';
import { usersNamed, withoutUser } from './records/node-message.ts';
import { aboutUser, isGone } from './rows/erasures.ts';
import { getRoom, roomNeed } from './rows/rooms.ts';
import { type NewEvent, queueEvents, turnsNeed } from './webhook-turns.ts';

/** The rows that consumers produce. They are stored in one transaction with the consumer's position. */
export interface ConsumedRows {
  acts?: readonly Act[];
  events?: readonly NewEvent[];
  concerned?: Concerned;
}

export interface LogWrites {
  /**
   * Takes or renews the lease of a change-log consumer, and returns its next entries, which have a change of its
   * `types`. A new consumer starts at the end of the log. `leasedForMs`: another server holds the lease, for at most
   * this time in ms. `rows` are stored together with `done`, and only if this server still holds the lease.
   */
  consume: {
    in: Consume & { rows?: ConsumedRows };
    out: { leasedForMs: number } | { entries: LoggedEntry[]; upTo: number; skipped: number };
  };
  /** Deletes all other consumers without a lease for a day, because they were switched off. */
  keepConsumers: { in: { names: readonly string[] }; out: Nothing };
  /** Sends a node message to all servers, including this one, as a change. */
  broadcast: { in: { from: string; what: object }; out: Nothing };
}

/** Whether the event announces a new member of a direct room. */
const isOfDirect = (event: NewEvent): event is NewEvent & { roomId: string } =>
  event.type === 'room.member_added' && event.roomId?.startsWith('d-') === true;

const consume: Rule<LogWrites['consume']> = {
  alone: true,
  needs: (input) => [
    consumerNeed(input),
    ...turnsNeed(input.rows?.events ?? []),
    ...(input.rows?.events ?? []).flatMap((event): Need[] => [
      ...(event.user === undefined ? [] : aboutUser(event.user)),
      ...(isOfDirect(event) ? [roomNeed(event.roomId)] : []),
    ]),
  ],
  run(work, input) {
    const { name, by, types, lease, most, renews, done, rows } = input;
    const known = getConsumer(work, input);
    const { at, holder, leaseUntil, entries, skipped, upTo } = known;
    const leasedForMs = leaseUntil - at;
    // If the lease is longer than any server requests, the clock was set back. The lease is ignored, because its holder
    // may have crashed.
    const isLeased = leasedForMs > 0 && leasedForMs <= Math.max(lease, leaseTime);
    if (holder !== by && (isLeased || renews)) return { leasedForMs: isLeased ? leasedForMs : 0 };
    const isDone = holder === by && done !== undefined;
    if (isDone && rows?.acts !== undefined) insertActs(work, rows.acts);
    // The stage `rows` of an erasure deletes the events about its user, and would miss an event that is stored later.
    // Events about unknown users are dropped too, unless the user is in `pair` of a direct room, because a peer may
    // never have connected. `pair` no longer names an erased peer.
    const isLeft = (event: NewEvent) => {
      const { user } = event;
      if (user === undefined || !isGone(work, user)) return true;
      return isOfDirect(event) && getRoom(work, event.roomId)?.pair?.includes(user) === true;
    };
    if (isDone) queueEvents(work, rows?.events ?? [], isLeft);
    if (isDone && rows?.concerned !== undefined) {
      const { users, rooms, due, roomsDue, pushes, pushDue } = rows.concerned;
      markDue(work, users, due);
      markPushes(work, pushes, pushDue);
      for (const everyone of [false, true]) {
        const some = rooms.filter((one) => one.everyone === everyone).map(({ room }) => room);
        markDueRooms(work, some, { everyone, due: roomsDue, pause: lookThroughPause });
      }
    }
    const from = isDone ? done : known.position;
    // Skips entries without changes for this consumer.
    const position = entries.length === 0 && most > 0 ? upTo : from + skipped;
    setConsumer(work, { name, types, position, holder: by, leaseUntil: at + lease });
    return { entries, upTo, skipped };
  },
};

const keepConsumers: Rule<LogWrites['keepConsumers']> = {
  alone: true,
  needs: () => [],
  run(work, { names }) {
    deleteOtherConsumers(work, names);
    return {};
  },
};

const broadcast: Rule<LogWrites['broadcast']> = {
  needs: ({ what }) => usersNamed(what).flatMap(aboutUser),
  run(work, { from, what }, changes) {
    // The server may not know of a recent erasure yet, and the user's name would stay in the log.
    const erased = usersNamed(what).filter((id) => isGone(work, id));
    changes.push({ type: 'broadcast', from, what: erased.reduce(withoutUser, what) });
    return {};
  },
};

export const logSubject = subject<LogWrites, None>({
  rules: { broadcast, consume, keepConsumers },
  reads: {},
});

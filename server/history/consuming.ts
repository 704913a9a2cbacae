import { usersNamed, withoutUser } from './broadcast.ts';
import type { LoggedEntry } from './changes.ts';
import { type Consume, leaseTime } from './engine/change-log.ts';
import { consumerNeed, deleteOtherConsumers, getConsumer, setConsumer } from './engine/consumers.ts';
import type { Nothing, Rule } from './engine/rule.ts';
import type { Need } from './engine/work.ts';
import { aboutUser, isGone } from './erasure/erasures.ts';
import { insertActs } from './moderation/acts.ts';
import type { Act } from './moderation/records.ts';
import { type Concerned, lookThroughPause, markDue, markDueRooms } from './notifications/due.ts';
import { markPushes } from './notifications/pushes.ts';
import { getRoom, roomNeed } from './rooms/loaded.ts';
import { type StoredEvent, webhooks } from './webhooks.ts';

/** The rows of consumers: each is stored with the position of its consumer. */
export interface ConsumedRows {
  acts?: readonly Act[];
  events?: readonly StoredEvent[];
  concerned?: Concerned;
}

export interface LogWrites {
  /**
   * Takes or renews the lease of a consumer of the log of changes, which begins with what is written from then on, and
   * gives its next entries: those with a change of its types. `heldFor`: this server has no lease; another
   * one has it for at most so many milliseconds. Only the holder's `done` counts: if another server has taken the lease since,
   * nothing is stored. `rows` are stored along with `done`.
   */
  consume: {
    in: Consume & { rows?: ConsumedRows };
    out: { heldFor: number } | { entries: LoggedEntry[]; upTo: number; skipped: number };
  };
  /** Forgets the consumers but these, if no server has had their lease for a day: they were switched off. */
  keepConsumers: { in: { names: readonly string[] }; out: Nothing };
  /** With several servers: reaches all of them as a change, this one too. Nothing else is written. */
  broadcast: { in: { from: string; what: object }; out: Nothing };
}

/** Whether somebody is a member of a direct room by it. */
const isOfDirect = (event: StoredEvent): event is StoredEvent & { roomId: string } =>
  event.type === 'room.member_added' && event.roomId?.startsWith('d-') === true;

export const consume: Rule<LogWrites['consume']> = {
  alone: true,
  needs: (input) => [
    consumerNeed(input),
    ...(input.rows?.events ?? []).flatMap((event): Need[] => [
      ...(event.user === undefined ? [] : aboutUser(event.user)),
      ...(isOfDirect(event) ? [roomNeed(event.roomId)] : []),
    ]),
  ],
  run(work, input) {
    const { name, by, types, lease, most, renews, done, rows } = input;
    const known = getConsumer(work, input);
    const { at, holder, heldUntil, entries, skipped, upTo } = known;
    const heldFor = heldUntil - at;
    // Its holder may be dead, and would have it for as long as the clock was set back.
    const isHeld = heldFor > 0 && heldFor <= Math.max(lease, leaseTime);
    if (holder !== by && (isHeld || renews)) return { heldFor: isHeld ? heldFor : 0 };
    const isDone = holder === by && done !== undefined;
    if (isDone && rows?.acts !== undefined) insertActs(work, rows.acts);
    // An erasure deletes the events about its user, and would miss one that is stored after that stage. Only a direct room has a
    // member who has never been here; it is one of its two until an erasure.
    const isLeft = (event: StoredEvent) => {
      const { user } = event;
      if (user === undefined || !isGone(work, user)) return true;
      return isOfDirect(event) && getRoom(work, event.roomId)?.pair?.includes(user) === true;
    };
    if (isDone) for (const event of (rows?.events ?? []).filter(isLeft)) work.put(webhooks, event);
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
    // Entries that hold nothing for this consumer are passed at once.
    const position = entries.length === 0 && most > 0 ? upTo : from + skipped;
    setConsumer(work, { name, types, position, holder: by, heldUntil: at + lease });
    return { entries, upTo, skipped };
  },
};

export const keepConsumers: Rule<LogWrites['keepConsumers']> = {
  alone: true,
  needs: () => [],
  run(work, { names }) {
    deleteOtherConsumers(work, names);
    return {};
  },
};

export const broadcast: Rule<LogWrites['broadcast']> = {
  needs: ({ what }) => usersNamed(what).flatMap(aboutUser),
  run(work, { from, what }, changes) {
    // The server may not know yet that a user is erased, or was a moment ago: the name would stay in the log.
    const erased = usersNamed(what).filter((id) => isGone(work, id));
    changes.push({ type: 'broadcast', from, what: erased.reduce(withoutUser, what) });
    return {};
  },
};

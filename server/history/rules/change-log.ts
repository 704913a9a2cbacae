import { usersNamed, withoutUser } from '../broadcast.ts';
import { consumerNeed, deleteOtherConsumers, getConsumer, setConsumer } from '../engine/consumers.ts';
import type { Need } from '../engine/work.ts';
import { type LogWrites, leaseTime, lookThroughPause, type StoredEvent } from '../history.ts';
import { markDue, markDueRooms, markPushes } from '../notifications/due.ts';
import { getRoom, roomNeed } from '../rooms/loaded.ts';
import { webhooks } from '../tables.ts';
import { insertActs } from './moderation.ts';
import { aboutUser, isGone } from './notify.ts';
import type { Rule } from './rule.ts';

// The log of all changes: see `Writes`.

/** Whether somebody is a member of a direct room by it. */
const isOfDirect = (event: StoredEvent): event is StoredEvent & { roomId: string } =>
  event.type === 'room.member_added' && event.roomId?.startsWith('d-') === true;

export const consume: Rule<LogWrites['consume']> = {
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

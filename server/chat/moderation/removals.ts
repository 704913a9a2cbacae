import type { Restriction } from '../../history/history.ts';
import type { EventPayload } from '../../wire/events.ts';
import type { Restrictions } from './restrictions.ts';

type Removal = EventPayload<'room:removed'>;

/** Maximum bans that a new connection is notified of. */
const mostTold = 100;

/** Returns the event for a user who loses the room by this ban. */
export function removalBy(room: string, { until, reason }: Restriction): Removal {
  return {
    room,
    readable: false,
    reason: 'banned',
    text: reason,
    until,
  };
}

/**
 * Returns the events for the user's current bans, because the user may have been offline when they started. Omits bans
 * that did not end a membership, because the user may not know of these rooms.
 */
export function removalsOf(restrictions: Restrictions, user: string): Removal[] {
  return restrictions
    .on(user)
    .filter(({ restriction }) => restriction.endsMembership)
    .slice(-mostTold)
    .map(({ room, restriction }) => removalBy(room, restriction));
}

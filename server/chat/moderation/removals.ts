import type { Restriction } from '../../history/history.ts';
import type { EventPayload } from '../../wire/events.ts';
import type { Restrictions } from './restrictions.ts';

type Removal = EventPayload<'room:removed'>;

/** The most bans that a new connection is notified of. */
const mostTold = 100;

/** The event for the user who loses the room by this ban. */
export function removalBy(room: string, { until, reason }: Restriction): Removal {
  return {
    room,
    readable: false,
    reason: 'banned',
    ...(reason === undefined ? {} : { text: reason }),
    ...(until === undefined ? {} : { until }),
  };
}

/**
 * The same for the newest bans that the user is under, who may have been away when they were laid. It says nothing of a
 * room of which the user was no member.
 */
export function removalsOf(restrictions: Restrictions, user: string): Removal[] {
  return restrictions
    .on(user)
    .filter(({ restriction }) => restriction.endsMembership)
    .slice(-mostTold)
    .map(({ room, restriction }) => removalBy(room, restriction));
}

import { randomUUID } from 'node:crypto';
import type { Consumer } from '../changes/consumer.ts';
import {
  type EventType,
  isMember,
  type LoggedChange,
  type NewEvent,
  type RoomRecord,
} from '../history/history.ts';
import type { PresenceType } from './presence.ts';

type Event = Omit<NewEvent, 'id' | 'at' | 'due' | 'tries'>;

/** The type of change that causes each event. The notifier creates `notify.due` events. */
const sources: Record<Exclude<EventType, 'notify.due'>, LoggedChange['type']> = {
  'message.created': 'message',
  'message.changed': 'message',
  'message.reported': 'report',
  'message.held': 'held',
  'question.opened': 'question',
  'question.closed': 'question',
  'room.created': 'room',
  // Not `room`, because every new member changes the room.
  'room.changed': 'act',
  'room.member_added': 'member',
  'room.member_removed': 'member',
};

/**
 * Returns the consumer that creates events from changes, in the transaction that advances its offset. A crash neither
 * loses nor repeats an event.
 * @param stored called when there are new events
 * @returns null if changes do not cause any of the wanted events
 */
export function webhookEvents(
  wanted: ReadonlySet<EventType | PresenceType>,
  stored: () => void,
): Consumer | null {
  const types = new Set(
    Object.entries(sources).flatMap(([event, type]) => (wanted.has(event as EventType) ? type : [])),
  );
  if (types.size === 0) return null;
  return {
    name: 'webhooks',
    types: [...types],
    // Single messages are sent almost immediately. Many messages are batched, because each batch costs more than
    // sending its events.
    batchMs: 250,
    apart: 1000,
    take: (entries) => ({
      events: entries.flatMap(({ at, changes }) =>
        changes.flatMap((change): NewEvent[] => {
          const event = eventOf(change);
          if (event === undefined || !wanted.has(event.type)) return [];
          return [{ ...event, id: randomUUID(), at, due: at, tries: 0 }];
        }),
      ),
    }),
    stored: ({ events = [] }) => events.length > 0 && stored(),
  };
}

const placeOf = ({ id, createdAt }: RoomRecord) => ({ roomId: id, roomCreatedAt: createdAt });

function eventOf(change: LoggedChange): Event | undefined {
  if (change.type === 'message') {
    const { room: roomId, seq, id: messageId } = change.message;
    return { type: change.is === 'new' ? 'message.created' : 'message.changed', roomId, seq, messageId };
  }
  if (change.type === 'report') {
    return change.closed
      ? undefined
      : { type: 'message.reported', ...placeOf(change.room), report: change.id };
  }
  if (change.type === 'held') {
    const { is, room: roomId, id: held, user: by } = change;
    return is === 'held' ? { type: 'message.held', roomId, held, by } : undefined;
  }
  if (change.type === 'room') {
    return change.is === 'new' ? { type: 'room.created', ...placeOf(change.room) } : undefined;
  }
  if (change.type === 'question') {
    const { is, room } = change;
    return is === 'opened' || is === 'closed' ? { type: `question.${is}`, ...placeOf(room) } : undefined;
  }
  if (change.type === 'act') {
    const { kind, room: roomId, by } = change.act;
    if (kind !== 'room_changed' || roomId === undefined) return undefined;
    return { type: 'room.changed', roomId, by };
  }
  if (change.type !== 'member') return undefined;
  const { before, now, room, user } = change;
  const was = before !== null && isMember(before);
  if (was === isMember(now)) return undefined;
  return { type: was ? 'room.member_removed' : 'room.member_added', ...placeOf(room), user: user.id };
}

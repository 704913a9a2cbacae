import type { Consumer } from '../changes/consumer.ts';
import {
  type Concerned,
  everybody,
  type History,
  type LoggedChange,
  type LoggedEntry,
  otherOf,
  type PushRef,
  type RoomRecord,
  type StoredMessage,
} from '../history/history.ts';

/** Delay of a push after the message, in milliseconds. */
export const pushAfter = 5000;
/**
 * Changes are batched for this time, in milliseconds, because each batch costs two transactions. Notifications are sent
 * later anyway.
 */
const batchMs = 1000;

/** The `room` of the push of a reminder. No room has such an ID. */
export const placeOfReminder = (id: string): string => `!${id}`;
export const isOfReminder = (place: string): boolean => place.startsWith('!');

/**
 * Returns the consumer that queues the notification targets of messages, in the transaction that moves its position.
 * Targets are the peer in a direct room, mentioned users, followers of the thread, users whose reminder is due, and
 * rooms whose members are scanned later. Whether they have read the message is checked when they are due.
 * @param firstLook the delay of the first check after a message, in milliseconds
 * @param stored called when there are new targets
 */
export function concerns({ read }: Pick<History, 'read'>, firstLook: number, stored: () => void): Consumer {
  return {
    name: 'notify',
    types: ['message', 'mentions', 'concerned', 'later'],
    batchMs,
    async take(entries) {
      const { places, named } = placesOf(entries);
      const messages = places.length === 0 ? [] : await read.messages({ places });
      const rooms = new Map<string, RoomRecord>();
      for (const id of new Set(messages.map(({ room }) => room))) {
        const room = await read.room({ room: id });
        if (room !== null) rooms.set(id, room);
      }
      const concerned = concernedBy(messages, named, rooms);
      const users = [...new Set(concerned.named.map(({ user }) => user))];
      const withDevices = new Set(await read.withDevices({ users }));
      const at = Date.now();
      return {
        concerned: {
          users,
          due: at + firstLook,
          rooms: concerned.rooms,
          roomsDue: at,
          pushes: concerned.named.filter(({ user }) => withDevices.has(user)),
          pushDue: at + pushAfter,
        },
      };
    },
    stored: ({ concerned }) => {
      if (concerned !== undefined && concerned.users.length + concerned.rooms.length > 0) stored();
    },
  };
}

/** Returns the messages that are new or now mention @all, and the mentioned users and followers of threads. */
function placesOf(entries: readonly LoggedEntry[]) {
  const places: { room: string; seq: number }[] = [];
  const named: PushRef[] = [];
  const name = (room: string, users: readonly string[]) => {
    named.push(...users.map((user) => ({ user, room })));
  };
  const look = ({ room, seq }: { room: string; seq: number }) => places.push({ room, seq });
  const take = (change: LoggedChange) => {
    if (change.type === 'message' && change.is === 'new') look(change.message);
    if (change.type === 'mentions') {
      // @all is not a user. The members of the room are scanned, as after a new message.
      if (change.added.includes(everybody)) look(change.message);
      name(
        change.message.room,
        change.added.filter((user) => user !== everybody),
      );
    }
    if (change.type === 'concerned' && change.is !== 'deleted') name(change.message.room, change.users);
    if (change.type === 'later' && change.is === 'due') name(placeOfReminder(change.id), [change.user]);
  };
  for (const { changes } of entries) for (const change of changes) take(change);
  return { places, named };
}

function concernedBy(
  messages: readonly StoredMessage[],
  named: readonly PushRef[],
  rooms: ReadonlyMap<string, RoomRecord>,
): Pick<Concerned, 'rooms'> & { named: PushRef[] } {
  const all = new Map(named.map((one) => [`${one.user} ${one.room}`, one]));
  const everyone = new Map<string, boolean>();
  for (const { room: id, user: author, mentions, deletedAt, threadOnly } of messages) {
    const room = rooms.get(id);
    if (room === undefined || deletedAt !== undefined) continue;
    if (room.kind === 'direct') {
      const other = otherOf(room.pair, author.id);
      if (other !== undefined) all.set(`${other} ${id}`, { user: other, room: id });
      continue;
    }
    const isToAll = mentions?.some((mention) => mention.user === everybody) ?? false;
    // Other replies that are only in a thread concern its followers.
    if (threadOnly !== undefined && !isToAll) continue;
    everyone.set(id, isToAll || everyone.get(id) === true);
  }
  return {
    named: [...all.values()],
    rooms: [...everyone].map(([room, isToAll]) => ({ room, everyone: isToAll })),
  };
}

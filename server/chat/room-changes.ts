import type { RoomRecord } from '../history/history.ts';
import type { RoomSettings } from '../wire/events.ts';
import type { Chat } from './chat.ts';
import type { Effect } from './effect.ts';
import { type Connection, connectionIdsOf, type FindUser, newRoom, type Person, type Room } from './model.ts';
import { previewsFor, summaryOf } from './summary.ts';

/** A room was created, changed or deleted. */
export const roomEffect: Effect<'room'> = {
  apply(chat, change, find) {
    return change.is === 'deleted'
      ? applyDeletion(chat, change.room, change.asker, find)
      : applyRoom(chat, change.room, change.is === 'new', change.asker);
  },
};

/** A room changed so much that clients must read it again. */
export const resetEffect: Effect<'reset'> = {
  apply({ directory, publisher, activity }, change) {
    const room = directory.room(change.room.id);
    if (room === undefined) return undefined;
    applyReset(room.record, change.room);
    return () => {
      publisher.toRoom(room.record.id, 'room:reset', { room: room.record.id });
      activity.announce(room);
    };
  },
};

function applyRoom(chat: Chat, record: RoomRecord, isNew: boolean, asker: string | undefined) {
  const { directory, activity } = chat;
  const room = directory.room(record.id);
  if (room === undefined) {
    if (record.kind !== 'public') return undefined;
    const added = directory.addRoom(record);
    return () => announceNewRoom(chat, added, asker);
  }
  const before = { ...room.record };
  if (before.name !== record.name) directory.publicRooms.renamed();
  applyRecord(room.record, record);
  // The room is already in memory if its creator connected before this change arrived.
  if (isNew && record.kind === 'public' && record.createdAt === room.record.createdAt)
    return () => announceNewRoom(chat, newRoom(record), asker);
  const isPeerErased = room.record.pair !== undefined && record.pair === undefined;
  if (isPeerErased) {
    directory.unlistDirect(room);
    room.partners.clear();
    delete room.record.pair;
  }
  const isSet = isPeerErased || !haveSameSettings(before, record);
  const isShown = (['name', 'topic', 'firstSeq'] as const).some(
    (field) => before[field] !== room.record[field],
  );
  return () => {
    if (isSet) announceSettings(chat, room, before);
    if (isShown) activity.announceToAll(room);
  };
}

function applyDeletion(
  { directory, others, partners, publisher, typing }: Chat,
  { id, kind, createdAt }: RoomRecord,
  asker: string | undefined,
  find: FindUser,
) {
  const room = directory.room(id);
  const members = [...(room?.here ?? [])].filter(({ user }) => find(user.id) !== undefined);
  const isAllowed = ({ user }: Person) =>
    directory.isOpenTo(user.id, id) && !directory.restrictions.isBanned(id, user.id);
  const readers = kind === 'public' ? [...directory.everybody()].filter(isAllowed) : members;
  directory.restrictions.forget(id);
  if (room === undefined) return undefined;
  // A new room may have the ID now. The site can reuse the ID of its rooms.
  if (room.record.createdAt !== createdAt) {
    for (const person of members) directory.remove(room, person);
    return undefined;
  }
  for (const { user, memberships } of members) {
    memberships.delete(id);
    if (kind === 'private') partners.lostRoom(user.id);
    others?.seenChanged(user.id);
  }
  const left = [...room.joined];
  for (const connection of left) connection.joined.delete(room);
  // Delayed announcements of presence, threads and read receipts use these sets, so nothing is sent after this.
  room.joined.clear();
  room.here.clear();
  directory.forgetRoom(room);
  return () => {
    const payload = { room: id, readable: false, reason: 'deleted' } as const;
    publisher.toConnections(connectionIdsOf(readers, asker), 'room:removed', payload);
    for (const connection of left) publisher.leave(connection.id, id);
    typing.forget(room);
  };
}

/**
 * Sends a new room to all connected users. Users with the same site roles share one frame, because the room looks the
 * same to them.
 */
function announceNewRoom({ directory, publisher }: Chat, room: Room, asker: string | undefined): void {
  const byRoles = new Map<string, Connection[]>();
  for (const { user, connections, memberships } of directory.everybody()) {
    // The creator already has the room, from a connection that is newer than this change.
    if (memberships.has(room.record.id) || !directory.isOpenTo(user.id, room.record.id)) continue;
    for (const connection of connections) {
      if (connection.id === asker) continue;
      const roles = connection.identity.roles.join();
      byRoles.set(roles, [...(byRoles.get(roles) ?? []), connection]);
    }
  }
  for (const receivers of byRoles.values()) {
    const summary = summaryOf(directory, room, receivers[0] as Connection);
    const ids = receivers.map(({ id }) => id);
    publisher.toConnections(ids, 'room:added', summary);
  }
}

function announceSettings({ summaries }: Chat, room: Room, before: RoomRecord): void {
  const { record } = room;
  // In a direct room no event may reveal the peer's own choice.
  const isDirect = record.pair !== undefined && before.pair !== undefined;
  const sees = ({ user: { id } }: Person) => !isDirect || previewsFor(before, id) !== previewsFor(record, id);
  summaries.send(
    room,
    [...room.here].filter(sees).flatMap(({ connections }) => [...connections]),
  );
}

/** Fields that never change, or that messages and resets set. `applyRoom` removes `pair`. */
const otherFields: ReadonlySet<string> = new Set<keyof RoomRecord>([
  'id',
  'kind',
  'createdAt',
  'head',
  'lastSeq',
  'threadOnly',
  'deleted',
  'last',
  'reset',
  'pair',
]);

/** Applies the stored fields of the room itself. */
export function applyRecord(record: RoomRecord, now: RoomRecord): void {
  for (const field of Object.keys({ ...record, ...now }) as (keyof RoomRecord)[]) {
    if (otherFields.has(field)) continue;
    if (now[field] === undefined) Reflect.deleteProperty(record, field);
    else Object.assign(record, { [field]: now[field] });
  }
  if (record.last !== undefined && record.last.seq < record.firstSeq) delete record.last;
}

/** Replaces the state of the room after a large change. */
function applyReset(record: RoomRecord, now: RoomRecord): void {
  applyRecord(record, now);
  // An erasure deletes messages without a change of each. A newer record already has these.
  if (now.deleted !== undefined && now.head >= record.head) record.deleted = now.deleted;
  record.head = Math.max(record.head, now.head);
  if (now.reset !== undefined) record.reset = now.reset;
  // A newer message was already applied.
  if (now.lastSeq < record.lastSeq) return;
  if (now.last === undefined) delete record.last;
  else record.last = now.last;
}

function haveSameSettings(before: RoomRecord, now: RoomRecord): boolean {
  if (before.previewsOf !== now.previewsOf) return false;
  const [a, b] = [before.settings, now.settings];
  const names = Object.keys({ ...a, ...b }) as (keyof RoomSettings)[];
  return names.every((name) => a[name] === b[name]);
}

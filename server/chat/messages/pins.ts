import { type Reads, stateOf } from '../../history/history.ts';
import type { Answers, Pin, RequestPayload } from '../../wire/events.ts';
import type { Chat } from '../chat.ts';
import type { Effect } from '../effect.ts';
import { decided, need } from '../members.ts';
import type { Connection, Person, Room } from '../model.ts';
import { namesIn } from '../names.ts';
import { applyRecord } from '../room-changes.ts';
import { settled } from '../rooms.ts';
import { previewOf } from '../summary.ts';

/** Pins or unpins a message. @returns false for a no-op */
export async function pin(
  { history, directory }: Chat,
  connection: Connection,
  room: Room,
  { seq, pinned }: RequestPayload<'message:pin'> & { pinned: boolean },
): Promise<boolean> {
  let changed = false;
  const { id } = room.record;
  await decided(async () => {
    directory.checkStill(connection.person, room);
    need(room, connection, 'pin');
    const user = connection.person.user.id;
    const decidedFor = stateOf(room.record);
    const output = await history.write.pin({ room: id, seq, user, pinned, decidedFor, at: Date.now() });
    ({ changed } = output);
    return output;
  });
  return changed;
}

/** Returns the pinned messages of a room, the latest pin first. */
export async function pins(chat: Chat, { person }: Connection, room: Room): Promise<Answers['room:pins']> {
  return settled(room, async () => {
    const stored = await chat.history.read.pins({ room: room.record.id });
    return { pins: await toPins(chat, room, stored, person) };
  });
}

/** A message was pinned or unpinned. The change has no text, so the announcement reads the pin. */
export const pinEffect: Effect<'pin'> = {
  apply(chat, { room: { id }, room: record, seq }) {
    const { history, directory, publisher, announcements } = chat;
    const room = directory.room(id);
    if (room === undefined) return undefined;
    applyRecord(room.record, record);
    return () =>
      // If this fails, clients get the pin when they request the list.
      announcements.add('pin_changed', async () => {
        if (room.joined.size === 0) return;
        const [pin] = await toPins(chat, room, await history.read.pins({ room: id, seq }));
        if (directory.isReplaced(room.record)) return;
        const count = room.record.pins ?? 0;
        const payload = { room: id, seq, pin, count };
        publisher.toRoom(id, 'pin:changed', payload);
      });
  },
};

/**
 * Converts stored pins to the form that clients get.
 * @param reader the recipient, if there is only one
 */
async function toPins(
  chat: Chat,
  { record }: Room,
  stored: Reads['pins']['out'],
  reader?: Person,
): Promise<Pin[]> {
  const users = stored.map(({ pin }) => pin.by);
  const names = await namesIn(chat, record.id, users, reader?.user.id);
  return stored.map(({ pin: { by, at, after }, message }) => ({
    ...previewOf(message),
    ...(reader?.blocked.has(message.user.id) ? { hidden: true as const } : {}),
    by: names.get(by) ?? { id: by, name: by },
    at,
    after,
  }));
}

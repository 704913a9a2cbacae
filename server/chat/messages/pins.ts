import { stateOf } from '../../history/history.ts';
import type { Answers, RequestPayload } from '../../wire/events.ts';
import type { Chat } from '../chat.ts';
import { decided, need } from '../members.ts';
import type { Connection, Room } from '../model.ts';
import { settled } from '../rooms.ts';
import { shownPins } from './shown-pins.ts';

/** Pins a message, or unpins it. @returns whether that has changed anything */
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
    const done = await history.write.pin({ room: id, seq, user, pinned, decidedFor, at: Date.now() });
    ({ changed } = done);
    return done;
  });
  return changed;
}

/** The pinned messages of a room, the last one pinned first. */
export async function pins(chat: Chat, { person }: Connection, room: Room): Promise<Answers['room:pins']> {
  return settled(room, async () => {
    const stored = await chat.history.read.pins({ room: room.record.id });
    return { pins: await shownPins(chat, room.record.id, stored, person) };
  });
}

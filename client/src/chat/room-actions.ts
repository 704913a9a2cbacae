import type { Answers, Notify, RoomSummary } from '../../../server/wire/events.ts';
import type { RequestOf } from '../connection/connection.ts';
import type { Room } from '../store/room.ts';
import type { Chat } from './chat.ts';

// Actions on rooms. Not in `Chat`, because they load after the first messages, with the views that use them.

/** Part of the context of the views. */
interface Caller {
  readonly chat: Chat;
  changed(): void;
}

/** Creates a room and lists it without opening it. A repeated `clientId` returns the same room. */
export async function createRoom(
  caller: Caller,
  payload: RequestOf<'room:create'>,
): Promise<Answers['room:create']> {
  const answer = await caller.chat.connection.request('room:create', payload);
  put(caller, answer);
  return answer;
}

export async function updateRoom(caller: Caller, payload: RequestOf<'room:update'>): Promise<void> {
  put(caller, await caller.chat.connection.request('room:update', payload));
}

/** The setting of a user who has not chosen another for the room. */
export const usualNotify = ({ summary }: Room): Notify => (summary.kind === 'public' ? 'mentions' : 'all');

/** Sets which messages notify the user. Without `quietForMs`, ends a timed mute. */
export async function setNotify(
  caller: Caller,
  { id }: Room,
  notify: Notify,
  quietForMs?: number,
): Promise<void> {
  put(caller, await caller.chat.connection.request('room:notify', { room: id, notify, quietForMs }));
}

/** Makes a room a favourite or not, or moves it into or out of the archive. */
export async function arrange(
  caller: Caller,
  { id }: Room,
  change: Omit<RequestOf<'room:arrange'>, 'room'>,
): Promise<void> {
  put(caller, await caller.chat.connection.request('room:arrange', { room: id, ...change }));
}

/** Sets whether this user wants link previews in a direct room. */
export async function wantPreviews(caller: Caller, { id }: Room, previews: 'on' | 'off'): Promise<void> {
  put(caller, await caller.chat.connection.request('room:previews', { room: id, previews }));
}

/** Leaves a room. A public room stays listed among the other rooms. */
export async function leaveRoom({ connection, list, me }: Chat, { id, summary }: Room): Promise<void> {
  if (me === undefined) return;
  await connection.request('room:remove', { room: id, user: me.id });
  list.removed({ room: id, readable: summary.kind === 'public', reason: 'left' });
}

export async function deleteRoom({ connection, list }: Chat, { id }: Room): Promise<void> {
  await connection.request('room:delete', { room: id });
  list.removed({ room: id, readable: false, reason: 'deleted' });
}

/** Joins a room by an invite link and shows it. */
export async function acceptInvite(chat: Chat, token: string): Promise<Room> {
  const { room } = await chat.connection.request('invite:accept', { token });
  const listed = chat.list.put(room);
  chat.open(room.id);
  return listed;
}

/** Marks the messages after `seq` as unread until the room is opened again. */
export async function markUnread({ chat, changed }: Caller, room: Room, seq: number): Promise<void> {
  const answer = await chat.connection.request('read:mark', { room: room.id, seq, unread: true });
  room.keptUnread = room === chat.current;
  if (room === chat.current) room.newFrom = seq + 1;
  room.unreadAfter(answer.room.readSeq, answer.room.mentions);
  changed();
}

function put({ chat, changed }: Caller, { room }: { room: RoomSummary }): void {
  chat.list.put(room);
  changed();
}

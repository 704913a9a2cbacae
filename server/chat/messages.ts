import { RequestError } from '../errors.ts';
import type { Answers, Message, RequestPayload } from '../events.ts';
import { mayRead, outranks, rightsIn } from './access.ts';
import type { Chat } from './chat.ts';
import { memberOf, targetOf } from './members.ts';
import { actorOf, type Connection, type Room, userOf } from './model.ts';
import { summaryOf } from './summary.ts';

/** What `send` of the history takes, for a message of this connection. */
export function newMessage(
  connection: Connection,
  { room, text, clientId, replyTo }: RequestPayload<'message:send'>,
) {
  return {
    room,
    clientId,
    user: userOf(connection),
    text,
    ...(replyTo === undefined ? {} : { replyTo }),
    sentAt: Date.now(),
    asMember: true,
  };
}

/** Resolves when the message is on the disk; it has been published by then. */
export async function send(
  { history }: Chat,
  connection: Connection,
  payload: RequestPayload<'message:send'>,
): Promise<{ message: Message; repeated: boolean }> {
  return history.write('send', newMessage(connection, payload), connection.id);
}

export async function edit(
  { history }: Chat,
  connection: Connection,
  { room, seq, text, rev }: RequestPayload<'message:edit'>,
): Promise<Answers['message:edit']> {
  return history.write('edit', {
    room,
    seq,
    user: connection.person.user.id,
    text,
    ...(rev === undefined ? {} : { rev }),
    at: Date.now(),
  });
}

export async function deleteMessage(
  chat: Chat,
  connection: Connection,
  room: Room,
  { seq, reason }: RequestPayload<'message:delete'>,
): Promise<Answers['message:delete']> {
  const { history } = chat;
  const { id } = room.record;
  const me = connection.person.user.id;
  const [before] = (await history.read('after', { room: id, after: seq - 1, upTo: seq, limit: 1 })).messages;
  if (before === undefined) throw new RequestError('unknown_message');
  const author = before.user.id;
  if (author !== me && !(await mayModerate(chat, connection, room, author)))
    throw new RequestError('forbidden');
  const { message, changed } = await history.write('delete', {
    room: id,
    seq,
    user: me,
    moderator: author !== me,
    at: Date.now(),
  });
  if (changed && author !== me && reason) {
    // The deletion is done, whatever becomes of this.
    tellAuthor(chat, room, author, { room: id, seq, reason }).catch(() => {});
  }
  return { message };
}

/** @param data what was deleted, and why */
async function tellAuthor(chat: Chat, room: Room, author: string, data: object): Promise<void> {
  const member = await memberOf(chat, room, author);
  // An author who was removed gets no more events of the room.
  if (!mayRead(room.record, member)) return;
  await chat.everywhere(author, { is: 'push', name: 'deleted', data });
}

async function mayModerate(chat: Chat, connection: Connection, room: Room, author: string): Promise<boolean> {
  const actor = actorOf(room, connection);
  if (!rightsIn(room.record, actor).includes('moderate')) return false;
  return outranks(actor, await targetOf(chat, room, author));
}

export async function history(
  { history }: Chat,
  room: Room,
  { before, after, limit }: RequestPayload<'message:history'>,
): Promise<Answers['message:history']> {
  const { id, lastSeq } = room.record;
  if (after !== undefined) return history.read('after', { room: id, after, upTo: lastSeq, limit });
  const upTo = before === undefined ? lastSeq : Math.min(before - 1, lastSeq);
  return history.read('newest', { room: id, upTo, limit });
}

export async function markRead(
  { history, directory }: Chat,
  connection: Connection,
  room: Room,
  { seq }: RequestPayload<'read:mark'>,
): Promise<Answers['read:mark']> {
  if (seq > room.record.lastSeq) throw new RequestError('bad_request', 'seq is beyond the last message');
  const { person } = connection;
  const { id } = room.record;
  const membership = person.memberships.get(id);
  // Users who are not members may read a public room: for them no mark is stored.
  if (membership !== undefined && seq > membership.member.readSeq) {
    await history.write('markRead', { room: id, user: person.user.id, seq }, connection.id);
  }
  return { room: summaryOf(directory, room, connection) };
}

/** @param room absent: in all rooms that the user may read */
export async function search(
  { history, directory }: Chat,
  { person }: Connection,
  room: Room | undefined,
  { query, cursor, limit }: RequestPayload<'message:search'>,
): Promise<Answers['message:search']> {
  const rooms = room === undefined ? [...person.memberships.keys()] : [room.record.id];
  const { messages, next } = await history.read('search', {
    query,
    rooms,
    everyPublic: room === undefined,
    ...(cursor === undefined ? {} : { from: cursor }),
    limit,
  });
  // The user may have lost a room while the search ran.
  const readable = messages.filter((message) => directory.find(person, message.room) !== undefined);
  return { messages: readable, ...(next === undefined ? {} : { next }) };
}

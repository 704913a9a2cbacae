import type { StoredHeld, StoredMessage, Writes } from '../../history/history.ts';
import { RequestError } from '../../wire/errors.ts';
import type { Answers, Held, Message, RequestPayload } from '../../wire/events.ts';
import { firstPage } from '../../wire/links.ts';
import { moderatesSite, outranks, rightsIn } from '../access.ts';
import type { Chat } from '../chat.ts';
import { cursorOf, decodeCursor } from '../cursor.ts';
import { requireRoom } from '../directory.ts';
import { targetOf } from '../members.ts';
import { messageFor, pageFor } from '../mine.ts';
import { actorOf, type Connection, type Room, userOf } from '../model.ts';
import { checkHeld, mayWait, whyHeld } from '../moderation/held.ts';
import { shownHeld } from '../moderation/shown-held.ts';
import { lastWritten } from '../moderation/slow-mode.ts';
import { namesIn } from '../names.ts';
import { readWithin, settled } from '../rooms.ts';
import { inOrder } from './mentions.ts';
import { timelineFor } from './timeline.ts';

/** Users on one page of `message:reactions`. */
const reactorsListed = 100;

/** How the user of this connection writes in the room. */
function sendingOf(connection: Connection, room: Room) {
  const lastOwn = lastWritten(room, connection.person.user.id);
  return {
    room: room.record.id,
    user: userOf(connection),
    sentAt: Date.now(),
    asMember: true,
    siteModerator: moderatesSite(connection.identity),
    ...(lastOwn === undefined ? {} : { lastOwn }),
  };
}

/** The input of the history's `send`, for a message of this connection. */
export function newMessage(
  connection: Connection,
  room: Room,
  { text, clientId, replyTo, files, mentions, preview }: RequestPayload<'message:send'>,
  { previews }: Pick<Chat, 'previews'>,
) {
  const page = previews === undefined || !preview ? null : firstPage(text);
  return {
    ...sendingOf(connection, room),
    clientId,
    text,
    ...(replyTo === undefined ? {} : { replyTo }),
    ...(files === undefined ? {} : { files }),
    ...(mentions === undefined ? {} : { mentions: inOrder(mentions) }),
    ...(page === null ? {} : { preview: page }),
  };
}

/** The input of the history's `forward`. */
export const newForward = (
  { directory }: Pick<Chat, 'directory'>,
  connection: Connection,
  room: Room,
  { from, clientId }: RequestPayload<'message:forward'>,
) => ({
  ...sendingOf(connection, room),
  from,
  clientId,
  ...(directory.find(connection.person, from.room) === undefined ? { hidden: true as const } : {}),
});

/** Resolves when the copy is on disk. The history decides whether the user may read the original. */
export async function forward(
  chat: Chat,
  connection: Connection,
  room: Room,
  payload: RequestPayload<'message:forward'>,
): Promise<{ answer: { message: Message }; repeated: boolean }> {
  const { person } = connection;
  // Another server may have let the user into the room, or removed that user.
  await chat.history.current();
  const origin = await originOf(chat, connection, payload.from);
  // By the role that is known here now: one that another server changes before the copy is stored does not count.
  const waits = mayWait(chat, connection, room);
  const sent = newForward(chat, connection, room, payload);
  // A repeat is answered, whatever the original has become since, and however many bytes were copied.
  const known = waits || origin?.files !== undefined ? await chat.history.probe.forward(sent) : null;
  if (known !== null)
    return { answer: { message: await messageFor(chat, person, known.message) }, repeated: true };
  if (waits) {
    if (origin === undefined) throw new RequestError('unknown_message');
    if ((await whyHeld(chat, connection, room, origin.text, origin.files)) !== null) {
      throw new RequestError('forbidden', 'the copy would wait for a moderator: write a message of your own');
    }
  }
  const files = origin?.files ?? [];
  const bytes = files.reduce((sum, { size }) => sum + size, 0);
  const charge = files.length === 0 ? undefined : chat.fileBudget.charge(person.user.id, bytes, files.length);
  try {
    const { text = '' } = origin ?? {};
    const checked = waits ? { checked: { text, files } } : {};
    const { message, repeated } = await chat.history.write.forward({ ...sent, ...checked }, connection.id);
    if (repeated) charge?.cancel();
    return { answer: { message: await messageFor(chat, person, message) }, repeated };
  } catch (error) {
    charge?.cancel();
    throw error;
  }
}

/** The message that is forwarded. Of a room that the user may not read nothing is known: the answer would depend on it. */
async function originOf(
  { history, directory }: Chat,
  { person }: Connection,
  place: { room: string; seq: number },
): Promise<StoredMessage | undefined> {
  const room = directory.find(person, place.room);
  // An expired message is still stored until its step of the sweep.
  if (room === undefined || place.seq < room.record.firstSeq) return undefined;
  const [message] = await history.read.messages({ places: [place] });
  return message?.deletedAt === undefined ? message : undefined;
}

/** Resolves when the message is on disk; it has been published by then, or waits for a moderator. */
export async function send(
  chat: Chat,
  connection: Connection,
  room: Room,
  payload: RequestPayload<'message:send'>,
): Promise<{ answer: Answers['message:send']; repeated: boolean }> {
  const sent = newMessage(connection, room, payload, chat);
  const done = await (chat.hold === undefined
    ? chat.history.write.send(sent, connection.id)
    : sendOrHold(chat, connection, room, sent));
  const { repeated } = done;
  if ('held' in done) {
    if (!repeated) {
      chat.typing.stop(room, connection.person.user.id);
      chat.previews?.beginHeld(done.held);
    }
    return { answer: await heldAnswer(chat, done.held), repeated };
  }
  if (!repeated) chat.previews?.begin(done.message);
  return { answer: { message: await messageFor(chat, connection.person, done.message) }, repeated };
}

async function sendOrHold(
  chat: Chat,
  connection: Connection,
  room: Room,
  sent: ReturnType<typeof newMessage>,
): Promise<Writes['hold']['out']> {
  const why = await whyHeld(chat, connection, room, sent.text, sent.files);
  if (why !== null && mayWait(chat, connection, room)) {
    // A repeat is answered, however many wait.
    const known = await chat.history.probe.hold({ ...sent, why });
    if (known !== null) return known;
    await checkHeld(chat, connection);
  }
  return chat.history.write.hold({ ...sent, why }, connection.id);
}

async function heldAnswer({ history }: Chat, held: StoredHeld): Promise<{ held: Held }> {
  const [shown] = await shownHeld(history, [held]);
  return { held: shown as Held };
}

/** The answer to a repeat of `message:send`; null if it is none. */
export async function sent(
  chat: Chat,
  connection: Connection,
  room: Room,
  payload: RequestPayload<'message:send'>,
): Promise<Answers['message:send'] | null> {
  const message = { ...newMessage(connection, room, payload, chat), asMember: false };
  const known = await (chat.hold === undefined
    ? chat.history.probe.send(message)
    : chat.history.probe.hold({ ...message, why: null }));
  if (known === null) return null;
  if ('held' in known) return heldAnswer(chat, known.held);
  return { message: await messageFor(chat, connection.person, known.message) };
}

export async function edit(
  chat: Chat,
  connection: Connection,
  place: Room,
  { room, seq, text, files, mentions, rev }: RequestPayload<'message:edit'>,
): Promise<Answers['message:edit']> {
  const user = connection.person.user.id;
  const page = chat.previews === undefined ? null : firstPage(text);
  chat.reactions.flush(room, seq);
  try {
    const why = await whyHeld(chat, connection, place, text, files);
    if (why !== null && mayWait(chat, connection, place)) await checkHeld(chat, connection, { room, seq });
    const edited = {
      room,
      seq,
      user,
      text,
      ...(files === undefined ? {} : { files }),
      ...(mentions === undefined ? {} : { mentions: inOrder(mentions) }),
      ...(page === null ? {} : { preview: page }),
      siteModerator: moderatesSite(connection.identity),
      ...(rev === undefined ? {} : { rev }),
      at: Date.now(),
    };
    const done = await (why === null
      ? chat.history.write.edit(edited)
      : chat.history.write.holdEdit({ ...edited, why }));
    if ('held' in done) {
      chat.previews?.beginHeld(done.held);
      return await heldAnswer(chat, done.held);
    }
    chat.previews?.begin(done.message);
    return { message: await messageFor(chat, connection.person, done.message) };
  } catch (error) {
    if (!(error instanceof RequestError) || error.current === undefined) throw error;
    const current = await messageFor(chat, connection.person, error.current as StoredMessage);
    throw new RequestError(error.code, error.message, { current });
  }
}

export async function react(
  chat: Chat,
  connection: Connection,
  payload: RequestPayload<'message:react'>,
): Promise<Answers['message:react'] & { changed: boolean }> {
  const user = connection.person.user.id;
  const { message, changed } = await chat.reactions.react(user, payload);
  return { message: await messageFor(chat, connection.person, message), changed };
}

/** The message, if the reaction would change nothing; otherwise null. */
export async function reacted(
  chat: Chat,
  connection: Connection,
  { room, seq, emoji, on }: RequestPayload<'message:react'>,
): Promise<Answers['message:react'] | null> {
  const user = connection.person.user.id;
  const known = await chat.history.probe.react({ room, seq, reactions: [{ user, emoji, on }] });
  if (known === null) return null;
  const [result = 'same'] = known.results;
  if (result !== 'same' && result !== 'changed') throw new RequestError(result);
  return { message: await messageFor(chat, connection.person, known.message) };
}

/** The users with that reaction, by time. */
export async function reactors(
  chat: Chat,
  { person }: Connection,
  { room, seq, emoji, cursor }: RequestPayload<'message:reactions'>,
): Promise<Answers['message:reactions']> {
  const [after] = cursor === undefined ? [0] : decodeCursor(cursor, ['count']);
  const page = await chat.history.read.reactors({ room, seq, emoji, after, limit: reactorsListed });
  if (page === null) throw new RequestError('unknown_message');
  const { users, next } = page;
  const names = await namesIn(chat, room, users, person.user.id);
  return { users: [...names.values()], ...(next === undefined ? {} : { next: cursorOf([next]) }) };
}

export async function deleteMessage(
  chat: Chat,
  connection: Connection,
  room: Room,
  { seq, reason }: RequestPayload<'message:delete'>,
): Promise<Answers['message:delete']> {
  const { history, reactions } = chat;
  const { id } = room.record;
  reactions.flush(id, seq);
  const me = connection.person.user.id;
  const author = await authorOf(chat, connection, { room: id, seq });
  if (author !== me && !(await mayModerate(chat, connection, room, author)))
    throw new RequestError('forbidden');
  const { message, changed } = await history.write.delete({
    room: id,
    seq,
    user: me,
    moderator: author !== me,
    siteModerator: moderatesSite(connection.identity),
    ...(reason ? { reason } : {}),
    at: Date.now(),
  });
  if (changed && author !== me && reason) tellAuthor(chat, author, { room: id, seq, reason });
  return { message: await messageFor(chat, connection.person, message) };
}

/** A message shows the page of its link no more. */
export async function removePreview(
  chat: Chat,
  connection: Connection,
  room: Room,
  { seq }: RequestPayload<'message:unpreview'>,
): Promise<Answers['message:unpreview']> {
  const { id } = room.record;
  const user = connection.person.user.id;
  const author = await authorOf(chat, connection, { room: id, seq });
  if (author !== user && !(await mayModerate(chat, connection, room, author)))
    throw new RequestError('forbidden');
  const moderator = author !== user;
  const { message } = await chat.history.write.removePreview({
    room: id,
    seq,
    user,
    moderator,
    siteModerator: moderatesSite(connection.identity),
    at: Date.now(),
  });
  return { message: await messageFor(chat, connection.person, message) };
}

/**
 * Notifies the author of a deleted message of the reason. The message is deleted, whether or not that fails.
 * @param data the deleted message and the reason
 */
export function tellAuthor(
  chat: Chat,
  author: string,
  data: { room: string; seq: number; reason: string },
): void {
  const tell = async () => {
    // Another server may have removed the author, who then gets no more of the room.
    await chat.history.current();
    await chat.everywhere(author, { is: 'push', name: 'deleted', data, room: data.room });
  };
  tell().catch((error) => chat.onAsideFailure('deletion_reason', error));
}

/** @throws RequestError `unknown_message`, or `unknown_room` for a user who was removed, also by another server */
async function authorOf(
  { history, directory }: Chat,
  { person }: Connection,
  { room, seq }: { room: string; seq: number },
): Promise<string> {
  const { messages } = await history.read.after({ room, after: seq - 1, upTo: seq, limit: 1 });
  requireRoom(directory.find(person, room));
  const [message] = messages;
  if (message === undefined) throw new RequestError('unknown_message');
  return message.user.id;
}

async function mayModerate(chat: Chat, connection: Connection, room: Room, author: string): Promise<boolean> {
  const target = await targetOf(chat, room.record.id, author);
  // The user may have lost the right meanwhile.
  const actor = actorOf(room, connection);
  return rightsIn(room.record, actor).includes('moderate') && outranks(actor, target);
}

export async function history(
  chat: Chat,
  { person }: Connection,
  room: Room,
  { before, after, limit }: RequestPayload<'message:history'>,
): Promise<Answers['message:history']> {
  return settled(room, async () => {
    const { id, lastSeq } = room.record;
    const upTo = before === undefined ? lastSeq : Math.min(before - 1, lastSeq);
    const page =
      after === undefined
        ? await chat.history.read.newest({ room: id, upTo, limit })
        : await chat.history.read.after({ room: id, after, upTo: lastSeq, limit });
    // A quote and a link show one message, and open no room.
    const opens = before === undefined && after === undefined && !person.memberships.has(id);
    if (opens) await chat.notify?.opened(person.user.id, id, lastSeq);
    return timelineFor(chat, person, id, page);
  });
}

/** The newest messages with pictures, files or links. */
export async function files(
  chat: Chat,
  { person }: Connection,
  room: Room,
  { what, before, limit }: RequestPayload<'room:files'>,
): Promise<Answers['room:files']> {
  return settled(room, async () => {
    const { id, lastSeq } = room.record;
    const upTo = Math.min(before ?? lastSeq + 1, lastSeq + 1);
    return pageFor(chat, person, await chat.history.read.holding({ room: id, what, before: upTo, limit }));
  });
}

/** @param room absent: all rooms that the user may read */
export async function search(
  chat: Chat,
  { person }: Connection,
  room: Room | undefined,
  { query, from, has, sentFrom, sentBefore, cursor, limit }: RequestPayload<'message:search'>,
): Promise<Answers['message:search']> {
  return readWithin(
    () => ({
      rooms: room === undefined ? [...person.memberships.keys()] : [room.record.id],
      // The search itself must omit these rooms: if their messages were removed from the page later, a short page would
      // show that they exist.
      except: chat.directory.restrictions.bannedFrom(person.user.id),
    }),
    async (among) => {
      const page = await chat.history.read.search({
        ...(query === undefined ? {} : { query }),
        only: {
          ...(from === undefined ? {} : { from }),
          ...(has === undefined ? {} : { has }),
          ...(sentFrom === undefined ? {} : { sentFrom }),
          ...(sentBefore === undefined ? {} : { sentBefore }),
        },
        ...among,
        everyPublic: room === undefined,
        ...(cursor === undefined ? {} : { from: cursor }),
        limit,
      });
      const { messages, next } = await pageFor(chat, person, page);
      // Their room may have been deleted meanwhile.
      const readable = messages.filter((message) => chat.directory.find(person, message.room) !== undefined);
      return { messages: readable, ...(next === undefined ? {} : { next }) };
    },
  );
}

import type { PendingMessage, RoomRecord, StoredMessage, Writes } from '../../history/history.ts';
import { fieldsIn, fieldsWith, type NewContent, pick } from '../../wire/content.ts';
import { RequestError } from '../../wire/errors.ts';
import type { Answers, Held, Message, RequestPayload } from '../../wire/events.ts';
import { isVisitor, moderatesSite, outranks, rightsIn } from '../access.ts';
import type { Chat } from '../chat.ts';
import { cursorOf, decodeCursor } from '../cursor.ts';
import { requireRoom } from '../directory.ts';
import { targetOf } from '../members.ts';
import { messageFor, pageFor } from '../mine.ts';
import { actorOf, type Connection, type Room, userOf } from '../model.ts';
import { checkPendingLimit, findHoldReason, holdInTurn, mayWait } from '../moderation/held.ts';
import { toHeld } from '../moderation/shown-held.ts';
import { findLastMessage } from '../moderation/slow-mode.ts';
import { namesIn } from '../names.ts';
import { readWithin, settled } from '../rooms.ts';
import { partnerOf } from '../summary.ts';
import { inOrder } from './mentions.ts';
import { type Reacting, toReactionError } from './reactions.ts';
import { pageToPreview } from './texts.ts';
import { timelineFor } from './timeline.ts';

/** Users on one page of `message:reactions`. */
const maxReactors = 100;

/** Returns the sender of a message, as the history needs it. */
function toSender(connection: Connection, room: Room) {
  const lastOwn = findLastMessage(room, connection.person.user.id);
  return {
    room: room.record.id,
    user: userOf(connection),
    sentAt: Date.now(),
    asMember: true,
    siteModerator: moderatesSite(connection.identity),
    lastOwn,
  };
}

/** Returns the input of the history's `send`. */
export function newMessage(
  connection: Connection,
  room: Room,
  { clientId, preview, ...payload }: RequestPayload<'message:send'>,
  { previews }: Pick<Chat, 'previews'>,
) {
  const content = pick(payload, sentFields);
  return {
    ...toSender(connection, room),
    clientId,
    ...contentFrom(connection, content, preview ? { previews } : {}),
  };
}

const sentFields = fieldsIn('sent').filter((field) => field !== 'preview');

/**
 * Returns a content as the history gets it, with the page to preview. From guests it omits fields by which they could
 * notify users.
 */
function contentFrom<Content extends Pick<NewContent, 'text' | 'mentions'>>(
  { identity, person }: Connection,
  content: Content,
  chat: Pick<Chat, 'previews'>,
): Content & { preview?: string } {
  const sent = isVisitor(identity) ? (pick(content, guestFields as (keyof Content)[]) as Content) : content;
  const preview = pageToPreview(chat, person.user, content.text);
  return { ...sent, mentions: sent.mentions && inOrder(sent.mentions), preview };
}

const guestFields = fieldsWith('guests', true);

/** Returns the input of the history's `forward`. `hidden`: the user may not read the source room. */
export const newForward = (
  { directory }: Pick<Chat, 'directory'>,
  connection: Connection,
  room: Room,
  { from, clientId }: RequestPayload<'message:forward'>,
) => ({
  ...toSender(connection, room),
  from,
  clientId,
  hidden: directory.find(connection.person, from.room) === undefined ? (true as const) : undefined,
});

const copiedFields = fieldsWith('forward', 'copied');

/** Resolves when the copy is on disk. The history decides whether the user may read the original message. */
export async function forward(
  chat: Chat,
  connection: Connection,
  room: Room,
  payload: RequestPayload<'message:forward'>,
): Promise<{ answer: { message: Message }; repeated: boolean }> {
  const { person } = connection;
  // Wait for changes of other servers, which may have added the user to the source room or removed the user.
  await chat.history.current();
  const original = await readOriginal(chat, connection, payload.from);
  // Uses the role that this server knows. A concurrent change of the role on another server is ignored.
  const isChecked = mayWait(chat, connection, room);
  const input = newForward(chat, connection, room, payload);
  // A duplicate gets its response even if the original message changed or the file budget is used up.
  const duplicate =
    isChecked || original?.files !== undefined ? await chat.history.probe.forward(input) : null;
  if (duplicate !== null)
    return { answer: { message: await messageFor(chat, person, duplicate.message) }, repeated: true };
  const copied = original && pick(original, copiedFields);
  if (isChecked) {
    if (copied === undefined) throw new RequestError('unknown_message');
    const { mentions } = original ?? {};
    if ((await findHoldReason(chat, connection, room, { ...copied, mentions })) !== null) {
      throw new RequestError('forbidden', 'the copy would need approval: write your own message instead');
    }
  }
  const files = original?.files ?? [];
  const bytes = files.reduce((sum, { size }) => sum + size, 0);
  const charge = files.length === 0 ? undefined : chat.fileBudget.charge(person.user.id, bytes, files.length);
  try {
    const checked = isChecked ? copied : undefined;
    const { message, repeated } = await chat.history.write.forward({ ...input, checked }, connection.id);
    if (repeated) charge?.cancel();
    return { answer: { message: await messageFor(chat, person, message) }, repeated };
  } catch (error) {
    charge?.cancel();
    throw error;
  }
}

/**
 * Reads the message to forward. Undefined if the user may not read its room, so that neither checks nor the file budget
 * reveal the message.
 */
async function readOriginal(
  chat: Chat,
  { person }: Connection,
  ref: { room: string; seq: number },
): Promise<StoredMessage | undefined> {
  const room = chat.directory.find(person, ref.room);
  return room && findVisible(chat, room.record, ref.seq);
}

/** Returns a message that is neither deleted nor expired. Does not check who may read it. */
export async function findVisible(
  { history }: Pick<Chat, 'history'>,
  { id, firstSeq }: Pick<RoomRecord, 'id' | 'firstSeq'>,
  seq: number,
): Promise<StoredMessage | undefined> {
  // An expired message is stored until a background task purges it.
  if (seq < firstSeq) return undefined;
  const [message] = await history.read.messages({ places: [{ room: id, seq }] });
  return message?.deletedAt === undefined ? message : undefined;
}

/** Resolves when the message is on disk. By then it is published, or pending approval. */
export async function send(
  chat: Chat,
  connection: Connection,
  room: Room,
  payload: RequestPayload<'message:send'>,
): Promise<{ answer: Answers['message:send']; repeated: boolean }> {
  const input = newMessage(connection, room, payload, chat);
  const output = await (chat.hold === undefined
    ? chat.history.write.send(input, connection.id)
    : sendOrHold(chat, connection, room, input));
  const { repeated } = output;
  if ('held' in output) {
    if (!repeated) {
      chat.typing.stop(room, connection.person.user.id);
      chat.previews?.beginPending(output.held);
    }
    return { answer: await toHeldAnswer(chat, output.held), repeated };
  }
  if (!repeated) chat.previews?.begin(output.message);
  const message = await messageFor(chat, connection.person, output.message);
  const unreached = await isUnreached(chat, connection, room);
  return { answer: { message, unreached: unreached || undefined }, repeated };
}

/**
 * Whether the peer of a direct room has never connected, and gets no mail. False if the author may not know the peer's
 * name and presence. Does not depend on mail addresses, blocks and settings of users, because authors may not learn
 * about them.
 */
async function isUnreached(
  { directory, history, notify, onAsideFailure }: Chat,
  { person }: Connection,
  room: Room,
): Promise<boolean> {
  const peer = partnerOf(directory, room, person);
  if (peer === undefined || !peer.known || peer.present) return false;
  try {
    const { id } = peer.user;
    if ((await history.read.arrival({ user: id })) !== null) return false;
    // Without a table of users, the site may never have named the user to the chat.
    const [stored] = await history.read.users({ ids: [id] });
    return stored === undefined || notify?.reachesNewMembers !== true;
  } catch (error) {
    // The message is stored.
    onAsideFailure('reach_checked', error);
    return false;
  }
}

async function sendOrHold(
  chat: Chat,
  connection: Connection,
  room: Room,
  input: ReturnType<typeof newMessage>,
): Promise<Writes['hold']['out']> {
  const why = await findHoldReason(chat, connection, room, input);
  const hold = () => chat.history.write.hold({ ...input, why }, connection.id);
  if (why === null || !mayWait(chat, connection, room)) return hold();
  return holdInTurn(input.user.id, async () => {
    // A duplicate gets its response even if too many messages are pending.
    const duplicate = await chat.history.probe.hold({ ...input, why });
    if (duplicate !== null) return duplicate;
    await checkPendingLimit(chat, input.user.id);
    return hold();
  });
}

async function toHeldAnswer({ history }: Chat, held: PendingMessage): Promise<{ held: Held }> {
  const [shown] = await toHeld(history, [held]);
  return { held: shown as Held };
}

/** Returns the response to a duplicate of an earlier `message:send`; null for a new message. */
export async function sent(
  chat: Chat,
  connection: Connection,
  room: Room,
  payload: RequestPayload<'message:send'>,
): Promise<Answers['message:send'] | null> {
  const message = { ...newMessage(connection, room, payload, chat), asMember: false };
  const duplicate = await (chat.hold === undefined
    ? chat.history.probe.send(message)
    : chat.history.probe.hold({ ...message, why: null }));
  if (duplicate === null) return null;
  if ('held' in duplicate) return toHeldAnswer(chat, duplicate.held);
  return { message: await messageFor(chat, connection.person, duplicate.message) };
}

export async function edit(
  chat: Chat,
  connection: Connection,
  room: Room,
  { room: id, seq, rev, ...edited }: RequestPayload<'message:edit'>,
): Promise<Answers['message:edit']> {
  const user = connection.person.user.id;
  chat.reactions.flush(id, seq);
  try {
    const why = await findHoldReason(chat, connection, room, edited);
    const input = {
      room: id,
      seq,
      user,
      ...contentFrom(connection, edited, chat),
      siteModerator: moderatesSite(connection.identity),
      rev,
      at: Date.now(),
    };
    const store = async () =>
      why === null ? chat.history.write.edit(input) : chat.history.write.holdEdit({ ...input, why });
    const output = await (why !== null && mayWait(chat, connection, room)
      ? holdInTurn(user, async () => {
          await checkPendingLimit(chat, user, { room: id, seq });
          return store();
        })
      : store());
    if ('held' in output) {
      chat.previews?.beginPending(output.held);
      return await toHeldAnswer(chat, output.held);
    }
    chat.previews?.begin(output.message);
    return { message: await messageFor(chat, connection.person, output.message) };
  } catch (error) {
    if (!(error instanceof RequestError) || error.current === undefined) throw error;
    const current = await messageFor(chat, connection.person, error.current as StoredMessage);
    throw new RequestError(error.code, error.message, { fields: { current } });
  }
}

export async function react(
  chat: Chat,
  connection: Connection,
  payload: RequestPayload<'message:react' | 'poll:vote'>,
): Promise<Answers['message:react'] & { changed: boolean }> {
  const { message, changed } = await chat.reactions.react(payload, toReaction(connection, payload));
  if (changed && 'choice' in payload && message.poll?.anonymous) sendOwnVote(chat, connection, payload);
  return { message: await messageFor(chat, connection.person, message), changed };
}

function toReaction(
  { person }: Connection,
  payload: RequestPayload<'message:react' | 'poll:vote'>,
): Reacting {
  const user = person.user.id;
  if ('choice' in payload) return { user, choice: payload.choice, at: Date.now() };
  return { user, emoji: payload.emoji, on: payload.on };
}

/** Sends a secret vote to the other connections of its user, in a background task. The event for the room omits it. */
function sendOwnVote(
  chat: Chat,
  { person }: Connection,
  { room, seq, choice }: RequestPayload<'poll:vote'>,
): void {
  chat
    .everywhere(person.user.id, { is: 'push', name: 'voted', data: { room, seq, choice }, room })
    .catch((error) => chat.onAsideFailure('own_vote', error));
}

/** Returns the message if the reaction would be a no-op; otherwise null. */
export async function reacted(
  chat: Chat,
  connection: Connection,
  payload: RequestPayload<'message:react' | 'poll:vote'>,
): Promise<Answers['message:react'] | null> {
  const { room, seq } = payload;
  const reactions = [toReaction(connection, payload)];
  const output = await chat.history.probe.react({ room, seq, reactions });
  if (output === null) return null;
  const [result = 'same'] = output.results;
  if (result !== 'same' && result !== 'changed') throw toReactionError(result);
  return { message: await messageFor(chat, connection.person, output.message) };
}

/** Returns the users with that reaction, oldest first. */
export async function reactors(
  chat: Chat,
  { person }: Connection,
  { room, seq, emoji, cursor }: RequestPayload<'message:reactions'>,
): Promise<Answers['message:reactions']> {
  const [after] = cursor === undefined ? [0] : decodeCursor(cursor, ['count']);
  const page = await chat.history.read.reactors({ room, seq, emoji, after, limit: maxReactors });
  if (page === null) throw new RequestError('unknown_message');
  const { users, next } = page;
  const names = await namesIn(chat, room, users, person.user.id);
  return { users: [...names.values()], next: next === undefined ? undefined : cursorOf([next]) };
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
  const user = connection.person.user.id;
  const author = await authorOf(chat, connection, { room: id, seq });
  if (author !== user && !(await mayModerate(chat, connection, room, author)))
    throw new RequestError('forbidden');
  const { message, changed } = await history.write.delete({
    room: id,
    seq,
    user,
    moderator: author !== user,
    siteModerator: moderatesSite(connection.identity),
    reason: reason || undefined,
    at: Date.now(),
  });
  if (changed && author !== user && reason) sendDeletionReason(chat, author, { room: id, seq, reason });
  return { message: await messageFor(chat, connection.person, message) };
}

/** Removes the link preview of a message. */
export async function removePreview(
  chat: Chat,
  connection: Connection,
  room: Room,
  { seq }: RequestPayload<'message:unpreview'>,
): Promise<Answers['message:unpreview']> {
  const { message } = await chat.history.write.removePreview(await authorise(chat, connection, room, seq));
  return { message: await messageFor(chat, connection.person, message) };
}

/** Ends a poll or the answers to an event. Votes that arrived before count. */
export async function endPoll(
  chat: Chat,
  connection: Connection,
  room: Room,
  { seq }: RequestPayload<'poll:end'>,
): Promise<Answers['poll:end']> {
  chat.reactions.flush(room.record.id, seq);
  const { message } = await chat.history.write.endPoll(await authorise(chat, connection, room, seq));
  return { message: await messageFor(chat, connection.person, message) };
}

/** Marks a message as important, or removes the mark. The rank of the author does not matter. */
export async function mark(
  chat: Chat,
  connection: Connection,
  room: Room,
  { seq, important }: RequestPayload<'message:mark'>,
): Promise<Answers['message:mark'] & { changed: boolean }> {
  const { message, changed } = await chat.history.write.mark({
    room: room.record.id,
    seq,
    user: connection.person.user.id,
    siteModerator: moderatesSite(connection.identity),
    important,
    at: Date.now(),
  });
  return { message: await messageFor(chat, connection.person, message), changed };
}

/**
 * Returns the input of a write to a message that only its author and moderators may change.
 * @throws RequestError `unknown_message`, `unknown_room` or `forbidden`
 */
async function authorise(chat: Chat, connection: Connection, room: Room, seq: number) {
  const { id } = room.record;
  const user = connection.person.user.id;
  const author = await authorOf(chat, connection, { room: id, seq });
  const moderator = author !== user;
  if (moderator && !(await mayModerate(chat, connection, room, author))) throw new RequestError('forbidden');
  return {
    room: id,
    seq,
    user,
    moderator,
    siteModerator: moderatesSite(connection.identity),
    at: Date.now(),
  };
}

/**
 * Sends the author of a deleted message the reason, in a background task. If that fails, the message stays deleted.
 * @param data the deleted message and the reason
 */
export function sendDeletionReason(
  chat: Chat,
  author: string,
  data: { room: string; seq: number; reason: string },
): void {
  const send = async () => {
    // Wait for changes of other servers, because an author who lost the room must not get the reason.
    await chat.history.current();
    await chat.everywhere(author, { is: 'push', name: 'deleted', data, room: data.room });
  };
  send().catch((error) => chat.onAsideFailure('deletion_reason', error));
}

/**
 * Returns the author of a message.
 * @throws RequestError `unknown_message`, or `unknown_room` if the user lost the room, even through another server
 */
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
  // After the read, because the user may lose the right during it.
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
    // With `before` or `after`, the client may only need a linked or quoted message.
    const opensRoom = before === undefined && after === undefined && !person.memberships.has(id);
    if (opensRoom) await chat.notify?.opened(person.user.id, id, lastSeq);
    return timelineFor(chat, person, id, page);
  });
}

/** Returns the newest messages with pictures, files or links. */
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

/** Searches messages. @param room absent to search all rooms that the user may read */
export async function search(
  chat: Chat,
  { person, identity }: Connection,
  room: Room | undefined,
  { query, from, has, sentFrom, sentBefore, cursor, limit }: RequestPayload<'message:search'>,
): Promise<Answers['message:search']> {
  const isVisiting = isVisitor(identity);
  const everyRoom = () =>
    isVisiting
      ? [...new Set([...chat.directory.guestRooms, ...person.memberships.keys()])].filter(
          (id) => chat.directory.find(person, id) !== undefined,
        )
      : [...person.memberships.keys()];
  return readWithin(
    () => ({
      rooms: room === undefined ? everyRoom() : [room.record.id],
      // The search itself must omit these rooms. If their messages were removed later, a short page would reveal them.
      except: chat.directory.restrictions.bannedFrom(person.user.id),
    }),
    async (rooms) => {
      const wanted = {
        query,
        only: {
          from,
          has,
          sentFrom,
          sentBefore,
        },
        ...rooms,
        everyPublic: room === undefined && !isVisiting,
        from: cursor,
        limit,
      };
      const page = await chat.history.read.search(wanted);
      const { messages, next } = await pageFor(chat, person, page);
      // The rooms of these messages may have been deleted during the read.
      const readable = messages.filter((message) => chat.directory.find(person, message.room) !== undefined);
      return { messages: readable, next };
    },
  );
}

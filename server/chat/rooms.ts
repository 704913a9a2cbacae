import { randomBytes } from 'node:crypto';
import {
  acted,
  hasBegun,
  maxPageBytes,
  type Page,
  type StoredMessage,
  type StoredThread,
  sizeOf,
} from '../history/history.ts';
import { nameKey } from '../history/text-keys.ts';
import { RequestError, type RequestErrorCode } from '../wire/errors.ts';
import type { Answers, RequestPayload, RoomSummary, User } from '../wire/events.ts';
import type { Chat } from './chat.ts';
import { cursorOf, decodeCursor } from './cursor.ts';
import { type Directory, requireRoom } from './directory.ts';
import { addPeople } from './members.ts';
import { joinPage } from './messages/newest-pages.ts';
import { threadsFor, timelineFor } from './messages/timeline.ts';
import { Mine } from './mine.ts';
import { type Connection, type Person, type Room, userOf } from './model.ts';
import { checkRoomWords } from './moderation/room-words.ts';
import { compareKeys, type ListedRoom } from './public-rooms.ts';
import { askSite } from './site-accounts.ts';
import { canOf, nameFor, summaryAfter, summaryOf } from './summary.ts';

/** The most changes that a join with `since` returns. */
const joinChanges = 200;
/** The page of a client that has missed nothing. */
const nothing: Page = { messages: [], complete: true };
/** Rooms in `session:ready`, and present users in the answer to a join. */
const readyRooms = 100;
const presentListed = 100;

/** For `session:ready`: the user's rooms, newest message first, then the other rooms of CHAT_ROOMS. */
export function readyRoomsOf(
  chat: Chat,
  connection: Connection,
): { rooms: RoomSummary[]; more: boolean; firstRoom?: string } {
  const { directory, configured } = chat;
  const own = ownRooms(directory, connection.person).map(({ room }) => room);
  const rooms = own.slice(0, readyRooms);
  for (const id of configured) {
    if (rooms.length === readyRooms) break;
    const room = connection.person.memberships.has(id) ? undefined : directory.find(connection.person, id);
    if (room !== undefined) rooms.push(room);
  }
  // No list shows the public rooms from which the user is banned.
  const hidden = directory.restrictions
    .bannedFrom(connection.person.user.id)
    .filter((id) => directory.room(id)?.record.kind === 'public');
  const publicRooms = directory.publicRooms.count - hidden.length;
  const all = own.length + publicRooms - own.filter(({ record }) => record.kind === 'public').length;
  const first = configured.find((id) => directory.find(connection.person, id) !== undefined);
  return {
    rooms: rooms.map((room) => summaryOf(directory, room, connection)),
    more: all > rooms.length,
    ...(first === undefined ? {} : { firstRoom: first }),
  };
}

export function list(
  chat: Chat,
  connection: Connection,
  { member, query, cursor, limit }: RequestPayload<'room:list'>,
): Answers['room:list'] {
  const { directory } = chat;
  const { person } = connection;
  const wanted = query === undefined ? undefined : nameKey(query);
  const rooms = member ? ownRooms(directory, person) : directory.publicRooms.byName;
  const from =
    cursor === undefined
      ? 0
      : firstAfter(rooms, decodeCursor(cursor, [member ? 'number' : 'string', 'string']));
  const listed: RoomSummary[] = [];
  let bytes = 0;
  let last: ListedRoom['key'] | undefined;
  for (let n = from; n < rooms.length; n++) {
    const { room, key, name } = rooms[n] as ListedRoom;
    if (!member && person.memberships.has(room.record.id)) continue;
    if (directory.find(person, room.record.id) === undefined) continue;
    if (wanted !== undefined && !name.includes(wanted)) continue;
    const summary = summaryOf(directory, room, connection);
    bytes += Buffer.byteLength(JSON.stringify(summary)) + 1;
    const full = listed.length === limit || bytes > maxPageBytes;
    if (full && last !== undefined) return { rooms: listed, next: cursorOf(last) };
    listed.push(summary);
    last = key;
  }
  return { rooms: listed };
}

/** Sorted by newest message first. */
function ownRooms(directory: Directory, person: Person): ListedRoom[] {
  return [...person.memberships.values()]
    .map(({ room }) => {
      const { kind, last, createdAt, id } = room.record;
      // A direct room may be older than its opening by this user, also when all its messages have expired.
      const key = [-(last?.sentAt ?? (kind === 'direct' ? 0 : createdAt)), id] as const;
      return { room, key, name: nameKey(nameFor(directory, room, person)) };
    })
    .sort((a, b) => compareKeys(a.key, b.key));
}

/** The position after that key, by binary search. */
function firstAfter(rooms: readonly ListedRoom[], key: ListedRoom['key']): number {
  let [from, to] = [0, rooms.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if (compareKeys((rooms[middle] as ListedRoom).key, key) > 0) to = middle;
    else from = middle + 1;
  }
  return from;
}

/** Reads and joins in one step: the connection joins in the same turn in which the answer is made. */
export async function join(
  chat: Chat,
  connection: Connection,
  room: Room,
  payload: RequestPayload<'room:join'>,
): Promise<Answers['room:join']> {
  const { since } = payload;
  const { history, directory, publisher, newest } = chat;
  const { person } = connection;
  const { id } = room.record;
  const membership = person.memberships.get(id);
  const acts = membership?.member.acted === acted.never && hasBegun(room.record);
  if (membership === undefined || acts) {
    await history.write.join({ room: id, user: userOf(connection), at: Date.now() }, connection.id);
  }
  // The client has this head from another server, and this one has not got the change yet.
  if (since !== undefined && since > room.record.head) await history.current();
  const { reset } = room.record;
  const resume = since !== undefined && isKnown(room, since) ? since : undefined;
  const missed: StoredMessage[] = [];
  room.missed.add(missed);
  const mine = new Mine(chat, person);
  let page: Page & { threads?: StoredThread[] };
  let threads: Awaited<ReturnType<typeof threadsFor>>;
  try {
    const { head } = room.record;
    if (resume === head || head === 0) page = nothing;
    else if (resume === undefined) page = await newest.of(room);
    else page = await history.read.changes({ room: id, since: resume, upTo: head, limit: joinChanges });
    threads = await threadsFor(chat, person, id, page.messages, page.threads);
    // Messages published meanwhile may need a look too. Only one more, since messages may change at each look: the rest
    // stays unmarked.
    if (await mine.look([...page.messages, ...missed])) await mine.look([...page.messages, ...missed]);
  } finally {
    room.missed.delete(missed);
  }
  // The connection was closed, or the user lost the room, during the read.
  if (connection.gone) throw new RequestError('not_joined');
  if (directory.find(person, id) !== room) throw new RequestError('unknown_room');
  // The user was removed from a public room meanwhile. This joins it again, since a joined connection needs a
  // membership.
  if (!person.memberships.has(id)) return join(chat, connection, room, payload);
  // The room was reset meanwhile, so the page may be outdated.
  if (room.record.reset !== reset) return join(chat, connection, room, payload);
  const answer = resume === undefined ? newestOf(page, missed) : changesOf(page, missed);
  publisher.join(connection.id, id);
  connection.joined.add(room);
  room.joined.add(connection);
  room.joins++;
  // Their threads may have been announced before this connection joined.
  for (const message of missed) chat.threads.changed(room, message);
  return {
    room: summaryOf(directory, room, connection),
    ...answer,
    messages: mine.in(answer.messages),
    ...threads,
    ...(since !== undefined && resume === undefined ? { reset: true as const } : {}),
    ...presentIn(room, person),
  };
}

function presentIn(room: Room, { user }: Person): { present: User[]; presentCount: number } {
  if (!hasBegun(room.record)) return { present: [{ id: user.id, name: user.name }], presentCount: 1 };
  const present: User[] = [];
  const self = room.present.get(user.id);
  if (self !== undefined) present.push(self);
  for (const other of room.present.values()) {
    if (present.length === presentListed) break;
    if (other !== self) present.push(other);
  }
  return { present, presentCount: room.present.size };
}

export async function sync(
  chat: Chat,
  { person }: Connection,
  room: Room,
  { since, limit }: RequestPayload<'room:sync'>,
): Promise<Answers['room:sync']> {
  if (since > room.record.head) await chat.history.current();
  return settled(room, async () => {
    const { id, head, lastSeq } = room.record;
    // The client discards the room and starts again.
    if (!isKnown(room, since)) {
      const page = await chat.history.read.newest({ room: id, upTo: lastSeq, limit: joinPage });
      return { head, ...(await timelineFor(chat, person, id, page)), reset: true as const };
    }
    const page = await chat.history.read.changes({ room: id, since, upTo: head, limit });
    return { head, ...(await timelineFor(chat, person, id, page)) };
  });
}

/**
 * Whether a client can continue from that head: not after a restore of an older history, and not from before a reset, or from
 * a deleted room that had the id.
 */
function isKnown({ record: { head, reset = 0 } }: Room, since: number): boolean {
  return since <= head && since >= reset;
}

/** Reads from a room, and again if the room was reset meanwhile, because clients have discarded the earlier state. */
export async function settled<T>(room: Room, read: () => Promise<T>): Promise<T> {
  for (;;) {
    const { reset } = room.record;
    const found = await read();
    if (room.record.reset === reset) return found;
  }
}

/**
 * Reads by the rooms that the user may know of, and again if these have changed during that: the answer would show that
 * something is in a room that the user has lost, if only by its length.
 * @param scope those rooms, as JSON
 */
export async function readWithin<Scope, T>(
  scope: () => Scope,
  read: (scope: Scope) => Promise<T>,
): Promise<T> {
  for (;;) {
    const known = scope();
    const answer = await read(known);
    if (JSON.stringify(scope()) === JSON.stringify(known)) return answer;
  }
}

export function leave(
  { publisher, typing }: Chat,
  connection: Connection,
  room: Room,
): Answers['room:leave'] {
  publisher.leave(connection.id, room.record.id);
  typing.left(room, connection);
  connection.joined.delete(room);
  room.joined.delete(connection);
  return {};
}

type NewRoom = RequestPayload<'room:create'>;

/** The input of the history's `createRoom`. */
function roomOf({ limits }: Chat, connection: Connection, { name, topic, kind, clientId }: NewRoom) {
  return {
    id: newRoomId(),
    kind,
    name,
    ...(topic ? { topic } : {}),
    by: userOf(connection),
    clientId,
    most: limits.roomsOfUser,
    at: Date.now(),
  };
}

export async function create(
  chat: Chat,
  connection: Connection,
  payload: NewRoom,
): Promise<{ answer: Answers['room:create']; repeated: boolean }> {
  const { history, directory } = chat;
  const { members = [] } = payload;
  if (payload.kind === 'public' && members.length > 0) {
    throw new RequestError('bad_request', 'members are for private rooms: anybody may join a public one');
  }
  const asked = roomOf(chat, connection, payload);
  // A repeat is answered, whatever its name.
  if (chat.hold !== undefined && (await history.probe.createRoom(asked)) === null)
    await checkRoomWords(chat, connection, payload, payload.name, payload.topic);
  // Before the room is there: the request fails as a whole if the site does not answer.
  const named = await askSite(chat, members);
  const made = await history.write.createRoom(asked, connection.id);
  const room = requireRoom(directory.find(connection.person, made.room.id));
  let failed: { user: string; code: RequestErrorCode }[] = [];
  if (!made.repeated && members.length > 0)
    ({ failed } = await addPeople(chat, connection, room, members, named));
  return { answer: { room: summaryAfter(directory, room, connection), failed }, repeated: made.repeated };
}

/** The room that this user has already created with this clientId, or null. */
export async function created(
  chat: Chat,
  connection: Connection,
  payload: NewRoom,
): Promise<Answers['room:create'] | null> {
  const known = await chat.history.probe.createRoom(roomOf(chat, connection, payload));
  const room = known && chat.directory.find(connection.person, known.room.id);
  return room ? { room: summaryOf(chat.directory, room, connection), failed: [] } : null;
}

export function mayCreate({ settings }: Chat, { identity }: Connection, kind: 'public' | 'private'): boolean {
  const can = canOf(settings, identity.roles);
  return kind === 'public' ? can.createPublic : can.createPrivate;
}

/**
 * Ids of users' rooms begin with `u-`, which distinguishes them from rooms of the settings, the session and the API.
 */
function newRoomId(): string {
  return `u-${randomBytes(16).toString('base64url')}`;
}

/** Adds messages published meanwhile, and drops the oldest ones to make room. */
function newestOf(page: Page, missed: readonly StoredMessage[]): Page {
  if (missed.length === 0) return page;
  const bySeq = new Map(page.messages.map((message) => [message.seq, message]));
  for (const message of missed) {
    // An edit of a message older than the page is left out.
    if (bySeq.has(message.seq) || message.seq > (page.messages.at(-1)?.seq ?? 0))
      bySeq.set(message.seq, message);
  }
  const messages = [...bySeq.values()];
  let { complete } = page;
  while (messages.length > joinPage || isTooLarge(messages)) {
    messages.shift();
    complete = false;
  }
  return { messages, complete };
}

/** Adds messages published meanwhile after all changes; room:sync returns those that do not fit. */
function changesOf(page: Page, missed: readonly StoredMessage[]): Page {
  const newest = missed.at(-1);
  if (!page.complete || newest === undefined) return page;
  const byId = new Map(page.messages.map((message) => [message.seq, message]));
  for (const message of missed) {
    // Each message once, in its newest state and at its newest position.
    byId.delete(message.seq);
    byId.set(message.seq, message);
  }
  const messages = [...byId.values()].sort((a, b) => a.rev - b.rev);
  let bytes = 0;
  const rest = messages.findIndex((message, n) => {
    bytes += sizeOf(message) + 1;
    return n > 0 && (n === joinChanges || bytes > maxPageBytes);
  });
  if (rest === -1) return { messages, complete: true };
  // The client continues after the last one, so that must be one that is already published.
  const first = messages.slice(0, rest).filter(({ rev }) => rev <= newest.rev);
  return { messages: first, complete: false };
}

function isTooLarge(messages: readonly StoredMessage[]): boolean {
  return messages.reduce((bytes, message) => bytes + sizeOf(message) + 1, 0) > maxPageBytes;
}

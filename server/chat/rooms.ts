import { hash, randomBytes } from 'node:crypto';
import {
  acted,
  hasBegun,
  maxPageBytes,
  type Page,
  type StoredMessage,
  type StoredThread,
  sizeOf,
} from '../history/history.ts';
import { asTyped, folded } from '../text/folding.ts';
import { RequestError, type RequestErrorCode } from '../wire/errors.ts';
import type { Answers, RequestPayload, RoomSummary, SessionReady, User } from '../wire/events.ts';
import { isVisitor } from './access.ts';
import type { Chat } from './chat.ts';
import { cursorOf, decodeCursor } from './cursor.ts';
import { type Directory, requireRoom } from './directory.ts';
import { addPeople } from './members.ts';
import { joinPageSize } from './messages/newest-pages.ts';
import { threadsFor, timelineFor } from './messages/timeline.ts';
import { Mine } from './mine.ts';
import { type Connection, type Person, type Room, userOf } from './model.ts';
import { checkRoomWords } from './moderation/room-words.ts';
import { compareKeys, type ListedRoom } from './public-rooms.ts';
import { askSite } from './site-accounts.ts';
import { canOf, nameFor, summaryAfter, summaryOf } from './summary.ts';

/** Limits the changes that a join with `since` returns. */
const maxJoinChanges = 200;
/** The page for a client that is up to date. */
const emptyPage: Page = { messages: [], complete: true };
/** Limits the rooms in `session:ready`. */
const maxReadyRooms = 100;
/** The length of a tag in characters. 66 bits, because members can influence what is hashed. */
const tagLength = 11;
/** Limits the present users in the response to a join. */
const maxPresentListed = 100;

/**
 * Returns the rooms for `session:ready`: the user's rooms, newest message first, then the other rooms of CHAT_ROOMS, or
 * of CHAT_GUEST_ROOMS for guests.
 *
 * @param known the tags of the rooms that the client has, which are omitted; without it there are no tags
 */
export function readyRoomsOf(
  chat: Chat,
  connection: Connection,
  known?: ReadonlySet<string>,
): Pick<SessionReady, 'rooms' | 'tags' | 'more' | 'firstRoom'> {
  const { directory } = chat;
  const isVisiting = isVisitor(connection.identity);
  const offered = isVisiting ? [...directory.guestRooms] : chat.configured;
  const own = ownRooms(directory, connection.person).map(({ room }) => room);
  const rooms = own.slice(0, maxReadyRooms);
  for (const id of offered) {
    if (rooms.length === maxReadyRooms) break;
    const room = connection.person.memberships.has(id) ? undefined : directory.find(connection.person, id);
    if (room !== undefined) rooms.push(room);
  }
  // Lists omit public rooms from which the user is banned.
  const hidden = directory.restrictions
    .bannedFrom(connection.person.user.id)
    .filter((id) => directory.room(id)?.record.kind === 'public');
  const publicRooms = directory.publicRooms.count - hidden.length;
  const all = isVisiting
    ? offered.filter((id) => directory.find(connection.person, id) !== undefined).length
    : own.length + publicRooms - own.filter(({ record }) => record.kind === 'public').length;
  const first = offered.find((id) => directory.find(connection.person, id) !== undefined);
  const summaries = rooms.map((room) => summaryOf(directory, room, connection));
  const tags = known && summaries.map(tagOf);
  return {
    rooms: summaries.filter((_, n) => !known?.has(tags?.[n] as string)),
    tags,
    more: all > rooms.length,
    firstRoom: first,
  };
}

/** Returns a tag that changes with anything in the summary. */
const tagOf = (summary: RoomSummary): string =>
  hash('sha256', JSON.stringify(summary), 'base64url').slice(0, tagLength);

export function list(
  chat: Chat,
  connection: Connection,
  { member, query, cursor, limit }: RequestPayload<'room:list'>,
): Answers['room:list'] {
  const { directory } = chat;
  const { person } = connection;
  const rooms = member ? ownRooms(directory, person) : directory.publicRooms.byName;
  const keyTypes = [member ? 'number' : 'string', 'string'] as const;
  const [round, ...after] =
    cursor === undefined
      ? [0]
      : query === undefined
        ? [0, ...decodeCursor(cursor, keyTypes)]
        : decodeCursor(cursor, ['count', ...keyTypes]);
  const from = after.length === 0 ? 0 : firstAfter(rooms, after as [string | number, string]);
  // Names that contain the query as it was typed come first, then the other matches, both in the order of the list.
  const rounds = query === undefined ? [() => true] : roundsOf(query);
  const listed: RoomSummary[] = [];
  let bytes = 0;
  let last: readonly (string | number)[] | undefined;
  for (const [n, isListed] of [...rounds.entries()].slice(round)) {
    for (let at = n === round ? from : 0; at < rooms.length; at++) {
      const listedRoom = rooms[at] as ListedRoom;
      const { room, key } = listedRoom;
      if (!member && person.memberships.has(room.record.id)) continue;
      if (directory.find(person, room.record.id) === undefined) continue;
      if (!isListed(listedRoom)) continue;
      const summary = summaryOf(directory, room, connection);
      bytes += Buffer.byteLength(JSON.stringify(summary)) + 1;
      const isFull = listed.length === limit || bytes > maxPageBytes;
      if (isFull && last !== undefined) return { rooms: listed, next: cursorOf(last) };
      listed.push(summary);
      last = query === undefined ? key : [n, ...key];
    }
  }
  return { rooms: listed };
}

/** Returns the conditions of the rooms that a search lists one after the other. */
function roundsOf(query: string): ((room: ListedRoom) => boolean)[] {
  const [text, typedText] = [folded(query), asTyped(query)];
  const isTyped = ({ name, typed }: ListedRoom) => name.includes(text) && typed.includes(typedText);
  return [isTyped, (room) => room.name.includes(text) && !isTyped(room)];
}

/** Returns the rooms of a user, newest message first. */
function ownRooms(directory: Directory, person: Person): ListedRoom[] {
  return [...person.memberships.values()]
    .map(({ room }) => {
      const { kind, last, createdAt, id } = room.record;
      // An empty direct room comes last. Its creation time would reveal when the peer opened it.
      const key = [-(last?.sentAt ?? (kind === 'direct' ? 0 : createdAt)), id] as const;
      const name = nameFor(directory, room, person);
      return { room, key, name: folded(name), typed: asTyped(name) };
    })
    .sort((a, b) => compareKeys(a.key, b.key));
}

/** Returns the index of the first room after that key, by binary search. */
function firstAfter(rooms: readonly ListedRoom[], key: ListedRoom['key']): number {
  let [from, to] = [0, rooms.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if (compareKeys((rooms[middle] as ListedRoom).key, key) > 0) to = middle;
    else from = middle + 1;
  }
  return from;
}

/**
 * Joins a room, and returns its newest messages or the changes after `since`. The connection joins in the event-loop
 * tick in which the response is built, so that it misses no message.
 */
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
  const isFirstVisit = membership?.member.acted === acted.never && hasBegun(room.record);
  if (membership === undefined || isFirstVisit) {
    await history.write.join({ room: id, user: userOf(connection), at: Date.now() }, connection.id);
  }
  // The client got this head from another server, before this server got the change.
  if (since !== undefined && since > room.record.head) await history.current();
  const { reset } = room.record;
  const resume = since !== undefined && canContinueFrom(room, since) ? since : undefined;
  const missed: StoredMessage[] = [];
  room.missed.add(missed);
  const mine = new Mine(chat, person);
  let page: Page & { threads?: StoredThread[] };
  let threads: Awaited<ReturnType<typeof threadsFor>>;
  try {
    const { head } = room.record;
    if (resume === head || head === 0) page = emptyPage;
    else if (resume === undefined) page = await newest.of(room);
    else page = await history.read.changes({ room: id, since: resume, upTo: head, limit: maxJoinChanges });
    threads = await threadsFor(chat, person, id, page.messages, page.threads);
    // `look` may wait for the history, and more messages may be published during the wait. The second call covers those
    // of the first wait. Messages of the second wait lack the user's own reactions, because the calls might never end.
    if (await mine.look([...page.messages, ...missed])) await mine.look([...page.messages, ...missed]);
  } finally {
    room.missed.delete(missed);
  }
  // The connection was closed, or the user lost the room, during the reads.
  if (connection.gone) throw new RequestError('not_joined');
  if (directory.find(person, id) !== room) throw new RequestError('unknown_room');
  // The user was removed from a public room during the reads. Repeat the join, because a joined connection needs a
  // membership.
  if (!person.memberships.has(id)) return join(chat, connection, room, payload);
  // The room was reset during the reads, so the page may be outdated.
  if (room.record.reset !== reset) return join(chat, connection, room, payload);
  const completed = resume === undefined ? addToNewest(page, missed) : addToChanges(page, missed);
  publisher.join(connection.id, id);
  connection.joined.add(room);
  room.joined.add(connection);
  room.joins++;
  // The threads of these messages may have been announced before this connection joined.
  for (const message of missed) chat.threads.changed(room, message);
  return {
    room: summaryOf(directory, room, connection),
    ...completed,
    messages: mine.in(completed.messages),
    ...threads,
    reset: since !== undefined && resume === undefined ? true : undefined,
    ...listPresent(room, person),
  };
}

function listPresent(room: Room, { user }: Person): { present: User[]; presentCount: number } {
  if (!hasBegun(room.record)) return { present: [{ id: user.id, name: user.name }], presentCount: 1 };
  const present: User[] = [];
  const self = room.present.get(user.id);
  if (self !== undefined) present.push(self);
  for (const shown of room.present.values()) {
    if (present.length === maxPresentListed) break;
    if (shown !== self) present.push(shown);
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
    // With `reset` the client discards its copy of the room.
    if (!canContinueFrom(room, since)) {
      const page = await chat.history.read.newest({ room: id, upTo: lastSeq, limit: joinPageSize });
      return { head, ...(await timelineFor(chat, person, id, page)), reset: true as const };
    }
    const page = await chat.history.read.changes({ room: id, since, upTo: head, limit });
    return { head, ...(await timelineFor(chat, person, id, page)) };
  });
}

/**
 * Whether a client can continue from that head. It cannot if an older history was restored, or if the head predates a
 * reset or belongs to a deleted room with the same ID.
 */
function canContinueFrom({ record: { head, reset = 0 } }: Room, since: number): boolean {
  return since <= head && since >= reset;
}

/** Repeats the read if the room is reset during it, because clients discard the earlier state. */
export async function settled<T>(room: Room, read: () => Promise<T>): Promise<T> {
  for (;;) {
    const { reset } = room.record;
    const result = await read();
    if (room.record.reset === reset) return result;
  }
}

/**
 * Reads within the rooms that the user may know of, and repeats the read if these rooms change during it. Otherwise the
 * length of the response could reveal the contents of a room that the user lost.
 * @param scope returns the rooms, in a form that JSON can compare
 */
export async function readWithin<Scope, T>(
  scope: () => Scope,
  read: (scope: Scope) => Promise<T>,
): Promise<T> {
  for (;;) {
    const current = scope();
    const result = await read(current);
    if (JSON.stringify(scope()) === JSON.stringify(current)) return result;
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

/** Returns the input of the history's `createRoom`. */
function toNewRoom({ limits }: Chat, connection: Connection, { name, topic, kind, clientId }: NewRoom) {
  return {
    id: newRoomId(),
    kind,
    name,
    topic: topic || undefined,
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
    throw new RequestError(
      'bad_request',
      'members can be added only to a private room, any user can join a public room',
    );
  }
  const input = toNewRoom(chat, connection, payload);
  // A duplicate gets its response without a check of the name.
  if (chat.hold !== undefined && (await history.probe.createRoom(input)) === null)
    await checkRoomWords(chat, connection, payload, payload.name, payload.topic);
  // If the site does not respond, the request fails before the room is created.
  const named = await askSite(chat, members);
  const { room: record, repeated } = await history.write.createRoom(input, connection.id);
  const room = requireRoom(directory.find(connection.person, record.id));
  let failed: { user: string; code: RequestErrorCode }[] = [];
  if (!repeated && members.length > 0) ({ failed } = await addPeople(chat, connection, room, members, named));
  return { answer: { room: summaryAfter(directory, room, connection), failed }, repeated };
}

/** Returns the room that this user created with this `clientId`; null if it does not exist or the user lost it. */
export async function created(
  chat: Chat,
  connection: Connection,
  payload: NewRoom,
): Promise<Answers['room:create'] | null> {
  const existing = await chat.history.probe.createRoom(toNewRoom(chat, connection, payload));
  const room = existing && chat.directory.find(connection.person, existing.room.id);
  return room ? { room: summaryOf(chat.directory, room, connection), failed: [] } : null;
}

export function mayCreate({ settings }: Chat, { identity }: Connection, kind: 'public' | 'private'): boolean {
  const can = canOf(settings, identity.roles);
  return kind === 'public' ? can.createPublic : can.createPrivate;
}

/**
 * Returns a random ID for a room that a user creates. It starts with `u-`, unlike the IDs of rooms of the settings, the
 * session and the API.
 */
function newRoomId(): string {
  return `u-${randomBytes(16).toString('base64url')}`;
}

/**
 * Adds messages that were published during the read to the newest page, and drops the oldest messages above its limits.
 */
function addToNewest(page: Page, missed: readonly StoredMessage[]): Page {
  if (missed.length === 0) return page;
  const bySeq = new Map(page.messages.map((message) => [message.seq, message]));
  for (const message of missed) {
    // Omits changes of messages that are older than the page.
    if (bySeq.has(message.seq) || message.seq > (page.messages.at(-1)?.seq ?? 0))
      bySeq.set(message.seq, message);
  }
  const messages = [...bySeq.values()];
  let { complete } = page;
  while (messages.length > joinPageSize || isTooLarge(messages)) {
    messages.shift();
    complete = false;
  }
  return { messages, complete };
}

/** Adds messages that were published during the read to a complete page of changes. `room:sync` returns the rest. */
function addToChanges(page: Page, missed: readonly StoredMessage[]): Page {
  const newest = missed.at(-1);
  if (!page.complete || newest === undefined) return page;
  const bySeq = new Map(page.messages.map((message) => [message.seq, message]));
  for (const message of missed) {
    bySeq.set(message.seq, message);
  }
  const messages = [...bySeq.values()].sort((a, b) => a.rev - b.rev);
  let bytes = 0;
  const end = messages.findIndex((message, n) => {
    bytes += sizeOf(message) + 1;
    return n > 0 && (n === maxJoinChanges || bytes > maxPageBytes);
  });
  if (end === -1) return { messages, complete: true };
  // The client continues after the last `rev` of the page, so the page ends with a published message.
  const first = messages.slice(0, end).filter(({ rev }) => rev <= newest.rev);
  return { messages: first, complete: false };
}

function isTooLarge(messages: readonly StoredMessage[]): boolean {
  return messages.reduce((bytes, message) => bytes + sizeOf(message) + 1, 0) > maxPageBytes;
}

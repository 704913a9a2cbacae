import {
  type Change,
  isConversation,
  maxPendingOfUser,
  maxPendingWithLostRooms,
  type NewMention,
  type PendingMessage,
  pendingLimitReason,
} from '../../history/history.ts';
import { ConcurrencyLimit } from '../../limits/by-key.ts';
import { mayHaveLink } from '../../text/like-link.ts';
import { type ContentField, wordsOf } from '../../wire/content.ts';
import { RequestError } from '../../wire/errors.ts';
import type { Answers, ChosenFile, HoldReason, RequestPayload } from '../../wire/events.ts';
import { decidesIn, findReadableRoom, moderatesSite } from '../access.ts';
import type { Chat } from '../chat.ts';
import type { Effect } from '../effect.ts';
import { memberOf } from '../members.ts';
import { messageFor } from '../mine.ts';
import { type Connection, connectionIdsOf, type Person, type Room, type SessionIdentity } from '../model.ts';
import { namesForSite, namesIn } from '../names.ts';
import { readWithin } from '../rooms.ts';
import { moderatedRooms } from './known-rooms.ts';
import { toHeld } from './shown-held.ts';

/**
 * Whether messages of this connection may need approval in the room. They do not in direct rooms, or for users with a
 * role. Another server may change the user's role in the room, so `hold` and `holdEdit` of the history decide again.
 */
export function mayWait({ hold }: Chat, connection: Connection, room: Room): boolean {
  const { member } = connection.person.memberships.get(room.record.id) ?? {};
  return hold !== undefined && isChecked(connection, room) && (member?.role ?? 'member') === 'member';
}

/** Whether messages of this author are checked, if the user has no role in the room. */
function isChecked({ identity }: Author, { record }: Pick<Room, 'record'>): boolean {
  return !isConversation(record) && !moderatesSite(identity);
}

/** What `findHoldReason` checks: a content in any form. */
type CheckedContent = { [Field in ContentField]?: unknown } & {
  text: string;
  files?: readonly (ChosenFile & { name?: string })[];
  mentions?: readonly NewMention[];
};

/** The author of a message, with the roles on the site. */
interface Author {
  identity: Pick<SessionIdentity, 'id' | 'roles'>;
}

/**
 * Returns why a message of this author needs approval, provided that the user has no role in the room. Null if it
 * does not.
 * @param content what the author sends. Files can lack their names.
 */
export async function findHoldReason(
  chat: Pick<Chat, 'hold' | 'history' | 'directory'>,
  author: Author,
  room: Pick<Room, 'record'>,
  content: CheckedContent,
): Promise<HoldReason | null> {
  const { hold, history } = chat;
  if (hold === undefined || !isChecked(author, room)) return null;
  if (hold.mode === 'all') return 'all';
  const user = author.identity.id;
  const { text, files = [], mentions = [] } = content;
  // A file of another user is rejected later. The result must not reveal its existence or name.
  const nameOf = async (id: string) => {
    const stored = await history.read.file({ id, user });
    const isOwn = stored?.file.user === user && stored.room.id === room.record.id;
    return isOwn ? stored.file.about.name : '';
  };
  const names = await Promise.all(files.map(({ id, name }) => (name === undefined ? nameOf(id) : '')));
  const words = [
    ...wordsOf(content),
    ...(mentions.length === 0 ? [] : await shownTexts(chat, author, room.record.id, text, mentions)),
    ...names,
  ].join('\n');
  if (hold.hasWord(words)) return 'words';
  if (hold.mode === 'links' && mayHaveLink(words)) return 'links';
  if (hold.mode !== 'first') return null;
  return (await history.read.hasWritten({ user, room: room.record.id })) ? null : 'first';
}

/**
 * Returns the text with the names that clients show instead of the letters of its mentions, and without these letters,
 * because a client may show the names apart from the text. A mail address may be a name, so names have no `@`.
 */
async function shownTexts(
  chat: Pick<Chat, 'history' | 'directory'>,
  { identity }: Author,
  room: string,
  text: string,
  mentions: readonly NewMention[],
): Promise<string[]> {
  const users = mentions.map(({ user }) => user);
  const names = await namesIn(chat, room, users, identity.id);
  const nameOf = ({ user }: NewMention) => names.get(user)?.name.replaceAll('@', ' ') ?? user;
  const replaced = (nameOfMention: (mention: NewMention) => string) => {
    const characters = [...text];
    for (const mention of mentions) {
      const { start, length } = mention;
      const sign = characters[start] === '@' ? '@' : '';
      characters.fill('', start, start + length);
      characters[start] = sign + nameOfMention(mention);
    }
    return characters.join('');
  };
  return [replaced(nameOf), replaced(() => ' ')];
}

const holdsOfUser = new ConcurrencyLimit(1);

/**
 * Runs a task that checks the limit of pending messages and stores one. The tasks of a user run one after the other, so
 * that concurrent requests do not all pass the check.
 */
export const holdInTurn = <T>(user: string, task: () => Promise<T>): Promise<T> =>
  holdsOfUser.run(user, task);

/**
 * Checks that the user may have one more pending message. Call it in `holdInTurn`.
 * @param user the author, who may be offline
 * @param edited the message of an edit, which may replace a pending edit
 * @throws RequestError `limit_reached` if too many messages of the user are pending, in all rooms
 */
export async function checkPendingLimit(
  chat: Chat,
  user: string,
  edited?: { room: string; seq: number },
): Promise<void> {
  const all = await chat.history.read.pendingBy({ user });
  if (all.length < maxPendingOfUser) return;
  const person = chat.directory.person(user);
  const readable = await (person === undefined
    ? readInReadableRooms(chat, user, all)
    : inReadableRooms(chat, person, all));
  const isReplaced = (held: PendingMessage) => held.room === edited?.room && held.seq === edited.seq;
  if (readable.some(isReplaced)) return;
  if (readable.length >= maxPendingOfUser) throw new RequestError('limit_reached', pendingLimitReason);
  if (all.length >= maxPendingWithLostRooms) {
    throw new RequestError(
      'limit_reached',
      `the limit of ${maxPendingWithLostRooms} pending or rejected messages of a user in all rooms, including lost rooms, is reached: discard some, or wait until they expire`,
    );
  }
}

/**
 * Omits pending and rejected messages in rooms that the user lost. Neither the list nor the limit may reveal what
 * moderators do in these rooms.
 */
const inReadableRooms = <Held extends { room: string }>(
  { directory }: Chat,
  person: Person,
  messages: readonly Held[],
): Held[] => messages.filter(({ room }) => directory.find(person, room) !== undefined);

/** Like `inReadableRooms`, for a user who is not connected to this server. */
async function readInReadableRooms<Held extends { room: string }>(
  { history }: Chat,
  user: string,
  messages: readonly Held[],
): Promise<Held[]> {
  const readable = new Set<string>();
  for (const room of new Set(messages.map((message) => message.room))) {
    if ((await findReadableRoom(history, room, user)) !== undefined) readable.add(room);
  }
  return messages.filter(({ room }) => readable.has(room));
}

export async function listPending(
  chat: Chat,
  connection: Connection,
  { mine, cursor, limit }: RequestPayload<'held:list'>,
): Promise<Answers['held:list']> {
  const { history, directory } = chat;
  const { id } = connection.person.user;
  if (mine) {
    const held = await toHeld(history, await history.read.pendingBy({ user: id }));
    return { held: inReadableRooms(chat, connection.person, held) };
  }
  const everyPublic = moderatesSite(connection.identity);
  return readWithin(
    () => ({
      rooms: moderatedRooms(connection),
      // The query excludes these rooms. If they were removed from its page instead, the short page would reveal
      // pending messages there.
      except: directory.restrictions.bannedFrom(id),
    }),
    async (rooms) => {
      const page = await history.read.pendingIn({
        ...rooms,
        everyPublic,
        from: cursor,
        limit,
      });
      const held = await toHeld(history, page.held);
      return { held, next: page.next };
    },
  );
}

export async function approvePending(
  chat: Chat,
  connection: Connection,
  { id, preview }: RequestPayload<'held:approve'>,
): Promise<Answers['held:approve']> {
  const { room, user, seq } = await toDecide(chat, connection, id);
  if (chat.directory.banOf(user) !== null) throw new RequestError('forbidden');
  if (seq !== undefined) chat.reactions.flush(room, seq);
  const by = connection.person.user.id;
  const siteModerator = moderatesSite(connection.identity);
  const at = Date.now();
  const { message } = await chat.history.write.approvePending({
    room,
    id,
    user,
    by,
    preview,
    siteModerator,
    at,
  });
  return { message: await messageFor(chat, connection.person, message) };
}

export async function rejectPending(
  chat: Chat,
  connection: Connection,
  { id, reason }: RequestPayload<'held:reject'>,
): Promise<Answers['held:reject']> {
  const { room } = await toDecide(chat, connection, id);
  const by = connection.person.user.id;
  const siteModerator = moderatesSite(connection.identity);
  await chat.history.write.rejectPending({
    room,
    id,
    by,
    siteModerator,
    reason: reason || undefined,
    at: Date.now(),
  });
  return {};
}

export async function discardPending(
  { history }: Chat,
  { person }: Connection,
  { id }: RequestPayload<'held:discard'>,
): Promise<Answers['held:discard']> {
  const stored = await history.read.pendingMessage({ id });
  const user = person.user.id;
  if (stored?.user === user)
    await history.write.discardPending({ room: stored.room, id, user, at: Date.now() });
  return {};
}

/**
 * Returns the user's own pending or rejected message, or a pending message that the user may decide about.
 * @throws RequestError `unknown_message`
 */
export async function requireVisiblePending(
  chat: Chat,
  connection: Connection,
  id: string,
): Promise<PendingMessage> {
  const stored = await chat.history.read.pendingMessage({ id });
  return stored?.user === connection.person.user.id ? stored : toDecide(chat, connection, id);
}

/**
 * Returns a pending message that this user may decide about.
 * @throws RequestError `unknown_message` also if the user may not decide, so that the message is not revealed
 */
async function toDecide(chat: Chat, connection: Connection, id: string): Promise<PendingMessage> {
  const user = connection.person.user.id;
  const stored = await chat.history.read.pendingMessage({ id });
  const record = stored && (await chat.history.read.room({ room: stored.room }));
  const member = stored === null ? undefined : await memberOf(chat, stored.room, user);
  // After the reads, because the session may lose a role during them.
  const actor = { roles: connection.identity.roles, member };
  const banned = stored !== null && chat.directory.restrictions.isBanned(stored.room, user);
  if (stored === null || record === null || stored.closed !== undefined || !decidesIn(record, actor, banned))
    throw new RequestError('unknown_message');
  return stored;
}

/**
 * A message became pending approval, or was decided or discarded. Notifies the author and the moderators who decide.
 */
export const pendingEffect: Effect<'held'> = {
  apply: (chat, change) => () => announcePendingChange(chat, change),
};

function announcePendingChange(chat: Chat, { room, id, user, is, by }: Change & { type: 'held' }): void {
  const { history, directory, publisher, announcements } = chat;
  const record = directory.room(room)?.record;
  if (record === undefined) return;
  const decidingConnections = () =>
    [...directory.everybody()]
      .filter((person) => person.user.id !== user)
      .flatMap(({ connections }) => [...connections])
      .filter(({ identity: { roles }, person }) => {
        const member = person.memberships.get(room)?.member;
        const banned = directory.restrictions.isBanned(room, person.user.id);
        return decidesIn(record, { roles, member }, banned);
      })
      .map((connection) => connection.id);
  // An author who lost the room no longer gets its events.
  const authorConnections = () => {
    const author = directory.person(user);
    const isReader = author !== undefined && directory.find(author, room) !== undefined;
    return connectionIdsOf(isReader ? [author] : []);
  };
  if (decidingConnections().length + authorConnections().length === 0) return;
  // If this fails, the author and the moderators get the message when they request the list.
  announcements.add('held_changed', async () => {
    const stored = is === 'held' || is === 'rejected' ? await history.read.pendingMessage({ id }) : null;
    const [held] = await toHeld(history, stored === null ? [] : [stored]);
    const decidedBy = by === undefined ? undefined : (await namesForSite(chat, [by]))(by);
    if (directory.isReplaced(record)) return;
    const change = { id, room, is };
    const toAuthor = { ...change, held };
    publisher.toConnections(authorConnections(), 'held:changed', toAuthor);
    publisher.toConnections(decidingConnections(), 'held:changed', {
      ...(is === 'held' ? toAuthor : change),
      by: decidedBy,
    });
  });
}

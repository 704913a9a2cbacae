import {
  type Act,
  type Ban,
  type ErasedMessages,
  isConversation,
  type RoomRecord,
  sources,
} from '../history/history.ts';
import type { FieldsWith, NewContent } from '../wire/content.ts';
import { RequestError } from '../wire/errors.ts';
import { type AuditScope, auditScopes, type Message, type SiteBan, type User } from '../wire/events.ts';
import { isReservedRoomId } from '../wire/values.ts';
import type { Chat } from './chat.ts';
import { cursorOf, decodeCursor } from './cursor.ts';
import { checkText, pageToPreview } from './messages/texts.ts';
import { nameToShow } from './moderation/hold-settings.ts';

/** A room as the PHP application sees it, without the view of a user. */
export type ApiRoom = Pick<RoomRecord, 'id' | 'name' | 'topic' | 'kind' | 'members' | 'head' | 'lastSeq'>;

/** Posts a message as any user. Does not check the user's rights, because the site requests it. */
export async function postMessage(
  { history, limits, directory, previews, cards }: Chat,
  room: string,
  {
    user,
    clientId,
    ...content
  }: { user: User; clientId: string } & Pick<NewContent, FieldsWith<'api', true>>,
): Promise<{ message: Message; repeated: boolean }> {
  const { text, card } = content;
  checkText(text, limits.text);
  const record = await history.read.room({ room });
  // The author of a message in a direct room must be one of its two users.
  if (record?.kind === 'direct' && !record.pair?.includes(user.id)) throw new RequestError('unknown_room');
  const said = {
    ...{ room, user, clientId },
    ...content,
    card: cards && card,
    preview: pageToPreview({ previews }, user, text),
  };
  const { message, repeated } = await history.write.send({ ...said, sentAt: Date.now(), asMember: false });
  if (!repeated) previews?.begin(message);
  return { message: directory.messageOf(message), repeated };
}

/** Returns a message of any room. @throws RequestError `unknown_room` or `unknown_message` */
export async function readMessage(
  { history, directory }: Chat,
  room: string,
  seq: number,
): Promise<{ message: Message }> {
  if ((await history.read.room({ room })) === null) throw new RequestError('unknown_room');
  const { messages } = await history.read.after({ room, after: seq - 1, upTo: seq, limit: 1 });
  const [message] = messages;
  if (message === undefined) throw new RequestError('unknown_message');
  return { message: directory.messageOf(message) };
}

/** Returns the rooms that a session puts its user into. Undefined if the list is unreadable. */
export const roomsIn = ({
  groups = [],
}: {
  groups?: { id: string; name: string }[] | 'unreadable';
}): { id: string; name: string }[] | undefined =>
  groups === 'unreadable' ? undefined : groups.filter(({ id }) => !isReservedRoomId(id));

export async function putRoom(
  { history }: Chat,
  room: { id: string; name: string; topic?: string | undefined; kind: 'public' | 'private' },
): Promise<{ room: ApiRoom; created: boolean }> {
  const { topic, ...rest } = room;
  const done = await history.write.putRoom({ ...rest, topic: topic || undefined, at: Date.now() });
  return { room: apiRoom(done.room), created: done.created };
}

export async function deleteRoom({ history }: Chat, room: string): Promise<void> {
  await requireOther(history, room, {
    direct: 'direct rooms cannot be deleted: erase one of the two users',
    question: 'questions cannot be deleted: close the question, or erase its asker',
  });
  await history.write.deleteRoom({ room });
}

/** Adds and removes members. Memberships that the session grants do not end. @returns the number of members */
export async function changeMembers(
  { history, hold }: Chat,
  room: string,
  { add, remove }: { add: readonly { id: string; name?: string }[]; remove: readonly string[] },
): Promise<number> {
  await requireOther(history, room, {
    direct: 'the members of a direct room are its two users',
    question: 'the members of a question are its asker and the team: change who is in the team',
  });
  if (remove.length > 0) {
    const bits = sources.api | sources.people;
    const how = { sources: bits, by: 'api', cause: 'removed', at: Date.now() } as const;
    await history.write.removeMembers({ room, users: remove, ...how });
  }
  if (add.length > 0) {
    const users = add.map(({ id, name }) =>
      name === undefined ? { id } : { id, name: nameToShow(hold, { id, name }) },
    );
    await history.write.addMembers({ room, users, source: 'api', mayReturn: true, at: Date.now() });
  }
  return (await history.read.room({ room }))?.members ?? 0;
}

/** Stores users of the site, so that others can find them before they first connect. */
export async function putUsers(
  { history, hold }: Chat,
  { users }: { users: readonly User[] },
): Promise<void> {
  const shown = users.map(({ id, name }) => ({ id, name: nameToShow(hold, { id, name }) }));
  await history.write.putSiteUsers({ users: shown, at: Date.now() });
}

/**
 * Checks that the room exists and is not a conversation.
 * @param reasons why the call is impossible in a conversation, and what to do instead
 */
async function requireOther(
  { read }: Chat['history'],
  room: string,
  reasons: { direct: string; question: string },
): Promise<void> {
  const record = await read.room({ room });
  if (record === null) throw new RequestError('unknown_room');
  if (isConversation(record))
    throw new RequestError('bad_request', record.question === undefined ? reasons.direct : reasons.question);
}

/**
 * Bans a user from the whole site and closes the user's connections. A member of the team loses all questions.
 * @param actor the moderator; absent for the PHP application
 * @returns the number of connections that were open
 */
export async function ban(
  { history, everywhere, team }: Chat,
  user: string,
  { seconds, reason }: { seconds?: number | undefined; reason?: string | undefined },
  actor?: string,
): Promise<number> {
  const ban: Ban = {
    until: seconds === undefined ? undefined : Date.now() + seconds * 1000,
    reason: reason || undefined,
    by: actor,
  };
  // The stored ban also closes connections, but without a count, and it finds only those opened after the kick.
  const [closed] = await Promise.all([
    everywhere(user, { is: 'kick', ban }),
    history.write.setBan({ user, ban }),
  ]);
  if (team.isOn) await team.dismiss(user);
  return closed;
}

export async function unban({ history }: Chat, user: string, actor?: string): Promise<void> {
  await history.write.setBan({ user, ban: null, actor });
}

/**
 * Requests the erasure of a user, and of the guests that the user was before logging in. Resolves when the requests are
 * on disk. The consumer `erasing` then erases them.
 */
export async function erase(
  { history }: Chat,
  user: string,
  messages: ErasedMessages,
  act: { actor?: string; reason?: string } = {},
): Promise<void> {
  // The user last, because the erasure of the user also deletes who the guests are.
  for (const id of [...(await history.read.claimedBy({ user })), user])
    await history.write.erase({ user: id, messages, at: Date.now(), ...act });
}

/** Audit entries on one page. */
const actsListed = 100;

/**
 * Returns a page of audit entries, newest first. Without a filter, each scope gets half of the page. Users can create
 * any number of entries in their own rooms, and these must not hide the entries of the site.
 */
export async function listActs(
  { history: { read } }: Chat,
  {
    cursor = '',
    by,
    scope,
  }: { cursor?: string | undefined; by?: string | undefined; scope?: AuditScope | undefined },
): Promise<{ acts: Act[]; next?: string }> {
  const before = positionsIn(cursor);
  if (by !== undefined || scope !== undefined) {
    const filter = { by, scope };
    const { acts, next } = await read.acts({ ...filter, before: before.site, limit: actsListed });
    return { acts, next: next === undefined ? undefined : cursorOf([next]) };
  }
  const limit = actsListed / 2;
  const [site, rooms] = await Promise.all(
    auditScopes.map((scope) => read.acts({ scope, before: before[scope], limit })),
  );
  const acts = [...(site?.acts ?? []), ...(rooms?.acts ?? [])].sort((a, b) => b.at - a.at);
  const isLast = site?.next === undefined && rooms?.next === undefined;
  return { acts, next: isLast ? undefined : cursorOf([site?.next ?? 0, rooms?.next ?? 0]) };
}

function positionsIn(cursor: string): Record<AuditScope, number> {
  if (cursor === '') return { site: Number.MAX_SAFE_INTEGER, rooms: Number.MAX_SAFE_INTEGER };
  try {
    const [site, rooms] = decodeCursor(cursor, ['count', 'count']);
    return { site, rooms };
  } catch {
    // A filtered list has one position.
    const [position] = decodeCursor(cursor, ['count']);
    return { site: position, rooms: position };
  }
}

/** Maximum failed events in the list. */
const eventsListed = 100;

/** Returns the number of queued webhook events, and the newest failed events, which are not retried automatically. */
export async function listEvents({ history }: Chat): Promise<{ waiting: number; failed: object[] }> {
  const { waiting, failed } = await history.read.events({ limit: eventsListed });
  const shown = failed.map(({ id, type, at, tries, roomId, seq }) => ({
    id,
    type,
    at,
    tries,
    room: roomId,
    seq,
  }));
  return { waiting, failed: shown };
}

/** Returns what the site may know of a user. Null if the ID is not stored as a user and not banned from the site. */
export async function lookUp(
  { history, directory, everywhere }: Chat,
  id: string,
): Promise<{ user: User; connections: number; rooms: number; banned?: Ban } | null> {
  const { user, memberships } = await history.read.user({ user: id });
  const banned = directory.banOf(id);
  if (user === null && banned === null) return null;
  return {
    user: { id, name: user?.name ?? id },
    connections: await everywhere(id, { is: 'count' }),
    rooms: memberships.length,
    banned: banned ?? undefined,
  };
}

function apiRoom({ id, name, topic, kind, members, head, lastSeq }: RoomRecord): ApiRoom {
  return { id, name, topic, kind, members, head, lastSeq };
}

/** Returns a ban as the banned user sees it, who does not learn which moderator made it. */
export const shownBan = ({ by: _, ...shown }: Ban): SiteBan => shown;

import {
  type History,
  isMember,
  isUserRoom,
  type MemberCursor,
  type MemberRecord,
  type Reads,
  sources,
  stateOf,
} from '../history/history.ts';
import { findKeys, memberKey } from '../history/records/text-keys.ts';
import { folded, typedFirst } from '../text/folding.ts';
import { RequestError, type RequestErrorCode } from '../wire/errors.ts';
import type { Answers, RequestPayload, RoomMember, RoomSummary, User } from '../wire/events.ts';
import { isGuest } from '../wire/guest.ts';
import { type Actor, outranks, rankOf, rightsIn } from './access.ts';
import type { Chat } from './chat.ts';
import { cursorOf, decodeCursor } from './cursor.ts';
import { actorOf, type Connection, membersOf, type Room, siteRole } from './model.ts';
import { checkRoomWords } from './moderation/room-words.ts';
import { isListed } from './questions/shown.ts';
import { askSite, type NamedUsers, withoutDeleted } from './site-accounts.ts';
import { partnerOf, summaryAfter } from './summary.ts';

/** Limits the attempts if members or roles keep changing between the decision and the write. */
const maxAttempts = 5;

/** Members per read of the history when the list is filtered. */
const filteredPageSize = 500;

/** Reads of one search. In a larger room, the search continues on the next page. */
const maxReadsOfSearch = 10;

/**
 * Runs a decision and its write again while the write reports `stale`, because members or roles changed after the
 * decision.
 * @throws RequestError `storage_unavailable` after `maxAttempts`
 */
export async function decided(attempt: () => Promise<{ stale: boolean }>): Promise<void> {
  for (let n = 0; n < maxAttempts; n++) {
    if (!(await attempt()).stale) return;
  }
  throw new RequestError(
    'storage_unavailable',
    'the members or roles of the room changed during each attempt',
  );
}

/** Checks that the user has the right now. @throws RequestError `forbidden` */
export function need(room: Room, connection: Connection, right: Parameters<typeof has>[2]): void {
  if (!has(room, connection, right)) throw new RequestError('forbidden');
}

function has(room: Room, connection: Connection, right: ReturnType<typeof rightsIn>[number]): boolean {
  return rightsIn(room.record, actorOf(room, connection)).includes(right);
}

/** Returns the rejection of a user who is muted in the room, or null. */
export function refusalByMute(
  { directory }: Pick<Chat, 'directory'>,
  room: string,
  user: string,
): RequestError | null {
  const muted = directory.restrictions.muteOf(room, user);
  return muted === undefined ? null : new RequestError('muted', undefined, { retryAfterMs: muted.forMs });
}

/**
 * Returns the membership of a user, connected or not; undefined if the user is not a member. The history is read even
 * for connected users, so that the response time does not reveal a hidden presence.
 */
export async function memberOf(
  { history, directory }: Chat,
  room: string,
  user: string,
): Promise<MemberRecord | undefined> {
  const [member] = await history.read.membersOf({ room, users: [user] });
  const here = directory.person(user)?.memberships.get(room)?.member;
  return here ?? (isMember(member) ? member : undefined);
}

/** Returns the user who is the target of an action, connected or not. */
export async function targetOf(chat: Chat, room: string, user: string): Promise<Actor> {
  const [member, [stored]] = await Promise.all([
    memberOf(chat, room, user),
    chat.history.read.users({ ids: [user] }),
  ]);
  const role = siteRole(chat.directory.person(user)) ?? stored?.siteRole;
  return { roles: role === undefined ? [] : [role], member };
}

export async function invite(
  chat: Chat,
  connection: Connection,
  room: Room,
  { users }: RequestPayload<'room:invite'>,
): Promise<Answers['room:invite']> {
  return addPeople(chat, connection, room, users);
}

/**
 * Adds users on behalf of a member. Users who left the room or blocked the member are not added. Only the owner and
 * moderators can add users who were removed.
 */
export async function addPeople(
  chat: Chat,
  connection: Connection,
  room: Room,
  users: readonly string[],
  named?: NamedUsers,
): Promise<{ added: string[]; failed: { user: string; code: RequestErrorCode }[] }> {
  const { history, directory, limits } = chat;
  const { unknown, names } = named ?? (await askSite(chat, users));
  const knownIds = [...new Set(users)].filter((id) => !unknown.has(id));
  let results: (RequestErrorCode | null)[] = [];
  await decided(async () => {
    directory.checkStill(connection.person, room);
    need(room, connection, 'invite');
    const output = await history.write.addMembers(
      {
        room: room.record.id,
        users: knownIds.map((id) => withName(id, names.get(id))),
        source: 'people',
        by: connection.person.user.id,
        mayReturn: rankOf(connection.identity.roles, actorOf(room, connection).member) > 0,
        most: limits.members,
        decidedFor: stateOf(room.record),
        at: Date.now(),
      },
      connection.id,
    );
    ({ results } = output);
    return output;
  });
  const rejected = knownIds.flatMap((user, n) => {
    const code = results[n];
    return code ? [{ user, code }] : [];
  });
  return {
    added: knownIds.filter((_, n) => results[n] === null),
    failed: [...rejected, ...[...unknown].map((user) => ({ user, code: 'unknown_user' as const }))],
  };
}

const withName = (id: string, name: string | undefined) => (name === undefined ? { id } : { id, name });

export async function remove(
  chat: Chat,
  connection: Connection,
  room: Room,
  { user }: RequestPayload<'room:remove'>,
): Promise<Answers['room:remove']> {
  const { history, directory } = chat;
  const { id } = room.record;
  const self = user === connection.person.user.id;
  await decided(async () => {
    const actor = actorOf(room, connection);
    const decidedFor = stateOf(room.record);
    if (self && actor.member === undefined) return { stale: false };
    need(room, connection, self ? 'leave' : 'remove');
    const target = self ? undefined : await targetOf(chat, room.record.id, user);
    directory.checkStill(connection.person, room);
    if (target !== undefined) {
      if (target.member === undefined) return { stale: false };
      if (!outranks(actor, target)) throw new RequestError('forbidden');
      // Only the session or the API can end a membership that it grants.
      if ((target.member.sources & ~sources.people) !== 0) throw new RequestError('forbidden');
    }
    return history.write.removeMembers(
      {
        room: id,
        users: [user],
        sources: sources.people,
        by: 'people',
        cause: self ? 'left' : 'removed',
        actor: connection.person.user.id,
        decidedFor,
        at: Date.now(),
      },
      connection.id,
    );
  });
  return {};
}

export async function setRole(
  chat: Chat,
  connection: Connection,
  room: Room,
  { user, role }: RequestPayload<'room:role'>,
): Promise<Answers['room:role']> {
  // A direct room has no roles. An error must not depend on whether the other user is a member yet.
  if (room.record.kind === 'direct' || isGuest(user)) throw new RequestError('forbidden');
  await decided(async () => {
    const decidedFor = stateOf(room.record);
    const target = await targetOf(chat, room.record.id, user);
    chat.directory.checkStill(connection.person, room);
    // A client may repeat the request after a lost response, when the former owner no longer has the right.
    if (target.member?.role === role) return { stale: false };
    need(room, connection, 'roles');
    if (target.member === undefined) throw new RequestError('unknown_user');
    if (!outranks(actorOf(room, connection), target)) throw new RequestError('forbidden');
    // Rooms of the settings, the session and the API have no owner.
    if (role === 'owner' && !isUserRoom(room.record.id)) throw new RequestError('forbidden');
    const actor = connection.person.user.id;
    const what = { room: room.record.id, user, role, actor, decidedFor };
    return chat.history.write.setRole(what, connection.id);
  });
  return {};
}

export async function update(
  chat: Chat,
  connection: Connection,
  room: Room,
  { room: id, ...change }: RequestPayload<'room:update'>,
): Promise<Answers['room:update']> {
  const { kind } = room.record;
  await checkRoomWords(chat, connection, { kind, room: id }, change.name, change.topic);
  await decided(async () => {
    chat.directory.checkStill(connection.person, room);
    need(room, connection, 'update');
    // Others read these, like a message.
    const { name, topic, emoji, picture } = change;
    const isRead = [name, topic, emoji, picture].some((value) => value !== undefined);
    const refused = isRead ? refusalByMute(chat, id, connection.person.user.id) : null;
    if (refused !== null) throw refused;
    const decidedFor = stateOf(room.record);
    const actor = connection.person.user.id;
    return chat.history.write.updateRoom({ room: id, ...change, actor, decidedFor }, connection.id);
  });
  return { room: summaryAfter(chat.directory, room, connection) };
}

export async function deleteRoom(
  chat: Chat,
  connection: Connection,
  room: Room,
): Promise<Answers['room:delete']> {
  await decided(async () => {
    chat.directory.checkStill(connection.person, room);
    need(room, connection, 'delete');
    const { id } = room.record;
    const decidedFor = stateOf(room.record);
    const actor = connection.person.user.id;
    return chat.history.write.deleteRoom({ room: id, actor, decidedFor }, connection.id);
  });
  return {};
}

export const setNotify = (
  chat: Chat,
  connection: Connection,
  room: Room,
  { notify, quietForMs }: RequestPayload<'room:notify'>,
): Promise<Answers['room:notify']> =>
  setPreferences(chat, connection, room, {
    notify,
    quietUntil: quietForMs === undefined ? null : Date.now() + quietForMs,
  });

/** Makes a room a favourite of the user, or archives it. It cannot be both. */
export const arrange = (
  chat: Chat,
  connection: Connection,
  room: Room,
  { favourite, archived }: RequestPayload<'room:arrange'>,
): Promise<Answers['room:arrange']> =>
  setPreferences(chat, connection, room, {
    ...(favourite == null ? {} : { favourite, archived: null }),
    ...(favourite === null ? { favourite } : {}),
    ...(archived === true ? { archived: room.record.lastSeq, favourite: null } : {}),
    ...(archived === false ? { archived: null } : {}),
  });

async function setPreferences(
  { history, directory }: Chat,
  connection: Connection,
  room: Room,
  set: Parameters<Chat['history']['write']['setPreferences']>[0]['set'],
): Promise<{ room: RoomSummary }> {
  if (!connection.person.memberships.has(room.record.id)) throw new RequestError('forbidden');
  await history.write.setPreferences(
    { room: room.record.id, user: connection.person.user.id, set },
    connection.id,
  );
  return { room: summaryAfter(directory, room, connection) };
}

export async function setPreviews(
  { history, directory }: Chat,
  connection: Connection,
  room: Room,
  { previews }: RequestPayload<'room:previews'>,
): Promise<Answers['room:previews']> {
  const { id, kind } = room.record;
  if (kind !== 'direct')
    throw new RequestError(
      'bad_request',
      'only a direct room has previews per user, set the previews of this room with room:update',
    );
  await history.write.setPreviews({ room: id, user: connection.person.user.id, previews }, connection.id);
  return { room: summaryAfter(directory, room, connection) };
}

export async function members(
  chat: Chat,
  connection: Connection,
  room: Room,
  { query, present, cursor, limit, joined }: RequestPayload<'room:members'>,
): Promise<Answers['room:members']> {
  const { history, directory } = chat;
  const { id, pair } = room.record;
  const self = connection.person.user;
  const isAsker = room.record.question?.asker?.id === self.id;
  const prefix = query === undefined ? undefined : folded(query);
  let after = cursor === undefined ? undefined : parseCursor(cursor);
  let listed: Listed[] = [];
  /** Where the search stopped. */
  let unread: MemberCursor | undefined;
  if (pair !== undefined) {
    listed = listPair(chat, connection, room, { after, prefix, present });
  } else if (present === true) {
    listed = await listPresent(chat, connection, room, { after, prefix, maxUsers: limit + 1 });
  } else {
    const pageSize = query === undefined && present === undefined ? limit + 1 : filteredPageSize;
    let reads = 0;
    do {
      const wanted = { room: id, after, limit: pageSize };
      const page: Reads['members']['out'] =
        query === undefined
          ? await history.read.members(wanted)
          : await history.read.findMembers({ ...wanted, query });
      for (const { user, member, place } of page.members) {
        const isSelf = user.id === self.id;
        if (!isSelf && isAsker && !isListed(room.record, member)) continue;
        const visible = isSelf || directory.isVisible(user, member);
        const shown = { id: user.id, name: visible ? user.name : user.id };
        // A hidden user must not be found by name.
        if (prefix !== undefined && !matches(shown, prefix)) continue;
        const isPresent = isSelf || room.present.has(user.id);
        if (present === undefined || !isPresent) {
          const isByPeople = (member.sources & sources.people) !== 0;
          const after = joined && isByPeople && room.record.kind === 'private';
          listed.push({
            place,
            member: {
              user: shown,
              role: member.role,
              present: isPresent,
              after: after ? (member.fromSeq ?? 0) : undefined,
            },
          });
        }
      }
      after = page.next;
      reads++;
    } while (
      after !== undefined &&
      listed.length <= limit &&
      (query === undefined || reads < maxReadsOfSearch)
    );
    unread = after;
  }
  const next = listed.length > limit ? listed[limit - 1]?.place : unread;
  const page = listed.slice(0, limit).map(({ member }) => member);
  return {
    members: query === undefined ? page : inOrderOf(query, page),
    count: membersOf(room),
    next: next && cursorOf([next.sort, next.id]),
  };
}

/**
 * Sorts a page of found members: matches of the whole name come first, then the others, in each case first those that
 * contain the query as it was typed. Only within the page, because the order of all pages is that of the cursors.
 */
function inOrderOf(query: string, page: readonly RoomMember[]): RoomMember[] {
  const prefix = folded(query);
  const isWhole = ({ user }: RoomMember) => folded(user.name).startsWith(prefix);
  const textOf = ({ user }: RoomMember) => `${user.name}\n${user.id}`;
  const others = page.filter((member) => !isWhole(member));
  return [...typedFirst(page.filter(isWhole), query, textOf), ...typedFirst(others, query, textOf)];
}

/** A member as the asker sees them, with the cursor position of this member. */
interface Listed {
  place: MemberCursor;
  member: RoomMember;
}

/**
 * Decodes a cursor, which clients can forge. A cursor contains only a shown name and ID, and is compared only with
 * shown ones, so the order of the list reveals no hidden name.
 */
function parseCursor(cursor: string): MemberCursor {
  const [sort, id] = decodeCursor(cursor, ['string', 'string']);
  return { sort, id };
}

/** Lists the two users of a direct room. The peer is listed even if the peer never opened the room. */
function listPair(
  { directory }: Chat,
  { person }: Connection,
  room: Room,
  {
    after,
    prefix,
    present,
  }: {
    after: MemberCursor | undefined;
    prefix: string | undefined;
    present: boolean | undefined;
  },
): Listed[] {
  const self = { user: { id: person.user.id, name: person.user.name }, present: true };
  const partner = partnerOf(directory, room, person);
  return (partner === undefined ? [self] : [self, partner])
    .filter((member) => present === undefined || member.present === present)
    .filter(({ user }) => prefix === undefined || matches(user, prefix))
    .map(({ user, present }) => ({
      place: { sort: memberKey(user, true), id: user.id },
      member: { user, role: 'member' as const, present },
    }))
    .filter(({ place }) => after === undefined || compareCursors(place, after) > 0)
    .sort((a, b) => compareCursors(a.place, b.place));
}

/**
 * Lists present users from memory. The history is read only for the roles of users on other servers. The scan blocks
 * the event loop, so it visits each present user once and sorts only the users of the page.
 */
async function listPresent(
  { history, directory }: Chat,
  { person: { user: self, memberships } }: Connection,
  room: Room,
  {
    after,
    prefix,
    maxUsers,
  }: { after: MemberCursor | undefined; prefix: string | undefined; maxUsers: number },
): Promise<Listed[]> {
  const { id: roomId } = room.record;
  const isAskerMember = memberships.has(roomId);
  const users: { user: User; place: MemberCursor }[] = [];
  const consider = (user: User) => {
    if (prefix !== undefined && !matches(user, prefix)) return;
    const place = { sort: sortKeyOf(user), id: user.id };
    if (after !== undefined && compareCursors(place, after) <= 0) return;
    const last = users.length < maxUsers ? undefined : users.at(-1);
    if (last !== undefined && compareCursors(place, last.place) > 0) return;
    const index = users.findIndex((listed) => compareCursors(place, listed.place) < 0);
    users.splice(index < 0 ? users.length : index, 0, { user, place });
    if (users.length > maxUsers) users.pop();
  };
  for (const user of room.present.values()) if (!isAskerMember || user.id !== self.id) consider(user);
  if (isAskerMember) consider({ id: self.id, name: self.name });
  const ids = users.map(({ user }) => user.id);
  const memberById = new Map(
    ids.map((id) => [id, directory.person(id)?.memberships.get(roomId)?.member ?? null]),
  );
  const remoteIds = ids.filter((id) => memberById.get(id) === null);
  if (remoteIds.length > 0) {
    const members = await history.read.membersOf({ room: roomId, users: remoteIds });
    for (const [n, id] of remoteIds.entries()) memberById.set(id, members[n] ?? null);
  }
  return users.map(({ user, place }) => ({
    place,
    member: { user, role: memberById.get(user.id)?.role ?? 'member', present: true },
  }));
}

const sortKeyOf = memoize((user) => memberKey(user, true));
const findKeysOf = memoize(findKeys);

/** Computes the keys once per user object. A renamed user becomes a new object. */
function memoize<Keys>(compute: (user: User) => Keys): (user: User) => Keys {
  const cache = new WeakMap<User, Keys>();
  return (user) => {
    const keys = cache.get(user) ?? compute(user);
    cache.set(user, keys);
    return keys;
  };
}

function compareCursors(a: MemberCursor, b: MemberCursor): number {
  const [keyA, keyB] = a.sort === b.sort ? [a.id, b.id] : [a.sort, b.sort];
  return keyA < keyB ? -1 : keyA > keyB ? 1 : 0;
}

/** Guests are not found by name, because they can choose any name. */
function matches(user: User, prefix: string): boolean {
  if (isGuest(user.id)) return false;
  return findKeysOf(user).some((key) => key.startsWith(prefix));
}

export async function findPeople(
  chat: Chat,
  connection: Connection,
  room: Room | undefined,
  { query, limit }: RequestPayload<'user:find'>,
): Promise<Answers['user:find']> {
  const { history, settings, accounts } = chat;
  const user = connection.person.user.id;
  const onlyShared = settings.findPeople === 'rooms';
  const found = await history.read.findUsers({ user, query, onlyShared, limit });
  const records = await withoutDeleted(chat, found);
  const matchById = new Map<string, User>(records.map(({ id, name }) => [id, { id, name }]));
  if (!onlyShared && matchById.size < limit) {
    for (const account of (await accounts?.search(query, limit, connection.account)) ?? []) {
      if (account.id === user || matchById.has(account.id) || matchById.size >= limit) continue;
      matchById.set(account.id, account);
    }
  }
  return {
    users: [...matchById.values()],
    inRoom: room === undefined ? [] : await membersAmong(history, room, [...matchById.keys()]),
  };
}

async function membersAmong(history: History, { record }: Room, users: string[]): Promise<string[]> {
  const { id, pair } = record;
  if (pair !== undefined) return users.filter((user) => pair.includes(user));
  const members = await history.read.membersOf({ room: id, users });
  return users.filter((_, n) => isMember(members[n]));
}

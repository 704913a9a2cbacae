import {
  type History,
  isMember,
  isUserRoom,
  type MemberPlace,
  type MemberRecord,
  type Reads,
  sources,
  stateOf,
} from '../history/history.ts';
import { findKeys, memberKey, nameKey } from '../history/text-keys.ts';
import { RequestError, type RequestErrorCode } from '../wire/errors.ts';
import type { Answers, RequestPayload, RoomMember, User } from '../wire/events.ts';
import { type Actor, outranks, rankOf, rightsIn } from './access.ts';
import type { Chat } from './chat.ts';
import { cursorOf, decodeCursor } from './cursor.ts';
import { actorOf, type Connection, membersOf, type Room, siteRole } from './model.ts';
import { checkRoomWords } from './moderation/room-words.ts';
import { askSite, type NamedUsers } from './site-accounts.ts';
import { partnerOf, summaryAfter } from './summary.ts';

/** How often a decision is repeated if the room's members or roles have changed meanwhile. */
const mostAttempts = 5;

/** Members read at once when the list is filtered. */
const filteredAtOnce = 500;

/**
 * Decides and writes, and repeats both if the room has changed in between, so that no write is based on an outdated
 * decision.
 */
export async function decided(attempt: () => Promise<{ stale: boolean }>): Promise<void> {
  for (let n = 0; n < mostAttempts; n++) {
    if (!(await attempt()).stale) return;
  }
  throw new RequestError('storage_unavailable', 'the members of the room change too fast');
}

/** @throws RequestError `forbidden` if the user has lost the right meanwhile */
export function need(room: Room, connection: Connection, right: Parameters<typeof has>[2]): void {
  if (!has(room, connection, right)) throw new RequestError('forbidden');
}

function has(room: Room, connection: Connection, right: ReturnType<typeof rightsIn>[number]): boolean {
  return rightsIn(room.record, actorOf(room, connection)).includes(right);
}

/**
 * The stored membership of a user, connected or not; undefined for users who are not members. It is read in both cases: the time
 * must not show that somebody with a hidden presence is connected.
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

/** The user who is acted on, connected or not. */
export async function targetOf(chat: Chat, room: string, user: string): Promise<Actor> {
  const [member, [known]] = await Promise.all([
    memberOf(chat, room, user),
    chat.history.read.users({ ids: [user] }),
  ]);
  const role = siteRole(chat.directory.person(user)) ?? known?.siteRole;
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
 * Adds people on behalf of a member, except those who have left the room or blocked that member. Only the owner and
 * moderators can add people who were removed.
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
  const wanted = [...new Set(users)].filter((id) => !unknown.has(id));
  let results: (RequestErrorCode | null)[] = [];
  await decided(async () => {
    directory.checkStill(connection.person, room);
    need(room, connection, 'invite');
    const done = await history.write.addMembers(
      {
        room: room.record.id,
        users: wanted.map((id) => withName(id, names.get(id))),
        source: 'people',
        by: connection.person.user.id,
        mayReturn: rankOf(connection.identity.roles, actorOf(room, connection).member) > 0,
        most: limits.members,
        decidedFor: stateOf(room.record),
        at: Date.now(),
      },
      connection.id,
    );
    results = done.results;
    return done;
  });
  const refused = wanted.flatMap((user, n) => {
    const code = results[n];
    return code ? [{ user, code }] : [];
  });
  return {
    added: wanted.filter((_, n) => results[n] === null),
    failed: [...refused, ...[...unknown].map((user) => ({ user, code: 'unknown_user' as const }))],
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
      // Memberships from the session or the API end only there.
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
  // A direct room has no roles. The other one may be a member there or not: see docs/protocol.md, `direct:open`.
  if (room.record.kind === 'direct') throw new RequestError('forbidden');
  await decided(async () => {
    const decidedFor = stateOf(room.record);
    const target = await targetOf(chat, room.record.id, user);
    chat.directory.checkStill(connection.person, room);
    // A repeat after a lost answer: the former owner no longer has the right.
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

export async function setNotify(
  { history, directory }: Chat,
  connection: Connection,
  room: Room,
  { notify }: RequestPayload<'room:notify'>,
): Promise<Answers['room:notify']> {
  if (!connection.person.memberships.has(room.record.id)) throw new RequestError('forbidden');
  await history.write.setNotify(
    { room: room.record.id, user: connection.person.user.id, notify },
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
  if (kind !== 'direct') throw new RequestError('bad_request', 'the room has a rule for it: see room:update');
  await history.write.setPreviews({ room: id, user: connection.person.user.id, previews }, connection.id);
  return { room: summaryAfter(directory, room, connection) };
}

export async function members(
  chat: Chat,
  connection: Connection,
  room: Room,
  { query, present, cursor, limit }: RequestPayload<'room:members'>,
): Promise<Answers['room:members']> {
  const { history, directory } = chat;
  const { id, pair } = room.record;
  const self = connection.person.user;
  const beginning = query === undefined ? undefined : nameKey(query);
  let after = cursor === undefined ? undefined : placeOf(cursor);
  let listed: Listed[] = [];
  if (pair !== undefined) {
    listed = pairAfter(chat, connection, room, { after, beginning, present });
  } else if (present === true) {
    listed = await presentAfter(chat, connection, room, { after, beginning, most: limit + 1 });
  } else {
    const atOnce = query === undefined && present === undefined ? limit + 1 : filteredAtOnce;
    do {
      const page: Reads['members']['out'] = await history.read.members({
        room: id,
        ...(query === undefined ? {} : { query }),
        ...(after === undefined ? {} : { after }),
        limit: atOnce,
      });
      for (const { user, member, place } of page.members) {
        const isSelf = user.id === self.id;
        const visible = isSelf || directory.isVisible(user, member);
        const shown = { id: user.id, name: visible ? user.name : user.id };
        // A hidden user must not be found by name.
        if (beginning !== undefined && !matches(shown, beginning)) continue;
        const isPresent = isSelf || room.present.has(user.id);
        if (present === undefined || !isPresent) {
          listed.push({ place, member: { user: shown, role: member.role, present: isPresent } });
        }
      }
      after = page.next;
    } while (after !== undefined && listed.length <= limit);
  }
  const last = listed.length > limit ? listed[limit - 1] : undefined;
  return {
    members: listed.slice(0, limit).map(({ member }) => member),
    count: membersOf(room),
    ...(last === undefined ? {} : { next: cursorOf([last.place.sort, last.place.id]) }),
  };
}

/** A member as the asker sees them, and where the list continues after them. */
interface Listed {
  place: MemberPlace;
  member: RoomMember;
}

/**
 * Clients can make any cursor. It holds only what the list has shown and is compared only with that, so its order
 * reveals no hidden name.
 */
function placeOf(cursor: string): MemberPlace {
  const [sort, id] = decodeCursor(cursor, ['string', 'string']);
  return { sort, id };
}

/** A direct room has both as members, whether the other one has opened it or not. */
function pairAfter(
  { directory }: Chat,
  { person }: Connection,
  room: Room,
  {
    after,
    beginning,
    present,
  }: {
    after: MemberPlace | undefined;
    beginning: string | undefined;
    present: boolean | undefined;
  },
): Listed[] {
  const self = { user: { id: person.user.id, name: person.user.name }, present: true };
  const partner = partnerOf(directory, room, person);
  return (partner === undefined ? [self] : [self, partner])
    .filter((one) => present === undefined || one.present === present)
    .filter(({ user }) => beginning === undefined || matches(user, beginning))
    .map(({ user, present }) => ({
      place: { sort: memberKey(user, true), id: user.id },
      member: { user, role: 'member' as const, present },
    }))
    .filter(({ place }) => after === undefined || comparePlaces(place, after) > 0)
    .sort((a, b) => comparePlaces(a.place, b.place));
}

/**
 * Present users are in memory; only members who are connected to other servers are read from the history. Anybody may ask
 * often, and everybody waits: of ten thousand users all are looked at once, but only those of the page are sorted.
 */
async function presentAfter(
  { history, directory }: Chat,
  { person: { user: self, memberships } }: Connection,
  room: Room,
  { after, beginning, most }: { after: MemberPlace | undefined; beginning: string | undefined; most: number },
): Promise<Listed[]> {
  const { id: roomId } = room.record;
  const takesPart = memberships.has(roomId);
  const users: { user: User; place: MemberPlace }[] = [];
  const consider = (user: User) => {
    if (beginning !== undefined && !matches(user, beginning)) return;
    const place = { sort: sortKeyOf(user), id: user.id };
    if (after !== undefined && comparePlaces(place, after) <= 0) return;
    const last = users.length < most ? undefined : users.at(-1);
    if (last !== undefined && comparePlaces(place, last.place) > 0) return;
    const behind = users.findIndex((one) => comparePlaces(place, one.place) < 0);
    users.splice(behind < 0 ? users.length : behind, 0, { user, place });
    if (users.length > most) users.pop();
  };
  for (const user of room.present.values()) if (!takesPart || user.id !== self.id) consider(user);
  if (takesPart) consider({ id: self.id, name: self.name });
  const ids = users.map(({ user }) => user.id);
  const known = new Map(ids.map((id) => [id, directory.person(id)?.memberships.get(roomId)?.member ?? null]));
  const unknown = ids.filter((id) => known.get(id) === null);
  if (unknown.length > 0) {
    const read = await history.read.membersOf({ room: roomId, users: unknown });
    for (const [n, id] of unknown.entries()) known.set(id, read[n] ?? null);
  }
  return users.map(({ user, place }) => ({
    place,
    member: { user, role: known.get(user.id)?.role ?? 'member', present: true },
  }));
}

const sortKeyOf = kept((user) => memberKey(user, true));
const findKeysOf = kept(findKeys);

/** The keys of users, each computed once: somebody with another name is another object. */
function kept<Keys>(compute: (user: User) => Keys): (user: User) => Keys {
  const known = new WeakMap<User, Keys>();
  return (user) => {
    const keys = known.get(user) ?? compute(user);
    known.set(user, keys);
    return keys;
  };
}

function comparePlaces(a: MemberPlace, b: MemberPlace): number {
  const [one, other] = a.sort === b.sort ? [a.id, b.id] : [a.sort, b.sort];
  return one < other ? -1 : one > other ? 1 : 0;
}

function matches(user: User, beginning: string): boolean {
  return findKeysOf(user).some((key) => key.startsWith(beginning));
}

export async function findPeople(
  { history, settings, accounts }: Chat,
  connection: Connection,
  room: Room | undefined,
  { query, limit }: RequestPayload<'user:find'>,
): Promise<Answers['user:find']> {
  const user = connection.person.user.id;
  const onlyShared = settings.findPeople === 'rooms';
  const records = await history.read.findUsers({ user, query, onlyShared, limit });
  const found = new Map<string, User>(records.map(({ id, name }) => [id, { id, name }]));
  if (!onlyShared && found.size < limit) {
    for (const other of (await accounts?.search(query, limit)) ?? []) {
      if (other.id !== user && !found.has(other.id) && found.size < limit) found.set(other.id, other);
    }
  }
  return {
    users: [...found.values()],
    inRoom: room === undefined ? [] : await membersAmong(history, room, [...found.keys()]),
  };
}

async function membersAmong(history: History, { record }: Room, users: string[]): Promise<string[]> {
  const { id, pair } = record;
  if (pair !== undefined) return users.filter((user) => pair.includes(user));
  const members = await history.read.membersOf({ room: id, users });
  return users.filter((_, n) => isMember(members[n]));
}

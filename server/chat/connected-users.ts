import { sources } from '../history/history.ts';
import { RequestError } from '../wire/errors.ts';
import type { User } from '../wire/events.ts';
import { rightsIn } from './access.ts';
import type { Chat } from './chat.ts';
import {
  type Connection,
  nobody,
  type Person,
  type SessionIdentity,
  type SiteRoom,
  siteRole,
} from './model.ts';
import { liftOutranked } from './moderation/outranked.ts';
import { sendSummary } from './summary.ts';

/** A user who reloads a page reconnects within this time, so other users do not see the user leave. */
const lingerMs = 750;
/** The delay between two attempts after a failure of the history. */
const retryDelayMs = 1000;

interface UserState {
  /** Resolves when the memberships are read. */
  loaded: Promise<void>;
  leaves?: NodeJS.Timeout;
  /** Whether a session changed after `settling` read the sessions. */
  isUnsettled: boolean;
  settling?: Promise<void>;
}

const states = new WeakMap<Person, UserState>();

/** Registers a new connection of a user. Rejects if the history fails. @param account see `Connection` */
export async function connectUser(
  chat: Chat,
  id: string,
  identity: SessionIdentity,
  account = identity.id,
): Promise<Connection> {
  const { directory, history } = chat;
  const user = { id: identity.id, name: identity.name };
  const person = directory.person(user.id) ?? directory.restorePerson(user.id) ?? addUser(chat, user);
  const state = states.get(person) as UserState;
  clearTimeout(state.leaves);
  const connection: Connection = {
    ...{ id, account, person, identity },
    ...{ joined: new Set(), gone: false, ended: false },
  };
  person.connections.add(connection);
  try {
    await state.loaded;
    await settle(chat, person);
    // Wait for changes of other servers, such as a ban.
    await history.current();
  } catch (error) {
    disconnectUser(chat, connection);
    throw error;
  }
  return connection;
}

/** Adds a user whose memberships must be read from the history. */
function addUser(chat: Chat, user: User): Person {
  const { directory, others } = chat;
  const person: Person = {
    user: { ...user, actedPublic: false },
    connections: new Set(),
    blocked: nobody,
    memberships: new Map(),
    isStored: false,
  };
  directory.addPerson(person);
  const loaded = loadUser(chat, person);
  states.set(person, { loaded, isUnsettled: false });
  loaded.then(
    () => others?.seenChanged(user.id),
    () => directory.deletePerson(person),
  );
  return person;
}

function loadUser({ history, directory, catchUp }: Chat, person: Person): Promise<void> {
  const { id } = person.user;
  return catchUp(
    history.read.user({ user: id }),
    ({ user, blocked, arrived, memberships }) => {
      if (user !== null) person.user = user;
      if (blocked.length > 0) person.blocked = new Set(blocked);
      person.isStored = user !== null && arrived;
      for (const { room: record, member, mentions, partner } of memberships) {
        const room = directory.addRoom(record);
        if (partner !== undefined) room.partners.set(partner.user.id, partner);
        directory.enter(room, person, member, mentions);
      }
    },
    (user) => (user === id ? person : undefined),
  );
}

/**
 * Applies a changed session of a connection. The connection gets new summaries of the rooms in which its rights differ.
 */
export async function changeIdentity(
  chat: Chat,
  connection: Connection,
  identity: SessionIdentity,
): Promise<void> {
  const { person } = connection;
  const { roles } = connection.identity;
  connection.identity = identity;
  if (chat.directory.person(person.user.id) === person) await settleWithRetries(chat, person);
  if (identity.roles.join() === roles.join()) return;
  for (const { room, member } of person.memberships.values()) {
    const [before, now] = [roles, connection.identity.roles].map((roles) =>
      rightsIn(room.record, { roles, member }).join(),
    );
    if (before !== now) sendSummary(chat, room, connection);
  }
}

/**
 * Ends a connection. Memberships that only its session grants end with it, unless it was the user's last connection.
 */
export function disconnectUser(chat: Chat, connection: Connection): void {
  if (connection.gone) return;
  connection.gone = true;
  const { person } = connection;
  for (const room of connection.joined) room.joined.delete(connection);
  connection.joined.clear();
  person.connections.delete(connection);
  if (chat.directory.person(person.user.id) !== person) return;
  if (person.connections.size > 0) {
    settleWithRetries(chat, person).catch((error) => chat.onAsideFailure('session_rooms', error));
    return;
  }
  const state = states.get(person) as UserState;
  state.leaves = setTimeout(() => {
    if (person.connections.size > 0) return;
    chat.directory.leave(person);
    if (person.isStored) chat.lastHere?.left(person.user.id);
  }, lingerMs).unref();
}

/** Stores the name, the site role and the rooms of the open sessions, if they differ from the stored ones. */
async function settle(chat: Chat, person: Person): Promise<void> {
  const { history } = chat;
  const connections = [...person.connections];
  const newest = connections.at(-1);
  if (newest === undefined) return;
  const { id, name } = newest.identity;
  const role = siteRole(person);
  if (role !== undefined) await liftOutranked(chat, { id, roles: [role] });
  const lists = connections.map(({ identity }) => identity.rooms);
  const rooms = new Map<string, SiteRoom>();
  for (const list of lists) for (const room of list ?? []) rooms.set(room.id, room);
  const stored = [...person.memberships].filter(([, { member }]) => member.sources & sources.session);
  // An unreadable list may contain any room, so no room is removed.
  if (lists.includes(undefined)) {
    for (const [roomId, { room }] of stored) rooms.set(roomId, { id: roomId, name: room.record.name });
  }
  const hasSameRooms = stored.length === rooms.size && stored.every(([roomId]) => rooms.has(roomId));
  if (!person.isStored || !hasSameRooms || person.user.name !== name || person.user.siteRole !== role)
    await arrive();
  await chat.team.settle(person);

  async function arrive() {
    await history.write.arrive({
      user: { id, name },
      siteRole: role,
      rooms: hasSameRooms ? undefined : [...rooms.values()],
      at: Date.now(),
    });
    person.isStored = true;
    if (role === undefined) delete person.user.siteRole;
    else person.user.siteRole = role;
  }
}

/**
 * Settles the user, and retries while the history fails, because the callers do not retry. Concurrent changes of a user
 * share one attempt.
 */
function settleWithRetries(chat: Chat, person: Person): Promise<void> {
  const state = states.get(person) as UserState;
  state.isUnsettled = true;
  state.settling ??= settleAll(chat, person, state);
  return state.settling;
}

async function settleAll(chat: Chat, person: Person, state: UserState): Promise<void> {
  try {
    while (state.isUnsettled) {
      state.isUnsettled = false;
      try {
        await settle(chat, person);
      } catch (error) {
        if (!(error instanceof RequestError && error.isOfStorage)) throw error;
        chat.onAsideFailure('session_rooms', error);
        state.isUnsettled = true;
        await new Promise((resolve) => setTimeout(resolve, retryDelayMs).unref());
      }
    }
  } finally {
    delete state.settling;
  }
}

import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { isMember, opens, type StoredInvite, stateOf } from '../history/history.ts';
import { RequestError } from '../wire/errors.ts';
import type { Answers, Invite, RequestPayload, User } from '../wire/events.ts';
import { rankOf, rightsIn } from './access.ts';
import type { Chat } from './chat.ts';
import { decided, need } from './members.ts';
import { actorOf, type Connection, type Room, userOf } from './model.ts';
import { namesIn } from './names.ts';
import { summaryOf } from './summary.ts';

/** Bytes of a token: it cannot be guessed. */
const tokenBytes = 24;
/** Members of a room that a link shows, and how many are looked at for them. */
const mostFaces = 3;
const facesLookedAt = 20;

/** Links are stored without their tokens, so that a copy of the history lets nobody in. */
function digestOf(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}

export async function createInvite(
  chat: Chat,
  connection: Connection,
  room: Room,
  { seconds, uses }: RequestPayload<'invite:create'>,
): Promise<Answers['invite:create']> {
  const token = randomBytes(tokenBytes).toString('base64url');
  const at = Date.now();
  const by = userOf(connection);
  const invite: Omit<StoredInvite, 'access' | 'used' | 'readmits'> = {
    id: randomUUID(),
    room: room.record.id,
    digest: digestOf(token),
    by: by.id,
    at,
    ...(seconds === 0 ? {} : { until: at + seconds * 1000 }),
    ...(uses === 0 ? {} : { uses }),
  };
  await decided(async () => {
    chat.directory.checkStill(connection.person, room);
    need(room, connection, 'invite');
    const readmits = rankOf(connection.identity.roles, actorOf(room, connection).member) > 0;
    return chat.history.write.createInvite({
      invite: { ...invite, ...(readmits ? { readmits: 1 } : {}) },
      decidedFor: stateOf(room.record),
    });
  });
  return { invite: shown({ ...invite, used: 0 }, by), token };
}

/** A user sees the own links, a moderator all of the room. */
export async function listInvites(
  chat: Chat,
  connection: Connection,
  room: Room,
): Promise<Answers['invite:list']> {
  const own = ownOnly(connection, room);
  const all = await chat.history.read.invites({ room: room.record.id });
  const some = all.filter(({ by }) => own === undefined || by === own);
  const makers = some.map(({ by }) => by);
  const names = await namesIn(chat, room.record.id, makers, connection.person.user.id);
  return { invites: some.map((invite) => shown(invite, names.get(invite.by) as User)) };
}

export async function revokeInvite(
  chat: Chat,
  connection: Connection,
  room: Room,
  { id }: RequestPayload<'invite:revoke'>,
): Promise<Answers['invite:revoke']> {
  await decided(async () => {
    chat.directory.checkStill(connection.person, room);
    need(room, connection, 'invite');
    const by = ownOnly(connection, room);
    const decidedFor = stateOf(room.record);
    const what = { room: room.record.id, id, ...(by === undefined ? {} : { by }), decidedFor };
    return chat.history.write.revokeInvite(what);
  });
  return {};
}

/** The room of a link, for a user whom it would let in. */
export async function lookAtInvite(
  chat: Chat,
  connection: Connection,
  { token }: RequestPayload<'invite:look'>,
): Promise<Answers['invite:look']> {
  const { invite, room, member } = await opened(chat, connection, token);
  const { directory, history } = chat;
  const names = await namesIn(chat, invite.room, [invite.by], connection.person.user.id);
  const { members } = await history.read.members({ room: invite.room, limit: facesLookedAt });
  const people = members
    .filter(({ user, member }) => directory.isVisible(user, member))
    .slice(0, mostFaces)
    .map(({ user: { id, name } }) => ({ id, name }));
  // The link may have ended during the reads: nothing of the room may follow that.
  await opened(chat, connection, token);
  return {
    by: names.get(invite.by) as User,
    ...room,
    present: directory.presentCount(invite.room),
    people,
    ...(isMember(member) ? { room: invite.room } : {}),
  };
}

/** Members go straight in, and are not counted. */
export async function acceptInvite(
  chat: Chat,
  connection: Connection,
  { token }: RequestPayload<'invite:accept'>,
): Promise<Answers['invite:accept']> {
  const { invite, member } = await opened(chat, connection, token);
  const { room: id, by } = invite;
  if (!isMember(member)) {
    const user = userOf(connection);
    await chat.history.write.acceptInvite(
      { room: id, id: invite.id, by, user, most: chat.limits.members, at: Date.now() },
      connection.id,
    );
  }
  // Another server may have made the user a member, and this one has not heard of it.
  if (chat.directory.find(connection.person, id) === undefined) await chat.history.current();
  const room = chat.directory.find(connection.person, id);
  // Somebody may have removed the user just now.
  if (room === undefined) throw new RequestError('unknown_invite');
  return { room: summaryOf(chat.directory, room, connection) };
}

/** @throws RequestError `unknown_invite`, whatever the reason: nobody learns of a room by a link that does not let them in */
async function opened({ history }: Chat, { person }: Connection, token: string) {
  const known = await history.read.invite({ digest: digestOf(token), user: person.user.id });
  if (known === null || !(isMember(known.member) || opens(known.invite, known, Date.now()))) {
    throw new RequestError('unknown_invite');
  }
  return known;
}

/** The user, to whom only the own links are shown; undefined for a moderator of the room. */
function ownOnly(connection: Connection, room: Room): string | undefined {
  const moderates = rightsIn(room.record, actorOf(room, connection)).includes('moderate');
  return moderates ? undefined : connection.person.user.id;
}

function shown({ id, at, until, uses, used }: Omit<StoredInvite, 'access'>, by: User): Invite {
  return {
    id,
    by,
    at,
    ...(until === undefined ? {} : { until }),
    ...(uses === undefined ? {} : { uses }),
    used,
  };
}

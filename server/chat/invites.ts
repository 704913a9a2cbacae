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

/** The size of a token in bytes. Such a token cannot be guessed. */
const tokenBytes = 24;
/** Maximum members that the preview of a link names, and maximum members that are read to find them. */
const mostFaces = 3;
const facesLookedAt = 20;

/**
 * Returns the digest of a token. The history stores digests, so that a copy of the history contains no usable links.
 */
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
    until: seconds === 0 ? undefined : at + seconds * 1000,
    uses: uses || undefined,
  };
  await decided(async () => {
    chat.directory.checkStill(connection.person, room);
    need(room, connection, 'invite');
    const readmits = rankOf(connection.identity.roles, actorOf(room, connection).member) > 0;
    return chat.history.write.createInvite({
      invite: { ...invite, readmits: readmits ? 1 : undefined },
      decidedFor: stateOf(room.record),
    });
  });
  return { invite: shown({ ...invite, used: 0 }, by), token };
}

/** Lists the user's own links to the room, or for a moderator all links. */
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
    const what = { room: room.record.id, id, by, decidedFor };
    return chat.history.write.revokeInvite(what);
  });
  return {};
}

/** Previews the room of a link for a member, or for a user whom the link admits. */
export async function lookAtInvite(
  chat: Chat,
  connection: Connection,
  { token }: RequestPayload<'invite:look'>,
): Promise<Answers['invite:look']> {
  const { invite, room, picture, member } = await opened(chat, connection, token);
  const { directory, history } = chat;
  const names = await namesIn(chat, invite.room, [invite.by], connection.person.user.id);
  const { members } = await history.read.members({ room: invite.room, limit: facesLookedAt });
  const people = members
    .filter(({ user, member }) => directory.isVisible(user, member))
    .slice(0, mostFaces)
    .map(({ user: { id, name } }) => ({ id, name }));
  // Checked again, because the link may have ended during the reads. Then the response must not describe the room.
  await opened(chat, connection, token);
  return {
    by: names.get(invite.by) as User,
    ...room,
    present: directory.presentCount(invite.room),
    people,
    room: isMember(member) ? invite.room : undefined,
    picture: picture === undefined ? undefined : { id: picture, invite: invite.digest },
  };
}

/** Makes the user a member, and returns the room. If the user already is a member, the link is not used. */
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
  // Another server may have added the user, and this server does not have the change yet.
  if (chat.directory.find(connection.person, id) === undefined) await chat.history.current();
  const room = chat.directory.find(connection.person, id);
  // The user may have been removed again.
  if (room === undefined) throw new RequestError('unknown_invite');
  return { room: summaryOf(chat.directory, room, connection) };
}

/**
 * Reads the link with this token, if it admits the user or the user is a member.
 * @throws RequestError `unknown_invite` in all other cases, so that the error reveals nothing about the room
 */
async function opened(chat: Chat, { person }: Connection, token: string) {
  const known = await admitting(chat, person.user.id, digestOf(token));
  if (known === null) throw new RequestError('unknown_invite');
  return known;
}

async function admitting({ history, directory }: Chat, user: string, digest: string) {
  const known = await history.read.invite({ digest, user });
  if (known === null || isMember(known.member)) return known;
  const isMakerBanned = directory.banOf(known.invite.by) !== null;
  return !isMakerBanned && opens(known.invite, known, Date.now()) ? known : null;
}

/**
 * Whether this file is the picture of a room that `lookAtInvite` shows to the user.
 * @param digest of the token. It is in the URL of the picture, where the token could be logged.
 */
export async function showsPicture(
  chat: Chat,
  { user, digest, file }: { user: string; digest: string; file: string },
): Promise<boolean> {
  return (await admitting(chat, user, digest))?.picture === file;
}

/** Returns the user whose links a list contains; undefined for a moderator of the room, who sees all links. */
function ownOnly(connection: Connection, room: Room): string | undefined {
  const moderates = rightsIn(room.record, actorOf(room, connection)).includes('moderate');
  return moderates ? undefined : connection.person.user.id;
}

function shown({ id, at, until, uses, used }: Omit<StoredInvite, 'access'>, by: User): Invite {
  return {
    id,
    by,
    at,
    until,
    uses,
    used,
  };
}

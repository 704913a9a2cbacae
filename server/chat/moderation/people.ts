import type { UserRecord } from '../../history/history.ts';
import { RequestError } from '../../wire/errors.ts';
import type { Answers, RequestPayload } from '../../wire/events.ts';
import { outranks } from '../access.ts';
import type { Chat } from '../chat.ts';
import { type Connection, siteRole } from '../model.ts';
import * as site from '../site.ts';

/** Bans a user from the whole site, or ends that. */
export async function ban(
  chat: Chat,
  connection: Connection,
  { user, seconds, reason, end }: RequestPayload<'moderate:ban'>,
): Promise<Answers['moderate:ban']> {
  await lower(chat, connection, user);
  const actor = connection.person.user.id;
  if (end) await site.unban(chat, user, actor);
  else await site.ban(chat, user, { seconds, reason }, actor);
  return {};
}

/** Erases a user with all messages. */
export async function erase(
  chat: Chat,
  connection: Connection,
  { user, name }: RequestPayload<'moderate:erase'>,
): Promise<Answers['moderate:erase']> {
  const known = await lower(chat, connection, user);
  if (known.name !== name) throw new RequestError('conflict', 'the user has another name');
  await site.erase(chat, user, 'delete', connection.person.user.id);
  return {};
}

/** @throws RequestError `forbidden` if the user of this connection does not outrank that user, or `unknown_user` */
async function lower(chat: Chat, { identity: { roles } }: Connection, user: string): Promise<UserRecord> {
  const [known] = await chat.history.read.users({ ids: [user] });
  if (known === undefined) throw new RequestError('unknown_user');
  if (!outranks({ roles, member: undefined }, { roles: rolesOf(chat, known), member: undefined })) {
    throw new RequestError('forbidden');
  }
  return known;
}

/** The role of a user on the whole site, connected or not. */
function rolesOf({ directory }: Chat, { id, siteRole: stored }: UserRecord) {
  const role = siteRole(directory.person(id)) ?? stored;
  return role === undefined ? [] : [role];
}

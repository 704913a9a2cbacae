import type { KnownRooms, UserRecord } from '../../history/history.ts';
import { mostCounted, mostReports, mostRooms } from '../../wire/counted.ts';
import { RequestError } from '../../wire/errors.ts';
import type { Answers, RequestPayload, RestrictionOfPerson, User } from '../../wire/events.ts';
import { outranks } from '../access.ts';
import type { Chat } from '../chat.ts';
import { cursorOf, decodeCursor } from '../cursor.ts';
import { type Connection, type SessionIdentity, siteRole } from '../model.ts';
import { namesForSite } from '../names.ts';
import { exported } from '../personal-data/export.ts';
import * as site from '../site.ts';
import { canOf } from '../summary.ts';
import { rejectPending } from './held.ts';
import { isKnown, readKnown } from './known-rooms.ts';
import { shownReport } from './shown-reports.ts';

/** Maximum messages that a ban can delete, and their maximum age in ms. */
const mostRecent = 200;
const recently = 24 * 60 * 60 * 1000;

/** Lists the users who ever connected. With a query, only the matching users. */
export async function people(
  chat: Chat,
  connection: Connection,
  { query, cursor, limit }: RequestPayload<'moderate:people'>,
): Promise<Answers['moderate:people']> {
  const [key, user] =
    cursor === undefined ? [] : decodeCursor(cursor, [query === undefined ? 'count' : 'string', 'string']);
  const page = await chat.history.read.arrivals({
    query,
    after: key === undefined || user === undefined ? undefined : { key, user },
    limit,
  });
  const users = page.users.map(({ id }) => id);
  return readKnown(chat, connection, async (known) => {
    const [reports, all] = await Promise.all([
      chat.history.read.openReportsAbout({ users, ...known }),
      chat.history.read.arrived({ most: mostCounted + 1 }),
    ]);
    const counts = new Map(reports.map((one) => [one.user, one.reports]));
    return {
      people: page.users.map((one) => ({
        user: userOf(one),
        here: chat.directory.isHere(one.id),
        reports: counts.get(one.id) ?? 0,
        restricted: restrictionsOf(chat, known, one.id).length,
      })),
      all: all > mostCounted ? undefined : all,
      next: page.next && cursorOf([page.next.key, page.next.user]),
    };
  });
}

/** Returns details of a user who ever connected. */
export async function person(
  chat: Chat,
  connection: Connection,
  { user }: RequestPayload<'moderate:person'>,
): Promise<Answers['moderate:person']> {
  const { history, directory, settings } = chat;
  const asker = connection.person.user.id;
  const { user: known, at: since } = await arrived(chat, user);
  const isLower = isBelow(chat, connection, known);
  const data = canOf(settings, connection.identity.roles).moderate?.data === true;
  const erase = data && isLower;
  return readKnown(chat, connection, async (rooms) => {
    const [did, erases, recent, about, last, restrictions] = await Promise.all([
      history.read.activity({ user, most: mostCounted, mostRooms, ...rooms }),
      erase ? history.read.filesAndReactions({ user, most: mostCounted, ...rooms }) : null,
      recentOf(chat, user, rooms),
      history.read.reportsAbout({ user, limit: mostReports, ...rooms }),
      history.read.lastHere({ user, asker }),
      namedRestrictions(chat, rooms, user),
    ]);
    const reports = await Promise.all(about.map((one) => shownReport(chat, one, asker)));
    const here = directory.isHere(user);
    return {
      user: userOf(known),
      here,
      lastHere: settings.lastSeen && !here ? last.at : undefined,
      since: since || undefined,
      messages: did.messages,
      onlyIn: did.onlyIn,
      recent: recent.length,
      rooms: did.rooms,
      restrictions,
      reports: reports.filter((one) => one !== null),
      reportsBy: did.reports,
      removed: did.removed,
      may: { ban: isLower, export: data, erase },
      erases: erases ?? undefined,
    };
  });
}

/** Bans a user from the whole site, or lifts the ban. */
export async function ban(
  chat: Chat,
  connection: Connection,
  { user, seconds, reason, messages, end }: RequestPayload<'moderate:ban'>,
): Promise<Answers['moderate:ban']> {
  await lower(chat, connection, user);
  const actor = connection.person.user.id;
  if (end) await site.unban(chat, user, actor);
  else await site.ban(chat, user, { seconds, reason }, actor);
  // Connections that opened before the ban was stored may still be sending. Wait until their requests end.
  if (messages !== undefined) await chat.everywhere(user, { is: 'kick' });
  // Read after the kick, so that the user cannot send further messages.
  const recent =
    messages === undefined ? [] : await readKnown(chat, connection, (known) => recentOf(chat, user, known));
  if (messages !== undefined) await rejectWaiting(chat, connection, user, reason);
  const deleted = await Promise.all(
    recent.map(async ({ room, seq, id }) => {
      chat.reactions.flush(room, seq);
      // In a public room, site moderators need not be members.
      const isPublic = chat.directory.room(room)?.record.kind === 'public';
      const done = await chat.history.write
        .delete({
          room,
          seq,
          id,
          user: actor,
          moderator: true,
          ...(isPublic ? { anywhere: true } : { siteModerator: true }),
          reason: reason || undefined,
          at: Date.now(),
        })
        .catch(ifGone);
      return done?.changed;
    }),
  );
  return { deleted: deleted.filter(Boolean).length };
}

/** Rejects the user's pending messages that this moderator may decide about. */
async function rejectWaiting(
  chat: Chat,
  connection: Connection,
  user: string,
  reason: string | undefined,
): Promise<void> {
  const waiting = (await chat.history.read.pendingBy({ user })).filter(({ closed }) => closed === undefined);
  for (const { id } of waiting) {
    await rejectPending(chat, connection, { id, reason }).catch(ifGone);
  }
}

/** Ignores errors for a message that no longer exists, or that this moderator may not decide about. */
function ifGone(error: unknown): undefined {
  if (error instanceof RequestError && /^unknown_/.test(error.code)) return undefined;
  throw error;
}

const recentOf = ({ history }: Chat, user: string, known: KnownRooms) =>
  history.read.recentOf({ user, since: Date.now() - recently, most: mostRecent, ...known });

/** Erases a user with all messages. */
export async function erase(
  chat: Chat,
  connection: Connection,
  { user, name, reason }: RequestPayload<'moderate:erase'>,
): Promise<Answers['moderate:erase']> {
  const known = await lower(chat, connection, user);
  if (known.name !== name) throw new RequestError('conflict', 'name is not the current name of the user');
  const actor = connection.person.user.id;
  await site.erase(chat, user, 'delete', { actor, reason: reason || undefined });
  return {};
}

/** Checks that this user may export the data of others now. @throws RequestError `forbidden` */
export async function mayExport(chat: Chat, { id, roles }: SessionIdentity): Promise<void> {
  // Another server may have stored a ban.
  await chat.history.current();
  const may = canOf(chat.settings, roles).moderate?.data === true && chat.directory.banOf(id) === null;
  if (!may) throw new RequestError('forbidden');
}

/**
 * Exports the stored data of a user, and records an audit entry for the admin who requested it.
 * @param open see `exported`
 */
export async function exportFor(
  chat: Chat,
  identity: SessionIdentity,
  user: string,
  open: Parameters<typeof exported>[2],
): Promise<NonNullable<Awaited<ReturnType<typeof exported>>>> {
  await mayExport(chat, identity);
  await arrived(chat, user);
  const archive = await exported(chat, user, open);
  if (archive === null) throw new RequestError('unknown_user');
  await chat.history.write.noteExport({ user, actor: identity.id });
  return archive;
}

const userOf = ({ id, name }: UserRecord): User => ({ id, name });

/**
 * Returns a user, and when the user first connected.
 * @throws RequestError `unknown_user` if the user never connected, even if a room names the ID
 */
async function arrived({ history }: Chat, user: string): Promise<{ user: UserRecord; at: number }> {
  const known = await history.read.arrival({ user });
  if (known === null) throw new RequestError('unknown_user');
  return known;
}

/**
 * Returns a user whom the user of this connection outranks.
 * @throws RequestError `unknown_user`, or `forbidden` if the rank is not lower
 */
async function lower(chat: Chat, connection: Connection, user: string): Promise<UserRecord> {
  const { user: known } = await arrived(chat, user);
  if (!isBelow(chat, connection, known)) throw new RequestError('forbidden');
  return known;
}

/** Whether the user of this connection has a higher role on the whole site than the other user. */
function isBelow(
  { directory }: Chat,
  { identity }: Connection,
  { id, siteRole: stored }: UserRecord,
): boolean {
  const role = siteRole(directory.person(id)) ?? stored;
  const target = { roles: role === undefined ? [] : [role], member: undefined };
  return outranks({ roles: identity.roles, member: undefined }, target);
}

/** Returns the mutes and bans of a user in these rooms, and the ban from the whole site. */
function restrictionsOf(
  chat: Chat,
  known: KnownRooms,
  user: string,
): (Omit<RestrictionOfPerson, 'by'> & { by?: string })[] {
  const { directory } = chat;
  const banned = directory.banOf(user);
  return [
    ...(banned === null ? [] : [{ kind: 'banned' as const, ...banned }]),
    ...directory.restrictions
      .on(user)
      .filter(({ room }) => isKnown(chat, known, room))
      .map(({ room, kind, restriction: { endsMembership: _, ...restriction } }) => ({
        room,
        name: directory.room(room)?.record.name ?? room,
        kind,
        ...restriction,
      })),
  ];
}

async function namedRestrictions(
  chat: Chat,
  known: KnownRooms,
  user: string,
): Promise<RestrictionOfPerson[]> {
  const laid = restrictionsOf(chat, known, user);
  const names = await namesForSite(
    chat,
    laid.flatMap(({ by }) => by ?? []),
  );
  return laid.map(({ by, ...one }) => ({ ...one, by: by === undefined ? undefined : names(by) }));
}

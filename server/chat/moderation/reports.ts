import { RequestError } from '../../wire/errors.ts';
import type { Answers, RequestPayload } from '../../wire/events.ts';
import { type Actor, outranks, rightsIn } from '../access.ts';
import type { Chat } from '../chat.ts';
import { decided, memberOf, targetOf } from '../members.ts';
import type { Connection } from '../model.ts';
import { needPlace, restrictionOf } from './restrict.ts';
import { messageNow, seesReportsOf, shownReport } from './shown-reports.ts';

/** Reports a message to its moderators. */
export async function report(
  { history }: Chat,
  { person }: Connection,
  { room, seq, reason, text }: RequestPayload<'message:report'>,
): Promise<{ repeated: boolean }> {
  const said = text === undefined || text === '' ? {} : { text };
  return history.write.report({ room, seq, by: person.user.id, reason, ...said, at: Date.now() });
}

/** Whether the user moderates any room. */
export function maySeeReports({ identity, person }: Connection): boolean {
  return identity.roles.length > 0 || roomsOf({ identity, person }).length > 0;
}

/** The rooms that the user moderates as a member. */
function roomsOf({ identity: { roles }, person }: Pick<Connection, 'identity' | 'person'>): string[] {
  return [...person.memberships.values()]
    .filter(({ room, member }) => rightsIn(room.record, { roles, member }).includes('moderate'))
    .map(({ room }) => room.record.id);
}

export async function listReports(
  chat: Chat,
  connection: Connection,
  { cursor, limit }: RequestPayload<'report:list'>,
): Promise<Answers['report:list']> {
  const rooms = connection.identity.roles.length > 0 ? null : roomsOf(connection);
  const page = await chat.history.read.reports({
    rooms,
    ...(cursor === undefined ? {} : { from: cursor }),
    limit,
  });
  const asker = connection.person.user.id;
  const shown = await Promise.all(page.reports.map((one) => shownReport(chat, one, asker)));
  // The user may have lost a room during the read, or on another server before something was reported there.
  await chat.history.current();
  const left = new Set(rooms === null ? null : roomsOf(connection));
  const reports = shown.filter((one) => one !== null).filter(({ room }) => rooms === null || left.has(room));
  return {
    reports,
    ...(page.next === undefined ? {} : { next: page.next }),
  };
}

/** Carries out a moderator's decision about a report, and closes it. */
export async function closeReport(
  chat: Chat,
  connection: Connection,
  { id, done, seconds }: RequestPayload<'report:close'>,
): Promise<Answers['report:close']> {
  const { history } = chat;
  const me = connection.person.user.id;
  const stored = await history.read.report({ id });
  const record = stored && (await history.read.room({ room: stored.room }));
  // Users who may not see the report do not learn that it exists.
  if (stored === null || record === null || !seesReportsOf(record, connection)) {
    throw new RequestError('unknown_message');
  }
  if (stored.closed !== undefined) return closedNow(chat, id, me);
  const { room, seq } = stored;
  const author = (stored.message ?? (await messageNow(chat, stored)))?.user.id ?? '';
  const actor = await actorIn(chat, room, connection);
  // Nobody decides about their own message either.
  const mayAct = author !== me && (done === 'nothing' || outranks(actor, await targetOf(chat, room, author)));
  if (!mayAct) throw new RequestError('forbidden');
  const at = Date.now();
  if (done === 'deleted') {
    chat.reactions.flush(room, seq);
    await history.write.delete({ room, seq, user: me, moderator: true, anywhere: true, at });
  } else if (done !== 'nothing') {
    // A direct room has no moderators who could lift it.
    if (record.kind === 'direct') {
      throw new RequestError('bad_request', 'a direct room has no mutes and bans');
    }
    const restriction = restrictionOf(me, { seconds }, at);
    await decided(async () => {
      const { access } = (await history.read.room({ room })) ?? record;
      const again = await actorIn(chat, room, connection);
      if (!outranks(again, await targetOf(chat, room, author))) throw new RequestError('forbidden');
      needPlace(chat, connection, room, author);
      return history.write.restrict({ room, user: author, kind: done, restriction, access, at });
    });
  }
  await history.write.closeReport({ room, id, by: me, done, at });
  return closedNow(chat, id, me);
}

/** The report with its decision, which may be that of another moderator. */
async function closedNow(chat: Chat, id: string, asker: string): Promise<Answers['report:close']> {
  const stored = await chat.history.read.report({ id });
  const report = stored && (await shownReport(chat, stored, asker));
  if (report === null) throw new RequestError('unknown_message');
  return { report };
}

/** The user of this connection as the actor in a room that need not be in memory here. */
async function actorIn(chat: Chat, room: string, { identity, person }: Connection): Promise<Actor> {
  return { roles: identity.roles, member: await memberOf(chat, room, person.user.id) };
}

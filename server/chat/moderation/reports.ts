import { isConversation, type RoomRecord, type StoredReport, stateOf } from '../../history/history.ts';
import { RequestError } from '../../wire/errors.ts';
import type { Answers, Report, RequestPayload } from '../../wire/events.ts';
import { moderatesSite, outranks } from '../access.ts';
import type { Chat } from '../chat.ts';
import type { Effect } from '../effect.ts';
import { decided, memberOf, targetOf } from '../members.ts';
import { sendDeletionReason } from '../messages/messages.ts';
import { pageFor } from '../mine.ts';
import type { Connection } from '../model.ts';
import { applyRecord } from '../room-changes.ts';
import { readWithin } from '../rooms.ts';
import { moderatedRooms, readKnown } from './known-rooms.ts';
import { requireFreeRestriction, restrictionOf } from './restrict.ts';
import { readCurrentMessage, seesReportsOf, shownReport, withoutContent } from './shown-reports.ts';

/** Messages before and after a reported message, shown as its context. */
const contextSize = 3;
/** Limits the open reports of one message that are shown, or closed in one step. */
const maxReportsOfMessage = 100;
/** Decisions are counted among this number of latest audit entries of a moderator. */
const maxAuditEntries = 1000;

/** Reports a message to its moderators. */
export async function report(
  { history }: Chat,
  { person }: Connection,
  { room, seq, reason, text }: RequestPayload<'message:report'>,
): Promise<{ repeated: boolean }> {
  return history.write.report({
    room,
    seq,
    by: person.user.id,
    reason,
    text: text || undefined,
    at: Date.now(),
  });
}

export async function listReports(
  chat: Chat,
  connection: Connection,
  { since, cursor, limit }: RequestPayload<'report:list'>,
): Promise<Answers['report:list']> {
  const asker = connection.person.user.id;
  const decided = since === undefined ? undefined : await decidedSince(chat, connection, since);
  return readWithin(
    () => ({
      rooms: moderatesSite(connection.identity) ? null : moderatedRooms(connection),
      // The list itself must omit these rooms, because a short page would reveal reports there.
      except: chat.directory.restrictions.bannedFrom(asker),
    }),
    async (rooms) => {
      const page = await chat.history.read.reports({
        ...rooms,
        from: cursor,
        limit,
      });
      const shown = await Promise.all(page.reports.map((stored) => shownReport(chat, stored, asker)));
      return {
        reports: shown.filter((report) => report !== null),
        decided,
        next: page.next,
      };
    },
  );
}

/** Counts the decisions of the user in rooms that the user may still know of. */
const decidedSince = (chat: Chat, connection: Connection, since: number) =>
  readKnown(chat, connection, (known) =>
    chat.history.read.decisionsBy({
      user: connection.person.user.id,
      since,
      most: maxAuditEntries,
      ...known,
    }),
  );

/** Returns the messages around a reported message, and its open reports. */
export async function reportContext(
  chat: Chat,
  connection: Connection,
  { id }: RequestPayload<'report:context'>,
): Promise<Answers['report:context']> {
  const { history } = chat;
  const { person } = connection;
  const openReport = async () => {
    const report = await requireReport(chat, connection, id);
    // A closed report has no context.
    if (report.stored.closed !== undefined) throw new RequestError('unknown_message');
    return report;
  };
  const { stored, record } = await openReport();
  const { room, seq } = stored;
  const [open, before, after] = await Promise.all([
    history.read.reportsOf({ room, seq, limit: maxReportsOfMessage }),
    history.read.newest({ room, upTo: seq - 1, limit: contextSize }),
    history.read.after({ room, after: seq, upTo: record.lastSeq, limit: contextSize }),
  ]);
  const context = isConversation(record) ? [] : [...before.messages, ...after.messages];
  const { messages } = await pageFor(chat, person, { messages: context });
  const reports = await Promise.all(open.map((report) => shownReport(chat, report, person.user.id)));
  // Checked again, because the user may lose the right during the reads.
  await openReport();
  return { messages, reports: reports.filter((report) => report !== null) };
}

/** Returns a report and its room. @throws RequestError `unknown_message` also if the user may not see the report */
async function requireReport(
  { history, directory }: Chat,
  connection: Connection,
  id: string,
): Promise<{ stored: StoredReport; record: RoomRecord }> {
  const stored = await history.read.report({ id });
  const record = stored && (await history.read.room({ room: stored.room }));
  if (stored === null || record === null) throw new RequestError('unknown_message');
  requireReportAccess({ directory }, record, connection);
  return { stored, record };
}

/**
 * Checks that the user may see the reports of a room.
 * @throws RequestError `unknown_message`, so that the report is not revealed
 */
function requireReportAccess(
  { directory }: Pick<Chat, 'directory'>,
  room: RoomRecord,
  connection: Connection,
): void {
  if (!seesReportsOf(directory, room, connection)) throw new RequestError('unknown_message');
}

/** Runs a moderator's decision about a report and closes it. `all` also closes the other reports of the message. */
export async function closeReport(
  chat: Chat,
  connection: Connection,
  { id, done, seconds, reason, all }: RequestPayload<'report:close'>,
): Promise<Answers['report:close']> {
  const { history } = chat;
  const by = connection.person.user.id;
  const { stored, record } = await requireReport(chat, connection, id);
  if (stored.closed !== undefined) return closedNow(chat, connection, record, id);
  const { room, seq } = stored;
  const author = (stored.message ?? (await readCurrentMessage(chat, stored)))?.user.id ?? '';
  // Moderators must not decide about their own messages.
  if (author === by) throw new RequestError('forbidden');
  const isRestriction = done === 'muted' || done === 'banned';
  // A direct room has no moderators who could lift the restriction.
  if (isRestriction && record.kind === 'direct') {
    throw new RequestError('bad_request', 'a direct room has no mutes and bans');
  }
  if (done === 'deleted') chat.reactions.flush(room, seq);
  const at = Date.now();
  const readOtherIds = async () =>
    all
      ? (await history.read.reportsOf({ room, seq, limit: maxReportsOfMessage })).map((report) => report.id)
      : [];
  let isOurs = false;
  await decided(async () => {
    const decidedFor = stateOf((await history.read.room({ room })) ?? record);
    // After the read, because the user may lose the right during it.
    requireReportAccess(chat, record, connection);
    if (done !== 'nothing') {
      const actor = { roles: connection.identity.roles, member: await memberOf(chat, room, by) };
      if (!outranks(actor, await targetOf(chat, room, author))) throw new RequestError('forbidden');
    }
    if (isRestriction) requireFreeRestriction(chat, connection, room, author);
    const restriction = isRestriction
      ? { author, restriction: restrictionOf(by, { seconds, reason }, at) }
      : {};
    const closing = { room, seq, id, others: without(id, await readOtherIds()), by, done, at, decidedFor };
    const output = await history.write.closeReport({
      ...closing,
      ...restriction,
      reason: reason || undefined,
    });
    isOurs = output.decided;
    return output;
  });
  for (
    let [next, ...rest] = await readOtherIds();
    isOurs && next !== undefined;
    [next, ...rest] = await readOtherIds()
  ) {
    await history.write.closeReport({ room, seq, id: next, others: rest, by, done, at, again: true });
  }
  if (isOurs && done === 'deleted' && reason) sendDeletionReason(chat, author, { room, seq, reason });
  return closedNow(chat, connection, record, id);
}

const without = (id: string, ids: readonly string[]) => ids.filter((other) => other !== id);

/** Returns the closed report, which another moderator may have decided first. */
async function closedNow(
  chat: Chat,
  connection: Connection,
  room: RoomRecord,
  id: string,
): Promise<Answers['report:close']> {
  const stored = await chat.history.read.report({ id });
  const report = stored && (await shownReport(chat, stored, connection.person.user.id));
  // After the reads. A user who lost the right must not see a later edit of the message.
  requireReportAccess(chat, room, connection);
  if (report === null) throw new RequestError('unknown_message');
  const canReadRoom = chat.directory.find(connection.person, room.id) !== undefined;
  return { report: canReadRoom ? report : withoutContent(report) };
}

/** A message was reported, or a report was closed. Notifies the moderators who see it. */
export const reportEffect: Effect<'report'> = {
  apply(chat, { room: record, id }) {
    const room = chat.directory.room(record.id);
    if (room !== undefined) applyRecord(room.record, record);
    return () => announceReport(chat, record, id);
  },
};

function announceReport(chat: Chat, room: RoomRecord, id: string): void {
  const { history, directory, publisher, summaries, announcements } = chat;
  const sees = (connection: Connection) => seesReportsOf(directory, room, connection);
  const moderators = () =>
    [...directory.everybody()].flatMap(({ connections }) => [...connections].filter(sees));
  if (moderators().length === 0) return;
  const open = room.reports ?? 0;
  // If this fails, moderators get the report when they request the list.
  announcements.add('report_changed', async () => {
    const stored = await history.read.report({ id });
    const report = stored && (await shownReport(chat, stored));
    if (directory.isReplaced(room)) return;
    // The report was erased with its user, or its message is no longer stored. Members who moderate get the new count.
    if (report === null) {
      const current = directory.room(room.id);
      const listing = moderators().filter(({ person }) => person.memberships.has(room.id));
      return current && summaries.send(current, listing);
    }
    const isReader = ({ person }: Connection) => directory.find(person, room.id) !== undefined;
    const { readers = [], others = [] } = Object.groupBy(moderators(), (connection) =>
      report.closed === undefined || isReader(connection) ? 'readers' : 'others',
    );
    const send = (to: readonly Connection[], shown: Report) => {
      const ids = to.map((connection) => connection.id);
      if (ids.length > 0) publisher.toConnections(ids, 'report:changed', { report: shown, open });
    };
    send(readers, report);
    send(others, withoutContent(report));
  });
}

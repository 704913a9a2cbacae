import type { History, RoomRecord, StoredMessage, StoredReport } from '../../history/history.ts';
import type { Report, User } from '../../wire/events.ts';
import { moderatesSite, rightsIn } from '../access.ts';
import type { Directory } from '../directory.ts';
import type { Connection } from '../model.ts';
import { namesIn } from '../names.ts';

interface Parts {
  history: History;
  directory: Directory;
}

/**
 * Whether this connection sees the reports of a room. Site moderators and admins see the reports of all rooms from
 * which they are not banned.
 */
export function seesReportsOf(
  { restrictions }: Pick<Directory, 'restrictions'>,
  room: RoomRecord,
  { identity, person }: Connection,
): boolean {
  const { roles } = identity;
  if (moderatesSite(identity)) return !restrictions.isBanned(room.id, person.user.id);
  const member = person.memberships.get(room.id)?.member;
  return member !== undefined && rightsIn(room, { roles, member }).includes('moderate');
}

/**
 * Returns a report as moderators see it; null if its message is no longer stored.
 * @param asker the recipient, if there is only one. Recipients may see their own name.
 */
export async function shownReport(
  parts: Parts,
  stored: StoredReport,
  asker?: string,
): Promise<Report | null> {
  const { id, room, by, reason, text, at, closed } = stored;
  const message = stored.message ?? (await readCurrentMessage(parts, stored));
  if (message === undefined) return null;
  const people = [by, ...(closed === undefined ? [] : [closed.by])];
  const names = await namesIn(parts, room, people, asker);
  const named = (user: string) => names.get(user) as User;
  return {
    id,
    room,
    message: parts.directory.messageOf(message, asker),
    by: named(by),
    reason,
    text,
    at,
    closed: closed && { ...closed, by: named(closed.by) },
  };
}

/**
 * Removes the content from a closed report for moderators who may not read its room. The current message may contain
 * more than was reported, and its `rev` counts later changes of the room.
 */
export function withoutContent({ message, ...report }: Report): Report {
  const { id, room, seq, clientId, user, sentAt } = message;
  return { ...report, message: { id, room, seq, rev: seq, clientId, user, text: '', sentAt } };
}

export async function readCurrentMessage(
  { history }: Parts,
  { room, seq }: StoredReport,
): Promise<StoredMessage | undefined> {
  return (await history.read.after({ room, after: seq - 1, upTo: seq, limit: 1 })).messages[0];
}

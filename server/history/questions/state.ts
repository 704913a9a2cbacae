import { sql } from '../engine/dialect.ts';
import { type LoadedRoom, type Need, needOf, type Work } from '../engine/work.ts';
import { isModerator } from '../members/membership.ts';
import type { Change } from '../records/changes.ts';
import { isMember } from '../records/member.ts';
import type { StoredMessage } from '../records/message.ts';
import type { RoomQuestion } from '../records/question.ts';
import type { RoomRow } from '../records/room.ts';
import { noteErased } from '../rows/erasures.ts';
import { getMember } from '../rows/members.ts';
import { recordOf, requireRoom } from '../rows/room-changes.ts';
import { existingRoom, foundRoom, getRoom, roomLoaderBy, setRoom } from '../rows/rooms.ts';
import { inviteTeam, leaveToOne, turnOnNotices } from './team.ts';

// The state of a question, and how messages and erasures change it.

const byAsker = roomLoaderBy<{ user: string; team: string }>(
  'question of an asker',
  ['asker', 'team'],
  ({ user, team }) => `${team} ${user}`,
  ({ user, team }) => [user, team],
);
export const askerNeed = (user: string, team: string): Need => needOf(byAsker, { user, team });
export function roomOfAsker(work: Work, user: string, team: string): RoomRow | undefined {
  const isAskers = ({ row: { question } }: LoadedRoom) =>
    question?.asker?.id === user && question.team === team;
  return foundRoom(work, work.value(byAsker, { user, team }), isAskers)?.row;
}

type QuestionChange = Exclude<(Change & { type: 'question' })['is'], 'noted'>;

/** Stores the state of a question, and adds the change. */
export function putQuestion(
  work: Work,
  id: string,
  question: RoomQuestion,
  is: QuestionChange,
  changes: Change[],
): void {
  setRoom(work, { ...requireRoom(work, id), question });
  changes.push({ type: 'question', is, room: recordOf(work, requireRoom(work, id)) });
}

/**
 * Applies a new message to the question of its room. A message of the asker opens it, the first message of the team
 * answers it and assigns it to its author. Other messages, such as those that the PHP application posts for
 * other users, only update the time of the last message.
 * @param room the room before the message
 */
export function applyMessage(
  work: Work,
  { id, question, members, lastSeq: readSeq }: RoomRow,
  { user, sentAt: at }: Pick<StoredMessage, 'user' | 'sentAt'>,
  changes: Change[],
): void {
  if (question === undefined) return;
  const now = { ...question, lastAt: at };
  if (user.id === question.asker?.id) {
    const opens = question.openedAt === 0 || question.closedAt !== undefined;
    // Who had the question may have left the team since.
    const by =
      question.by !== undefined && isMember(getMember(work, id, question.by.id)) ? question.by : undefined;
    const opened = { ...now, by, openedAt: at, answeredAt: undefined, closedAt: undefined };
    const waiting = { ...(opens ? opened : now), waitingAt: question.waitingAt ?? at };
    putQuestion(work, id, waiting, opens ? 'opened' : 'changed', changes);
    // If the member who had it has left the team, no member would be notified: the others left the room when it was
    // assigned, or opened it later, which does not turn on notices.
    const wasAssigned = question.answeredAt !== undefined || question.closedAt !== undefined;
    if (members <= 1 || (waiting.by === undefined && wasAssigned))
      inviteTeam(work, { id, name: question.team, readSeq, at }, changes);
    return;
  }
  if (!isModerator(getMember(work, id, user.id))) return putQuestion(work, id, now, 'changed', changes);
  const { waitingAt: _, ...answered } = now;
  const answeredAt = question.answeredAt ?? (question.closedAt === undefined ? at : undefined);
  putQuestion(work, id, { ...answered, answeredAt, by: question.by ?? user }, 'changed', changes);
  if (question.by !== undefined) return;
  turnOnNotices(work, id, user.id, changes);
  leaveToOne(work, id, user.id, at, changes);
}

/** Deletes the address of a guest with the question, for which it was given. */
export function removeAddress(work: Work, { question }: RoomRow): void {
  const { asker, address } = question ?? {};
  if (asker === undefined || address === undefined) return;
  work.later(() => sql`DELETE FROM chat_mail_addresses WHERE user_id = ${asker.id}`);
}

/** The name of a question whose asker was erased, because the name is the asker's text. */
const erasedName = 'Question';

/**
 * Erases a user from a question. Without its asker, it is closed, and the notes about the asker are deleted. Without the
 * member of the team who had it, it is unassigned.
 */
export function eraseFromQuestion(
  work: Work,
  { room: id, user, at }: { room: string; user: string; at: number },
  changes: Change[],
): void {
  const room = getRoom(work, id);
  const { question } = room ?? {};
  if (room === undefined || question === undefined) return;
  if (question.by?.id === user) {
    putQuestion(work, id, { ...question, by: undefined }, 'changed', changes);
    noteErased(work, user, id);
  }
  if (question.asker?.id !== user) return;
  setRoom(work, { ...room, name: erasedName });
  const { num } = existingRoom(work, id);
  work.later(() => sql`DELETE FROM chat_notes WHERE room = ${num as number}`);
  const { asker: _, waitingAt: __, about: ___, address: ____, ...rest } = question;
  putQuestion(work, id, { ...rest, closedAt: question.closedAt ?? at }, 'closed', changes);
  noteErased(work, user, id);
}

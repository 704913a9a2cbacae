import type { User } from '../../wire/events.ts';
import { sql } from '../engine/dialect.ts';
import { type LoadedRoom, type Need, needOf, type Work } from '../engine/work.ts';
import { isModerator } from '../members/membership.ts';
import type { Change } from '../records/changes.ts';
import { isMember } from '../records/member.ts';
import type { StoredMessage } from '../records/message.ts';
import { type RoomQuestion, unnamedQuestion } from '../records/question.ts';
import type { RoomRow } from '../records/room.ts';
import { noteErased } from '../rows/erasures.ts';
import { getMember } from '../rows/members.ts';
import { recordOf, requireRoom } from '../rows/room-changes.ts';
import { existingRoom, foundRoom, getRoom, roomLoaderBy, setRoom } from '../rows/rooms.ts';
import { inviteTeam, leaveToOne, notifiesTeam, turnOnNotices } from './team.ts';

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
    question?.asker?.id === user && question.isSecond === undefined && question.team === team;
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

/** Returns the member of the team who has the question. Undefined if that user left the room or is banned from it. */
export function holderOf(work: Work, id: string, { by, asker }: RoomQuestion): User | undefined {
  return by !== undefined && by.id !== asker?.id && isMember(getMember(work, id, by.id)) ? by : undefined;
}

/**
 * Makes the team members of an open question that nobody has, if none of them is notified of its messages. They get
 * the last message as unread while the asker waits.
 * @param options.except see `inviteTeam`
 */
export function reachTeam(
  work: Work,
  id: string,
  { except, at }: { except?: string | undefined; at: number },
  changes: Change[],
): void {
  const { question, lastSeq } = requireRoom(work, id);
  if (question === undefined || question.closedAt !== undefined) return;
  if (holderOf(work, id, question) !== undefined || notifiesTeam(work, id)) return;
  const readSeq = question.waitingAt === undefined ? lastSeq : lastSeq - 1;
  inviteTeam(work, { id, name: question.team, readSeq, except, at }, changes);
}

/**
 * Applies a new message to the question of its room. A message of the asker opens it, and reaches the team if nobody
 * has the question. The first message of the team answers it and assigns it to its author. Other messages, such as
 * those that the PHP application posts for other users, only update the time of the last message.
 */
export function applyMessage(
  work: Work,
  { id, question }: RoomRow,
  { user, sentAt: at }: Pick<StoredMessage, 'user' | 'sentAt'>,
  changes: Change[],
): void {
  if (question === undefined) return;
  const now = { ...question, lastAt: at };
  const isAsker = user.id === question.asker?.id;
  if (!isAsker && !isModerator(getMember(work, id, user.id)))
    return putQuestion(work, id, now, 'changed', changes);
  const by = holderOf(work, id, question);
  if (isAsker) {
    const opens = question.openedAt === 0 || question.closedAt !== undefined;
    const opened = opens ? { openedAt: at, answeredAt: undefined, closedAt: undefined } : {};
    const waiting = { ...now, ...opened, by, waitingAt: question.waitingAt ?? at };
    putQuestion(work, id, waiting, opens ? 'opened' : 'changed', changes);
    return reachTeam(work, id, { at }, changes);
  }
  const { waitingAt: _, ...answered } = now;
  const answeredAt = question.answeredAt ?? (question.closedAt === undefined ? at : undefined);
  putQuestion(work, id, { ...answered, answeredAt, by: by ?? user }, 'changed', changes);
  if (by !== undefined) return;
  turnOnNotices(work, id, user.id, changes);
  leaveToOne(work, id, user.id, at, changes);
}

/** Deletes the address of a guest with the question, for which it was given. */
export function removeAddress(work: Work, { question }: RoomRow): void {
  const { asker, address } = question ?? {};
  if (asker === undefined || address === undefined) return;
  work.later(() => sql`DELETE FROM chat_mail_addresses WHERE user_id = ${asker.id}`);
}

/**
 * Erases a user from a question. Without its asker, it is closed, and the notes about the asker are deleted. Without the
 * member of the team who had it, it is unassigned and reaches the others.
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
  if (question.asker?.id !== user) return reachTeam(work, id, { except: user, at }, changes);
  // The name is the asker's text.
  setRoom(work, { ...room, name: unnamedQuestion });
  const { num } = existingRoom(work, id);
  work.later(() => sql`DELETE FROM chat_notes WHERE room = ${num as number}`);
  const { asker: _, isSecond: __, waitingAt: ___, about: ____, address: _____, ...rest } = question;
  putQuestion(work, id, { ...rest, closedAt: question.closedAt ?? at }, 'closed', changes);
  noteErased(work, user, id);
}

import { sql } from '../engine/dialect.ts';
import { table } from '../engine/table.ts';
import { type Need, rows, type Work } from '../engine/work.ts';
import type { Change } from '../records/changes.ts';
import { isMember } from '../records/member.ts';
import type { StoredMessage } from '../records/message.ts';
import type { RoomQuestion, RoomRow } from '../records/room.ts';
import { noteErased } from './erasures.ts';
import { getMember } from './members.ts';
import { recordOf, requireRoom } from './room-changes.ts';
import { existingRoom, getRoom, setRoom } from './rooms.ts';

// The teams, the state of a question, and how messages change it.

/** The members of teams. */
export const team = table<{ user: string; team: string; since: number }>(
  'chat_team',
  ['user', 'team'],
  { user: 'user_id', team: 'team', since: 'since' },
  { users: ['user'], without: () => ({ row: null }) },
);

export const teamNeed = (user: string, name: string): Need => rows(team, { user, team: name });

/** Whether the user was in the team at the last connection. */
export const isInTeam = (work: Work, user: string, name: string): boolean =>
  work.find(team, { user, team: name }).length > 0;

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
 * answers it and assigns it to its author. Messages of the PHP application in the name of others change nothing.
 * @param byTeam whether a member of the team wrote it
 */
export function applyToQuestion(
  work: Work,
  { id, question }: RoomRow,
  { user, sentAt }: Pick<StoredMessage, 'user' | 'sentAt'>,
  byTeam: boolean,
  changes: Change[],
): void {
  if (question === undefined) return;
  const now = { ...question, lastAt: sentAt };
  if (user.id === question.asker?.id) {
    const opens = question.openedAt === 0 || question.closedAt !== undefined;
    // Who had the question may have left the team since.
    const by =
      question.by !== undefined && isMember(getMember(work, id, question.by.id)) ? question.by : undefined;
    const opened = { ...now, by, openedAt: sentAt, answeredAt: undefined, closedAt: undefined };
    const waiting = { ...(opens ? opened : now), waitingAt: question.waitingAt ?? sentAt };
    return putQuestion(work, id, waiting, opens ? 'opened' : 'changed', changes);
  }
  if (!byTeam) return putQuestion(work, id, now, 'changed', changes);
  const { waitingAt: _, ...answered } = now;
  const answeredAt = question.answeredAt ?? (question.closedAt === undefined ? sentAt : undefined);
  const by = question.by ?? user;
  return putQuestion(work, id, { ...answered, answeredAt, by }, 'changed', changes);
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

import { acted, type MemberRecord, type RoomQuestion, type RoomRecord } from '../../history/history.ts';
import type { Question } from '../../wire/events.ts';
import { previewOf } from '../summary.ts';
import { toState } from './state.ts';

/** Returns a question as the team sees it. */
export function toQuestion({ id, name, last, question }: RoomRecord & { question: RoomQuestion }): Question {
  const { openedAt, waitingAt, answeredAt, closedAt } = question;
  return {
    room: id,
    name,
    ...toState(question),
    openedAt,
    waitingSince: waitingAt,
    answeredAt,
    closedAt,
    last: last && previewOf(last),
  };
}

/**
 * Whether everyone in a room may learn that this user is a member. In a question, members of the team are listed once
 * they open it. Otherwise any visitor could list the users who work for the site.
 */
export const isListed = (
  { question }: Pick<RoomRecord, 'question'>,
  { acted: did }: Pick<MemberRecord, 'acted'>,
): boolean => question === undefined || did > acted.never;

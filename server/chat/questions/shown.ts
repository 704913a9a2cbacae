import type { RoomQuestion, RoomRecord } from '../../history/history.ts';
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

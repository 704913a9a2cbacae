import { deletedUser, type RoomQuestion, type RoomRecord } from '../../history/history.ts';
import type { RoomSummary } from '../../wire/events.ts';

/** The state of a question, as its asker and the team see it in the room. */
export const toState = ({
  asker = deletedUser,
  by,
  about,
  address,
  closedAt,
}: RoomQuestion): NonNullable<RoomSummary['question']> => ({
  state: closedAt === undefined ? 'open' : 'closed',
  asker,
  by,
  about,
  address,
});

export const isQuestion = (room: RoomRecord): room is RoomRecord & { question: RoomQuestion } =>
  room.question !== undefined;

/** Returns what a user gave with a question, for the export. Undefined in other rooms. */
export function askedBy({ question }: RoomRecord, user: string): object | undefined {
  if (question?.asker?.id !== user) return undefined;
  const { about, openedAt, closedAt } = question;
  return { about, openedAt, closedAt };
}

import type { Chat } from '../chat.ts';
import type { Effect } from '../effect.ts';
import { applyRecord } from '../room-changes.ts';
import { toNote } from './notes.ts';
import { isOfTeam } from './roles.ts';
import { toQuestion } from './shown.ts';
import { isQuestion, toState } from './state.ts';
import { teamConnections } from './team.ts';

/** A question was opened, answered, assigned or closed, or has a new or deleted note. */
export const questionEffect: Effect<'question'> = {
  apply(chat, { is, room: record, note }) {
    const { directory, publisher, summaries, activity } = chat;
    const room = directory.room(record.id);
    if (is === 'noted') return () => void announceNote(chat, record.id, note ?? '');
    const before = room && { ...room.record };
    if (room !== undefined) applyRecord(room.record, record);
    return () => {
      if (isQuestion(record)) {
        const team = [...teamConnections(directory)]
          .filter(({ person }) => !directory.restrictions.isBanned(record.id, person.user.id))
          .map(({ id }) => id);
        if (team.length > 0)
          publisher.toConnections(team, 'question:changed', { question: toQuestion(record) });
      }
      if (room === undefined) return;
      const [was, now] = [before?.question, room.record.question];
      if (before?.name !== room.record.name) activity.announceToAll(room);
      if (was !== undefined && now !== undefined && isSame(toState(was), toState(now))) return;
      summaries.send(
        room,
        [...room.here].flatMap(({ connections }) => [...connections]),
      );
    };
  },
};

/** Whether two states, which have the same fields in the same order, are equal. */
const isSame = (a: object, b: object) => JSON.stringify(a) === JSON.stringify(b);

/** Sends a note to the members of the team who joined the room. It is read, because the log has no texts. */
async function announceNote(
  { history, directory, publisher, onAsideFailure }: Chat,
  room: string,
  id: string,
): Promise<void> {
  const receivers = () =>
    [...(directory.room(room)?.joined ?? [])]
      .filter(({ identity }) => isOfTeam(identity))
      .map(({ id }) => id);
  if (receivers().length === 0) return;
  try {
    const [stored] = await history.read.notes({ room, id });
    // Without texts of a room that a receiver left during the read.
    const left = receivers();
    if (left.length > 0)
      publisher.toConnections(left, 'question:noted', { room, id, note: stored && toNote(stored) });
  } catch (error) {
    onAsideFailure('note_announced', error);
  }
}

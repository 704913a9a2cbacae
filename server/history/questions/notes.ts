import { ask, raw, sql } from '../engine/dialect.ts';
import { columnsOf, type ReadsOf } from '../engine/read.ts';
import { type Rule, refuse } from '../engine/rule.ts';
import { subject } from '../engine/subject.ts';
import { rowFrom, table } from '../engine/table.ts';
import { rows } from '../engine/work.ts';
import { recordOf } from '../rows/room-changes.ts';
import { roomNumber } from '../rows/select.ts';
import { requireTeam, teamMemberNeeds } from './questions.ts';

// Notes are not messages: a number in the room, which the asker would miss, would tell that there is one.

/** Maximum notes of a question. */
export const mostNotes = 500;

/** A note of the team on a question. */
export interface StoredNote {
  room: string;
  id: string;
  user: string;
  /** The name of the author at that time. */
  name: string;
  clientId: string;
  /** The newest message of the room at that time, or 0. */
  after: number;
  text: string;
  /** When it was written, as Unix ms. */
  at: number;
}

export interface NoteWrites {
  /**
   * Stores a note. A repeated `clientId` of the user only returns the stored note. Codes: `unknown_room`, `forbidden` (also
   * without an asker, who was erased), `limit_reached` (`mostNotes`).
   */
  addNote: {
    in: Omit<StoredNote, 'after'> & { team: string };
    out: { note: StoredNote; repeated: boolean };
  };
  /** Deletes an own note. No-op without such a note. Codes: `unknown_room`, `forbidden`. */
  removeNote: { in: { room: string; id: string; user: string; team: string }; out: { removed: boolean } };
}

export interface NoteReads {
  /** The notes of a question in the order of their times, or only the note `id`. */
  notes: { in: { room: string; id?: string | undefined }; out: StoredNote[] };
  /** The notes of a user, for the export, and at most 10,000. */
  notesBy: { in: { user: string }; out: StoredNote[] };
}

/** The notes. They are deleted with their author's data, because they are words of this user about another. */
export const notes = table<StoredNote>(
  'chat_notes',
  ['room', 'id'],
  {
    room: 'room',
    id: 'id',
    user: 'user_id',
    name: 'user_name',
    clientId: 'client_id',
    after: 'seq',
    text: 'text',
    at: 'at',
  },
  { users: ['user'], without: () => ({ row: null }), isShown: true },
);

const addNote: Rule<NoteWrites['addNote']> = {
  adds: true,
  needs: ({ room, user, team }) => [...teamMemberNeeds(room, user, team), rows(notes, { room })],
  run(work, { team, ...given }, changes) {
    const room = requireTeam(work, given.room, given.user, team);
    const all = work.find(notes, { room: room.id });
    const repeat = all.find(({ user, clientId }) => user === given.user && clientId === given.clientId);
    if (repeat !== undefined) return { note: repeat, repeated: true };
    // Notes about an erased asker were deleted.
    if (room.question.asker === undefined) refuse('forbidden');
    if (all.length >= mostNotes) refuse('limit_reached');
    const note = { ...given, after: room.lastSeq };
    work.put(notes, note);
    changes.push({ type: 'question', is: 'noted', room: recordOf(work, room), note: note.id });
    return { note, repeated: false };
  },
};

const removeNote: Rule<NoteWrites['removeNote']> = {
  needs: ({ room, user, team, id }) => [...teamMemberNeeds(room, user, team), rows(notes, { room, id })],
  run(work, { room, id, user, team }, changes) {
    const question = requireTeam(work, room, user, team);
    const [note] = work.find(notes, { room, id });
    if (note?.user !== user) return { removed: false };
    work.remove(notes, { room, id });
    changes.push({ type: 'question', is: 'noted', room: recordOf(work, question), note: id });
    return { removed: true };
  },
};

const mostExported = 10_000;

const reads: ReadsOf<NoteReads> = {
  *notes(_, { room, id }) {
    const found = yield* ask(
      sql`SELECT ${columnsOf(notes)} FROM chat_notes WHERE room = ${roomNumber(room)}
          ${id === undefined ? raw('') : sql`AND id = ${id}`} ORDER BY at, id`,
    );
    return found.map((row) => rowFrom(notes, row, room));
  },
  *notesBy(_, { user }) {
    const found = yield* ask(
      sql`SELECT ${columnsOf(notes, 'notes')}, rooms.id AS room_id FROM chat_notes AS notes
          JOIN chat_rooms AS rooms ON rooms.num = notes.room
          WHERE user_id = ${user} ORDER BY notes.at, notes.id LIMIT ${mostExported}`,
    );
    return found.map((row) => rowFrom(notes, row, row.room_id as string));
  },
};

export const noteSubject = subject<NoteWrites, NoteReads>({
  tables: [notes],
  rules: { addNote, removeNote },
  reads,
});

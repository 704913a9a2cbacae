import type { MessageFile } from '../../wire/events.ts';
import type { Columns, Row, Value } from '../engine/table.ts';

/** A file that has been uploaded. The first message that carries it keeps it. */
export interface StoredFile {
  id: string;
  user: string;
  /** `loose`: no message carries it, or none any more. `dropped`: it is about to be deleted, and is nobody's. */
  state: 'loose' | 'carried' | 'dropped';
  /** The message that has carried it first. */
  seq?: number;
  /** Since when it is in this state, in milliseconds since 1970. */
  at: number;
  about: MessageFile;
  /** The file under whose id the bytes are stored: a forwarded copy shares them. */
  stored: string;
}

/** The time of a file whose message waits for a moderator: nothing that drops old files finds it. */
export const waitsSince = Number.MAX_SAFE_INTEGER;

/** Whether the message that is going to carry the file waits for a moderator. */
export const isHeld = ({ state, at }: StoredFile) => state === 'loose' && at === waitsSince;

/** Files by their states in the database. */
export const fileStates = { loose: 0, carried: 1, dropped: 2 } as const satisfies Record<
  StoredFile['state'],
  number
>;

export const fileColumns =
  'files.id AS file_id, files.user_id AS file_user, files.seq AS file_seq, files.state AS file_state, files.at AS file_at, files.about AS file_about, files.stored AS file_stored';

export function fileFrom(row: Row): StoredFile {
  const states = Object.keys(fileStates) as StoredFile['state'][];
  return {
    id: row.file_id as string,
    user: row.file_user as string,
    state: states[row.file_state as number] as StoredFile['state'],
    ...(row.file_seq === null ? {} : { seq: row.file_seq as number }),
    at: row.file_at as number,
    about: JSON.parse(row.file_about as string) as MessageFile,
    stored: row.file_stored as string,
  };
}

/** The columns that are written of a file. */
export const fileFields: Columns = ['id', 'room', 'user_id', 'seq', 'state', 'at', 'about', 'size', 'stored'];

export const fileRow = (room: number, { id, user, seq, state, at, about, stored }: StoredFile): Value[] => [
  id,
  room,
  user,
  seq ?? null,
  fileStates[state],
  at,
  JSON.stringify(about),
  about.size,
  stored,
];

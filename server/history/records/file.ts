import type { MessageFile } from '../../wire/events.ts';
import type { Columns, Row, Value } from './columns.ts';

/** An uploaded file. Only the first message to which it was attached can have it, or its room as its picture. */
export interface StoredFile {
  id: string;
  user: string;
  /** `loose`: not attached to a message or room. `carried`: attached. `dropped`: pending deletion. */
  state: 'loose' | 'carried' | 'dropped';
  /** The message to which it was first attached, even if it is detached now. */
  seq?: number;
  /** Since when the file is in this state, as Unix ms, or `reservedAt`. */
  at: number;
  about: AboutFile;
  /** The ID of the stored bytes. A forwarded copy shares the bytes of the original file. */
  stored: string;
}

/** `isPicture`: made as the picture of a room, and not for messages. */
export type AboutFile = MessageFile & { isPicture?: true };

/** The `at` of a file that is reserved for a message pending approval, so that it is not dropped as an old orphan. */
export const reservedAt = Number.MAX_SAFE_INTEGER;

/** Whether the file is reserved for a message that is pending approval. */
export const isReserved = ({ state, at }: StoredFile) => state === 'loose' && at === reservedAt;

/** The states as stored in the database. */
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
    seq: (row.file_seq ?? undefined) as number | undefined,
    at: row.file_at as number,
    about: JSON.parse(row.file_about as string) as AboutFile,
    stored: row.file_stored as string,
  };
}

/** The columns to write for a file. */
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

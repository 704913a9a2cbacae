import { RequestError, type RequestErrorCode } from '../../../wire/errors.ts';
import type { Change } from '../../changes.ts';
import type { Reads, Writes } from '../../history.ts';

/** A request of the main thread to a thread of the SQLite history: an operation of `Writes` or of `Reads`. */
export type ThreadCall =
  | {
      [Op in keyof Writes]: { id: number; op: Op; input: Writes[Op]['in']; probe?: true; asker?: string };
    }[keyof Writes]
  | ReadCall;

export type ReadCall = {
  [Op in keyof Reads]: { id: number; op: Op; input: Reads[Op]['in']; read: true };
}[keyof Reads];

/** They come in arrays: those of one turn of the main thread's event loop. */
export type Request = ThreadCall | { close: true };

/** The reads of the start. The thread that writes answers it, so that no other one is needed by then. */
export const readsAtStart = {
  publicRooms: true,
  bans: true,
  restrictions: true,
} as const satisfies Partial<Record<keyof Reads, true>>;

/** `internal`: a bug in this program. `current` goes with the `conflict` of an edit. */
interface Failure {
  code: RequestErrorCode;
  detail: string;
  retryAfterMs?: number;
  current?: object;
}

export type ThreadOutcome = { id: number; value: unknown } | ({ id: number } & Failure);

/**
 * The results of a transaction: all of it is committed, or none. `changes` in the order in which they were made.
 * `commitMs`: how long the transaction took, with its sync. `commit`: its number, or that of the last one that the answers
 * of a reading thread have seen; see `nextCommit` in writer.ts.
 */
export interface Batch {
  outcomes: ThreadOutcome[];
  changes?: Change[];
  commitMs?: number;
  commit?: number;
}

/** The number of the last transaction with changes, as a reading thread sees it in the same state as what it answers. */
export const lastCommit = 'SELECT num FROM chat_commits';

export type ThreadReply = { ready: true } | Batch;

/** SQLite's result codes, and one of its extended ones: the index of the WAL needs room on the disk too. */
const codes = { busy: 5, full: 13, noRoomForIndex: 4874 };

const codeOf = (error: unknown) => (error as { errcode?: number }).errcode ?? 0;

/** Whether SQLite or the system has failed for lack of room on the disk. */
export function isFull(error: unknown): boolean {
  const { code = '' } = error as NodeJS.ErrnoException;
  if (code === 'ENOSPC' || code === 'EDQUOT') return true;
  return (codeOf(error) & 0xff) === codes.full || codeOf(error) === codes.noRoomForIndex;
}

/** Whether another program has locked the file for longer than a call waits. */
export function isLocked(error: unknown): boolean {
  return (codeOf(error) & 0xff) === codes.busy;
}

/** Whether the storage has failed. An error without a code of SQLite or of the system is a bug in this program. */
export function isStorage(error: unknown): boolean {
  const { errcode, syscall } = error as { errcode?: number; syscall?: string };
  return errcode !== undefined || syscall !== undefined;
}

/**
 * SQLite's result code distinguishes a full disk from other failures. An error without a code is not a failure of the
 * storage but a bug in this program.
 */
export function storageFailure(error: unknown): Failure {
  const { errcode, syscall, code, message, stack } = error as NodeJS.ErrnoException & { errcode?: number };
  if (!isStorage(error)) return { code: 'internal', detail: stack ?? message };
  return {
    code: isFull(error) ? 'storage_full' : 'storage_unavailable',
    detail: errcode === undefined ? `${syscall}: ${code}` : `SQLite: ${message} (code ${errcode})`,
  };
}

/** A refusal, as the main thread makes an error of it again. */
export function refusal({ code, message, retryAfterMs, current }: RequestError): Failure {
  return {
    code,
    detail: message,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(current === undefined ? {} : { current }),
  };
}

/** The failure of a read: the storage's, unless the input is at fault. */
export function readFailure(error: unknown): Failure {
  return error instanceof RequestError ? refusal(error) : storageFailure(error);
}

import type { Turn } from '../../limits/requester.ts';
import { RequestError, type RequestErrorCode } from '../../wire/errors.ts';
import type { Renewal } from '../engine/background.ts';
import { isFull, isStorage } from '../engine/sqlite/errors.ts';
import type { Reads, Writes } from '../history.ts';
import type { Change } from '../records/changes.ts';

/** A request from the main thread to a thread of the SQLite history: an operation of `Writes` or `Reads`. */
export type ThreadCall =
  | {
      [Op in keyof Writes]: { id: number; op: Op; input: Writes[Op]['in']; probe?: true; asker?: string };
    }[keyof Writes]
  | ReadCall;

export type ReadCall = {
  [Op in keyof Reads]: { id: number; op: Op; input: Reads[Op]['in']; read: true; turn?: Turn };
}[keyof Reads];

/** Sent in arrays: the requests of one event-loop tick. */
export type Request = ThreadCall | { close: true };

/**
 * Reads that the server runs without any user, such as at its start. The writing thread runs them, so that the reading
 * thread need not start.
 */
export const readsByWriter = {
  publicRooms: true,
  bans: true,
  restrictions: true,
  pendingBefore: true,
  guestMembers: true,
  dueScheduled: true,
  failedScheduled: true,
} as const satisfies Partial<Record<keyof Reads, true>>;

/** `internal`: a bug in this program. `current` belongs to the `conflict` of an edit. */
interface Failure {
  code: RequestErrorCode;
  detail: string;
  retryAfterMs?: number;
  current?: object;
}

export type ThreadOutcome = { id: number; value: unknown } | ({ id: number } & Failure);

/**
 * The results of a transaction, or of several after a failure. `changes` are in the order in which they were made.
 * `commitMs` is the duration of the transaction with its sync. `commit` is the number of the last transaction, or for a
 * reading thread of the last one that its results include: see `nextCommit` in writer.ts.
 */
export interface Batch {
  outcomes: ThreadOutcome[];
  changes?: Change[];
  commitMs?: number;
  commit?: number;
  renewal?: Renewal;
}

/** Selects the last transaction with changes that this thread's current snapshot includes. */
export const lastCommit = 'SELECT num FROM chat_commits';

/** `migration`: the name of the migration that starts, before the thread is ready. */
export type ThreadReply = { migration: string } | { ready: true } | Batch;

/**
 * Converts an error to a failure. The result code of SQLite tells a full disk from other failures; an error without a
 * code is a bug in this program.
 */
export function storageFailure(error: unknown): Failure {
  const { errcode, syscall, code, message, stack } = error as NodeJS.ErrnoException & { errcode?: number };
  if (!isStorage(error)) return { code: 'internal', detail: stack ?? message };
  return {
    code: isFull(error) ? 'storage_full' : 'storage_unavailable',
    detail: errcode === undefined ? `${syscall}: ${code}` : `SQLite: ${message} (code ${errcode})`,
  };
}

/** Converts a RequestError, which the main thread recreates. */
export function refusal({ code, message, retryAfterMs, current }: RequestError): Failure {
  return {
    code,
    detail: message,
    retryAfterMs,
    current,
  };
}

/** Converts the error of a read: an invalid input, or a storage failure. */
export function readFailure(error: unknown): Failure {
  return error instanceof RequestError ? refusal(error) : storageFailure(error);
}

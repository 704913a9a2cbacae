import type { Message } from '../../events.ts';
import type { NewMessage } from '../history.ts';

/** What the main thread asks the two threads of the SQLite history, and what they answer. */
export type WriteCall =
  | { op: 'append'; message: NewMessage }
  | { op: 'repeatOf'; message: NewMessage }
  | { op: 'createRooms'; ids: readonly string[] }
  | { op: 'addMember'; room: string; userId: string };

export type ReadCall =
  | { op: 'rooms' }
  | { op: 'memberships'; userId: string }
  | { op: 'readSeq'; room: string; userId: string }
  | { op: 'newest'; room: string; upTo: number; limit: number }
  | { op: 'changes'; room: string; since: number; upTo: number; limit: number };

export type Request = { id: number; call: WriteCall | ReadCall } | { close: true };

export type Outcome =
  | { id: number; value: unknown; stored?: Message }
  | {
      id: number;
      code:
        | 'conflict'
        | 'unknown_room'
        | 'unknown_message'
        | 'storage_full'
        | 'storage_unavailable'
        | 'internal';
      detail: string;
    };

/** One batch: all of it committed, or none. `commitMs`: how long the transaction took, with its sync. */
export type Reply = { ready: true } | { outcomes: Outcome[]; commitMs?: number };

/** SQLite's result codes, and one of its extended ones: the index of the WAL needs room on the disk too. */
const codes = { busy: 5, full: 13, noRoomForIndex: 4874 };

const codeOf = (error: unknown) => (error as { errcode?: number }).errcode ?? 0;

/** Whether SQLite has failed for lack of room on the disk. */
export function isFull(error: unknown): boolean {
  return (codeOf(error) & 0xff) === codes.full || codeOf(error) === codes.noRoomForIndex;
}

/** Whether another program has locked the file for longer than a call waits. */
export function isLocked(error: unknown): boolean {
  return (codeOf(error) & 0xff) === codes.busy;
}

/**
 * SQLite's result code tells a full disk from everything else that can be wrong with it. What comes without a code is
 * no failure of the storage but a mistake in this program.
 */
export function storageFailure(error: unknown): { code: FailureCode; detail: string } {
  const { errcode, message, stack } = error as Error & { errcode?: number };
  if (errcode === undefined) return { code: 'internal', detail: stack ?? message };
  return {
    code: isFull(error) ? 'storage_full' : 'storage_unavailable',
    detail: `SQLite: ${message} (code ${errcode})`,
  };
}

type FailureCode = 'storage_full' | 'storage_unavailable' | 'internal';

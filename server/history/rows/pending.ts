import type { WaitingContent } from '../../wire/content.ts';
import type { HoldReason } from '../../wire/events.ts';
import { table } from '../engine/table.ts';
import type { Work } from '../engine/work.ts';
import type { Change } from '../records/changes.ts';
import { isReserved, reservedAt } from '../records/file.ts';
import type { StoredMessage } from '../records/message.ts';
import { getFile, setFile } from './files.ts';

/**
 * The maximum number of pending and rejected messages of a user in all rooms that the user can read, as counted by
 * `checkPendingLimit` in server/chat. The history does not know these rooms. It applies the limit to each room again,
 * because several servers may count at the same time.
 */
export const maxPendingOfUser = 20;

export const pendingLimitReason = `the limit of ${maxPendingOfUser} pending or rejected messages of a user is reached: discard some`;

/**
 * The maximum number of pending and rejected messages of a user in all rooms, including rooms that the user lost. They
 * are all read at once.
 */
export const maxPendingWithLostRooms = 200;

/** A new message or an edit that is pending approval or rejected. A new message has no `seq` in the room yet. */
export interface PendingMessage {
  /** An approved message keeps this ID. */
  id: string;
  room: string;
  /** The author. */
  user: string;
  /** The client's ID, which an approved message keeps. An edit has an ID that no client can send. */
  clientId: string;
  /** The edited message; absent for a new message. */
  seq?: number;
  why: HoldReason;
  /** When it was sent, in milliseconds since 1970. */
  at: number;
  /**
   * In an edit, `files` is absent if they do not change, and `preview` is absent if it remains. A preview without a
   * title is not fetched yet, or could not be fetched. An approved message omits such a preview.
   */
  content: WaitingContent;
  /** The time and reason of the rejection. Absent while pending. */
  closed?: { at: number; reason?: string };
  /** Distinguishes a repeated send from another message with the same `clientId`. Empty for an edit. */
  digest: string;
}

/** Pending and rejected messages. */
export const pendingMessages = table<PendingMessage>(
  'chat_held',
  ['id'],
  {
    id: 'id',
    room: 'room',
    user: 'user_id',
    clientId: 'client_id',
    seq: 'seq',
    why: 'reason',
    at: 'at',
    content: 'content',
    closed: 'closed',
    digest: 'digest',
  },
  {
    users: ['user'],
    without: ({ room, id, user }) => ({
      row: null,
      change: { type: 'held', room, id, user, is: 'discarded' },
    }),
    hasMentions: true,
  },
);

/** The reserved files of a message that is not in its room yet. */
interface Waiting {
  room: string;
  content: Pick<WaitingContent, 'files' | 'preview'>;
}

/** Reserves the files of a waiting message, so that they are not dropped as orphans or attached to other messages. */
export function keepFiles(work: Work, { room, content: { files = [] } }: Waiting): void {
  for (const { id } of files) {
    const file = getFile(work, room, id);
    if (file?.state === 'loose') setFile(work, { ...file, at: reservedAt });
  }
}

/** Makes the reserved files orphaned, and drops the reserved image of the preview. */
export function unreserveFiles(
  work: Work,
  { room, content: { files = [], preview } }: Waiting,
  at: number,
): void {
  for (const { id } of files) {
    const file = getFile(work, room, id);
    if (file !== undefined && isReserved(file)) setFile(work, { ...file, at });
  }
  const picture = preview?.image && getFile(work, room, preview.image.id);
  if (picture !== undefined && isReserved(picture)) setFile(work, { ...picture, state: 'dropped', at });
}

/**
 * Removes a pending or rejected message. Unless it was approved, its files become orphaned, and its preview image is
 * dropped.
 */
export function dropPending(
  work: Work,
  pending: PendingMessage,
  { at, is, by }: Pick<Change & { type: 'held' }, 'is' | 'by'> & { at: number },
  changes: Change[],
): void {
  work.remove(pendingMessages, pending);
  unreserveFiles(work, pending, at);
  recordPendingChange(pending, { is, by }, changes);
}

export function recordPendingChange(
  { room, id, user }: PendingMessage,
  change: Pick<Change & { type: 'held' }, 'is' | 'by'>,
  changes: Change[],
): void {
  changes.push({ type: 'held', room, id, user, ...change });
}

/** Discards the pending or rejected edit of a message, because the message is edited again or deleted. */
export function discardEdit(work: Work, { room, seq }: StoredMessage, at: number, changes: Change[]): void {
  for (const pending of work.find(pendingMessages, { room, seq }))
    dropPending(work, pending, { at, is: 'discarded' }, changes);
}

/** Returns the file IDs of the pending or rejected edit of a message. */
export function filesOfEdit(work: Work, { room, seq }: StoredMessage): string[] {
  return work
    .find(pendingMessages, { room, seq })
    .flatMap(({ content: { files = [] } }) => files.map(({ id }) => id));
}

import type { HoldReason, MessageFile, Preview } from '../../wire/events.ts';
import type { Change } from '../changes.ts';
import { table } from '../engine/table.ts';
import type { Work } from '../engine/work.ts';
import { isHeld, waitsSince } from '../files/file.ts';
import { getFile, setFile } from '../files/loaded.ts';
import type { NewMessage, StoredMessage } from '../messages/message.ts';

/** Messages of one user in one room that may wait for a moderator, with the rejected ones that the author still sees. */
export const mostHeld = 20;

/** Messages of one user in all rooms, those that the user has lost among them: all are read at once. */
export const mostHeldWithLost = 200;

/** A message, or an edit of one, that waits for a moderator, or that one has rejected. It has no place in the room. */
export interface StoredHeld {
  /** The message keeps it. */
  id: string;
  room: string;
  /** The author. */
  user: string;
  /** The message keeps it; an edit has one of its own. */
  clientId: string;
  /** The message that this is an edit of. */
  seq?: number;
  why: HoldReason;
  /** When it was sent, in milliseconds since 1970. */
  at: number;
  /**
   * `files` of an edit: absent for no change. `preview`: of an edit, only that of another page. Without a title it is being
   * fetched, or could not be: the message is then published without it.
   */
  message: Pick<NewMessage, 'text' | 'replyTo' | 'mentions'> & {
    files?: readonly MessageFile[];
    preview?: Preview;
  };
  /** Rejected: when and why. */
  closed?: { at: number; reason?: string };
  /** By it a repeat is recognised. */
  digest: string;
}

/** The messages that wait for a moderator, and rejected ones. */
export const held = table<StoredHeld>(
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
    message: 'message',
    closed: 'closed',
    digest: 'digest',
  },
  {
    users: ['user'],
    without: ({ room, id, user }) => ({
      row: null,
      change: { type: 'held', room, id, user, is: 'discarded' },
    }),
  },
);

/** A file that waits with its message is no orphan: nothing drops it, and no other message carries it. */
export function keepFiles(work: Work, { room, message: { files = [] } }: StoredHeld): void {
  for (const { id } of files) {
    const file = getFile(work, room, id);
    if (file?.state === 'loose') setFile(work, { ...file, at: waitsSince });
  }
}

function freeFiles(work: Work, { room, message: { files = [], preview } }: StoredHeld, at: number): void {
  for (const { id } of files) {
    const file = getFile(work, room, id);
    if (file !== undefined && isHeld(file)) setFile(work, { ...file, at });
  }
  const picture = preview?.image && getFile(work, room, preview.image.id);
  if (picture !== undefined && isHeld(picture)) setFile(work, { ...picture, state: 'dropped', at });
}

/** A message waits no more, and is not kept. */
export function dropHeld(
  work: Work,
  one: StoredHeld,
  { at, is, by }: Pick<Change & { type: 'held' }, 'is' | 'by'> & { at: number },
  changes: Change[],
): void {
  work.remove(held, one);
  freeFiles(work, one, at);
  tellHeld(one, { is, ...(by === undefined ? {} : { by }) }, changes);
}

export function tellHeld(
  { room, id, user }: StoredHeld,
  change: Pick<Change & { type: 'held' }, 'is' | 'by'>,
  changes: Change[],
): void {
  changes.push({ type: 'held', room, id, user, ...change });
}

/** An edit of that message that waits is replaced, or has nothing left to edit. */
export function discardEdit(work: Work, { room, seq }: StoredMessage, at: number, changes: Change[]): void {
  for (const one of work.find(held, { room, seq })) dropHeld(work, one, { at, is: 'discarded' }, changes);
}

/** The files of the edit of that message that waits. */
export function filesOfEdit(work: Work, { room, seq }: StoredMessage): string[] {
  return work.find(held, { room, seq }).flatMap(({ message: { files = [] } }) => files.map(({ id }) => id));
}

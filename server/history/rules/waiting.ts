import type { Work } from '../engine/work.ts';
import { getFile, setFile } from '../files/loaded.ts';
import { type Change, isHeld, type StoredHeld, type StoredMessage, waitsSince } from '../history.ts';
import { held } from '../tables.ts';
// The files of messages that wait for a moderator, and the end of such a message.

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

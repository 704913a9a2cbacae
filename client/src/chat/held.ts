import type { EventPayload, Held } from '../../../server/wire/events.ts';
import type { Pending } from '../store/entries.ts';
import type { Outbox } from './outbox.ts';

/** A message that waits for a moderator, or was rejected, as the outbox keeps it. */
export function heldItem(
  { id, room, clientId, text, replyTo, mentions, files, at, rejected }: Held,
  before?: Pending,
): Pending | undefined {
  // An edit: the message itself is shown.
  if (clientId === undefined) return undefined;
  const item: Pending = before ?? {
    clientId,
    room,
    text,
    sentAt: at,
    ...(replyTo === undefined ? {} : { replyTo }),
    ...(mentions === undefined ? {} : { mentions }),
    ...(files === undefined ? {} : { files: files.map((file) => ({ ...file, key: file.id })) }),
  };
  const { failed: _, reason: _reason, ...kept } = item;
  if (rejected === undefined) return { ...kept, held: id, failed: 'held' };
  const { reason } = rejected;
  return { ...kept, held: id, failed: 'rejected', ...(reason === undefined ? {} : { reason }) };
}

/** Has the outbox show what has become of a message, perhaps of another device. */
export function followHeld(outbox: Outbox, { id, held, is }: EventPayload<'held:changed'>): void {
  const known = outbox.list().find((item) => item.held === id);
  if (is === 'discarded' || is === 'approved') {
    if (known !== undefined) outbox.discard(known.clientId);
  } else if (held !== undefined) {
    const item = heldItem(held, known);
    if (item !== undefined) outbox.keep(item);
  }
}

/**
 * The same for what has changed while there was no connection.
 *
 * @param before - those that were kept when the server was asked
 */
export function compareHeld(outbox: Outbox, held: readonly Held[], before: readonly Pending[]): void {
  const ids = new Set(held.map(({ id }) => id));
  for (const item of before) if (!ids.has(item.held ?? '')) outbox.discard(item.clientId);
  for (const one of held) followHeld(outbox, { id: one.id, room: one.room, is: 'held', held: one });
}

import type { EventPayload, Held } from '../../../server/wire/events.ts';
import { contentOf, type Unsent } from '../store/entries.ts';
import type { Outbox } from './outbox.ts';

/** Returns the outbox item of a message that is pending approval or was rejected. */
export function heldItem(message: Held, before?: Unsent): Unsent | undefined {
  const { id, room, clientId, files, at, rejected } = message;
  // An edit has no item, because the message itself is shown.
  if (clientId === undefined) return undefined;
  const item: Unsent = before ?? {
    ...contentOf({ ...message, files: files?.map((file) => ({ ...file, key: file.id })) }),
    clientId,
    room,
    sentAt: at,
  };
  const { failed: _, reason: _reason, ...kept } = item;
  if (rejected === undefined) return { ...kept, held: id, failed: 'held' };
  const { reason } = rejected;
  return { ...kept, held: id, failed: 'rejected', reason };
}

/** Updates the outbox after a change of a pending message, perhaps from another device. */
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
 * Updates the outbox after changes that were missed while offline.
 *
 * @param before - the pending items in the outbox when `held` was requested
 */
export function compareHeld(outbox: Outbox, held: readonly Held[], before: readonly Unsent[]): void {
  const ids = new Set(held.map(({ id }) => id));
  for (const item of before) if (!ids.has(item.held ?? '')) outbox.discard(item.clientId);
  for (const one of held) followHeld(outbox, { id: one.id, room: one.room, is: 'held', held: one });
}

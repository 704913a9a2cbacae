import { createHash } from 'node:crypto';

/** What stands before the mark in memcached, as the name of an item. */
export const markPrefix = 'chat.ended.';
/** The channel on which PostgreSQL tells the mark. */
export const markChannel = 'chat_ended';

/**
 * What the handlers of php/ tell when a session ends, so that nobody who listens learns an id: the
 * first 32 hexadecimal digits of the id's SHA-256.
 */
export function markOf(id: string): string {
  return createHash('sha256').update(id).digest('hex').slice(0, 32);
}

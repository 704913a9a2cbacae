import { hash } from 'node:crypto';

/** In memcached a marker is an item whose key begins so. */
export const markerPrefix = 'chat.ended.';
/** PostgreSQL sends a marker as a notification on this channel. */
export const markerChannel = 'chat_ended';

/**
 * The session handlers in php/ publish this marker when a session ends: the first 32 hexadecimal
 * digits of the SHA-256 of its id. A listener therefore learns no session id.
 */
export function logoutMarker(id: string): string {
  return hash('sha256', id).slice(0, 32);
}

import { hash } from 'node:crypto';

/** The prefix of a marker's key in memcached. */
export const markerPrefix = 'chat.ended.';
/** The channel of markers in PostgreSQL. */
export const markerChannel = 'chat_ended';

/** Returns the marker that the session handlers in php/ publish when a session ends. It does not reveal the ID. */
export function logoutMarker(id: string): string {
  return hash('sha256', id).slice(0, 32);
}

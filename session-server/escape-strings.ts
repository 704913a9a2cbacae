import { SerializedWalk } from './serialized-walk.ts';

/**
 * Rewrites each string of session data that holds one of these bytes as `S:3:"x\0ay";`, which unserialize() takes for
 * the same string, and which a line can carry to PHP's own client.
 * @returns null when it is no session data
 */
export function escapeStrings(text: string, content: 'value' | 'session', bytes: RegExp): string | null {
  const walk = new SerializedWalk(content);
  for (let at = 0; at < text.length; at++) walk.feed(text.charCodeAt(at));
  if (!walk.complete) return null;
  const parts: string[] = [];
  let written = 0;
  for (const { from, text: start, to } of walk.strings) {
    const value = text.slice(start, to);
    if (value.search(bytes) === -1) continue;
    parts.push(text.slice(written, from), 'S', text.slice(from + 1, start), escaped(value, bytes));
    written = to;
  }
  return parts.join('') + text.slice(written);
}

function escaped(value: string, bytes: RegExp): string {
  return value.replace(
    new RegExp(`${bytes.source}|\\\\`, 'g'),
    (byte) => `\\${byte.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}

/** Jenkins's one-at-a-time, the default hash of libmemcached (`hashkit_one_at_a_time`), of an ASCII text. */
export function oneAtATime(text: string): number {
  let hash = 0;
  for (let n = 0; n < text.length; n++) {
    hash = (hash + text.charCodeAt(n)) | 0;
    hash = (hash + (hash << 10)) | 0;
    hash ^= hash >>> 6;
  }
  hash = (hash + (hash << 3)) | 0;
  hash ^= hash >>> 11;
  return (hash + (hash << 15)) >>> 0;
}

/** FNV-1a with 32 bits, of an ASCII text. */
export function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let n = 0; n < text.length; n++) hash = Math.imul(hash ^ text.charCodeAt(n), 0x01000193);
  return hash >>> 0;
}

import { readFileSync } from 'node:fs';
import { decodeBase64 } from '../encodings.ts';
import { FormatError } from '../formats/value.ts';

/**
 * Reads the keys in a file, one per line in base64, the newest first. Laravel's prefix `base64:` is optional. Blank lines
 * and lines that begin with `#` are skipped.
 * @param keyBytes the permitted sizes of a key
 * @throws TypeError without keys
 */
export function readKeyFile(path: string, keyBytes: readonly number[]): Buffer[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    // The caller may pass a key instead of a path by mistake, and a key must not be logged.
    const shownPath = /^\.{0,2}\//.test(path) && decodeKey(path, keyBytes) === null ? path : 'given';
    throw new TypeError(
      `the key file ${shownPath} cannot be read (${(error as NodeJS.ErrnoException).code})`,
    );
  }
  const keys: Buffer[] = [];
  for (const [n, line] of text.split('\n').entries()) {
    if (/^\s*(#|$)/.test(line)) continue;
    const key = decodeKey(line, keyBytes);
    if (key === null) {
      throw new TypeError(
        `line ${n + 1} of the key file ${path} is not a key of ${keyBytes.join(' or ')} bytes in base64`,
      );
    }
    keys.push(key);
  }
  if (keys.length === 0) throw new TypeError(`the key file ${path} does not contain a key`);
  return keys;
}

function decodeKey(text: string, keyBytes: readonly number[]): Buffer | null {
  try {
    const key = decodeBase64(text.trim().replace(/^base64:/, ''));
    return keyBytes.includes(key.length) ? key : null;
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    return null;
  }
}

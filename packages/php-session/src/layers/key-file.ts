import { readFileSync } from 'node:fs';
import { decodeBase64 } from '../encodings.ts';
import { FormatError } from '../formats/value.ts';

/**
 * Reads the keys in a file: one a line in base64, the newest first. A key may have the prefix `base64:`, as Laravel
 * writes it. Blank lines and lines that begin with `#` are skipped.
 * @param lengths the permitted lengths of a key, in bytes
 * @throws TypeError that names the file, and never repeats its content
 */
export function readKeyFile(path: string, lengths: readonly number[]): Buffer[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    // A key that was given by mistake instead of the path of its file must not get into the log.
    const named = /^\.{0,2}\//.test(path) && decodeKey(path, lengths) === null ? path : 'given';
    throw new TypeError(`the key file ${named} cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
  const keys: Buffer[] = [];
  for (const [n, line] of text.split('\n').entries()) {
    if (/^\s*(#|$)/.test(line)) continue;
    const key = decodeKey(line, lengths);
    if (key === null) {
      throw new TypeError(
        `the key file ${path} has on line ${n + 1} no key of ${lengths.join(' or ')} bytes in base64`,
      );
    }
    keys.push(key);
  }
  if (keys.length === 0) throw new TypeError(`the key file ${path} holds no key`);
  return keys;
}

function decodeKey(text: string, lengths: readonly number[]): Buffer | null {
  try {
    const key = decodeBase64(text.trim().replace(/^base64:/, ''));
    return lengths.includes(key.length) ? key : null;
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    return null;
  }
}

import { SerializedScanner } from './serialized-scanner.ts';

/** `put` with an empty key, and `put_all`, carry data in PHP's serialized format. */
const serializedPut = /^[ \t\r\0\v]*(?:put {2}|put_all )[ \t]*/i;
/** PHP's trim() and the server remove these bytes at the end of a line. */
const blanks = new Set(Buffer.from(' \t\r\0\v'));

/**
 * Detects line feeds in a value by the lengths of its serialized strings. PEAR's client for PHP sends values with their
 * line feeds. Without the guard, text after a line feed in a form field would be run as a command.
 */
export class LineFeedGuard {
  #scanner: SerializedScanner | null | undefined;
  #scannedBytes = 0;
  #content: 'session' | 'value' | null = null;

  /** The kind of the value: output of PHP's session handler, of serialize(), or neither. */
  get content(): 'session' | 'value' | null {
    return this.#content;
  }

  /** Whether the value is complete and in PHP's format. */
  get isComplete(): boolean {
    return this.#scanner?.isComplete === true;
  }

  /**
   * Whether a line continues after the line feed that follows `line`.
   * @param line all bytes of the line before that line feed
   */
  isInside(line: Buffer): boolean {
    if (this.#scanner === undefined) {
      const command = serializedPut.exec(line.toString('latin1', 0, 64))?.[0];
      this.#content = command === undefined ? null : /_all/i.test(command) ? 'value' : 'session';
      this.#scanner = this.#content === null ? null : new SerializedScanner(this.#content);
      this.#scannedBytes = command?.length ?? 0;
    }
    if (this.#scanner === null) return false;
    for (; this.#scannedBytes < line.length; this.#scannedBytes++) {
      const byte = line[this.#scannedBytes] as number;
      // Skips UTF-8 continuation bytes, because each byte of the value is sent as a UTF-8 character.
      if ((byte & 0xc0) !== 0x80) this.#scanner.feed(byte);
    }
    return this.#scanner.isInside;
  }
}

/**
 * Detects a value that ends at a line feed in a string. With `helpPhp`, also detects values that are not in PHP's format.
 * The text after such a line may come from a visitor's form and must not be run, so the connection must be closed.
 * @returns the last reply on this connection, or null if the line is valid
 */
export function truncatedReply(line: Buffer, helpPhp: boolean): string | null {
  let end = line.length;
  while (end > 0 && blanks.has(line[end - 1] as number)) end--;
  const guard = new LineFeedGuard();
  const isInside = guard.isInside(line.subarray(0, end));
  if (guard.content === null || !(isInside || (helpPhp && !guard.isComplete))) return null;
  return guard.content === 'session' ? 'err Could not store value' : 'err Could not store session data.';
}

/**
 * Rewrites each string with one of these bytes as `S:3:"x\0ay";`. unserialize() reads the same string, and PEAR's client
 * receives it in one line.
 * @returns null if the text does not have this content
 */
export function escapeStrings(text: string, content: 'value' | 'session', bytes: RegExp): string | null {
  const scanner = new SerializedScanner(content);
  for (let at = 0; at < text.length; at++) scanner.feed(text.charCodeAt(at));
  if (!scanner.isComplete) return null;
  const parts: string[] = [];
  let written = 0;
  for (const { from, text: start, to } of scanner.strings) {
    const value = text.slice(start, to);
    if (value.search(bytes) === -1) continue;
    parts.push(text.slice(written, from), 'S', text.slice(from + 1, start), escapeBytes(value, bytes));
    written = to;
  }
  return parts.join('') + text.slice(written);
}

function escapeBytes(value: string, bytes: RegExp): string {
  return value.replace(
    new RegExp(`${bytes.source}|\\\\`, 'g'),
    (byte) => `\\${byte.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}

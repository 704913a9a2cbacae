import { SerializedScanner } from './serialized-scanner.ts';

/** `put` to the empty key, and `put_all`: these carry what PHP has serialized. */
const serializedPut = /^[ \t\r\0\v]*(?:put {2}|put_all )[ \t]*/i;
/** The bytes that PHP's trim() removes from the end of a line. The server removes them too. */
const blanks = new Set(Buffer.from(' \t\r\0\v'));

/**
 * Finds line feeds that belong to a value. PEAR's client for PHP sends values as they are, with their line feeds, so
 * the text after a line feed in a form field would be taken for a command. Serialized values tell the length of their
 * strings: a line feed inside a string is part of the value.
 */
export class LineFeedGuard {
  #scanner: SerializedScanner | null | undefined;
  #scanned = 0;
  #puts: 'session' | 'value' | null = null;

  /**
   * The kind of value in the line: `session`, as PHP's session handler writes it; `value`, as serialize() does; null:
   * neither.
   */
  get puts(): 'session' | 'value' | null {
    return this.#puts;
  }

  /** Whether the value is whole: PHP would write it so, and nothing is left open. */
  get isComplete(): boolean {
    return this.#scanner?.complete === true;
  }

  /**
   * Whether the line continues after the next line feed.
   * @param line the line as far as it has arrived, up to a line feed; longer with each call
   */
  isInside(line: Buffer): boolean {
    if (this.#scanner === undefined) {
      const command = serializedPut.exec(line.toString('latin1', 0, 64))?.[0];
      this.#puts = command === undefined ? null : /_all/i.test(command) ? 'value' : 'session';
      this.#scanner = this.#puts === null ? null : new SerializedScanner(this.#puts);
      this.#scanned = command?.length ?? 0;
    }
    if (this.#scanner === null) return false;
    for (; this.#scanned < line.length; this.#scanned++) {
      const byte = line[this.#scanned] as number;
      // Serialized lengths count bytes, and each byte travels as one character of UTF-8: skip continuation bytes.
      if ((byte & 0xc0) !== 0x80) this.#scanner.feed(byte);
    }
    return this.#scanner.inside;
  }
}

/**
 * Whether a line is a value of PHP that a line feed in one of its strings has cut off, or, if PHP is helped, anything
 * that PHP does not write. The text after such a line may come from a visitor's form. It must not be taken for
 * commands, so the connection must be closed.
 * @param php whether PHP is helped on this connection
 * @returns the last reply on this connection; null if the line is in order
 */
export function cutOffReply(line: Buffer, php: boolean): string | null {
  let end = line.length;
  while (end > 0 && blanks.has(line[end - 1] as number)) end--;
  const guard = new LineFeedGuard();
  const inside = guard.isInside(line.subarray(0, end));
  if (guard.puts === null || !(inside || (php && !guard.isComplete))) return null;
  return guard.puts === 'session' ? 'err Could not store value' : 'err Could not store session data.';
}

/**
 * Rewrites each string that holds one of these bytes as `S:3:"x\0ay";`. unserialize() reads it as the same string, and
 * a line can carry it to PEAR's client, which does not decode replies.
 * @param content `session`, as PHP's session handler writes it; `value`, as serialize() does
 * @returns null if the text is neither
 */
export function escapeStrings(text: string, content: 'value' | 'session', bytes: RegExp): string | null {
  const scanner = new SerializedScanner(content);
  for (let at = 0; at < text.length; at++) scanner.feed(text.charCodeAt(at));
  if (!scanner.complete) return null;
  const parts: string[] = [];
  let written = 0;
  for (const { from, text: start, to } of scanner.strings) {
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

import { LineFeedGuard } from './php-help.ts';

const lineFeed = 0x0a;
const nothing = Buffer.alloc(0);
const firstBytes = 1024;

export class LineTooLong extends Error {}

/**
 * Splits the bytes of one connection into lines, whatever the pieces in which they arrive. It keeps lines that were not
 * requested yet, but of an unfinished line only the allowed size.
 */
export class LineReader {
  #bytes = nothing;
  /** The bytes that are kept are between these. */
  #from = 0;
  #to = 0;
  /** Up to here there is no end of the first line. */
  #searched = 0;
  /** The guard of the first line, if that may hold line feeds. */
  #guard: LineFeedGuard | null = null;

  /** Bytes of memory that the reader uses. */
  get capacity(): number {
    return this.#bytes.length;
  }

  /** Bytes that have arrived and were not returned as a line. */
  get pending(): number {
    return this.#to - this.#from;
  }

  push(chunk: Buffer): void {
    if (this.#bytes.length - this.#to < chunk.length) this.#makeRoom(chunk.length);
    chunk.copy(this.#bytes, this.#to);
    this.#to += chunk.length;
  }

  /**
   * The next line without its line feed; null if it has not ended yet. Its bytes are valid until the next `push`.
   * @param limit bytes that a line may have
   * @param guarded whether a line feed inside a serialized string is part of the line
   * @throws LineTooLong; the reader cannot be used after that
   */
  next(limit: number, guarded: boolean): Buffer | null {
    for (;;) {
      const found = this.#bytes.subarray(0, this.#to).indexOf(lineFeed, Math.max(this.#searched, this.#from));
      const end = found === -1 ? this.#to : found;
      if (end - this.#from > limit) throw new LineTooLong();
      this.#searched = found === -1 ? this.#to : found + 1;
      if (found === -1) return null;
      if (guarded) {
        this.#guard ??= new LineFeedGuard();
        const line = this.#bytes.subarray(this.#from, found);
        if (this.#guard.isInside(line)) continue;
      }
      this.#guard = null;
      const line = this.#bytes.subarray(this.#from, found);
      this.#from = found + 1;
      return line;
    }
  }

  /** Frees the memory if nothing is pending. Call this when the last line is no longer used. */
  shrink(): void {
    if (this.pending > 0) return;
    this.#bytes = nothing;
    this.#from = this.#to = this.#searched = 0;
  }

  #makeRoom(more: number): void {
    const needed = this.pending + more;
    const bytes =
      needed <= this.#bytes.length / 2
        ? this.#bytes
        : // Doubled, so that a line that arrives byte by byte is not copied for each byte.
          Buffer.allocUnsafeSlow(
            Math.max(firstBytes, needed, Math.min(this.#bytes.length * 2, needed + 262_144)),
          );
    this.#bytes.copy(bytes, 0, this.#from, this.#to);
    this.#searched = Math.max(0, this.#searched - this.#from);
    this.#to -= this.#from;
    this.#from = 0;
    this.#bytes = bytes;
  }
}

import { LineFeedGuard } from './line-feed-guard.ts';

const lineFeed = 0x0a;
const nothing = Buffer.alloc(0);
const firstBytes = 1024;

export class LineTooLong extends Error {}

/**
 * Cuts what arrives, in whatever pieces, into lines. Keeps what has not been asked for yet, and of a line that does
 * not end no more than is allowed.
 */
export class LineReader {
  #bytes = nothing;
  /** What is kept lies between these. */
  #from = 0;
  #to = 0;
  /** Up to here no end of the first line was found. */
  #searched = 0;
  /** Of the first line, when it may hold line feeds. */
  #guard: LineFeedGuard | null = null;

  /** Bytes of memory that it takes. */
  get capacity(): number {
    return this.#bytes.length;
  }

  /** Bytes that have arrived and are not part of a line that was given out. */
  get pending(): number {
    return this.#to - this.#from;
  }

  push(chunk: Buffer): void {
    if (this.#bytes.length - this.#to < chunk.length) this.#makeRoom(chunk.length);
    chunk.copy(this.#bytes, this.#to);
    this.#to += chunk.length;
  }

  /**
   * The next line, without its line feed, or null when it has not ended yet. It is gone with the next call.
   * @param most bytes that it may have
   * @param guarded whether a line feed inside a serialized string is part of it
   * @throws LineTooLong, and after that nothing more can be read
   */
  next(most: number, guarded: boolean): Buffer | null {
    for (;;) {
      const found = this.#bytes.subarray(0, this.#to).indexOf(lineFeed, Math.max(this.#searched, this.#from));
      const end = found === -1 ? this.#to : found;
      if (end - this.#from > most) throw new LineTooLong();
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

  /** Gives back the memory when there is nothing in it. To be called when the last line is done with. */
  rest(): void {
    if (this.pending > 0) return;
    this.#bytes = nothing;
    this.#from = this.#to = this.#searched = 0;
  }

  #makeRoom(more: number): void {
    const needed = this.pending + more;
    const bytes =
      needed <= this.#bytes.length / 2
        ? this.#bytes
        : // Doubled, so that a line that comes byte by byte is not copied for each of them.
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

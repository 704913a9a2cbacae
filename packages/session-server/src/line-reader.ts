import { LineFeedGuard } from './php-help.ts';

const lineFeed = 0x0a;
const nothing = Buffer.alloc(0);
const firstBytes = 1024;

export class LineTooLong extends Error {}

/**
 * Splits the bytes of a connection into lines. Buffers all complete lines, and an incomplete line up to the limit.
 */
export class LineReader {
  #bytes = nothing;
  /** The buffered bytes are between these positions. */
  #from = 0;
  #to = 0;
  /** The first line ends at or after this position. */
  #searchedTo = 0;
  /** The guard of the first line, if line feeds may belong to it. */
  #guard: LineFeedGuard | null = null;

  /** The size of the buffer. */
  get capacityBytes(): number {
    return this.#bytes.length;
  }

  /** The number of received bytes that were not returned as a line. */
  get pendingBytes(): number {
    return this.#to - this.#from;
  }

  push(chunk: Buffer): void {
    if (this.#bytes.length - this.#to < chunk.length) this.#makeRoom(chunk.length);
    chunk.copy(this.#bytes, this.#to);
    this.#to += chunk.length;
  }

  /**
   * Returns the next line without its line feed, or null if it is incomplete. The bytes are valid until the next `push`.
   * @param guardsLineFeeds whether a line feed in a serialized string belongs to the line
   * @throws LineTooLong, after which the reader cannot be used
   */
  next(maxBytes: number, guardsLineFeeds: boolean): Buffer | null {
    for (;;) {
      const index = this.#bytes
        .subarray(0, this.#to)
        .indexOf(lineFeed, Math.max(this.#searchedTo, this.#from));
      const end = index === -1 ? this.#to : index;
      if (end - this.#from > maxBytes) throw new LineTooLong();
      this.#searchedTo = index === -1 ? this.#to : index + 1;
      if (index === -1) return null;
      const line = this.#bytes.subarray(this.#from, index);
      if (guardsLineFeeds) {
        this.#guard ??= new LineFeedGuard();
        if (this.#guard.isInside(line)) continue;
      }
      this.#guard = null;
      this.#from = index + 1;
      return line;
    }
  }

  /** Frees the buffer if nothing is pending. The last line must not be used afterwards. */
  shrink(): void {
    if (this.pendingBytes > 0) return;
    this.#bytes = nothing;
    this.#from = this.#to = this.#searchedTo = 0;
  }

  #makeRoom(more: number): void {
    const needed = this.pendingBytes + more;
    const bytes =
      needed <= this.#bytes.length / 2
        ? this.#bytes
        : // Doubles the buffer, so that a line that arrives byte by byte is not copied for each byte.
          Buffer.allocUnsafeSlow(
            Math.max(firstBytes, needed, Math.min(this.#bytes.length * 2, needed + 262_144)),
          );
    this.#bytes.copy(bytes, 0, this.#from, this.#to);
    this.#searchedTo = Math.max(0, this.#searchedTo - this.#from);
    this.#to -= this.#from;
    this.#from = 0;
    this.#bytes = bytes;
  }
}

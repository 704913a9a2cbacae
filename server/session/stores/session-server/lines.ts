const lineFeed = 0x0a;

/** Cuts what arrives into lines, and holds no more of it than one line may have. */
export class Lines {
  readonly #most: number;
  #chunks: Buffer[] = [];
  #bytes = 0;
  /** A line has become too long: the rest of it is thrown away as it comes. */
  #skipping = false;

  /** @param most bytes of one line */
  constructor(most: number) {
    this.#most = most;
  }

  /** @returns the lines that are whole now, without their ends; null for one that was too long */
  *push(chunk: Buffer): Generator<Buffer | null> {
    let from = 0;
    for (;;) {
      const end = chunk.indexOf(lineFeed, from);
      if (end === -1) break;
      yield this.#line(chunk.subarray(from, end));
      from = end + 1;
    }
    this.#keep(chunk.subarray(from));
  }

  #line(last: Buffer): Buffer | null {
    const skipped = this.#skipping || this.#bytes + last.length > this.#most;
    const line = this.#chunks.length === 0 ? last : Buffer.concat([...this.#chunks, last]);
    this.#drop();
    this.#skipping = false;
    if (skipped) return null;
    return line.at(-1) === 0x0d ? line.subarray(0, -1) : line;
  }

  #keep(rest: Buffer): void {
    if (rest.length === 0 || this.#skipping) return;
    this.#bytes += rest.length;
    this.#skipping = this.#bytes > this.#most;
    // A copy, so that the few bytes left over do not keep a large piece in memory.
    if (!this.#skipping) this.#chunks.push(Buffer.from(rest));
    else this.#drop();
  }

  #drop(): void {
    this.#chunks = [];
    this.#bytes = 0;
  }
}

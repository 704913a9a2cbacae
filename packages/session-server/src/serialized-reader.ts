/** The default of PHP's `unserialize_max_depth`. */
const maxDepth = 4096;

/** The text is not in the format of PHP's serialize(). The message names the position and not the content. */
export class SerializedError extends Error {
  constructor(expected: string, at: number) {
    super(`expected ${expected} at byte ${at}`);
    this.name = 'SerializedError';
  }
}

/** The reference `R:7;` or `r:7;`, by the position of its digits in the text. */
export interface Reference {
  from: number;
  to: number;
  /** The number of the referenced value. */
  slot: number;
}

/** A limit, because a reference takes twenty times its bytes in memory. Real sessions have few. */
const maxReferences = 10_000;

const digits = /\d{1,10}/y;
const boolean = /[01];/y;
const integer = /[+-]?\d{1,20};/y;
const float = /([+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,5})?|-?INF|NAN);/y;

/**
 * Validates text in the format of serialize(), and finds the end and the references of each value, without creating values.
 * The text has a character per byte. `SerializedScanner` reads incomplete text.
 */
export class SerializedReader {
  readonly text: string;
  at: number;
  /** The number of values before `at`, as `R:` and `r:` count them, without keys and the content of a `C:`. */
  slots = 0;
  /**
   * Up to this slot, the numbers are the same as in PHP. PHP also counts the values in the content of a `C:`, but only the
   * class knows the format of that content. The content may refer to any slot.
   */
  certainSlots = Number.POSITIVE_INFINITY;
  /** The number of `C:` before `at`. */
  payloads = 0;
  readonly references: Reference[] = [];
  #depth = 0;

  constructor(text: string, at = 0) {
    this.text = text;
    this.at = at;
  }

  fail(expected: string): never {
    throw new SerializedError(expected, this.at);
  }

  value(): void {
    /** The remaining entries of each open array or object. */
    const open: number[] = [];
    for (;;) {
      const count = this.#begin();
      if (count !== undefined) open.push(count);
      while (open.at(-1) === 0) {
        open.pop();
        this.close();
      }
      if (open.length === 0) return;
      open.push((open.pop() as number) - 1);
      this.key();
    }
  }

  /** Reads a scalar, or an array or object up to its entries. @returns the number of entries */
  #begin(): number | undefined {
    const type = this.text[this.at];
    if (type === 'N') {
      this.expect('N;');
      this.slots++;
      return undefined;
    }
    this.at++;
    this.expect(':');
    if (type === 'R' || type === 'r') {
      this.#reference(type);
      return undefined;
    }
    this.slots++;
    switch (type) {
      case 'b':
        this.#match(boolean, '0 or 1');
        return undefined;
      case 'i':
        this.#match(integer, 'an integer');
        return undefined;
      case 'd':
        this.#match(float, 'a float');
        return undefined;
      case 's':
        this.string();
        return undefined;
      case 'S':
        this.escaped();
        return undefined;
      case 'a':
        return this.open();
      case 'O':
        this.#className();
        this.expect(':');
        return this.open();
      case 'C':
        this.#className();
        this.expect(':');
        this.certainSlots = Math.min(this.certainSlots, this.slots);
        this.payloads++;
        this.#payload();
        return undefined;
      case 'E':
        this.#className();
        this.expect(';');
        return undefined;
      default:
        this.at -= 2;
        return this.fail('a value');
    }
  }

  /** Reads `3:"abc";`. @returns the position of its bytes */
  string(): { from: number; to: number } {
    const place = this.#quoted();
    this.expect(';');
    return place;
  }

  /** Reads `3:"a\0ab";`, where any byte may be written as `\` and two hexadecimal digits. */
  escaped(): { from: number; to: number } {
    const length = this.#count(':');
    this.expect('"');
    // Each byte takes at least one character. Without this check, a short text could block the server for minutes.
    if (length > this.text.length - this.at) this.fail('more bytes');
    const from = this.at;
    for (let n = 0; n < length; n++) {
      if (this.text[this.at] !== '\\') this.at++;
      else if (/^[0-9a-fA-F]{2}$/.test(this.text.slice(this.at + 1, this.at + 3))) this.at += 3;
      else this.fail('two hexadecimal digits');
    }
    const to = this.at;
    this.expect('";');
    return { from, to };
  }

  /** Reads `3:{`. The shortest entry is `i:0;N;`. @returns the number of entries */
  open(): number {
    const count = this.#count(':');
    this.expect('{');
    if (count * 6 > this.text.length - this.at) this.fail('fewer entries');
    if (++this.#depth > maxDepth) this.fail(`at most ${maxDepth} levels`);
    return count;
  }

  close(): void {
    this.#depth--;
    this.expect('}');
  }

  /** Reads the key of an array. Integer keys become text, because PHP treats `5` and `"5"` as the same key. */
  key(): string {
    const type = this.text[this.at];
    this.at++;
    this.expect(':');
    if (type === 's') {
      const { from, to } = this.string();
      return this.text.slice(from, to);
    }
    if (type === 'S') {
      const { from, to } = this.escaped();
      return unescaped(this.text.slice(from, to));
    }
    if (type !== 'i') this.fail('a key');
    const number = BigInt(this.#match(integer, 'an integer').slice(0, -1).replace('+', ''));
    if (BigInt.asIntN(64, number) !== number) this.fail('an integer of 64 bits');
    return String(number);
  }

  expect(text: string): void {
    if (!this.text.startsWith(text, this.at)) this.fail(text);
    this.at += text.length;
  }

  #reference(type: 'R' | 'r'): void {
    const from = this.at;
    const slot = this.#count(';');
    if (slot < 1 || (slot > this.slots && this.payloads === 0)) this.fail('a reference to an earlier value');
    if (this.references.length === maxReferences) this.fail(`at most ${maxReferences} references`);
    this.references.push({ from, to: this.at - 1, slot });
    // `R:` refers to the value itself. `r:` is a separate value with the same object, which PHP counts.
    if (type === 'r') this.slots++;
  }

  /** Skips the output of a class with the interface `Serializable`. Only the class knows the format. */
  #payload(): void {
    const length = this.#count(':');
    this.expect('{');
    this.#skip(length);
    this.expect('}');
  }

  #className(): void {
    this.#quoted();
  }

  #quoted(): { from: number; to: number } {
    const length = this.#count(':');
    this.expect('"');
    const from = this.at;
    this.#skip(length);
    this.expect('"');
    return { from, to: from + length };
  }

  #skip(length: number): void {
    if (length > this.text.length - this.at) this.fail('more bytes');
    this.at += length;
  }

  #count(end: string): number {
    const count = Number(this.#match(digits, 'a count'));
    this.expect(end);
    return count;
  }

  #match(pattern: RegExp, expected: string): string {
    pattern.lastIndex = this.at;
    const match = pattern.exec(this.text)?.[0] ?? this.fail(expected);
    this.at += match.length;
    return match;
  }
}

/** Decodes the bytes of an `S:` string. */
export function unescaped(text: string): string {
  return text.replace(/\\([0-9a-fA-F]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
}

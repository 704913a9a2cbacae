import { maxDepth } from '../server/session/formats/reader.ts';

/** The text is not what PHP's serialize() writes. The message says where, and never what stands there. */
export class SerializedError extends Error {
  constructor(expected: string, at: number) {
    super(`expected ${expected} at byte ${at}`);
    this.name = 'SerializedError';
  }
}

/** `R:7;` or `r:7;`, and where in the text its digits stand. */
export interface Reference {
  from: number;
  to: number;
  slot: number;
}

/** Each costs twenty times its bytes, and the values of a real session share few. */
const maxReferences = 10_000;

const digits = /\d{1,10}/y;
const boolean = /[01];/y;
const integer = /[+-]?\d{1,20};/y;
const float = /([+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,5})?|-?INF|NAN);/y;

/**
 * Walks over what serialize() wrote and finds where each value ends; nothing is made of it, objects least of all.
 * Texts are byte strings: one character a byte. What a length or a count promises must be there.
 */
export class SerializedReader {
  readonly text: string;
  at: number;
  /** How many of the values so far `R:` and `r:` can refer to. Keys are none, and what a `C:` holds is not counted. */
  slots = 0;
  /**
   * Up to here the numbers are those of PHP: after the first `C:` they are not. PHP counts what the class has
   * serialized inside, and only the class knows what that is. In there are references too, to any slot.
   */
  certainSlots = Number.POSITIVE_INFINITY;
  /** How many `C:` there were. */
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
    const type = this.text[this.at];
    if (type === 'N') {
      this.expect('N;');
      this.slots++;
      return;
    }
    this.at++;
    this.expect(':');
    if (type === 'R' || type === 'r') return this.#reference(type);
    this.slots++;
    switch (type) {
      case 'b':
        this.#match(boolean, '0 or 1');
        return;
      case 'i':
        this.#match(integer, 'an integer');
        return;
      case 'd':
        if (this.#match(float, 'a float').length > 64) this.fail('a shorter float');
        return;
      case 's':
        this.string();
        return;
      case 'S':
        this.escaped();
        return;
      case 'a':
        return this.#members();
      case 'O':
        this.#className();
        this.expect(':');
        return this.#members();
      case 'C':
        this.#className();
        this.expect(':');
        this.certainSlots = Math.min(this.certainSlots, this.slots);
        this.payloads++;
        return this.#payload();
      case 'E':
        this.#className();
        return this.expect(';');
      default:
        this.at -= 2;
        return this.fail('a value');
    }
  }

  /** `3:"abc";`; where its bytes stand. */
  string(): { from: number; to: number } {
    const place = this.#quoted();
    this.expect(';');
    return place;
  }

  /** `3:"a\0ab";`: bytes of which any may be written as `\` and two hexadecimal digits. */
  escaped(): { from: number; to: number } {
    const length = this.#count(':');
    this.expect('"');
    // Each takes a byte at least: without this a few would keep the daemon counting for minutes.
    if (length > this.text.length - this.at) this.fail('so many bytes');
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

  /** `3:{`: how many entries follow, of which the shortest is `i:0;N;`. */
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

  /** The key of an array as PHP takes it: `5` and `"5"` are the same. */
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

  #members(): void {
    const count = this.open();
    for (let n = 0; n < count; n++) {
      this.key();
      this.value();
    }
    this.close();
  }

  #reference(type: 'R' | 'r'): void {
    const from = this.at;
    const slot = this.#count(';');
    if (slot < 1 || (slot > this.slots && this.payloads === 0)) this.fail('a reference to an earlier value');
    if (this.references.length === maxReferences) this.fail(`at most ${maxReferences} references`);
    this.references.push({ from, to: this.at - 1, slot });
    // The same value again, or an object again as a value of its own.
    if (type === 'r') this.slots++;
  }

  /** What a class wrote by itself is its own affair. A line cannot carry a line feed, and it cannot be escaped here. */
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
    if (length > this.text.length - this.at) this.fail('so many bytes');
    this.at += length;
  }

  #count(end: string): number {
    const count = Number(this.#match(digits, 'a count'));
    this.expect(end);
    return count;
  }

  #match(pattern: RegExp, expected: string): string {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text)?.[0] ?? this.fail(expected);
    this.at += found.length;
    return found;
  }
}

/** The bytes of an `S:` string. */
export function unescaped(text: string): string {
  return text.replace(/\\([0-9a-fA-F]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
}

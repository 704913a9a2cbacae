import { isUtf8 } from 'node:buffer';
import { FormatError, newRecord, PhpFloat, type PhpRecord, type PhpValue, putEntry } from './value.ts';

const quote = 0x22;
const plus = 0x2b;
const comma = 0x2c;
const minus = 0x2d;
const point = 0x2e;
const zero = 0x30;
const nine = 0x39;
const colon = 0x3a;
const backslash = 0x5c;
const closingBracket = 0x5d;
const closingBrace = 0x7d;

/** The default depth of PHP's `json_decode()`. */
const maxDepth = 512;

/** A list or an object with unread values. */
interface Container {
  readonly value: PhpRecord | PhpValue[];
  isStarted: boolean;
  readonly outer: Container | undefined;
}

/**
 * Decodes JSON (RFC 8259) like PHP's `json_decode($text, true)`. A number with `.`, `e` or `E` is a float, integers are
 * exact, and the last value of a duplicate key counts. JSON.parse would round integers and not distinguish floats.
 */
class JsonDecoder {
  readonly #text: string;
  #offset = 0;
  #depth = 0;
  #open: Container | undefined;

  constructor(text: string) {
    this.#text = text;
  }

  decode(): PhpValue {
    const value = this.#startValue();
    for (let open = this.#open; open !== undefined; open = this.#open) {
      const { value: container } = open;
      if (this.#isAtEnd(open)) {
        this.#depth--;
        this.#open = open.outer;
      } else if (Array.isArray(container)) container.push(this.#startValue());
      else {
        if (this.#skipBlanks() !== quote) this.#fail('a key');
        const key = this.#readString();
        this.#expect(colon, ':');
        putEntry(container, key, this.#startValue());
      }
    }
    this.#skipBlanks();
    if (this.#offset < this.#text.length) this.#fail('the end');
    return value;
  }

  /** Returns a scalar, or opens a list or object whose values `decode` reads. */
  #startValue(): PhpValue {
    switch (this.#skipBlanks()) {
      case quote:
        return this.#readString();
      case 0x7b:
        return this.#openContainer(newRecord());
      case 0x5b:
        return this.#openContainer([]);
      case 0x74:
        return this.#readWord('true', true);
      case 0x66:
        return this.#readWord('false', false);
      case 0x6e:
        return this.#readWord('null', null);
      default:
        return this.#readNumber();
    }
  }

  #openContainer<T extends Container['value']>(value: T): T {
    if (++this.#depth > maxDepth) {
      const explanation = `lists and objects are nested deeper than the ${maxDepth} levels that PHP reads (json_decode)`;
      this.#fail(`no more than ${maxDepth} levels`, this.#offset, explanation);
    }
    this.#offset++;
    this.#open = { value, isStarted: false, outer: this.#open };
    return value;
  }

  /** Skips a comma, or the end of the container. @returns whether it was the end */
  #isAtEnd(open: Container): boolean {
    const end = Array.isArray(open.value) ? closingBracket : closingBrace;
    const c = this.#skipBlanks();
    if (c === end) {
      this.#offset++;
      return true;
    }
    if (open.isStarted) this.#expect(comma, `"," or "${String.fromCharCode(end)}"`);
    open.isStarted = true;
    return false;
  }

  #readString(): string {
    const start = this.#offset;
    let escaped = false;
    for (let i = start + 1; ; i++) {
      const c = this.#text.charCodeAt(i);
      if (c === quote) {
        this.#offset = i + 1;
        break;
      }
      if (c === backslash) {
        escaped = true;
        i++;
      } else if (!(c >= 0x20)) this.#fail('the rest of a string', Math.min(i, this.#text.length));
    }
    if (!escaped) return this.#text.slice(start + 1, this.#offset - 1);
    try {
      const string = JSON.parse(this.#text.slice(start, this.#offset)) as string;
      // PHP rejects lone surrogates.
      if (string.isWellFormed()) return string;
    } catch {
      // The message of V8 would contain the text.
    }
    return this.#fail('a string with valid escapes', start);
  }

  #readWord<T extends PhpValue>(word: string, value: T): T {
    if (!this.#text.startsWith(word, this.#offset)) this.#fail('a value');
    this.#offset += word.length;
    return value;
  }

  /** Reads a number: RFC 8259, section 6. */
  #readNumber(): PhpValue {
    const start = this.#offset;
    if (this.#current() === minus) this.#offset++;
    if (this.#current() === zero) this.#offset++;
    else this.#skipDigits('a value');
    const whole = this.#offset;
    if (this.#current() === point) {
      this.#offset++;
      this.#skipDigits('a digit');
    }
    if ((this.#current() | 0x20) === 0x65) {
      this.#offset++;
      if (this.#current() === plus || this.#current() === minus) this.#offset++;
      this.#skipDigits('a digit');
    }
    const text = this.#text.slice(start, this.#offset);
    const value = Number(text);
    if (this.#offset > whole) return new PhpFloat(value);
    if (Number.isSafeInteger(value)) return value;
    // PHP also converts integers of more than 64 bits to floats.
    const exact = text.length > 20 ? undefined : BigInt(text);
    return exact !== undefined && BigInt.asIntN(64, exact) === exact ? exact : new PhpFloat(value);
  }

  #skipDigits(expected: string): void {
    const start = this.#offset;
    while (this.#current() >= zero && this.#current() <= nine) this.#offset++;
    if (this.#offset === start) this.#fail(expected);
  }

  #current(): number {
    return this.#text.charCodeAt(this.#offset);
  }

  /** Skips blanks. @returns the first character after them */
  #skipBlanks(): number {
    for (;;) {
      const c = this.#current();
      if (c !== 0x20 && c !== 0x0a && c !== 0x0d && c !== 0x09) return c;
      this.#offset++;
    }
  }

  #expect(c: number, expected: string): void {
    if (this.#skipBlanks() !== c) this.#fail(expected);
    this.#offset++;
  }

  #fail(expected: string, at = this.#offset, explanation?: string): never {
    const offset = Buffer.byteLength(this.#text.slice(0, at));
    throw new FormatError(`expected ${expected} at byte ${offset}`, { explanation });
  }
}

/** Decodes JSON. @throws FormatError */
export function decodeJson(bytes: Buffer): PhpValue {
  const text = bytes.toString();
  if (!isUtf8(bytes)) {
    const offset = Buffer.from(text).findIndex((byte, at) => byte !== bytes[at]);
    throw new FormatError(`expected JSON in UTF-8 at byte ${offset}`);
  }
  return new JsonDecoder(text).decode();
}

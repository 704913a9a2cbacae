import { isUtf8 } from 'node:buffer';
import { FormatError, newRecord, PhpFloat, type PhpRecord, type PhpValue } from './value.ts';

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

/** A list or an object whose values are being read. */
interface Container {
  readonly into: PhpRecord | PhpValue[];
  begun: boolean;
  readonly outer: Container | undefined;
}

/**
 * Decodes JSON (RFC 8259) to what PHP's `json_decode($text, true)` makes of it: a number with `.`, `e` or `E` is a
 * float, integers are exact, and the last of equal keys counts. Not by JSON.parse, which loses the first two.
 */
class JsonDecoder {
  readonly #text: string;
  #at = 0;
  #depth = 0;
  #open: Container | undefined;

  constructor(text: string) {
    this.#text = text;
  }

  whole(): PhpValue {
    const value = this.#begin();
    for (let open = this.#open; open !== undefined; open = this.#open) {
      const { into } = open;
      if (this.#ends(open)) {
        this.#depth--;
        this.#open = open.outer;
      } else if (Array.isArray(into)) into.push(this.#begin());
      else {
        if (this.#next() !== quote) this.#fail('a key');
        const key = this.#string();
        this.#skip(colon, ':');
        into[key] = this.#begin();
      }
    }
    this.#next();
    if (this.#at < this.#text.length) this.#fail('the end');
    return value;
  }

  /** A scalar, or a list or object without its values, which `whole` reads. */
  #begin(): PhpValue {
    switch (this.#next()) {
      case quote:
        return this.#string();
      case 0x7b:
        return this.#enter(newRecord());
      case 0x5b:
        return this.#enter([]);
      case 0x74:
        return this.#word('true', true);
      case 0x66:
        return this.#word('false', false);
      case 0x6e:
        return this.#word('null', null);
      default:
        return this.#number();
    }
  }

  #enter<T extends Container['into']>(into: T): T {
    if (++this.#depth > maxDepth) {
      const explanation = `lists and objects are nested deeper than the ${maxDepth} levels that PHP reads (json_decode)`;
      this.#fail(`no more than ${maxDepth} levels`, this.#at, explanation);
    }
    this.#at++;
    this.#open = { into, begun: false, outer: this.#open };
    return into;
  }

  /** Past a comma, or past the end of the container. */
  #ends(open: Container): boolean {
    const end = Array.isArray(open.into) ? closingBracket : closingBrace;
    const c = this.#next();
    if (c === end) {
      this.#at++;
      return true;
    }
    if (open.begun) this.#skip(comma, `"," or "${String.fromCharCode(end)}"`);
    open.begun = true;
    return false;
  }

  #string(): string {
    const start = this.#at;
    let escaped = false;
    for (let i = start + 1; ; i++) {
      const c = this.#text.charCodeAt(i);
      if (c === quote) {
        this.#at = i + 1;
        break;
      }
      if (c === backslash) {
        escaped = true;
        i++;
      } else if (!(c >= 0x20)) this.#fail('the rest of a string', Math.min(i, this.#text.length));
    }
    if (!escaped) return this.#text.slice(start + 1, this.#at - 1);
    try {
      const string = JSON.parse(this.#text.slice(start, this.#at)) as string;
      // PHP refuses half a surrogate pair.
      if (string.isWellFormed()) return string;
    } catch {
      // V8's message quotes the text.
    }
    return this.#fail('a string with escapes that JSON has', start);
  }

  #word<T extends PhpValue>(word: string, value: T): T {
    if (!this.#text.startsWith(word, this.#at)) this.#fail('a value');
    this.#at += word.length;
    return value;
  }

  /** RFC 8259, section 6. */
  #number(): PhpValue {
    const start = this.#at;
    if (this.#here() === minus) this.#at++;
    if (this.#here() === zero) this.#at++;
    else this.#digits('a value');
    const whole = this.#at;
    if (this.#here() === point) {
      this.#at++;
      this.#digits('a digit');
    }
    if ((this.#here() | 0x20) === 0x65) {
      this.#at++;
      if (this.#here() === plus || this.#here() === minus) this.#at++;
      this.#digits('a digit');
    }
    const text = this.#text.slice(start, this.#at);
    const value = Number(text);
    if (this.#at > whole) return new PhpFloat(value);
    if (Number.isSafeInteger(value)) return value;
    // A number that does not fit PHP's 64-bit integer becomes a float in PHP too.
    const exact = text.length > 20 ? undefined : BigInt(text);
    return exact !== undefined && BigInt.asIntN(64, exact) === exact ? exact : new PhpFloat(value);
  }

  #digits(expected: string): void {
    const start = this.#at;
    while (this.#here() >= zero && this.#here() <= nine) this.#at++;
    if (this.#at === start) this.#fail(expected);
  }

  #here(): number {
    return this.#text.charCodeAt(this.#at);
  }

  /** Skips blanks. @returns the next byte */
  #next(): number {
    for (;;) {
      const c = this.#here();
      if (c !== 0x20 && c !== 0x0a && c !== 0x0d && c !== 0x09) return c;
      this.#at++;
    }
  }

  #skip(c: number, expected: string): void {
    if (this.#next() !== c) this.#fail(expected);
    this.#at++;
  }

  #fail(expected: string, at = this.#at, explanation?: string): never {
    const offset = Buffer.byteLength(this.#text.slice(0, at));
    throw new FormatError(`expected ${expected} at byte ${offset}`, { explanation });
  }
}

/** @throws FormatError */
export function decodeJson(bytes: Buffer): PhpValue {
  const text = bytes.toString();
  if (!isUtf8(bytes)) {
    const offset = Buffer.from(text).findIndex((byte, at) => byte !== bytes[at]);
    throw new FormatError(`expected JSON in UTF-8 at byte ${offset}`);
  }
  return new JsonDecoder(text).whole();
}

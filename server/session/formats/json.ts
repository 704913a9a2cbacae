import { isUtf8 } from 'node:buffer';
import { maxDepth } from './reader.ts';
import { FormatError, newRecord, PhpFloat, type PhpValue } from './value.ts';

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
/**
 * Decodes JSON (RFC 8259) to what PHP's `json_decode($text, true)` makes of it: a number with `.`, `e` or `E` is a
 * float, integers are exact, and the last of equal keys counts. Not by JSON.parse, which loses the first two.
 */
class JsonDecoder {
  readonly #text: string;
  #at = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
  }

  whole(): PhpValue {
    const value = this.#value();
    if (this.#at < this.#text.length) this.#fail('the end');
    return value;
  }

  /** With the blanks on both sides of it. */
  #value(): PhpValue {
    let value: PhpValue;
    switch (this.#next()) {
      case quote:
        value = this.#string();
        break;
      case 0x7b:
        value = this.#record();
        break;
      case 0x5b:
        value = this.#list();
        break;
      case 0x74:
        value = this.#word('true', true);
        break;
      case 0x66:
        value = this.#word('false', false);
        break;
      case 0x6e:
        value = this.#word('null', null);
        break;
      default:
        value = this.#number();
    }
    this.#next();
    return value;
  }

  #record(): PhpValue {
    const record = newRecord();
    this.#enter();
    if (this.#next() === closingBrace) this.#at++;
    else
      do {
        if (this.#next() !== quote) this.#fail('a key');
        const key = this.#string();
        this.#skip(colon, ':');
        record[key] = this.#value();
      } while (this.#goesOn(closingBrace, '"," or "}"'));
    this.#depth--;
    return record;
  }

  #list(): PhpValue {
    const list: PhpValue[] = [];
    this.#enter();
    if (this.#next() === closingBracket) this.#at++;
    else
      do list.push(this.#value());
      while (this.#goesOn(closingBracket, '"," or "]"'));
    this.#depth--;
    return list;
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

  #goesOn(end: number, expected: string): boolean {
    const c = this.#here();
    if (c !== comma && c !== end) this.#fail(expected);
    this.#at++;
    return c === comma;
  }

  #skip(c: number, expected: string): void {
    if (this.#next() !== c) this.#fail(expected);
    this.#at++;
  }

  #enter(): void {
    if (++this.#depth > maxDepth) this.#fail(`no more than ${maxDepth} levels`);
    this.#at++;
  }

  #fail(expected: string, at = this.#at): never {
    throw new FormatError(`expected ${expected} at byte ${Buffer.byteLength(this.#text.slice(0, at))}`);
  }
}

/** @throws FormatError */
export function decodeJson(bytes: Buffer): PhpValue {
  if (!isUtf8(bytes)) throw new FormatError('expected JSON, which is UTF-8, and it is not');
  return new JsonDecoder(bytes.toString()).whole();
}

import { Reader } from './reader.ts';
import { newRecord, PhpFloat, PhpObject, type PhpRecord, type PhpValue } from './value.ts';

const quote = 0x22;
const colon = 0x3a;
const semicolon = 0x3b;
const open = 0x7b;
const close = 0x7d;
const minus = 0x2d;
const plus = 0x2b;

/** `zend_is_valid_class_name` */
const classNames = /^(?!\\)(?:[\w\\]|[^\0-\x7f])+$/;

const specialFloats = new Map([
  ['INF', Number.POSITIVE_INFINITY],
  ['-INF', Number.NEGATIVE_INFINITY],
  ['NAN', Number.NaN],
]);

/**
 * Decodes PHP's `serialize()` (ext/standard/var_unserializer.re). String lengths count bytes, and only they say
 * where a string ends: quotes, semicolons and whatever looks like another value may stand inside.
 */
export class SerializeDecoder {
  readonly #in: Reader;
  /** Targets of `R:n;` and `r:n;`: slot n is `#slots[n - 1]`. */
  readonly #slots: PhpValue[] = [];
  #counting = true;

  constructor(reader: Reader) {
    this.#in = reader;
  }

  /** One value. In the formats `php` and `php_binary` the slots are counted on from variable to variable. */
  value(): PhpValue {
    const start = this.#in.offset;
    const type = this.#in.byte('a value');
    switch (type) {
      case 0x4e: // N
        this.#expect(semicolon);
        return this.#keep(null);
      case 0x62: {
        // b
        this.#expect(colon);
        const digit = this.#in.byte('0 or 1');
        if (digit !== 0x30 && digit !== 0x31) this.#in.fail('0 or 1', start + 2);
        this.#expect(semicolon);
        return this.#keep(digit === 0x31);
      }
      case 0x69: // i
        this.#expect(colon);
        return this.#keep(this.#integer(semicolon));
      case 0x64: // d
        this.#expect(colon);
        return this.#keep(this.#float());
      case 0x73: {
        // s
        this.#expect(colon);
        const text = this.#quoted();
        this.#expect(semicolon);
        return this.#keep(text);
      }
      case 0x61: // a
        return this.#array();
      case 0x4f: // O
        return this.#object();
      case 0x43: // C
        return this.#custom();
      case 0x45: // E
        return this.#enumCase();
      case 0x52: // R: the same slot again
        return this.#reference(start);
      case 0x72: // r: an object again, in a slot of its own
        return this.#keep(this.#objectAgain(start));
      default:
        return this.#in.fail('a value', start);
    }
  }

  #keep<T extends PhpValue>(value: T): T {
    if (this.#counting) this.#slots.push(value);
    return value;
  }

  #array(): PhpValue {
    this.#expect(colon);
    const count = this.#open();
    const record = this.#keep(newRecord());
    for (let n = 0; n < count; n++) record[this.#key()] = this.value();
    this.#close(record, count);
    return record;
  }

  #object(): PhpValue {
    const className = this.#className();
    const count = this.#open();
    const object = this.#keep(new PhpObject(className));
    const { properties } = object;
    for (let n = 0; n < count; n++) properties[this.#in.property(this.#key())] = this.value();
    this.#close(properties, count);
    return object;
  }

  #close(record: PhpRecord, count: number): void {
    this.#in.checkKeys(record, count);
    this.#in.leave();
    this.#expect(close);
  }

  /** `3:{`: how many entries follow. */
  #open(): number {
    const count = this.#count(colon);
    this.#expect(open);
    // The shortest entry is `i:0;N;`.
    this.#in.checkElements(count, 6);
    this.#in.enter();
    return count;
  }

  /**
   * A class that serializes itself: its content is its own affair, and known by its length only. If the class calls
   * `serialize()`, PHP counts the values in there as well, so that no slot is known from here on.
   */
  #custom(): PhpValue {
    const className = this.#className();
    const length = this.#length(colon);
    this.#expect(open);
    this.#in.take(length);
    this.#expect(close);
    const object = this.#keep(new PhpObject(className, newRecord(), false));
    this.#counting = false;
    return object;
  }

  #enumCase(): PhpValue {
    this.#expect(colon);
    const start = this.#in.offset;
    const enumCase = this.#name();
    this.#expect(semicolon);
    const [, className = '', name = ''] = /^([^:]*):(.*)$/s.exec(enumCase) ?? [];
    if (!classNames.test(className)) this.#in.fail('an enum and its case', start);
    const object = new PhpObject(className, newRecord(), false);
    object.properties.name = name;
    return this.#keep(object);
  }

  #objectAgain(start: number): PhpObject {
    const value = this.#reference(start);
    return value instanceof PhpObject ? value : this.#in.fail('a reference to an object', start);
  }

  #reference(start: number): PhpValue {
    this.#expect(colon);
    const value = this.#slots[this.#count(semicolon) - 1];
    return value === undefined ? this.#in.fail('a reference to an earlier value', start) : value;
  }

  /** Keys take no slot. */
  #key(): string {
    const start = this.#in.offset;
    const type = this.#in.byte('a key');
    this.#expect(colon);
    if (type === 0x69) return String(this.#integer(semicolon));
    if (type !== 0x73) this.#in.fail('a key', start);
    const name = this.#name();
    this.#expect(semicolon);
    return name;
  }

  /** `5:"bytes"` */
  #quoted() {
    const length = this.#length(colon);
    this.#expect(quote);
    const text = this.#in.string(length);
    this.#expect(quote);
    return text;
  }

  /** `:3:"App":` */
  #className(): string {
    this.#expect(colon);
    const start = this.#in.offset;
    const name = this.#name();
    if (!classNames.test(name)) this.#in.fail('a class', start);
    this.#expect(colon);
    return name;
  }

  #name(): string {
    const length = this.#length(colon);
    this.#expect(quote);
    const name = this.#in.name(length);
    this.#expect(quote);
    return name;
  }

  #length(end: number): number {
    return this.#in.checkCount(this.#count(end), 1);
  }

  #count(end: number): number {
    const start = this.#in.offset;
    const signed = this.#in.bytes[start] === plus || this.#in.bytes[start] === minus;
    const count = this.#integer(end);
    return signed || typeof count !== 'number' ? this.#in.fail('a count', start) : count;
  }

  /** Digits up to `end`; a bigint where a number would not be exact. */
  #integer(end: number): number | bigint {
    const { bytes } = this.#in;
    const start = this.#in.offset;
    let at = start;
    const negative = bytes[at] === minus;
    if (negative || bytes[at] === plus) at++;
    const digits = at;
    let value = 0;
    for (let byte = bytes[at]; byte !== undefined && byte >= 0x30 && byte <= 0x39; byte = bytes[++at]) {
      value = value * 10 + (byte - 0x30);
    }
    if (at === digits || at - digits > 20) this.#in.fail('digits', start);
    this.#in.offset = at;
    this.#expect(end);
    if (value <= Number.MAX_SAFE_INTEGER) return negative ? -value : value;
    const exact = BigInt(bytes.toString('latin1', start, at).replace('+', ''));
    if (BigInt.asIntN(64, exact) !== exact) this.#in.fail('an integer of 64 bits', start);
    return exact;
  }

  #float(): PhpFloat {
    const start = this.#in.offset;
    const end = this.#in.bytes.indexOf(semicolon, start);
    const text = end === -1 || end - start > 64 ? '' : this.#in.bytes.toString('latin1', start, end);
    this.#in.offset = end + 1;
    if (/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text)) return new PhpFloat(Number(text));
    const special = specialFloats.get(text);
    if (special === undefined) this.#in.fail('a float', start);
    return new PhpFloat(special);
  }

  #expect(byte: number): void {
    if (this.#in.bytes[this.#in.offset] !== byte) this.#in.fail(`"${String.fromCharCode(byte)}"`);
    this.#in.offset++;
  }
}

/** `session.serialize_handler=php_serialize`: the whole of `$_SESSION` in one `serialize()`. */
export function decodePhpSerialize(bytes: Buffer): PhpValue {
  const reader = new Reader(bytes);
  const value = new SerializeDecoder(reader).value();
  if (reader.left > 0) reader.fail('the end');
  return value;
}

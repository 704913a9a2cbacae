import { decodeWithKeys, maxDepth, Reader } from './reader.ts';
import { nameFrom, newRecord, PhpFloat, PhpObject, type PhpRecord, type PhpValue } from './value.ts';

const quote = 0x22;
const backslash = 0x5c;
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

/** A place in PHP's memory that slots refer to. A second value for the same key takes the place of the first. */
class Cell {
  /** Undefined while the second value begins: PHP rejects a reference to itself. */
  value: PhpValue | undefined;
}

/** An array or an object whose entries are being read. */
interface Container {
  readonly record: PhpRecord;
  /** The class name of an object. */
  readonly className: string | undefined;
  readonly count: number;
  left: number;
  readonly outer: Container | undefined;
  readonly cells: Map<string, Cell> | undefined;
}

/**
 * Decodes PHP's `serialize()` (ext/standard/var_unserializer.re). String lengths count bytes, and only they say
 * where a string ends: quotes, semicolons and whatever looks like another value may stand inside.
 *
 * Open containers are a list instead of calls within calls, because a graph of linked objects is as deep as it has
 * objects.
 */
export class SerializeDecoder {
  readonly #in: Reader;
  readonly #keepKeys: boolean;
  /** Targets of `R:n;` and `r:n;`: slot n is `#slots[n - 1]`. */
  readonly #slots: (PhpValue | Cell)[] = [];
  #counting = true;
  /** Whether slots hold values instead of cells, and all are counted. */
  #plain: boolean;
  #open: Container | undefined;
  /** Of the value that is being read, if keys are kept. */
  #cell: Cell | undefined;

  constructor(reader: Reader, keepKeys: boolean) {
    this.#in = reader;
    this.#keepKeys = keepKeys;
    this.#plain = !keepKeys;
  }

  /** One value. In the formats `php` and `php_binary` the slots are counted on from variable to variable. */
  value(): PhpValue {
    this.#cell = undefined;
    const value = this.#begin();
    for (let open = this.#open; open !== undefined; open = this.#open) {
      if (open.cells === undefined) this.#entries(open);
      else this.#keptEntries(open, open.cells);
      if (this.#open === open) this.#close(open);
    }
    return value;
  }

  /** Reads entries up to one whose value is an array or an object with entries of its own. */
  #entries(open: Container): void {
    const { record } = open;
    while (open.left > 0 && this.#open === open) {
      open.left--;
      const key = this.#keyOf(open);
      record[key] = this.#begin();
    }
  }

  #keptEntries(open: Container, cells: Map<string, Cell>): void {
    while (open.left > 0 && this.#open === open) {
      open.left--;
      const key = this.#keyOf(open);
      const cell = cells.get(key) ?? new Cell();
      cells.set(key, cell);
      cell.value = undefined;
      this.#cell = cell;
      cell.value = open.record[key] = this.#begin();
    }
  }

  /** A scalar, or an array or object without its entries, which `value` reads. */
  #begin(): PhpValue {
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
      case 0x53: {
        // S
        this.#expect(colon);
        const text = new Reader(this.#escaped());
        return this.#keep(text.string(text.left));
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
    if (this.#plain) this.#slots.push(value);
    else {
      if (this.#cell !== undefined) this.#cell.value = value;
      if (this.#counting) this.#slots.push(this.#cell ?? value);
    }
    return value;
  }

  #array(): PhpValue {
    this.#expect(colon);
    const record = newRecord();
    this.#enter(this.#count(colon), this.#keep(record), undefined);
    return record;
  }

  #object(): PhpValue {
    const className = this.#className();
    const object = new PhpObject(className);
    this.#enter(this.#count(colon), this.#keep(object).properties, className);
    return object;
  }

  /** `{`, before entries. */
  #enter(count: number, record: PhpRecord, className: string | undefined): void {
    this.#expect(open);
    // The shortest entry is `i:0;N;`.
    this.#in.checkElements(count, 6);
    // As in PHP, an empty array is no level.
    if (count === 0 && className === undefined) return this.#expect(close);
    this.#in.enter(maxDepth, 'unserialize_max_depth in php.ini');
    const cells = this.#keepKeys ? new Map<string, Cell>() : undefined;
    this.#open = { record, className, count, left: count, outer: this.#open, cells };
  }

  #close({ record, count, outer, cells }: Container): void {
    if (cells === undefined) this.#in.checkKeys(record, count);
    this.#in.leave();
    this.#expect(close);
    this.#open = outer;
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
    this.#counting = this.#plain = false;
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
    const slot = this.#slots[this.#count(semicolon) - 1];
    const value = slot instanceof Cell ? slot.value : slot;
    if (value !== undefined) return value;
    const explanation = this.#counting
      ? undefined
      : 'it has a reference behind an object that serializes itself (Serializable), and only the class of that object knows which value this is';
    return this.#in.fail('a reference to an earlier value', start, explanation);
  }

  #keyOf({ className }: Container): string {
    return className === undefined ? this.#key() : this.#in.property(this.#key(), className);
  }

  /** Keys take no slot. */
  #key(): string {
    const start = this.#in.offset;
    const type = this.#in.byte('a key');
    this.#expect(colon);
    if (type === 0x69) return String(this.#integer(semicolon));
    if (type === 0x53) return nameFrom(this.#escaped());
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

  /** `2:"a\41";`: `\` and two hexadecimal digits may stand for any byte. */
  #escaped(): Buffer {
    const bytes = Buffer.alloc(this.#length(colon));
    this.#expect(quote);
    for (let n = 0; n < bytes.length; n++) {
      const start = this.#in.offset;
      let byte = this.#in.byte('a string');
      if (byte === backslash) {
        const digits = this.#in.take(2).toString('latin1');
        byte = /^[\da-f]{2}$/i.test(digits)
          ? Number.parseInt(digits, 16)
          : this.#in.fail('\\ and two digits', start);
      }
      bytes[n] = byte;
    }
    this.#expect(quote);
    this.#expect(semicolon);
    return bytes;
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
    // With a large serialize_precision PHP writes up to a thousand digits.
    const text = end === -1 ? '' : this.#in.bytes.toString('latin1', start, end);
    this.#in.offset = end + 1;
    if (/^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$/.test(text)) return new PhpFloat(Number(text));
    const special = specialFloats.get(text);
    if (special === undefined) this.#in.fail('a float', start);
    return new PhpFloat(special);
  }

  #expect(byte: number): void {
    if (this.#in.bytes[this.#in.offset] !== byte) this.#in.fail(`"${String.fromCharCode(byte)}"`);
    this.#in.offset++;
  }
}

/**
 * `session.serialize_handler=php_serialize`: the whole of `$_SESSION` in one `serialize()`. PHP ignores bytes behind it, such
 * as the padding of a column.
 * @param isWhole whether such bytes are an error
 */
export const decodePhpSerialize = (bytes: Buffer, isWhole = false): PhpValue =>
  decodeWithKeys((keepKeys) => {
    const reader = new Reader(bytes);
    const value = new SerializeDecoder(reader, keepKeys).value();
    if (isWhole && reader.left > 0) reader.fail('the end');
    return value;
  });

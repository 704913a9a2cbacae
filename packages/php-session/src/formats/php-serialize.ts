import { decodeWithKeys, maxDepth, Reader } from './reader.ts';
import { newRecord, PhpFloat, PhpObject, type PhpRecord, type PhpValue, putEntry, toName } from './value.ts';

const quote = 0x22;
const backslash = 0x5c;
const colon = 0x3a;
const semicolon = 0x3b;
const open = 0x7b;
const close = 0x7d;
const minus = 0x2d;
const plus = 0x2b;

/** `zend_is_valid_class_name` */
const classNamePattern = /^(?!\\)(?:[\w\\]|[^\0-\x7f])+$/;

const specialFloats = new Map([
  ['INF', Number.POSITIVE_INFINITY],
  ['-INF', Number.NEGATIVE_INFINITY],
  ['NAN', Number.NaN],
]);

/** A zval that slots refer to. The second value of a duplicate key replaces the first value in the zval. */
class Cell {
  /** Undefined until the value is stored, because PHP rejects a reference to itself. */
  value: PhpValue | undefined;
}

/** An array or an object with unread entries. */
interface Container {
  readonly record: PhpRecord;
  /** The class name of an object. */
  readonly className: string | undefined;
  readonly count: number;
  unreadCount: number;
  readonly outer: Container | undefined;
  readonly cells: Map<string, Cell> | undefined;
}

/**
 * Decodes PHP's `serialize()` format (ext/standard/var_unserializer.re). A string ends after its length in bytes, because
 * it may contain quotes, semicolons and text that looks like another value.
 *
 * The decoder does not recurse, because each object of a linked list is one level deeper.
 */
export class SerializeDecoder {
  readonly #reader: Reader;
  readonly #trackKeys: boolean;
  /** Targets of `R:n;` and `r:n;`. Slot n is `#slots[n - 1]`. */
  readonly #slots: (PhpValue | Cell)[] = [];
  #countsSlots = true;
  /** Whether slots are values, not cells, and all slots are counted. */
  #storesValues: boolean;
  #open: Container | undefined;
  /** The cell of the current value, if keys are tracked. */
  #cell: Cell | undefined;

  constructor(reader: Reader, trackKeys: boolean) {
    this.#reader = reader;
    this.#trackKeys = trackKeys;
    this.#storesValues = !trackKeys;
  }

  /** Decodes one value. In `php` and `php_binary` the slots of all variables are counted together. */
  decode(): PhpValue {
    this.#cell = undefined;
    const value = this.#startValue();
    for (let open = this.#open; open !== undefined; open = this.#open) {
      if (open.cells === undefined) this.#readEntries(open);
      else this.#readTrackedEntries(open, open.cells);
      if (this.#open === open) this.#closeContainer(open);
    }
    return value;
  }

  /** Stops after an entry that opens another container. */
  #readEntries(open: Container): void {
    const { record } = open;
    while (open.unreadCount > 0 && this.#open === open) {
      open.unreadCount--;
      const key = this.#readKeyOf(open);
      putEntry(record, key, this.#startValue());
    }
  }

  #readTrackedEntries(open: Container, cells: Map<string, Cell>): void {
    while (open.unreadCount > 0 && this.#open === open) {
      open.unreadCount--;
      const key = this.#readKeyOf(open);
      const cell = cells.get(key) ?? new Cell();
      cells.set(key, cell);
      cell.value = undefined;
      this.#cell = cell;
      cell.value = this.#startValue();
      putEntry(open.record, key, cell.value);
    }
  }

  /** Returns a scalar, or opens an array or object whose entries `decode` reads. */
  #startValue(): PhpValue {
    const start = this.#reader.offset;
    const type = this.#reader.readByte('a value');
    switch (type) {
      case 0x4e: // N
        this.#expect(semicolon);
        return this.#store(null);
      case 0x62: {
        // b
        this.#expect(colon);
        const digit = this.#reader.readByte('0 or 1');
        if (digit !== 0x30 && digit !== 0x31) this.#reader.fail('0 or 1', start + 2);
        this.#expect(semicolon);
        return this.#store(digit === 0x31);
      }
      case 0x69: // i
        this.#expect(colon);
        return this.#store(this.#readInteger(semicolon));
      case 0x64: // d
        this.#expect(colon);
        return this.#store(this.#readFloat());
      case 0x73: {
        // s
        this.#expect(colon);
        const text = this.#readQuoted();
        this.#expect(semicolon);
        return this.#store(text);
      }
      case 0x53: {
        // S
        this.#expect(colon);
        const text = new Reader(this.#readEscaped());
        return this.#store(text.readString(text.remainingBytes));
      }
      case 0x61: // a
        return this.#startArray();
      case 0x4f: // O
        return this.#startObject();
      case 0x43: // C
        return this.#readCustom();
      case 0x45: // E
        return this.#readEnumCase();
      case 0x52: // R: the same slot
        return this.#resolveReference(start);
      case 0x72: // r: the same object in a new slot
        return this.#store(this.#resolveObject(start));
      default:
        return this.#reader.fail('a value', start);
    }
  }

  #store<T extends PhpValue>(value: T): T {
    if (this.#storesValues) this.#slots.push(value);
    else {
      if (this.#cell !== undefined) this.#cell.value = value;
      if (this.#countsSlots) this.#slots.push(this.#cell ?? value);
    }
    return value;
  }

  #startArray(): PhpValue {
    this.#expect(colon);
    const record = newRecord();
    this.#openContainer(this.#readCount(colon), this.#store(record), undefined);
    return record;
  }

  #startObject(): PhpValue {
    const className = this.#readClassName();
    const object = new PhpObject(className);
    this.#openContainer(this.#readCount(colon), this.#store(object).properties, className);
    return object;
  }

  #openContainer(count: number, record: PhpRecord, className: string | undefined): void {
    this.#expect(open);
    // The shortest entry is `i:0;N;`.
    this.#reader.checkElements(count, 6);
    // PHP does not count an empty array as a level.
    if (count === 0 && className === undefined) return this.#expect(close);
    this.#reader.enter(maxDepth, 'unserialize_max_depth in php.ini');
    const cells = this.#trackKeys ? new Map<string, Cell>() : undefined;
    this.#open = { record, className, count, unreadCount: count, outer: this.#open, cells };
  }

  #closeContainer({ record, count, outer, cells }: Container): void {
    if (cells === undefined) this.#reader.checkKeys(record, count);
    this.#reader.leave();
    this.#expect(close);
    this.#open = outer;
  }

  /**
   * Skips the data of a class that serializes itself (Serializable). If the class calls `serialize()`, PHP counts the
   * values in the data too, so later slots are unknown.
   */
  #readCustom(): PhpValue {
    const className = this.#readClassName();
    const length = this.#readLength(colon);
    this.#expect(open);
    this.#reader.readBytes(length);
    this.#expect(close);
    const object = this.#store(new PhpObject(className, newRecord(), false));
    this.#countsSlots = this.#storesValues = false;
    return object;
  }

  #readEnumCase(): PhpValue {
    this.#expect(colon);
    const start = this.#reader.offset;
    const enumCase = this.#readQuotedName();
    this.#expect(semicolon);
    const [, className = '', name = ''] = /^([^:]*):(.*)$/s.exec(enumCase) ?? [];
    if (!classNamePattern.test(className)) this.#reader.fail('an enum and its case', start);
    const object = new PhpObject(className, newRecord(), false);
    object.properties.name = name;
    return this.#store(object);
  }

  #resolveObject(start: number): PhpObject {
    const value = this.#resolveReference(start);
    return value instanceof PhpObject ? value : this.#reader.fail('a reference to an object', start);
  }

  #resolveReference(start: number): PhpValue {
    this.#expect(colon);
    const slot = this.#slots[this.#readCount(semicolon) - 1];
    const value = slot instanceof Cell ? slot.value : slot;
    if (value !== undefined) return value;
    const explanation = this.#countsSlots
      ? undefined
      : 'it has a reference after an object that serializes itself (Serializable), and only the class of that object knows the referenced value';
    return this.#reader.fail('a reference to an earlier value', start, explanation);
  }

  #readKeyOf({ className }: Container): string {
    return className === undefined
      ? this.#readKey()
      : this.#reader.checkPropertyName(this.#readKey(), className);
  }

  /** Reads a key, which has no slot. */
  #readKey(): string {
    const start = this.#reader.offset;
    const type = this.#reader.readByte('a key');
    this.#expect(colon);
    if (type === 0x69) return String(this.#readInteger(semicolon));
    if (type === 0x53) return toName(this.#readEscaped());
    if (type !== 0x73) this.#reader.fail('a key', start);
    const name = this.#readQuotedName();
    this.#expect(semicolon);
    return name;
  }

  /** Reads `5:"bytes"`. */
  #readQuoted() {
    const length = this.#readLength(colon);
    this.#expect(quote);
    const text = this.#reader.readString(length);
    this.#expect(quote);
    return text;
  }

  /** Reads `2:"a\41";`, in which `\` and two hexadecimal digits encode a byte. */
  #readEscaped(): Buffer {
    const bytes = Buffer.alloc(this.#readLength(colon));
    this.#expect(quote);
    for (let n = 0; n < bytes.length; n++) {
      const start = this.#reader.offset;
      let byte = this.#reader.readByte('a string');
      if (byte === backslash) {
        const digits = this.#reader.readBytes(2).toString('latin1');
        byte = /^[\da-f]{2}$/i.test(digits)
          ? Number.parseInt(digits, 16)
          : this.#reader.fail('\\ and two digits', start);
      }
      bytes[n] = byte;
    }
    this.#expect(quote);
    this.#expect(semicolon);
    return bytes;
  }

  /** Reads `:3:"App":`. */
  #readClassName(): string {
    this.#expect(colon);
    const start = this.#reader.offset;
    const name = this.#readQuotedName();
    if (!classNamePattern.test(name)) this.#reader.fail('a class', start);
    this.#expect(colon);
    return name;
  }

  #readQuotedName(): string {
    const length = this.#readLength(colon);
    this.#expect(quote);
    const name = this.#reader.readName(length);
    this.#expect(quote);
    return name;
  }

  #readLength(end: number): number {
    return this.#reader.checkCount(this.#readCount(end), 1);
  }

  #readCount(end: number): number {
    const start = this.#reader.offset;
    const signed = this.#reader.bytes[start] === plus || this.#reader.bytes[start] === minus;
    const count = this.#readInteger(end);
    return signed || typeof count !== 'number' ? this.#reader.fail('a count', start) : count;
  }

  /** Reads digits up to `end`. Returns a bigint if a number would not be exact. */
  #readInteger(end: number): number | bigint {
    const { bytes } = this.#reader;
    const start = this.#reader.offset;
    let at = start;
    const negative = bytes[at] === minus;
    if (negative || bytes[at] === plus) at++;
    const digits = at;
    let value = 0;
    for (let byte = bytes[at]; byte !== undefined && byte >= 0x30 && byte <= 0x39; byte = bytes[++at]) {
      value = value * 10 + (byte - 0x30);
    }
    if (at === digits || at - digits > 20) this.#reader.fail('digits', start);
    this.#reader.offset = at;
    this.#expect(end);
    if (value <= Number.MAX_SAFE_INTEGER) return negative ? -value : value;
    const exact = BigInt(bytes.toString('latin1', start, at).replace('+', ''));
    if (BigInt.asIntN(64, exact) !== exact) this.#reader.fail('an integer of 64 bits', start);
    return exact;
  }

  #readFloat(): PhpFloat {
    const start = this.#reader.offset;
    const end = this.#reader.bytes.indexOf(semicolon, start);
    // With a large serialize_precision, a float may have a thousand digits.
    const text = end === -1 ? '' : this.#reader.bytes.toString('latin1', start, end);
    this.#reader.offset = end + 1;
    if (/^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$/.test(text)) return new PhpFloat(Number(text));
    const special = specialFloats.get(text);
    if (special === undefined) this.#reader.fail('a float', start);
    return new PhpFloat(special);
  }

  #expect(byte: number): void {
    if (this.#reader.bytes[this.#reader.offset] !== byte) this.#reader.fail(`"${String.fromCharCode(byte)}"`);
    this.#reader.offset++;
  }
}

/**
 * Decodes `session.serialize_handler=php_serialize`, which is `serialize($_SESSION)`. PHP ignores trailing bytes, such as
 * the padding of a column.
 * @param isWhole rejects trailing bytes
 * @throws FormatError
 */
export const decodePhpSerialize = (bytes: Buffer, isWhole = false): PhpValue =>
  decodeWithKeys((trackKeys) => {
    const reader = new Reader(bytes);
    const value = new SerializeDecoder(reader, trackKeys).decode();
    if (isWhole && reader.remainingBytes > 0) reader.fail('the end');
    return value;
  });

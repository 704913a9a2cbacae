import { Reader } from './reader.ts';
import {
  FormatError,
  isIntegerKey,
  isRecord,
  nameFrom,
  newRecord,
  PhpFloat,
  PhpObject,
  type PhpRecord,
  type PhpValue,
  variables,
} from './value.ts';

interface IgbinaryString {
  readonly text: PhpValue;
  readonly name: string;
  /** Set once `name` was accepted as a property of any class. A long name may be used many times. */
  isProperty?: true;
}

/** An array or an object whose entries are being read. */
interface Container {
  readonly record: PhpRecord;
  /** The class name of an object. */
  readonly className: string | undefined;
  left: number;
  readonly outer: Container | undefined;
}

/**
 * Decodes igbinary, versions 1 and 2 (igbinary.c: a tag, then what it announces, big-endian). Strings that come again
 * are numbers into one table of all strings; arrays, objects and what is wrapped as a reference are numbered too.
 *
 * igbinary itself limits no depth, so open containers are a list instead of calls within calls. If a key comes twice, as
 * from a property that `__sleep()` names twice, the last value counts.
 */
class IgbinaryDecoder {
  readonly #in: Reader;
  readonly #strings: IgbinaryString[] = [];
  readonly #slots: PhpValue[] = [];
  #open: Container | undefined;

  constructor(reader: Reader) {
    this.#in = reader;
  }

  value(): PhpValue {
    const value = this.#begin();
    for (let open = this.#open; open !== undefined; open = this.#open) {
      if (open.left-- === 0) {
        this.#open = open.outer;
        continue;
      }
      const key = this.#key(open.className);
      if (key !== null) open.record[key] = this.#begin();
    }
    return value;
  }

  /** A scalar, or an array or object without its entries, which `value` reads. */
  #begin(): PhpValue {
    const start = this.#in.offset;
    let tag = this.#in.byte('a value');
    // A PHP reference round a value. Only a scalar takes a number because of it.
    const wrapped = tag === 0x25;
    while (tag === 0x25) tag = this.#in.byte('a value');
    if (tag >= 0x14 && tag <= 0x16) return this.#array(this.#unsigned(tag - 0x14));
    if (tag >= 0x17 && tag <= 0x1c) return this.#object(this.#className(tag, start));
    if (tag >= 0x01 && tag <= 0x03) return this.#slot(this.#unsigned(tag - 0x01), start);
    if (tag >= 0x22 && tag <= 0x24) return this.#slot(this.#unsigned(tag - 0x22), start);
    const value = this.#scalar(tag, start);
    if (wrapped) this.#slots.push(value);
    return value;
  }

  #scalar(tag: number, start: number): PhpValue {
    if (tag >= 0x0d && tag <= 0x13) return this.#string(tag, start).text;
    switch (tag) {
      case 0x00:
        return null;
      case 0x04:
        return false;
      case 0x05:
        return true;
      case 0x0c:
        return new PhpFloat(this.#in.take(8).readDoubleBE());
      default:
        return this.#integer(tag, start);
    }
  }

  /** A number of 1, 2 or 4 bytes, for `size` 0, 1 or 2. */
  #unsigned(size: number): number {
    const bytes = this.#in.take(1 << size);
    return bytes.readUIntBE(0, bytes.length);
  }

  #integer(tag: number, start: number): number | bigint {
    if (tag === 0x20 || tag === 0x21) {
      const value = this.#in.take(8).readBigUInt64BE();
      const exact = tag === 0x20 ? value : -value;
      if (BigInt.asIntN(64, exact) !== exact) this.#in.fail('an integer of 64 bits', start);
      return Number.isSafeInteger(Number(exact)) ? Number(exact) : exact;
    }
    if (tag < 0x06 || tag > 0x0b) return this.#in.fail('a value', start);
    const value = this.#unsigned((tag - 0x06) >> 1);
    return tag % 2 === 0 ? value : -value;
  }

  #string(tag: number, start: number): IgbinaryString {
    if (tag < 0x0d || tag > 0x13) this.#in.fail('a string', start);
    if (tag === 0x0d) return { text: '', name: '' };
    if (tag <= 0x10) {
      const known = this.#strings[this.#unsigned(tag - 0x0e)];
      return known ?? this.#in.fail('a string that came before', start);
    }
    return this.#newString(tag - 0x11);
  }

  #newString(size: number): IgbinaryString {
    const text = this.#in.string(this.#unsigned(size));
    const string = { text, name: typeof text === 'string' ? text : nameFrom(text.bytes) };
    this.#strings.push(string);
    return string;
  }

  #className(tag: number, start: number): string {
    if (tag <= 0x19) return this.#newString(tag - 0x17).name;
    return this.#string(tag - 0x1a + 0x0e, start).name;
  }

  #array(count: number): PhpValue {
    const record = newRecord();
    this.#slots.push(record);
    this.#enter(count, record, undefined);
    return record;
  }

  #object(className: string): PhpValue {
    const start = this.#in.offset;
    const tag = this.#in.byte('properties');
    const listed = tag >= 0x14 && tag <= 0x16;
    const object = new PhpObject(className, newRecord(), listed);
    this.#slots.push(object);
    if (listed) this.#enter(this.#unsigned(tag - 0x14), object.properties, className);
    else if (tag >= 0x1d && tag <= 0x1f) {
      // A class that serializes itself: its content is its own affair.
      this.#in.take(this.#unsigned(tag - 0x1d));
    } else if (tag === 0x27) {
      // The case of an enum, by its name.
      object.properties.name = this.#string(this.#in.byte('the name of a case'), start).text;
    } else this.#in.fail('properties', start);
    return object;
  }

  #enter(count: number, record: PhpRecord, className: string | undefined): void {
    // The shortest entry is a property without a value.
    this.#in.checkElements(count, 1);
    this.#open = { record, className, left: count, outer: this.#open };
  }

  #slot(number: number, start: number): PhpValue {
    const value = this.#slots[number];
    return value === undefined ? this.#in.fail('a reference to an earlier value', start) : value;
  }

  /** Null stands for a typed property that was never set, and has no value. */
  #key(className: string | undefined): string | null {
    const start = this.#in.offset;
    const tag = this.#in.byte('a key');
    if (tag === 0x00) return null;
    if (tag < 0x0d || tag > 0x13) return String(this.#integer(tag, start));
    const string = this.#string(tag, start);
    const { name } = string;
    if (className !== undefined) {
      if (string.isProperty) return name;
      if (className !== 'stdClass') string.isProperty = true;
      return this.#in.property(name, className);
    }
    // PHP would keep it as a string, under which no code finds it.
    return isIntegerKey(name) ? this.#in.fail('an integer as a key', start) : name;
  }
}

export function decodeIgbinary(bytes: Buffer): PhpValue {
  const reader = new Reader(bytes);
  if (bytes.length < 4 || ![1, 2].includes(bytes.readUInt32BE()))
    throw new FormatError('expected igbinary version 1 or 2 at byte 0');
  reader.offset = 4;
  // ext-igbinary ignores bytes behind the value.
  const value = new IgbinaryDecoder(reader).value();
  // Neither an object nor a reference to an array.
  return isRecord(value) && bytes[4] !== 0x25 ? variables(value) : reader.fail('an array', 4);
}

import { Reader } from './reader.ts';
import {
  dropIntegerNames,
  FormatError,
  isIntegerKey,
  isRecord,
  newRecord,
  PhpFloat,
  PhpObject,
  type PhpRecord,
  type PhpValue,
  putEntry,
  toName,
} from './value.ts';

interface IgbinaryString {
  readonly text: PhpValue;
  readonly name: string;
  /** Set after `name` was accepted as a property name. A long name may be used many times. */
  isProperty?: true;
}

/** An array or an object with unread entries. */
interface Container {
  readonly record: PhpRecord;
  /** The class name of an object. */
  readonly className: string | undefined;
  unreadCount: number;
  readonly outer: Container | undefined;
}

/**
 * Decodes igbinary versions 1 and 2 (igbinary.c). A value is a tag with big-endian data. Repeated strings are indexes into
 * a table of all strings. Arrays, objects and values wrapped as references are also numbered.
 *
 * The decoder does not recurse, because igbinary does not limit the depth. Of a duplicate key, such as a property that
 * `__sleep()` names twice, the last value counts.
 */
class IgbinaryDecoder {
  readonly #reader: Reader;
  readonly #strings: IgbinaryString[] = [];
  readonly #slots: PhpValue[] = [];
  #open: Container | undefined;

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  decode(): PhpValue {
    const value = this.#startValue();
    for (let open = this.#open; open !== undefined; open = this.#open) {
      if (open.unreadCount-- === 0) {
        this.#open = open.outer;
        continue;
      }
      const key = this.#readKey(open.className);
      if (key !== null) putEntry(open.record, key, this.#startValue());
    }
    return value;
  }

  /** Returns a scalar, or opens an array or object whose entries `decode` reads. */
  #startValue(): PhpValue {
    const start = this.#reader.offset;
    let tag = this.#reader.readByte('a value');
    // A PHP reference wraps a value. Arrays and objects have a slot anyway, scalars only inside a reference.
    const isReference = tag === 0x25;
    while (tag === 0x25) tag = this.#reader.readByte('a value');
    if (tag >= 0x14 && tag <= 0x16) return this.#startArray(this.#readUnsigned(tag - 0x14));
    if (tag >= 0x17 && tag <= 0x1c) return this.#startObject(this.#readClassName(tag, start));
    if (tag >= 0x01 && tag <= 0x03) return this.#resolveSlot(this.#readUnsigned(tag - 0x01), start);
    if (tag >= 0x22 && tag <= 0x24) return this.#resolveSlot(this.#readUnsigned(tag - 0x22), start);
    const value = this.#readScalar(tag, start);
    if (isReference) this.#slots.push(value);
    return value;
  }

  #readScalar(tag: number, start: number): PhpValue {
    if (tag >= 0x0d && tag <= 0x13) return this.#readString(tag, start).text;
    switch (tag) {
      case 0x00:
        return null;
      case 0x04:
        return false;
      case 0x05:
        return true;
      case 0x0c:
        return new PhpFloat(this.#reader.readBytes(8).readDoubleBE());
      default:
        return this.#readInteger(tag, start);
    }
  }

  /** Reads 1, 2 or 4 bytes for `size` 0, 1 or 2. */
  #readUnsigned(size: number): number {
    const bytes = this.#reader.readBytes(1 << size);
    return bytes.readUIntBE(0, bytes.length);
  }

  #readInteger(tag: number, start: number): number | bigint {
    if (tag === 0x20 || tag === 0x21) {
      const value = this.#reader.readBytes(8).readBigUInt64BE();
      const exact = tag === 0x20 ? value : -value;
      if (BigInt.asIntN(64, exact) !== exact) this.#reader.fail('an integer of 64 bits', start);
      return Number.isSafeInteger(Number(exact)) ? Number(exact) : exact;
    }
    if (tag < 0x06 || tag > 0x0b) return this.#reader.fail('a value', start);
    const value = this.#readUnsigned((tag - 0x06) >> 1);
    return tag % 2 === 0 ? value : -value;
  }

  #readString(tag: number, start: number): IgbinaryString {
    if (tag < 0x0d || tag > 0x13) this.#reader.fail('a string', start);
    if (tag === 0x0d) return { text: '', name: '' };
    if (tag <= 0x10) {
      const string = this.#strings[this.#readUnsigned(tag - 0x0e)];
      return string ?? this.#reader.fail('an earlier string', start);
    }
    return this.#addString(tag - 0x11);
  }

  #addString(size: number): IgbinaryString {
    const text = this.#reader.readString(this.#readUnsigned(size));
    const string = { text, name: typeof text === 'string' ? text : toName(text.bytes) };
    this.#strings.push(string);
    return string;
  }

  #readClassName(tag: number, start: number): string {
    if (tag <= 0x19) return this.#addString(tag - 0x17).name;
    return this.#readString(tag - 0x1a + 0x0e, start).name;
  }

  #startArray(count: number): PhpValue {
    const record = newRecord();
    this.#slots.push(record);
    this.#openContainer(count, record, undefined);
    return record;
  }

  #startObject(className: string): PhpValue {
    const start = this.#reader.offset;
    const tag = this.#reader.readByte('properties');
    const hasProperties = tag >= 0x14 && tag <= 0x16;
    const object = new PhpObject(className, newRecord(), hasProperties);
    this.#slots.push(object);
    if (hasProperties) this.#openContainer(this.#readUnsigned(tag - 0x14), object.properties, className);
    else if (tag >= 0x1d && tag <= 0x1f) {
      // Data of a class that serializes itself.
      this.#reader.readBytes(this.#readUnsigned(tag - 0x1d));
    } else if (tag === 0x27) {
      // An enum case.
      object.properties.name = this.#readString(this.#reader.readByte('the name of a case'), start).text;
    } else this.#reader.fail('properties', start);
    return object;
  }

  #openContainer(count: number, record: PhpRecord, className: string | undefined): void {
    // The shortest entry is an uninitialized property.
    this.#reader.checkElements(count, 1);
    this.#open = { record, className, unreadCount: count, outer: this.#open };
  }

  #resolveSlot(number: number, start: number): PhpValue {
    const value = this.#slots[number];
    return value === undefined ? this.#reader.fail('a reference to an earlier value', start) : value;
  }

  /** Returns null for an uninitialized typed property, which has no value. */
  #readKey(className: string | undefined): string | null {
    const start = this.#reader.offset;
    const tag = this.#reader.readByte('a key');
    if (tag === 0x00) return null;
    if (tag < 0x0d || tag > 0x13) return String(this.#readInteger(tag, start));
    const string = this.#readString(tag, start);
    const { name } = string;
    if (className !== undefined) {
      if (string.isProperty) return name;
      if (className !== 'stdClass') string.isProperty = true;
      return this.#reader.checkPropertyName(name, className);
    }
    // PHP would store the integer as a string key, which PHP code cannot read.
    return isIntegerKey(name) ? this.#reader.fail('an integer as a key', start) : name;
  }
}

export function decodeIgbinary(bytes: Buffer): PhpValue {
  const reader = new Reader(bytes);
  if (bytes.length < 4 || ![1, 2].includes(bytes.readUInt32BE()))
    throw new FormatError('expected igbinary version 1 or 2 at byte 0');
  reader.offset = 4;
  // The session handler of ext-igbinary ignores trailing bytes.
  const value = new IgbinaryDecoder(reader).decode();
  // PHP writes an array, and rejects a reference to an array.
  return isRecord(value) && bytes[4] !== 0x25 ? dropIntegerNames(value) : reader.fail('an array', 4);
}

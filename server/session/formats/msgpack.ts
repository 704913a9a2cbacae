import { propertyName, Reader } from './reader.ts';
import {
  isRecord,
  newRecord,
  PhpBytes,
  PhpFloat,
  PhpObject,
  type PhpRecord,
  type PhpValue,
} from './value.ts';

/** What stands under the key nil at the beginning of a map (`MSGPACK_SERIALIZE_TYPE_…` in msgpack_pack.h). */
const markers = { reference: 1, recursive: 2, custom: 3, object: 4, objectReference: 5 };

/**
 * Decodes what ext-msgpack writes: MessagePack, in which a map that begins with the key nil is not an array but
 * says under it what it is: the name of an object's class, or one of the markers.
 */
class MsgpackDecoder {
  readonly #in: Reader;
  /** Arrays and objects in the order in which they begin; references point to them by number, from 1. */
  readonly #slots: PhpValue[] = [];

  constructor(reader: Reader) {
    this.#in = reader;
  }

  value(): PhpValue {
    const start = this.#in.offset;
    const tag = this.#in.byte('a value');
    if (tag <= 0x7f) return tag;
    if (tag <= 0x8f) return this.#map(tag & 0x0f);
    if (tag <= 0x9f) return this.#list(tag & 0x0f);
    if (tag <= 0xbf) return this.#in.string(tag & 0x1f);
    if (tag >= 0xe0) return tag - 0x100;
    switch (tag) {
      case 0xc0:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return this.#in.string(this.#unsigned(1 << (tag - 0xc4)));
      case 0xca:
        return new PhpFloat(this.#in.take(4).readFloatBE());
      case 0xcb:
        return new PhpFloat(this.#in.take(8).readDoubleBE());
      case 0xcc:
      case 0xcd:
      case 0xce:
        return this.#unsigned(1 << (tag - 0xcc));
      case 0xcf:
        return safe(this.#in.take(8).readBigUInt64BE());
      case 0xd0:
      case 0xd1:
      case 0xd2: {
        const bytes = this.#in.take(1 << (tag - 0xd0));
        return bytes.readIntBE(0, bytes.length);
      }
      case 0xd3:
        return safe(this.#in.take(8).readBigInt64BE());
      case 0xd9:
      case 0xda:
      case 0xdb:
        return this.#in.string(this.#unsigned(1 << (tag - 0xd9)));
      case 0xdc:
      case 0xdd:
        return this.#list(this.#unsigned(tag === 0xdc ? 2 : 4));
      case 0xde:
      case 0xdf:
        return this.#map(this.#unsigned(tag === 0xde ? 2 : 4));
      default:
        return this.#in.fail('a value', start);
    }
  }

  #unsigned(length: number): number {
    return this.#in.take(length).readUIntBE(0, length);
  }

  #list(count: number): PhpValue {
    this.#in.checkElements(count, 1);
    // At its full length: one that grows is copied, and gets room that it does not need.
    const list = new Array<PhpValue>(count);
    this.#slots.push(list);
    this.#in.enter();
    for (let n = 0; n < count; n++) list[n] = this.value();
    this.#in.leave();
    return list;
  }

  #map(count: number): PhpValue {
    this.#in.enter();
    const value = this.#mapped(count);
    this.#in.leave();
    return value;
  }

  #mapped(count: number): PhpValue {
    this.#in.checkElements(count, 2);
    if (count === 0 || this.#in.bytes[this.#in.offset] !== 0xc0) {
      const record = newRecord();
      this.#slots.push(record);
      return this.#entries(count, record, (key) => key);
    }
    const start = this.#in.offset++;
    const marker = this.value();
    if (typeof marker === 'string') return this.#object(marker, count - 1);
    if (marker === markers.reference) {
      const record = newRecord();
      this.#slots.push(record);
      return this.#entries(count - 1, record, (key) => key);
    }
    if (marker === markers.custom) return this.#custom(count - 1);
    if (marker === markers.recursive || marker === markers.object || marker === markers.objectReference) {
      return this.#reference(count - 1, start);
    }
    return this.#in.fail('a class or a marker', start);
  }

  #object(className: string, count: number): PhpValue {
    const object = new PhpObject(className);
    this.#slots.push(object);
    if (count === 1 && this.#in.bytes[this.#in.offset] === 0xc0) {
      // What `__serialize()` returned.
      this.#in.offset++;
      const state = this.value();
      if (Array.isArray(state)) object.properties = recordOf(state);
      else if (isRecord(state)) object.properties = state;
      return object;
    }
    this.#entries(count, object.properties, propertyName);
    return object;
  }

  #custom(count: number): PhpValue {
    if (count !== 1) this.#in.fail('a class and its content');
    const object = new PhpObject(this.#key());
    this.#slots.push(object);
    this.value();
    return object;
  }

  #reference(count: number, start: number): PhpValue {
    if (count !== 1) this.#in.fail('the number of an earlier value');
    this.#key();
    const slot = this.value();
    const value = typeof slot === 'number' ? this.#slots[slot - 1] : undefined;
    return value === undefined ? this.#in.fail('a reference to an earlier value', start) : value;
  }

  #entries<T extends PhpRecord>(count: number, record: T, nameOf: (key: string) => string): T {
    for (let n = 0; n < count; n++) (record as PhpRecord)[nameOf(this.#key())] = this.value();
    return record;
  }

  #key(): string {
    const start = this.#in.offset;
    const key = this.value();
    if (typeof key === 'string') return key;
    if (typeof key === 'number' || typeof key === 'bigint') return String(key);
    if (key instanceof PhpBytes) return key.bytes.toString('latin1');
    return this.#in.fail('a key', start);
  }
}

function recordOf(list: PhpValue[]): PhpRecord {
  return Object.assign(newRecord(), list);
}

function safe(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

export function decodeMsgpack(bytes: Buffer): PhpValue {
  const reader = new Reader(bytes);
  const value = new MsgpackDecoder(reader).value();
  if (reader.left > 0) reader.fail('the end');
  return value;
}

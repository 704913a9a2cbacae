import { Reader } from './reader.ts';
import {
  isRecord,
  nameFrom,
  newRecord,
  PhpBytes,
  PhpFloat,
  PhpObject,
  type PhpRecord,
  type PhpValue,
  variables,
} from './value.ts';

/** Values of the key nil at the beginning of a map (`MSGPACK_SERIALIZE_TYPE_…` in msgpack_pack.h). */
const markers = { reference: 1, recursive: 2, custom: 3, object: 4, objectReference: 5 };

const noProperties = Object.freeze(newRecord());

type Slots = (PhpValue | undefined)[];

/**
 * Decodes what ext-msgpack writes: MessagePack, in which a map that begins with the key nil is not an array but
 * says under it what it is: the name of an object's class, or one of the markers.
 */
class MsgpackDecoder {
  readonly #in: Reader;
  /**
   * All lists and maps, those that are references too, in the order in which they begin. A reference has the number of
   * one of them, from 1. Undefined is one that PHP does not have yet, or has no longer.
   */
  readonly #slots: Slots = [];
  /** How many entries the map has that began last. */
  #begun = 0;

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
        return unsigned(this.#in.take(8).readBigUInt64BE());
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
    const slot = this.#newSlot();
    // At its full length: one that grows is copied, and gets room that it does not need.
    const list = new Array<PhpValue>(count);
    this.#in.enter();
    for (let n = 0; n < count; n++) list[n] = this.value();
    this.#in.leave();
    this.#slots[slot] = list;
    return list;
  }

  #map(count: number): PhpValue {
    this.#in.checkElements(count, 2);
    const slot = this.#newSlot();
    this.#begun = count;
    this.#in.enter();
    const value = this.#mapped(count, slot);
    this.#in.leave();
    this.#slots[slot] = value;
    return value;
  }

  #mapped(count: number, slot: number): PhpValue {
    // That is what PHP makes of it. An array without elements is written as a list.
    if (count === 0) return new PhpObject('stdClass', noProperties);
    if (!this.#nil()) return this.#entries(count, newRecord());
    const start = this.#in.offset;
    const marker = this.value();
    if (typeof marker === 'string' || marker instanceof PhpBytes) {
      return this.#object(this.#named(marker, start), count - 1, slot);
    }
    if (count === 1) this.#in.fail('what is marked', start);
    switch (marker) {
      case markers.reference:
        if (this.#nil()) return this.#properties(count - 2, this.#begin(slot, new PhpObject(this.#name())));
        return this.#entries(count - 1, this.#begin(slot, newRecord()));
      case markers.custom:
        return this.#custom(count - 1);
      case markers.recursive:
      case markers.object:
      case markers.objectReference:
        return this.#again(count - 1, start);
      default:
        return this.#in.fail('a class or a marker', start);
    }
  }

  #object(className: string, count: number, slot: number): PhpObject {
    const object = this.#begin(slot, new PhpObject(className));
    if (count !== 1 || !this.#nil()) return this.#properties(count, object);
    // The value that `__serialize()` returned.
    const start = this.#in.offset;
    const state = this.value();
    if (Array.isArray(state)) object.properties = Object.assign(newRecord(), state);
    else if (isRecord(state)) object.properties = state;
    else this.#in.fail('an array', start);
    // Unless the class keeps it as it is, PHP frees it, and a reference to a part of it reads freed memory.
    this.#slots.fill(undefined, slot + 1);
    return object;
  }

  #custom(count: number): PhpObject {
    if (count !== 1) this.#in.fail('a class and its content');
    const object = new PhpObject(this.#name(), newRecord(), false);
    this.#name();
    return object;
  }

  /** An earlier value once more. */
  #again(count: number, start: number): PhpValue {
    if (count !== 1) this.#in.fail('the number of an earlier value', start);
    this.#key();
    const number = this.value();
    const value = typeof number === 'number' ? this.#slots[number - 1] : undefined;
    return value ?? this.#in.fail('a reference to an earlier value', start);
  }

  #entries(count: number, record: PhpRecord): PhpRecord {
    const places = placesFor(count, this.#slots);
    for (let n = 0; n < count; n++) {
      const key = this.#key();
      const slot = this.#slots.length;
      record[key] = this.value();
      if (places === null) continue;
      // PHP makes room for as many as the map has that began last, which may be one in the first value.
      if (n === 0) places.room = roomFor(this.#begun);
      places.take(n, slot);
    }
    this.#in.checkKeys(record, count);
    return record;
  }

  #properties(count: number, object: PhpObject): PhpObject {
    const { className, properties } = object;
    // Properties that a class declares have places of their own.
    const places = className === 'stdClass' ? placesFor(count, this.#slots) : null;
    for (let n = 0; n < count; n++) {
      const name = this.#in.property(this.#name());
      const slot = this.#slots.length;
      properties[name] = this.value();
      places?.take(n, slot);
    }
    this.#in.checkKeys(properties, count);
    return object;
  }

  #newSlot(): number {
    return this.#slots.push(undefined) - 1;
  }

  /** Of a value that may lie within itself. The session as a whole may not: PHP takes its variables out of it. */
  #begin<T extends PhpRecord | PhpObject>(slot: number, value: T): T {
    if (slot > 0) this.#slots[slot] = value;
    return value;
  }

  /** Whether the key nil comes next, and past it. */
  #nil(): boolean {
    const comes = this.#in.bytes[this.#in.offset] === 0xc0;
    if (comes) this.#in.offset++;
    return comes;
  }

  #key(): string {
    const start = this.#in.offset;
    const key = this.value();
    if (typeof key === 'number' || typeof key === 'bigint') return String(key);
    return this.#named(key, start);
  }

  #name(): string {
    const start = this.#in.offset;
    return this.#named(this.value(), start);
  }

  #named(name: PhpValue, start: number): string {
    if (name instanceof PhpBytes) return nameFrom(name.bytes);
    return typeof name === 'string' ? name : this.#in.fail('a name', start);
  }
}

/**
 * Where ext-msgpack puts the values of one array or object, and where references look for them. When there is no room
 * for the next value it moves all of them, and a reference to one that was moved reads freed memory.
 */
class Places {
  room = roomFor(0);
  readonly #all: Slots;
  readonly #taken: number[] = [];

  constructor(all: Slots) {
    this.#all = all;
  }

  /** The next of the values was put there. If it has a slot, that is the first since `slot`. */
  take(n: number, slot: number): void {
    if (n === this.room) {
      for (const moved of this.#taken.splice(0)) this.#all[moved] = undefined;
      this.room *= 2;
    }
    if (this.#all.length > slot) this.#taken.push(slot);
  }
}

/** Null for so few values that there is room for them in any case. */
function placesFor(count: number, slots: Slots): Places | null {
  return count > roomFor(0) ? new Places(slots) : null;
}

/** `zend_hash_check_size` */
function roomFor(count: number): number {
  return 2 ** Math.max(3, Math.ceil(Math.log2(count)));
}

/** PHP makes a string of what is too large for its integers. */
function unsigned(value: bigint): number | bigint | string {
  return BigInt.asIntN(64, value) === value ? safe(value) : String(value);
}

function safe(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

export function decodeMsgpack(bytes: Buffer): PhpValue {
  const reader = new Reader(bytes);
  const value = new MsgpackDecoder(reader).value();
  if (reader.left > 0) reader.fail('the end');
  if (isRecord(value)) return variables(value);
  // All its keys are integers.
  return Array.isArray(value) ? newRecord() : reader.fail('an array', 0);
}

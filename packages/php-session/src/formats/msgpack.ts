import { decodeWithKeys, Reader } from './reader.ts';
import {
  dropIntegerNames,
  isRecord,
  newRecord,
  PhpBytes,
  PhpFloat,
  PhpObject,
  type PhpRecord,
  type PhpValue,
  putEntry,
  toName,
} from './value.ts';

/** The values under the key nil at the start of a map (`MSGPACK_SERIALIZE_TYPE_…` in msgpack_pack.h). */
const markers = { reference: 1, recursive: 2, custom: 3, object: 4, objectReference: 5 };

/** `MSGPACK_EMBED_STACK_SIZE` in msgpack_unpack.h. PHP rejects a session with more levels. */
const maxDepth = 1024;

const noProperties = Object.freeze(newRecord());

/** A list or a map with unread values. */
interface Container {
  /** `state` is an object whose content is the result of `__serialize()`. */
  readonly kind: 'list' | 'array' | 'object' | 'state';
  readonly value: PhpValue[] | PhpRecord | PhpObject;
  readonly slot: number;
  readonly count: number;
  unreadCount: number;
  state: PhpValue;
  readonly table: ValueTable | undefined;
  readonly outer: Container | undefined;
}

/**
 * Decodes the MessagePack of ext-msgpack. If the first key of a map is nil, the value is the class name of an object, or a
 * marker. Other maps are arrays.
 */
class MsgpackDecoder {
  readonly #reader: Reader;
  readonly #trackKeys: boolean;
  readonly #slots = new Slots();
  #open: Container | undefined;
  /** The number of entries of the map that was started last. */
  #lastMapSize = 0;

  constructor(reader: Reader, trackKeys: boolean) {
    this.#reader = reader;
    this.#trackKeys = trackKeys;
  }

  decode(): PhpValue {
    const value = this.#startValue();
    for (let open = this.#open; open !== undefined; open = this.#open) {
      open.table?.complete(this.#lastMapSize);
      if (open.kind === 'list') this.#readValues(open);
      else if (open.kind === 'array') this.#readEntries(open);
      else if (open.kind === 'object') this.#readProperties(open);
      else this.#readState(open);
      if (this.#open === open) this.#closeContainer(open);
    }
    return value;
  }

  /** Returns a scalar, or opens a list or map whose values `decode` reads. */
  #startValue(): PhpValue {
    const start = this.#reader.offset;
    const tag = this.#reader.readByte('a value');
    if (tag <= 0x7f) return tag;
    if (tag <= 0x8f) return this.#startMap(tag & 0x0f);
    if (tag <= 0x9f) return this.#startList(tag & 0x0f);
    if (tag < 0xdc || tag > 0xdf) return this.#decodeScalar(tag, start, 'a value');
    const count = this.#readUnsigned(tag % 2 === 0 ? 2 : 4);
    return tag <= 0xdd ? this.#startList(count) : this.#startMap(count);
  }

  /** Rejects lists and maps. */
  #readScalar(expected: string): PhpValue {
    const start = this.#reader.offset;
    return this.#decodeScalar(this.#reader.readByte(expected), start, expected);
  }

  #decodeScalar(tag: number, start: number, expected: string): PhpValue {
    if (tag <= 0x7f) return tag;
    if (tag >= 0xa0 && tag <= 0xbf) return this.#reader.readString(tag & 0x1f);
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
        return this.#reader.readString(this.#readUnsigned(1 << (tag - 0xc4)));
      case 0xca:
        return new PhpFloat(this.#reader.readBytes(4).readFloatBE());
      case 0xcb:
        return new PhpFloat(this.#reader.readBytes(8).readDoubleBE());
      case 0xcc:
      case 0xcd:
      case 0xce:
        return this.#readUnsigned(1 << (tag - 0xcc));
      case 0xcf:
        return toUnsigned(this.#reader.readBytes(8).readBigUInt64BE());
      case 0xd0:
      case 0xd1:
      case 0xd2: {
        const bytes = this.#reader.readBytes(1 << (tag - 0xd0));
        return bytes.readIntBE(0, bytes.length);
      }
      case 0xd3:
        return toInteger(this.#reader.readBytes(8).readBigInt64BE());
      case 0xd9:
      case 0xda:
      case 0xdb:
        return this.#reader.readString(this.#readUnsigned(1 << (tag - 0xd9)));
      default:
        return this.#reader.fail(expected, start);
    }
  }

  #isNextScalar(): boolean {
    const tag = this.#reader.bytes[this.#reader.offset] ?? 0;
    return tag < 0x80 || (tag > 0x9f && (tag < 0xdc || tag > 0xdf));
  }

  #readUnsigned(length: number): number {
    return this.#reader.readBytes(length).readUIntBE(0, length);
  }

  #startList(count: number): PhpValue {
    this.#reader.checkElements(count, 1);
    const slot = this.#slots.all.push(undefined) - 1;
    this.#reader.enter(maxDepth, 'ext-msgpack');
    // The list is allocated at full length, because growing would copy it and waste memory.
    const list = new Array<PhpValue>(count);
    let n = 0;
    while (n < count && this.#isNextScalar()) list[n++] = this.#startValue();
    if (n === count) return this.#finish(slot, list);
    return this.#openContainer('list', list, slot, count, count - n);
  }

  #startMap(count: number): PhpValue {
    this.#reader.checkElements(count, 2);
    const slot = this.#slots.all.push(undefined) - 1;
    this.#reader.enter(maxDepth, 'ext-msgpack');
    this.#lastMapSize = count;
    // PHP writes an empty array as a list, and decodes an empty map as an object.
    if (count === 0) return this.#finish(slot, new PhpObject('stdClass', noProperties));
    if (!this.#skipNil()) return this.#openContainer('array', newRecord(), slot, count);
    const start = this.#reader.offset;
    const marker = this.#readScalar('a class or a marker');
    if (typeof marker === 'string' || marker instanceof PhpBytes) {
      return this.#startObject(this.#toName(marker, start), count - 1, slot);
    }
    if (count === 1) this.#reader.fail('a value after the marker', start);
    switch (marker) {
      case markers.reference: {
        const isObject = this.#skipNil();
        const value = this.#exposeSlot(slot, isObject ? new PhpObject(this.#readName()) : newRecord());
        return this.#openContainer(isObject ? 'object' : 'array', value, slot, count - (isObject ? 2 : 1));
      }
      case markers.custom:
        return this.#finish(slot, this.#readCustom(count - 1));
      case markers.recursive:
      case markers.object:
      case markers.objectReference:
        return this.#finish(slot, this.#resolveReference(count - 1, start));
      default:
        return this.#reader.fail('a class or a marker', start);
    }
  }

  #startObject(className: string, count: number, slot: number): PhpValue {
    const object = this.#exposeSlot(slot, new PhpObject(className));
    const kind = count === 1 && this.#skipNil() ? 'state' : 'object';
    return this.#openContainer(kind, object, slot, count);
  }

  #readCustom(count: number): PhpObject {
    if (count !== 1) this.#reader.fail('a class and its content');
    const object = new PhpObject(this.#readName(), newRecord(), false);
    this.#readName();
    return object;
  }

  #resolveReference(count: number, start: number): PhpValue {
    if (count !== 1) this.#reader.fail('the number of an earlier value', start);
    this.#readKey();
    const number = this.#readScalar('the number of an earlier value');
    const value = typeof number === 'number' ? this.#slots.all[number - 1] : undefined;
    if (value !== undefined) return value;
    const explanation =
      typeof number === 'number' && number > 0 && number <= this.#slots.all.length
        ? 'ext-msgpack reads freed memory for one of its references, so PHP may get any value'
        : undefined;
    return this.#reader.fail('a reference to an earlier value', start, explanation);
  }

  #openContainer<T extends Container['value']>(
    kind: Container['kind'],
    value: T,
    slot: number,
    count: number,
    unreadCount = count,
  ): T {
    if (count === 0) return this.#finish(slot, value);
    const isMap = kind === 'array' || kind === 'object';
    // PHP allocates at least `minCapacity` values, and stores declared properties in the object itself.
    const moves = count > minCapacity && (kind === 'array' || (isMap && isStdClass(value)));
    const table =
      moves || (isMap && this.#trackKeys)
        ? new ValueTable(this.#slots, toRecord(value), kind === 'array', moves, this.#trackKeys)
        : undefined;
    this.#open = { kind, value, slot, count, unreadCount, state: null, table, outer: this.#open };
    return value;
  }

  /** Stops after a value that opens another container. */
  #readValues(open: Container): void {
    const list = open.value as PhpValue[];
    while (open.unreadCount > 0 && this.#open === open)
      list[list.length - open.unreadCount--] = this.#startValue();
  }

  /** Stops after an entry that opens another container. */
  #readEntries(open: Container): void {
    const record = open.value as PhpRecord;
    const { table } = open;
    while (open.unreadCount > 0) {
      open.unreadCount--;
      const key = this.#readKey();
      table?.begin(key);
      putEntry(record, key, this.#startValue());
      if (this.#open !== open) return;
      table?.complete(this.#lastMapSize);
    }
  }

  /** Stops after a property that opens another container. */
  #readProperties(open: Container): void {
    const { properties } = open.value as PhpObject;
    const { table } = open;
    while (open.unreadCount > 0) {
      open.unreadCount--;
      const name = this.#reader.checkPropertyName(this.#readName(), '');
      table?.begin(name);
      putEntry(properties, name, this.#startValue());
      if (this.#open !== open) return;
      table?.complete(this.#lastMapSize);
    }
  }

  #readState(open: Container): void {
    if (open.unreadCount-- === 0) return;
    const start = this.#reader.offset;
    open.state = this.#startValue();
    if (!Array.isArray(open.state) && !isRecord(open.state)) this.#reader.fail('an array', start);
  }

  #closeContainer({ kind, value, slot, count, state, outer }: Container): void {
    if (kind === 'state') {
      const object = value as PhpObject;
      object.properties = Array.isArray(state) ? Object.assign(newRecord(), state) : (state as PhpRecord);
      // PHP frees the value unless the class keeps it. References to its parts then read freed memory.
      this.#slots.free(slot + 1, this.#slots.all.length);
    } else if (kind !== 'list' && !this.#trackKeys) this.#reader.checkKeys(toRecord(value), count);
    this.#finish(slot, value);
    this.#open = outer;
  }

  #finish<T extends PhpValue>(slot: number, value: T): T {
    this.#reader.leave();
    this.#slots.all[slot] = value;
    return value;
  }

  /** Lets a value contain itself. The session itself cannot, because PHP copies its variables. */
  #exposeSlot<T extends PhpRecord | PhpObject>(slot: number, value: T): T {
    if (slot > 0) this.#slots.all[slot] = value;
    return value;
  }

  /** Skips the next key if it is nil. @returns whether it was nil */
  #skipNil(): boolean {
    const isNil = this.#reader.bytes[this.#reader.offset] === 0xc0;
    if (isNil) this.#reader.offset++;
    return isNil;
  }

  #readKey(): string {
    const start = this.#reader.offset;
    const tag = this.#reader.bytes[start] ?? 0;
    if (tag >= 0xa0 && tag <= 0xbf) {
      this.#reader.offset++;
      return this.#reader.readName(tag & 0x1f);
    }
    const key = this.#readScalar('a name');
    if (typeof key === 'number' || typeof key === 'bigint') return String(key);
    return this.#toName(key, start);
  }

  #readName(): string {
    const start = this.#reader.offset;
    return this.#toName(this.#readScalar('a name'), start);
  }

  #toName(name: PhpValue, start: number): string {
    if (name instanceof PhpBytes) return toName(name.bytes);
    return typeof name === 'string' ? name : this.#reader.fail('a name', start);
  }
}

/**
 * All lists and maps, including references, in the order of their start. A reference is an index from 1. Undefined slots
 * are not decoded yet, or are freed by PHP.
 */
class Slots {
  readonly all: (PhpValue | undefined)[] = [];
  /** Freed ranges of slots: first slot → slot after the range. */
  readonly #freed = new Map<number, number>();

  free(from: number, to: number): void {
    for (let at = from; at < to; at = this.#freed.get(at) ?? at + 1) this.all[at] = undefined;
    if (to > from) this.#freed.set(from, to);
  }
}

/**
 * Simulates the hash table of one array or object in ext-msgpack. When the table is full, PHP moves all values. A
 * reference to a moved value, or to the first value of a duplicate key, reads freed memory.
 */
class ValueTable {
  readonly #slots: Slots;
  readonly #record: PhpRecord;
  readonly #isArray: boolean;
  readonly #moves: boolean;
  /** The value and its slots, by key. */
  readonly #valueByKey: Map<string, { value: PhpValue; from: number; to: number }> | undefined;
  readonly #storedSlots: number[] = [];
  #count = 0;
  #capacity = minCapacity;
  #key = '';
  /** The first slot of the incomplete value; -1 if all values are complete. */
  #firstSlot = -1;

  constructor(slots: Slots, record: PhpRecord, isArray: boolean, moves: boolean, trackKeys: boolean) {
    this.#slots = slots;
    this.#record = record;
    this.#isArray = isArray;
    this.#moves = moves;
    this.#valueByKey = trackKeys ? new Map() : undefined;
  }

  begin(key: string): void {
    this.#key = key;
    this.#firstSlot = this.#slots.all.length;
  }

  /** Completes the value of the last `begin`. @param lastMapSize the number of entries of the latest map */
  complete(lastMapSize: number): void {
    const [from, to] = [this.#firstSlot, this.#slots.all.length];
    if (from === -1) return;
    this.#firstSlot = -1;
    const value = this.#record[this.#key] as PhpValue;
    const previous = this.#valueByKey?.get(this.#key);
    if (previous === undefined) {
      this.#valueByKey?.set(this.#key, { value, from, to });
      if (this.#moves) this.#store(lastMapSize, from);
      return;
    }
    if (previous.value !== value) {
      this.#slots.free(previous.from, previous.to);
      Object.assign(previous, { value, from });
    }
    previous.to = to;
  }

  /** Adds a value. If the value has a slot, it is `from`. */
  #store(lastMapSize: number, from: number): void {
    // PHP uses the size of the latest map, which may be a map inside the first value.
    if (this.#isArray && this.#count === 0) this.#capacity = toCapacity(lastMapSize);
    if (this.#count === this.#capacity) {
      for (const moved of this.#storedSlots.splice(0)) this.#slots.all[moved] = undefined;
      this.#capacity *= 2;
    }
    this.#count++;
    if (this.#slots.all.length > from) this.#storedSlots.push(from);
  }
}

/** `HT_MIN_SIZE` */
const minCapacity = 8;

/** `zend_hash_check_size` */
const toCapacity = (count: number): number => Math.max(minCapacity, 2 ** Math.ceil(Math.log2(count)));

/** Converts an unsigned integer like PHP, which converts integers that are too large to strings. */
function toUnsigned(value: bigint): number | bigint | string {
  return BigInt.asIntN(64, value) === value ? toInteger(value) : String(value);
}

function toInteger(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

const toRecord = (value: Container['value']): PhpRecord =>
  value instanceof PhpObject ? value.properties : (value as PhpRecord);

const isStdClass = (value: Container['value']): boolean =>
  value instanceof PhpObject && value.className === 'stdClass';

export const decodeMsgpack = (bytes: Buffer): PhpValue =>
  decodeWithKeys((trackKeys) => {
    const reader = new Reader(bytes);
    // ext-msgpack ignores trailing bytes.
    const value = new MsgpackDecoder(reader, trackKeys).decode();
    if (isRecord(value)) return dropIntegerNames(value);
    // All keys of a list are integers, which are not variables.
    return Array.isArray(value) ? newRecord() : reader.fail('an array', 0);
  });

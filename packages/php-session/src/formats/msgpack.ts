import { decodeWithKeys, Reader } from './reader.ts';
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

/** `MSGPACK_EMBED_STACK_SIZE` in msgpack_unpack.h: of a session with more levels PHP reads nothing. */
const maxDepth = 1024;

const noProperties = Object.freeze(newRecord());

/** A list or a map whose values are being read. */
interface Container {
  /** `state`: an object that PHP makes of the one value that `__serialize()` returned. */
  readonly kind: 'list' | 'array' | 'object' | 'state';
  readonly value: PhpValue[] | PhpRecord | PhpObject;
  readonly slot: number;
  readonly count: number;
  left: number;
  state: PhpValue;
  readonly places: Places | undefined;
  readonly outer: Container | undefined;
}

/**
 * Decodes what ext-msgpack writes: MessagePack, in which a map that begins with the key nil is not an array but
 * says under it what it is: the name of an object's class, or one of the markers.
 */
class MsgpackDecoder {
  readonly #in: Reader;
  readonly #keepKeys: boolean;
  readonly #slots = new Slots();
  #open: Container | undefined;
  /** How many entries the map has that began last. */
  #begun = 0;

  constructor(reader: Reader, keepKeys: boolean) {
    this.#in = reader;
    this.#keepKeys = keepKeys;
  }

  value(): PhpValue {
    const value = this.#begin();
    for (let open = this.#open; open !== undefined; open = this.#open) {
      open.places?.complete(this.#begun);
      if (open.kind === 'list') this.#values(open);
      else if (open.kind === 'array') this.#entries(open);
      else if (open.kind === 'object') this.#properties(open);
      else this.#state(open);
      if (this.#open === open) this.#close(open);
    }
    return value;
  }

  /** A scalar, or a list or map without its values, which `value` reads. */
  #begin(): PhpValue {
    const start = this.#in.offset;
    const tag = this.#in.byte('a value');
    if (tag <= 0x7f) return tag;
    if (tag <= 0x8f) return this.#map(tag & 0x0f);
    if (tag <= 0x9f) return this.#list(tag & 0x0f);
    if (tag < 0xdc || tag > 0xdf) return this.#scalar(tag, start, 'a value');
    const count = this.#unsigned(tag % 2 === 0 ? 2 : 4);
    return tag <= 0xdd ? this.#list(count) : this.#map(count);
  }

  /** A value that is neither a list nor a map. */
  #next(expected: string): PhpValue {
    const start = this.#in.offset;
    return this.#scalar(this.#in.byte(expected), start, expected);
  }

  #scalar(tag: number, start: number, expected: string): PhpValue {
    if (tag <= 0x7f) return tag;
    if (tag >= 0xa0 && tag <= 0xbf) return this.#in.string(tag & 0x1f);
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
      default:
        return this.#in.fail(expected, start);
    }
  }

  #isScalar(): boolean {
    const tag = this.#in.bytes[this.#in.offset] ?? 0;
    return tag < 0x80 || (tag > 0x9f && (tag < 0xdc || tag > 0xdf));
  }

  #unsigned(length: number): number {
    return this.#in.take(length).readUIntBE(0, length);
  }

  #list(count: number): PhpValue {
    this.#in.checkElements(count, 1);
    const slot = this.#slots.all.push(undefined) - 1;
    this.#in.enter(maxDepth, 'ext-msgpack');
    // At its full length: one that grows is copied, and gets room that it does not need.
    const list = new Array<PhpValue>(count);
    let n = 0;
    while (n < count && this.#isScalar()) list[n++] = this.#begin();
    if (n === count) return this.#end(slot, list);
    return this.#enter('list', list, slot, count, count - n);
  }

  #map(count: number): PhpValue {
    this.#in.checkElements(count, 2);
    const slot = this.#slots.all.push(undefined) - 1;
    this.#in.enter(maxDepth, 'ext-msgpack');
    this.#begun = count;
    // That is what PHP makes of it. An array without elements is written as a list.
    if (count === 0) return this.#end(slot, new PhpObject('stdClass', noProperties));
    if (!this.#nil()) return this.#enter('array', newRecord(), slot, count);
    const start = this.#in.offset;
    const marker = this.#next('a class or a marker');
    if (typeof marker === 'string' || marker instanceof PhpBytes) {
      return this.#object(this.#named(marker, start), count - 1, slot);
    }
    if (count === 1) this.#in.fail('what is marked', start);
    switch (marker) {
      case markers.reference: {
        const isObject = this.#nil();
        const value = this.#visible(slot, isObject ? new PhpObject(this.#name()) : newRecord());
        return this.#enter(isObject ? 'object' : 'array', value, slot, count - (isObject ? 2 : 1));
      }
      case markers.custom:
        return this.#end(slot, this.#custom(count - 1));
      case markers.recursive:
      case markers.object:
      case markers.objectReference:
        return this.#end(slot, this.#again(count - 1, start));
      default:
        return this.#in.fail('a class or a marker', start);
    }
  }

  #object(className: string, count: number, slot: number): PhpValue {
    const object = this.#visible(slot, new PhpObject(className));
    const kind = count === 1 && this.#nil() ? 'state' : 'object';
    return this.#enter(kind, object, slot, count);
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
    const number = this.#next('the number of an earlier value');
    const value = typeof number === 'number' ? this.#slots.all[number - 1] : undefined;
    if (value !== undefined) return value;
    const explanation =
      typeof number === 'number' && number > 0 && number <= this.#slots.all.length
        ? 'it has a reference for which ext-msgpack reads freed memory, so PHP may find anything there'
        : undefined;
    return this.#in.fail('a reference to an earlier value', start, explanation);
  }

  #enter<T extends Container['value']>(
    kind: Container['kind'],
    value: T,
    slot: number,
    count: number,
    left = count,
  ): T {
    if (count === 0) return this.#end(slot, value);
    const isMap = kind === 'array' || kind === 'object';
    // There is room for a few values in any case, and properties that a class declares have places of their own.
    const moves = count > minRoom && (kind === 'array' || (isMap && isStdClass(value)));
    const places =
      moves || (isMap && this.#keepKeys)
        ? new Places(this.#slots, recordOf(value), kind === 'array', moves, this.#keepKeys)
        : undefined;
    this.#open = { kind, value, slot, count, left, state: null, places, outer: this.#open };
    return value;
  }

  /** The values of a list up to one that is itself a list or a map. */
  #values(open: Container): void {
    const list = open.value as PhpValue[];
    while (open.left > 0 && this.#open === open) list[list.length - open.left--] = this.#begin();
  }

  /** The entries of an array up to one whose value is a list or a map. */
  #entries(open: Container): void {
    const record = open.value as PhpRecord;
    const { places } = open;
    while (open.left > 0) {
      open.left--;
      const key = this.#key();
      places?.begin(key);
      record[key] = this.#begin();
      if (this.#open !== open) return;
      places?.complete(this.#begun);
    }
  }

  /** The same of an object. */
  #properties(open: Container): void {
    const { properties } = open.value as PhpObject;
    const { places } = open;
    while (open.left > 0) {
      open.left--;
      const name = this.#in.property(this.#name(), '');
      places?.begin(name);
      properties[name] = this.#begin();
      if (this.#open !== open) return;
      places?.complete(this.#begun);
    }
  }

  #state(open: Container): void {
    if (open.left-- === 0) return;
    const start = this.#in.offset;
    open.state = this.#begin();
    if (!Array.isArray(open.state) && !isRecord(open.state)) this.#in.fail('an array', start);
  }

  #close({ kind, value, slot, count, state, outer }: Container): void {
    if (kind === 'state') {
      const object = value as PhpObject;
      object.properties = Array.isArray(state) ? Object.assign(newRecord(), state) : (state as PhpRecord);
      // Unless the class keeps it as it is, PHP frees it, and a reference to a part of it reads freed memory.
      this.#slots.free(slot + 1, this.#slots.all.length);
    } else if (kind !== 'list' && !this.#keepKeys) this.#in.checkKeys(recordOf(value), count);
    this.#end(slot, value);
    this.#open = outer;
  }

  #end<T extends PhpValue>(slot: number, value: T): T {
    this.#in.leave();
    this.#slots.all[slot] = value;
    return value;
  }

  /** Of a value that may lie within itself. The session as a whole may not: PHP takes its variables out of it. */
  #visible<T extends PhpRecord | PhpObject>(slot: number, value: T): T {
    if (slot > 0) this.#slots.all[slot] = value;
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
    const tag = this.#in.bytes[start] ?? 0;
    if (tag >= 0xa0 && tag <= 0xbf) {
      this.#in.offset++;
      return this.#in.name(tag & 0x1f);
    }
    const key = this.#next('a name');
    if (typeof key === 'number' || typeof key === 'bigint') return String(key);
    return this.#named(key, start);
  }

  #name(): string {
    const start = this.#in.offset;
    return this.#named(this.#next('a name'), start);
  }

  #named(name: PhpValue, start: number): string {
    if (name instanceof PhpBytes) return nameFrom(name.bytes);
    return typeof name === 'string' ? name : this.#in.fail('a name', start);
  }
}

/**
 * All lists and maps, those that are references too, in the order in which they begin. A reference has the number of
 * one of them, from 1. Undefined is one that PHP does not have yet, or has no longer.
 */
class Slots {
  readonly all: (PhpValue | undefined)[] = [];
  /** Ranges of slots that PHP has freed, by their first one: where the next one is. */
  readonly #freed = new Map<number, number>();

  free(from: number, to: number): void {
    for (let at = from; at < to; at = this.#freed.get(at) ?? at + 1) this.all[at] = undefined;
    if (to > from) this.#freed.set(from, to);
  }
}

/**
 * Where ext-msgpack puts the values of one array or object, and where references look for them. When there is no room
 * for the next value it moves all of them, and a reference to one that was moved reads freed memory. So does a reference
 * to the first of two values for one key.
 */
class Places {
  readonly #slots: Slots;
  readonly #record: PhpRecord;
  readonly #isArray: boolean;
  readonly #moves: boolean;
  /** The slots of the value of each key. */
  readonly #keys: Map<string, { value: PhpValue; from: number; to: number }> | undefined;
  readonly #taken: number[] = [];
  #count = 0;
  #room = minRoom;
  #key = '';
  /** The next slot when the value began that is not complete; -1 if all are. */
  #from = -1;

  constructor(slots: Slots, record: PhpRecord, isArray: boolean, moves: boolean, keepKeys: boolean) {
    this.#slots = slots;
    this.#record = record;
    this.#isArray = isArray;
    this.#moves = moves;
    this.#keys = keepKeys ? new Map() : undefined;
  }

  begin(key: string): void {
    this.#key = key;
    this.#from = this.#slots.all.length;
  }

  /** The value that began last is complete. @param begun how many entries the map has that began last */
  complete(begun: number): void {
    const [from, to] = [this.#from, this.#slots.all.length];
    if (from === -1) return;
    this.#from = -1;
    const value = this.#record[this.#key] as PhpValue;
    const known = this.#keys?.get(this.#key);
    if (known === undefined) {
      this.#keys?.set(this.#key, { value, from, to });
      if (this.#moves) this.#take(begun, from);
      return;
    }
    if (known.value !== value) {
      this.#slots.free(known.from, known.to);
      Object.assign(known, { value, from });
    }
    known.to = to;
  }

  /** The next of the values was put there. If it has a slot, that is the first since `from`. */
  #take(begun: number, from: number): void {
    // PHP makes room for as many as the map has that began last, which may be one in the first value.
    if (this.#isArray && this.#count === 0) this.#room = roomFor(begun);
    if (this.#count === this.#room) {
      for (const moved of this.#taken.splice(0)) this.#slots.all[moved] = undefined;
      this.#room *= 2;
    }
    this.#count++;
    if (this.#slots.all.length > from) this.#taken.push(from);
  }
}

/** `HT_MIN_SIZE` */
const minRoom = 8;

/** `zend_hash_check_size` */
const roomFor = (count: number): number => Math.max(minRoom, 2 ** Math.ceil(Math.log2(count)));

/** PHP makes a string of what is too large for its integers. */
function unsigned(value: bigint): number | bigint | string {
  return BigInt.asIntN(64, value) === value ? safe(value) : String(value);
}

function safe(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

const recordOf = (value: Container['value']): PhpRecord =>
  value instanceof PhpObject ? value.properties : (value as PhpRecord);

const isStdClass = (value: Container['value']): boolean =>
  value instanceof PhpObject && value.className === 'stdClass';

export const decodeMsgpack = (bytes: Buffer): PhpValue =>
  decodeWithKeys((keepKeys) => {
    const reader = new Reader(bytes);
    // ext-msgpack ignores bytes behind the value.
    const value = new MsgpackDecoder(reader, keepKeys).value();
    if (isRecord(value)) return variables(value);
    // All its keys are integers.
    return Array.isArray(value) ? newRecord() : reader.fail('an array', 0);
  });

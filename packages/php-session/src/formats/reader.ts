import { isUtf8 } from 'node:buffer';
import { FormatError, PhpBytes, type PhpRecord, toName } from './value.ts';

/** The default of PHP's `unserialize_max_depth`, for nested arrays and objects. */
export const maxDepth = 4096;

/** Reads the bytes of one session. Each read checks that enough bytes remain. */
export class Reader {
  readonly bytes: Buffer;
  offset = 0;
  #depth = 0;
  #reservedBytes = 0;
  #latin1: string | undefined;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  get remainingBytes(): number {
    return this.bytes.length - this.offset;
  }

  /**
   * Rejects the bytes at an offset.
   * @param expected the expected syntax, without content
   * @param explanation the reason if the bytes are intact
   * @throws FormatError always
   */
  fail(expected: string, offset = this.offset, explanation?: string): never {
    throw new FormatError(`expected ${expected} at byte ${offset}`, { explanation });
  }

  readByte(expected: string): number {
    const value = this.bytes[this.offset];
    if (value === undefined) this.fail(expected);
    this.offset++;
    return value;
  }

  /** Returns `count` if that many elements of `minBytes` fit into the remaining bytes. @throws FormatError */
  checkCount(count: number, minBytes: number): number {
    if (count * minBytes > this.remainingBytes)
      this.fail(`no more than ${this.remainingBytes} bytes of content`);
    return count;
  }

  /**
   * Returns the element count of a container. The elements of all containers together must fit into the bytes.
   * @throws FormatError
   */
  checkElements(count: number, minBytes: number): number {
    this.#reservedBytes += this.checkCount(count, minBytes) * minBytes;
    if (this.#reservedBytes > this.bytes.length) this.fail('fewer elements than bytes');
    return count;
  }

  readBytes(length: number): Buffer {
    this.checkCount(length, 1);
    const start = this.offset;
    this.offset += length;
    return this.bytes.subarray(start, this.offset);
  }

  /** Reads a string of `length` bytes. Returns PhpBytes unless they are UTF-8. */
  readString(length: number): string | PhpBytes {
    const start = this.offset;
    const text = this.#readAscii(length);
    if (text !== null) return text;
    const bytes = this.bytes.subarray(start, this.offset);
    return isUtf8(bytes) ? bytes.toString() : new PhpBytes(bytes);
  }

  /** Reads a key or a class name, which may have bytes that are not UTF-8. */
  readName(length: number): string {
    const start = this.offset;
    return this.#readAscii(length) ?? toName(this.bytes.subarray(start, this.offset));
  }

  /** Checks the number of distinct keys. @throws DuplicateKeyError if `record` has fewer keys than `count` */
  checkKeys(record: PhpRecord, count: number): void {
    if (count < 2) return;
    let keys = 0;
    for (const _ in record) keys++;
    if (keys !== count) throw new DuplicateKeyError();
  }

  /** Returns the name of a property, unless PHP rejects it (`zend_unmangle_property_name_ex`). @throws FormatError */
  checkPropertyName(name: string, className: string): string {
    const isValid = name.charCodeAt(0) !== 0 || className === 'stdClass' || /^\0[^\0]+\0./s.test(name);
    return isValid ? name : this.fail('the name of a property');
  }

  /** Enters a nested level, until `leave`. @param owner the PHP setting or extension that has this limit */
  enter(maxLevels: number, owner: string): void {
    if (++this.#depth > maxLevels) {
      const explanation = `arrays and objects are nested deeper than the ${maxLevels} levels that PHP reads (${owner})`;
      this.fail(`at most ${maxLevels} levels`, this.offset, explanation);
    }
  }

  leave(): void {
    this.#depth--;
  }

  /**
   * Reads ASCII bytes. Returns null if one of the bytes is not ASCII. Most strings in sessions are short and ASCII, and
   * slicing one decoded text is ten times as fast as decoding each string.
   */
  #readAscii(length: number): string | null {
    this.checkCount(length, 1);
    const { bytes } = this;
    const start = this.offset;
    const end = start + length;
    this.offset = end;
    for (let at = start; at < end; at++) if ((bytes[at] as number) > 0x7f) return null;
    this.#latin1 ??= bytes.toString('latin1');
    return this.#latin1.slice(start, end);
  }
}

class DuplicateKeyError extends Error {}

/**
 * Decodes without tracking keys, which is faster. If a key is duplicate, decodes again with tracking, because PHP's rules
 * for references then depend on the key of each value.
 */
export function decodeWithKeys<T>(decode: (trackKeys: boolean) => T): T {
  try {
    return decode(false);
  } catch (error) {
    if (error instanceof DuplicateKeyError) return decode(true);
    throw error;
  }
}

import { isUtf8 } from 'node:buffer';
import { FormatError, nameFrom, PhpBytes, type PhpRecord } from './value.ts';

/** The default of PHP's `unserialize_max_depth`, for arrays and objects within each other. */
export const maxDepth = 4096;

/** A place in the bytes of one session. It checks each read against the end of the bytes. */
export class Reader {
  readonly bytes: Buffer;
  offset = 0;
  #depth = 0;
  #announced = 0;
  #whole: string | undefined;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  get left(): number {
    return this.bytes.length - this.offset;
  }

  /**
   * @param expected names what should be here, never what is
   * @param explanation for bytes that are not damaged
   * @throws FormatError always
   */
  fail(expected: string, offset = this.offset, explanation?: string): never {
    throw new FormatError(`expected ${expected} at byte ${offset}`, { explanation });
  }

  byte(expected: string): number {
    const value = this.bytes[this.offset];
    if (value === undefined) this.fail(expected);
    this.offset++;
    return value;
  }

  /** A length or a count, which must not promise more than `each` bytes apiece of what is left. */
  checkCount(count: number, each: number): number {
    if (count * each > this.left) this.fail(`no more than ${this.left} bytes of content`);
    return count;
  }

  /**
   * The elements that a container announces, of `each` bytes at least. None shares a byte with another, in whatever
   * container: lists in lists cannot all promise what is left.
   */
  checkElements(count: number, each: number): number {
    this.#announced += this.checkCount(count, each) * each;
    if (this.#announced > this.bytes.length) this.fail('fewer elements than bytes');
    return count;
  }

  take(length: number): Buffer {
    this.checkCount(length, 1);
    const start = this.offset;
    this.offset += length;
    return this.bytes.subarray(start, this.offset);
  }

  /** A string of so many bytes: text when it is UTF-8. */
  string(length: number): string | PhpBytes {
    const start = this.offset;
    const text = this.#ascii(length);
    if (text !== null) return text;
    const bytes = this.bytes.subarray(start, this.offset);
    return isUtf8(bytes) ? bytes.toString() : new PhpBytes(bytes);
  }

  /** A key or a class name: bytes that are not UTF-8 are no reason to refuse the rest. */
  name(length: number): string {
    const start = this.offset;
    return this.#ascii(length) ?? nameFrom(this.bytes.subarray(start, this.offset));
  }

  /** @throws RepeatedKey if the entries have fewer keys than there are entries */
  checkKeys(record: PhpRecord, count: number): void {
    if (count < 2) return;
    let keys = 0;
    for (const _ in record) keys++;
    if (keys !== count) throw new RepeatedKey();
  }

  /** Rejects a property name that PHP rejects (`zend_unmangle_property_name_ex`). */
  property(name: string, className: string): string {
    const isValid = name.charCodeAt(0) !== 0 || className === 'stdClass' || /^\0[^\0]+\0./s.test(name);
    return isValid ? name : this.fail('the name of a property');
  }

  /** Goes one level deeper, until `leave`. @param limit of PHP, and `name`, the setting or extension that has it */
  enter(limit: number, name: string): void {
    if (++this.#depth > limit) {
      const explanation = `arrays and objects are nested deeper than the ${limit} levels that PHP reads (${name})`;
      this.fail(`at most ${limit} levels`, this.offset, explanation);
    }
  }

  leave(): void {
    this.#depth--;
  }

  /**
   * The next bytes as text when all of them are ASCII, else null. Most strings of a session are, and short: a
   * piece of one text of the whole is ten times as fast as asking Node for each.
   */
  #ascii(length: number): string | null {
    this.checkCount(length, 1);
    const { bytes } = this;
    const start = this.offset;
    const end = start + length;
    this.offset = end;
    for (let at = start; at < end; at++) if ((bytes[at] as number) > 0x7f) return null;
    this.#whole ??= bytes.toString('latin1');
    return this.#whole.slice(start, end);
  }
}

/** A key came twice, which needs the slower way of decoding. */
class RepeatedKey extends Error {}

/**
 * Decodes, and again if a key comes twice: PHP's rules for references then need the key of each value.
 * @param decode gets whether to keep these keys
 */
export function decodeWithKeys<T>(decode: (keepKeys: boolean) => T): T {
  try {
    return decode(false);
  } catch (error) {
    if (error instanceof RepeatedKey) return decode(true);
    throw error;
  }
}

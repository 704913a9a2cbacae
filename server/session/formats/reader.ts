import { isUtf8 } from 'node:buffer';
import { FormatError, nameFrom, PhpBytes, type PhpRecord } from './value.ts';

/** Deeper than any session seen in real applications; each level costs the decoder a frame of its stack. */
export const maxDepth = 64;

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

  /** @throws FormatError always; `expected` names what should have stood here, never what does */
  fail(expected: string, offset = this.offset): never {
    throw new FormatError(`expected ${expected} at byte ${offset}`);
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

  /**
   * Checks what so many entries have made. PHP writes no key twice. When it reads one twice, the second value takes the
   * place of the first, for references to the first as well.
   */
  checkKeys(record: PhpRecord, count: number): void {
    let keys = 0;
    for (const _ in record) keys++;
    if (keys !== count) this.fail('no key twice');
  }

  /** The name of a property as PHP writes it (`zend_unmangle_property_name_ex`). */
  property(name: string): string {
    return name.charCodeAt(0) !== 0 || /^\0[^\0]+\0./s.test(name)
      ? name
      : this.fail('the name of a property');
  }

  /** Goes one level deeper, until `leave`. */
  enter(): void {
    if (++this.#depth > maxDepth) this.fail(`at most ${maxDepth} levels`);
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

/** An error of Redis. The message may contain the command with a password or a key. */
export class ErrorReply extends Error {}

/** A string is a Buffer. A missing string or list is null. */
export type Reply = number | Buffer | null | ErrorReply | Reply[];

const carriageReturn = 0x0d;
const lineFeed = 0x0a;
const [plus, minus, colon, dollar, star, zero] = [0x2b, 0x2d, 0x3a, 0x24, 0x2a, 0x30] as const;
/** The limit of a line or a string. It must exceed `maxSessionBytes`. */
const maxElementBytes = 2 * 1024 * 1024;
const maxListLength = 1_000_000;
/** The length of the longest 64-bit number. */
const maxDigits = 19;
/** SCAN returns a list in a list. */
const maxListDepth = 2;

export function encodeCommands(commands: readonly (readonly string[])[]): string {
  let text = '';
  for (const command of commands) {
    text += `*${command.length}\r\n`;
    for (const part of command) text += `$${Buffer.byteLength(part)}\r\n${part}\r\n`;
  }
  return text;
}

/** Encodes a command for each key. Checks send thousands a second, so this allocates less than `encodeCommands`. */
export function encodeForKeys(command: string, keys: readonly string[]): string {
  const head = `*2\r\n$${command.length}\r\n${command}\r\n$`;
  let text = '';
  for (const key of keys) text += `${head}${Buffer.byteLength(key)}\r\n${key}\r\n`;
  return text;
}

/** Parses RESP 2, which every version of Redis supports. Chunks may end anywhere. */
export class ReplyParser {
  readonly #onReply: (reply: Reply) => void;
  /** An incomplete line or string. */
  #chunks: Buffer[] = [];
  #bufferedBytes = 0;
  /** The number of bytes that the next attempt to parse needs. */
  #neededBytes = 0;
  #number = 0;
  /** Incomplete lists, the innermost last. */
  readonly #lists: { list: Reply[]; length: number }[] = [];

  constructor(onReply: (reply: Reply) => void) {
    this.#onReply = onReply;
  }

  /** Parses the next bytes of a connection. @throws Error on invalid data */
  parse(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#bufferedBytes += chunk.length;
    if (this.#bufferedBytes < this.#neededBytes) return;
    const bytes = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks, this.#bufferedBytes);
    let offset = 0;
    for (let end = 0; end !== -1; end = this.#parseElement(bytes, offset)) offset = end;
    this.#bufferedBytes = bytes.length - offset;
    this.#chunks = this.#bufferedBytes === 0 ? [] : [bytes.subarray(offset)];
    if (Math.max(this.#bufferedBytes, this.#neededBytes) > maxElementBytes)
      throw new Error('a reply that is too long');
  }

  /** Parses a line with its string. @returns the offset of its end, or -1 if it is incomplete */
  #parseElement(bytes: Buffer, offset: number): number {
    const type = bytes[offset];
    if (type === plus || type === minus) return this.#parseText(bytes, offset, type);
    const lineEnd = this.#parseNumber(bytes, offset);
    if (lineEnd === -1) return -1;
    const number = this.#number;
    if (type === colon) this.#add(number);
    else if (type === dollar && number >= 0) {
      const end = lineEnd + number + 2;
      this.#neededBytes = end - offset;
      if (end > bytes.length) return -1;
      this.#add(bytes.subarray(lineEnd, lineEnd + number));
      return end;
    } else if (type === star && number >= 0 && number <= maxListLength) this.#openList(number);
    else if ((type === dollar || type === star) && number === -1) this.#add(null);
    else throw new Error('a line that is not a reply');
    return lineEnd;
  }

  #parseText(bytes: Buffer, offset: number, type: typeof plus | typeof minus): number {
    const end = bytes.indexOf(lineFeed, offset);
    if (end === -1) return this.#needMore(bytes, offset);
    if (end - offset < 3 || bytes[end - 1] !== carriageReturn) throw new Error('a line that is not a reply');
    if (type === plus) this.#add(bytes.subarray(offset + 1, end - 1));
    else this.#add(new ErrorReply(bytes.toString('latin1', offset + 1, end - 1)));
    return end + 1;
  }

  /** Parses digits without creating a string, because each check parses two numbers. */
  #parseNumber(bytes: Buffer, offset: number): number {
    const isNegative = bytes[offset + 1] === minus;
    const first = isNegative ? offset + 2 : offset + 1;
    let n = first;
    let value = 0;
    for (; n < bytes.length && n - first <= maxDigits; n++) {
      const digit = (bytes[n] as number) - zero;
      if (digit < 0 || digit > 9) break;
      value = 10 * value + digit;
    }
    if (n < bytes.length && (n === first || bytes[n] !== carriageReturn))
      throw new Error('a line that is not a reply');
    if (n + 1 >= bytes.length) return this.#needMore(bytes, offset);
    if (bytes[n + 1] !== lineFeed) throw new Error('a line that is not a reply');
    this.#number = isNegative ? -value : value;
    return n + 2;
  }

  #needMore(bytes: Buffer, offset: number): -1 {
    this.#neededBytes = bytes.length - offset + 1;
    return -1;
  }

  #openList(length: number): void {
    if (length === 0) return this.#add([]);
    if (this.#lists.length === maxListDepth)
      throw new Error(`lists nested deeper than ${maxListDepth} levels`);
    this.#lists.push({ list: [], length });
  }

  #add(reply: Reply): void {
    const innermost = this.#lists.at(-1);
    if (innermost === undefined) return this.#onReply(reply);
    innermost.list.push(reply);
    if (innermost.list.length < innermost.length) return;
    this.#lists.pop();
    this.#add(innermost.list);
  }
}

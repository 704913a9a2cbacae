/** An error reply. Its text may hold the command, and so the password or a key. */
export class ErrorReply extends Error {}

/** A string is a Buffer; null stands for a string or a list that does not exist. */
export type Reply = number | Buffer | null | ErrorReply | Reply[];

const carriageReturn = 0x0d;
const lineFeed = 0x0a;
const [plus, minus, colon, dollar, star, zero] = [0x2b, 0x2d, 0x3a, 0x24, 0x2a, 0x30] as const;
/** More than the largest session that is read. A line or a string that is longer is no reply. */
const mostBytes = 2 * 1024 * 1024;
/** More than any list that is asked for. */
const mostElements = 1_000_000;
/** Of a 64-bit number. */
const mostDigits = 19;
/** SCAN answers with a list in a list. */
const deepest = 2;

/** Commands as Redis reads them: lists of strings. */
export function encoded(commands: readonly (readonly string[])[]): string {
  let text = '';
  for (const command of commands) {
    text += `*${command.length}\r\n`;
    for (const part of command) text += `$${Buffer.byteLength(part)}\r\n${part}\r\n`;
  }
  return text;
}

/** The same command for each of these keys, with less garbage than lists of strings: thousands in a second. */
export function encodedEach(command: string, keys: readonly string[]): string {
  const before = `*2\r\n$${command.length}\r\n${command}\r\n$`;
  let text = '';
  for (const key of keys) text += `${before}${Buffer.byteLength(key)}\r\n${key}\r\n`;
  return text;
}

/** Reads the replies of RESP 2, the older protocol, which every Redis knows, out of pieces that end anywhere. */
export class ReplyReader {
  readonly #onReply: (reply: Reply) => void;
  /** Pieces that end within a line or a string, and how many bytes it takes to go on. */
  #pieces: Buffer[] = [];
  #held = 0;
  #needed = 0;
  /** The number that was read last. */
  #value = 0;
  /** Lists that have not all of their elements yet, the innermost last. */
  readonly #lists: { list: Reply[]; count: number }[] = [];

  constructor(onReply: (reply: Reply) => void) {
    this.#onReply = onReply;
  }

  /** @throws Error if this is no reply */
  read(piece: Buffer): void {
    this.#pieces.push(piece);
    this.#held += piece.length;
    if (this.#held < this.#needed) return;
    const bytes = this.#pieces.length === 1 ? piece : Buffer.concat(this.#pieces, this.#held);
    let at = 0;
    for (let end = this.#element(bytes, at); end !== -1; end = this.#element(bytes, at)) at = end;
    this.#held = bytes.length - at;
    this.#pieces = this.#held === 0 ? [] : [bytes.subarray(at)];
    if (Math.max(this.#held, this.#needed) > mostBytes) throw new Error('a reply that is too long');
  }

  /** Takes the line at that place, and the string behind it. @returns where it ends; -1 if it is not whole yet */
  #element(bytes: Buffer, at: number): number {
    const kind = bytes[at];
    if (kind === plus || kind === minus) return this.#text(bytes, at, kind);
    const next = this.#number(bytes, at);
    if (next === -1) return -1;
    const number = this.#value;
    if (kind === colon) this.#take(number);
    else if (kind === dollar && number >= 0) {
      const after = next + number + 2;
      this.#needed = after - at;
      if (after > bytes.length) return -1;
      this.#take(bytes.subarray(next, next + number));
      return after;
    } else if (kind === star && number >= 0 && number <= mostElements) this.#begin(number);
    else if ((kind === dollar || kind === star) && number === -1) this.#take(null);
    else throw new Error('a line that is no reply');
    return next;
  }

  #text(bytes: Buffer, at: number, kind: typeof plus | typeof minus): number {
    const end = bytes.indexOf(lineFeed, at);
    if (end === -1) return this.#wait(bytes, at);
    if (end - at < 3 || bytes[end - 1] !== carriageReturn) throw new Error('a line that is no reply');
    if (kind === plus) this.#take(bytes.subarray(at + 1, end - 1));
    else this.#take(new ErrorReply(bytes.toString('latin1', at + 1, end - 1)));
    return end + 1;
  }

  /** Reads the number of a line, digit by digit: two for each session and second, and a string of each would cost more. */
  #number(bytes: Buffer, at: number): number {
    const isNegative = bytes[at + 1] === minus;
    const first = isNegative ? at + 2 : at + 1;
    let n = first;
    let value = 0;
    for (; n < bytes.length && n - first <= mostDigits; n++) {
      const digit = (bytes[n] as number) - zero;
      if (digit < 0 || digit > 9) break;
      value = 10 * value + digit;
    }
    if (n < bytes.length && (n === first || bytes[n] !== carriageReturn))
      throw new Error('a line that is no reply');
    if (n + 1 >= bytes.length) return this.#wait(bytes, at);
    if (bytes[n + 1] !== lineFeed) throw new Error('a line that is no reply');
    this.#value = isNegative ? -value : value;
    return n + 2;
  }

  /** The line at that place has not come whole. */
  #wait(bytes: Buffer, at: number): -1 {
    this.#needed = bytes.length - at + 1;
    return -1;
  }

  #begin(count: number): void {
    if (count === 0) return this.#take([]);
    if (this.#lists.length === deepest) throw new Error('lists in lists');
    this.#lists.push({ list: [], count });
  }

  #take(reply: Reply): void {
    const innermost = this.#lists.at(-1);
    if (innermost === undefined) return this.#onReply(reply);
    innermost.list.push(reply);
    if (innermost.list.length < innermost.count) return;
    this.#lists.pop();
    this.#take(innermost.list);
  }
}

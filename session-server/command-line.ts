/** Text that is not what the encoding of the connection makes of bytes. */
export class Undecodable extends Error {}

/** One line as the commands see it. */
export interface CommandLine {
  /** In lower case. */
  verb: string;
  /** The second part: an ID, a key, a number. Empty when there is none. */
  first: string;
  /** The third part, with its spaces. */
  second: string | undefined;
}

/** Cuts a line at single spaces into three parts at most. What PHP's trim() takes off is taken off. */
export function parseLine(line: Buffer): CommandLine {
  const text = line.toString('utf8').replace(/^[ \t\r\0\v]+/, '');
  let end = text.length;
  // Not by a pattern, which would try again from each blank of a long run of them.
  while (end > 0 && ' \t\r\0\v'.includes(text[end - 1] as string)) end--;
  const afterVerb = cut(text, 0, end);
  const verb = text.slice(0, afterVerb).toLowerCase();
  if (afterVerb === end) return { verb, first: '', second: undefined };
  const afterFirst = cut(text, afterVerb + 1, end);
  return {
    verb,
    first: text.slice(afterVerb + 1, afterFirst),
    second: afterFirst === end ? undefined : text.slice(afterFirst + 1, end),
  };
}

function cut(text: string, from: number, end: number): number {
  const space = text.indexOf(' ', from);
  return space === -1 || space > end ? end : space;
}

/**
 * How bytes travel in a line. As of old each byte is sent as the UTF-8 form of the code point of its number, and a
 * line feed cannot be sent at all.
 */
export interface Encoding {
  /** @throws Undecodable */
  decode(text: string): string;
  encode(bytes: string): string;
}

export const plain: Encoding = {
  decode(text) {
    // Neither a code point that is no byte nor, as it has become U+FFFD, what is no UTF-8.
    if (/[^\0-\xff]/.test(text)) throw new Undecodable();
    return text;
  },
  encode(bytes) {
    if (bytes.includes('\n')) throw new Undecodable();
    return bytes;
  },
};

/** By the value of a byte: whether it is sent as it is; and the value of a hexadecimal digit, -1 for what is none. */
const isPlain = Array.from({ length: 256 }, (_, byte) => /[!-$&-{}~]/.test(String.fromCharCode(byte)));
const digitValue = Array.from({ length: 256 }, (_, byte) => {
  const digit = String.fromCharCode(byte);
  return /[0-9a-f]/i.test(digit) ? Number.parseInt(digit, 16) : -1;
});
const digits = Buffer.from('0123456789ABCDEF');
const percentSign = 0x25;

// Byte by byte, not by a pattern with a function: a session of a megabyte would hold up everybody for a third of a second.
export const percent: Encoding = {
  decode(text) {
    if (!text.includes('%')) return plain.decode(text);
    const from = Buffer.from(plain.decode(text), 'latin1');
    const to = Buffer.allocUnsafe(from.length);
    let length = 0;
    for (let at = 0; at < from.length; at++) {
      let byte = from[at] as number;
      if (byte === percentSign) {
        const high = digitValue[from[at + 1] ?? percentSign] as number;
        const low = digitValue[from[at + 2] ?? percentSign] as number;
        if (high < 0 || low < 0) throw new Undecodable();
        byte = high * 16 + low;
        at += 2;
      }
      to[length++] = byte;
    }
    return to.toString('latin1', 0, length);
  },
  // A blank too: those at the end of a line are lost, and those in a key would end it.
  encode(bytes) {
    const from = Buffer.from(bytes, 'latin1');
    const to = Buffer.allocUnsafe(3 * from.length);
    let length = 0;
    for (const byte of from) {
      if (isPlain[byte]) {
        to[length++] = byte;
        continue;
      }
      to[length++] = percentSign;
      to[length++] = digits[byte >> 4] as number;
      to[length++] = digits[byte & 15] as number;
    }
    return to.toString('latin1', 0, length);
  },
};

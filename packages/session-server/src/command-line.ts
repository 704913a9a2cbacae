/** A text that the encoding of the connection cannot decode, or bytes that it cannot encode. */
export class Undecodable extends Error {}

/** A line, cut into its parts. */
export interface CommandLine {
  /** In lower case. */
  verb: string;
  /** The second part: an ID, a key, a number. Empty if there is none. */
  first: string;
  /** The third part, with its blanks. */
  second: string | undefined;
}

/** Cuts a line at single blanks into three parts at most. Takes off the same characters at both ends as PHP's trim(). */
export function parseLine(line: Buffer): CommandLine {
  const text = line.toString('utf8').replace(/^[ \t\r\0\v]+/, '');
  let end = text.length;
  // A loop, since a pattern for the end of the text would start again at each blank of a long run.
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
 * How the bytes of keys and values travel in a line. In the old protocol (`plain`) each byte is sent as the UTF-8 form
 * of the code point of its number, and a line feed cannot be sent at all.
 */
export interface Encoding {
  /** @throws Undecodable */
  decode(text: string): string;
  encode(bytes: string): string;
}

export const plain: Encoding = {
  decode(text) {
    // Code points above U+00FF are no bytes. Invalid UTF-8 has become U+FFFD, so it is refused too.
    if (/[^\0-\xff]/.test(text)) throw new Undecodable();
    return text;
  },
  encode(bytes) {
    if (bytes.includes('\n')) throw new Undecodable();
    return bytes;
  },
};

/** For each byte, whether it is sent as it is. A blank is not: it would end a key, and is lost at the end of a line. */
const isPlain = Array.from({ length: 256 }, (_, byte) => /[!-$&-{}~]/.test(String.fromCharCode(byte)));
/** For each byte, its value as a hexadecimal digit; -1 if it is none. */
const digitValue = Array.from({ length: 256 }, (_, byte) => {
  const digit = String.fromCharCode(byte);
  return /[0-9a-f]/i.test(digit) ? Number.parseInt(digit, 16) : -1;
});
const digits = Buffer.from('0123456789ABCDEF');
const percentSign = 0x25;

// Byte by byte: a pattern with a function would block the server for a third of a second for a session of a megabyte.
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

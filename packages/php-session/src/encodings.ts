import { FormatError } from './formats/value.ts';

/**
 * Decodes like PHP's `base64_decode($text, true)`: padding is optional, line breaks and blanks are ignored.
 * @throws FormatError
 */
export function decodeBase64(text: string): Buffer {
  // Node 20 to 24 do not have Uint8Array.fromBase64().
  const packed = text.replace(/[\t\n\r ]+/g, '');
  const parts = /^([A-Za-z0-9+/]*)(={0,2})$/.exec(packed);
  const [, digits = '', padding = ''] = parts ?? [];
  if (parts === null || digits.length % 4 === 1 || (padding !== '' && packed.length % 4 !== 0)) {
    throw new FormatError('the bytes are not base64');
  }
  return Buffer.from(packed, 'base64');
}

const percent = 0x25;
const plus = 0x2b;
const blank = 0x20;

/** Decodes percent-encoded bytes. @returns null if a `%` lacks two hexadecimal digits */
export function decodePercent(text: Buffer): Buffer | null {
  return decode(text, 'reject');
}

/** Decodes like PHP's `rawurldecode()`, which keeps a `%` without two hexadecimal digits. */
export function rawUrlDecode(text: Buffer): Buffer {
  return decode(text, 'keep') as Buffer;
}

/** Decodes like PHP's `urldecode()`, in which a plus sign is a blank. */
export function urlDecode(text: Buffer): Buffer {
  const bytes = Buffer.from(text);
  for (let at = bytes.indexOf(plus); at !== -1; at = bytes.indexOf(plus, at)) bytes[at] = blank;
  return rawUrlDecode(bytes);
}

function decode(text: Buffer, malformed: 'keep' | 'reject'): Buffer | null {
  const bytes = Buffer.allocUnsafe(text.length);
  let length = 0;
  for (let from = 0; ; ) {
    const at = text.indexOf(percent, from);
    length += text.copy(bytes, length, from, at === -1 ? text.length : at);
    if (at === -1) return bytes.subarray(0, length);
    const code = hexDigit(text[at + 1]) * 16 + hexDigit(text[at + 2]);
    if (!Number.isNaN(code)) {
      bytes[length++] = code;
      from = at + 3;
    } else if (malformed === 'keep') {
      bytes[length++] = percent;
      from = at + 1;
    } else return null;
  }
}

function hexDigit(byte = 0): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : Number.NaN;
}

import { FormatError } from '../formats/value.ts';

/**
 * Base64 as PHP's `base64_decode($text, true)` takes it: with its padding or without, line breaks and blanks between.
 * @throws FormatError
 */
export function decodeBase64(text: string): Buffer {
  // Not Uint8Array.fromBase64(), which Node 22 and 24 have not yet.
  const packed = text.replace(/[\t\n\r ]+/g, '');
  const parts = /^([A-Za-z0-9+/]*)(={0,2})$/.exec(packed);
  const [, digits = '', padding = ''] = parts ?? [];
  if (parts === null || digits.length % 4 === 1 || (padding !== '' && packed.length % 4 !== 0)) {
    throw new FormatError('not base64');
  }
  return Buffer.from(packed, 'base64');
}

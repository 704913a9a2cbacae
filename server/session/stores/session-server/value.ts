import { SerializeDecoder } from '../../formats/php-serialize.ts';
import { Reader } from '../../formats/reader.ts';
import { FormatError, PhpBytes } from '../../formats/value.ts';

const percent = 0x25;

/** What `encoding percent` has made of bytes; null when it is nothing of that kind. */
export function decodePercent(text: Buffer): Buffer | null {
  const bytes = Buffer.allocUnsafe(text.length);
  let length = 0;
  for (let from = 0; ; ) {
    const at = text.indexOf(percent, from);
    length += text.copy(bytes, length, from, at === -1 ? text.length : at);
    if (at === -1) return bytes.subarray(0, length);
    const [high, low] = [digit(text[at + 1]), digit(text[at + 2])];
    if (high === -1 || low === -1) return null;
    bytes[length++] = high * 16 + low;
    from = at + 3;
  }
}

function digit(byte = 0): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const upper = byte & ~0x20;
  return upper >= 0x41 && upper <= 0x46 ? upper - 0x37 : -1;
}

/** How a session begins whose only key is the empty one, as all do that PHP's session handler writes. */
const onlyKey = /^a:1:\{s:0:"";s:(\d{1,9}):"/;

/**
 * What PHP's session handler keeps under the empty key; without bytes when it has put nothing there.
 * @param session all the keys, as serialize() writes an array
 * @throws FormatError
 */
export function valueOfPhp(session: Buffer): Buffer {
  const [begin = '', length] = onlyKey.exec(session.toString('latin1', 0, 40)) ?? [];
  const end = begin.length + Number(length);
  // Most sessions, without a look at each byte of them.
  if (session.length === end + 3 && session.toString('latin1', end) === '";}')
    return session.subarray(begin.length, end);

  const reader = new Reader(session);
  const keys = new SerializeDecoder(reader).value();
  if (reader.left > 0) reader.fail('the end');
  if (typeof keys !== 'object' || keys === null || session[0] !== 0x61) reader.fail('an array', 0);
  const value = (keys as Record<string, unknown>)[''] ?? '';
  if (value instanceof PhpBytes) return value.bytes;
  if (typeof value === 'string') return Buffer.from(value);
  throw new FormatError('what lies under the empty key is no string');
}

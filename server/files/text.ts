import type { Bytes } from './media.ts';

/** Bytes per read. An even number does not split UTF-16 code units. */
const pieceBytes = 1024 * 1024;

/**
 * Control characters that editors show or ignore: bell, backspace, tab, line feed, vertical tab, form feed, carriage
 * return, shift out and in, Ctrl-Z (the end of a file on DOS), escape (colours in logs).
 */
const shownControls = new Set([0x07, 0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f, 0x1a, 0x1b]);

/** Checked first, because a text may contain each byte of this signature. */
const pngSignature = '89504e470d0a1a0a';

const isControl = (code: number) => code < 0x20 && !shownControls.has(code);

/** Whether every editor opens the file: text in UTF-8, UTF-16, or any encoding that extends ASCII. */
export async function isText(bytes: Bytes): Promise<boolean> {
  const first = (await bytes.read(0, 8)).toString('hex');
  if (first === pngSignature) return false;
  if (first.startsWith('fffe')) return isUtf16(bytes, 'little');
  if (first.startsWith('feff')) return isUtf16(bytes, 'big');
  return (await hasNoControls(bytes)) || (await isUtf16(bytes, 'little')) || (await isUtf16(bytes, 'big'));
}

async function hasNoControls({ size, read }: Bytes): Promise<boolean> {
  for (let at = 0; at < size; at += pieceBytes) {
    for (const byte of await read(at, pieceBytes)) if (isControl(byte)) return false;
  }
  return true;
}

/**
 * Whether the bytes are UTF-16 in this byte order. A text contains ASCII, at least line breaks, which distinguishes it
 * from other data.
 */
async function isUtf16({ size, read }: Bytes, order: 'little' | 'big'): Promise<boolean> {
  if (size % 2 !== 0) return false;
  const high = order === 'little' ? 1 : 0;
  let expectsLow = false;
  let hasAscii = false;
  for (let at = 0; at < size; at += pieceBytes) {
    const piece = await read(at, pieceBytes);
    for (let n = 0; n + 1 < piece.length; n += 2) {
      const unit = ((piece[n + high] ?? 0) << 8) | (piece[n + 1 - high] ?? 0);
      const isLow = unit >= 0xdc00 && unit <= 0xdfff;
      const isNone = unit >= 0xfffe || (unit >= 0x80 && unit < 0xa0 && unit !== 0x85);
      if (isLow !== expectsLow || isNone || isControl(unit)) return false;
      expectsLow = unit >= 0xd800 && unit <= 0xdbff;
      hasAscii ||= unit < 0x80;
      if (at === 0 && n === 0 && unit === 0xfeff) hasAscii = true;
    }
  }
  return hasAscii && !expectsLow;
}

import { crc32, deflateSync, inflateSync } from 'node:zlib';

/**
 * Rewrites an animated PNG (https://www.w3.org/TR/png-3/#apng-frame-based-animation), because libvips cannot read its
 * frames. Each frame is decompressed, checked and compressed again, and only chunks that describe pixels are kept.
 */

export interface AnimatedPng {
  width: number;
  height: number;
  frames: Frame[];
  /** The kept chunks before the pixels. */
  head: Chunk[];
  /** How often the animation plays; 0 repeats it endlessly. */
  plays: number;
}

interface Frame {
  width: number;
  height: number;
  /** Position, delay and blending, as in the `fcTL` chunk. Absent for a still picture that precedes the animation. */
  control?: Buffer;
  packed: Buffer[];
}

interface Chunk {
  type: string;
  data: Buffer;
}

const signature = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');
/** The kept chunks before the pixels, with minimum and maximum lengths, so that extra data does not fit. */
const kept: Readonly<Record<string, readonly [min: number, max: number]>> = {
  PLTE: [3, 768],
  tRNS: [1, 256],
  gAMA: [4, 4],
  cHRM: [32, 32],
  sRGB: [1, 1],
};
/** Samples per pixel, by colour type. */
const channels: Readonly<Record<number, number>> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };
/** The passes of an interlaced picture: first column, first line, column step and line step. */
const passes = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
] as const;

/**
 * Reads the chunks of a PNG.
 * @returns null for a PNG without an animation
 * @throws Error if it is damaged
 */
export function readAnimatedPng(bytes: Buffer): AnimatedPng | null {
  if (!isAnimated(bytes)) return null;
  const head: Chunk[] = [];
  const frames: Frame[] = [];
  let plays: number | undefined;
  let control: Buffer | undefined;
  let size = { width: 0, height: 0 };
  let current: Frame | undefined;
  for (const { type, data } of chunksOf(bytes)) {
    if (type === 'IHDR' && head.length === 0 && data.length === 13) {
      size = { width: data.readUInt32BE(0), height: data.readUInt32BE(4) };
      head.push({ type, data });
    } else if (head.length === 0) throw damaged('has no header');
    else if (type === 'acTL' && data.length === 8) plays = data.readUInt32BE(4);
    else if (type === 'fcTL' && data.length === 26) {
      control = data;
      current = undefined;
    } else if (type === 'IDAT' || (type === 'fdAT' && data.length >= 4)) {
      if (current === undefined) {
        if (type === 'fdAT' && control === undefined) throw damaged('has a frame without a size');
        current = frameOf(control, size);
        frames.push(current);
        control = undefined;
      }
      current.packed.push(type === 'IDAT' ? data : data.subarray(4));
    } else if (type in kept && frames.length === 0) {
      const [min, max] = kept[type] ?? [0, 0];
      if (data.length < min || data.length > max) throw damaged(`has a bad ${type}`);
      head.push({ type, data });
    }
  }
  if (plays === undefined || frames.length === 0) throw damaged('has no pixels');
  return { ...size, frames, head, plays };
}

/** Returns the picture as a PNG, with the pixels of each frame compressed again. @throws Error if a frame is damaged */
export function writeAnimatedPng({ frames, head, plays }: AnimatedPng): Buffer {
  const header = head[0]?.data ?? Buffer.alloc(13);
  const animated = frames.filter(({ control }) => control !== undefined).length;
  const parts = [
    signature,
    ...head.map(({ type, data }) => chunk(type, data)),
    chunk('acTL', be32(animated, plays)),
  ];
  let sequence = 0;
  for (const [n, { width, height, control, packed }] of frames.entries()) {
    if (control !== undefined) parts.push(chunk('fcTL', be32(sequence++, width, height), control));
    const length = lengthOf(header, width, height);
    // Permits one byte more than expected, to detect a frame that is too large.
    const lines = inflateSync(Buffer.concat(packed), { maxOutputLength: length + 1 });
    if (lines.length !== length) throw damaged('has a frame of the wrong size');
    const pixels = deflateSync(lines);
    parts.push(n === 0 ? chunk('IDAT', pixels) : chunk('fdAT', be32(sequence++), pixels));
  }
  return Buffer.concat([...parts, chunk('IEND')]);
}

/** Whether `acTL` comes before the pixels, as in every animated PNG. */
function isAnimated(bytes: Buffer): boolean {
  for (let at = signature.length; at + 12 <= bytes.length; at += 12 + bytes.readUInt32BE(at)) {
    const type = bytes.toString('latin1', at + 4, at + 8);
    if (type === 'acTL' || type === 'IDAT') return type === 'acTL';
  }
  return false;
}

function* chunksOf(bytes: Buffer): Generator<Chunk> {
  for (let at = signature.length; at + 12 <= bytes.length; ) {
    const end = at + 8 + bytes.readUInt32BE(at);
    const type = bytes.toString('latin1', at + 4, at + 8);
    if (end + 4 > bytes.length) throw damaged('is cut');
    if (crc32(bytes.subarray(at + 4, end)) !== bytes.readUInt32BE(end)) throw damaged('has a bad checksum');
    if (type === 'IEND') return;
    yield { type, data: bytes.subarray(at + 8, end) };
    at = end + 4;
  }
  throw damaged('is cut');
}

function frameOf(control: Buffer | undefined, size: { width: number; height: number }): Frame {
  if (control === undefined) return { ...size, packed: [] };
  const [width, height, x, y] = [4, 8, 12, 16].map((at) => control.readUInt32BE(at)) as [
    number,
    number,
    number,
    number,
  ];
  if (width === 0 || height === 0 || x + width > size.width || y + height > size.height)
    throw damaged('has an empty frame, or one outside the picture');
  return { width, height, control: control.subarray(12), packed: [] };
}

/** Returns the size of the decompressed lines in bytes. Each line starts with a filter byte. */
function lengthOf(header: Buffer, width: number, height: number): number {
  const bits = (header[8] ?? 0) * (channels[header[9] ?? 0] ?? 0);
  const linesOf = (columns: number, lines: number) =>
    columns === 0 ? 0 : lines * (1 + Math.ceil((columns * bits) / 8));
  if (header[12] === 0) return linesOf(width, height);
  return passes.reduce(
    (sum, [x, y, dx, dy]) =>
      sum + linesOf(Math.max(0, Math.ceil((width - x) / dx)), Math.max(0, Math.ceil((height - y) / dy))),
    0,
  );
}

function chunk(type: string, ...data: Buffer[]): Buffer {
  const named = Buffer.concat([Buffer.from(type, 'latin1'), ...data]);
  return Buffer.concat([be32(named.length - 4), named, be32(crc32(named))]);
}

function be32(...values: number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  for (const [n, value] of values.entries()) bytes.writeUInt32BE(value, 4 * n);
  return bytes;
}

const damaged = (how: string) => new Error(`the animated PNG ${how}`);

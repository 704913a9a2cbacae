import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { setPriority } from 'node:os';
import type { Metadata } from 'sharp';
import type { Examined, Task } from './examiner.ts';
import { readMedia } from './media.ts';
import { type FileBytes, isText } from './text.ts';

/**
 * A separate process that detects a file's type or re-encodes pictures. A hostile file can only harm this process,
 * which has no keys, no connections, little memory and little time. If it ends, the next file gets a new one.
 */

/** Limits of a picture, over all of its frames. */
const mostPixels = 64_000_000;
const mostFrames = 500;
/** Pixels of one side. The libraries keep whole lines, however few there are. */
const mostSide = 20_000;
/** Bytes of memory, and milliseconds of CPU time for one task. Usual pictures need far less. */
const mostMemory = 1024 * 1024 * 1024;
const mostTime = 10_000;
/** Bytes that the process uses without a picture. */
const baseMemory = 100 * 1024 * 1024;
/** Bytes per pixel to decode, turn and encode it, in the worst measured picture. */
const memoryOf = { png: 12, jpeg: 12, gif: 12, webp: 16, avif: 40 } as const;
/** The same for 16 bits per channel. */
const memoryOfDeep = 20;
/** Pixels that can become WebP a second time within the memory and the time of one task. */
const maxWebpPixels = 16_000_000;
/** The longer side of a preview, and of the picture from which a BlurHash is made. */
const previewSide = 1280;
const blurSide = 32;
/** Noise exceeds it, and gets a preview of half the size. docs/operate.md has this number. */
const maxPreviewBytes = 1024 * 1024;

/** The format of the stored picture, by the type of the uploaded one. */
const formats = {
  'image/png': 'png',
  'image/apng': 'png',
  'image/jpeg': 'jpeg',
  'image/gif': 'gif',
  'image/webp': 'webp',
  'image/avif': 'avif',
} as const;

// All other processes take precedence.
setPriority(10);
let before = process.cpuUsage();
// An exit would wait for the library.
const kill = () => process.kill(process.pid, 'SIGKILL');
setInterval(() => {
  const { user, system } = process.cpuUsage(before);
  if (process.memoryUsage.rss() > mostMemory || user + system > mostTime * 1000) kill();
}, 50).unref();

const work = process.argv[2] === 'pictures' ? await pictures() : await types();
process.on('message', (task: Task) => {
  before = process.cpuUsage();
  work(task).then(
    (found) => process.send?.(found),
    (error: NodeJS.ErrnoException) =>
      process.send?.({ failed: error.code ?? 'unreadable' } satisfies Examined),
  );
});
process.on('disconnect', kill);
process.send?.('ready');

/** Loads only what the process needs, because the picture library takes most of the memory. */
async function types(): Promise<(task: Task) => Promise<Examined>> {
  const { fileTypeFromFile } = await import('file-type');
  return async (task) => {
    const found = await fileTypeFromFile(task.path);
    const file = await open(task.path);
    try {
      const { size } = await file.stat();
      const read = async (at: number, length: number) => {
        const part = Buffer.alloc(Math.max(0, Math.min(length, size - at)));
        return part.subarray(0, (await file.read(part, 0, part.length, at)).bytesRead);
      };
      return await examine(task, { size, read }, found?.mime);
    } finally {
      await file.close();
    }
  };
}

async function pictures(): Promise<(task: Task) => Promise<Examined>> {
  const [{ default: sharp }, { encode }] = await Promise.all([import('sharp'), import('blurhash')]);
  // A single thread also bounds the memory.
  sharp.concurrency(1);
  sharp.cache(false);
  return (task) => picture({ sharp, encode }, task);
}

async function examine(
  { path, types }: Task,
  bytes: FileBytes,
  first: string | undefined,
): Promise<Examined> {
  const played = first === undefined ? undefined : playedBy(path, first);
  const { type: found, media } = played ?? {};
  const type = played === null ? undefined : await typeOf(bytes, found);
  // `image/*` covers the pictures that are re-encoded. All others keep metadata of the camera, such as the place.
  const isOfKind = (one: string) =>
    types.includes(one.replace(/\/.*/, '/*')) && (!one.startsWith('image/') || one in formats);
  const allowed = (one: string) => types.includes(one) || isOfKind(one);
  if (type === undefined || !allowed(type)) {
    // Formats based on zip, such as documents, count as zip.
    const isZip =
      found !== undefined && allowed('application/zip') && (await beginsWith(bytes, 'PK\u0003\u0004'));
    if (isZip) return { type: 'application/zip' };
    // A text may begin like another format: `BM`, `MZ`, `ID3`.
    return allowed('text/plain') && (await isText(bytes)) ? { type: 'text/plain' } : { refused: true };
  }
  if (type in formats) return { picture: type };
  return media === undefined ? { type } : { type, media };
}

/** The container of sound or video; null if it holds neither. Nothing else runs in this process meanwhile. */
function playedBy(path: string, found: string): ReturnType<typeof readMedia> {
  const file = openSync(path, 'r');
  try {
    const { size } = statSync(path);
    const read = (at: number, length: number) => {
      const part = Buffer.alloc(Math.max(0, Math.min(length, size - at)));
      return part.subarray(0, readSync(file, part, 0, part.length, at));
    };
    return readMedia(found, { size, read });
  } finally {
    closeSync(file);
  }
}

/** Markup counts as text, whatever it describes, and is never shown as anything else. */
async function typeOf(bytes: FileBytes, found: string | undefined): Promise<string | undefined> {
  if (found === 'image/apng') return 'image/png';
  if (found !== undefined && !/^text\/|xml$|^application\/rtf$/.test(found)) return found;
  if (await isPdf(bytes)) return 'application/pdf';
  return (await isText(bytes)) ? 'text/plain' : undefined;
}

/** Readers accept a header within the first 1,024 bytes, such as behind those of HTTP, and look for the end in as many. */
async function isPdf({ size, read }: FileBytes): Promise<boolean> {
  const [first, last] = [await read(0, 1024), await read(Math.max(0, size - 1024), 1024)];
  return /%PDF-\d/.test(first.toString('latin1')) && last.includes('%%EOF');
}

const beginsWith = async ({ read }: FileBytes, text: string): Promise<boolean> =>
  (await read(0, text.length)).toString('latin1') === text;

/** Decodes a picture within bounds, and re-encodes it and its preview without any metadata. */
async function picture(
  { sharp, encode }: { sharp: typeof import('sharp').default; encode: typeof import('blurhash').encode },
  { path, type: found = '', side, maxBytes }: Task,
): Promise<Examined> {
  const type = found as keyof typeof formats;
  const options = { limitInputPixels: mostPixels, failOn: 'error' } as const;
  const format = formats[type];
  const about = await sharp(path, {
    ...options,
    limitInputPixels: false,
    pages: type === 'image/gif' || type === 'image/webp' ? -1 : 1,
  }).metadata();
  const { width, height, pages = 1, pageHeight = height, autoOrient, isPalette, hasAlpha } = about;
  if (isTooLarge(about, format)) return { refused: true };
  const moves = pages > 1;
  const reduce = (side: number) =>
    sharp(path, options)
      .autoOrient()
      .resize({ width: side, height: side, fit: 'inside', withoutEnlargement: true })
      .webp({ quality: 80 })
      .toBuffer({ resolveWithObject: true });
  let made: { format: keyof typeof memoryOf; bytes: Buffer } | undefined;
  if (side === undefined) {
    const coded = {
      // A palette saves most of the bytes of a picture that has one.
      png: { palette: isPalette, dither: 0 },
      jpeg: { quality: 88 },
      // Fast rather than small: the default effort takes ten times as long.
      avif: { effort: 0 },
      webp: { effort: moves ? 0 : 4 },
      gif: {},
    }[format];
    const whole = moves ? sharp(path, { ...options, pages: -1 }) : sharp(path, options).autoOrient();
    made = { format, bytes: await whole.clone().toFormat(format, coded).toBuffer() };
    if (made.bytes.length > maxBytes) {
      // Such as a photo as PNG, or a JPEG of a lower quality than ours.
      const smaller = hasAlpha || format === 'webp' ? 'webp' : 'jpeg';
      if (moves || (smaller === 'webp' && width * height > maxWebpPixels)) return { tooLarge: true };
      made = { format: smaller, bytes: await whole.toFormat(smaller, { quality: 75 }).toBuffer() };
      if (made.bytes.length > maxBytes) return { tooLarge: true };
    }
  }
  let reduced = await reduce(side ?? previewSide);
  if (reduced.data.length > maxPreviewBytes) reduced = await reduce(previewSide / 2);
  const small = await sharp(reduced.data)
    .resize({ width: blurSide, height: blurSide, fit: 'inside', withoutEnlargement: true })
    .ensureAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  const pixels = new Uint8ClampedArray(small.data);
  const shown = moves ? { width, height: pageHeight } : autoOrient;
  const isTall = shown.height > shown.width;
  const blur = encode(pixels, small.info.width, small.info.height, isTall ? 3 : 4, isTall ? 4 : 3);
  if (made === undefined) {
    const { width, height } = reduced.info;
    return { type: 'image/webp', made: { bytes: reduced.data, width, height, blur } };
  }
  return {
    type: `image/${made.format}`,
    made: {
      bytes: made.bytes,
      preview: reduced.data,
      width: shown.width,
      height: shown.height,
      blur,
    },
  };
}

/** Whether decoding could take too much. The header gives the size before anything is decoded. */
function isTooLarge(
  { width, height, pages = 1, pageHeight = height, depth }: Metadata,
  format: keyof typeof memoryOf,
): boolean {
  const pixels = width * pageHeight * pages;
  const deep = depth === 'ushort' && format === 'png';
  const memory = baseMemory + pixels * (deep ? memoryOfDeep : memoryOf[format]);
  return (
    pages > mostFrames || Math.max(width, pageHeight) > mostSide || pixels > mostPixels || memory > mostMemory
  );
}

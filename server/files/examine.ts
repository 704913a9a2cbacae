import { getPriority, setPriority } from 'node:os';
import type { Metadata } from 'sharp';
import { type AnimatedPng, readAnimatedPng, writeAnimatedPng } from './animated-png.ts';
import type { Examined, Task, ToExaminer, ToServer } from './examiner.ts';
import { type Bytes, readMedia, windowed } from './media.ts';
import { isText } from './text.ts';

/**
 * A separate process that detects a file's type or re-encodes pictures. A hostile file can only harm this process,
 * which has no keys, no connections, no files, little memory and little time. If it ends, the next file gets a new one.
 */

type Format = (typeof formats)[keyof typeof formats];

/** Bytes of memory, and seconds of CPU time for one task. Usual pictures need far less. */
const maxMemory = 1200 * 1024 * 1024;
const maxCpuSeconds = 20;
/**
 * The pixels of a picture in all its frames: as many as the process decodes and encodes within its memory and time.
 * docs/protocol.md promises them.
 */
const maxPixels: Record<Format, number> = {
  png: 64_000_000,
  jpeg: 64_000_000,
  gif: 64_000_000,
  webp: 64_000_000,
  avif: 16_000_000,
};
/** The same of a WebP that does not move, and of 16 bits per channel. */
const maxStillWebpPixels = 32_000_000;
const maxDeepPixels = 32_000_000;
const maxFrames = 500;
/** Pixels of one side. The libraries keep whole lines, however few there are. */
const maxSide = 20_000;
/** Pixels that can become WebP with transparency within the memory and the time of one task. */
const maxWebpPixels = 16_000_000;
/** The longer side of a preview, and of the picture from which a BlurHash is made. */
const previewSide = 1280;
const blurSide = 32;
/** Noise exceeds it, and gets a preview of half the size. docs/operate.md has this number. */
const maxPreviewBytes = 1024 * 1024;
/** Bytes that are read at once. */
const pieceBytes = 1024 * 1024;

/** The format of the stored picture, by the type of the uploaded one. */
const formats = {
  'image/png': 'png',
  'image/apng': 'png',
  'image/jpeg': 'jpeg',
  'image/gif': 'gif',
  'image/webp': 'webp',
  'image/avif': 'avif',
} as const;

/** libvips has decoders of other formats, which detect their files by other signs than we do. Only these can be used. */
const decoders = ['Png', 'Jpeg', 'Nsgif', 'Webp', 'Heif'].map((name) => `VipsForeignLoad${name}Buffer`);

/** Types whose files browsers do not show, and what the sender can do. */
const advice: Record<string, string> = {
  'image/heic':
    'Browsers do not show HEIC pictures. Send the picture as JPEG; an iPhone takes such pictures after Settings > Camera > Formats > Most Compatible.',
  'video/quicktime':
    'Not all browsers play this QuickTime video. Send it as MP4 with H.264; an iPhone records such videos after Settings > Camera > Formats > Most Compatible.',
};
for (const type of ['image/heif', 'image/heic-sequence', 'image/heif-sequence'])
  advice[type] = advice['image/heic'] as string;

// All other processes take precedence. A process may not raise its priority, if the server has a lower one.
setPriority(Math.max(10, getPriority()));
/** The CPU time before the current task. */
let before: NodeJS.CpuUsage | undefined;
setInterval(() => {
  if (before === undefined) return;
  const { user, system } = process.cpuUsage(before);
  const isTooLong = user + system > maxCpuSeconds * 1e6;
  const memory = process.memoryUsage.rss();
  if (!isTooLong && memory <= maxMemory) return;
  const limit = isTooLong ? `${maxCpuSeconds} s of CPU time` : `${maxMemory / 1024 / 1024} MB of memory`;
  const refused = `The file cannot be read within ${limit}.`;
  send({ found: { refused, code: 'file_limit' }, memory: Number.POSITIVE_INFINITY });
  // An exit would wait for the library.
  process.abort();
}, 50).unref();

const send = (message: ToServer) => process.send?.(message);
let received: ((bytes: Buffer) => void) | undefined;
const work = process.argv[2] === 'pictures' ? await pictures() : await types();
process.on('message', (message: ToExaminer) => {
  if ('bytes' in message) return received?.(message.bytes);
  before = process.cpuUsage();
  const bytes: Bytes = {
    size: message.size,
    read: (at, length) =>
      new Promise((resolve) => {
        received = resolve;
        send({ read: { at, length: Math.max(0, Math.min(length, message.size - at)) } });
      }),
  };
  const answer = (found: Examined) => {
    before = undefined;
    send({ found, memory: process.memoryUsage.rss() });
  };
  work(message, bytes).then(answer, () => answer({ failed: true }));
});
process.on('disconnect', () => process.abort());
send('ready');

type Work = (task: Task, bytes: Bytes) => Promise<Examined>;

/** Loads only what the process needs, because the picture library takes most of the memory. */
async function types(): Promise<Work> {
  const { fileTypeFromBlob } = await import('file-type');
  return async (task, bytes) => {
    const ahead = windowed(bytes);
    const slice = (from: number, to: number) => ({ arrayBuffer: () => ahead.read(from, to - from) });
    // No more than these of a Blob is used.
    const blob = { size: bytes.size, type: '', slice } as unknown as Blob;
    return examine(task, ahead, (await fileTypeFromBlob(blob))?.mime);
  };
}

async function pictures(): Promise<Work> {
  const [{ default: sharp }, { encode }] = await Promise.all([import('sharp'), import('blurhash')]);
  // A single thread also bounds the memory.
  sharp.concurrency(1);
  sharp.cache(false);
  sharp.block({ operation: ['VipsForeignLoad'] });
  sharp.unblock({ operation: decoders });
  return async (task, bytes) => picture({ sharp, encode }, await whole(bytes), task);
}

async function whole({ size, read }: Bytes): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for (let at = 0; at < size; at += pieceBytes) pieces.push(await read(at, pieceBytes));
  return Buffer.concat(pieces);
}

async function examine({ types }: Task, bytes: Bytes, first: string | undefined): Promise<Examined> {
  const played = first === undefined ? undefined : await readMedia(first, bytes);
  const { type: found, media } = played ?? {};
  const type = played === null ? undefined : await typeOf(bytes, found);
  // `image/*` covers the pictures that are re-encoded. All others keep metadata of the camera, such as the place.
  const isOfKind = (one: string) =>
    types.includes(one.replace(/\/.*/, '/*')) &&
    (!one.startsWith('image/') || one in formats) &&
    one !== 'video/quicktime';
  const allowed = (one: string) => types.includes(one) || isOfKind(one);
  if (type === undefined || !allowed(type)) {
    // Formats based on zip, such as documents, count as zip.
    const isZip =
      found !== undefined && allowed('application/zip') && (await beginsWith(bytes, 'PK\u0003\u0004'));
    if (isZip) return { type: 'application/zip' };
    // A text may begin like another format: `BM`, `MZ`, `ID3`.
    if (allowed('text/plain') && (await isText(bytes))) return { type: 'text/plain' };
    const name = type ?? first ?? 'unknown';
    const known = advice[name];
    if (played === null && known === undefined)
      return {
        refused: `The file begins as ${name}, but has no sound or video that can be played.`,
        code: 'file_damaged',
      };
    return {
      refused: known ?? `Files of the type ${name} are not accepted (CHAT_FILE_TYPES).`,
      code: 'file_type',
    };
  }
  if (type in formats) return { picture: type };
  return media === undefined ? { type } : { type, media };
}

/** Markup counts as text, whatever it describes, and is never shown as anything else. */
async function typeOf(bytes: Bytes, found: string | undefined): Promise<string | undefined> {
  if (found === 'image/apng') return 'image/png';
  if (found !== undefined && !/^text\/|xml$|^application\/rtf$/.test(found)) return found;
  if (await isPdf(bytes)) return 'application/pdf';
  return (await isText(bytes)) ? 'text/plain' : undefined;
}

/** Readers accept a header within the first 1,024 bytes, such as behind those of HTTP, and look for the end in as many. */
async function isPdf({ size, read }: Bytes): Promise<boolean> {
  const [first, last] = [await read(0, 1024), await read(Math.max(0, size - 1024), 1024)];
  return /%PDF-\d/.test(first.toString('latin1')) && last.includes('%%EOF');
}

const beginsWith = async ({ read }: Bytes, text: string): Promise<boolean> =>
  (await read(0, text.length)).toString('latin1') === text;

/** Decodes a picture within bounds, and encodes it and its preview without any metadata. */
async function picture(
  { sharp, encode }: { sharp: typeof import('sharp').default; encode: typeof import('blurhash').encode },
  bytes: Buffer,
  { type: found = '', side, maxBytes }: Task,
): Promise<Examined> {
  const type = found as keyof typeof formats;
  const format = formats[type];
  // libvips decodes the first picture of a sequence alone.
  if (format === 'avif' && bytes.toString('latin1', 8, 12) === 'avis')
    return {
      refused: 'Animated AVIF pictures are not accepted. Send it as WebP or GIF.',
      code: 'file_type',
    };
  const options = { limitInputPixels: maxPixels[format], failOn: 'error' } as const;
  const isAnimation = format === 'gif' || format === 'webp';
  const about = await sharp(bytes, {
    ...options,
    limitInputPixels: false,
    pages: isAnimation ? -1 : 1,
  }).metadata();
  if (
    about.format !== (format === 'avif' ? 'heif' : format) ||
    (format === 'avif' && about.compression !== 'av1')
  )
    return { failed: true };
  const animation = format === 'png' && side === undefined ? readAnimatedPng(bytes) : null;
  const refused = limitOf(about, format, animation);
  if (refused !== undefined) return { refused, code: 'file_limit' };
  const { width, height, pages = 1, pageHeight = height, autoOrient, isPalette, hasAlpha } = about;
  const moves = pages > 1;
  const pixels = width * pageHeight * pages;
  // libvips decodes a whole AVIF for each use of it.
  const source =
    format === 'avif'
      ? await sharp(bytes, options).autoOrient().raw().toBuffer({ resolveWithObject: true })
      : undefined;
  const still = () =>
    source === undefined
      ? sharp(bytes, options).autoOrient()
      : sharp(source.data, { ...options, raw: source.info });
  const coded = {
    // A palette saves most of the bytes of a picture that has one.
    png: { palette: isPalette, dither: 0 },
    jpeg: { quality: 88 },
    // Fast rather than small: the default effort takes ten times as long.
    avif: { effort: 0 },
    webp: { effort: moves || pixels > 16_000_000 ? 0 : 4 },
    gif: {},
  }[format];
  const reduce = (side: number) =>
    still()
      .resize({ width: side, height: side, fit: 'inside', withoutEnlargement: true })
      .webp({ quality: 80 })
      .toBuffer({ resolveWithObject: true });
  let made: { format: Format; bytes: Buffer } | undefined;
  if (side === undefined) {
    const image = moves ? sharp(bytes, { ...options, pages: -1 }) : still();
    made = {
      format,
      bytes:
        animation === null
          ? await image.clone().toFormat(format, coded).toBuffer()
          : writeAnimatedPng(animation),
    };
    if (made.bytes.length > maxBytes) {
      // Such as a photo as PNG, or a JPEG of a lower quality than ours.
      const smaller = hasAlpha || format === 'webp' ? 'webp' : 'jpeg';
      if (moves || animation !== null || (smaller === 'webp' && pixels > maxWebpPixels))
        return { tooLarge: made.bytes.length };
      made = { format: smaller, bytes: await image.toFormat(smaller, { quality: 75 }).toBuffer() };
      if (made.bytes.length > maxBytes) return { tooLarge: made.bytes.length };
    }
  }
  let reduced = await reduce(side ?? previewSide);
  if (reduced.data.length > maxPreviewBytes) reduced = await reduce(previewSide / 2);
  const small = await sharp(reduced.data)
    .resize({ width: blurSide, height: blurSide, fit: 'inside', withoutEnlargement: true })
    .ensureAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  const shown = moves ? { width, height: pageHeight } : autoOrient;
  const isTall = shown.height > shown.width;
  const blur = encode(
    new Uint8ClampedArray(small.data),
    small.info.width,
    small.info.height,
    isTall ? 3 : 4,
    isTall ? 4 : 3,
  );
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

/** The limit that the picture exceeds. Its header gives the size before anything is decoded. */
function limitOf(
  { width, height, pages = 1, pageHeight = height, depth }: Metadata,
  format: Format,
  animation: AnimatedPng | null,
): string | undefined {
  const frames = animation?.frames.length ?? pages;
  const pixels =
    animation === null
      ? width * pageHeight * pages
      : animation.frames.reduce((sum, frame) => sum + frame.width * frame.height, 0);
  const isDeep = depth === 'ushort' && format === 'png';
  const isStillWebp = format === 'webp' && pages === 1;
  const most = isDeep ? maxDeepPixels : isStillWebp ? maxStillWebpPixels : maxPixels[format];
  const name = `${isDeep ? '16-bit ' : ''}${format.toUpperCase()}`;
  if (frames > maxFrames) return `The picture has ${frames} frames; the limit is ${maxFrames}.`;
  if (Math.max(width, pageHeight) > maxSide)
    return `The picture is ${width} × ${pageHeight} pixels; the limit of a side is ${maxSide}.`;
  if (pixels > most)
    return `The picture has ${(pixels / 1e6).toFixed(1)} megapixels${frames > 1 ? ' in its frames' : ''}; the limit of ${name} is ${most / 1e6}.`;
  return undefined;
}

import type { Metadata } from 'sharp';
import { type AnimatedPng, readAnimatedPng, writeAnimatedPng } from './animated-png.ts';
import type { Examined, ExaminerKind, Task, ToExaminer, ToServer } from './examiner.ts';
import { type Bytes, readMedia, windowed } from './media.ts';
import { isText } from './text.ts';

/**
 * A separate process that detects a file's type or re-encodes pictures. A hostile file can only harm this process,
 * which has no keys, no connections, no files, little memory and little time. If it ends, the next file gets a new
 * process.
 */

type Format = (typeof formats)[keyof typeof formats];

const kind = process.argv[2] as ExaminerKind;
/** Limits of one task, memory in bytes. Usual pictures need far less than the limits of `slow`. */
const { maxMemory, maxCpuSeconds } =
  kind === 'slow'
    ? { maxMemory: 1200 * 1024 * 1024, maxCpuSeconds: 20 }
    : { maxMemory: 300 * 1024 * 1024, maxCpuSeconds: 2 };
/**
 * Maximum pixels of a picture in all its frames. Usual pictures of this size stay within `maxMemory` and
 * `maxCpuSeconds`, but noise may not. docs/protocol.md promises these numbers.
 */
const maxPixels: Record<Format, number> = {
  png: 64_000_000,
  jpeg: 64_000_000,
  gif: 64_000_000,
  webp: 64_000_000,
  avif: 16_000_000,
};
/**
 * Pictures with more pixels, which usually take more than a second, are left to `slow` before anything is decoded. A
 * header may lie, so `maxCpuSeconds` counts too.
 */
const maxQuickPixels: Record<Format, number> = {
  png: 8_000_000,
  jpeg: 24_000_000,
  gif: 1_000_000,
  webp: 4_000_000,
  avif: 1_000_000,
};
/** Lower maximum pixels of a still WebP, and of a PNG with 16 bits per channel. */
const maxStillWebpPixels = 32_000_000;
const maxDeepPixels = 32_000_000;
const maxFrames = 500;
/** Maximum pixels of one side. The libraries buffer whole lines, even if a picture has few lines. */
const maxSide = 20_000;
/** Larger pictures are not compressed to a smaller WebP, because that could exceed the limits of a task. */
const maxWebpPixels = 16_000_000;
/** Pixels of the longer side of a preview, and of the picture from which its BlurHash is computed. */
const previewSide = 1280;
const blurSide = 32;
/** A larger preview, such as one of noise, is made again at half the size. docs/operate/files.md names this limit. */
const maxPreviewBytes = 1024 * 1024;
/** Bytes per read. */
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

/** The permitted decoders. libvips has others, which detect their formats differently from this module. */
const decoders = ['Png', 'Jpeg', 'Nsgif', 'Webp', 'Heif'].map((name) => `VipsForeignLoad${name}Buffer`);

/** Advice to the sender, by types that browsers do not show. */
const advice: Record<string, string> = {
  'image/heic':
    'Browsers do not show HEIC pictures. Send the picture as JPEG; an iPhone takes such pictures after Settings > Camera > Formats > Most Compatible.',
  'video/quicktime':
    'Not all browsers play this QuickTime video. Send it as MP4 with H.264; an iPhone records such videos after Settings > Camera > Formats > Most Compatible.',
};
for (const type of ['image/heif', 'image/heic-sequence', 'image/heif-sequence'])
  advice[type] = advice['image/heic'] as string;

/** The CPU usage at the start of the current task. Undefined between tasks. */
let before: NodeJS.CpuUsage | undefined;
setInterval(() => {
  if (before === undefined) return;
  const { user, system } = process.cpuUsage(before);
  const isTooLong = user + system > maxCpuSeconds * 1e6;
  const memory = process.memoryUsage.rss();
  if (!isTooLong && memory <= maxMemory) return;
  const limit = isTooLong ? `${maxCpuSeconds} s of CPU time` : `${maxMemory / 1024 / 1024} MB of memory`;
  const refused = `Reading the file takes more than ${limit}.`;
  const found = kind === 'slow' ? ({ refused, code: 'file_limit' } as const) : ({ isSlow: true } as const);
  send({ found, memory: Number.POSITIVE_INFINITY });
  // `process.exit` would wait for the picture library.
  process.abort();
}, 50).unref();

const send = (message: ToServer) => process.send?.(message);
let received: ((bytes: Buffer) => void) | undefined;
const work = await { types, pictures, slow }[kind]();
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
    // `fileTypeFromBlob` uses only these members of a Blob.
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

async function slow(): Promise<Work> {
  const [ofTypes, ofPictures] = await Promise.all([types(), pictures()]);
  return (task, bytes) => (task.type === undefined ? ofTypes : ofPictures)(task, bytes);
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
  // `image/*` covers only re-encoded pictures. Other pictures keep the camera's metadata, such as the location.
  // `video/*` does not cover QuickTime, which not all browsers play. QuickTime with the codecs of MP4 counts as MP4.
  const isOfKind = (one: string) =>
    types.includes(one.replace(/\/.*/, '/*')) &&
    (!one.startsWith('image/') || one in formats) &&
    one !== 'video/quicktime';
  const allowed = (one: string) => types.includes(one) || isOfKind(one);
  // A QuickTime file that could be sent as MP4 stays unchanged if only its own type is listed.
  if (type !== undefined && !allowed(type) && first === 'video/quicktime' && allowed(first))
    return { type: first };
  if (type === undefined || !allowed(type)) {
    // Formats based on zip, such as office documents, also count as zip.
    const isZip =
      found !== undefined && allowed('application/zip') && (await beginsWith(bytes, 'PK\u0003\u0004'));
    if (isZip) return { type: 'application/zip' };
    // A text may start with the signature of another format, such as `BM`, `MZ` or `ID3`.
    if (allowed('text/plain') && (await isText(bytes))) return { type: 'text/plain' };
    const name = type ?? first ?? 'unknown';
    const known = advice[name];
    if (played === null && known === undefined)
      return {
        refused: `The file starts like ${name}, but contains no playable audio or video.`,
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

/** Returns the type by content. Markup such as SVG counts as plain text, so it is never rendered. */
async function typeOf(bytes: Bytes, found: string | undefined): Promise<string | undefined> {
  if (found === 'image/apng') return 'image/png';
  if (found !== undefined && !/^text\/|xml$|^application\/rtf$/.test(found)) return found;
  if (await isPdf(bytes)) return 'application/pdf';
  return (await isText(bytes)) ? 'text/plain' : undefined;
}

/**
 * Whether the file is a PDF. PDF readers search for the header in the first 1,024 bytes, for example after HTTP
 * headers, and for the end in the last 1,024 bytes.
 */
async function isPdf({ size, read }: Bytes): Promise<boolean> {
  const [first, last] = [await read(0, 1024), await read(Math.max(0, size - 1024), 1024)];
  return /%PDF-\d/.test(first.toString('latin1')) && last.includes('%%EOF');
}

const beginsWith = async ({ read }: Bytes, text: string): Promise<boolean> =>
  (await read(0, text.length)).toString('latin1') === text;

/** Decodes a picture within the limits. Encodes it and its preview without any metadata. */
async function picture(
  { sharp, encode }: { sharp: typeof import('sharp').default; encode: typeof import('blurhash').encode },
  bytes: Buffer,
  { type: found = '', side, maxBytes }: Task,
): Promise<Examined> {
  const type = found as keyof typeof formats;
  const format = formats[type];
  // libvips decodes only the first picture of a sequence.
  if (format === 'avif' && bytes.toString('latin1', 8, 12) === 'avis')
    return {
      refused: 'Animated AVIF pictures are not accepted. Send the picture as WebP or GIF.',
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
  if (kind !== 'slow' && pixelsOf(about, animation) > maxQuickPixels[format]) return { isSlow: true };
  const { width, height, pages = 1, pageHeight = height, autoOrient, isPalette, hasAlpha } = about;
  const moves = pages > 1;
  const pixels = width * pageHeight * pages;
  // libvips would decode the whole AVIF again for each use.
  const source =
    format === 'avif'
      ? await sharp(bytes, options).autoOrient().raw().toBuffer({ resolveWithObject: true })
      : undefined;
  const still = () =>
    source === undefined
      ? sharp(bytes, options).autoOrient()
      : sharp(source.data, { ...options, raw: source.info });
  const coded = {
    // A picture that has a palette would be several times as large without it.
    png: { palette: isPalette, dither: 0 },
    jpeg: { quality: 88 },
    // Fast rather than small, because the default effort takes ten times as long.
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
      // For example a photo uploaded as PNG, or a JPEG with a quality below 88.
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

/** Returns the pixels of all frames, as the headers say. */
function pixelsOf(
  { width, height, pages = 1, pageHeight = height }: Metadata,
  animation: AnimatedPng | null,
): number {
  if (animation === null) return width * pageHeight * pages;
  return animation.frames.reduce((sum, frame) => sum + frame.width * frame.height, 0);
}

/** Returns a message if the picture exceeds a limit. Uses sizes from headers, before anything is decoded. */
function limitOf(about: Metadata, format: Format, animation: AnimatedPng | null): string | undefined {
  const { width, height, pages = 1, pageHeight = height, depth } = about;
  const frames = animation?.frames.length ?? pages;
  const pixels = pixelsOf(about, animation);
  const isDeep = depth === 'ushort' && format === 'png';
  const isStillWebp = format === 'webp' && pages === 1;
  const most = isDeep ? maxDeepPixels : isStillWebp ? maxStillWebpPixels : maxPixels[format];
  const name = `${isDeep ? '16-bit ' : ''}${format.toUpperCase()}`;
  if (frames > maxFrames) return `The picture has ${frames} frames; the limit is ${maxFrames}.`;
  if (Math.max(width, pageHeight) > maxSide)
    return `The picture is ${width} × ${pageHeight} pixels; the limit of a side is ${maxSide}.`;
  if (pixels > most)
    return `The picture has ${(pixels / 1e6).toFixed(1)} megapixels${frames > 1 ? ' in all frames' : ''}; the limit of ${name} is ${most / 1e6}.`;
  return undefined;
}

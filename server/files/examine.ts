import { open, stat } from 'node:fs/promises';
import { setPriority } from 'node:os';
import { encode } from 'blurhash';
import { fileTypeFromFile } from 'file-type';
import sharp from 'sharp';
import type { Examined, Task } from './examiner.ts';

/**
 * A process of its own that finds out what a file is, and makes pictures anew. Whatever a hostile file does to the
 * libraries happens here: this process has neither keys nor connections, little memory and little time, and the next file
 * gets another one if it ends.
 */

/** Of a picture, over all of its frames. */
const mostPixels = 64_000_000;
const mostFrames = 500;
/** Bytes of memory, above which no usual picture comes. */
const mostMemory = 1024 * 1024 * 1024;
/** The longer side of a preview, and of what a BlurHash is made of. */
const previewSide = 1280;
const blurSide = 32;

/** What pictures are made anew as, by what they are. */
const formats = {
  'image/png': 'png',
  'image/apng': 'png',
  'image/jpeg': 'jpeg',
  'image/gif': 'gif',
  'image/webp': 'webp',
  'image/avif': 'avif',
} as const;

// Others come first. One picture at a time, with one thread, is also a bound of its memory.
setPriority(10);
sharp.concurrency(1);
sharp.cache(false);
setInterval(() => {
  if (process.memoryUsage.rss() > mostMemory) process.exit(1);
}, 100).unref();

process.on('message', (task: Task) => {
  examine(task).then(
    (found) => process.send?.(found),
    (error: NodeJS.ErrnoException) =>
      process.send?.({ failed: error.code ?? 'unreadable' } satisfies Examined),
  );
});
process.on('disconnect', () => process.exit());
process.send?.('ready');

async function examine({ path, types }: Task): Promise<Examined> {
  const found = (await fileTypeFromFile(path))?.mime;
  const type = await typeOf(path, found);
  // `image/*`: those that are made anew. All others keep what a camera has noted in them, such as a place.
  const isOfKind = (one: string) =>
    types.includes(one.replace(/\/.*/, '/*')) && (!one.startsWith('image/') || one in formats);
  const allowed = (one: string) => types.includes(one) || isOfKind(one);
  if (type === undefined || !allowed(type)) {
    // What is made of a zip, such as a document, is one.
    const isZip =
      found !== undefined && allowed('application/zip') && (await beginsWith(path, 'PK\u0003\u0004'));
    return isZip ? { type: 'application/zip' } : { refused: true };
  }
  return type in formats ? picture(path, type as keyof typeof formats) : { type };
}

/** Markup is text, whatever it describes: nothing of it is ever shown as more. */
async function typeOf(path: string, found: string | undefined): Promise<string | undefined> {
  if (found === 'image/apng') return 'image/png';
  if (found !== undefined && !/^text\/|xml$|^application\/rtf$/.test(found)) return found;
  return (await isText(path)) ? 'text/plain' : undefined;
}

/** Whether a file has no control characters but those of texts. Its encoding is unknown. */
async function isText(path: string): Promise<boolean> {
  const file = await open(path);
  let isEmpty = true;
  try {
    for await (const piece of file.createReadStream()) {
      isEmpty = false;
      for (const byte of piece as Buffer) {
        if (byte < 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0c && byte !== 0x0d) return false;
      }
    }
  } finally {
    await file.close().catch(() => {});
  }
  return !isEmpty;
}

async function beginsWith(path: string, text: string): Promise<boolean> {
  const file = await open(path);
  try {
    const { buffer } = await file.read({ buffer: Buffer.alloc(text.length), length: text.length });
    return buffer.toString('latin1') === text;
  } finally {
    await file.close();
  }
}

/** Decodes a picture within bounds, and writes it and its preview beside it, without anything that was beside the pixels. */
async function picture(path: string, type: keyof typeof formats): Promise<Examined> {
  const options = { limitInputPixels: mostPixels, failOn: 'error' } as const;
  const {
    width,
    height,
    pages = 1,
    pageHeight = height,
    autoOrient,
  } = await sharp(path, {
    ...options,
    limitInputPixels: false,
    pages: type === 'image/gif' || type === 'image/webp' ? -1 : 1,
  }).metadata();
  if (pages > mostFrames || width * pageHeight * pages > mostPixels) return { refused: true };
  const moves = pages > 1;
  const made = `${path}.made`;
  const preview = `${path}.preview`;
  const whole = moves ? sharp(path, { ...options, pages: -1 }) : sharp(path, options).autoOrient();
  const format = formats[type];
  await whole
    .toFormat(format, format === 'jpeg' ? { quality: 88 } : format === 'avif' ? { effort: 2 } : {})
    .toFile(made);
  const inside = { fit: 'inside', withoutEnlargement: true } as const;
  await sharp(path, options)
    .autoOrient()
    .resize({ width: previewSide, height: previewSide, ...inside })
    .webp({ quality: 80 })
    .toFile(preview);
  const small = await sharp(preview)
    .resize({ width: blurSide, height: blurSide, ...inside })
    .ensureAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  const pixels = new Uint8ClampedArray(small.data);
  const shown = moves ? { width, height: pageHeight } : autoOrient;
  const isTall = shown.height > shown.width;
  const blur = encode(pixels, small.info.width, small.info.height, isTall ? 3 : 4, isTall ? 4 : 3);
  return {
    type: `image/${format}`,
    made: {
      path: made,
      size: (await stat(made)).size,
      preview,
      width: shown.width,
      height: shown.height,
      blur,
    },
  };
}

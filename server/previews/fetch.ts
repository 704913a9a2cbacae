import { setPriority } from 'node:os';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import { type Got, get } from '../outgoing/get.ts';
import { NotFetched, type OutgoingRequest } from '../outgoing/request.ts';
import type { Fetched, FetchTask } from './fetcher.ts';
import { type PageHead, PageReader } from './page.ts';

/**
 * A separate process that fetches the pages of links. A hostile page can only harm this process, which has no keys, no
 * connections to clients or databases, and little memory. If it ends, the next link gets a new process.
 */

/** Timeout in ms for a page with its redirects. */
const pageTime = 3000;
/** Timeout in ms for the picture of a page, with its redirects. */
const pictureTime = 2000;
/** Maximum bytes after decompression. The rest of a page is ignored; a larger picture is rejected. */
const mostBytes = 512 * 1024;
/** Maximum bytes of memory of this process. */
const maxMemory = 256 * 1024 * 1024;

/** Decompression, by `Content-Encoding`. */
const decoders = {
  gzip: createGunzip,
  'x-gzip': createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
};

// All other processes take precedence.
setPriority(10);
setInterval(() => {
  if (process.memoryUsage.rss() > maxMemory) process.abort();
}, 50).unref();

process.on('message', (task: FetchTask) => {
  fetchPage(task).then(
    (page) => process.send?.({ id: task.id, page } satisfies Fetched),
    () => process.send?.({ id: task.id } satisfies Fetched),
  );
});
process.on('disconnect', () => process.exit());
process.send?.('ready');

async function fetchPage({ url, ...task }: FetchTask): Promise<NonNullable<Fetched['page']>> {
  const allowed = new Set(task.allowed);
  const got = await get(url, {
    ...asking('text/html,application/xhtml+xml'),
    allowed,
    signal: within(pageTime),
  });
  const { base, image, ...page } = await readPage(got);
  if (image === undefined || !task.picture) return page;
  // If the picture fails, the page still has a title.
  const picture = await fetchPicture(image, base, got.url, allowed).catch(() => undefined);
  return { ...page, ...(picture === undefined ? {} : { picture }) };
}

async function readPage({ headers, body }: Got): Promise<PageHead & { base?: string }> {
  const [type = '', ...parameters] = (headers['content-type'] ?? '').toLowerCase().split(';');
  if (!['text/html', 'application/xhtml+xml'].includes(type.trim())) {
    body.destroy();
    throw new NotFetched(`type ${type}`);
  }
  const given = parameters.map((one) => /^\s*charset="?([^"\s]+)/.exec(one)?.[1]).find(Boolean);
  const reader = new PageReader();
  let decoder: TextDecoder | undefined;
  let bytes = 0;
  for await (const piece of decoded(body)) {
    const part = piece.subarray(0, mostBytes - bytes);
    bytes += part.length;
    decoder ??= decoderOf(given ?? charsetIn(part));
    if (!reader.read(decoder.decode(part, { stream: true })) || bytes === mostBytes) break;
  }
  const page = reader.end();
  if (page === undefined) throw new NotFetched('no title');
  return page;
}

/**
 * Fetches the picture of a page.
 * @param base the page's `<base href>`
 * @returns the picture in base64
 * @throws NotFetched if it is too large, otherwise as `get` does
 */
async function fetchPicture(
  image: string,
  base: string | undefined,
  page: URL,
  allowed: OutgoingRequest['allowed'],
): Promise<string> {
  const from = base !== undefined && URL.canParse(base, page.href) ? new URL(base, page.href) : page;
  const asked = {
    ...asking('image/webp,image/png,image/jpeg,image/gif'),
    allowed,
    signal: within(pictureTime),
  };
  const { body } = await get(new URL(image, from).href, asked);
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of decoded(body)) {
    bytes += piece.length;
    if (bytes > mostBytes) throw new NotFetched('too large');
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString('base64');
}

const asking = (types: string): Pick<OutgoingRequest, 'headers'> => ({
  headers: {
    Accept: types,
    'Accept-Encoding': 'gzip, deflate, br',
    'User-Agent': 'Mozilla/5.0 (compatible; php-session-chat; link preview)',
  },
});

const within = (ms: number): AbortSignal => AbortSignal.timeout(ms);

/** Returns the decompressed body. Leaving a loop over it destroys it. */
function decoded(body: Got['body']): AsyncIterable<Buffer> & Readable {
  const encoding = body.headers['content-encoding']?.trim().toLowerCase() ?? 'identity';
  if (encoding === 'identity' || encoding === '') return body;
  if (!Object.hasOwn(decoders, encoding)) {
    body.destroy();
    throw new NotFetched(`encoding ${encoding}`);
  }
  const decoder = decoders[encoding as keyof typeof decoders]();
  // Errors of both streams reach the reader of the decoder.
  pipeline(body, decoder).catch(() => {});
  return decoder;
}

/**
 * Returns the charset of a `<meta>` (https://html.spec.whatwg.org/#prescan-a-byte-stream-to-determine-its-encoding).
 */
const charsetIn = (html: Buffer): string | undefined =>
  /<meta[^>]{0,200}charset\s*=\s*["']?\s*([\w:.-]+)/i.exec(html.subarray(0, 1024).toString('latin1'))?.[1];

function decoderOf(charset = 'utf-8'): TextDecoder {
  try {
    return new TextDecoder(charset);
  } catch {
    return new TextDecoder();
  }
}

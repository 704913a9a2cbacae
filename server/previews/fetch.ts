import { pipeline } from 'node:stream/promises';
import { constants, createBrotliDecompress, createGunzip, createInflate, createInflateRaw } from 'node:zlib';
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

/** A body that ends early is read as far as it came. */
const partly = { finishFlush: constants.Z_SYNC_FLUSH };
const gunzip = () => createGunzip(partly);

/** Decompression, by `Content-Encoding` and the first bytes. */
const decoders = {
  gzip: gunzip,
  'x-gzip': gunzip,
  // Some servers omit the header of zlib (RFC 9110, 8.4.1.2), which begins with this half byte.
  deflate: ([first = 0]: Uint8Array) =>
    (first & 0x0f) === 0x08 ? createInflate(partly) : createInflateRaw(partly),
  br: () => createBrotliDecompress({ finishFlush: constants.BROTLI_OPERATION_FLUSH }),
};

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
  return { ...page, picture };
}

async function readPage({ headers, body }: Got): Promise<PageHead & { base?: string }> {
  const [type = '', ...parameters] = (headers['content-type'] ?? '').toLowerCase().split(';');
  if (!['text/html', 'application/xhtml+xml'].includes(type.trim())) {
    body.destroy();
    throw new NotFetched(`type ${type}`);
  }
  const charset = parameters.map((one) => /^\s*charset="?([^"\s]+)/.exec(one)?.[1]).find(Boolean) ?? '';
  const reader = new PageReader({ charset, isXml: type.trim() !== 'text/html' });
  let bytes = 0;
  let failure: unknown;
  try {
    for await (const piece of decoded(body)) {
      const part = piece.subarray(0, mostBytes - bytes);
      bytes += part.length;
      if (!reader.read(part) || bytes === mostBytes) break;
    }
  } catch (error) {
    // What arrived may have a title.
    failure = error;
  }
  const page = reader.end();
  if (page === undefined) throw failure ?? new NotFetched('no title');
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
  const given = base !== undefined && URL.canParse(base, page.href) ? new URL(base, page.href) : page;
  const from = given.protocol.startsWith('http') ? given : page;
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
async function* decoded(body: Got['body']): AsyncGenerator<Buffer> {
  try {
    const encoding = body.headers['content-encoding']?.trim().toLowerCase() ?? 'identity';
    if (encoding === 'identity' || encoding === '') {
      yield* body;
      return;
    }
    if (!Object.hasOwn(decoders, encoding)) throw new NotFetched(`encoding ${encoding}`);
    const pieces: AsyncIterator<Buffer> = body[Symbol.asyncIterator]();
    const first = await pieces.next();
    if (first.done) return;
    const decoder = decoders[encoding as keyof typeof decoders](first.value);
    const all = async function* () {
      yield first.value;
      for (let next = await pieces.next(); !next.done; next = await pieces.next()) yield next.value;
    };
    // Errors of both streams reach the reader of the decoder.
    pipeline(all, decoder).catch(() => {});
    yield* decoder;
  } finally {
    body.destroy();
  }
}

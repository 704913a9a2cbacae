import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';
import { securityHeaders } from './answer.ts';
import { watchReader } from './progress.ts';

/** A file of an archive. */
export interface ZipFile {
  name: string;
  bytes: AsyncIterable<string | Buffer>;
}

/**
 * Streams an archive as the response. A failure in the middle closes the connection, so that the client sees that the
 * archive is incomplete.
 * @throws Error if a part fails
 */
export async function answerZip(
  req: IncomingMessage,
  res: ServerResponse,
  name: string,
  parts: AsyncIterable<ZipFile>,
): Promise<void> {
  // Loaded on demand, since most servers never need it.
  const { ZipFile } = await import('yazl');
  const zip = new ZipFile();
  const left = new AbortController();
  const add = async () => {
    for await (const part of parts) {
      const bytes = Readable.from(part.bytes, { objectMode: false });
      zip.addReadStream(bytes, part.name, { mode: 0o100600 });
      await finished(bytes, { signal: left.signal }).finally(() => bytes.destroy());
    }
    zip.end();
  };
  res.writeHead(200, {
    ...securityHeaders,
    'Content-Type': 'application/zip',
    'Content-Disposition': `attachment; filename="${name}"`,
    'Cache-Control': 'no-store',
  });
  if (req.method === 'HEAD') return void res.end();
  const stopped = watchReader(req, res);
  // Both are awaited together, because an unhandled rejection ends the process.
  await Promise.all([
    add().catch((error: Error) => {
      (zip.outputStream as Readable).destroy(error);
      if (!left.signal.aborted) throw error;
    }),
    // A client that disconnects early is not a failure.
    pipeline(zip.outputStream, res)
      .catch(() => res.destroy())
      .finally(() => left.abort()),
  ]).finally(stopped);
}

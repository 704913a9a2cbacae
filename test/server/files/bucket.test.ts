import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { expect, onTestFinished, test } from 'vitest';
import { bucketStorage } from '../../../server/files/bucket.ts';
import type { Storage } from '../../../server/files/storage.ts';

async function listen(answer: RequestListener): Promise<string> {
  const server = createServer(answer).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

/** A bucket with arbitrary answers. */
const bucket = async (answer: RequestListener) =>
  bucketStorage({
    kind: 's3',
    url: await listen(answer),
    region: 'us-east-1',
    prefix: '',
    credentials: { key: 'key', secret: 'secret' },
  });

const name = 'a'.repeat(32);
const asksOf = (storage: Storage) => [
  () => storage.open(name),
  () => storage.delete(name),
  () => storage.check(),
];

test('only the beginning of an endless refusal is read', async () => {
  const piece = Buffer.alloc(64 * 1024, ' ');
  let sent = 0;
  const endless = await bucket((_req, res) => {
    res.writeHead(500).write('<Error><Code>InternalError</Code>');
    Readable.from(
      (function* () {
        for (;;) {
          sent += piece.length;
          yield piece;
        }
      })(),
    ).pipe(res);
  });
  for (const ask of asksOf(endless))
    await expect(ask()).rejects.toThrow('the bucket returned 500 InternalError');
  // The buffers of three connections.
  expect(sent).toBeLessThan(64 * 1024 * 1024);
});

test('a file that was compressed on its way is refused: its length would be wrong for the client', async () => {
  const bytes = gzipSync(Buffer.alloc(1_000_000));
  const asked: unknown[] = [];
  const packing = await bucket((req, res) => {
    asked.push(req.headers['accept-encoding']);
    res.writeHead(200, { 'Content-Encoding': 'gzip', 'Content-Length': bytes.length }).end(bytes);
  });
  await expect(packing.open(name)).rejects.toThrow('the bucket compresses files (gzip)');
  expect(asked).toEqual(['identity']);
});

test('a part of another length is refused', async () => {
  const whole = await bucket((_req, res) => res.writeHead(206, { 'Content-Length': 10 }).end('0123456789'));
  await expect(whole.open(name, { start: 2, end: 4 })).rejects.toThrow(
    'the bucket returned a different range',
  );
});

test('a name that no server makes is not asked for: it could lead out of the prefix', async () => {
  const asked: unknown[] = [];
  const storage = await bucket((req, res) => {
    asked.push(req.url);
    res.end('x');
  });
  expect(await storage.open('../secret')).toBeNull();
  await storage.delete('../secret');
  expect(asked).toEqual([]);
});

test('a redirect is named and not followed', async () => {
  let isAsked = false;
  const elsewhere = await listen((_req, res) => {
    isAsked = true;
    res.end();
  });
  const moved = await bucket((_req, res) =>
    res.writeHead(307, { Location: elsewhere }).end('<Error><Code>TemporaryRedirect</Code></Error>'),
  );
  for (const ask of asksOf(moved)) {
    await expect(ask()).rejects.toThrow('the bucket returned 307 TemporaryRedirect');
  }
  expect(isAsked).toBe(false);
});

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

/** A bucket that responds as `answer` does. */
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

test('reads only the beginning of an endless error response', async () => {
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

test('rejects a file that the bucket compressed, because its length would be wrong', async () => {
  const bytes = gzipSync(Buffer.alloc(1_000_000));
  const asked: unknown[] = [];
  const packing = await bucket((req, res) => {
    asked.push(req.headers['accept-encoding']);
    res.writeHead(200, { 'Content-Encoding': 'gzip', 'Content-Length': bytes.length }).end(bytes);
  });
  await expect(packing.open(name)).rejects.toThrow('the bucket compresses files (gzip)');
  expect(asked).toEqual(['identity']);
});

test('rejects a part of another length', async () => {
  const whole = await bucket((_req, res) => res.writeHead(206, { 'Content-Length': 10 }).end('0123456789'));
  await expect(whole.open(name, { start: 2, end: 4 })).rejects.toThrow(
    'the bucket returned a different range',
  );
});

test('does not request a name that could lead out of the prefix', async () => {
  const asked: unknown[] = [];
  const storage = await bucket((req, res) => {
    asked.push(req.url);
    res.end('x');
  });
  expect(await storage.open('../secret')).toBeNull();
  await storage.delete('../secret');
  expect(asked).toEqual([]);
});

test('reports a redirect and does not follow it', async () => {
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

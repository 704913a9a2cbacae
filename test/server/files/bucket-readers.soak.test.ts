import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { bucketStorage } from '../../../server/files/bucket.ts';

const size = 64 * 1024 * 1024;

const [half, whole] = ['a'.repeat(32), 'b'.repeat(32)];

/** A bucket that sends as fast as it is read, and only the first half of the file `half`. */
async function startBucket() {
  const server = createServer((req, res) => {
    res.writeHead(200, { 'Content-Length': size });
    if (req.url?.endsWith(half) !== true) return void res.end(Buffer.alloc(size));
    res.write(Buffer.alloc(size / 2));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const storage = bucketStorage({
    kind: 's3',
    url: `http://127.0.0.1:${port}/bucket/`,
    region: 'us-east-1',
    prefix: '',
    credentials: { key: 'key', secret: 'secret' },
  });
  const read = async (name: string, rest: number) => {
    let got = 0;
    for await (const piece of (await storage.open(name))?.bytes ?? []) {
      // Once, after the first bytes.
      if (got === 0) await pause(rest);
      got += (piece as Buffer).length;
    }
    return got;
  };
  const close = () => {
    server.closeAllConnections();
    server.close();
  };
  return { read, close };
}

test('a reader may rest for longer than a bucket may be silent', async () => {
  const { read, close } = await startBucket();
  const silent = expect(read(half, 0)).rejects.toThrow('silent');
  expect(await read(whole, 125_000)).toBe(size);
  await silent;
  close();
}, 200_000);

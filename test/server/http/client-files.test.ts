import { readFileSync } from 'node:fs';
import { type IncomingHttpHeaders, request } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { chatServerHere } from '../../helpers/chat-here.ts';
import type { RunningChat } from '../../helpers/chat-server.ts';
import { type ChatSite, startChatSite } from '../../helpers/chat-site.ts';

const built = fileURLToPath(new URL('../../../client/dist/', import.meta.url));
const script = readFileSync(join(built, 'php-chat.js'));

let site: ChatSite<RunningChat>;
beforeAll(async () => {
  site = await startChatSite({}, chatServerHere);
});
afterAll(() => site.close());

interface Answer {
  status: number | undefined;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

/** Sends exactly these headers, because `fetch` adds its own Accept-Encoding. */
function get(headers: Record<string, string>, path = '/php-chat.js', method = 'GET'): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const req = request(site.chat.url + path, { method, headers }, async (res) => {
      const pieces: Buffer[] = [];
      for await (const piece of res) pieces.push(piece);
      resolve({ status: res.statusCode, headers: res.headers, body: Buffer.concat(pieces) });
    });
    req.on('error', reject).end();
  });
}

const decode: Record<string, (body: Buffer) => Buffer> = {
  br: brotliDecompressSync,
  gzip: gunzipSync,
  none: (body) => body,
};

describe('the script', () => {
  test.each([
    ['gzip, deflate, br, zstd', 'br'],
    ['X-GZIP', 'gzip'],
    ['GZIP;Q=0.5 , BR ; q=0.4', 'gzip'],
    ['*', 'br'],
    ['*;q=0.5, br;q=0', 'gzip'],
    ['gzip;q=0, *;q=0', 'none'],
    ['identity, br;q=0.5', 'none'],
    ['identity;q=0, deflate', 'none'],
    ['', 'none'],
    ['br;q=2, gzip;q=x, ;;,=', 'none'],
    ['brotli, gzipped', 'none'],
  ])('is sent for Accept-Encoding %j as %s', async (accepted, coding) => {
    const { status, headers, body } = await get({ 'Accept-Encoding': accepted });
    expect(status).toBe(200);
    expect(headers['content-encoding'] ?? 'none').toBe(coding);
    expect(headers.vary).toBe('Accept-Encoding');
    expect(headers['content-type']).toBe('text/javascript; charset=utf-8');
    expect(Number(headers['content-length'])).toBe(body.length);
    expect(decode[coding]?.(body).equals(script)).toBe(true);
  });

  test('is sent without an encoding if the header is missing', async () => {
    const { headers, body } = await get({});
    expect([headers['content-encoding'], headers.vary]).toEqual([undefined, 'Accept-Encoding']);
    expect(body.equals(script)).toBe(true);
  });
});

describe('the ETag', () => {
  const tagOf = async (coding: string) => (await get({ 'Accept-Encoding': coding })).headers.etag ?? '';

  test('differs by encoding, and matches only for the same encoding', async () => {
    const codings = ['br', 'gzip', 'identity'];
    const tags = await Promise.all(codings.map(tagOf));
    expect(new Set(tags).size).toBe(3);
    for (const [n, coding] of codings.entries()) {
      for (const [m, tag] of tags.entries()) {
        const answer = await get({ 'Accept-Encoding': coding, 'If-None-Match': tag });
        expect(answer.status).toBe(n === m ? 304 : 200);
        expect(answer.headers).toMatchObject({ etag: tags[n], vary: 'Accept-Encoding' });
        if (n === m) expect(answer.body).toHaveLength(0);
      }
    }
  });

  test('matches in a list, as a weak tag, and as *', async () => {
    const tag = await tagOf('br');
    for (const known of [`"a", ${tag}`, `"a",${tag} , "b"`, `W/${tag}`, '*']) {
      expect((await get({ 'Accept-Encoding': 'br', 'If-None-Match': known })).status).toBe(304);
    }
  });
});

test('answers HEAD with the headers of GET', async () => {
  for (const coding of ['br', 'gzip', 'identity']) {
    const [head, full] = [
      await get({ 'Accept-Encoding': coding }, '/php-chat.js', 'HEAD'),
      await get({ 'Accept-Encoding': coding }),
    ];
    expect(head.body).toHaveLength(0);
    for (const { headers } of [head, full]) delete headers.date;
    expect(head.headers).toEqual(full.headers);
  }
});

test('sends the page without an encoding, with the login address', async () => {
  const { headers, body } = await get({ 'Accept-Encoding': 'br, gzip' }, '/');
  expect([headers['content-encoding'], headers.vary]).toEqual([undefined, undefined]);
  expect(body.toString()).toContain('login-url=');
});

test.each([['/php-chat.js.br'], ['/php-chat.js.gz']])('answers 404 for %s', async (path) => {
  expect((await get({}, path)).status).toBe(404);
});

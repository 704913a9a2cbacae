import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { isPublic } from '../../../server/outgoing/addresses.ts';
import { get } from '../../../server/outgoing/get.ts';
import { NotFetched } from '../../../server/outgoing/request.ts';
import { Fetcher } from '../../../server/previews/fetcher.ts';
import { size } from '../../guarantees/size.ts';
import { startChild } from '../../helpers/child.ts';
import { hanging } from '../../helpers/hanging.ts';

/**
 * Runs these commands and a helper program in separate mount and network namespaces. @returns what the program reports
 */
async function inNamespaces(program: string, ...commands: string[]): Promise<string> {
  // Sets the loopback interface up: SIOCSIFFLAGS, IFF_UP.
  const up = 'perl -e \'socket(S, 2, 2, 0) && ioctl(S, 0x8914, $_ = pack("a16s", "lo", 1)) or die\'';
  const isRoot = process.getuid?.() === 0;
  const namespaces = ['--mount', '--net', ...(isRoot ? [] : ['--user', '--map-root-user'])];
  const path = fileURLToPath(new URL(`../../helpers/${program}`, import.meta.url));
  const script = [up, ...commands, 'exec "$0" "$1"'].join(' && ');
  const child = startChild('unshare', [...namespaces, 'sh', '-c', script, process.execPath, path]);
  const [, said = ''] = await child.until(/became (.*)/);
  await child.stop();
  return said;
}

/** Runs slow-names.ts, which is its own name server. @returns its report */
async function slowNames(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'chat-names-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, 'resolv.conf'), 'nameserver 127.0.0.1\n');
  return inNamespaces('slow-names.ts', `mount --bind ${folder}/resolv.conf /etc/resolv.conf`);
}

/**
 * Runs own-addresses.ts after assigning 8.8.4.4 (SIOCSIFADDR) and a local route to 9.9.9.9 (RTM_NEWROUTE). @returns its
 * report
 */
function ownAddresses(): Promise<string> {
  const address = 'pack("a16SnC4x8", "lo:1", 2, 0, 8, 8, 4, 4)';
  const route =
    'pack("LSSLLC8LSSC4SSL", 44, 24, 0x401, 1, 0, 2, 32, 0, 0, 255, 3, 254, 2, 0, 8, 1, 9, 9, 9, 9, 8, 4, 1)';
  return inNamespaces(
    'own-addresses.ts',
    `perl -e 'socket(S, 2, 2, 0) && ioctl(S, 0x8916, $_ = ${address}) or die'`,
    `perl -e 'socket(S, 16, 3, 0) && syswrite(S, ${route}) or die'`,
  );
}

/** The request handlers of a site, by path. */
const pages: Record<string, RequestListener> = {};
const asked: IncomingMessage[] = [];
let site: Server;
let host: string;
let fetcher: Fetcher;

beforeAll(async () => {
  site = createServer((req, res) => {
    asked.push(req);
    const page = pages[req.url?.split('?')[0] ?? ''];
    if (page === undefined) res.writeHead(404).end();
    else page(req, res);
  });
  await new Promise<void>((done) => site.listen(0, '127.0.0.1', done));
  host = `127.0.0.1:${(site.address() as AddressInfo).port}`;
  fetcher = new Fetcher((error) => {
    throw error;
  });
});

afterAll(async () => {
  fetcher.close();
  site.closeAllConnections();
  await new Promise((done) => site.close(done));
});

const html =
  (body: string | Buffer, headers: Record<string, string> = {}): RequestListener =>
  (_, res) =>
    res.writeHead(200, { 'content-type': 'text/html; charset=utf-8', ...headers }).end(body);

/** Sends each piece when the previous one has left this process. */
const inPieces =
  (pieces: Buffer[], headers: Record<string, string>): RequestListener =>
  async (_, res) => {
    res.socket?.setNoDelay(true);
    res.writeHead(200, { 'content-type': 'text/html; charset=utf-8', ...headers });
    for (const piece of pieces) await new Promise<void>((sent) => res.write(piece, () => sent()));
    res.end();
  };

/** Fetches a page with its picture. The host of the test site is allowed. */
const fetched = (url: string, user = 'u') => fetcher.fetch(user, { url, allowed: [host], picture: true });
const at = (path: string) => fetched(`http://${host}${path}`);
/** Retries if this machine is too slow for the timeout of a page. */
const reads = (path: string, page: object) =>
  vi.waitFor(async () => expect(await at(path)).toEqual(page), hanging);

describe('a page', () => {
  test('is read by its Open Graph tags, without cookies or referrer', async () => {
    pages['/spring'] = html(`<!doctype html><head><title>Other</title>
      <meta property="og:title" content="Spring market 2027: stalls &amp; hours">
      <meta property="og:title" content="Only the first one counts">
      <meta property="og:description" content="Forty growers\n from the valley.">
      <meta property="og:image" content="/photo.png"></head><body><meta property="og:title" content="late">`);
    pages['/photo.png'] = (_, res) => res.writeHead(200, { 'content-type': 'image/png' }).end('PICTURE');
    await reads('/spring', {
      title: 'Spring market 2027: stalls & hours',
      description: 'Forty growers from the valley.',
      picture: Buffer.from('PICTURE').toString('base64'),
    });
    for (const { headers } of asked.splice(0)) {
      expect(Object.keys(headers).sort()).toEqual([
        'accept',
        'accept-encoding',
        'connection',
        'host',
        'user-agent',
      ]);
    }
  });

  test.each([
    ['gzip', gzipSync],
    ['br', brotliCompressSync],
    ['deflate', deflateSync],
    // Some servers omit the header of zlib, and browsers accept it.
    ['deflate', deflateRawSync],
    ['deflate', (text: string) => deflateSync(text, { windowBits: 9 })],
    ['deflate', () => Buffer.alloc(0)],
  ])('is read if compressed as %s', async (encoding, compress) => {
    const packed = compress('<title>Packed</title><body>');
    // A byte at a time, because the format must not depend on the pieces of the network.
    pages['/packed'] = inPieces(
      [...packed].map((byte) => Buffer.of(byte)),
      { 'content-encoding': encoding },
    );
    if (packed.length === 0) expect(await at('/packed')).toBeUndefined();
    else await reads('/packed', { title: 'Packed' });
  });

  /** A page in windows-1251 without a declaration in the header. */
  const cyrillic = (...before: string[]) =>
    Buffer.concat([
      Buffer.from(`${before.join('')}<title>`),
      Buffer.from([0xcc, 0xee, 0xf1, 0xea, 0xe2, 0xe0]),
      Buffer.from('</title>'),
    ]);
  const utf16 = (text: string) => Buffer.from(text, 'utf16le');
  const bom = Buffer.from([0xff, 0xfe]);
  const titled = (...title: number[]) => Buffer.from([...Buffer.from('<title>'), ...title]);

  test.each<[of: string, page: Buffer, title: string | undefined, type?: string]>([
    // https://github.com/element-hq/synapse/issues/2891, https://github.com/mastodon/mastodon/issues/9466
    [
      'a content type in a meta',
      cyrillic('<meta http-equiv=Content-Type content="text/html; charset=windows-1251">'),
      'Москва',
    ],
    [
      'content before http-equiv',
      cyrillic('<meta content="a; charset = \'cp1251\'" http-equiv=content-type>'),
      'Москва',
    ],
    [
      'a charset after the title',
      Buffer.concat([cyrillic(), Buffer.from('<meta charset=windows-1251>')]),
      'Москва',
    ],
    [
      'a charset after 1,024 bytes',
      cyrillic(`<script>${' '.repeat(5000)}</script>`, '<meta charset=windows-1251>'),
      'Москва',
    ],
    [
      'no charset in a comment, an attribute or a script',
      Buffer.from(
        '<!-- <meta charset=koi8-r> --><i title="<meta charset=koi8-r>"></i><script>"<meta charset=koi8-r>"</script><title>Café</title>',
      ),
      'Café',
    ],
    [
      'no charset of another meta',
      cyrillic('<meta name=x content="charset=koi8-r"><meta charset=windows-1251>'),
      'Москва',
    ],
    [
      'the first charset that exists',
      cyrillic('<meta charset=none><meta charset=windows-1251><meta charset=koi8-r>'),
      'Москва',
    ],
    // https://github.com/matrix-org/synapse/issues/10307
    [
      'a label with underscores',
      Buffer.from([...Buffer.from('<meta charset=x_sjis><meta charset=Shift_JIS><title>'), 0x93, 0xfa]),
      '日',
    ],
    ['a label between spaces', cyrillic('<meta charset=" Windows-1251 ">'), 'Москва'],
    ['UTF-16 in a meta, which is UTF-8', Buffer.from('<meta charset=utf-16><title>Café'), 'Café'],
    [
      'an XML declaration',
      cyrillic('<?xml version="1.0" encoding="windows-1251"?>'),
      'Москва',
      'application/xhtml+xml',
    ],
    [
      'the header rather than a meta',
      titled(0x93, 0xfa, 0x96, 0x7b),
      '日本',
      'text/html; charset="Shift_JIS"',
    ],
    [
      'a second charset in the header',
      titled(0x93, 0xfa, 0x96, 0x7b),
      '日本',
      'text/html; charset=shift_jis; charset=utf-8',
    ],
    // https://github.com/RocketChat/Rocket.Chat/issues/4779
    [
      'an unknown charset in the header',
      cyrillic('<meta charset=windows-1251>'),
      'Москва',
      'text/html; charset=undefined',
    ],
    [
      'a byte order mark rather than the header',
      Buffer.from('\ufeff<meta charset=koi8-r><title>Café'),
      'Café',
      'text/html; charset=iso-8859-1',
    ],
    [
      'UTF-16 by its byte order mark',
      Buffer.concat([bom, utf16('<meta charset=utf-8><title>Café</title>')]),
      'Café',
      'text/html; charset=utf-8',
    ],
    ['UTF-16BE by its byte order mark', Buffer.concat([bom, utf16('<title>Café</title>')]).swap16(), 'Café'],
    ['UTF-16 by the header', utf16('<title>Café</title>'), 'Café', 'text/html; charset=utf-16'],
    ['UTF-16 by its XML declaration', utf16('<?xml version="1.0"?><title>Café</title>'), 'Café'],
    [
      'ISO-2022-JP',
      titled(0x1b, 0x24, 0x42, 0x46, 0x7c, 0x4b, 0x5c, 0x1b, 0x28, 0x42),
      '日本',
      'text/html; charset=iso-2022-jp',
    ],
    [
      'ISO-8859-1, which is windows-1252',
      titled(0x93, 0x80, 0xe9, 0x94),
      '“€é”',
      'text/html; charset=iso-8859-1',
    ],
    [
      'x-user-defined in a meta, which is windows-1252',
      Buffer.concat([Buffer.from('<meta charset=x-user-defined>'), titled(0xe9)]),
      'é',
    ],
    ['an encoding that browsers do not decode', titled(0x41), undefined, 'text/html; charset=iso-2022-kr'],
    // https://github.com/zulip/zulip/issues/16843
    ['UTF-8 without a declaration', Buffer.from('<title>蘋果</title>'), '蘋果'],
    // https://github.com/matrix-org/synapse/pull/11077
    ['windows-1252 without a declaration', titled(0x43, 0x61, 0x66, 0xe9), 'Café'],
    [
      'UTF-8 with a truncated character',
      Buffer.concat([titled(), Buffer.from('蘋果').subarray(0, 5), Buffer.from('</title>')]),
      '蘋\ufffd',
    ],
  ])('is read in its encoding: %s', async (_, page, title, type = 'text/html') => {
    // Also in pieces, because the encoding must not depend on them.
    for (const length of [page.length, 1, 7]) {
      const count = Math.ceil(page.length / length);
      const pieces = Array.from({ length: count }, (_, n) => page.subarray(n * length, (n + 1) * length));
      pages['/encoded'] = inPieces(pieces, { 'content-type': type });
      if (title === undefined) expect(await at('/encoded')).toBeUndefined();
      else await reads('/encoded', { title });
    }
  });

  test.each<[of: string, page: string, found: object, type?: string]>([
    // Next.js streams metadata: https://github.com/vercel/next.js/pull/84253
    [
      'tags in the body',
      '<head></head><body><div><meta property=og:title content=Streamed><meta property=og:description content=Late>',
      { title: 'Streamed', description: 'Late' },
    ],
    [
      'tags in the body besides a title in the head',
      '<head><title>Site</title></head><body><meta property=og:title content=Article>',
      { title: 'Article' },
    ],
    ['a title in the body', '<body><p>a</p><title>Late</title>', { title: 'Late' }],
    [
      'tags in the head rather than in the body',
      '<meta property=og:title content=Head><body><meta property=og:description content=Body>',
      { title: 'Head' },
    ],
    // https://github.com/progval/Limnoria/issues/1147, https://github.com/OP-Engineering/link-preview-js/pull/154
    [
      'no title of an inline SVG',
      '<svg><title>Icon</title></svg><title>Page</title><svg><title>Other</title></svg>',
      { title: 'Page' },
    ],
    [
      'no tags of a template',
      '<template><title>{{ title }}</title><meta property=og:title content="{{ title }}"></template><title>Page</title>',
      { title: 'Page' },
    ],
    [
      'no title of a text field',
      '<textarea><title>Text</title></textarea><title>Page</title>',
      { title: 'Page' },
    ],
    ['content before the property', '<meta content="First" property="og:title">', { title: 'First' }],
    [
      'the first of several tags that is not empty',
      '<meta property=og:title content=" "><meta property=og:title content=One><meta property=og:title content=Two>',
      { title: 'One' },
    ],
    // https://github.com/godotengine/godot-website/issues/231
    [
      'several names of a tag',
      '<meta property="dc:title og:title" name="x" content="Both"><meta property="x:y" name="Description" content="Text">',
      { title: 'Both', description: 'Text' },
    ],
    // https://github.com/matrix-org/synapse/issues/12591
    [
      'Twitter cards',
      '<title>Site</title><meta name=twitter:title content=Card><meta property=twitter:description content=Text>',
      { title: 'Card', description: 'Text' },
    ],
    // https://github.com/RocketChat/Rocket.Chat/issues/12528, https://github.com/mastodon/mastodon/issues/14813
    [
      'character references',
      '<meta property=og:title content="It&#39;s &#8216;A&#x2019; &amp; B&nbsp;&mdash; C"><meta name=description content="?a=1&copy=2 &copy 3 &amp;lt;">',
      { title: "It's ‘A’ & B — C", description: '?a=1&copy=2 © 3 &lt;' },
    ],
    ['character references of a title', '<title>a &lt;b&gt; &amp;&#x97;</title>', { title: 'a <b> &—' }],
    // https://github.com/RocketChat/Rocket.Chat/issues/3771
    ['a title on several lines', '<title\n>\n a\n b\n</title\n>', { title: 'a b' }],
    [
      'empty elements of XHTML',
      '<script src="a.js"/><title>Page</title>',
      { title: 'Page' },
      'application/xhtml+xml',
    ],
  ])('is read by the rules of HTML: %s', async (_, page, found, type = 'text/html; charset=utf-8') => {
    for (const pieces of [[Buffer.from(page)], [...page].map((one) => Buffer.from(one))]) {
      pages['/marked'] = inPieces(pieces, { 'content-type': type });
      await reads('/marked', found);
    }
  });

  // Each address of a picture is relative to /deep/page.
  test.each([
    ['relative to the page', '<meta property=og:image content=picture>', '/deep/picture'],
    // https://github.com/zulip/zulip/issues/4608
    ['relative to the host', '<meta property=og:image content=/picture>', '/picture'],
    [
      'relative to a later base',
      '<meta property=og:image content=picture><base target=_top><base href=/base/><base href=/no/>',
      '/base/picture',
    ],
    [
      'relative to the page if the base has no path',
      '<base href="data:,x"><meta property=og:image content=picture>',
      '/deep/picture',
    ],
    [
      'not relative to a base in a template',
      '<template><base href=/base/></template><meta property=og:image content=picture>',
      '/deep/picture',
    ],
    [
      'with a character reference',
      '<meta property=og:image content="/picture?a=1&amp;b=2">',
      '/picture?a=1&b=2',
    ],
    ['by twitter:image:src', '<meta name=twitter:image:src content=/picture>', '/picture'],
    [
      'instead of one with a long address',
      `<meta property=og:image content="data:${'x'.repeat(3000)}"><meta property=og:image content=/picture>`,
      '/picture',
    ],
  ])('has the picture %s', async (_, tags, address) => {
    pages['/deep/page'] = html(`<title>Page</title>${tags}<meta property=og:title content=Page>`);
    for (const path of ['/deep/picture', '/picture', '/base/picture'])
      pages[path] = (req, res) => res.writeHead(200).end(req.url);
    await reads('/deep/page', { title: 'Page', picture: Buffer.from(address).toString('base64') });
  });

  test('is shown as far as it arrived', async () => {
    pages['/cut'] = (_, res) => {
      res.writeHead(200, { 'content-type': 'text/html', 'content-length': '9999' });
      res.write('<title>Cut</title><body>', () => res.destroy());
    };
    pages['/cut-gzip'] = html(gzipSync(`<title>Cut</title><body>${'<p>a '.repeat(99)}`).subarray(0, -9), {
      'content-encoding': 'gzip',
    });
    pages['/stuck'] = (_, res) =>
      res.writeHead(200, { 'content-type': 'text/html' }).write('<title>Stuck</title><body>');
    await reads('/cut', { title: 'Cut' });
    await reads('/cut-gzip', { title: 'Cut' });
    await reads('/stuck', { title: 'Stuck' });
  });

  test('is read after redirects, with a picture relative to its base URL', async () => {
    pages['/moved'] = (_, res) => res.writeHead(302, { location: '/new/place' }).end();
    pages['/new/place'] = html(
      '<base href="/other/"><title>Here</title><meta name="twitter:image" content="p.gif">',
    );
    pages['/other/p.gif'] = (_, res) => res.writeHead(200).end('GIF');
    await reads('/moved', { title: 'Here', picture: Buffer.from('GIF').toString('base64') });
  });

  test('is reduced to short lines without bidirectional control characters', async () => {
    const long = 'x'.repeat(10_000);
    pages['/long'] = html(
      `<title>a\u202eb\u0000c\u2066 d\n\n e</title><meta name=description content="${long}"><body>`,
    );
    const page = await vi.waitUntil(() => at('/long'), hanging);
    expect(page?.title).toMatch(/^ab.?c d e$/u);
    expect(page?.description).toHaveLength(400);
  });

  test('is read even if the fetching process starts slowly', async () => {
    pages['/fast'] = html('<title>Fast</title><body>');
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    const afterStart = async () => {
      const own = new Fetcher((error) => {
        throw error;
      });
      const page = own.fetch('u', { url: `http://${host}/fast`, allowed: [host], picture: false });
      vi.advanceTimersByTime(20_000);
      return page.finally(() => own.close());
    };
    let page = await afterStart();
    // The process itself may be too slow for the timeout of a page.
    while (page === undefined) page = await afterStart();
    expect(page).toEqual({ title: 'Fast' });
  });
});

describe('a bad page', () => {
  test('has no preview if its title, type, status or compression is unsuitable', async () => {
    pages['/untitled'] = html('<p>text</p>');
    pages['/pdf'] = html('<title>no</title>', { 'content-type': 'application/pdf' });
    pages['/error'] = (_, res) =>
      res.writeHead(500, { 'content-type': 'text/html' }).end('<title>no</title>');
    pages['/zstd'] = html('<title>no</title>', { 'content-encoding': 'zstd' });
    pages['/inherited'] = html('<title>no</title>', { 'content-encoding': 'constructor' });
    pages['/broken'] = html('no gzip', { 'content-encoding': 'gzip' });
    for (const path of ['/untitled', '/pdf', '/error', '/zstd', '/inherited', '/broken', '/none']) {
      expect(await at(path), path).toBeUndefined();
    }
  });

  test('has no preview if it redirects endlessly', async () => {
    pages['/round'] = (_, res) => res.writeHead(302, { location: '/round' }).end();
    asked.length = 0;
    expect(await at('/round')).toBeUndefined();
    expect(asked.length).toBeLessThanOrEqual(6);
  });

  test('does not let an endless or missing response delay other users', async () => {
    pages['/silent'] = () => {};
    pages['/endless'] = (_, res) => {
      res.writeHead(200, { 'content-type': 'text/html' });
      const more = setInterval(() => res.write(' '), 20);
      res.on('close', () => clearInterval(more));
    };
    const slow = [at('/silent'), at('/endless'), at('/silent'), at('/endless')];
    // All slow requests belong to one user, so other users do not wait for them.
    pages['/fast'] = html('<title>Fast</title><body>');
    expect(await fetched(`http://${host}/fast`, 'other')).toEqual({ title: 'Fast' });
    expect(await Promise.all(slow)).toEqual([undefined, undefined, undefined, undefined]);
  });

  test('does not let a silent site delay links to other sites, however many users link to it', async () => {
    const open: (() => void)[] = [];
    const silent = createServer((_, res) => void open.push(() => res.end()));
    await new Promise<void>((done) => silent.listen(0, '127.0.0.1', done));
    const hung = `127.0.0.1:${(silent.address() as AddressInfo).port}`;
    const users = Array.from({ length: 20 }, (_, n) => `user ${n}`);
    const task = { allowed: [hung], picture: false };
    const links = users.map((user) => fetcher.fetch(user, { url: `http://${hung}/`, ...task }));
    await vi.waitUntil(() => open.length === 8, { timeout: hanging });
    pages['/fast'] = html('<title>Fast</title><body>');
    expect(await fetched(`http://${host}/fast`, 'other')).toEqual({ title: 'Fast' });
    expect(open).toHaveLength(8);
    const answers = setInterval(() => {
      for (const answer of open.splice(0)) answer();
    }, 10);
    await Promise.all(links);
    clearInterval(answers);
    silent.closeAllConnections();
    await new Promise((done) => silent.close(done));
  });

  test('does not let a switch of the protocol affect other users', async () => {
    pages['/switched'] = ({ socket }) =>
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    const signal = new AbortController().signal;
    await expect(
      get(`http://${host}/switched`, { headers: {}, allowed: new Set([host]), signal }),
    ).rejects.toThrow(new NotFetched('an upgrade'));
    let answer = () => {};
    const other = new Promise<void>((begun) => {
      pages['/other'] = (_, res) => {
        answer = () => html('<title>Other</title><body>')(_, res);
        begun();
      };
    });
    const otherPage = fetched(`http://${host}/other`, 'other');
    await other;
    expect(await at('/switched')).toBeUndefined();
    answer();
    expect(await otherPage).toEqual({ title: 'Other' });
  });

  test('does not let a name server that does not respond delay other users', async () => {
    expect(JSON.parse(await slowNames())).toEqual([{ title: 'Fast' }, 0]);
  });

  test('does not let endlessly nested elements delay other users', async () => {
    const deep = `<title>Deep</title>${'<x>'.repeat(80_000)}${'</p>'.repeat(60_000)}`;
    pages['/deep'] = html(`${deep}<meta property="og:title" content="late">`);
    pages['/fast'] = html('<title>Fast</title><body>');
    const slow = [at('/deep'), at('/deep')];
    const fast = () => fetched(`http://${host}/fast`, 'other');
    await vi.waitFor(async () => expect(await fast()).toEqual({ title: 'Fast' }), hanging);
    await Promise.all(slow);
    await reads('/deep', { title: 'Deep' });
  });

  test('is read only up to 512 KB of uncompressed data, as is its picture', async () => {
    const filler = `<head>${' '.repeat(600 * 1024)}`;
    pages['/late'] = html(`${filler}<title>late</title>`);
    pages['/bomb'] = html(gzipSync(`${filler}${' '.repeat(size(50, 5) * 1024 * 1024)}<title>late</title>`), {
      'content-encoding': 'gzip',
    });
    expect(await at('/late')).toBeUndefined();
    expect(await at('/bomb')).toBeUndefined();
    pages['/pictured'] = html('<title>Pictured</title><meta property=og:image content=/large.png>');
    pages['/large.png'] = (_, res) => res.writeHead(200).end(Buffer.alloc(600 * 1024));
    expect(await at('/pictured')).toEqual({ title: 'Pictured' });
  });
});

describe('addresses', () => {
  /** Spellings of addresses of this machine and of networks behind the server. */
  const inside = [
    '127.0.0.1 127.1 127.0.1 2130706433 0x7f000001 0x7f.0x0.0x0.0x1 017700000001 0177.0.0.1',
    '0177.0.0.01 127.000.000.001 0x7f.1 127.0.0.1. 127.255.255.254 0 0.0.0.0 localhost',
    'LOCALHOST １２７.０.０.１ ①②⑦.⓪.⓪.① 127。0。0。1 %31%32%37.0.0.1 [::1] [::] [0:0:0:0:0:0:0:1]',
    '[::ffff:127.0.0.1] [::ffff:7f00:1] [::127.0.0.1] [64:ff9b::127.0.0.1] [2002:7f00:1::]',
    '[2001::1] [fe80::1] [fc00::1] [fd00::1] [ff02::1] 169.254.169.254 10.0.0.1 172.16.0.1',
    '172.31.255.255 192.168.0.1 100.64.0.1 192.0.0.1 168.63.129.16 198.18.0.1 224.0.0.1',
    '240.0.0.1 255.255.255.255 [2001:db8::1]',
  ].flatMap((names) => names.split(' '));

  test.each(inside)('rejects http://%s', async (name) => {
    const signal = AbortSignal.timeout(hanging);
    for (const address of [`http://${name}/`, `https://${name}/secret`]) {
      await expect(get(address, { headers: {}, allowed: new Set(), signal })).rejects.toThrow(
        new NotFetched('not a public address'),
      );
    }
  });

  test('rejects other ports, schemes and credentials, even of an allowed host', async () => {
    asked.length = 0;
    const user = `http://user:password@${host}/secret`;
    for (const address of [
      user,
      'https://example.org:8443/',
      'ftp://example.org/',
      'file:///etc/passwd',
      'data:,x',
    ]) {
      expect(await fetched(address), address).toBeUndefined();
    }
    expect(asked).toEqual([]);
  });

  test('rejects a redirect or a picture that leads to an internal address', async () => {
    const inner = createServer((req, res) => {
      asked.push(req);
      res.writeHead(200, { 'content-type': 'text/html' }).end('<title>secret</title>');
    });
    await new Promise<void>((done) => inner.listen(0, '127.0.0.1', done));
    const secret = `http://127.0.0.1:${(inner.address() as AddressInfo).port}/`;
    pages['/inward'] = (_, res) => res.writeHead(301, { location: secret }).end();
    pages['/shows'] = html(`<title>Shows</title><meta property="og:image" content="${secret}">`);
    asked.length = 0;
    expect(await at('/inward')).toBeUndefined();
    expect(await at('/shows')).toEqual({ title: 'Shows' });
    expect(asked.map(({ url }) => url)).toEqual(['/inward', '/shows']);
    await new Promise((done) => inner.close(done));
  });

  test('rejects the public addresses of this machine unless their host is allowed', async () => {
    expect(JSON.parse(await ownAddresses())).toEqual([null, null, { title: 'Inside' }, { title: 'Inside' }]);
  });

  test('accepts public addresses of the internet', () => {
    for (const address of [
      '1.1.1.1',
      '8.8.8.8',
      '168.63.129.15',
      '172.32.0.1',
      '192.0.3.1',
      '2606:4700::1111',
      '2a00:1450::1',
    ]) {
      expect(isPublic(address), address).toBe(true);
    }
    expect(isPublic('')).toBe(false);
    expect(isPublic('example.org')).toBe(false);
  });
});

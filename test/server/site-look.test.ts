import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { readSiteLook, type SiteLook } from '../../server/init/site-look.ts';
import { pngOf } from '../helpers/logo.ts';

type Answer = string | Buffer | RequestListener;

/** Serves these paths. @returns the look of the site, and the requested paths */
async function lookAt(answers: Record<string, Answer>, path = '/') {
  const asked: string[] = [];
  const server = createServer((req, res) => {
    asked.push(req.url ?? '');
    const answer = answers[req.url ?? ''];
    if (answer === undefined) res.writeHead(404).end();
    else if (typeof answer === 'function') answer(req, res);
    else res.setHeader('Content-Type', typeof answer === 'string' ? 'text/html' : 'image/png').end(answer);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const found = await readSiteLook(new URL(path, `http://127.0.0.1:${port}`));
  return { found, asked, port };
}

const nameOf = async (html: string) => ((await lookAt({ '/': html })).found as SiteLook).name;

test('reads the name, the colour and the logo', async () => {
  const { found } = await lookAt({
    '/': `<!doctype html><head><title>Home</title>
      <meta property="og:site_name" content="Fern &amp; Leaf &#8211; Garden">
      <meta name="theme-color" content="#000" media="(prefers-color-scheme: dark)">
      <meta name="theme-color" content="#1F6B45">
      <link rel="icon" href="/icon.svg" type="image/svg+xml">
      <link rel="apple-touch-icon" href="touch.png?a=1&amp;b=2"></head>`,
    '/icon.svg': '<svg/>',
    '/touch.png?a=1&b=2': pngOf(180),
  });
  expect(found).toMatchObject({
    name: 'Fern & Leaf – Garden',
    accent: '#1f6b45',
    logo: { type: 'image/png', width: 180 },
  });
});

test.each([
  ['<title>Garden Club – News and dates</title>', 'Garden Club'],
  ['<title>Home | Garden Club</title>', 'Garden Club'],
  ['<title>Willkommen - Kleingärten Süd</title>', 'Kleingärten Süd'],
  ['<title>Home: Moodle</title>', 'Moodle'],
  // The host also contains the number.
  ['<title>Garden Club | 27</title>', 'Garden Club'],
  ['<title>Forum index | Rosenfreunde</title>', 'Rosenfreunde'],
  ['<title>الرئيسية | نادي الحديقة</title>', 'نادي الحديقة'],
  ['<title>\n  Garden\n  Club\n</title>', 'Garden Club'],
  ['<title>"Garden Club"</title>', 'Garden Club'],
  // Quotes around the name would make the setting invalid, and `init` would fail.
  [`<title>"'Garden Club'"\u200b</title>`, 'Garden Club'],
  [`<title>'${'g'.repeat(58)}' and more</title>`, 'g'.repeat(58)],
  ['<title>"\u3164"</title>', undefined],
  ['<title>Home</title>', undefined],
  ['<title></title>', undefined],
  ['<title>\u202eevil\u0000</title>', 'evil'],
  ['<body><title>Not the head</title>', undefined],
  [`<title>${'word '.repeat(40)}</title>`, 'word '.repeat(12).trim()],
  ['no html', undefined],
])('finds the name in %j: %s', async (html, name) => {
  expect(await nameOf(html)).toBe(name);
});

test('ignores colours that are grey or nearly white', async () => {
  for (const color of ['#ffffff', '#111', '#f8f9fa', 'red', '#fffde0', 'expression(1)']) {
    const { found } = await lookAt({ '/': `<title>A</title><meta name="theme-color" content="${color}">` });
    expect(found, color).toEqual({ name: 'A' });
  }
});

test('requests nothing from other hosts and ports', async () => {
  const other = await lookAt({ '/': '<title>Other</title>', '/logo.png': pngOf(180) });
  const before = other.asked.length;
  const { found } = await lookAt({
    '/': `<head><base href="http://127.0.0.1:${other.port}/"><title>A</title>
      <link rel="icon" href="/logo.png"><link rel="icon" href="http://localhost:${other.port}/logo.png">
      <link rel="icon" href="//169.254.169.254/latest"><link rel="icon" href="file:///etc/passwd">
      <link rel="icon" href="http://[::1"></head>`,
  });
  expect(found).toEqual({ name: 'A' });
  const redirected = await lookAt({
    '/': (_, res) => res.writeHead(302, { Location: `http://127.0.0.1:${other.port}/` }).end(),
  });
  expect(redirected.found).toEqual({ problem: `it leads to another host, 127.0.0.1:${other.port}` });
  expect(other.asked.length).toBe(before);
});

test('follows redirects within the site', async () => {
  const { found } = await lookAt({
    '/': (_, res) => res.writeHead(301, { Location: '/de/' }).end(),
    '/de/': '<title>A</title><link rel="icon" href="icon.png">',
    '/de/icon.png': pngOf(64),
  });
  expect(found).toMatchObject({ name: 'A', logo: { width: 64 } });
});

test('skips pictures that cannot be a logo', async () => {
  const icons = ['svg', 'tiny', 'large', 'good'].map(
    (name, n) => `<link rel=icon sizes=${500 - n}x1 href=/${name}>`,
  );
  const { found } = await lookAt({
    '/': `<title>A</title>${icons.join('')}`,
    '/svg': Buffer.from('<svg onload="alert(1)"/>'),
    '/tiny': pngOf(16),
    '/large': pngOf(192, 192, 70_000),
    '/good': pngOf(96),
  });
  expect(found).toMatchObject({ logo: { width: 96 } });
});

test('stops reading a page that never ends', async () => {
  const { found } = await lookAt({
    '/': (_, res) => {
      res.write('<title>A</title>');
      const more = () => {
        while (res.write('<b>'.repeat(20_000)));
      };
      res.on('drain', more);
      more();
    },
  });
  expect(found).toEqual({ name: 'A' });
});

test('reports why a page cannot be read', async () => {
  expect((await lookAt({})).found).toEqual({ problem: 'status 404' });
  expect((await lookAt({ '/': (_, res) => res.writeHead(302, { Location: '/' }).end() })).found).toEqual({
    problem: 'too many redirects',
  });
  expect((await lookAt({ '/': (_, res) => void res.socket?.destroy() })).found).toEqual({
    problem: 'ECONNRESET',
  });
  expect(await readSiteLook(new URL('https://www.example.org/'))).toEqual({
    problem: 'the name is reserved for examples',
  });
});

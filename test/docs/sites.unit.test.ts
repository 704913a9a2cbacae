import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { applications } from '../../packages/php-session/src/logins/applications.ts';
import { parseStoreUrl } from '../../packages/php-session/src/store-url.ts';
import { sitePage } from '../../server/program/site-page.ts';

const folder = mkdtempSync(join(tmpdir(), 'chat-docs-'));
afterAll(() => rmSync(folder, { recursive: true }));
const keys = join(folder, 'keys');
writeFileSync(keys, Buffer.alloc(32, 7).toString('base64'));

const root = fileURLToPath(new URL('../..', import.meta.url));
const pages = readdirSync(join(root, 'docs/sites')).map((name) => `docs/sites/${name}`);
const read = (page: string) => readFileSync(join(root, page), 'utf8');

/** The complete URLs, without those that only show a form with capitals or dots. */
const urls = pages
  .flatMap((page) => [
    ...read(page).matchAll(
      /`((?:file|memcached|rediss?|mysql|mariadb|postgres|sqlite|session-server):[^`]+)`/g,
    ),
  ])
  .map(([, url = '']) => url)
  .filter((url) => !/…|\bPATH\b|\bHOST\b|:\/\/$|^[a-z-]+:$/.test(url));

test('docs/sites contains more than 20 complete store URLs', () => {
  expect(urls.length).toBeGreaterThan(20);
});

test.each([...new Set(urls)])('%s in docs/sites is a valid store URL', (url) => {
  expect(() => parseStoreUrl(url.replaceAll('/etc/chat/app-keys', keys))).not.toThrow();
});

test('docs/sites/laravel.md gives a valid suffix for session.encrypt', () => {
  const rows = [...read('docs/sites/laravel.md').matchAll(/^ +\| `\w+` \| `([^`]+)` \| `([^`]+)` \|$/gm)];
  expect(rows).toHaveLength(4);
  for (const [, url = '', end = ''] of rows) {
    const { layers } = parseStoreUrl((url + end).replaceAll('/etc/chat/app-keys', keys));
    expect(layers.slice(-2).map(({ name }) => name)).toEqual([
      expect.stringMatching(/^laravel/),
      'unserialize',
    ]);
  }
});

test.each(applications)('docs/sites shows or links the tag on a page about $title', ({ kind, title }) => {
  const page = sitePage(kind);
  if (kind !== 'php') expect(read(page)).toMatch(new RegExp(`^##? ${title}$`, 'm'));
  expect(read(page)).toMatch(/\bphp-chat\.js\b|<x-php-chat|php_chat\(|\[tag\]\(\.\.\/element\.md\)/);
});

test('docs/sites has no page about an unknown application, and its README links to all pages for sites', () => {
  const general = ['README', 'guests', 'more', 'stores', 'tickets'].map((name) => `docs/sites/${name}.md`);
  expect(pages.sort()).toEqual(
    [...new Set([...general, ...applications.map(({ kind }) => sitePage(kind))])].sort(),
  );
  const [, list = ''] = /\n## My site is…\n([\s\S]*?)\n## /.exec(read('docs/sites/README.md')) ?? [];
  const linked = [...list.matchAll(/\]\(([\w-]+\.md)/g)].map(([, name]) => `docs/sites/${name}`);
  expect([...new Set(linked)].sort()).toEqual(
    pages.filter((page) => !['docs/sites/README.md', 'docs/sites/stores.md'].includes(page)).sort(),
  );
});

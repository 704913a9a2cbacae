import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { parseStoreUrl } from '../../packages/php-session/src/store-url.ts';

const folder = mkdtempSync(join(tmpdir(), 'chat-docs-'));
afterAll(() => rmSync(folder, { recursive: true }));
const keys = join(folder, 'keys');
writeFileSync(keys, Buffer.alloc(32, 7).toString('base64'));

const page = readFileSync(new URL('../../docs/sessions.md', import.meta.url), 'utf8');
/** The complete URLs, without those that only show a form with capitals or dots. */
const urls = [
  ...page.matchAll(/`((?:file|memcached|rediss?|mysql|mariadb|postgres|sqlite|session-server):[^`]+)`/g),
]
  .map(([, url = '']) => url)
  .filter((url) => !/…|\bPATH\b|\bHOST\b|:\/\/$|^[a-z-]+:$/.test(url));

test('docs/sessions.md has store URLs to copy', () => {
  expect(urls.length).toBeGreaterThan(20);
});

test.each([...new Set(urls)])('%s in docs/sessions.md is a valid store URL', (url) => {
  expect(() => parseStoreUrl(url.replaceAll('/etc/chat/app-keys', keys))).not.toThrow();
});

test('docs/sessions.md gives a valid suffix for a Laravel site with session.encrypt', () => {
  const rows = [...page.matchAll(/^ +\| `\w+` \| `([^`]+)` \| `([^`]+)` \|$/gm)];
  expect(rows).toHaveLength(4);
  for (const [, url = '', end = ''] of rows) {
    const { layers } = parseStoreUrl((url + end).replaceAll('/etc/chat/app-keys', keys));
    expect(layers.slice(-2).map(({ name }) => name)).toEqual([
      expect.stringMatching(/^laravel/),
      'unserialize',
    ]);
  }
});

import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brotliDecompressSync, gunzipSync, gzipSync } from 'node:zlib';
import { build } from 'vite';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';

const client = new URL('../../client/', import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), 'chat-client-'));
const read = (name: string) => readFileSync(join(folder, name));
let names: string[] = [];

beforeAll(async () => {
  // Vitest's own `test` would make a build for development.
  vi.stubEnv('NODE_ENV', 'production');
  await build({
    root: client,
    configFile: `${client}vite.config.ts`,
    logLevel: 'error',
    build: { outDir: folder, emptyOutDir: true },
  });
  names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort();
}, 60_000);

afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

test('what is sent compressed is the same file', () => {
  const forms = names.flatMap((name) => {
    const unpack = name.endsWith('.br')
      ? brotliDecompressSync
      : name.endsWith('.gz')
        ? gunzipSync
        : undefined;
    return unpack === undefined ? [] : [{ name, unpack }];
  });
  expect(forms.map(({ name }) => name)).toContain('php-chat.js.br');
  for (const { name, unpack } of forms) {
    expect(unpack(read(name)).equals(read(name.replace(/\.(br|gz)$/, ''))), name).toBe(true);
  }
});

test('the script of a page, with launcher, badge and their sheets, is at most 6 KB with gzip', () => {
  expect(gzipSync(read('php-chat.js'), { level: 9 }).length).toBeLessThanOrEqual(6 * 1024);
});

test('what a first visit loads, with brotli: the script, the chat with its sheet, one language', () => {
  const first = ['php-chat', 'assets/chat-app-', 'assets/en-'].map((start) => {
    const name = names.find((one) => one.startsWith(start) && one.endsWith('.js.br'));
    return name === undefined ? Number.NaN : read(name).length;
  });
  // The goal is 45 KB; this is what it must not get beyond on the way there.
  expect(first.reduce((sum, length) => sum + length, 0)).toBeLessThanOrEqual(60 * 1024);
});

test('no chunk imports the script of the page, which a page may load with a query of its own', () => {
  const importing = names.filter(
    (name) =>
      name.startsWith('assets/') && name.endsWith('.js') && /php-chat\.js/.test(read(name).toString()),
  );
  // The chat asks for the script's address to find out whether the server is there; that is no import.
  expect(
    importing.filter((name) => /(from|import\()\s*["'`][^"'`]*php-chat\.js/.test(read(name).toString())),
  ).toEqual([]);
});

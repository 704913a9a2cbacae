import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliDecompressSync, gunzipSync, gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { languages, textsIn } from '../../client/strings-plugin.ts';

/** The output of `npm run build`. */
const folder = fileURLToPath(new URL('../../client/dist/', import.meta.url));
const read = (name: string) => readFileSync(join(folder, name));
const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort();

test('each compressed file has the content of the uncompressed file', () => {
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

test('the script of a page has at most 6.7 KB with gzip, including launcher and badge', () => {
  expect(gzipSync(read('php-chat.js'), { level: 9 }).length).toBeLessThanOrEqual(6.7 * 1024);
});

const chunk = (name: string) => names.find((file) => file.startsWith(name) && file.endsWith('.js')) ?? name;

/** Returns the files and all files that they import at once. */
function withImports(starts: readonly string[]): Set<string> {
  const files = new Set<string>();
  const load = (name: string) => {
    if (files.has(name)) return;
    files.add(name);
    const code = read(name).toString();
    for (const [, from = ''] of code.matchAll(/\bfrom\s*["'`]\.\/([^"'`]+)/g))
      load(join(dirname(name), from));
  };
  for (const start of starts) load(chunk(start));
  return files;
}

/**
 * The files before the first message: the script, the chat with its styles, one language, and their imports.
 */
const firstLoad = (lang: string) =>
  withImports([
    ...['php-chat.js', 'assets/chat-app-', `assets/${lang}-`],
    ...(lang === 'en' ? [] : ['assets/first-']),
  ]);

test('a first visit loads at most 64 KB with brotli in every language', () => {
  const sizes = languages.map((lang) =>
    [...firstLoad(lang)].reduce((sum, name) => sum + read(`${name}.br`).length, 0),
  );
  expect(Math.max(...sizes)).toBeLessThanOrEqual(64 * 1024);
});

test('the code of the chat imports no other file, and the panels import only the chat', () => {
  const imports = (name: string) =>
    [
      ...read(chunk(name))
        .toString()
        .matchAll(/\bfrom\s*["'`]\.\/([^"'`]+)/g),
    ].map(([, from]) => `assets/${from}`);
  expect(imports('assets/chat-app-')).toEqual([]);
  expect(imports('assets/panels-')).toEqual([chunk('assets/chat-app-')]);
});

test('the chat’s own page loads the code of the chat together with its script', () => {
  const [, address] =
    /<link rel="modulepreload" crossorigin href="\.\/([^"]+)">/.exec(read('index.html').toString()) ?? [];
  expect(address).toBe(chunk('assets/chat-app-'));
});

test('the script of a page knows the address of each language', () => {
  for (const [script, folder, parts] of [
    ['php-chat.js', 'assets/', ['', 'late-']],
    [chunk('assets/moderate/moderate-'), 'assets/moderate/', ['']],
  ] as const) {
    const [, begin = '', end = ''] =
      /import\(`\.\/([^`]*)\$\{\w+\}\$\{\w+\}([^`]*)`\)/.exec(read(script).toString()) ?? [];
    const files = parts.flatMap((part) => languages.map((lang) => `${part}${lang}`));
    const addresses = files.map((file) => join(dirname(script), `${begin}${file}${end}`));
    expect(addresses).toEqual(files.map((file) => chunk(`${folder}${file}-`)));
  }
});

test('a language is at most 2.5 KB with brotli before the first messages, and then at most 8.75 KB', () => {
  for (const lang of languages) {
    expect(read(`${chunk(`assets/${lang}-`)}.br`).length, lang).toBeLessThanOrEqual(2.5 * 1024);
    expect(read(`${chunk(`assets/late-${lang}-`)}.br`).length, lang).toBeLessThanOrEqual(8.75 * 1024);
  }
});

/** The files of texts and of their keys contain every key, but show none. */
const isCode = (name: string) =>
  name.endsWith('.js') &&
  !['keys', ...languages].some((data) => name.includes(`/${data}-`) || name.includes(`/late-${data}-`));

/** Returns the keys of the texts that code shows, by its whole key or a prefix of it. */
function shownBy(files: readonly string[]): string[] {
  const code = files.map((name) => read(name).toString()).join('\n');
  const whole = new Set(Array.from(code.matchAll(/`([\w.]+)`/g), ([, key]) => key));
  const beginnings = Array.from(code.matchAll(/`([\w.]+\.)\$\{/g), ([, beginning = '']) => beginning);
  return Object.keys(textsIn('en')).filter(
    (key) =>
      whole.has(key) ||
      whole.has(key.replace(/\.(one|other)$/, '')) ||
      beginnings.some((beginning) => key.startsWith(beginning)),
  );
}

/** Returns the keys of the texts that a language file contains. */
const textsOf = (name: string) =>
  Object.keys(textsIn('en')).filter((key) => read(chunk(name)).toString().includes(`"${key}":`));

test('the texts of the code before the first messages load before it, and all others with the late code', () => {
  const first = new Set([...firstLoad('en')].filter(isCode));
  const late = names.filter((name) => /^assets\/[^/]+$/.test(name) && isCode(name) && !first.has(name));
  const [texts, lateTexts] = [textsOf('assets/en-'), textsOf('assets/late-en-')];
  const shown = shownBy([...first]);
  expect(shown.length).toBeGreaterThan(100);
  expect(shown.filter((key) => !texts.includes(key))).toEqual([]);
  const shownLate = shownBy(late);
  expect(shownLate.length).toBeGreaterThan(400);
  expect(shownLate.filter((key) => !texts.includes(key))).toEqual(lateTexts);
});

test('the moderators’ page loads at most 64 KB with brotli, and no file of the chat', () => {
  const page = read('moderate.html').toString();
  const own = names.filter((name) => name.startsWith('assets/moderate/'));
  const [script = ''] = own.filter((name) => page.includes(name) && name.endsWith('.js'));
  const sizes = languages.map((lang) =>
    [...withImports([script, `assets/moderate/${lang}-`])].reduce(
      (sum, name) => sum + read(`${name}.br`).length,
      0,
    ),
  );
  expect(Math.max(...sizes)).toBeLessThanOrEqual(64 * 1024);
  for (const name of own.filter((one) => one.endsWith('.js')))
    expect(read(name).toString(), name).not.toMatch(/(from|import\()\s*["'`]\.\./);
});

test("the chat's files do not contain texts of the moderators’ page", () => {
  const { 'mod.forbidden.title': text = '' } = textsIn('en');
  const own = read(chunk('assets/moderate/en-')).toString();
  expect(own).toContain(text);
  const chats = names.filter((name) => name.endsWith('.js') && !name.startsWith('assets/moderate/'));
  for (const name of chats) expect(read(name).toString(), name).not.toContain(text);
});

test('the moderators’ page contains every text that its code shows, and no other', () => {
  const shown = shownBy(names.filter((name) => name.startsWith('assets/moderate/') && isCode(name)));
  expect(shown.length).toBeGreaterThan(100);
  expect(textsOf('assets/moderate/en-')).toEqual(shown);
});

test('the code refers to every text by its whole key or a prefix of it', () => {
  expect(shownBy(names.filter(isCode))).toEqual(Object.keys(textsIn('en')));
});

test('the script of a page has no static imports', () => {
  expect(read('php-chat.js').toString()).not.toMatch(/\bfrom\s*["'`]/);
});

test('no chunk imports the script of the page, whose URL may have a query', () => {
  const importing = names.filter(
    (name) =>
      name.startsWith('assets/') && name.endsWith('.js') && /php-chat\.js/.test(read(name).toString()),
  );
  // The chat fetches the script's address to check whether the server is up. That is not an import.
  expect(
    importing.filter((name) => /(from|import\()\s*["'`][^"'`]*php-chat\.js/.test(read(name).toString())),
  ).toEqual([]);
});

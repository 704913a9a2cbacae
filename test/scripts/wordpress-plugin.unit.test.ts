import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { pluginLocales, translationsOf } from '../../scripts/missing-texts.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (file: string) => readFileSync(join(root, 'wordpress', file), 'utf8');
const php = readdirSync(join(root, 'wordpress'), { recursive: true, encoding: 'utf8' }).filter((file) =>
  file.endsWith('.php'),
);

test('the plugin has the version of the chat server', () => {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const main = read('php-session-chat.php');
  expect(/^ \* Version: +(.*)$/m.exec(main)?.[1]).toBe(version);
  expect(/^const VERSION = '(.*)';$/m.exec(main)?.[1]).toBe(version);
  expect(/^Stable tag: (.*)$/m.exec(read('readme.txt'))?.[1]).toBe(version);
  expect(read('readme.txt')).toContain(`= ${version} =`);
});

test.each(php)('%s does nothing when it is requested directly', (file) => {
  expect(read(file)).toMatch(/^defined\('(ABSPATH|WP_UNINSTALL_PLUGIN)'\) \|\| exit;$/m);
});

test.each(php)('%s translates its texts in the text domain of the plugin', (file) => {
  const calls = [
    ...read(file).matchAll(
      /\b(?:(?:esc_html|esc_attr)?_[_e]\('[^']*'|_n\('[^']*', '[^']*', \$\w+)(?:, '([^']*)')?/g,
    ),
  ];
  expect(calls.filter(([, domain]) => domain !== 'php-session-chat').map(([call]) => call)).toEqual([]);
});

test.each(pluginLocales)('the translations in %s have the placeholders and plural forms', (locale) => {
  const translations = translationsOf(locale);
  const header = translations.get('') ?? '';
  expect(header).toContain(`Language: ${locale}\n`);
  const forms = Number(/nplurals=(\d)/.exec(header)?.[1]);
  for (const [id, text] of translations) {
    if (id === '') continue;
    const all = text.split('\0');
    expect(all, id).toHaveLength(id.includes('\0') ? forms : 1);
    const placeholders = (each: string) => [...new Set(each.match(/%(?:\d\$)?[sd]/g))].sort();
    expect(placeholders(all.at(-1) ?? ''), id).toEqual(placeholders(id));
    for (const each of all) expect(each, id).not.toBe('');
  }
});

test('the short description in readme.txt has at most 150 characters', () => {
  const [, short = ''] = /\n\n(.+)\n\n== Description ==/.exec(read('readme.txt')) ?? [];
  expect(short).not.toBe('');
  expect(short.length).toBeLessThanOrEqual(150);
});

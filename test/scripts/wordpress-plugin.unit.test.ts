import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readTranslations } from '../../scripts/wordpress-plugin.ts';

const root = new URL('../..', import.meta.url).pathname;
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

/** The texts of the plugin, with the plural after \0, and those of its block, after their context and \x04. */
const texts = [
  ...php.flatMap((file) =>
    [
      ...read(file).matchAll(/\b(?:(?:esc_html|esc_attr)?_[_e]\(|_n\()\s*'([^']*)'(?:, '([^']*)', \$\w+)?/g),
    ].map(([, one, other]) => (other === undefined ? one : `${one}\0${other}`)),
  ),
  ...(() => {
    const { title, description, keywords } = JSON.parse(read('block/block.json'));
    const inContext = {
      'block title': [title],
      'block description': [description],
      'block keyword': keywords,
    };
    return Object.entries(inContext).flatMap(([context, each]) =>
      each.map((text: string) => `${context}\x04${text}`),
    );
  })(),
];
const folder = 'languages/php-session-chat-';
const locales = readdirSync(join(root, 'wordpress/languages')).map((file) =>
  `languages/${file}`.slice(folder.length, -'.po'.length),
);

test('the plugin has the languages of the client', () => {
  const ofClient = readdirSync(join(root, 'client/src/strings/languages')).map((file) => file.slice(0, 2));
  expect(['en', ...locales.map((locale) => locale.slice(0, 2))].sort()).toEqual(ofClient.sort());
});

test.each(locales)('the texts in %s are complete, with the placeholders of the English ones', (locale) => {
  const translations = readTranslations(read(`${folder}${locale}.po`));
  const header = translations.get('') ?? '';
  expect([...translations.keys()].sort()).toEqual(['', ...new Set(texts)].sort());
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

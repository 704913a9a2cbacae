import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

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

test('the short description in readme.txt has at most 150 characters', () => {
  const [, short = ''] = /\n\n(.+)\n\n== Description ==/.exec(read('readme.txt')) ?? [];
  expect(short).not.toBe('');
  expect(short.length).toBeLessThanOrEqual(150);
});

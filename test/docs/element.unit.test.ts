import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { languages } from '../../client/strings-plugin.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (file: string) => readFileSync(join(root, file), 'utf8');
const page = read('docs/element.md');
const element = read('client/src/element/element.ts');
const tokens = read('client/src/styles/tokens.css');
const views = readdirSync(join(root, 'client/src/views'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.tsx'))
  .map((name) => read(`client/src/views/${name}`))
  .join('\n');

const first = (text: string, pattern: RegExp) =>
  [...text.matchAll(pattern)].map(([, name = '']) => name).sort();
/** The names in the first column of the tables between this heading and the next. */
const rowsBelow = (heading: string) =>
  first(page.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? '', /^\| `([^`]+)` \|/gm);

test('docs/element.md lists the attributes of the element', () => {
  expect(rowsBelow('Attributes')).toEqual(first(element, /@attr ([\w-]+)/g));
});

test('docs/element.md lists the languages of the client, and README.md counts them', () => {
  const [, row = ''] = /^\| `lang` \| the language: (.*), or one of/m.exec(page) ?? [];
  expect(row.split(', ')).toEqual(languages.map((lang) => `\`${lang}\``));
  expect(read('README.md')).toContain(`in ${languages.length} languages`);
});

test('docs/element.md lists the events of the element', () => {
  expect(rowsBelow('Events')).toEqual(first(element, /@fires ([\w:-]+)/g));
});

test('docs/element.md lists the slots of the element', () => {
  expect(rowsBelow('Slots')).toEqual([...new Set(first(views, /<slot name="([\w-]+)"/g))]);
});

test('docs/element.md lists the parts of the element', () => {
  const parts = first(views, /\bpart=(?:\{own \? ')?['"]?([a-z -]+)['"]/g).flatMap((names) =>
    names.split(' '),
  );
  const named = [...rowsBelow('Colours, fonts').filter((name) => !name.startsWith('--')), 'bubble-own'];
  expect(named.sort()).toEqual([...new Set(parts)].sort());
});

test('docs/element.md lists the public custom properties, with the default sizes', () => {
  const made = [...tokens.matchAll(/^ {2}(--pc-[\w-]+): ([^;]+);/gm)];
  // The default is the font of the page.
  const withoutDefault = ['--pc-font'];
  expect(rowsBelow('Colours, fonts').filter((name) => name.startsWith('--'))).toEqual(
    [...made.map(([, name]) => name), ...withoutDefault].sort(),
  );
  for (const [, name = '', value = ''] of made) {
    const [, described] = new RegExp(`^\\| \`${name}\` \\| .*: \`(.+)\` \\|$`, 'm').exec(page) ?? [];
    if (described !== undefined) expect(described, name).toBe(value);
  }
});

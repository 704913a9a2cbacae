import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const pages = [
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' }).flatMap((name) =>
    name.endsWith('.md') ? [`docs/${name}`] : [],
  ),
];
const countWords = (text: string) => text.split(/\s+/).filter((word) => /[\p{L}\p{N}]/u.test(word)).length;

test.each(pages)('%s has no marks of an unresolved conflict', (page) => {
  expect(readFileSync(join(root, page), 'utf8')).not.toMatch(/^(<{7}|={7}|>{7})/m);
});

test.each(pages)('%s has no paragraph above 80 words, and no table cell above 30', (page) => {
  const lines = readFileSync(join(root, page), 'utf8')
    .replace(/^( *)```.*?^\1```/gms, '')
    .split('\n');
  // The pages have one paragraph or list item per line.
  const [rows, paragraphs] = [true, false].map((isRow) =>
    lines.filter((line) => /^ *\|/.test(line) === isRow),
  );
  const cells = rows?.flatMap((row) => row.split(/(?<!\\)\|/)) ?? [];
  expect(cells.filter((cell) => countWords(cell) > 30)).toEqual([]);
  expect(paragraphs?.filter((paragraph) => countWords(paragraph) > 80)).toEqual([]);
});

test('each version has at most 60 lines in the changelog', () => {
  const versions = readFileSync(join(root, 'CHANGELOG.md'), 'utf8').split(/^## /m).slice(1);
  expect(versions.length).toBeGreaterThan(0);
  for (const version of versions) expect(version.trim().split('\n').length).toBeLessThanOrEqual(60);
});

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { projectFiles } from '../helpers/project-files.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const pages = [
  'README.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  'android/README.md',
  'bench/README.md',
  'php-app/README.md',
  'server/README.md',
  'packages/php-session/README.md',
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' }).flatMap((name) =>
    name.endsWith('.md') ? [`docs/${name}`] : [],
  ),
];
const read = (page: string) => readFileSync(join(root, page), 'utf8');

/** The anchors that GitHub makes for the headings of a page. */
function anchorsOf(page: string): string[] {
  const headings = read(page)
    .replace(/^( *)```.*?^\1```/gms, '')
    .matchAll(/^#+ (.+)$/gm);
  return [...headings].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

test.each(pages)('each link in %s leads to an existing file and heading', (page) => {
  const links = [...read(page).matchAll(/\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]+))?\)/g)];
  const broken = links.filter(([, to = '', anchor]) => {
    const target = to === '' ? page : normalize(join(dirname(page), to));
    if (!existsSync(join(root, target))) return true;
    return anchor !== undefined && !anchorsOf(target).includes(anchor);
  });
  expect(broken.map(([link]) => link)).toEqual([]);
});

test('the README of php-sessions links only to itself, because npm shows it alone', () => {
  expect(read('packages/php-session/README.md')).not.toMatch(/\]\((?!#)/);
});

test('CONTRIBUTING.md names existing files and folders', () => {
  const named = [...read('CONTRIBUTING.md').matchAll(/`([\w-]+(?:\/[\w.-]+)*\/(?:[\w-]+\.\w+)?)`/g)].map(
    ([, path = '']) => path,
  );
  expect(named.length).toBeGreaterThan(20);
  expect(named.filter((path) => !existsSync(join(root, path)))).toEqual([]);
});

test('each Markdown page that a project file names exists', () => {
  const files = projectFiles();
  const named = files
    .filter((file) => /\.(tsx?|mjs|php|css|html|sql|yml|md)$/.test(file))
    .flatMap((file) =>
      [...read(file).matchAll(/(?<![\w%${}./-])[\w./-]*\w\.md\b/g)].map(([name]) => ({ file, name })),
    );
  expect(named.length).toBeGreaterThan(50);
  const ends = (name: string) => `/${name.replace(/^(\.{0,2}\/)+/, '')}`;
  const missing = named.filter(({ name }) => !files.some((file) => `/${file}`.endsWith(ends(name))));
  expect(missing.map(({ file, name }) => `${name} in ${file}`)).toEqual([]);
});

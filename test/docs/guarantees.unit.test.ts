import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { projectFiles } from '../helpers/project-files.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (file: string) => readFileSync(join(root, file), 'utf8');
const page = read('docs/guarantees.md');
const rows = page.split('\n').filter((line) => line.startsWith('| ') && !/^\| (promise|---) /.test(line));
const proofs = rows.map((row) => {
  const [promise = '', proof = ''] = row.slice(2).split(/(?<!\\) \| /);
  return { promise, tests: [...proof.matchAll(/\[([^\]]+)\]\(\.\.\/([^)]+)\)/g)] };
});

test('each promise in docs/guarantees.md links to a test file that contains the text of the link', () => {
  expect(proofs.length).toBeGreaterThan(30);
  expect(proofs.filter(({ tests }) => tests.length === 0).map(({ promise }) => promise)).toEqual([]);
  const missing = proofs.flatMap(({ tests }) =>
    tests.flatMap(([link, title = '', file = '']) => (read(file).includes(title) ? [] : [link])),
  );
  expect(missing).toEqual([]);
});

test('docs/guarantees.md links to each test file in test/guarantees', () => {
  const named = new Set([...page.matchAll(/\]\(\.\.\/([^)]+)\)/g)].map(([, file]) => file));
  const tests = projectFiles().filter((file) => /^test\/guarantees\/.*\.test\.ts$/.test(file));
  expect(tests.filter((file) => !named.has(file))).toEqual([]);
});

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { events, requests } from '../../server/wire/events.ts';
import { projectFiles } from '../helpers/project-files.ts';

const root = new URL('../..', import.meta.url).pathname;
const page = readFileSync(join(root, 'docs', 'security.md'), 'utf8');

test('each name in the tables of docs/security.md is in the code', () => {
  const code = projectFiles()
    .filter((file) => /\.(tsx?|mjs|php|json|sql|yml)$|Dockerfile$/.test(file) && !/^(test|docs)\//.test(file))
    .map((file) => readFileSync(join(root, file), 'utf8'))
    .join('\n');
  const names = page
    .split('\n')
    .filter((line) => /^\| (?!---)/.test(line))
    .flatMap((line) => [...line.matchAll(/`([A-Za-z_]\w*)`/g)].map(([, name = '']) => name));
  expect(names.length).toBeGreaterThan(0);
  expect([...new Set(names)].filter((name) => !new RegExp(`\\b${name}\\b`).test(code))).toEqual([]);
});

test('docs/security.md names each request and event under "What is hidden"', () => {
  const [, table = ''] = /\n## What is hidden, request by request\n([\s\S]*)$/.exec(page) ?? [];
  const all = [...Object.keys(requests), ...Object.keys(events)];
  expect(all.filter((name) => !table.includes(`\`${name}\``))).toEqual([]);
});

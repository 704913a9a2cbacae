import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const here = fileURLToPath(new URL('.', import.meta.url));

test('the table of drafts and unsent messages in client/README.md names existing tests', () => {
  const page = readFileSync(join(here, '../../client/README.md'), 'utf8');
  const [, section = ''] = /## Drafts and unsent messages\n(.*?)\n## /s.exec(page) ?? [];
  const titles = [...section.matchAll(/"([^"]+)"/g)].map(([, title = '']) => title);
  expect(titles.length).toBeGreaterThan(12);
  const code = readdirSync(here)
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => readFileSync(join(here, name), 'utf8'))
    .join('\n');
  expect(titles.filter((title) => !code.includes(title))).toEqual([]);
});

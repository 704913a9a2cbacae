import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { events, requests } from '../../server/wire/events.ts';
import { projectFiles } from '../helpers/project-files.ts';

const root = new URL('../..', import.meta.url).pathname;
const files = projectFiles();
/** A name must be defined in code. Docs and tests do not count. */
const code = files.filter(
  (file) => /\.(tsx?|mjs|php|json|sql|yml)$|Dockerfile$/.test(file) && !/^(test|docs)\//.test(file),
);
const texts = new Map(code.map((file) => [file, readFileSync(join(root, file), 'utf8')]));

/** The files whose path ends with `reference`. */
const called = (reference: string) => files.filter((file) => `/${file}`.endsWith(`/${reference}`));

const has = (text: string | undefined, name: string) =>
  text !== undefined && new RegExp(`(?<![\\w#])${name}\\b`).test(text);

/** Matches `a`, or `a` and `b`, or `a`, `b` and `c`. A comma without a final "and" separates two entries. */
const several = (one: string) => `${one}(?:(?:, ${one})* and ${one})?`;
const isFile = /^[\w./-]+\.(tsx?|php|css|json|sql|yml)$/;
const nameInFile = new RegExp(
  `(${several('`#?[A-Za-z_]\\w*`')}) in (${several('`[\\w./-]+\\.(?:tsx?|php|css|json|sql|yml)`')})`,
  'g',
);
const quoted = (text = '') => [...text.matchAll(/`([^`]+)`/g)].map(([, inside = '']) => inside);

/** The last column of the tables, which names places in the code. */
const cellsOf = (page: string) =>
  readFileSync(join(root, 'docs', page), 'utf8')
    .split('\n')
    .flatMap((line) => (/^\| (?!---)/.test(line) ? [line.split(/ \| | \|$/).at(-2) ?? ''] : []));

for (const page of ['security.md', 'asvs.md']) {
  const cells = cellsOf(page);

  test(`each \`name\` in \`file\` in the tables of docs/${page} is in that file`, () => {
    const named = cells.flatMap((cell) => [...cell.matchAll(nameInFile)]);
    const missing = named.flatMap(([, names, places]) =>
      quoted(places).flatMap((place) =>
        quoted(names)
          .filter((name) => !called(place).some((path) => has(texts.get(path), name)))
          .map((name) => `${name} in ${place}`),
      ),
    );
    expect(missing).toEqual([]);
  });

  test(`each file and folder in the tables of docs/${page} exists`, () => {
    const missing = cells.flatMap(quoted).filter((each) => {
      if (isFile.test(each)) return called(each).length === 0;
      return /^[\w-][\w./-]*\/$/.test(each) && !files.some((path) => `/${path}`.includes(`/${each}`));
    });
    expect(missing).toEqual([]);
  });

  test(`each name without a file in the tables of docs/${page} is in the code`, () => {
    const missing = cells
      .flatMap(quoted)
      .flatMap((each) => (/^#?[A-Za-z_]\w*(::\w+)?$/.test(each) ? each.split('::') : []))
      .filter((name) => ![...texts.values()].some((text) => has(text, name)));
    expect(missing).toEqual([]);
  });
}

test('docs/security.md names each request and event under "What is hidden"', () => {
  const page = readFileSync(join(root, 'docs', 'security.md'), 'utf8');
  const [, table = ''] = /\n## What is hidden, request by request\n([\s\S]*)$/.exec(page) ?? [];
  const all = [...Object.keys(requests), ...Object.keys(events)];
  expect(all.filter((name) => !table.includes(`\`${name}\``))).toEqual([]);
});

import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const folder = new URL('../../client/src/styles/', import.meta.url);
/** Shown in the page, outside of the chat, so they cannot use its tokens. */
const outside = ['badge.css', 'here.css', 'host.css', 'launcher.css'];

/** Sizes that are not in the scale, by selector, with the reason. */
const exceptions: Record<string, string> = {
  '.avatar': 'calc(var(--face) * .38)', // The initials are a picture.
  '.tile b': '.76em', // The initials are a picture.
  '.tile': 'calc(var(--face) * .5)', // The emoji is a picture.
  '.tile:has(> .there)': '0', // The picture replaces the emoji.
  '.emoji .text': 'calc(36 * var(--u))', // A message with only emoji.
  '.emojis .grid button': 'min(var(--text-20), 8.5cqi)', // The emoji fits its cell.
  'textarea, input, select': 'max(16px, var(--text-15)) !important', // See the comment there.
};

const rules = readdirSync(folder)
  .filter((name) => name.endsWith('.css') && !outside.includes(name))
  .flatMap((name) => {
    const css = readFileSync(new URL(name, folder), 'utf8').replaceAll(/\/\*.*?\*\//gs, '');
    return [...css.matchAll(/([^{}]+)\{([^{}]*)\}/g)].map(([, selector = '', body = '']) => ({
      name,
      selector: selector.trim(),
      values: (property: string) =>
        [...body.matchAll(new RegExp(`(?<![-\\w])${property}:([^;]+)`, 'g'))].map(([, value = '']) =>
          value.trim(),
        ),
    }));
  });

test('uses only the six sizes of text, and the listed exceptions', () => {
  const used = new Set<string>();
  const others = rules.flatMap(({ name, selector, values }) =>
    [...values('font-size'), ...values('font').map((value) => value.split('/')[0] ?? '')].flatMap((value) => {
      if (/^(400 )?var\(--text-(11|12|13|15|17|20)\)$|^inherit$/.test(value)) return [];
      if (exceptions[selector] !== value) return [`${name}: ${selector} { ${value} }`];
      used.add(selector);
      return [];
    }),
  );
  expect(others).toEqual([]);
  expect([...used].sort()).toEqual(Object.keys(exceptions).sort());
});

test('uses only the weights 400, 550 and 650', () => {
  const others = rules.flatMap(({ name, selector, values }) =>
    values('font-weight')
      .filter((value) => !/^(400|550|650|inherit)$/.test(value))
      .map((value) => `${name}: ${selector} { ${value} }`),
  );
  expect(others).toEqual([]);
});

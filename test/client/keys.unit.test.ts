import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { composes, confirms } from '../../client/src/text/keys.ts';

const key = (key: string, over: object = {}) =>
  ({ key, isComposing: false, keyCode: 13, ...over }) as KeyboardEvent;

test.each([
  ['Chrome and Firefox', { isComposing: true, keyCode: 229 }],
  ['Safari, after the composition ended', { isComposing: false, keyCode: 229 }],
  ['an input method that reports no key code', { isComposing: true, keyCode: 0 }],
])('takes Enter that ends a composition for the input method’s: %s', (_, over) => {
  expect(composes(key('Enter', over))).toBe(true);
  expect(confirms(key('Enter', over))).toBe(false);
  expect(composes(key('Escape', over))).toBe(true);
});

test('takes another Enter for the user’s', () => {
  expect(confirms(key('Enter'))).toBe(true);
  expect(confirms(key(' '))).toBe(false);
});

test('only one file of the client decides which Enter confirms', () => {
  const folder = fileURLToPath(new URL('../../client/src', import.meta.url));
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
    /\.tsx?$/.test(name),
  );
  const deciding = files.filter((name) =>
    /['"`]Enter['"`]|\bisComposing\b|\bkeyCode\b/.test(
      readFileSync(join(folder, name), 'utf8').replace(/^\s*(\/\/|\*|\/\*).*$/gm, ''),
    ),
  );
  expect(deciding).toEqual(['text/keys.ts']);
});

import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));
const read = (file: string) => readFileSync(`${root}${file}`, 'utf8');

test('the Android app shows only texts that exist', () => {
  const keys = ['client/src/strings/languages/en.json', 'android/app/texts/en.json'].flatMap((file) =>
    Object.keys(JSON.parse(read(file)) as object),
  );
  // A text in several plural forms has one name.
  const names = keys
    .flatMap((key) => [key, key.replace(/\.(one|other)$/, '')])
    .map((key) => key.replaceAll('.', '_'));
  const ofSite = [...read('android/app/res/values/site.xml').matchAll(/name="(\w+)"/g)].map(
    ([, name = '']) => name,
  );
  const shown = globSync('android/app/{src,test}/**/*.kt', { cwd: root }).flatMap((file) =>
    [...read(file).matchAll(/\bR\.(?:string|plurals)\.(\w+)/g)].map(([, name = '']) => name),
  );
  expect(shown.length).toBeGreaterThan(100);
  expect([...new Set(shown)].filter((name) => ![...names, ...ofSite].includes(name))).toEqual([]);
});

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { withLiteralValues } from '../../scripts/android/strings.mjs';
import { makeIfChanged } from '../../scripts/android/unchanged.mjs';

const appName = (value: string) => `<string name="app_name" translatable="false">${value}</string>`;

test.each([
  ['Chat', 'Chat'],
  [`L'atelier`, String.raw`L\'atelier`],
  ['The "Orchard"', String.raw`The \"Orchard\"`],
  ['Tom & Jerry', 'Tom &amp; Jerry'],
  ['Tom &amp; Jerry &#169;', 'Tom &amp; Jerry &#169;'],
  ['<3 bees', '&lt;3 bees'],
  ['@home', String.raw`\@home`],
  ['?', String.raw`\?`],
  // Written for Android already, as Android Studio needs it.
  [String.raw`L\'atelier`, String.raw`L\'atelier`],
  [`"L'atelier"`, `"L'atelier"`],
])('the site value %s is %s for Android', (value, expected) => {
  const empty = '<string name="logout_url" translatable="false"></string><string name="other"/>';
  expect(withLiteralValues(`<!-- it's -->\n${empty}${appName(value)}`)).toBe(
    `<!-- it's -->\n${empty}${appName(expected)}`,
  );
});

test('makes an output again only after a change of its options or files, or after a failure', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'android-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const [output, source, sources] = ['output', 'source', 'sources'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  mkdirSync(sources);
  let count = 0;
  async function makes(...inputs: string[]): Promise<boolean> {
    const before = count;
    await makeIfChanged(output, inputs, async () => writeFileSync(output, `${++count}`));
    return count > before;
  }
  writeFileSync(source, 'first');
  expect(await makes('-a', source, sources)).toBe(true);
  expect(await makes('-a', source, sources)).toBe(false);
  expect(await makes('-b', source, sources)).toBe(true);
  writeFileSync(source, 'second');
  expect(await makes('-b', source, sources)).toBe(true);
  writeFileSync(join(sources, 'new'), '');
  expect(await makes('-b', source, sources)).toBe(true);
  expect(await makes('-b', source, sources)).toBe(false);
  rmSync(output);
  expect(await makes('-b', source, sources)).toBe(true);
  const failure = makeIfChanged(output, ['-c'], () => Promise.reject(new Error('full disk')));
  await expect(failure).rejects.toThrow('full disk');
  expect(await makes('-b', source, sources)).toBe(true);
});

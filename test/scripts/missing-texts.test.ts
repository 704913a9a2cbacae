import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';

/** A checkout whose Japanese and Russian lack some texts. URLs encode characters of its folder. */
const root = fileURLToPath(new URL('../..', import.meta.url));
const checkout = mkdtempSync(join(tmpdir(), 'my 100% ü-'));
afterAll(() => rmSync(checkout, { recursive: true }));
for (const part of [
  'scripts',
  'package.json',
  'tsconfig.json',
  'client',
  'server/notify',
  'server/text',
  'android/app',
  'wordpress',
])
  cpSync(join(root, part), join(checkout, part), {
    recursive: true,
    filter: (path) => !/\/(dist|out)$/.test(path),
  });
symlinkSync(join(root, 'node_modules'), join(checkout, 'node_modules'));

/** Removes texts, all forms of them if they have plural forms. */
function remove(file: string, names: readonly string[]): void {
  const path = join(checkout, file);
  const isRemoved = (key: string) => names.includes(key) || names.includes(key.replace(/\.\w+$/, ''));
  const texts = Object.entries(JSON.parse(readFileSync(path, 'utf8'))).filter(([key]) => !isRemoved(key));
  writeFileSync(path, JSON.stringify(Object.fromEntries(texts)));
}
for (const lang of ['ja', 'ru']) {
  remove(`client/src/strings/languages/${lang}.json`, ['msg.sent', 'replies.count', 'settings.slow.minutes']);
  remove(`server/notify/languages/${lang}.json`, ['reminder', 'moreRooms']);
  remove(`android/app/texts/${lang}.json`, ['link.share']);
}
const po = join(checkout, 'wordpress/languages/php-session-chat-ja.po');
writeFileSync(po, readFileSync(po, 'utf8').replace(/^msgid "Test again in a minute\."\n.*\n\n/m, ''));

/** Runs a module in the checkout. @returns what it prints as JSON */
const run = (code: string) =>
  JSON.parse(
    execFileSync(process.execPath, ['--input-type=module', '-e', code], { cwd: checkout, encoding: 'utf8' }),
  );

test('the build of the client adds the English texts that a language lacks', async () => {
  const files: Record<string, string> = run(`
    import { build } from 'vite';
    import { strings } from './client/strings-plugin.ts';
    const code = "import { loadTexts } from '${checkout}/client/src/strings/languages.ts';" +
      "export default (lang) => [loadTexts(lang), 'msg.sent', 'replies.count', 'settings.slow.minutes'];";
    const page = { name: 'page', resolveId: (id) => id === 'page' ? id : undefined, load: (id) => id === 'page' ? code : undefined };
    const { output } = await build({
      configFile: false, logLevel: 'error', plugins: [page, strings('chat')],
      build: { write: false, rolldownOptions: { input: 'page', preserveEntrySignatures: 'strict' } },
    });
    console.log(JSON.stringify(Object.fromEntries(output.map(({ fileName, source }) => [fileName, source]))));`);
  const { Strings } = await import('../../client/src/strings/strings.ts');
  const stringsIn = (lang: string) => {
    const [, source = ''] = Object.entries(files).find(([name]) => name.startsWith(`assets/${lang}-`)) ?? [];
    return new Strings({ lang, by: JSON.parse(source.replace('export default', '')) });
  };
  const [ja, ru] = [stringsIn('ja'), stringsIn('ru')];
  for (const strings of [ja, ru]) expect(strings.text('msg.sent')).toBe('Sent');
  expect([1, 2].map((n) => ja.count('replies.count', n))).toEqual(['1 replies', '2 replies']);
  expect([1, 3, 5].map((n) => ru.count('replies.count', n))).toEqual(['1 reply', '3 replies', '5 replies']);
  // In Russian, 21 has the form of 1.
  expect(ru.count('settings.slow.minutes', 21)).toBe('One message every 21 minutes');
});

test('mails and pushes have the English texts that a language lacks', () => {
  const texts = run(`
    import { NotificationTexts } from './server/notify/texts.ts';
    console.log(JSON.stringify(['ja', 'ru'].map((lang) => {
      const texts = new NotificationTexts(lang);
      return [texts.text('reminder'), ...[1, 3].map((n) => texts.count('moreRooms', n))];
    })));`);
  expect(texts).toEqual([
    ['Reminder', '1 more rooms', '3 more rooms'],
    ['Reminder', '1 more room', '3 more rooms'],
  ]);
});

test('the Android app has the English texts that a language lacks', () => {
  run(`import { writeStrings } from './scripts/android/strings.mjs'; writeStrings('res'); console.log(1);`);
  const resources = (lang: string) => readFileSync(join(checkout, `res/values-${lang}/texts.xml`), 'utf8');
  for (const lang of ['ja', 'ru']) {
    expect(resources(lang)).toContain('<string name="link_share">Share</string>');
    expect(resources(lang)).toContain(
      '<plurals name="replies_count"><item quantity="one">%1$s reply</item><item quantity="other">%1$s replies</item></plurals>',
    );
    // Without `.one`, which Russian also has for 21.
    expect(resources(lang)).toContain(
      '<plurals name="settings_slow_minutes"><item quantity="other">One message every %1$s minutes</item></plurals>',
    );
  }
});

test('`npm run release` lists the missing texts, and writes nothing', () => {
  const { status, stderr } = spawnSync(process.execPath, ['scripts/release.mjs'], {
    cwd: checkout,
    encoding: 'utf8',
  });
  for (const [text, languages] of [
    ['client/src/strings/languages: msg.sent', /\bja\b.*\bru\b/],
    ['client/src/strings/languages: replies.count.few', /\bru\b/],
    ['server/notify/languages: reminder', /\bja\b.*\bru\b/],
    ['android/app/texts: link.share', /\bja\b.*\bru\b/],
    ['wordpress/languages: Test again in a minute.', /\bja\b/],
  ] as const)
    expect(stderr.split('\n').find((line) => line.startsWith(`${text} (`))).toMatch(languages);
  expect(stderr).toContain('run npm run release again');
  expect(status).toBe(1);
  expect(existsSync(join(checkout, 'release'))).toBe(false);
});

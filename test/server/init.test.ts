import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { init } from '../../server/init/command.ts';
import { readConfig } from '../../server/settings/config.ts';
import { givenSettings } from '../../server/settings/file.ts';
import { ownPort } from '../helpers/child.ts';
import { type Mariadb, startMariadb } from '../helpers/mariadb.ts';
import { address, phrases, quoted, wordPressSite } from '../helpers/wordpress.ts';

let db: Mariadb;
let site: Awaited<ReturnType<typeof wordPressSite>>;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'init-'));
  db = await startMariadb();
  site = await wordPressSite(db, { options: { home: address } });
  chmodSync(folder, 0o755);
  chmodSync(site.folder, 0o755);
  for (const [id, role] of [
    ['1', 'administrator'],
    ['2', 'administrator'],
    ['3', 'subscriber'],
  ] as const) {
    await site.logIn(id);
    await site.setMeta(id, `${site.prefix}capabilities`, `a:1:{s:${role.length}:"${role}";b:1;}`);
  }
});
afterAll(async () => {
  await db.remove();
  rmSync(folder, { recursive: true, force: true });
});

/** Root may read everything, so the chat's account is another one. */
const user = process.getuid?.() === 0 ? ['--user', 'nobody'] : [];

/** Runs `init` in this process. @returns its exit code, and all that it has said */
async function run(args: readonly string[], env: NodeJS.ProcessEnv = {}, answers: string[] = []) {
  const said: string[] = [];
  const answer = async (question: string) => {
    said.push(question);
    return answers.shift() ?? null;
  };
  const code = await init(args, env, {
    say: (line = '') => void said.push(line),
    problem: (line) => void said.push(line),
    strong: (text) => text,
    ask: answer,
    askHidden: answer,
    close() {},
  });
  return { code, said: said.join('\n') };
}

let files = 0;
const newFile = () => join(folder, String(++files), 'settings');

/** Another folder of that WordPress. */
function otherFolder(config: string | null): string {
  const other = mkdtempSync(join(tmpdir(), 'wordpress-'));
  onTestFinished(() => rmSync(other, { recursive: true }));
  mkdirSync(join(other, 'wp-includes'));
  writeFileSync(join(other, 'wp-includes/version.php'), "<?php\n$wp_version = '6.9.7';\n");
  if (config !== null) writeFileSync(join(other, 'wp-config.php'), config);
  return other;
}

test('WordPress: what is found, the settings that a server takes, and what is left to do', async () => {
  const file = newFile();
  const { code, said } = await run([site.folder, '--settings', file, '--yes', ...user]);
  expect(said).toContain(
    '✓ WordPress 6.9.7 at https://blog.example.org, logins in MariaDB, 2 administrators\n✓ The chat will be at https://blog.example.org/chat/: ',
  );
  expect(said).toMatch(/✓ The account \w+ may read the 2 files [\s\S]*✓ The database of the site answers\./);
  expect(said).toMatch(/location \^~ \/chat\/ \{|ProxyPass "\/chat\/"/);
  expect(said).toContain('<php-chat server="/chat/" login-url="/wp-login.php">');
  expect(code).toBe(0);
  expect(statSync(file).mode & 0o777).toBe(0o640);
  expect(readdirSync(join(file, '..'))).toEqual(['settings']);
  const { env, lines } = givenSettings(file, {});
  expect(env).toEqual({
    CHAT_SITE: site.folder,
    CHAT_ORIGINS: 'https://blog.example.org',
    CHAT_LOGIN_URL: 'https://blog.example.org/wp-login.php',
    CHAT_HOST: '127.0.0.1',
    CHAT_TRUSTED_PROXIES: '127.0.0.1',
    CHAT_HISTORY: `sqlite:${join(file, '../data/chat.db')}`,
    CHAT_FILES: `dir:${join(file, '../data/files')}`,
  });
  expect(readConfig(env, lines)).toMatchObject({ unknown: [] });
  // Neither the salts nor the password of the database are copied.
  const { password } = new URL(`mysql://${db.login}@host`);
  for (const secret of [phrases.key, decodeURIComponent(password)]) {
    expect(readFileSync(file, 'utf8')).not.toContain(secret);
    expect(said).not.toContain(secret);
  }
});

test('a file that is there stays, unless --force is given; --print writes nothing', async () => {
  const file = newFile();
  mkdirSync(join(file, '..'));
  writeFileSync(file, 'own\n');
  const refused = await run([site.folder, '--settings', file, '--yes']);
  expect(refused).toEqual({ code: 78, said: expect.stringContaining(`${file} is there already`) });
  const printed = await run([site.folder, '--settings', file, '--print', ...user]);
  expect(printed).toEqual({ code: 0, said: expect.stringContaining(`CHAT_SITE=${site.folder}`) });
  expect(readFileSync(file, 'utf8')).toBe('own\n');
  expect((await run([site.folder, '--settings', file, '--force', ...user])).code).toBe(0);
  expect(readFileSync(file, 'utf8')).toContain('CHAT_SITE=');
});

test('the settings of the environment are taken over; a wrong one is refused before anything is written', async () => {
  const file = newFile();
  const url = `mysql://${db.login}@127.0.0.1:${db.port}/site`;
  const own = {
    CHAT_PORT: '7071',
    CHAT_ROOMS: "l'été,b",
    CHAT_SITE_DATABASE: url,
    CHAT_HISTORY: 'sqlite:/x y/c.db',
  };
  const printed = await run([site.folder, '--settings', file, '--print', ...user], own);
  expect(printed.said).toContain('CHAT_SITE_DATABASE=mysql://…@127.0.0.1');
  expect((await run([site.folder, '--settings', file, ...user], own)).code).toBe(0);
  expect(givenSettings(file, {}).env).toMatchObject(own);
  const other = newFile();
  const refused = await run([site.folder, '--settings', other], { CHAT_PORT: 'x' });
  expect(refused).toEqual({ code: 78, said: expect.stringContaining('CHAT_PORT: "x" is not a port') });
  expect(existsSync(other)).toBe(false);
});

test.each<[string, string[], number, RegExp]>([
  ['no folder', [], 64, /^✗ The folder of the site is missing[\s\S]*Example: npm run init/],
  ['two folders', ['/a', '/b'], 64, /^✗ One folder, and not 2/],
  ['an option that is none', ['/', '--frce'], 64, /^✗ Unknown option '--frce'/],
  ['a folder that is not there', ['/nowhere/at/all'], 64, /^✗ \/nowhere\/at\/all: there is no such folder/],
  [
    'an address that is none',
    ['/', '--url', 'example.org'],
    64,
    /^✗ "example.org" is not an address: give it/,
  ],
  ['an address of files', ['/', '--url', 'file:///x'], 64, /is not an address/],
  ['a login in the address', ['/', '--url', 'https://a:geheim@b.org'], 64, /has a login, a \? or a # in it/],
])('%s: code and reason', async (_, args, code, expected) => {
  const answer = await run([...args, '--settings', newFile()]);
  expect(answer.code).toBe(code);
  expect(answer.said).toMatch(expected);
  expect(answer.said).not.toContain('geheim');
});

test('a file, a circle of links, and a WordPress that is half installed', async () => {
  const link = join(folder, 'circle');
  symlinkSync(link, link);
  const file = join(site.folder, 'wp-config.php');
  for (const [path, code, expected] of [
    [file, 64, /is a file: give the folder of the site, such as /],
    [join(file, 'x'), 64, /a part of the path is a file/],
    [link, 64, /symbolic links lead in a circle/],
    [otherFolder(null), 78, /WordPress is here, but no wp-config\.php/],
  ] as const) {
    const answer = await run([path, '--yes', '--url', 'http://x', '--settings', newFile()]);
    expect(answer).toEqual({ code, said: expect.stringMatching(expected) });
  }
});

test('the database: not there, with a wrong password, and without the tables', async () => {
  const config = readFileSync(join(site.folder, 'wp-config.php'), 'utf8');
  const port = await ownPort();
  for (const [text, code, expected] of [
    [config.replace(`:${db.port}`, `:${port}`), 69, /does not answer: .*\(ECONNREFUSED\)\. Start it/],
    [
      config.replace(/(define\('DB_PASSWORD', ).*\)/g, `$1${quoted('geheim')})`),
      78,
      /refuses the user or the password that the configuration of the site names/,
    ],
    [
      config.replace(/table_prefix = '\w+'/, "table_prefix = 'none_'"),
      78,
      /Finish the installation of the site/,
    ],
  ] as const) {
    const answer = await run([otherFolder(text), '--yes', '--settings', newFile()]);
    expect(answer).toEqual({ code, said: expect.stringMatching(expected) });
    expect(answer.said).not.toContain('geheim');
  }
});

test('an address to which the cookie does not go: refused, with one to which it goes', async () => {
  const url = 'https://chat.example.org';
  const answer = await run([site.folder, '--url', url, '--settings', newFile()]);
  expect(answer).toEqual({
    code: 78,
    said: expect.stringMatching(
      /stays on blog\.example\.org, .*\. Take https:\/\/blog\.example\.org\/chat\//,
    ),
  });
});

test('a file that the account of the chat may not read: the line that lets it', async () => {
  const other = otherFolder(readFileSync(join(site.folder, 'wp-config.php'), 'utf8'));
  chmodSync(other, 0o755);
  chmodSync(join(other, 'wp-config.php'), 0o000);
  const { code, said } = await run([other, '--settings', newFile(), ...user]);
  const [, account = userInfo().username] = user;
  expect([...said.matchAll(/setfacl .*/g)].map(([line]) => line)).toEqual([
    `setfacl -m u:${account}:r ${other}/wp-config.php`,
  ]);
  // Root has read it nevertheless.
  expect(code).toBe(user.length > 0 ? 0 : 78);
});

import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { init } from '../../server/init/command.ts';
import { givenSettings } from '../../server/settings/file.ts';
import { siteDatabase } from '../helpers/application-site.ts';
import { doctorSays } from '../helpers/doctor-says.ts';
import { startUnprivileged } from '../helpers/other-account.ts';
import { phpbbSite } from '../helpers/phpbb.ts';

const db = await siteDatabase('sqlite');

/** Creates a board for one test. */
async function board(config: Record<string, string> = {}) {
  const site = await phpbbSite(db);
  onTestFinished(async () => void (await site.remove()));
  const all = {
    server_protocol: 'https://',
    server_name: 'www.example.org',
    script_path: '/forum',
    ...config,
  };
  for (const [name, value] of Object.entries(all)) await site.set(name, value);
  const folder = mkdtempSync(join(tmpdir(), 'init-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return { ...site, settings: join(folder, 'settings') };
}

/** Runs `init` in this process. @returns its exit code and its output */
async function run(...args: string[]) {
  const said: string[] = [];
  const say = (line = '') => void said.push(line);
  const answer = async () => null;
  const code = await init(
    args,
    {},
    { say, problem: say, heading: (text) => say(`\n${text}`), ask: answer, askHidden: answer, close() {} },
  );
  return { code, said: said.join('\n') };
}

test('uses https for a Secure cookie, whatever the server protocol of phpBB is', async () => {
  const { folder, settings } = await board({ server_protocol: 'http://', cookie_secure: '1' });
  const { code, said } = await run(folder, '--settings', settings);
  expect(said).toMatch(/^! The site’s own settings say http:\/\/www\.example\.org\/forum\/, .* at https:/m);
  expect(said).toContain('The chat will be at https://www.example.org/forum/chat/');
  expect(code).toBe(0);
  expect(givenSettings(settings, {}).env).toMatchObject({ CHAT_ORIGINS: 'https://www.example.org' });
});

test.each([
  ['a name that is an address', { server_name: 'https://www.example.org/' }, 'https://www.example.org/forum'],
  ['no protocol', { server_protocol: '', cookie_secure: '0' }, 'http://www.example.org/forum'],
  [
    'no protocol, but a Secure cookie',
    { server_protocol: '', cookie_secure: '1' },
    'https://www.example.org/forum',
  ],
  ['a protocol without slashes', { server_protocol: 'https' }, 'https://www.example.org/forum'],
  ['a path without slashes', { script_path: 'forum' }, 'https://www.example.org/forum'],
  ['no path', { script_path: '' }, 'https://www.example.org'],
  ['a port', { server_port: '8443' }, 'https://www.example.org:8443/forum'],
])('reads the server settings of phpBB with %s', async (_, config, address) => {
  const { folder, settings } = await board(config);
  const { said } = await run(folder, '--settings', settings);
  expect(said).toMatch(new RegExp(`^✓ phpBB 3\\.3\\.16 at ${address}, `));
  expect(said).toContain(`The chat will be at ${address}/chat/`);
});

test('prints the lines of docs/sites/phpbb.md for the footer of all pages', async () => {
  const { folder, settings } = await board();
  const { code, said } = await run(folder, '--settings', settings);
  expect(code).toBe(0);
  const page = readFileSync(new URL('../../docs/sites/phpbb.md', import.meta.url), 'utf8');
  const [, block = ''] = /```twig\n([\s\S]*?)\n```/.exec(page) ?? [];
  expect(said).toContain(block.replaceAll('/chat/', '/forum/chat/').replace(/^/gm, '      '));
  expect(said).toMatch(
    /above <\/body> in styles\/prosilver\/template\/overall_footer\.html[\s\S]*Purge the cache/,
  );
  // phpBB would replace the placeholder.
  expect(said).not.toContain('{return}');
  expect(said).toContain('docs/sites/phpbb.md shows how to keep these lines');
});

test('shows the next steps again, with the values of the settings file', async () => {
  const { folder, settings } = await board();
  const url = ['--url', 'https://www.example.org/forum/talk/'];
  const first = await run(folder, '--settings', settings, ...url);
  const again = /\nTo show these steps again: npm run init -- (.*)$/m.exec(first.said)?.[1]?.split(' ') ?? [];
  expect(again).toEqual(['--steps', '--settings', settings, ...url]);
  const file = `${readFileSync(settings, 'utf8')}CHAT_PORT=7099\nCHAT_FIND_PEOPLE=all\n`;
  writeFileSync(settings, file);
  const { code, said } = await run(...again);
  expect(code).toBe(0);
  const stepsOf = (text: string) => text.slice(text.indexOf('\nNext steps'));
  expect(stepsOf(said)).toBe(stepsOf(first.said).replaceAll('127.0.0.1:7070', '127.0.0.1:7099'));
  expect(said).not.toMatch(/Written|CHAT_FIND_PEOPLE/);
  expect(readFileSync(settings, 'utf8')).toBe(file);
  expect((await run(folder, '--settings', settings)).said).toContain('--steps to show the next steps again');
});

test.each([
  ['::1', '[::1]'],
  ['::', '127.0.0.1'],
  ['0.0.0.0', '127.0.0.1'],
  ['10.0.0.5', '10.0.0.5'],
  ['localhost', 'localhost'],
])('shows how to forward to a chat server that listens at %s', async (host, upstream) => {
  const { folder, settings } = await board();
  const url = ['--url', 'https://www.example.org/forum/talk/'];
  await run(folder, '--settings', settings, ...url);
  writeFileSync(
    settings,
    `${readFileSync(settings, 'utf8').replace(/^CHAT_HOST=.*$/m, '')}CHAT_HOST=${host}\n`,
  );
  const { code, said } = await run('--steps', '--settings', settings, ...url);
  expect(code).toBe(0);
  // In the block for nginx or Apache, whichever this machine runs.
  expect(said).toContain(`http://${upstream}:7070/`);
});

test('explains settings for which it cannot show steps', async () => {
  const { folder, settings } = await board();
  const steps = (...args: string[]) => run('--steps', '--settings', settings, ...args);
  expect(await steps()).toEqual({
    code: 78,
    said: expect.stringContaining(`${settings} cannot be read (ENOENT)`),
  });
  writeFileSync(settings, 'CHAT_SESSION_STORE=file:///tmp\n');
  expect(await steps()).toEqual({ code: 78, said: expect.stringMatching(/CHAT_SITE.*init .*FOLDER first/) });
  writeFileSync(settings, `CHAT_SITE=${folder}\n`);
  expect(await steps('/srv')).toEqual({ code: 64, said: expect.stringContaining(`is for ${folder}`) });
  expect(await steps('--force')).toEqual({ code: 64, said: expect.stringContaining('--force') });
});

test('advises the owner to activate an inactive account, or to log in if the session belongs to a bot', async () => {
  const { folder, logIn, run } = await board();
  const { cookies } = await logIn('7');
  const says = () => doctorSays({ CHAT_SITE: folder, CHAT_SITE_CHECKS: 'off' }, '--cookie', cookies);
  await run('UPDATE #_users SET user_type = 1 WHERE user_id = 7');
  expect(await says()).toMatch(
    /^✗ This login is rejected: the account is inactive\.\n {2}→ activate it in the ACP \(Users and Groups → Inactive users\)$/m,
  );
  await run('UPDATE #_users SET user_type = 2 WHERE user_id = 7');
  expect(await says()).toMatch(/^✗ This login is rejected: the session belongs to a bot\.\n {2}→ Log in to/m);
});

// Root may read everything, so the doctor runs as another account.
const isRoot = process.getuid?.() === 0;
const account = isRoot ? 'nobody' : userInfo().username;

async function doctorOf(folder: string, env: Record<string, string> = {}): Promise<string> {
  const child = startUnprivileged(['server/command/main.ts', 'doctor', '--settings='], {
    PATH: process.env.PATH,
    CHAT_SITE: folder,
    NODE_COMPILE_CACHE: folder,
    ...env,
  });
  await new Promise((resolve) => child.process.on('close', resolve));
  return child.output();
}

test('the doctor prints the commands that let its account read the configuration', async () => {
  const { folder } = await board();
  chmodSync(folder, 0o755);
  const config = join(folder, 'config.php');
  chmodSync(config, 0o000);
  expect(await doctorOf(folder)).toContain(
    `✗ ${config} cannot be read (EACCES)\n  → Run as root: setfacl -RP -m u:${account}:r ${config}\n`,
  );
  chmodSync(folder, 0o700);
  if (isRoot) expect(await doctorOf(folder)).toContain(`  → Run as root: setfacl -m u:nobody:x ${folder}\n`);
});

test('the doctor prints the command that lets its account list the folder of a site in PHP', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'php-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'index.php'), '<?php session_start();');
  chmodSync(folder, 0o311);
  expect(await doctorOf(folder, { CHAT_USER_ID: 'id' })).toContain(
    `✗ ${folder} cannot be listed (EACCES)\n  → Run as root: setfacl -m u:${account}:rx ${folder}\n`,
  );
});

import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Browser, chromium } from '@playwright/test';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { type Child, ownPort } from '../helpers/child.ts';
import { type BareDebian, makeBareDebian } from './bare-debian.ts';

/**
 * Tests the packages on bare Debian machines, installed as docs/install.md describes. Needs root and the
 * registries of Debian and npm.
 */
const root = fileURLToPath(new URL('../../', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'chat-installed-'));
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
const nextVersion = version.replace(/\d+$/, (patch) => String(Number(patch) + 1));
const tarball = join(folder, `php-session-chat-${version}.tgz`);
const execute = promisify(execFile);

let bare: BareDebian;
let browser: Browser;
beforeAll(async () => {
  process.env.SOURCE_DATE_EPOCH ??= '1';
  await execute('npm', ['pack', '--pack-destination', folder], { cwd: root });
  bare = await makeBareDebian(join(folder, 'bare'));
  await bare.run('apt-get -q update && apt-get -q install -y --no-install-recommends php-cli');
  await bare.run('install -d /var/www/html');
  writeFileSync(
    bare.at('var/www/html/index.php'),
    '<?php session_start(); $_SESSION["user_id"] = crc32($_GET["as"]); $_SESSION["firstname"] = $_GET["as"];',
  );
  browser = await chromium.launch({
    executablePath: '/usr/bin/chromium-headless-shell',
    args: ['--no-sandbox', '--disable-features=LocalNetworkAccessChecks'],
  });
}, 1_800_000);
afterAll(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true, force: true });
});

interface Site {
  machine: BareDebian;
  /** The URL of the chat's page. */
  chat: string;
  /** Returns the value of the session cookie. */
  login(name: string): Promise<string>;
  /** Answers the questions of `init`. @returns the start commands that it prints, and the chat's URL */
  init(settings?: string): Promise<{ lines: string; chat: string }>;
}

/** Starts a small PHP site on its own machine. */
async function startSite(name: string): Promise<Site> {
  const machine = await bare.copy(join(folder, name));
  const [port, chatPort] = [await ownPort(), await ownPort()];
  const url = `http://localhost:${port}/`;
  const www = ['setpriv', '--reuid=www-data', '--regid=www-data', '--init-groups'];
  const php = machine.start(...www, 'php', '-S', `127.0.0.1:${port}`, '-t', '/var/www/html');
  onTestFinished(async () => void (await php.stop('SIGKILL')));
  await php.until(/Development Server .* started/);
  const login = async (name: string) => {
    const answer = await fetch(`${url}?as=${name}`);
    const [, value = ''] = /PHPSESSID=(\w+)/.exec(answer.headers.getSetCookie().join()) ?? [];
    return value;
  };
  return {
    machine,
    chat: `http://localhost:${chatPort}/`,
    login,
    async init(settings = '/etc/php-session-chat/settings') {
      const chosen = settings.endsWith('/settings') ? chatPort : await ownPort();
      const output = await machine.run(
        `php-session-chat init /var/www/html --url ${url} --settings ${settings}`,
        { input: `${await login('Ann')}\n\n\n\n`, env: { CHAT_PORT: String(chosen) } },
      );
      expect(output).toContain(`✓ Written: ${settings}`);
      const [, lines = ''] = /Start the chat server\n\n((?: {6}.*\n)+)/.exec(output) ?? [];
      return { lines: lines.replace(/^ {6}/gm, ''), chat: `http://localhost:${chosen}/` };
    },
  };
}

/** Ann sends a message in a browser, and Bob reads it in another. */
async function talk(site: Site, text: string) {
  const [ann, bob] = [await open(site, 'Ann'), await open(site, 'Bob')];
  await ann.write(text);
  await bob.read(text);
  return [ann, bob] as const;
}

/** Opens the chat as a logged-in user. */
async function open({ chat, login }: Site, name: string) {
  const context = await browser.newContext({ locale: 'en-GB' });
  onTestFinished(() => context.close());
  await context.addCookies([{ name: 'PHPSESSID', value: await login(name), url: chat }]);
  const page = await context.newPage();
  await page.goto(chat);
  const read = (text: string) => page.getByRole('article').filter({ hasText: text }).waitFor();
  return {
    read,
    close: () => context.close(),
    async write(text: string) {
      await page.getByRole('textbox', { name: /^Message to/ }).fill(text);
      await page.keyboard.press('Enter');
      await read(text);
    },
  };
}

async function listening(service: Child): Promise<Child> {
  onTestFinished(async () => void (await service.stop('SIGKILL')));
  await service.until(/"msg":"listening"/);
  return service;
}

/** Lists added and removed files, without the site's own sessions. */
async function changes({ contents }: BareDebian, before: readonly string[]): Promise<string[]> {
  const [was, is] = [before, await contents()].map(
    (lines) => new Set(lines.filter((line) => !line.includes('/var/lib/php/sessions/'))),
  ) as [Set<string>, Set<string>];
  return [
    ...[...is.difference(was)].map((line) => `+ ${line}`),
    ...[...was.difference(is)].map((line) => `- ${line}`),
  ];
}

const seconds = (since: number) => `${((performance.now() - since) / 1000).toFixed(1)} s`;

/** Builds the same package as the next release, with one page removed and another added. */
async function nextPackage(file: string): Promise<string> {
  const next = join(folder, 'next');
  await execute('dpkg-deb', ['--raw-extract', file, next]);
  const control = join(next, 'DEBIAN/control');
  writeFileSync(control, readFileSync(control, 'utf8').replace(/^Version: .*$/m, `Version: ${nextVersion}`));
  const documents = join(next, 'usr/share/doc/php-session-chat');
  rmSync(join(documents, 'docs/install.md'));
  writeFileSync(join(documents, 'docs/new.txt'), 'A page\n');
  await execute('dpkg-deb', ['--root-owner-group', '-Znone', '--build', next, folder]);
  rmSync(next, { recursive: true });
  return join(folder, `php-session-chat_${nextVersion}_${file.split('_').at(-1)}`);
}

test('the Debian package runs two chats through an upgrade, and a purge keeps only the messages', async () => {
  const architecture = process.arch === 'x64' ? 'amd64' : 'arm64';
  const file = join(folder, `php-session-chat_${version}_${architecture}.deb`);
  const make = `import('./scripts/debian-package.mjs').then((its) => its.makeDebianPackage('${tarball}', '${architecture}', '${version}', '${folder}'))`;
  await execute(process.execPath, ['-e', make], { cwd: root });
  const site = await startSite('deb');
  const { machine } = site;
  const install = async (file: string) => {
    await execute('cp', [file, machine.at('root/new.deb')]);
    await machine.run('apt-get -q install -y --no-install-recommends /root/new.deb && rm /root/new.deb');
  };
  const before = await machine.contents();

  const since = performance.now();
  await install(file);
  const { lines } = await site.init();
  expect(lines).toContain("'[Service]' User=www-data ");
  expect(lines).toMatch(/^systemctl enable php-session-chat\nsystemctl restart php-session-chat$/m);
  // There is no systemd, so the test starts the service.
  await machine.run(lines.replace(/^systemctl .*$/gm, ''));
  let chat = await listening(await machine.startService('php-session-chat'));
  const [ann, bob] = await talk(site, 'Hello from a package');
  console.log(`from apt install to the first message: ${seconds(since)}`);
  await Promise.all([ann, bob].map(({ close }) => close()));
  expect(await chat.stop()).toBe(0);

  const settings = 'etc/php-session-chat/settings';
  const written = readFileSync(machine.at(settings), 'utf8');
  const next = await nextPackage(file);
  await install(next);
  expect(await machine.run('dpkg -s php-session-chat')).toContain(`\nVersion: ${nextVersion}\n`);
  expect(readFileSync(machine.at(settings), 'utf8')).toBe(written);
  const documents = machine.at('usr/share/doc/php-session-chat/docs');
  expect(readdirSync(documents)).toContain('new.txt');
  expect(readdirSync(documents)).not.toContain('install.md');
  chat = await listening(await machine.startService('php-session-chat'));
  await (await open(site, 'Eve')).read('Hello from a package');
  await talk(site, 'Hello after an upgrade');
  expect(await chat.stop()).toBe(0);

  // The same site with a second chat of its own.
  const shop = await site.init('/etc/php-session-chat/shop.conf');
  expect(shop.lines).toMatch(/^systemctl restart php-session-chat@shop$/m);
  await machine.run(shop.lines.replace(/^systemctl .*$/gm, ''));
  const other = await listening(await machine.startService('php-session-chat@shop'));
  await talk({ ...site, chat: shop.chat }, 'Hello from the shop');
  expect(await other.stop()).toBe(0);
  // Neither chat can replace the data or compiled code of the other.
  for (const [at, mode] of [
    ['/var/lib', '700'],
    ['/var/cache', '755'],
  ])
    expect(await machine.run(`cd ${at}/php-session-chat && stat -c '%n %U %a' . main shop`)).toBe(
      `. root 755\nmain www-data ${mode}\nshop www-data ${mode}\n`,
    );

  await machine.run('apt-get -q remove -y --autoremove php-session-chat');
  expect(readFileSync(machine.at(settings), 'utf8')).toBe(written);
  await machine.run('test -s /var/lib/php-session-chat/main/chat.db');
  const masks = () =>
    machine.run('find /etc/systemd/system -maxdepth 1 -lname /dev/null -printf "%f\\n" | sort');
  expect(await masks()).toBe('php-session-chat-sessions.service\nphp-session-chat.service\n');
  await install(next);
  expect(await masks()).toBe('');
  const purged = await machine.run('apt-get -q purge -y --autoremove php-session-chat');
  expect(purged).toContain(
    'stay in /var/lib/php-session-chat. To delete them: rm -r /var/lib/php-session-chat',
  );
  await machine.run(
    'test -s /var/lib/php-session-chat/main/chat.db && test -s /var/lib/php-session-chat/shop/chat.db',
  );
  await machine.run('rm -r /var/lib/php-session-chat');
  // The accounts remain after a purge.
  const accounts = /\/etc\/(passwd|group|shadow|gshadow)$/;
  expect((await changes(machine, before)).filter((line) => !accounts.test(line))).toEqual([]);
  await machine.run('getent passwd php-session-chat');
}, 1_800_000);

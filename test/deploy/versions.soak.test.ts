import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { cpSync, existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Browser, chromium, type Page } from '@playwright/test';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { type ChatServer, historyFolder, startChatServer } from '../helpers/chat-server.ts';
import { ownPort } from '../helpers/child.ts';
import { startFrameworkSite } from '../helpers/framework-site.ts';
import { postgresDatabase } from '../helpers/history-database.ts';
import { startJavaClient } from '../helpers/java-client.ts';
import { type Memcached, startMemcached } from '../helpers/memcached.ts';
import { apiKey } from '../helpers/people.ts';
import { type PhpApp, startPhpApp } from '../helpers/php-app.ts';
import { startPostgres } from '../helpers/postgres.ts';
import { makePreviousBuild, previousIsMissing } from '../helpers/previous-build.ts';
import { startRedis } from '../helpers/redis.ts';
import { ticketKeys } from '../helpers/tickets.ts';
import { quoted } from '../helpers/wordpress.ts';
import { startWordPress } from '../helpers/wordpress-app.ts';

/** Each part of this build with the server of the previous build, and the reverse. A build is named by its checkout. */
const root = fileURLToPath(new URL('../../', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'versions-'));
const previous = join(folder, 'previous');
const themes = join(root, 'test/fixtures/wordpress-themes');
const execute = promisify(execFile);

/** A user with a client of the chat. */
interface Talker {
  write(text: string): Promise<unknown>;
  reads(text: string): Promise<unknown>;
  /** Changes the user's last message. */
  edit(from: string, to: string): Promise<unknown>;
  /** Waits until the client shows the end of the login. */
  ends(): Promise<unknown>;
}

/** Two users exchange messages. Ann edits hers, and then logs out. */
async function converse(ann: Talker, bob: Talker, logOut: () => unknown): Promise<void> {
  await bob.write('Good morning');
  await ann.reads('Good morning');
  await ann.write('Hello');
  await bob.reads('Hello');
  await ann.edit('Hello', 'Hello again');
  await bob.reads('Hello again');
  await logOut();
  await ann.ends();
}

let browser: Browser;
beforeAll(async () => {
  browser = await chromium.launch({
    executablePath: '/usr/bin/chromium-headless-shell',
    args: ['--no-sandbox', '--disable-features=LocalNetworkAccessChecks'],
  });
});
afterAll(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Opens a page in a separate browser. @param cookie of the user at that URL */
async function newPage(cookie?: string, url?: string): Promise<Page> {
  const context = await browser.newContext({ locale: 'en-GB' });
  onTestFinished(() => context.close());
  if (cookie !== undefined) {
    const [name = '', value = ''] = cookie.split('=');
    await context.addCookies([{ name, value, ...(url === undefined ? {} : { url }) }]);
  }
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  return page;
}

/** The chat in an open page. */
function inPage(page: Page): Talker {
  const message = (text: string) => page.getByRole('article').filter({ hasText: text }).last();
  return {
    async write(text) {
      await page.getByRole('textbox', { name: /^Message to/ }).fill(text);
      await page.keyboard.press('Enter');
      await message(text).waitFor();
    },
    reads: (text) => message(text).waitFor(),
    async edit(from, to) {
      // A message without an answer of the server cannot be edited.
      await message(from)
        .filter({ hasText: /Sent|Seen/ })
        .waitFor();
      await message(from).focus();
      await page.keyboard.press('e');
      await page.getByRole('textbox', { name: 'Edit message' }).fill(to);
      await page.keyboard.press('Enter');
      await message(to).waitFor();
    },
    ends: () => page.getByRole('heading', { name: 'You’re logged out' }).waitFor(),
  };
}

/** Starts the chat server of a build until the end of the test. */
async function startServer(build: string, env: NodeJS.ProcessEnv): Promise<ChatServer> {
  const history = historyFolder();
  onTestFinished(history.remove);
  const chat = await startChatServer(
    { CHAT_API_KEY: apiKey, CHAT_HISTORY: history.url, CHAT_FILES: history.files, ...env },
    build,
  );
  onTestFinished(async () => void (await chat.stop()));
  return chat;
}

interface Pages {
  php: PhpApp;
  /** The settings of the chat server for these pages. */
  env: NodeJS.ProcessEnv;
}

/** Starts the sample site of a build until the end of the test. */
async function startPages(checkout: string, memcached: Memcached): Promise<Pages> {
  const port = await ownPort();
  const chatUrl = `http://127.0.0.1:${port}`;
  const php = await startPhpApp({ checkout, memcachedPort: memcached.port, chatUrl });
  onTestFinished(async () => void (await php.stop()));
  const env = { CHAT_PORT: String(port), CHAT_ORIGINS: php.url, CHAT_SESSION_STORE: memcached.url };
  return { php, env };
}

async function memcachedForTest(): Promise<Memcached> {
  const memcached = await startMemcached();
  onTestFinished(async () => void (await memcached.stop()));
  return memcached;
}

/** Opens the chat on the sample site in a browser. */
async function onSite(php: PhpApp, user: string, prepare?: (page: Page) => Promise<unknown>) {
  const cookie = await php.login(user);
  const page = await newPage(cookie, php.url);
  await prepare?.(page);
  await page.goto(php.chatPage);
  return { ...inPage(page), logOut: () => php.logout(cookie) };
}

/** Opens the chat in the Java client of a build, after a login by the form of the sample site. */
async function inJava(build: string, php: PhpApp, chat: ChatServer, user: string) {
  const app = startJavaClient(build);
  onTestFinished(() => app.end());
  const id = await app.ask<string>('logIn', { page: php.url, user, password: user });
  await app.ask('chat', { server: chat.url });
  await app.ask('start');
  await app.ask('open', { room: 'lobby' });
  const seqOf = async (text: string) =>
    (await app.messages('lobby')).find((message) => message.text === text)?.seq ?? 0;
  const talker: Talker = {
    write: (text) => app.ask('send', { room: 'lobby', text }),
    reads: (text) => expect.poll(() => seqOf(text)).toBeGreaterThan(0),
    async edit(from, to) {
      await talker.reads(from);
      await app.ask('edit', { room: 'lobby', seq: await seqOf(from), text: to });
    },
    ends: () => app.isTold('state', ({ kind }) => kind === 'SESSION_ENDED'),
  };
  return { ...talker, logOut: () => php.logout(`PHPSESSID=${id}`) };
}

/** Runs code with the PHP library of a build. @returns what it prints as JSON */
async function runPhp(build: string, code: string, ...args: string[]): Promise<unknown> {
  const all = `require 'php/autoload.php'; echo json_encode((static function (array $args) { ${code} })(array_slice($argv, 1)));`;
  const { stdout } = await execute('php', ['-r', all, '--', ...args], { cwd: build });
  return JSON.parse(stdout);
}

/** Receives the first event of a chat server. */
async function eventReceiver() {
  const received = Promise.withResolvers<{ body: string; headers: string }>();
  const server = createServer(async (request, response) => {
    received.resolve({ body: await text(request), headers: JSON.stringify(request.headers) });
    response.end();
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const keyFile = join(folder, randomBytes(8).toString('hex'));
  writeFileSync(keyFile, `whsec_${randomBytes(32).toString('base64')}`);
  return {
    env: {
      CHAT_WEBHOOK_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
      CHAT_WEBHOOK_KEY_FILE: keyFile,
      CHAT_WEBHOOK_EVENTS: 'message.created',
    },
    keyFile,
    received: received.promise,
  };
}

describe.skipIf(previousIsMissing !== undefined)(previousIsMissing ?? 'with the previous build', () => {
  beforeAll(() => makePreviousBuild(previous), 1_800_000);

  describe.each([
    { which: 'this', server: root, build: previous },
    { which: 'the previous', server: previous, build: root },
  ])('with the server of $which build', ({ server, build }) => {
    test('the other build’s browser client chats with the server’s until the logout', async () => {
      const { php, env } = await startPages(server, await memcachedForTest());
      const chat = await startServer(server, env);
      const loaded: string[] = [];
      const ann = await onSite(php, 'alice', (page) =>
        page.route(`${chat.url}/**`, (route) => {
          const { pathname } = new URL(route.request().url());
          const path = join(build, 'client/dist', pathname);
          if (!existsSync(path) || !statSync(path).isFile()) return route.continue();
          loaded.push(pathname);
          return route.fulfill({ path, headers: { 'access-control-allow-origin': '*' } });
        }),
      );
      await converse(ann, await onSite(php, 'bob'), ann.logOut);
      expect(loaded).toContainEqual(expect.stringMatching(/^\/assets\/.+\.js$/));
    });

    test('the other build’s Java client chats until the logout', async () => {
      const { php, env } = await startPages(server, await memcachedForTest());
      const chat = await startServer(server, env);
      const ann = await inJava(build, php, chat, 'alice');
      await converse(ann, await onSite(php, 'bob'), ann.logOut);
    });

    test('the other build’s PHP library stores logins, calls the server, signs tickets and verifies events', async () => {
      const { php, env } = await startPages(build, await memcachedForTest());
      const events = await eventReceiver();
      const tickets = ticketKeys();
      onTestFinished(tickets.remove);
      const chat = await startServer(server, { ...env, ...events.env, ...tickets.env });
      const ann = await onSite(php, 'alice');
      const bob = await onSite(php, 'bob');
      await bob.write('Here');
      const ticket = await runPhp(
        build,
        "return PhpSessionChat\\Ticket::make(file_get_contents($args[0]), ['aud' => $args[1], 'sub' => 7, 'sid' => 'one']);",
        ...[tickets.env.CHAT_TICKET_KEY_FILE, tickets.env.CHAT_TICKET_AUDIENCE],
      );
      const user = async () => {
        const headers = { authorization: `Ticket ${ticket}`, origin: php.url };
        const me = (await (await fetch(`${chat.url}/me`, { headers })).json()) as { user?: { id: string } };
        return me.user?.id;
      };
      expect(await user()).toBe('7');
      const said = await runPhp(
        build,
        `$chat = new PhpSessionChat\\ChatClient($args[0], $args[1]);
        $chat->putRoom('shop', 'Shop');
        $added = $chat->changeMembers('shop', [['id' => '1', 'name' => 'Alice']]);
        $seq = $chat->postMessage('lobby', 'shop', 'Shop', 'From the site')['seq'];
        $pushed = $chat->push(2, 'order', 4711);
        $chat->endLogin('one');
        return [$added, $chat->message('lobby', $seq)['text'], $pushed, $chat->user(2)['user']['name']];`,
        ...[chat.url, apiKey],
      );
      expect(said).toEqual([1, 'From the site', 1, 'Bob']);
      expect(await user()).toBeUndefined();
      const { body, headers } = await events.received;
      const verified = await runPhp(
        build,
        'return (new PhpSessionChat\\Webhook(file_get_contents($args[0])))->verify($args[1], json_decode($args[2], true));',
        ...[events.keyFile, body, headers],
      );
      expect(verified).toMatchObject({ type: 'message.created', data: { message: { text: 'Here' } } });
      await bob.reads('From the site');
      await converse(ann, bob, ann.logOut);
    });

    test('users of the other build’s WordPress plugin chat until the logout', async () => {
      const wordpress = await startWordPress();
      onTestFinished(wordpress.remove);
      await wordpress.installPlugin(async (zip) => {
        await execute(process.execPath, ['scripts/wordpress-plugin.ts', zip], { cwd: build });
      });
      const chat = await startServer(server, { CHAT_SITE: wordpress.folder, CHAT_ORIGINS: wordpress.url });
      cpSync(themes, join(wordpress.folder, 'wp-content/themes'), { recursive: true });
      wordpress.run(
        `switch_theme('classic'); update_site_option('php_session_chat_server', ${quoted(`${chat.url}/`)});`,
      );
      const pwd = 'a long password of 2026';
      wordpress.addUsers(
        [
          ['ann', 'Ann'],
          ['bob', 'Bob'],
        ],
        pwd,
      );
      const open = async (log: string) => {
        const page = await newPage();
        const form = { log, pwd };
        await page.context().request.post(`${wordpress.url}/wp-login.php`, { form, maxRedirects: 0 });
        await page.goto(wordpress.url);
        await page
          .locator('php-chat-launcher')
          .getByRole('button', { name: /^Open chat/ })
          .click();
        return page;
      };
      const ann = await open('ann');
      await converse(inPage(ann), inPage(await open('bob')), async () => {
        const other = await ann.context().newPage();
        await other.goto(`${wordpress.url}/wp-login.php?action=logout`);
        await other.getByRole('link', { name: 'log out' }).click();
      });
    });

    test.each(['laravel', 'symfony'] as const)(
      'users of the other build’s package for %s chat until the logout',
      async (framework) => {
        const site = await startFrameworkSite(framework, (env) => startServer(server, env), build);
        onTestFinished(site.stop);
        const open = async () => {
          const page = await newPage();
          for (const path of ['login', 'talk']) await page.goto(`${site.url}/${path}`);
          return page;
        };
        // Two logins of the same user.
        const ann = await open();
        await converse(inPage(ann), inPage(await open()), async () => {
          const other = await ann.context().newPage();
          await other.goto(`${site.url}/logout`);
        });
      },
    );
  });

  test('two servers share a database, before and after the migration, until a rollback', async () => {
    const memcached = await memcachedForTest();
    const [postgres, redis] = await Promise.all([startPostgres(), startRedis()]);
    onTestFinished(async () => void (await Promise.all([postgres.remove(), redis.remove()])));
    const history = await postgresDatabase(postgres);
    onTestFinished(history.close);
    const shared = {
      CHAT_HISTORY: history.url,
      CHAT_FILES: `dir:${join(folder, 'files')}`,
      CHAT_CLUSTER: `redis://127.0.0.1:${redis.port}`,
      CHAT_DRAIN: '0s',
    };
    const [old, next] = await Promise.all([startPages(previous, memcached), startPages(root, memcached)]);
    const startOld = () => startServer(previous, { ...old.env, ...shared, CHAT_NODE: 'old' });
    const oldServer = await startOld();
    const ann = await onSite(old.php, 'alice');
    await ann.write('Before the upgrade');
    const nextServer = await startServer(root, { ...next.env, ...shared, CHAT_NODE: 'next' });
    expect(nextServer.output()).toContain('"msg":"migrating the history');
    const bob = await onSite(next.php, 'bob');
    await bob.reads('Before the upgrade');
    await converse(ann, bob, ann.logOut);

    await oldServer.stop();
    await startOld();
    const carol = await onSite(next.php, 'carol');
    const dimitri = await onSite(old.php, 'dimitri');
    await converse(carol, dimitri, carol.logOut);

    await nextServer.stop();
    await dimitri.write('After the rollback');
    await (await onSite(old.php, 'alice')).reads('After the rollback');
  });

  test('the previous build rejects a history in SQLite that this build migrated, and restores its backup', async () => {
    const history = historyFolder();
    onTestFinished(history.remove);
    const env = {
      CHAT_SESSION_STORE: `file://${folder}`,
      CHAT_HISTORY: history.url,
      CHAT_FILES: history.files,
      CHAT_PORT: '0',
    };
    const command = (...args: string[]) =>
      execute(process.execPath, ['server/command/main.ts', ...args, '--settings='], {
        cwd: previous,
        env: { ...env, PATH: process.env.PATH },
      });
    const message = async ({ url }: ChatServer) => {
      const headers = { authorization: `Bearer ${apiKey}` };
      return (await fetch(`${url}/api/rooms/lobby/messages?seq=1`, { headers })).json();
    };
    const before = await startServer(previous, env);
    await runPhp(
      previous,
      "return (new PhpSessionChat\\ChatClient($args[0], $args[1]))->postMessage('lobby', 7, 'Ann', 'Hello');",
      ...[before.url, apiKey],
    );
    const stored = await message(before);
    expect(stored).toMatchObject({ message: { text: 'Hello' } });
    const backup = join(folder, 'before.tar');
    await command('backup', backup);
    await before.stop();
    const upgraded = await startServer(root, env);
    expect(await message(upgraded)).toMatchObject({ message: { text: 'Hello' } });
    await upgraded.stop();
    const { code, stdout } = await command('run').catch((error) => error);
    expect([code, stdout]).toEqual([65, expect.stringContaining('was written by a newer version')]);
    await command('restore', backup, '--yes');
    expect(await message(await startServer(previous, env))).toMatchObject({ message: { text: 'Hello' } });
  });
});

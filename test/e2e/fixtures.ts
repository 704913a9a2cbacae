import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test as base, expect, type Locator, type Page } from '@playwright/test';
import { type ChatServer, historyFolder, startChatServer } from '../helpers/chat-server.ts';
import { freePort } from '../helpers/child.ts';
import { type Memcached, startMemcached } from '../helpers/memcached.ts';
import { type PhpApp, startPhpApp } from '../helpers/php-app.ts';

/** One room for each test that writes, so that no test sees another's messages. */
export const rooms = [
  'announcements',
  'bidi',
  'board',
  'closed',
  'elements',
  'expiring',
  'garden',
  'history',
  'java',
  'keyboard',
  'lobby',
  'logout',
  'long',
  'marks',
  'midway',
  'narrow',
  'offline',
  'polling',
  'reload',
  'renewal',
  'old-ids',
  'replies',
  'restart',
  'states',
  'tabs',
  'talk',
  'unseen',
  'far-back',
] as const;

export interface Site {
  readonly memcached: Memcached;
  readonly php: PhpApp;
  readonly chat: ChatServer;
  /** For the HTTP API of the chat server. */
  readonly apiKey: string;
  /** Serves a page of another site of the same host: its cookies are the same, its origin is not. */
  host(html: string): string;
  /** Ends the chat server in that way and starts it again on the same port, with the same history. */
  restart(signal: NodeJS.Signals, meanwhile?: () => Promise<void>): Promise<void>;
}

/** A person at a browser of his own: the page, and what the tests look for in it. */
export class Person {
  readonly page: Page;

  constructor(page: Page) {
    this.page = page;
  }

  get timeline(): Locator {
    return this.page.getByRole('log');
  }

  get messages(): Locator {
    return this.timeline.getByRole('article');
  }

  /** What is wrong with the connection; the same words are spoken too, in a region that nobody sees. */
  get banner(): Locator {
    return this.page.locator('php-chat .banner:visible');
  }

  get texts(): Locator {
    return this.timeline.locator('article .text');
  }

  get field(): Locator {
    return this.page.getByRole('textbox', { name: /^Message to/ });
  }

  message(text: string): Locator {
    return this.messages.filter({ has: this.page.getByText(text, { exact: true }) });
  }

  /** Through the real form of the PHP application. */
  async login(url: string, name: string): Promise<void> {
    await this.page.goto(url);
    await this.page.getByLabel('User name').fill(name);
    await this.page.getByLabel('Password').fill(name);
    await this.page.getByRole('button', { name: 'Log in' }).click();
    await expect(this.page.getByText('Connected', { exact: true })).toBeVisible();
  }

  async open(room: string): Promise<void> {
    const name = new RegExp(`^${room}\\b`);
    await this.page.getByRole('navigation', { name: 'Rooms' }).getByRole('button', { name }).click();
    await expect(this.page.getByRole('region', { name: room })).toBeVisible();
    await expect(this.timeline).not.toHaveAttribute('aria-busy', 'true');
  }

  async write(text: string): Promise<void> {
    await this.field.fill(text);
    await this.field.press('Enter');
  }

  async shot(name: string): Promise<void> {
    await this.page.screenshot({ path: `test-results/screenshots/${name}.png`, animations: 'disabled' });
  }
}

interface Fixtures {
  alice: Person;
  bob: Person;
  /** Somebody who is not logged in yet, in a browser of his own. */
  visitor: Person;
}

export const test = base.extend<Fixtures, { site: Site }>({
  site: [
    // biome-ignore lint/correctness/noEmptyPattern: Playwright reads the fixtures' names from the pattern.
    async ({}, use) => {
      const memcached = await startMemcached();
      const [phpPort, chatPort] = [await freePort(), await freePort()];
      const history = historyFolder();
      const apiKey = 'a key for the tests only'.replaceAll(' ', '-');
      let page = '';
      const other = createServer((_request, response) => {
        response.setHeader('Content-Type', 'text/html; charset=utf-8').end(page);
      }).listen(0, '127.0.0.1');
      await once(other, 'listening');
      const { port: otherPort } = other.address() as AddressInfo;
      const start = () =>
        startChatServer({
          CHAT_PORT: String(chatPort),
          CHAT_ORIGINS: `http://127.0.0.1:${phpPort},http://127.0.0.1:${otherPort}`,
          CHAT_SESSION_STORE: memcached.url,
          CHAT_HISTORY: history.url,
          CHAT_ROOMS: rooms.join(','),
          CHAT_CREATE_ROOMS: 'all',
          CHAT_FIND_PEOPLE: 'all',
          CHAT_USER_URL: '/people/{id}',
          CHAT_API_KEY: apiKey,
          CHAT_LOGIN_URL: `http://127.0.0.1:${phpPort}/`,
        });
      let chat = await start();
      const php = await startPhpApp({ memcachedPort: memcached.port, chatUrl: chat.url, port: phpPort });
      await use({
        memcached,
        php,
        apiKey,
        get chat() {
          return chat;
        },
        host(html) {
          page = html;
          return `http://127.0.0.1:${otherPort}/`;
        },
        async restart(signal, meanwhile) {
          await chat.stop(signal);
          await meanwhile?.();
          chat = await start();
        },
      });
      other.close();
      other.closeAllConnections();
      await php.stop();
      await chat.stop();
      await memcached.stop();
      history.remove();
    },
    { scope: 'worker' },
  ],

  visitor: async ({ browser }, use) => {
    const context = await browser.newContext();
    await use(new Person(await context.newPage()));
    await context.close();
  },

  alice: async ({ browser, site }, use) => {
    const context = await browser.newContext();
    const person = new Person(await context.newPage());
    await person.login(site.php.url, 'alice');
    await use(person);
    await context.close();
  },

  bob: async ({ browser, site }, use) => {
    const context = await browser.newContext();
    const person = new Person(await context.newPage());
    await person.login(site.php.url, 'bob');
    await use(person);
    await context.close();
  },
});

export { expect };

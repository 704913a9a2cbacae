import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { test as base, expect, type Locator, type Page } from '@playwright/test';
import { soak } from '../guarantees/size.ts';
import { type ChatServer, emptyHistory, loadNext, nextChatServer } from '../helpers/chat-server.ts';
import { ownPort } from '../helpers/child.ts';
import { type Memcached, startMemcached } from '../helpers/memcached.ts';
import { type PhpApp, startPhpApp } from '../helpers/php-app.ts';
import { KeptWindow } from './kept-window.ts';
import { shot } from './shot.ts';

/** The rooms that exist from the start. */
export const rooms = [
  'announcements',
  'bidi',
  'board',
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
  'offline',
  'renewal',
  'old-ids',
  'replies',
  'tabs',
  'talk',
  'unseen',
  'far-back',
] as const;

/** Shared by the tests of a worker, without effects between them. */
interface Surroundings {
  readonly memcached: Memcached;
  readonly php: PhpApp;
  /** The chat server's port in PHP's pages. */
  readonly chatPort: number;
  readonly otherPort: number;
  /** The response of the other site. */
  page: string;
  /** The other site's response to a request for cards. */
  cards: (ask: CardAsk) => object;
}

/** A request of the chat server for cards. */
export interface CardAsk {
  type: string;
  data: { user: { id: string }; about?: string; query?: string; button?: string };
}

export interface Site {
  readonly memcached: Memcached;
  readonly php: PhpApp;
  /** A chat server for this test only, with its own rooms and users. */
  readonly chat: ChatServer;
  /** The key for the HTTP API of the chat server. */
  readonly apiKey: string;
  /**
   * Logs a user in without the form, with a session like the PHP application's. An unknown name becomes a new
   * user. @returns the session ID
   */
  login(name: string): Promise<string>;
  /**
   * Serves a page of another site on the same host: the same cookies, but another origin. The site also has
   * `/tomato.webp`.
   */
  host(html: string): string;
  /** Sets what the site answers to requests for cards, with the option `cards`. */
  answerCards(answer: (ask: CardAsk) => object): void;
  /** Stops the chat server with this signal and restarts it on the same port with the same history. */
  restart(signal: NodeJS.Signals, meanwhile?: () => Promise<void>): Promise<void>;
}

/** The users of the PHP application. */
const people: Record<string, { user_id: number; firstname: string; role?: string }> = {
  alice: { user_id: 1, firstname: 'Alice', role: 'admin' },
  bob: { user_id: 2, firstname: 'Bob', role: 'moderator' },
  carol: { user_id: 3, firstname: 'Carol' },
  dimitri: { user_id: 4, firstname: 'Dimitri' },
};

/** The state of a stored message. Other users may have seen it already. */
export const stored = /^Sent$|Seen by (everyone|\d)/;

/** The ID of a user who does not exist in the PHP application. */
export const idOf = (name: string) => name.toLowerCase().replaceAll(/\W/g, '-');

/** A user in a separate browser: the page and the elements that tests use. */
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

  /** The banner of a lost connection, which is also announced in an invisible region. */
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

  /** Opens the chat as a user who is already logged in. */
  async enter(site: Site, name: string): Promise<void> {
    const cookie = { name: 'PHPSESSID', value: await site.login(name), httpOnly: true };
    await this.page.context().addCookies([{ ...cookie, domain: '127.0.0.1', path: '/' }]);
    await this.page.goto(site.php.chatPage);
    await expect(this.page.getByText('Connected', { exact: true })).toBeVisible();
  }

  /** Logs in with the form of the PHP application. */
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
    // A public room that the user has not joined.
    const join = this.page.getByRole('button', { name: 'Join', exact: true });
    if (await join.isVisible()) await join.click();
  }

  async write(text: string): Promise<void> {
    await this.field.fill(text);
    await this.field.press('Enter');
  }

  async shot(name: string): Promise<void> {
    await shot(this.page, name);
  }
}

interface Fixtures {
  /** Whether offline users are notified by the site and by push. */
  notices: boolean;
  /** Whether messages can have cards of the site. */
  cards: boolean;
  /** Whether visitors without a login may write in the room garden. */
  guests: boolean;
  /** Whether Alice, Bob and Carol answer questions of others, by mail too. */
  team: boolean;
  /** Whether Alice is an admin and Bob a moderator of the whole site. */
  roles: boolean;
  site: Site;
  alice: Person;
  bob: Person;
  /** A visitor in a separate browser who is not logged in. */
  visitor: Person;
}

export const test = base.extend<
  Fixtures & { window: (name: string) => Promise<Page> },
  { surroundings: Surroundings; windows: Map<string, KeptWindow> }
>({
  surroundings: [
    // biome-ignore lint/correctness/noEmptyPattern: Playwright reads the fixtures' names from the pattern.
    async ({}, use) => {
      const memcached = await startMemcached();
      const chatPort = await ownPort();
      const other = createServer(async (request, response) => {
        const { url } = request;
        if (url === '/cards')
          return void response.end(JSON.stringify(shared.cards((await json(request)) as CardAsk)));
        if (url?.split('?')[0] === '/tomato.webp')
          return void response.end(readFileSync('php-app/seed/tomato.webp'));
        response.setHeader('Content-Type', 'text/html; charset=utf-8').end(shared.page);
      }).listen(0, '127.0.0.1');
      await once(other, 'listening');
      const { port: otherPort } = other.address() as AddressInfo;
      const chatUrl = `http://127.0.0.1:${chatPort}`;
      const php = await startPhpApp({ memcachedPort: memcached.port, chatUrl });
      const shared: Surroundings = {
        memcached,
        php,
        chatPort,
        otherPort,
        page: '',
        cards: () => ({}),
      };
      await use(shared);
      other.close();
      other.closeAllConnections();
      await php.stop();
      await memcached.stop();
    },
    { scope: 'worker' },
  ],

  windows: [
    // biome-ignore lint/correctness/noEmptyPattern: as above.
    async ({}, use) => {
      const windows = new Map<string, KeptWindow>();
      await use(windows);
      for (const window of windows.values()) await window.close();
    },
    { scope: 'worker' },
  ],

  // After the test a window leaves the chat before the chat server ends.
  window: async ({ browser, site: { php }, windows }, use, info) => {
    const used = new Set<KeptWindow>();
    await use((name) => {
      const window = windows.get(name) ?? new KeptWindow();
      windows.set(name, window);
      used.add(window);
      return window.open(browser);
    });
    const failed = info.status !== info.expectedStatus;
    for (const window of used) await window.leave(`${php.url}/site.css`, failed);
  },

  notices: [false, { option: true }],
  roles: [false, { option: true }],
  guests: [false, { option: true }],
  cards: [false, { option: true }],
  team: [false, { option: true }],

  site: async ({ surroundings, notices, roles, guests, cards, team }, use) => {
    const { memcached, php, chatPort, otherPort } = surroundings;
    const history = await emptyHistory();
    const apiKey = 'a key for the tests only'.replaceAll(' ', '-');
    const otherUrl = `http://127.0.0.1:${otherPort}`;
    const webhookKey = `${history.path}.key`;
    const pushKey = `${history.path}.push-key`;
    if (notices) writeFileSync(pushKey, randomBytes(32).toString('base64'));
    if (notices || cards) writeFileSync(webhookKey, `whsec_${randomBytes(32).toString('base64')}`);
    const start = () =>
      nextChatServer({
        CHAT_PORT: String(chatPort),
        CHAT_ORIGINS: `${php.url},${otherUrl}`,
        CHAT_SESSION_STORE: memcached.url,
        CHAT_HISTORY: history.url,
        CHAT_FILES: history.files,
        CHAT_ROOMS: rooms.join(','),
        CHAT_CREATE_ROOMS: 'all',
        CHAT_FIND_PEOPLE: 'all',
        CHAT_USER_URL: '/people/{id}',
        CHAT_API_KEY: apiKey,
        CHAT_LOGIN_URL: `${php.url}/`,
        ...(guests ? { CHAT_GUESTS: 'write', CHAT_GUEST_ROOMS: 'garden' } : {}),
        // No server receives the mails.
        ...(team
          ? {
              CHAT_TEAM: '1,2,3',
              CHAT_TEAM_TEXT: 'We answer from 9 to 5.',
              CHAT_MAIL: 'smtp://127.0.0.1:9',
              CHAT_URL: `http://127.0.0.1:${chatPort}`,
              CHAT_MAIL_FROM: 'Shop <shop@example.org>',
            }
          : {}),
        ...(cards ? { CHAT_CARDS_URL: `${otherUrl}/cards`, CHAT_WEBHOOK_KEY_FILE: webhookKey } : {}),
        ...(cards ? { CHAT_HOLD_WORDS: 'casino' } : {}),
        ...(roles ? { CHAT_USER_ROLES: 'role', CHAT_MODERATE_DATA: 'on' } : {}),
        ...(notices
          ? {
              CHAT_WEBHOOK_URL: `${otherUrl}/events`,
              CHAT_WEBHOOK_KEY_FILE: webhookKey,
              CHAT_WEBHOOK_EVENTS: 'notify.due',
              CHAT_PUSH_CONTACT: 'mailto:owner@example.org',
              CHAT_PUSH_KEY_FILE: pushKey,
            }
          : {}),
      });
    let chat = await start();
    await use({
      memcached,
      php,
      apiKey,
      get chat() {
        return chat;
      },
      async login(name) {
        const id = randomBytes(16).toString('hex');
        const other = { user_id: idOf(name), firstname: name };
        await memcached.set(`sessions/${id}`, JSON.stringify(people[name] ?? other));
        return id;
      },
      host(html) {
        surroundings.page = html;
        return `${otherUrl}/`;
      },
      answerCards(answer) {
        surroundings.cards = answer;
      },
      async restart(signal, meanwhile) {
        // Loaded in advance, because a killed server does not leave a process for the next server.
        if (signal === 'SIGKILL') await loadNext();
        await chat.stop(signal);
        await meanwhile?.();
        chat = await start();
      },
    });
    await chat.stop();
    history.remove();
  },

  page: async ({ window }, use) => use(await window('page')),

  visitor: async ({ window }, use) => use(new Person(await window('visitor'))),

  alice: async ({ window, site }, use) => {
    const person = new Person(await window('alice'));
    await person.enter(site, 'alice');
    await use(person);
  },

  bob: async ({ window, site }, use) => {
    const person = new Person(await window('bob'));
    await person.enter(site, 'bob');
    await use(person);
  },
});

/** A step that shows what another test of `npm test` shows in another way. It runs in `npm run test:soak`. */
export const stepInSoak = async (title: string, run: () => Promise<void>): Promise<void> => {
  if (soak) await test.step(title, run);
};

/** How long a picture may take. The process that examines it has the lowest priority. */
export const examined = { timeout: 45_000 };

export { expect };

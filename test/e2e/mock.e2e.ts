import { type Browser, type BrowserContext, expect, type Locator, type Page, test } from '@playwright/test';
import { compare, type Exception, retext, scrollAlike, still } from './mock-compare.ts';
import { market, now, orchard } from './mock-script.ts';
import { MockWorld } from './mock-world.ts';
import { withoutReplies } from './without-replies.ts';

/**
 * The main views made by the real element, beside the design's own pages in the same run. People look at the other views
 * of the design in the screenshots that the other browser tests save.
 */

// All share a site, because it already contains the content of the pictures.
test.describe.configure({ mode: 'default' });

/** Large enough for the longest of the design's pages, so that nothing must be scrolled. */
const large = { width: 1440, height: 3000 };

type Name = 'site' | 'wider';
let worlds: Record<Name, MockWorld>;
let mocks: BrowserContext;
const pages = new Map<string, Page>();

test.beforeAll(async ({ browser }) => {
  const [site, wider] = await Promise.all([
    MockWorld.start(orchard, 'announcements'),
    MockWorld.start(market, 'seed-swap:seed swap'),
  ]);
  worlds = { site, wider };
  mocks = await browser.newContext({ locale: 'en-GB', viewport: large });
});
test.afterEach(async () => {
  await Promise.all(Object.values(worlds ?? {}).map((world) => world.rest()));
});
test.afterAll(async () => {
  await mocks?.close();
  await Promise.all(Object.values(worlds ?? {}).map((world) => world.stop()));
});

/** A box of the design, and the real element in its place. */
interface Pair {
  readonly mock: Locator;
  readonly real: Locator;
  readonly page: Page;
  readonly world: MockWorld;
  readonly context: BrowserContext;
}

interface Frame {
  readonly world?: Name;
  readonly reader: string;
  /** The key of the open room. */
  readonly room?: string;
  readonly attributes?: string;
  readonly touch?: true;
  /** The index of the page's element; the first by default. */
  readonly index?: number;
  readonly before?: (context: BrowserContext, world: MockWorld) => Promise<unknown>;
  /** The tag in the picture, if it is not only the element. */
  readonly tag?: 'php-chat-launcher';
}

async function mockPage(name: string): Promise<Page> {
  let page = pages.get(name);
  if (page === undefined) {
    page = await mocks.newPage();
    await page.goto(`${worlds.site.url}/${name}.html`);
    pages.set(name, page);
  }
  return page;
}

/** The mock's box of that page, and the same page with the real element in its place. */
async function frame(browser: Browser, name: string, options: Frame): Promise<Pair> {
  const world = worlds[options.world ?? 'wider'];
  const index = options.index ?? 0;
  const tag = options.tag ?? 'php-chat';
  const mock = (await mockPage(name)).locator(tag).nth(index);
  const context = await browser.newContext({
    viewport: large,
    timezoneId: 'UTC',
    locale: 'en-GB',
    hasTouch: options.touch === true,
  });
  await context.clock.setFixedTime(now);
  await context.addCookies([
    { name: 'PHPSESSID', value: world.someone(options.reader).session, domain: '127.0.0.1', path: '/' },
  ]);
  await options.before?.(context, world);
  const page = await context.newPage();
  const room = options.room === undefined ? '' : `room="${world.room(options.room)}"`;
  await page.goto(world.page(name, index, `${room} ${options.attributes ?? ''}`, tag));
  return { mock, real: page.locator(tag), page, world, context };
}

async function same(
  name: string,
  { mock, real }: Pick<Pair, 'mock' | 'real'>,
  part?: string | [mock: string, real: string],
  exceptions: readonly Exception[] = [],
): Promise<void> {
  // It comes with the settings of notices.
  await mock.locator('.me .icon').evaluateAll((buttons: HTMLElement[]) => {
    for (const button of buttons) button.remove();
  });
  const [first, second] = typeof part === 'string' ? [part, part] : (part ?? []);
  const differences = await compare(
    name,
    first === undefined ? mock : mock.locator(first).first(),
    second === undefined ? real : real.locator(second).first(),
    exceptions,
  );
  expect.soft(differences).toEqual([]);
}

const usual: Exception[] = [
  {
    what: /missing: (\.badge|word) “@”|, you were mentioned/,
    why: 'mentions come with rich messages: the protocol does not tell of them yet',
  },
  {
    what: /missing: button “.*, direct message/,
    why: 'for screen readers, by the words of the language: “Direct messages”',
  },
  { what: /missing: button “People here: /, why: 'by the words of the language: “Here now: 7”' },
];
const noInvitation: Exception = {
  what: /missing: (button “Invite”|picture M10 11.5a3.5)/,
  why: 'nobody is invited to a public room: everybody may join',
};

const phoneBar: Exception = {
  what: /button “(Back to rooms|Search)|picture m14\.5 5-7|picture M9\.5 4 7|word “lobby”|picture M11 18a7|picture M9 11|word “7”/,
  why: 'the pictures of phones have the count in the way back, and the search in the menu',
};

/** The design sorts 李 as “Li”; the element sorts by the reader's language, where Chinese names come last. */
async function sortPeople(mock: Locator): Promise<void> {
  await mock
    .locator('.side ul')
    .first()
    .evaluate((list) => {
      const li = [...list.children].find((row) => row.textContent?.includes('李伟'));
      if (li !== undefined) list.append(li);
    });
}

test('desktop, in both schemes and at three widths', async ({ browser }) => {
  const world = worlds.site;
  const context = await browser.newContext({ timezoneId: 'UTC', locale: 'en-GB' });
  await context.clock.setFixedTime(now);
  await context.addCookies([
    { name: 'PHPSESSID', value: world.someone('alice').session, domain: '127.0.0.1', path: '/' },
  ]);
  // From the beginning, because the first room of the list would be read before another one could be opened.
  await context.addInitScript((lobby) => {
    const open = () => document.querySelector('php-chat:not([room])')?.setAttribute('room', lobby);
    new MutationObserver(open).observe(document, { childList: true, subtree: true });
  }, world.room('lobby'));
  const page = await context.newPage();
  await page.goto(world.php.chatPage);
  // The colour of the design, not that of the sample site.
  await page.evaluate(() => document.body.style.setProperty('--accent', 'light-dark(#3f4fb0, #a6b3fa)'));
  await expect(page.getByText('Connected', { exact: true })).toBeAttached();
  await expect(page.locator('article').filter({ hasText: '👍' })).toBeVisible();
  await still(page);
  // The page of the design is older than the line under a message that has replies.
  await withoutReplies(page);
  for (const [width, scheme] of [
    [1280, 'light'],
    [640, 'dark'],
    [360, 'light'],
  ] as const) {
    const mock = await mockPage(`desktop-${scheme}`);
    for (const one of [mock, page]) await one.setViewportSize({ width, height: 800 });
    await page.emulateMedia({ colorScheme: scheme });
    await world.type('bob', 'lobby');
    await expect(page.getByText('Bob Keller is typing…')).toBeVisible();
    await page.getByText('Me, I will hang it back').hover();
    await sortPeople(mock.locator('php-chat'));
    await scrollAlike(mock.locator('php-chat'), page.locator('php-chat'));
    // So that its header is as high as that of the site at a phone's width.
    await mock
      .locator('.top nav span')
      .first()
      .evaluate((name) => name.classList.add('as'));
    const pair = { mock: mock.locator('php-chat'), real: page.locator('php-chat') };
    const narrow = width < 480 ? [phoneBar] : [];
    await same(`desktop-${scheme}-${width}`, pair, undefined, [...usual, noInvitation, ...narrow]);
  }
  await context.close();
});

const arabicTime: Exception = {
  what: /word “(10|24)”: x/,
  why: 'in Arabic a time says whether it is before noon',
};
const arabicLabel: Exception = {
  what: /missing: button “Reply to /,
  why: 'the label of the quotation is Arabic, too, with its texts',
};
const roles: Exception = {
  what: /word “(moderator|09|04)”/,
  why: 'no message tells that its author moderates, and the pages of members are of 50: it would be told of some',
};
const morePeople: Exception = {
  what: /missing: word “(and|2|more)”/,
  why: 'pages of 50: a list of seven is whole',
};

/** A state of a box of the design. */
interface State extends Frame {
  /** The part of the box that is compared; by default the whole box. */
  readonly part?: string | [mock: string, real: string];
  readonly except?: readonly Exception[];
}

function state(
  name: string,
  page: string,
  options: State,
  make: (pair: Pair) => Promise<unknown> = async () => {},
): void {
  // `desktop` has the same styles.
  test(name, { tag: name === 'mobile room' ? [] : ['@soak'] }, async ({ browser }) => {
    const pair = await frame(browser, page, options);
    await make(pair);
    await still(pair.page);
    await same(name.replaceAll(' ', '-'), pair, options.part, [...usual, ...(options.except ?? [])]);
    await pair.context.close();
  });
}

const high = (pixels: number) => `style="--pc-height: ${pixels}px"`;
const groupOf = (text: string) => `.group:has(article[aria-label*="${text}"])`;
const shown = async (page: Page, text: string) => {
  await expect(page.locator('article .text', { hasText: text }).first()).toBeVisible();
  // The parts that load after the first messages are there too: without them typing is not shown.
  await expect(page.locator('php-chat [role=status][aria-live]').first()).toBeAttached();
};
const press = (page: Page, name: string | RegExp, within = 'php-chat') =>
  page.locator(within).getByRole('button', { name }).first().click();
const boxed = { reader: 'stateAlice' } as const;
const search = { reader: 'searchAlice', room: 'search/lobby' } as const;

/** The list of rooms, with the open one read. */
async function listed(page: Page, world: MockWorld): Promise<void> {
  await shown(page, '👍');
  await world.as('alice', 'room:join', { room: world.room('lobby') });
  await world.as('alice', 'read:mark', { room: world.room('lobby'), seq: 10 });
  await press(page, /^Back/);
  await expect(page.getByRole('button', { name: /^lobby/ })).toBeVisible();
  await expect(page.getByRole('button', { name: /^lobby.*unread/ })).toHaveCount(0);
}

state(
  'busy, dark',
  'busy-dark',
  {
    reader: 'busyAlice',
    room: 'busy',
    except: [noInvitation, morePeople, roles],
    before: async (context, world) => {
      const scope = ['php-chat', `${world.chat.url}/`, String(world.someone('busyAlice').id)];
      const key = [...scope.map(encodeURIComponent), 'draft', world.room('busyAlice/compost')].join('/');
      await context.addInitScript((draft) => {
        localStorage.setItem(draft, JSON.stringify({ text: 'I can do the' }));
      }, key);
    },
  },
  async ({ page, mock, real, world }) => {
    await shown(page, '👍');
    for (const one of [mock.page(), page]) await one.setViewportSize({ width: 1280, height: 800 });
    await page.emulateMedia({ colorScheme: 'dark' });
    await world.type('bob', 'busy');
    await expect(page.getByText('Bob Keller is typing…')).toBeVisible();
    await mock.locator('.menu').evaluate((menu) => menu.remove());
    await sortPeople(mock);
    await mock.locator('.msg.show').evaluate((article) => article.classList.remove('show'));
    await scrollAlike(mock, real);
  },
);
state(
  'right to left',
  'states',
  { ...boxed, index: 18, room: 'arabic', part: groupOf('شكرا'), except: [arabicTime, arabicLabel] },
  async ({ page, real }) => {
    await real.evaluate((chat) => Object.assign(chat, { strings: { 'msg.sent': { ar: 'أُرسلت' } } }));
    await expect(page.getByText('أُرسلت')).toBeVisible();
  },
);
state(
  'card after a logout',
  'edge',
  {
    ...boxed,
    index: 3,
    room: 'own',
    before: async (context, world) =>
      context.addCookies([
        { name: 'PHPSESSID', value: await world.login('stateAlice'), domain: '127.0.0.1', path: '/' },
      ]),
  },
  async ({ page, context, world, mock }) => {
    await shown(page, 'Sent, in a room');
    await world.memcached.delete(`sessions/${(await context.cookies())[0]?.value}`);
    await expect(page.getByRole('heading', { name: 'You’re logged out' })).toBeVisible();
    await retext(mock, { 'Alice.': 'Alice Moreau.' });
  },
);
state(
  'mobile list',
  'mobile',
  { world: 'site', reader: 'alice', room: 'lobby', index: 0, touch: true },
  ({ page, world }) => listed(page, world),
);
state(
  'mobile room',
  'mobile',
  { reader: 'phoneAlice', room: 'phone', index: 1, touch: true },
  async ({ page, world, mock, real }) => {
    await shown(page, 'Otherwise I will');
    await real.locator('textarea').fill('I can bring it, see you at');
    await world.type('bob', 'phone');
    await world.type('owen', 'phone');
    await expect(page.getByText('Bob Keller and Owen Price are typing…')).toBeVisible();
    await scrollAlike(mock, real);
  },
);
/** Found people are in another order, and the exact id is always offered: the list is not compared. */
const withoutOptions = async (chat: Locator) => {
  await chat.locator('.opts').evaluate((list) => list.remove());
  await chat.locator('.dialog .body').evaluate((body) => body.scrollTo(0, 0));
};
state(
  'new room',
  'rooms',
  { ...search, index: 1, part: '.dialog', attributes: high(760) },
  async ({ page, mock, real }) => {
    await shown(page, 'Who has the key');
    await press(page, /^Back/);
    await press(page, 'New room or message');
    await page.getByRole('menuitem', { name: 'New room' }).click();
    await page.getByLabel('Name').fill('harvest 2026');
    await page.getByLabel(/^Topic/).fill('Picking days, crates and lifts');
    await page.getByRole('radio', { name: /^Private/ }).check();
    for (const name of ['Carol Lindqvist', 'Owen Price']) {
      await page.getByRole('combobox').fill(name.slice(0, 5));
      await page.getByRole('option', { name }).first().click();
    }
    await page.getByRole('combobox').fill('d');
    await expect(page.getByRole('option', { name: 'Dimitri Volkov' }).first()).toBeVisible();
    for (const chat of [mock, real]) await withoutOptions(chat);
  },
);
state('search', 'rooms', { ...search, index: 19, part: '.hit:has-text("New hinges")' }, async (pair) => {
  const { page, real } = pair;
  await shown(page, 'Who has the key');
  // A narrow room has it in its menu.
  if (await page.getByRole('button', { name: 'Search in this room' }).isVisible())
    await press(page, 'Search in this room');
  else {
    await press(page, 'Room menu');
    await page.getByRole('menuitem', { name: 'Search in this room' }).click();
  }
  await press(page, 'All rooms');
  await page.getByRole('searchbox', { name: 'Search messages' }).fill('key');
  await page.mouse.move(0, 0);
  await expect(page.locator('.hit', { hasText: 'New hinges are on.' })).toBeVisible();
  await real.locator('.hit', { hasText: 'New hinges' }).scrollIntoViewIfNeeded();
  await still(page);
  await same('search-bar', pair, ['.bar:has([aria-label="Close search"])', '.search .bar']);
  await same('search-field', pair, '.find');
});
const unclassed: Exception = {
  what: /\.(panel|code)/,
  why: 'it has no class: it is the only one of its kind',
};
const twoTicks: Exception = {
  what: /missing: picture m5 12\.5/,
  why: '“Seen” has two ticks where all states are shown',
};
const counted: Exception = {
  what: /missing: button “Back to rooms”/,
  why: 'its name says how many are unread there, too',
};
state(
  'launcher open',
  'launcher',
  {
    tag: 'php-chat-launcher',
    reader: 'shopAlice',
    room: 'sofia',
    part: ['.panel', 'dialog'],
    except: [unclassed, counted, twoTicks],
  },
  async (pair) => {
    const { page, world, mock, real } = pair;
    for (const one of [mock.page(), page]) await one.setViewportSize({ width: 1280, height: 800 });
    await press(page, /^Open chat/, 'php-chat-launcher');
    await shown(page, 'A new leg');
    await world.as('sofia', 'read:mark', { room: world.room('sofia'), seq: 4 });
    await expect(real.getByText('Seen', { exact: true })).toBeVisible();
    await world.type('sofia', 'sofia');
    await expect(page.getByText('Sofia Marin is typing…')).toBeVisible();
    await scrollAlike(mock, real);
    await still(page);
    await same('launcher-open-button', pair, 'button[aria-label="Close chat"][aria-expanded]');
  },
);

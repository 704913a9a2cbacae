import type { Locator } from '@playwright/test';
import { nextChatServer } from '../helpers/chat-server.ts';
import { asUser, privateRoom } from './as-user.ts';
import { expect, idOf, Person, test } from './fixtures.ts';
import { join, ownUser } from './own-user.ts';
import { numbered, seed } from './seed.ts';
import { shot } from './shot.ts';

const boxOf = async (element: Locator) => {
  const box = await element.boundingBox();
  if (box === null) throw new Error(`${element} is not shown`);
  return { ...box, right: box.x + box.width, bottom: box.y + box.height };
};

test.describe('the list of mentions', () => {
  test.use({ roles: true });

  test('stays right above the field while people arrive and while it gets shorter', async ({
    alice,
    bob,
    site,
  }) => {
    await privateRoom(site, 'alice', 'crowd', ['2', '3', '4']);
    await bob.open('crowd');
    await alice.open('crowd');
    const list = alice.page.getByRole('listbox', { name: 'People to mention' });
    const options = list.getByRole('option');
    const gap = async () =>
      (await boxOf(alice.page.locator('.composer .field'))).y - (await boxOf(list)).bottom;
    await alice.field.pressSequentially('@');
    await expect(options).toHaveCount(4);
    const { y } = await boxOf(list);
    expect(y).toBeGreaterThan((await boxOf(alice.page.locator('php-chat'))).y);
    expect(await gap()).toBeCloseTo(6, 0);
    // In a low window the list scrolls, and shows the selected person.
    await alice.page.setViewportSize({ width: 1280, height: 360 });
    await alice.page.keyboard.press('ArrowUp');
    await expect(options.last()).toBeInViewport({ ratio: 0.9 });
    await alice.field.pressSequentially('bo');
    await expect(options).toHaveText(/Bob/);
    expect(await gap()).toBeCloseTo(6, 0);
    await alice.shot('mention-list');
  });
});

test('a message in another direction than the page: its paragraphs, its list and its preview', async ({
  alice,
  bob,
  site,
}) => {
  const arabic = 'هذه رسالة طويلة بالعربية لا تتسع لها قائمة الغرف أبدا لأنها طويلة جدا';
  await privateRoom(site, 'alice', 'souk', ['2']);
  await alice.open('souk');
  await bob.open('souk');
  await alice.write(`${arabic}\n\n- أول\n- ثان \`run()\``);
  const message = bob.messages.last();
  await expect(message.locator('ul')).toBeVisible();
  for (const page of ['ltr', 'rtl']) {
    await bob.page.locator('php-chat').evaluate((chat, dir) => chat.setAttribute('dir', dir), page);
    // The text begins at its own right side, the markers are there, too.
    const words = await message.locator('p.text').evaluate((element) => {
      const range = document.createRange();
      range.selectNodeContents(element);
      const lines = [...range.getClientRects()];
      return { right: element.getBoundingClientRect().right - Math.max(...lines.map(({ right }) => right)) };
    });
    expect(words.right).toBeLessThan(2);
    expect(await message.locator('ul').evaluate((list) => getComputedStyle(list).direction)).toBe('rtl');
    const code = await message.locator('code').evaluate((element) =>
      [0, 4].map((at) => {
        const range = document.createRange();
        range.setStart(element.firstChild as Text, at);
        range.setEnd(element.firstChild as Text, at + 1);
        return range.getBoundingClientRect().x;
      }),
    );
    expect(code[0]).toBeLessThan(code[1] as number);
    const row = bob.page.getByRole('navigation', { name: 'Rooms' }).locator('.last', { hasText: arabic });
    const [name, text] = [row.locator('.by-last').first(), row.locator('> bdi')];
    // The preview shows the beginning of the message, at the right end of its box, and the name before it.
    const seen = await text.evaluate((element) => {
      const range = document.createRange();
      range.setStart(element.firstChild as Text, 0);
      range.setEnd(element.firstChild as Text, 1);
      const [first, box] = [range.getBoundingClientRect(), element.getBoundingClientRect()];
      return { cut: element.scrollWidth > element.clientWidth, at: box.right - first.right };
    });
    expect(seen.cut).toBe(true);
    expect(seen.at).toBeLessThan(4);
    const [nameBox, textBox] = [await boxOf(name), await boxOf(text)];
    if (page === 'ltr') expect(nameBox.right).toBeLessThanOrEqual(textBox.x + 1);
    else expect(nameBox.x).toBeGreaterThanOrEqual(textBox.right - 1);
    await bob.shot(`directions-${page}`);
  }
});

test('the text on the accent has a contrast of 4.5:1 or more, white where it can', async ({ alice }) => {
  const colours = [
    '#0d6efd',
    '#198754',
    '#dc3545',
    '#d63384',
    '#3f4fb0',
    '#a6b3fa',
    '#ffc107',
    '#767676',
    '#777777',
  ];
  for (const accent of colours) {
    const [white, contrast] = await alice.page.locator('php-chat').evaluate((chat, colour) => {
      (chat as HTMLElement).style.setProperty('--pc-accent', colour);
      const probe = document.createElement('span');
      Object.assign(probe.style, {
        color: 'var(--pc-on-accent)',
        background: 'var(--gloss) var(--pc-accent)',
      });
      chat.shadowRoot?.querySelector('.app')?.append(probe);
      const { color, backgroundColor, backgroundImage } = getComputedStyle(probe);
      const ends = [backgroundColor, ...(backgroundImage.match(/[a-z]+\([^()]*\)/g) ?? [])];
      const canvas = new OffscreenCanvas(1, 1).getContext('2d');
      if (canvas === null) throw new Error('no canvas');
      const luminance = (...paints: string[]) => {
        for (const paint of paints) {
          canvas.fillStyle = paint;
          canvas.fillRect(0, 0, 1, 1);
        }
        const [r = 0, g = 0, b = 0] = [...canvas.getImageData(0, 0, 1, 1).data].map((value) => {
          const part = value / 255;
          return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
      };
      const text = luminance(color);
      const grounds = ends.map((end) => luminance(backgroundColor, end));
      const contrasts = grounds.map(
        (ground) => (Math.max(text, ground) + 0.05) / (Math.min(text, ground) + 0.05),
      );
      probe.remove();
      return [text > 0.5, Math.min(...contrasts)] as const;
    }, accent);
    expect(contrast, accent).toBeGreaterThanOrEqual(4.5);
    expect(white, accent).toBe(!['#a6b3fa', '#ffc107', '#777777'].includes(accent));
  }
});

test('a notice covers neither the newest message nor the button that leads to it', async ({
  alice,
  bob,
  site,
}) => {
  await privateRoom(site, 'alice', 'notices', ['2']);
  await alice.open('notices');
  await bob.open('notices');
  for (let n = 1; n <= 30; n++) await alice.write(`line ${n}`);
  await expect(bob.messages.last()).toContainText('line 30');
  await bob.messages.last().hover();
  await bob.messages.last().focus();
  await bob.page.keyboard.press('Enter');
  await bob.page.getByRole('menuitem', { name: 'Copy text' }).click();
  const toast = bob.page.locator('.toast');
  await expect(toast).toBeVisible();
  expect((await boxOf(toast)).bottom).toBeLessThan((await boxOf(bob.messages.last())).y);
  await bob.timeline.evaluate((log) => {
    const scroller = log.closest('.scroll') ?? log;
    scroller.scrollTop = 0;
  });
  const jump = bob.page.locator('.jump');
  await expect(jump).toBeVisible();
  expect((await boxOf(toast)).bottom).toBeLessThan((await boxOf(jump)).y);
  await bob.shot('notice');
});

test('the place of the pinned bar is kept while its messages come, and Tab leads from it to the newest message', async ({
  alice,
  site,
}) => {
  const room = await privateRoom(site, 'alice', 'pinboard', []);
  await asUser(site, 'alice', async (ask) => {
    const send = (text: string, clientId: string) => ask('message:send', { room, text, clientId });
    await ask('room:join', { room });
    await send('```\n1\n```', 'code-1');
    for (let n = 0; n < 20; n++) await send(`line ${n}`, `line-${n}`);
    await ask('message:pin', { room, seq: 2 });
  });
  await alice.open('pinboard');
  await alice.page.setViewportSize({ width: 360, height: 740 });
  // The page begins with the room that was open, whose bar has buttons for fingers.
  await alice.page.addInitScript(() => {
    const found = new Set<number>();
    const look = () => {
      const chat = document.querySelector('php-chat');
      chat?.setAttribute('touch', '');
      const log = chat?.shadowRoot?.querySelector('.timeline:has(article)');
      if (log) found.add(log.getBoundingClientRect().top);
      requestAnimationFrame(look);
    };
    look();
    Object.assign(window, { found });
  });
  await alice.page.reload();
  const pin = alice.page.locator('.pins .pin');
  await expect(pin).toBeVisible();
  await expect(alice.messages.last()).toBeVisible();
  const tops = await alice.page.evaluate(() => [...(window as unknown as { found: Set<number> }).found]);
  expect(tops).toHaveLength(1);
  await pin.focus();
  await alice.page.keyboard.press('Tab');
  await alice.page.keyboard.press('Tab');
  await expect(alice.messages.last()).toBeFocused();
});

test('the message in sight stays where it is while the panel of the launcher changes its size', async ({
  page,
  site,
}) => {
  const user = await ownUser(site, page.context());
  await join(site, user, 'long');
  await seed(site, 'bob', 'long', numbered(60, 'More lines in a panel that is narrower. '.repeat(4)));
  await page.goto(
    site.host(`<!doctype html><html lang="en"><title>Shop</title>
    <script type="module" src="${site.chat.url}/php-chat.js"></script><php-chat-launcher room="long"></php-chat-launcher>`),
  );
  await page
    .locator('php-chat-launcher')
    .getByRole('button', { name: /^Open chat/ })
    .click();
  const log = page.getByRole('log');
  const message = log.getByRole('article').filter({ hasText: / 40$/ });
  await expect(message).toBeAttached();
  await message.evaluate((element) => element.scrollIntoView());
  const fromTop = async () => (await boxOf(message)).y - (await boxOf(log)).y;
  await expect.poll(fromTop).toBeCloseTo(0, 0);
  // The author's name, far above in this group, does not cover it.
  const isOnTop = (element: Element) => {
    const { x, y } = element.getBoundingClientRect();
    return element.contains((element.getRootNode() as ShadowRoot).elementFromPoint(x + 8, y + 8));
  };
  expect(await message.evaluate(isOnTop)).toBe(true);
  // Below 480 px the panel is modal, and as wide as the window.
  for (const [width, columnWidth] of [
    [470, 470],
    [1280, 380],
    [360, 360],
  ] as const) {
    await page.setViewportSize({ width, height: 740 });
    await expect(log).toHaveJSProperty('clientWidth', columnWidth);
    await expect.poll(fromTop).toBeCloseTo(0, 0);
  }
  await shot(page, 'launcher-small');
});

test('the pinned bar cuts a long name and a long text at their ends, whatever their direction', async ({
  alice,
  site,
}) => {
  const { page } = alice;
  await page.setViewportSize({ width: 360, height: 740 });
  for (const [room, author, text] of [
    ['souk', 'عبد الرحمن بن محمد بن عبد العزيز', 'هذه رسالة طويلة بالعربية لا تتسع لها قائمة الغرف أبدا'],
    ['castle', 'Konstantin von und zu Hohenlohe', 'The gate opens at eight, and everybody brings a rake'],
  ] as const) {
    const id = await privateRoom(site, 'alice', room, [idOf(author)]);
    await seed(site, author, id, [text]);
    await asUser(site, 'alice', async (ask) => {
      await ask('room:join', { room: id });
      await ask('message:pin', { room: id, seq: 1 });
    });
    await page.getByRole('button', { name: /^Back to rooms/ }).click();
    await alice.open(room);
    for (const dir of ['ltr', 'rtl']) {
      await page.locator('php-chat').evaluate((chat, value) => chat.setAttribute('dir', value), dir);
      for (const words of [author, text]) {
        const seen = await page
          .locator('.pins')
          .getByText(words, { exact: true })
          .evaluate((element, rtl) => {
            let cut = element as HTMLElement;
            while (getComputedStyle(cut).textOverflow !== 'ellipsis') cut = cut.parentElement as HTMLElement;
            const range = document.createRange();
            range.setStart(element.firstChild as Text, 0);
            range.setEnd(element.firstChild as Text, 1);
            const [first, box] = [range.getBoundingClientRect(), cut.getBoundingClientRect()];
            return {
              isCut: cut.scrollWidth > cut.clientWidth,
              fromStart: rtl ? box.right - first.right : first.left - box.left,
            };
          }, room === 'souk');
        expect(seen.isCut, words).toBe(true);
        expect(Math.abs(seen.fromStart), words).toBeLessThan(4);
      }
      await alice.shot(`pinned-bar-${room}-${dir}`);
    }
  }
});

test('the chat’s own page has the pictures of people, on another port than the site', async ({
  page,
  site,
}) => {
  const chat = await nextChatServer({
    CHAT_SESSION_STORE: site.memcached.url,
    CHAT_ROOMS: 'lobby',
    CHAT_ORIGINS: site.php.url,
    CHAT_LOGIN_URL: `${site.php.url}/`,
    CHAT_USER_AVATAR: '/avatars/{id}.svg',
    CHAT_USER_URL: '/members/{id}',
  });
  const cookie = { name: 'PHPSESSID', value: await site.login('alice'), domain: '127.0.0.1', path: '/' };
  await page.context().addCookies([cookie]);
  await page.goto(chat.url);
  const alice = new Person(page);
  await alice.open('lobby');
  await alice.write('Here I am.');
  await expect(page.locator('.avatar[data-user="1"] img').first()).toHaveCSS('opacity', '1');
  await expect(page.locator('php-chat')).toHaveAttribute('profile-url', `${site.php.url}/members/{id}`);
  await alice.shot('own-page');
  await chat.stop();
});

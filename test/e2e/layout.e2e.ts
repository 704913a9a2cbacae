import type { Locator, Page } from '@playwright/test';
import { soak } from '../guarantees/size.ts';
import { asUser, privateRoom } from './as-user.ts';
import { expect, idOf, Person, type Site, test } from './fixtures.ts';
import { numbered, seed } from './seed.ts';

const boxOf = async (element: Locator) => {
  const box = await element.boundingBox();
  if (box === null) throw new Error(`${element} is not shown`);
  return { ...box, right: box.x + box.width, bottom: box.y + box.height };
};

/** Whether the text is cut, and whether its first letter is at the start of the box. */
const cutOf = (text: Locator, isRightToLeft: boolean) =>
  text.evaluate((element, isRightToLeft) => {
    let box = element as HTMLElement;
    while (getComputedStyle(box).textOverflow !== 'ellipsis') box = box.parentElement as HTMLElement;
    const range = document.createRange();
    range.setStart(element.firstChild as Text, 0);
    range.setEnd(element.firstChild as Text, 1);
    const [first, around] = [range.getBoundingClientRect(), box.getBoundingClientRect()];
    const fromStart = isRightToLeft ? around.right - first.right : first.left - around.left;
    return { isCut: box.scrollWidth > box.clientWidth, isAtStart: Math.abs(fromStart) < 4 };
  }, isRightToLeft);

/** Lets the page believe that its screen is a touch screen. */
async function useTouch(page: Page, enabled: boolean): Promise<void> {
  const devtools = await page.context().newCDPSession(page);
  await devtools.send('Emulation.setTouchEmulationEnabled', { enabled });
}

/** Reloads the page with compact messages, or with bubbles. */
async function inLook({ page, messages }: Person, { chat }: Site, compact: boolean): Promise<void> {
  const key = `php-chat/${encodeURIComponent(`${chat.url}/`)}/compact`;
  await page.evaluate(([key, value]) => localStorage.setItem(key, value), [key, `${compact}`] as const);
  await page.reload();
  await expect(page.locator('php-chat .compact')).toHaveCount(compact ? 1 : 0);
  await expect(messages.last()).toBeVisible();
}

/** The boxes of all elements in the room, except the tools of messages, which the pointer shows. */
const boxesIn = ({ page }: Person) =>
  page.locator('php-chat .main').evaluateHandle(
    (main) =>
      new Map(
        [...main.querySelectorAll<HTMLElement>(':not(.beside, .beside *)')].map((element) => {
          const { x, y, width, height } = element.getBoundingClientRect();
          return [element, `${element.className}: ${x}, ${y}, ${width} × ${height}`];
        }),
      ),
  );

/** Returns the elements that are elsewhere now. */
const movedFrom = async (before: Awaited<ReturnType<typeof boxesIn>>, person: Person) =>
  before.evaluate(
    (old, now) =>
      [...old].flatMap(([element, box]) =>
        now.get(element) === box || element.closest('.status') !== null ? [] : [box],
      ),
    await boxesIn(person),
  );

/** Returns what moves, or is covered by tools, while the pointer is on the messages that are in view. */
async function movedBy(person: Person): Promise<string[]> {
  const wrong: string[] = [];
  await person.page.mouse.move(1, 1);
  const before = await boxesIn(person);
  for (const message of await person.messages.all()) {
    const box = await message.locator('.bubble').boundingBox();
    if (box === null || box.y < 100 || box.y + 20 > 700) continue;
    await person.page.mouse.move(box.x + box.width / 2, box.y + 12);
    await expect(message.locator('.tools')).toHaveCSS('visibility', 'visible');
    const moved = await movedFrom(before, person);
    if (moved.length > 0) wrong.push(`${moved.length} are moved, such as ${moved[0]}`);
    const tools = await boxOf(message.locator('.tools'));
    const text = await boxOf(message.locator('.text').first());
    const isBeside = tools.x >= text.right || tools.right <= text.x || tools.bottom <= text.y;
    if (!isBeside) wrong.push(`tools: ${tools.x}–${tools.right} over ${text.x}–${text.right}`);
    await person.page.mouse.move(1, 1);
  }
  return wrong;
}

const fonts = ['DejaVu Sans', ...(soak ? ['DejaVu Serif', 'DejaVu Sans Mono', 'WenQuanYi Micro Hei'] : [])];
const arabic = 'هذه رسالة طويلة بالعربية لا تتسع لها قائمة الغرف أبدا لأنها طويلة جدا';

/** Names of rooms and users as they occur on sites. */
const rooms = [
  'Harvest planning 2026',
  'Kitchen & cellar',
  'Announcements',
  'Seed exchange',
  'Beekeepers',
  'Compost and soil',
  'Board meeting',
  'Open day in June',
  'Children’s garden',
  'Tool shed rota',
  'Water and pumps',
  'Orchard team',
  'Winter vegetables',
  'Newsletter',
  'Volunteers North',
  'Volunteers South',
  'Greenhouse',
  'Treasurer & accounts',
  'Neighbours',
  'Photos of the year',
  'Apple juice day',
  'Gardening questions',
  'Website',
  'Long-term projects',
  'Off topic',
  'Lost and found',
];
const people = [
  'Charlotte Brontë',
  'Maximilian Huber',
  'Anna Kowalska',
  'Dimitri Ivanov',
  'Fatima al-Zahra',
  'Joan Miró',
  'Søren Kierkegaard',
  'Eleanor Whitfield',
  'Li Wei',
  'Pedro Álvares',
  'Bob',
  'Ingrid Bergström',
  'Oluwaseun Adeyemi',
  'Marie-Claire Dubois',
  'Tom Baker',
  'Yuki Tanaka',
];

test.use({ roles: true });

test('shows whole names in the list of rooms of a wide chat', async ({ alice, site }) => {
  for (const name of people)
    await asUser(site, name, async (ask) => {
      const { room } = await ask('direct:open', { user: '1' });
      await ask('room:join', { room: room.id });
      await ask('message:send', { room: room.id, clientId: 'a-word-to-alice', text: 'See you at four' });
    });
  await asUser(site, 'alice', async (ask) => {
    for (const [n, name] of rooms.entries()) {
      const { room } = await ask('room:create', { name, kind: 'private', clientId: `room-number-${n}` });
      await ask('room:join', { room: room.id });
      await ask('message:send', { room: room.id, clientId: `message-${n}`, text: 'The pump is repaired' });
    }
  });
  const names = alice.page.locator('.room.two .name bdi');
  await expect(names.filter({ hasText: 'Lost and found' })).toBeVisible();
  await expect.poll(() => names.count()).toBeGreaterThanOrEqual(rooms.length + people.length);
  const cut = () =>
    names.evaluateAll((all) =>
      all.filter((name) => name.scrollHeight > name.clientHeight + 1).map((name) => name.textContent),
    );
  for (const width of [960, 1440]) {
    await alice.page.setViewportSize({ width, height: 800 });
    expect(await cut(), `${width} px`).toEqual([]);
    const heights = await names.evaluateAll((all) => all.map((name) => name.clientHeight));
    expect(new Set(heights).size, `lines at ${width} px`).toBe(1);
  }
  // With large text a name takes more lines.
  await alice.page.evaluate(() => {
    document.documentElement.style.fontSize = '200%';
  });
  for (const width of [1280, 640, 320]) {
    await alice.page.setViewportSize({ width, height: 800 });
    if (width === 320) await alice.page.getByRole('button', { name: /^Back to rooms/ }).click();
    expect(await cut(), `${width} px, text of 200 %`).toEqual([]);
  }
});

test('places the elements of a room correctly', async ({ alice, bob, site }) => {
  const chat = bob.page.locator('php-chat');
  const souk = await privateRoom(site, 'alice', 'souk', ['2', '3', '4', idOf('عبد الرحمن بن محمد')]);
  await alice.open('souk');
  await bob.open('souk');

  await test.step('keeps the list of mentions above the field while it gets shorter', async () => {
    const list = alice.page.getByRole('listbox', { name: 'People to mention' });
    const options = list.getByRole('option');
    const gap = async () =>
      (await boxOf(alice.page.locator('.composer .field'))).y - (await boxOf(list)).bottom;
    await alice.field.pressSequentially('@');
    await expect(options).toHaveCount(5);
    expect((await boxOf(list)).y).toBeGreaterThan((await boxOf(alice.page.locator('php-chat'))).y);
    expect(await gap()).toBeCloseTo(6, 0);
    // In a low window the list scrolls and shows the selected user.
    await alice.page.setViewportSize({ width: 1280, height: 360 });
    await alice.page.keyboard.press('ArrowUp');
    await expect(options.last()).toBeInViewport({ ratio: 0.9 });
    await alice.field.pressSequentially('bo');
    await expect(options).toHaveText([/Bob/]);
    expect(await gap()).toBeCloseTo(6, 0);
    await alice.shot('mention-list');
    await alice.field.fill('');
    await alice.page.setViewportSize({ width: 1280, height: 800 });
  });

  await test.step('aligns a message by its own direction', async () => {
    await alice.write(`${arabic}\n\n- أول\n- ثان \`run()\``);
    const message = bob.messages.last();
    await expect(message.locator('ul')).toBeVisible();
    const row = bob.page.getByRole('navigation', { name: 'Rooms' }).locator('.last', { hasText: arabic });
    for (const direction of ['ltr', 'rtl']) {
      await chat.evaluate((element, dir) => element.setAttribute('dir', dir), direction);
      const right = await message.locator('p.text').evaluate((element) => {
        const range = document.createRange();
        range.selectNodeContents(element);
        const ends = [...range.getClientRects()].map(({ right }) => right);
        return element.getBoundingClientRect().right - Math.max(...ends);
      });
      expect(right).toBeLessThan(2);
      await expect(message.locator('ul')).toHaveCSS('direction', 'rtl');
      await message.hover();
      const arrow = message.getByRole('button', { name: 'Reply' }).locator('.i');
      await expect(arrow).toHaveCSS('scale', direction === 'rtl' ? '-1 1' : 'none');
      const [first = 0, last = 0] = await message.locator('code').evaluate((element) =>
        [0, 4].map((at) => {
          const range = document.createRange();
          range.setStart(element.firstChild as Text, at);
          range.setEnd(element.firstChild as Text, at + 1);
          return range.getBoundingClientRect().x;
        }),
      );
      expect(first).toBeLessThan(last);
      // The preview shows the beginning of the message after the author's name.
      const [name, text] = [row.locator('.by-last').first(), row.locator('> bdi')];
      expect(await cutOf(text, true)).toEqual({ isCut: true, isAtStart: true });
      const [nameBox, textBox] = [await boxOf(name), await boxOf(text)];
      if (direction === 'ltr') expect(nameBox.right).toBeLessThanOrEqual(textBox.x + 1);
      else expect(nameBox.x).toBeGreaterThanOrEqual(textBox.right - 1);
      await bob.shot(`directions-${direction}`);
    }
    await chat.evaluate((element) => element.removeAttribute('dir'));
  });

  await test.step('shows the time of a message next to its tools, or with touch in the bubble', async () => {
    await bob.write('first');
    await bob.write('second');
    const second = bob.message('second');
    await second.hover();
    const shown = (element: Locator, pseudo: string) =>
      element.evaluate((element, pseudo) => getComputedStyle(element, pseudo).content, pseudo);
    const time = /^"\d\d:\d\d"/;
    expect(await shown(second.locator('.tools'), '::before')).toMatch(time);
    expect(await shown(second.locator('.text'), '::after')).not.toMatch(time);
    await useTouch(bob.page, true);
    expect(await shown(second.locator('.text'), '::after')).toMatch(time);
    await expect(second.locator('.tools')).toBeHidden();
    await useTouch(bob.page, false);
  });

  await test.step('gives text a contrast of at least 4.5:1 with any accent, and white text where possible', async () => {
    const white = ['#0d6efd', '#198754', '#dc3545', '#d63384', '#3f4fb0', '#767676'];
    for (const accent of [...white, '#a6b3fa', '#ffc107', '#777777']) {
      const [isWhite, contrast] = await chat.evaluate((element, colour) => {
        (element as HTMLElement).style.setProperty('--pc-accent', colour);
        const probe = document.createElement('span');
        element.shadowRoot?.querySelector('.app')?.append(probe);
        const canvas = new OffscreenCanvas(1, 1).getContext('2d');
        if (canvas === null) throw new Error('no canvas');
        const luminance = (paint: string) => {
          canvas.fillStyle = paint;
          canvas.fillRect(0, 0, 1, 1);
          const [r = 0, g = 0, b = 0] = [...canvas.getImageData(0, 0, 1, 1).data].map((value) => {
            const part = value / 255;
            return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
          });
          return 0.2126 * r + 0.7152 * g + 0.0722 * b;
        };
        const pairs = [
          ['--pc-on-accent', '--pc-accent'],
          ['--pc-ink-soft', '--pc-pane'],
          ['--pc-ink-soft', '--own-2'],
          ['--accent-ink', '--pc-pane'],
        ] as const;
        const contrasts = pairs.map(([text, ground]) => {
          probe.style.color = `var(${text})`;
          probe.style.backgroundColor = `var(${ground})`;
          const { color, backgroundColor } = getComputedStyle(probe);
          const [a, b] = [luminance(color), luminance(backgroundColor)];
          return { a, ratio: (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) };
        });
        probe.remove();
        return [(contrasts[0]?.a ?? 0) > 0.5, Math.min(...contrasts.map(({ ratio }) => ratio))] as const;
      }, accent);
      expect(contrast, accent).toBeGreaterThanOrEqual(4.5);
      expect(isWhite, accent).toBe(white.includes(accent));
    }
    await chat.evaluate((element: HTMLElement) => element.style.removeProperty('--pc-accent'));
  });

  await test.step('does not cover the newest message or the jump button with a notice', async () => {
    await seed(site, 'alice', souk, numbered(30, 'line'));
    await expect(bob.messages.last()).toContainText('line 30');
    await bob.messages.last().focus();
    await bob.page.keyboard.press('Enter');
    await bob.page.getByRole('menuitem', { name: 'Copy text' }).click();
    const toast = bob.page.locator('.toast');
    await expect(toast).toBeVisible();
    expect((await boxOf(toast)).bottom).toBeLessThan((await boxOf(bob.messages.last())).y);
    await bob.timeline.evaluate((log) => {
      (log.closest('.scroll') ?? log).scrollTop = 0;
    });
    const jump = bob.page.locator('.jump');
    await expect(jump).toBeVisible();
    expect((await boxOf(toast)).bottom).toBeLessThan((await boxOf(jump)).y);
    await bob.shot('notice');
  });

  await test.step('covers no message with the jump button in any width', async () => {
    await bob.write('the beds by the wall need water in the evening, '.repeat(40));
    // Otherwise it replaces the mark of a sent message later, while the next step compares places.
    await expect(bob.messages.last().getByRole('button', { name: /^Seen by/ })).toBeVisible();
    await seed(site, 'alice', souk, numbered(30, 'row'));
    await expect(bob.messages.last()).toContainText('row 30');
    const jump = bob.page.locator('.jump');
    const covered = async () => {
      const { x, y, right, bottom } = await boxOf(jump);
      return bob.timeline.locator('.bubble, .by bdi').evaluateAll(
        (all, jump) =>
          all.flatMap((part) => {
            const { left, right, top, bottom } = part.getBoundingClientRect();
            const isCovered = left < jump.right && right > jump.x && top < jump.bottom && bottom > jump.y;
            return isCovered ? [`${part.className} at ${left}–${right}, ${top}–${bottom}`] : [];
          }),
        { x, y, right, bottom },
      );
    };
    for (const look of ['bubbles', 'compact']) {
      if (look === 'compact') await inLook(bob, site, true);
      for (const width of [1600, 1280, 1000, 700, 360, 320]) {
        await bob.page.setViewportSize({ width, height: 800 });
        // The name and the end of the long message are where the button is, one after the other.
        for (const block of ['start', 'end'] as const) {
          await bob.timeline.evaluate((log, block) => {
            const own = log.querySelector('.own .msg:last-child .bubble') as HTMLElement;
            own.scrollIntoView({ block: 'end' });
            const scroll = log.closest('.scroll') as HTMLElement;
            if (block === 'start') scroll.scrollTop -= own.offsetHeight - 48;
          }, block);
          await expect(jump).toBeVisible();
          expect(await covered(), `${look}, ${width} px, ${block}`).toEqual([]);
        }
      }
      await bob.page.setViewportSize({ width: 1280, height: 800 });
    }
    await inLook(bob, site, false);
    // After the reload it replaces the mark of the sent message again.
    await expect(bob.timeline.getByRole('button', { name: /^Seen by/ })).toBeVisible();
  });

  await test.step('lets messages reach the composer, and moves nothing while a user types', async () => {
    const field = bob.page.locator('.composer .field');
    expect((await boxOf(field)).y - (await boxOf(bob.timeline)).bottom).toBe(0);
    const before = await boxesIn(bob);
    await alice.field.pressSequentially('typing');
    const typing = bob.page.getByText('Alice is typing');
    await expect(typing).toBeVisible();
    expect(await movedFrom(before, bob)).toEqual([]);
    expect((await boxOf(typing)).bottom).toBeLessThanOrEqual((await boxOf(field)).y);
    await bob.shot('typing');
    await alice.field.fill('');
    await expect(typing).toHaveCount(0);
  });

  const { page } = alice;
  await page.setViewportSize({ width: 360, height: 740 });

  await test.step('cuts long names and texts in the pinned bar at their ends in either direction', async () => {
    for (const [room, author, text] of [
      ['bazaar', 'عبد الرحمن بن محمد بن عبد العزيز', arabic],
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
      const bar = page.locator('.pins');
      for (const dir of ['rtl', 'ltr']) {
        await page.locator('php-chat').evaluate((chat, value) => chat.setAttribute('dir', value), dir);
        for (const words of [author, text]) {
          const cut = await cutOf(bar.getByText(words, { exact: true }), room === 'bazaar');
          expect(cut, words).toEqual({ isCut: true, isAtStart: true });
        }
        await alice.shot(`pinned-bar-${room}-${dir}`);
      }
    }
    await page.getByRole('button', { name: /^Back to rooms/ }).click();
    // The list shortens a long name at a word. There is no gap before the colon.
    await expect(page.getByRole('button', { name: /^castle.* Konstantin: The gate opens/ })).toBeVisible();
    await alice.open('castle');
  });

  await test.step('reserves space for the pinned bar while messages load', async () => {
    const room = await privateRoom(site, 'alice', 'pinboard', []);
    await seed(site, 'alice', room, ['```\n1\n```', ...numbered(20, 'line')]);
    await asUser(site, 'alice', async (ask) => {
      await ask('room:join', { room });
      await ask('message:pin', { room, seq: 2 });
    });
    await page.getByRole('button', { name: /^Back to rooms/ }).click();
    await alice.open('pinboard');
    // After the reload the page opens the same room, with touch-sized buttons in the bar.
    await useTouch(page, true);
    await page.addInitScript(() => {
      const found = new Set<number>();
      const check = () => {
        const log = document.querySelector('php-chat')?.shadowRoot?.querySelector('.timeline:has(article)');
        if (log) found.add(log.getBoundingClientRect().top);
        requestAnimationFrame(check);
      };
      check();
      Object.assign(window, { found });
    });
    await page.reload();
    const pin = page.locator('.pins .pin');
    await expect(pin).toBeVisible();
    await expect(alice.messages.last()).toBeVisible();
    const tops = await page.evaluate(() => [...(window as unknown as { found: Set<number> }).found]);
    expect(tops).toHaveLength(1);
    await pin.focus();
    await page.keyboard.press('Tab');
    await page.keyboard.press('Tab');
    await expect(alice.messages.last()).toBeFocused();
  });
});

test('moves nothing when the pointer is on a message, in any font and with either clock', async ({
  browser,
  site,
}) => {
  const room = await privateRoom(site, 'bob', 'hover', ['1', '3']);
  const long = 'the beds by the wall need water in the morning and in the evening, '.repeat(4);
  const texts = ['short', long, 'W'.repeat(90), `https://files.example/${'plan-'.repeat(30)}`, '🍅'];
  for (const user of ['bob', 'carol', 'alice']) await seed(site, user, room, texts);
  await seed(site, 'alice', room, [long]);
  const cookie = { name: 'PHPSESSID', value: await site.login('alice'), domain: '127.0.0.1', path: '/' };
  for (const locale of ['en-US', 'de']) {
    const context = await browser.newContext({ locale, reducedMotion: 'reduce' });
    await context.addCookies([cookie]);
    const alice = new Person(await context.newPage());
    const { page } = alice;
    await page.setViewportSize({ width: 1280, height: 800 });
    await page.goto(`${site.chat.url}/#m=${room}`);
    const chat = page.locator('php-chat');
    await expect(alice.messages).toHaveCount(16);
    await expect(alice.messages.last()).toContainText(/Sent|Gesendet/);
    const setFont = (font: string) =>
      chat.evaluate(async (element, value) => {
        // The chat keeps the end in view in the frame after a change of size.
        const frames = async () => {
          for (let n = 0; n < 2; n++) await new Promise(requestAnimationFrame);
        };
        (element as HTMLElement).style.setProperty('--pc-font', value);
        await frames();
        element.shadowRoot?.querySelector('.timeline')?.scrollTo(0, 1e6);
        await frames();
      }, font);
    for (const font of fonts)
      await test.step(`${locale}, ${font}`, async () => {
        await setFont(font);
        expect(await movedBy(alice)).toEqual([]);
        await alice.shot(`hover-${locale}-${font}`);
      });

    // Times of a day, because all messages were just sent.
    await inLook(alice, site, true);
    await expect(alice.messages).toHaveCount(16);
    for (const font of fonts)
      await test.step(`compact, ${locale}, ${font}`, async () => {
        await setFont(font);
        const rows = await chat.locator('.by').evaluateAll((all, locale) => {
          const format = new Intl.DateTimeFormat(locale, { timeStyle: 'short' });
          return all.flatMap((by) =>
            [1, 11, 13, 23].map((hour) => {
              const time = by.querySelector('time') as HTMLElement;
              time.firstChild?.replaceWith(format.format(new Date(2026, 0, 1, hour, 59)));
              const { height } = by.getBoundingClientRect();
              const { left = 0 } = by.querySelector('bdi')?.getBoundingClientRect() ?? {};
              return `${left} ${height}`;
            }),
          );
        }, locale);
        expect(new Set(rows).size, rows.join('\n')).toBe(1);
        const heights = await alice
          .message('short')
          .evaluateAll((all) => all.map((message) => message.getBoundingClientRect().height));
        expect(heights).toEqual([24, 24, 24]);
        expect(await movedBy(alice)).toEqual([]);
        await alice.shot(`compact-${locale}-${font}`);
      });
    await context.close();
  }
});

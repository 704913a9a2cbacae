import sharp from 'sharp';
import { size, soak } from '../guarantees/size.ts';
import { upload } from '../helpers/files.ts';
import { wav } from '../helpers/media.ts';
import { asUser, privateRoom } from './as-user.ts';
import { faultsIn } from './axe.ts';
import { expect, type Person, stepInSoak, test } from './fixtures.ts';
import { numbered, seed } from './seed.ts';

test('scrolling up loads older messages, and newer ones do not move the view', async ({ alice, site }) => {
  const texts = numbered(420);
  await seed(site, 'carol', 'history', texts);
  await alice.open('history');
  await expect(alice.texts.last()).toHaveText('message 420');
  const shown = await alice.texts.allTextContents();
  expect(shown).toEqual(texts.slice(-shown.length));
  await expect(alice.messages.last()).toBeInViewport();
  /** The maximum number of messages that were added in one task. */
  const most = await alice.timeline.evaluateHandle((log) => {
    const most = { added: 0 };
    new MutationObserver((changes) => {
      const nodes = changes.flatMap(({ addedNodes }) => [...addedNodes]);
      const added = nodes.flatMap((node) =>
        node instanceof Element ? [node, ...node.querySelectorAll('article')] : [],
      );
      const messages = added.filter((node) => node.matches('article') && node.isConnected);
      most.added = Math.max(most.added, new Set(messages).size);
    }).observe(log, { childList: true, subtree: true });
    return most;
  });

  // Pages load up to the start, with at most 200 elements.
  const first = alice.message('message 1');
  await expect(async () => {
    await alice.timeline.evaluate((log) => {
      log.scrollTop = 0;
    });
    expect(await alice.messages.count()).toBeLessThanOrEqual(200);
    await expect(first).toBeInViewport({ timeout: 50 });
  }).toPass({ intervals: [20] });
  await expect(alice.page.getByText('This is the start of history.')).toBeVisible();
  // Above the newest messages, a pill shows the day and leads to the first message of a day.
  await alice.timeline.evaluate((log) => log.scrollBy(0, 600));
  await alice.page.locator('php-chat .day-pill').hover();
  await alice.shot('day-pill');
  await alice.page.locator('php-chat .day-pill').click();
  await alice.page
    .getByRole('dialog', { name: 'Go to date' })
    .getByRole('button', { name: 'Go to date' })
    .click();
  await expect(first).toBeFocused();
  await alice.timeline.evaluate((log) => {
    log.scrollTop = 0;
  });
  await expect(first).toBeInViewport();
  // The line above the first message shows the day already.
  await expect(alice.page.locator('php-chat .day-pill')).toHaveCount(0, { timeout: 1000 });
  await alice.shot('history-1-start');
  const added = await most.evaluate(({ added }) => added);
  expect(added).toBeGreaterThan(0);
  expect(added).toBeLessThanOrEqual(25);
  // Only messages under the pointer or with the focus got tools.
  expect(await alice.timeline.locator('.tools').count()).toBeLessThan(10);

  // Each read of a box may force a layout, so a step of scrolling needs few, whatever the number of messages.
  const reads = await alice.timeline.evaluate(async (log) => {
    const read = Element.prototype.getBoundingClientRect;
    let count = 0;
    Element.prototype.getBoundingClientRect = function (this: Element) {
      count++;
      return read.call(this);
    };
    log.scrollBy(0, 5);
    for (let frame = 0; frame < 3; frame++) await new Promise(requestAnimationFrame);
    Element.prototype.getBoundingClientRect = read;
    return count;
  });
  expect(reads).toBeGreaterThan(0);
  expect(reads).toBeLessThan(40);

  // New messages do not move the others, and the pill counts them.
  const before = await first.boundingBox();
  await seed(site, 'bob', 'history', ['while reading', 'and again']);
  const pill = alice.page.getByRole('button', { name: 'Jump to latest, 2 unread' });
  await expect(pill).toBeVisible();
  expect(await first.boundingBox()).toEqual(before);
  await alice.shot('history-2-pill');

  const settings = alice.page.locator('php-chat .own-settings');
  const choose = async (choice: () => Promise<unknown>) => {
    await settings.click();
    await choice();
    await settings.click();
  };
  const select = (name: string, label: string) =>
    choose(() => alice.page.getByRole('combobox', { name }).selectOption({ label }));
  await test.step('a new text size or density does not move the message that is being read', async () => {
    const read = alice.message('message 9');
    const top = () =>
      read.evaluate((message) => {
        const log = message.closest('.timeline') as Element;
        return message.getBoundingClientRect().top - log.getBoundingClientRect().top;
      });
    // It is the first visible message, and its top is cut.
    await read.evaluate((message) => message.scrollIntoView());
    await alice.timeline.evaluate((log) => log.scrollBy(0, 10));
    await expect(pill).toBeVisible();
    const place = await top();
    // Browsers may round a scroll position.
    const moved = async () => Math.abs((await top()) - place);
    await select('Text size', 'Very large');
    await expect(alice.page.locator('php-chat .app')).toHaveCSS('font-size', '20.25px');
    await expect.poll(moved).toBeLessThan(1);
    await select('Messages', 'Compact');
    await expect(alice.page.locator('php-chat .app')).toHaveClass(/compact/);
    await expect.poll(moved).toBeLessThan(1);
    await expect(read.locator('.bubble')).toHaveCSS('background-color', 'rgba(0, 0, 0, 0)');
    await select('Text size', 'Normal');
    await select('Theme', 'Dark');
    await expect(alice.page.locator('php-chat')).toHaveCSS('color-scheme', 'dark');
    await select('Theme', 'Automatic');
    await select('Messages', 'Bubbles');
    await expect(alice.page.locator('php-chat')).toHaveCSS('color-scheme', 'light dark');
    expect(await moved()).toBeLessThan(1);
  });

  await stepInSoak('another tab takes the new look at once', async () => {
    const tab = await alice.page.context().newPage();
    await tab.goto(site.php.chatPage);
    const app = tab.locator('php-chat .app');
    await expect(app).toHaveCSS('font-size', '15px');
    await select('Messages', 'Compact');
    await select('Text size', 'Large');
    await select('Theme', 'Dark');
    await expect(tab.locator('php-chat')).toHaveCSS('color-scheme', 'dark');
    await expect(app).not.toHaveCSS('font-size', '15px');
    await expect(app).toHaveClass(/compact/);
    await tab.close();
    await select('Messages', 'Bubbles');
    await select('Text size', 'Normal');
    await select('Theme', 'Automatic');
  });

  await test.step('the pill leads to an unread mention, and then to the newest message', async () => {
    await asUser(site, 'carol', async (ask) => {
      await ask('room:join', { room: 'history' });
      const mentions = [{ user: '1', start: 0, length: 6 }];
      await ask('message:send', { room: 'history', clientId: 'named', text: '@Alice look', mentions });
    });
    await seed(site, 'bob', 'history', numbered(30, 'after'));
    // In the soak run another tab has read two.
    const unread = size(31, 33);
    const mentioned = alice.page.getByRole('button', {
      name: `Jump to latest, ${unread} unread, you were mentioned`,
    });
    await expect(mentioned.locator('.badge')).toHaveText(`${unread}`);
    await mentioned.click();
    await expect(alice.messages.filter({ hasText: '@Alice look' })).toBeFocused();
    await alice.shot('history-3-mention');
    await alice.page.getByRole('button', { name: /^Jump to latest/ }).click();
    await expect(alice.message('after 30')).toBeInViewport();
    await expect(alice.page.locator('php-chat .jump')).toHaveCount(0);
  });
  expect(await alice.messages.count()).toBeLessThanOrEqual(200);

  await test.step('Enter begins a line if the user chose so, also after a reload', async () => {
    await choose(() => alice.page.getByRole('switch', { name: 'Enter sends the message' }).click());
    await alice.page.reload();
    await alice.open('history');
    await alice.field.fill('two');
    await alice.field.press('Enter');
    await alice.page.keyboard.type('lines');
    await expect(alice.field).toHaveValue('two\nlines');
    await alice.field.press('Control+Enter');
    await expect(alice.texts.last()).toHaveText('two\nlines');
  });
});

test('loads pictures and voice messages above without moving the visible ones', {
  tag: '@soak',
}, async ({ alice, site }) => {
  const room = await privateRoom(site, 'carol', 'album', ['1']);
  const cookie = `PHPSESSID=${await site.login('carol')}`;
  const headers = { origin: site.php.url };
  const create = { background: { r: 90, g: 120, b: 90 }, width: 400, height: 300, channels: 3 as const };
  const picture = await sharp({ create }).png().toBuffer();
  const add = async (bytes: Buffer, name: string, peaks?: string) =>
    (await upload(site.chat.url, cookie, bytes, { room, name, headers, peaks: peaks || undefined })).file.id;
  const files = [
    await add(picture, 'a.png'),
    await add(wav(1), 'voice.wav', '0123456789abcdefghijklmnopqrstuv'.padEnd(46, '0')),
  ];
  await seed(
    site,
    'carol',
    room,
    files.map((id) => ({ text: '', files: [{ id }] })),
  );
  await asUser(site, 'carol', async (ask) => {
    await ask('room:join', { room });
    for (let n = 0; n < 300; n++) {
      const clientId = `album-${n}`;
      if (n % 3 === 0) await ask('message:send', { room, clientId, text: `line ${n} `.repeat(1 + (n % 40)) });
      else await ask('message:forward', { room, clientId, from: { room, seq: n % 3 } });
    }
  });
  await asUser(site, 'alice', (ask) => ask('read:mark', { room, seq: 302 }));
  await alice.open('album');
  await expect(alice.messages.last()).toBeInViewport();
  const result = await alice.timeline.evaluate(async (log) => {
    const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
    const top = log.getBoundingClientRect().top;
    const step = 300;
    let [most, moved] = [0, 0];
    for (let n = 0; n < 1000 && log.querySelector('.room-start') === null; n++) {
      const seen = [...log.querySelectorAll('article')].find(
        (article) => article.getBoundingClientRect().top >= top,
      );
      const before = seen?.getBoundingClientRect().top ?? 0;
      const way = Math.min(step, log.scrollTop);
      log.scrollTop -= way;
      // Waits until a page and its pictures are loaded.
      for (let frames = 0; frames < 6; frames++) {
        await frame();
        const now = seen?.getBoundingClientRect().top ?? 0;
        if (seen?.isConnected) moved = Math.max(moved, Math.abs(now - before - way));
      }
      most = Math.max(most, log.querySelectorAll('article').length);
    }
    return { most, moved };
  });
  expect(result.most).toBeLessThanOrEqual(200);
  // Browsers may round a scroll position.
  expect(result.moved).toBeLessThanOrEqual(1);
  await expect(alice.page.getByText('This is the start of album.')).toBeAttached();
});

test('opens a room at the first unread message, and the pill shows the number of the list', {
  tag: '@soak',
}, async ({ alice, site }) => {
  const distances = [
    ['far-back', 700],
    ['unseen', 120],
  ] as const;
  for (const [room, unread] of !soak ? distances.slice(0, 1) : distances) {
    await alice.open(room);
    await seed(site, 'bob', room, ['before']);
    await expect(alice.message('before')).toBeInViewport();
    await expect.poll(() => unreadIn(alice, room)).toBe(0);
    await alice.open('lobby');
    await seed(site, 'carol', room, numbered(unread, room));
    await expect.poll(() => unreadIn(alice, room)).toBeGreaterThan(99);
    await alice.open(room);
    const line = alice.page.getByRole('separator', { name: 'New' });
    await expect(line).toBeInViewport();
    await expect(alice.message(`${room} 1`)).toBeInViewport();
    await expect(alice.message('before')).toBeInViewport();
    const pill = alice.page.locator('php-chat .jump');
    // The list is updated once a second for rooms that are not open.
    await expect.poll(() => unreadIn(alice, room)).toBe(unread);
    // Its name has its text, so that users of speech recognition can say what they see (WCAG 2.5.3).
    await expect(pill).toHaveAccessibleName('Jump to latest, 99+ unread');
    await alice.timeline.evaluate((log) => log.scrollBy(0, 400));
    await expect(pill).toHaveAccessibleName('Jump to latest, 99+ unread');
    // Scrolls forwards to the live end.
    await expect(async () => {
      await alice.timeline.evaluate((log) => {
        log.scrollTop = log.scrollHeight;
      });
      expect(await alice.messages.count()).toBeLessThanOrEqual(200);
      await expect(alice.message(`${room} ${unread}`)).toBeInViewport({ timeout: 50 });
    }).toPass({ intervals: [20] });
    await seed(site, 'bob', room, ['and on it goes']);
    await expect(alice.message('and on it goes')).toBeInViewport();
    await expect(pill).toHaveCount(0);
  }
});

test('a room that becomes completely visible in a higher window counts as read', async ({ alice, site }) => {
  const { page, timeline } = alice;
  await page.setViewportSize({ width: 1280, height: 460 });
  await alice.open('board');
  await seed(site, 'carol', 'board', numbered(9));
  await expect(alice.message('message 9')).toBeInViewport();
  await expect.poll(() => unreadIn(alice, 'board')).toBe(0);
  await timeline.evaluate((log) => {
    log.scrollTop = 0;
  });
  const jump = page.locator('php-chat .jump');
  await expect(jump).toBeVisible();
  await seed(site, 'bob', 'board', ['news']);
  await expect.poll(() => unreadIn(alice, 'board')).toBe(1);
  await page.setViewportSize({ width: 1280, height: 1000 });
  await expect(alice.message('news')).toBeInViewport({ ratio: 1 });
  // The reader did not scroll.
  expect(await timeline.evaluate((log) => log.scrollTop)).toBe(0);
  await expect(jump).toHaveCount(0);
  await expect.poll(() => unreadIn(alice, 'board')).toBe(0);
});

test('shows what to look at first in a room with many unread messages', async ({ alice, site }) => {
  await alice.open('unseen');
  await seed(site, 'bob', 'unseen', ['before']);
  await expect(alice.message('before')).toBeInViewport();
  await alice.open('lobby');
  await seed(site, 'carol', 'unseen', [...numbered(120, 'unseen'), 'Who has the key?', 'Is anybody there?']);
  await asUser(site, 'carol', async (ask) => {
    const { room } = await ask('room:join', { room: 'unseen' });
    const reply = { room: 'unseen', clientId: 'reply', text: 'Yes, me', replyTo: room.lastSeq };
    await ask('message:send', reply);
    const mentions = [{ user: '1', start: 0, length: 6 }];
    await ask('message:send', { room: 'unseen', clientId: 'named', text: '@Alice please look', mentions });
    const poll = { options: ['Soup', 'Salad'] };
    await ask('message:send', { room: 'unseen', clientId: 'poll', text: 'Lunch', poll });
  });
  await expect.poll(() => unreadIn(alice, 'unseen')).toBeGreaterThan(99);
  await alice.open('unseen');
  const bar = alice.page.getByRole('region', { name: 'Catch up' });
  await expect(bar.getByRole('button')).toHaveText([
    'Mentions you · Carol' + '@Alice please look',
    'New poll · Carol' + 'Lunch',
    'No replies yet · Carol' + 'Who has the key?',
    '',
  ]);
  // The bar does not push the New line out of sight.
  await expect(alice.page.getByRole('separator', { name: 'New' })).toBeInViewport();
  expect(await faultsIn(alice.page)).toEqual([]);
  await alice.shot('catch-up');
  // In a narrow window, a mouse wheel reaches the last messages.
  await alice.page.setViewportSize({ width: 700, height: 800 });
  const last = bar.getByRole('listitem').last();
  await expect(last).not.toBeInViewport({ ratio: 1 });
  await bar.getByRole('listitem').first().hover();
  await alice.page.mouse.wheel(0, 500);
  await expect(last).toBeInViewport({ ratio: 1 });
  await alice.page.setViewportSize({ width: 1280, height: 800 });
  await bar.getByRole('button', { name: 'Who has the key?' }).click();
  await expect(alice.message('Who has the key?')).toBeInViewport();
  await asUser(site, 'carol', async (ask) => {
    const { messages } = await ask('message:history', { room: 'unseen', limit: 10 });
    const question = messages.find(({ text }) => text === 'Who has the key?');
    await ask('room:join', { room: 'unseen' });
    await ask('message:delete', { room: 'unseen', seq: question?.seq ?? 0 });
  });
  await expect(bar.getByRole('button')).toHaveCount(3);
  await bar.getByRole('button', { name: 'Hide' }).click();
  await expect(bar).toBeHidden();
});

/** The unread count in the list of rooms. */
async function unreadIn({ page }: Person, room: string): Promise<number> {
  const name = new RegExp(`^${room}\\b`);
  const words = await page
    .getByRole('navigation', { name: 'Rooms' })
    .getByRole('button', { name })
    .textContent();
  return Number.parseInt(/(\d+) unread/.exec(words ?? '')?.[1] ?? '0', 10);
}

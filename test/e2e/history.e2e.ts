import sharp from 'sharp';
import { soak } from '../guarantees/size.ts';
import { upload } from '../helpers/files.ts';
import { wav } from '../helpers/media.ts';
import { asUser, privateRoom } from './as-user.ts';
import { expect, type Person, stored, test } from './fixtures.ts';
import { numbered, seed } from './seed.ts';

test('a reload shows the history, in order and once', { tag: '@soak' }, async ({ alice, bob }) => {
  await alice.open('reload');
  await bob.open('reload');
  await alice.write('first');
  await expect(bob.message('first')).toBeVisible();
  await bob.write('second');
  await expect(alice.message('second')).toBeVisible();
  await alice.write('third');
  await expect(alice.page.getByText(stored)).toBeVisible();

  await alice.page.reload();
  await expect(alice.texts).toHaveText(['first', 'second', 'third']);
  await expect(alice.page.getByText(stored)).toHaveCount(1);
  await alice.shot('reload');
});

test('older messages come when scrolling up, and the place stays', async ({ alice, site }) => {
  const texts = numbered(420);
  await seed(site, 'carol', 'history', texts);
  await alice.open('history');
  await expect(alice.texts).toHaveText(texts.slice(-50));
  await expect(alice.messages.last()).toBeInViewport();

  // A page at a time, up to the start; never more than 200 elements.
  const first = alice.message('message 1');
  await expect(async () => {
    await alice.timeline.evaluate((log) => {
      log.scrollTop = 0;
    });
    expect(await alice.messages.count()).toBeLessThanOrEqual(200);
    await expect(first).toBeInViewport({ timeout: 50 });
  }).toPass({ intervals: [20] });
  await expect(alice.page.getByText('This is the start of history.')).toBeVisible();
  await alice.shot('history-1-start');

  // New messages move nothing and are counted by the pill.
  const before = await first.boundingBox();
  await seed(site, 'bob', 'history', ['while reading', 'and again']);
  const pill = alice.page.getByRole('button', { name: '2 new messages' });
  await expect(pill).toBeVisible();
  expect(await first.boundingBox()).toEqual(before);
  await alice.shot('history-2-pill');
  await pill.click();
  await expect(alice.message('and again')).toBeInViewport();
  await expect(pill).toBeHidden();
  expect(await alice.messages.count()).toBeLessThanOrEqual(200);
});

test('reading back, pictures and voices come in above: nothing moves by itself, and few messages are on the page', {
  tag: '@soak',
}, async ({ alice, site }) => {
  const room = await privateRoom(site, 'carol', 'album', ['1']);
  const cookie = `PHPSESSID=${await site.login('carol')}`;
  const headers = { origin: site.php.url };
  const create = { background: { r: 90, g: 120, b: 90 }, width: 400, height: 300, channels: 3 as const };
  const picture = await sharp({ create }).png().toBuffer();
  const add = async (bytes: Buffer, name: string, peaks?: string) =>
    (await upload(site.chat.url, cookie, bytes, { room, name, headers, ...(peaks && { peaks }) })).file.id;
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
  const found = await alice.timeline.evaluate(async (log) => {
    const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
    const top = log.getBoundingClientRect().top;
    const step = 300;
    let [most, moved] = [0, 0];
    for (let n = 0; n < 1000 && log.querySelector('.start') === null; n++) {
      const seen = [...log.querySelectorAll('article')].find((one) => one.getBoundingClientRect().top >= top);
      const before = seen?.getBoundingClientRect().top ?? 0;
      const way = Math.min(step, log.scrollTop);
      log.scrollTop -= way;
      // Long enough for a page and its pictures to come.
      for (let frames = 0; frames < 6; frames++) {
        await frame();
        const now = seen?.getBoundingClientRect().top ?? 0;
        if (seen?.isConnected) moved = Math.max(moved, Math.abs(now - before - way));
      }
      most = Math.max(most, log.querySelectorAll('article').length);
    }
    return { most, moved };
  });
  expect(found.most).toBeLessThanOrEqual(200);
  // Browsers may round a scroll position.
  expect(found.moved).toBeLessThanOrEqual(1);
  await expect(alice.page.getByText('This is the start of album.')).toBeAttached();
});

test('a reply shows what it answers, and leads there', { tag: '@soak' }, async ({ alice, site }) => {
  await seed(site, 'carol', 'replies', numbered(120, 'point'));
  await seed(site, 'bob', 'replies', [{ text: 'an answer', replyTo: 7 }]);
  await alice.open('replies');
  const quote = alice.messages.last().getByRole('button', { name: 'Reply to Carol' });
  await expect(quote).toHaveText(/point 7$/);
  // Not `message()`: the quotation has the same text.
  const original = alice.messages.filter({ has: alice.page.locator('.text', { hasText: /^point 7$/ }) });
  await expect(original).toHaveCount(0);
  await alice.shot('reply-1-quote');
  await quote.click();
  await expect(original).toBeInViewport();
  await expect(original).toBeFocused();
  await alice.shot('reply-2-jumped');
  const jump = alice.page.getByRole('button', { name: 'Jump to latest' });
  // It floats above the messages: without colours it needs an edge.
  await alice.page.emulateMedia({ forcedColors: 'active' });
  await expect(jump).toHaveCSS('border-top-style', 'solid');
  await alice.page.emulateMedia({ forcedColors: 'none' });
  await jump.click();
  await expect(alice.message('an answer')).toBeInViewport();
});

test('a room opens where the unread messages begin, however many they are, and the pill counts them', {
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
    const pill = alice.page.getByRole('button', { name: /^\d+ unread messages$/ });
    const counted = async () => Number.parseInt((await pill.textContent()) ?? '', 10);
    // Changes of a room that is not open are sent once a second.
    await expect.poll(counted).toBeGreaterThan(unread - 30);
    const first = await counted();
    expect(first).toBeLessThan(unread);
    await alice.timeline.evaluate((log) => log.scrollBy(0, 400));
    await expect.poll(counted).toBeLessThan(first);
    // Forwards, until the live end is reached.
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

/** The number in the list of rooms. */
async function unreadIn({ page }: Person, room: string): Promise<number> {
  const name = new RegExp(`^${room}\\b`);
  const words = await page
    .getByRole('navigation', { name: 'Rooms' })
    .getByRole('button', { name })
    .textContent();
  return Number.parseInt(/(\d+) unread/.exec(words ?? '')?.[1] ?? '0', 10);
}

test('messages of an erased user show a deleted user at once, in the reader’s language; typed text stays', {
  tag: '@soak',
}, async ({ alice, site }) => {
  const headers = { authorization: `Bearer ${site.apiKey}`, 'content-type': 'application/json' };
  const post = (text: string, clientId: string) =>
    fetch(`${site.chat.url}/api/rooms/erased/messages`, {
      method: 'POST',
      headers,
      body: JSON.stringify({ user: { id: 'gone-soon', name: 'Zoe Gone' }, text, clientId }),
    });
  await asUser(site, 'bob', (ask) => ask('room:join', { room: 'erased' }));
  await alice.open('erased');
  await alice.page.evaluate(() => document.querySelector('php-chat')?.setAttribute('lang', 'fr'));
  await expect(alice.timeline).toHaveAccessibleName('Messages de erased');
  // The live region comes with the people, after the messages.
  await expect(alice.page.locator('php-chat .side')).toBeVisible();
  expect((await post('I was here.', 'erased-1')).status).toBe(201);
  await expect(alice.page.getByRole('status').filter({ hasText: /^Zoe Gone.*I was here\.$/ })).toBeAttached();
  const by = alice.timeline.locator('.group:has(article) .by bdi').last();
  await expect(by).toHaveText('Zoe Gone');
  const row = alice.page.locator('php-chat .room.two[aria-current]');
  await expect(row).toContainText('Zoe Gone');
  const field = alice.page.locator('php-chat textarea').first();
  const strip = alice.page.locator('php-chat .context');
  await alice.messages.last().focus();
  await alice.page.keyboard.press('r');
  await expect(strip).toContainText('Zoe Gone · I was here.');
  const menu = alice.page.getByRole('menu');
  await alice.messages.last().focus();
  await alice.page.keyboard.press('Enter');
  await menu.getByRole('menuitem', { name: 'Mentionner Zoe Gone' }).click();
  await alice.page.keyboard.type('@Bo');
  await expect(alice.page.getByRole('option', { selected: true })).toHaveText(/Bob/);
  await alice.page.keyboard.press('Enter');
  await expect(field).toHaveValue('@Zoe Gone @Bob ');
  // The name can be removed and added again.
  await field.fill('not yet');
  const kept = () => alice.page.evaluate(() => JSON.stringify(localStorage));
  expect(await kept()).toContain('gone-soon');
  const answer = await fetch(`${site.chat.url}/api/users/gone-soon`, { method: 'DELETE', headers });
  expect(answer.status).toBe(202);
  await expect(by).toHaveText('Utilisateur supprimé');
  const picture = alice.timeline.locator('.group:has(article) > .avatar').last();
  await expect(picture).toHaveText('');
  await expect(picture.locator('path')).toHaveAttribute('d', /\d/);
  await expect(row).toContainText('Utilisateur supprimé');
  await expect(alice.texts.last()).toHaveText('I was here.');
  await expect(field).toHaveValue('not yet');
  await expect(strip).toContainText('Utilisateur supprimé · I was here.');
  const chat = alice.page.locator('php-chat');
  expect(await chat.evaluate(({ shadowRoot }) => shadowRoot?.textContent)).not.toContain('Zoe Gone');
  await expect.poll(kept).not.toMatch(/Zoe Gone|gone-soon/);
  expect(await kept()).toContain('@Bob');
  await alice.messages.last().focus();
  await alice.page.keyboard.press('Enter');
  await expect(menu).toContainText('Répondre');
  await expect(menu).not.toContainText('Mentionner');
});

test('a direct room with an erased user says in the reader’s language who that was, and that nobody writes there', {
  tag: '@soak',
}, async ({ alice, site }) => {
  await asUser(site, 'carol', async (ask) => {
    const { room } = await ask('direct:open', { user: '1' });
    await ask('room:join', { room: room.id });
    await ask('message:send', { room: room.id, text: 'farewell', clientId: 'farewell-1' });
  });
  await alice.open('Carol');
  const headers = { authorization: `Bearer ${site.apiKey}` };
  expect((await fetch(`${site.chat.url}/api/users/3`, { method: 'DELETE', headers })).status).toBe(202);
  const chat = alice.page.locator('php-chat');
  const faces: string[] = [];
  await alice.page.context().route('**/faces/*', async (route) => {
    faces.push(new URL(route.request().url()).pathname);
    await route.fulfill({ status: 404 });
  });
  await chat.evaluate((element) => {
    element.setAttribute('avatar-url', '/faces/{id}');
    element.setAttribute('lang', 'fr');
  });
  await expect(alice.page.getByRole('region', { name: 'Utilisateur supprimé' })).toBeVisible();
  await expect(alice.timeline).toContainText('farewell');
  await expect(alice.timeline).toHaveAccessibleName('Messages de Utilisateur supprimé');
  await expect(chat.getByRole('note')).toHaveText('Vous ne pouvez pas écrire à Utilisateur supprimé ici.');
  // The author of the message is erased in a separate stage.
  await expect
    .poll(() => chat.evaluate((element) => element.shadowRoot?.textContent))
    .not.toMatch(/Deleted user|Carol/);
  await expect.poll(() => faces).toContain('/faces/1');
  expect(faces).not.toContain('/faces/0');
});

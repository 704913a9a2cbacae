import type { Page } from '@playwright/test';
import sharp from 'sharp';
import { type Uploaded, upload } from '../helpers/files.ts';
import { asUser, privateRoom } from './as-user.ts';
import { faultsIn } from './axe.ts';
import { examined, expect, type Person, type Site, test } from './fixtures.ts';

/** Creates and opens a room with a message that has pictures, a file, a mention and reactions. */
async function richRoom(site: Site, alice: Person, name: string): Promise<void> {
  const room = await privateRoom(site, 'alice', name, ['2', '3']);
  const cookie = `PHPSESSID=${await site.login('bob')}`;
  const color = { create: { width: 400, height: 300, channels: 3, background: '#7aa' } } as const;
  const files = await Promise.all(
    [
      { name: 'noon.png', body: await sharp(color).png().toBuffer() },
      { name: 'shed.png', body: await sharp(color).png().toBuffer() },
      { name: `${'a-long-name-of-a-plan-'.repeat(4)}.pdf`, body: Buffer.from('%PDF-1.7\n') },
    ].map(async ({ name, body }) => {
      const headers = { origin: new URL(site.php.url).origin };
      let answer: Uploaded;
      // While the machine is busy, the server may ask for a repetition.
      do answer = await upload(site.chat.url, cookie, body, { room, name, headers });
      while (answer.code === 'rate_limited');
      return { id: answer.file.id };
    }),
  );
  await asUser(site, 'bob', async (ask) => {
    await ask('room:join', { room });
    const mentions = [{ user: '1', start: 0, length: 6 }];
    const text = '@Alice, **this** morning, `code` and\n> a quotation\n- one\n- two';
    await ask('message:send', { room, text, mentions, files, clientId: 'all-of-it' });
  });
  // A user can be the first to use four.
  const reactions = { bob: ['👍', '❤️', '😂', '😮'], carol: ['😢', '🎉', '🙏', '✅'] };
  for (const [user, emojis] of Object.entries(reactions))
    await asUser(site, user, async (ask) => {
      await ask('room:join', { room });
      for (const emoji of emojis) await ask('message:react', { room, seq: 1, emoji, on: true });
    });
  await alice.open(name);
  await expect(alice.messages.last().locator('.imgs img')).toHaveCount(2, examined);
}

/** The violations that axe finds, one per line. */
async function violations(page: Page): Promise<string[]> {
  return (await faultsIn(page)).map(
    ({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 80)).join(' ')}`,
  );
}

test('keeps rich messages and menus distinguishable in dark and forced colours', {
  tag: '@soak',
}, async ({ alice, site }) => {
  const { page } = alice;
  await richRoom(site, alice, 'contrast');
  // All text is aligned with its first line, except list bullets.
  const lefts = await alice.messages
    .last()
    .locator('.text:not(ul)')
    .evaluateAll((texts) =>
      texts.map((text) => {
        const { left } = text.getBoundingClientRect();
        const { paddingInlineStart, borderInlineStartWidth } = getComputedStyle(text);
        return borderInlineStartWidth === '0px' ? left + Number.parseFloat(paddingInlineStart) : left;
      }),
    );
  expect(new Set(lefts).size).toBe(1);
  const bordered = (part: string) =>
    expect(page.locator(`php-chat ${part}`).first()).toHaveCSS('border-top-style', 'solid');
  await page.emulateMedia({ colorScheme: 'dark' });
  expect(await violations(page)).toEqual([]);
  await page.emulateMedia({ forcedColors: 'active' });
  await alice.messages.last().getByRole('button', { name: '👍 1' }).click();
  const pressed = alice.messages.last().getByRole('button', { name: '👍 2' });
  await expect(pressed).toHaveCSS('outline-style', 'solid');
  for (const part of ['.react', '.doc', '.field']) await bordered(part);
  await expect(page.locator('php-chat .mention')).toHaveCSS('text-decoration-line', 'underline');
  await alice.field.pressSequentially('@');
  await bordered('.suggest');
  await expect(page.getByRole('option', { selected: true })).toHaveCSS('outline-style', 'solid');
  await alice.shot('rich-forced-colours');
  await alice.field.fill('selected');
  await alice.field.selectText();
  await bordered('.fmt');
  await alice.messages.last().focus();
  await page.keyboard.press('+');
  await bordered('.menu');
  await page.getByRole('menuitem', { name: 'More emoji' }).click();
  await bordered('.emojis');
  await page.keyboard.press('Escape');
  await page.emulateMedia({ forcedColors: 'none', colorScheme: 'light' });
});

import type { Locator } from '@playwright/test';
import { privateRoom } from './as-user.ts';
import { faultsIn } from './axe.ts';
import { expect, test } from './fixtures.ts';
import { numbered, seed } from './seed.ts';

test('replies are counted under the message, read and written beside the room, and followed', {
  tag: '@soak',
}, async ({ alice, bob, site }) => {
  const room = await privateRoom(site, 'alice', 'shed', ['2']);
  await seed(site, 'alice', room, ['Who has the key to the tool shed on Saturday?']);
  await seed(site, 'bob', room, [{ text: 'Me. On the hook by the door.', replyTo: 1 }]);
  await alice.open('shed');
  await bob.open('shed');
  const { page } = bob;
  const line = bob.timeline.locator('.replies button');
  const panel = page.getByRole('complementary', { name: 'Replies' });
  const talk = panel.getByRole('log', { name: /^Replies to Alice/ });
  await expect(line).toHaveText(/^.?1 reply\d\d:\d\d$/);

  // By the line, and back to it.
  await line.click();
  await expect(line).toHaveAttribute('aria-expanded', 'true');
  await expect(talk.getByRole('article')).toHaveCount(2);
  await expect(talk.getByRole('separator', { name: '1 reply' })).toBeVisible();
  await expect(talk.locator('.quote')).toHaveCount(0);
  const field = panel.getByRole('textbox', { name: /^Reply to Alice/ });
  await expect(field).toBeFocused();
  // A draft of its own, kept while it is closed.
  await field.fill('Could you open at half past six?');
  await page.keyboard.press('Escape');
  await expect(panel).toHaveCount(0);
  await expect(line).toBeFocused();
  await expect(bob.field).toHaveValue('');

  // By its key, from a reply as well.
  await bob.message('Me. On the hook by the door.').focus();
  await page.keyboard.press('t');
  await expect(field).toHaveValue('Could you open at half past six?');
  await field.press('Enter');
  await expect(talk.getByRole('article').last()).toContainText('Could you open at half past six?');
  await expect(talk.getByRole('separator', { name: '2 replies' })).toBeVisible();
  await expect(alice.timeline.locator('.replies button')).toContainText('2 replies');
  // In the flow it has its quote.
  const flown = alice.message('Could you open at half past six?');
  await expect(flown.locator('.quote')).toContainText('tool shed');
  // A file that is chosen, let go over the field, or pasted there, goes with the reply and not with the room's draft.
  const chooser = page.waitForEvent('filechooser');
  await panel.getByRole('button', { name: 'Attach files' }).click();
  const chosen = { name: 'lock.txt', mimeType: 'text/plain', buffer: Buffer.from('words') };
  await (await chooser).setFiles([chosen]);
  for (const [type, name] of [
    ['drop', 'key.txt'],
    ['paste', 'map.txt'],
  ] as const)
    await field.evaluate(
      (element, [type, name]) => {
        const data = new DataTransfer();
        data.items.add(new File(['words'], name, { type: 'text/plain' }));
        const how = { bubbles: true, composed: true, cancelable: true };
        if (type === 'paste')
          return element.dispatchEvent(new ClipboardEvent(type, { ...how, clipboardData: data }));
        // Chromium ignores the setter outside a real drag.
        Object.defineProperty(data, 'dropEffect', { value: 'copy', writable: true });
        const over = new DragEvent('dragover', { ...how, dataTransfer: data });
        element.dispatchEvent(over);
        // A browser drops nothing where the page takes nothing.
        if (over.dataTransfer?.dropEffect !== 'none')
          element.dispatchEvent(new DragEvent(type, { ...how, dataTransfer: data }));
      },
      [type, name] as const,
    );
  await expect(page.getByRole('group', { name: 'Attachments' })).toHaveCount(1);
  await expect(panel.getByRole('group', { name: 'Attachments' }).locator('.att')).toHaveCount(3);
  await page.keyboard.press('Escape');
  await line.click();
  await expect(panel.getByRole('group', { name: 'Attachments' }).locator('.att')).toHaveCount(3);
  await field.fill('With a map');
  await field.press('Enter');
  await expect(panel.getByRole('group', { name: 'Attachments' })).toHaveCount(0);
  await expect(alice.timeline.locator('.replies button')).toContainText('3 replies');
  await expect(alice.message('With a map')).toContainText('key.txt');
  await expect(alice.message('With a map')).toContainText('map.txt');
  await expect(alice.message('With a map')).toContainText('lock.txt');
  // To another one, if Reply was pressed there: its quote stays.
  await talk.getByRole('article').nth(1).focus();
  await page.keyboard.press('r');
  await field.fill('Thanks!');
  await field.press('Enter');
  await expect(talk.locator('.quote')).toHaveText(/On the hook/);
  await expect(alice.timeline.locator('.replies button')).toContainText('4 replies');
  expect(await faultsIn(page, '.talk')).toEqual([]);
  await bob.shot('replies-1-panel');

  const bell = panel.getByRole('button', { name: 'Notify me about replies' });
  await expect(bell).toHaveAttribute('aria-pressed', 'true');
  await bell.click();
  await expect(bell).toHaveAttribute('aria-pressed', 'false');

  // A search takes the place of the panel.
  await page.getByRole('button', { name: 'Search messages' }).first().click();
  await expect(panel).toHaveCount(0);
  await page.keyboard.press('Escape');
  await line.click();
  // A deleted first message is outlined, and its replies stay.
  await alice.messages.first().focus();
  await alice.page.keyboard.press('Delete');
  await alice.page.getByRole('alertdialog').getByRole('button', { name: 'Delete' }).click();
  await expect(talk.getByRole('article').first()).toContainText('deleted');
  await expect(talk.getByRole('article')).toHaveCount(5);

  for (const [width, name] of [
    [800, 'above'],
    [360, 'phone'],
  ] as const) {
    await page.setViewportSize({ width, height: 640 });
    const box = await panel.boundingBox();
    expect(box?.width).toBe(360);
    expect(Number(box?.x) + Number(box?.width)).toBe(width);
    expect(await faultsIn(page, '.talk')).toEqual([]);
    await bob.shot(`replies-2-${name}`);
  }
  await page.locator('html').evaluate((html) => html.setAttribute('dir', 'rtl'));
  expect((await panel.boundingBox())?.x).toBe(0);
  await bob.shot('replies-3-rtl');
  await panel.getByRole('button', { name: 'Back to shed' }).click();
  await expect(panel).toHaveCount(0);
});

test('a thread of 1,000 in a large room: at most 200 messages are on the page, to its beginning and back', {
  tag: '@soak',
}, async ({ alice, site }) => {
  const room = await privateRoom(site, 'alice', 'large', ['2']);
  await seed(site, 'bob', room, ['The question']);
  const replies = numbered(1000, 'reply').map((text) => ({ text, replyTo: 1 }));
  await seed(site, 'bob', room, replies);
  await seed(site, 'alice', room, ['done']);
  await alice.open('large');
  await alice.message('reply 1000').focus();
  await alice.page.keyboard.press('t');
  const panel = alice.page.getByRole('complementary', { name: 'Replies' });
  const messages = panel.getByRole('article');
  await expect(messages.last()).toContainText('reply 1000');
  const log = panel.getByRole('log');
  let most = 0;
  // Where one reads on, nothing that is read moves away.
  await expect(async () => {
    await log.evaluate((element) => {
      element.scrollTop = 0;
    });
    most = Math.max(most, await messages.count());
    await expect(messages.first()).toContainText('The question', { timeout: 200 });
  }).toPass({ timeout: 60_000, intervals: [50] });
  await expect(panel.getByRole('separator', { name: '1,000 replies' })).toBeVisible();
  expect(most).toBeLessThanOrEqual(200);
  expect(await alice.messages.count()).toBeLessThanOrEqual(400);
  await alice.shot('replies-4-long');
});

test('the menu of a reply does not offer the panel that it stands in', { tag: '@soak' }, async ({
  bob,
  site,
}) => {
  const { page } = bob;
  const room = await privateRoom(site, 'alice', 'attic', ['2']);
  await seed(site, 'alice', room, ['Who has the ladder?']);
  await seed(site, 'bob', room, [{ text: 'It is in the hall.', replyTo: 1 }]);
  await bob.open('attic');
  const menuOf = async (within: Locator) => {
    await within.getByRole('article').last().focus();
    await page.keyboard.press('Enter');
    await expect(page.getByRole('menuitem', { name: 'Forward' })).toBeVisible();
  };
  const offered = page.getByRole('menuitem', { name: 'Open replies' });
  await menuOf(bob.timeline);
  await offered.click();
  const panel = page.getByRole('complementary', { name: 'Replies' });
  await menuOf(panel);
  await expect(offered).toHaveCount(0);
});

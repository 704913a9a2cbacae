import { privateRoom } from './as-user.ts';
import { faultsIn } from './axe.ts';
import { expect, test } from './fixtures.ts';

test('a person chosen from the list is mentioned; a name typed by hand mentions nobody', async ({
  alice,
  bob,
  site,
}) => {
  await privateRoom(site, 'alice', 'market', ['2']);
  await alice.open('market');
  await bob.open('market');
  const list = alice.page.getByRole('listbox', { name: 'People to mention' });
  const mention = (person: typeof alice) => person.messages.last().locator('.mention');

  await alice.field.focus();
  await alice.page.keyboard.type('mail a@b and @');
  await expect(list.getByRole('option')).toHaveText([/Bob/, /@room.*all 2 members/]);
  await expect(list.getByRole('option', { selected: true })).toHaveText(/Bob/);
  await expect(alice.field).toBeFocused();
  expect(await faultsIn(alice.page)).toEqual([]);
  // Within the narrowest element, from right to left too.
  const chat = alice.page.locator('php-chat');
  await chat.evaluate((element) => element.setAttribute('style', 'inline-size: 280px; direction: rtl'));
  const [inner, outer] = [await list.boundingBox(), await chat.boundingBox()];
  if (inner === null || outer === null) throw new Error('the list is gone');
  expect(inner.x).toBeGreaterThanOrEqual(outer.x);
  expect(inner.x + inner.width).toBeLessThanOrEqual(outer.x + outer.width);
  await chat.evaluate((element) => element.removeAttribute('style'));
  await alice.page.keyboard.press('ArrowDown');
  await expect(list.getByRole('option', { selected: true })).toHaveText(/@room/);
  // After it was closed by hand, it does not open again for the same character.
  await alice.page.keyboard.press('Escape');
  await expect(list).toHaveCount(0);
  await alice.page.keyboard.type('b');
  await expect(list).toHaveCount(0);
  await alice.field.fill('');

  await alice.page.keyboard.type('👋🏽 @o');
  await expect(list.getByRole('option')).toHaveText([/Bob/]);
  // It stays open while somebody leaves, so that a key pressed then still chooses.
  const stays = await list.evaluateHandle((element) => {
    const removed: Node[] = [];
    new MutationObserver((changes) => {
      for (const { removedNodes } of changes) removed.push(...removedNodes);
    }).observe(element.getRootNode(), { childList: true, subtree: true });
    return () => !removed.includes(element);
  });
  await bob.page.goto('about:blank');
  await expect(alice.page.getByRole('button', { name: /: 1$/ })).toBeVisible();
  await alice.page.keyboard.type('b');
  await expect(list.getByRole('option')).toHaveText([/Bob/]);
  expect(await stays.evaluate((isOpen) => isOpen())).toBe(true);
  await bob.page.goBack();
  await bob.open('market');
  await alice.page.keyboard.press('Enter');
  await expect(alice.field).toHaveValue('👋🏽 @Bob ');
  await alice.page.keyboard.type('has **the** plan');
  await alice.page.keyboard.press('Enter');
  await expect(mention(alice)).toHaveText('@Bob');
  await expect(mention(alice)).not.toHaveClass(/you/);
  await expect(mention(bob)).toHaveClass('mention you');
  await expect(bob.messages.last()).toHaveClass(/tome/);
  await expect(bob.messages.last()).toContainText(/@Bob has the plan/);
  await expect(bob.page.getByRole('alert').filter({ hasText: 'Alice mentioned you' })).toBeAttached();

  await alice.page.keyboard.type('@Bob by hand');
  await alice.page.keyboard.press('Escape');
  await alice.page.keyboard.press('Enter');
  await expect(bob.messages.last()).toContainText(/by hand/);
  await expect(mention(bob)).toHaveCount(0);

  // From the menu of a message: at the caret, and separated from the text there.
  await bob.field.fill('Right');
  await bob.messages.last().focus();
  await bob.page.keyboard.press('Enter');
  await bob.page.getByRole('menuitem', { name: 'Mention Alice' }).click();
  await expect(bob.field).toHaveValue('Right @Alice ');
  await expect(bob.field).toBeFocused();
  await bob.page.keyboard.press('Enter');
  await expect(mention(alice)).toHaveClass('mention you');

  // An edit keeps the people who are still named.
  await alice.messages.first().focus();
  await alice.page.keyboard.press('e');
  await alice.page.locator('php-chat textarea').fill('Today @Bob has it');
  await alice.page.keyboard.press('Enter');
  await expect(bob.messages.first().locator('.mention')).toHaveText('@Bob');
  await expect(bob.messages.first()).toContainText(/Today @Bob has it/);
});

test('the room list shows where one is mentioned, until it is read', { tag: '@soak' }, async ({
  alice,
  bob,
  site,
}) => {
  await privateRoom(site, 'alice', 'spring', ['2']);
  await alice.open('spring');
  await bob.open('lobby');
  await alice.field.focus();
  await alice.page.keyboard.type('@Bob');
  await expect(alice.page.getByRole('option', { selected: true })).toHaveText(/Bob/);
  await alice.page.keyboard.press('Tab');
  await alice.page.keyboard.type('look');
  await alice.page.keyboard.press('Enter');
  const row = bob.page.getByRole('navigation', { name: 'Rooms' }).getByRole('button', { name: /spring/ });
  await expect(row).toHaveAccessibleName(/1 unread, you were mentioned/);
  await expect(row.locator('.badge.at')).toHaveText('@');
  // It stands in the middle of its circle.
  const aside = await row.locator('.badge.at').evaluate((badge) => {
    const words = new Range();
    words.selectNodeContents(badge);
    const [sign, circle] = [words, badge].map((one) => one.getBoundingClientRect());
    return sign && circle && sign.left + sign.right - circle.left - circle.right;
  });
  expect(aside).toBeCloseTo(0, 0);
  await row.click();
  await expect(row).not.toHaveAccessibleName(/you were mentioned/);
});

test('beside the way to the newest message, one leads to the next that mentions the reader', {
  tag: '@soak',
}, async ({ alice, bob, site }) => {
  await privateRoom(site, 'alice', 'stalls', ['2']);
  await alice.open('stalls');
  await alice.write('The first.');
  await bob.open('stalls');
  const say = (n: number) => alice.write(`${n} ${'long '.repeat(150)}`);
  for (let n = 0; n < 4; n++) await say(n);
  await expect(bob.messages).toHaveCount(5);
  await bob.message('The first.').scrollIntoViewIfNeeded();
  await alice.field.focus();
  await alice.page.keyboard.type('@Bob');
  await expect(alice.page.getByRole('option', { selected: true })).toHaveText(/Bob/);
  await alice.page.keyboard.press('Enter');
  await alice.page.keyboard.type('stall 12 is free');
  await alice.page.keyboard.press('Enter');
  await expect(alice.messages).toHaveCount(6);
  for (let n = 4; n < 8; n++) await say(n);
  await expect(bob.messages).toHaveCount(10);
  // The list of rooms shows it too, until everything is read.
  const row = bob.page.getByRole('navigation', { name: 'Rooms' }).getByRole('button', { name: /stalls/ });
  await expect(row).toHaveAccessibleName(/unread, you were mentioned/);
  const at = bob.page.getByRole('button', { name: 'you were mentioned', exact: true });
  // They stand side by side however wide the room is.
  const gap = async () => {
    const pill = await bob.page.locator('php-chat .composer .jump').boundingBox();
    return Math.round(((await at.boundingBox())?.x ?? 0) - ((pill?.x ?? 0) + (pill?.width ?? 0)));
  };
  await expect.poll(gap).toBe(6);
  await bob.page.getByRole('button', { name: 'Close people' }).click();
  await expect(bob.page.getByRole('complementary', { name: 'People' })).toHaveCount(0);
  await expect.poll(gap).toBe(6);
  await at.click();
  await expect(bob.messages.nth(5)).toBeInViewport();
  await expect(bob.messages.nth(5)).toBeFocused();
  await expect(at).toHaveCount(0);
  await bob.page.getByRole('button', { name: /new messages|Jump to latest/ }).click();
  await expect(row).not.toHaveAccessibleName(/you were mentioned/);
});

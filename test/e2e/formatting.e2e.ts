import { expect, test } from './fixtures.ts';
import { seed } from './seed.ts';

test('code is shown as it was written, and scrolls in a box of its own', async ({ alice, site }) => {
  const wide = `$_SESSION['user_id'] = ${'4'.repeat(300)};`;
  await alice.open('board');
  await seed(site, 'bob', 'board', [
    `Call \`session_start()\` first:\n\`\`\`php\n<?php\n    ${wide}\n\`\`\`\nDocs: www.php.example/session or help@orchard.example.`,
  ]);
  const message = alice.messages.last();
  await expect(message.locator('.text code')).toHaveText('session_start()');
  const block = message.locator('pre');
  expect(await block.textContent()).toBe(`<?php\n    ${wide}`);
  await expect(message.getByRole('link', { name: 'www.php.example/session' })).toHaveAttribute(
    'href',
    'https://www.php.example/session',
  );
  await expect(message.getByRole('link', { name: 'help@orchard.example' })).toHaveAttribute(
    'href',
    'mailto:help@orchard.example',
  );
  const [box, around] = await Promise.all([block.boundingBox(), message.locator('.bubble').boundingBox()]);
  expect(Number(box?.x) + Number(box?.width)).toBeLessThanOrEqual(Number(around?.x) + Number(around?.width));
  // By keyboard alone, too.
  await block.focus();
  await alice.page.keyboard.press('ArrowRight');
  await expect.poll(() => block.evaluate((pre) => pre.scrollLeft)).toBeGreaterThan(0);
});

test('bold, italic, quotations and lists', async ({ alice, site }) => {
  await alice.open('board');
  await seed(site, 'bob', 'board', [
    '**Bold**, _italic_ and `code`:\n- two *spades*\n- one rake\n> Quoted from elsewhere\n10. ten\n11. eleven\n**<b>HTML stays text</b>**',
  ]);
  const message = alice.messages.last();
  await expect(message.locator('strong')).toHaveText(['Bold', '<b>HTML stays text</b>']);
  await expect(message.locator('em')).toHaveText(['italic', 'spades']);
  await expect(message.locator('ul > li')).toHaveText(['two spades', 'one rake']);
  await expect(message.locator('.q')).toHaveText('Quoted from elsewhere');
  await expect(message.getByRole('listitem').last()).toHaveText('eleven');
  await expect(message.locator('ol')).toHaveAttribute('start', '10');
  // The announced text, and the line in the list of rooms, have no formatting characters.
  const said = 'Bold, italic and code:';
  await expect(message).toHaveAccessibleDescription(new RegExp(`${said} two spades`));
  await expect(alice.page.locator('.room', { hasText: 'board' }).locator('.last')).toContainText(said);
});

test('the selection is formatted by keys and by a bar, and lists continue by themselves', {
  tag: '@soak',
}, async ({ alice }) => {
  await alice.open('board');
  const { field, page } = alice;
  const bar = page.getByRole('toolbar', { name: 'Format' });
  await field.fill('bring two spades');
  await expect(bar).toBeHidden();
  await field.press('Shift+Home');
  await expect(bar).toBeVisible();
  await field.press('Control+b');
  await expect(field).toHaveValue('**bring two spades**');
  await field.press('Control+b');
  await expect(field).toHaveValue('bring two spades');
  const place = await Promise.all([bar.boundingBox(), field.boundingBox()]);
  expect(Number(place[0]?.y) + Number(place[0]?.height)).toBeLessThanOrEqual(Number(place[1]?.y));
  await bar.getByRole('button', { name: 'Italic' }).click();
  await bar.getByRole('button', { name: 'List' }).click();
  await expect(field).toHaveValue('- _bring two spades_');
  await field.press('Control+z');
  await expect(field).toHaveValue('_bring two spades_');
  await field.press('Control+Shift+z');
  await field.press('End');
  await expect(bar).toBeHidden();
  await field.press('Shift+Enter');
  await field.pressSequentially('one rake');
  await field.press('Shift+Enter');
  await field.press('Shift+Enter');
  await field.pressSequentially('thanks');
  await expect(field).toHaveValue('- _bring two spades_\n- one rake\nthanks');
  await field.press('Enter');
  const message = alice.messages.last();
  await expect(message.locator('li')).toHaveText(['bring two spades', 'one rake']);
  await expect(message.locator('em')).toHaveText('bring two spades');
  // An edit shows the typed text, once the message is stored.
  await expect(message).toHaveAttribute('aria-posinset', /\d/);
  await field.press('ArrowUp');
  await expect(page.getByRole('textbox', { name: 'Edit message' })).toHaveValue(
    '- _bring two spades_\n- one rake\nthanks',
  );
});

test('messages full of signs make few nodes; a long one shows all of its list when it is opened', {
  tag: '@soak',
}, async ({ alice, site }) => {
  await seed(
    site,
    'bob',
    'board',
    Array.from({ length: 12 }, () => '- a\n'.repeat(990)),
  );
  await alice.open('board');
  await expect(alice.messages).toHaveCount(12);
  const nodes = () =>
    alice.timeline.evaluate((log) => {
      const walker = document.createTreeWalker(log);
      let count = 0;
      while (walker.nextNode()) count++;
      return count;
    });
  expect(await nodes()).toBeLessThan(12 * 200);
  const last = alice.messages.last();
  await expect(last.locator('.cut li').first()).toHaveText('a');
  await last.getByRole('button', { name: 'Show more' }).click();
  await expect(last.locator('li')).toHaveCount(990);
  await last.getByRole('button', { name: 'Show less' }).click();
  expect(await nodes()).toBeLessThan(12 * 200);
});

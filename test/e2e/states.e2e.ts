import { expect, Person, test } from './fixtures.ts';
import { seed } from './seed.ts';

test('what becomes of one’s own messages: sending, sent, conflict, failed', async ({ alice, site }) => {
  await seed(site, 'alice', 'states', [{ text: 'the first words', clientId: 'used-before' }]);
  await alice.open('states');
  await expect(alice.message('the first words')).toBeVisible();

  site.chat.signal('SIGSTOP');
  try {
    await alice.write('slow');
    await expect(alice.message('slow').getByText('Sending…')).toBeVisible();
    await alice.shot('states-1-sending');
  } finally {
    site.chat.signal('SIGCONT');
  }
  await expect(alice.message('slow').getByText('Sent', { exact: true })).toBeVisible();

  // As an outbox may be found after a reload: an id that was used for other words, and one the server refuses.
  await alice.page.evaluate(() => {
    const key = Object.keys(localStorage).find((name) => name.endsWith('/room')) ?? '';
    for (const [clientId, text] of [
      ['used-before', 'other words'],
      ['not an id!', 'refused'],
    ]) {
      const item = { clientId, room: 'states', text, sentAt: Date.now() };
      localStorage.setItem(key.replace(/room$/, `out/${clientId}`), JSON.stringify(item));
    }
  });
  await alice.page.reload();
  await expect(alice.message('other words').getByText('Already sent with other text.')).toBeVisible();
  await expect(alice.message('refused').getByText('Not sent.')).toBeVisible();
  await alice.shot('states-2-refused');
  await alice.message('refused').getByRole('button', { name: 'Discard' }).click();
  await expect(alice.message('refused')).toHaveCount(0);
  await alice.message('other words').getByRole('button', { name: 'Send as new' }).click();
  await expect(alice.message('other words').getByText('Sent', { exact: true })).toBeVisible();
  await expect(alice.texts).toHaveText(['the first words', 'slow', 'other words']);
});

test('on a touch screen: a long press, a sheet, the way back to the rooms', async ({ browser, site }) => {
  await seed(site, 'bob', 'announcements', ['press me']);
  const context = await browser.newContext({
    viewport: { width: 390, height: 844 },
    hasTouch: true,
    isMobile: true,
  });
  const person = new Person(await context.newPage());
  const { page } = person;
  await page.goto(site.php.url);
  await page.getByLabel('User name').fill('carol');
  await page.getByLabel('Password').fill('carol');
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.getByRole('button', { name: /^Back to rooms/ }).tap();
  await page
    .getByRole('navigation', { name: 'Rooms' })
    .getByRole('button', { name: /^announcements/ })
    .tap();
  await expect(page.getByRole('heading', { name: 'announcements' })).toBeFocused();
  const box = await person.messages.last().getByText('press me').boundingBox();
  if (box === null) throw new Error('not on the page');
  const devtools = await context.newCDPSession(page);
  const touchPoints = [{ x: box.x + 5, y: box.y + 5 }];
  await devtools.send('Input.dispatchTouchEvent', { type: 'touchStart', touchPoints });
  await expect(page.getByRole('menuitem', { name: 'Reply' })).toBeVisible();
  await devtools.send('Input.dispatchTouchEvent', { type: 'touchEnd', touchPoints: [] });
  await person.shot('touch-1-sheet');
  await page.getByRole('menuitem', { name: 'Reply' }).tap();
  await expect(page.getByText('Reply to Bob · press me')).toBeVisible();
  await page.keyboard.type('one');
  await page.keyboard.press('Enter');
  await expect(person.field).toHaveValue('one\n');
  await person.shot('touch-2-reply');
  await page.getByRole('button', { name: 'Send' }).tap();
  await expect(person.field).toHaveValue('');
  await context.close();
});

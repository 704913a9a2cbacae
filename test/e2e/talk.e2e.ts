import { expect, Person, test } from './fixtures.ts';

test('two people log in with PHP and talk both ways', async ({ browser, site }) => {
  const [alice, bob] = [new Person(await browser.newPage()), new Person(await browser.newPage())];
  await alice.login(site.php.chatPage, 'alice');
  await bob.login(site.php.chatPage, 'bob');
  await alice.open('talk');
  await bob.open('talk');
  const middle = (selector: string) =>
    alice.page.locator(`php-chat ${selector}`).evaluate((element) => {
      const { left, right } = element.getBoundingClientRect();
      return (left + right) / 2;
    });
  expect(await middle('.column .empty')).toBeCloseTo(await middle('.timeline'), 0);
  // It has moved from the bottom of the list to its top.
  const rooms = alice.page.getByRole('navigation', { name: 'Rooms' });
  await expect(rooms.getByRole('button', { name: /^talk\b/ })).toBeInViewport();
  await alice.shot('talk-1-empty');
  const texts = [
    '我十点到，带两箱育苗盆。',
    '👍',
    '<script>alert(1)</script><img src=x onerror=alert(2)>',
    `long ${'word '.repeat(799)}`,
    'See https://weather.example/orchard-lane, not javascript:alert(3)',
    'two\nlines',
  ];
  for (const [index, text] of texts.entries()) {
    const [from, to] = index % 2 === 0 ? [alice, bob] : [bob, alice];
    await from.write(text);
    await expect(to.texts.nth(index)).toHaveJSProperty('textContent', text);
    await expect(from.texts.nth(index)).toHaveJSProperty('textContent', text);
  }
  await expect(alice.page.locator('php-chat .start')).toHaveCSS('text-align', 'center');
  await alice.shot('talk-2-alice');
  await bob.shot('talk-3-bob');
  for (const { page } of [alice, bob]) await page.close();
});

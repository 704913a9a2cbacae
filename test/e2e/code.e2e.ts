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

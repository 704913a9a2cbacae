import { soak } from '../guarantees/size.ts';
import { asUser, privateRoom } from './as-user.ts';
import { axe, faultsIn } from './axe.ts';
import { expect, test } from './fixtures.ts';
import { shot } from './shot.ts';

// With this option, messages with the word “casino” wait for approval.
test.use({ cards: true });

const looks = [
  [1280, 'light'],
  [390, 'dark'],
  ...(soak
    ? ([
        [1280, 'dark'],
        [390, 'light'],
      ] as const)
    : []),
] as const;

test('marks important messages in each list, and the message that the user writes', { tag: '@soak' }, async ({
  alice,
  bob,
  site,
}) => {
  const { page } = alice;
  const room = await privateRoom(site, 'alice', 'notices', ['2']);
  const announce = (text: string) => ({ room, text, clientId: crypto.randomUUID(), important: true });
  await asUser(site, 'alice', async (ask) => {
    await ask('room:join', { room });
    await ask('message:send', announce('Gate opens at nine. Please bring your own gloves and a bucket.'));
    const at = Date.now() + 86_400_000;
    await ask('scheduled:add', { ...announce('The water is off on Friday.'), at });
  });
  await asUser(site, 'bob', async (ask) => {
    await ask('room:join', { room });
    await ask('message:send', { ...announce('I have the key to the shed.'), important: false });
    await ask('message:send', announce('The casino night is cancelled.'));
  });
  await bob.open('notices');
  await expect(bob.timeline.getByText('Important', { exact: true })).toHaveCount(2);

  for (const [width, colorScheme] of looks) {
    const name = (what: string) => `important-${what}-${width}-${colorScheme}`;
    await page.setViewportSize({ width: 1280, height: 800 });
    await page.emulateMedia({ colorScheme });
    await page.goto(site.php.chatPage);
    await alice.open('notices');
    await page.setViewportSize({ width, height: 800 });
    // The moderator also sees the pending message.
    await expect(alice.timeline.getByText('Important', { exact: true })).toHaveCount(2);
    await shot(page, name('list'));
    expect(await faultsIn(page)).toEqual([]);

    await alice.field.fill('No parking on Saturday.');
    await page.getByRole('button', { name: 'Send later' }).click();
    await shot(page, name('menu'));
    await page.getByRole('menuitem', { name: 'Mark as important' }).click();
    await expect(page.getByRole('button', { name: 'Not important' })).toBeVisible();
    await shot(page, name('composer'));
    expect(await faultsIn(page)).toEqual([]);
    await page.getByRole('button', { name: 'Not important' }).click();
    await alice.field.fill('');

    await page.getByRole('button', { name: 'Show', exact: true }).click();
    const list = page.getByRole('dialog', { name: 'Scheduled messages' });
    await expect(list.getByText('Important', { exact: true })).toBeVisible();
    await shot(page, name('scheduled'));
    expect(await faultsIn(page, '[role="dialog"], dialog')).toEqual([]);
    await list.getByRole('button', { name: 'Edit' }).click();
    await expect(page.getByRole('checkbox', { name: 'Important' })).toBeChecked();
    await shot(page, name('scheduled-edit'));
    expect(await faultsIn(page, '[role="dialog"], dialog')).toEqual([]);

    await page.goto(`${site.chat.url}/moderate`);
    await page.getByRole('button', { name: /The casino night/ }).click();
    // One is in the messages around it.
    await expect(page.getByText('Important', { exact: true })).toHaveCount(2);
    await shot(page, name('queue'));
    expect((await (await axe(page)).analyze()).violations).toEqual([]);
  }
});

import { asUser, privateRoom } from './as-user.ts';
import { faultsIn } from './axe.ts';
import { expect, type Person, test } from './fixtures.ts';

const rooms = ({ page }: Person) => page.getByRole('navigation', { name: 'Rooms' });
const people = ({ page }: Person) => page.getByRole('complementary', { name: 'People' });

async function fromPlus({ page }: Person, name: 'New room' | 'Message someone') {
  await page.getByRole('button', { name: 'New room or message' }).click();
  await page.getByRole('menuitem', { name }).click();
  const dialog = page.getByRole('dialog', { name });
  await expect(dialog).toBeVisible();
  return dialog;
}

async function fromMenu({ page }: Person, name: string) {
  await page.getByRole('button', { name: 'Room menu' }).click();
  await page.getByRole('menuitem', { name }).click();
}

test('a new room: errors stand at the field, names become chips, and who was invited is in it', async ({
  alice,
  bob,
  site,
}) => {
  const { page } = alice;
  // A user can be found after one visit.
  await asUser(site, 'carol', async () => {});
  const dialog = await fromPlus(alice, 'New room');
  const name = dialog.getByRole('textbox', { name: 'Name' });
  await expect(name).toBeFocused();
  await dialog.getByRole('button', { name: 'Create room' }).click();
  await expect(name).toHaveAccessibleDescription('Please enter a name.');
  await name.fill('x'.repeat(81));
  await page.keyboard.press('Enter');
  await expect(name).toHaveAccessibleDescription('Up to 80 characters.');
  await name.fill('harvest 2026');
  await expect(name).not.toHaveAttribute('aria-invalid', 'true');
  await dialog.getByRole('textbox', { name: 'Topic' }).fill('Picking days');

  const field = dialog.getByRole('combobox', { name: /Invite/ });
  const options = dialog.getByRole('option');
  await field.pressSequentially('bo');
  await expect(options).toHaveText([/Bob$/]);
  await expect(options.first()).toHaveAttribute('aria-selected', 'true');
  await alice.shot('dialogs-1-create');
  await page.keyboard.press('Enter');
  await expect(dialog.getByRole('button', { name: 'Remove Bob' })).toBeVisible();
  // The names for the last letters have not arrived yet: Tab waits for them.
  await field.pressSequentially('car');
  await page.keyboard.press('Tab');
  await expect(dialog.getByRole('button', { name: 'Remove Carol' })).toBeVisible();
  await expect(field).toBeFocused();
  await page.keyboard.press('Backspace');
  await expect(dialog.getByRole('button', { name: 'Remove Carol' })).toHaveCount(0);
  // A text that is nobody's name is not taken for an ID.
  await field.pressSequentially('77');
  await expect(field).toHaveAccessibleDescription('Nobody found.');
  await expect(options).toHaveCount(0);
  await page.keyboard.press('Enter');
  await expect(dialog.locator('.chip bdi')).toHaveText(['Bob']);
  await alice.shot('dialogs-2-chips');
  await field.fill('');

  await dialog.getByRole('button', { name: 'Create room' }).click();
  await expect(dialog).toHaveCount(0);
  await expect(page.getByRole('region', { name: 'harvest 2026' })).toBeVisible();
  await expect(page.getByText('Picking days')).toBeVisible();
  await expect(alice.field).toBeFocused();
  await expect(people(alice).getByRole('button', { name: /^Bob/ })).toBeVisible();
  await expect(people(alice).getByText('owner')).toBeVisible();
  await bob.open('harvest 2026');
});

test.describe('an admin', () => {
  test.use({ roles: true });

  test('may type IDs, where no name is found by them, and chooses them before they are taken', async ({
    alice,
    bob,
  }) => {
    const { page } = alice;
    await expect(bob.field).toBeVisible();
    const dialog = await fromPlus(alice, 'New room');
    const field = dialog.getByRole('combobox', { name: /Invite/ });
    const options = dialog.getByRole('option');
    await field.pressSequentially('bo');
    await expect(options).toHaveText([/Bob$/]);
    await field.fill('77');
    await expect(options).toHaveText([/77.*Use this exact ID/]);
    await expect(options).toHaveAttribute('aria-selected', 'false');
    await page.keyboard.press('Enter');
    await expect(dialog.locator('.chip')).toHaveCount(0);
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await field.evaluate((input) => {
      const clipboardData = new DataTransfer();
      clipboardData.setData('text/plain', '8\n9\n2\n');
      input.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true }));
    });
    await expect(dialog.locator('.chip bdi')).toHaveText(['77', '8', '9', '2']);
  });
});

test('a name that is taken, and a server that does not answer: nothing is lost, nothing is made twice', {
  tag: '@soak',
}, async ({ alice, site }) => {
  const { page } = alice;
  const dialog = await fromPlus(alice, 'New room');
  await dialog.getByRole('radio', { name: /^Public/ }).check();
  await expect(dialog.getByRole('combobox')).toHaveCount(0);
  const name = dialog.getByRole('textbox', { name: 'Name' });
  await name.fill('LOBBY');
  await dialog.getByRole('button', { name: 'Create room' }).click();
  await expect(name).toHaveAccessibleDescription('A room with this name already exists.');
  // Typing corrects it.
  await expect(name).toBeFocused();
  await alice.shot('dialogs-3-taken');

  await name.fill('compost heap');
  site.chat.signal('SIGSTOP');
  await page.keyboard.press('Enter');
  await expect(dialog.getByRole('button', { name: 'Creating…' })).toHaveAttribute('aria-disabled', 'true');
  await expect(name).toHaveAttribute('readonly', '');
  await alice.shot('dialogs-4-busy');
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  await expect(dialog.getByRole('button', { name: 'Create room' })).toBeVisible();
  await expect(name).toHaveValue('compost heap');
  await dialog.getByRole('button', { name: 'Create room' }).click();
  site.chat.signal('SIGCONT');
  await expect(page.getByRole('region', { name: 'compost heap' })).toBeVisible();
  await expect(rooms(alice).getByRole('button', { name: /^compost heap/ })).toHaveCount(1);
});

test('made while the server starts again: the dialog waits for it, and the room is there once', {
  tag: '@soak',
}, async ({ alice, site }) => {
  const { page } = alice;
  const dialog = await fromPlus(alice, 'New room');
  const name = `phoenix ${Date.now().toString(36)}`;
  await dialog.getByRole('textbox', { name: 'Name' }).fill(name);
  await site.restart('SIGKILL', async () => {
    await expect(rooms(alice).getByText('Connection lost', { exact: true })).toBeVisible();
    await page.keyboard.press('Enter');
    await expect(dialog.getByRole('button', { name: 'Creating…' })).toBeVisible();
  });
  await expect(page.getByRole('region', { name })).toBeVisible();
  await expect(rooms(alice).getByRole('button', { name })).toHaveCount(1);
});

test('cancelled, and then made with another name and for members alone: that room is opened', {
  tag: '@soak',
}, async ({ alice, site }) => {
  const { page } = alice;
  const dialog = await fromPlus(alice, 'New room');
  const name = dialog.getByRole('textbox', { name: 'Name' });
  await dialog.getByRole('radio', { name: /^Public/ }).check();
  await name.fill('open field');
  site.chat.signal('SIGSTOP');
  await page.keyboard.press('Enter');
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  await dialog.getByRole('radio', { name: /^Private/ }).check();
  await name.fill('walled garden');
  await page.keyboard.press('Enter');
  site.chat.signal('SIGCONT');
  await expect(page.getByRole('region', { name: 'walled garden' })).toBeVisible();
  await expect(rooms(alice).getByRole('button', { name: /^walled garden ?, private/ })).toHaveCount(1);
});

test('the page below a dialog is inert; Esc and a click beside close it only while nothing was typed', {
  tag: '@soak',
}, async ({ alice }) => {
  const { page } = alice;
  const opener = page.getByRole('button', { name: 'New room or message' });
  const dialog = await fromPlus(alice, 'New room');
  await alice.field.focus();
  await expect(dialog.getByRole('textbox', { name: 'Name' })).toBeFocused();
  await page.keyboard.press('Escape');
  await expect(dialog).toHaveCount(0);
  await expect(opener).toBeFocused();

  await fromPlus(alice, 'New room');
  await page.mouse.click(300, 500);
  await expect(dialog).toHaveCount(0);
  await expect(opener).toBeFocused();

  await fromPlus(alice, 'New room');
  await expect(dialog.getByRole('textbox', { name: 'Name' })).toBeFocused();
  await page.keyboard.type('half a na');
  await page.keyboard.press('Escape');
  await page.mouse.click(300, 500);
  await expect(dialog.getByRole('textbox', { name: 'Name' })).toHaveValue('half a na');
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  await expect(dialog).toHaveCount(0);
  await expect(opener).toBeFocused();
});

test('inviting several at once: who is a member cannot be chosen, who cannot be invited stays with the reason', {
  tag: '@soak',
}, async ({ bob, site }) => {
  const { page } = bob;
  const id = await privateRoom(site, 'alice', 'market stall', ['2', '3', '11']);
  await asUser(site, 'carol', (ask) => ask('room:remove', { room: id, user: '3' }));
  for (const name of ['alice', 'dave', 'erin']) await asUser(site, name, async () => {});
  await bob.open('market stall');
  await fromMenu(bob, 'Invite');
  const dialog = page.getByRole('dialog', { name: 'Invite to market stall' });
  const field = dialog.getByRole('combobox', { name: 'People' });
  await expect(field).toBeFocused();
  await field.pressSequentially('ali');
  await expect(dialog.getByRole('option', { name: /Alice/ })).toHaveAttribute('aria-disabled', 'true');
  await expect(dialog.getByRole('option', { name: /Alice/ })).toContainText('in this room');
  await dialog.getByRole('option', { name: /Alice/ }).click({ force: true });
  await expect(dialog.locator('.chip')).toHaveCount(0);
  await field.fill('');
  for (const name of ['dave', 'erin', 'carol']) {
    await field.pressSequentially(name);
    await page.keyboard.press('Tab');
    await expect(dialog.locator('.chip bdi').last()).toHaveText(new RegExp(name, 'i'));
  }
  await dialog.getByRole('button', { name: 'Invite 3' }).click();
  await expect(dialog.getByRole('alert')).toHaveText('2 people were invited. 1 person couldn’t be invited.');
  await expect(dialog.locator('.chip.bad bdi')).toHaveText(['Carol']);
  await expect(field).toHaveAccessibleDescription(
    'They left or were removed. Only an owner or moderator can invite them again.',
  );
  await bob.shot('dialogs-5-invited');
  await dialog.getByRole('button', { name: 'Done' }).click();
  await expect(dialog).toHaveCount(0);
  await expect(page.getByRole('button', { name: 'Room menu' })).toBeFocused();
  await expect(people(bob).getByRole('button', { name: /^erin/ })).toBeVisible();
});

test('people who could not be looked for are not “nobody”, and a name is not taken for an id', {
  tag: '@soak',
}, async ({ alice, site }) => {
  const { page } = alice;
  // A user finds people who have been in a room that both may read.
  await asUser(site, 'bob', (ask) => ask('room:join', { room: 'announcements' }));
  const dialog = await fromPlus(alice, 'Message someone');
  const field = dialog.getByRole('combobox');
  await page.context().setOffline(true);
  await page.evaluate(() => dispatchEvent(new Event('offline')));
  await expect(alice.banner).toContainText(/You’re offline|back online/);
  await field.pressSequentially('bob');
  await page.keyboard.press('Enter');
  await expect(field).toHaveAccessibleDescription('Connection lost');
  await expect(dialog.getByText('Nobody found.')).toHaveCount(0);
  await expect(dialog.getByRole('option')).toHaveCount(0);
  await page.context().setOffline(false);
  await expect(alice.banner).toHaveCount(0);
  await field.press('Backspace');
  await expect(dialog.getByRole('option').first()).toHaveText(/Bob/);
  await expect(field).not.toHaveAccessibleDescription('Connection lost');
});

/** The settings of the room that is open, among its details. */
const settings = async (person: Person) => {
  await fromMenu(person, 'Room settings');
  const details = person.page.getByRole('complementary', { name: 'Details' });
  await expect(details.getByRole('tab', { name: 'Settings' })).toBeFocused();
  return details.getByRole('tabpanel');
};

test('settings: a new name and topic are seen by everybody when their field is left, notifications are one’s own', {
  tag: '@soak',
}, async ({ alice, bob, site }) => {
  await privateRoom(site, 'alice', 'spring market', ['2']);
  await alice.open('spring market');
  await bob.open('spring market');
  const own = await settings(bob);
  // Users who may not change the name do not see it as a field, nor what else belongs to the owner.
  await expect(own.getByRole('textbox')).toHaveCount(0);
  await expect(own.getByRole('button')).toHaveText(['All messages', 'Mentions', 'Nothing', 'Leave room']);
  await expect(own.getByRole('button', { name: 'All messages' })).toHaveAttribute('aria-pressed', 'true');
  await own.getByRole('button', { name: 'Nothing' }).click();
  await expect(
    rooms(bob).getByRole('button', { name: /^spring market ?, private, notifications off/ }),
  ).toBeVisible();

  const panel = await settings(alice);
  const name = panel.getByRole('textbox', { name: 'Name' });
  await name.fill('');
  await name.press('Enter');
  await expect(name).toHaveAccessibleDescription('Please enter a name.');
  await name.fill('autumn market');
  await panel.getByRole('textbox', { name: 'Topic' }).fill('9 to 14');
  expect(await faultsIn(alice.page, '.about-room')).toEqual([]);
  await alice.shot('dialogs-6-settings');
  // A topic that is being typed is saved when the panel goes, too.
  await alice.page.getByRole('button', { name: 'Close details' }).filter({ visible: true }).click();
  for (const { page } of [alice, bob]) {
    await expect(page.getByRole('region', { name: 'autumn market' })).toBeVisible();
    await expect(page.getByRole('heading', { name: 'autumn market', level: 2 })).toContainText('9 to 14');
  }
  // A field that nobody types in follows what others change.
  await settings(alice);
  const room = await asUser(site, 'alice', async (ask) => {
    const { rooms: all } = await ask('room:list', {});
    return all.find((one) => one.name === 'autumn market')?.id ?? '';
  });
  await asUser(site, 'alice', (ask) => ask('room:update', { room, topic: 'until 15' }));
  await expect(panel.getByRole('textbox', { name: 'Topic' })).toHaveValue('until 15');
});

test('the owner deletes a room, asked before; Keep changes nothing', { tag: '@soak' }, async ({
  alice,
  bob,
  site,
}) => {
  const { page } = alice;
  await privateRoom(site, 'alice', 'old market', ['2']);
  await alice.open('old market');
  await bob.open('old market');
  const panel = await settings(alice);
  await alice.shot('dialogs-8-owner');
  await panel.getByRole('button', { name: 'Delete room' }).click();
  const ask = page.getByRole('alertdialog', { name: 'Delete old market?' });
  await expect(ask.getByRole('button', { name: 'Keep' })).toBeFocused();
  await alice.shot('dialogs-9-delete-room');
  await page.keyboard.press('Enter');
  await expect(panel.getByRole('button', { name: 'Delete room' })).toBeFocused();
  await page.keyboard.press('Enter');
  await ask.getByRole('button', { name: 'Delete room' }).click();
  await expect(ask).toHaveCount(0);
  await expect(page.locator('.toast.good')).toContainText('old market was deleted.');
  await expect(bob.page.locator('.toast.bad')).toContainText('old market was deleted.');
  for (const who of [alice, bob]) {
    await expect(rooms(who).getByRole('button', { name: /^old market/ })).toHaveCount(0);
    await expect(who.page.getByRole('region', { name: 'announcements' })).toBeVisible();
  }
});

test('the owner hands a room over to a member, asked before, and is a moderator then', {
  tag: '@soak',
}, async ({ alice, bob, site }) => {
  const { page } = alice;
  await privateRoom(site, 'alice', 'new market', ['2']);
  await alice.open('new market');
  await bob.open('new market');
  const panel = await settings(alice);
  await panel.getByRole('button', { name: 'Hand over' }).click();
  const choose = page.getByRole('dialog', { name: 'Hand over' });
  await expect(choose).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(panel.getByRole('button', { name: 'Hand over' })).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(choose.getByRole('combobox', { name: 'New owner' })).toBeFocused();
  // Only members, before anything is typed; nobody is found by an id.
  await expect(choose.getByRole('option')).toHaveText([/Bob$/]);
  await alice.shot('dialogs-10-hand-over');
  await choose.getByRole('combobox').fill('carol');
  await expect(choose.getByText('Nobody found.')).toBeVisible();
  await expect(choose.getByRole('option')).toHaveCount(0);
  await choose.getByRole('combobox').fill('bo');
  await expect(choose.getByRole('option')).toHaveText([/Bob$/]);
  await page.keyboard.press('Enter');
  const ask = page.getByRole('alertdialog', { name: 'Hand new market over to Bob?' });
  await expect(ask.getByRole('button', { name: 'Cancel' })).toBeFocused();
  await ask.getByRole('button', { name: 'Hand over' }).click();
  await expect(page.getByText('Bob owns new market now.')).toBeVisible();
  // The rights of a moderator are left.
  await expect(panel.getByRole('textbox', { name: 'Name' })).toBeVisible();
  await expect(panel.getByRole('button', { name: /Hand over|Delete room/ })).toHaveCount(0);
  await page.getByRole('tab', { name: /^People/ }).click();
  const all = page.getByRole('tabpanel', { name: /^People/ });
  await expect(all.getByRole('button', { name: /^Bob/ })).toContainText('owner');
  await expect(all.getByRole('button', { name: /^Alice/ })).toContainText('moderator');
  await expect((await settings(bob)).getByRole('button', { name: 'Hand over' })).toBeVisible();
});

test('on 360 pixels a dialog fills the element, with its buttons at the end', { tag: '@soak' }, async ({
  alice,
}) => {
  const { page } = alice;
  await page.setViewportSize({ width: 360, height: 640 });
  await page.getByRole('button', { name: /^Back to rooms/ }).click();
  const dialog = await fromPlus(alice, 'New room');
  const [box, host, acts] = await Promise.all(
    [dialog, page.locator('php-chat .app'), dialog.locator('.acts')].map((part) => part.boundingBox()),
  );
  expect(box).toEqual(host);
  expect(Number(acts?.y) + Number(acts?.height)).toBeCloseTo(Number(host?.y) + Number(host?.height), 0);
  await alice.shot('dialogs-7-phone');
});

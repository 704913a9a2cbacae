import { asUser, privateRoom } from './as-user.ts';
import { faultsIn } from './axe.ts';
import { expect, type Person, test } from './fixtures.ts';
import { seed } from './seed.ts';
import { Wire } from './wire.ts';

const menu = ({ page }: Person) => page.getByRole('menu', { name: 'Message actions' });
const choose = async (person: Person, text: string, action: string) => {
  // A message that is still being sent offers no actions.
  await expect(person.message(text)).toHaveAttribute('aria-posinset', /\d/);
  await person.message(text).focus();
  await person.page.keyboard.press('Enter');
  await menu(person).getByRole('menuitem', { name: action }).click();
};
const editing = ({ page }: Person) => page.getByRole('textbox', { name: 'Edit message' });

/** A separate room for the test, with Alice and Bob, that Alice has opened. */
async function own(person: Person, site: Parameters<typeof privateRoom>[0], name: string): Promise<string> {
  const id = await privateRoom(site, 'alice', name, ['2']);
  await person.open(name);
  return id;
}

test('a message is edited in the composer: the draft waits, the others see the new text and that it was edited', async ({
  alice,
  bob,
  site,
}) => {
  await own(alice, site, 'edits');
  await alice.write('Gate opens at nine.');
  await bob.open('edits');
  await expect(bob.message('Gate opens at nine.')).toBeVisible();
  await alice.field.fill('a draft');
  await choose(alice, 'Gate opens at nine.', 'Edit');
  await expect(editing(alice)).toBeFocused();
  await expect(editing(alice)).toHaveValue('Gate opens at nine.');
  await expect(alice.page.getByText('Enter to save, Esc to cancel')).toBeVisible();
  // Others are not notified while a user edits, and nothing is sent twice.
  await editing(alice).fill('Gate opens at eight.');
  await editing(alice).press('Enter');
  await expect(alice.field).toHaveValue('a draft');
  await expect(alice.field).toBeFocused();
  await expect(bob.texts).toHaveText(['Gate opens at eight.(edited)']);
  // A screen reader hears the text once, after the name.
  await expect(bob.messages.first()).toHaveAccessibleName(/^Alice, \d\d:\d\d \(Edited today, \d\d:\d\d\)$/);
  await expect(bob.messages.first()).toHaveAccessibleDescription('Gate opens at eight.(edited)');
  const tip = bob.page.getByRole('tooltip', { name: /^Edited today, \d\d:\d\d$/ });
  await bob.page.getByText('(edited)').hover();
  await expect(tip).toBeVisible();
  await bob.page.mouse.move(0, 0);
  await expect(tip).toHaveCount(0);
  await bob.field.focus();
  // Past the button for files.
  await bob.page.keyboard.press('Shift+Tab');
  await bob.page.keyboard.press('Shift+Tab');
  await expect(bob.messages.first()).toBeFocused();
  await expect(tip).toBeVisible();

  // Esc leaves the edit, and the arrow selects the user's newest message from an empty field.
  await alice.field.fill('');
  await alice.field.press('ArrowUp');
  await expect(editing(alice)).toHaveValue('Gate opens at eight.');
  await editing(alice).fill('something else');
  await editing(alice).press('Escape');
  await expect(alice.field).toHaveValue('');
  await expect(alice.texts).toHaveText(['Gate opens at eight.(edited)']);
});

test('an edit survives a reload', { tag: '@soak' }, async ({ alice, site }) => {
  await own(alice, site, 'reloaded edit');
  await alice.write('first words');
  await choose(alice, 'first words', 'Edit');
  await editing(alice).fill('better words');
  await alice.page.reload();
  await expect(editing(alice)).toHaveValue('better words');
  await editing(alice).press('Enter');
  await expect(alice.texts).toHaveText(['better words(edited)']);
});

test('a text that was changed elsewhere meanwhile stands above one’s own: either of them is saved', {
  tag: '@soak',
}, async ({ alice, site }) => {
  const room = await own(alice, site, 'clash');
  await alice.write('one rake');
  await choose(alice, 'one rake', 'Edit');
  await editing(alice).fill('three rakes');
  await asUser(site, 'alice', async (ask) => {
    await ask('room:join', { room });
    await ask('message:edit', { room, seq: 1, text: 'two rakes' });
  });
  await expect(alice.texts).toHaveText(['two rakes(edited)']);
  await editing(alice).press('Enter');
  const clash = alice.page.getByRole('alert').filter({ hasText: 'Edited on another device' });
  await expect(clash).toContainText('two rakes');
  await expect(editing(alice)).toHaveValue('three rakes');
  await alice.shot('edit-clash');
  // The edit is kept with the draft.
  await alice.page.reload();
  await expect(clash).toContainText('two rakes');
  await expect(editing(alice)).toHaveValue('three rakes');
  await alice.page.getByRole('button', { name: 'Save mine' }).click();
  await expect(alice.texts).toHaveText(['three rakes(edited)']);

  await choose(alice, 'three rakes(edited)', 'Edit');
  await editing(alice).fill('five rakes');
  await asUser(site, 'alice', async (ask) => {
    await ask('room:join', { room });
    await ask('message:edit', { room, seq: 1, text: 'four rakes' });
  });
  await expect(alice.texts).toHaveText(['four rakes(edited)']);
  await editing(alice).press('Enter');
  await clash.getByRole('button', { name: 'Use the other text' }).click();
  await expect(editing(alice)).toHaveValue('four rakes');
});

test('a message that was deleted while it is edited can be sent as a new one', { tag: '@soak' }, async ({
  alice,
  site,
}) => {
  const room = await own(alice, site, 'gone');
  await alice.write('soon gone');
  await choose(alice, 'soon gone', 'Edit');
  await editing(alice).fill('still here');
  await asUser(site, 'alice', async (ask) => {
    await ask('room:join', { room });
    await ask('message:delete', { room, seq: 1 });
  });
  await expect(alice.texts).toHaveText(['Message deleted']);
  await editing(alice).press('Enter');
  await expect(alice.page.getByRole('alert').filter({ hasText: 'This message was deleted' })).toBeVisible();
  await alice.page.getByRole('button', { name: 'Send as a new message' }).click();
  await expect(alice.texts).toHaveText(['Message deleted', 'still here']);
});

test('deleting asks first, with the focus on Keep; the text is gone for everybody, and says who took it', async ({
  alice,
  bob,
  site,
}) => {
  const room = await own(alice, site, 'deletions');
  await seed(site, 'bob', room, ['from Bob']);
  const { page } = alice;
  const wire = await Wire.of(page.context());
  await page.reload();
  await alice.write('from Alice');
  await bob.open('deletions');
  await alice.message('from Alice').focus();
  await page.keyboard.press('Delete');
  const dialog = page.getByRole('alertdialog', { name: 'Delete this message?' });
  await expect(dialog.getByRole('button', { name: 'Keep' })).toBeFocused();
  await expect(dialog).toContainText('“from Alice” will be deleted for everyone.');
  await page.keyboard.press('Escape');
  await expect(dialog).toBeHidden();
  await expect(alice.message('from Alice')).toBeFocused();
  await page.keyboard.press('Delete');
  wire.answers.set('message:delete', { ok: false, error: { code: 'internal', message: '' } });
  await dialog.getByRole('button', { name: 'Delete' }).click();
  await expect(dialog.getByRole('alert')).toHaveText('The message couldn’t be deleted.');
  wire.answers.clear();
  await dialog.getByRole('button', { name: 'Delete' }).click();
  await expect(bob.texts).toHaveText(['from Bob', 'Message deleted']);

  // The owner of the room can delete messages of others; they cannot delete the owner's.
  await choose(alice, 'from Bob', 'Delete');
  await dialog.getByRole('button', { name: 'Delete' }).click();
  await expect(bob.texts).toHaveText(['Deleted by a moderator', 'Message deleted']);
  await alice.write('of the owner');
  await bob.message('of the owner').focus();
  await bob.page.keyboard.press('Enter');
  await expect(menu(bob).getByRole('menuitem')).toHaveText([
    /^Add a reaction/,
    /^Reply/,
    /^Open replies/,
    /^Forward/,
    /^Copy text/,
    /^Copy link/,
    'Mention Alice',
    'About Alice',
    'Mark as unread',
    'Report message',
    'Block Alice',
  ]);
});

test('in a direct room one sees what the other has read', { tag: '@soak' }, async ({ alice, bob, site }) => {
  const room = await asUser(site, 'bob', async (ask) => (await ask('direct:open', { user: '1' })).room.id);
  await seed(site, 'bob', room, ['hello Alice']);
  await seed(site, 'alice', room, ['have you read this?']);
  await alice.open('Bob');
  await expect(alice.message('have you read this?')).toContainText(/Sent|Seen by/);
  await bob.open('Alice');
  await expect(alice.message('have you read this?')).toContainText('Seen');
});

test('in a room its author sees who has read a message, by the menu and the keyboard', {
  tag: '@soak',
}, async ({ alice, site }) => {
  const { page } = alice;
  const room = await privateRoom(site, 'alice', 'seen', ['2', '3']);
  await seed(site, 'alice', room, ['who has read this?']);
  await alice.open('seen');
  const dialog = page.getByRole('dialog', { name: 'Seen by' });
  await choose(alice, 'who has read this?', 'Seen by');
  await expect(dialog.getByRole('status')).toHaveText('Seen by 0 of 2');
  await page.keyboard.press('Escape');
  await expect(alice.message('who has read this?')).toBeFocused();
  for (const name of ['bob', 'carol']) {
    await asUser(site, name, async (ask) => {
      await ask('room:join', { room });
      await ask('read:mark', { room, seq: 1 });
    });
    // Under the message, without being asked for.
    const line = alice.message('who has read this?').getByRole('button', { name: 'Seen by' });
    await expect(line).toHaveText(name === 'bob' ? /Seen by 1 of 2$/ : /Seen by everyone$/);
    await expect(line.locator('.avatar')).toHaveCount(name === 'bob' ? 1 : 2);
    await line.click();
    await expect(dialog.getByRole('status')).toHaveText(
      name === 'bob' ? 'Seen by 1 of 2' : 'Seen by everyone',
    );
    await page.keyboard.press('Escape');
    await expect(line).toBeFocused();
  }
  // In a room that does not show it, nothing is left of it.
  await asUser(site, 'alice', (ask) => ask('room:update', { room, seen: 'off' }));
  await expect(alice.message('who has read this?')).toContainText(/Sent|Seen by/);
  await asUser(site, 'alice', (ask) => ask('room:update', { room, seen: 'on' }));
  await expect(alice.message('who has read this?')).toContainText('Seen by everyone');
  await page.setViewportSize({ width: 360, height: 720 });
  await choose(alice, 'who has read this?', 'Seen by');
  await expect(dialog.getByRole('listitem')).toHaveText([/Bob$/, /Carol$/]);
  await alice.shot('seen-360');
  await page.keyboard.press('Escape');
  await alice.shot('seen-line-360');
  expect(await faultsIn(page)).toEqual([]);
});

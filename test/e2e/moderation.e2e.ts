import type { Page } from '@playwright/test';
import { asUser, privateRoom } from './as-user.ts';
import { faultsIn } from './axe.ts';
import { expect, type Person, test } from './fixtures.ts';

const person = ({ page }: Person, name: string) =>
  page.getByRole('complementary', { name: 'People' }).getByRole('button', { name: new RegExp(`^${name}`) });
const item = ({ page }: Person, name: string | RegExp) => page.getByRole('menuitem', { name });
const details = ({ page }: Person) => page.getByRole('complementary', { name: 'Details' });
const dialog = ({ page }: Person, name: string) => page.getByRole('dialog', { name });
const closed = ({ page }: Person) => page.getByRole('note');

/**
 * The dialog within 360 pixels from right to left: all of it is visible, nothing beyond an edge, and axe finds no
 * violation.
 */
async function fits({ page }: Person): Promise<void> {
  const chat = page.locator('php-chat');
  const before = page.viewportSize();
  await page.setViewportSize({ width: 360, height: 640 });
  await chat.evaluate((element) => element.setAttribute('dir', 'rtl'));
  await expect(page.locator('php-chat .dialog')).toHaveCSS('width', '360px');
  // The line above its buttons belongs to the dialog, not to an entry.
  for (const acts of await page.locator('php-chat .report .acts').all())
    await expect(acts).toHaveCSS('border-top-width', '0px');
  const beyond = await chat.evaluate(({ shadowRoot }) => {
    const dialog = shadowRoot?.querySelector('.dialog');
    const { left = 0, right = 0 } = dialog?.getBoundingClientRect() ?? {};
    const parts = [...(dialog?.querySelectorAll('button, input, textarea, select, p, b, span') ?? [])];
    return parts.flatMap((part) => {
      const box = part.getBoundingClientRect();
      return box.left < left - 1 || box.right > right + 1 ? [part.outerHTML.slice(0, 60)] : [];
    });
  });
  expect(beyond).toEqual([]);
  await expect(page.locator('php-chat .dialog .acts').last()).toBeInViewport();
  expect(await wrongIn(page, '.dialog')).toEqual([]);
  await chat.evaluate((element) => element.removeAttribute('dir'));
  if (before !== null) await page.setViewportSize(before);
}

/** The violations that axe finds within an element, one line each. */
async function wrongIn(page: Page, part: string): Promise<string[]> {
  return (await faultsIn(page, part)).map(({ id, help }) => `${id}: ${help}`);
}

test('a member is muted by the keyboard, reads why, and writes again when the moderator says so', async ({
  alice,
  bob,
  site,
}) => {
  const room = await privateRoom(site, 'alice', 'muted', ['2']);
  await alice.open('muted');
  await bob.open('muted');
  await bob.field.fill('a draft');
  await person(alice, 'Bob').focus();
  await alice.page.keyboard.press('Enter');
  await item(alice, 'Mute…').focus();
  await alice.page.keyboard.press('Enter');
  const mute = dialog(alice, 'Mute Bob');
  await expect(mute).toContainText('Bob will be able to read muted, but not write in it.');
  await expect(mute.getByRole('button', { name: '1 day', pressed: true })).toBeVisible();
  await mute.getByLabel('Reason, shown to Bob').fill('Please no advertising here');
  expect(await wrongIn(alice.page, '.dialog')).toEqual([]);
  await alice.shot('moderation-1-mute');
  await alice.page.keyboard.press('Enter');
  await expect(mute).toHaveCount(0);
  await expect(person(alice, 'Bob')).toBeFocused();
  await expect(person(alice, 'Bob')).toHaveAccessibleName(/^Bob ?muted until tomorrow, /);
  await expect(person(alice, 'Alice')).toHaveAccessibleName(/^Alice ?owner ?you$/);
  expect(await wrongIn(alice.page, '.side')).toEqual([]);
  // The words are within the row of the narrow panel.
  const widths = await person(alice, 'Bob').evaluate((row) => [row.scrollWidth, row.clientWidth]);
  expect(widths[0]).toBe(widths[1]);
  await alice.shot('moderation-2-mark');
  await expect(closed(bob)).toHaveText(/^You can write again tomorrow, .* “Please no advertising here”$/);
  await expect(bob.field).toHaveCount(0);
  expect(await wrongIn(bob.page, '.composer')).toEqual([]);
  await bob.shot('moderation-2-muted');
  await bob.page.reload();
  await expect(closed(bob)).toContainText('Please no advertising here');

  await person(alice, 'Bob').click();
  await item(alice, 'Mute…').click();
  await expect(mute.getByRole('button', { name: 'Unmute' })).toBeVisible();
  await fits(alice);
  await mute.getByRole('button', { name: 'Unmute' }).click();
  await expect(mute).toHaveCount(0);
  await expect(person(alice, 'Bob')).toHaveAccessibleName('Bob');
  await expect(bob.field).toHaveValue('a draft');

  await person(alice, 'Bob').click();
  await item(alice, 'Mute…').click();
  await mute.getByRole('button', { name: 'Mute', exact: true }).click();
  await expect(closed(bob)).toBeVisible();
  const notice = alice.page.locator('.toast').filter({ hasText: 'Bob was muted.' });
  await notice.getByRole('button', { name: 'Undo' }).click();
  await expect(bob.field).toHaveValue('a draft');

  // Muted and banned users are listed in the settings of the room, where the restrictions can be lifted.
  const restricted = dialog(alice, 'Muted and banned');
  const look = async () => {
    await alice.page.getByRole('button', { name: 'Room menu' }).click();
    await item(alice, 'Room settings').click();
    await details(alice).getByRole('button', { name: 'Muted and banned' }).click();
  };
  await look();
  await expect(restricted).toContainText('Nobody is muted or banned');
  await restricted.getByRole('button', { name: 'Close' }).click();
  const opener = details(alice).getByRole('button', { name: 'Muted and banned' });
  await expect(opener).toBeFocused();
  await alice.page.keyboard.press('Escape');
  await asUser(site, 'alice', (ask) =>
    ask('room:mute', { room, user: '2', seconds: 86_400, reason: 'Again' }),
  );
  await expect(closed(bob)).toContainText('Again');
  await look();
  await expect(restricted.getByRole('listitem')).toHaveText(
    /^Bobmuted until tomorrow, .* · by AliceAgainUnmute$/,
  );
  await fits(alice);
  await alice.shot('moderation-7-restricted');
  await restricted.getByRole('button', { name: 'Unmute' }).focus();
  await alice.page.keyboard.press('Enter');
  await expect(restricted).toContainText('Nobody is muted or banned');
  await expect(restricted.getByRole('button', { name: 'Close' })).toBeFocused();
  await expect(bob.field).toHaveValue('a draft');
});

test('a banned user sees the end and the reason in place of the room, and is in it again when the ban is lifted', async ({
  alice,
  bob,
  site,
}) => {
  const room = await privateRoom(site, 'alice', 'strict', ['2']);
  await alice.open('strict');
  await bob.open('strict');
  await person(alice, 'Bob').click();
  await item(alice, 'Ban…').click();
  const ban = dialog(alice, 'Ban Bob');
  await ban.getByLabel('Reason, shown to Bob').fill('Enough is enough');
  await ban.getByRole('button', { name: 'Ban', exact: true }).click();
  // In place of the room, on a phone too.
  const card = bob.page.locator('php-chat .empty');
  await expect(card).toHaveText(
    /^You’re banned from strict\s*Until tomorrow, .*\.\s*Reason: Enough is enough$/,
  );
  await bob.shot('moderation-8-banned');
  await bob.page.setViewportSize({ width: 360, height: 640 });
  await expect(card).toBeVisible();
  await bob.shot('moderation-8-banned-360');
  await bob.page.setViewportSize({ width: 1280, height: 800 });
  // Banned people have a section of their own.
  const people = alice.page.getByRole('complementary', { name: 'People' });
  await expect(people.getByRole('heading', { name: 'Banned 1' })).toBeVisible();
  await expect(person(alice, 'Bob')).toHaveAccessibleName(/^Bob ?banned until tomorrow, /);
  await expect(alice.page.locator('.toast')).toHaveText('Bob was banned.Undo');
  await alice.page.getByRole('button', { name: 'Room menu' }).click();
  await item(alice, 'Room settings').click();
  await details(alice).getByRole('button', { name: 'Muted and banned' }).click();
  const restricted = dialog(alice, 'Muted and banned');
  await expect(restricted.getByRole('listitem')).toHaveText(
    /^Bobbanned until tomorrow, .* · by AliceEnough is enoughLift ban$/,
  );
  await restricted.getByRole('button', { name: 'Lift ban' }).click();
  await expect(bob.page.getByRole('region', { name: 'strict' })).toBeVisible();
  await expect(bob.field).toBeVisible();
  await restricted.getByRole('button', { name: 'Close' }).click();
  await details(alice).getByRole('tab', { name: 'People' }).click();
  const inDetails = details(alice).getByRole('button', { name: /^Bob/ });
  await expect(inDetails).toHaveAccessibleName('Bob');

  // Another moderator bans him; the ban is lifted where it is seen.
  await asUser(site, 'alice', (ask) => ask('room:ban', { room, user: '2' }));
  await expect(inDetails).toHaveAccessibleName(/^Bob ?banned for good$/);
  await alice.shot('moderation-9-people');
  await inDetails.click();
  await expect(item(alice, 'Ban…')).toHaveCount(0);
  await alice.shot('moderation-9-card');
  await item(alice, 'Lift ban').click();
  await expect(inDetails).toHaveAccessibleName('Bob');
  await expect(details(alice).locator('.person:focus')).toBeVisible();
  await expect(bob.field).toBeVisible();
});

test('a mute ends by itself, and the field is there again', { tag: '@soak' }, async ({ bob, site }) => {
  const room = await privateRoom(site, 'alice', 'short', ['2']);
  await bob.open('short');
  await asUser(site, 'alice', async (ask) => {
    await ask('room:mute', { room, user: '2', seconds: 3 });
    await expect(closed(bob)).toContainText('You can write again');
    await expect(bob.field).toBeVisible({ timeout: 10_000 });
  });
});

test('the owner restricts a room to moderators, or slows it down; typed text stays', {
  tag: '@soak',
}, async ({ alice, bob, site }) => {
  const room = await privateRoom(site, 'alice', 'slow', ['2']);
  await alice.open('slow');
  await bob.open('slow');
  await alice.page.getByRole('button', { name: 'Room menu' }).click();
  await item(alice, 'Room settings').click();
  const only = details(alice).getByRole('switch', { name: 'Only moderators can post' });
  await only.click();
  await expect(only).toBeChecked();
  expect(await wrongIn(alice.page, '.about-room')).toEqual([]);
  await alice.shot('moderation-3-settings');
  await expect(closed(bob)).toHaveText('Only moderators can post');
  await expect(alice.field).toBeVisible();
  await only.click();
  await details(alice).getByLabel('Slow mode').selectOption('One message every 10 seconds');
  await expect(closed(bob)).toHaveCount(0);
  await bob.write('the first');
  await expect(bob.page.getByText(/^Slow mode: you can write again in \d+ s$/)).toBeVisible();
  await bob.field.fill('the next');
  await expect(bob.page.getByRole('button', { name: 'Send' })).toHaveAttribute('aria-disabled', 'true');
  await bob.field.press('Enter');
  await expect(bob.field).toHaveValue('the next');
  await expect(bob.page.getByRole('button', { name: 'Send' })).not.toHaveAttribute('aria-disabled', {
    timeout: 15_000,
  });
  await bob.field.press('Enter');
  await expect(bob.message('the next')).toHaveAttribute('aria-posinset', '2');
  await asUser(site, 'alice', (ask) => ask('room:update', { room, slow: 3600 }));
  await expect(bob.page.getByText(/^Slow mode: you can write again in 3,\d{3} s$/)).toBeVisible();
  // Reloading the page does not shorten the wait.
  await bob.page.reload();
  await expect(bob.page.getByText(/^Slow mode: you can write again in 3,\d{3} s$/)).toBeVisible();
  for (const text of ['quick', 'quicker']) await alice.write(text);
  await expect(alice.message('quicker')).toHaveAttribute('aria-posinset', '4');
});

test('a message is reported, and the report is found and closed by who moderates', { tag: '@soak' }, async ({
  alice,
  bob,
  site,
}) => {
  const room = await privateRoom(site, 'alice', 'reported', ['2', '3']);
  await asUser(site, 'carol', async (ask) => {
    await ask('room:join', { room });
    await ask('message:send', { room, text: 'Cheap watches!!!', clientId: 'watches' });
    await ask('message:send', { room, text: 'Buy now', clientId: 'now' });
  });
  await alice.open('reported');
  await bob.open('reported');
  await bob.message('Cheap watches!!!').focus();
  await bob.page.keyboard.press('Enter');
  await item(bob, 'Report message').click();
  const report = dialog(bob, 'Report this message');
  await expect(report.getByLabel('Spam or scam')).toBeFocused();
  // Nobody is accused of something that was not chosen.
  await expect(report.getByRole('radio', { checked: true })).toHaveCount(0);
  await expect(report.getByRole('button', { name: 'Report' })).toBeDisabled();
  await report.getByLabel('Insult or threat').check();
  await report.getByLabel('Note for the moderators').fill('Again.');
  expect(await wrongIn(bob.page, '.dialog')).toEqual([]);
  await bob.shot('moderation-4-report');
  await fits(bob);
  await report.getByRole('button', { name: 'Report' }).click();
  await expect(bob.page.getByText('Reported. Thank you.').first()).toBeVisible();

  // At once, in the list and in the menu.
  const row = alice.page
    .getByRole('navigation', { name: 'Rooms' })
    .getByRole('button', { name: /^reported/ });
  await expect(row).toHaveAccessibleName(/, 1 open report\b/);
  await alice.shot('moderation-9-flag');
  await alice.page.getByRole('button', { name: 'Room menu' }).click();
  await item(alice, 'Reports · 1').click();
  const reports = dialog(alice, 'Reports');
  await expect(reports.getByRole('listitem')).toContainText([/Carol.*Cheap watches.*Insult or threat.*Bob/]);
  expect(await wrongIn(alice.page, '.dialog')).toEqual([]);
  await alice.shot('moderation-5-reports');
  await fits(alice);
  // A report that arrives meanwhile is listed too.
  await asUser(site, 'bob', async (ask) => {
    await ask('room:join', { room });
    await ask('message:report', { room, seq: 2, reason: 'spam' });
  });
  await expect(reports.getByRole('listitem')).toHaveText([/Buy now/, /Cheap watches/]);
  await expect(row).toHaveAccessibleName(/, 2 open reports/);
  await reports.getByRole('button', { name: 'Resolve', exact: true }).first().click();
  await expect(row).toHaveAccessibleName(/, 1 open report\b/);
  await reports.getByRole('button', { name: 'Show' }).click();
  await expect(alice.message('Cheap watches!!!')).toBeFocused();
  await alice.page.getByRole('button', { name: 'Room menu' }).click();
  await item(alice, /^Reports/).click();
  const muting = reports.getByRole('button', { name: 'Mute…' });
  await muting.click();
  await dialog(alice, 'Mute Carol').getByRole('button', { name: 'Cancel' }).click();
  await expect(muting).toBeFocused();
  await reports.getByRole('button', { name: 'Delete message' }).click();
  await expect(reports).toContainText('No open reports');
  await expect(reports.getByRole('button', { name: 'Close reports' })).toBeFocused();
  const [page] = await Promise.all([
    alice.page.waitForEvent('popup'),
    reports.getByRole('link', { name: 'All reports on the moderators’ page' }).click(),
  ]);
  await expect(page.getByRole('heading', { name: 'Queue' })).toBeVisible();
  await page.close();
  await reports.getByRole('button', { name: 'Close reports' }).click();
  await expect(row).not.toHaveAccessibleName(/open report/);
  await expect(bob.timeline.getByText('Deleted by a moderator')).toBeVisible();
});

test('a blocked user can notice it only by direct messages that cannot be sent', async ({ alice, site }) => {
  await asUser(site, 'bob', async (ask) => {
    const { room: direct } = await ask('direct:open', { user: '1' });
    await ask('room:join', { room: direct.id });
    await ask('message:send', { room: direct.id, text: 'Good morning', clientId: 'morning' });
    await ask('user:block', { user: '1', blocked: true });
  });
  await alice.open('Bob');
  await expect(alice.message('Good morning')).toBeVisible();
  await alice.write('Are you there?');
  await expect(alice.page.locator('.toast')).toContainText('You cannot write to Bob here.');
  await expect(alice.messages.last().getByRole('button', { name: 'Discard' })).toBeVisible();
  await expect(alice.messages.last().getByRole('button', { name: 'Retry' })).toHaveCount(0);
});

test('a user cannot write to a person whom they have blocked, and that person’s messages elsewhere are not unread', {
  tag: '@soak',
}, async ({ bob, site }) => {
  const room = await privateRoom(site, 'alice', 'noisy', ['2', '3']);
  await asUser(site, 'carol', async (ask) => {
    const { room: direct } = await ask('direct:open', { user: '2' });
    await ask('room:join', { room: direct.id });
    await ask('message:send', { room: direct.id, text: 'Hello Bob', clientId: 'hello' });
    await bob.open('Carol');
    await bob.page.getByRole('button', { name: 'Room menu' }).click();
    await item(bob, 'Block Carol').click();
    await bob.page.getByRole('alertdialog').getByRole('button', { name: 'Block Carol' }).click();
    await expect(closed(bob)).toHaveText(/^You blocked Carol\.\s*Unblock$/);
    await bob.shot('moderation-10-blocked-direct');
    await bob.open('lobby');
    const row = bob.page.getByRole('navigation', { name: 'Rooms' }).getByRole('button', { name: /^noisy/ });
    await ask('room:join', { room });
    for (const text of ['one', 'two', 'three'])
      await ask('message:send', { room, text, clientId: `noise-${text}` });
    await expect(row).toContainText('1 message from someone you blocked');
    await expect(row).not.toHaveAccessibleName(/unread/);
    await expect(bob.page).not.toHaveTitle(/^\(/);
    await asUser(site, 'alice', async (askAlice) => {
      await askAlice('room:join', { room });
      await askAlice('message:send', { room, text: 'Quiet, please', clientId: 'quiet' });
    });
    await expect(row).toHaveAccessibleName(/, 1 unread/);
    await bob.open('Carol');
    await closed(bob).getByRole('button', { name: 'Unblock' }).click();
    await expect(bob.field).toBeVisible();

    // Messages that wait in the direct room count as unread, except during a block on any device.
    const wait = bob.page.getByRole('navigation', { name: 'Rooms' }).getByRole('button', { name: /^Carol/ });
    await asUser(site, 'bob', async (askBob) => {
      // A message counts as read half a second after it came into sight.
      const readAll = (of: string) =>
        expect.poll(async () => (await askBob('read:mark', { room: of, seq: 0 })).room.unread).toBe(0);
      await readAll(direct.id);
      await bob.open('noisy');
      await readAll(room);
      await expect(bob.page).not.toHaveTitle(/^\(/);
      await ask('message:send', { room: direct.id, text: 'Hello again', clientId: 'again' });
      await expect(wait).toHaveAccessibleName(/, 1 unread/);
      await askBob('user:block', { user: '3', blocked: true });
      await expect(wait).not.toHaveAccessibleName(/unread/);
      await expect(bob.page).not.toHaveTitle(/^\(/);
      // The room is announced as changed before its messages are, once a second.
      await bob.open('lobby');
      for (const text of ['four', 'five'])
        await ask('message:send', { room, text, clientId: `noise-${text}` });
      await askBob('room:notify', { room, notify: 'mentions' });
      await readAll(room);
      await expect(row).not.toHaveAccessibleName(/unread/);
      await askBob('user:block', { user: '3', blocked: false });
    });
    await expect(wait).toHaveAccessibleName(/, 1 unread/);
    await expect(bob.page).toHaveTitle(/^\(1\)/);
  });
});

test('a blocked person is one line in the timeline, which shows the messages on request', {
  tag: '@soak',
}, async ({ bob, site }) => {
  const room = await privateRoom(site, 'alice', 'blocked', ['2', '3']);
  await asUser(site, 'carol', async (ask) => {
    await ask('room:join', { room });
    const say = (text: string) => ask('message:send', { room, text, clientId: text.replaceAll(' ', '-') });
    await bob.open('blocked');
    await expect(person(bob, 'Carol')).toBeVisible();
    await say('one');
    const spoken = bob.page.getByRole('status').filter({ hasText: 'Carol: one' });
    await expect(spoken).toBeAttached();
    await person(bob, 'Carol').click();
    await item(bob, 'Block Carol').click();
    const ask2 = bob.page.getByRole('alertdialog', { name: 'Block Carol?' });
    expect(await wrongIn(bob.page, '.dialog')).toEqual([]);
    await ask2.getByRole('button', { name: 'Block Carol' }).click();
    await expect(bob.timeline.getByText('1 message from someone you blocked')).toBeVisible();
    await expect(person(bob, 'Carol')).toBeFocused();
    await expect(spoken).toHaveCount(0);
    // From the menu of a message, which disappears then.
    await person(bob, 'Carol').click();
    await item(bob, 'Unblock Carol').click();
    await bob.message('one').focus();
    await bob.page.keyboard.press('Enter');
    await item(bob, 'Block Carol').click();
    await ask2.getByRole('button', { name: 'Block Carol' }).click();
    await expect(ask2).toHaveCount(0);
    await expect(bob.field).toBeFocused();
    await say('two');
    await expect(bob.timeline.getByText('2 messages from someone you blocked')).toBeVisible();
    // It is not announced either, nor visible elsewhere: in the list of rooms, in a quotation, or in search results.
    await expect(bob.page.getByRole('status').filter({ hasText: 'Carol:' })).toHaveCount(0);
    const row = bob.page.getByRole('navigation', { name: 'Rooms' }).getByRole('button', { name: /^blocked/ });
    await expect(row).toContainText('1 message from someone you blocked');
    await bob.page.context().setOffline(true);
    await expect(bob.banner).toContainText(/You’re offline|back online/);
    await expect(row).toContainText('1 message from someone you blocked');
    await bob.page.context().setOffline(false);
    await expect(bob.page.getByText('Connected', { exact: true })).toBeVisible();
    await asUser(site, 'alice', async (askAlice) => {
      await askAlice('room:join', { room });
      await askAlice('message:send', { room, text: 'Not so.', replyTo: 2, clientId: 'reply' });
    });
    await expect(bob.message('Not so.').locator('.quote')).toContainText(
      '1 message from someone you blocked',
    );
    // In a thread it is one line, too, and shown there on request.
    await bob.message('Not so.').focus();
    await bob.page.keyboard.press('t');
    const replies = bob.page.getByRole('log', { name: 'Replies to Carol' });
    await expect(replies.locator('.hidden-msg')).toHaveText(/^1 message from someone you blocked\s*Show$/);
    await replies.getByRole('button', { name: 'Show' }).click();
    await expect(replies.getByText('two', { exact: true })).toBeVisible();
    await expect(replies.locator('article').first()).toBeFocused();
    await expect(bob.timeline.first().locator('.hidden-msg')).toHaveText(/^1 message/);
    await bob.page.keyboard.press('Escape');
    await bob.write('I agree.');
    await expect(bob.message('I agree.')).toHaveAttribute('aria-posinset', '4');
    await ask('message:react', { room, seq: 4, emoji: '👎', on: true });
    await expect(bob.timeline.getByRole('button', { name: '👎 1' })).toBeVisible();
    await expect(bob.page.getByRole('status').filter({ hasText: 'reacted' })).toHaveCount(0);
    await bob.page.getByRole('button', { name: 'Search in this room' }).click();
    await bob.page.getByRole('searchbox', { name: 'Search messages' }).fill('two');
    await expect(bob.page.locator('button.hit')).toHaveText(/Carol.*1 message from someone you blocked$/);
    await bob.page.keyboard.press('Escape');
    await expect(bob.message('one')).toHaveCount(0);
    // Messages shown on request stay when the server says only then who is blocked.
    const known = Promise.withResolvers<void>();
    await bob.page.routeWebSocket(/socket\.io/, (page) => {
      const server = page.connectToServer();
      let asked = '';
      page.onMessage((frame) => {
        asked = /^42(\d+)\["user:blocked"/.exec(String(frame))?.[1] ?? asked;
        server.send(frame);
      });
      server.onMessage(async (frame) => {
        if (asked !== '' && String(frame).startsWith(`43${asked}[`)) await known.promise;
        page.send(frame);
      });
    });
    await bob.page.reload();
    await expect(bob.timeline.getByText('2 messages from someone you blocked')).toBeVisible();
    await bob.shot('moderation-6-blocked');
    await bob.timeline.getByRole('button', { name: 'Show' }).click();
    await expect(bob.message('two')).toBeVisible();
    await expect(bob.message('one')).toBeFocused();
    known.resolve();
    await ask('message:react', { room, seq: 4, emoji: '🎉', on: true });
    await expect(bob.timeline.getByRole('button', { name: '🎉 1' })).toBeVisible();
    await expect(bob.message('two')).toBeVisible();
    await bob.page.reload();
    await expect(bob.timeline.getByText('2 messages from someone you blocked')).toBeVisible();
    // Each group has a line of its own: here the two are apart by the line of a pin.
    await say('three');
    await asUser(site, 'alice', async (askAlice) => {
      await askAlice('room:join', { room });
      await askAlice('message:pin', { room, seq: 5 });
    });
    await say('four');
    await expect(bob.timeline.locator('.hidden-msg')).toHaveText([/^2 messages/, /^1 message/, /^1 message/]);
    // Also before the code that hides them has come.
    const shown = Promise.withResolvers<void>();
    await bob.page.route(/\/assets\/panels-/, async (route) => {
      await shown.promise;
      await route.continue();
    });
    await bob.page.reload();
    await expect(bob.message('Not so.').locator('.quote')).toContainText('from someone you blocked');
    await expect(row).toContainText('1 message from someone you blocked');
    await expect(bob.message('four')).toHaveCount(0);
    shown.resolve();
    await person(bob, 'Carol').click();
    await item(bob, 'Unblock Carol').click();
    await expect(bob.message('one')).toBeVisible();
    await expect(bob.message('two').first()).toBeVisible();
  });
});

test('names and notes without a blank end within the dialogs, the search and an empty room', {
  tag: '@soak',
}, async ({ alice, site }) => {
  const { page } = alice;
  const room = await privateRoom(site, 'alice', 'narrow words', ['2']);
  await asUser(site, 'alice', (ask) =>
    ask('room:create', { name: 'W'.repeat(80), kind: 'private', members: [], clientId: 'wide' }),
  );
  const author = { id: 'long', name: 'W'.repeat(64) };
  const answer = await fetch(`${site.chat.url}/api/rooms/${room}/messages`, {
    method: 'POST',
    headers: { authorization: `Bearer ${site.apiKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ user: author, text: 'buy', clientId: 'buy' }),
  });
  expect(answer.status).toBe(201);
  await asUser(site, 'bob', async (ask) => {
    await ask('room:join', { room });
    await ask('message:report', { room, seq: 1, reason: 'other', text: 'W'.repeat(500) });
  });
  const wide = () =>
    page.locator('php-chat').evaluate(({ shadowRoot }) => {
      const boxes = [
        ...(shadowRoot?.querySelectorAll('.dialog, .dialog .body, .side .scroll, .empty') ?? []),
      ];
      return boxes.filter((box) => box.scrollWidth > box.clientWidth).map((box) => box.className);
    });
  await alice.open('narrow words');
  await page.getByRole('button', { name: 'Room menu' }).click();
  await item(alice, 'Reports · 1').click();
  const reports = dialog(alice, 'Reports');
  await expect(reports.getByRole('listitem')).toHaveCount(1);
  expect(await wide()).toEqual([]);
  await reports.getByRole('button', { name: 'Mute…' }).click();
  const mute = page.getByRole('dialog', { name: /^Mute W/ });
  await expect(mute).toBeVisible();
  expect(await wide()).toEqual([]);
  await mute.getByRole('button', { name: 'Cancel' }).click();
  await reports.getByRole('button', { name: 'Close reports' }).click();
  await page.getByRole('button', { name: 'Search in this room' }).click();
  await page.getByRole('searchbox', { name: 'Search messages' }).fill('buy');
  await expect(page.locator('php-chat .hit mark')).toHaveText('buy');
  expect(await wide()).toEqual([]);
  await page.getByRole('navigation', { name: 'Rooms' }).getByRole('button', { name: /^WWW/ }).click();
  await expect(page.locator('php-chat .column .empty')).toContainText('WWW');
  expect(await wide()).toEqual([]);
});

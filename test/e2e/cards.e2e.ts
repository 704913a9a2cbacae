import { asUser, privateRoom } from './as-user.ts';
import { faultsIn } from './axe.ts';
import { type CardAsk, expect, stepInSoak, test } from './fixtures.ts';

test.use({ cards: true });

test('sends, shows and changes cards of the site', { tag: '@soak' }, async ({ alice, bob, site }) => {
  const { page } = alice;
  const asks: CardAsk[] = [];
  let state = 'Paid';
  let isDown = false;
  const order = () => ({
    about: 'order:4711',
    title: 'Order 4711',
    text: '2 × Orchard honey <b>to</b> Alice',
    state,
    image: '/pictures/honey.svg',
    url: '/orders',
    buttons:
      state === 'Paid'
        ? [
            { id: 'ship', label: 'Mark as shipped' },
            { id: 'cancel', label: 'Cancel the order' },
          ]
        : [],
  });
  site.answerCards((ask) => {
    asks.push(ask);
    if (isDown) return {};
    // Only Alice may see the order.
    if (ask.data.user.id !== '1') return ask.type === 'card.find' ? { cards: [] } : { card: null };
    if (ask.type === 'card.press') state = 'Shipped';
    const seeds = {
      about: 'product:seeds',
      title: 'Seed box',
      state: '9 left',
      image: '/pictures/seeds.svg',
    };
    if (ask.type === 'card.find') return { cards: ask.data.query === '' ? [order(), seeds] : [seeds] };
    return { card: ask.data.about === 'order:4711' ? order() : seeds };
  });
  const room = await privateRoom(site, 'alice', 'shop', ['2']);

  await test.step('offers what the page is about, once', async () => {
    await page.locator('php-chat').evaluate((chat) => chat.setAttribute('data-about', 'order:4711'));
    await alice.open('shop');
    await expect(page.getByRole('button', { name: 'Attach “Order 4711”' })).toBeVisible();
    // Everyone can read a public room.
    await alice.open('lobby');
    await expect(page.getByRole('button', { name: 'Attach “Order 4711”' })).toHaveCount(0);
    await alice.open('shop');
    await page.getByRole('button', { name: 'Attach “Order 4711”' }).click();
    await expect(alice.field).toBeFocused();
    await expect(page.getByRole('button', { name: 'Remove the card' })).toBeVisible();
    await alice.shot('cards-attached');
    await page.keyboard.press('Enter');
    await expect(page.getByRole('button', { name: /^Attach “/ })).toHaveCount(0);
  });

  const card = page.getByRole('group', { name: /: Order 4711$/ });
  await test.step('shows a card to its reader, and nothing of it to others', async () => {
    await expect(card.getByText('2 × Orchard honey <b>to</b> Alice')).toBeVisible();
    await expect(card.getByRole('link', { name: 'Order 4711' })).toHaveAttribute(
      'href',
      `${site.php.url}/orders`,
    );
    // The reference, which is the text for other clients, is not repeated.
    await expect(page.getByText('order:4711')).toHaveCount(0);
    await expect(page.getByRole('navigation', { name: 'Rooms' }).getByText('Card')).toBeVisible();
    await bob.open('shop');
    await expect(bob.page.getByText('Not available to you')).toBeVisible();
    await expect(bob.page.getByText(/Orchard honey/)).toHaveCount(0);
    await bob.shot('cards-none');
  });

  await test.step('lists cards after a slash, for the keyboard', async () => {
    await alice.field.fill('Do we have these?');
    await page.getByRole('button', { name: 'Attach', exact: true }).click();
    await page.getByRole('menuitem', { name: /^From / }).click();
    await expect(alice.field).toHaveValue('Do we have these? /');
    const list = page.getByRole('listbox', { name: /^From / });
    await expect(list.getByRole('option')).toHaveText([/Order 4711/, /Seed box/]);
    await alice.shot('cards-list');
    await alice.field.pressSequentially('seed');
    await expect(list.getByRole('option')).toHaveText([/Seed box/]);
    await page.keyboard.press('Enter');
    await expect(alice.field).toHaveValue('Do we have these? ');
    await page.keyboard.press('Enter');
    const seeds = page.getByRole('group', { name: /: Seed box$/ });
    await expect(seeds.getByText('9 left')).toBeVisible();
    await expect(alice.message('Do we have these?')).toBeVisible();
  });

  await test.step('schedules a card', async () => {
    await alice.field.fill('/seed');
    await page.getByRole('option', { name: /Seed box/ }).click();
    await expect(alice.field).toHaveValue('');
    await page.getByRole('button', { name: 'Send later' }).click();
    await page.getByRole('menuitem', { name: 'Tomorrow, 09:00' }).click();
    await expect(page.getByRole('button', { name: 'Remove the card' })).toHaveCount(0);
    await page.getByRole('button', { name: 'Show', exact: true }).click();
    const list = page.getByRole('dialog', { name: 'Scheduled messages' });
    await expect(list.getByRole('listitem')).toContainText('Card');
    await list.getByRole('button', { name: 'Send now' }).click();
    await list.getByRole('button', { name: 'Close' }).click();
    await expect(page.getByRole('group', { name: /: Seed box$/ })).toHaveCount(2);
  });

  await test.step('runs a double-clicked button once, and replaces the card', async () => {
    const tab = await page.context().newPage();
    await tab.goto(page.url());
    const inTab = tab.getByRole('group', { name: /: Order 4711$/ });
    await expect(inTab.getByRole('status')).toHaveText('Paid');
    await card.getByRole('button', { name: 'Mark as shipped' }).dblclick();
    await expect(card.getByRole('status')).toHaveText('Shipped');
    await expect(card.getByRole('button')).toHaveCount(0);
    await expect(inTab.getByRole('status')).toHaveText('Shipped');
    await expect(bob.page.getByText('Not available to you')).toHaveCount(3);
    await expect(bob.page.getByText('Shipped')).toHaveCount(0);
    await tab.close();
    expect(asks.filter(({ type }) => type === 'card.press')).toHaveLength(1);
    await alice.shot('cards-shipped');
  });

  await test.step('says that the site does not answer, and tries again only if asked', async () => {
    isDown = true;
    await asUser(site, 'alice', async (ask) => {
      await ask('room:join', { room });
      await ask('message:send', { room, text: 'And this?', clientId: 'this', card: 'product:can' });
    });
    const asked = alice.message('And this?');
    await expect(asked.getByText('The site didn’t answer.')).toBeVisible();
    await alice.shot('cards-failed');
    isDown = false;
    await asked.getByRole('button', { name: 'Try again' }).click();
    await expect(asked.getByText('9 left')).toBeVisible();
    expect(await faultsIn(page)).toEqual([]);
  });

  await stepInSoak('is legible on phones, in the dark, from right to left and in large text', async () => {
    for (const width of [1280, 360]) {
      await page.setViewportSize({ width, height: 800 });
      await alice.shot(`cards-${width}-light`);
      await page.emulateMedia({ colorScheme: 'dark' });
      await alice.shot(`cards-${width}-dark`);
      expect(await faultsIn(page)).toEqual([]);
      await page.emulateMedia({ colorScheme: 'light' });
    }
    const chat = page.locator('php-chat');
    await chat.evaluate((element) => Object.assign(element, { lang: 'ar', dir: 'rtl' }));
    await expect(card).toBeVisible();
    await alice.shot('cards-360-arabic');
    await chat.evaluate((element) => Object.assign(element, { lang: 'en', dir: 'ltr' }));
    await expect(card).toBeVisible();
    await chat.evaluate((element) => element.style.setProperty('--pc-font-size', '30px'));
    await alice.shot('cards-360-large');
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360);
    await chat.evaluate((element) => element.style.removeProperty('--pc-font-size'));
  });
});

test('shows the card of a held message to those who decide, at least its reference', {
  tag: '@soak',
}, async ({ alice, bob, site }) => {
  const { page } = alice;
  site.answerCards(({ data: { user, about } }) => {
    const isHers = user.id === '1' && about === 'order:4711';
    const buttons = [{ id: 'ship', label: 'Mark as shipped' }];
    return { card: isHers ? { about, title: 'Order 4711', state: 'Paid', buttons } : null };
  });
  const room = await privateRoom(site, 'alice', 'desk', ['2']);
  await asUser(site, 'bob', async (ask) => {
    await ask('room:join', { room });
    for (const [card, text] of [
      ['order:4711', 'No casino'],
      ['order:4712', 'No casino either'],
      ['casino:1', 'casino:1'],
    ] as const)
      await ask('message:send', { room, text, clientId: card.replace(':', '-'), card });
  });
  const card = page.getByRole('group', { name: /: Order 4711$/ });

  await test.step('in the room', async () => {
    await alice.open('desk');
    await expect(card.getByText('Paid')).toBeVisible();
    await expect(page.getByRole('button', { name: 'Mark as shipped' })).toHaveCount(0);
    await expect(page.getByText(/order:4712.*Not available to you/)).toBeVisible();
    await expect(page.getByText(/casino:1.*Not available to you/)).toBeVisible();
    expect(await faultsIn(page)).toEqual([]);
    await alice.shot('cards-held');
  });

  await test.step('on the author’s devices', async () => {
    await bob.open('desk');
    const own = bob.message('No casino either');
    await expect(own.getByText(/order:4712.*Not available to you/)).toBeVisible();
    // The field takes only the text.
    await expect(own.getByRole('button', { name: 'Discard' })).toBeVisible();
    await expect(own.getByRole('button', { name: 'Edit' })).toHaveCount(0);
  });

  await test.step('on the moderators’ page', async () => {
    await page.goto(`${site.chat.url}/moderate`);
    const queue = page.getByRole('region', { name: 'Queue' });
    await queue.getByRole('button', { name: /No casino(?! either)/ }).click();
    await expect(card.getByText('Paid')).toBeVisible();
    await expect(page.getByRole('button', { name: 'Mark as shipped' })).toHaveCount(0);
    await alice.shot('cards-moderate');
    await queue.getByRole('button', { name: /No casino either/ }).click();
    await expect(page.getByText(/order:4712.*Not available to you/)).toBeVisible();
    await expect(card).toHaveCount(0);
  });
});

import { faultsIn } from './axe.ts';
import { expect, Person, type Site, test } from './fixtures.ts';

test.use({ team: true, guests: true });

/** A page of the shop that only lets visitors ask. */
const shop = (site: Site) =>
  site.host(`<!doctype html><html lang="en"><meta charset="utf-8"><title>Red tomatoes – Shop</title>
    <meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">
    <script type="module" src="${site.chat.url}/php-chat.js"></script>
    <h1>Red tomatoes</h1><php-chat-launcher ask></php-chat-launcher>`);

const questions = ({ page }: Person) => page.getByRole('group', { name: 'Questions' }).getByRole('listitem');
const openQuestions = ({ page }: Person) => page.getByRole('button', { name: /^Questions/ }).click();
const bar = ({ page }: Person) => page.getByRole('region', { name: 'Questions' });
const manage = async ({ page }: Person, item: string) => {
  await page.getByRole('button', { name: 'Manage question' }).click();
  await page.getByRole('menuitem', { name: item }).click();
};

test('a visitor asks the team, which answers', async ({ alice, bob, visitor, site, window }) => {
  const { page } = visitor;
  const chat = page.locator('php-chat');
  const url = shop(site);

  await test.step('the launcher says what it is for, and the form what to expect', async () => {
    await page.setViewportSize({ width: 390, height: 780 });
    await page.goto(`${url}?id=7&PHPSESSID=0123456789abcdef0123456789abcdef`);
    await page.getByRole('button', { name: 'Ask us' }).click();
    await expect(chat.getByText('We answer from 9 to 5.')).toBeVisible();
    await expect(chat.locator('.team-faces')).toContainText('Alice');
    await visitor.shot('question-form');
    expect(await faultsIn(page)).toEqual([]);
  });

  await test.step('a guest asks without an account', async () => {
    const question = chat.getByRole('textbox', { name: 'Your question' });
    await question.fill('Are they sweet?');
    await page.reload();
    await expect(question).toHaveValue('Are they sweet?');
    await chat.getByRole('textbox', { name: 'Your name' }).fill('Eve');
    await chat.getByRole('button', { name: 'Send' }).click();
    await expect(visitor.message('Are they sweet?')).toBeVisible();
    expect(await page.evaluate(() => JSON.stringify(sessionStorage))).not.toContain('sweet');
    await expect(page.getByRole('navigation', { name: 'Rooms' })).toBeHidden();
  });

  await test.step('a guest leaves a mail address, once it is needed', async () => {
    const address = chat.getByRole('textbox', { name: 'Also get the answer by mail' });
    await visitor.shot('question-asked');
    await address.fill('eve');
    await chat.getByRole('button', { name: 'Save' }).click();
    await expect(address).toHaveJSProperty('validity.valid', false);
    await address.fill('eve@example.org');
    await address.press('Enter');
    await expect(chat.locator('.asked')).toHaveText(/You also get answers by mail\. e…@example\.org/);
    // A screen reader says it, too.
    await expect(
      chat.getByRole('status').filter({ hasText: 'You also get answers by mail.' }),
    ).toBeAttached();
    expect(await faultsIn(page)).toEqual([]);
  });

  await test.step('the team has a list of questions, apart from the rooms', async () => {
    await openQuestions(alice);
    await expect(questions(alice)).toHaveText([
      /Guest Eve.*Are they sweet\?.*Unassigned.*waiting for 1 minute/,
    ]);
    await expect(alice.page.getByRole('button', { name: 'Open 1' })).toHaveAttribute('aria-pressed', 'true');
    await questions(alice).getByRole('button').click();
    await expect(bar(alice)).toContainText('Unassigned');
    const about = bar(alice).getByRole('link', { name: 'Red tomatoes – Shop' });
    // Without the session ID.
    await expect(about).toHaveAttribute('href', /\/\?id=7$/);
    await alice.shot('question-team');
    expect(await faultsIn(alice.page)).toEqual([]);
  });

  await test.step('one of two who take it has it', async () => {
    await openQuestions(bob);
    await questions(bob).getByRole('button').click();
    await bar(bob).getByRole('button', { name: 'Take' }).click();
    await expect(bar(bob)).toContainText('Taken by you');
    await expect(bar(alice)).toContainText('Taken by Bob');
    await expect(questions(alice)).toContainText(['Bob']);
  });

  await test.step('the others can still follow a link to it', async () => {
    const id = await bob.page.evaluate(() => JSON.stringify(localStorage).match(/u-question-[\w-]+/)?.[0]);
    const carol = new Person(await window('carol'));
    await carol.enter(site, 'carol');
    // Otherwise the same page follows the link, and removes it from the address before it can be loaded.
    await carol.page.goto('about:blank');
    await carol.page.goto(`${site.php.chatPage}#m=${id}/1`);
    await expect(bar(carol)).toContainText('Taken by Bob');
    await expect(carol.message('Are they sweet?')).toBeVisible();
  });

  await test.step('a note is only for the team', async () => {
    await manage(bob, 'Add a note');
    await bob.page
      .getByRole('textbox', { name: 'Only the team sees this' })
      .fill('She asked last week, too.');
    await bob.page.getByRole('button', { name: 'Save' }).click();
    const note = alice.page.getByRole('group', { name: 'Note by Bob' });
    await expect(note).toContainText('She asked last week, too.');
    await alice.shot('question-note');
  });

  await test.step('a saved reply has the name of the visitor', async () => {
    await manage(bob, 'Saved replies');
    await bob.page.getByRole('textbox', { name: 'Name' }).fill('hello');
    await bob.page.getByRole('textbox', { name: 'Text' }).fill('Hello {name}!');
    await bob.page.getByRole('button', { name: 'Save' }).click();
    await expect(bob.page.getByRole('button', { name: '/hello', exact: true })).toBeVisible();
    await bob.shot('question-snippets');
    await bob.page.getByRole('button', { name: 'Close', exact: true }).click();
    await bob.field.fill('');
    await bob.field.pressSequentially('/hel');
    await expect(bob.page.getByRole('option', { name: '/hello' })).toBeVisible();
    await bob.field.press('Enter');
    await expect(bob.field).toHaveValue('Hello Eve!');
    await bob.field.pressSequentially(' Very.');
    await bob.field.press('Enter');
    await expect(visitor.message('Hello Eve! Very.')).toBeVisible();
    await expect(page.getByText('She asked last week, too.')).toHaveCount(0);
  });

  await test.step('the button of the closed chat shows the unread count', async () => {
    await page.getByRole('button', { name: 'Close chat' }).first().click();
    await bob.write('As sugar.');
    await page.getByRole('button', { name: /^Ask us: .*1 unread/ }).click();
    await expect(visitor.message('As sugar.')).toBeVisible();
  });

  await test.step('it is handed over and closed', async () => {
    await manage(bob, 'Hand over');
    await bob.page.getByRole('menuitem', { name: 'Alice' }).click();
    await expect(bar(alice)).toContainText('Taken by you');
    await manage(alice, 'Close question');
    await expect(bar(alice)).toContainText('Closed');
    // Screen readers announce it to the visitor.
    const closed = /^This question is closed\./;
    await expect(chat.getByRole('status').filter({ hasText: closed })).toBeAttached();
    await expect(questions(alice)).toHaveCount(0);
    await alice.page.getByRole('button', { name: 'Closed' }).click();
    await expect(questions(alice)).toHaveText([/Guest Eve/]);
  });

  await test.step('the visitor comes back in the same browser, and a message opens it again', async () => {
    await page.reload();
    await expect(chat.getByText('This question is closed.')).toBeVisible();
    await visitor.write('And how big?');
    await expect(chat.locator('.asked')).toHaveText(/You also get answers by mail\. e…@example\.org/);
    await expect(bar(alice)).toContainText('waiting');
  });

  await test.step('a login takes the question along', async () => {
    const value = await site.login('dimitri');
    await page.context().addCookies([{ name: 'PHPSESSID', value, domain: '127.0.0.1', path: '/' }]);
    await page.goto(url);
    await expect(visitor.message('Are they sweet?')).toBeVisible();
    await visitor.write('I am a member now.');
    await expect(alice.message('I am a member now.')).toHaveAccessibleName(/^Dimitri,/);
    const kept = await page.evaluate(() => Object.keys(localStorage).filter((key) => key.endsWith('guest')));
    expect(kept).toEqual([]);
  });
});

test('a member asks from the menu of the full chat', async ({ alice, visitor, site }) => {
  await visitor.enter(site, 'dimitri');
  const { page } = visitor;
  await page.getByRole('button', { name: 'New room or message' }).click();
  await page.getByRole('menuitem', { name: 'Ask the team' }).click();
  await page.getByRole('textbox', { name: 'Your question' }).fill('How do I leave?');
  await page.getByRole('button', { name: 'Send' }).click();
  await expect(visitor.message('How do I leave?')).toBeVisible();
  await openQuestions(alice);
  await expect(questions(alice)).toHaveText([/Dimitri.*How do I leave\?/]);
});

test('the list has shortcuts, and nothing that is typed gets lost', { tag: '@soak' }, async ({
  alice,
  bob,
  visitor,
  site,
  window,
}) => {
  const url = shop(site);
  const other = new Person(await window('other visitor'));
  const row = (person: Person, name: string) =>
    questions(person).getByRole('button', { name: new RegExp(`^Guest ${name}`) });

  for (const [person, name] of [
    [visitor, 'Ann'],
    [other, 'Ben'],
  ] as const) {
    const { page } = person;
    await page.goto(url);
    await page.getByRole('button', { name: 'Ask us' }).click();
    await page.getByRole('textbox', { name: 'Your name' }).fill(name);
    await page.getByRole('textbox', { name: 'Your question' }).fill(`Is ${name} red?`);
    await page.getByRole('button', { name: 'Send' }).click();
    await expect(person.message(`Is ${name} red?`)).toBeVisible();
  }

  await test.step('J and K go through the list, T takes, ? shows the shortcuts', async () => {
    const { keyboard } = alice.page;
    await openQuestions(alice);
    await row(alice, 'Ann').focus();
    await keyboard.press('j');
    await expect(row(alice, 'Ben')).toBeFocused();
    await keyboard.press('k');
    await expect(row(alice, 'Ann')).toBeFocused();
    await keyboard.press('t');
    await expect(row(alice, 'Ann')).toContainText('You');
    await keyboard.press('?');
    await expect(alice.page.getByRole('dialog').getByText('Close question')).toBeVisible();
    await keyboard.press('Escape');
  });

  await test.step('an answer and a note stay when another one takes the question', async () => {
    await row(alice, 'Ben').click();
    await alice.field.fill('Half an answer');
    await row(alice, 'Ben').focus();
    await alice.page.keyboard.press('n');
    const note = alice.page.getByRole('textbox', { name: 'Only the team sees this' });
    await note.fill('Ben asks often.');
    await openQuestions(bob);
    await row(bob, 'Ben').click();
    await bar(bob).getByRole('button', { name: 'Take' }).click();
    await expect(row(alice, 'Ben')).toContainText('Bob');
    await expect(bar(alice)).toContainText('Taken by Bob');
    await expect(note).toHaveValue('Ben asks often.');
    await alice.page.getByRole('button', { name: 'Save' }).click();
    await expect(alice.page.getByRole('group', { name: 'Note by Alice' })).toContainText('Ben asks often.');
    await expect(alice.field).toHaveValue('Half an answer');
  });

  await test.step('after C the focus is on the next question', async () => {
    await row(alice, 'Ann').focus();
    await alice.page.keyboard.press('c');
    await expect(row(alice, 'Ann')).toHaveCount(0);
    await expect(questions(alice).getByRole('button').and(alice.page.locator(':focus'))).toHaveCount(1);
  });

  await test.step('a guest can be forgotten on a computer of others', async () => {
    const { page } = visitor;
    await page.getByRole('button', { name: 'Room menu' }).click();
    await page.getByRole('menuitem', { name: 'Forget me on this device' }).click();
    await expect(page.getByRole('textbox', { name: 'Your name' })).toHaveValue('');
    await expect(visitor.message('Is Ann red?')).toHaveCount(0);
  });
});

test('another tab shows the question that was asked', { tag: '@soak' }, async ({ alice, visitor, site }) => {
  const url = shop(site);
  const value = await site.login('wei');
  await visitor.page.context().addCookies([{ name: 'PHPSESSID', value, domain: '127.0.0.1', path: '/' }]);
  const second = new Person(await visitor.page.context().newPage());
  for (const { page } of [visitor, second]) {
    await page.goto(url);
    await page.getByRole('button', { name: 'Ask us' }).click();
    await expect(page.getByRole('textbox', { name: 'Your question' })).toBeVisible();
  }
  await visitor.page.getByRole('textbox', { name: 'Your question' }).fill('Where is the tab?');
  await visitor.page.getByRole('button', { name: 'Send' }).click();
  await expect(second.message('Where is the tab?')).toBeVisible();
  await second.page.close();

  await test.step('the list shows for how long it waits, also in a language with long words', async () => {
    const chat = alice.page.locator('php-chat');
    await chat.evaluate((element) => element.setAttribute('lang', 'de'));
    await chat.getByRole('button', { name: /^Fragen/ }).click();
    const row = chat.getByRole('button', { name: /Where is the tab/ });
    const [outer, inner] = await Promise.all([row, row.locator('b')].map((part) => part.boundingBox()));
    expect((inner?.y ?? NaN) + (inner?.height ?? 0)).toBeLessThanOrEqual(
      (outer?.y ?? 0) + (outer?.height ?? 0),
    );
  });
});

test('a login takes the question along and forgets the guest, also while the chat is closed', async ({
  visitor,
  site,
}) => {
  const { page } = visitor;
  await page.goto(shop(site));
  await page.getByRole('button', { name: 'Ask us' }).click();
  await page.getByRole('textbox', { name: 'Your name' }).fill('Eve');
  await page.getByRole('textbox', { name: 'Your question' }).fill('Are figs sweet?');
  await page.getByRole('button', { name: 'Send' }).click();
  await expect(visitor.message('Are figs sweet?')).toBeVisible();
  await page.getByRole('button', { name: 'Close chat' }).first().click();
  const guests = () =>
    page.evaluate(() => Object.keys(localStorage).filter((key) => key.endsWith('guest')).length);
  expect(await guests()).toBe(1);
  const value = await site.login('frida');
  await page.context().addCookies([{ name: 'PHPSESSID', value, domain: '127.0.0.1', path: '/' }]);
  await page.goto(shop(site));
  await expect.poll(guests).toBe(0);
  await page.getByRole('button', { name: /^Ask us/ }).click();
  await expect(visitor.message('Are figs sweet?')).toBeVisible();
});

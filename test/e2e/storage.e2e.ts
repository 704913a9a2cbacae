import type { BrowserContext, Page } from '@playwright/test';
import { expect, Person, stored, test } from './fixtures.ts';
import { join, ownUser } from './own-user.ts';
import { seed } from './seed.ts';

const unsaved = 'Your browser can’t save this. Keep the page open until it is sent.';

/** Collects uncaught errors, including those of promises. */
function errorsOf(page: Page): string[] {
  const errors: string[] = [];
  page.on('pageerror', (error) => errors.push(error.message));
  return errors;
}

test('sends messages and drafts once from two tabs', async ({ visitor, site }) => {
  await visitor.enter(site, 'alice');
  await visitor.open('tabs');
  const other = new Person(await visitor.page.context().newPage());
  await other.page.goto(site.php.chatPage);
  await other.open('tabs');
  await visitor.field.fill('from two tabs');
  await expect(other.field).toHaveValue('from two tabs');
  await visitor.field.press('Enter');
  await expect(other.message('from two tabs')).toBeVisible();
  await expect(other.field).toHaveValue('');
  await other.field.press('Enter');
  await other.write('from the other tab');
  await expect(visitor.texts).toHaveText(['from two tabs', 'from the other tab']);
  await other.page.close();
});

test('works with a full storage, and stores the draft when there is space', { tag: '@soak' }, async ({
  visitor,
  site,
}) => {
  const errors = errorsOf(visitor.page);
  await visitor.enter(site, 'alice');
  await visitor.open('tabs');
  await visitor.page.evaluate(() => {
    for (let size = 1 << 20; size >= 1; size = Math.floor(size / 2)) {
      try {
        for (let n = 0; ; n++) localStorage.setItem(`of the site ${size} ${n}`, 'x'.repeat(size));
      } catch {}
    }
  });
  await visitor.write('with a full storage');
  await expect(visitor.message('with a full storage').getByText(stored)).toBeVisible();
  await visitor.field.fill('a draft');
  await expect(visitor.page.getByRole('alert').filter({ hasText: unsaved })).toBeVisible();
  await visitor.open('talk');
  await visitor.open('tabs');
  await expect(visitor.field).toHaveValue('a draft');
  await visitor.page.evaluate(() => {
    for (const key of Object.keys(localStorage))
      if (key.startsWith('of the site')) localStorage.removeItem(key);
  });
  await visitor.field.fill('a stored draft');
  await expect(visitor.page.getByText(unsaved)).toHaveCount(0);
  await visitor.page.reload();
  await expect(visitor.field).toHaveValue('a stored draft');
  expect(errors).toEqual([]);
});

test('deletes the recordings of another user whose keys the site deleted', async ({ visitor, site }) => {
  await visitor.enter(site, 'alice');
  const { page } = visitor;
  const names = () => page.evaluate(async () => (await indexedDB.databases()).map(({ name }) => name));
  const name = `php-chat/${encodeURIComponent(`${site.chat.url}/`)}/9/`;
  await page.evaluate(
    (name) =>
      new Promise((resolve) => {
        const opening = indexedDB.open(name);
        opening.onsuccess = () => resolve(opening.result.close());
      }),
    name,
  );
  expect(await names()).toContain(name);
  await page.reload();
  await expect.poll(names).not.toContain(name);
});

/** Forbids storage, as a browser that blocks all cookies and site data does. */
async function forbid(context: BrowserContext): Promise<void> {
  await context.addInitScript(() => {
    const denied = () => {
      throw new DOMException('Access is denied for this document.', 'SecurityError');
    };
    for (const name of ['localStorage', 'sessionStorage', 'indexedDB'])
      Object.defineProperty(window, name, { get: denied });
    navigator.locks.request = async () => denied();
    navigator.locks.query = async () => denied();
    Object.defineProperty(window, 'BroadcastChannel', {
      value: function BroadcastChannel() {
        denied();
      },
    });
  });
}

test('works in a browser that forbids storage, locks and channels', async ({ browser, site }) => {
  const context = await browser.newContext();
  await forbid(context);
  const page = await context.newPage();
  const errors = errorsOf(page);
  const user = await ownUser(site, context);
  await join(site, user, 'tabs');
  await seed(site, 'bob', 'tabs', ['one', 'two']);

  await test.step('the launcher shows the unread count', async () => {
    await page.goto(
      site.host(`<!doctype html><html lang="en"><meta charset="utf-8"><title>Shop</title>
        <script type="module" src="${site.chat.url}/php-chat.js"></script>
        <php-chat-launcher room="tabs" here></php-chat-launcher>`),
    );
    const open = page.locator('php-chat-launcher').getByRole('button', { name: /^Open chat/ });
    await expect(open).toHaveAccessibleName('Open chat, 2 unread');
    await open.click();
  });

  await test.step('the chat sends messages and keeps the draft of another room', async () => {
    const person = new Person(page);
    await person.write('without storage');
    await expect(person.message('without storage').getByText(stored)).toBeVisible();
    await person.field.fill('a draft');
    await expect(page.getByText(unsaved)).toBeVisible();
  });

  expect(errors).toEqual([]);
  await context.close();
});

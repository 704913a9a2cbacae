import { expect, Person, stored, test } from './fixtures.ts';

/** Blocks Socket.IO on request. Everything else works, including a reload. */
async function control(person: Person): Promise<{ block(blocked: boolean): Promise<void> }> {
  const context = person.page.context();
  let blocked = false;
  await context.route(/socket\.io|php-chat\.js/, (route, request) => {
    const needed = request.resourceType() === 'script';
    return blocked && !needed ? route.abort() : route.fallback();
  });
  await context.addInitScript(() => {
    const Real = WebSocket;
    globalThis.WebSocket = class extends Real {
      constructor(url: string | URL, protocols?: string | string[]) {
        // Nothing listens on port 9.
        super(sessionStorage.getItem('blocked') === null ? url : 'ws://127.0.0.1:9/', protocols);
      }
    };
  });
  return {
    async block(value) {
      blocked = value;
      await person.page.evaluate(
        (on) => (on ? sessionStorage.setItem('blocked', '') : sessionStorage.removeItem('blocked')),
        value,
      );
    },
  };
}

test('loads the chat of the sample site once its server answers', { tag: '@soak' }, async ({
  visitor,
  site,
}) => {
  const { page } = visitor;
  const cookie = { name: 'PHPSESSID', value: await site.login('alice'), domain: '127.0.0.1', path: '/' };
  await page.context().addCookies([cookie]);
  await site.restart('SIGTERM', async () => {
    await page.goto(site.php.chatPage);
    await expect(page.getByText('The chat doesn’t answer right now.')).toBeVisible();
    await visitor.shot('server-down');
  });
  await expect(page.getByText('Connected', { exact: true })).toBeVisible();
});

test('sends messages written offline once and in order', async ({ visitor, bob, site }) => {
  const { page } = visitor;
  const network = await control(visitor);
  await visitor.enter(site, 'alice');
  await visitor.open('offline');
  await bob.open('offline');
  await visitor.write('before');
  await expect(bob.message('before')).toBeVisible();
  const waiting = page.getByText('Waiting for connection');

  await test.step('keeps messages written offline through a reload while the chat is unreachable', async () => {
    await network.block(true);
    await page.context().setOffline(true);
    await expect(visitor.banner).toContainText('You’re offline. You can keep writing.');
    for (const text of ['one', 'two', 'three']) await visitor.write(text);
    await expect(visitor.banner).toContainText('3 messages will be sent when you’re back online');
    await expect(waiting.first()).toBeVisible();
    await visitor.shot('offline-1-waiting');
    await bob.write('meanwhile');
    await expect(bob.message('meanwhile')).toBeVisible();
    await page.context().setOffline(false);
    await page.reload();
    await expect(page.getByRole('heading', { name: 'The chat can’t be reached' })).toBeVisible();
    await expect(page.getByRole('button', { name: 'Try again' })).toBeVisible();
    await visitor.shot('offline-2-reloaded');
  });

  await test.step('sends them after the messages of others when online again', async () => {
    await network.block(false);
    const all = ['before', 'meanwhile', 'one', 'two', 'three'];
    await expect(visitor.texts).toHaveText(all);
    await expect(bob.texts).toHaveText(all);
    await expect(page.getByText(stored)).toBeVisible();
    await expect(waiting).toHaveCount(0);
    const unsent = () => Object.keys(localStorage).filter((key) => key.includes('/out/'));
    expect(await page.evaluate(unsent)).toEqual([]);
  });

  await test.step('tries WebSocket twice before polling while a killed server restarts', async () => {
    // Each failed connection is an error in the console.
    const failed: string[] = [];
    page.on('websocket', () => failed.push('websocket'));
    page.on('requestfailed', (request) =>
      failed.push(request.url().includes('transport=polling') ? 'polling' : request.url()),
    );
    await site.restart('SIGKILL', async () => {
      await expect(visitor.banner).toContainText(/Connection lost/);
      await visitor.write('while it is down');
      await bob.write('me too');
      await expect(visitor.message('while it is down')).toContainText('Waiting for connection');
      await visitor.shot('restart-1-down');
      await expect.poll(() => failed.length).toBeGreaterThan(0);
      await page.getByRole('button', { name: 'Try now' }).click();
      await expect.poll(() => failed.length).toBeGreaterThan(2);
      expect(failed.slice(0, 3)).toEqual(['websocket', 'websocket', 'polling']);
    });
    for (const person of [visitor, bob]) {
      await expect(person.messages).toHaveCount(7);
      await expect(person.message('while it is down')).toHaveCount(1);
      await expect(person.message('me too')).toHaveCount(1);
      await expect(person.page.getByText(stored)).toBeVisible();
    }
    expect(await visitor.texts.allTextContents()).toEqual(await bob.texts.allTextContents());
    await visitor.shot('restart-2-back');
  });

  await test.step('lets another tab send messages of a tab without a connection', async () => {
    const other = new Person(await page.context().newPage());
    await other.page.goto(site.php.chatPage);
    await expect(other.message('me too')).toBeVisible();
    await network.block(true);
    // Engine.IO trusts the browser's event.
    await page.evaluate(() => dispatchEvent(new Event('offline')));
    await expect(visitor.banner).toContainText(/Connection lost/);
    await visitor.write('by the other tab');
    await expect(bob.message('by the other tab')).toHaveCount(1);
    await expect(other.page.getByText(stored)).toBeVisible();
  });
});

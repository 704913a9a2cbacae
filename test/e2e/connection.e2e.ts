import { expect, Person, stored, test } from './fixtures.ts';
import { numbered, seed } from './seed.ts';

/** Blocks all of Socket.IO on request; everything else works, including a reload. */
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

test('offline, three written, reload, online: each once and in order', async ({ visitor, bob, site }) => {
  const network = await control(visitor);
  await visitor.enter(site, 'alice');
  await visitor.open('offline');
  await bob.open('offline');
  await visitor.write('before');
  await expect(bob.message('before')).toBeVisible();

  await network.block(true);
  await visitor.page.context().setOffline(true);
  await expect(visitor.banner).toContainText('You’re offline. You can keep writing.');
  for (const text of ['one', 'two', 'three']) await visitor.write(text);
  await expect(visitor.banner).toContainText('3 messages will be sent when you’re back online');
  await expect(visitor.page.getByText('Waiting for connection').first()).toBeVisible();
  await visitor.shot('offline-1-waiting');
  await bob.write('meanwhile');
  await expect(bob.message('meanwhile')).toBeVisible();

  await visitor.page.context().setOffline(false);
  await visitor.page.reload();
  await expect(visitor.page.getByRole('heading', { name: 'The chat can’t be reached' })).toBeVisible();
  await expect(visitor.page.getByRole('button', { name: 'Try again' })).toBeVisible();
  await visitor.shot('offline-2-reloaded');
  await network.block(false);

  const all = ['before', 'meanwhile', 'one', 'two', 'three'];
  await expect(visitor.texts).toHaveText(all);
  await expect(bob.texts).toHaveText(all);
  await expect(visitor.page.getByText(stored)).toBeVisible();
  await expect(visitor.page.getByText('Waiting for connection')).toHaveCount(0);
  await visitor.shot('offline-3-sent');
  expect(
    await visitor.page.evaluate(() => Object.keys(localStorage).filter((key) => key.includes('/out/'))),
  ).toEqual([]);
});

test('ten written offline, and the page reloaded while they are sent: each once and in order', {
  tag: '@soak',
}, async ({ visitor, bob, site }) => {
  const network = await control(visitor);
  await visitor.enter(site, 'alice');
  await visitor.open('midway');
  await bob.open('midway');
  await network.block(true);
  await visitor.page.context().setOffline(true);
  await expect(visitor.banner).toContainText(/You’re offline|back online/);
  const ten = numbered(10, 'offline');
  for (const text of ten) await visitor.write(text);
  await network.block(false);
  await visitor.page.context().setOffline(false);
  await visitor.page.evaluate(() => dispatchEvent(new Event('online')));
  // When the first is there, others are under way.
  await expect(bob.message('offline 1')).toBeVisible();
  await visitor.page.reload();
  await expect(bob.texts).toHaveText(ten);
  await expect(visitor.texts).toHaveText(ten);
  await expect(visitor.page.getByText(stored)).toBeVisible();
});

test('messages that others wrote during a disconnection are all there, by pages', { tag: '@soak' }, async ({
  visitor,
  site,
}) => {
  const network = await control(visitor);
  await visitor.enter(site, 'alice');
  await visitor.open('announcements');
  await seed(site, 'bob', 'announcements', numbered(3, 'early'));
  await expect(visitor.texts).toHaveText(numbered(3, 'early'));
  await network.block(true);
  await visitor.page.context().setOffline(true);
  await expect(visitor.banner).toContainText(/You’re offline|back online/);
  await seed(site, 'carol', 'announcements', numbered(60, 'away'));
  await network.block(false);
  await visitor.page.context().setOffline(false);
  await expect(visitor.texts).toHaveText([...numbered(3, 'early'), ...numbered(60, 'away')]);
});

test('a network that blocks WebSocket', async ({ visitor, bob, site }) => {
  await visitor.page.addInitScript(() => {
    const Real = WebSocket;
    globalThis.WebSocket = class extends Real {
      constructor() {
        super('ws://127.0.0.1:9/');
      }
    };
  });
  await visitor.enter(site, 'alice');
  await visitor.open('polling');
  await bob.open('polling');
  await visitor.write('by polling');
  await bob.write('by WebSocket');
  await expect(bob.message('by polling')).toBeVisible();
  await expect(visitor.message('by WebSocket')).toBeVisible();
});

test('a message written in a tab without a connection is sent by another, even after it was closed', {
  tag: '@soak',
}, async ({ visitor, bob, site }) => {
  const network = await control(visitor);
  await visitor.enter(site, 'alice');
  await visitor.open('closed');
  await bob.open('closed');
  await network.block(true);
  // Engine.IO trusts the browser's event.
  await visitor.page.evaluate(() => dispatchEvent(new Event('offline')));
  await expect(visitor.banner).toContainText(/Connection lost/);
  await visitor.write('first, and closed');
  await expect(visitor.page.getByText('Waiting for connection')).toBeVisible();
  const context = visitor.page.context();
  await visitor.page.close();

  const second = new Person(await context.newPage());
  await second.page.goto(site.php.chatPage);
  await expect(bob.texts).toHaveText(['first, and closed']);
  await expect(second.texts).toHaveText(['first, and closed']);

  // And at once, if the other tab is there already.
  const third = new Person(await context.newPage());
  await third.page.goto(site.php.chatPage);
  await expect(third.texts).toHaveText(['first, and closed']);
  await third.page.evaluate(() => {
    sessionStorage.setItem('blocked', '');
    dispatchEvent(new Event('offline'));
  });
  await expect(third.banner).toContainText(/Connection lost/);
  await third.write('second, at once');
  await expect(bob.texts).toHaveText(['first, and closed', 'second, at once']);
  await expect(second.page.getByText(stored)).toBeVisible();
});

test('the server is killed and starts again: nothing is lost, nothing doubled', async ({
  alice,
  bob,
  site,
}) => {
  await alice.open('restart');
  await bob.open('restart');
  await alice.write('before');
  await expect(bob.message('before')).toBeVisible();
  // Each failed connection is an error in the console.
  const failed: string[] = [];
  alice.page.on('websocket', () => failed.push('websocket'));
  alice.page.on('requestfailed', (request) => failed.push(request.url().replace(/.*\/|[-?].*/g, '')));
  await site.restart('SIGKILL', async () => {
    await expect(alice.banner).toContainText(/Connection lost/);
    await alice.write('while it is down');
    await bob.write('me too');
    await expect(alice.message('while it is down').getByText('Waiting for connection')).toBeVisible();
    await alice.shot('restart-1-down');
    await expect.poll(() => failed.length).toBeGreaterThan(0);
    await alice.page.getByRole('button', { name: 'Try now' }).click();
    await expect.poll(() => failed.length).toBeGreaterThan(2);
    expect(failed.slice(0, 3)).toEqual(['websocket', 'websocket', 'polling']);
  });
  for (const person of [alice, bob]) {
    await expect(person.messages).toHaveCount(3);
    await expect(person.message('while it is down')).toHaveCount(1);
    await expect(person.message('me too')).toHaveCount(1);
    await expect(person.page.getByText(stored)).toBeVisible();
  }
  expect(await alice.texts.allTextContents()).toEqual(await bob.texts.allTextContents());
  await alice.shot('restart-2-back');
});

test('a page of a foreign origin says so, and does not try again by itself', { tag: '@soak' }, async ({
  visitor,
  site,
}) => {
  const url = site.host(`<!doctype html><title>x</title>
    <script type="module" src="${site.chat.url}/php-chat.js"></script><php-chat></php-chat>`);
  let attempts = 0;
  visitor.page.on('websocket', () => attempts++);
  await visitor.page.goto(url.replace('127.0.0.1', 'localhost'));
  await expect(
    visitor.page.getByRole('heading', { name: 'This page isn’t allowed to use the chat' }),
  ).toBeVisible();
  await visitor.shot('origin-refused');
  await visitor.page.waitForTimeout(4000);
  expect(attempts).toBe(1);
});

test('a browser that cannot load the code for polling goes back to WebSocket', { tag: '@soak' }, async ({
  visitor,
  site,
}) => {
  let attempts = 0;
  await visitor.page.routeWebSocket(/socket\.io/, (socket) => {
    // Like a proxy whose server is just being replaced: it accepts the connection first.
    if (attempts++ === 0) setTimeout(() => void socket.close(), 100);
    else socket.connectToServer();
  });
  await visitor.page.route(/assets\/polling-/, (route) => route.abort());
  await visitor.login(site.php.chatPage, 'alice');
  expect(attempts).toBe(2);
});

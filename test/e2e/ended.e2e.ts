import { emptyHistory, nextChatServer } from '../helpers/chat-server.ts';
import { ownPort } from '../helpers/child.ts';
import { within } from '../helpers/hanging.ts';
import { expect, Person, stored, test } from './fixtures.ts';
import { tellKept } from './kept-page.ts';

/** The text that the element shows in place of everything else. */
const heading = (name: string | RegExp) => ({ name, exact: true }) as const;

test('a guest is asked to log in within a second, by one attempt, and again only when he looks', async ({
  visitor,
  site,
}) => {
  let attempts = 0;
  visitor.page.on('websocket', () => attempts++);
  await visitor.page.goto(site.chat.url);
  const loaded = Date.now();
  await expect(visitor.page.getByRole('heading', heading('Please log in'))).toBeVisible();
  expect(Date.now() - loaded).toBeLessThan(within(1000));
  await expect(visitor.page.getByRole('button', { name: 'Log in', exact: true })).toBeVisible();
  // Longer than any attempt to reconnect.
  await visitor.page.waitForTimeout(6000);
  expect(attempts).toBe(1);

  await visitor.page.evaluate(() => dispatchEvent(new Event('focus')));
  await expect.poll(() => attempts).toBe(2);
  await expect(visitor.page.getByRole('heading', heading('Please log in'))).toBeVisible();

  // Meanwhile the user logs in in another tab.
  const other = await visitor.page.context().newPage();
  await other.goto(site.php.chatPage);
  await other.getByLabel('User name').fill('alice');
  await other.getByLabel('Password').fill('alice');
  await other.getByRole('button', { name: 'Log in' }).click();
  await expect(other.getByText('Connected', { exact: true })).toBeVisible();
  await expect(async () => {
    await visitor.page.evaluate(() => dispatchEvent(new Event('focus')));
    await expect(visitor.page.getByText('Connected', { exact: true })).toBeVisible({ timeout: 500 });
  }).toPass();
});

test('where one logs in: what the page says, else what the server says, else nothing', {
  tag: '@soak',
}, async ({ visitor, site }) => {
  const open = (attributes: string, server = site.chat.url) =>
    visitor.page.goto(
      site.host(`<!doctype html><title>x</title>
        <script type="module" src="${server}/php-chat.js"></script><php-chat ${attributes}></php-chat>`),
    );
  const button = visitor.page.getByRole('button', { name: 'Log in', exact: true });
  // An address that is none, or no page's, is left out.
  for (const unusable of ['http://[', 'javascript:document.title=1']) {
    await open(`login-url="${unusable}"`);
    const loaded = visitor.page.waitForEvent('load');
    await button.click();
    await loaded;
    await expect(visitor.page).toHaveTitle('x');
  }
  await open('login-url="/of-the-page"');
  await button.click();
  await expect(visitor.page).toHaveURL(/\/of-the-page$/);
  await open('login-url="/login?a={return}&amp;b={return_path}&amp;c={return_base64}"');
  await visitor.page.evaluate(() =>
    window.history.replaceState(null, '', `${location.origin}//other.example/a?b=1&c#d`),
  );
  const page = visitor.page.url();
  await button.click();
  await expect(visitor.page).toHaveURL(/\/login\?/);
  expect(Object.fromEntries(new URL(visitor.page.url()).searchParams)).toEqual({
    a: page,
    b: '/other.example/a?b=1&c#d',
    c: Buffer.from(page).toString('base64'),
  });
  await open('');
  await button.click();
  await expect(visitor.page).toHaveURL(`${site.php.url}/`);

  const port = await ownPort();
  const history = await emptyHistory();
  const { origin } = new URL(site.host(''));
  const silent = await nextChatServer({
    CHAT_PORT: String(port),
    CHAT_ORIGINS: origin,
    CHAT_SESSION_STORE: site.memcached.url,
    CHAT_HISTORY: history.url,
  });
  try {
    await open('', silent.url);
    await expect(visitor.page.getByRole('heading', heading('Please log in'))).toBeVisible();
    await expect(button).toHaveCount(0);
  } finally {
    await silent.stop();
    history.remove();
  }
});

test('after a logout elsewhere: a calm second, then the card, and nothing of it stays', async ({
  alice,
  site,
}) => {
  await alice.open('logout');
  await alice.write('what only members know');
  await expect(alice.page.getByText(stored)).toBeVisible();
  await alice.field.fill('an unfinished secret');
  let attempts = 0;
  alice.page.on('websocket', () => attempts++);
  const session = (await alice.page.context().cookies()).find(({ name }) => name === 'PHPSESSID')?.value;
  await site.memcached.delete(`sessions/${session}`);
  await expect(alice.page.getByRole('heading', heading('Checking your login…'))).toBeVisible();
  const began = Date.now();
  await expect(alice.message('what only members know')).toHaveCount(0);
  await alice.shot('checking');
  await expect(alice.page.getByRole('heading', heading('You’re logged out'))).toBeVisible();
  expect(Date.now() - began).toBeLessThan(within(1000));
  // Once it is certain: within the five seconds the same user may be let in again.
  await expect
    .poll(() => alice.page.evaluate(() => JSON.stringify(localStorage)), { timeout: 30_000 })
    .not.toContain('secret');
  await expect(alice.page.getByRole('button', { name: 'Log in again' })).toBeVisible();
  await alice.page.waitForTimeout(6000);
  expect(attempts).toBeLessThanOrEqual(5);
});

test('a page that the browser keeps for Back and Forward shows nothing before the server has let the user in again', async ({
  alice,
  site,
}) => {
  await alice.open('logout');
  await alice.write('read before I left');
  await expect(alice.page.getByText(stored)).toBeVisible();
  await alice.field.fill('half a thought');
  await tellKept(alice.page, 'pagehide');
  await expect(alice.message('read before I left')).toHaveCount(0);
  await tellKept(alice.page, 'pageshow');
  await expect(alice.message('read before I left')).toBeVisible();
  await expect(alice.field).toHaveValue('half a thought');
  const session = (await alice.page.context().cookies()).find(({ name }) => name === 'PHPSESSID')?.value;
  await tellKept(alice.page, 'pagehide');
  await site.memcached.delete(`sessions/${session}`);
  await tellKept(alice.page, 'pageshow');
  await expect(alice.page.getByRole('heading', heading('Please log in'))).toBeVisible();
  await expect(alice.message('read before I left')).toHaveCount(0);
});

test('expired: the text being written is kept, and back after the login', async ({ alice, site }) => {
  const session = (await alice.page.context().cookies()).find(({ name }) => name === 'PHPSESSID')?.value;
  const key = `sessions/${session}`;
  const record = (await site.memcached.ask(`get ${key}\r\n`)).split('\r\n')[1] ?? '';
  // Like a page: it writes the session again.
  await site.memcached.set(key, Buffer.from(record, 'latin1'), 8);
  await alice.open('expiring');
  await alice.field.fill('half a thought');
  await expect(alice.page.getByRole('heading', heading('Your login has expired'))).toBeVisible({
    timeout: 15_000,
  });
  await expect(alice.page.getByText('Your drafts are saved, Alice.')).toBeVisible();
  await alice.shot('expired');
  await site.memcached.set(key, Buffer.from(record, 'latin1'));
  await expect(async () => {
    await alice.page.evaluate(() => dispatchEvent(new Event('focus')));
    await expect(alice.field).toHaveValue('half a thought', { timeout: 500 });
  }).toPass();
});

test('a renewed login within the five seconds brings everything back', { tag: '@soak' }, async ({
  alice,
  site,
}) => {
  await alice.open('expiring');
  const session = (await alice.page.context().cookies()).find(({ name }) => name === 'PHPSESSID')?.value;
  const key = `sessions/${session}`;
  const record = (await site.memcached.ask(`get ${key}\r\n`)).split('\r\n')[1] ?? '';
  await site.memcached.delete(key);
  await expect(alice.page.getByRole('heading', heading('You’re logged out'))).toBeVisible();
  await site.memcached.set(key, Buffer.from(record, 'latin1'));
  await expect(alice.page.getByText('Connected', { exact: true })).toBeVisible();
});

test('a server that stops to answer is lost everywhere within 11 s of the first send', {
  tag: '@soak',
}, async ({ visitor, site }) => {
  const history = await emptyHistory();
  const { origin } = new URL(site.php.url);
  const server = await nextChatServer({
    CHAT_ORIGINS: origin,
    CHAT_SESSION_STORE: site.memcached.url,
    CHAT_HISTORY: history.url,
    CHAT_ROOMS: 'lobby',
  });
  try {
    await visitor.enter(site, 'bob');
    await visitor.page.goto(server.url);
    await expect(visitor.page.getByText('Connected', { exact: true })).toBeVisible();
    await visitor.write('before');
    await expect(visitor.page.getByText(stored)).toBeVisible();
    server.signal('SIGSTOP');
    const sent = Date.now();
    await visitor.write('into the void');
    await expect(visitor.banner).toContainText('Connection lost', { timeout: within(11_000) });
    expect(Date.now() - sent).toBeLessThan(within(11_000));
    await expect(visitor.page.getByText('Connected', { exact: true })).toHaveCount(0);
    await expect(visitor.page.getByText('Waiting for connection')).toBeVisible();
    for (let n = 0; n < 15; n++) {
      await expect(visitor.page.getByText('Connected', { exact: true })).toHaveCount(0);
      await expect(visitor.banner).toContainText('Connection lost');
      await visitor.page.waitForTimeout(100);
    }
    await visitor.shot('hung');
    server.signal('SIGCONT');
    await expect(visitor.page.getByText(stored)).toBeVisible({ timeout: 20_000 });
    await expect(visitor.texts).toHaveText(['before', 'into the void']);
  } finally {
    server.signal('SIGCONT');
    await server.stop();
    history.remove();
  }
});

test('a reader who looks again at a page whose server hangs sees it after 3 s', { tag: '@soak' }, async ({
  visitor,
  site,
}) => {
  const history = await emptyHistory();
  const server = await nextChatServer({
    CHAT_SESSION_STORE: site.memcached.url,
    CHAT_HISTORY: history.url,
    CHAT_ROOMS: 'lobby',
  });
  try {
    await visitor.enter(site, 'bob');
    await visitor.page.goto(server.url);
    await expect(visitor.page.getByText('Connected', { exact: true })).toBeVisible();
    server.signal('SIGSTOP');
    await visitor.page.waitForTimeout(1500);
    const looked = Date.now();
    await visitor.page.evaluate(() => dispatchEvent(new Event('focus')));
    await expect(visitor.banner).toContainText('Connection lost');
    expect(Date.now() - looked).toBeLessThan(within(4500));
  } finally {
    server.signal('SIGCONT');
    await server.stop();
    history.remove();
  }
});

test('offline shows at once', { tag: '@soak' }, async ({ alice }) => {
  await alice.open('lobby');
  await alice.page.context().setOffline(true);
  const began = Date.now();
  await expect(alice.banner).toContainText(/You’re offline|back online/);
  expect(Date.now() - began).toBeLessThan(within(5000));
  await alice.page.context().setOffline(false);
  await expect(alice.page.getByText('Connected', { exact: true })).toBeVisible();
});

test('a server that is down when the page loads: a calm card, and the chat when it is back', {
  tag: '@soak',
}, async ({ alice, site }) => {
  await alice.open('lobby');
  const gone = await ownPort();
  // An automatic attempt when the server is back would leave no button to press.
  let cut = true;
  const its = (url: URL) => url.port === String(gone);
  await alice.page.route(its, (route) => (cut ? route.abort() : route.continue()));
  await alice.page.routeWebSocket(its, (socket) => void (cut ? socket.close() : socket.connectToServer()));
  const page = (server: string) =>
    site.host(`<!doctype html><title>x</title>
      <script type="module" src="${site.chat.url}/php-chat.js"></script>
      <php-chat server="${server}"></php-chat>`);
  await alice.page.goto(page(`http://127.0.0.1:${gone}`));
  await expect(alice.page.getByRole('heading', heading('The chat can’t be reached'))).toBeVisible();
  await expect(alice.page.getByText(/^Trying again in \d+ s$/)).toBeVisible();
  await expect(alice.page.getByRole('button', { name: 'Try again' })).toBeVisible();
  await alice.shot('down');
  const history = await emptyHistory();
  const { origin } = new URL(site.host(''));
  const server = await nextChatServer({
    CHAT_PORT: String(gone),
    CHAT_ORIGINS: origin,
    CHAT_SESSION_STORE: site.memcached.url,
    CHAT_HISTORY: history.url,
    CHAT_ROOMS: 'lobby',
  });
  try {
    cut = false;
    await alice.page.getByRole('button', { name: 'Try again' }).click();
    await expect(alice.page.getByText('Connected', { exact: true })).toBeVisible();
  } finally {
    await server.stop();
    history.remove();
  }
});

test('too many connections of a user or an address are reported as that, not as a refused origin', {
  tag: '@soak',
}, async ({ visitor, site }) => {
  const history = await emptyHistory();
  const { origin } = new URL(site.host(''));
  const server = await nextChatServer({
    CHAT_ORIGINS: origin,
    CHAT_SESSION_STORE: site.memcached.url,
    CHAT_HISTORY: history.url,
    CHAT_ROOMS: 'lobby',
    CHAT_LIMIT_CONNECTIONS_USER: '1',
    CHAT_LIMIT_CONNECT_ADDRESS: '2/60s',
  });
  try {
    const html = `<!doctype html><title>x</title>
      <script type="module" src="${server.url}/php-chat.js"></script><php-chat></php-chat>`;
    await visitor.enter(site, 'alice');
    await visitor.page.goto(site.host(html));
    await expect(visitor.page.getByText('Connected', { exact: true })).toBeVisible();
    const second = new Person(await visitor.page.context().newPage());
    await second.page.goto(site.host(html));
    const words = 'The chat is open in too many places. Trying again in';
    await expect(second.banner).toHaveText(new RegExp(`^${words} \\d s\\.$`));
    // Retry-After, not the growing pauses.
    await second.page.reload();
    await expect(second.banner).toHaveText(new RegExp(`^${words} [3-6]\\d s\\.$`));
    await second.shot('too-many');
  } finally {
    await server.stop();
    history.remove();
  }
});

test('a banned user is notified of the ban, not of a lost connection', { tag: '@soak' }, async ({
  visitor,
  site,
}) => {
  const history = await emptyHistory();
  const key = 'k'.repeat(40);
  const server = await nextChatServer({
    CHAT_SESSION_STORE: site.memcached.url,
    CHAT_HISTORY: history.url,
    CHAT_ROOMS: 'lobby',
    CHAT_API_KEY: key,
  });
  try {
    await visitor.enter(site, 'carol');
    await visitor.page.goto(server.url);
    await expect(visitor.page.getByText('Connected', { exact: true })).toBeVisible();
    const banned = await fetch(`${server.url}/api/users/3/ban`, {
      method: 'PUT',
      headers: { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' },
      body: '{}',
    });
    expect(banned.status).toBe(200);
    await expect(visitor.page.getByRole('heading', heading('You were disconnected'))).toBeVisible();
    await visitor.page.reload();
    await expect(visitor.page.getByRole('heading', heading('You may not use this chat'))).toBeVisible();
    await visitor.shot('banned');
  } finally {
    await server.stop();
    history.remove();
  }
});

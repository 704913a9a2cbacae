import { afterAll, beforeAll, expect, test } from 'vitest';
import { type PeopleSite, startPeopleSite } from '../helpers/people.ts';
import { type ChatPage, openPage, textOf, until } from './open-page.ts';

let site: PeopleSite;
/** Another origin, with low limits. */
let other: PeopleSite;
beforeAll(async () => {
  site = await startPeopleSite({ CHAT_ROOMS: 'lobby' });
  other = await startPeopleSite({ CHAT_ROOMS: 'lobby', CHAT_LIMIT_CONNECTIONS_USER: '1' });
});
afterAll(async () => {
  await site.close();
  await other.close();
});

const banner = ({ root }: ChatPage) => textOf(root.querySelector('.banner'));
const closed = { connected: false };

test('shows an error on a page of another origin and names the setting in the console', async () => {
  const alice = await other.person({ firstname: 'Alice' });
  const attributes = { server: other.chat.url };
  const page = await openPage(site.chat.url, alice.cookie, { ...closed, attributes });
  const { hints } = page;
  await page.get('heading', 'This page isn’t allowed to use the chat');
  await until(() => expect(hints).toEqual([expect.stringContaining(`Add ${site.chat.url} to CHAT_ORIGINS`)]));
});

test('shows a user with too many connections the reason and the next attempt', async () => {
  const bob = await other.person({ firstname: 'Bob' });
  const page = await openPage(other.chat.url, bob.cookie, closed);
  await until(() =>
    expect(banner(page)).toMatch(/^The chat is open in too many places\. Trying again in \d+ s\.$/),
  );
  bob.close();
});

test('shows a banned user the end and the reason, at once and on the next visit', async () => {
  const carol = await site.person({ firstname: 'Carol' });
  const page = await openPage(site.chat.url, carol.cookie);
  await site.api('PUT', `/users/${carol.id}/ban`, { reason: 'spam' });
  await page.get('heading', 'You may not use this chat');
  await page.sees('The ban is permanent. Reason: spam');
  const again = await openPage(site.chat.url, carol.cookie, closed);
  await again.get('heading', 'You may not use this chat');
  await again.sees('The ban is permanent. Reason: spam');
});

test('continues a session restored within five seconds', async () => {
  const dora = await site.person({ firstname: 'Dora' });
  const page = await openPage(site.chat.url, dora.cookie);
  await page.open('lobby');
  await page.fill('textbox', /^Message to/, 'half a thought');
  await site.memcached.delete(site.key(dora.cookie));
  await page.get('heading', 'You’re logged out');
  await site.writeSession(dora, { firstname: 'Dora' });
  await page.sees('Connected');
  await until(() => expect(page.all('textbox', /^Message to/)[0]).toHaveProperty('value', 'half a thought'));
});

test('shows a banner while the session store does not respond, and connects afterwards', async () => {
  const emil = await site.person({ firstname: 'Emil' });
  site.memcached.signal('SIGSTOP');
  try {
    const page = await openPage(site.chat.url, emil.cookie, closed);
    await until(() => expect(banner(page)).toContain('The login service isn’t responding'));
    site.memcached.signal('SIGCONT');
    await page.sees('Connected');
  } finally {
    site.memcached.signal('SIGCONT');
  }
});

test('names an unreadable room in the console and shows the first room', async () => {
  const fay = await site.person({ firstname: 'Fay' });
  const page = await openPage(site.chat.url, fay.cookie, { attributes: { room: 'no-such-room' } });
  const { hints } = page;
  await page.get('region', 'lobby');
  await until(() => expect(hints).toEqual([expect.stringContaining('there is no room "no-such-room"')]));
});

test('shows no other room in single-room mode after the user leaves the room', async () => {
  const gil = await site.person({ firstname: 'Gil' });
  await site.den(gil);
  await gil.request('room:join', { room: 'lobby' });
  const page = await openPage(site.chat.url, gil.cookie, { attributes: { room: 'lobby', single: '' } });
  await page.click('button', 'Room menu');
  await page.click('menuitem', 'Leave room');
  await page.click('button', 'Leave room', await page.get('alertdialog'));
  await page.get('heading', 'This room cannot be shown');
  expect(page.all('region', 'Den')).toEqual([]);
});

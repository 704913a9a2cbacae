import { afterAll, beforeAll, expect, test } from 'vitest';
import { type PeopleSite, startPeopleSite } from '../helpers/people.ts';
import { type ChatPage, openPage, textOf, until } from './open-page.ts';

let site: PeopleSite;
beforeAll(async () => {
  site = await startPeopleSite({ CHAT_ROOMS: 'lobby' });
});
afterAll(() => site.close());

const polite = ({ root }: ChatPage) => textOf(root.querySelector('[role=status][aria-live=polite]'));
const assertive = ({ root }: ChatPage) => textOf(root.querySelector('[aria-live=assertive]'));

test('announces messages of others and connection changes to screen readers', async () => {
  const alice = await site.person({ firstname: 'Alice' });
  const bob = await site.person({ firstname: 'Bob' });
  await site.den(alice, [bob]);
  const page = await openPage(site.chat.url, alice.cookie);
  const bobs = await openPage(site.chat.url, bob.cookie);
  await page.open('Den');
  await bobs.open('Den');
  const announces = (text: string | RegExp) =>
    until(() => expect(polite(page)).toMatch(typeof text === 'string' ? new RegExp(`^${text}$`) : text));
  await bobs.write('hello');
  await announces('Bob: hello');
  await page.write('hello Bob');
  await bobs.message('hello Bob');
  await announces('Bob: hello');
  const carol = await site.person({ firstname: 'Carol' });
  const den = (await alice.request('room:list', {})).rooms.find(({ name }) => name === 'Den');
  await alice.request('room:invite', { room: den?.id ?? '', users: [carol.id] });
  // The server learns her name at her first visit.
  await carol.request('room:join', { room: den?.id ?? '' });
  await announces('Carol joined');
  await page.open('lobby');
  await bobs.write('are you there');
  await announces('New message in Den');

  page.online(false);
  await announces(/^Connection lost\.|offline/);
  page.online(true);
  await announces('Connected again.');

  await site.memcached.delete(site.key(alice.cookie));
  await until(() => expect(assertive(page)).toBe('You’re logged out'));
  await announces('');
});

test('asks a guest to log in', async () => {
  const page = await openPage(site.chat.url, '', { connected: false });
  await until(() => expect(assertive(page)).toBe('Please log in'));
});

import { expect, type Person, test } from './fixtures.ts';

/** The announcements of a screen reader: polite, or assertive. */
const said = ({ page }: Person) => page.locator('php-chat [aria-live=polite][role=status]');
const alerted = ({ page }: Person) => page.locator('php-chat [aria-live=assertive]');

test('said without being asked: the messages of others, rooms elsewhere, a lost connection and a new one, the end', async ({
  alice,
  bob,
  site,
}) => {
  await alice.open('talk');
  await bob.open('talk');
  await bob.write('hello');
  await expect(said(alice)).toHaveText('Bob: hello');
  await alice.write('hello Bob');
  await expect(said(bob)).toHaveText('Alice: hello Bob');
  // The user's own messages are not announced.
  await expect(said(alice)).toHaveText('Bob: hello');
  await alice.open('board');
  await bob.write('are you there?');
  await expect(said(alice)).toHaveText('New message in talk');

  await alice.page.context().setOffline(true);
  await expect(said(alice)).toContainText('Connection lost.');
  await alice.page.context().setOffline(false);
  await expect(said(alice)).toHaveText('Connected again.');

  const [cookie] = await alice.page.context().cookies();
  await site.memcached.delete(`sessions/${cookie?.value}`);
  await expect(alerted(alice)).toHaveText('You’re logged out');
  await expect(said(alice)).toBeEmpty();
});

test('a guest hears that he has to log in, as soon as the code for it has come', async ({
  visitor,
  site,
}) => {
  await visitor.page.goto(`${site.chat.url}/`);
  await expect(alerted(visitor)).toHaveText('Please log in');
});

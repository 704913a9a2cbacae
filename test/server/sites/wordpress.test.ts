import { expect, onTestFinished, test } from 'vitest';
import { siteDatabase } from '../../helpers/application-site.ts';
import { connectChat } from '../../helpers/chat-client.ts';
import { chatServerHere } from '../../helpers/chat-here.ts';
import { codeOf } from '../../helpers/people.ts';
import { wordPressSite } from '../../helpers/wordpress.ts';

const db = await siteDatabase('mysql', true);

/** Creates a site for one test. */
async function wordPress() {
  const site = await wordPressSite(db);
  onTestFinished(async () => void (await site.remove()));
  return site;
}

/** Starts a chat server of this site. @returns it, and a function that connects a device */
async function chatOf({ folder }: { folder: string }, env: NodeJS.ProcessEnv = {}) {
  const server = await chatServerHere({ CHAT_SITE: folder, ...env });
  onTestFinished(async () => void (await server.stop()));
  const connect = async ({ cookies }: { cookies: string }) => {
    const client = await connectChat(server.url, cookies);
    onTestFinished(() => client.close());
    return client;
  };
  return { server, connect };
}

test('updates name and role in an open chat, and ends the chat of a device that logs out', async () => {
  const site = await wordPress();
  const { server, connect } = await chatOf(site);
  const name = 'Ann &amp; Co';
  const [phone, desk] = [await site.logIn('7', { name }), await site.logIn('7', { name })];
  const [first, second] = [await connect(phone), await connect(desk)];
  expect(first.ready).toMatchObject({ user: { id: '7', name: 'Ann & Co' }, roles: [] });
  await phone.rename('Zoë');
  await site.setMeta('7', `${site.prefix}capabilities`, 'a:1:{s:13:"administrator";b:1;}');
  await expect
    .poll(() => second.events.findLast(({ name }) => name === 'session:changed')?.payload)
    .toMatchObject({ user: { name: 'Zoë' }, roles: ['admin'] });
  await phone.logOut();
  expect(await first.ended).toMatchObject({ reason: 'logout' });
  await expect(connect(phone)).rejects.toThrow('unauthorized');
  await second.request('room:join', { room: 'lobby' });
  for (const secret of [...phone.secrets, ...desk.secrets]) expect(server.output()).not.toContain(secret);
});

test('keeps open chats while the database of the site does not respond', async () => {
  const site = await wordPress();
  const { server, connect } = await chatOf(site);
  const [device, other] = [await site.logIn('7'), await site.logIn('8')];
  const [ann, ben] = [await connect(device), await connect(other)];
  for (const client of [ann, ben]) await client.request('room:join', { room: 'lobby' });
  const answers = await db.silence();
  onTestFinished(answers);
  const send = (n: number) =>
    ann.request('message:send', { room: 'lobby', clientId: `message-${n}`, text: `${n}` });
  await send(1);
  // A check of the logins got no response.
  await expect.poll(async () => (await fetch(`${server.url}/readyz`)).status).toBe(503);
  await send(2);
  await expect.poll(() => ben.messages().map(({ text }) => text)).toEqual(['1', '2']);
  await expect(connect(device)).rejects.toThrow('session_store_unavailable');
  await device.logOut();
  await answers();
  expect(await ann.ended).toMatchObject({ reason: 'logout' });
  expect(ben.events.some(({ name }) => name === 'session:ended')).toBe(false);
});

test('finds users who never connected if CHAT_FIND_PEOPLE permits it', async () => {
  const site = await wordPress();
  const key = 'a-key-for-the-test-of-users';
  const all = await chatOf(site, { CHAT_FIND_PEOPLE: 'all', CHAT_API_KEY: key });
  for (const [id, name, status] of [
    [8, 'Maria López &amp; Co', 0],
    [9, 'Mario', 1],
    [10, 'Marius', 0],
  ] as const)
    await site.run(
      "INSERT INTO #_users (ID, user_login, user_pass, display_name, user_status) VALUES (?, ?, '', ?, ?)",
      [id, `secret-login-${id}`, name, status],
    );
  await site.setMeta(10, `${site.prefix}capabilities`, 'a:1:{s:11:"bbp_blocked";b:1;}');
  const device = await site.logIn('7', { name: 'Ann' });
  const ann = await all.connect(device);
  const maria = { id: '8', name: 'Maria López & Co' };
  const find = async (client: typeof ann, query: string) =>
    (await client.request('user:find', { query, limit: 5 })).users;
  for (const query of ['mari', 'LÓP', '8']) expect(await find(ann, query), query).toEqual([maria]);
  // The login name, the searching user and patterns do not match.
  for (const query of ['secret', 'ann', 'm%', '_aria', 'ópez'])
    expect(await find(ann, query), query).toEqual([]);
  expect((await ann.request('direct:open', { user: '8' })).room.with).toMatchObject(maria);
  for (const user of ['999', '8x', '08', '9', '10', 'x'.repeat(64)])
    expect(await codeOf(ann, 'direct:open', { user }), user).toBe('unknown_user');
  const failed = [{ user: '999', code: 'unknown_user' }];
  const members = ['8', '999'];
  const made = await ann.request('room:create', { name: 'Team', kind: 'private', clientId: 'team', members });
  expect(made.failed).toEqual(failed);
  const invited = await ann.request('room:invite', { room: made.room.id, users: members });
  expect(invited).toEqual({ added: ['8'], failed });

  // The site may have users besides those in its table.
  const marvin = { id: 'bot', name: 'Marvin' };
  const put = await fetch(`${all.server.url}/api/users`, {
    method: 'PUT',
    headers: { Authorization: `Bearer ${key}` },
    body: JSON.stringify({ users: [marvin] }),
  });
  expect(await put.json()).toEqual({ count: 1 });
  expect(await find(ann, 'mar')).toEqual([marvin, maria]);

  const ofRooms = await chatOf(site);
  const asked = await ofRooms.connect(device);
  expect(await find(asked, 'mar')).toEqual([]);
  expect((await asked.request('direct:open', { user: '8' })).room.with).toMatchObject({ name: '8' });
  expect(await codeOf(asked, 'direct:open', { user: '999' })).toBe('unknown_user');

  // The direct room stays when the site deletes the account.
  await site.run('DELETE FROM #_users WHERE ID = 8');
  expect((await ann.request('direct:open', { user: '8' })).room.with).toMatchObject(maria);
  const other = await all.connect(await site.logIn('11', { name: 'Eve' }));
  expect(await codeOf(other, 'direct:open', { user: '8' })).toBe('unknown_user');
  onTestFinished(await db.silence());
  expect(await find(other, 'mar')).toEqual([marvin]);
  expect(await codeOf(other, 'direct:open', { user: '8' })).toBe('storage_unavailable');
});

test('finds no user whom the site deleted after the last visit', async () => {
  const site = await wordPress();
  const { connect } = await chatOf(site, { CHAT_FIND_PEOPLE: 'all' });
  const ann = await connect(await site.logIn('7', { name: 'Ann' }));
  const find = async () => (await ann.request('user:find', { query: 'mari', limit: 5 })).users;
  const mario = await connect(await site.logIn('8', { name: 'Mario' }));
  expect(await find()).toEqual([{ id: '8', name: 'Mario' }]);
  mario.close();
  await site.run('DELETE FROM #_users WHERE ID = 8');
  await expect.poll(find).toEqual([]);
  onTestFinished(await db.silence());
  // A site that does not answer deleted nobody.
  expect(await find()).toEqual([{ id: '8', name: 'Mario' }]);
});

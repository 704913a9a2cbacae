import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, expect, onTestFinished, test } from 'vitest';
import { newClientId } from '../../helpers/chat-client.ts';
import { historyFolder } from '../../helpers/chat-server.ts';
import { origin, upload } from '../../helpers/files.ts';
import {
  codeOf,
  eventsOf,
  nextOf,
  type Person,
  say,
  sharedSite,
  startPeopleSite,
} from '../../helpers/people.ts';

const kept = historyFolder();
// Hooks run in reverse order, so the site closes first.
afterAll(() => kept.remove());
const site = sharedSite(() =>
  startPeopleSite({
    CHAT_ORIGINS: origin,
    CHAT_ROOMS: 'lobby,garden,yard,shed',
    CHAT_HISTORY: kept.url,
    CHAT_FILES: kept.files,
  }),
);

const deletedUser = { id: '0', name: 'Deleted user' };
const erase = (id: string, query = '') => site.api('DELETE', `/users/${encodeURIComponent(id)}${query}`);
const join = (room: string, ...people: Person[]) =>
  Promise.all(people.map((person) => person.request('room:join', { room })));

test('disconnects an erased user and resets the rooms with the user’s messages', async () => {
  const [ann, ben, cat] = await site.people(3);
  await join('garden', ann, ben, cat);
  await join('lobby', ann, ben);
  await say(ann, 'garden', 'first', { mentions: [{ user: ben.id, start: 0, length: 5 }] });
  await say(cat, 'garden', 'second');
  const overseer = await site.person({ roles: 'moderator' }, ann.id);
  await join('garden', overseer);
  await overseer.request('message:pin', { room: 'garden', seq: 2 });
  await cat.request('message:react', { room: 'garden', seq: 1, emoji: '👍', on: true });
  const before = await cat.request('room:sync', { room: 'garden', since: 0 });
  await cat.request('room:leave', { room: 'garden' });
  await ben.request('user:block', { user: ann.id, blocked: true });
  const sees = (await ben.request('room:list', {})).rooms.find(({ id }) => id === 'garden');
  expect(sees).toMatchObject({ members: 3, unread: 2 });

  const [ended, reset, members] = [
    nextOf(ann, 'session:ended'),
    nextOf(ben, 'room:reset'),
    nextOf(ben, 'members:changed'),
  ];
  expect(await erase(ann.id)).toEqual({ status: 202, body: {} });
  expect(await ended).toEqual({ reason: 'kicked' });
  expect(await members).toMatchObject({ changed: [{ user: { id: ann.id, name: ann.id }, gone: true }] });
  expect(await reset).toEqual({ room: 'garden' });
  // Activity events are at least a second apart, so an earlier one may still come.
  await expect
    .poll(() => eventsOf(cat, 'room:activity').at(-1))
    .toMatchObject({ room: 'garden', members: 2, head: before.head + 1 });
  expect(eventsOf(ben, 'blocked:changed')).toEqual([{ user: ann.id, blocked: false }]);
  expect((await ben.request('user:blocked', {})).users).toEqual([]);

  const back = await cat.request('room:join', { room: 'garden', since: before.head });
  expect(back).toMatchObject({ reset: true, complete: true, room: { members: 2 } });
  expect(back.messages.map(({ user, text }) => [user, text])).toEqual([
    [deletedUser, 'first'],
    [{ id: cat.id, name: `Name of ${cat.id}` }, 'second'],
  ]);
  expect(back.messages[0]?.reactions).toMatchObject([{ emoji: '👍', count: 1, users: [cat.id], mine: true }]);
  expect(await ben.request('room:sync', { room: 'garden', since: before.head })).toMatchObject({
    reset: true,
  });
  const { pins } = await ben.request('room:pins', { room: 'garden' });
  expect(pins).toMatchObject([{ seq: 2, text: 'second', by: deletedUser }]);
  const now = await ben.request('room:sync', { room: 'garden', since: back.room.head });
  expect(now).toEqual({ head: back.room.head, messages: [], complete: true });
  expect((await ben.request('room:members', { room: 'garden' })).members).toHaveLength(2);
  expect((await site.api('GET', `/users/${ann.id}`)).status).toBe(404);
  // The lobby contains no messages, so it is not reset.
  expect(eventsOf(ben, 'room:reset')).toEqual([{ room: 'garden' }]);
  await expect(say(cat, 'garden', 'third')).resolves.toMatchObject({ rev: back.room.head + 1 });

  const again = await site.again(ann);
  expect(again.ready.rooms.map(({ member }) => member)).not.toContain(true);
  expect(again.ready.user).toEqual({ id: ann.id, name: `Name of ${ann.id}` });
  await join('garden', again);
  const edit = { room: 'garden', seq: 1, text: 'mine' };
  expect(await codeOf(again, 'message:edit', edit)).toBe('forbidden');
  for (const client of [again, ben, cat]) client.close();
});

test('keeps a direct room readable for the peer of an erased user', async () => {
  const [ann, ben] = await site.people(2);
  const { room: direct } = await ann.request('direct:open', { user: ben.id });
  await join(direct.id, ann);
  await say(ann, direct.id, 'between us');
  await join(direct.id, ben);
  await say(ben, direct.id, 'yes');
  const changed = nextOf(ben, 'room:reset');
  await erase(ann.id, '?messages=delete');
  expect(await changed).toEqual({ room: direct.id });
  const { room, messages } = await ben.request('room:join', { room: direct.id });
  expect(room).toMatchObject({ name: 'Deleted user', with: deletedUser, present: false, may: [] });
  expect(messages).toMatchObject([
    { user: deletedUser, text: '', deletedAt: expect.any(Number) },
    { user: { id: ben.id }, text: 'yes' },
  ]);
  const posted = { user: { id: ann.id, name: 'Ann' }, text: 'back', clientId: newClientId() };
  expect((await site.api('POST', `/rooms/${direct.id}/messages`, posted)).status).toBe(404);
  expect(await codeOf(ben, 'direct:open', { user: deletedUser.id })).toBe('forbidden');
  ben.close();
});

test('lets the owner of a room invite after the erasure of a former member', async () => {
  const [ann, ben, cat] = await site.people(3);
  const den = await site.den(ben, [ann]);
  await ann.request('room:remove', { room: den.id, user: ann.id });
  await erase(ann.id);
  await expect.poll(async () => (await site.api('GET', `/users/${ann.id}`)).status).toBe(404);
  expect(await ben.request('room:invite', { room: den.id, users: [cat.id] })).toMatchObject({
    added: [cat.id],
  });
  for (const client of [ann, ben, cat]) client.close();
});

test('removes the reports and rejects the current upload of an erased user', async () => {
  const [ann, ben, cat] = await site.people(3);
  const den = await site.den(ben, [ann, cat]);
  await join(den.id, cat, ben);
  await say(cat, den.id, 'bad');
  await ann.request('message:report', { room: den.id, seq: 1, reason: 'abuse', text: 'why' });
  await expect.poll(() => eventsOf(ben, 'report:changed').at(-1)?.open).toBe(1);
  const uploading = request(`${site.chat.url}/files?room=${den.id}&name=slow.txt`, {
    method: 'POST',
    headers: { origin, cookie: ann.cookie, 'content-length': 20, expect: '100-continue' },
  });
  const taken = once(uploading, 'continue');
  const answered = once(uploading, 'response') as Promise<[IncomingMessage]>;
  uploading.write('0123456789');
  await taken;
  const fewer = nextOf(ben, 'room:changed');
  await erase(ann.id);
  expect(await fewer).toMatchObject({ id: den.id, reports: 0 });
  expect((await ben.request('report:list', {})).reports).toEqual([]);
  await expect.poll(async () => (await site.api('GET', `/users/${ann.id}`)).status).toBe(404);
  uploading.end('0123456789');
  const [answer] = await answered;
  expect(answer.statusCode).toBe(403);
  answer.resume();
  for (const client of [ben, cat]) client.close();
});

test('rejects and removes an upload of a user whom another server is erasing', async () => {
  const ann = await site.person();
  await join('lobby', ann);
  const files = () => readdirSync(kept.files.slice('dir:'.length), { recursive: true, encoding: 'utf8' });
  const uploaded = () => upload(site.chat.url, ann.cookie, 'some text', { name: 'a.txt' });
  expect((await uploaded()).status).toBe(201);
  const before = files();
  // Files of earlier tests may still be deleted.
  const added = () => files().filter((name) => !before.includes(name));
  const db = new DatabaseSync(kept.path, { timeout: 5000 });
  onTestFinished(() => db.close());
  db.prepare(`INSERT INTO chat_erasures VALUES (?, 'anonymise', ?, 0, 'files', 0)`).run(ann.id, Date.now());
  expect(await uploaded()).toMatchObject({ status: 403, code: 'forbidden' });
  await expect.poll(added).toEqual([]);
  // From this stage on, the ID belongs to a new user.
  db.prepare(`UPDATE chat_erasures SET stage = 'messages'`).run();
  expect((await uploaded()).status).toBe(201);
  db.exec('DELETE FROM chat_erasures');
  ann.close();
});

test('erases banned and unknown users, but rejects the ID shared by erased users', async () => {
  expect((await site.api('PUT', '/users/never-here/ban', { reason: 'x' })).status).toBe(200);
  expect((await erase('never-here', '?messages=delete')).status).toBe(202);
  await expect.poll(async () => (await site.api('GET', '/users/never-here')).status).toBe(404);
  expect((await erase('nobody-at-all')).status).toBe(202);
  expect((await erase(deletedUser.id)).status).toBe(400);
  // The ID cannot be an author or a member either. That user would look erased and disturb the next erasure.
  const post = { user: deletedUser, text: 'x', clientId: 'erased-1' };
  expect((await site.api('POST', '/rooms/lobby/messages', post)).status).toBe(400);
  expect((await site.api('PATCH', '/rooms/lobby/members', { add: [deletedUser.id] })).status).toBe(400);
  for (const query of ['?messages=', '?messages=keep', '?messages=delete&messages=anonymise']) {
    expect(await erase('never-here', query)).toMatchObject({
      status: 400,
      body: { error: { code: 'bad_request' } },
    });
  }
  expect((await fetch(`${site.chat.url}/api/users/x`, { method: 'DELETE' })).status).toBe(401);
});

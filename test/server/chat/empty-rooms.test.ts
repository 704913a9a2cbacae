import { expect, test } from 'vitest';
import { connectChat, newClientId } from '../../helpers/chat-client.ts';
import { apiKey } from '../../helpers/people.ts';
import { serverOverTime } from '../../helpers/server-over-time.ts';

const day = 24 * 60 * 60;

test('a private room without members for 30 days is deleted, an unused one with members is not', async () => {
  const { start } = await serverOverTime('ann');
  let url = '';
  const startAfter = async (days: number) => {
    ({ url } = await start({ CHAT_API_KEY: apiKey, CHAT_CREATE_ROOMS: 'all' }, { at: days * day }));
    return url;
  };
  const api = async (method: string, path: string, body: object) => {
    const headers = { authorization: `Bearer ${apiKey}` };
    const answer = await fetch(`${url}/api/rooms${path}`, {
      method,
      headers,
      body: JSON.stringify(body),
    });
    return answer.status;
  };
  const exists = async (id: string) => (await api('PATCH', `/${id}/members`, {})) === 200;

  const ann = await connectChat(await startAfter(0), 'PHPSESSID=ann');
  const create = async (kind: 'private' | 'public') => {
    const made = await ann.request('room:create', { name: `${kind} room`, kind, clientId: newClientId() });
    return made.room.id;
  };
  const [kept, left, open] = [await create('private'), await create('private'), await create('public')];
  for (const room of [left, open]) await ann.request('room:remove', { room, user: 'ann' });
  expect(await api('PUT', '/unused', { name: 'Unused', kind: 'private' })).toBe(201);
  expect(await api('PUT', '/used', { name: 'Used', kind: 'private' })).toBe(201);
  expect(await api('PATCH', '/used/members', { add: ['somebody-who-never-came'] })).toBe(200);
  const rooms = { kept, left, open, unused: 'unused', used: 'used' };
  const known = async () => {
    const found: string[] = [];
    for (const [name, id] of Object.entries(rooms)) if (await exists(id)) found.push(name);
    return found;
  };
  expect(await known()).toEqual(['kept', 'left', 'open', 'unused', 'used']);
  await startAfter(29);
  expect(await known()).toEqual(['kept', 'left', 'open', 'unused', 'used']);
  await startAfter(31);
  // Only after the port is open, because there may be very many of them.
  await expect.poll(known).toEqual(['kept', 'open', 'used']);
  // It is gone for its creator too: the same clientId does not restore it.
  await startAfter(0);
  expect(await known()).toEqual(['kept', 'open', 'used']);
});

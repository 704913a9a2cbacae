import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { lookThroughPause } from '../../../server/history/history.ts';
import { newClientId } from '../../helpers/chat-client.ts';
import { historyFolder } from '../../helpers/chat-server.ts';
import { hanging } from '../../helpers/hanging.ts';
import { noon } from '../../helpers/noon.ts';
import type { Due } from '../../helpers/notify-due.ts';
import { type PeopleSite, type Person, say, startPeopleSite } from '../../helpers/people.ts';

const kept = historyFolder();
const dues: Due[] = [];
/** Users whose next event the site rejects. */
const refused = new Set<string>();
const receiver = createServer(async (request, response) => {
  let body = '';
  for await (const piece of request.setEncoding('utf8')) body += piece;
  const { data } = JSON.parse(body) as { data: Due };
  if (refused.delete(data.user.id)) return void response.writeHead(503).end();
  dues.push(data);
  response.writeHead(204).end();
});
/** Quiet hours that include the current time in the zone `noon`. */
const now = { from: '11:00', to: '14:00' };
let site: PeopleSite;
beforeAll(async () => {
  await once(receiver.listen(0, '127.0.0.1'), 'listening');
  writeFileSync(`${kept.path}.key`, `whsec_${Buffer.alloc(24, 'a').toString('base64')}\n`);
  site = await startPeopleSite({
    CHAT_HISTORY: kept.url,
    CHAT_WEBHOOK_URL: `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`,
    CHAT_WEBHOOK_KEY_FILE: `${kept.path}.key`,
    CHAT_WEBHOOK_EVENTS: 'notify.due',
    CHAT_TIME_ZONE: noon,
    CHAT_NOTIFY_AFTER: '6s',
    CHAT_URL: 'https://garden.example/chat',
    CHAT_TEAM: 'quinn,rita',
  });
});
afterAll(async () => {
  await site.close();
  receiver.closeAllConnections();
  receiver.close();
  kept.remove();
});

const came = (user: Person) =>
  vi.waitFor(
    () => {
      const due = dues.find((one) => one.user.id === user.id);
      if (due === undefined) throw new Error(`no notice for ${user.id}`);
      return due;
    },
    // On a busy machine, a room may be scanned before all messages are sent. The others then wait for the next scan.
    { timeout: lookThroughPause + hanging },
  );

test('delays an event that the site rejected until quiet hours end', async () => {
  const [ann, ben, cat] = await site.people(3);
  const writeTo = async (user: Person) => {
    const { id: den } = await site.den(ann, [user]);
    await ann.request('room:join', { room: den });
    await say(ann, den);
  };
  refused.add(ben.id);
  await writeTo(ben);
  await vi.waitFor(() => expect(refused.has(ben.id)).toBe(false), { timeout: lookThroughPause + hanging });
  await ben.request('notify:set', { quiet: now });
  // Ben’s event would be retried before Cat’s event is due.
  await writeTo(cat);
  await came(cat);
  expect(dues.filter(({ user }) => user.id === ben.id)).toEqual([]);
  await expect
    .poll(async () => (await site.api('GET', '/webhooks')).body)
    .toEqual({ waiting: 1, failed: [] });
  for (const one of [ann, ben, cat]) one.close();
});

test('marks names that users wrote, and omits names of rooms the user has not accepted', async () => {
  const [ann, ben] = await site.people(2);
  const { id: added } = await site.den(ann, [ben], { name: 'Account locked!' });
  const { id: joined } = await site.den(ann, [ben], { name: 'Den' });
  await site.api('PUT', '/rooms/team', { kind: 'private', name: 'Team' });
  await site.api('PATCH', '/rooms/team/members', { add: [ann.id, ben.id] });
  await ben.request('room:join', { room: joined });
  for (const room of [added, joined, 'team']) {
    await ann.request('room:join', { room });
    await say(ann, room);
  }
  const one = (room: string) => ({
    ...{ room, kind: 'private', unread: 1, mentions: 0, userText: ['name'], accepted: true },
    link: `https://garden.example/chat/#m=${room}/1`,
  });
  const { rooms } = await came(ben);
  expect(rooms).toHaveLength(3);
  expect(rooms).toEqual(
    expect.arrayContaining([
      { ...one(added), accepted: false },
      { ...one(joined), name: 'Den' },
      { ...one('team'), name: 'Team', userText: [] },
    ]),
  );
  for (const one of [ann, ben]) one.close();
});

test('names the sender of a direct message by ID, and neither names nor identifies an erased one', async () => {
  const [ann, ben, cat, dan] = await site.people(4);
  const write = async (from: Person, to: Person, isAccepted = false) => {
    const { id } = (await from.request('direct:open', { user: to.id })).room;
    await from.request('room:join', { room: id });
    await say(from, id);
    if (isAccepted) await to.request('room:join', { room: id });
    return id;
  };
  const written = await write(ann, ben);
  // Dan’s event is retried after the erasure.
  refused.add(dan.id);
  const left = await write(cat, dan, true);
  await vi.waitFor(() => expect(refused.has(dan.id)).toBe(false), { timeout: lookThroughPause + hanging });
  cat.close();
  await site.api('DELETE', `/users/${cat.id}`);
  const room = { kind: 'direct', unread: 1, mentions: 0, userText: ['name'], accepted: false };
  const link = (id: string) => `https://garden.example/chat/#m=${id}/1`;
  expect(await came(ben)).toMatchObject({ link: 'https://garden.example/chat/', stop: expect.any(String) });
  expect((await came(ben)).rooms).toEqual([{ ...room, room: written, peer: ann.id, link: link(written) }]);
  expect((await came(dan)).rooms).toEqual([{ ...room, room: left, accepted: false, link: link(left) }]);
  for (const one of [ann, ben, dan]) one.close();
});

test('sends an event for a member who never connected after a direct message', async () => {
  const ann = await site.person();
  const newcomer = 'never connected';
  await site.api('PUT', '/users', { users: [{ id: newcomer, name: 'New' }] });
  const { id: room } = (await ann.request('direct:open', { user: newcomer })).room;
  await ann.request('room:join', { room });
  await say(ann, room);
  const due = await vi.waitFor(() => {
    const found = dues.find(({ user }) => user.id === newcomer);
    return found ?? expect.unreachable('no event');
  }, hanging);
  expect(due).toMatchObject({ total: 1, rooms: [{ kind: 'direct', peer: ann.id, accepted: false }] });
  ann.close();
});

test('uses the site’s notification settings until the user changes them', async () => {
  const ben = await site.person();
  expect(ben.ready.can.mail).toBe(true);
  const quiet = { from: '22:00', to: '07:00', zone: noon };
  const first = { mail: 0.1, push: true, quiet, text: 'text' };
  expect(await ben.request('notify:get', {})).toEqual(first);
  expect(await ben.request('notify:set', { mail: 60, text: 'name' })).toEqual({
    ...first,
    mail: 60,
    text: 'name',
  });
  await ben.request('client:active', { zone: 'Europe/Paris', lang: 'fr' });
  await expect.poll(() => ben.request('notify:get', {})).toMatchObject({ quiet: { zone: 'Europe/Paris' } });
  expect(await ben.request('notify:set', { quiet: null })).toMatchObject({ mail: 60, quiet: null });
  ben.close();
});

test('notifies the others of a question whose member of the team is banned from the site', async () => {
  const [ann, quinn, rita] = [
    await site.person(),
    await site.person({}, 'quinn'),
    await site.person({}, 'rita'),
  ];
  const ask = () => ann.request('question:ask', { text: 'Where is it?', clientId: newClientId() });
  const { room } = await ask();
  await quinn.request('question:take', { question: room.id });
  await rita.request('question:open', { question: room.id });
  rita.close();
  await site.api('PUT', '/users/quinn/ban', {});
  await ask();
  expect((await came(rita)).rooms).toMatchObject([{ room: room.id, unread: 1 }]);
  for (const one of [ann, quinn]) one.close();
});

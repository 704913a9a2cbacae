import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { eventTypes } from '../../../server/history/history.ts';
import { openSqliteHistory } from '../../../server/history/sqlite/sqlite.ts';
import { Endpoint } from '../../../server/webhooks/endpoint.ts';
import { Webhooks } from '../../../server/webhooks/webhooks.ts';
import { againInSoak } from '../../helpers/again-in-soak.ts';
import { historyFolder } from '../../helpers/chat-server.ts';
import { hanging } from '../../helpers/hanging.ts';
import { ownHistory, unexpectedFailure } from '../../helpers/own-history.ts';
import { codeOf, nextOf, type PeopleSite, type Person, say, startPeopleSite } from '../../helpers/people.ts';

interface Taken {
  headers: IncomingHttpHeaders;
  body: string;
  event: { type: string; timestamp: string; data: Record<string, Record<string, unknown>> };
}

/** Two keys, as while one replaces the other. */
const keys = [Buffer.alloc(24, 'a'), Buffer.alloc(32, 'b')];
const kept = historyFolder();
const taken: Taken[] = [];
/** Each test rejects certain events. The others are answered with 204. */
const refusals = new Set<(event: Taken['event'], response: ServerResponse) => boolean>();
/** Overrides the response to all events. */
let answer: ((response: ServerResponse, event: Taken['event']) => void) | undefined;
const receiver = createServer(async (request, response) => {
  let body = '';
  for await (const piece of request.setEncoding('utf8')) body += piece;
  const event = JSON.parse(body) as Taken['event'];
  taken.push({ headers: request.headers, body, event });
  if (answer !== undefined) return answer(response, event);
  for (const refuses of refusals) {
    if (!refuses(event, response)) continue;
    refusals.delete(refuses);
    if (!response.writableEnded) response.writeHead(503).end();
    return;
  }
  response.writeHead(204).end();
});
let url: string;
const keyFile = `${kept.path}.key`;
let site: PeopleSite;
/** Connected before all other users. */
let early: Person;
beforeAll(async () => {
  await once(receiver.listen(0, '127.0.0.1'), 'listening');
  url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/chat-events?from=chat`;
  writeFileSync(keyFile, keys.map((key) => `whsec_${key.toString('base64')}\n`).join(''));
  site = await startPeopleSite({
    CHAT_HISTORY: kept.url,
    CHAT_WEBHOOK_URL: url,
    CHAT_WEBHOOK_KEY_FILE: keyFile,
    CHAT_HOLD_WORDS: 'pallets',
    CHAT_TEAM: 'ida',
    CHAT_WEBHOOK_EVENTS: [...eventTypes.filter((type) => type !== 'notify.due'), 'user.online'].join(','),
  });
  early = await site.person();
});
afterAll(async () => {
  await site.close();
  receiver.closeAllConnections();
  receiver.close();
  kept.remove();
});

/** Waits for the first event that matches. */
const took = (type: string, fits: (data: Taken['event']['data']) => boolean = () => true) =>
  vi.waitFor(
    () => {
      const found = taken.find(({ event }) => event.type === type && fits(event.data));
      if (found === undefined) throw new Error(`no ${type} among ${taken.map(({ event }) => event.type)}`);
      return found;
    },
    { timeout: hanging },
  );

/** Waits for the next attempt to send an event. */
const again = (first: Taken) =>
  vi.waitUntil(
    () => taken.find((one) => one !== first && one.headers['webhook-id'] === first.headers['webhook-id']),
    { timeout: hanging },
  );
const inRoom = (id: string) => (data: Taken['event']['data']) => data.room?.id === id;
/** Rejects the first event of this type that matches. */
const refuse = (type: string, fits: (data: Taken['event']['data']) => boolean) =>
  refusals.add((event) => event.type === type && fits(event.data));

test('sends events of a question, without notes', async () => {
  const [ida, ann] = [await site.person({}, 'ida'), await site.person()];
  const asked = { text: 'Where is it?', clientId: 'q', about: { page: '/orders/7' } };
  const { room } = await ann.request('question:ask', asked);
  const own = (data: Taken['event']['data']) => data.room?.id === room.id;
  expect((await took('question.opened', own)).event.data.room).toMatchObject({
    ...{ name: 'Where is it?', question: { state: 'open', asker: ann.ready.user, about: asked.about } },
  });
  await ida.request('question:note', { question: room.id, text: 'a secret note', clientId: 'n' });
  await ida.request('question:close', { question: room.id });
  expect((await took('question.closed', own)).event.data.room).toMatchObject({
    question: { state: 'closed', by: ida.ready.user },
  });
  await ann.request('question:ask', { text: 'And now?', clientId: 'r' });
  await vi.waitUntil(
    () => taken.filter(({ event }) => event.type === 'question.opened' && own(event.data)).length === 2,
    { timeout: hanging },
  );
  expect(JSON.stringify(taken)).not.toContain('a secret note');
});

test('sends events of a room, its members, messages and reports, signed with both keys', async () => {
  const [ann, ben] = await site.people(2);
  const den = await site.den(ann, [ben]);
  await ann.request('room:join', { room: den.id });
  const own = (data: Taken['event']['data']) => data.room?.id === den.id;
  const room = { id: den.id, kind: 'private', name: 'Den' };
  expect((await took('room.created', own)).event.data).toMatchObject({ room });
  const added = await took('room.member_added', (data) => own(data) && data.user?.id === ben.id);
  expect(added.event.data).toMatchObject({ room, user: { id: ben.id, name: `Name of ${ben.id}` } });
  await ann.request('room:update', { room: den.id, topic: 'Plans' });
  expect((await took('room.changed', own)).event.data.room).toMatchObject({ topic: 'Plans' });

  const sent = await say(ann, den.id, 'first');
  const created = await took('message.created', own);
  expect(created.event).toEqual({
    type: 'message.created',
    timestamp: expect.stringMatching(/^\d{4}-.*Z$/),
    data: { room: { ...room, topic: 'Plans', members: 2 }, message: sent },
  });
  const { 'webhook-id': id, 'webhook-timestamp': time, 'webhook-signature': signatures } = created.headers;
  expect(created.headers).toMatchObject({ 'content-type': 'application/json' });
  expect(signatures).toBe(
    keys
      .map((key) => createHmac('sha256', key).update(`${id}.${time}.${created.body}`).digest('base64'))
      .map((signature) => `v1,${signature}`)
      .join(' '),
  );
  expect(Math.abs(Number(time) * 1000 - Date.now())).toBeLessThan(60_000);

  await ben.request('message:report', { room: den.id, seq: sent.seq, reason: 'spam', text: 'again' });
  expect((await took('message.reported', own)).event.data).toMatchObject({
    report: { by: ben.id, reason: 'spam', text: 'again' },
    message: { seq: sent.seq, text: 'first' },
  });
  await ann.request('message:delete', { room: den.id, seq: sent.seq });
  const deleted = await took('message.changed', (data) => own(data) && data.message?.rev !== sent.rev);
  expect(deleted.event.data.message).toMatchObject({
    seq: sent.seq,
    text: '',
    deletedAt: expect.any(Number),
  });
  await ann.request('room:remove', { room: den.id, user: ben.id });
  expect((await took('room.member_removed', own)).event.data.user).toMatchObject({ id: ben.id });
  // Each event was sent once.
  const ids = taken.filter(({ event }) => own(event.data)).map(({ headers }) => headers['webhook-id']);
  expect(new Set(ids).size).toBe(ids.length);
});

test('sends no event about a user who is being erased', async () => {
  const [ann, ben] = await site.people(2);
  const den = await site.den(ann, [ben]);
  for (const one of [ann, ben]) await one.request('room:join', { room: den.id });
  await say(ben, den.id, 'hello');
  await took('message.created', (data) => data.room?.id === den.id);
  const reset = nextOf(ann, 'room:reset');
  expect((await site.api('DELETE', `/users/${ben.id}`)).status).toBe(202);
  await reset;
  // Events are stored in the order of the changes.
  for (const topic of ['one', 'two']) {
    await ann.request('room:update', { room: den.id, topic });
    await took('room.changed', (data) => data.room?.topic === topic);
  }
  const removed = taken.filter(({ event }) => event.type === 'room.member_removed');
  expect(removed.filter(({ event }) => event.data.user?.id === ben.id)).toEqual([]);
});

// The next attempt follows after five seconds.
describe.concurrent('a rejected event', () => {
  test('omits the text of a pending message that was decided since', async () => {
    const [ann, ben] = await site.people(2);
    const den = await site.den(ann, [ben]);
    for (const one of [ann, ben]) await one.request('room:join', { room: den.id });
    refuse('message.held', inRoom(den.id));
    const mentions = [{ user: ann.id, start: 0, length: 5 }];
    await ben.raw('message:send', { room: den.id, text: 'cheap pallets', clientId: 'waits', mentions });
    const first = await took('message.held', inRoom(den.id));
    const [held] = (await ann.request('held:list', {})).held;
    expect(first.event.data.held).toEqual({
      id: held?.id,
      user: { id: ben.id, name: `Name of ${ben.id}` },
      why: 'words',
      at: held?.at,
      text: 'cheap pallets',
      mentions,
    });
    await ann.request('held:reject', { id: held?.id ?? '' });
    const { room } = first.event.data;
    expect((await again(first)).event.data).toEqual({ room, held: { id: held?.id, deleted: true } });
    const created = taken.filter(
      ({ event }) => event.type === 'message.created' && inRoom(den.id)(event.data),
    );
    expect(created).toEqual([]);
  });

  againInSoak('is sent again under its ID, with the current message', async () => {
    const ann = await site.person();
    const den = await site.den(ann);
    await ann.request('room:join', { room: den.id });
    const own = (seq: number) => (data: Taken['event']['data']) =>
      inRoom(den.id)(data) && data.message?.seq === seq;
    refusals.add((event, response) => {
      if (event.type !== 'message.created' || !own(1)(event.data)) return false;
      response.writeHead(302, { location: url }).end();
      return true;
    });
    const sent = await say(ann, den.id, 'secret');
    const first = await took('message.created', own(1));
    await ann.request('message:delete', { room: den.id, seq: sent.seq });
    await say(ann, den.id, 'second');
    await took('message.created', own(2));
    const next = await again(first);
    expect(next.event).toMatchObject({ type: 'message.created', data: { message: { seq: 1, text: '' } } });
    expect(next.body).not.toContain('secret');
  });

  againInSoak('contains nothing of a later room with the same ID', async () => {
    const make = (name: string) => site.api('PUT', '/rooms/again', { name, kind: 'private' });
    const post = (text: string) =>
      site.api('POST', '/rooms/again/messages', { user: { id: 'shop', name: 'Shop' }, text, clientId: text });
    await make('Team');
    for (const type of ['message.created', 'room.member_added']) refuse(type, inRoom('again'));
    await site.api('PATCH', '/rooms/again/members', { add: [{ id: 'eve', name: 'Eve' }] });
    await post('before');
    const [message, member] = [
      await took('message.created', inRoom('again')),
      await took('room.member_added', inRoom('again')),
    ];
    expect(member.event.data.room).toMatchObject({ name: 'Team' });
    await site.api('DELETE', '/rooms/again');
    await make('Secret team');
    await post('secret');
    expect((await again(message)).event.data.message).toEqual({
      ...{ room: 'again', seq: 1, text: '', deleted: true },
    });
    expect((await again(member)).event.data).toEqual({
      room: { id: 'again', deleted: true },
      user: { id: 'eve', name: 'Eve' },
    });
  });

  test('can be sent again by an admin on the moderators’ page', async ({ onTestFinished }) => {
    const own = historyFolder();
    onTestFinished(() => own.remove());
    const history = await openSqliteHistory({ path: own.path, onFailure() {} });
    const event = { id: 'given-up', type: 'room.created', at: 1, due: 1, tries: 9, roomId: 'gone' } as const;
    const consumer = { name: 'webhooks', by: 'me', types: ['room'], lease: 1, most: 9 } as const;
    const consumed = await history.write.consume(consumer);
    const done = 'upTo' in consumed ? consumed.upTo : 0;
    await history.write.consume({ ...consumer, done, rows: { events: [event] } });
    const claim = { sent: [], at: 2, until: 3, most: 9, mostRetries: 9 };
    for (const failed of [[], [{ id: event.id }]]) await history.write.claimEvents({ ...claim, failed });
    await history.close();
    const there = await startPeopleSite({
      CHAT_HISTORY: own.url,
      CHAT_WEBHOOK_URL: url,
      CHAT_WEBHOOK_KEY_FILE: keyFile,
    });
    onTestFinished(() => there.close());
    const [admin, moderator] = [
      await there.person({ roles: 'admin' }),
      await there.person({ roles: 'moderator' }),
    ];
    const overview = async () => (await admin.request('moderate:overview', {})).events;
    expect(await overview()).toMatchObject({ failed: 1 });
    expect(await moderator.request('moderate:overview', {})).not.toHaveProperty('events');
    expect(await codeOf(moderator, 'moderate:retry', {})).toBe('forbidden');
    expect(await admin.request('moderate:retry', {})).toEqual({ events: 1 });
    expect((await took('room.created', ({ room }) => room?.id === 'gone')).headers['webhook-id']).toBe(
      event.id,
    );
    await vi.waitFor(async () => expect(await overview()).toMatchObject({ failed: 0 }), { timeout: hanging });
  });

  test('does not delay reports of online users', async () => {
    const own = (data: Taken['event']['data']) => data.user?.id === early.id;
    const { event } = await took('user.online', own);
    expect(event.data).toEqual({ user: { id: early.id, name: `Name of ${early.id}` } });
    expect(taken.filter(({ event: { type } }) => type === 'user.offline')).toEqual([]);
  });
});

test('sends reports and messages of others in turn while events of one user are queued', async () => {
  const own = historyFolder();
  onTestFinished(() => own.remove());
  const start = () =>
    startPeopleSite({
      CHAT_HISTORY: own.url,
      CHAT_WEBHOOK_URL: url,
      CHAT_WEBHOOK_KEY_FILE: keyFile,
      CHAT_WEBHOOK_EVENTS: 'message.created,message.reported',
    });
  const events: Taken['event'][] = [];
  const answerWith = (status: number) => {
    answer = (response, event) => {
      // A server of an earlier test may still report who is online.
      if (event.type.startsWith('message.')) events.push(event);
      response.writeHead(status).end();
    };
  };
  onTestFinished(() => {
    answer = undefined;
  });
  const there = await start();
  const [flooder, other] = await there.people(2, (one) => one.request('room:join', { room: 'lobby' }));
  // The server sends nothing more until the next start.
  answerWith(410);
  const { seq } = await say(flooder, 'lobby', 'spam');
  await vi.waitFor(() => expect(events).toHaveLength(1), hanging);
  await Promise.all(Array.from({ length: 150 }, () => say(flooder, 'lobby', 'spam')));
  await say(other, 'lobby', 'from another user');
  await other.request('message:report', { room: 'lobby', seq, reason: 'spam' });
  await vi.waitFor(
    async () => expect((await there.api('GET', '/webhooks')).body).toMatchObject({ waiting: 153 }),
    hanging,
  );
  await there.close();
  events.length = 0;
  answerWith(204);
  const restarted = await start();
  onTestFinished(() => restarted.close());
  // 32 events are in flight, so they arrive in almost the order of their turns.
  await vi.waitFor(() => expect(events.length).toBeGreaterThanOrEqual(64), hanging);
  const first = events.slice(0, 64).map(({ type, data }) => `${type} ${data.message?.text}`);
  expect(first).toContain('message.reported spam');
  expect(first).toContain('message.created from another user');
});

test('reports every response except success as a failure, with its Retry-After', async () => {
  const endpoint = new Endpoint(new URL(url), keys, 9);
  // A server of an earlier test may still send events.
  const posts = () => taken.filter(({ headers }) => headers['webhook-id'] === 'an-id').length;
  const post = () => endpoint.post('an-id', '{"type":"room.created","data":{}}');
  answer = (response) => {
    response.writeHead(500);
    const more = () => {
      while (response.write(Buffer.alloc(64 * 1024))) if (response.destroyed) return;
      if (!response.destroyed) response.once('drain', more);
    };
    more();
  };
  expect(await post()).toEqual({ status: 500, reason: 'status 500' });
  answer = (response) => response.writeHead(302, { location: '/elsewhere' }).end();
  expect(await post()).toEqual({ status: 302, reason: 'status 302' });
  expect(posts()).toBe(2);
  answer = (response) => response.writeHead(429, { 'retry-after': '7' }).end();
  expect(await post()).toEqual({ status: 429, wait: 7000, reason: 'status 429' });
  answer = (response) => response.writeHead(410).end();
  expect(await post()).toEqual({ status: 410, reason: 'status 410' });
  answer = (response) => response.destroy();
  expect(await post()).toEqual({ reason: 'no answer (ECONNRESET)' });
  const upgrade = 'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: chat\r\n\r\n';
  answer = (response) => void response.socket?.write(upgrade);
  expect(await post()).toEqual({ status: 101, reason: 'status 101' });
  endpoint.close();
});

/** Starts a sender of events for users of these IDs. */
async function presenceSender(users: readonly string[]) {
  const history = await ownHistory();
  const at = Date.now();
  for (const id of users) await history.write.arrive({ user: { id, name: `Name of ${id}` }, at });
  const webhooks = new Webhooks({
    ...{ url: new URL(url), keys, history },
    messageOf: (message) => message as never,
    dueOf: () => Promise.resolve(null),
    onTry() {},
    onFailure: (reason) => unexpectedFailure(new Error(reason)),
    onHistoryFailure: (reason) => unexpectedFailure(new Error(reason)),
    onDropped() {},
    onGone() {},
  });
  onTestFinished(() => webhooks.stop());
  return { history, webhooks };
}

test('sends no user.offline for a user who is being erased or is erased', async () => {
  const busy = ['busy-1', 'busy-2', 'busy-3'];
  const { history, webhooks } = await presenceSender([...busy, 'being-erased', 'stays']);
  await history.write.erase({ user: 'being-erased', messages: 'anonymise', at: Date.now() });
  // Three of the four concurrent requests get no response, so the others are sent in order.
  answer = (response, { data }) => {
    if (!busy.includes(`${data.user?.id}`)) response.writeHead(204).end();
  };
  for (const id of [...busy, 'being-erased', 'erased', 'stays']) webhooks.sendOnce('user.offline', id);
  const left = () =>
    taken.filter(({ event }) => event.type === 'user.offline').map(({ event }) => event.data.user);
  await vi.waitUntil(() => left().some((user) => user?.id === 'stays'), { timeout: hanging });
  expect(left().filter((user) => !busy.includes(`${user?.id}`))).toEqual([
    { id: 'stays', name: 'Name of stays' },
  ]);
});

test('sends only the latest of the waiting user.online and user.offline of a user, after other users', async () => {
  const busy = ['slow-1', 'slow-2', 'slow-3', 'slow-4'];
  const { webhooks } = await presenceSender([...busy, 'restless', 'calm']);
  const unanswered: ServerResponse[] = [];
  answer = (response, { data }) => {
    if (busy.includes(`${data.user?.id}`)) unanswered.push(response);
    else response.writeHead(204).end();
  };
  for (const id of busy) webhooks.sendOnce('user.online', id);
  await vi.waitUntil(() => unanswered.length === 4, { timeout: hanging });
  webhooks.sendOnce('user.online', 'restless');
  webhooks.sendOnce('user.online', 'calm');
  webhooks.sendOnce('user.offline', 'restless');
  const [first] = unanswered;
  first?.writeHead(204).end();
  // Requests of another test may still arrive.
  const later = () =>
    taken.flatMap(({ event: { type, data } }) =>
      ['restless', 'calm'].includes(`${data.user?.id}`) ? [`${type} ${data.user?.id}`] : [],
    );
  await vi.waitUntil(() => later().includes('user.offline restless'), { timeout: hanging });
  expect(later()).toEqual(['user.online calm', 'user.offline restless']);
  for (const response of unanswered.slice(1)) response.writeHead(204).end();
});

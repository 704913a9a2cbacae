import { createHmac, randomInt } from 'node:crypto';
import { createClient } from 'redis';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Message, MessageFile } from '../../server/wire/events.ts';
import { type ChatClient, connectChat, newClientId, refusalOf } from '../helpers/chat-client.ts';
import { chatServerHere } from '../helpers/chat-here.ts';
import { historyFolder, type RunningChat } from '../helpers/chat-server.ts';
import { type ChatSite, startChatSite } from '../helpers/chat-site.ts';
import { codeIgniterSite } from '../helpers/code-igniter.ts';
import { type CuttableBus, startCuttableBus } from '../helpers/cuttable-bus.ts';
import { download, origin, upload } from '../helpers/files.ts';
import { hanging, within } from '../helpers/hanging.ts';
import { type HistoryDatabase, openDatabase, postgresDatabase } from '../helpers/history-database.ts';
import { apiKey, eventsOf, say } from '../helpers/people.ts';
import { type Postgres, startPostgres } from '../helpers/postgres.ts';
import { type Redis, startRedis } from '../helpers/redis.ts';
import { Tab } from '../helpers/tab.ts';
import { ticketKeys } from '../helpers/tickets.ts';
import { size } from './size.ts';

/** Two servers in this process that form one chat. `cluster-faults.test.ts` kills and suspends such servers. */
let postgres: Postgres;
let redis: Redis;
let bus: CuttableBus;
let history: HistoryDatabase;
let site: ChatSite<RunningChat>;
let one: RunningChat;
let two: RunningChat;
const files = historyFolder();
const tickets = ticketKeys();
const common = {
  CHAT_API_KEY: apiKey,
  CHAT_CREATE_ROOMS: 'all',
  CHAT_DRAIN: '0s',
  CHAT_ORIGINS: origin,
  CHAT_FILES: files.files,
  ...tickets.env,
};

const startNode = (name: string, url: string, cluster: string, env: NodeJS.ProcessEnv = {}) =>
  chatServerHere({ ...common, CHAT_NODE: name, CHAT_HISTORY: url, CHAT_CLUSTER: cluster, ...env });

beforeAll(async () => {
  [postgres, redis] = await Promise.all([startPostgres(), startRedis()]);
  [history, bus] = await Promise.all([postgresDatabase(postgres), startCuttableBus(redis.port)]);
  const start = (name: string) => (env: NodeJS.ProcessEnv) => startNode(name, history.url, bus.url, env);
  const env = { CHAT_SESSION_CHECK: '100ms', CHAT_HOLD_WORDS: 'pallets', CHAT_USER_ROLES: 'roles' };
  site = await startChatSite(env, start('one'));
  one = site.chat;
  two = await start('two')({ ...env, CHAT_SESSION_STORE: site.memcached.url });
});
const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});
afterAll(async () => {
  await two.stop();
  await site.close();
  await Promise.all([bus.cut(), history.close()]);
  await Promise.all([postgres.remove(), redis.remove()]);
  files.remove();
  tickets.remove();
});

const cookies = new Map<string, Promise<string>>();
function cookieOf(id: string): Promise<string> {
  const cookie = cookies.get(id) ?? site.rawSession(`{"user_id":"${id}","firstname":"name of ${id}"}`);
  cookies.set(id, cookie);
  return cookie;
}
async function connect(server: RunningChat, id: string): Promise<ChatClient> {
  const client = await connectChat(server.url, await cookieOf(id));
  closing.push(() => client.close());
  return client;
}
/** IDs of the same length, so that no ID is a prefix of another ID. */
let users = 100;
/** Creates a user for one test, with a connection to each of these servers. */
async function person(...servers: RunningChat[]): Promise<{ id: string; on: ChatClient[] }> {
  const id = `user-${users++}`;
  return { id, on: await Promise.all(servers.map((server) => connect(server, id))) };
}
/** Creates two users in a new room, the first on the first server and the second on the second server. */
async function pair(over: object = {}) {
  const [ann, bob] = [await person(one), await person(two)];
  const room = await den(ann.on[0] as ChatClient, [bob.id], over);
  for (const { on } of [ann, bob]) await on[0]?.request('room:join', { room });
  return { room, ann: ann.on[0] as ChatClient, bob: bob.on[0] as ChatClient, annId: ann.id, bobId: bob.id };
}
async function den(owner: ChatClient, members: string[], over: object = {}): Promise<string> {
  const made = { name: 'Den', kind: 'private' as const, members, clientId: newClientId(), ...over };
  return (await owner.request('room:create', made)).room.id;
}

/** Without the bus a server polls the database each second. */
const timeout = within(1500);
const lastOf = (client: ChatClient, name: string) =>
  expect.poll(() => client.events.findLast((event) => event.name === name)?.payload, { timeout });
const says = (server: RunningChat, pattern: RegExp) =>
  vi.waitUntil(() => pattern.test(server.output()), { timeout: hanging });

async function api(method: string, path: string, body?: object): Promise<unknown> {
  const answer = await fetch(`${one.url}/api${path}`, {
    method,
    headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return answer.json();
}

/** Collects the texts published on the bus, with their channels. */
async function listen(): Promise<[channel: string, text: string][]> {
  const said: [channel: string, text: string][] = [];
  const listener = createClient({ url: `redis://127.0.0.1:${redis.port}` });
  listener.on('error', () => {});
  await listener.connect();
  closing.push(() => listener.destroy());
  await listener.pSubscribe('php-session-chat:*', (text, channel) => said.push([channel, text]));
  return said;
}

describe('two servers with a bus', () => {
  test('ignore a forged or truncated hint', async () => {
    const { room, ann, bob } = await pair();
    const said = await listen();
    await say(ann, room, 'hello');
    const heard = () => said.find(([, text]) => text.includes('"message"'));
    await expect.poll(heard).toBeDefined();
    const [channel, hint] = heard() as [string, string];
    const { num } = JSON.parse(hint.slice(hint.indexOf('{'))) as { num: number };
    for (const forged of [
      hint.replaceAll('hello', 'forged').replace(`"num":${num}`, `"num":${num + 1}`),
      hint.slice(hint.indexOf('{')).replaceAll('hello', 'forged'),
      ...[hint.slice(0, 60), 'x', ''],
    ])
      await redis.ask('PUBLISH', channel, forged);
    await says(two, /ignored an invalid text on the bus/);
    await say(ann, room, 'the next');
    await expect.poll(() => bob.messages().map(({ text }) => text)).toEqual(['hello', 'the next']);
  });

  test('pass on reactions and threads', async () => {
    const { room, ann, annId, bob } = await pair();
    const { seq } = await say(ann, room);
    await lastOf(bob, 'message:new').toMatchObject({ seq });
    const { rev } = (await ann.request('message:react', { room, seq, emoji: '👍', on: true })).message;
    const changes = [{ emoji: '👍', count: 1, added: [annId] }];
    // A server that reads the message only after its reaction sends both in one event.
    const inOne = expect.objectContaining({ seq, rev, reactions: [expect.objectContaining({ count: 1 })] });
    await expect
      .poll(() => [eventsOf(bob, 'message:reacted'), eventsOf(bob, 'message:changed')])
      .toBeOneOf([
        [[{ room, seq, rev, changes }], []],
        [[], [inOne]],
      ]);
    await say(bob, room, 'an answer', { replyTo: seq });
    await lastOf(ann, 'thread:changed').toMatchObject({ room, threads: [{ thread: seq, replies: 1 }] });
  });

  const toldOf = (client: ChatClient, { id }: Message) =>
    eventsOf(client, 'mention').filter(({ message }) => message.id === id);
  const seenBy = (client: ChatClient) => JSON.stringify(eventsOf(client, 'presence:changed'));

  test('notify a mentioned user who joined the room on neither server', async () => {
    const { room, ann, bob } = await pair({ kind: 'public', name: newClientId(), members: [] });
    const [kim, dan] = [await person(two, one), await person(two, one)];
    await kim.on[1]?.request('room:join', { room });
    await dan.on[1]?.request('room:join', { room });
    await dan.on[1]?.request('room:leave', { room });
    await expect.poll(() => seenBy(bob)).toContain(`"id":"${kim.id}"`);
    const mention = (...ids: string[]) => {
      const mentions = ids.map((user, start) => ({ user, start, length: 1 }));
      return say(ann, room, 'you all', { mentions });
    };
    // If a server gets no response within a second, it sends the event anyway. Then the check is repeated.
    await expect
      .poll(async () => {
        const message = await mention(kim.id, dan.id);
        // Each server asks the other about Kim before it asks about Dan.
        for (const client of dan.on) await expect.poll(() => toldOf(client, message)).toHaveLength(1);
        return kim.on.flatMap((client) => toldOf(client, message));
      })
      .toEqual([]);
    await kim.on[1]?.request('room:leave', { room });
    const message = await mention(kim.id);
    for (const client of kim.on)
      await expect.poll(() => toldOf(client, message)).toMatchObject([{ message: { id: message.id } }]);
  });

  test('know since when a user reads a page of the site on the other server', async () => {
    const headers = { cookie: await cookieOf('reader-1'), 'sec-fetch-site': 'same-origin' };
    const open = async (server: RunningChat, page: string) => {
      const asked = new URLSearchParams({ page, user: 'reader-1' });
      const answer = await fetch(`${server.url}/here?${asked}`, { headers });
      return ((await answer.json()) as { nextMs: number }).nextMs;
    };
    const remainingMs = async () => {
      const page = `/${newClientId()}`;
      expect(await open(one, page)).toBe(30_000);
      return open(two, page);
    };
    await expect.poll(remainingMs).toBeLessThan(30_000);
  });

  test('count no deleted messages as unread', async () => {
    const { room, ann, bob, bobId } = await pair();
    await bob.request('room:leave', { room });
    for (let n = 0; n < 3; n++) await say(ann, room);
    for (const seq of [1, 3]) await ann.request('message:delete', { room, seq });
    const deleted = [
      [1, 1],
      [3, 1],
    ];
    await lastOf(bob, 'room:activity').toMatchObject({ room, lastSeq: 3, deleted });
    const { rooms } = await bob.request('room:list', {});
    expect(rooms.find(({ id }) => id === room)).toMatchObject({ unread: 1, deleted });
    const headers = { cookie: await cookieOf(bobId), 'sec-fetch-site': 'same-origin' };
    for (const { url } of [one, two])
      expect(await (await fetch(`${url}/me`, { headers })).json()).toMatchObject({ unread: 1 });
  });

  test('announce typing by users who joined a moment before on the other server', async () => {
    const { room, bob } = await pair({ kind: 'public', name: newClientId(), members: [] });
    const many = await Promise.all(Array.from({ length: size(80, 20) }, () => person(one)));
    await Promise.all(
      many.map(async ({ on: [client] }) => {
        await client?.request('room:join', { room });
        await client?.request('typing:set', { room, typing: true });
      }),
    );
    const typing = () =>
      new Set(eventsOf(bob, 'typing:changed').flatMap(({ user, typing }) => (typing ? [user.id] : [])));
    await expect.poll(typing, { timeout }).toEqual(new Set(many.map(({ id }) => id)));
  });

  test('apply the block of another user to mentions and typing on both servers', async () => {
    const { room, ann, annId, bob, bobId } = await pair({ kind: 'public', name: newClientId(), members: [] });
    const kim = await person(two, one);
    for (const client of kim.on) await client.request('room:join', { room });
    await say(ann, room, 'you', { mentions: [{ user: kim.id, start: 0, length: 3 }] });
    for (const blocked of [true, false, true]) {
      await kim.on[0]?.request('user:block', { user: annId, blocked });
      for (const client of kim.on)
        await lastOf(client, 'room:changed').toMatchObject({ id: room, mentions: blocked ? 0 : 1 });
    }
    for (const client of [ann, bob]) await client.request('typing:set', { room, typing: true });
    for (const client of kim.on)
      await lastOf(client, 'typing:changed').toMatchObject({ user: { id: bobId } });
    await lastOf(bob, 'typing:changed').toMatchObject({ user: { id: annId }, typing: true });
    expect(JSON.stringify(kim.on.flatMap((one) => eventsOf(one, 'typing:changed')))).not.toContain(annId);
  });

  test('notify followers of a reply that was sent on the other server', async () => {
    const { room, ann, bob } = await pair({ kind: 'public', name: newClientId(), members: [] });
    const dan = await person(two, one);
    const { seq } = await say(ann, room);
    const [here, there] = dan.on as [ChatClient, ChatClient];
    for (const event of ['room:join', 'room:leave'] as const) await here.request(event, { room });
    await here.request('thread:follow', { room, thread: seq, following: true });
    await lastOf(there, 'thread:followed').toEqual({ room, thread: seq, following: true });
    const reply = await say(bob, room, 'an answer', { replyTo: seq });
    await expect.poll(() => toldOf(there, reply)).toMatchObject([{ message: reply, followed: true }]);
  });

  test('send scheduled messages once and in order, and tell their author on both servers', async () => {
    const [ann, bob] = [await person(one, two), await person(two)];
    const room = await den(ann.on[0] as ChatClient, [bob.id]);
    const reader = bob.on[0] as ChatClient;
    await reader.request('room:join', { room });
    const at = Date.now() + 500;
    const texts = Array.from({ length: 10 }, (_, n) => `message ${n}`);
    for (const [n, text] of texts.entries())
      await ann.on[n % 2]?.request('scheduled:add', { room, text, clientId: newClientId(), at: at + n });
    const arrived = () => eventsOf(reader, 'message:new').map(({ text }) => text);
    await expect.poll(arrived, { timeout: hanging }).toEqual(texts);
    const sent = (client: ChatClient) =>
      eventsOf(client, 'scheduled:changed').filter(({ is }) => is === 'sent');
    for (const client of ann.on) await expect.poll(() => sent(client)).toHaveLength(texts.length);
    expect(arrived()).toEqual(texts);
  });

  test('notify moderators of reports, pins and pending messages from the other server', async () => {
    const { room, ann, bob, bobId } = await pair();
    await ann.request('room:role', { room, user: bobId, role: 'moderator' });
    await lastOf(bob, 'room:changed').toMatchObject({ role: 'moderator' });
    const carol = await person(two);
    await ann.request('room:invite', { room, users: [carol.id] });
    await carol.on[0]?.request('room:join', { room });
    const { seq } = await say(ann, room);
    await bob.request('message:report', { room, seq, reason: 'other' });
    await lastOf(ann, 'report:changed').toMatchObject({ report: { room }, open: 1 });
    await bob.request('message:pin', { room, seq });
    await lastOf(ann, 'pin:changed').toMatchObject({
      seq,
      pin: { text: 'hello', by: { id: bobId } },
      count: 1,
    });
    const [report] = (await bob.request('report:list', {})).reports;
    await bob.request('report:close', { id: report?.id ?? '', done: 'nothing' });
    await lastOf(ann, 'report:changed').toMatchObject({ report: { id: report?.id }, open: 0 });

    const waits = { room, text: 'cheap pallets', clientId: newClientId() };
    const answer = await carol.on[0]?.raw('message:send', waits);
    const { id } = (answer as unknown as { data: { held: { id: string } } }).data.held;
    await lastOf(ann, 'held:changed').toMatchObject({ is: 'held', held: { id, text: waits.text } });
    // Two concurrent approvals publish the message once.
    const approved = await Promise.all([ann, bob].map((client) => client.raw('held:approve', { id })));
    expect(approved.filter(({ ok }) => ok)).toHaveLength(1);
    await lastOf(carol.on[0] as ChatClient, 'held:changed').toMatchObject({ id, is: 'approved' });
    await expect.poll(() => bob.messages().map((message) => message.id)).toContain(id);
    expect(await carol.on[0]?.request('message:send', waits)).toMatchObject({
      message: { id, seq: seq + 1 },
    });
  });

  describe('a copy that is forwarded on both servers', () => {
    const times = size(10, 2);
    const secrets = ['Wm4kZ'];
    const copies: Message[] = [];
    const readers: ChatClient[] = [];
    let room: string;
    let from: string;
    let file: MessageFile;
    const open: (() => unknown)[] = [];
    beforeAll(async () => {
      const [forwarding, ...reading] = [
        await person(one, two),
        await person(one, two),
        await person(one, two),
      ];
      const hiding = await connect(two, 'Wm4kZ-id');
      open.push(...closing.splice(0));
      const annToo = forwarding.on[1] as ChatClient;
      const ann = forwarding.on[0] as ChatClient;
      readers.push(...reading.flatMap(({ on }) => on));
      room = await den(ann, [], { kind: 'public', name: newClientId() });
      for (const reader of readers) await reader.request('room:join', { room });
      from = await den(hiding, [forwarding.id], { name: 'Wm4kZ-den' });
      await hiding.request('room:join', { room: from });
      const uploaded = { name: 'a.txt', room: from };
      file = (await upload(two.url, await cookieOf('Wm4kZ-id'), 'in the file', uploaded)).file;
      const original = await say(hiding, from, 'words', { files: [{ id: file.id }] });
      secrets.push(from, file.id, original.id);
      for (let n = 0; n < times; n++) {
        // A response may get lost, and then the client sends the request to the other server.
        const asked = { room, from: { room: from, seq: original.seq }, clientId: newClientId() };
        const [{ message }, again] = await Promise.all([
          ann.request('message:forward', asked),
          annToo.request('message:forward', asked),
          ...readers.map((reader) => say(reader, room, `${n}`)),
        ]);
        expect(again).toEqual({ message });
        copies.push(message);
      }
    });
    afterAll(async () => {
      for (const close of open) await close();
    });

    test('arrives once and in order at readers on both servers', async () => {
      const all = (readers.length + 1) * times;
      for (const reader of readers) {
        const got = () => reader.messages().filter((message) => message.room === room);
        await expect.poll(got).toHaveLength(all);
        expect(got().map(({ seq }) => seq)).toEqual(Array.from({ length: all }, (_, n) => n + 1));
        expect(got().filter(({ text }) => text === 'words')).toEqual(
          copies.toSorted((a, b) => a.seq - b.seq),
        );
      }
    });

    test('does not reveal the private room or the author of the original', async () => {
      const [{ files: [copied] = [], ...copy }] = copies as [Message];
      expect(copy).toMatchObject({ text: 'words', forwarded: {} });
      const cookie = await cookieOf('a-reader');
      for (const { url } of [one, two]) {
        expect((await download(url, cookie, file)).status).toBe(404);
        expect(await (await download(url, cookie, copied as MessageFile)).text()).toBe('in the file');
      }
      for (const reader of readers) {
        const answers = [
          await reader.raw('message:history', { room, limit: 100 }),
          await reader.raw('message:search', { query: 'words' }),
          await reader.raw('room:files', { room, what: 'files' }),
          await reader.raw('room:members', { room }),
          await reader.raw('user:find', { query: 'Wm4kZ' }),
          await reader.raw('room:list', {}),
        ];
        const known = JSON.stringify([reader.ready, reader.events, answers]);
        expect(secrets.filter((secret) => known.includes(secret))).toEqual([]);
        expect(known).toContain(copy.id);
      }
    });
  });

  test('let moderators see and ban users of the other server', async () => {
    const [boss, mod] = (await Promise.all(
      (
        [
          [one, 'admin'],
          [two, 'moderator'],
        ] as const
      ).map(async ([server, roles]) => {
        const session = { user_id: `${roles}-${newClientId()}`, roles };
        const client = await connectChat(server.url, await site.rawSession(JSON.stringify(session)));
        closing.push(() => client.close());
        return client;
      }),
    )) as [ChatClient, ChatClient];
    const { id, on } = await person(one);
    const about = async () => mod.request('moderate:person', { user: id });
    await expect.poll(about).toMatchObject({ here: true, may: { ban: true } });
    const overview = async () => (await mod.request('moderate:overview', {})).servers;
    const servers = ['one', 'two'].map((name) => ({ name, working: true, here: expect.any(Number) }));
    await expect.poll(overview).toMatchObject(servers);
    await mod.request('moderate:ban', { user: id, seconds: 600, reason: 'spam' });
    expect((await on[0]?.ended)?.reason).toBe('kicked');
    const banned = { here: false, restrictions: [{ kind: 'banned', reason: 'spam' }] };
    for (const client of [boss, mod])
      await expect.poll(() => client.request('moderate:person', { user: id })).toMatchObject(banned);
    await boss.request('moderate:ban', { user: id, end: true });
    await expect.poll(async () => (await about()).restrictions).toEqual([]);
    // A role that a user has on another server counts.
    const { id: admin } = boss.ready.user;
    expect((await mod.request('moderate:person', { user: admin })).may.ban).toBe(false);
  });

  test('leave no text of a deleted message in the database', async () => {
    const { room, ann } = await pair();
    const text = `secret-${randomInt(1e9)}`;
    const { seq } = await say(ann, room, text);
    expect(await history.holding(text)).toEqual(['chat_messages']);
    await ann.request('message:delete', { room, seq });
    expect(await history.holding(text)).toEqual([]);
  });
});

describe('two servers whose bus is down', () => {
  let cutAt: number;
  let said: number;
  beforeAll(async () => {
    // Ignores earlier log lines, because the bus also counts as down if the machine stalls for 2 s during a ping.
    said = one.output().length;
    cutAt = performance.now();
    await bus.cut();
    for (const node of [one, two]) await says(node, /bus down, messages/);
  });

  test('pass on rooms, names, roles, read markers, messages and deletions', async () => {
    const [ann, bob] = [await person(one), await person(two, one)];
    const [[by], [there, here]] = [ann.on, bob.on] as [[ChatClient], [ChatClient, ChatClient]];
    const room = await den(by, [bob.id]);
    await lastOf(there, 'room:added').toMatchObject({ id: room, name: 'Den', role: 'member' });
    for (const client of [there, by]) await client.request('room:join', { room });
    const message = await say(by, room);
    await lastOf(there, 'message:new').toEqual(message);
    await by.request('room:update', { room, name: 'Renamed' });
    await lastOf(there, 'room:activity').toMatchObject({ room, name: 'Renamed' });
    await by.request('room:role', { room, user: bob.id, role: 'moderator' });
    await lastOf(there, 'room:changed').toMatchObject({ id: room, role: 'moderator' });
    await here.request('read:mark', { room, seq: message.seq });
    await lastOf(there, 'read:changed').toEqual({ room, user: bob.id, seq: message.seq });
    await by.request('message:delete', { room, seq: message.seq });
    const deleted = { seq: message.seq, text: '', deletedBy: 'author' };
    await lastOf(there, 'message:changed').toMatchObject(deleted);
    const spam = await say(there, room, 'spam');
    await by.request('message:delete', { room, seq: spam.seq, reason: 'spam' });
    await lastOf(there, 'push').toEqual({ name: 'deleted', data: { room, seq: spam.seq, reason: 'spam' } });
  });

  test('end a ticket login that the site ends through the other server', async () => {
    const client = await connectChat(one.url, null, { auth: { ticket: tickets.ticket({ sid: 'ended' }) } });
    const response = await fetch(`${two.url}/api/sessions/ended`, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${apiKey}` },
    });
    expect(response.status).toBe(200);
    expect((await client.ended).reason).toBe('logout');
    const again = connectChat(one.url, null, { auth: { ticket: tickets.ticket({ sid: 'ended' }) } });
    expect((await refusalOf(again)).data?.code).toBe('unauthorized');
  });

  test('pass on presence, pushes and kicks', async () => {
    const watcher = await Tab.open(one.url, await cookieOf('watcher'), 'lobby');
    closing.push(() => watcher.client.close());
    const cy = await person(two);
    const [client] = cy.on as [ChatClient];
    await client.request('room:join', { room: 'lobby' });
    const seen = () => watcher.present.has(cy.id);
    await expect.poll(seen, { timeout }).toBe(true);
    const user = { id: cy.id, name: `name of ${cy.id}` };
    const listed = { room: 'lobby', present: true, query: cy.id };
    const { members } = await watcher.client.request('room:members', listed);
    expect(members).toEqual([{ user, role: 'member', present: true }]);
    const direct = await watcher.client.request('direct:open', { user: cy.id });
    expect(direct.room).toMatchObject({ with: user, present: true });
    const order = { name: 'order', data: { number: 4711 } };
    await api('POST', `/users/${cy.id}/push`, order);
    await lastOf(client, 'push').toEqual(order);
    await api('DELETE', `/users/${cy.id}/connections`);
    expect((await client.ended).reason).toBe('kicked');
    await expect.poll(seen, { timeout }).toBe(false);
  });

  test('pass on mutes, bans and removals, and nothing after a removal', async () => {
    const { room, ann, bob, bobId } = await pair();
    await ann.request('room:mute', { room, user: bobId, seconds: 600 });
    await lastOf(bob, 'room:changed').toMatchObject({ id: room, mutedForMs: expect.any(Number) });
    await expect(say(bob, room)).rejects.toThrow('muted');
    await ann.request('room:ban', { room, user: bobId, seconds: 600 });
    await lastOf(bob, 'room:removed').toMatchObject({ room, readable: false, reason: 'banned' });
    await expect(bob.request('room:join', { room })).rejects.toThrow('unknown_room');
    await ann.request('room:ban', { room, user: bobId, seconds: 0 });
    await lastOf(bob, 'room:added').toMatchObject({ id: room, mutedForMs: expect.any(Number) });
    await bob.request('room:join', { room });
    await ann.request('room:remove', { room, user: bobId });
    await say(ann, room, 'he is gone');
    await lastOf(bob, 'room:removed').toMatchObject({ room, reason: 'removed' });
    expect(bob.messages()).toEqual([]);
    await expect(bob.request('room:sync', { room, since: 0 })).rejects.toThrow('unknown_room');
    await api('PUT', `/users/${bobId}/ban`, {});
    expect((await bob.ended).reason).toBe('kicked');
    await expect(connect(two, bobId)).rejects.toThrow('forbidden');
  });

  test('end both connections of a user after a logout', async () => {
    const { id, on } = await person(one, two);
    await site.memcached.delete(site.key(await cookieOf(id)));
    for (const client of on) expect((await client.ended).reason).toBe('logout');
  });

  describe('a removed user', () => {
    test('cannot read what was written after the removal', async () => {
      const [ann, bob, carol] = await Promise.all([person(one), person(two), person(one)]);
      const [by, removed, other] = [ann, bob, carol].map(({ on }) => on[0]) as [
        ChatClient,
        ChatClient,
        ChatClient,
      ];
      // Each uses its own room, because what the server reads for one request stays cached for the next.
      const reads = [
        ['message:search', () => ({ query: 'secret' })],
        ['message:history', (room: string) => ({ room })],
        ['room:join', (room: string) => ({ room })],
        ['report:list', () => ({})],
      ] as const;
      for (const [event, payload] of reads) {
        const room = await den(by, [bob.id, carol.id]);
        await by.request('room:role', { room, user: bob.id, role: 'moderator' });
        await by.request('room:join', { room });
        const { seq } = await say(by, room);
        await removed.request('room:join', { room });
        await by.request('message:pin', { room, seq });
        await by.request('room:remove', { room, user: bob.id });
        await by.request('message:edit', { room, seq, text: 'a secret' });
        await say(by, room, 'another secret: www.example.org');
        await other.request('message:report', { room, seq, reason: 'other' });
        const answer = await removed.raw(event, payload(room));
        expect([event, JSON.stringify(answer)]).toEqual([event, expect.not.stringContaining('secret')]);
      }
    });
  });

  test('accept requests about messages and rooms that the other server just stored', async () => {
    const { room, ann, bob, bobId } = await pair();
    // Twice, because the other server polls each second and may know one round’s changes by chance.
    for (let round = 0; round < 2; round++) {
      const marked = await say(ann, room);
      const { room: shown } = await bob.request('read:mark', { room, seq: marked.seq });
      expect(shown).toMatchObject({ lastSeq: marked.seq, unread: 0 });
      const synced = await say(ann, room);
      const nothing = { messages: [], complete: true };
      const syncing = await bob.request('room:sync', { room, since: synced.rev });
      expect(syncing).toEqual({ head: synced.rev, ...nothing });
      const joined = await say(ann, room);
      const joining = await bob.request('room:join', { room, since: joined.rev });
      expect(joining).toMatchObject({ room: { head: joined.rev }, ...nothing });
      expect(joining).not.toHaveProperty('reset');
      const id = await den(ann, [bobId]);
      expect((await bob.request('room:join', { room: id })).room).toMatchObject({ id, role: 'member' });
    }
    // Unknown messages are rejected as usual.
    await expect(bob.request('read:mark', { room, seq: 99 })).rejects.toThrow('bad_request');
    await expect(bob.request('room:join', { room: 'u-none' })).rejects.toThrow('unknown_room');
    expect(await bob.request('room:sync', { room, since: 99 })).toMatchObject({ reset: true });
  });

  test('are not ready from 5 s after the loss of the bus until it is back', async () => {
    const ready = async () => {
      const answer = await fetch(`${one.url}/readyz`);
      return [answer.status, ((await answer.json()) as { missing?: string[] }).missing];
    };
    await expect.poll(ready).toEqual([503, ['bus']]);
    expect(performance.now() - cutAt).toBeGreaterThan(5000);
    expect(
      one
        .output()
        .slice(said)
        .match(/"bus down,/g),
    ).toHaveLength(1);
    await bus.mend();
    await expect.poll(ready).toEqual([200, undefined]);
  });
});

describe('hints recorded before the database was restored', () => {
  test('have no effect', async () => {
    const [before, url] = [await postgresDatabase(postgres), `redis://127.0.0.1:${redis.port}`];
    closing.push(() => before.close());
    const store = { CHAT_SESSION_STORE: site.memcached.url };
    await (await openDatabase(before.url)).close();
    const name = new URL(before.url).pathname.slice(1);
    await postgres.query(`CREATE DATABASE restored TEMPLATE ${name} OWNER site`);
    const said = await listen();
    const lost = await startNode('lost', before.url, url, store);
    const ann = await connect(lost, 'ann');
    await ann.request('room:join', { room: 'lobby' });
    await ann.request('typing:set', { room: 'lobby', typing: true });
    for (let nth = 0; nth < 20; nth++) await say(ann, 'lobby', `lost ${nth}`);
    // A heartbeat may follow it.
    await expect.poll(() => said.some(([, text]) => text.includes('lost 19'))).toBe(true);
    const recorded = said.splice(0);
    await lost.stop();

    const restored = await startNode('restored', new URL('restored', before.url).href, url, store);
    closing.push(() => restored.stop());
    const bob = await connect(restored, 'bob');
    await bob.request('room:join', { room: 'lobby' });
    for (const [channel, text] of recorded) await redis.ask('PUBLISH', channel, text);
    await say(bob, 'lobby', 'the first');
    await expect.poll(() => bob.messages().map(({ text }) => text)).toEqual(['the first']);
    expect(eventsOf(bob, 'typing:changed')).toEqual([]);
    expect(restored.output()).not.toMatch(/ignored an invalid text on the bus/);

    // Signed like the servers' hints, because otherwise it would be ignored for its code.
    const long = `{"num":1}${' '.repeat(64 * 1024)}`;
    const [{ digest } = {}] = await before.query('SELECT digest FROM chat_digest_key');
    const key = Buffer.from(String(digest), 'hex');
    const code = createHmac('sha256', key).update(long).digest('base64');
    // The servers of the other tests use other channels.
    const [channel] = recorded.find(([, text]) => text.includes('lost 19')) ?? [];
    await redis.ask('PUBLISH', String(channel), code + long);
    await says(restored, /ignored an invalid text on the bus/);
  });
});

test('a server with another configuration of the site is not ready', async () => {
  const shared = await postgresDatabase(postgres);
  closing.push(() => shared.close());
  const folders = ['ci_session', 'other_session'].map((cookieName) => {
    const folder = codeIgniterSite(cookieName);
    closing.push(folder.remove);
    return folder;
  }) as [ReturnType<typeof codeIgniterSite>, ReturnType<typeof codeIgniterSite>];
  const settings = (node: string, { folder }: { folder: string }) => ({
    ...{ CHAT_HISTORY: shared.url, CHAT_CLUSTER: 'postgres', CHAT_NODE: node, CHAT_DRAIN: '0s' },
    ...{ CHAT_SITE: folder, CHAT_USER_ID: 'user_id', CHAT_USER_NAME: 'firstname' },
  });
  const ready = async ({ url }: RunningChat) => {
    const answer = await fetch(`${url}/readyz`);
    return [answer.status, await answer.json()];
  };
  const differs = async ({ url }: RunningChat) =>
    /^chat_site_differs (\d)$/m.exec(await (await fetch(`${url}/metrics`)).text())?.[1];
  const yes = [200, { status: 'ready' }];
  const first = await chatServerHere(settings('one', folders[0]));
  closing.push(() => first.stop());
  await expect.poll(() => ready(first)).toEqual(yes);
  const other = await chatServerHere(settings('two', folders[1]));
  closing.push(() => other.stop());
  await says(other, /this server is not ready"\}$/m);
  expect(await ready(other)).toEqual([503, { status: 'not ready', missing: ['site configuration'] }]);
  expect([await differs(other), await ready(first)]).toEqual(['1', yes]);
  const told = JSON.stringify(await shared.query('SELECT changes FROM chat_changes'));
  expect(told).toContain('"since');
  expect(told).not.toMatch(/ci_session|other_session/);
});

import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Message, Scheduled } from '../../server/wire/events.ts';
import { type ChatClient, connectChat, newClientId } from '../helpers/chat-client.ts';
import { type ChatServer, historyFolder, nextChatServer, type RunningChat } from '../helpers/chat-server.ts';
import { hanging } from '../helpers/hanging.ts';
import { type HistoryDatabase, mariadbDatabase, postgresDatabase } from '../helpers/history-database.ts';
import { startMariadb } from '../helpers/mariadb.ts';
import { type Memcached, startMemcached } from '../helpers/memcached.ts';
import { codeOf, eventsOf, say } from '../helpers/people.ts';
import { startPostgres } from '../helpers/postgres.ts';
import { startRedis } from '../helpers/redis.ts';

const kept = historyFolder();
let memcached: Memcached;

/** The site: it runs each click once, by its ID, as docs/cards.md says. */
const clicks = new Map<string, string>();
const button = { id: 'ship', label: 'Ship' };
const clicksOf = (card: string) => [...clicks.values()].filter((one) => one === card).length;
const cards = createServer(async (request, response) => {
  let body = '';
  for await (const piece of request.setEncoding('utf8')) body += piece;
  const { type, data } = JSON.parse(body);
  const { about } = data;
  if (type === 'card.press') clicks.set(String(request.headers['webhook-id']), about);
  response.end(
    JSON.stringify({
      card: { title: `${about} of ${data.user.id}`, state: `${clicksOf(about)}`, buttons: [button] },
    }),
  );
});

beforeAll(async () => {
  memcached = await startMemcached();
  await once(cards.listen(0, '127.0.0.1'), 'listening');
  writeFileSync(`${kept.path}.key`, `whsec_${Buffer.alloc(24, 'c').toString('base64')}\n`);
});
const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});
afterAll(async () => {
  cards.closeAllConnections();
  cards.close();
  await memcached.stop();
  kept.remove();
});

/** The limit of scheduled messages of a user in a room. */
const mostLater = 60;

const surroundings = [
  { name: 'PostgreSQL and Redis', bus: 'redis' },
  { name: 'MariaDB alone', bus: 'mysql' },
] as const;

describe.each(surroundings)('two servers on $name', ({ bus }) => {
  let database: { remove(): Promise<void> };
  let redis: Awaited<ReturnType<typeof startRedis>> | undefined;
  let history: HistoryDatabase;
  let one: RunningChat;
  let two: ChatServer;

  const settings = (name: string) => ({
    CHAT_NODE: name,
    CHAT_HISTORY: history.url,
    CHAT_CLUSTER: redis === undefined ? bus : `redis://127.0.0.1:${redis.port}`,
    CHAT_FILES: kept.files,
    CHAT_DRAIN: '0s',
    CHAT_SESSION_STORE: memcached.url,
    CHAT_LIMIT_LATER: String(mostLater),
    CHAT_CARDS_URL: `http://127.0.0.1:${(cards.address() as AddressInfo).port}/`,
    CHAT_WEBHOOK_KEY_FILE: `${kept.path}.key`,
  });
  beforeAll(async () => {
    if (bus === 'redis') {
      const postgres = await startPostgres();
      database = postgres;
      [history, redis] = await Promise.all([postgresDatabase(postgres), startRedis()]);
    } else {
      const mariadb = await startMariadb();
      database = mariadb;
      history = await mariadbDatabase(mariadb);
    }
    [one, two] = await Promise.all([nextChatServer(settings('one')), nextChatServer(settings('two'))]);
  });
  afterAll(async () => {
    await Promise.all([one, two].map((server) => server.stop()));
    await history.close();
    await Promise.all([database.remove(), redis?.remove()]);
  });

  let users = 100;
  /** Creates a user with a connection to each server. */
  async function person(): Promise<{ id: string; on: [ChatClient, ChatClient] }> {
    const id = `${bus}-${users++}`;
    await memcached.set(`sessions/${id}`, JSON.stringify({ user_id: id, firstname: `name of ${id}` }));
    const connect = async ({ url }: RunningChat) => {
      const client = await connectChat(url, `PHPSESSID=${id}`);
      closing.push(() => client.close());
      return client;
    };
    return { id, on: [await connect(one), await connect(two)] };
  }
  /** Creates a room that Ann and Ben have joined on both servers. */
  async function den() {
    const [ann, ben] = [await person(), await person()];
    const made = { name: 'Den', kind: 'private' as const, members: [ben.id], clientId: newClientId() };
    const { id: room } = (await ann.on[0].request('room:create', made)).room;
    for (const client of [...ann.on, ...ben.on]) await client.request('room:join', { room });
    return { ann, ben, room };
  }
  const both = <T>(clients: readonly ChatClient[], act: (client: ChatClient, nth: number) => Promise<T>) =>
    Promise.all(clients.map(act));
  const stored = async (client: ChatClient, room: string): Promise<Message[]> =>
    (await client.request('message:history', { room, limit: 100 })).messages;
  const summaries = (clients: readonly ChatClient[], room: string) =>
    both(clients, async (client) =>
      (await client.request('room:list', {})).rooms.find(({ id }) => id === room),
    );

  test('run a button once that is clicked on both, and show every reader the new card', async () => {
    const { ann, ben, room } = await den();
    const card = `order:${bus}`;
    const sent = { room, text: 'Where is it?', clientId: newClientId(), card };
    const { seq } = (await ann.on[0].request('message:send', sent)).message;
    const stateOf = async (client: ChatClient) => (await client.request('card:get', { room, seq })).card;
    // Each server keeps the card for a moment.
    await both(ben.on, (client) => expect.poll(() => stateOf(client)).toMatchObject({ state: '0' }));
    const click = { room, seq, button: 'ship', clientId: newClientId() };
    const pressed = await both(ann.on, (client) => client.request('card:press', click));
    expect(pressed.map(({ card }) => card?.state)).toEqual(['1', '1']);
    expect(clicksOf(card)).toBe(1);
    for (const client of ben.on) {
      await expect.poll(() => eventsOf(client, 'card:changed')).toContainEqual({ room, card });
      expect(await stateOf(client)).toEqual({
        ...{ about: card, title: `${card} of ${ben.id}`, state: '1', buttons: [button] },
      });
    }
    expect(JSON.stringify(ben.on.map(({ events }) => events))).not.toContain(`${card} of`);
  });

  test('count one vote of a user who chooses on both, and none after the end', async () => {
    const { ann, ben, room } = await den();
    const ask = async (poll: object) => {
      const sent = { room, text: 'Lunch?', clientId: newClientId(), poll: poll as never };
      return (await ann.on[0].request('message:send', sent)).message.seq;
    };
    const votesOf = async (client: ChatClient, seq: number) =>
      (await stored(client, room)).find((message) => message.seq === seq)?.reactions ?? [];
    const vote = (client: ChatClient, seq: number, ...choice: number[]) =>
      codeOf(client, 'poll:vote', { room, seq, choice });
    const single = await ask({ options: ['pizza', 'soup'] });
    for (let round = 0; round < 5; round++) {
      await both(ben.on, (client, nth) => vote(client, single, ((nth + round) % 2) + 1));
      const votes = await both(ann.on, (client) => votesOf(client, single));
      expect(votes[0]).toMatchObject([{ count: 1, users: [ben.id] }]);
      expect(votes[1]).toEqual(votes[0]);
    }
    expect(await vote(ben.on[1], single, 1, 2)).toBe('bad_request');

    // Each user votes on one server while the poll is ended on the other, or by its time.
    for (const how of ['end', 'until']) {
      const until = how === 'until' ? { until: Date.now() + 1000 } : {};
      const seq = await ask({ options: ['a', 'b'], ...until });
      let last = 0;
      const voting = (async () => {
        for (let choice = 1; ; choice = 3 - choice) {
          if ((await vote(ben.on[1], seq, choice)) !== 'ok') return;
          last = choice;
        }
      })();
      await expect.poll(() => last).toBeGreaterThan(0);
      if (how === 'end') await ann.on[0].request('poll:end', { room, seq });
      await voting;
      for (const client of [...ann.on, ...ben.on]) {
        expect(await votesOf(client, seq)).toMatchObject([{ emoji: `${last}`, count: 1 }]);
        // A repeated vote changes nothing, so it would be accepted.
        expect(await vote(client, seq, 3 - last)).toBe('forbidden');
      }
    }
  });

  test('show what a user sets for a room on the device at the other server', async () => {
    const { ann, ben, room } = await den();
    const shown = (fields: object) =>
      expect.poll(() => eventsOf(ben.on[1], 'room:changed').at(-1)).toEqual(expect.objectContaining(fields));
    await ben.on[0].request('room:arrange', { room, favourite: 7 });
    await shown({ id: room, favourite: 7 });
    await ben.on[0].request('room:arrange', { room, archived: true });
    await shown({ id: room, archived: true });
    await say(ann.on[0], room, '@B', { mentions: [{ user: ben.id, start: 0, length: 2 }] });
    // A mention brings the room back.
    await shown({ id: room, mentions: 1 });
    expect(eventsOf(ben.on[1], 'room:changed').at(-1)).not.toHaveProperty('archived');
    await ben.on[0].request('room:notify', { room, notify: 'all', quietForMs: 3_600_000 });
    await shown({ id: room, quietForMs: expect.any(Number) });
  });

  test('count replies outside the room alike', async () => {
    const { ann, ben, room } = await den();
    const { seq } = await say(ann.on[0], room, 'root');
    const inThread = { replyTo: seq, threadOnly: true };
    await both(ann.on, (client) => say(client, room, 'aside', inThread));
    await say(ann.on[1], room, 'for all', { replyTo: seq });
    for (const unread of [2, 0]) {
      await expect
        .poll(() => summaries(ben.on, room))
        .toMatchObject(Array(2).fill({ lastSeq: 4, threadOnly: 2, unread }));
      const [{ on: later }] = [ben];
      if (unread > 0) await later[1].request('read:mark', { room, seq: 4 });
    }
    const replies = await both(ben.on, async (client) => {
      const { messages, thread } = await client.request('thread:get', { room, thread: seq });
      return [messages.map(({ text }) => text), thread.replies];
    });
    expect(replies).toEqual(Array(2).fill([['aside', 'aside', 'for all'], 3]));
  });

  test('send a scheduled message once, with the last text that its author saved', async () => {
    const { ann, ben, room } = await den();
    const at = Date.now() + 1500;
    const added: Scheduled[] = [];
    for (let n = 0; n < 20; n++) {
      const sent = { room, text: `draft ${n}`, clientId: newClientId(), at };
      const answer = await (ann.on[n % 2] as ChatClient).request('scheduled:add', sent);
      if ('scheduled' in answer) added.push(answer.scheduled);
    }
    await expect.poll(() => Date.now(), { interval: 5 }).toBeGreaterThan(at - 20);
    const texts = await Promise.all(
      added.map(async ({ id, rev }, n) => {
        const edit = { id, rev, text: `edited ${n}` };
        const codes = await both(ann.on, (client) => codeOf(client, 'scheduled:edit', edit));
        for (const code of codes) expect(code).toMatch(/^(ok|conflict|unknown_message)$/);
        return codes.includes('ok') ? `edited ${n}` : `draft ${n}`;
      }),
    );
    const arrived = () => eventsOf(ben.on[0], 'message:new').map(({ text }) => text);
    await expect.poll(arrived, { timeout: hanging }).toHaveLength(texts.length);
    for (const client of ben.on)
      expect((await stored(client, room)).map(({ text }) => text).sort()).toEqual(texts.toSorted());
  });

  test('limit scheduled messages of a user in a room on both together', async () => {
    const { ann, room } = await den();
    const at = Date.now() + 3_600_000;
    const codes = await Promise.all(
      Array.from({ length: mostLater + 4 }, (_, n) =>
        codeOf(ann.on[n % 2] as ChatClient, 'scheduled:add', {
          room,
          text: 'x',
          clientId: newClientId(),
          at,
        }),
      ),
    );
    expect(codes.filter((code) => code === 'ok')).toHaveLength(mostLater);
  });

  test('remind once, and send what is due, when one is killed at that moment', async () => {
    const { ann, ben, room } = await den();
    const [here] = ben.on;
    const all = Array.from({ length: 20 }, (_, n) => n + 1);
    for (const seq of all) expect(await say(ann.on[0], room)).toMatchObject({ seq });
    const at = Date.now() + 2000;
    for (const n of all) {
      await ben.on[n % 2]?.request('reminder:set', { room, seq: n, at });
      const sent = { room, text: `due ${n}`, clientId: newClientId(), at };
      await ann.on[n % 2]?.request('scheduled:add', sent);
    }
    const due = () => eventsOf(here, 'reminder:changed').filter(({ is }) => is === 'due');
    await expect.poll(due, { interval: 1, timeout: hanging }).not.toEqual([]);
    await two.stop('SIGKILL');
    const reminded = () =>
      due()
        .map(({ seq }) => seq)
        .sort((a, b) => a - b);
    await expect.poll(reminded, { timeout: hanging }).toHaveLength(all.length);
    const sent = async () =>
      (await stored(here, room)).filter(({ text }) => text.startsWith('due')).map(({ text }) => text);
    await expect.poll(sent, { timeout: hanging }).toHaveLength(all.length);
    two = await nextChatServer(settings('two'));
    // Events arrive in order, so a second notice would come before this message.
    const again = await connectChat(two.url, `PHPSESSID=${ann.id}`);
    closing.push(() => again.close());
    await again.request('room:join', { room });
    const { id } = await say(again, room, 'the last');
    await expect.poll(() => here.messages().at(-1)?.id).toBe(id);
    expect(reminded()).toEqual(all);
    expect(new Set(await sent()).size).toBe(all.length);
    expect((await here.request('reminder:list', {})).reminders).toMatchObject(all.map(() => ({ due: true })));
  });
});

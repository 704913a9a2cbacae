import { setTimeout as after } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { SessionClient } from '../../../test/helpers/session-client.ts';
import { say, sessionServerForTest, sharedSessionServer } from '../../../test/helpers/session-server-here.ts';

type Connect = () => Promise<SessionClient>;
const clientsOf = (connect: Connect, count: number) =>
  Promise.all(Array.from({ length: count }, () => connect()));
const serves = async (connect: Connect) => say(await connect(), 'new', 'put k v', 'close');
const countOf = (replies: string[], wanted: string) => replies.filter((reply) => reply === wanted).length;

describe('with the default limits', () => {
  const { connect } = sharedSessionServer();

  test('rejects a line without an end', async () => {
    const client = await connect();
    client.send('x'.repeat(4_000_000));
    expect(await client.rest()).toBe('err Line too long.\r\n');
  });

  test.each(['put_all a:1:{i:0;S:999999999:"a";}', 'put_all a:1:{S:9999999999:"a";N;}'])(
    'rejects %s without affecting other clients',
    async (line) => {
      const client = await connect();
      await client.ask('new');
      expect(await client.ask(line)).toBe('err Could not store session data.');
      await serves(connect);
    },
  );

  test('holds further commands of a client until it reads the replies', async () => {
    const [client, other] = [await connect(), await connect()];
    await say(client, 'open unread', `put k ${'x'.repeat(500_000)}`);
    client.socket.pause();
    // More than the kernel keeps.
    client.send(`${'get k\r\n'.repeat(40)}close\r\n`);
    for (let n = 0; n < 10; n++) {
      await serves(connect);
      await after(10);
    }
    expect(await other.ask('peek unread')).toBe('err No such session.');
    client.socket.resume();
    for (let n = 0; n < 40; n++) expect(await client.line()).toHaveLength(500_003);
    expect(await client.line()).toBe('ok');
    expect(await other.ask('peek unread')).toMatch(/^ok /);
  });

  test('serves other clients during 900 commands of one client on a large session', async () => {
    const client = await connect();
    const list = Array.from({ length: 10_000 }, (_, n) => `i:${n};i:1;`).join('');
    await say(client, 'open big', `put_all a:1:{s:1:"k";a:10000:{${list}}}`, 'close');
    // Many seconds of work in one packet.
    client.send('open big\r\nput l v\r\nclose\r\nopen big\r\nremove l\r\nclose\r\n'.repeat(150));
    let answers = 0;
    client.socket.on('data', (data: string) => {
      answers += data.split('\n').length - 1;
    });
    expect(await client.line()).toBe('ok');
    for (let n = 0; n < 3; n++) await serves(connect);
    expect(answers).toBeLessThan(900);
  });
});

describe('with SESSION_SERVER_BUFFER=16MB', () => {
  const { connect } = sharedSessionServer({ SESSION_SERVER_BUFFER: '16MB' });

  test('rejects most of twenty lines of 2 MB without an end', async () => {
    const clients = await clientsOf(connect, 20);
    const replies: string[] = [];
    for (const client of clients) {
      client.send('x'.repeat(2_000_000));
      client.line().then(
        (line) => replies.push(line),
        () => {},
      );
    }
    await expect.poll(() => countOf(replies, 'err Out of memory.')).toBeGreaterThan(10);
    expect(replies.length).toBeLessThan(20);
    await serves(connect);
  });
});

test('counts many small values with the memory that they take', async () => {
  const { connect } = await sessionServerForTest({ SESSION_SERVER_BUFFER: '4MB' });
  const values = Array.from({ length: 2999 }, (_, n) => `i:${n + 1};R:2;`).join('');
  await say(await connect(), 'open big', `put_all a:3000:{i:0;N;${values}}`, 'close');
  const clients = await clientsOf(connect, 30);
  const replies = await Promise.all(clients.map((client) => client.ask('open big r')));
  expect(countOf(replies, 'ok')).toBeGreaterThan(1);
  expect(countOf(replies, 'err Out of memory.')).toBeGreaterThan(15);
  await serves(connect);
});

test('limits a session to 10,000 keys and SESSION_SERVER_SESSION_SIZE bytes', async () => {
  const { connect } = await sessionServerForTest({ SESSION_SERVER_SESSION_SIZE: '512KB' });
  const client = await connect();
  await client.ask('new');
  client.send(Array.from({ length: 10_001 }, (_, n) => `put key${n} v\r\n`).join(''));
  for (let n = 0; n < 10_000; n++) expect(await client.line()).toBe('ok');
  expect(await client.line()).toBe('err Could not store value');
  expect(await client.ask(`put key0 ${'x'.repeat(400_000)}`)).toBe('err Could not store value');
  expect(await client.ask(`put_all a:1:{s:1:"k";s:600000:"${'x'.repeat(600_000)}";}`)).toBe(
    'err Could not store session data.',
  );
  // A value that is written again counts once.
  for (let n = 0; n < 10; n++) await say(client, `put key1 ${'x'.repeat(100_000)}`);
});

test('limits the memory container to SESSION_SERVER_MEMORY bytes', async () => {
  const client = await (await sessionServerForTest({ SESSION_SERVER_MEMORY: '2MB' })).connect();
  const saved: string[] = [];
  for (let n = 0; n < 8; n++) {
    await say(client, `open big${n}`, `put k ${'x'.repeat(500_000)}`);
    saved.push(await client.ask('close'));
  }
  expect(saved).toEqual([
    ...Array(saved.lastIndexOf('ok') + 1).fill('ok'),
    ...saved.slice(saved.lastIndexOf('ok') + 1),
  ]);
  expect(countOf(saved, 'ok')).toBeOneOf([3, 4]);
  expect(await client.ask('peek big7')).toBe('err No such session.');
});

test('limits the server to SESSION_SERVER_SESSIONS sessions', async () => {
  const client = await (await sessionServerForTest({ SESSION_SERVER_SESSIONS: '3' })).connect();
  for (const id of ['a', 'b', 'c']) await say(client, `open ${id}`, 'close');
  await client.ask('open d');
  expect(await client.ask('commit')).toBe('err Could not commit session.');
  expect(await client.ask('close')).toBe('err Could not close session');
  // Saved sessions can still be changed, and a destroyed one makes room.
  await say(client, 'open a', 'put k v', 'commit', 'open a', 'destroy', 'open d', 'close');
});

test('closes the connection of a client whose reply exceeds the memory, which frees its memory', async () => {
  const { connect } = await sessionServerForTest({ SESSION_SERVER_BUFFER: '4MB' });
  const clients = [await connect(), await connect()];
  for (const client of clients) {
    await say(client, 'new', `put k ${'\x01'.repeat(900_000)}`, 'encoding percent');
    // The session counts twice, and its bytes take three times the space in the reply. Neither client closed its session.
    expect((await client.ask('get k')).slice(0, 20)).toBe('err Out of memory.');
  }
  for (const client of clients) expect(await client.rest()).toBe('');
});

test('closes a client that sends no command or a slow line after the deadline', async () => {
  const { connect } = await sessionServerForTest({
    SESSION_SERVER_FIRST_COMMAND: '1s',
    SESSION_SERVER_LINE_TIME: '1s',
  });
  const began = performance.now();
  const [silent, slow, late, polite] = [await connect(), await connect(), await connect(), await connect()];
  await say(polite, 'ping');
  await say(late, 'ping');
  late.send('x');
  const dripping = setInterval(() => {
    for (const client of [slow, late]) if (client.socket.writable) client.send('x');
  }, 100);
  for (const client of [silent, slow, late]) expect(await client.rest()).toBe('err Timed out.\r\n');
  clearInterval(dripping);
  expect(performance.now() - began).toBeGreaterThan(990);
  // A client may be silent after its first command.
  await say(polite, 'ping');
});

test('closes the longest idle connection without an open session when all are in use', async () => {
  const { connect } = await sessionServerForTest({ SESSION_SERVER_CONNECTIONS: '6' });
  const holders = await clientsOf(connect, 3);
  for (const client of holders) await say(client, 'new');
  const idle = await clientsOf(connect, 3);
  for (const client of idle) await say(client, 'ping');
  for (let n = 0; n < 6; n++) await serves(connect);
  for (const client of holders) await say(client, 'put k v');
  // The longest idle one was closed first.
  expect(await idle[0]?.rest()).toBe('');
  for (const client of idle) client.socket.destroy();
  await Promise.all(idle.map((client) => client.closed));
  const more = await clientsOf(connect, 3);
  for (const client of more) await say(client, 'new');
  expect(await (await connect()).rest()).toBe('err Too many connections.\r\n');
  for (const client of [...holders, ...more]) client.socket.destroy();
  // As soon as the server knows that they are closed, there is room again.
  await expect.poll(async () => (await connect()).ask('ping').catch(() => '')).toBe('ok');
});

test('lets at most SESSION_SERVER_WAITERS clients wait for locks', async () => {
  const { connect } = await sessionServerForTest({ SESSION_SERVER_WAITERS: '10' });
  const holder = await connect();
  await say(holder, 'open one');
  const second = await connect();
  await say(second, 'open two');
  const replies: string[] = [];
  for (const [n, client] of (await clientsOf(connect, 30)).entries())
    client.ask(`open ${n % 2 === 0 ? 'one' : 'two'}`).then(
      (reply) => replies.push(reply),
      () => {},
    );
  await expect.poll(() => replies).toHaveLength(20);
  await serves(connect);
  expect(replies).toEqual(Array(20).fill('err Could not open session.'));
  await say(holder, 'put k v', 'close');
});

test('answers a small request before the last of 20 large ones', async () => {
  const { connect } = await sessionServerForTest({ SESSION_SERVER_BUFFER: '1024MB' });
  const maker = await connect();
  // The more time each one takes, the fewer run before the event loop reads the small request.
  const list = Array.from({ length: 60_000 }, (_, n) => `i:${n};i:1;`).join('');
  await say(maker, 'open big', `put_all a:1:{s:1:"k";a:60000:{${list}}}`, 'close');
  const many = await clientsOf(connect, 20);
  const small = await connect();
  let served = 0;
  const all = many.map(async (client) => {
    expect(await client.ask('open big r')).toBe('ok');
    served++;
  });
  await say(small, 'new', 'put k v');
  expect(served).toBeLessThan(many.length);
  await Promise.all(all);
});

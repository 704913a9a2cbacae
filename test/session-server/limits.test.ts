import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect as tcp } from 'node:net';
import { tmpdir } from 'node:os';
import { setTimeout as after } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { size, soak } from '../guarantees/size.ts';
import { megabyte, pour, serves, sharedServer, withServer } from '../helpers/session-abuse.ts';
import { type SessionClient, sessionClient } from '../helpers/session-client.ts';

describe('with the default limits', () => {
  const shared = sharedServer({});

  const begun = ['', 'hello 1 php\r\nnew\r\nput  a|s:999999999:"', 'hello 1 php\r\n', 'new\r\nput k '];
  test.each(begun.slice(0, size(4, 1)))(
    'a line of 200 MB without an end, after %j, is refused, and the server grows by less than 150 MB',
    async (before) => {
      const client = await sessionClient(shared.server);
      client.send(before);
      await pour(client, Buffer.alloc(65_536, 'x'), 200 * megabyte);
      client.socket.end();
      expect(await client.rest()).toMatch(/err Line too long\.\r\n$/);
      // Dropped buffers are collected in time, but not at once.
      expect(shared.grown()).toBeLessThan(150 * megabyte);
    },
  );

  test.each(['put_all a:1:{i:0;S:999999999:"a";}', 'put_all a:1:{S:9999999999:"a";N;}'])(
    '%s is refused, and other clients are served',
    async (line) => {
      const client = await sessionClient(shared.server);
      await client.ask('new');
      expect(await client.ask(line)).toBe('err Could not store session data.');
      await serves(shared.server);
      client.socket.destroy();
    },
  );

  test('IDs that are paths are refused, and random bytes get errors only', async () => {
    const client = await sessionClient(shared.server);
    for (const id of [
      '../../x',
      '..',
      '.',
      '/etc/passwd',
      'a/b',
      'a\0b',
      'é',
      `${'a'.repeat(129)}`,
      '%2e%2e',
    ]) {
      const bytes = Buffer.from(id).toString('latin1');
      expect(await client.ask(`open ${bytes}`)).toBe('err Could not open session.');
      expect(await client.ask(`peek ${bytes}`)).toBe('err No such session.');
      expect(await client.ask(`watch ${bytes}`)).toBe('err Could not watch session.');
    }
    let seed = 1;
    const random = Buffer.alloc(300_000);
    for (let n = 0; n < random.length; n++) {
      seed = (seed * 48_271) % 2_147_483_647;
      random[n] = seed & 0xff;
    }
    client.send(random.toString('latin1'));
    client.socket.end();
    expect(await client.rest()).toMatch(/^(err [A-Za-z .]+\r\n)*$/);
  });

  test('a client that asks for 9 GB and reads nothing gets no further replies, and the server grows by less than 160 MB', async () => {
    const client = await sessionClient(shared.server);
    expect(await client.ask('new')).toMatch(/^ok/);
    expect(await client.ask(`put k ${'x'.repeat(900_000)}`)).toBe('ok');
    client.socket.pause();
    client.send('get k\r\n'.repeat(10_000));
    for (let n = 0; n < 20; n++) {
      await serves(shared.server);
      await after(20);
    }
    expect(shared.grown()).toBeLessThan(160 * megabyte);
    client.socket.resume();
    for (let n = 0; n < 50; n++) expect(await client.line()).toHaveLength(900_003);
    client.socket.destroy();
  });

  test('9,000 commands on a large session of one client do not delay the others', async () => {
    const client = await sessionClient(shared.server);
    const list = Array.from({ length: 70_000 }, (_, n) => `i:${n};i:1;`).join('');
    for (const line of ['open big', `put_all a:1:{s:1:"k";a:70000:{${list}}}`, 'close']) {
      expect(await client.ask(line)).toBe('ok');
    }
    // Minutes of work in one packet.
    client.send('open big\r\nput l v\r\nclose\r\nopen big\r\nremove l\r\nclose\r\n'.repeat(1500));
    expect(await client.line()).toBe('ok');
    for (let n = 0; n < 10; n++) await serves(shared.server);
    client.socket.destroy();
  });
});

describe('with SESSION_SERVER_BUFFER=16MB', () => {
  const shared = sharedServer({ SESSION_SERVER_BUFFER: '16MB' });

  test('a hundred lines of 2 MB without an end at once: the server grows by less than 250 MB', async () => {
    const clients = await Promise.all(Array.from({ length: 100 }, () => sessionClient(shared.server)));
    await Promise.all(clients.map((client) => pour(client, Buffer.alloc(65_536, 'x'), 2 * megabyte)));
    await serves(shared.server);
    expect(shared.grown()).toBeLessThan(250 * megabyte);
    for (const { socket } of clients) socket.destroy();
    await Promise.all(clients.map(({ closed }) => closed));
  });

  if (soak)
    test('more than 30 of 60 unsaved sessions of 900 KB are refused, and none grows to 1.8 MB', async () => {
      const value = 'x'.repeat(900_000);
      const clients = await Promise.all(Array.from({ length: 60 }, () => sessionClient(shared.server)));
      let refused = 0;
      for (const client of clients) {
        await client.ask('new');
        const reply = await client.ask(`put k ${value}`);
        if (reply === 'ok')
          expect(await client.ask(`put l ${value}`)).toMatch(/^err Could not store value$|^err Out/);
        else refused++;
      }
      expect(refused).toBeGreaterThan(30);
      await serves(shared.server);
      expect(shared.grown()).toBeLessThan(250 * megabyte);
      for (const { socket } of clients) socket.destroy();
      await Promise.all(clients.map(({ closed }) => closed));
    });

  test('many small values count with the memory that they take, and a client that is refused was not answered ok', async () => {
    let maker = await sessionClient(shared.server);
    let values = 'i:0;N;';
    for (let n = 1; n < 10_000; n++) values += `i:${n};R:2;`;
    // The memory of clients that have just gone may still count, and a client that is refused is closed.
    const make = async () => {
      maker.socket.destroy();
      maker = await sessionClient(shared.server);
      const answers = [];
      for (const line of ['open big', `put_all a:10000:{${values}}`, 'close'])
        answers.push(await maker.ask(line));
      return answers;
    };
    await expect.poll(make).toEqual(['ok', 'ok', 'ok']);
    const openers = size(60, 30);
    let clients: SessionClient[] = [];
    let replies: string[] = [];
    const open = async () => {
      for (const { socket } of clients) socket.destroy();
      clients = await Promise.all(Array.from({ length: openers }, () => sessionClient(shared.server)));
      replies = await Promise.all(clients.map((client) => client.ask('open big r')));
      return replies.filter((reply) => reply === 'ok').length;
    };
    await expect.poll(open).toBeGreaterThan(1);
    expect(replies.filter((reply) => reply === 'err Out of memory.').length).toBeGreaterThan(
      (2 / 3) * openers,
    );
    await serves(shared.server);
    expect(shared.grown()).toBeLessThan(400 * megabyte);
    for (const { socket } of [maker, ...clients]) socket.destroy();
  });
});

test('a session has at most 10,000 keys and SESSION_SERVER_SESSION_SIZE bytes', async () => {
  await withServer({ SESSION_SERVER_SESSION_SIZE: '512KB' }, async (server) => {
    const client = await sessionClient(server);
    await client.ask('new');
    let text = '';
    for (let n = 0; n < 10_001; n++) text += `put key${n} v\r\n`;
    client.send(text);
    for (let n = 0; n < 10_000; n++) expect(await client.line()).toBe('ok');
    expect(await client.line()).toBe('err Could not store value');
    expect(await client.ask(`put key0 ${'x'.repeat(400_000)}`)).toBe('err Could not store value');
    expect(await client.ask(`put_all a:1:{s:1:"k";s:600000:"${'x'.repeat(600_000)}";}`)).toBe(
      'err Could not store session data.',
    );
    // A value that is written again counts once.
    for (let n = 0; n < 10; n++) expect(await client.ask(`put key1 ${'x'.repeat(100_000)}`)).toBe('ok');
    client.socket.destroy();
  });
});

test('the container memory: keeps at most SESSION_SERVER_MEMORY bytes', async () => {
  await withServer({ SESSION_SERVER_MEMORY: '8MB' }, async (server, grown) => {
    const client = await sessionClient(server);
    let saved = 0;
    for (let n = 0; n < 30; n++) {
      await client.ask(`open big${n}`);
      await client.ask(`put k ${'x'.repeat(500_000)}`);
      if ((await client.ask('close')) === 'ok') saved++;
    }
    expect(saved).toBeGreaterThan(10);
    expect(saved).toBeLessThan(18);
    expect(await client.ask('peek big29')).toBe('err No such session.');
    expect(grown()).toBeLessThan(160 * megabyte);
    await client.ask('open big0');
    await client.ask('destroy');
    client.socket.destroy();
  });
});

test('the server keeps at most SESSION_SERVER_SESSIONS sessions', async () => {
  await withServer({ SESSION_SERVER_SESSIONS: '3' }, async (server) => {
    const client = await sessionClient(server);
    for (const id of ['a', 'b', 'c']) for (const line of [`open ${id}`, 'close']) await client.ask(line);
    await client.ask('open d');
    expect(await client.ask('commit')).toBe('err Could not commit session.');
    expect(await client.ask('close')).toBe('err Could not close session');
    // Saved sessions can still be changed, and a destroyed one makes room.
    for (const line of [
      'open a',
      'put k v',
      'commit',
      'open a',
      'destroy',
      'open d',
      'close',
      'open d',
      'destroy',
    ]) {
      expect(await client.ask(line)).toBe('ok');
    }
    client.socket.destroy();
  });
});

const unread = size(20, 4);
/** Megabytes, with those of the session itself, which do not depend on the clients. */
const mostUnread = 60 * unread + 80;
test(`unread replies of ${18 * unread} MB to ${unread} clients: the server grows by less than ${mostUnread} MB`, async () => {
  const limits = { SESSION_SERVER_SESSION_SIZE: '8MB', SESSION_SERVER_BUFFER: '64MB' };
  await withServer(limits, async (server, grown) => {
    const maker = await sessionClient(server);
    for (const line of ['open big', `put k ${'\x01'.repeat(6_000_000)}`, 'close'])
      expect(await maker.ask(line)).toBe('ok');
    const clients = await Promise.all(Array.from({ length: unread }, () => sessionClient(server)));
    for (const client of clients) {
      client.socket.pause();
      // A reply of 18 MB, of which the kernel takes a part.
      client.send('encoding percent\r\npeek big\r\n');
    }
    // The server works in order of arrival: after this reply, the others have theirs.
    await maker.ask('peek big');
    // A reply that was made and not sent stays in memory until the garbage collection.
    expect(grown()).toBeLessThan(mostUnread * megabyte);
    for (const { socket } of [maker, ...clients]) socket.destroy();
  });
});

test('without memory for a reply it is not sent, and the memory of its connection is free for others', async () => {
  await withServer({ SESSION_SERVER_BUFFER: '4MB' }, async (server) => {
    const [first, second] = [await sessionClient(server), await sessionClient(server)];
    for (const client of [first, second]) {
      await client.ask('new');
      expect(await client.ask(`put k ${'\x01'.repeat(900_000)}`)).toBe('ok');
      expect(await client.ask('encoding percent')).toBe('ok');
      // The session counts twice, and the reply takes three bytes for each of its own. Neither client has closed.
      expect((await client.ask('get k')).slice(0, 20)).toBe('err Out of memory.');
    }
    for (const client of [first, second]) expect(await client.rest()).toBe('');
  });
});

const silentClients = size(1000, 50);
test(`${silentClients} silent clients, and ${silentClients / 10} that send two bytes a second, are closed after their deadlines; others are served`, async () => {
  await withServer(
    { SESSION_SERVER_FIRST_COMMAND: '4s', SESSION_SERVER_LINE_TIME: '4s' },
    async (server, grown) => {
      const silent = await Promise.all(Array.from({ length: silentClients }, () => sessionClient(server)));
      const slow = await Promise.all(Array.from({ length: silentClients / 10 }, () => sessionClient(server)));
      const polite = await sessionClient(server);
      expect(await polite.ask('ping')).toBe('ok');
      const dripping = setInterval(() => {
        for (const client of slow) if (client.socket.writable) client.send('x');
      }, 500);
      const began = performance.now();
      while (performance.now() - began < 2000) {
        await serves(server);
        await after(20);
      }
      expect(grown()).toBeLessThan(120 * megabyte);
      // Both are closed, a line without an end even though its bytes keep arriving.
      for (const client of [...silent, ...slow]) expect(await client.rest()).toBe('err Timed out.\r\n');
      clearInterval(dripping);
      // A client that has sent a command may then be silent.
      expect(await polite.ask('ping')).toBe('ok');
      polite.socket.destroy();
    },
  );
});

test('if all connections are in use, the longest idle one is closed; one with an open session is not', async () => {
  await withServer({ SESSION_SERVER_CONNECTIONS: '20' }, async (server) => {
    const holders = await Promise.all(Array.from({ length: 10 }, () => sessionClient(server)));
    for (const client of holders) expect(await client.ask('new')).toMatch(/^ok/);
    const idle = await Promise.all(Array.from({ length: 10 }, () => sessionClient(server)));
    for (const client of idle) expect(await client.ask('ping')).toBe('ok');
    for (let n = 0; n < 30; n++) await serves(server);
    for (const client of holders) expect(await client.ask('put k v')).toBe('ok');
    // The longest idle one was closed first.
    expect(await idle[0]?.rest()).toBe('');
    for (const client of idle) client.socket.destroy();
    await Promise.all(idle.map((client) => client.closed));
    const more = [];
    for (let n = 0; n < 10; n++) {
      const client = await sessionClient(server);
      expect(await client.ask('new')).toMatch(/^ok/);
      more.push(client);
    }
    const refused = await sessionClient(server);
    expect(await refused.rest()).toBe('err Too many connections.\r\n');
    for (const client of [...holders, ...more, refused]) client.socket.destroy();
    // As soon as the server knows that they are closed, there is room again.
    await expect.poll(async () => (await sessionClient(server)).ask('ping')).toBe('ok');
  });
});

const waiting = size(10_000, 500);
test(`${waiting} clients that wait for locks: more than ${waiting / 10} are refused, the server grows by less than 400 MB, and others are served`, async () => {
  await withServer({ SESSION_SERVER_WAITERS: size('2000', '100') }, async (server, grown) => {
    const holder = await sessionClient(server);
    expect(await holder.ask('open wanted')).toBe('ok');
    const sockets: ReturnType<typeof tcp>[] = [];
    let refused = 0;
    let failed = 0;
    const step = size(500, 100);
    for (let n = 0; n < waiting; n += step) {
      await Promise.all(
        Array.from({ length: step }, async (_, i) => {
          const socket = tcp({ host: '127.0.0.1', port: server.port });
          sockets.push(socket);
          socket
            .on('error', () => failed++)
            .on('data', (data) => {
              if (/^err Could not open session\./.test(data.toString())) refused++;
            });
          await once(socket, 'connect').catch(() => {});
          // Half of them wait for one session, and half for sessions of which each has one holder.
          socket.write(`open wanted${i % 2 === 0 ? '' : n}\r\n`);
        }),
      );
      await serves(server);
      expect(await holder.ask('put k v')).toBe('ok');
    }
    expect(refused).toBeGreaterThan(waiting / 10);
    expect(grown()).toBeLessThan(400 * megabyte);
    for (const socket of sockets) socket.destroy();
    expect(await holder.ask('close')).toBe('ok');
    holder.socket.destroy();
    expect(failed).toBeLessThan(waiting);
  });
});

const large = size(200, 20);
// The reads of a file give way to other work; those of the memory do not.
test.each(size(['memory:', 'file:'], ['file:']))(
  `%s a small request does not wait for ${large} large ones`,
  async (container) => {
    const folder = mkdtempSync(`${tmpdir()}/crowds-`);
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const env = {
      SESSION_SERVER_CONTAINER: container === 'memory:' ? container : container + folder,
      SESSION_SERVER_BUFFER: '1024MB',
    };
    await withServer(env, async (server) => {
      const maker = await sessionClient(server);
      const list = Array.from({ length: 25_000 }, (_, n) => `i:${n};i:1;`).join('');
      for (const line of ['open big', `put_all a:1:{s:1:"k";a:25000:{${list}}}`, 'close'])
        expect(await maker.ask(line)).toBe('ok');
      const many = await Promise.all(Array.from({ length: large }, () => sessionClient(server)));
      let served = 0;
      const all = many.map(async (client) => {
        expect(await client.ask('open big r')).toBe('ok');
        served++;
      });
      expect(await maker.ask('ping')).toBe('ok');
      // This saves nothing: the disk could take longer than the server takes for all others.
      const small = await sessionClient(server);
      expect(await small.ask('new')).toMatch(/^ok/);
      expect(await small.ask('put k v')).toBe('ok');
      expect(served).toBeLessThan(many.length);
      await Promise.all(all);
      for (const { socket } of [maker, small, ...many]) socket.destroy();
    });
  },
);

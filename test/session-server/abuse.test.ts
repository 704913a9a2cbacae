import { setTimeout as after } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { megabyte, pour, serves, withServer } from '../helpers/session-abuse.ts';
import { sessionClient } from '../helpers/session-client.ts';

test.each(['', 'hello 1 php\r\n', 'new\r\nput k ', 'hello 1 php\r\nnew\r\nput  a|s:999999999:"'])(
  'a line of 200 MB without an end, after %j: refused early, and kept nowhere',
  async (before) => {
    await withServer({}, async (server, grown) => {
      const client = await sessionClient(server);
      client.send(before);
      await pour(client, Buffer.alloc(65_536, 'x'), 200 * megabyte);
      client.socket.end();
      expect(await client.rest()).toMatch(/err Line too long\.\r\n$/);
      // What was thrown away is collected in time, but not at once.
      expect(grown()).toBeLessThan(150 * megabyte);
    });
  },
);

test('a hundred such lines at once share what all connections may take', async () => {
  await withServer({ SESSION_SERVER_BUFFER: '16MB' }, async (server, grown) => {
    const clients = await Promise.all(Array.from({ length: 100 }, () => sessionClient(server)));
    await Promise.all(clients.map((client) => pour(client, Buffer.alloc(65_536, 'x'), 2 * megabyte)));
    await serves(server);
    expect(grown()).toBeLessThan(250 * megabyte);
    for (const { socket } of clients) socket.destroy();
  });
});

test('sessions that are open and not saved are bounded, one and all together', async () => {
  await withServer({ SESSION_SERVER_BUFFER: '16MB' }, async (server, grown) => {
    const value = 'x'.repeat(900_000);
    const clients = await Promise.all(Array.from({ length: 60 }, () => sessionClient(server)));
    let refused = 0;
    for (const client of clients) {
      await client.ask('new');
      const reply = await client.ask(`put k ${value}`);
      if (reply === 'ok')
        expect(await client.ask(`put l ${value}`)).toMatch(/^err Could not store value$|^err Out/);
      else refused++;
    }
    expect(refused).toBeGreaterThan(30);
    await serves(server);
    expect(grown()).toBeLessThan(250 * megabyte);
    for (const { socket } of clients) socket.destroy();
  });
});

test('many small values count for what they take in memory, and who is refused was not told that all is well', async () => {
  await withServer({ SESSION_SERVER_BUFFER: '16MB' }, async (server, grown) => {
    const maker = await sessionClient(server);
    let values = 'i:0;N;';
    for (let n = 1; n < 10_000; n++) values += `i:${n};R:2;`;
    for (const line of ['open big', `put_all a:10000:{${values}}`, 'close'])
      expect(await maker.ask(line)).toBe('ok');
    const clients = await Promise.all(Array.from({ length: 60 }, () => sessionClient(server)));
    const replies = await Promise.all(clients.map((client) => client.ask('open big r')));
    expect(replies.filter((reply) => reply === 'err Out of memory.').length).toBeGreaterThan(40);
    expect(replies.filter((reply) => reply === 'ok').length).toBeGreaterThan(1);
    await serves(server);
    expect(grown()).toBeLessThan(400 * megabyte);
    for (const { socket } of [maker, ...clients]) socket.destroy();
  });
});

test.each(['put_all a:1:{i:0;S:999999999:"a";}', 'put_all a:1:{S:9999999999:"a";N;}'])(
  '%s: answered at once, and nobody waits',
  async (line) => {
    await withServer({}, async (server) => {
      const client = await sessionClient(server);
      await client.ask('new');
      expect(await client.ask(line)).toBe('err Could not store session data.');
      await serves(server);
      client.socket.destroy();
    });
  },
);

test('a session has so many keys and bytes, and no more', async () => {
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
    // The same key again and again takes its place once.
    for (let n = 0; n < 100; n++) expect(await client.ask(`put key1 ${'x'.repeat(100_000)}`)).toBe('ok');
    client.socket.destroy();
  });
});

test('the memory container holds so much, and says no to more', async () => {
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

test('so many sessions are kept, and no more', async () => {
  await withServer({ SESSION_SERVER_SESSIONS: '3' }, async (server) => {
    const client = await sessionClient(server);
    for (const id of ['a', 'b', 'c']) for (const line of [`open ${id}`, 'close']) await client.ask(line);
    await client.ask('open d');
    expect(await client.ask('commit')).toBe('err Could not commit session.');
    expect(await client.ask('close')).toBe('err Could not close session');
    // Those that are there can be changed, and make room.
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

test('replies that nobody reads stop the commands behind them', async () => {
  await withServer({}, async (server, grown) => {
    const client = await sessionClient(server);
    expect(await client.ask('new')).toMatch(/^ok/);
    expect(await client.ask(`put k ${'x'.repeat(900_000)}`)).toBe('ok');
    client.socket.pause();
    // 200 bytes ask for 18 MB; ten thousand times that would be 180 GB.
    client.send('get k\r\n'.repeat(10_000));
    for (let n = 0; n < 20; n++) {
      await serves(server);
      await after(20);
    }
    expect(grown()).toBeLessThan(160 * megabyte);
    client.socket.resume();
    for (let n = 0; n < 50; n++) expect(await client.line()).toHaveLength(900_003);
    client.socket.destroy();
  });
});

test('replies that nobody reads share what all connections may take', async () => {
  const limits = { SESSION_SERVER_SESSION_SIZE: '8MB', SESSION_SERVER_BUFFER: '64MB' };
  await withServer(limits, async (server, grown) => {
    const maker = await sessionClient(server);
    for (const line of ['open big', `put k ${'\x01'.repeat(6_000_000)}`, 'close'])
      expect(await maker.ask(line)).toBe('ok');
    const clients = await Promise.all(Array.from({ length: 20 }, () => sessionClient(server)));
    for (const client of clients) {
      client.socket.pause();
      // 18 MB, of which the kernel takes some.
      client.send('encoding percent\r\npeek big\r\n');
    }
    // In order of arrival: when this one has its answer, whatever it is, the others have had theirs.
    await maker.ask('peek big');
    // Each one that was made and not sent stays until it is collected.
    expect(grown()).toBeLessThan(900 * megabyte);
    for (const { socket } of [maker, ...clients]) socket.destroy();
  });
});

test('a reply that there is no memory for is not sent, and what its connection held is free for others', async () => {
  await withServer({ SESSION_SERVER_BUFFER: '4MB' }, async (server) => {
    const [first, second] = [await sessionClient(server), await sessionClient(server)];
    for (const client of [first, second]) {
      await client.ask('new');
      expect(await client.ask(`put k ${'\x01'.repeat(900_000)}`)).toBe('ok');
      expect(await client.ask('encoding percent')).toBe('ok');
      // The session is there twice, and the reply takes three bytes for each of its own. Nobody has closed yet.
      expect((await client.ask('get k')).slice(0, 20)).toBe('err Out of memory.');
    }
    for (const client of [first, second]) expect(await client.rest()).toBe('');
  });
});

test('ten bytes that each make work of a megabyte do not hold up the others', async () => {
  await withServer({}, async (server) => {
    const client = await sessionClient(server);
    const list = Array.from({ length: 70_000 }, (_, n) => `i:${n};i:1;`).join('');
    for (const line of ['open big', `put_all a:1:{s:1:"k";a:70000:{${list}}}`, 'close']) {
      expect(await client.ask(line)).toBe('ok');
    }
    // Minutes of work in one piece.
    client.send('open big\r\nput l v\r\nclose\r\nopen big\r\nremove l\r\nclose\r\n'.repeat(1500));
    expect(await client.line()).toBe('ok');
    for (let n = 0; n < 10; n++) await serves(server);
    client.socket.destroy();
  });
});

test('IDs that lead elsewhere, and bytes that mean nothing, are answered and forgotten', async () => {
  await withServer({}, async (server) => {
    const client = await sessionClient(server);
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
});

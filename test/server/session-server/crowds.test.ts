import { once } from 'node:events';
import { connect as tcp } from 'node:net';
import { setTimeout as after } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { megabyte, serves, withServer } from '../../helpers/session-abuse.ts';
import { sessionClient } from '../../helpers/session-client.ts';

test('a thousand connections that say nothing, or one byte a second, hurt nobody', async () => {
  await withServer(
    { SESSION_SERVER_FIRST_COMMAND: '3s', SESSION_SERVER_LINE_TIME: '3s' },
    async (server, grown) => {
      const silent = await Promise.all(Array.from({ length: 1000 }, () => sessionClient(server)));
      const slow = await Promise.all(Array.from({ length: 100 }, () => sessionClient(server)));
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
      expect(grown()).toBeLessThan(60 * megabyte);
      // Who never says a thing goes, and a line that never ends too, however it drips.
      for (const client of [...silent, ...slow]) expect(await client.rest()).toBe('err Timed out.\r\n');
      clearInterval(dripping);
      // Who has said something may then be silent.
      expect(await polite.ask('ping')).toBe('ok');
      polite.socket.destroy();
    },
  );
});

test('when all connections are taken, one that is idle makes room; one with a session does not', async () => {
  await withServer({ SESSION_SERVER_CONNECTIONS: '20' }, async (server) => {
    const holders = await Promise.all(Array.from({ length: 10 }, () => sessionClient(server)));
    for (const client of holders) expect(await client.ask('new')).toMatch(/^ok/);
    const idle = await Promise.all(Array.from({ length: 10 }, () => sessionClient(server)));
    for (const client of idle) expect(await client.ask('ping')).toBe('ok');
    for (let n = 0; n < 30; n++) await serves(server);
    for (const client of holders) expect(await client.ask('put k v')).toBe('ok');
    // The longest idle went first.
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
    // As soon as the daemon knows that they have gone, there is room again.
    await expect.poll(async () => (await sessionClient(server)).ask('ping')).toBe('ok');
  });
});

test('ten thousand that wait for one session: bounded, and others are served', async () => {
  await withServer({}, async (server, grown) => {
    const holder = await sessionClient(server);
    expect(await holder.ask('open wanted')).toBe('ok');
    const sockets: ReturnType<typeof tcp>[] = [];
    let refused = 0;
    let failed = 0;
    for (let n = 0; n < 10_000; n += 500) {
      await Promise.all(
        Array.from({ length: 500 }, async (_, i) => {
          const socket = tcp({ host: '127.0.0.1', port: server.port });
          sockets.push(socket);
          socket
            .on('error', () => failed++)
            .on('data', (data) => {
              if (/^err Could not open session\./.test(data.toString())) refused++;
            });
          await once(socket, 'connect').catch(() => {});
          // Half of them for the same, half for others that are held as well.
          socket.write(`open wanted${i % 2 === 0 ? '' : n}\r\n`);
        }),
      );
      await serves(server);
      expect(await holder.ask('put k v')).toBe('ok');
    }
    expect(refused).toBeGreaterThan(1000);
    expect(grown()).toBeLessThan(250 * megabyte);
    for (const socket of sockets) socket.destroy();
    expect(await holder.ask('close')).toBe('ok');
    holder.socket.destroy();
    expect(failed).toBeLessThan(10_000);
  });
});

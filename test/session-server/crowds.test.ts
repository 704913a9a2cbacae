import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect as tcp } from 'node:net';
import { tmpdir } from 'node:os';
import { setTimeout as after } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { megabyte, serves, withServer } from '../helpers/session-abuse.ts';
import { sessionClient } from '../helpers/session-client.ts';
import { startSessionServer } from '../helpers/session-server.ts';

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
      expect(grown()).toBeLessThan(120 * megabyte);
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
    expect(grown()).toBeLessThan(400 * megabyte);
    for (const socket of sockets) socket.destroy();
    expect(await holder.ask('close')).toBe('ok');
    holder.socket.destroy();
    expect(failed).toBeLessThan(10_000);
  });
});

test.each(['memory:', 'file:'])(
  '%s who asks for little does not wait until hundreds have got much',
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
      const many = await Promise.all(Array.from({ length: 200 }, () => sessionClient(server)));
      let served = 0;
      const all = many.map(async (client) => {
        expect(await client.ask('open big r')).toBe('ok');
        served++;
      });
      expect(await maker.ask('ping')).toBe('ok');
      await serves(server);
      expect(served).toBeLessThan(many.length);
      await Promise.all(all);
      for (const { socket } of [maker, ...many]) socket.destroy();
    });
  },
);

test('what waits for its turn when the daemon is to end is done first', async () => {
  const server = await startSessionServer();
  onTestFinished(() => server.stop('SIGKILL').then(() => {}));
  const [saver, other] = [await sessionClient(server), await sessionClient(server)];
  const put = `put k ${'x'.repeat(900_000)}`;
  for (const line of ['open big', put, 'close', 'open saved', put]) expect(await saver.ask(line)).toBe('ok');
  const many = await Promise.all(Array.from({ length: 20 }, () => sessionClient(server)));
  for (const client of many) expect(await client.ask('ping')).toBe('ok');
  // Long work, and before that of the saver.
  for (const client of many) client.send('peek big\r\n');
  saver.send('commit\r\n');
  expect(await other.ask('ping')).toBe('ok');
  const stopped = server.stop('SIGTERM');
  expect(await saver.rest()).toBe('ok\r\n');
  expect(await stopped).toBe(0);
  for (const { socket } of [saver, other, ...many]) socket.destroy();
});

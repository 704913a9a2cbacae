import { once } from 'node:events';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as tlsConnect } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { parseStoreUrl } from '../../server/session/store-url.ts';
import { size, soak } from '../guarantees/size.ts';
import { makeCertificate } from '../helpers/certificate.ts';
import { within } from '../helpers/hanging.ts';
import { phpRequest } from '../helpers/php-request.ts';
import { sessionClient } from '../helpers/session-client.ts';
import { sessionServers } from '../helpers/session-servers.ts';

const servers = sessionServers();
const token = 'a-token-of-some-length';

describe('settings', () => {
  test('all invalid settings are listed together, and the server exits with 78', async () => {
    await writeFile(join(servers.folder, 'token'), 'short');
    const { code, output } = await servers.refused({
      SESSION_SERVER_HOST: 'no host',
      SESSION_SERVER_PORT: '70000',
      SESSION_SERVER_CONTAINER: 'redis:x',
      SESSION_SERVER_LIFETIME: '-1',
      SESSION_SERVER_LOCK_TIMEOUT: '20',
      SESSION_SERVER_AUTH_FILE: join(servers.folder, 'token'),
      SESSION_SERVER_TLS_CERT: join(servers.folder, 'nowhere.pem'),
      SESSION_SERVER_HELP_PHP: 'yes',
      SESSION_SERVER_MEMORY: '0',
      SESSION_SERVER_LOG_LEVEL: 'loud',
    });
    expect(code).toBe(78);
    expect(output).toMatch(/^✗ Settings that cannot be used:\n/);
    const lines = output.trim().split('\n').slice(1);
    expect(lines.map((line) => line.trim().split(':')[0])).toEqual([
      'SESSION_SERVER_HOST',
      'SESSION_SERVER_PORT',
      'SESSION_SERVER_CONTAINER',
      'SESSION_SERVER_LIFETIME',
      'SESSION_SERVER_LOCK_TIMEOUT',
      'SESSION_SERVER_AUTH_FILE',
      'SESSION_SERVER_TLS_CERT',
      'SESSION_SERVER_HELP_PHP',
      'SESSION_SERVER_MEMORY',
      'SESSION_SERVER_LOG_LEVEL',
      'SESSION_SERVER_TLS_CERT and SESSION_SERVER_TLS_KEY',
    ]);
    expect(output).toContain('"redis:x" is not memory:, file:PATH, sqlite:PATH');
    expect(output).not.toContain('short');
  });

  if (soak)
    test('a misspelt name is refused with the nearest setting; others are logged, and those of the chat are not read', async () => {
      const { code, output } = await servers.refused({
        SESSION_SERVER_CONTAINR: 'file:/nowhere',
        CHAT_USER_BANED: 'x',
      });
      expect(code).toBe(78);
      expect(output).toBe(
        '✗ Settings that cannot be used:\n  SESSION_SERVER_CONTAINR: there is no such setting; the nearest is SESSION_SERVER_CONTAINER\n',
      );
      const server = await servers.start({ SESSION_SERVER_SERVICE_HOST: '192.0.2.1' });
      await server.until(
        /"settings":\["SESSION_SERVER_SERVICE_HOST: .*"\],"msg":"unknown settings have no effect"/,
      );
    });

  test.each(size(['0.0.0.0', '::', '192.0.2.1', 'example.org'], ['0.0.0.0']))(
    '%s is refused without a token',
    async (host) => {
      const { code, output } = await servers.refused({ SESSION_SERVER_HOST: host });
      expect(code).toBe(78);
      expect(output).toContain('set SESSION_SERVER_AUTH_FILE');
    },
  );

  if (soak)
    test('with a token the server listens on an address that other machines can reach', async () => {
      await writeFile(join(servers.folder, 'token'), `${token}\n`);
      const server = await servers.start({
        SESSION_SERVER_HOST: '0.0.0.0',
        SESSION_SERVER_AUTH_FILE: join(servers.folder, 'token'),
      });
      expect(server.output()).toContain('"host":"0.0.0.0"');
    });

  if (soak)
    test('a port in use and a container that cannot be opened are logged, and the server exits with 74', async () => {
      const server = await servers.start({});
      const taken = await servers.refused({ SESSION_SERVER_PORT: String(server.port) });
      expect(taken.code).toBe(74);
      expect(taken.output).toMatch(/EADDRINUSE/);
      await writeFile(join(servers.folder, 'file'), '');
      const closed = await servers.refused({
        SESSION_SERVER_CONTAINER: `file:${join(servers.folder, 'file')}`,
      });
      expect(closed.code).toBe(74);
      expect(closed.output).toMatch(/cannot start/);
    });
});

describe('where it listens', () => {
  const warning = /"level":40.*SESSION_SERVER_AUTH_FILE/;

  test('without settings: only on the socket data/session-server.sock, where PHP and the chat reach it', async () => {
    // Like at the first start, when the folder does not exist yet.
    const server = await servers.start({ SESSION_SERVER_HOST: '', SESSION_SERVER_PORT: '' }, servers.folder);
    const path = join(servers.folder, 'data/session-server.sock');
    expect(server.socket).toBe(path);
    expect(server.port).toBeUndefined();
    expect((await stat(path)).mode & 0o777).toBe(0o660);
    expect((await stat(join(servers.folder, 'data'))).mode & 0o777).toBe(0o700);
    expect(server.output()).not.toMatch(warning);

    const id = phpRequest(
      { 'session.use_strict_mode': '1' },
      `$_SESSION['user_id'] = 7`,
      undefined,
      `require 'php/autoload.php';
       session_save_path('unix:${path}');
       session_set_save_handler(new PhpSessionChat\\Session\\Handler\\SessionServerHandler(), false);`,
    );
    const store = parseStoreUrl(server.url).open();
    expect(String(await store.get(id))).toBe('user_id|i:7;');
    store.close();
  });

  const withPort = { SESSION_SERVER_HOST: '', SESSION_SERVER_PORT: '0' };
  type Place = [settings: string, env: Record<string, string>];
  test.each<Place>([
    ['a port', withPort],
    ...size<Place[]>([['a host and a port', { ...withPort, SESSION_SERVER_HOST: '127.0.0.1' }]], []),
  ])('with %s: only there, and the log warns that there is no token', async (_, env) => {
    const server = await servers.start(env, servers.folder);
    expect(server.socket).toBeUndefined();
    const client = await sessionClient(server);
    expect(await client.ask('new')).toMatch(/^ok/);
    await server.until(warning);
    client.socket.destroy();
  });

  if (soak)
    test('a path that is too long for a socket is refused', async () => {
      const { code, output } = await servers.refused({ SESSION_SERVER_SOCKET: `/tmp/${'x'.repeat(103)}` });
      expect(code).toBe(78);
      expect(output).toContain('SESSION_SERVER_SOCKET');
    });
});

describe('auth', () => {
  test('before the token every command but hello, auth, ping and quit is refused', async () => {
    await writeFile(join(servers.folder, 'token'), token);
    const server = await servers.start({ SESSION_SERVER_AUTH_FILE: join(servers.folder, 'token') });
    const client = await sessionClient(server);
    const no = 'err Not authorized.';
    for (const line of [
      'new',
      'open a',
      'peek a',
      'watch a',
      'keys',
      'encoding percent',
      'auth',
      'auth wrong',
    ]) {
      expect(`${line} → ${await client.ask(line)}`).toBe(`${line} → ${no}`);
    }
    expect(await client.ask('hello 1')).toMatch(/^ok 1 auth,/);
    expect(await client.ask('ping')).toBe('ok');
    expect(await client.ask(`auth ${token}`)).toBe('ok');
    expect(await client.ask('new')).toMatch(/^ok/);
    expect(server.output()).not.toContain(token);
    client.socket.destroy();
  });

  test('three wrong tokens, a line of more than 1 KB before the token, and 4 s without it close the connection', async () => {
    await writeFile(join(servers.folder, 'token'), token);
    const server = await servers.start({
      SESSION_SERVER_AUTH_FILE: join(servers.folder, 'token'),
      // Longer than the machine may stand still.
      SESSION_SERVER_FIRST_COMMAND: '4s',
    });
    const [guesser, long, quiet] = [
      await sessionClient(server),
      await sessionClient(server),
      await sessionClient(server),
    ];
    guesser.send(`auth ${token}x\r\n`.repeat(10));
    expect(await guesser.rest()).toBe('err Not authorized.\r\n'.repeat(3));
    long.send('x'.repeat(3000));
    expect(await long.rest()).toBe('err Line too long.\r\n');
    // Other commands do not stop the deadline.
    expect(await quiet.ask('ping')).toBe('ok');
    expect(await quiet.rest()).toBe('err Timed out.\r\n');
  });

  test('a client without the token that reads no replies is closed, and takes no memory from those with it', async () => {
    await writeFile(join(servers.folder, 'token'), token);
    const path = join(servers.folder, 'sessions.sock');
    await servers.start({
      SESSION_SERVER_SOCKET: path,
      SESSION_SERVER_PORT: '',
      SESSION_SERVER_AUTH_FILE: join(servers.folder, 'token'),
      SESSION_SERVER_BUFFER: '2MB',
    });
    const strangers = await Promise.all(Array.from({ length: 24 }, () => sessionClient({ path })));
    for (const { socket, send } of strangers) {
      socket.pause();
      send('hello 1\r\n'.repeat(20_000));
    }
    const client = await sessionClient({ path });
    expect(await client.ask(`auth ${token}`)).toBe('ok');
    for (let n = 0; n < 3; n++)
      for (const line of [`open s${n}`, `put k ${'x'.repeat(400_000)}`, 'close'])
        expect(await client.ask(line)).toBe('ok');
    for (const { socket, rest } of strangers) {
      socket.resume();
      expect((await rest()).split('\r\n').at(-2)).toBe('err Out of memory.');
    }
    client.socket.destroy();
  });
});

describe('TLS', () => {
  test('serves clients that speak TLS, even after a half-close, and no others', async () => {
    const { certificate, key } = makeCertificate(servers.folder, 'localhost');
    const env = { SESSION_SERVER_TLS_CERT: certificate, SESSION_SERVER_TLS_KEY: key };
    const server = await servers.start(env);
    // In two steps, since only net.connect has the option allowHalfOpen.
    const raw = connect({ host: '127.0.0.1', port: server.port, allowHalfOpen: true });
    const socket = tlsConnect({ socket: raw, rejectUnauthorized: false });
    socket.allowHalfOpen = true;
    await once(socket, 'secureConnect');
    const client = await sessionClient(socket);
    expect(await client.ask('new')).toMatch(/^ok/);
    const value = 'x'.repeat(500_000);
    expect(await client.ask(`put k ${value}`)).toBe('ok');
    expect(await client.ask('get k')).toBe(`ok ${value}`);
    client.send('close\r\nping\r\n');
    socket.end();
    expect(await client.rest()).toBe('ok\r\nok\r\n');
    const plain = await sessionClient(server);
    plain.send('new\r\n');
    expect(await plain.rest()).not.toMatch(/ok/);

    const other = await mkdtemp(join(tmpdir(), 'session-running-'));
    const mixed = await servers.refused({
      ...env,
      SESSION_SERVER_TLS_KEY: makeCertificate(other, 'localhost').key,
    });
    await rm(other, { recursive: true });
    expect(mixed.code).toBe(78);
    expect(mixed.output).toMatch(/do not belong together/);
  });
});

test('130 clients that begin no TLS handshake do not keep out another one', async () => {
  await writeFile(join(servers.folder, 'token'), token);
  const { certificate, key } = makeCertificate(servers.folder, 'localhost');
  const server = await servers.start({
    SESSION_SERVER_TLS_CERT: certificate,
    SESSION_SERVER_TLS_KEY: key,
    SESSION_SERVER_AUTH_FILE: join(servers.folder, 'token'),
    SESSION_SERVER_CONNECTIONS: '20',
  });
  const silent = await Promise.all(
    Array.from({ length: 130 }, async () => {
      const socket = connect(server.port, '127.0.0.1');
      socket.on('error', () => {});
      await once(socket, 'connect');
      return socket;
    }),
  );
  const socket = tlsConnect({ host: '127.0.0.1', port: server.port, rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  const client = await sessionClient(socket);
  expect(await client.ask(`auth ${token}`)).toBe('ok');
  for (const one of [...silent, socket]) one.destroy();
});

describe('SESSION_SERVER_SOCKET', () => {
  test('without a port: listens on the socket alone, of mode 660, and replaces the socket of a killed server', async () => {
    const path = join(servers.folder, 'sessions.sock');
    const env = { SESSION_SERVER_SOCKET: path, SESSION_SERVER_PORT: '' };
    for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
      const server = await servers.start(env);
      expect(server.port).toBeUndefined();
      expect((await stat(path)).mode & 0o777).toBe(0o660);
      const client = await sessionClient({ path });
      client.send('new\r\nput k v\r\nget k\r\nclose\r\n');
      client.socket.end();
      expect(await client.rest()).toMatch(/^ok [0-9a-f]{32}\r\nok\r\nok v\r\nok\r\n$/);
      await server.stop(signal);
    }
    await expect(stat(path)).rejects.toThrow(/ENOENT/);
    await writeFile(path, 'something else');
    const taken = await servers.refused({ ...env, SESSION_SERVER_PORT: '' });
    expect(taken.code).toBe(74);
    expect((await stat(path)).size).toBeGreaterThan(0);
  });

  test('the socket of a server that still listens is not replaced', async () => {
    const path = join(servers.folder, 'sessions.sock');
    const env = { SESSION_SERVER_SOCKET: path, SESSION_SERVER_PORT: '' };
    await servers.start(env);
    const second = await servers.refused(env);
    expect(second.code).toBe(74);
    expect(second.output).toMatch(/EADDRINUSE/);
    const client = await sessionClient({ path });
    expect(await client.ask('ping')).toBe('ok');
    client.socket.destroy();
  });

  if (soak)
    test('with a port: listens on both', async () => {
      const path = join(servers.folder, 'sessions.sock');
      const server = await servers.start({ SESSION_SERVER_SOCKET: path });
      const [one, two] = [await sessionClient({ path }), await sessionClient(server)];
      for (const line of ['open both', 'put k v', 'close']) expect(await one.ask(line)).toBe('ok');
      expect(await two.ask('peek both')).toBe('ok a:1:{s:1:"k";s:1:"v";}');
      one.socket.destroy();
      two.socket.destroy();
    });
});

describe('SIGTERM', () => {
  test.each(size(['memory:', 'file', 'sqlite'], ['file']))(
    '%s: running commands are finished, unsaved changes are dropped, and the server exits with 0 within 5 s',
    async (kind) => {
      const container = kind === 'memory:' ? kind : `${kind}:${join(servers.folder, 'sessions')}`;
      const env = { SESSION_SERVER_CONTAINER: container };
      const server = await servers.start(env);
      const [saving, open, waiting, idle, watching] = await Promise.all(
        Array.from({ length: 5 }, () => sessionClient(server)),
      );
      if (!saving || !open || !waiting || !idle || !watching) throw new Error('no clients');
      expect(await idle.ask('ping')).toBe('ok');
      expect(await watching.ask('watch held')).toBe('ok gone');
      for (const line of ['open held', 'put k lost']) expect(await open.ask(line)).toBe('ok');
      const value = 'x'.repeat(900_000);
      for (const line of ['open saved', `put k ${value}`]) expect(await saving.ask(line)).toBe('ok');
      waiting.send('open held\r\n');
      saving.send('commit\r\n');
      // The server has read both before it replies to this.
      expect(await idle.ask('ping')).toBe('ok');
      const stopped = server.stop('SIGTERM');
      expect(await saving.rest()).toBe('ok\r\n');
      expect(await waiting.rest()).toBe('err Could not open session.\r\n');
      for (const client of [open, idle, watching]) expect(await client.rest()).toBe('');
      expect(await stopped).toBe(0);
      // The log holds neither IDs nor data.
      expect(server.output()).not.toMatch(/held|saved|lost|xxx/);
      for (const { socket } of [saving, open, waiting, idle, watching]) socket.destroy();
      if (kind === 'memory:') return;
      const again = await servers.start(env);
      const reader = await sessionClient(again);
      expect(await reader.ask('peek saved')).toBe(`ok a:1:{s:1:"k";s:900000:"${value}";}`);
      expect(await reader.ask('peek held')).toBe('err No such session.');
      reader.socket.destroy();
    },
  );

  test('clients that read nothing or have not finished the TLS handshake do not delay the end beyond 5 s', async () => {
    const { certificate, key } = makeCertificate(servers.folder, 'localhost');
    const tls = await servers.start({ SESSION_SERVER_TLS_CERT: certificate, SESSION_SERVER_TLS_KEY: key });
    const silent = connect(tls.port, '127.0.0.1');
    silent.on('error', () => {});
    await once(silent, 'connect');
    const plain = await servers.start({});
    const reader = await sessionClient(plain);
    for (const line of ['open a', `put k ${'x'.repeat(900_000)}`]) expect(await reader.ask(line)).toBe('ok');
    reader.socket.pause();
    reader.send('get k\r\n'.repeat(40));
    // The server reads all connections in turn: after these replies it works on those commands.
    const other = await sessionClient(plain);
    for (let n = 0; n < 3; n++) expect(await other.ask('ping')).toBe('ok');
    const began = performance.now();
    expect(await Promise.all([tls.stop('SIGTERM'), plain.stop('SIGTERM')])).toEqual([0, 0]);
    expect(performance.now() - began).toBeLessThan(within(5000));
    for (const socket of [silent, reader.socket, other.socket]) socket.destroy();
  });

  test('commands that wait in the work queue are run before the end', async () => {
    const server = await servers.start({});
    const [saver, other] = [await sessionClient(server), await sessionClient(server)];
    const put = `put k ${'x'.repeat(900_000)}`;
    for (const line of ['open big', put, 'close', 'open saved', put])
      expect(await saver.ask(line)).toBe('ok');
    const many = await Promise.all(Array.from({ length: size(20, 8) }, () => sessionClient(server)));
    for (const client of many) expect(await client.ask('ping')).toBe('ok');
    // Large work, in front of that of the saver.
    for (const client of many) client.send('peek big\r\n');
    saver.send('commit\r\n');
    expect(await other.ask('ping')).toBe('ok');
    const stopped = server.stop('SIGTERM');
    expect(await saver.rest()).toBe('ok\r\n');
    expect(await stopped).toBe(0);
    for (const { socket } of [saver, other, ...many]) socket.destroy();
  });
});

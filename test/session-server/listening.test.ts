import { once } from 'node:events';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as tlsConnect } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { parseStoreUrl } from '../../server/session/store-url.ts';
import { makeCertificate } from '../helpers/certificate.ts';
import { phpRequest } from '../helpers/php-request.ts';
import { sessionClient } from '../helpers/session-client.ts';
import { sessionServers } from '../helpers/session-servers.ts';

const servers = sessionServers();
const token = 'a-token-of-some-length';

describe('where it listens', () => {
  const warning = /"level":40.*SESSION_SERVER_AUTH_FILE/;

  test('without a setting: on the socket data/session-server.sock alone, which PHP and the chat reach by its path', async () => {
    // As at the first start, when there is no folder either.
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
       session_set_save_handler(new PhpSessionChat\\Session\\SessionServerHandler(), false);`,
    );
    const store = parseStoreUrl(server.url).open();
    expect(String(await store.get(id))).toBe('user_id|i:7;');
    store.close();
  });

  test.each([
    ['a port', { SESSION_SERVER_HOST: '', SESSION_SERVER_PORT: '0' }],
    ['a host and a port', { SESSION_SERVER_HOST: '127.0.0.1', SESSION_SERVER_PORT: '0' }],
  ])('with %s: there alone, without a token, and the log warns of it', async (_, env) => {
    const server = await servers.start(env, servers.folder);
    expect(server.socket).toBeUndefined();
    const client = await sessionClient(server);
    expect(await client.ask('new')).toMatch(/^ok/);
    await server.until(warning);
    client.socket.destroy();
  });

  test('a path that is too long for a socket is refused', async () => {
    const { code, output } = await servers.refused({ SESSION_SERVER_SOCKET: `/tmp/${'x'.repeat(103)}` });
    expect(code).toBe(78);
    expect(output).toContain('SESSION_SERVER_SOCKET');
  });
});

describe('auth', () => {
  test('nothing is done before the token', async () => {
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

  test('who guesses is cut off, and who is not known keeps no long lines', async () => {
    await writeFile(join(servers.folder, 'token'), token);
    const server = await servers.start({
      SESSION_SERVER_AUTH_FILE: join(servers.folder, 'token'),
      SESSION_SERVER_FIRST_COMMAND: '500ms',
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
    // Talking is not enough.
    expect(await quiet.ask('ping')).toBe('ok');
    expect(await quiet.rest()).toBe('err Timed out.\r\n');
  });
});

describe('TLS', () => {
  test('serves who speaks it, after a half-close too, and nobody else', async () => {
    const { certificate, key } = makeCertificate(servers.folder, 'localhost');
    const env = { SESSION_SERVER_TLS_CERT: certificate, SESSION_SERVER_TLS_KEY: key };
    const server = await servers.start(env);
    // In two steps, since only net's connect can be told to leave the other half open.
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

describe('a socket of its own', () => {
  test('in place of the port, for its group too, and over what a killed daemon left', async () => {
    const path = join(servers.folder, 'daemon.sock');
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

  test('not in place of a daemon that still listens there', async () => {
    const path = join(servers.folder, 'daemon.sock');
    const env = { SESSION_SERVER_SOCKET: path, SESSION_SERVER_PORT: '' };
    await servers.start(env);
    const second = await servers.refused(env);
    expect(second.code).toBe(74);
    expect(second.output).toMatch(/EADDRINUSE/);
    const client = await sessionClient({ path });
    expect(await client.ask('ping')).toBe('ok');
    client.socket.destroy();
  });

  test('beside the port', async () => {
    const path = join(servers.folder, 'daemon.sock');
    const server = await servers.start({ SESSION_SERVER_SOCKET: path });
    const [one, two] = [await sessionClient({ path }), await sessionClient(server)];
    for (const line of ['open both', 'put k v', 'close']) expect(await one.ask(line)).toBe('ok');
    expect(await two.ask('peek both')).toBe('ok a:1:{s:1:"k";s:1:"v";}');
    one.socket.destroy();
    two.socket.destroy();
  });
});

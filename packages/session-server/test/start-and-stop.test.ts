import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { stat, writeFile } from 'node:fs/promises';
import { connect as tcp } from 'node:net';
import { join } from 'node:path';
import { connect as tlsConnect } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { readSettings } from '../../../server/settings/session-server.ts';
import { makeCertificate } from '../../../test/helpers/certificate.ts';
import { within } from '../../../test/helpers/hanging.ts';
import { phpRequest } from '../../../test/helpers/php-request.ts';
import { sessionClient } from '../../../test/helpers/session-client.ts';
import { say, sessionServerForTest } from '../../../test/helpers/session-server-here.ts';
import { sessionServers } from '../../../test/helpers/session-servers.ts';
import { parseStoreUrl } from '../../php-session/src/store-url.ts';

const servers = sessionServers();
const token = 'a-token-of-some-length';
const tokenFile = async () => {
  await writeFile(join(servers.folder, 'token'), `${token}\n`);
  return { SESSION_SERVER_AUTH_FILE: join(servers.folder, 'token') };
};
const socket = () => ({
  SESSION_SERVER_SOCKET: join(servers.folder, 'sessions.sock'),
  SESSION_SERVER_PORT: '',
});
const tls = (folder = servers.folder) => {
  const { certificate, key } = makeCertificate(folder, 'localhost');
  return { SESSION_SERVER_TLS_CERT: certificate, SESSION_SERVER_TLS_KEY: key };
};

describe('settings', () => {
  const problemsOf = (env: NodeJS.ProcessEnv): string[] => {
    try {
      readSettings({ SESSION_SERVER_PORT: '0', ...env });
      return [];
    } catch (error) {
      const [title, ...lines] = (error as Error).message.split('\n  ');
      expect(title).toBe('Settings that cannot be used:');
      return lines;
    }
  };

  test('lists all invalid settings together and exits with 78', async () => {
    await writeFile(join(servers.folder, 'token'), 'short');
    const wrong = {
      HOST: 'no host',
      PORT: '70000',
      CONTAINER: 'redis:x',
      LIFETIME: '-1',
      LOCK_TIMEOUT: '20',
      AUTH_FILE: join(servers.folder, 'token'),
      TLS_CERT: join(servers.folder, 'nowhere.pem'),
      HELP_PHP: 'yes',
      MEMORY: '0',
      LOG_LEVEL: 'loud',
    };
    const { code, output } = await servers.refused(
      Object.fromEntries(Object.entries(wrong).map(([name, value]) => [`SESSION_SERVER_${name}`, value])),
    );
    expect(code).toBe(78);
    expect(output).toMatch(/^✗ Settings that cannot be used:\n/);
    expect(output.match(/^ +SESSION_SERVER_\w+/gm)?.map((name) => name.trim().slice(15))).toEqual([
      ...Object.keys(wrong),
      'TLS_CERT',
    ]);
    expect(output).toContain('"redis:x" is not memory:, file:PATH, sqlite:PATH');
    expect(output).toContain('TLS_CERT and SESSION_SERVER_TLS_KEY');
    expect(output).not.toContain('short');
  });

  test('rejects a misspelt setting with the nearest name, but not settings of other programs', () => {
    expect(problemsOf({ SESSION_SERVER_CONTAINR: 'file:/nowhere', CHAT_USER_BANED: 'x' })).toEqual([
      'SESSION_SERVER_CONTAINR: there is no such setting; the nearest is SESSION_SERVER_CONTAINER',
    ]);
    expect(readSettings({ SESSION_SERVER_SERVICE_HOST: '192.0.2.1' }).unknown).toHaveLength(1);
  });

  test.each(['0.0.0.0', '::', '192.0.2.1', 'example.org'])('rejects %s without a token', async (host) => {
    expect(problemsOf({ SESSION_SERVER_HOST: host })).toEqual([
      expect.stringContaining('set SESSION_SERVER_AUTH_FILE'),
    ]);
    expect(problemsOf({ SESSION_SERVER_HOST: host, ...(await tokenFile()) })).toEqual([]);
  });

  test('rejects unusable certificates and sockets', () => {
    mkdirSync(join(servers.folder, 'other'));
    const { SESSION_SERVER_TLS_KEY } = tls(join(servers.folder, 'other'));
    expect(problemsOf({ ...tls(), SESSION_SERVER_TLS_KEY })).toEqual([
      expect.stringMatching(/does not match the certificate$/),
    ]);
    expect(problemsOf({ SESSION_SERVER_SOCKET: `/tmp/${'x'.repeat(103)}` })).toEqual([
      expect.stringMatching(/^SESSION_SERVER_SOCKET: /),
    ]);
  });

  test('logs a port in use and exits with 74', async () => {
    const server = await sessionServerForTest({});
    const taken = await servers.refused({ SESSION_SERVER_PORT: String(server.port) });
    expect(taken.code).toBe(74);
    expect(taken.output).toMatch(/EADDRINUSE/);
  });
});

describe('the place where it listens', () => {
  test('is by default only the socket data/session-server.sock', async () => {
    // Like at the first start, when the folder does not exist yet.
    const server = await servers.start({ SESSION_SERVER_HOST: '', SESSION_SERVER_PORT: '' }, servers.folder);
    const path = join(servers.folder, 'data/session-server.sock');
    expect(server.socket).toBe(path);
    expect(server.port).toBeUndefined();
    expect((await stat(path)).mode & 0o777).toBe(0o660);
    expect((await stat(join(servers.folder, 'data'))).mode & 0o777).toBe(0o700);
    expect(server.output()).not.toMatch(/SESSION_SERVER_AUTH_FILE/);

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

  test('is only the configured port, with a warning if there is no token', async () => {
    const server = await servers.start({ SESSION_SERVER_HOST: '', SESSION_SERVER_PORT: '0' }, servers.folder);
    expect(server.socket).toBeUndefined();
    const client = await sessionClient(server);
    await say(client, 'new');
    await server.until(/"level":40.*SESSION_SERVER_AUTH_FILE/);
    client.socket.destroy();
  });

  test('is the socket of SESSION_SERVER_SOCKET, also in place of a killed server’s socket', async () => {
    const path = socket().SESSION_SERVER_SOCKET;
    await (await servers.start(socket())).stop('SIGKILL');
    expect((await stat(path)).isSocket()).toBe(true);
    const server = await sessionServerForTest(socket());
    expect((await stat(path)).mode & 0o777).toBe(0o660);
    const client = await sessionClient({ path });
    client.send('new\r\nput k v\r\nget k\r\nclose\r\n');
    client.socket.end();
    expect(await client.rest()).toMatch(/^ok [0-9a-f]{32}\r\nok\r\nok v\r\nok\r\n$/);
    await server.close();
    await expect(stat(path)).rejects.toThrow(/ENOENT/);
  });

  test('is never the place of a file or of the socket of a server that still listens', async () => {
    const path = socket().SESSION_SERVER_SOCKET;
    await writeFile(path, 'something else');
    await expect(sessionServerForTest(socket())).rejects.toThrow(/EADDRINUSE/);
    expect((await stat(path)).size).toBeGreaterThan(0);
    const other = `${path}2`;
    await sessionServerForTest({ ...socket(), SESSION_SERVER_SOCKET: other });
    await expect(sessionServerForTest({ ...socket(), SESSION_SERVER_SOCKET: other })).rejects.toThrow(
      /EADDRINUSE/,
    );
    const client = await sessionClient({ path: other });
    await say(client, 'ping');
    client.socket.destroy();
  });
});

describe('auth', () => {
  test('rejects every command but hello, auth, ping and quit before the token', async () => {
    const server = await sessionServerForTest(await tokenFile());
    const client = await server.connect();
    for (const line of 'new,open a,peek a,watch a,keys,encoding percent,auth,auth wrong'.split(','))
      expect(`${line} → ${await client.ask(line)}`).toBe(`${line} → err Not authorized.`);
    expect(await client.ask('hello 1')).toMatch(/^ok 1 auth,/);
    await say(client, 'ping', `auth ${token}`, 'new');
    expect(server.output()).not.toContain(token);
  });

  test('closes a client without the token after three attempts, 1 KB or 1 s', async () => {
    const { connect } = await sessionServerForTest({
      ...(await tokenFile()),
      SESSION_SERVER_FIRST_COMMAND: '1s',
    });
    const [guesser, long, quiet] = [await connect(), await connect(), await connect()];
    guesser.send(`auth ${token}x\r\n`.repeat(10));
    expect(await guesser.rest()).toBe('err Not authorized.\r\n'.repeat(3));
    long.send('x'.repeat(3000));
    expect(await long.rest()).toBe('err Line too long.\r\n');
    // Other commands do not stop the deadline.
    await say(quiet, 'ping');
    expect(await quiet.rest()).toBe('err Timed out.\r\n');
  });

  test('keeps clients without the token from using up the memory of clients with it', async () => {
    await sessionServerForTest({ ...socket(), ...(await tokenFile()), SESSION_SERVER_BUFFER: '2MB' });
    const path = socket().SESSION_SERVER_SOCKET;
    const strangers = await Promise.all(Array.from({ length: 24 }, () => sessionClient({ path })));
    for (const stranger of strangers) {
      stranger.socket.pause();
      stranger.send('hello 1\r\n'.repeat(8000));
    }
    const client = await sessionClient({ path });
    await say(client, `auth ${token}`);
    for (let n = 0; n < 3; n++) await say(client, `open s${n}`, `put k ${'x'.repeat(400_000)}`, 'close');
    for (const stranger of strangers) {
      stranger.socket.resume();
      expect((await stranger.rest()).split('\r\n').at(-2)).toBe('err Out of memory.');
    }
    client.socket.destroy();
  });
});

describe('TLS', () => {
  test('serves only clients that speak TLS, even after a half-close', async () => {
    const { port } = await sessionServerForTest(tls());
    // In two steps, since only net.connect has the option allowHalfOpen.
    const raw = tcp({ host: '127.0.0.1', port, allowHalfOpen: true });
    const secure = tlsConnect({ socket: raw, rejectUnauthorized: false });
    secure.allowHalfOpen = true;
    await once(secure, 'secureConnect');
    const client = await sessionClient(secure);
    const value = 'x'.repeat(500_000);
    await say(client, 'new', `put k ${value}`);
    expect(await client.ask('get k')).toBe(`ok ${value}`);
    client.send('close\r\nping\r\n');
    secure.end();
    expect(await client.rest()).toBe('ok\r\nok\r\n');
    const plain = await sessionClient({ port });
    plain.send('new\r\n');
    expect(await plain.rest()).not.toMatch(/ok/);
  });

  test('serves other clients beside 130 clients that do not start the handshake', async () => {
    const { port } = await sessionServerForTest({
      ...tls(),
      ...(await tokenFile()),
      SESSION_SERVER_CONNECTIONS: '20',
    });
    const silent = await Promise.all(
      Array.from({ length: 130 }, async () => {
        const one = tcp(port, '127.0.0.1');
        one.on('error', () => {});
        await once(one, 'connect');
        return one;
      }),
    );
    const secure = tlsConnect({ host: '127.0.0.1', port, rejectUnauthorized: false });
    await once(secure, 'secureConnect');
    await say(await sessionClient(secure), `auth ${token}`);
    for (const one of [...silent, secure]) one.destroy();
  });
});

describe('SIGTERM', () => {
  test('completes a commit in progress, and does not save open sessions', async () => {
    const env = { SESSION_SERVER_CONTAINER: `file:${join(servers.folder, 'sessions')}` };
    const server = await servers.start(env);
    const clients = await Promise.all(Array.from({ length: 5 }, () => sessionClient(server)));
    const [saving, open, waiting, idle, watching] = clients;
    if (!saving || !open || !waiting || !idle || !watching) throw new Error('no clients');
    await say(idle, 'ping');
    expect(await watching.ask('watch held')).toBe('ok gone');
    await say(open, 'open held', 'put k lost');
    const value = 'x'.repeat(900_000);
    await say(saving, 'open saved', `put k ${value}`);
    waiting.send('open held\r\n');
    saving.send('commit\r\n');
    // The server reads both before it replies to this.
    await say(idle, 'ping');
    const stopped = server.stop('SIGTERM');
    expect(await saving.rest()).toBe('ok\r\n');
    expect(await waiting.rest()).toBe('err Could not open session.\r\n');
    for (const client of [open, idle, watching]) expect(await client.rest()).toBe('');
    expect(await stopped).toBe(0);
    // The log holds neither IDs nor data.
    expect(server.output()).not.toMatch(/held|saved|lost|xxx/);
    for (const { socket } of clients) socket.destroy();
    const reader = await (await sessionServerForTest(env)).connect();
    expect(await reader.ask('peek saved')).toBe(`ok a:1:{s:1:"k";s:900000:"${value}";}`);
    expect(await reader.ask('peek held')).toBe('err No such session.');
  });

  test('ends within 5 s even if clients do not read or do not finish the TLS handshake', async () => {
    const [secure, plain] = [await sessionServerForTest(tls()), await sessionServerForTest({})];
    const silent = tcp(secure.port, '127.0.0.1');
    silent.on('error', () => {});
    await once(silent, 'connect');
    const [reader, other] = [await plain.connect(), await plain.connect()];
    await say(reader, 'open a', `put k ${'x'.repeat(900_000)}`);
    reader.socket.pause();
    reader.send('get k\r\n'.repeat(40));
    // The server reads all connections in turn, so after these replies it is running those commands.
    await say(other, 'ping', 'ping', 'ping');
    const began = performance.now();
    await Promise.all([secure.close(), plain.close()]);
    expect(performance.now() - began).toBeLessThan(within(5000));
    silent.destroy();
  });
});

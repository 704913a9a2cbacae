import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { makeCertificate } from '../../../test/helpers/certificate.ts';
import { startGate } from '../../../test/helpers/gate.ts';
import { keptSessions, sharedSessions } from '../../../test/helpers/kept-sessions.ts';
import { phpInSessionServer } from '../../../test/helpers/php-in-session-server.ts';
import { sessionServerForTest, sessionServerHere } from '../../../test/helpers/session-server-here.ts';
import { spoilingProxy, storeAt, text } from '../../../test/helpers/session-stores.ts';
import { subscribed } from '../../../test/helpers/subscribed.ts';
import { everything, failureOf } from '../../../test/helpers/whole-error.ts';
import { FormatError } from '../src/formats/value.ts';
import { parseStoreUrl } from '../src/store-url.ts';
import { sessionStoreContract } from './contracts/session-store.ts';

sessionStoreContract(
  'PHP’s sessions in a session server',
  { ids: /^[A-Za-z0-9,_-]{1,128}$/, has: ['silence', 'keepForever'], proves: ['TTL'] },
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'session-server-'));
    const file = join(folder, 'sessions.db');
    const server = await sessionServerHere({ SESSION_SERVER_CONTAINER: `sqlite:${file}` });
    const php = phpInSessionServer(server.port);
    const gate = await startGate(server.port);
    const database = new DatabaseSync(file, { timeout: 1000 });
    const live = (id: string, lifetime: number, expires: number | null) =>
      database
        .prepare('UPDATE sessions SET lifetime = ?, expires = ? WHERE id = ?')
        .run(lifetime, expires, id);
    return {
      ...gate,
      url: `session-server://127.0.0.1:${gate.port}`,
      request: php.request,
      async traces(id) {
        const row = database.prepare('SELECT * FROM sessions WHERE id = ?').get(id) ?? {};
        const { expires, ...held } = row;
        return { held, expires: Number(expires) / 1000 };
      },
      expireIn: (id, seconds) => live(id, 1440, Date.now() + seconds * 1000),
      keepForever: (id) => live(id, 0, null),
      async close() {
        php.end();
        database.close();
        await gate.close();
        await server.close();
        rmSync(folder, { recursive: true });
      },
    };
  },
);

const { server, kept } = await sharedSessions();

describe('reading', () => {
  /** The default timeout is long, because most of these tests are not about it. */
  const store = (timeout = 5000) => storeAt(`session-server://127.0.0.1:${server.port}?timeout=${timeout}ms`);
  /** The error for a value that exists and is not a session. */
  const damage = (question: Promise<unknown>) =>
    question.catch((error: unknown) => (error instanceof FormatError ? error.message : null));

  test('returns any bytes as stored', async () => {
    const sessions = store();
    const all = Buffer.from(Array.from({ length: 256 }, (_, n) => n));
    for (const bytes of [
      all,
      Buffer.from('%41%0a+%zz'),
      Buffer.from('";}s:0:"";'),
      Buffer.from(' x '),
      all.subarray(255),
    ]) {
      await kept.put('bytes', bytes);
      expect(await sessions.get('bytes')).toEqual(bytes);
      // Beside other keys.
      await kept.do('open bytes rw', 'put a b', 'put %FF%00 %FF', 'close');
      expect(await sessions.get('bytes')).toEqual(bytes);
      await kept.destroy('bytes');
    }
  });

  test('returns a session without PHP’s key as empty', async () => {
    const sessions = store();
    await kept.do('open bare rw', 'close', 'open others rw', 'put a b', 'put 5 c', 'close');
    expect(await sessions.get('bare')).toEqual(Buffer.alloc(0));
    expect(await sessions.get('others')).toEqual(Buffer.alloc(0));
    await kept.put('none', '');
    expect(await sessions.get('none')).toEqual(Buffer.alloc(0));
    await kept.do('open list rw', `put_all ${encodeURIComponent('a:1:{s:0:"";a:0:{}}')}`, 'close');
    expect(await damage(sessions.get('list'))).toMatch(/under the empty key is not a string/);
  });

  test('never lets an ID add words or commands to the line', async () => {
    const sessions = store();
    await kept.put('one', 'here');
    for (const id of ['', ' ', 'one two', 'one\r\nopen one rw', '../one', 'é', 'x'.repeat(129)]) {
      expect(await sessions.get(id)).toBeNull();
      expect(await sessions.ttl(id)).toBeNull();
      await sessions.touch(id, 60);
    }
    expect(await text(sessions.get('one'))).toBe('here');
  });

  test('does not wait for a page that has the session locked', async () => {
    await kept.put('locked', 'here');
    const page = await keptSessions(server.port);
    onTestFinished(() => page.close());
    await page.do('open locked rw', 'put  changed');
    const sessions = store();
    expect(await text(sessions.get('locked'))).toBe('here');
    await sessions.ttl('locked');
    await sessions.touch('locked', 60);
    await page.do('close');
    await kept.put('locked', 'last');
    expect(await text(sessions.get('locked'))).toBe('last');
  });

  test('does not delay small sessions while large ones are read repeatedly', async () => {
    const large = Array.from({ length: 6 }, (_, n) => `large${n}`);
    for (const id of large) await kept.put(id, Buffer.alloc(900_000, 'x'));
    await kept.put('honest', 'user_id|i:7;');
    const sessions = store(500);
    // After one read, the store knows that a session is large.
    for (const id of large) await sessions.get(id);
    let attacking = true;
    const attacked = (async () => {
      while (attacking) await Promise.allSettled(large.map(sessions.get));
    })();
    for (let n = 0; n < 6; n++) {
      const answer = await text(sessions.get('honest')).catch(String);
      attacking &&= n < 5;
      expect(answer).toBe('user_id|i:7;');
    }
    await attacked;
  });
});

describe('connecting', () => {
  const token = 'a-token-of-this-test';
  let folder: string;
  const file = (name: string, content?: string) => {
    const path = join(folder, name);
    if (content !== undefined) writeFileSync(path, content);
    return path;
  };
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'session-server-'));
    file('token', `${token}\n`);
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const start = async (env: NodeJS.ProcessEnv = {}) => {
    const { port } = await sessionServerForTest(env);
    return { port, url: `session-server://127.0.0.1:${port}` };
  };
  const notifications = (url: string) => subscribed(parseStoreUrl(url).open());

  test('needs the right token, and no error repeats a wrong one', async () => {
    const { url } = await start({ SESSION_SERVER_AUTH_FILE: file('token') });
    expect(await storeAt(`${url}?auth_file=${file('token')}`).get('one')).toBeNull();
    await notifications(`${url}?auth_file=${file('token')}`).active;

    expect(await failureOf(storeAt(url).get('one'))).toMatch(
      /requires a token: auth_file= must name the file/,
    );
    const other = 'some-other-token';
    const failure = await failureOf(storeAt(`${url}?auth_file=${file('wrong', other)}`).get('one'));
    expect(failure).toMatch(/rejected the token of auth_file=/);
    expect(failure).not.toContain(other);
    const lost = await notifications(`${url}?auth_file=${file('wrong')}`).until({ kind: 'lost' }, 0);
    const reason = everything('reason' in lost ? lost.reason : null);
    expect(reason).toMatch(/rejected the token/);
    expect(reason).not.toContain(other);
  });

  test('works over a Unix socket', async () => {
    const path = join(folder, 'sessions.sock');
    await start({ SESSION_SERVER_SOCKET: path, SESSION_SERVER_PORT: '' });
    expect(await storeAt(`session-server://${path}`).get('one')).toBeNull();
    await notifications(`session-server://${path}`).active;
    expect(await failureOf(storeAt(`session-server://${path}.none`).get('one'))).toMatch(/\(ENOENT\)/);
  });

  test('needs a trusted certificate for this host, regardless of the environment', async () => {
    vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
    onTestFinished(() => void vi.unstubAllEnvs());
    const { certificate, key } = makeCertificate(folder, 'localhost');
    const server = await start({ SESSION_SERVER_TLS_CERT: certificate, SESSION_SERVER_TLS_KEY: key });
    const url = (host: string, more = '') =>
      `session-server://${host}:${server.port}?tls=on&timeout=5000ms${more}`;
    expect(await storeAt(url('localhost', `&ca=${certificate}`)).get('one')).toBeNull();
    await notifications(url('localhost', `&ca=${certificate}`)).active;
    expect(await failureOf(storeAt(url('localhost')).get('one'))).toMatch(
      /certificate is not trusted; ca= names/,
    );
    const elsewhere = storeAt(url('127.0.0.1', `&ca=${certificate}`));
    expect(await failureOf(elsewhere.get('one'))).toMatch(/certificate is for another host/);
  });

  test('reports a session server of another kind', async () => {
    const proxy = await spoilingProxy((await start()).port, (_, client) => {
      client.write('err unknown command\r\n');
    });
    const sessions = storeAt(`session-server://127.0.0.1:${proxy.port}`);
    expect(await failureOf(sessions.get('one'))).toMatch(/is a different kind of server/);
  });

  test.each([
    ['a file without a token', () => file('secrets', 'two secret words')],
    ['the token itself', () => 'secret'],
  ])('rejects auth_file= with %s without repeating it', (_, given) => {
    let failure: unknown;
    try {
      parseStoreUrl(`session-server://host?auth_file=${given()}`);
    } catch (error) {
      failure = error;
    }
    expect(String(failure)).toMatch(/cannot be read, or is not one word/);
    expect(everything(failure)).not.toContain('secret');
  });
});

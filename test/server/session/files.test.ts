import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseCookieForm } from '../../../server/session/cookie.ts';
import { createSessionReader } from '../../../server/session/read-session.ts';
import { StoreError } from '../../../server/session/store.ts';
import { parseStoreUrl } from '../../../server/session/store-url.ts';
import { sessionStoreContract } from '../../contracts/session-store.ts';
import { connectChat, refusalOf } from '../../helpers/chat-client.ts';
import { type ChatServer, startChatServer } from '../../helpers/chat-server.ts';
import { hangDisks } from '../../helpers/hung-disks.ts';
import { type PhpSettings, phpRequest } from '../../helpers/php-request.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'php-sessions-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const store = (options = '') => parseStoreUrl(`file://${folder}${options}`).open();

/** One request of a site that keeps its sessions in PHP's own files; its session id. */
const request = (code: string, id?: string, settings: PhpSettings = {}) =>
  phpRequest({ 'session.save_handler': 'files', 'session.save_path': folder, ...settings }, code, id);

sessionStoreContract(
  'PHP’s files, by the contract',
  ['php', 'php_binary', 'php_serialize', 'igbinary', 'msgpack'],
  async () => {
    const own = mkdtempSync(join(tmpdir(), 'php-sessions-'));
    const away = `${own}-away`;
    return {
      url: (format) => `file://${own}?format=${format}`,
      request: (format, code, id) =>
        phpRequest(
          {
            'session.save_handler': 'files',
            'session.save_path': own,
            'session.serialize_handler': format,
          },
          code,
          id,
        ),
      async traces(id) {
        const path = join(own, `sess_${id}`);
        return { held: readFileSync(path, 'latin1'), expires: statSync(path).mtimeMs / 1000 + 1440 };
      },
      live(id, seconds) {
        const used = Date.now() / 1000 - 1440 + seconds;
        utimesSync(join(own, `sess_${id}`), used, used);
      },
      outage: { begin: async () => renameSync(own, away), end: async () => renameSync(away, own) },
      close: async () => rmSync(own, { recursive: true, force: true }),
    };
  },
);

describe('PHP’s files', () => {
  test('in folders by the first characters of the id, and under another prefix', async () => {
    const id = request('$_SESSION["user_id"] = 7');
    const [a = '', b = ''] = id;
    mkdirSync(join(folder, a, b), { recursive: true });
    const deep = request('$_SESSION["user_id"] = 8', id, { 'session.save_path': `2;0600;${folder}` });
    expect(String(await store('?depth=2').get(deep))).toBe('user_id|i:8;');
    writeFileSync(join(folder, `ci_session${id}`), 'user_id|i:9;');
    expect(String(await store('?prefix=ci_session').get(id))).toBe('user_id|i:9;');
  });

  test('expired, though PHP has not collected it yet', async () => {
    const id = request('$_SESSION["user_id"] = 7');
    const path = join(folder, `sess_${id}`);
    const ago = (seconds: number) =>
      utimesSync(path, Date.now() / 1000 - seconds, Date.now() / 1000 - seconds);
    ago(1430);
    expect(await store().get(id)).not.toBeNull();
    ago(1450);
    expect(await store().get(id)).toBeNull();
    expect(await store('?lifetime=30m').get(id)).not.toBeNull();
    expect(await store('?lifetime=0').get(id)).not.toBeNull();
  });

  test('while PHP holds the lock, and without changing a byte or a time', async () => {
    const id = request('$_SESSION["user_id"] = 7');
    const path = join(folder, `sess_${id}`);
    const holding = spawn('php', [
      ...['-d', `session.save_path=${folder}`, '-d', 'session.use_cookies=0', '-r'],
      `session_id('${id}'); session_start(); echo 'locked'; fgets(STDIN);`,
    ]);
    await once(holding.stdout, 'data');
    const { mtimeMs } = statSync(path);
    expect(String(await store().get(id))).toBe('user_id|i:7;');
    expect([readFileSync(path, 'utf8'), statSync(path).mtimeMs]).toEqual(['user_id|i:7;', mtimeMs]);
    holding.stdin.end('\n');
    await once(holding, 'close');
  });

  test('a folder that is not there, or that is none: a failure that says so, not a missing session', async () => {
    const gone = parseStoreUrl(`file://${folder}/gone`).open();
    await expect(gone.get('abc')).rejects.toThrow(/gone cannot be read \(ENOENT\): there is no such folder/);
    writeFileSync(join(folder, 'file'), '');
    const none = parseStoreUrl(`file://${folder}/file`).open();
    await expect(none.get('abc')).rejects.toThrow(StoreError);
  });

  test('what PHP writes while it is read is never taken half', async () => {
    const id = request('$_SESSION["user_id"] = 7; $_SESSION["pad"] = str_repeat("x", 50000)');
    const writing = spawn('php', [
      ...['-d', `session.save_path=${folder}`, '-d', 'session.use_cookies=0', '-r'],
      `for ($i = 0; $i < 60; $i++) { session_id('${id}'); session_start(); $_SESSION["pad"] = str_repeat("y", $i % 2 ? 50000 : 10); session_write_close(); usleep(random_int(0, 40000)); }`,
    ]);
    const ended = once(writing, 'close');
    let open = true;
    void ended.then(() => {
      open = false;
    });
    const sessions = createSessionReader({
      source: parseStoreUrl(`file://${folder}`),
      cookie: parseCookieForm('plain', 'PHPSESSID'),
      user: { id: ['user_id'], name: ['user_id'] },
    });
    const seen = new Set<string>();
    while (open) {
      const found = await sessions.fromCookie(`PHPSESSID=${id}`);
      if ('user' in found) seen.add(`user ${found.user.id}`);
      // It may be written too often to be read at all.
      else if (found.code !== 'session_store_unavailable') seen.add(`${found.code}: ${found.reason}`);
    }
    expect([...seen]).toEqual(['user 7']);
  });
});

test('a disk that does not answer: failures in time, then at once, and well again afterwards', async () => {
  const id = request('$_SESSION["user_id"] = 7');
  const sessions = store('?timeout=100ms');
  const message = `the disk with the session folder ${folder} did not answer within 100 ms`;
  const answer = hangDisks(folder);
  try {
    const asked = [id, 'one', 'two', 'three'].map((one) =>
      sessions.get(one).catch((error: unknown) => error),
    );
    for (const error of await Promise.all(asked)) expect(error).toEqual(new StoreError(message));
    const atOnce = new Promise((resolve) => setImmediate(resolve, 'it waits'));
    expect(await Promise.race([sessions.get(id).catch(String), atOnce])).toContain(message);
  } finally {
    await answer();
  }
  await expect.poll(() => sessions.get(id).then(String, () => null)).toBe('user_id|i:7;');
});

test.each([
  ['file://host/var/lib', /three slashes/],
  ['file:///var/lib?depth=10', /depth=/],
  ['file:///var/lib?lifetime=soon', /lifetime=/],
  ['file:///var/lib?timeout=1s', /timeout=/],
  ['file:///var/lib?prefix=php/sess_', /prefix= of file: has no slash/],
  ['file:///var/lib?owner=no-such-user', /owner= is a user of \/etc\/passwd/],
  ['file:///var/lib?owner=', /owner= is a user of \/etc\/passwd/],
])('a store URL that is refused: %s', (url, reason) => {
  expect(() => parseStoreUrl(url)).toThrow(reason);
});

test('the chat knows who is logged in to a site with PHP’s own files, and notices the logout', async () => {
  let chat: ChatServer | undefined;
  try {
    chat = await startChatServer({ CHAT_SESSION_STORE: `file://${folder}` });
    const id = request('$_SESSION["user_id"] = 7; $_SESSION["firstname"] = "Zoë"');
    const client = await connectChat(chat.url, `PHPSESSID=${id}`);
    expect(client.ready.user).toEqual({ id: '7', name: 'Zoë' });
    request('session_destroy()', id);
    expect((await client.ended).reason).toBe('logout');
    chmodSync(folder, 0o700);
    rmSync(folder, { recursive: true });
    const refused = await refusalOf(connectChat(chat.url, `PHPSESSID=${id}`));
    expect(refused.message).toBe('session_store_unavailable');
    await chat.until(/there is no such folder/);
    expect(chat.output()).not.toContain(id);
  } finally {
    await chat?.stop();
  }
});

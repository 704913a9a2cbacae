import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { hangDisks } from '../../../test/helpers/hung-disks.ts';
import { type PhpSettings, phpRequest, phpSite } from '../../../test/helpers/php-request.ts';
import { orNull, storeAt, text } from '../../../test/helpers/session-stores.ts';
import { FormatError } from '../src/formats/value.ts';
import { StoreError } from '../src/store.ts';
import { sessionStoreContract } from './contracts/session-store.ts';

sessionStoreContract(
  'PHP’s own files',
  { ids: /^[A-Za-z0-9,-]{1,250}$/, has: [], proves: ['TTL', 'failures'] },
  async () => {
    const own = mkdtempSync(join(tmpdir(), 'php-sessions-'));
    const away = `${own}-away`;
    const site = phpSite({ 'session.save_handler': 'files', 'session.save_path': own });
    return {
      url: `file://${own}`,
      request: site.request,
      async traces(id) {
        const path = join(own, `sess_${id}`);
        return { held: readFileSync(path, 'latin1'), expires: statSync(path).mtimeMs / 1000 + 1440 };
      },
      expireIn(id, seconds) {
        const used = Date.now() / 1000 - 1440 + seconds;
        utimesSync(join(own, `sess_${id}`), used, used);
      },
      outage: { begin: async () => renameSync(own, away), end: async () => renameSync(away, own) },
      async close() {
        site.end();
        rmSync(own, { recursive: true, force: true });
      },
    };
  },
);

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'php-sessions-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** The timeout is long enough for a busy machine. */
const store = (options = '') =>
  storeAt(`file://${folder}?${options.includes('timeout=') ? '' : 'timeout=3000ms&'}${options}`);
const file = (id: string) => join(folder, `sess_${id}`);
const age = (id: string, seconds: number) =>
  utimesSync(file(id), Date.now() / 1000 - seconds, Date.now() / 1000 - seconds);

/** A session as PHP would write it. */
const written = (id = 'one') => {
  writeFileSync(file(id), 'user_id|i:7;');
  return id;
};

/** Makes a request of a site with PHP's own files. Returns the session's ID. */
const request = (code: string, id?: string, settings: PhpSettings = {}) =>
  phpRequest({ 'session.save_handler': 'files', 'session.save_path': folder, ...settings }, code, id);

const storeUrl = resolve(import.meta.dirname, '../src/store-url.ts');
/**
 * Returns the output of a program in which `store` is a store of the folder. The program runs as that user if this
 * process is root.
 */
function asUser(user: number, program: string): string {
  const opening = `import { parseStoreUrl } from '${storeUrl}'; const store = parseStoreUrl('file://${folder}?timeout=3000ms').open();`;
  return execFileSync(process.execPath, ['--input-type=module', '-e', opening + program], {
    encoding: 'utf8',
    ...(asRoot ? { uid: user } : {}),
  });
}
const [nobody, stranger] = [65_534, 65_533];
const asRoot = process.getuid?.() === 0;

describe('reading', () => {
  test('finds sessions in folders for the first characters of the ID, and under another prefix', async () => {
    const id = request('$_SESSION["user_id"] = 7');
    const [a = '', b = ''] = id;
    mkdirSync(join(folder, a, b), { recursive: true });
    const deep = request('$_SESSION["user_id"] = 8', id, { 'session.save_path': `2;0600;${folder}` });
    expect(await text(store('depth=2').get(deep))).toBe('user_id|i:8;');
    writeFileSync(join(folder, `ci_session${id}`), 'user_id|i:9;');
    expect(await text(store('prefix=ci_session').get(id))).toBe('user_id|i:9;');
  });

  test('returns null for an expired session that PHP has not collected yet', async () => {
    const id = written();
    for (const [seconds, options, live] of [
      [1430, '', true],
      [1450, '', false],
      [1450, 'lifetime=30m', true],
      [1450, 'lifetime=0', true],
    ] as const) {
      age(id, seconds);
      expect((await store(options).get(id)) !== null, `${seconds} ${options}`).toBe(live);
    }
  });

  test('does not change a session that PHP has locked, or its lock', async () => {
    const id = request('$_SESSION["user_id"] = 7');
    const holding = spawn('php', [
      ...['-d', `session.save_path=${folder}`, '-d', 'session.use_cookies=0', '-r'],
      `session_id('${id}'); session_start(); echo 'locked'; fgets(STDIN);`,
    ]);
    await once(holding.stdout, 'data');
    const { mtimeMs } = statSync(file(id));
    expect(await text(store().get(id))).toBe('user_id|i:7;');
    expect([readFileSync(file(id), 'utf8'), statSync(file(id)).mtimeMs]).toEqual(['user_id|i:7;', mtimeMs]);
    holding.stdin.end('\n');
    await once(holding, 'close');
  });

  test('waits for the rest of a session whose writer pauses for 20 ms', async () => {
    const half = 'user_id|i:7;bio|s:9:"no';
    for (let elapsed = Number.POSITIVE_INFINITY; elapsed > 40; ) {
      writeFileSync(file('held'), half);
      const began = performance.now();
      const answer = text(store().get('held'));
      await pause(20);
      writeFileSync(file('held'), `${half} secret";`);
      // Content that is unchanged for 50 ms counts as complete. If the machine freezes for that long, the attempt does not
      // count.
      elapsed = performance.now() - began;
      const found = await answer;
      if (elapsed <= 40) expect(found).toBe(`${half} secret";`);
    }
  });
});

describe('TTL', () => {
  // No time passes between a write and a check.
  beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'] }));
  afterEach(() => void vi.useRealTimers());

  const ttl = async (id: string, options = '') =>
    Math.round(((await store(options).ttl(id)) ?? Number.NaN) / 1000);

  test('follows from the age of the file', async () => {
    const id = written();
    age(id, 0);
    expect(await ttl(id)).toBe(1440);
    age(id, 400);
    expect(await ttl(id)).toBe(1040);
    expect(await ttl(id, 'lifetime=30m')).toBe(1400);
    expect(await ttl(id, 'lifetime=0')).toBe(Number.POSITIVE_INFINITY);
    age(id, 1441);
    expect(await store().ttl(id)).toBe(0);
  });

  test('is renewed as by a page view', async () => {
    const id = written();
    age(id, 1000);
    await store().touch(id, 1440);
    expect(await ttl(id)).toBe(1440);
    expect(readFileSync(file(id), 'utf8')).toBe('user_id|i:7;');
  });

  test('does not create a file when an unknown session is renewed', async () => {
    await store().touch('nobody', 1440);
    expect(existsSync(file('nobody'))).toBe(false);
  });

  test('ignores links', async () => {
    const id = written();
    age(id, 1000);
    const { mtimeMs } = statSync(file(id));
    symlinkSync(file(id), file('link'));
    expect(await store().ttl('link')).toBeNull();
    await store().touch('link', 1440);
    expect(statSync(file(id)).mtimeMs).toBe(mtimeMs);
  });

  if (asRoot) {
    test('can be renewed only by PHP’s user, and the error for other users lacks the ID', () => {
      writeFileSync(file('one'), 'user_id|i:7;');
      chmodSync(folder, 0o755);
      chmodSync(file('one'), 0o666);
      const program = `await store.touch('one', 1440).catch(({ name, message }) => console.log(name, message));`;
      expect(asUser(nobody, program)).toBe(
        `StoreError no session can be renewed in the session folder ${folder} (EPERM): only the user of the PHP site may do that\n`,
      );
    });
  }
});

describe('a file in the session folder', () => {
  /** A request of a site whose PHP runs as that user, which only root can do. */
  const requestAs = (user: number, code: string, id?: string) =>
    phpRequest({ 'session.save_path': folder }, code, id, asRoot ? `posix_setuid(${user});` : '');
  const getAs = (user: number, ids: string[]) =>
    JSON.parse(
      asUser(
        user,
        `const answers = await Promise.all(${JSON.stringify(ids)}.map((id) => store.get(id).then(String, ({ name }) => name)));
        console.log(JSON.stringify(answers));`,
      ),
    );

  if (asRoot) {
    test('must belong to PHP’s user or root if all users may write to the folder', async () => {
      chmodSync(folder, 0o1777);
      const id = requestAs(nobody, '$_SESSION["user_id"] = 7');
      const planted = requestAs(stranger, '$_SESSION["user_id"] = 1');
      const ofRoot = request('$_SESSION["user_id"] = 8');
      for (const one of [planted, ofRoot]) chmodSync(file(one), 0o666);
      expect(() => requestAs(nobody, '', planted)).toThrow(/Failed to read session data/);
      const ids = [id, planted, ofRoot, 'none'];
      expect(getAs(nobody, ids)).toEqual(['user_id|i:7;', 'FormatError', 'user_id|i:8;', 'null']);
      for (const owner of ['nobody', String(nobody)]) {
        const sessions = store(`owner=${owner}`);
        expect(await text(sessions.get(id))).toBe('user_id|i:7;');
        expect(await text(sessions.get(ofRoot))).toBe('user_id|i:8;');
        await expect(sessions.get(planted)).rejects.toThrow(FormatError);
        await expect(sessions.get(planted)).rejects.toThrow(/name that user in owner=/);
      }
      for (const one of ids) {
        await expect(store().get(one)).rejects.toThrow(StoreError);
        await expect(store().get(one)).rejects.toThrow(/this server runs as root.* name that user in owner=/);
      }
      chmodSync(folder, 0o755);
      expect(await text(store().get(id))).toBe('user_id|i:7;');
      await expect(store('owner=nobody').get(planted)).rejects.toThrow(FormatError);
    });
  }

  test('is rejected without waiting if it is a link, a FIFO, a folder or a socket', async () => {
    const id = written();
    symlinkSync(file(id), file('link'));
    execFileSync('mkfifo', [file('fifo')]);
    mkdirSync(file('folder'));
    const server = createServer().listen(file('socket'));
    await once(server, 'listening');
    const sessions = store('timeout=5000ms');
    for (const one of ['link', 'fifo', 'folder', 'socket'])
      await expect(sessions.get(one)).rejects.toThrow(FormatError);
    server.close();
  });
});

describe('faults', () => {
  test('explains a folder that does not exist or is not a folder', async () => {
    const gone = storeAt(`file://${folder}/gone`);
    await expect(gone.get('abc')).rejects.toThrow(/gone cannot be read \(ENOENT\): there is no such folder/);
    writeFileSync(join(folder, 'file'), '');
    await expect(storeAt(`file://${folder}/file`).get('abc')).rejects.toThrow(StoreError);
  });

  test('fails all requests while the disk does not answer, later ones at once', async () => {
    const id = written();
    const sessions = store('timeout=100ms');
    const failure = new StoreError(`the disk with the session folder ${folder} did not answer within 100 ms`);
    const answer = hangDisks(folder);
    try {
      const questions = [
        ...[id, 'one', 'two'].map((one) => sessions.get(one)),
        ...[sessions.ttl(id), sessions.touch(id, 1440)],
      ];
      const failures = questions.map((question) => question.catch((error: unknown) => error));
      for (const error of await Promise.all(failures)) expect(error).toEqual(failure);
      const atOnce = new Promise((resolve) => setImmediate(resolve, 'it waits'));
      expect(await Promise.race([sessions.get(id).catch(String), atOnce])).toContain(failure.message);
    } finally {
      await answer();
    }
    await expect.poll(() => orNull(text(sessions.get(id)))).toBe('user_id|i:7;');
  });
});

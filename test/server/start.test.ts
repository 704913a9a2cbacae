import { randomUUID } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openHistory } from '../../server/history/open.ts';
import { size } from '../guarantees/size.ts';
import { againInSoak } from '../helpers/again-in-soak.ts';
import { chatServerHere } from '../helpers/chat-here.ts';
import { chatProgram, type RunningChat, startChatServer } from '../helpers/chat-server.ts';
import { ownPort, startChild } from '../helpers/child.ts';
import { doctorSays } from '../helpers/doctor-says.ts';
import { startMemcached } from '../helpers/memcached.ts';
import { unexpectedFailure } from '../helpers/own-history.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Waits until the log matches. @returns the matching text */
async function said({ output }: RunningChat, pattern: RegExp): Promise<string> {
  await expect.poll(output, { interval: 5 }).toMatch(pattern);
  return pattern.exec(output())?.[0] ?? '';
}

describe('a history that cannot be used', () => {
  const folder = mkdtempSync(join(tmpdir(), 'unusable-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'chat.db');
  const env = { CHAT_SESSION_STORE: 'file:///tmp', CHAT_HISTORY: `sqlite:${path}`, CHAT_FILES: 'off' };
  const ended = async (command: string, args: readonly string[], settings = env) => {
    const own = { PATH: process.env.PATH, CHAT_PORT: '0', ...settings };
    const child = startChild(command, args, { cwd: root, env: own });
    const code = await new Promise<number>((resolve) => child.process.on('close', resolve));
    return { code, output: child.output() };
  };
  const program = chatProgram.slice(0, chatProgram.indexOf('run'));
  const run = (...args: string[]) => ended(process.execPath, [...program, ...args, '--settings=']);

  test('made by another build ends the server with 65, and each check names the cause', async () => {
    await (await openHistory({ kind: 'sqlite', path }, { onFailure: unexpectedFailure })).close();
    const backup = join(folder, 'backup.tar');
    expect(await run('backup', backup, '--without-files')).toMatchObject({ code: 0 });
    const db = new DatabaseSync(path);
    // As the build before a column was added.
    db.exec(
      "ALTER TABLE chat_rooms DROP COLUMN tile_picture; UPDATE chat_migrations SET fingerprint = 'old'",
    );
    const sentence = `The history ${path} cannot be opened: its tables are from another build: install that build,`;
    const started = await run('run');
    expect(started.code).toBe(65);
    expect(started.output).toContain(sentence.slice(1));
    expect(started.output).toContain('the server failed to start');
    const checked = await run('run', '--check');
    expect(checked).toEqual({ code: 1, output: expect.stringContaining(`✗ ${sentence}`) });
    expect(await doctorSays(env)).toContain(`✗ ${sentence}`);
    expect(await run('backup', join(folder, 'no.tar'), '--without-files')).toMatchObject({
      code: 65,
      output: expect.stringContaining('its tables are from another build'),
    });
    // Builds before the fingerprint did not have the table.
    db.exec('DROP TABLE chat_migrations');
    db.close();
    expect(await run('run', '--check')).toEqual(checked);
    // The current build replaces it.
    expect(await run('restore', backup, '--yes', '--without-files')).toMatchObject({ code: 0 });
    expect(await doctorSays(env)).toContain(`✓ The history ${path} can be written.`);
  });

  const losses: [name: string, statement: string, reason: string | RegExp][] = [
    [
      'an index',
      'DROP INDEX chat_users_by_folding',
      'the index chat_users_by_folding is missing, which another program removed: create it by: CREATE INDEX IF NOT EXISTS chat_users_by_folding ON chat_users (folding, id)',
    ],
    [
      'a column',
      'ALTER TABLE chat_rooms DROP COLUMN tile_picture',
      'the column chat_rooms.tile_picture is missing, which another program removed: restore a backup',
    ],
    [
      'a table',
      'DROP TABLE chat_devices',
      /\d+ columns, such as chat_devices\.\w+, are missing, which another program removed: restore a backup/,
    ],
  ];
  // sqlite.test.ts shows that a history without a column is rejected.
  test.each(losses.slice(0, size(3, 1)))(
    'lacks %s, so that the server ends with 65, and each check names it',
    async (_, statement, reason) => {
      const own = join(folder, `${randomUUID()}.db`);
      const ownEnv = { ...env, CHAT_HISTORY: `sqlite:${own}` };
      const runHere = (...args: string[]) =>
        ended(process.execPath, [...program, ...args, '--settings='], ownEnv);
      await (await openHistory({ kind: 'sqlite', path: own }, { onFailure: unexpectedFailure })).close();
      const backup = join(folder, `${randomUUID()}.tar`);
      expect(await runHere('backup', backup, '--without-files')).toMatchObject({ code: 0 });
      const db = new DatabaseSync(own);
      db.exec(statement);
      db.close();
      const says =
        typeof reason === 'string' ? expect.stringContaining(reason) : expect.stringMatching(reason);
      expect(await runHere('run')).toEqual({ code: 65, output: says });
      expect(await runHere('run', '--check')).toEqual({ code: 1, output: says });
      expect(await doctorSays(ownEnv)).toEqual(says);
      expect(await runHere('backup', join(folder, 'no.tar'), '--without-files')).toEqual({
        code: 65,
        output: says,
      });
      expect(await runHere('restore', backup, '--yes', '--without-files')).toMatchObject({ code: 0 });
      expect(await doctorSays(ownEnv)).toContain(`✓ The history ${own} can be written.`);
    },
  );

  test('is damaged, so that the server ends with 65', async () => {
    writeFileSync(path, 'x'.repeat(10_000));
    expect(await run('run')).toEqual({ code: 65, output: expect.stringContaining('is not a database') });
    expect(await doctorSays(env)).toMatch(/✗ The history .* is not a database/);
  });

  test('is outside the folders that the service may write to, so that it ends with 78 and both remedies', async () => {
    const namespaces = process.getuid?.() === 0 ? ['--mount'] : ['--mount', '--user', '--map-root-user'];
    const mount = `mount -t tmpfs -o ro tmpfs ${folder} && exec "$@"`;
    const inside = [...namespaces, 'sh', '-c', mount, 'sh', process.execPath, ...program];
    const { code, output } = await ended('unshare', [...inside, 'run', '--settings=']);
    expect(code).toBe(78);
    expect(output).toMatch(
      /is read-only for this process \(EROFS\).*main, and correct CHAT_HISTORY.*ReadWritePaths=/,
    );
  });
});

describe('settings from a file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'settings-'));
  const file = join(folder, 'settings');
  const start = (...lines: string[]) => {
    writeFileSync(file, [`CHAT_HISTORY=sqlite:${folder}/chat.db`, 'CHAT_PORT=1', ...lines].join('\n'));
    const env = { PATH: process.env.PATH, CHAT_PORT: '0', CHAT_FILES: 'off' };
    const program = [...chatProgram.slice(0, -1), '--settings', file];
    return startChild(process.execPath, program, { cwd: root, env });
  };
  afterAll(() => rmSync(folder, { recursive: true }));

  test('names the line of an invalid setting', async () => {
    const refused = start('CHAT_SESSION_STORE=file:///tmp', 'CHAT_DIRECT=perhaps');
    expect(await new Promise<number>((resolve) => refused.process.on('close', resolve))).toBe(78);
    expect(refused.output()).toContain(`  ${file} line 4: CHAT_DIRECT: "perhaps" is not on or off`);
  });

  test('logs non-default and questionable settings without secrets', async () => {
    const chat = start(
      ...["CHAT_SESSION_STORE='redis://site:geheim@127.0.0.1:1'", 'CHAT_API_KEY=geheim-geheim-geheim'],
      ...['CHAT_SITE=symfony:', 'CHAT_USER_ID=_sf2_attributes._security\\.last_username'],
      ...['CHAT_ORIGINS=https://www.example.org', 'CHAT_STORE=geheim', 'CHAT_HOST=127.0.0.1'],
    );
    await chat.until(/"host":"127\.0\.0\.1","port":(?!1,)/);
    await chat.stop();
    const lines = chat
      .output()
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines.find(({ msg }) => msg === 'settings')?.settings).toMatchObject({
      CHAT_SESSION_STORE: 'redis://site:…@127.0.0.1:1',
      CHAT_API_KEY: '(not shown)',
      CHAT_USER_NAME: '_sf2_attributes._security_main!.2.0.username',
    });
    const wrong = lines.filter(({ msg }) => msg === 'configuration problem found');
    expect(wrong.map(({ hint }) => hint)).toEqual(
      expect.arrayContaining([
        expect.stringContaining('CHAT_TRUSTED_PROXIES=127.0.0.1'),
        expect.stringContaining('Never use it'),
      ]),
    );
    expect(chat.output()).toMatch(
      /"settings":\["CHAT_STORE: .*CHAT_SESSION_STORE"\],"msg":"ignoring unknown settings/,
    );
    expect(chat.output()).not.toContain('geheim');
  });
});

test('runs a single worker thread before the first connection, as each costs 10 MB', async () => {
  const chat = await startChatServer({ CHAT_SESSION_STORE: 'file:///tmp' });
  try {
    // The response comes after the initial reads and sweeps.
    expect((await fetch(`http://127.0.0.1:${chat.port}/healthz`)).ok).toBe(true);
    const threads = readdirSync(`/proc/${chat.pid}/task`).map((thread) =>
      readFileSync(`/proc/${chat.pid}/task/${thread}/comm`, 'utf8').trim(),
    );
    expect(threads.filter((name) => name === 'WorkerThread')).toHaveLength(1);
  } finally {
    await chat.stop();
  }
});

describe('a start with an unreadable session store', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'php-sessions-'));
    new DatabaseSync(join(folder, 'site.db')).close();
    mkdirSync(join(folder, 'public'));
    chmodSync(join(folder, 'public'), 0o1733);
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  /** Returns the reason that a server with this store logs. */
  async function reasonWith(store: string): Promise<string> {
    const chat = await chatServerHere({ CHAT_SESSION_STORE: store });
    try {
      const line = await said(chat, /^.*"msg":"session store unavailable, rejecting connections".*$/m);
      const { level, reason, hint } = JSON.parse(line) as Record<string, string>;
      expect(level).toBe(50);
      expect(hint).toContain('npm run doctor');
      expect(chat.output()).not.toContain('geheim');
      return String(reason);
    } finally {
      await chat.stop();
    }
  }

  test('logs a missing folder, file or table', async () => {
    expect(await reasonWith('file:///nowhere/sessions')).toMatch(
      /\/nowhere\/sessions cannot be read .*no such folder/,
    );
    const table = '?table=sessions&id=id&data=data';
    expect(await reasonWith(`sqlite:${folder}/none.db${table}`)).toMatch(
      /there is no SQLite file .*none\.db/,
    );
    expect(await reasonWith(`sqlite:${folder}/site.db${table}`)).toMatch(
      /the table that table= names does not exist/,
    );
  });

  if (process.getuid?.() === 0) {
    test('logs a missing owner= if root reads a world-writable folder', async () => {
      expect(await reasonWith(`file://${folder}/public`)).toMatch(/runs as root.* name that user in owner=$/);
    });
  }

  againInSoak('logs that one of several memcached servers is down, and its recovery', async () => {
    const other = await startMemcached();
    const port = await ownPort();
    const servers = `127.0.0.1:${other.port},127.0.0.1:${port}`;
    const chat = await chatServerHere({ CHAT_SESSION_STORE: `memcached://${servers}?handler=memcached` });
    try {
      const line = await said(chat, /^.*"msg":"session store unavailable.*$/m);
      expect(line).toContain(`memcached at 127.0.0.1:${port} cannot be reached (ECONNREFUSED)`);
      const started = await startMemcached(port);
      await said(chat, /"msg":"session store available again"/);
      expect(chat.output().match(/session store unavailable/g)).toHaveLength(1);
      await started.stop();
    } finally {
      await chat.stop();
      await other.stop();
    }
  });
});

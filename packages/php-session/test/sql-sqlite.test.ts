import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { hangDisks } from '../../../test/helpers/hung-disks.ts';
import { pdoSite } from '../../../test/helpers/pdo-request.ts';
import { orNull, storeAt, text } from '../../../test/helpers/session-stores.ts';
import { StoreError } from '../src/store.ts';
import { sessionStoreContract } from './contracts/session-store.ts';
import { sqlTableContract } from './contracts/sql-table.ts';

// SQLite uses the local time of the process.
process.env.TZ = 'Asia/Kolkata';

const folder = mkdtempSync(join(tmpdir(), 'sqlite-'));
const path = join(folder, 'site.db');
const away = `${path}-away`;
const site = new DatabaseSync(path);
afterAll(() => {
  site.close();
  rmSync(folder, { recursive: true, force: true });
});

const store = (options: string, file = path) => storeAt(`sqlite:${file}?${options}`);

sessionStoreContract('a table in SQLite', { has: ['keepForever'], proves: [] }, async () => {
  site.exec('CREATE TABLE sessions (id TEXT PRIMARY KEY, data BLOB, expires INTEGER)');
  const php = pdoSite(`'sqlite:${path}'`);
  return {
    url: `sqlite:${path}?table=sessions&id=id&data=data&expires=expires`,
    request: php.request,
    async traces(id) {
      const row = site.prepare('SELECT hex(data) AS held, expires FROM sessions WHERE id = ?').get(id);
      return { held: row?.held, expires: Number(row?.expires) };
    },
    expireIn: (id, seconds) =>
      site.prepare('UPDATE sessions SET expires = unixepoch() + ? WHERE id = ?').run(seconds, id),
    keepForever: (id) => site.prepare('UPDATE sessions SET expires = NULL WHERE id = ?').run(id),
    outage: { begin: async () => renameSync(path, away), end: async () => renameSync(away, path) },
    close: async () => php.end(),
  };
});

sqlTableContract('tables in SQLite', async () => ({
  url: `sqlite:${path}`,
  query: (sql) => site.exec(sql),
  types: { bytes: 'BLOB', binaryId: 'BLOB', datetime: 'DATETIME' },
  literal: (bytes) => `X'${bytes.toString('hex')}'`,
  charset: '',
  caseless: 'COLLATE NOCASE',
  pdo: `'sqlite:${path}'`,
  letRenew() {},
  locks: 'file',
}));

describe('in SQLite only', () => {
  const columns = 'table=one&id=id&data=data';
  const database = (file: string, data: string) => {
    const made = new DatabaseSync(file);
    made.exec(`CREATE TABLE one (id TEXT, data); INSERT INTO one VALUES ('a', ${data})`);
    return made;
  };

  test('returns any byte of a text that PHP stored', async () => {
    const file = join(folder, 'text.db');
    database(file, `CAST(X'610062ff7c' AS TEXT)`).close();
    expect(await store(columns, file).get('a')).toEqual(Buffer.from('610062ff7c', 'hex'));
  });

  test('waits for its timeout without blocking the event loop while a writer locks the file', async () => {
    const file = join(folder, 'locked.db');
    const writer = database(file, `'x'`);
    const sessions = store(`${columns}&timeout=200ms`, file);
    expect(await text(sessions.get('a'))).toBe('x');
    writer.exec('BEGIN EXCLUSIVE');
    await expect(sessions.get('a')).rejects.toThrow(/locked\.db was locked by a writer for 200 ms/);
    // Runs only if the wait does not block the event loop.
    setTimeout(() => writer.exec('COMMIT'), 20);
    expect(await text(store(`${columns}&timeout=9999ms`, file).get('a'))).toBe('x');
    writer.close();
  });

  test('does not wait for a writer in WAL mode', async () => {
    const file = join(folder, 'wal.db');
    const writer = database(file, `'x'`);
    writer.exec('PRAGMA journal_mode = WAL; BEGIN EXCLUSIVE; UPDATE one SET data = NULL');
    const sessions = store(columns, file);
    expect(await text(sessions.get('a'))).toBe('x');
    writer.exec('COMMIT');
    expect(await sessions.get('a')).toEqual(Buffer.alloc(0));
    writer.close();
  });

  test('reports an unfinished write as a failure, without changing it', async () => {
    const [file, left] = [join(folder, 'writing.db'), join(folder, 'left.db')];
    const writer = database(file, `'x'`);
    writer.exec('PRAGMA cache_size = 2; CREATE TABLE more (data); BEGIN');
    for (let n = 0; n < 500; n++) writer.exec('INSERT INTO more VALUES (zeroblob(1000))');
    for (const part of ['', '-journal']) copyFileSync(`${file}${part}`, `${left}${part}`);
    const before = readFileSync(`${left}-journal`);
    await expect(store(columns, left).get('a')).rejects.toThrow(/left\.db cannot be read/);
    expect(readFileSync(`${left}-journal`)).toEqual(before);
    writer.close();
  });

  test('reads a file that replaces the database', async () => {
    const [file, next] = [join(folder, 'first.db'), join(folder, 'next.db')];
    database(file, `'old'`).close();
    database(next, `'new'`).close();
    const sessions = store(columns, file);
    expect(await text(sessions.get('a'))).toBe('old');
    renameSync(next, file);
    expect(await text(sessions.get('a'))).toBe('new');
  });

  test('reports a missing file and a file that is not a database', async () => {
    const file = join(folder, 'none.db');
    await expect(store(columns, file).get('a')).rejects.toThrow(/there is no SQLite file .*none\.db/);
    await expect(store(columns, file).get('a')).rejects.toThrow(StoreError);
    writeFileSync(file, 'x'.repeat(4096));
    await expect(store(columns, file).get('a')).rejects.toThrow(/none\.db is not an SQLite database/);
    await expect(store(columns, folder).get('a')).rejects.toThrow(/cannot be read/);
  });

  test('renews only in an existing file that can be written', async () => {
    const file = join(folder, 'renewed.db');
    const ends = `${columns}&expires=ends`;
    await expect(store(ends, file).touch('a', 60)).rejects.toThrow(/there is no SQLite file .*renewed\.db/);
    expect(existsSync(file)).toBe(false);
    const made = database(file, `'x'`);
    made.exec('ALTER TABLE one ADD ends INTEGER; UPDATE one SET ends = unixepoch() + 60');
    made.close();
    chmodSync(folder, 0o755);
    chmodSync(file, 0o444);
    const module = resolve(import.meta.dirname, '../src/store-url.ts');
    const program = `import { parseStoreUrl } from '${module}';
      const store = parseStoreUrl('sqlite:${file}?${ends}').open();
      await store.touch('a', 900).catch(({ name, message }) => console.log(name, message));
      console.log(String(await store.get('a')));`;
    // For root every file is writable.
    const nobody = process.getuid?.() === 0 ? { uid: 65_534 } : {};
    const output = execFileSync(process.execPath, ['--input-type=module', '-e', program], {
      encoding: 'utf8',
      ...nobody,
    });
    expect(output).toMatch(/^StoreError the SQLite file .*renewed\.db cannot be written to.*\nx\n$/);
    chmodSync(file, 0o644);
    const sessions = store(ends, file);
    await sessions.touch('a', 900);
    expect(await sessions.ttl('a')).toBeGreaterThan(800_000);
  });

  test('fails all requests while the disk does not answer, later ones at once', async () => {
    const file = join(folder, 'hung.db');
    database(file, `'x'`).close();
    const sessions = store(`${columns}&timeout=100ms`, file);
    expect(await text(sessions.get('a'))).toBe('x');
    const answer = hangDisks(folder);
    try {
      for (let n = 0; n < 2; n++) {
        await expect(sessions.get('a')).rejects.toThrow(/hung\.db did not answer within 100 ms/);
      }
      // Without timers, a timeout would not end.
      vi.useFakeTimers({ toFake: ['setTimeout', 'setInterval'] });
      await expect(sessions.get('a')).rejects.toThrow(/did not answer/);
    } finally {
      vi.useRealTimers();
      await answer();
    }
    await expect.poll(() => orNull(text(sessions.get('a')))).toBe('x');
  });
});

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { restoreBackup } from '../../server/backup/restore.ts';
import { tableEntry } from '../../server/backup/tables.ts';
import { run as backup } from '../../server/command/backup.ts';
import { run as importing } from '../../server/command/import.ts';
import { run as restore } from '../../server/command/restore.ts';
import { changeBits } from '../../server/history/history.ts';
import { type HistoryPlace, readHistoryPlace } from '../../server/history/open.ts';
import type { CommandProblem } from '../../server/program/problem.ts';
import { size, soak } from '../guarantees/size.ts';
import { connectChat, newClientId } from '../helpers/chat-client.ts';
import { chatServerHere } from '../helpers/chat-here.ts';
import { historyFolder } from '../helpers/chat-server.ts';
import { type Child, startChild } from '../helpers/child.ts';
import { commandHere } from '../helpers/command-here.ts';
import { origin, upload } from '../helpers/files.ts';
import { forgedRows, forgeries } from '../helpers/forged-backup.ts';
import { type HistoryDatabase, mariadbDatabase, postgresDatabase } from '../helpers/history-database.ts';
import { startMariadb } from '../helpers/mariadb.ts';
import { apiKey, codeOf, type PeopleSite, type Person, say, startPeopleSite } from '../helpers/people.ts';
import { startPostgres } from '../helpers/postgres.ts';
import { startTcpProxy } from '../helpers/tcp-proxy.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const settings = { CHAT_ORIGINS: origin, CHAT_ROOMS: 'lobby,garden', CHAT_FILES_ORPHANS: '1s' };
/** Texts with characters that have a meaning in SQL or JSON. */
const odd = ['two\nlines', 'a\ttab and \\ and \\N and \\.', `'quotes" and ; and ?`, '🌱 ∑ ü', '\\.\nx'];
/** A user with a message in the backup, who is erased later. */
const ben = 'ben-who-will-be-erased';

const engines = [
  {
    name: 'PostgreSQL',
    async start() {
      const server = await startPostgres();
      return { database: () => postgresDatabase(server), stop: () => server.remove() };
    },
    tables: `SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public'`,
    rows: (table: string) => `SELECT t::text AS row FROM ${table} AS t ORDER BY 1`,
    // The restore needs this name for an index of the history.
    prevent: ({ query }: HistoryDatabase) => query('CREATE TABLE chat_files_pkey (id INT)'),
    placing: ['RENAME TO', 'COMMIT'],
  },
  {
    name: 'MariaDB',
    async start() {
      const server = await startMariadb();
      return { database: () => mariadbDatabase(server), stop: () => server.remove() };
    },
    tables: 'SELECT table_name AS name FROM information_schema.tables WHERE table_schema = DATABASE()',
    rows: (table: string) => `SELECT * FROM ${table}`,
    prevent: ({ query, url }: HistoryDatabase) =>
      query(`REVOKE ALTER ON ${new URL(url).pathname.slice(1)}.* FROM site@'%'`),
    placing: ['RENAME TABLE'],
  },
];

describe.each(engines)('backups of $name', ({ name, start, tables, rows, prevent, placing }) => {
  /**
   * Outside the soak run only MariaDB is tested: its restore is not one transaction.
   */
  const it: (title: string, run: () => Promise<void>) => void = size(true, name === 'MariaDB')
    ? test
    : () => {};
  const folder = mkdtempSync(join(tmpdir(), 'backup-'));
  const file = join(folder, 'chat.tar');
  const kept = historyFolder();
  let engine: Awaited<ReturnType<typeof start>>;
  let history: HistoryDatabase;
  let site: PeopleSite;
  let ann: Person;
  let photo: { id: string; name: string };
  let acknowledged: string[] = [];
  let early: Map<string, string>;
  /** A database with a restored history. */
  let before: HistoryDatabase | undefined;

  beforeAll(async () => {
    engine = await start();
    history = await engine.database();
    site = await startPeopleSite({ ...settings, CHAT_HISTORY: history.url, CHAT_FILES: kept.files });
    ann = await site.person();
    for (const room of ['lobby', 'garden']) await ann.request('room:join', { room });
  });
  afterAll(async () => {
    await site.close();
    await before?.close();
    await history.close();
    await engine.stop();
    kept.remove();
    rmSync(folder, { recursive: true });
  });

  const commands = { backup, restore, import: importing };
  const envOf = (url: string, files: string) => ({
    PATH: process.env.PATH,
    CHAT_SESSION_STORE: site.memcached.url,
    CHAT_HISTORY: url,
    CHAT_FILES: files,
  });
  const argsOf = (name: keyof typeof commands, from: string) => [
    from,
    ...(name === 'restore' ? ['--yes'] : []),
    '--settings=',
  ];
  const command = (name: keyof typeof commands, url: string, from = file, files = kept.files) =>
    commandHere(commands[name], argsOf(name, from), envOf(url, files));
  /** Starts a command in a separate process. */
  const startCommand = (name: keyof typeof commands, url: string, env: NodeJS.ProcessEnv = {}): Child =>
    startChild(process.execPath, ['server/command/main.ts', name, ...argsOf(name, file)], {
      cwd: root,
      env: { ...envOf(url, kept.files), ...env },
    });
  /** Module code that sets the clock ahead of the chat servers’ clock. */
  const ahead = encodeURIComponent('const { now } = Date; Date.now = () => now() + 300_000');

  /** Waits until the process ends. */
  async function endOf(child: Child): Promise<{ code: number; said: string }> {
    const code = await new Promise<number>((resolve) => child.process.on('close', resolve));
    return { code, said: child.output() };
  }

  /** Restores in this process. @returns exit code and error message, like those of the command */
  const restoring = async (
    url: string,
    from: string,
    files: string,
  ): Promise<{ code: number; said: string }> => {
    const place = { history: readHistoryPlace(url) as HistoryPlace, files: files.slice('dir:'.length) };
    let ended = { code: 0, said: '' };
    // Until the database has closed the connections of the previous restore, the exit code is 69.
    await expect
      .poll(async () => {
        ended = await restoreBackup(from, place).then(
          () => ({ code: 0, said: '' }),
          ({ code, message }: CommandProblem) => ({ code, said: message }),
        );
        return ended.code;
      })
      .not.toBe(69);
    return ended;
  };

  /** Returns a digest of the rows of each table. */
  async function contents({ query }: HistoryDatabase): Promise<Map<string, string>> {
    const found = new Map<string, string>();
    for (const { name } of await query(tables)) {
      const hash = createHash('sha256');
      for (const row of (await query(rows(name as string))).map((one) => JSON.stringify(one)).sort())
        hash.update(row);
      found.set(name as string, hash.digest('hex'));
    }
    return found;
  }

  /** Expects all acknowledged messages without a gap, the photo, and no temporary tables. */
  async function expectWhole({ query }: HistoryDatabase, files: string): Promise<void> {
    const messages = await query(
      `SELECT seq, text FROM chat_messages JOIN chat_rooms ON chat_rooms.num = chat_messages.room
        WHERE chat_rooms.id = 'lobby' ORDER BY seq`,
    );
    expect(messages.map(({ seq }) => Number(seq))).toEqual(messages.map((_, n) => n + 1));
    const there = new Set(messages.map(({ text }) => text));
    expect([...odd, ...acknowledged].filter((text) => !there.has(text))).toEqual([]);
    expect(readFileSync(join(files.slice('dir:'.length), photo.id.slice(0, 2), photo.id), 'utf8')).toBe(
      'seen on Monday',
    );
    const left = (await query(tables)).map(({ name }) => name as string);
    expect(left.filter((name) => !name.startsWith('chat_'))).toEqual([]);
  }

  /** Checks that a restore completes an erasure that was in progress during the backup. */
  async function erasedMidway(elsewhere: HistoryDatabase, files: string): Promise<void> {
    await elsewhere.query(
      `INSERT INTO chat_erasures (user_id, erases, asked_at, up_to, stage, place) VALUES ('${ben}', 'delete', 1, 0, 'begin', 0)`,
    );
    const midway = join(folder, 'midway.tar');
    expect(await command('backup', elsewhere.url, midway, files)).toMatchObject({ code: 0 });
    expect(await restoring(elsewhere.url, midway, files)).toMatchObject({ code: 0 });
    expect(await elsewhere.holding(ben)).toEqual([]);
  }

  test('restores all messages acknowledged before the backup began into another database', async () => {
    const person = await site.person({}, ben);
    await person.request('room:join', { room: 'garden' });
    await say(person, 'garden', `I am ${ben}`);
    person.close();
    // A busy machine may take longer than CHAT_FILES_ORPHANS to send an uploaded file.
    await expect
      .poll(async () => {
        const to = { room: 'garden', name: 'a.txt' };
        photo = (await upload(site.chat.url, ann.cookie, 'seen on Monday', to)).file;
        const look = { room: 'garden', text: 'look', clientId: newClientId(), files: [{ id: photo.id }] };
        return codeOf(ann, 'message:send', look);
      })
      .toBe('ok');
    // Pretends that another backup runs, so the server keeps the bytes of the deleted file.
    const sign = join(kept.files.slice('dir:'.length), 'backup-of-another-machine');
    writeFileSync(sign, '');
    const dropped = { room: 'garden', name: 'b.txt' };
    const { file: gone } = await upload(site.chat.url, ann.cookie, 'deleted', dropped);
    const { seq } = await say(ann, 'garden', 'look again', { files: [{ id: gone.id }] });
    await ann.request('message:delete', { room: 'garden', seq });
    for (const text of odd) await say(ann, 'lobby', text);
    // A message that one of several servers sent to the others through the change log.
    const pushed = 'pushed to pages';
    await history.query(
      `INSERT INTO chat_changes (num, since, types, changes)
        VALUES (0, ${Date.now()}, ${changeBits.broadcast}, '[{"type":"broadcast","from":"one","what":{"data":"${pushed}"}}]')`,
    );
    let stopped = false;
    const texts: string[] = [];
    const sending = (async () => {
      while (!stopped) {
        const text = `text ${newClientId()}`;
        await say(ann, 'lobby', text);
        texts.push(text);
        await pause(20);
      }
    })();
    await expect.poll(() => texts.length).toBeGreaterThan(5);
    acknowledged = [...texts];
    const made = await (name === 'PostgreSQL'
      ? command('backup', history.url)
      : endOf(
          startCommand('backup', history.url, { NODE_OPTIONS: `--import=data:text/javascript,${ahead}` }),
        ));
    stopped = true;
    await sending;
    rmSync(sign);
    expect(made).toEqual({ code: 0, said: expect.stringMatching(/^✓ Written: .* MB, 1 files\)\n?$/) });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(await history.holding(pushed)).toEqual(['chat_changes']);

    const elsewhere = await engine.database();
    const { files, remove } = historyFolder();
    expect(await restoring(elsewhere.url, file, files)).toEqual({ code: 0, said: '' });
    await expectWhole(elsewhere, files);
    expect(await elsewhere.holding(pushed)).toEqual([]);
    const ends = await elsewhere.query(
      'SELECT DISTINCT position - (SELECT num FROM chat_position) AS n FROM chat_consumers',
    );
    expect(ends.map(({ n }) => Number(n))).toEqual([0]);

    if (name === 'PostgreSQL') await erasedMidway(elsewhere, files);
    await elsewhere.close();
    remove();
  });

  const storedAt = (files: string, id: string) => join(files.slice('dir:'.length), id.slice(0, 2), id);
  /** Creates a file that no history lists. */
  function unknownIn(files: string): string {
    const path = storedAt(files, 'ab'.repeat(16));
    mkdirSync(join(path, '..'), { recursive: true });
    writeFileSync(path, '');
    return path;
  }

  it('keeps the existing files if the restored tables cannot be renamed', async () => {
    const elsewhere = await engine.database();
    const { files, remove } = historyFolder();
    const before = unknownIn(files);
    await prevent(elsewhere);
    const refused = await restoring(elsewhere.url, file, files);
    expect(refused).toEqual({ code: 74, said: expect.stringMatching(/^nothing was restored: /) });
    expect([existsSync(before), existsSync(storedAt(files, photo.id))]).toEqual([true, false]);
    await elsewhere.close();
    remove();
  });

  const portOf = ({ url }: HistoryDatabase) => /(?<=:)\d+(?=\/)/.exec(url)?.[0] ?? '';

  it('keeps the restored files for the next attempt if the last statement gets no response', async () => {
    const elsewhere = await engine.database();
    const left = [...placing];
    const line = await startTcpProxy(
      Number(portOf(elsewhere)),
      (piece, client) => (left.length === 0 ? client.destroy() : client.write(piece)),
      (sent) => {
        if (left[0] !== undefined && sent.includes(left[0])) left.shift();
      },
    );
    const { files, remove } = historyFolder();
    const cut = elsewhere.url.replace(`:${portOf(elsewhere)}/`, `:${line.port}/`);
    expect(await restoring(cut, file, files)).toEqual({
      code: 74,
      said: expect.stringMatching(/^it is unknown whether the backup was restored: run this again: /),
    });
    expect(existsSync(storedAt(files, photo.id))).toBe(true);
    await line.close();
    expect(await restoring(elsewhere.url, file, files)).toEqual({ code: 0, said: '' });
    await expectWhole(elsewhere, files);
    remove();
    before = elsewhere;
  });

  // PostgreSQL removes the old tables in the same transaction.
  if (name === 'MariaDB') {
    it('succeeds if the connection breaks after renaming, and cleans up at the next restore', async () => {
      const elsewhere = before as HistoryDatabase;
      const port = portOf(elsewhere);
      let [isRenamed, isLost] = [false, false];
      const line = await startTcpProxy(
        Number(port),
        (piece, client) => {
          if (isLost) client.destroy();
          else client.write(piece);
          isRenamed &&= !isLost;
          isLost = false;
        },
        (sent) => {
          isLost = isRenamed;
          isRenamed ||= sent.includes('RENAME TABLE');
        },
      );
      const { files, remove } = historyFolder();
      const unknown = unknownIn(files);
      const cut = elsewhere.url.replace(`:${port}/`, `:${line.port}/`);
      expect(await restoring(cut, file, files)).toEqual({ code: 0, said: '' });
      expect([existsSync(unknown), existsSync(storedAt(files, photo.id))]).toEqual([false, true]);
      const names = (await elsewhere.query(tables)).map(({ name }) => name);
      expect(names).toContain('replaced_chat_files');
      expect(await restoring(elsewhere.url, file, files)).toEqual({ code: 0, said: '' });
      await expectWhole(elsewhere, files);
      await line.close();
      remove();
    });
  }

  it('rejects a forged backup', async () => {
    const elsewhere = await engine.database();
    const { files, remove } = historyFolder();
    const forged = join(folder, 'forged.tar');
    for (const [which, change] of size(forgeries, forgeries.slice(0, 1)).entries()) {
      await forgedRows(file, forged, 'chat_messages', change);
      const { code } = await restoring(elsewhere.url, forged, files);
      expect([which, code]).toEqual([which, 65]);
    }
    expect(await elsewhere.query(tables)).toEqual([]);
    remove();
    await elsewhere.close();
  });

  it('rejects a restore or an import while a server uses the history', async () => {
    const refused = {
      code: 69,
      said: expect.stringMatching(/^this history is in use: stop every server of the chat first/),
    };
    expect(await command('restore', history.url)).toEqual(refused);
    const lines = join(folder, 'lines.jsonl');
    writeFileSync(lines, '');
    // The import is also rejected while the server holds no lease of a change-log consumer.
    await history.query('UPDATE chat_consumers SET held_until = 0');
    expect(await command('import', history.url, lines)).toEqual(refused);
  });

  it('leaves the history unchanged if the backup is damaged or the restore is killed', async () => {
    expect((await site.api('DELETE', `/users/${ben}?messages=delete`)).status).toBe(202);
    await expect.poll(async () => (await site.api('GET', `/users/${ben}`)).status).toBe(404);
    await site.chat.stop();
    early = await contents(history);
    const whole = readFileSync(file);
    const wrong = join(folder, 'wrong.tar');
    const flipped = Buffer.from(whole);
    const at = whole.indexOf(tableEntry('chat_messages')) + 1024;
    flipped.writeUInt8(flipped.readUInt8(at) ^ 1, at);
    for (const bytes of [flipped, whole.subarray(0, -512)]) {
      writeFileSync(wrong, bytes);
      const refused = {
        code: 65,
        said: expect.stringMatching(/is not a complete backup: .*Current data is unchanged/),
      };
      expect(await restoring(history.url, wrong, kept.files)).toEqual(refused);
    }

    const killed = startCommand('restore', history.url);
    await expect
      .poll(async () => (await history.query(tables)).map(({ name }) => name))
      .toContain('restoring_chat_messages');
    await killed.stop('SIGKILL');
    const now = await contents(history);
    expect([...early].filter(([name, rowsOfIt]) => now.get(name) !== rowsOfIt)).toEqual([]);
  });

  it('erases users again who were erased after the backup', async () => {
    const lobbyNow = async () =>
      (await history.query(`SELECT head, reset_rev FROM chat_rooms WHERE id = 'lobby'`))[0];
    const lost = await lobbyNow();
    const { said, code } = await command('restore', history.url);
    expect([code, said]).toEqual([0, expect.stringMatching(/^✓ Restored: /)]);
    await expectWhole(history, kept.files);
    expect(await history.holding(ben)).toEqual([]);
    const sum = 'SELECT (SELECT count(*) FROM chat_due) + (SELECT count(*) FROM chat_webhooks) AS n';
    expect((await history.query(sum)).map(({ n }) => Number(n))).toEqual([0]);
    // Numbers are never reused, so a client cannot mistake new messages for lost ones that it has read.
    const expectLater = async (than: unknown) => {
      const lobby = await lobbyNow();
      expect(Number(lobby?.reset_rev)).toBeGreaterThan(Number(than));
      expect(Number(lobby?.head)).toBeGreaterThan(Number(than));
    };
    await expectLater(lost?.head);
    // backup.test.ts shows the rest on SQLite.
    if (!soak) return;
    const again = await chatServerHere({
      ...settings,
      CHAT_API_KEY: apiKey,
      CHAT_SESSION_STORE: site.memcached.url,
      CHAT_HISTORY: history.url,
      CHAT_FILES: kept.files,
    });
    const back = await connectChat(again.url, ann.cookie);
    const text = acknowledged.at(-1) as string;
    await expect
      .poll(
        async () => (await back.request('message:search', { query: text.split(' ')[1] as string })).messages,
      )
      .toContainEqual(expect.objectContaining({ text }));
    const joined = await back.request('room:join', { room: 'lobby', since: 1 });
    expect(joined).toMatchObject({ reset: true });
    const clientId = newClientId();
    const { message } = await back.request('message:send', { room: 'lobby', text: 'and on', clientId });
    expect(message.seq).toBe(joined.room.lastSeq + 1);
    const { room: read } = await back.request('room:join', { room: 'lobby' });
    back.close();
    // An erasure by the restore does not block later erasures by the server.
    const cid = 'cid-who-comes-later';
    const later = await connectChat(again.url, await site.rawSession(`{"user_id":"${cid}"}`));
    later.close();
    const headers = { authorization: `Bearer ${apiKey}` };
    const asked = await fetch(`${again.url}/api/users/${cid}`, { method: 'DELETE', headers });
    expect(asked.ok).toBe(true);
    await expect
      .poll(async () => (await fetch(`${again.url}/api/users/${cid}`, { headers })).status)
      .toBe(404);
    await again.stop();
    expect(await command('restore', history.url)).toMatchObject({ code: 0 });
    await expectLater(read.head);
    expect(existsSync(join(kept.files.slice('dir:'.length), 'restoring'))).toBe(false);
  });
});

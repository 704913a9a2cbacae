/**
 * Moves a history of a million messages from SQLite to PostgreSQL, MariaDB and a new file, while a user sends 20
 * messages a second: duration, pause, memory and differences.
 * Run: npm run bench move
 */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { openSnapshotOf } from '../server/backup/backup.ts';
import { RowsDigest } from '../server/history/engine/portable.ts';
import { openSqliteHistory } from '../server/history/sqlite/sqlite.ts';
import { type ChatClient, connectChat } from '../test/helpers/chat-client.ts';
import { historyFolder, startChatServer } from '../test/helpers/chat-server.ts';
import { ownPort, startChild } from '../test/helpers/child.ts';
import { mariadbDatabase, postgresDatabase } from '../test/helpers/history-database.ts';
import { startMariadb } from '../test/helpers/mariadb.ts';
import { startMemcached } from '../test/helpers/memcached.ts';
import { placeOf } from '../test/helpers/portable-history.ts';
import { startPostgres } from '../test/helpers/postgres.ts';

const total = Number(process.env.MESSAGES ?? 1_000_000);
const users = Number(process.env.USERS ?? 100_000);
const files = Number(process.env.FILES ?? 20_000);
const rooms = 1000;
const messagesPerSecond = 20;

const root = fileURLToPath(new URL('..', import.meta.url));

/** Fills a new file. Room 1 is the lobby, to which the user sends. */
async function fill(path: string): Promise<void> {
  const onFailure = (error: Error) => {
    throw error;
  };
  const history = await openSqliteHistory({ path, onFailure });
  await history.write.putRoom({ id: 'lobby', kind: 'public', name: 'Lobby', at: 0 });
  await history.close();
  const db = new DatabaseSync(path);
  // The indexes have to fit into memory.
  db.exec('PRAGMA synchronous = OFF; PRAGMA journal_mode = OFF; PRAGMA cache_size = -1000000; BEGIN');
  const add = (table: string, columns: string) =>
    db.prepare(`INSERT INTO ${table} (${columns}) VALUES (${columns.replace(/\w+/g, '?')})`);
  const room = add('chat_rooms', 'num, id, kind, name, head, last_seq, access, members, created_at');
  const day = add('chat_days', 'room, day, sent');
  const perRoom = Math.ceil(total / rooms);
  for (let n = 2; n <= rooms + 1; n++) {
    room.run(n, `room-${n}`, 'private', `Room ${n}`, perRoom, perRoom, 0, 100, 0);
    day.run(n, 20_000, perRoom);
  }
  const user = add('chat_users', 'id, name, acted_public');
  const key = add('chat_user_keys', 'find_key, user_id');
  const member = add('chat_members', 'user_id, room, sources, role, read_seq, acted, since, sort');
  for (let n = 0; n < users; n++) {
    user.run(`user-${n}`, `User ${n}`, 0);
    key.run(`user ${n}`, `user-${n}`);
    for (let k = 0; k < 3; k++)
      member.run(`user-${n}`, 2 + ((n * 7 + k * 331) % rooms), 2, 'member', n % perRoom, 0, 0, `user ${n}`);
  }
  const message = add(
    'chat_messages',
    'room, seq, rev, id, client_id, user_id, user_name, text, sent_at, digest',
  );
  const reaction = add('chat_reactions', 'room, seq, emoji, user_id, place');
  const mention = add('chat_mentions', 'room, user_id, seq');
  const file = add('chat_files', 'id, room, user_id, seq, state, at, about, stored, size');
  for (let n = 0; n < total; n++) {
    // Rooms take turns, as in a chat.
    const [num, seq, by] = [2 + (n % rooms), 1 + Math.floor(n / rooms), `user-${(n * 13) % users}`];
    const text = `message ${n} about ${(n * 7919) % 99_991} and ${(n * 104_729) % 1_299_709}, ${'with some more words '.repeat(n % 6)}`;
    message.run(num, seq, seq, `id-${n}`, `c-${n}`, by, `User ${(n * 13) % users}`, text, n, 'd'.repeat(64));
    if (n % 10 === 0) reaction.run(num, seq, '👍', `user-${n % users}`, 1);
    if (n % 20 === 0) mention.run(num, `user-${(n * 3) % users}`, seq);
    if (n % Math.ceil(total / files) === 0)
      file.run(`file-${n}`, num, by, seq, 1, n, '{"name":"a.jpg"}', `file-${n}`, 1_000_000);
  }
  db.exec('COMMIT');
  db.close();
}

/** Sends messages to the lobby, and repeats those without an ack, as the browser client does. */
class Sender {
  readonly #url: string;
  readonly acks: { clientId: string; at: number }[] = [];
  readonly #unsent = new Set<string>();
  #client: ChatClient | undefined;
  #isOver = false;
  readonly #ended: Promise<unknown>;

  constructor(url: string) {
    this.#url = url;
    this.#ended = Promise.all([this.#connect(), this.#write()]);
  }

  async #connect(): Promise<void> {
    while (!this.#isOver) {
      try {
        const client = await connectChat(this.#url, 'PHPSESSID=ann');
        await client.request('room:join', { room: 'lobby' });
        this.#client = client;
        for (const clientId of this.#unsent) void this.#send(client, clientId);
        await client.disconnected;
        this.#client = undefined;
      } catch {
        // The server is not there.
      }
      await pause(200);
    }
    this.#client?.close();
  }

  async #write(): Promise<void> {
    while (!this.#isOver) {
      const clientId = randomUUID();
      this.#unsent.add(clientId);
      if (this.#client !== undefined) void this.#send(this.#client, clientId);
      await pause(1000 / messagesPerSecond);
    }
  }

  async #send(client: ChatClient, clientId: string): Promise<void> {
    try {
      await client.request('message:send', { room: 'lobby', clientId, text: clientId });
      if (this.#unsent.delete(clientId)) this.acks.push({ clientId, at: performance.now() });
    } catch {
      // Repeated after the next connection.
    }
  }

  /** Resolves after the next ack. */
  async acked(): Promise<void> {
    const { length } = this.acks;
    while (this.acks.length === length) await pause(10);
  }

  /** The longest time without an ack after `since`, in seconds. */
  longestPause(since: number): number {
    const times = this.acks.map(({ at }) => at).filter((at) => at >= since);
    return Math.max(...times.slice(1).map((at, n) => at - (times[n] as number))) / 1000;
  }

  async close(): Promise<void> {
    while (this.#unsent.size > 0) await pause(10);
    this.#isOver = true;
    this.#client?.close();
    await this.#ended;
  }
}

/** Returns the highest memory of a process so far, in MB. */
function peakMemory(pid: number): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0) / 1000;
  } catch {
    return 0;
  }
}

/** The rows that no server changes: their number and digest by table. */
async function unchangedRows(url: string): Promise<Map<string, string>> {
  const snapshot = await openSnapshotOf(placeOf({ url }));
  const found = new Map<string, string>();
  for (const table of ['chat_messages', 'chat_reactions', 'chat_mentions', 'chat_members', 'chat_files']) {
    const digest = new RowsDigest();
    const room = snapshot.columns.get(table)?.indexOf('room') ?? -1;
    for await (const rows of snapshot.rows(table))
      for (const row of rows) if (row[room] !== 1) digest.add(JSON.stringify(row));
    found.set(table, `${digest.rows} ${digest.sha256}`);
  }
  snapshot.close();
  return found;
}

const memcached = await startMemcached();
await memcached.set('sessions/ann', JSON.stringify({ user_id: 'ann', firstname: 'Ann' }));
const postgres = await startPostgres(['shared_buffers=256MB', 'autovacuum=on', 'fsync=on']);
const mariadb = await startMariadb(['--innodb-buffer-pool-size=512M', '--innodb-flush-log-at-trx-commit=1']);
const first = historyFolder();
const last = historyFolder();
const places = [
  ['SQLite', first.url],
  ['PostgreSQL', (await postgresDatabase(postgres)).url],
  ['MariaDB', (await mariadbDatabase(mariadb)).url],
  ['SQLite', last.url],
] as const;

console.log(`creating a history of ${total} messages, ${users} users and ${files} files`);
await fill(first.path);
const port = await ownPort();
const start = (history: string) =>
  startChatServer({ CHAT_SESSION_STORE: memcached.url, CHAT_HISTORY: history, CHAT_PORT: `${port}` });
let server = await start(first.url);
const sender = new Sender(server.url);
await sender.acked();

console.log(
  '| from | to | rows | copied and compared | rows a second | memory | changes followed after the stop in | pause |\n| --- | --- | --- | --- | --- | --- | --- | --- |',
);
for (const [n, [to, url]] of places.slice(1).entries()) {
  const [from, old] = places[n] as (typeof places)[number];
  const began = performance.now();
  const move = startChild(process.execPath, ['server/command/main.ts', 'move', '--to', url, '--settings='], {
    cwd: root,
    env: { PATH: process.env.PATH, CHAT_HISTORY: old },
  });
  let memory = 0;
  const watching = setInterval(() => {
    memory = Math.max(memory, peakMemory(move.pid));
  }, 100);
  await move.until(/All rows are copied and compared/);
  const copyMs = performance.now() - began;
  const since = performance.now();
  await server.stop();
  const stopped = performance.now();
  const [, rows = ''] = await move.until(/✓ Copied and compared: (\d+) rows/);
  const followMs = performance.now() - stopped;
  clearInterval(watching);
  server = await start(url);
  await sender.acked();
  const perSecond = Math.round(Number(rows) / (copyMs / 1000));
  console.log(
    `| ${from} | ${to} | ${rows} | ${(copyMs / 1000).toFixed(0)} s | ${perSecond} | ${memory.toFixed(0)} MB | ${(followMs / 1000).toFixed(1)} s | ${sender.longestPause(since - 1000).toFixed(1)} s |`,
  );
}
await sender.close();
await server.stop();
const db = new DatabaseSync(last.path, { readOnly: true });
const stored = db
  .prepare('SELECT text FROM chat_messages WHERE room = 1')
  .all()
  .map(({ text }) => text as string);
db.close();
const lost = sender.acks.filter(({ clientId }) => !stored.includes(clientId)).length;
const [before, after] = [await unchangedRows(first.url), await unchangedRows(last.url)];
const differing = [...before]
  .filter(([table, digest]) => after.get(table) !== digest)
  .map(([table]) => table);
console.log(
  `\n${sender.acks.length} messages were sent: ${lost} lost, ${stored.length - new Set(stored).size} stored twice. Tables with other rows than at first: ${differing.join(', ') || 'none'}.`,
);
if (lost > 0 || stored.length !== sender.acks.length || differing.length > 0) process.exitCode = 1;
for (const folder of [first, last]) folder.remove();
await Promise.all([memcached.stop(), postgres.remove(), mariadb.remove()]);

import { copyFileSync, cpSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';
import type { Renewal } from '../../../server/history/engine/background.ts';
import { catalogues, shapeAfter } from '../../../server/history/engine/shape.ts';
import { indexOf, isIndexed } from '../../../server/history/engine/sqlite/index-state.ts';
import { migrate } from '../../../server/history/engine/sqlite/migrations.ts';
import { migrationsFolder, ownMigrations } from '../../../server/history/migrations.ts';
import { openSqliteHistory } from '../../../server/history/sqlite/sqlite.ts';
import { runFor } from '../../../server/limits/requester.ts';
import { historyContract } from '../../contracts/history.ts';
import { openTestedFile } from '../../contracts/history-sqlite.ts';
import { size } from '../../guarantees/size.ts';
import { againInSoak } from '../../helpers/again-in-soak.ts';
import { emptyHistory } from '../../helpers/chat-server.ts';
import { expectSearches, otherTexts, searchedTexts } from '../../helpers/searched-texts.ts';

const folders: { remove(): void }[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) folder.remove();
});

/** Creates the file of an empty history. */
async function newFile(): Promise<string> {
  const folder = await emptyHistory();
  folders.push(folder);
  return folder.path;
}

const open = (
  path: string,
  onBatch?: (batch: { messages: number }) => void,
  onRenewal?: (is: Renewal) => unknown,
) =>
  openSqliteHistory({
    path,
    onFailure: (error) => {
      throw error;
    },
    onBatch,
    onRenewal,
  });

historyContract('SQLite', async () => openTestedFile(await emptyHistory()));

/** Waits until the search index covers the whole history. */
const indexed = (path: string) => expect.poll(() => isIndexed(path)).toBe(true);

const message = (clientId: string) => ({
  room: 'lobby',
  clientId,
  user: { id: '1', name: 'Ann' },
  text: 'hello',
  sentAt: 0,
  asMember: false,
});
const lobby = { rooms: [{ id: 'lobby', name: 'lobby' }], at: 0 };

test('refuses reads that waited too long for others', async () => {
  const history = await open(await newFile());
  const user = { id: '1', name: 'Ann' };
  await history.write.createRoom({
    ...{ id: 'lobby', kind: 'public', name: 'Lobby', by: user, clientId: 'room', most: 0, at: 1 },
  });
  const sent = { room: 'lobby', user, text: 'x'.repeat(1000), sentAt: 1, asMember: false };
  for (let n = 0; n < 50; n++) await history.write.send({ ...sent, clientId: `c${n}` });
  const page = () => history.read.newest({ room: 'lobby', upTo: 50, limit: 50 });
  const others = Array.from({ length: 100 }, (_, n) => runFor(`other ${n}`, page));
  const late = await Promise.allSettled(
    Array.from({ length: 100 }, () => runFor('one', page, performance.now())),
  );
  const refused = late.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []));
  expect(refused).not.toEqual([]);
  for (const reason of refused)
    expect(reason).toMatchObject({ code: 'rate_limited', retryAfterMs: expect.any(Number) });
  expect(await Promise.all(others)).toHaveLength(100);
  await history.close();
});

test('batches concurrent sends into transactions of at most 1,000 messages', async () => {
  const batches: number[] = [];
  const history = await open(await newFile(), ({ messages }) => batches.push(messages));
  await history.write.publicRooms(lobby);
  await Promise.all(Array.from({ length: 2500 }, (_, i) => history.write.send(message(`c${i}`))));
  expect(batches.reduce((sum, size) => sum + size, 0)).toBe(2500);
  expect(Math.max(...batches)).toBe(1000);
  expect(batches.length).toBeLessThan(100);
  await history.close();
});

test('keeps entries in the change log until their consumer has processed them', async () => {
  const path = await newFile();
  const history = await open(path);
  const db = new DatabaseSync(path, { timeout: 5000 });
  const count = () => db.prepare('SELECT count(*) AS n FROM chat_changes').get()?.n;
  await history.write.publicRooms(lobby);
  await history.write.send(message('a'));
  expect(count()).toBe(0);
  const as = { name: 'some', by: 'one', types: ['message'] as const, lease: 1000, most: 100 };
  const consume = async (done?: number) => {
    const answer = await history.write.consume({ ...as, done });
    if ('leasedForMs' in answer) throw new Error('another server has the lease');
    return answer;
  };
  await consume();
  for (const id of ['b', 'c', 'd']) await history.write.send(message(id));
  // The consumer does not take this type.
  await history.write.block({ user: '1', other: '2', blocked: true, at: 0 });
  expect(count()).toBe(3);
  const { upTo } = await consume();
  await consume(upTo);
  expect(count()).toBe(1);
  for (const id of ['e', 'f', 'g']) await history.write.send(message(id));
  db.prepare('DELETE FROM chat_changes WHERE num <= ?').run(upTo + 2);
  expect(await consume(upTo)).toMatchObject({ entries: [{ num: upTo + 3 }], skipped: 2 });
  expect(await consume()).toMatchObject({ entries: [{ num: upTo + 3 }], skipped: 0 });
  db.close();
  await history.close();
});

test('keeps cached rows after a mention of an unknown user', async () => {
  const path = await newFile();
  const history = await open(path);
  await history.write.publicRooms(lobby);
  const sendMention = (clientId: string, user: string) =>
    history.write.send({ ...message(clientId), mentions: [{ user, start: 0, length: 1 }] });
  await history.write.send({ ...message('a'), user: { id: '2', name: 'Ben' } });
  // Sent twice, because the first message stores its author, and a new user clears the cache.
  for (const clientId of ['b', 'c']) await sendMention(clientId, '2');
  // Only a read of the row finds this name.
  const db = new DatabaseSync(path, { timeout: 5000 });
  db.exec("UPDATE chat_users SET name = 'Read' WHERE id = '2'");
  db.close();
  await sendMention('d', 'unknown');
  const sent = await sendMention('e', '2');
  expect(sent.message.mentions).toMatchObject([{ user: '2', name: 'Ben' }]);
  await history.close();
});

describe('the search index', () => {
  /** Creates a closed and indexed history with this message. */
  async function closedHistory(text: string): Promise<string> {
    const path = await newFile();
    const history = await open(path);
    await history.write.publicRooms(lobby);
    await history.write.send({ ...message('a'), text });
    await indexed(path);
    await history.close();
    return path;
  }
  function inIndex<T>(path: string, ask: (db: DatabaseSync) => T): T {
    const db = new DatabaseSync(`${path}-search`, { timeout: 5000 });
    try {
      return ask(db);
    } finally {
      db.close();
    }
  }
  const termsIn = (path: string) => inIndex(path, (db) => db.prepare('SELECT * FROM terms').all());

  test('is rebuilt at the start if it belongs to another history of the same size', async () => {
    const path = await closedHistory('hello');
    const right = termsIn(path);
    copyFileSync(`${await closedHistory('hello from elsewhere')}-search`, `${path}-search`);
    expect(termsIn(path)).not.toEqual(right);
    const history = await open(path);
    await expect.poll(() => termsIn(path)).toEqual(right);
    await history.close();
  });

  test('is rebuilt at the start if it has another format', async () => {
    const path = await closedHistory('hello');
    const right = termsIn(path);
    inIndex(path, (db) => db.exec('DROP TABLE terms; CREATE VIRTUAL TABLE pairs USING fts5(room, text)'));
    const history = await open(path);
    await indexed(path);
    expect(termsIn(path)).toEqual(right);
    await history.close();
  });

  againInSoak('is kept and continued over many starts if it fits the history', async () => {
    const path = await closedHistory('hello');
    inIndex(path, (db) => db.exec(`INSERT INTO terms VALUES (0, 0, 0, 1)`));
    for (let start = 0; start < 2; start++) await (await open(path)).close();
    const history = await open(path);
    await history.write.send(message('b'));
    await indexed(path);
    await history.close();
    expect(termsIn(path)).toContainEqual({ room: 0, term: 0, block: 0, messages: 1 });
  });
});

test('finds exactly the messages of a restored backup', async () => {
  const path = await newFile();
  const history = await open(path);
  const user = { id: '1', name: 'Ann' };
  await history.write.publicRooms({ rooms: [...lobby.rooms, { id: 'den', name: 'den' }], at: 0 });
  await history.write.join({ room: 'lobby', user, at: 0 });
  const sent = [1, 2, 3].map((n) => ({ ...message(`c${n}`), text: `word ${n}` }));
  for (const input of [...sent, { ...message('c4'), room: 'den', text: 'word 4' }])
    await history.write.send(input);
  await indexed(path);
  const db = new DatabaseSync(path);
  db.exec(`VACUUM INTO '${path}-backup'`);
  db.close();
  const change = { room: 'lobby', user: user.id, at: 0 };
  await history.write.delete({ ...change, seq: 1, moderator: false });
  await history.write.edit({ ...change, seq: 2, text: 'another text' });
  await history.write.deleteRoom({ room: 'den' });
  await indexed(path);
  await history.close();
  for (const rest of ['-wal', '-shm']) rmSync(`${path}${rest}`, { force: true });
  copyFileSync(`${path}-backup`, path);
  const restored = await open(path);
  const find = async (query: string) =>
    (await restored.read.search({ query, rooms: [], everyPublic: true, limit: 9 })).messages.map(
      ({ text }) => text,
    );
  expect(await find('word')).toEqual(['word 4', 'word 3', 'word 2', 'word 1']);
  expect(await find('another')).toEqual([]);
  await restored.close();
});

test('stores a digest key, and digests of messages with 64 characters', async () => {
  const path = await newFile();
  const history = await open(path);
  await history.write.publicRooms(lobby);
  await history.write.send(message('a'));
  await history.close();
  const db = new DatabaseSync(path);
  expect(db.prepare('SELECT length(digest) AS n FROM chat_digest_key').get()).toEqual({ n: 64 });
  expect(db.prepare('SELECT length(digest) AS n FROM chat_messages').get()).toEqual({ n: 64 });
  db.close();
});

test('reuses the message number of a failed transaction', async () => {
  const path = await newFile();
  const history = await open(path);
  await history.write.publicRooms(lobby);
  await history.write.send(message('c1'));
  const db = new DatabaseSync(path);
  const refused = "BEFORE INSERT ON chat_messages BEGIN SELECT raise(ABORT, 'refused'); END";
  db.exec(`CREATE TRIGGER refusal ${refused}`);
  await expect(history.write.send(message('c2'))).rejects.toMatchObject({ code: 'storage_unavailable' });
  db.exec('DROP TRIGGER refusal');
  db.close();
  const { message: next } = await history.write.send(message('c3'));
  expect(next).toMatchObject({ seq: 2, rev: 2 });
  expect((await history.read.room({ room: 'lobby' }))?.lastSeq).toBe(2);
  await history.close();
});

test('rejects a file that is not a database', async () => {
  const path = await newFile();
  writeFileSync(path, 'this is not a database, whatever its name says. '.repeat(100));
  await expect(open(path)).rejects.toThrow(/not a database/);
});

test('knows every column and index that its migrations make', async () => {
  const path = await newFile();
  await (await open(path)).close();
  const db = new DatabaseSync(path, { readOnly: true });
  const rows = db.prepare(catalogues.SQLite.text).all();
  db.close();
  const { columns, indexes } = shapeAfter(ownMigrations('SQLite'));
  // Not those of the search index, which SQLite makes.
  const own = rows.filter(({ name }) => !/^(sqlite_|chat_migrations$|\w+_search(_|$))/.test(String(name)));
  const names = (isColumn: boolean) =>
    own
      .filter(({ field }) => (field !== null) === isColumn)
      .map(({ name, field }) => (isColumn ? `${name}.${field}` : name));
  expect(names(true).sort()).toEqual([...columns].sort());
  expect(names(false).sort()).toEqual([...indexes.keys()].sort());
});

test('rejects a file without a column, also while a server runs', async () => {
  const path = await newFile();
  const history = await open(path);
  expect(await history.read.hasWholeTables(null)).toBe(true);
  const db = new DatabaseSync(path, { timeout: 5000 });
  db.exec('ALTER TABLE chat_rooms DROP COLUMN tile_picture');
  db.close();
  expect(await history.read.hasWholeTables(null)).toBe(false);
  await history.close();
  await expect(open(path)).rejects.toThrow(/the column chat_rooms\.tile_picture is missing/);
});

test('runs a migration of a later version once and keeps the data', async () => {
  const path = await newFile();
  const history = await open(path);
  await history.write.publicRooms(lobby);
  await history.write.send(message('a'));
  await history.close();
  const folder = mkdtempSync(join(tmpdir(), 'migrations-'));
  folders.push({ remove: () => rmSync(folder, { recursive: true }) });
  cpSync(migrationsFolder, folder, { recursive: true });
  const statements = [
    'ALTER TABLE chat_rooms ADD COLUMN added CHARS(16);',
    'CREATE TABLE elsewhere (num INT); -- PostgreSQL, MariaDB',
    "UPDATE chat_rooms SET added = 'red'; -- SQLite",
  ];
  const known = readdirSync(folder).length;
  const next = `${String(known + 1).padStart(3, '0')}-next.sql`;
  writeFileSync(join(folder, next), `-- needs: 1\n${statements.join('\n')}\n`);
  const db = new DatabaseSync(path);
  for (let start = 0; start < 2; start++) migrate(db, { folder: pathToFileURL(`${folder}/`) });
  expect(db.prepare('SELECT id, added FROM chat_rooms').all()).toEqual([{ id: 'lobby', added: 'red' }]);
  expect(db.prepare('SELECT text FROM chat_messages').all()).toEqual([{ text: 'hello' }]);
  expect(db.prepare("SELECT 1 FROM sqlite_master WHERE name = 'elsewhere'").get()).toBeUndefined();
  db.close();
  await expect(open(path)).rejects.toThrow(
    `newer version (format ${known + 1}, this version knows ${known})`,
  );
});

test('finds folded texts and users in a history of an earlier version', async () => {
  const path = await newFile();
  let history = await open(path);
  await history.write.publicRooms(lobby);
  for (const [text] of [...searchedTexts, ...otherTexts])
    await history.write.send({ ...message(text), text });
  const jose = { id: 'j', name: 'José' };
  await history.write.arrive({ user: jose, at: 0 });
  await history.write.putRoom({ id: 'den', name: 'den', kind: 'private', at: 0 });
  await history.write.addMembers({ room: 'den', users: [jose], source: 'api', mayReturn: true, at: 0 });
  await indexed(path);
  const finds = () => expectSearches(history, 'lobby');
  const findUsers = async (query: string) =>
    (await history.read.findUsers({ user: 'x', query, onlyShared: false, limit: 9 })).map(({ id }) => id);
  await finds();
  for (const change of ['UPDATE state SET folding = 0', 'ALTER TABLE state DROP COLUMN folding']) {
    await history.close();
    // What an earlier version stored: an index without the folded terms, and keys with accents.
    const index = new DatabaseSync(indexOf(path));
    index.exec(`DELETE FROM terms; DELETE FROM block_terms; ${change}`);
    index.close();
    const db = new DatabaseSync(path);
    db.exec(`UPDATE chat_users SET folding = 0; UPDATE chat_members SET sort = 'josé' WHERE user_id = 'j';
      UPDATE chat_user_keys SET find_key = 'josé' WHERE find_key = 'jose'`);
    const renewals: Renewal[] = [];
    history = await open(path, undefined, (is) => renewals.push(is));
    await finds();
    expect(await findUsers('José')).toEqual(['j']);
    await indexed(path);
    await expect.poll(() => renewals).toEqual(['begins', 'ends']);
    await finds();
    const { users } = await history.write.renewKeys({ most: 9 });
    expect(users).toBe(Number(db.prepare('SELECT count(*) AS n FROM chat_users').get()?.n));
    expect(await history.write.renewKeys({ most: 9 })).toEqual({ users: 0 });
    expect([await findUsers('jose'), await findUsers('José')]).toEqual([['j'], ['j']]);
    expect(db.prepare("SELECT sort FROM chat_members WHERE user_id = 'j'").all()).toEqual([{ sort: 'jose' }]);
    db.close();
  }
  await history.close();
});

test('reports that the index is renewed, also after a restart during the renewal', async () => {
  const path = await newFile();
  let history = await open(path);
  await history.write.publicRooms(lobby);
  await Promise.all(Array.from({ length: 600 }, (_, n) => history.write.send(message(`m${n}`))));
  await indexed(path);
  await history.close();
  const index = new DatabaseSync(indexOf(path));
  index.exec('DELETE FROM terms; DELETE FROM block_terms; UPDATE state SET message = 1');
  index.close();
  const renewals: Renewal[] = [];
  history = await open(path, undefined, (is) => renewals.push(is));
  await expect.poll(() => renewals).toEqual(['begins', 'ends']);
  await history.close();
});

againInSoak('finds all matches page by page, before and after indexing', async () => {
  const path = await newFile();
  const history = await open(path);
  const rooms = Array.from({ length: 9 }, (_, n) => `room-${n}`);
  for (const room of rooms) await history.write.putRoom({ id: room, name: room, kind: 'private', at: 0 });
  const textById = new Map<string, string>();
  const send = async (n: number) => {
    // The first room has so many messages that its index has two groups of blocks.
    const room = rooms[n % 5 === 0 ? n % 9 : 0] as string;
    const text = `${n % 7 === 0 ? 'needle' : 'eedlen'} ${n}${n === 3 ? ' once' : ''}`;
    const sent = { ...message(`c${n}`), room, text };
    const { id, seq } = (await history.write.send(sent)).message;
    textById.set(id, text);
    if (n % 50 !== 0) return;
    const change = { room, seq, user: '1', at: 0 };
    await history.write.addMembers({
      room,
      users: [{ id: '1', name: 'Ann' }],
      source: 'api',
      mayReturn: true,
      at: 0,
    });
    if (n % 100 === 0) await history.write.delete({ ...change, moderator: false });
    else await history.write.edit({ ...change, text: `edited ${text}` });
    textById.set(id, n % 100 === 0 ? '' : `edited ${text}`);
  };
  const count = size(9000, 2000);
  for (let n = 0; n < count; n += 1000)
    await Promise.all(Array.from({ length: 1000 }, (_, k) => send(n + k)));
  const found = async (query: string, limit: number) => {
    const texts: string[] = [];
    for (let from: string | undefined, more = true; more; ) {
      const page = await history.read.search({
        query,
        rooms: rooms.slice(0, 6),
        everyPublic: false,
        limit,
        from: from || undefined,
      });
      texts.push(...page.messages.map(({ id }) => id));
      from = page.next;
      more = from !== undefined;
    }
    return texts;
  };
  const readable = await Promise.all(
    rooms.slice(0, 6).map(async (room) => {
      const ids: string[] = [];
      for (let after = 0, complete = false; !complete; ) {
        const page = await history.read.after({ room, after, upTo: 1e9, limit: 500 });
        ids.push(...page.messages.map(({ id }) => id));
        complete = page.complete;
        after = page.messages.at(-1)?.seq ?? 1e9;
      }
      return ids;
    }),
  );
  const expected = (query: string) => readable.flat().filter((id) => textById.get(id)?.includes(query));
  for (const state of ['before', 'after']) {
    if (state === 'after') await indexed(path);
    for (const [query, limit] of [
      ['needle', 50],
      ['once', 1],
      ['edited', 7],
      ['e', 50],
      ['nobody says this', 50],
    ] as const) {
      const ids = await found(query, limit);
      expect([state, query, new Set(ids)]).toEqual([state, query, new Set(expected(query))]);
      expect([state, query, ids.length]).toEqual([state, query, new Set(ids).size]);
    }
  }
  await history.close();
});

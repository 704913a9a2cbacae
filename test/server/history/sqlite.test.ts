import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, describe, expect, test } from 'vitest';
import { openSqliteHistory } from '../../../server/history/sqlite/sqlite.ts';
import { historyContract } from '../../contracts/history.ts';
import { emptyHistory, historyFolder } from '../../helpers/chat-server.ts';

const folders: { remove(): void }[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) folder.remove();
});

function newFile(): string {
  const folder = historyFolder();
  folders.push(folder);
  return folder.path;
}

const open = (path: string, onBatch?: (batch: { messages: number }) => void) =>
  openSqliteHistory({
    path,
    onFailure: (error) => {
      throw error;
    },
    ...(onBatch === undefined ? {} : { onBatch }),
  });

historyContract('SQLite', async () => {
  const folder = await emptyHistory();
  folders.push(folder);
  const { path } = folder;
  let history = await open(path);
  return {
    history,
    async reopen() {
      await history.close();
      history = await open(path);
      return history;
    },
  };
});

const message = (clientId: string) => ({
  room: 'lobby',
  clientId,
  user: { id: '1', name: 'Ann' },
  text: 'hello',
  sentAt: 0,
  asMember: false,
});
const lobby = { rooms: [{ id: 'lobby', name: 'lobby' }], at: 0 };

test('many senders share a transaction', async () => {
  const batches: number[] = [];
  const history = await open(newFile(), ({ messages }) => batches.push(messages));
  await history.write('publicRooms', lobby);
  await Promise.all(Array.from({ length: 500 }, (_, i) => history.write('send', message(`c${i}`))));
  expect(batches.reduce((sum, size) => sum + size, 0)).toBe(500);
  expect(batches.length).toBeLessThan(100);
  await history.close();
});

test('of 2,500 sends at once at most 1,000 share a transaction', async () => {
  const batches: number[] = [];
  const history = await open(newFile(), ({ messages }) => batches.push(messages));
  await history.write('publicRooms', lobby);
  await Promise.all(Array.from({ length: 2500 }, (_, i) => history.write('send', message(`c${i}`))));
  expect(batches.reduce((sum, size) => sum + size, 0)).toBe(2500);
  expect(Math.max(...batches)).toBe(1000);
  await history.close();
});

describe('an index for searching that does not fit is made anew at the start, without a search', () => {
  /** A history that is closed and indexed, with this message in it. */
  async function closedHistory(text?: string): Promise<string> {
    const path = newFile();
    const history = await open(path);
    await history.write('publicRooms', lobby);
    if (text !== undefined) await history.write('send', { ...message('a'), text });
    // It waits until the index has followed.
    await history.read('search', { query: 'hello', rooms: [], everyPublic: true, limit: 1 });
    await history.close();
    return path;
  }
  function inIndex<T>(path: string, ask: (db: DatabaseSync) => T): T {
    const db = new DatabaseSync(`${path}-search`);
    try {
      return ask(db);
    } finally {
      db.close();
    }
  }
  const stateOf = (path: string) => inIndex(path, (db) => db.prepare('SELECT message, id FROM state').get());

  test.each([
    ['of another history with as many messages', 'hello'],
    ['of another history, beside an empty one', undefined],
  ])('%s', async (_, text) => {
    const path = await closedHistory(text);
    const right = stateOf(path);
    copyFileSync(`${await closedHistory('hello from elsewhere')}-search`, `${path}-search`);
    expect(stateOf(path)).not.toEqual(right);
    const history = await open(path);
    await expect.poll(() => stateOf(path), { timeout: 5000 }).toEqual(right);
    await history.close();
  });

  test('of another form', async () => {
    const path = await closedHistory('hello');
    const form = (db: DatabaseSync) =>
      db.prepare(`SELECT sql FROM sqlite_master WHERE name = 'pairs'`).get()?.sql;
    const right = inIndex(path, form);
    inIndex(path, (db) => db.exec('DROP TABLE pairs; CREATE VIRTUAL TABLE pairs USING fts5(room, text)'));
    const history = await open(path);
    await expect.poll(() => inIndex(path, form), { timeout: 5000 }).toBe(right);
    await history.close();
  });
});

test('a deleted text cannot be read from the digest without its key', async () => {
  const path = newFile();
  const history = await open(path);
  await history.write('publicRooms', lobby);
  await history.write('send', message('a'));
  await history.close();
  const db = new DatabaseSync(path);
  expect(db.prepare('SELECT length(key) AS n FROM digest_key').get()).toEqual({ n: 32 });
  expect(db.prepare('SELECT length(digest) AS n FROM messages').get()).toEqual({ n: 32 });
  db.close();
});

test('a file that is no database is told at the start', async () => {
  const path = newFile();
  writeFileSync(path, 'this is not a database, whatever its name says. '.repeat(100));
  await expect(open(path)).rejects.toThrow(/not a database/);
});

test('a history of a newer version is left alone', async () => {
  const path = newFile();
  const db = new DatabaseSync(path);
  db.exec('PRAGMA user_version = 999');
  db.close();
  await expect(open(path)).rejects.toThrow(/newer version/);
});

test('a history of version 0.1 is taken over: rooms, messages, who has read what', async () => {
  const path = newFile();
  const db = new DatabaseSync(path);
  db.exec(
    readFileSync(
      new URL('../../../server/history/sqlite/migrations/001-messages.sql', import.meta.url),
      'utf8',
    ),
  );
  db.exec(`
    PRAGMA user_version = 1;
    INSERT INTO rooms VALUES ('lobby', 'lobby', 'public', 3, 3), ('empty', 'empty', 'public', 0, 0);
    INSERT INTO members VALUES ('1', 'lobby', 3), ('2', 'lobby', 1), ('3', 'empty', 0);
    INSERT INTO messages VALUES
      ('lobby', 1, 1, 'm1', 'c1', '1', 'Zoë', 'first words', 1000, NULL, x'01'),
      ('lobby', 2, 2, 'm2', 'c2', '1', 'Zoë Adams', 'a reply', 2000, 1, x'02'),
      ('lobby', 3, 3, 'm3', 'c1', '4', 'Left', '你好', 3000, NULL, x'03');
  `);
  db.close();
  const history = await open(path);
  const { messages } = await history.read('newest', { room: 'lobby', upTo: 3, limit: 10 });
  expect(messages).toEqual([
    {
      id: 'm1',
      room: 'lobby',
      seq: 1,
      rev: 1,
      clientId: 'c1',
      user: { id: '1', name: 'Zoë' },
      text: 'first words',
      sentAt: 1000,
    },
    {
      id: 'm2',
      room: 'lobby',
      seq: 2,
      rev: 2,
      clientId: 'c2',
      user: { id: '1', name: 'Zoë Adams' },
      text: 'a reply',
      sentAt: 2000,
      replyTo: 1,
    },
    {
      id: 'm3',
      room: 'lobby',
      seq: 3,
      rev: 3,
      clientId: 'c1',
      user: { id: '4', name: 'Left' },
      text: '你好',
      sentAt: 3000,
    },
  ]);
  expect(await history.read('user', { user: '2' })).toMatchObject({
    user: { id: '2', name: '2', actedPublic: true },
    memberships: [
      {
        room: { id: 'lobby', head: 3, lastSeq: 3, members: 2 },
        member: { readSeq: 1, role: 'member', sources: 4 },
      },
    ],
  });
  const found = await history.read('findUsers', { user: 'x', query: 'ADAMS', onlyShared: false, limit: 5 });
  expect(found).toMatchObject([{ id: '1', name: 'Zoë Adams' }]);
  const search = await history.read('search', {
    query: '好',
    rooms: ['lobby'],
    everyPublic: false,
    limit: 5,
  });
  expect(search.messages).toMatchObject([{ seq: 3 }]);
  expect((await history.write('send', message('new'))).message).toMatchObject({ seq: 4, rev: 4 });
  await history.close();
});

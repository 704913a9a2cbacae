import { writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, expect, test } from 'vitest';
import { openSqliteHistory } from '../../../server/history/sqlite/sqlite.ts';
import { historyContract } from '../../contracts/history.ts';
import { historyFolder } from '../../helpers/chat-server.ts';

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
  const path = newFile();
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
});

test('many senders share a transaction', async () => {
  const batches: number[] = [];
  const history = await open(newFile(), ({ messages }) => batches.push(messages));
  await history.createRooms(['lobby']);
  await Promise.all(Array.from({ length: 500 }, (_, i) => history.append(message(`c${i}`))));
  expect(batches.reduce((sum, size) => sum + size, 0)).toBe(500);
  expect(batches.length).toBeLessThan(100);
  await history.close();
});

test('a deleted text cannot be read from the digest without its key', async () => {
  const path = newFile();
  const history = await open(path);
  await history.createRooms(['lobby']);
  await history.append(message('a'));
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

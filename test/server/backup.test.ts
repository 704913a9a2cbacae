import { createHash } from 'node:crypto';
import {
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readArchive } from '../../server/backup/archive.ts';
import { makeBackup } from '../../server/backup/backup.ts';
import { entries } from '../../server/backup/manifest.ts';
import { restoreBackup } from '../../server/backup/restore.ts';
import { tableEntry } from '../../server/backup/tables.ts';
import { run as backup } from '../../server/command/backup.ts';
import { run as restore } from '../../server/command/restore.ts';
import { isCopied, keepFiles } from '../../server/files/copied.ts';
import { openSqliteHistory } from '../../server/history/sqlite/sqlite.ts';
import type { CommandProblem } from '../../server/program/problem.ts';
import { size } from '../guarantees/size.ts';
import { connectChat, newClientId } from '../helpers/chat-client.ts';
import { chatServerHere } from '../helpers/chat-here.ts';
import { historyFolder } from '../helpers/chat-server.ts';
import { startChild } from '../helpers/child.ts';
import { commandHere } from '../helpers/command-here.ts';
import { faultyDisk } from '../helpers/faulty-disk.ts';
import { download, origin, upload } from '../helpers/files.ts';
import { forgedBackup, forgedRows, forgeries } from '../helpers/forged-backup.ts';
import { type PeopleSite, type Person, say, startPeopleSite } from '../helpers/people.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const settings = { CHAT_ORIGINS: origin, CHAT_ROOMS: 'lobby,garden', CHAT_FILES_ORPHANS: '1s' };
const kept = historyFolder();
const folder = mkdtempSync(join(tmpdir(), 'backup-'));
const file = join(folder, 'chat.tar');
let site: PeopleSite;
let ann: Person;
/** A backup from before `ben` and `photo` existed. */
const early = join(folder, 'early.tar');
/** A user with a message in the backup, who is erased later. */
const ben = 'ben-who-will-be-erased';
/** A file that was attached to a message in the garden before the backup. */
let photo: { id: string; name: string };
/** The texts of all messages that were acknowledged before the backup began. */
let acknowledged: string[];
/** What the command of the backup returned, and the files that it left. */
let made: Awaited<ReturnType<typeof commandProcess>>;
let written: string[];

beforeAll(async () => {
  site = await startPeopleSite({ ...settings, CHAT_HISTORY: kept.url, CHAT_FILES: kept.files });
  ann = await site.person();
  for (const room of ['lobby', 'garden']) await ann.request('room:join', { room });
  expect(await command('backup', kept, early)).toMatchObject({ code: 0 });
  const person = await site.person({}, ben);
  await person.request('room:join', { room: 'garden' });
  await say(person, 'garden', `I am ${ben}`);
  person.close();
  const added = await upload(site.chat.url, ann.cookie, 'seen on Monday', { room: 'garden', name: 'a.txt' });
  photo = added.file;
  await say(ann, 'garden', 'look', { files: [{ id: photo.id }] });
  const { texts, flowing, stop } = stream();
  await flowing;
  acknowledged = [...texts];
  made = await commandProcess('backup', kept);
  await stop();
  written = readdirSync(folder);
});
afterAll(async () => {
  await site.close();
  kept.remove();
  rmSync(folder, { recursive: true });
});

type Kept = ReturnType<typeof historyFolder>;

const commands = { backup, restore };
const argsOf = (name: keyof typeof commands, from: string, words = name === 'restore' ? ['--yes'] : []) => [
  from,
  ...words,
  '--settings=',
];
const envOf = ({ url, files }: Pick<Kept, 'url' | 'files'>) => ({
  PATH: process.env.PATH,
  CHAT_HISTORY: url,
  CHAT_FILES: files,
});
const command = (
  name: keyof typeof commands,
  kept: Pick<Kept, 'url' | 'files'>,
  from = file,
  env: NodeJS.ProcessEnv = {},
  words?: string[],
) => commandHere(commands[name], argsOf(name, from, words), { ...envOf(kept), ...env });
/** Runs a command like `command`, in a separate process. */
async function commandProcess(name: keyof typeof commands, kept: Kept, env: NodeJS.ProcessEnv = {}) {
  const child = startChild(process.execPath, ['server/command/main.ts', name, ...argsOf(name, file)], {
    cwd: root,
    env: { ...envOf(kept), ...env },
  });
  const code = await new Promise<number>((resolve) => child.process.on('close', resolve));
  return { code, said: child.output() };
}

/** Sends messages to the lobby one after the other. @returns the acknowledged texts, and when there are some */
function stream() {
  const texts: string[] = [];
  const flowing = Promise.withResolvers<void>();
  let stopped = false;
  const send = async () => {
    while (!stopped) {
      const text = `text ${newClientId()}`;
      await say(ann, 'lobby', text);
      texts.push(text);
      if (texts.length > 20) flowing.resolve();
      await pause(5);
    }
  };
  const sending = send();
  sending.catch(flowing.reject);
  return {
    texts,
    flowing: flowing.promise,
    async stop() {
      stopped = true;
      await sending;
    },
  };
}

const digestsIn = (path: string) =>
  Object.fromEntries(
    readdirSync(path, { recursive: true, encoding: 'utf8' })
      .sort()
      .filter((name) => statSync(join(path, name)).isFile())
      // These files contain no data, or can be rebuilt.
      .filter((name) => !/-(lock|reserve|search)$/.test(name))
      .map((name) => [
        name,
        createHash('sha256')
          .update(readFileSync(join(path, name)))
          .digest('hex'),
      ]),
  );
const dataOf = ({ path, files }: Kept) => ({
  history: { kind: 'sqlite' as const, path },
  files: files.slice('dir:'.length),
});
const folderOf = ({ path }: Kept) => join(path, '..');

/** Expects the history of the backup, with all of these messages and the photo. */
function expectRestored({ path, files }: Kept, texts: readonly string[]): void {
  const db = new DatabaseSync(path, { readOnly: true });
  expect(db.prepare('PRAGMA integrity_check').get()).toEqual({ integrity_check: 'ok' });
  const rows = db
    .prepare(
      `SELECT seq, text FROM chat_messages JOIN chat_rooms ON chat_rooms.num = room WHERE chat_rooms.id = 'lobby' ORDER BY seq`,
    )
    .all();
  db.close();
  expect(rows.map(({ seq }) => seq)).toEqual(rows.map((_, n) => n + 1));
  const there = new Set(rows.map(({ text }) => text));
  expect(texts.filter((text) => !there.has(text))).toEqual([]);
  expect(readFileSync(join(files.slice('dir:'.length), photo.id.slice(0, 2), photo.id), 'utf8')).toBe(
    'seen on Monday',
  );
}

test('contains all messages acknowledged before the backup began, with their files', async () => {
  expect(made).toEqual({ code: 0, said: expect.stringMatching(/^✓ Written: .* MB, 1 files\)\n$/) });
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(written).toEqual(['chat.tar', 'early.tar']);
  expect(await command('backup', kept)).toEqual({
    code: 74,
    said: `${file} already exists: choose another file`,
  });
  const other = historyFolder();
  expect(await command('restore', other)).toEqual({ code: 0, said: expect.stringMatching(/^✓ Restored: /) });
  expectRestored(other, acknowledged);
  other.remove();
});

test.runIf(process.getuid?.() === 0)(
  'rejects a restore by root into a folder that belongs to another account',
  async () => {
    const other = historyFolder();
    const at = dirname(other.path);
    chownSync(at, 12_345, 12_345);
    expect(await command('restore', other)).toEqual({
      code: 78,
      said: `${at} belongs to another account (12345): restore as that account`,
    });
    expect(readdirSync(at)).toEqual([]);
    other.remove();
  },
);

test('rejects a second backup to a file that another one is writing, and continues after a killed one', async () => {
  const to = join(folder, 'twice.tar');
  const data = { history: { kind: 'sqlite', path: kept.path }, files: undefined } as const;
  // A killed backup leaves such a folder.
  mkdirSync(`${to}.partial`);
  writeFileSync(`${to}.partial/backup`, 'a part');
  let second: Promise<unknown> | undefined;
  await makeBackup(data, to, () => {
    second ??= makeBackup(data, to).catch(({ message }: Error) => message);
  });
  for await (const { bytes } of readArchive(to)) for await (const _ of bytes);
  expect(await second).toBe(`another backup is writing ${to}: wait for its end`);
  expect(readdirSync(folder).filter((name) => name.startsWith('twice'))).toEqual(['twice.tar']);
});

test('names a backup that this account may not read', async () => {
  const closed = join(folder, 'closed');
  mkdirSync(closed, { mode: 0o000 });
  const from = join(closed, 'chat.tar');
  const isRoot = process.geteuid?.() === 0;
  // Root may read everything. The file is checked before the first `await`.
  if (isRoot) process.seteuid?.(65_534);
  try {
    const restoring = command('restore', kept, from);
    if (isRoot) process.seteuid?.(0);
    expect(await restoring).toEqual({
      code: 65,
      said: `${from} cannot be read (EACCES): let this account read it and enter its folders`,
    });
  } finally {
    if (isRoot) process.seteuid?.(0);
    rmdirSync(closed);
  }
});

test('makes clients read from the start after each restore of the same backup', async () => {
  const to = historyFolder();
  try {
    // The room `newer` is not in the backup.
    const rooms = ['lobby', 'newer'];
    const heads = new Map(rooms.map((room) => [room, 1]));
    for (const texts of [3, 5]) {
      expect(await command('restore', to)).toMatchObject({ code: 0 });
      const restored = await chatServerHere({
        ...settings,
        CHAT_ROOMS: rooms.join(','),
        CHAT_SESSION_STORE: site.memcached.url,
        CHAT_HISTORY: to.url,
        CHAT_FILES: to.files,
      });
      const client = await connectChat(restored.url, ann.cookie);
      for (const [room, since] of heads) {
        await client.request('room:join', { room });
        for (let n = 0; n < texts; n++)
          await client.request('message:send', { room, text: `lost ${n}`, clientId: newClientId() });
        const joined = await client.request('room:join', { room, since });
        expect(joined).toMatchObject({ reset: true, room: { id: room } });
        heads.set(room, joined.room.head);
      }
      client.close();
      await restored.stop();
    }
  } finally {
    to.remove();
  }
});

test('rejects a restore into the history of a running server', async () => {
  // Like in a container that also runs the server.
  const store = join(folder, 'store');
  writeFileSync(store, site.memcached.url);
  expect(await command('restore', kept, file, { CHAT_SESSION_STORE_FILE: store })).toEqual({
    code: 69,
    said: 'a chat server is using this history: stop it first',
  });
});

test('requires --yes to replace the files of another history, and keeps them with --without-files', async () => {
  const { file: later } = await upload(site.chat.url, ann.cookie, 'on Tuesday', { room: 'garden' });
  await say(ann, 'garden', 'look', { files: [{ id: later.id }] });
  const trial = { ...historyFolder(), files: kept.files };
  try {
    const { code, said } = await command('restore', trial, file, {}, []);
    expect([code, said]).toEqual([64, expect.stringContaining('add --yes to restore without it')]);
    expect(said).toContain(kept.files.slice('dir:'.length));
    expect(existsSync(trial.path)).toBe(false);
    const without = await command('restore', trial, file, { CHAT_FILES: 'off' });
    expect(without).toMatchObject({ code: 78, said: expect.stringContaining('--without-files') });
    expect(await command('restore', trial, file, {}, ['--without-files'])).toMatchObject({ code: 0 });
    expectRestored(trial, acknowledged.slice(0, 1));
    expect(await (await download(site.chat.url, ann.cookie, later)).text()).toBe('on Tuesday');
    expect(existsSync(join(kept.files.slice('dir:'.length), 'restoring'))).toBe(false);
  } finally {
    rmSync(folderOf(trial), { recursive: true });
  }
});

test('keeps files while one of two backups with the same process ID is still running', async () => {
  const files = mkdtempSync(join(folder, 'files-'));
  const [one, other] = [await keepFiles(files), await keepFiles(files)];
  await one();
  expect(await isCopied(files)).toBe(true);
  await other();
  expect(await isCopied(files)).toBe(false);
});

test('treats a killed backup as ended, even if its clock was ahead', async () => {
  const files = mkdtempSync(join(folder, 'files-'));
  const end = await keepFiles(files);
  const [sign] = readdirSync(files);
  for (const hours of [-1, 1]) {
    const at = new Date(Date.now() + hours * 60 * 60_000);
    utimesSync(join(files, sign as string), at, at);
    expect(await isCopied(files)).toBe(false);
  }
  await end();
});

test('keeps files of deleted messages while a backup runs', async () => {
  const { file: doomed } = await upload(site.chat.url, ann.cookie, 'in a hurry', { room: 'garden' });
  const { seq } = await say(ann, 'garden', 'look', { files: [{ id: doomed.id }] });
  const files = kept.files.slice('dir:'.length);
  const sign = join(files, 'backup-1');
  writeFileSync(sign, '');
  await ann.request('message:delete', { room: 'garden', seq });
  // Files are swept one after the other, and this one after the deleted message’s file.
  const { file: later } = await upload(site.chat.url, ann.cookie, 'unused', { room: 'garden' });
  const db = new DatabaseSync(kept.path, { readOnly: true });
  const stateOf = db.prepare('SELECT state FROM chat_files WHERE id = ?');
  await expect.poll(() => stateOf.get(later.id)?.state).toBe(2);
  const place = join(files, doomed.id.slice(0, 2), doomed.id);
  expect([stateOf.get(doomed.id)?.state, existsSync(place)]).toEqual([2, true]);
  db.close();
  rmSync(sign);
  await expect.poll(() => existsSync(place)).toBe(false);
});

test('rejects a damaged, foreign or newer backup before changing anything', async () => {
  const other = historyFolder();
  await restoreBackup(file, dataOf(other));
  const before = digestsIn(folderOf(other));
  const whole = readFileSync(file);
  const { length } = whole;
  const flipped = (at: number) => {
    const bytes = Buffer.from(whole);
    bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
    return bytes;
  };
  const manifest = whole.toString('latin1', 512, 1024);
  const withManifest = (text: string) =>
    Buffer.concat([whole.subarray(0, 512), Buffer.from(text, 'latin1'), whole.subarray(1024)]);
  const damaged: [Buffer, RegExp][] = [
    [whole.subarray(0, length - 512), /is not a complete backup: it is truncated/],
    [whole.subarray(0, Math.floor(length / 2)), /it is truncated/],
    [Buffer.concat([whole, Buffer.alloc(512)]), /it continues after its end/],
    // Inside a header, inside the history, and at the end.
    ...[100, Math.floor(length / 2), length - 1].map((at): [Buffer, RegExp] => [
      flipped(at),
      /is not a complete backup: /,
    ]),
    [Buffer.from('SQLite format 3\0'.padEnd(2048)), /one of its headers is damaged/],
    [Buffer.alloc(0), /it is truncated/],
    [withManifest(manifest.replace('"format":3', '"format":4')), /a newer version made this backup/],
    [withManifest(manifest.replace('"format":3', '"format":2')), /an older build made this backup/],
    [
      withManifest(manifest.replace(/"tables":"./, '"tables":"x')),
      /another build, with other tables, made this backup/,
    ],
    [
      withManifest(manifest.replace(/\{.*\}/s, (all) => 'null'.padEnd(all.length))),
      /its manifest is damaged/,
    ],
    [withManifest(manifest.replace(/"migrations":\d+/, '"migrations":99')), /a newer version/],
  ];
  const wrong = join(folder, 'wrong.tar');
  for (const [bytes, expected] of damaged) {
    writeFileSync(wrong, bytes);
    const refused = await restoreBackup(wrong, dataOf(other)).catch((error: CommandProblem) => error);
    expect(refused).toMatchObject({ code: 65, message: expect.stringMatching(expected) });
    expect(refused).toMatchObject({ message: expect.stringContaining('Current data is unchanged') });
  }
  expect(digestsIn(folderOf(other))).toEqual(before);
  const { code, said } = await command('restore', other, wrong);
  expect([code, said]).toEqual([65, expect.stringMatching(/newer version/)]);
  other.remove();
});

test('rejects a forged backup', async () => {
  const other = historyFolder();
  await restoreBackup(file, dataOf(other));
  const before = digestsIn(folderOf(other));
  const forged = join(folder, 'forged.tar');
  const expectRejected = async (which: unknown) => {
    const refused = await restoreBackup(forged, dataOf(other)).catch((error: CommandProblem) => error);
    expect([which, refused]).toEqual([which, expect.objectContaining({ code: 65 })]);
  };
  for (const [which, change] of forgeries.entries()) {
    await forgedRows(file, forged, 'chat_messages', change);
    await expectRejected(which);
  }
  const [rooms, notes] = ['rooms', 'notes'].map((name) => tableEntry(`chat_${name}`));
  for (const changed of [undefined, notes]) {
    await forgedBackup(file, forged, (name, content) => {
      const to = name === rooms ? changed : name;
      return to === undefined ? to : [to, content];
    });
    await expectRejected(changed);
  }
  await forgedBackup(file, forged, (name, content) => [name, name === rooms ? Buffer.from('rows') : content]);
  await expectRejected('not compressed');
  // Later than any `Date`.
  await forgedBackup(file, forged, (name, content) =>
    name === entries.manifest
      ? [name, Buffer.from(content.toString().replace(/"made":\d+/, '"made":9007199254740991'))]
      : [name, content],
  );
  await expectRejected('made too late');
  const twice = await upload(site.chat.url, ann.cookie, 'twice', { room: 'garden' });
  await say(ann, 'garden', 'look', { files: [{ id: twice.file.id }] });
  const withTwo = join(folder, 'two-files.tar');
  expect(await command('backup', kept, withTwo)).toMatchObject({ code: 0 });
  await forgedBackup(withTwo, forged, (name, content) =>
    name.startsWith(entries.files) ? [entries.files + photo.id, content] : [name, content],
  );
  await expectRejected('a file twice');
  expect(digestsIn(folderOf(other))).toEqual(before);
  other.remove();
});

test('continues or rolls back a killed restore at the next call', async () => {
  const disk = faultyDisk(false);
  const older = historyFolder();
  await restoreBackup(early, dataOf(older));
  // A server that was killed leaves this file behind.
  writeFileSync(`${older.path}-wal`, 'of the older history');
  const before = digestsIn(folderOf(older));
  const copyOfOlder = () => {
    const copy = historyFolder();
    cpSync(folderOf(older), folderOf(copy), { recursive: true });
    return copy;
  };
  const once = copyOfOlder();
  expect(await commandProcess('restore', once, disk.env)).toMatchObject({ code: 0 });
  once.remove();
  const calls = disk.calls();
  const isRename = (call: string) => call.startsWith('rename at ');
  // The first rename begins the restore and the last one completes it. Those between move the files.
  const [begins, ends] = [calls.findIndex(isRename), calls.findLastIndex(isRename)];
  const middle = calls.findIndex((call, at) => at > begins && isRename(call));
  const places = size([begins, begins + 3, middle, ends, calls.length - 1], [begins, middle, ends]);
  expect(new Set([begins, middle, ends]).size).toBe(3);
  expect(Math.min(...places)).toBeGreaterThan(0);
  for (const place of places) {
    const other = copyOfOlder();
    disk.fail(place + 1, 'killed');
    await commandProcess('restore', other, disk.env);
    expect([place, disk.failed()?.trim()]).toEqual([place, expect.stringMatching(/ at /)]);
    if (place <= begins) expect(digestsIn(folderOf(other))).toMatchObject(before);
    else if (place <= ends) {
      const onFailure = () => {};
      await expect(openSqliteHistory({ path: other.path, onFailure })).rejects.toThrow(
        'a restore was interrupted',
      );
    }
    await restoreBackup(file, dataOf(other));
    expectRestored(other, acknowledged);
    expect(readdirSync(folderOf(other)).sort()).toEqual(['chat.db', 'chat.db-lock', 'files']);
    other.remove();
  }
  older.remove();
  disk.close();
});

test('erases users again who were erased after the backup', async () => {
  const { file: unknown } = await upload(site.chat.url, ann.cookie, 'after it', { room: 'garden' });
  const known = 1;
  expect((await site.api('DELETE', `/users/${ben}?messages=delete`)).status).toBe(202);
  await expect.poll(async () => (await site.api('GET', `/users/${ben}`)).status).toBe(404);
  await site.chat.stop();
  // As if the clock had been set back since the backup.
  const list = `${kept.path}-erased`;
  const before = (at: string) => String(Number(at) - 24 * 60 * 60_000);
  writeFileSync(list, readFileSync(list, 'utf8').replace(/^\d+/gm, before));
  expect(await command('restore', kept)).toMatchObject({ code: 0 });
  for (const name of readdirSync(folderOf(kept)).filter((one) => !one.startsWith('files')))
    expect([name, readFileSync(join(folderOf(kept), name), 'latin1').includes(ben)]).toEqual([name, false]);
  expect(existsSync(join(kept.files.slice('dir:'.length), unknown.id.slice(0, 2), unknown.id))).toBe(false);
  const db = new DatabaseSync(kept.path, { readOnly: true });
  const waiting = db.prepare(
    'SELECT (SELECT count(*) FROM chat_due) + (SELECT count(*) FROM chat_webhooks) AS n',
  );
  expect(waiting.get()).toEqual({ n: 0 });
  db.close();
  const again = await chatServerHere({
    ...settings,
    CHAT_SESSION_STORE: site.memcached.url,
    CHAT_HISTORY: kept.url,
    CHAT_FILES: kept.files,
  });
  const back = await connectChat(again.url, ann.cookie);
  const text = acknowledged.at(-1) as string;
  await expect
    .poll(
      async () => (await back.request('message:search', { query: text.split(' ')[1] as string })).messages,
    )
    .toContainEqual(expect.objectContaining({ text }));
  // The client must start from the beginning although its `since` is not newer than the backup. New numbers start far
  // above those of lost messages.
  const joined = await back.request('room:join', { room: 'lobby', since: known });
  expect(joined).toMatchObject({ reset: true });
  expect(joined.room.head).toBeGreaterThan(known + 1_000_000);
  const { messages } = await back.request('message:history', { room: 'garden' });
  expect(messages.map((message) => [message.user.id, message.text])).toEqual([
    ['0', ''],
    [ann.id, 'look'],
  ]);
  expect(await (await download(again.url, ann.cookie, photo)).text()).toBe('seen on Monday');
  back.close();
  await again.stop();
});

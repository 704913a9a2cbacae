import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { makeBackup } from '../../../server/backup/backup.ts';
import { fileFor, mayUpload } from '../../../server/chat/messages/files.ts';
import type { SessionIdentity } from '../../../server/chat/model.ts';
import { exportFor } from '../../../server/chat/moderation/people.ts';
import { bucketStorage } from '../../../server/files/bucket.ts';
import { Examiner } from '../../../server/files/examiner.ts';
import { Files } from '../../../server/files/files.ts';
import { folderStorage } from '../../../server/files/folder.ts';
import { type History, methods } from '../../../server/history/history.ts';
import { openSqliteHistory } from '../../../server/history/sqlite/sqlite.ts';
import { size } from '../../guarantees/size.ts';
import { connectChat, newClientId } from '../../helpers/chat-client.ts';
import { openChatOver } from '../../helpers/chat-over-history.ts';
import { historyFolder, nextChatServer } from '../../helpers/chat-server.ts';
import { carryOutErasures } from '../../helpers/erasures.ts';
import { download, origin, upload } from '../../helpers/files.ts';
import { type Memcached, startMemcached } from '../../helpers/memcached.ts';
import { smallDisk } from '../../helpers/small-disk.ts';

let memcached: Memcached;
let folder: string;
const maxBytes = 10 * 1024 * 1024;
const cookie = 'PHPSESSID=s1';
const apiKey = 'a-key-of-more-than-16-characters';
beforeAll(async () => {
  memcached = await startMemcached();
  await memcached.set('sessions/s1', '{"user_id":1,"firstname":"Ann"}');
  folder = await mkdtemp(join(tmpdir(), 'chat-files-'));
});
afterAll(async () => {
  await memcached.stop();
  await rm(folder, { recursive: true });
});

const settings = (env: NodeJS.ProcessEnv = {}) => ({
  CHAT_SESSION_STORE: memcached.url,
  CHAT_ORIGINS: origin,
  ...env,
});
const unexpected = (error: Error) => {
  throw error;
};
const send = (files: { id: string }[]) => ({ room: 'lobby', text: 'x', files, clientId: newClientId() });

test('a user uploads so many bytes in a time, whatever becomes of them', async () => {
  const chat = await nextChatServer(settings({ CHAT_LIMIT_FILES_USER: '100KB/1h' }));
  const text = 'x'.repeat(50_000);
  const attempt = async (bytes: string | Buffer) => {
    const { status, headers } = await upload(chat.url, cookie, bytes);
    return [status, headers.get('retry-after')];
  };
  expect(await attempt(Buffer.alloc(50_000))).toEqual([415, null]);
  expect(await attempt(text)).toEqual([201, null]);
  const [status, retryAfter] = await attempt(text);
  expect([status, Number(retryAfter) > 3500]).toEqual([429, true]);
  await chat.stop();
});

test('copied files count as uploaded ones do, and a repeat of the copy is answered beyond the limit', async () => {
  const chat = await nextChatServer(settings({ CHAT_LIMIT_FILES_USER: '100KB/1h' }));
  const ann = await connectChat(chat.url, cookie);
  await ann.request('room:join', { room: 'lobby' });
  const { file } = await upload(chat.url, cookie, 'x'.repeat(45_000));
  const { seq } = (await ann.request('message:send', send([file]))).message;
  const copy = () => ({ room: 'lobby', from: { room: 'lobby', seq }, clientId: newClientId() });
  const first = copy();
  const sent = await ann.request('message:forward', first);
  await expect(ann.request('message:forward', copy())).rejects.toThrow('rate_limited');
  expect(await ann.request('message:forward', first)).toEqual(sent);
  ann.close();
  await chat.stop();
});

/** Starts an upload by hand, and sends this much of it. */
function begin(chat: { port: number }, length: number, body: string | Buffer, user = cookie) {
  const socket = connect(chat.port, '127.0.0.1');
  const head = ['POST /files?room=lobby&name=x HTTP/1.1', 'Host: x', `Origin: ${origin}`, `Cookie: ${user}`];
  socket.write(`${[...head, `Content-Length: ${length}`].join('\r\n')}\r\n\r\n`);
  socket.write(body);
  return socket;
}

test('stored bytes count, and the received ones of a cut upload', async () => {
  const chat = await nextChatServer(
    settings({ CHAT_LIMIT_FILES_USER: '1MB/1h', CHAT_FILES: `dir:${folder}/counted` }),
  );
  // Few bytes; after re-encoding, each frame is complete.
  const side = 150;
  const raw = { width: side, height: side * 8, channels: 3 as const, pageHeight: side };
  const pixels = Buffer.alloc(side * side * 8 * 3).map((_, n) => ((n % (side * 3)) * (n % 7) * 37) % 251);
  const bytes = await sharp(pixels, { raw }).webp({ lossless: true, effort: 4 }).toBuffer();
  const { status, file } = await upload(chat.url, cookie, bytes);
  expect([status, file.size / bytes.length > 3]).toEqual([201, true]);
  const left = 1024 * 1024 - file.size;
  expect(left).toBeGreaterThan(0);
  const text = 'x'.repeat(left);
  expect(await upload(chat.url, cookie, text)).toMatchObject({ status: 429, code: 'rate_limited' });
  await memcached.set('sessions/s2', '{"user_id":2,"firstname":"Ben"}');
  const incoming = () => readdirSync(`${folder}/counted/incoming`);
  const other = 'PHPSESSID=s2';
  const socket = begin(chat, 1_000_000, 'x'.repeat(900_000), other);
  await expect
    .poll(() => incoming().map((name) => statSync(`${folder}/counted/incoming/${name}`).size))
    .toEqual([900_000]);
  socket.destroy();
  await expect.poll(incoming).toEqual([]);
  const query = new URLSearchParams({ room: 'lobby', name: 'x' });
  const again = (size: number) =>
    fetch(`${chat.url}/files?${query}`, {
      method: 'POST',
      headers: { origin, cookie: other },
      body: 'x'.repeat(size),
    });
  const refused = await again(200_000);
  expect([refused.status, await refused.json()]).toEqual([
    429,
    { error: { code: 'rate_limited', message: expect.stringMatching(/limit of bytes/) } },
  ]);
  // Bytes that have not arrived cost nothing.
  expect((await again(100_000)).status).toBe(201);
  await chat.stop();
});

test('an upload is refused if its user was logged out or banned while it came', async () => {
  const chat = await nextChatServer(settings({ CHAT_API_KEY: apiKey, CHAT_FILES: `dir:${folder}/left` }));
  const outcome = async (user: string, leave: () => Promise<unknown>) => {
    await memcached.set(`sessions/${user}`, `{"user_id":"${user}","firstname":"Eve"}`);
    const socket = begin(chat, 10, 'x'.repeat(9), `PHPSESSID=${user}`);
    await expect.poll(() => readdirSync(`${folder}/left/incoming`)).toHaveLength(1);
    await leave();
    socket.write('x');
    const answer = await text(
      socket.setEncoding('utf8').on('data', (piece) => /\}\}$/.test(String(piece)) && socket.end()),
    );
    return [/ (\d+) /.exec(answer)?.[1], /"code":"(\w+)"/.exec(answer)?.[1]];
  };
  mkdirSync(`${folder}/left/incoming`, { recursive: true });
  expect(await outcome('gone', () => memcached.delete('sessions/gone'))).toEqual(['401', 'unauthorized']);
  const ban = {
    method: 'PUT',
    headers: { Authorization: `Bearer ${apiKey}` },
    body: '{}',
  };
  expect(await outcome('bad', () => fetch(`${chat.url}/api/users/bad/ban`, ban))).toEqual([
    '403',
    'forbidden',
  ]);
  const kept = readdirSync(`${folder}/left`, { recursive: true, withFileTypes: true });
  expect(kept.filter((entry) => entry.isFile())).toEqual([]);
  await chat.stop();
});

test('a user who tries rooms by uploads is stopped, in hidden rooms as in missing ones', async () => {
  const chat = await nextChatServer(settings({ CHAT_LIMIT_FILES_USER: '0' }));
  await memcached.set('sessions/s3', '{"user_id":3,"firstname":"Zoe"}');
  const statuses: number[] = [];
  for (let n = 0; n < 61; n++)
    statuses.push((await upload(chat.url, 'PHPSESSID=s3', 'x', { room: `nowhere-${n}` })).status);
  expect([new Set(statuses.slice(0, 60)), statuses.at(-1)]).toEqual([new Set([404]), 429]);
  expect((await upload(chat.url, cookie, 'x')).status).toBe(201);
  await chat.stop();
});

test('where a server with a bucket was killed in the middle of an upload, the next one deletes the rest after a day', async () => {
  const temporary = join(folder, 'temporary');
  mkdirSync(temporary);
  vi.stubEnv('TMPDIR', temporary);
  onTestFinished(() => void vi.unstubAllEnvs());
  const url = 'http://127.0.0.1:1/bucket/';
  const open = () => bucketStorage({ kind: 's3', url, region: 'us-east-1', prefix: '' });
  const work = await open().work();
  for (const name of ['old', 'new']) writeFileSync(join(work, name), name);
  utimesSync(join(work, 'old'), 0, Date.now() / 1000 - 86_401);
  await open().tidy();
  expect(readdirSync(work)).toEqual(['new']);
  // A folder that others can write to is not used for uploads.
  chmodSync(work, 0o777);
  await expect(open().work()).rejects.toThrow('set TMPDIR');
});

test('a file of a bucket that nobody reads on, or has begun to read, lets go of its connection', async () => {
  // Its results are kept: otherwise the connection would end with the next garbage collection.
  vi.spyOn(globalThis, 'fetch');
  onTestFinished(() => void vi.restoreAllMocks());
  const open = new Set<string>();
  const bucket = createServer((req, res) => {
    const name = req.url as string;
    open.add(name);
    res.once('close', () => open.delete(name));
    res.writeHead(200, { 'Content-Length': 10_000_000 }).write('x'.repeat(100_000));
  });
  await new Promise<void>((resolve) => bucket.listen(0, '127.0.0.1', resolve));
  const { port } = bucket.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}/`;
  const storage = bucketStorage({ kind: 's3', url, region: 'us-east-1', prefix: '' });
  const names = ['a'.repeat(32), 'b'.repeat(32)] as const;
  const [unread, begun] = [await storage.open(names[0]), await storage.open(names[1])];
  const reading = begun?.bytes[Symbol.asyncIterator]();
  await reading?.next();
  expect([...open]).toEqual(names.map((name) => `/${name}`));
  for (const file of [unread, begun]) file?.bytes.destroy();
  await expect.poll(() => [...open]).toEqual([]);
  bucket.close();
});

test('for an upload into a hidden room the history is asked the same as for one into none', async () => {
  const asked: string[] = [];
  const { chat, history, close } = await openChatOver((stored) => ({
    read: methods((op, input) => {
      // Old rows are looked for at the start.
      if (op !== 'heldBefore' && op !== 'expired') asked.push(op);
      return stored.read[op](input);
    }),
  }));
  await history.write.putRoom({ id: 'den', name: 'den', kind: 'private', at: Date.now() });
  const tried: string[][] = [];
  for (const room of ['den', 'nowhere']) {
    asked.length = 0;
    await expect(mayUpload(chat, { id: '1', name: 'Ann', roles: [] }, room)).rejects.toThrow('no such room');
    tried.push([...asked]);
  }
  expect(tried[0]).toEqual(tried[1]);
  await close();
});

test('a user whose ban from a public room this server has not heard of gets no file of it, and uploads none', async () => {
  const { chat, history, close } = await openChatOver((stored) => ({
    onChange: (listener) =>
      stored.onChange((change) => {
        if (change.type !== 'restricted') listener(change);
      }),
  }));
  const at = Date.now();
  const about = { id: 'f'.repeat(32), name: 'x', type: 'text/plain', size: 1 };
  const ann: SessionIdentity = { id: '1', name: 'Ann', roles: [] };
  const ben: SessionIdentity = { id: '2', name: 'Ben', roles: [] };
  await history.write.putRoom({ id: 'hall', name: 'hall', kind: 'public', at });
  await history.write.addFile({ room: 'hall', user: ann.id, file: about, at });
  const sent = { room: 'hall', user: ann, text: '', clientId: 'c', sentAt: at, asMember: false };
  await history.write.send({ ...sent, files: [{ id: about.id }] });
  expect(await fileFor(chat, ben, about.id)).toMatchObject({ about });
  await mayUpload(chat, ben, 'hall');
  const restriction = { by: ann.id };
  await history.write.restrict({ room: 'hall', user: ben.id, kind: 'banned', restriction, at });
  expect(await fileFor(chat, ben, about.id)).toBeNull();
  await expect(mayUpload(chat, ben, 'hall')).rejects.toThrow('no such room');
  await close();
});

test('a user whose ban from the whole site this server hears of late gets no file and no export, and uploads none', async () => {
  const late: (() => void)[] = [];
  const { chat, history, close } = await openChatOver((stored) => ({
    onChange: (listener) =>
      stored.onChange((change) => {
        if (change.type === 'ban') late.push(() => listener(change));
        else listener(change);
      }),
    async current() {
      for (const hear of late.splice(0)) hear();
    },
  }));
  Object.assign(chat.settings, { moderateData: true });
  const at = Date.now();
  const about = { id: 'f'.repeat(32), name: 'x', type: 'text/plain', size: 1 };
  const ann: SessionIdentity = { id: '1', name: 'Ann', roles: [] };
  const ben: SessionIdentity = { id: '2', name: 'Ben', roles: ['admin'] };
  await history.write.arrive({ user: { id: ann.id, name: ann.name }, at });
  await history.write.putRoom({ id: 'hall', name: 'hall', kind: 'public', at });
  await history.write.addFile({ room: 'hall', user: ann.id, file: about, at });
  const sent = { room: 'hall', user: ann, text: '', clientId: 'c', sentAt: at, asMember: false };
  await history.write.send({ ...sent, files: [{ id: about.id }] });
  const whileBanned = async (ask: () => Promise<unknown>) => {
    await history.write.setBan({ user: ben.id, ban: { by: ann.id } });
    const answer = await ask().catch((error) => error.code);
    await history.write.setBan({ user: ben.id, ban: null });
    await history.current();
    return answer;
  };
  expect(await whileBanned(() => fileFor(chat, ben, about.id))).toBeNull();
  expect(await whileBanned(() => mayUpload(chat, ben, 'hall'))).toBe('forbidden');
  expect(await whileBanned(() => exportFor(chat, ben, ann.id, async () => null))).toBe('forbidden');
  await close();
});

test('an upload that is cut leaves nothing, and half of one is never seen', async () => {
  const chat = await nextChatServer(settings({ CHAT_FILES: `dir:${folder}/cut` }));
  const socket = begin(chat, 100_000, 'x'.repeat(50_000));
  const incoming = () => (existsSync(`${folder}/cut/incoming`) ? readdirSync(`${folder}/cut/incoming`) : []);
  await expect.poll(incoming).toHaveLength(1);
  socket.destroy();
  await expect.poll(incoming).toEqual([]);
  expect((await upload(chat.url, cookie, 'whole')).status).toBe(201);
  expect(chat.output()).not.toMatch(/"level":(40|50|60)/);
  await chat.stop();
});

test('a file without a message for CHAT_FILES_ORPHANS is deleted, and leftovers of a stopped server by the next one', async () => {
  const history = historyFolder();
  const env = settings({ CHAT_HISTORY: history.url, CHAT_FILES: `dir:${folder}/kept` });
  const stored = () =>
    readdirSync(`${folder}/kept`, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ name }) => name)
      .sort();
  const first = await nextChatServer(env);
  const [lost, sent, deleted] = await Promise.all(
    ['lost', 'sent', 'deleted'].map(async (text) => (await upload(first.url, cookie, text)).file.id),
  );
  if (!lost || !sent || !deleted) throw new Error('the uploads have failed');
  const ann = await connectChat(first.url, cookie);
  await ann.request('room:join', { room: 'lobby' });
  await ann.request('message:send', send([{ id: sent }]));
  const { message } = await ann.request('message:send', send([{ id: deleted }]));
  await first.stop();
  // As if it had ended after the message was deleted, and before the bytes were.
  const blind = await nextChatServer({ ...env, CHAT_FILES: 'off' });
  const again = await connectChat(blind.url, cookie);
  await again.request('room:join', { room: 'lobby' });
  await again.request('message:delete', { room: 'lobby', seq: message.seq });
  await blind.stop();
  expect(stored()).toEqual([lost, sent, deleted].sort());
  const next = await nextChatServer({ ...env, CHAT_FILES_ORPHANS: '500ms' });
  await expect.poll(stored).toEqual([sent]);
  // As if a server had been killed during an upload, a day ago and now.
  for (const name of ['old', 'new']) writeFileSync(`${folder}/kept/incoming/${name}`, name);
  utimesSync(`${folder}/kept/incoming/old`, 0, Date.now() / 1000 - 86_401);
  await expect.poll(stored).toEqual([sent, 'new'].sort());
  expect((await download(next.url, cookie, { id: lost, name: 'x' })).status).toBe(404);
  expect(await (await download(next.url, cookie, { id: sent, name: 'x' })).text()).toBe('sent');
  await next.stop();
  history.remove();
});

test('a row that names bytes elsewhere, as in a forged backup, is one of a lost file: they are not read, copied or deleted', async () => {
  const history = historyFolder();
  const env = settings({ CHAT_HISTORY: history.url, CHAT_FILES: history.files });
  const first = await nextChatServer(env);
  const { file } = await upload(first.url, cookie, 'own');
  const ann = await connectChat(first.url, cookie);
  await ann.request('room:join', { room: 'lobby' });
  const { message } = await ann.request('message:send', send([file]));
  ann.close();
  await first.stop();
  const secret = join(dirname(history.path), 'secret');
  writeFileSync(secret, 'key');
  const forged = new DatabaseSync(history.path);
  forged.prepare('UPDATE chat_files SET stored = ?').run('ab/../../../secret');
  forged.close();
  const next = await nextChatServer(env);
  expect((await download(next.url, cookie, file)).status).toBe(404);
  const data = {
    history: { kind: 'sqlite' as const, path: history.path },
    files: history.files.slice('dir:'.length),
  };
  expect(await makeBackup(data, join(folder, 'forged.tar'))).toMatchObject({ files: 0, missing: 1 });
  const again = await connectChat(next.url, cookie);
  await again.request('room:join', { room: 'lobby' });
  await again.request('message:delete', { room: 'lobby', seq: message.seq });
  const db = new DatabaseSync(history.path, { readOnly: true });
  const rows = db.prepare('SELECT id FROM chat_files');
  await expect.poll(() => rows.all()).toEqual([]);
  db.close();
  expect(readFileSync(secret, 'utf8')).toBe('key');
  again.close();
  await next.stop();
  history.remove();
});

test('a link, a pipe or a folder that has the name of a file is none: it is neither sent nor copied into a backup', async () => {
  const history = historyFolder();
  const chat = await nextChatServer(settings({ CHAT_HISTORY: history.url, CHAT_FILES: history.files }));
  const ann = await connectChat(chat.url, cookie);
  await ann.request('room:join', { room: 'lobby' });
  const data = {
    history: { kind: 'sqlite' as const, path: history.path },
    files: history.files.slice('dir:'.length),
  };
  const others: ((path: string) => unknown)[] = [
    (path) => symlinkSync(history.path, path),
    (path) => execFileSync('mkfifo', [path]),
    (path) => mkdirSync(path),
  ];
  for (const put of others) {
    const { file } = await upload(chat.url, cookie, 'own');
    await ann.request('message:send', send([file]));
    const path = join(data.files, file.id.slice(0, 2), file.id);
    rmSync(path);
    put(path);
    expect((await download(chat.url, cookie, file)).status).toBe(404);
  }
  expect(await makeBackup(data, join(folder, 'others.tar'))).toMatchObject({ files: 0, missing: 3 });
  ann.close();
  await chat.stop();
  history.remove();
});

test('an upload survives a loss of power with the folders that are made for it', async () => {
  const synced: string[] = [];
  const handle = await open(folder);
  const handles = Object.getPrototypeOf(handle) as typeof handle;
  await handle.close();
  const { sync } = handles;
  const spied = vi.spyOn(handles, 'sync').mockImplementation(function (this: typeof handle) {
    synced.push(readlinkSync(`/proc/self/fd/${this.fd}`));
    return sync.call(this);
  });
  onTestFinished(() => spied.mockRestore());
  const place = join(folder, 'new', 'files');
  const storage = folderStorage(place);
  const path = join(await storage.work(), 'whole');
  writeFileSync(path, 'x');
  await storage.put('abcd', path);
  expect(new Set(synced)).toEqual(new Set([path, join(place, 'ab'), place, join(folder, 'new'), folder]));
});

test('a disk that is full: the upload is refused as a whole, messages go on, and so do uploads when there is room', async () => {
  const disk = await smallDisk(
    16 * 1024 * 1024,
    settings({ CHAT_FILES: 'dir:/mnt/files', CHAT_LOG_LEVEL: 'info' }),
  );
  const chat = await disk.start();
  const place = `/proc/${chat.pid}/root/mnt/files`;
  const ann = await connectChat(chat.url, cookie);
  await ann.request('room:join', { room: 'lobby' });
  const bytes = Buffer.alloc(1024 * 1024, 'x');
  const { file } = await upload(chat.url, cookie, bytes);
  disk.fill(9 * 1024 * 1024);
  expect(await upload(chat.url, cookie, bytes)).toMatchObject({ status: 507, code: 'storage_full' });
  expect(readdirSync(join(place, 'incoming'))).toEqual([]);
  await ann.request('message:send', send([{ id: file.id }]));
  const answer = await download(chat.url, cookie, file);
  expect((await answer.arrayBuffer()).byteLength).toBe(bytes.length);
  disk.free();
  expect((await upload(chat.url, cookie, bytes)).status).toBe(201);
  ann.close();
  await chat.stop();
  await disk.remove();
});

const ownChildren = () =>
  readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, 'utf8').trim().split(' ');
const isOfPictures = (pid: string) =>
  pid !== '' && readFileSync(`/proc/${pid}/cmdline`, 'utf8').endsWith('pictures\0');

test('no text waits behind pictures, and of a client that has gone nothing waits or goes on', async () => {
  const examiner = new Examiner();
  const types = ['image/*', 'text/plain'];
  const [picture, words] = [join(folder, 'picture'), join(folder, 'words')];
  await sharp({ create: { width: 9, height: 9, channels: 3, background: '#fff' } })
    .png()
    .toFile(picture);
  writeFileSync(words, 'words');
  const examine = (user: string, path = picture, signal?: AbortSignal) =>
    examiner.examine(user, { path, types, maxBytes }, signal);
  const picturesOf = () => ownChildren().find(isOfPictures);
  expect(await examine('1')).toHaveProperty('made');
  const pid = Number(picturesOf());
  process.kill(pid, 'SIGSTOP');
  const [left, stayed] = [new AbortController(), new AbortController()];
  const running = examine('1', picture, stayed.signal);
  const waiting = expect(examine('1', picture, left.signal)).rejects.toThrow('gone');
  expect(await examine('2', words)).toEqual({ type: 'text/plain' });
  left.abort(new Error('gone'));
  await waiting;
  const next = examine('2');
  const ended = expect(running).rejects.toThrow('left');
  stayed.abort(new Error('left'));
  await ended;
  // In another process.
  expect(await next).toHaveProperty('made');
  expect(Number(picturesOf())).not.toBe(pid);
  examiner.close();
});

test('files of a user who has used no time lately come before those of users who keep the process busy', async () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  onTestFinished(() => void vi.useRealTimers());
  const examiner = new Examiner();
  const types = ['text/plain'];
  const order: string[] = [];
  const words = join(folder, 'small');
  writeFileSync(words, 'words');
  /** A file that takes 10 s. @returns ends it, once it is examined */
  const slow = (name: string) => {
    const begun = Promise.withResolvers<void>();
    const file = {
      path: words,
      maxBytes,
      // Read when the process gets the task.
      get types() {
        begun.resolve();
        return types;
      },
    };
    const stop = new AbortController();
    const done = examiner.examine(name.charAt(0), file, stop.signal).catch(() => void order.push(name));
    return async () => {
      await begun.promise;
      vi.advanceTimersByTime(10_000);
      stop.abort();
      await done;
    };
  };
  const [endA1, endB1] = [slow('a1'), slow('b1')];
  await endA1();
  const endA2 = slow('a2');
  const small = ['c1', 'c2', 'c3'].map(async (name) => {
    expect(await examiner.examine('c', { path: words, types, maxBytes })).toEqual({ type: 'text/plain' });
    order.push(name);
  });
  await endB1();
  await endA2();
  expect(order).toEqual(['a1', 'b1', 'c1', 'c2', 'c3', 'a2']);
  await Promise.all(small);
  examiner.close();
});

test('a picture that takes too long, or waits too long, is refused with a time to try again; the picture of another user outwaits it', async () => {
  const examiner = new Examiner();
  const types = ['image/*', 'text/plain'];
  const [picture, words] = [join(folder, 'picture'), join(folder, 'words')];
  await sharp({ create: { width: 9, height: 9, channels: 3, background: '#fff' } })
    .png()
    .toFile(picture);
  writeFileSync(words, 'words');
  const examine = (user: string, path = picture) => examiner.examine(user, { path, types, maxBytes });
  const before = new Set(ownChildren());
  const stop = () =>
    process.kill(Number(ownChildren().find((pid) => !before.has(pid) && isOfPictures(pid))), 'SIGSTOP');
  const later = { code: 'rate_limited', retryAfterMs: 25_000 };
  expect(await examine('1')).toHaveProperty('made');
  stop();
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  onTestFinished(() => void vi.useRealTimers());
  const slow = expect(examine('1')).rejects.toMatchObject(later);
  const other = examine('2');
  // Both wait to be made again once the types of earlier files are known.
  expect(await examine('3', words)).toEqual({ type: 'text/plain' });
  vi.advanceTimersByTime(25_000);
  await slow;
  expect(await other).toHaveProperty('made');
  stop();
  const tooLate = ['1', '2'].map((user) => expect(examine(user)).rejects.toMatchObject(later));
  expect(await examine('3', words)).toEqual({ type: 'text/plain' });
  vi.advanceTimersByTime(30_000);
  await Promise.all(tooLate);
  expect(await examine('2')).toHaveProperty('made');
  examiner.close();
});

test('a file that ends the process which examines it is refused, and each later one gets another process', async () => {
  const examiner = new Examiner();
  const types = ['text/plain'];
  const before = new Set(ownChildren());
  const path = join(folder, 'text');
  writeFileSync(path, 'words');
  const examine = (user: string) => examiner.examine(user, { path, types, maxBytes });
  expect(await examine('1')).toEqual({ type: 'text/plain' });
  const child = Number(ownChildren().find((pid) => pid !== '' && !before.has(pid)));
  process.kill(child, 'SIGSTOP');
  const [never, next] = [examine('1'), examine('2')];
  process.kill(child, 'SIGKILL');
  expect(await never).toEqual({ failed: true });
  expect(await next).toEqual({ type: 'text/plain' });
  // A pipe opens when its other end does: the process ends between the turn of the file and its examination.
  const last = Number(ownChildren().find((pid) => pid !== '' && !before.has(pid)));
  const pipe = join(folder, 'pipe');
  execFileSync('mkfifo', [pipe]);
  const opening = examiner.examine('1', { path: pipe, types, maxBytes });
  process.kill(last, 'SIGKILL');
  await expect.poll(ownChildren).not.toContain(`${last}`);
  const writer = await open(pipe, 'w');
  expect(await opening).toEqual({ type: 'text/plain' });
  await writer.close();
  examiner.close();
});

const goneMeanwhile: [string, string][] = [
  ['its room is deleted while its bytes are put away', 'unknown_room'],
  ['its user is erased in the moment in which it gets known', 'forbidden'],
  ['its user is erased while its bytes are put away', 'forbidden'],
];
test.each(size(goneMeanwhile, goneMeanwhile.slice(0, 2)))(
  'nothing of an upload is left where %s',
  async (title, code) => {
    const place = historyFolder();
    const stored = await openSqliteHistory({ path: place.path, onFailure: unexpected });
    const at = Date.now();
    await stored.write.putRoom({ id: 'den', name: 'den', kind: 'private', at });
    const gone = async () => {
      if (title.startsWith('its room')) await stored.write.deleteRoom({ room: 'den' });
      else await stored.write.erase({ user: '1', messages: 'delete', at });
      await carryOutErasures(stored);
      // All deletions are done.
      const listed = async () => (await stored.write.dropFiles({ before: 0, most: 9 })).ids;
      await expect.poll(listed).toEqual([]);
    };
    const history: History = {
      ...stored,
      write: methods(async (op, input, asker) => {
        if (op === 'addFile' && title.endsWith('known')) await gone();
        const answer = await stored.write[op](input, asker);
        if (op === 'addFile' && !title.endsWith('known')) await gone();
        return answer;
      }),
    };
    const kept = join(folder, `gone-${newClientId()}`);
    const options = {
      place: { kind: 'dir', folder: kept } as const,
      types: ['text/plain'],
      maxBytes,
      orphans: 60_000,
    };
    const files = new Files({ ...options, history, onFailure: unexpected });
    const bytes = Readable.from([Buffer.from('some text')]);
    const adding = files.add({ room: 'den', user: '1', name: 'a.txt', length: 9, bytes });
    await expect(adding).rejects.toMatchObject({ code });
    const entries = readdirSync(kept, { recursive: true, withFileTypes: true });
    expect(entries.filter((entry) => entry.isFile()).map(({ name }) => name)).toEqual([]);
    expect((await stored.write.dropFiles({ before: Number.MAX_SAFE_INTEGER, most: 9 })).ids).toEqual([]);
    await files.close();
    await stored.close();
    place.remove();
  },
);

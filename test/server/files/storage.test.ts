import { type ChildProcess, execFileSync } from 'node:child_process';
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
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
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
import { againInSoak } from '../../helpers/again-in-soak.ts';
import { type ChatClient, connectChat, newClientId } from '../../helpers/chat-client.ts';
import { chatServerHere } from '../../helpers/chat-here.ts';
import { openChatOver } from '../../helpers/chat-over-history.ts';
import { historyFolder, type RunningChat } from '../../helpers/chat-server.ts';
import { carryOutErasures } from '../../helpers/erasures.ts';
import { download, origin, upload } from '../../helpers/files.ts';
import { inShort } from '../../helpers/fuzz-exchange.ts';
import { mp4 } from '../../helpers/media.ts';
import { type Memcached, startMemcached } from '../../helpers/memcached.ts';

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

describe('a server with 1 MB of files per user', () => {
  let chat: RunningChat;
  const history = historyFolder();
  const kept = () => join(folder, 'shared');
  beforeAll(async () => {
    chat = await chatServerHere(
      settings({
        CHAT_API_KEY: apiKey,
        CHAT_LIMIT_FILES_USER: '1MB/1h',
        CHAT_HISTORY: history.url,
        CHAT_FILES: `dir:${kept()}`,
      }),
    );
  });
  afterAll(async () => {
    await chat.stop();
    history.remove();
  });

  /** Logs in. @returns the cookie */
  const logIn = async (user: string) => {
    await memcached.set(`sessions/${user}`, `{"user_id":"${user}","firstname":"${user}"}`);
    return `PHPSESSID=${user}`;
  };
  const incoming = () => (existsSync(join(kept(), 'incoming')) ? readdirSync(join(kept(), 'incoming')) : []);
  const outcome = async (...args: [cookie: string, bytes: string | Buffer]) => {
    const { status, headers, code } = await upload(chat.url, ...args);
    return status === 429 ? [status, code, Number(headers.get('retry-after')) > 3500] : [status];
  };
  const refused = [429, 'rate_limited', true];

  /** Starts an upload by hand, and sends `body` as its beginning. */
  async function begin(user: string, length: number, body: string | Buffer) {
    const socket = connect(chat.port, '127.0.0.1');
    const head = [
      'POST /files?room=lobby&name=x HTTP/1.1',
      'Host: x',
      `Origin: ${origin}`,
      `Cookie: ${user}`,
    ];
    socket.write(`${[...head, `Content-Length: ${length}`].join('\r\n')}\r\n\r\n`);
    socket.write(body);
    await expect
      .poll(() => incoming().map((name) => statSync(join(kept(), 'incoming', name)).size))
      .toEqual([body.length]);
    return socket;
  }

  test('counts all uploaded bytes of a user, even of rejected files', async () => {
    const user = await logIn('counted');
    expect(await outcome(user, Buffer.alloc(500_000))).toEqual([415]);
    expect(await outcome(user, 'x'.repeat(500_000))).toEqual([201]);
    expect(await outcome(user, 'x'.repeat(500_000))).toEqual(refused);
  });

  test('counts copied files like uploads, but still answers a repeated request', async () => {
    const user = await logIn('copying');
    const ann = await connectChat(chat.url, user);
    await ann.request('room:join', { room: 'lobby' });
    const { file } = await upload(chat.url, user, 'x'.repeat(450_000));
    const { seq } = (await ann.request('message:send', send([file]))).message;
    const copy = () => ({ room: 'lobby', from: { room: 'lobby', seq }, clientId: newClientId() });
    const first = copy();
    const sent = await ann.request('message:forward', first);
    await expect(ann.request('message:forward', copy())).rejects.toThrow('rate_limited');
    expect(await ann.request('message:forward', first)).toEqual(sent);
    ann.close();
  });

  test('counts the received bytes of an aborted upload, and deletes them', async () => {
    const user = await logIn('cut');
    const socket = await begin(user, 1_000_000, 'x'.repeat(900_000));
    socket.destroy();
    await expect.poll(incoming).toEqual([]);
    // The server counts only the received bytes after it notices that the connection ended.
    await expect.poll(() => outcome(user, 'x'.repeat(100_000))).toEqual([201]);
    expect(await outcome(user, 'x'.repeat(100_000))).toEqual(refused);
    expect(chat.output()).not.toMatch(/"level":(40|50|60)/);
  });

  const ban = { method: 'PUT', headers: { Authorization: `Bearer ${apiKey}` }, body: '{}' };
  test.each<[string, string, () => Promise<unknown>]>([
    ['logged out', '401 unauthorized', () => memcached.delete('sessions/leaving')],
    ['banned', '403 forbidden', () => fetch(`${chat.url}/api/users/leaving/ban`, ban)],
  ])('rejects an upload if its user was %s before the upload ended', async (_, answer, leave) => {
    const files = () =>
      readdirSync(kept(), { recursive: true, withFileTypes: true }).filter((one) => one.isFile());
    const before = files().length;
    const socket = await begin(await logIn('leaving'), 10, 'x'.repeat(9));
    await leave();
    socket.write('x');
    const said = await text(
      socket.setEncoding('utf8').on('data', (piece) => /\}\}$/.test(String(piece)) && socket.end()),
    );
    expect(inShort(said)).toBe(answer);
    expect(files()).toHaveLength(before);
  });

  test('limits uploads of a user to unknown rooms', async () => {
    const user = await logIn('trying');
    const statuses: number[] = [];
    for (let n = 0; n < 61; n++)
      statuses.push((await upload(chat.url, user, 'x', { room: `nowhere-${n}` })).status);
    expect([new Set(statuses.slice(0, 60)), statuses.at(-1)]).toEqual([new Set([404]), 429]);
    expect(await outcome(await logIn('other'), 'x')).toEqual([201]);
  });

  describe('a stored file', () => {
    const backUp = () =>
      makeBackup(
        { history: { kind: 'sqlite', path: history.path }, files: kept() },
        join(folder, `${newClientId()}.tar`),
      );
    let ann: ChatClient;
    let user: string;
    const sent = async () => {
      const { file } = await upload(chat.url, user, 'own');
      const { message } = await ann.request('message:send', send([file]));
      return { file, message, path: join(kept(), file.id.slice(0, 2), file.id) };
    };
    beforeAll(async () => {
      user = await logIn('ann');
      ann = await connectChat(chat.url, user);
      await ann.request('room:join', { room: 'lobby' });
    });
    afterAll(() => ann.close());

    test.each<[string, (path: string) => unknown]>([
      ['a link', (path) => symlinkSync(history.path, path)],
      ['a pipe', (path) => execFileSync('mkfifo', [path])],
      ['a folder', (path) => mkdirSync(path)],
    ])('is neither sent nor backed up if %s replaced it', async (_, put) => {
      const { missing } = await backUp();
      const { file, path } = await sent();
      rmSync(path);
      put(path);
      expect((await download(chat.url, user, file)).status).toBe(404);
      expect(await backUp()).toMatchObject({ missing: missing + 1 });
    });

    test('is not read, backed up or deleted outside of the folder', async () => {
      const { missing } = await backUp();
      const { file, message } = await sent();
      const secret = join(folder, 'secret');
      writeFileSync(secret, 'key');
      const forged = new DatabaseSync(history.path);
      forged.prepare('UPDATE chat_files SET stored = ? WHERE id = ?').run('ab/../../secret', file.id);
      expect((await download(chat.url, user, file)).status).toBe(404);
      expect(await backUp()).toMatchObject({ missing: missing + 1 });
      await ann.request('message:delete', { room: 'lobby', seq: message.seq });
      const rows = forged.prepare('SELECT id FROM chat_files WHERE id = ?');
      await expect.poll(() => rows.all(file.id)).toEqual([]);
      forged.close();
      expect(readFileSync(secret, 'utf8')).toBe('key');
    });
  });
});

test('deletes leftovers of a killed server with a bucket after a day', async () => {
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
  // A folder that other accounts can write to is not used for uploads.
  chmodSync(work, 0o777);
  await expect(open().work()).rejects.toThrow('set TMPDIR');
});

test('closes the connection to the bucket if its file is not read completely', async () => {
  // Keeps the responses referenced, because a garbage collection would close the connections too.
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

describe('a ban that this server has not received yet', () => {
  const about = { id: 'f'.repeat(32), name: 'x', type: 'text/plain', size: 1 };
  const ann: SessionIdentity = { id: '1', name: 'Ann', roles: [] };
  const ben: SessionIdentity = { id: '2', name: 'Ben', roles: ['admin'] };
  /** Opens a chat with a file of Ann in a public room. It receives changes of this type late. */
  async function deaf(type: 'restricted' | 'ban') {
    const late: (() => void)[] = [];
    const hear = async () => {
      if (type === 'ban') for (const one of late.splice(0)) one();
    };
    const { chat, history, close } = await openChatOver((stored) => ({
      read: methods(async (query, input) => {
        const answer = await stored.read[query](input);
        await hear();
        return answer;
      }),
      onChange: (listener) =>
        stored.onChange((change) => {
          if (change.type === type) late.push(() => listener(change));
          else listener(change);
        }),
      current: hear,
    }));
    onTestFinished(close);
    Object.assign(chat.settings, { moderateData: true });
    const at = Date.now();
    await history.write.arrive({ user: { id: ann.id, name: ann.name }, at });
    await history.write.putRoom({ id: 'hall', name: 'hall', kind: 'public', at });
    await history.write.addFile({ room: 'hall', user: ann.id, file: about, at });
    const sent = { room: 'hall', user: ann, text: '', clientId: 'c', sentAt: at, asMember: false };
    await history.write.send({ ...sent, files: [{ id: about.id }] });
    return { chat, history };
  }

  test('prevents downloads from and uploads to a public room', async () => {
    const { chat, history } = await deaf('restricted');
    expect(await fileFor(chat, ben, about.id)).toMatchObject({ about });
    await mayUpload(chat, ben, 'hall');
    const ban = { room: 'hall', user: ben.id, kind: 'banned', at: Date.now() } as const;
    await history.write.restrict({ ...ban, restriction: { by: ann.id } });
    expect(await fileFor(chat, ben, about.id)).toBeNull();
    await expect(mayUpload(chat, ben, 'hall')).rejects.toThrow('no such room');
  });

  test('prevents downloads, exports and uploads on the whole site', async () => {
    const { chat, history } = await deaf('ban');
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
  });
});

test('deletes unsent files after CHAT_FILES_ORPHANS, and leftovers of a stopped server', async () => {
  const history = historyFolder();
  const env = settings({ CHAT_HISTORY: history.url, CHAT_FILES: `dir:${folder}/kept` });
  const stored = () =>
    readdirSync(`${folder}/kept`, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ name }) => name)
      .sort();
  const first = await chatServerHere(env);
  const [lost, sent, deleted] = await Promise.all(
    ['lost', 'sent', 'deleted'].map(async (text) => (await upload(first.url, cookie, text)).file.id),
  );
  if (!lost || !sent || !deleted) throw new Error('the uploads have failed');
  const ann = await connectChat(first.url, cookie);
  await ann.request('room:join', { room: 'lobby' });
  await ann.request('message:send', send([{ id: sent }]));
  const { message } = await ann.request('message:send', send([{ id: deleted }]));
  await first.stop();
  // As if the server had stopped after deleting the message and before deleting the bytes.
  const blind = await chatServerHere({ ...env, CHAT_FILES: 'off' });
  const again = await connectChat(blind.url, cookie);
  await again.request('room:join', { room: 'lobby' });
  await again.request('message:delete', { room: 'lobby', seq: message.seq });
  await blind.stop();
  expect(stored()).toEqual([lost, sent, deleted].sort());
  const next = await chatServerHere({ ...env, CHAT_FILES_ORPHANS: '500ms' });
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

test('syncs an upload and the folders created for it to disk', async () => {
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

describe('the processes that examine files', () => {
  const examiner = new Examiner();
  afterAll(() => examiner.close());
  afterEach(() => void vi.useRealTimers());
  const types = ['image/*', 'text/plain'];
  const text = { type: 'text/plain' };
  const children = () =>
    readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, 'utf8').trim().split(' ');
  const processOf = (kind: 'types' | 'pictures') =>
    Number(
      children().find(
        (pid) => pid !== '' && readFileSync(`/proc/${pid}/cmdline`, 'utf8').endsWith(`${kind}\0`),
      ),
    );
  const examine = (user: string, path: string, signal?: AbortSignal) =>
    examiner.examine(user, { path, types, maxBytes }, signal);
  /** Like a client, repeats an examination that waited too long for the CPU of a busy machine. */
  const patiently = (...args: Parameters<typeof examine>): ReturnType<typeof examine> =>
    examine(...args).catch((error) => {
      if (error.code !== 'rate_limited') throw error;
      return patiently(...args);
    });
  const words = () => join(folder, 'words');
  /** Waits until one file is being examined and the others are queued. Needs fake timers. */
  const underWay = async (files = 2) => {
    while (vi.getTimerCount() < files) await new Promise((resolve) => setImmediate(resolve));
  };
  const pngOfOnePixel = Buffer.from(
    'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
    'base64',
  );
  beforeAll(() => writeFileSync(words(), 'words'));

  test.each([
    ['a drawing that can run scripts', '<svg xmlns="http://www.w3.org/2000/svg"><script/></svg>'],
    ['a PDF', '%PDF-1.7\n%%EOF'],
  ])('reject %s if only pictures are accepted', async (_, content) => {
    const path = join(folder, 'other');
    writeFileSync(path, content);
    const found = await examiner.examine('1', { path, types: ['image/*'], maxBytes });
    expect(found).toMatchObject({ code: 'file_type' });
  });

  test.each([
    ['as MP4 if browsers play its codecs', 'avc1', ['video/mp4', 'video/quicktime'], { type: 'video/mp4' }],
    ['unchanged if MP4 is not accepted', 'avc1', ['video/quicktime'], { type: 'video/quicktime' }],
    ['unchanged with other codecs', 'hvc1', ['video/quicktime', 'video/mp4'], { type: 'video/quicktime' }],
    ['with other codecs only if it is named', 'hvc1', ['video/*'], { code: 'file_type' }],
  ])('accept QuickTime %s', async (_, codec, types, expected) => {
    const path = join(folder, 'video');
    const bytes = mp4({ duration: 2, picture: { width: 640, height: 480 }, codecs: ['mp4a', codec] });
    bytes.write('qt  ', 8, 'latin1');
    writeFileSync(path, bytes);
    expect(await examiner.examine('1', { path, types, maxBytes })).toMatchObject(expected);
  });

  againInSoak('examine texts without waiting for pictures', async () => {
    const picture = join(folder, 'picture');
    writeFileSync(picture, pngOfOnePixel);
    expect(await patiently('1', picture)).toHaveProperty('made');
    const pid = processOf('pictures');
    process.kill(pid, 'SIGSTOP');
    const [left, stayed] = [new AbortController(), new AbortController()];
    const running = examine('1', picture, stayed.signal);
    const waiting = expect(examine('1', picture, left.signal)).rejects.toThrow('gone');
    expect(await examine('2', words())).toEqual(text);
    left.abort(new Error('gone'));
    await waiting;
    const next = patiently('2', picture);
    const ended = expect(running).rejects.toThrow('left');
    stayed.abort(new Error('left'));
    await ended;
    // In a new process.
    expect(await next).toHaveProperty('made');
    expect(processOf('pictures')).not.toBe(pid);
  });

  test('reject a slow file without delaying the files of other users', async () => {
    const later = { code: 'rate_limited', retryAfterMs: 25_000 };
    expect(await examine('1', words())).toEqual(text);
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    process.kill(processOf('types'), 'SIGSTOP');
    const slow = expect(examine('1', words())).rejects.toMatchObject(later);
    const other = examine('2', words());
    await underWay();
    vi.advanceTimersByTime(25_000);
    await slow;
    expect(await other).toEqual(text);
    process.kill(processOf('types'), 'SIGSTOP');
    const tooLate = ['1', '2'].map((user) => expect(examine(user, words())).rejects.toMatchObject(later));
    await underWay();
    vi.advanceTimersByTime(30_000);
    await Promise.all(tooLate);
    expect(await examine('2', words())).toEqual(text);
  });

  test('start slowly for the next file if the machine is busy', async () => {
    const childProcess = process.getBuiltinModule('node:child_process');
    const { fork } = childProcess;
    const forked: ChildProcess[] = [];
    const spied = vi.spyOn(childProcess, 'fork').mockImplementation((...args: unknown[]) => {
      const child = fork(...(args as Parameters<typeof fork>));
      child.kill('SIGSTOP');
      forked.push(child);
      return child;
    });
    const busy = new Examiner();
    onTestFinished(() => {
      spied.mockRestore();
      busy.close();
    });
    const ask = () => busy.examine('1', { path: words(), types, maxBytes });
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    const late = expect(ask()).rejects.toMatchObject({ code: 'rate_limited', retryAfterMs: 25_000 });
    while (forked.length === 0) await new Promise((resolve) => setImmediate(resolve));
    vi.advanceTimersByTime(30_000);
    await late;
    vi.useRealTimers();
    const found = ask();
    forked[0]?.kill('SIGCONT');
    expect(await found).toEqual(text);
    expect(forked).toHaveLength(1);
  });

  test('are restarted at the expense of the user whose file ended them', async () => {
    expect(await examine('1', words())).toEqual(text);
    const child = processOf('types');
    process.kill(child, 'SIGSTOP');
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    const crashed = examine('crashing', words());
    await underWay(1);
    process.kill(child, 'SIGKILL');
    expect(await crashed).toEqual({ failed: true });
    const usual = examine('usual', words());
    // Its process starts.
    await underWay(1);
    vi.advanceTimersByTime(1000);
    expect(await usual).toEqual(text);
    vi.useRealTimers();
    process.kill(processOf('types'), 'SIGSTOP');
    const order: string[] = [];
    const queued = ['1', 'crashing', 'usual'].map((user) =>
      examine(user, words()).then(() => order.push(user)),
    );
    process.kill(processOf('types'), 'SIGCONT');
    await Promise.all(queued);
    expect(order).toEqual(['1', 'usual', 'crashing']);
  });

  test('are replaced after they are killed', async () => {
    expect(await examine('1', words())).toEqual(text);
    const child = processOf('types');
    process.kill(child, 'SIGSTOP');
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const [never, next] = [examine('1', words()), examine('2', words())];
    await underWay();
    vi.useRealTimers();
    process.kill(child, 'SIGKILL');
    expect(await never).toEqual({ failed: true });
    expect(await next).toEqual(text);
    // Opening the pipe waits for its other end, so the process is killed after the file got its turn and before it is
    // examined.
    const last = processOf('types');
    const pipe = join(folder, 'pipe');
    execFileSync('mkfifo', [pipe]);
    const opening = examine('1', pipe);
    process.kill(last, 'SIGKILL');
    await expect.poll(children).not.toContain(`${last}`);
    const writer = await open(pipe, 'w');
    expect(await opening).toEqual(text);
    await writer.close();
  });
});

test('keeps no bytes of an upload whose room is deleted or whose user is erased during it', async () => {
  const place = historyFolder();
  const stored = await openSqliteHistory({ path: place.path, onFailure: unexpected });
  const at = Date.now();
  let before = async () => {};
  let after = async () => {};
  const history: History = {
    ...stored,
    write: methods(async (op, input, asker) => {
      if (op === 'addFile') await before();
      const answer = await stored.write[op](input, asker);
      if (op === 'addFile') await after();
      return answer;
    }),
  };
  const kept = join(folder, 'gone');
  const files = new Files({
    place: { kind: 'dir', folder: kept },
    types: ['text/plain'],
    maxBytes,
    orphans: 60_000,
    history,
    onFailure: unexpected,
  });
  const listed = async (before: number) => (await stored.write.dropFiles({ before, most: 9 })).ids;
  const expectGone = async (user: string, code: string) => {
    await stored.write.putRoom({ id: 'den', name: 'den', kind: 'private', at });
    const bytes = Readable.from([Buffer.from('some text')]);
    const adding = files.add({ room: 'den', user, name: 'a.txt', length: 9, bytes });
    await expect(adding).rejects.toMatchObject({ code });
    const entries = readdirSync(kept, { recursive: true, withFileTypes: true });
    expect(entries.filter((entry) => entry.isFile()).map(({ name }) => name)).toEqual([]);
    expect(await listed(Number.MAX_SAFE_INTEGER)).toEqual([]);
  };
  const deleted = (change: () => Promise<unknown>) => async () => {
    await change();
    await carryOutErasures(stored);
    await expect.poll(() => listed(0)).toEqual([]);
  };
  // After the file was registered, while its bytes are stored.
  after = deleted(() => stored.write.deleteRoom({ room: 'den' }));
  await expectGone('1', 'unknown_room');
  after = deleted(() => stored.write.erase({ user: '2', messages: 'delete', at }));
  await expectGone('2', 'forbidden');
  // Just before the file is registered.
  [before, after] = [
    deleted(() => stored.write.erase({ user: '3', messages: 'delete', at })),
    async () => {},
  ];
  await expectGone('3', 'forbidden');
  await files.close();
  await stored.close();
  place.remove();
});

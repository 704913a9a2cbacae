import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Examiner } from '../../../server/files/examiner.ts';
import { Files } from '../../../server/files/files.ts';
import type { History } from '../../../server/history/history.ts';
import { openSqliteHistory } from '../../../server/history/sqlite/sqlite.ts';
import { connectChat, newClientId } from '../../helpers/chat-client.ts';
import { historyFolder, nextChatServer } from '../../helpers/chat-server.ts';
import { download, origin, upload } from '../../helpers/files.ts';
import { type Memcached, startMemcached } from '../../helpers/memcached.ts';
import { smallDisk } from '../../helpers/small-disk.ts';

let memcached: Memcached;
let folder: string;
const cookie = 'PHPSESSID=s1';
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

test('an upload that is cut leaves nothing, and half of one is never seen', async () => {
  const chat = await nextChatServer(settings({ CHAT_FILES: `dir:${folder}/cut` }));
  const socket = connect(chat.port, '127.0.0.1');
  const head = [
    'POST /files?room=lobby&name=x HTTP/1.1',
    'Host: x',
    `Origin: ${origin}`,
    `Cookie: ${cookie}`,
  ];
  socket.write(`${[...head, 'Content-Length: 100000'].join('\r\n')}\r\n\r\n${'x'.repeat(50_000)}`);
  const incoming = () => (existsSync(`${folder}/cut/incoming`) ? readdirSync(`${folder}/cut/incoming`) : []);
  await expect.poll(incoming).toHaveLength(1);
  socket.destroy();
  await expect.poll(incoming).toEqual([]);
  expect((await upload(chat.url, cookie, 'whole')).status).toBe(201);
  expect(chat.output()).not.toMatch(/"level":(40|50|60)/);
  await chat.stop();
});

test('what no message carries for CHAT_FILES_ORPHANS is deleted, and what a server had no time for by the next one', async () => {
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

test('a file that ends the process which examines it is refused, and the next one gets another process', async () => {
  const examiner = new Examiner();
  const types = ['text/plain'];
  const ownChildren = () =>
    readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, 'utf8').trim().split(' ');
  const before = new Set(ownChildren());
  // Whoever reads it waits for ever.
  const pipe = join(folder, 'pipe');
  execFileSync('mkfifo', [pipe]);
  const never = examiner.examine('1', { path: pipe, types });
  const text = join(folder, 'text');
  writeFileSync(text, 'words');
  const next = examiner.examine('2', { path: text, types });
  // Opens when somebody reads.
  const writer = await open(pipe, 'w');
  const [child] = ownChildren().filter((pid) => pid !== '' && !before.has(pid));
  process.kill(Number(child), 'SIGKILL');
  expect(await never).toEqual({ failed: 'ended' });
  expect(await next).toEqual({ type: 'text/plain' });
  examiner.close();
  await writer.close();
});

test.each([
  ['its room is deleted while its bytes are put away', 'unknown_room'],
  ['its user is erased while its bytes are put away', 'forbidden'],
  ['its user is erased in the moment in which it gets known', 'forbidden'],
] as const)('of an upload nothing is left where %s', async (title, code) => {
  const place = historyFolder();
  const stored = await openSqliteHistory({ path: place.path, onFailure: unexpected });
  const at = Date.now();
  await stored.write('putRoom', { id: 'den', name: 'den', kind: 'private', at });
  const gone = async () => {
    if (title.startsWith('its room')) await stored.write('deleteRoom', { room: 'den' });
    else await stored.write('erase', { user: '1', messages: 'delete', at });
    while ((await stored.write('eraseStep', { by: 'one', at })) !== null);
    // Whatever is to be deleted has been.
    const listed = async () => (await stored.write('dropFiles', { before: 0, most: 9 })).ids;
    await expect.poll(listed, { timeout: 20_000 }).toEqual([]);
  };
  const history: History = {
    ...stored,
    async write(op, input, asker) {
      if (op === 'addFile' && title.endsWith('known')) await gone();
      const answer = await stored.write(op, input, asker);
      if (op === 'addFile' && !title.endsWith('known')) await gone();
      return answer;
    },
  };
  const kept = join(folder, `gone-${newClientId()}`);
  const options = { place: { kind: 'dir', folder: kept } as const, types: ['text/plain'], orphans: 60_000 };
  const files = new Files({ ...options, history, onFailure: unexpected });
  const bytes = Readable.from([Buffer.from('some text')]);
  const adding = files.add({ room: 'den', user: '1', name: 'a.txt', length: 9, bytes });
  await expect(adding).rejects.toMatchObject({ code });
  const entries = readdirSync(kept, { recursive: true, withFileTypes: true });
  expect(entries.filter((entry) => entry.isFile()).map(({ name }) => name)).toEqual([]);
  expect((await stored.write('dropFiles', { before: Number.MAX_SAFE_INTEGER, most: 9 })).ids).toEqual([]);
  await files.close();
  await stored.close();
  place.remove();
});

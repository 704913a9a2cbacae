import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { type ChatClient, connectChat, newClientId } from '../../helpers/chat-client.ts';
import { type ChatServer, historyFolder, startChatServer } from '../../helpers/chat-server.ts';
import { download, origin, upload } from '../../helpers/files.ts';
import { within } from '../../helpers/hanging.ts';
import { type Memcached, startMemcached } from '../../helpers/memcached.ts';
import { type S3Server, startS3Server } from '../../helpers/s3-server.ts';

/** The bucket is on an S3 server that checks signatures and permissions. It is installed at its first use. */
let memcached: Memcached;
let s3: S3Server;
const cookie = 'PHPSESSID=s1';
beforeAll(async () => {
  memcached = await startMemcached();
  await memcached.set('sessions/s1', '{"user_id":1,"firstname":"Ann"}');
  s3 = await startS3Server();
}, 300_000);
afterAll(async () => {
  await s3.stop();
  await memcached.stop();
});

const history = historyFolder();
afterAll(() => history.remove());

/** Starts a chat server with files in the bucket, and connects Ann, who joins the lobby. */
async function open(over: NodeJS.ProcessEnv = {}, { id, secret } = s3.key) {
  const work = await mkdtemp(join(tmpdir(), 'chat-bucket-'));
  const credentials = `${encodeURIComponent(id)}:${encodeURIComponent(secret)}`;
  const chat = await startChatServer({
    CHAT_SESSION_STORE: memcached.url,
    CHAT_ORIGINS: origin,
    CHAT_HISTORY: history.url,
    CHAT_FILES: `s3://${credentials}@${s3.bucket}?endpoint=${encodeURIComponent(s3.endpoint)}&prefix=chat/`,
    TMPDIR: work,
    ...over,
  });
  const ann = await connectChat(chat.url, cookie);
  await ann.request('room:join', { room: 'lobby' });
  onTestFinished(async () => {
    ann.close();
    await chat.stop();
    await rm(work, { recursive: true });
  });
  /** Lists the files that uploads left in the server’s temporary folder. */
  const leftovers = async () =>
    (await readdir(work, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
  return { chat, ann, leftovers };
}

async function send(ann: ChatClient, ...ids: string[]) {
  const sent = { room: 'lobby', text: 'x', files: ids.map((id) => ({ id })), clientId: newClientId() };
  return (await ann.request('message:send', sent)).message;
}
const attempt = async ({ url }: ChatServer, bytes: string | Buffer = 'text') => {
  const { status, code } = await upload(url, cookie, bytes);
  return [status, code];
};
const picture = () =>
  sharp({ create: { width: 1600, height: 900, channels: 3, background: 'teal' } })
    .png()
    .toBuffer();

test('stores files until their message is deleted', async () => {
  const { chat, ann, leftovers } = await open();
  const [text, image] = await Promise.all([
    upload(chat.url, cookie, '0123456789', { name: 'é ü.txt' }),
    upload(chat.url, cookie, await picture(), { name: 'a.png' }),
  ]);
  expect([text.status, image.status]).toEqual([201, 201]);
  const [one, two] = [text.file.id, image.file.id];
  expect(await s3.names()).toEqual([`chat/${one}`, `chat/${two}`, `chat/${two}.preview`].sort());
  const message = await send(ann, one, two);
  const own = (headers: object = {}) => download(chat.url, cookie, text.file, { headers });
  expect(await (await own()).text()).toBe('0123456789');
  const part = await own({ range: 'bytes=2-4' });
  expect([part.status, part.headers.get('content-range'), await part.text()]).toEqual([
    206,
    'bytes 2-4/10',
    '234',
  ]);
  expect(await (await own({ range: 'bytes=-3' })).text()).toBe('789');
  expect((await own({ range: 'bytes=10-' })).status).toBe(416);
  for (const [preview, width] of [
    [false, 1600],
    [true, 1280],
  ] as const) {
    const answer = await download(chat.url, cookie, image.file, { preview });
    expect((await sharp(Buffer.from(await answer.arrayBuffer())).metadata()).width).toBe(width);
  }
  await ann.request('message:delete', { room: 'lobby', seq: message.seq });
  await expect.poll(() => s3.names()).toEqual([]);
  expect((await own()).status).toBe(404);
  expect(await leftovers()).toEqual([]);
});

test.each(['busy', 'forbidden', 'silent'] as const)(
  'answers 503 only to uploads and downloads while the bucket is %s',
  async (mode) => {
    const { chat, ann, leftovers } = await open({ CHAT_FILES_ORPHANS: '2s' });
    const { file } = await upload(chat.url, cookie, 'text');
    const { seq } = await send(ann, file.id);
    s3.mode = mode;
    onTestFinished(() => {
      s3.mode = 'open';
    });
    const began = performance.now();
    const unavailable = [503, 'storage_unavailable'];
    const [up, picked, down] = await Promise.all([
      attempt(chat),
      attempt(chat, await picture()),
      download(chat.url, cookie, file),
    ]);
    expect([up, picked, down.status]).toEqual([unavailable, unavailable, 503]);
    expect(performance.now() - began).toBeLessThan(within(10_000));
    await send(ann);
    await ann.request('message:delete', { room: 'lobby', seq });
    expect(await leftovers()).toEqual([]);
    expect(await s3.names()).toEqual([`chat/${file.id}`]);
    s3.mode = 'open';
    await expect.poll(() => s3.names()).toEqual([]);
    const again = await upload(chat.url, cookie, 'text');
    expect(again.status).toBe(201);
    await expect.poll(() => s3.names()).toEqual([]);
    expect(chat.output()).toContain('could not store or delete files');
    expect(chat.output()).not.toContain(s3.key.secret);
  },
);

test('rejects uploads with a wrong secret, and logs the reason', async () => {
  const { chat, ann } = await open({}, { id: s3.key.id, secret: 'wrong-secret' });
  await expect.poll(() => chat.output()).toContain('the bucket returned 403 SignatureDoesNotMatch');
  expect(await attempt(chat)).toEqual([503, 'storage_unavailable']);
  await send(ann);
  expect(chat.output()).not.toContain('wrong-secret');
});

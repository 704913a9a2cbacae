import { randomBytes } from 'node:crypto';
import { readdirSync, statSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { expect, onTestFinished, test } from 'vitest';
import { connectChat, newClientId } from '../../helpers/chat-client.ts';
import { origin, upload } from '../../helpers/files.ts';
import { animatedPng, swellingPictures, zip } from '../../helpers/hostile-files.ts';
import { mp3, mp4, ogg, wav } from '../../helpers/media.ts';
import { startMemcached } from '../../helpers/memcached.ts';
import { startPeopleSite } from '../../helpers/people.ts';
import { smallDisk } from '../../helpers/small-disk.ts';

const KB = 1024;
const MB = 1024 * KB;

async function startSite(env: NodeJS.ProcessEnv) {
  const folder = await mkdtemp(join(tmpdir(), 'chat-budget-'));
  const site = await startPeopleSite({
    CHAT_ORIGINS: origin,
    CHAT_FILES: `dir:${folder}`,
    CHAT_LIMIT_FILE: '1MB',
    ...env,
  });
  onTestFinished(async () => {
    await site.close();
    await rm(folder, { recursive: true });
  });
  const stored = () =>
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ name, parentPath }) => ({ name, size: statSync(join(parentPath, name)).size }));
  return { site, stored, total: () => stored().reduce((sum, { size }) => sum + size, 0) };
}

test('each type: no stored file is larger than CHAT_LIMIT_FILE, no preview than 1 MB, others than pictures are stored byte for byte, and no user stores more than CHAT_LIMIT_FILES_USER', async () => {
  const limit = 190 * KB;
  const budget = 2048 * KB;
  const { site, stored, total } = await startSite({
    CHAT_LIMIT_FILE: '190KB',
    CHAT_LIMIT_FILES_USER: '2048KB/1h',
  });
  const ann = await site.person();
  const became: [string, string][] = [];
  const add = async (what: string, bytes: Buffer) => {
    const before = total();
    const query = new URLSearchParams({ room: 'lobby', name: what });
    const answer = await fetch(`${site.chat.url}/files?${query}`, {
      method: 'POST',
      headers: { origin, cookie: ann.cookie },
      body: new Uint8Array(bytes),
    });
    const { file, error } = (await answer.json()) as {
      file?: { type: string };
      error?: { message: string };
    };
    became.push([what, file?.type ?? `${answer.status} ${error?.message}`]);
    const grown = total() - before;
    if (file === undefined) expect(grown).toBe(0);
    else if (!file.type.startsWith('image/')) expect(grown).toBe(bytes.length);
    return answer.status;
  };
  const pictures = await swellingPictures();
  for (const { what, bytes } of pictures) await add(what, bytes);
  await add('a moving PNG', animatedPng());
  await add('a WAV', wav(20));
  await add('an MP3', mp3(2));
  await add('an Ogg', ogg(2));
  await add('an MP4', mp4({ duration: 2, picture: { width: 640, height: 360 } }));
  await add('a text', Buffer.alloc(limit, 'x'));
  await add('a PDF', Buffer.concat([Buffer.from('%PDF-1.7\n'), randomBytes(10 * KB)]));
  await add('a zip', zip('a.txt', randomBytes(10 * KB), 10 * KB));
  const tooLarge = expect.stringMatching(
    `^413 The picture has \\d+ bytes without its metadata; the limit is ${limit} bytes \\(CHAT_LIMIT_FILE\\).$`,
  );
  expect(became).toEqual([
    ['a PNG', 'image/jpeg'],
    ['a PNG with transparency', 'image/webp'],
    ['a PNG of noise', tooLarge],
    ['a JPEG', 'image/jpeg'],
    ['a WebP', 'image/webp'],
    ['an AVIF', 'image/avif'],
    ['a moving WebP', tooLarge],
    ['a GIF', 'image/gif'],
    ['a moving PNG', 'image/png'],
    ['a WAV', 'audio/wav'],
    ['an MP3', 'audio/mpeg'],
    ['an Ogg', 'audio/ogg'],
    ['an MP4', 'video/mp4'],
    ['a text', 'text/plain'],
    ['a PDF', 'application/pdf'],
    ['a zip', 'application/zip'],
  ]);
  const sizes = (isPreview: boolean) =>
    stored().flatMap(({ name, size }) => (name.endsWith('.preview') === isPreview ? [size] : []));
  expect(Math.max(...sizes(false))).toBeLessThanOrEqual(limit);
  expect(Math.max(...sizes(true))).toBeLessThanOrEqual(MB);
  // The upload is within what is left, and the re-encoded picture is not.
  while ((await add('a text', Buffer.alloc(110 * KB, 'x'))) === 201);
  for (const { what, bytes } of pictures) await add(what, bytes);
  expect(total()).toBeLessThanOrEqual(budget);
  expect(became.filter(([, as]) => as.startsWith('429')).map(([, as]) => as)).toContain(
    '429 This user has reached the limit of bytes of files, 2 MB in 1 h (CHAT_LIMIT_FILES_USER). Try again later.',
  );
  ann.close();
});

test('the picture of a preview counts for the author of the message: beyond the limit the page comes without it', async () => {
  const picture = await sharp(randomBytes(400 * 400 * 3), { raw: { width: 400, height: 400, channels: 3 } })
    .jpeg()
    .toBuffer();
  const web = createServer(({ url }, res) => {
    if (url === '/photo.jpg') return void res.end(picture);
    res
      .setHeader('content-type', 'text/html')
      .end('<title>Fair</title><meta property=og:image content=/photo.jpg><body>');
  });
  await new Promise<void>((done) => web.listen(0, '127.0.0.1', done));
  onTestFinished(() => void web.close());
  const host = `127.0.0.1:${(web.address() as AddressInfo).port}`;
  const limit = Math.ceil(picture.length / KB);
  const { site, stored } = await startSite({
    CHAT_PREVIEWS: 'on',
    CHAT_PREVIEW_HOSTS: host,
    CHAT_LIMIT_FILES_USER: `${2 * limit}KB/1h`,
  });
  const [ann, ben] = [await site.person(), await site.person()];
  for (const one of [ann, ben]) await one.request('room:join', { room: 'lobby' });
  /** The preview of a new message once its page has come. */
  const preview = async (by: typeof ann) => {
    const sent = { room: 'lobby', text: `http://${host}/`, clientId: newClientId() };
    const { seq } = (await by.request('message:send', sent)).message;
    const shown = async () => {
      const page = await by.request('message:history', { room: 'lobby', before: seq + 1, limit: 1 });
      return page.messages[0]?.preview;
    };
    await expect.poll(async () => (await shown())?.title).toBe('Fair');
    return (await shown())?.image === undefined ? 'without' : 'with';
  };
  expect([await preview(ann), await preview(ann), await preview(ann)]).toEqual(['with', 'with', 'without']);
  expect(await upload(site.chat.url, ann.cookie, 'x'.repeat(2 * limit * KB))).toMatchObject({ status: 429 });
  expect(await preview(ben)).toBe('with');
  expect(stored()).toHaveLength(3);
  for (const one of [ann, ben]) one.close();
});

/** A chat of the users `ann` and `ben`, whose files are on a disk of 40 MB. */
async function startOnSmallDisk(env: NodeJS.ProcessEnv) {
  const memcached = await startMemcached();
  for (const id of ['ann', 'ben'])
    await memcached.set(`sessions/${id}`, `{"user_id":"${id}","firstname":"${id}"}`);
  const disk = await smallDisk(40 * MB, {
    CHAT_SESSION_STORE: memcached.url,
    CHAT_ORIGINS: origin,
    CHAT_FILES: 'dir:/mnt/files',
    ...env,
  });
  const chat = await disk.start();
  onTestFinished(async () => {
    await chat.stop();
    await disk.remove();
    await memcached.stop();
  });
  return chat;
}

test('one user uploads to the disk until nothing more is taken: the texts and small files of others all are', async () => {
  const chat = await startOnSmallDisk({ CHAT_LIMIT_FILES_USER: '0' });
  const ben = await connectChat(chat.url, 'PHPSESSID=ben');
  await ben.request('room:join', { room: 'lobby' });
  const ofBen = async () => {
    const { status, file } = await upload(chat.url, 'PHPSESSID=ben', 'x'.repeat(20 * KB));
    expect(status).toBe(201);
    await ben.request('message:send', { room: 'lobby', text: 'x', files: [file], clientId: newClientId() });
  };
  const fill = async () => {
    for (let bytes = 4 * MB; bytes >= KB; ) {
      const { status } = await upload(chat.url, 'PHPSESSID=ann', 'x'.repeat(bytes));
      expect([201, 507]).toContain(status);
      if (status === 507) bytes /= 2;
    }
  };
  let isFull = false;
  const filled = Promise.all([fill(), fill(), fill()]).finally(() => {
    isFull = true;
  });
  while (!isFull) await ofBen();
  await filled;
  for (let n = 0; n < 20; n++) await ofBen();
  ben.close();
});

test('space that an upload has still to fill is given to no other one', async () => {
  const chat = await startOnSmallDisk({ CHAT_LIMIT_FILE: '100MB' });
  const length = 20 * MB;
  const head = [
    'POST /files?room=lobby&name=x HTTP/1.1',
    'Host: x',
    `Origin: ${origin}`,
    'Cookie: PHPSESSID=ann',
  ];
  const socket = connect(chat.port, '127.0.0.1');
  socket.write(`${[...head, `Content-Length: ${length}`].join('\r\n')}\r\n\r\nx`);
  const incoming = () => readdirSync(`/proc/${chat.pid}/root/mnt/files/incoming`);
  await expect.poll(incoming).toHaveLength(1);
  const other = 'x'.repeat(length);
  expect(await upload(chat.url, 'PHPSESSID=ben', other)).toMatchObject({ status: 507, code: 'storage_full' });
  socket.destroy();
  await expect.poll(incoming).toEqual([]);
  expect(await upload(chat.url, 'PHPSESSID=ben', other)).toMatchObject({ status: 201 });
});

import { randomBytes } from 'node:crypto';
import { readdirSync, statSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { againInSoak } from '../../helpers/again-in-soak.ts';
import { connectChat, newClientId } from '../../helpers/chat-client.ts';
import { download, origin, upload } from '../../helpers/files.ts';
import { animatedPng, swellingPictures, zip } from '../../helpers/hostile-files.ts';
import { mp3, mp4, ogg, wav } from '../../helpers/media.ts';
import { startMemcached } from '../../helpers/memcached.ts';
import { startPeopleSite } from '../../helpers/people.ts';
import { smallDisk } from '../../helpers/small-disk.ts';

const KB = 1024;
const MB = 1024 * KB;

againInSoak('keeps every file, preview and user within the storage limits', async () => {
  const limit = 64 * KB;
  const folder = await mkdtemp(join(tmpdir(), 'chat-budget-'));
  const site = await startPeopleSite({
    CHAT_ORIGINS: origin,
    CHAT_FILES: `dir:${folder}`,
    CHAT_LIMIT_FILE: '64KB',
    CHAT_LIMIT_FILES_USER: '1024KB/1h',
  });
  onTestFinished(async () => {
    await site.close();
    await rm(folder, { recursive: true });
  });
  const stored = () =>
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ name, parentPath }) => ({ name, size: statSync(join(parentPath, name)).size }));
  const total = () => stored().reduce((sum, { size }) => sum + size, 0);
  const [ann, ben] = [await site.person(), await site.person()];
  const become = async (bytes: Buffer, { cookie } = ann) => {
    const before = total();
    const answer = await fetch(`${site.chat.url}/files?room=lobby&name=x`, {
      method: 'POST',
      headers: { origin, cookie },
      body: new Uint8Array(bytes),
    });
    const { file, error } = (await answer.json()) as { file?: { type: string }; error?: { message: string } };
    const grown = total() - before;
    if (file === undefined) expect(grown).toBe(0);
    else if (!file.type.startsWith('image/')) expect(grown).toBe(bytes.length);
    return file?.type ?? `${answer.status} ${error?.message}`;
  };
  const tooLarge = expect.stringMatching(
    `^413 The picture has \\d+ bytes without its metadata; the limit is ${limit} bytes \\(CHAT_LIMIT_FILE\\).$`,
  );
  const pictures = await swellingPictures();
  const files: [bytes: Buffer, becomes: unknown][] = [
    ...pictures.map(({ bytes, becomes }): [Buffer, unknown] => [bytes, becomes ?? tooLarge]),
    [animatedPng(), 'image/png'],
    [wav(1), 'audio/wav'],
    [mp3(2), 'audio/mpeg'],
    [ogg(2), 'audio/ogg'],
    [mp4({ duration: 2, picture: { width: 640, height: 360 } }), 'video/mp4'],
    [Buffer.alloc(limit, 'x'), 'text/plain'],
    [Buffer.concat([Buffer.from('%PDF-1.7\n'), randomBytes(10 * KB)]), 'application/pdf'],
    [zip('a.txt', randomBytes(10 * KB), 10 * KB), 'application/zip'],
  ];
  const became: string[] = [];
  for (const [bytes] of files) became.push(await become(bytes));
  expect(became).toEqual(files.map(([, becomes]) => becomes));
  const sizes = (isPreview: boolean) =>
    stored().flatMap(({ name, size }) => (name.endsWith('.preview') === isPreview ? [size] : []));
  expect(Math.max(...sizes(false))).toBeLessThanOrEqual(limit);
  expect(Math.max(...sizes(true))).toBeLessThanOrEqual(MB);
  // The uploaded JPEG would fit, but the re-encoded one does not.
  for (let n = 0; n < 15; n++) expect(await become(Buffer.alloc(limit, 'x'), ben)).toBe('text/plain');
  expect(await become(pictures[3]?.bytes as Buffer, ben)).toBe(
    '429 This user has reached the limit of 1 MB of files in 1 h (CHAT_LIMIT_FILES_USER). Try again later.',
  );
  for (const one of [ann, ben]) one.close();
});

test('rejects an upload that does not fit on the disk, without affecting others', async () => {
  const memcached = await startMemcached();
  for (const id of ['ann', 'ben'])
    await memcached.set(`sessions/${id}`, `{"user_id":"${id}","firstname":"${id}"}`);
  const disk = await smallDisk(12 * MB, {
    CHAT_SESSION_STORE: memcached.url,
    CHAT_ORIGINS: origin,
    CHAT_FILES: 'dir:/mnt/files',
    CHAT_LIMIT_FILE: '100MB',
    CHAT_LIMIT_FILES_USER: '0',
  });
  const chat = await disk.start();
  onTestFinished(async () => {
    await chat.stop();
    await disk.remove();
    await memcached.stop();
  });
  const incoming = () => readdirSync(`/proc/${chat.pid}/root/mnt/files/incoming`);
  const by = (user: string, bytes: number) => upload(chat.url, `PHPSESSID=${user}`, 'x'.repeat(bytes));
  const full = { status: 507, code: 'storage_full' };

  const socket = connect(chat.port, '127.0.0.1');
  const head = [
    'POST /files?room=lobby&name=x HTTP/1.1',
    'Host: x',
    `Origin: ${origin}`,
    'Cookie: PHPSESSID=ann',
  ];
  socket.write(`${[...head, `Content-Length: ${5 * MB}`].join('\r\n')}\r\n\r\nx`);
  await expect.poll(incoming).toHaveLength(1);
  expect(await by('ben', 5 * MB)).toMatchObject(full);
  socket.destroy();
  await expect.poll(incoming).toEqual([]);

  const ben = await connectChat(chat.url, 'PHPSESSID=ben');
  await ben.request('room:join', { room: 'lobby' });
  const ofBen = async () => {
    const { status, file } = await by('ben', 20 * KB);
    expect(status).toBe(201);
    await ben.request('message:send', { room: 'lobby', text: 'x', files: [file], clientId: newClientId() });
    return file;
  };
  const fill = async () => {
    for (let bytes = 4 * MB; bytes >= KB; ) {
      const answer = await by('ann', bytes);
      if (answer.status === 201) continue;
      expect(answer).toMatchObject(full);
      bytes /= 2;
    }
  };
  let isFull = false;
  const filled = Promise.all([fill(), fill()]).finally(() => {
    isFull = true;
  });
  while (!isFull) await ofBen();
  await filled;
  for (let n = 0; n < 5; n++) await ofBen();
  const file = await ofBen();
  expect(await (await download(chat.url, 'PHPSESSID=ben', file)).text()).toHaveLength(20 * KB);
  expect(incoming()).toEqual([]);
  ben.close();
});

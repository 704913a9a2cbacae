import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { soak } from '../guarantees/size.ts';
import { download } from '../helpers/files.ts';
import { type Gate, startGate } from '../helpers/gate.ts';
import { type JavaClient, nextJavaClient, startJavaClient } from '../helpers/java-client.ts';
import { type PeopleSite, type Person, startPeopleSite } from '../helpers/people.ts';

const folder = mkdtempSync(join(tmpdir(), 'chat-java-files-'));
const png = join(folder, 'cat.png');
let site: PeopleSite;
let gate: Gate;
beforeAll(async () => {
  site = await startPeopleSite({ CHAT_ROOMS: 'lobby', CHAT_CREATE_ROOMS: 'all' });
  gate = await startGate(site.chat.port);
  const pixels = { create: { width: 60, height: 40, channels: 3, background: 'teal' } } as const;
  await sharp(pixels).png().toFile(png);
});
const apps = new Set<JavaClient>();
afterEach(async () => {
  await Promise.all([...apps].map((app) => app.end()));
  apps.clear();
});
afterAll(async () => {
  await gate.close();
  await site.close();
  rmSync(folder, { recursive: true });
});

const KB = 1024;
const bytes = (size: number) => Buffer.from(Array.from({ length: size }, (_, n) => 97 + (n % 26)));

/** Starts the user's app with the lobby open. */
async function start(person: Person, { make = nextJavaClient, ...more }: Record<string, unknown> = {}) {
  const app = (make as typeof nextJavaClient)();
  apps.add(app);
  const value = person.cookie.split('=')[1];
  await app.ask('setCookie', { page: 'http://127.0.0.1/', value });
  await app.ask('chat', { server: `http://127.0.0.1:${gate.port}`, ...more });
  await app.ask('start');
  await app.ask('open', { room: 'lobby' });
  return app;
}

interface Uploaded {
  key: string;
  sent: number;
  file?: { name: string; type: string };
  failed?: string;
}
/** Waits for a matching event of an upload. */
async function uploads(app: JavaClient, key: unknown, is: (upload: Uploaded) => boolean, from = 0) {
  const told = await app.isTold(
    'upload',
    ({ upload }) => (upload as Uploaded).key === key && is(upload as Uploaded),
    from,
  );
  return told.upload as Uploaded;
}
const isThere = ({ file }: Uploaded) => file !== undefined;
const shows = (app: JavaClient, text: string) =>
  app.isTold('messages', ({ last, unsent }) => last === text && unsent === 0);

test('an app uploads, sends and downloads files', async () => {
  const ann = await site.person();
  const other = await site.person();
  const app = await start(ann);
  const den = await site.den(ann);
  const cat = await app.ask('upload', { room: den.id, path: png });
  const note = await app.ask('upload', { room: den.id, name: '../größe 💐?.txt', size: 300 });
  expect(await uploads(app, cat, isThere)).toMatchObject({ file: { name: 'cat.png', type: 'image/png' } });
  expect(await uploads(app, note, isThere)).toMatchObject({ sent: 300, file: { type: 'text/plain' } });
  expect(await app.ask('uploads')).toMatchObject([{ key: cat }, { key: note }]);
  await app.ask('open', { room: den.id });
  const files = [{ upload: cat, alt: 'a cat' }, { upload: note }];
  await app.ask('send', { room: den.id, text: '', files });
  await expect
    .poll(async () => (await app.messages(den.id))[0])
    .toMatchObject({
      seq: 1,
      files: [
        {
          name: 'cat.png',
          type: 'image/png',
          alt: 'a cat',
          width: 60,
          blur: expect.stringMatching(/^.{6,}$/),
        },
        { name: 'größe 💐_.txt', size: 300 },
      ],
    });
  expect(await app.ask('uploads')).toEqual([]);

  const picture = await app.ask('upload', { room: den.id, path: png, isRoomPicture: true });
  const { file: small } = await uploads(app, picture, isThere);
  expect(small).toMatchObject({ name: 'picture.webp', type: 'image/webp' });
  const changed = await app.ask<{ picture: string }>('updateRoom', { room: den.id, picture });
  expect(await app.ask('download', { pictureOf: den.id })).toMatchObject({ status: 200, type: 'image/webp' });
  const { room: seen } = await ann.request('room:join', { room: den.id });
  expect(seen.picture).toBe(changed.picture);
  await app.ask('cancelUpload', { upload: picture });
  expect(await app.ask('updateRoom', { room: den.id, picture: '' })).not.toHaveProperty('picture');

  const lists = { room: den.id, content: 'PICTURES', has: 'FILES' };
  expect(await app.ask('files', lists)).toMatchObject({ items: [{ seq: 1 }] });
  expect(await app.ask('search', lists)).toMatchObject({ items: [{ seq: 1 }] });
  expect(await app.ask('files', { ...lists, content: 'LINKS' })).toMatchObject({ items: [] });
  const fetched = (index: number, more = {}) =>
    app.ask<{ status: number; type: string; base64: string }>('download', { seq: 1, index, ...more });
  expect(await fetched(1)).toMatchObject({ status: 200, base64: bytes(300).toString('base64') });
  expect(await fetched(0)).toMatchObject({ status: 200, type: 'image/png' });
  const preview = await fetched(0, { preview: true });
  expect(preview).toMatchObject({ status: 200, type: 'image/webp' });
  expect(await sharp(Buffer.from(preview.base64, 'base64')).metadata()).toMatchObject({ width: 60 });
  const { messages } = await ann.request('message:history', { room: den.id });
  const [file] = messages[0]?.files ?? [];
  expect((await download(site.chat.url, other.cookie, file as never)).status).toBe(404);

  const more = await app.ask('upload', { room: den.id, name: 'more.txt', size: 5 });
  await uploads(app, more, isThere);
  const change = { kept: ['0'], alt: 'Tom', added: [more] };
  const mentions = [{ user: ann.id, begin: 5, end: 7 }];
  await app.ask('edit', { seq: 1, text: 'look @x', mentions, ...change });
  await expect
    .poll(async () => (await app.messages(den.id))[0])
    .toMatchObject({ shown: `look @Name of ${ann.id}`, files: [{ alt: 'Tom' }, { name: 'more.txt' }] });
  expect(await app.ask('uploads')).toEqual([]);
  await expect(app.ask('edit', { seq: 1, text: '\ud83d', kept: [] })).rejects.toMatchObject({
    code: 'bad_request',
  });
  ann.close();
  other.close();
});

test('later messages overtake a message that waits for its files', async () => {
  const ben = await site.person();
  const app = await start(ben);
  const size = 4000 * KB;
  const key = await app.ask('upload', { room: 'lobby', name: 'long.txt', size, hold: size - 1 });
  const clientId = await app.ask('send', {
    room: 'lobby',
    text: '👋 @x: the long one',
    files: [{ upload: key }],
    mentions: [{ user: ben.id, begin: 3, end: 5 }],
  });
  // Bytes are sent before the source has provided all of them.
  const { sent } = await uploads(app, key, ({ sent }) => sent > 0);
  expect(sent).toBeLessThan(size);
  await app.ask('send', { room: 'lobby', text: 'the quick one' });
  await expect
    .poll(async () => (await app.messages('lobby')).map(({ text, seq }) => [text, seq]))
    .toEqual([
      ['the quick one', 1],
      ['👋 @x: the long one', undefined],
    ]);
  expect((await app.messages('lobby'))[1]).toMatchObject({ clientId, files: [{ key, there: false }] });
  await app.ask('release');
  await shows(app, '👋 @x: the long one');
  expect((await app.messages('lobby')).at(-1)).toMatchObject({
    seq: 2,
    shown: `👋 @Name of ${ben.id}: the long one`,
    files: [{ name: 'long.txt', size }],
  });
  ben.close();
});

test('an interrupted upload restarts over the next connection and its message is sent once', async () => {
  const cem = await site.person();
  const app = await start(cem);
  const size = 600 * KB;
  const key = await app.ask('upload', { room: 'lobby', name: 'cut.txt', size, hold: size / 2 });
  await app.ask('send', { room: 'lobby', text: 'in two pieces', files: [{ upload: key }] });
  await app.isTold('messages', ({ unsent }) => unsent === 1);
  await gate.outage.begin();
  await app.isTold('state', ({ kind }) => kind === 'OFFLINE');
  await app.ask('release');
  const from = app.told.length;
  await gate.outage.end();
  await app.ask('wake');
  // The new attempt reopens the source, which pauses again.
  await app.isTold('state', ({ kind }) => kind === 'ONLINE', from);
  await app.ask('release');
  await shows(app, 'in two pieces');
  expect((await app.messages('lobby')).filter(({ text }) => text === 'in two pieces')).toMatchObject([
    { files: [{ name: 'cut.txt', size }] },
  ]);
  cem.close();
});

test('a message with a failed file waits until the file is cancelled', async () => {
  const dan = await site.person();
  const app = await start(dan);
  writeFileSync(join(folder, 'zeros'), Buffer.alloc(100));
  const refused = async (code: string, more: object) => {
    const key = await app.ask('upload', { room: 'lobby', name: 'x.txt', size: 300, ...more });
    expect(await uploads(app, key, ({ failed }) => failed !== undefined)).toMatchObject({ failed: code });
    return key;
  };
  await refused('too_large', { said: 20_000_000 });
  await refused('file_type', { path: join(folder, 'zeros') });
  await refused('unknown_room', { room: 'nowhere' });
  await refused('unreadable', { said: 301 });
  await refused('unreadable', { said: 299 });
  const key = await refused('unreadable', { breaks: 100 });
  const from = app.told.length;
  await app.ask('retryUpload', { upload: key });
  // A slow app gets only the latest state.
  await uploads(app, key, ({ failed }) => failed === 'unreadable', from);

  const clientId = await app.ask('send', {
    room: 'lobby',
    text: 'with or without',
    files: [{ upload: key }],
  });
  const unsent = { message: { clientId, failed: 'not_uploaded', files: [{ key, there: false }] } };
  expect(await app.isTold('unsent')).toMatchObject(unsent);
  // The source still exists, so it is tried once more.
  const again = app.told.length;
  await app.ask('retry', { clientId });
  expect(await app.isTold('unsent', undefined, again)).toMatchObject(unsent);
  await app.ask('cancelUpload', { upload: key });
  await app.ask('retry', { clientId });
  await shows(app, 'with or without');
  expect((await app.messages('lobby')).at(-1)).not.toHaveProperty('files');

  // Cancelled during the upload: without text, the message is empty and retry discards it.
  const held = await app.ask('upload', { room: 'lobby', name: 'y.txt', size: 300, hold: 100 });
  const empty = await app.ask('send', { room: 'lobby', text: ' ', files: [{ upload: held }] });
  await app.isTold('messages', ({ unsent }) => unsent === 1, again);
  const gone = app.told.length;
  await app.ask('cancelUpload', { upload: held });
  await app.isTold('unsent', ({ message }) => (message as { clientId: string }).clientId === empty, gone);
  await app.ask('retry', { clientId: empty });
  await app.isTold('messages', ({ unsent, last }) => unsent === 0 && last === 'with or without', gone);
  await app.ask('release');
  dan.close();
});

if (soak) {
  test('the next process keeps the text and uploaded files of an unsent message', async () => {
    const eva = await site.person();
    const more = { make: startJavaClient, outbox: join(folder, 'outbox') };
    const first = (await start(eva, more)) as ReturnType<typeof startJavaClient>;
    const cat = await first.ask('upload', { room: 'lobby', path: png });
    await uploads(first, cat, isThere);
    const lost = await first.ask('upload', { room: 'lobby', name: 'lost.txt', size: 300, hold: 100 });
    const files = [{ upload: cat }, { upload: lost }];
    const clientId = await first.ask('send', { room: 'lobby', text: 'before the end', files });
    await first.isTold('messages', ({ unsent }) => unsent === 1);
    await first.stop('SIGKILL');
    apps.delete(first);

    const second = await start(eva, more);
    expect(await second.isTold('unsent')).toMatchObject({
      message: {
        clientId,
        failed: 'not_uploaded',
        files: [
          { key: cat, there: true },
          { key: lost, there: false },
        ],
      },
    });
    await second.ask('retry', { clientId });
    await shows(second, 'before the end');
    const sent = (await second.messages('lobby')).filter((one) => one.clientId === clientId);
    expect(sent).toMatchObject([{ files: [{ name: 'cat.png' }] }]);
    expect(sent[0]?.files).toHaveLength(1);
    eva.close();
  });
}

test('a session ID without a cookie is enough to upload and download', async () => {
  const fay = await site.person();
  const app = nextJavaClient();
  apps.add(app);
  await app.ask('chat', { server: site.chat.url, session: fay.cookie.split('=')[1] });
  await app.ask('start');
  await app.ask('open', { room: 'lobby' });
  const key = await app.ask('upload', { room: 'lobby', name: 'a.txt', size: 10 });
  await uploads(app, key, isThere);
  await app.ask('send', { room: 'lobby', text: 'by its id', files: [{ upload: key }] });
  await shows(app, 'by its id');
  const { seq } = (await app.messages('lobby')).at(-1) as { seq: number };
  expect(await app.ask('download', { seq, index: 0 })).toMatchObject({ status: 200 });
  fay.close();
});

test('the server rejects an upload from a disallowed origin', async () => {
  const fay = await site.person();
  const foreign = await start(fay, { origin: 'https://elsewhere.example/' });
  const other = await foreign.ask('upload', { room: 'lobby', name: 'a.txt', size: 10 });
  const failed = await uploads(foreign, other, (one) => one.failed !== undefined);
  expect(failed).toMatchObject({ failed: 'origin_not_allowed' });
  fay.close();
});

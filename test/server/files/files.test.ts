import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { setPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { unzipSync } from 'fflate';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import type { MessageFile } from '../../../server/wire/events.ts';
import { againInSoak } from '../../helpers/again-in-soak.ts';
import { type ChatClient, connectChat, newClientId } from '../../helpers/chat-client.ts';
import { chatServerHere } from '../../helpers/chat-here.ts';
import { type RunningChat, startChatServer } from '../../helpers/chat-server.ts';
import { type ChatSite, startChatSite } from '../../helpers/chat-site.ts';
import { download, origin, upload as uploadOnce } from '../../helpers/files.ts';
import { hanging } from '../../helpers/hanging.ts';
import {
  animatedPng,
  hostileFiles,
  hostileNames,
  largePictures,
  marker,
} from '../../helpers/hostile-files.ts';
import { mp4, webm } from '../../helpers/media.ts';
import { eventsOf } from '../../helpers/people.ts';
import { RawClient } from '../../helpers/raw-http.ts';

const apiKey = 'a-key-of-more-than-16-characters';
let site: ChatSite<RunningChat>;
let folder: string;
let annsCookie: string;
let bensCookie: string;
let ann: ChatClient;
let ben: ChatClient;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'chat-files-'));
  const env = {
    CHAT_ROOMS: 'lobby,other',
    CHAT_USER_ROLES: 'roles',
    CHAT_ORIGINS: origin,
    CHAT_FILES: `dir:${folder}`,
    CHAT_LIMIT_FILE: '1MB',
    CHAT_LIMIT_FILES_USER: '0',
    CHAT_API_KEY: apiKey,
  };
  site = await startChatSite(env, chatServerHere);
  annsCookie = await site.session(1, 'Ann');
  bensCookie = await site.session(2, 'Ben');
  ann = await connectChat(site.chat.url, annsCookie);
  ben = await connectChat(site.chat.url, bensCookie);
  for (const one of [ann, ben]) await one.request('room:join', { room: 'lobby' });
  // Starts the examining processes, which takes a busy machine longer than a test.
  await upload(site.chat.url, annsCookie, await noise(1, 1).png().toBuffer());
});
afterAll(async () => {
  ann.close();
  ben.close();
  await site.close();
  await rm(folder, { recursive: true });
});

/** Returns the names of the stored files. */
const stored = (): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ name }) => name);
const send = (files: { id: string; alt?: string }[], room = 'lobby', text = '') =>
  ann.request('message:send', { room, text, files, clientId: newClientId() });
/** Uploads. Like a client, repeats an upload that waited too long for the CPU of a busy machine. */
async function upload(...args: Parameters<typeof uploadOnce>): ReturnType<typeof uploadOnce> {
  const uploaded = await uploadOnce(...args);
  return uploaded.code === 'rate_limited' ? upload(...args) : uploaded;
}
const noise = (width: number, height: number) =>
  sharp({
    create: {
      width,
      height,
      channels: 3,
      background: '#888',
      noise: { type: 'gaussian', mean: 128, sigma: 60 },
    },
  });
const get = (file: Parameters<typeof download>[2], cookie = bensCookie, options = {}) =>
  download(site.chat.url, cookie, file, options);
const statusOf = async (...args: Parameters<typeof get>) => {
  const answer = await get(...args);
  await answer.arrayBuffer();
  return answer.status;
};
const privateRoom = async () => {
  const { room } = await ann.request('room:create', {
    name: 'Den',
    kind: 'private',
    clientId: newClientId(),
    members: ['2'],
  });
  await ann.request('room:join', { room: room.id });
  return room.id;
};

test('deletes the preview of a picture with the picture', async () => {
  const tall = { width: 400, height: 1600, channels: 3, background: '#963' } as const;
  const { file } = await upload(site.chat.url, annsCookie, await sharp({ create: tall }).jpeg().toBuffer(), {
    name: 'a.jpg',
  });
  const left = () => stored().filter((name) => name.startsWith(file.id));
  expect(left()).toHaveLength(2);
  const { message } = await send([file]);
  await ann.request('message:delete', { room: 'lobby', seq: message.seq });
  await expect.poll(left).toEqual([]);
});

test('accepts files on a server process with the lowest CPU priority', async () => {
  const low = await startChatSite({ CHAT_ROOMS: 'lobby', CHAT_ORIGINS: origin }, startChatServer);
  onTestFinished(low.close);
  setPriority(low.chat.pid, 19);
  const cookie = await low.session(1, 'Ann');
  expect((await upload(low.chat.url, cookie, 'some text')).status).toBe(201);
});

test('rotates and re-encodes a picture without its metadata', async () => {
  expect(ann.ready).toMatchObject({ can: { files: true }, limits: { file: 1_048_576, files: 10 } });
  const bytes = await noise(1600, 400)
    .jpeg()
    .withExif({ IFD0: { Make: 'Wm4kZ-camera' }, IFD3: { GPSLatitude: '52/1 31/1 0/1' } })
    .withMetadata({ orientation: 6 })
    .toBuffer();
  expect(bytes.includes('Wm4kZ-camera')).toBe(true);
  const { status, file } = await upload(site.chat.url, annsCookie, bytes, { name: 'Été.jpg' });
  expect({ status, file }).toEqual({
    status: 201,
    file: {
      id: expect.stringMatching(/^[0-9a-f]{32}$/),
      name: 'Été.jpg',
      type: 'image/jpeg',
      size: expect.any(Number),
      image: { width: 400, height: 1600, blur: expect.stringMatching(/^.{20,64}$/) },
    },
  });
  // Only the uploader sees it before it is sent.
  expect([await statusOf(file), await statusOf(file, annsCookie)]).toEqual([404, 200]);
  const { message } = await send([{ id: file.id, alt: 'A tower' }]);
  expect(message.files).toEqual([{ ...file, alt: 'A tower' }]);
  await expect.poll(() => ben.messages().at(-1)).toEqual(message);
  const { rooms } = await ben.request('room:list', {});
  expect(rooms[0]?.last).toMatchObject({ text: '', files: 1, pictures: 1 });
  expect(rooms[0]?.last).not.toHaveProperty('voice');

  const answer = await get(file);
  expect(answer.status).toBe(200);
  expect(Object.fromEntries(answer.headers)).toMatchObject({
    'content-type': 'image/jpeg',
    'content-length': String(file.size),
    'cache-control': 'private, no-cache',
    'x-content-type-options': 'nosniff',
    'content-security-policy': "sandbox; default-src 'none'",
    'cross-origin-resource-policy': 'same-site',
    'content-disposition': "inline; filename*=UTF-8''%C3%89t%C3%A9.jpg",
    'access-control-allow-origin': origin,
    'access-control-allow-credentials': 'true',
  });
  const made = Buffer.from(await answer.arrayBuffer());
  const page = await get(file, bensCookie, { headers: { 'sec-fetch-dest': 'document' } });
  expect([page.status, page.headers.get('cache-control')]).toEqual([200, 'private, no-store']);
  await page.arrayBuffer();
  expect(made.includes('Wm4kZ-camera')).toBe(false);
  expect(await sharp(made).metadata()).toMatchObject({ width: 400, height: 1600 });
  expect(await sharp(made).metadata()).not.toHaveProperty('exif');
  const preview = await get(file, bensCookie, { preview: true });
  expect(preview.headers.get('content-type')).toBe('image/webp');
  expect(await sharp(await preview.arrayBuffer()).metadata()).toMatchObject({ width: 320, height: 1280 });
});

againInSoak('examines a small picture while the large picture of another user is examined', async () => {
  const children = `/proc/${process.pid}/task/${process.pid}/children`;
  const slowProcess = () =>
    readFileSync(children, 'utf8')
      .trim()
      .split(' ')
      .find((pid) => pid !== '' && readFileSync(`/proc/${pid}/cmdline`, 'utf8').endsWith('slow\0'));
  const plain = (side: number) =>
    sharp({ create: { width: side, height: side, channels: 3, background: '#963' } });
  const small = await plain(40).png().toBuffer();
  // Examining it needs little CPU time, and is left to the process for large pictures for its pixels.
  const large = await plain(1100).gif().toBuffer();
  const uploads = [upload(site.chat.url, annsCookie, large), upload(site.chat.url, annsCookie, large)];
  await expect.poll(slowProcess, { timeout: hanging }).toBeDefined();
  const pid = Number(slowProcess());
  const signal = (name: NodeJS.Signals) => {
    try {
      process.kill(pid, name);
    } catch {
      // On a busy machine the server may have replaced the process, because its task took too long.
    }
  };
  signal('SIGSTOP');
  onTestFinished(() => signal('SIGKILL'));
  const statuses: number[] = [];
  for (const cookie of [bensCookie, bensCookie, annsCookie])
    statuses.push((await upload(site.chat.url, cookie, small)).status);
  expect(statuses).toEqual([201, 201, 201]);
  signal('SIGCONT');
  expect((await Promise.all(uploads)).map(({ status }) => status)).toEqual([201, 201]);
});

test('keeps the frames of an animated PNG', async () => {
  const { status, file } = await upload(site.chat.url, annsCookie, animatedPng(), { name: 'a.png' });
  expect([status, file.type, file.image]).toEqual([
    201,
    'image/png',
    { width: 8, height: 8, blur: expect.any(String) },
  ]);
  const stored = Buffer.from(await (await download(site.chat.url, annsCookie, file)).arrayBuffer());
  const chunks = [...stored.toString('latin1').matchAll(/IHDR|tEXt|eXIf|acTL|fcTL|IDAT|fdAT|IEND/g)];
  expect(chunks.map(String)).toEqual(['IHDR', 'acTL', 'fcTL', 'IDAT', 'fcTL', 'fdAT', 'IEND']);
});

test('names the limit or another format when it rejects a picture or video', async () => {
  const heic = Buffer.from('\0\0\0\x18ftypheic\0\0\0\0heicmif1', 'latin1');
  const hevc = mp4({ duration: 2, picture: { width: 640, height: 480 }, codecs: ['hvc1'] });
  hevc.write('qt  ', 8, 'latin1');
  const rejected: { bytes: Buffer; limit: string; code?: string }[] = [
    ...(await largePictures()),
    { bytes: heic, limit: 'Browsers do not show HEIC pictures. Send the picture as JPEG', code: 'file_type' },
    { bytes: hevc, limit: 'Send it as MP4 with H.264', code: 'file_type' },
  ];
  for (const { bytes, limit, code = 'file_limit' } of rejected) {
    const answer = await fetch(`${site.chat.url}/files?room=lobby&name=a`, {
      method: 'POST',
      headers: { origin, cookie: annsCookie },
      body: new Uint8Array(bytes),
    });
    expect(await answer.json()).toEqual({
      error: { code, message: expect.stringContaining(limit) },
    });
    expect(answer.status).toBe(415);
  }
});

test('does not run, leak or fail on hostile files', async () => {
  const files = await hostileFiles();
  const logged = site.chat.output().length;
  expect(files.length).toBeGreaterThanOrEqual(40);
  const became: [string, string][] = [];
  for (const { what, bytes } of files) {
    const { status, file } = await upload(site.chat.url, annsCookie, bytes, { name: `${what}.png` });
    became.push([what, status === 201 ? file.type : status === 415 ? 'refused' : `${status}`]);
    if (status !== 201) continue;
    for (const preview of file.image === undefined ? [false] : [false, true]) {
      const answer = await download(site.chat.url, annsCookie, file, { preview });
      const shown = Buffer.from(await answer.arrayBuffer());
      const isPicture = file.image !== undefined;
      const isShown = isPicture || file.type === 'audio/mpeg';
      expect({ what, preview, ...Object.fromEntries(answer.headers) }).toMatchObject({
        'content-type': preview ? 'image/webp' : isShown ? file.type : 'application/octet-stream',
        ...(preview
          ? {}
          : { 'content-disposition': expect.stringMatching(isShown ? /^inline;/ : /^attachment;/) }),
        'content-security-policy': "sandbox; default-src 'none'",
        'x-content-type-options': 'nosniff',
      });
      if (!isPicture) continue;
      expect({ what, leaks: shown.includes(marker) || shown.includes('GPS') }).toEqual({
        what,
        leaks: false,
      });
      const { exif, xmp, iptc, comments } = await sharp(shown).metadata();
      expect({ what, exif, xmp, iptc, comments }).toEqual({ what });
    }
  }
  expect(became).toEqual(files.map(({ what, fate }) => [what, fate]));
  const plain = await sharp({ create: { width: 9, height: 9, channels: 3, background: '#fff' } })
    .png()
    .toBuffer();
  expect((await upload(site.chat.url, annsCookie, plain)).status).toBe(201);
  expect(readdirSync(join(folder, 'incoming'))).toEqual([]);
  expect(site.chat.output().slice(logged)).not.toMatch(/"level":(50|60)/);
});

test('removes paths and invisible characters from names, and keeps the extension', async () => {
  for (const [given, seen] of hostileNames) {
    const { status, file } = await upload(site.chat.url, annsCookie, 'text', { name: given });
    expect({ given, status }).toEqual({ given, status: 201 });
    expect(file.name).toMatch(typeof seen === 'string' ? new RegExp(`^${RegExp.escape(seen)}$`) : seen);
    const answer = await download(site.chat.url, annsCookie, file);
    expect([given, answer.status]).toEqual([given, 200]);
    const [, name = ''] =
      /^attachment; filename\*=UTF-8''(.*)$/.exec(answer.headers.get('content-disposition') ?? '') ?? [];
    expect(decodeURIComponent(name)).toBe(file.name);
  }
});

test('serves ranges, ETags and HEAD requests', async () => {
  const words = 'hello world, these are a few words';
  const { file } = await upload(site.chat.url, annsCookie, words, { name: 'a.txt' });
  expect(file).toEqual({ id: file.id, name: 'a.txt', type: 'text/plain', size: 34 });
  const own = (headers: object, method = 'GET') => get(file, annsCookie, { headers, method });
  const whole = await own({});
  expect(Object.fromEntries(whole.headers)).toMatchObject({
    'content-type': 'application/octet-stream',
    'content-disposition': "attachment; filename*=UTF-8''a.txt",
    'accept-ranges': 'bytes',
  });
  expect(await whole.text()).toBe(words);
  const etag = whole.headers.get('etag') ?? '';
  const odd = ['bytes=5-2', 'bytes=0-1,3-4', 'bytes=a-b', 'words=0-1', 'bytes=-'];
  for (const [range, expected, more = {}] of [
    ['bytes=6-10', [206, 'bytes 6-10/34', 'world']],
    ['bytes=29-', [206, 'bytes 29-33/34', 'words']],
    ['bytes=-5', [206, 'bytes 29-33/34', 'words']],
    ['bytes=0-9999', [206, 'bytes 0-33/34', words]],
    ['bytes=34-', [416, 'bytes */34', '']],
    ['bytes=-0', [416, 'bytes */34', '']],
    ...odd.map((range) => [range, [200, null, words]] as const),
    ['bytes=0-4', [206, 'bytes 0-4/34', 'hello'], { 'if-range': etag }],
    ['bytes=0-4', [200, null, words], { 'if-range': '"other"' }],
  ] as [string, unknown[], object?][]) {
    const answer = await own({ range, ...more });
    const got = [answer.status, answer.headers.get('content-range'), await answer.text()];
    expect([range, ...got]).toEqual([range, ...expected]);
  }
  const same = await own({ 'if-none-match': etag });
  expect([same.status, same.headers.get('etag'), await same.text()]).toEqual([304, etag, '']);
  const head = await own({}, 'HEAD');
  expect([head.status, head.headers.get('content-length')]).toEqual([200, '34']);
});

test('accepts text in common encodings and a PDF with leading bytes, and stores them unchanged', async () => {
  const utf16 = (text: string, order: 'le' | 'be') => {
    const bytes = Buffer.from(text, 'utf16le');
    return order === 'le' ? bytes : bytes.swap16();
  };
  const text: [string, Buffer][] = [
    ['UTF-16 of Windows', utf16('\ufeffGrüße, 世界\r\n', 'le')],
    ['UTF-16, the other way round', utf16('\ufeffGrüße, 世界\r\n', 'be')],
    ['UTF-16 without ASCII', utf16('\ufeff世界一😀', 'le')],
    ['UTF-16 without a mark', utf16('Ёлка, 世界一\r\n', 'be')],
    ['XML in UTF-16', utf16('\ufeff<?xml version="1.0"?><a/>', 'le')],
    ['a log with colours', Buffer.from('\x1b[31mfailed\x1b[0m\x07\n')],
    ['a file of DOS with backspaces', Buffer.from('N\x08NA\x08A\r\n\x1a')],
    ['an empty file', Buffer.alloc(0)],
    ['Shift-JIS', Buffer.from([0x93, 0xfa, 0x96, 0x7b])],
    ['a text that begins like a bitmap', Buffer.from('BMW drivers')],
    ['a text that begins like a program', Buffer.from('MZ are two letters')],
    ['a text that begins like a sound', Buffer.from('ID3 tags hold the title of a song.')],
  ];
  const binary = Buffer.from([0, 1, 2, 0xd8, 0]);
  const pdf = Buffer.concat([
    Buffer.from(`HTTP/1.1 200 OK\r\n${' '.repeat(900)}\r\n\r\n%PDF-1.7\n`),
    binary,
    Buffer.from('startxref\n9\n%%EOF\n'),
  ]);
  const none: [string, Buffer][] = [
    ['half of a character', Buffer.from([0xff, 0xfe, 0x41])],
    ['half of a pair', utf16('\ufeffa\ud83d', 'le')],
    ['numbers of two bytes', Buffer.from(Uint16Array.from({ length: 64 }, (_, n) => n * 7).buffer)],
    ['zeros', Buffer.alloc(4096)],
  ];
  const became: [string, string][] = [];
  for (const [what, bytes] of [...text, ['a PDF', pdf] as const, ...none]) {
    const { status, file } = await upload(site.chat.url, annsCookie, bytes, { name: 'a.html' });
    became.push([what, status === 201 ? file.type : `${status}`]);
    if (status !== 201) continue;
    const answer = await get(file, annsCookie);
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      'content-type': 'application/octet-stream',
      'content-disposition': "attachment; filename*=UTF-8''a.html",
      'content-security-policy': "sandbox; default-src 'none'",
      'x-content-type-options': 'nosniff',
    });
    expect(Buffer.from(await answer.arrayBuffer())).toEqual(bytes);
  }
  expect(became).toEqual([
    ...text.map(([what]) => [what, 'text/plain']),
    ['a PDF', 'application/pdf'],
    ...none.map(([what]) => [what, '415']),
  ]);
});

test('reads the metadata of sound and video, and serves them in parts', async () => {
  const add = async (bytes: Buffer, name: string, peaks?: string) => {
    const options = { name, ...(peaks === undefined ? {} : { peaks }) };
    const { status, file, code } = await upload(site.chat.url, annsCookie, bytes, options);
    return status === 201 ? file : `${status} ${code}`;
  };
  const picture = { width: 640, height: 360 };
  const peaks = '0123456789abcdefghijklmnopqrstuv00000000000000';
  const files = [
    await add(mp4({ duration: 2 }), 'song.m4a'),
    await add(mp4({ duration: 2, picture }), 'film.mp4'),
    await add(webm({ duration: 2, live: true }), 'voice.webm', peaks),
  ];
  expect(files).toMatchObject([
    { type: 'audio/mp4', audio: { duration: 2000 } },
    { type: 'video/mp4', video: { ...picture, duration: 2000 } },
    { type: 'audio/webm', audio: { duration: 2000, peaks } },
  ]);
  files.reverse();
  const { message } = await send(files.map((file) => ({ id: (file as MessageFile).id })));
  expect(message.files).toEqual(files);
  const { rooms } = await ben.request('room:list', {});
  expect(rooms[0]?.last).toMatchObject({ text: '', files: 3, voice: 2000 });
  for (const file of files as MessageFile[]) {
    const answer = await get(file, bensCookie, { headers: { range: 'bytes=4-' } });
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      'content-type': file.type,
      'content-disposition': expect.stringMatching(/^inline;/),
      'content-range': `bytes 4-${file.size - 1}/${file.size}`,
    });
    expect([answer.status, (await answer.arrayBuffer()).byteLength]).toEqual([206, file.size - 4]);
  }
  // A voice message must be sound with valid peaks. A file that only begins like sound is rejected.
  expect([
    await add(mp4({ duration: 2, picture }), 'voice.webm', peaks),
    await add(Buffer.from('hello'), 'voice.webm', peaks),
    await add(await noise(9, 9).png().toBuffer(), 'voice.webm', peaks),
    await add(webm({ duration: 2 }).subarray(0, 12), 'voice.webm'),
    await add(webm({ duration: 2 }), 'voice.webm', `${peaks}0`),
    await add(webm({ duration: 2 }), 'voice.webm', ''),
  ]).toEqual([...Array(4).fill('415 file_type'), ...Array(2).fill('400 bad_request')]);
});

test('finds a file with braces in its name, which nginx before 1.21.1 decodes', async () => {
  const { file } = await upload(site.chat.url, annsCookie, 'a few words', { name: '{a}.txt' });
  const nginx = await RawClient.connect(site.chat.port);
  const passed = nginx.get(`/files/${file.id}/{a}.txt`, { Cookie: annsCookie });
  expect(await passed.finally(() => nginx.close())).toBe('a few words');
});

test('leaves no open file when a client disconnects before the file is opened', async () => {
  const { file } = await upload(site.chat.url, annsCookie, 'a few words', { name: 'a.txt' });
  const { hostname, port } = new URL(site.chat.url);
  const leave = async () => {
    const socket = connect(Number(port), hostname);
    await once(socket, 'connect');
    socket.write(`GET /files/${file.id}/a.txt HTTP/1.1\r\nHost: a\r\nCookie: ${annsCookie}\r\n\r\n`);
    socket.resetAndDestroy();
  };
  const isOpen = () => {
    return readdirSync('/proc/self/fd').some((fd) => {
      try {
        return readlinkSync(join('/proc/self/fd', fd)).startsWith(folder);
      } catch {
        // It was closed after the listing.
        return false;
      }
    });
  };
  for (let n = 0; n < 60; n++) await leave();
  // After this response, all earlier requests were answered or cancelled.
  expect(await statusOf(file, annsCookie)).toBe(200);
  await expect.poll(isOpen).toBe(false);
});

test('rejects uploads by user, origin, size and type', async () => {
  const room = await privateRoom();
  const zoe = await site.session(9, 'Zoe');
  const evil = { headers: { origin: 'https://evil.example' } };
  for (const [cookie, bytes, options, expected] of [
    [zoe, 'text', { room }, '404 unknown_room'],
    [zoe, 'text', { room: 'nowhere' }, '404 unknown_room'],
    ['PHPSESSID=unknown', 'text', {}, '401 unauthorized'],
    ['', 'text', {}, '401 unauthorized'],
    [annsCookie, 'text', evil, '403 origin_not_allowed'],
    [annsCookie, 'x'.repeat(1_048_577), {}, '413 too_large'],
    [annsCookie, Buffer.from([0, 1, 2, 3]), {}, '415 file_type'],
  ] as const) {
    const { status, code } = await upload(site.chat.url, cookie, bytes, options);
    expect(`${status} ${code}`).toBe(expected);
  }
  const post = async (headers: Record<string, string>, body: RequestInit['body'] = 'x') => {
    const init = { method: 'POST', headers, body, duplex: 'half' } as RequestInit;
    return (await fetch(`${site.chat.url}/files?room=lobby&name=x`, init)).status;
  };
  // A form of another site also sends the cookie.
  expect(await post({ cookie: annsCookie })).toBe(403);
  // Other values of this header do not prove which page sent the cookie.
  for (const authorization of ['Basic YTpi', 'Session', 'Bearer x'])
    expect(await post({ cookie: annsCookie, authorization })).toBe(403);
  expect(await post({ cookie: annsCookie, origin }, new Blob(['x']).stream())).toBe(411);
  const preflight = await fetch(`${site.chat.url}/files?room=lobby`, {
    method: 'OPTIONS',
    headers: { origin },
  });
  expect([preflight.status, preflight.headers.get('access-control-allow-headers')]).toEqual([
    204,
    'Content-Type, Authorization',
  ]);
});

test('requires the session for a download, as a cookie or from an app', async () => {
  const url = site.chat.url;
  const app = { authorization: `Session ${annsCookie.split('=')[1]}` };
  const made = await fetch(`${url}/files?room=lobby&name=x`, { method: 'POST', headers: app, body: 'x' });
  expect(made.status).toBe(201);
  const { id, name } = ((await made.json()) as { file: MessageFile }).file;
  const cookie = annsCookie;
  for (const [path, headers, expected] of [
    [`${id}/${name}`, app, 200],
    [`${id}/${name}`, { cookie }, 200],
    [`${id}/${name}`, { authorization: 'Session no' }, 404],
    [`${id}/${name}`, { cookie, 'sec-fetch-site': 'cross-site' }, 404],
    [`${id}/${name}`, { cookie, origin: 'https://evil.example' }, 404],
    [`${id}/${name}`, {}, 404],
    [`${'a'.repeat(32)}/x`, { cookie }, 404],
  ] as const) {
    const answer = await fetch(`${url}/files/${path}`, { headers });
    expect([path, headers, answer.status]).toEqual([path, headers, expected]);
  }
  // This file has no preview.
  expect(await statusOf({ id, name }, cookie, { preview: true })).toBe(404);
  expect((await fetch(`${url}/files`, { headers: { cookie } })).status).toBe(405);
});

test('serves pictures of a private room only to its current members', async () => {
  const room = await privateRoom();
  const { file } = await upload(site.chat.url, annsCookie, await noise(40, 30).png().toBuffer(), { room });
  await send([{ id: file.id }], room);
  const zoe = await site.session(9, 'Zoe');
  for (const preview of [false, true]) {
    expect(await statusOf(file, bensCookie, { preview })).toBe(200);
    expect(await statusOf(file, zoe, { preview })).toBe(404);
  }
  await ann.request('room:remove', { room, user: '2' });
  for (const preview of [false, true]) {
    const etag = `"${file.id}${preview ? '-preview' : ''}"`;
    const headers = { 'if-none-match': etag };
    expect(await statusOf(file, bensCookie, { preview, headers })).toBe(404);
    expect(await statusOf(file, annsCookie, { preview, headers })).toBe(304);
  }
  await ann.request('room:invite', { room, users: ['2'] });
  expect(await statusOf(file)).toBe(200);
  await ann.request('room:ban', { room, user: '2' });
  expect(await statusOf(file)).toBe(404);
  expect(await upload(site.chat.url, bensCookie, 'text', { room })).toMatchObject({ status: 404 });
});

const uploadPicture = (room: string, bytes: Buffer | string, cookie = annsCookie) =>
  upload(site.chat.url, cookie, bytes, { room, name: 'Secret plan.jpg', use: 'picture' });

test('stores only a small upright still copy of the picture of a room', async () => {
  const room = await privateRoom();
  const photo = await noise(1600, 400)
    .jpeg()
    .withExif({ IFD0: { Make: 'Wm4kZ-camera' } })
    .withMetadata({ orientation: 6 })
    .toBuffer();
  const frames = await Promise.all([1, 2].map(() => noise(20, 20).png().toBuffer()));
  const moving = await sharp(frames, { join: { animated: true } })
    .gif()
    .toBuffer();
  expect((await sharp(moving).metadata()).pages).toBe(2);
  const clear = await sharp({ create: { width: 9, height: 9, channels: 4, background: '#0000' } })
    .png()
    .toBuffer();
  for (const [bytes, width, height] of [
    [photo, 64, 256],
    [moving, 20, 20],
    [animatedPng(), 8, 8],
    [clear, 9, 9],
  ] as const) {
    const { status, file } = await uploadPicture(room, bytes);
    const image = { width, height, blur: expect.any(String) };
    const about = { name: 'picture.webp', type: 'image/webp', size: expect.any(Number), image };
    expect({ status, file }).toEqual({ status: 201, file: { id: expect.any(String), ...about } });
    const answer = Buffer.from(await (await get(file, annsCookie)).arrayBuffer());
    const { pages, hasAlpha, exif } = await sharp(answer).metadata();
    expect({ pages, exif, hasAlpha }).toEqual({ hasAlpha: bytes === clear });
  }
  const svg = '<svg xmlns="http://www.w3.org/2000/svg"/>';
  const noPictures = [svg, 'words', mp4({ duration: 1 }), '%PDF-1.4\n%%EOF'];
  for (const bytes of noPictures)
    expect(await uploadPicture(room, bytes)).toMatchObject({ status: 415, code: 'file_type' });
  const uses: { use: string; peaks?: string }[] = [
    { use: 'avatar' },
    { use: '' },
    { use: 'picture', peaks: '0'.repeat(46) },
  ];
  for (const use of uses)
    expect(await upload(site.chat.url, annsCookie, photo, { room, ...use })).toMatchObject({ status: 400 });
});

test('shows the picture of a room to its readers until it is replaced', async () => {
  const room = await privateRoom();
  await ben.request('room:join', { room });
  const png = await noise(40, 30).png().toBuffer();
  const zoe = await site.session(9, 'Zoe');
  expect(await uploadPicture(room, png, bensCookie)).toMatchObject({ status: 403, code: 'forbidden' });
  expect(await uploadPicture(room, png, zoe)).toMatchObject({ status: 404, code: 'unknown_room' });
  const { file } = await uploadPicture(room, png);
  const set = (picture: string, client = ann) => client.request('room:update', { room, picture });
  expect(await statusOf(file)).toBe(404);
  await expect(set(file.id, ben)).rejects.toThrow('forbidden');
  await expect(send([{ id: file.id }], room)).rejects.toThrow('unknown_file');
  const { file: sent } = await upload(site.chat.url, annsCookie, png, { room });
  await expect(set(sent.id)).rejects.toThrow('unknown_file');
  await expect(set('../../etc/passwd')).rejects.toThrow('bad_request');

  expect((await set(file.id)).room).toMatchObject({ picture: file.id });
  const shown = () => eventsOf(ben, 'room:changed').at(-1)?.picture;
  await expect.poll(shown).toBe(file.id);
  const answer = await get(file);
  expect([answer.status, answer.headers.get('cache-control')]).toEqual([200, 'private, no-cache']);
  await answer.arrayBuffer();
  expect(await statusOf(file, zoe)).toBe(404);
  await set(file.id);

  // Users whom the link admits see the picture.
  const yan = await connectChat(site.chat.url, await site.session(8, 'Yan'));
  onTestFinished(() => yan.close());
  const { invite, token } = await ann.request('invite:create', { room });
  const { picture } = await yan.request('invite:look', { token });
  expect(picture).toEqual({ id: file.id, invite: expect.stringMatching(/^[0-9a-f]{64}$/) });
  const asYan = async (digest = '', id = file.id) => {
    const headers = { origin, cookie: await site.session(8, 'Yan') };
    return (await fetch(`${site.chat.url}/files/${id}/picture.webp?invite=${digest}`, { headers })).status;
  };
  const { message } = await send([{ id: sent.id }], room);
  expect(message.files).toHaveLength(1);
  expect([await asYan(picture?.invite), await asYan(), await asYan(token)]).toEqual([200, 404, 404]);
  expect(await asYan(picture?.invite, sent.id)).toBe(404);
  await expect(yan.request('invite:accept', { token: picture?.invite ?? '' })).rejects.toThrow(
    'unknown_invite',
  );
  await ann.request('invite:revoke', { room, id: invite.id });
  expect(await asYan(picture?.invite)).toBe(404);

  // A demotion between the upload and the change.
  await ann.request('room:role', { room, user: '2', role: 'moderator' });
  const { file: bens } = await uploadPicture(room, png, bensCookie);
  await expect(set(bens.id)).rejects.toThrow('unknown_file');
  await ann.request('room:role', { room, user: '2', role: 'member' });
  await expect(set(bens.id, ben)).rejects.toThrow('forbidden');

  const { file: second } = await uploadPicture(room, png);
  await set(second.id);
  await expect.poll(shown).toBe(second.id);
  expect([await statusOf(file, annsCookie), await statusOf(second)]).toEqual([404, 200]);
  await expect.poll(stored).not.toContain(file.id);
  await ann.request('room:remove', { room, user: '2' });
  const headers = { 'if-none-match': `"${second.id}"` };
  expect(await statusOf(second, bensCookie, { headers })).toBe(404);
  expect(await statusOf(second, annsCookie, { headers })).toBe(304);
  expect((await set('')).room).not.toHaveProperty('picture');
  expect(await statusOf(second, annsCookie)).toBe(404);

  const { file: third } = await uploadPicture(room, png);
  await set(third.id);
  await ann.request('room:delete', { room });
  expect(await statusOf(third, annsCookie)).toBe(404);
  await expect.poll(stored).not.toContain(third.id);
});

test('stores a file until its message or room is deleted', async () => {
  const room = await privateRoom();
  const [first, second, third] = await Promise.all(
    ['one', 'two', 'three'].map(
      async (text) => (await upload(site.chat.url, annsCookie, text, { room })).file,
    ),
  );
  if (!first || !second || !third) throw new Error('the uploads have failed');
  const { message } = await send([{ id: first.id }, { id: second.id }], room);
  await expect(send([{ id: first.id }], room)).rejects.toThrow('unknown_file');
  await expect(send([{ id: third.id }])).rejects.toThrow('unknown_file');
  const bens = { room: 'lobby', text: '', files: [{ id: third.id }], clientId: newClientId() };
  await expect(ben.request('message:send', bens)).rejects.toThrow('unknown_file');
  const at = { room, seq: message.seq };
  const edited = await ann.request('message:edit', { ...at, text: '', files: [{ id: third.id }] });
  expect(edited.message.files?.map(({ id }) => id)).toEqual([third.id]);
  expect([await statusOf(first), await statusOf(third)]).toEqual([404, 200]);
  await expect(ann.request('message:edit', { ...at, text: ' ', files: [] })).rejects.toThrow('bad_request');
  const deleted = await ann.request('message:delete', at);
  expect(deleted.message).not.toHaveProperty('files');
  expect(await statusOf(third, annsCookie)).toBe(404);
  await expect.poll(stored).not.toContain(third.id);
  // The detached file belongs to its uploader again.
  expect([await statusOf(first, annsCookie), stored().includes(first.id)]).toEqual([200, true]);
  await ann.request('room:delete', { room });
  expect(await statusOf(first, annsCookie)).toBe(404);
  await expect.poll(stored).not.toContain(first.id);
  expect(existsSync(join(folder, 'incoming'))).toBe(true);
  expect(readdirSync(join(folder, 'incoming'))).toEqual([]);
});

test('limits requests by address only if they have no session', async () => {
  const env = { CHAT_SESSION_STORE: site.memcached.url, CHAT_ORIGINS: origin, CHAT_LIMIT_ME: '3/1h' };
  const strict = await chatServerHere(env);
  onTestFinished(async () => void (await strict.stop()));
  const statuses = async (given: string, times: number) => {
    const answers = [];
    for (let n = 0; n < times; n++)
      answers.push((await download(strict.url, given, { id: 'a'.repeat(32), name: 'a.txt' })).status);
    return answers;
  };
  expect(await statuses(annsCookie, 5)).toEqual([404, 404, 404, 404, 404]);
  expect(await statuses('PHPSESSID=unknown', 4)).toEqual([404, 404, 404, 429]);
  expect((await uploadOnce(strict.url, 'PHPSESSID=unknown', 'text')).status).toBe(429);
});

/** Returns the files of an export. */
async function archive(answer: Response) {
  const files = unzipSync(new Uint8Array(await answer.arrayBuffer()));
  const text = (name: string) => Buffer.from(files[name] ?? []).toString();
  const lines = (name: string) =>
    text(name)
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line));
  return { files, text, lines };
}

test('exports all data of the user and none of others', async () => {
  const room = await privateRoom();
  const { file } = await upload(site.chat.url, annsCookie, 'a few words', { name: '../../Été.txt', room });
  const { message: own } = await send([{ id: file.id }], room, 'with a file');
  // This user was added but never joined, so the room does not know the name.
  (await connectChat(site.chat.url, await site.session(3, 'Zacharias'))).close();
  await ann.request('room:invite', { room, users: ['3'] });
  const mentions = [{ user: '3', start: 0, length: 2 }];
  await ann.request('message:send', { room, text: '@3', mentions, clientId: newClientId() });
  await ben.request('room:join', { room });
  const said = { room, text: 'of Ben', clientId: newClientId() };
  const { message } = await ben.request('message:send', said);
  await ann.request('message:react', { room, seq: message.seq, emoji: '👍', on: true });
  await ben.request('message:react', { room, seq: own.seq, emoji: '🌱', on: true });
  await ann.request('thread:follow', { room, thread: message.seq, following: true });
  await ann.request('user:block', { user: '3', blocked: true });
  await ann.request('user:hide', { hidden: true });
  for (const text of [{ text: 'look' }, {}]) {
    const { seq } = (await ben.request('message:send', { room, text: 'rude', clientId: newClientId() }))
      .message;
    await ann.request('message:report', { room, seq, reason: 'abuse', ...text });
  }
  const boss = await connectChat(
    site.chat.url,
    await site.rawSession(JSON.stringify({ user_id: 'boss', firstname: 'Boss', roles: 'admin' })),
  );
  const lobby = { room: 'lobby', user: '1' };
  await boss.request('room:mute', { ...lobby, seconds: 3600, reason: 'loud' });
  await boss.request('room:ban', { ...lobby, room: 'other' });
  await boss.request('room:mute', { room: 'lobby', user: 'only-muted' });
  const { file: picture } = await uploadPicture(room, await noise(9, 9).png().toBuffer());
  const look = { color: 'teal', emoji: '🧪', picture: picture.id } as const;
  await ann.request('room:update', { room, slow: 60, ...look });
  boss.close();
  const ask = (user: string, headers: Record<string, string> = { Authorization: `Bearer ${apiKey}` }) =>
    fetch(`${site.chat.url}/api/users/${user}/export`, { headers });
  const answer = await ask('1');
  expect(answer.status).toBe(200);
  expect(Object.fromEntries(answer.headers)).toMatchObject({
    'content-type': 'application/zip',
    'content-disposition': 'attachment; filename="chat-export.zip"',
    'cache-control': 'no-store',
  });
  const { files, text, lines } = await archive(answer);
  const when = { since: expect.any(Number), wroteAt: expect.any(Number) };
  expect(JSON.parse(text('about.json'))).toMatchObject({
    user: { id: '1', name: 'Ann' },
    since: expect.any(Number),
    rooms: expect.arrayContaining([
      {
        ...{ id: room, kind: 'private', name: 'Den', role: 'owner', readSeq: 2, notify: 'all' },
        ...{ slow: 60, ...look, ...when },
      },
    ]),
    pictures: expect.arrayContaining([{ room, file: picture.id }]),
    hidden: true,
    blocked: ['3'],
    devices: [],
    restricted: [
      { room: 'lobby', kind: 'muted', until: expect.any(Number), reason: 'loud' },
      { room: 'other', kind: 'banned' },
    ],
  });
  expect(lines('followed.jsonl')).toEqual([{ room, thread: message.seq }]);
  const report = { id: expect.any(String), room, reason: 'abuse', at: expect.any(Number) };
  expect(lines('reports.jsonl')).toEqual([
    { ...report, seq: 5 },
    { ...report, seq: 4, text: 'look' },
  ]);
  const act = { at: expect.any(Number), as: 'user' };
  // Audit entries appear with a delay. Other tests of this file add entries of the user as a moderator.
  const acts = async () =>
    (await archive(await ask('1'))).lines('acts.jsonl').filter(({ as }) => as === 'user');
  await expect.poll(acts).toEqual([
    { ...act, kind: 'banned', room: 'other' },
    { ...act, kind: 'muted', room: 'lobby', reason: 'loud', to: { until: expect.any(Number) } },
  ]);
  for (const secret of ['rude', 'boss', 'of Ben', 'Zacharias'])
    expect(Object.keys(files).map(text).join()).not.toContain(secret);
  // Without names, because a user who has lost the room could no longer see them.
  expect(lines('messages.jsonl').find((one) => one.text === 'with a file').reactions).toEqual([
    { emoji: '🌱', count: 1 },
  ]);
  const mention = { user: { id: '3', name: '3' }, start: 0, length: 2 };
  expect(lines('messages.jsonl').at(-1)).toMatchObject({ text: '@3', mentions: [mention] });
  expect(lines('messages.jsonl').every(({ user }) => user.id === '1')).toBe(true);
  expect(lines('reactions.jsonl')).toContainEqual({ room, seq: message.seq, emoji: '👍' });
  expect(text(`files/${file.id}/${file.name}`)).toBe('a few words');
  expect(files[`files/${picture.id}/picture.webp`]?.length).toBe(picture.size);
  expect(Object.keys(files).every((name) => !name.includes('..'))).toBe(true);
  expect((await ask('only-muted')).status).toBe(200);
  expect([(await ask('never-seen')).status, (await ask('1', {})).status]).toEqual([404, 401]);
});

test('keeps serving after a rejected upload and an export with unreadable files', async () => {
  const bucket = createServer((req, res) => {
    if (req.method !== 'GET') return void req.resume().once('end', () => res.end());
    res.writeHead(200, { 'Content-Length': 11 }).write('a few', () => res.destroy());
  }).listen(0, '127.0.0.1');
  await once(bucket, 'listening');
  const endpoint = encodeURIComponent(`http://127.0.0.1:${(bucket.address() as AddressInfo).port}`);
  const chat = await chatServerHere({
    CHAT_SESSION_STORE: site.memcached.url,
    CHAT_ORIGINS: origin,
    CHAT_FILES: `s3://key:secret@bucket?endpoint=${endpoint}`,
    CHAT_FILE_TYPES: 'text/plain',
    CHAT_API_KEY: apiKey,
  });
  const cookie = await site.session(41, 'Eve');
  const eve = await connectChat(chat.url, cookie);
  await eve.request('room:join', { room: 'lobby' });
  expect(await upload(chat.url, cookie, animatedPng())).toMatchObject({ status: 415, code: 'file_type' });
  const { file } = await upload(chat.url, cookie, 'a few words', { name: 'a.txt' });
  const sent = { room: 'lobby', text: 'x', files: [{ id: file.id }], clientId: newClientId() };
  await eve.request('message:send', sent);
  const headers = { Authorization: `Bearer ${apiKey}` };
  const whole = async () => (await fetch(`${chat.url}/api/users/41/export`, { headers })).arrayBuffer();
  await expect(whole()).rejects.toThrow(TypeError);
  expect((await fetch(`${chat.url}/healthz`)).status).toBe(200);
  eve.close();
  await chat.stop();
  bucket.closeAllConnections();
  bucket.close();
});

test('keeps a forwarded file until the last copy is deleted', async () => {
  const [room, target] = [await privateRoom(), await privateRoom()];
  await ben.request('room:join', { room: target });
  const { file } = await upload(site.chat.url, annsCookie, Buffer.from('Wm4kZ-shared'), {
    name: 'a.txt',
    room,
  });
  const { message: original } = await send([file], room, 'words');
  const from = { room, seq: original.seq };
  const asked = { room: target, from, clientId: newClientId() };
  const { message } = await ann.request('message:forward', asked);
  const { files = [], ...copy } = message;
  // The author in the private room is not revealed.
  expect(copy).toMatchObject({ room: target, text: 'words', user: { id: '1', name: 'Ann' }, forwarded: {} });
  expect(copy.forwarded).toEqual({});
  expect(await ann.request('message:forward', asked)).toEqual({ message });
  await expect.poll(() => ben.messages().at(-1)).toEqual(message);
  const [copied] = files as [MessageFile];
  expect(copied).toEqual({ ...file, id: expect.not.stringMatching(file.id) });
  await ann.request('message:delete', from);
  await expect.poll(() => statusOf(file, annsCookie)).toBe(404);
  expect(await (await get(copied)).text()).toBe('Wm4kZ-shared');
  const exported = await archive(
    await fetch(`${site.chat.url}/api/users/1/export`, { headers: { Authorization: `Bearer ${apiKey}` } }),
  );
  expect(exported.text(`files/${copied.id}/a.txt`)).toBe('Wm4kZ-shared');
  expect(stored()).toContain(file.id);

  // A copy of the copy does not reveal the author either.
  const again = { room: target, from: { room: target, seq: message.seq }, clientId: newClientId() };
  expect((await ben.request('message:forward', again)).message).toMatchObject({ forwarded: {} });
  await ann.request('message:delete', { room: target, seq: message.seq });
  await ben.request('message:delete', { room: target, seq: message.seq + 1 });
  await expect.poll(stored).not.toContain(file.id);
});

import { readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { chatServerHere } from '../../helpers/chat-here.ts';
import type { RunningChat } from '../../helpers/chat-server.ts';
import { type ChatSite, startChatSite } from '../../helpers/chat-site.ts';
import { download, origin, upload } from '../../helpers/files.ts';
import { hostileFiles, hostileNames, marker } from '../../helpers/hostile-files.ts';

let site: ChatSite<RunningChat>;
let folder: string;
let cookie: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'chat-files-'));
  const env = { CHAT_ORIGINS: origin, CHAT_FILES: `dir:${folder}`, CHAT_LIMIT_FILES_USER: '0' };
  site = await startChatSite(env, chatServerHere);
  cookie = await site.session(1, 'Ann');
});
afterAll(async () => {
  await site.close();
  await rm(folder, { recursive: true });
});

test('hostile files: none runs, none leaks, and none harms the next', async () => {
  const files = await hostileFiles();
  expect(files.length).toBeGreaterThanOrEqual(40);
  const became: [string, string][] = [];
  for (const { what, bytes } of files) {
    const { status, file } = await upload(site.chat.url, cookie, bytes, { name: `${what}.png` });
    became.push([what, status === 201 ? file.type : status === 415 ? 'refused' : `${status}`]);
    if (status !== 201) continue;
    for (const preview of file.image === undefined ? [false] : [false, true]) {
      const answer = await download(site.chat.url, cookie, file, { preview });
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
  expect((await upload(site.chat.url, cookie, plain)).status).toBe(201);
  expect(readdirSync(join(folder, 'incoming'))).toEqual([]);
  expect(site.chat.output()).not.toMatch(/"level":(50|60)/);
});

test('names: no path, nothing unseen, and an ending that stays', async () => {
  for (const [given, seen] of hostileNames) {
    const { status, file } = await upload(site.chat.url, cookie, 'text', { name: given });
    expect({ given, status }).toEqual({ given, status: 201 });
    expect(file.name).toMatch(typeof seen === 'string' ? new RegExp(`^${RegExp.escape(seen)}$`) : seen);
    const answer = await download(site.chat.url, cookie, file);
    expect([given, answer.status]).toEqual([given, 200]);
    const [, name = ''] =
      /^attachment; filename\*=UTF-8''(.*)$/.exec(answer.headers.get('content-disposition') ?? '') ?? [];
    expect(decodeURIComponent(name)).toBe(file.name);
  }
});

test('where only pictures are taken, a drawing that can run scripts is none', async () => {
  const chat = await chatServerHere({
    CHAT_SESSION_STORE: site.memcached.url,
    CHAT_ORIGINS: origin,
    CHAT_FILE_TYPES: 'image/*',
  });
  const svg = '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>';
  for (const text of [svg, '%PDF-1.7\n']) {
    expect(await upload(chat.url, cookie, text, { name: 'a.svg' })).toMatchObject({
      status: 415,
      code: 'file_type',
    });
  }
  await chat.stop();
});

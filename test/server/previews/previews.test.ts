import { randomBytes } from 'node:crypto';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import type { Held, Message } from '../../../server/wire/events.ts';
import { newClientId } from '../../helpers/chat-client.ts';
import { download, origin, upload } from '../../helpers/files.ts';
import { hanging } from '../../helpers/hanging.ts';
import {
  eventsOf,
  nextOf,
  type PeopleSite,
  type Person,
  say,
  startPeopleSite,
} from '../../helpers/people.ts';

let web: Server;
let link: string;
/** Handles requests for the page. */
let answer: RequestListener;
let asked = 0;
let plain: Buffer;
let picture: Buffer;
/** The bytes of CHAT_LIMIT_FILES_USER. */
const limit = 1024 * 1024;
let site: PeopleSite;
let ann: Person;
let ben: Person;
let room: string;

beforeAll(async () => {
  plain = await sharp({ create: { width: 900, height: 600, channels: 3, background: '#08f' } })
    .png()
    .toBuffer();
  picture = plain;
  web = createServer((req, res) => {
    if (req.url === '/photo.png') return void res.end(picture);
    asked++;
    answer(req, res);
  });
  await new Promise<void>((done) => web.listen(0, '127.0.0.1', done));
  const host = `127.0.0.1:${(web.address() as AddressInfo).port}`;
  link = `http://${host}/spring`;
  site = await startPeopleSite({
    CHAT_PREVIEWS: 'on',
    CHAT_PREVIEW_HOSTS: host,
    CHAT_ORIGINS: origin,
    CHAT_LIMIT_FILES_USER: '1MB/1h',
    CHAT_HOLD_WORDS: 'casino',
  });
  [ann, ben] = [await site.person(), await site.person()];
  room = (await site.den(ann, [ben])).id;
  for (const one of [ann, ben]) await one.request('room:join', { room });
});
afterAll(async () => {
  for (const one of [ann, ben]) one.close();
  await site.close();
  web.closeAllConnections();
  await new Promise((done) => web.close(done));
});

const page: RequestListener = (_, res) =>
  res
    .setHeader('content-type', 'text/html')
    .end(
      '<title>Spring market</title><meta name=description content=Seeds><meta property=og:image content=/photo.png>',
    );
const send = async (text: string, over = {}) =>
  (await ann.request('message:send', { room, text, clientId: newClientId(), ...over })).message;
/** Waits until Ben receives the changed message. */
const changed = (seq: number) =>
  expect
    .poll(() =>
      ben.events.findLast(({ name, payload }) => {
        const { message } = payload as { message?: Message };
        return name === 'message:changed' && (message ?? (payload as Message)).seq === seq;
      }),
    )
    .toBeDefined();
const stored = async (seq: number) => {
  const { messages } = await ben.request('message:history', { room, before: seq + 1, limit: 1 });
  return messages[0];
};

test('adds the preview of a link after the message, for readers of the room only', async () => {
  answer = page;
  const look = async () => {
    const sent = await send(`Look: ${link}.`);
    expect(sent.preview).toEqual({ url: link });
    await changed(sent.seq);
    return { sent, preview: (await stored(sent.seq))?.preview };
  };
  let { sent, preview } = await look();
  // Page and picture are missing if this machine is too slow for their timeout.
  for (let tries = 1; preview?.image === undefined && tries < 9; tries++) ({ sent, preview } = await look());
  expect(preview).toEqual({
    url: link,
    title: 'Spring market',
    description: 'Seeds',
    image: { id: expect.any(String), width: 270, height: 180 },
  });
  const file = { id: preview?.image?.id ?? '', name: 'preview.webp' };
  const got = await download(site.chat.url, ben.cookie, file);
  expect(got.status).toBe(200);
  expect(await sharp(await got.arrayBuffer()).metadata()).toMatchObject({ format: 'webp', width: 270 });
  const eve = await site.person();
  expect((await download(site.chat.url, eve.cookie, file)).status).toBe(404);
  eve.close();
  // When the author removes the preview, its picture is deleted too.
  const { message } = await ann.request('message:unpreview', { room, seq: sent.seq });
  expect(message.preview).toBeUndefined();
  await expect.poll(async () => (await download(site.chat.url, ben.cookie, file)).status).toBe(404);
});

test('omits the picture of a preview beyond the author’s file limit', async () => {
  const noise = sharp(randomBytes(200 * 200 * 3), { raw: { width: 200, height: 200, channels: 3 } });
  const large = await noise.jpeg().toBuffer();
  picture = large;
  onTestFinished(() => {
    picture = plain;
  });
  answer = page;
  const previewOf = async (author: Person) => {
    const { seq } = await say(author, 'lobby', link);
    await expect.poll(async () => (await newest(author, seq))?.title).toBe('Spring market');
    return (await newest(author, seq))?.image === undefined ? 'without' : 'with';
  };
  const [eva, dan] = [await site.person(), await site.person()];
  for (const one of [eva, dan]) await one.request('room:join', { room: 'lobby' });
  expect(await previewOf(eva)).toBe('with');
  const rest = 'x'.repeat(limit - Math.ceil(large.length * 1.2));
  expect((await upload(site.chat.url, eva.cookie, rest)).status).toBe(201);
  expect([await previewOf(eva), await previewOf(dan)]).toEqual(['without', 'with']);
  for (const one of [eva, dan]) one.close();
});

test('does not request a page without a link or with previews off', async () => {
  asked = 0;
  answer = page;
  expect((await send('no link')).preview).toBeUndefined();
  expect((await send(link, { preview: false })).preview).toBeUndefined();
  const direct = await ann.request('direct:open', { user: ben.id });
  await ann.request('room:join', { room: direct.room.id });
  expect((await send(link, { room: direct.room.id })).preview).toBeUndefined();
  expect(direct.room.previews).toBe('off');
  const asks = { room: direct.room.id, previews: 'on' } as const;
  expect((await ann.request('room:previews', asks)).room.previews).toBe('asked');
  expect((await send(link, { room: direct.room.id })).preview).toBeUndefined();
  const updated = await ann.request('room:update', { room, previews: 'off' });
  expect(updated.room.previews).toBe('off');
  expect((await send(link)).preview).toBeUndefined();
  await ann.request('room:update', { room, previews: 'on' });
  expect(asked).toBe(0);
});

test('adds previews in a direct room only if both users want them', async () => {
  const [eva, dan] = [await site.person(), await site.person()];
  onTestFinished(() => {
    for (const one of [eva, dan]) one.close();
  });
  const { id } = (await eva.request('direct:open', { user: dan.id })).room;
  await eva.request('room:join', { room: id });
  await say(eva, id);
  await dan.request('room:join', { room: id });
  const ofRoom = (one: Person) => eventsOf(one, 'room:changed').filter((room) => room.id === id);
  const wish = (one: Person, previews: 'on' | 'off') => one.request('room:previews', { room: id, previews });
  const before = ofRoom(dan).length;
  for (const previews of ['on', 'off', 'on'] as const) await wish(eva, previews);
  await expect.poll(() => ofRoom(eva).at(-1)?.previews).toBe('asked');
  // An event sent before this message would have arrived by now.
  const come = nextOf(dan, 'message:new');
  await say(eva, id);
  await come;
  expect(ofRoom(dan).slice(before)).toEqual([]);
  await wish(dan, 'on');
  await expect.poll(() => ofRoom(eva).at(-1)).not.toHaveProperty('previews');
  answer = page;
  expect((await say(eva, id, link)).preview).toEqual({ url: link });
  await wish(eva, 'off');
  await expect.poll(() => ofRoom(dan).at(-1)?.previews).toBe('asked');
});

test('removes the empty preview if the page has nothing to show', async () => {
  answer = (_, res) => res.writeHead(404).end();
  const sent = await send(link);
  await changed(sent.seq);
  expect(await stored(sent.seq)).not.toHaveProperty('preview');
  answer = page;
  const user = { id: ann.id, name: 'Ann' };
  const { body } = await site.api('POST', `/rooms/${room}/messages`, {
    user,
    text: link,
    clientId: newClientId(),
  });
  const { seq } = body.message as Message;
  await changed(seq);
  expect(await stored(seq)).toMatchObject({ preview: { title: 'Spring market' } });
});

const newest = async (reader: Person, seq: number) =>
  (await reader.request('message:history', { room: 'lobby', before: seq + 1, limit: 1 })).messages[0]
    ?.preview;

test('omits the preview of a published message if the page contains a listed word', async () => {
  const [writer, reader] = [await site.person(), await site.person()];
  for (const one of [writer, reader]) await one.request('room:join', { room: 'lobby' });
  const previewOf = async (html: string) => {
    answer = (_, res) => res.setHeader('content-type', 'text/html').end(html);
    const { seq } = await say(writer, 'lobby', link);
    const isChanged = () => eventsOf(reader, 'message:changed').some((message) => message.seq === seq);
    await expect.poll(isChanged, { timeout: hanging }).toBe(true);
    return newest(reader, seq);
  };
  expect(await previewOf('<title>Garden</title>')).toMatchObject({ title: 'Garden' });
  expect(await previewOf('<title>Online CASINO</title>')).toBeUndefined();
  expect(await previewOf('<title>Garden</title><meta name=description content="a casino">')).toBeUndefined();
  for (const one of [writer, reader]) one.close();
});

test('publishes exactly the preview that the moderator saw', async () => {
  const [moderator, reader, writer] = [
    await site.person({ roles: 'moderator' }),
    await site.person(),
    await site.person(),
  ];
  for (const one of [moderator, reader, writer]) await one.request('room:join', { room: 'lobby' });
  const hold = async (event: string, over: object) => {
    const answer = await writer.raw(event, { room: 'lobby', ...over });
    if (!answer.ok) throw new Error(answer.error.code);
    return answer.data as { message: Message; held: Held };
  };
  const pendingBy = (one: Person, id: string) =>
    eventsOf(one, 'held:changed').findLast((change) => change.id === id && change.held !== undefined)?.held;
  const titleOf = (id: string) =>
    expect.poll(() => pendingBy(moderator, id)?.preview?.title, { timeout: hanging });

  answer = page;
  asked = 0;
  const { held } = await hold('message:send', { text: `casino ${link}`, clientId: newClientId() });
  expect(held.preview).toEqual({ url: link });
  const { id } = held;
  await titleOf(id).toBe('Spring market');
  const preview = pendingBy(moderator, id)?.preview;
  expect((await moderator.request('held:list', {})).held).toMatchObject([{ id, preview }]);
  const file = { id: preview?.image?.id ?? '', name: 'preview.webp' };
  const statusFor = async (one: Person) => (await download(site.chat.url, one.cookie, file)).status;
  expect([await statusFor(moderator), await statusFor(reader)]).toEqual([200, 404]);

  answer = (_, res) => res.setHeader('content-type', 'text/html').end('<title>Another page</title>');
  const { message } = await moderator.request('held:approve', { id });
  expect(message.preview).toEqual(preview);
  expect(await statusFor(reader)).toBe(200);
  expect(asked).toBe(1);
  // A held edit has the preview of its own link.
  const { seq } = (await hold('message:send', { text: 'no link', clientId: newClientId() })).message;
  const edit = (await hold('message:edit', { seq, text: `casino ${link}/2` })).held;
  await titleOf(edit.id).toBe('Another page');
  const approved = await moderator.request('held:approve', { id: edit.id });
  expect(approved.message).toMatchObject({ seq, preview: { url: `${link}/2`, title: 'Another page' } });
  expect(asked).toBe(2);
  for (const one of [moderator, reader, writer]) one.close();
});

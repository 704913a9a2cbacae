import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { SiteCards } from '../../../server/cards/cards.ts';
import type { Card, Message } from '../../../server/wire/events.ts';
import { newClientId } from '../../helpers/chat-client.ts';
import { historyFolder } from '../../helpers/chat-server.ts';
import { hanging } from '../../helpers/hanging.ts';
import { codeOf, eventsOf, type PeopleSite, type Person, startPeopleSite } from '../../helpers/people.ts';

interface Ask {
  id: string;
  type: 'card.get' | 'card.find' | 'card.press';
  data: { user: { id: string; name: string }; about?: string; query?: string; button?: string };
  headers: IncomingMessage['headers'];
  body: string;
}

const key = Buffer.alloc(24, 'c');
const kept = historyFolder();
const asks: Ask[] = [];
/** Answers the requests of the chat server. */
let answer: (ask: Ask, response: ServerResponse) => void;
const web = createServer(async (request, response) => {
  let body = '';
  for await (const piece of request.setEncoding('utf8')) body += piece;
  const ask = { ...JSON.parse(body), id: request.headers['webhook-id'], headers: request.headers, body };
  asks.push(ask);
  answer(ask, response);
});
const siteUrl = () => new URL(`http://127.0.0.1:${(web.address() as AddressInfo).port}/cards?for=chat`);
const say = (response: ServerResponse, body: object) => response.end(JSON.stringify(body));
const buttons = [{ id: 'ship', label: 'Ship' }];
const card = (over: object = {}) => ({ title: 'Order 4711', state: 'paid', ...over });

let site: PeopleSite;
let ann: Person;
let ben: Person;
let room: string;
beforeAll(async () => {
  await once(web.listen(0, '127.0.0.1'), 'listening');
  const keyFile = `${kept.path}.key`;
  writeFileSync(keyFile, `whsec_${key.toString('base64')}\n`);
  site = await startPeopleSite({
    CHAT_HISTORY: kept.url,
    CHAT_CARDS_URL: siteUrl().href,
    // The longest, so that an answer is not too late on a busy machine.
    CHAT_CARDS_TIMEOUT: '5s',
    CHAT_WEBHOOK_KEY_FILE: keyFile,
    CHAT_LOGIN_URL: 'https://site.example/login',
    CHAT_ORIGINS: 'https://site.example',
    CHAT_HOLD_WORDS: 'casino',
    CHAT_FIND_PEOPLE: 'rooms',
    CHAT_TEAM: 'ida',
  });
  [ann, ben] = await site.people(2);
  room = (await site.den(ann, [ben])).id;
  for (const one of [ann, ben]) await one.request('room:join', { room });
});
afterAll(async () => {
  await site.close();
  web.closeAllConnections();
  web.close();
  kept.remove();
});
beforeEach(() => {
  asks.length = 0;
});

let orders = 4711;
/** Sends a message with a card that was never requested before. */
async function send(over: object = {}, author = ann): Promise<Message> {
  const about = `order:${orders++}`;
  const sent = { room, text: 'Where is it?', clientId: newClientId(), card: about, ...over };
  return (await author.request('message:send', sent as never)).message;
}
const get = async (person: Person, { seq }: { seq: number }, place = room): Promise<Card | undefined> =>
  (await person.request('card:get', { room: place, seq })).card;
const press = (person: Person, { seq }: { seq: number }, clientId: string) =>
  person.request('card:press', { room, seq, button: 'ship', clientId });

test('the chat’s own page finds and may show the pictures of a site on another host', async () => {
  const page = await fetch(site.chat.url);
  expect(page.headers.get('content-security-policy')).toContain("img-src 'self' https://site.example;");
  expect(await page.text()).toContain('site-url="https://site.example"');
});

test('asks the site for each reader, signed, without cookies', async () => {
  answer = ({ data }, response) =>
    say(response, { card: data.user.id === ann.id ? card({ image: '/honey.svg', extra: 1 }) : null });
  const sent = await send();
  expect(sent.card).toMatch(/^order:\d+$/);
  expect(await get(ann, sent)).toEqual({
    about: sent.card,
    title: 'Order 4711',
    state: 'paid',
    image: '/honey.svg',
  });
  expect(await get(ben, sent)).toBeUndefined();
  const [first, second] = asks;
  expect(first).toMatchObject({ type: 'card.get', data: { user: ann.ready.user, about: sent.card } });
  expect(second?.data.user).toEqual(ben.ready.user);
  const {
    'webhook-id': id,
    'webhook-timestamp': time,
    'webhook-signature': signature,
    cookie,
  } = first?.headers ?? {};
  const digest = createHmac('sha256', key).update(`${id}.${time}.${first?.body}`).digest('base64');
  expect(signature).toBe(`v1,${digest}`);
  expect(cookie).toBeUndefined();
});

test('shows a forwarded card only to readers for whom the site has one', async () => {
  answer = ({ data }, response) => say(response, { card: data.user.id === ann.id ? card() : null });
  const sent = await send();
  await ann.request('room:join', { room: 'lobby' });
  const from = { room, seq: sent.seq };
  const { message } = await ann.request('message:forward', { room: 'lobby', from, clientId: newClientId() });
  expect(message).toMatchObject({ card: sent.card, forwarded: {} });
  expect(JSON.stringify(message)).not.toContain('Order 4711');
  const eve = await site.person();
  expect(await get(ann, message, 'lobby')).toMatchObject({ title: 'Order 4711' });
  expect(await get(eve, message, 'lobby')).toBeUndefined();
  expect(await codeOf(eve, 'card:get', { room, seq: sent.seq })).toBe('unknown_room');
  eve.close();
});

test('reuses an answer for the same user only, and asks once for concurrent requests', async () => {
  answer = (_, response) => say(response, { card: card() });
  const sent = await send();
  await Promise.all([get(ann, sent), get(ann, sent), get(ben, sent)]);
  await get(ann, sent);
  expect(asks.map(({ data }) => data.user.id).sort()).toEqual([ann.id, ben.id].sort());
});

test('a question has the card of what it is about', async () => {
  answer = (_ask, response) => say(response, { card: card() });
  const asked = await ann.request('question:ask', {
    text: 'When does it come?',
    clientId: newClientId(),
    about: { page: '/orders/4711', card: 'order:4711' },
  });
  expect(asked.message.card).toBe('order:4711');
  const ida = await site.person({}, 'ida');
  const { room: question } = await ida.request('question:open', { question: asked.room.id });
  await ida.request('room:join', { room: question.id });
  expect(await ida.request('card:get', { room: question.id, seq: asked.message.seq })).toMatchObject({
    card: { title: 'Order 4711' },
  });
  ida.close();
});

test('runs a button once for repeated and concurrent clicks, and replaces the card', async () => {
  let state = 'paid';
  answer = ({ type }, response) => {
    if (type === 'card.press') state = 'shipped';
    say(response, { card: card({ state, buttons }) });
  };
  const sent = await send();
  expect(await get(ann, sent)).toMatchObject({ buttons });
  const click = newClientId();
  const tab = await site.again(ann);
  const answers = await Promise.all([
    press(ann, sent, click),
    press(ann, sent, click),
    press(tab, sent, click),
  ]);
  tab.close();
  expect(answers.map((one) => one.card?.state)).toEqual(['shipped', 'shipped', 'shipped']);
  expect(await press(ann, sent, click)).toEqual(answers[0]);
  const pressed = asks.filter(({ type }) => type === 'card.press');
  expect(pressed).toHaveLength(1);
  expect(pressed[0]).toMatchObject({ data: { user: ann.ready.user, about: sent.card, button: 'ship' } });
  // The other reader does not get the card from before the click either.
  expect(await get(ann, sent)).toMatchObject({ state: 'shipped' });
  await press(ben, sent, click);
  await press(ann, sent, newClientId());
  expect(new Set(asks.filter(({ type }) => type === 'card.press').map(({ id }) => id)).size).toBe(3);
});

test('sends a repeat after a lost answer with the same ID', async () => {
  answer = ({ type }, response) =>
    type === 'card.press' ? response.destroy() : say(response, { card: card({ buttons }) });
  const sent = await send();
  const click = newClientId();
  const lost = await ann.raw('card:press', { room, seq: sent.seq, button: 'ship', clientId: click });
  expect(lost).toMatchObject({ ok: false, error: { code: 'site_unavailable' } });
  answer = (_, response) => say(response, { card: card({ state: 'shipped', buttons }) });
  expect(await press(ann, sent, click)).toMatchObject({ card: { state: 'shipped' } });
  const pressed = asks.filter(({ type }) => type === 'card.press');
  expect(pressed).toHaveLength(2);
  expect(pressed[0]?.id).toBe(pressed[1]?.id);
});

test('does not run a button that the card of the user lacks, and requests no card for others', async () => {
  answer = ({ data }, response) =>
    say(response, { card: data.user.id === ben.id ? card({ buttons }) : null });
  const sent = await send();
  expect(await get(ben, sent)).toMatchObject({ buttons });
  const other = { room, seq: sent.seq, button: 'delete', clientId: newClientId() };
  expect(await press(ann, sent, newClientId())).toEqual({});
  expect(await ben.request('card:press', other)).toMatchObject({ card: { buttons } });
  expect(asks.filter(({ type }) => type !== 'card.get')).toEqual([]);
  // No reader is asked to request the card again: the next event is the one of a button that ran.
  await press(ben, sent, newClientId());
  await expect.poll(() => eventsOf(ann, 'card:changed')).toContainEqual({ room, card: sent.card });
  const changes = () => eventsOf(ann, 'card:changed').filter((one) => one.card === sent.card);
  expect(changes()).toHaveLength(1);
  // The card may have got the button a moment ago, which only the client knows.
  answer = ({ type }, response) => say(response, { card: card({ buttons, title: type }) });
  expect(await press(ann, sent, newClientId())).toMatchObject({ card: { title: 'card.press' } });
});

test('a repeated click requests no cards for others', async () => {
  answer = (_, response) => say(response, { card: card({ buttons }) });
  const sent = await send();
  const click = newClientId();
  for (let n = 0; n < 3; n++) await press(ann, sent, click);
  await press(ann, sent, newClientId());
  const changes = () => eventsOf(ben, 'card:changed').filter((one) => one.card === sent.card);
  await expect.poll(changes).toHaveLength(2);
});

test('answers all readers from one request if the site says so, separately for each language', async () => {
  answer = ({ type, data }, response) =>
    say(response, { card: card({ buttons, shared: true, title: `${type} of ${data.user.id}` }) });
  const sent = await send();
  const readers = await Promise.all(Array.from({ length: 5 }, () => site.person()));
  await ann.request('room:invite', { room, users: readers.map(({ id }) => id) });
  const all = [...readers, ann, ben];
  const titles = async () =>
    new Set(await Promise.all(all.map(async (one) => (await get(one, sent))?.title)));
  const first = await get(ann, sent);
  expect(first).toEqual({ about: sent.card, ...card({ buttons, title: `card.get of ${ann.id}` }) });
  expect(await titles()).toEqual(new Set([first?.title]));
  expect(asks).toHaveLength(1);
  const { card: german } = await ben.request('card:get', { room, seq: sent.seq, lang: 'de' });
  expect(german?.title).toBe(`card.get of ${ben.id}`);
  asks.length = 0;
  await press(ben, sent, newClientId());
  await get(ben, sent);
  expect(await titles()).toEqual(new Set([`card.get of ${ben.id}`]));
  expect(asks.map(({ type }) => type)).toEqual(['card.press', 'card.get']);
  for (const one of readers) one.close();
});

test('asks for the card again after a click whose answer was lost, because the button may have run', async () => {
  answer = ({ type }, response) =>
    type === 'card.press' ? response.destroy() : say(response, { card: card({ buttons }) });
  const sent = await send();
  expect(await get(ann, sent)).toMatchObject({ state: 'paid' });
  const click = { room, seq: sent.seq, button: 'ship', clientId: newClientId() };
  expect(await codeOf(ann, 'card:press', click)).toBe('site_unavailable');
  answer = (_, response) => say(response, { card: card({ state: 'shipped' }) });
  expect(await get(ann, sent)).toMatchObject({ state: 'shipped' });
});

test('suggests what the site offers for the page and the typed words', async () => {
  answer = ({ data }, response) =>
    say(response, { cards: [{ about: data.about ?? 'product:honey', title: `Found ${data.query}` }] });
  expect(await ann.request('card:find', { room, query: 'hon' })).toEqual({
    cards: [{ about: 'product:honey', title: 'Found hon' }],
  });
  expect((await ann.request('card:find', { room, about: 'order:1' })).cards).toMatchObject([
    { about: 'order:1' },
  ]);
  expect(asks.map(({ type, data: { about, query } }) => [type, about, query])).toEqual([
    ['card.find', undefined, 'hon'],
    ['card.find', 'order:1', ''],
  ]);
  await ann.request('room:mute', { room, user: ben.id, seconds: 60 });
  expect(await codeOf(ben, 'card:find', { room })).toBe('muted');
  await ann.request('room:mute', { room, user: ben.id, seconds: 0 });
});

test('shows HTML as text, and drops other sites, scripts, directions and a fourth button', async () => {
  const hostile = {
    title: '  <b>Order</b>\u202e\u0000 4711 \n',
    text: `<script>alert(1)</script>\r\nsecond\u2066 line\u0007${'x'.repeat(600)}`,
    image: 'https://evil.example/track.png',
    url: 'javascript:alert(1)',
    buttons: ['a', 'b', 'c', 'd'].map((id) => ({ id, label: `Press ${id}` })),
  };
  answer = (_, response) => say(response, { card: hostile });
  const shown = await get(ann, await send());
  expect(shown).toEqual({
    about: expect.any(String),
    title: '<b>Order</b> 4711',
    text: `<script>alert(1)</script>\nsecond line${'x'.repeat(600)}`.slice(0, 500),
    buttons: hostile.buttons.slice(0, 3),
  });
  const { origin } = new URL(`http://127.0.0.1:${(web.address() as AddressInfo).port}`);
  for (const [address, path] of [
    ['/orders/7?a=1#b', '/orders/7?a=1#b'],
    [`${origin}/orders/7`, '/orders/7'],
    ['//evil.example/x', undefined],
    ['/\\evil.example', undefined],
    ['/.//evil.example', undefined],
    [`${origin}//evil.example`, undefined],
    ['data:text/html,x', undefined],
    [`blob:${origin}/x`, undefined],
    [`/${'x'.repeat(1000)}`, undefined],
  ]) {
    answer = (_, response) => say(response, { card: card({ url: address }) });
    expect((await get(ann, await send()))?.url, address).toBe(path);
  }
});

test('shows no card with a listed word, except in direct rooms', async () => {
  answer = (_, response) => say(response, { card: card({ text: 'The Casíno of the year' }) });
  expect(await get(ann, await send())).toBeUndefined();
  const { room: direct } = await ann.request('direct:open', { user: ben.id });
  await ann.request('room:join', { room: direct.id });
  const sent = await send({ room: direct.id });
  expect(await get(ann, sent, direct.id)).toMatchObject({ title: 'Order 4711' });
});

const failures: [string, (response: ServerResponse) => void, RegExp][] = [
  ['huge', (response) => void response.end(`"${'x'.repeat(70_000)}"`), /larger than 64 KB/],
  ['redirecting', (response) => void response.writeHead(302, { location: '/other' }).end(), /cannot be used/],
  ['HTML', (response) => void response.end('<title>Log in</title>'), /cannot be used/],
  ['empty', (response) => void response.end('{}'), /cannot be used/],
  ['untitled', (response) => void say(response, { card: { title: '\u200b' } }), /cannot be used/],
  ['failing', (response) => void response.writeHead(500).end('SQL error in /var/www'), /cannot be used/],
];
test.each(failures)(
  'a %s answer is site_unavailable, names the limit, and is not repeated',
  async (_, fail, text) => {
    answer = (_, response) => fail(response);
    const sent = await send();
    const failed = await ann.raw('card:get', { room, seq: sent.seq });
    expect(failed).toMatchObject({ ok: false, error: { code: 'site_unavailable' } });
    expect(failed.ok ? '' : failed.error.message).toMatch(text);
    expect(failed.ok ? '' : failed.error.message).not.toMatch(/SQL|title/);
    expect(asks).toHaveLength(1);
    answer = (_, response) => say(response, { card: card() });
    expect(await get(ann, sent)).toMatchObject({ title: 'Order 4711' });
  },
);

test('names the limit of a slow answer, also of an answer that stops in the middle', async () => {
  const hanging: ServerResponse[] = [];
  answer = (_, response) => {
    if (hanging.push(response) === 1) response.writeHead(200).write('{"card":');
  };
  const messages = [await send(), await send()];
  const failed = await Promise.all(messages.map(({ seq }) => ann.raw('card:get', { room, seq })));
  const text = 'the site did not answer within 5 s (CHAT_CARDS_TIMEOUT)';
  for (const one of failed)
    expect(one).toMatchObject({ ok: false, error: { code: 'site_unavailable', message: text } });
  expect(asks).toHaveLength(2);
});

test('a slow site delays neither the messages of the user nor the cards of others', async () => {
  const slow: ServerResponse[] = [];
  answer = ({ data }, response) =>
    data.user.id === ann.id ? void slow.push(response) : say(response, { card: card() });
  const messages = await Promise.all([send(), send(), send(), send(), send(), send()]);
  const waiting = Promise.all(messages.map((one) => ann.raw('card:get', { room, seq: one.seq })));
  await vi.waitUntil(() => slow.length === 2, hanging);
  await ann.request('message:history', { room });
  await ann.request('message:send', { room, text: 'still here', clientId: newClientId() });
  expect(await get(ben, messages[0] as Message)).toMatchObject({ title: 'Order 4711' });
  expect(asks.filter(({ data }) => data.user.id === ann.id)).toHaveLength(2);
  for (const response of slow) say(response, { card: card() });
  answer = (_, response) => say(response, { card: card() });
  await waiting;
  expect(await get(ann, messages[5] as Message)).toMatchObject({ title: 'Order 4711' });
});

test('references on which the site hangs stop neither the cards of other authors nor those who look', async () => {
  const hung: ServerResponse[] = [];
  answer = ({ data }, response) =>
    data.about?.startsWith('hang:') ? void hung.push(response) : say(response, { card: card() });
  const eve = await site.person();
  for (const one of [ben, eve]) await one.request('room:join', { room: 'lobby' });
  const [good, inLobby] = [await send({}, ben), await send({ room: 'lobby' }, ben)];
  const bad = await Promise.all([1, 2, 3].map((n) => send({ room: 'lobby', card: `hang:${n}` }, eve)));
  const many = await Promise.all(Array.from({ length: 8 }, () => site.person()));
  const asking = Promise.all(
    many.flatMap((one) => bad.map(({ seq }) => codeOf(one, 'card:get', { room: 'lobby', seq }))),
  );
  await vi.waitUntil(() => hung.length === 8, hanging);
  expect(await get(ann, good)).toMatchObject({ title: 'Order 4711' });
  expect(new Set(await asking)).toEqual(new Set(['site_unavailable']));
  // The references of one author were half of the requests, and more than five in a row had no answer.
  expect(hung).toHaveLength(8);
  for (const one of many) {
    expect(await get(one, inLobby, 'lobby')).toMatchObject({ title: 'Order 4711' });
    one.close();
  }
  eve.close();
});

test('a site that stops answering for some references fails no waiting request for others', async () => {
  const [hung, held]: [ServerResponse[], ServerResponse[]] = [[], []];
  answer = ({ data }, response) => void (data.about === 'hang' ? hung : held).push(response);
  const cards = new SiteCards({ url: siteUrl(), keys: [key], timeoutMs: hanging, onFailure() {} });
  const hangs = Promise.allSettled(
    Array.from({ length: 8 }, (_, n) =>
      cards.get({ id: `r${n}`, name: 'R' }, { about: 'hang', author: 'eve' }),
    ),
  );
  // More than a user has in flight, so that some wait when the others fail.
  const looks = Promise.all(
    Array.from({ length: 4 }, (_, n) =>
      cards.get({ id: 'ben', name: 'Ben' }, { about: `fine:${n}`, author: 'ann' }),
    ),
  );
  await vi.waitUntil(() => hung.length === 8 && held.length > 0, hanging);
  expect(held.length).toBeLessThan(4);
  for (const response of hung) response.destroy();
  expect((await hangs).every(({ status }) => status === 'rejected')).toBe(true);
  answer = (_, response) => say(response, { card: card() });
  for (const response of held) say(response, { card: card() });
  expect(await looks).toHaveLength(4);
  expect(hung).toHaveLength(8);
  cards.close();
});

test('an author of hanging references leaves half of what slow requests share to other authors', async () => {
  let fails = true;
  const hung: ServerResponse[] = [];
  answer = ({ data }, response) => {
    if (data.about === 'hang') hung.push(response);
    else if (fails) response.destroy();
    else say(response, { card: card() });
  };
  const cards = new SiteCards({ url: siteUrl(), keys: [key], timeoutMs: hanging, onFailure() {} });
  const look = (id: string, about: string, author: string) => cards.get({ id, name: id }, { about, author });
  await expect(look('ben', 'order:1', 'ann')).rejects.toMatchObject({ code: 'site_unavailable' });
  const first = expect(look('ben', 'hang', 'eve')).rejects.toMatchObject({ code: 'site_unavailable' });
  await vi.waitUntil(() => hung.length === 1, hanging);
  hung[0]?.destroy();
  await first;
  fails = false;
  const readers = Array.from({ length: 8 }, (_, n) => look(`r${n}`, 'hang', 'eve').catch(() => {}));
  expect(await look('ben', 'order:1', 'ann')).toMatchObject({ title: 'Order 4711' });
  await vi.waitUntil(() => hung.length === 5, hanging);
  cards.close();
  await Promise.all(readers);
});

test.each([
  ['rejects as overloaded', 5, (response: ServerResponse) => void response.writeHead(502).end()],
  ['cuts', 5, (response: ServerResponse) => void response.destroy()],
  [
    'wants later',
    1,
    (response: ServerResponse) => void response.writeHead(429, { 'retry-after': '60' }).end(),
  ],
])('references that the site %s stop only the cards of their author, after %i', async (_, failures, fail) => {
  answer = ({ data }, response) =>
    data.about?.startsWith('bad:') ? fail(response) : say(response, { card: card() });
  const [eve, bob] = await site.people(2);
  for (const one of [eve, bob]) await one.request('room:join', { room: 'lobby' });
  const bad = await Promise.all(
    [1, 2, 3, 4, 5, 6].map((n) => send({ room: 'lobby', card: `bad:${n}` }, eve)),
  );
  for (const { seq } of bad)
    expect(await codeOf(eve, 'card:get', { room: 'lobby', seq })).toBe('site_unavailable');
  expect(asks).toHaveLength(failures);
  expect(await get(eve, await send({ room: 'lobby' }, bob), 'lobby')).toMatchObject({ title: 'Order 4711' });
  for (const one of [eve, bob]) one.close();
});

test('the list of rooms tells a card from a text', async () => {
  const last = async () => (await ben.request('room:list', {})).rooms.find(({ id }) => id === room)?.last;
  await send();
  expect(await last()).not.toHaveProperty('card');
  await send({ text: 'order:1', card: 'order:1' });
  expect(await last()).toMatchObject({ text: 'order:1', card: true });
});

test('a scheduled message keeps its card, also after an edit', async () => {
  const sent = { room, text: 'Where?', clientId: newClientId(), card: 'order:1' };
  const added = await ann.request('scheduled:add', { ...sent, at: Date.now() + 3_600_000 });
  if (!('scheduled' in added)) throw new Error('the message is not scheduled');
  const { id, card } = added.scheduled;
  expect(card).toBe('order:1');
  const edited = await ann.request('scheduled:edit', { id, text: 'Where is it?' });
  expect(edited.scheduled.card).toBe('order:1');
  expect((await ann.request('scheduled:list', {})).scheduled).toEqual([edited.scheduled]);
  const result = await ann.request('scheduled:send', { id });
  expect(result).toMatchObject({ message: { text: 'Where is it?', card: 'order:1' } });
});

test('a listed word in the card of a scheduled message needs approval', async () => {
  const sent = { room: 'lobby', text: 'Where?', clientId: newClientId(), card: 'casino' };
  await ben.request('room:join', { room: 'lobby' });
  const added = await ben.request('scheduled:add', { ...sent, at: Date.now() + 3_600_000 });
  if (!('scheduled' in added)) throw new Error('the message is not scheduled');
  const result = await ben.request('scheduled:send', { id: added.scheduled.id });
  expect(result).toMatchObject({ held: { why: 'words', card: 'casino' } });
  if ('held' in result) await ben.request('held:discard', { id: result.held.id });
});

test('the card of a pending message is shown to its author and its moderators only', async () => {
  answer = (_, response) => say(response, { card: card() });
  const sent = { room: 'lobby', text: 'casino?', clientId: newClientId(), card: 'order:2' };
  for (const one of [ann, ben]) await one.request('room:join', { room: 'lobby' });
  const moderator = await site.person({ roles: 'moderator' });
  const { held } = (await ben.request('message:send', sent)) as unknown as { held: { id: string } };
  const get = { room: 'lobby', held: held.id };
  for (const one of [ben, moderator])
    expect((await one.request('card:get', get)).card).toMatchObject({
      title: 'Order 4711',
      about: 'order:2',
    });
  expect(await codeOf(ann, 'card:get', get)).toBe('unknown_message');
  expect(await codeOf(ben, 'card:get', { ...get, room })).toBe('unknown_message');
  expect(await codeOf(ben, 'card:get', { ...get, seq: 1 })).toBe('bad_request');
  await moderator.request('held:reject', { id: held.id });
  expect((await ben.request('card:get', get)).card).toMatchObject({ about: 'order:2' });
  expect(await codeOf(moderator, 'card:get', get)).toBe('unknown_message');
  await ben.request('held:discard', { id: held.id });
  moderator.close();
});

test('a message that waits for a moderator keeps its card', async () => {
  const sent = { room: 'lobby', text: 'casino?', clientId: newClientId(), card: 'order:1' };
  const { held } = (await ben
    .request('room:join', { room: 'lobby' })
    .then(() => ben.request('message:send', sent))) as unknown as { held: { id: string; card: string } };
  expect(held.card).toBe('order:1');
  const moderator = await site.person({ roles: 'moderator' });
  const { message } = await moderator.request('held:approve', { id: held.id });
  expect(message.card).toBe('order:1');
  moderator.close();
});

test('a card with a listed word in its reference is not forwarded', async () => {
  const { room: direct } = await ann.request('direct:open', { user: ben.id });
  await ann.request('room:join', { room: direct.id });
  const { seq } = await send({ room: direct.id, card: 'casino' });
  const forward = { room: 'lobby', from: { room: direct.id, seq }, clientId: newClientId() };
  await ann.request('room:join', { room: 'lobby' });
  expect(await codeOf(ann, 'message:forward', forward)).toBe('forbidden');
});

test('references on which the site fails do not affect other cards', async () => {
  answer = (_, response) => response.writeHead(500).end();
  const messages = await Promise.all(Array.from({ length: 6 }, () => send()));
  for (const { seq } of messages)
    expect(await codeOf(ben, 'card:get', { room, seq })).toBe('site_unavailable');
  answer = (_, response) => say(response, { card: card() });
  expect(await get(ann, await send())).toMatchObject({ title: 'Order 4711' });
});

test('a deleted message has no card, and a message without card is unknown', async () => {
  const sent = await send();
  const { message } = await ann.request('message:delete', { room, seq: sent.seq });
  expect(message.card).toBeUndefined();
  expect(await codeOf(ann, 'card:get', { room, seq: sent.seq })).toBe('unknown_message');
  expect(await codeOf(ann, 'card:press', { room, seq: sent.seq, button: 'a', clientId: 'a' })).toBe(
    'unknown_message',
  );
});

// Last, because the server then leaves the site alone.
test('a down site is left alone for a while after five failures in a row', async () => {
  answer = (_, response) => response.writeHead(503).end();
  const messages = await Promise.all(Array.from({ length: 7 }, () => send()));
  for (const { seq } of messages)
    expect(await codeOf(ben, 'card:get', { room, seq })).toBe('site_unavailable');
  expect(asks).toHaveLength(5);
});

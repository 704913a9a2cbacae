import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type Gate, startGate } from '../helpers/gate.ts';
import { type JavaClient, nextJavaClient } from '../helpers/java-client.ts';
import { type PeopleSite, type Person, say, startPeopleSite } from '../helpers/people.ts';

let site: PeopleSite;
let mod: Person;
let app: JavaClient;
let gate: Gate;
beforeAll(async () => {
  site = await startPeopleSite({ CHAT_ROOMS: 'lobby', CHAT_HOLD_WORDS: 'pallets' });
  mod = await site.person({ roles: 'moderator' });
  await mod.request('room:join', { room: 'lobby' });
  gate = await startGate(site.chat.port);
});
afterEach(() => app.end());
afterAll(async () => {
  mod.close();
  await gate.close();
  await site.close();
});

async function start(): Promise<Person> {
  const user = await site.person();
  app = nextJavaClient();
  await enter(user, { server: site.chat.url });
  user.close();
  return user;
}
async function enter({ cookie }: Person, chat: { server: string }): Promise<void> {
  await app.ask('setCookie', { page: 'http://127.0.0.1/', value: cookie.split('=')[1] });
  await app.ask('chat', chat);
  await app.ask('start');
  await app.ask('open', { room: 'lobby' });
}
interface Unsent {
  text: string;
  failed: string;
  clientId: string;
}
const unsent = async (failed: string, from = 0) =>
  (await app.isTold('unsent', ({ message }) => (message as Unsent).failed === failed, from))
    .message as Unsent;
const waiting = async () => (await mod.request('held:list', {})).held;
const hasUnsent = (count: number, from: number) =>
  app.isTold('messages', (told) => told.unsent === count, from);
const throughGate = () => ({ server: `http://127.0.0.1:${gate.port}` });
async function offline(): Promise<void> {
  const from = app.told.length;
  await gate.outage.begin();
  await app.isTold('state', ({ kind }) => kind === 'OFFLINE', from);
}
async function onlineAgain(): Promise<void> {
  await gate.outage.end();
  await app.ask('wake');
}

test('a message pending approval becomes a stored message on approval', async () => {
  await start();
  await app.ask('send', { room: 'lobby', text: 'pallets' });
  expect(await unsent('held')).toMatchObject({ text: 'pallets' });
  const from = app.told.length;
  const [held] = await waiting();
  await mod.request('held:approve', { id: held?.id ?? '' });
  await app.isTold('messages', ({ last, unsent }) => last === 'pallets' && unsent === 0, from);
});

test('retry sends a rejected message under a new ID', async () => {
  await start();
  await app.ask('send', { room: 'lobby', text: 'cheap pallets' });
  await unsent('held');
  const [held] = await waiting();
  await mod.request('held:reject', { id: held?.id ?? '' });
  const { clientId } = await unsent('rejected');
  let from = app.told.length;
  await app.ask('retry', { clientId });
  const again = await unsent('held', from);
  expect(again.clientId).not.toBe(clientId);
  expect(await waiting()).toMatchObject([{ clientId: again.clientId }]);
  from = app.told.length;
  await app.ask('discard', { clientId: again.clientId });
  await hasUnsent(0, from);
  await expect.poll(waiting).toEqual([]);
});

test('an app gets the decisions made while it was stopped', async () => {
  await start();
  for (const text of ['one of pallets', 'two of pallets']) await app.ask('send', { room: 'lobby', text });
  await app.isTold('unsent', ({ message }) => (message as Unsent).text.startsWith('two'));
  await app.ask('stop');
  for (const { id, text } of await waiting()) {
    if (text.startsWith('one')) await mod.request('held:approve', { id });
    else await mod.request('held:reject', { id });
  }
  const from = app.told.length;
  await app.ask('start');
  expect((await unsent('rejected', from)).text).toBe('two of pallets');
  await hasUnsent(1, from);
  expect((await app.messages('lobby')).map(({ text }) => text)).toContain('one of pallets');
});

test('a pending message discarded offline is withdrawn after the reconnect', async () => {
  const user = await site.person();
  app = nextJavaClient();
  await enter(user, throughGate());
  await app.ask('send', { room: 'lobby', text: 'pallets, discarded offline' });
  const { clientId } = await unsent('held');
  await offline();
  const from = app.told.length;
  await app.ask('discard', { clientId });
  await hasUnsent(0, from);
  await app.ask('retry', { clientId });
  await onlineAgain();
  await expect.poll(waiting).toEqual([]);
  expect((await user.request('held:list', { mine: true })).held).toEqual([]);
  expect(await app.messages('lobby')).not.toContainEqual(expect.objectContaining({ clientId }));
  user.close();
});

test('an edit that needs approval fails with the code held and leaves the message unchanged', async () => {
  const user = await start();
  await app.ask('send', { room: 'lobby', text: 'hello' });
  await app.isTold('messages', ({ last, unsent }) => last === 'hello' && unsent === 0);
  const seq = (await app.messages('lobby')).at(-1)?.seq;
  await expect(app.ask('edit', { seq, text: 'pallets' })).rejects.toMatchObject({ code: 'held' });
  expect(await waiting()).toMatchObject([{ seq, text: 'pallets', user: { id: user.id } }]);
  expect((await say(mod, 'lobby', 'still there')).text).toBe('still there');
  await expect.poll(async () => (await app.messages('lobby')).at(-2)?.text).toBe('hello');
});

test('a moderator with the app lists, approves and rejects messages', async () => {
  const author = await site.person();
  await author.request('room:join', { room: 'lobby' });
  const chief = await site.person({ roles: 'moderator' });
  app = nextJavaClient();
  await enter(chief, { server: site.chat.url });
  chief.close();
  const hold = async (text: string) => {
    const from = app.told.length;
    await say(author, 'lobby', text);
    await app.isTold('held', ({ room }) => room === 'lobby', from);
    const { held } = await author.request('held:list', { mine: true });
    return held.at(-1)?.id;
  };
  const good = await hold('fresh pallets');
  const bad = await hold('cheap pallets, all new');
  // Messages of other tests wait too.
  const waitingHere = async () =>
    (await app.ask<{ items: { user: string }[] }>('held')).items.filter(({ user }) => user === author.id);
  expect(await waitingHere()).toMatchObject([
    { id: bad, user: author.id, seq: 0, text: 'cheap pallets, all new' },
    { id: good, room: 'lobby', user: author.id, text: 'fresh pallets' },
  ]);
  await app.ask('approve', { message: { id: good } });
  await app.ask('reject', { message: { id: bad }, reason: 'no offers' });
  await expect(app.ask('reject', { message: { id: bad } })).rejects.toMatchObject({
    code: 'unknown_message',
  });
  expect(await waitingHere()).toEqual([]);
  await app.isTold('messages', ({ last }) => last === 'fresh pallets');
  expect((await author.request('held:list', { mine: true })).held).toMatchObject([
    { id: bad, rejected: { reason: 'no offers' } },
  ]);
  author.close();
});

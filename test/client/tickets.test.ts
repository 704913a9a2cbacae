import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { chatServerHere } from '../helpers/chat-here.ts';
import { emptyHistory, type RunningChat } from '../helpers/chat-server.ts';
import { ownPort } from '../helpers/child.ts';
import { apiKey } from '../helpers/people.ts';
import { ticketKeys } from '../helpers/tickets.ts';
import { closeChats, openChat } from './open-chat.ts';

const keys = ticketKeys();

/** A site whose user the test chooses, and its chat server. */
async function startSite() {
  let claims: object | undefined = { sid: 'first' };
  let signing = keys;
  let isDown = false;
  const fetched: string[] = [];
  const site = createServer(({ url = '' }, res) => {
    fetched.push(url);
    if (isDown) return res.writeHead(503).end();
    res.writeHead(claims === undefined ? 401 : 200);
    res.end(claims && JSON.stringify({ ticket: signing.ticket(claims) }));
  }).listen(0, '127.0.0.1');
  const history = await emptyHistory();
  const port = String(await ownPort());
  const start = (env: NodeJS.ProcessEnv): Promise<RunningChat> =>
    chatServerHere({
      CHAT_PORT: port,
      CHAT_HISTORY: history.url,
      CHAT_FILES: history.files,
      CHAT_SESSION_STORE: 'none',
      CHAT_API_KEY: apiKey,
      ...env,
    });
  let chat = await start(keys.env);
  return {
    url: chat.url,
    ticketUrl: `http://127.0.0.1:${(site.address() as AddressInfo).port}/`,
    /** The paths of the requests for tickets. */
    fetched,
    /** Undefined means that no user is logged in. */
    login(over: object | undefined) {
      claims = over;
    },
    down(is: boolean) {
      isDown = is;
    },
    async replaceKeys() {
      signing = ticketKeys();
      await chat.stop();
      chat = await start(signing.env);
    },
    async stop() {
      site.close();
      await chat.stop();
      history.remove();
      if (signing !== keys) signing.remove();
    },
  };
}

let site: Awaited<ReturnType<typeof startSite>>;
beforeEach(async () => {
  site = await startSite();
});
afterEach(async () => {
  closeChats();
  await site.stop();
});

async function open(path = '') {
  const opened = openChat(site.url, '', 'lobby', site.ticketUrl + path);
  await expect.poll(() => opened.chat.connection.state.kind).toBe('ready');
  return opened;
}

test('fetches a new ticket after the keys were replaced', async () => {
  const { chat } = await open();
  await site.replaceKeys();
  await expect.poll(() => chat.connection.state.kind, { timeout: 20_000 }).not.toBe('ready');
  await expect.poll(() => chat.connection.state.kind, { timeout: 20_000 }).toBe('ready');
  expect(site.fetched).toEqual(['/', '/']);
});

test('does not use the ticket of an earlier user when the page is shown again', async () => {
  const { chat } = await open();
  chat.stop();
  site.login({ sub: '8', sid: 'second' });
  chat.start();
  await expect.poll(() => chat.me?.id).toBe('8');
});

test('ends a chat whose user logged out while the page was not shown', async () => {
  const { chat } = await open();
  chat.stop();
  site.login(undefined);
  chat.start();
  await expect.poll(() => chat.connection.state).toMatchObject({ kind: 'ended', reason: 'unauthorized' });
});

test('connects again when the site answers after the end of the ticket', async () => {
  site.login({
    iat: Math.floor(Date.now() / 1000) - 60,
    exp: Math.floor(Date.now() / 1000) - 27,
    sid: 'short',
  });
  const { chat } = await open();
  site.down(true);
  const ended = { kind: 'ended', reason: 'expired' };
  await expect.poll(() => chat.connection.state, { timeout: 20_000 }).toMatchObject(ended);
  const { length } = site.fetched;
  await expect.poll(() => site.fetched.length, { timeout: 30_000 }).toBeGreaterThan(length + 2);
  site.down(false);
  site.login({ sid: 'short' });
  await expect.poll(() => chat.connection.state.kind, { timeout: 30_000 }).toBe('ready');
});

test('fetches no ticket after the chat was removed', async () => {
  site.login({ exp: Math.floor(Date.now() / 1000) + 2, sid: 'short' });
  const { chat } = await open('removed');
  chat.stop();
  // This ticket expires at the same time, and its renewal follows that of the removed chat.
  await open('other');
  await expect
    .poll(() => site.fetched.filter((path) => path === '/other').length, { timeout: 10_000 })
    .toBe(2);
  expect(site.fetched.filter((path) => path === '/removed')).toHaveLength(1);
});

test('ends the chat if another user is logged in at the next renewal', async () => {
  site.login({ exp: Math.floor(Date.now() / 1000) + 2, sid: 'short' });
  const { chat, calls } = await open();
  site.login({ sub: '8', sid: 'second' });
  await expect
    .poll(() => chat.connection.state, { timeout: 10_000 })
    .toMatchObject({ kind: 'ended', reason: 'user_changed' });
  expect(calls.map(({ name }) => name)).toContain('hide');
});

test('continues the chat if the same user has another login at the next renewal', async () => {
  site.login({ exp: Math.floor(Date.now() / 1000) + 2, sid: 'short' });
  const { chat, calls } = await open();
  site.login({ sid: 'second' });
  const before = calls.length;
  await expect
    .poll(() => calls.slice(before).some(({ name }) => name === 'hide'), { timeout: 10_000 })
    .toBe(true);
  await expect.poll(() => chat.connection.state.kind).toBe('ready');
});

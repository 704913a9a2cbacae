import { renameSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { connectChat } from '../../helpers/chat-client.ts';
import { chatServerHere } from '../../helpers/chat-here.ts';
import type { RunningChat } from '../../helpers/chat-server.ts';
import { type ChatSite, startChatSite } from '../../helpers/chat-site.ts';
import { inShort, request, say, upgrade as upgradeHeaders } from '../../helpers/fuzz-exchange.ts';
import { phpbbSite } from '../../helpers/phpbb.ts';
import { startSiteDatabase } from '../../helpers/site-database.ts';

let site: ChatSite<RunningChat>;
beforeAll(async () => {
  site = await startChatSite(
    { CHAT_ORIGINS: 'https://good.example,http://shop.example:8080' },
    chatServerHere,
  );
});
afterAll(() => site.close());

type Headers = Record<string, string>;
const handshake = '/socket.io/?EIO=4&transport=polling';
const good = { Origin: 'https://good.example' };
const ask = async (path: string, headers: Headers = {}, { chat } = site) => {
  const answer = await say(chat.port, request(path, headers));
  return { short: inShort(answer), answer, body: answer.split('\r\n\r\n')[1] ?? '' };
};
const shortOf = async (...args: Parameters<typeof ask>) => (await ask(...args)).short;
const post = { method: 'POST', body: '40' };
const webSocket = (path: string) => path.replace('polling', 'websocket');
const upgrade = (path: string, headers: Headers = {}) =>
  shortOf(webSocket(path), { ...upgradeHeaders, ...headers });

test('lets a page of an allowed origin read the responses on both transports', async () => {
  const { short, answer } = await ask(handshake, good);
  expect(short).toBe('200');
  expect(answer).toContain('Access-Control-Allow-Origin: https://good.example\r\n');
  expect(answer).toContain('Access-Control-Allow-Credentials: true\r\n');
  expect(answer).toMatch(/^vary: origin\r$/im);
  expect(await upgrade(handshake, good)).toBe('101');
  expect(await shortOf(handshake, { ...good, method: 'OPTIONS' })).toBe('204');
});

test('hides even the rejection from a page of another origin', async () => {
  const evil = { Origin: 'https://evil.example' };
  const refused = '403 origin_not_allowed';
  const { short, answer } = await ask(handshake, evil);
  expect([short, await upgrade(handshake, evil)]).toEqual([refused, refused]);
  expect(answer).not.toMatch(/access-control-allow-origin/i);
  expect(await shortOf(handshake, { ...evil, method: 'OPTIONS' })).toBe(refused);
  await expect.poll(() => site.chat.output()).toContain('CHAT_ORIGINS does not list https://evil.example"');
  expect(site.chat.output().match(/CHAT_ORIGINS does not list/g)).toHaveLength(1);
});

test('replaces terminal control characters of an origin in the log', async () => {
  const chat = await chatServerHere({ CHAT_SESSION_STORE: site.memcached.url });
  onTestFinished(async () => void (await chat.stop()));
  // The 8-bit form of the escape sequence that clears a screen.
  await say(chat.port, request(handshake, { Origin: 'https://evil.example\u009b2J' }));
  await expect.poll(chat.output).toMatch(/CHAT_ORIGINS does not list https:\/\/evil\.example\?+2J"/);
});

test('tells a Socket.IO 2 client in its own format that the protocol is unsupported', async () => {
  const { body } = await ask('/socket.io/?EIO=3&transport=polling');
  expect(JSON.parse(body)).toMatchObject({ code: 5, message: 'Unsupported protocol version' });
});

test('rejects more than 16 KB or 100 headers, and logs a hint once', async () => {
  const many = Object.fromEntries(Array.from({ length: 120 }, (_, n) => [`X-${n}`, '1']));
  for (const headers of [{ Cookie: `PHPSESSID=${'a'.repeat(20_000)}` }, many])
    expect(await shortOf(handshake, headers)).toBe('431 header_too_large');
  await expect
    .poll(() => site.chat.output())
    .toMatch(/"code":"header_too_large","reason":".*16 KB.*","hint":".*cookies/);
  expect(site.chat.output().match(/header_too_large/g)).toHaveLength(1);
});

describe('the sid of a connection', () => {
  /** Starts a connection. @returns the path of its later requests */
  async function begin(headers: Headers, at = site) {
    const { sid } = JSON.parse((await ask(handshake, headers, at)).body.slice(1)) as { sid: string };
    return `${handshake}&sid=${sid}`;
  }

  test('is valid only with the same cookie and an allowed origin', async () => {
    const Cookie = await site.session(1);
    const own = { Cookie, ...good };
    const path = await begin(own);
    const stolen: Headers[] = [
      good,
      { ...good, Cookie: await site.session(2) },
      { Cookie, Origin: 'http://shop.example:8080' },
      { Cookie },
    ];
    for (const headers of stolen) {
      expect(await shortOf(path, { ...headers, ...post })).toMatch(/^403/);
      expect(await upgrade(path, headers)).toMatch(/^403/);
    }
    for (const headers of stolen.slice(0, 3)) expect(await shortOf(path, headers)).toMatch(/^403/);
    expect(await shortOf(path, { ...own, ...post })).toBe('200');
    expect((await ask(path, own)).body).toMatch(/^40\{"sid"/);
  });

  test('requires the cookie even if the site database was unavailable at first', async () => {
    const db = await startSiteDatabase('sqlite');
    onTestFinished(() => db.remove());
    const forum = await phpbbSite(db);
    onTestFinished(forum.remove);
    const { cookies: Cookie } = await forum.logIn('7');
    renameSync(db.name, `${db.name}.away`);
    const chat = await chatServerHere({ CHAT_SITE: forum.folder, CHAT_SITE_CHECKS: 'off' });
    onTestFinished(async () => void (await chat.stop()));
    const at = { ...site, chat };
    const path = await begin({ Cookie }, at);
    renameSync(`${db.name}.away`, db.name);
    await expect.poll(async () => (await fetch(`${chat.url}/readyz`)).status).toBe(200);
    await ask(path, post, at);
    // A client without the cookie cannot poll the data of its owner.
    expect((await ask(path, {}, at)).body).toMatch(/^44.*session_store_unavailable/);
    const client = await connectChat(chat.url, Cookie);
    expect(client.ready.user.id).toBe('7');
    client.close();
  });

  test('is rejected if the address contains a second sid', async () => {
    const sid = (await begin({ Cookie: await site.session(1) })).split('&sid=')[1];
    const own = (await begin({})).split('&sid=')[1];
    for (const twice of [`sid=&sid=${sid}`, `sid=${own}&sid=${sid}`, `sid=${sid}&sid=${own}`]) {
      const path = `${handshake}&${twice}`;
      const answers = [await shortOf(path), await shortOf(path, post), await upgrade(path)];
      expect(answers).toEqual(Array(3).fill('400 bad_request'));
    }
  });

  test('cannot take over a connection that started as a WebSocket', async () => {
    const [, session] = (await site.session(1)).split('=');
    const native = await connectChat(site.chat.url, null, { auth: { session } });
    const path = `${handshake}&sid=${native.socket.io.engine.id}`;
    expect([await upgrade(path), await shortOf(path)]).toEqual(Array(2).fill('400 bad_request'));
    expect(native.socket.connected).toBe(true);
    native.close();
  });

  test('stays valid if other cookies change, and on a GET without an origin', async () => {
    const Cookie = await site.session(1);
    const path = await begin({ Cookie });
    expect(await shortOf(path, { Cookie: `theme=dark; ${Cookie}`, ...good, ...post })).toBe('200');
    expect(await shortOf(path, { Cookie })).toBe('200');
  });

  test('requires an origin on POST if native clients are off', async () => {
    const env = { CHAT_ORIGINS: 'https://good.example', CHAT_NATIVE_CLIENTS: 'false' };
    const chat = await chatServerHere({ ...env, CHAT_SESSION_STORE: site.memcached.url });
    onTestFinished(async () => void (await chat.stop()));
    const at = { ...site, chat };
    const path = await begin({}, at);
    expect(await shortOf(path, post, at)).toBe('403 origin_not_allowed');
    expect(await shortOf(path, { ...good, ...post }, at)).toBe('200');
  });
});

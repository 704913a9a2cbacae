import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { newClientId } from '../helpers/chat-client.ts';
import { historyFolder } from '../helpers/chat-server.ts';
import { startChild } from '../helpers/child.ts';
import { startGate } from '../helpers/gate.ts';
import { hanging } from '../helpers/hanging.ts';
import { type PeopleSite, say, startPeopleSite } from '../helpers/people.ts';
import { pythonPackages } from '../helpers/python.ts';

/** Tests with clients and verifiers of other projects. `python-requirements.txt` pins their versions and hashes. */
const fixture = (name: string) => join(import.meta.dirname, '../fixtures', name);
const requirements = ['--require-hashes', '--only-binary=:all:', '-r', fixture('python-requirements.txt')];

const kept = historyFolder();
const keys = [Buffer.alloc(24, 'a'), Buffer.alloc(32, 'b')].map((key) => `whsec_${key.toString('base64')}`);
const posted: { headers: object; body: string }[] = [];
const receiver = createServer(async (request, response) => {
  let body = '';
  for await (const piece of request.setEncoding('utf8')) body += piece;
  posted.push({ headers: request.headers, body });
  response.writeHead(204).end();
});
let site: PeopleSite;
let python: string;
beforeAll(async () => {
  const version = createHash('sha256')
    .update(readFileSync(fixture('python-requirements.txt')))
    .digest('hex')
    .slice(0, 8);
  python = join(pythonPackages(`python-clients-${version}`, requirements), 'python');
  await once(receiver.listen(0, '127.0.0.1'), 'listening');
  const keyFile = `${kept.path}.key`;
  writeFileSync(keyFile, keys.join('\n'));
  site = await startPeopleSite({
    CHAT_HISTORY: kept.url,
    CHAT_ROOMS: 'lobby',
    CHAT_WEBHOOK_URL: `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`,
    CHAT_WEBHOOK_KEY_FILE: keyFile,
  });
}, 600_000);
afterAll(async () => {
  await site.close();
  receiver.close();
  kept.remove();
});

/** Connects a user who joins the lobby until the test ends. */
async function inLobby() {
  const person = await site.person();
  onTestFinished(person.close);
  await person.request('room:join', { room: 'lobby' });
  return person;
}

type Told = [name: string, namespace: string, ...args: unknown[]];

/** Starts a process with a client of python-socketio. */
function pythonClient() {
  const child = startChild(python, [fixture('python-client.py')], { stdio: ['pipe', 'pipe', 'pipe'] });
  onTestFinished(() => void child.stop('SIGKILL'));
  const told = () =>
    child
      .output()
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Told);
  const tell = (...command: unknown[]) => void child.process.stdin?.write(`${JSON.stringify(command)}\n`);
  /** Waits for the next event of this name after the first `from` events. */
  const next = (name: string, from = 0) =>
    vi.waitFor(
      () => {
        const found = told()
          .slice(from)
          .find((one) => one[0] === name);
        if (found === undefined) throw new Error(`no ${name}: ${child.output()}`);
        return found;
      },
      { timeout: hanging },
    );
  return {
    told,
    tell,
    next,
    connect: (url: string, cookie: string, transports: string[], namespaces = ['/']) =>
      tell('connect', url, transports, cookie, namespaces),
    async call(event: string, payload: object, command = 'call') {
      const from = told().length;
      tell(command, event, payload);
      return (await next('answer', from))[2];
    },
  };
}

describe.each([[['polling']], [['polling', 'websocket']]])('python-socketio over %s', (by) => {
  test('gets session:ready first, then responses, errors and events', async () => {
    const ann = await inLobby();
    const client = pythonClient();
    const cookie = await site.session('py');
    client.connect(site.chat.url, cookie, by);
    expect(await client.next('session:ready')).toMatchObject([
      'session:ready',
      '/',
      { protocol: 1, user: { id: 'py' } },
    ]);
    expect(client.told().map(([name]) => name)).toEqual(['connect', 'session:ready']);
    expect(await client.call('room:join', { room: 'lobby' })).toMatchObject({ ok: true });
    const text = `${'ü 中文 👩‍🌾 '.repeat(300)}\u2028"\\`;
    const clientId = newClientId();
    const sent = await client.call('message:send', { room: 'lobby', text, clientId });
    expect(sent).toMatchObject({ ok: true, data: { message: { text, clientId, user: { id: 'py' } } } });
    expect(await client.call('room:join', { room: 'nowhere' })).toMatchObject({
      ok: false,
      error: { code: 'unknown_room' },
    });
    const from = client.told().length;
    const said = await say(ann, 'lobby', text);
    expect(await client.next('message:new', from)).toEqual(['message:new', '/', said]);
    expect(ann.messages().map((message) => message.text)).toContain(text);
    client.tell('disconnect');
    await client.next('disconnect');
  });

  test('continues after an outage, and is disconnected at the end of its session', async () => {
    const gate = await startGate(Number(new URL(site.chat.url).port));
    onTestFinished(() => gate.close());
    const ann = await inLobby();
    const client = pythonClient();
    const cookie = await site.session('py');
    client.connect(`http://127.0.0.1:${gate.port}`, cookie, by);
    await client.next('session:ready');
    expect(await client.call('room:join', { room: 'lobby' })).toMatchObject({ ok: true });
    const before = await say(ann, 'lobby', 'before the break');
    const from = client.told().length;
    await gate.outage.begin();
    await client.next('disconnect', from);
    const missed = await say(ann, 'lobby', 'in the break');
    await gate.outage.end();
    await client.next('session:ready', from);
    expect(await client.call('room:join', { room: 'lobby', since: before.rev })).toMatchObject({
      ok: true,
      data: { messages: [missed] },
    });
    const there = client.told().length;
    await site.memcached.delete(site.key(cookie));
    expect((await client.next('session:ended', there))[2]).toEqual({ reason: 'logout' });
    await client.next('disconnect', there);
  });
});

test('standardwebhooks of Python accepts an event with each key, and rejects a changed event', async () => {
  const ann = await inLobby();
  await say(ann, 'lobby', 'ü 👩‍🌾\u2028');
  const { headers, body } = await vi.waitFor(
    () => {
      const found = posted.find((one) => one.body.includes('👩‍🌾\u2028"'));
      if (found === undefined) throw new Error('no event yet');
      return found;
    },
    { timeout: hanging },
  );
  const code = `
import json, sys
from standardwebhooks import Webhook, WebhookVerificationError
keys, headers, body = json.load(sys.stdin)
events = [Webhook(key).verify(body, headers) for key in keys]
try:
    Webhook(keys[0]).verify(body + " ", headers)
except WebhookVerificationError:
    print(json.dumps(events))`;
  const input = JSON.stringify([keys, headers, body]);
  const events = JSON.parse(execFileSync(python, ['-c', code], { input, encoding: 'utf8' }));
  expect(events).toEqual([JSON.parse(body), JSON.parse(body)]);
});

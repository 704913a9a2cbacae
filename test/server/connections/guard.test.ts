import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ChatClient, connectChat, newClientId } from '../../helpers/chat-client.ts';
import { chatServerHere } from '../../helpers/chat-here.ts';
import type { RunningChat } from '../../helpers/chat-server.ts';
import { type ChatSite, startChatSite } from '../../helpers/chat-site.ts';
import { connectRaw, fragments, frame, opcode, upgradeRequest } from '../../helpers/raw-client.ts';
import { RawClient } from '../../helpers/raw-http.ts';
import { metrics } from '../../helpers/server-figures.ts';

let site: ChatSite<RunningChat>;
beforeAll(async () => {
  site = await startChatSite({ CHAT_LIMIT_QUEUE: '256KB' }, chatServerHere);
});
afterAll(() => site.close());

/** Returns the number of connections closed for this reason. */
const closedFor = async (reason: string) =>
  (await metrics(site.chat.url)).get(`chat_closed_total{reason="${reason}"}`) ?? 0;

async function nextIsServed(): Promise<void> {
  const next = await connectChat(site.chat.url, await site.session(2));
  await next.request('room:list', {});
  next.close();
}

const engine = (client: ChatClient) =>
  client.socket.io.engine as unknown as {
    on(event: 'data', listener: (data: unknown) => void): void;
    write(data: string | Buffer): void;
    transport: { ws: Wire };
  };
interface Wire {
  ping(): void;
  pong(): void;
  send(data: string): void;
  _socket: Socket;
}

describe('large packets and attachments', () => {
  test.each(['websocket', 'polling'])(
    'closes a connection as too_large after more than 64 KB of attachments, by %s',
    async (transport) => {
      const before = await closedFor('too_large');
      const client = await connectChat(site.chat.url, await site.session(1), { transports: [transport] });
      engine(client).write('53-["room:list",{"_placeholder":true,"num":0}]');
      engine(client).write(Buffer.alloc(40_000));
      engine(client).write(Buffer.alloc(40_000));
      await client.disconnected;
      await expect.poll(() => closedFor('too_large')).toBe(before + 1);
      await nextIsServed();
    },
  );

  test('rejects events with attachments, and does not mix up two connections', async () => {
    const clients = await Promise.all(
      [1, 2].map(async (user) => connectChat(site.chat.url, await site.session(user))),
    );
    const answers = clients.map(
      (client) =>
        new Promise<string>((resolve) => engine(client).on('data', (data) => resolve(String(data)))),
    );
    for (const [n, client] of clients.entries()) {
      engine(client).write(
        `52-${n}["room:list",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`,
      );
    }
    for (let part = 0; part < 2; part++)
      for (const client of clients) engine(client).write(Buffer.from([part]));
    for (const [n, answer] of (await Promise.all(answers)).entries()) {
      expect(answer).toMatch(new RegExp(`^3${n}\\[\\{"ok":false,"error":\\{"code":"bad_request"`));
    }
    // Both connections can send the next packet.
    for (const client of clients) {
      await client.request('room:list', {});
      client.close();
    }
  });

  test('stops reading soon after a connection ends', async () => {
    const client = await connectRaw(site.chat.port, await site.session(1), 'lobby');
    const { socket } = client;
    // The client does not notice that the connection was closed.
    socket.pause();
    const more = Buffer.alloc(1_000_000);
    // The kernel buffers some megabytes. Without a limit, the server would read everything.
    let poured = 0;
    const over = new Promise((resolve) => socket.on('error', () => {}).on('close', resolve));
    socket.write(frame(`420["room:list",{"pad":"${'x'.repeat(70_000)}"}]`));
    while (!socket.destroyed && poured < 200_000_000) {
      poured += more.length;
      const drained = new Promise((resolve) => socket.once('drain', resolve));
      if (!socket.write(more)) await Promise.race([drained, over]);
    }
    expect(poured).toBeLessThan(100_000_000);
    await nextIsServed();
  });

  test('rejects a POST of 70 KB with 413 and closes the connection', async () => {
    const cookie = await site.session(1);
    for (const body of ['x'.repeat(70_000), new Blob(['x'.repeat(70_000)]).stream()]) {
      const before = await closedFor('too_large');
      const client = await connectChat(site.chat.url, cookie, { transports: ['polling'] });
      const { id } = client.socket.io.engine as unknown as { id: string };
      const answer = await fetch(`${site.chat.url}/socket.io/?EIO=4&transport=polling&sid=${id}`, {
        method: 'POST',
        headers: { cookie },
        body,
        duplex: 'half',
      } as RequestInit);
      expect(answer.status).toBe(413);
      await client.disconnected;
      expect(await closedFor('too_large')).toBe(before + 1);
    }
    await nextIsServed();
  });
});

test('does not close a connection for a client that knows only its sid', async () => {
  const client = await connectChat(site.chat.url, await site.session(1), { transports: ['polling'] });
  const { id } = client.socket.io.engine as unknown as { id: string };
  for (const method of ['OPTIONS', 'POST', 'PUT']) {
    await fetch(`${site.chat.url}/socket.io/?EIO=4&transport=polling&sid=${id}`, {
      method,
      headers: { 'Content-Type': 'text/plain' },
      body: 'x'.repeat(70_000),
    });
  }
  await client.request('room:list', {});
  client.close();
});

test('keeps a proxy’s TCP connection open when the connection of an earlier client is closed', async () => {
  const cookie = await site.session(1);
  const line = await RawClient.connect(site.chat.port);
  const before = await closedFor('no_connect');
  const { sid } = JSON.parse((await line.get('/socket.io/?EIO=4&transport=polling')).slice(1)) as {
    sid: string;
  };
  await line.post(`/socket.io/?EIO=4&transport=polling&sid=${sid}`, '40');
  expect(await line.get(`/socket.io/?EIO=4&transport=polling&sid=${sid}`)).toContain('unauthorized');
  const { sid: mine } = JSON.parse(
    (await line.get('/socket.io/?EIO=4&transport=polling', { Cookie: cookie })).slice(1),
  ) as { sid: string };
  const path = `/socket.io/?EIO=4&transport=polling&sid=${mine}`;
  await line.post(path, '40', { Cookie: cookie });
  expect(await line.get(path, { Cookie: cookie })).toContain('40{"sid"');
  // The unauthenticated connection is closed after five seconds.
  await expect.poll(() => closedFor('no_connect')).toBe(before + 1);
  await line.post(path, '421["room:list",{}]', { Cookie: cookie });
  line.close();
});

test('closes a connection after a flood of pings, pongs or CONNECTs', async () => {
  for (const [count, inOnePiece, packet] of [
    [200, false, (ws: Wire) => ws.ping()],
    // ws closes such a connection before the server counts a hundred.
    [80, true, (ws: Wire) => ws.ping()],
    [200, false, (ws: Wire) => ws.pong()],
    [200, true, (ws: Wire) => ws.pong()],
    [200, false, (ws: Wire) => ws.send('3')],
    [200, false, (ws: Wire) => ws.send('40/admin,')],
  ] as const) {
    const before = await closedFor('ping_flood');
    const client = await connectChat(site.chat.url, await site.session(1));
    const { ws } = engine(client).transport;
    if (inOnePiece) ws._socket.cork();
    for (let n = 0; n < count; n++) packet(ws);
    ws._socket.uncork();
    await client.disconnected;
    expect(await closedFor('ping_flood')).toBe(before + 1);
  }
  await nextIsServed();
});

test('allows one WebSocket upgrade at a time, and closes both connections after a flood on the new one', async () => {
  const before = await closedFor('ping_flood');
  const cookie = await site.session(1);
  const client = await connectChat(site.chat.url, cookie, { transports: ['polling'] });
  const { id } = client.socket.io.engine as unknown as { id: string };
  const upgrade = async () => {
    const socket = connect({ port: site.chat.port, host: '127.0.0.1', noDelay: true });
    socket.on('error', () => {});
    socket.write(upgradeRequest(cookie, id));
    const [answer] = (await once(socket, 'data')) as [Buffer];
    return { socket, status: answer.toString('latin1', 9, 12) };
  };
  const first = await upgrade();
  expect(first.status).toBe('101');
  expect((await upgrade()).status).toBe('400');
  // Engine.IO gives up an upgrade without a probe. This client does not answer its close frame.
  first.socket.write(frame('6'));
  await once(first.socket, 'data');
  const second = await upgrade();
  expect(second.status).toBe('101');
  if (!first.socket.closed) await once(first.socket, 'close');
  // Before any probe, Engine.IO does not report this WebSocket.
  second.socket.write(Buffer.concat(Array.from({ length: 200 }, () => frame('', opcode.pong))));
  await client.disconnected;
  if (!second.socket.closed) await once(second.socket, 'close');
  expect(await closedFor('ping_flood')).toBe(before + 1);
  await nextIsServed();
});

describe('fragments and packets', () => {
  const request = '420["room:list",{}]';
  const inParts = (count: number) =>
    fragments(...request, ...Array.from({ length: count - request.length }, () => ''));

  test('closes the connection if a message has more than 128 fragments', async () => {
    const before = await closedFor('flood');
    const client = await connectRaw(site.chat.port, await site.session(1));
    const answer = client.packet((packet) => packet.startsWith('430'));
    client.socket.write(inParts(128));
    expect(await answer).toContain('"ok":true');
    client.socket.write(inParts(129));
    await once(client.socket, 'close');
    expect(await closedFor('flood')).toBe(before + 1);
    await nextIsServed();
  });

  test('closes the connection if a POST has more than 500 packets', async () => {
    const before = await closedFor('flood');
    const cookie = await site.session(1);
    const client = await connectChat(site.chat.url, cookie, { transports: ['polling'] });
    const { id } = client.socket.io.engine as unknown as { id: string };
    const post = (count: number) =>
      fetch(`${site.chat.url}/socket.io/?EIO=4&transport=polling&sid=${id}`, {
        method: 'POST',
        headers: { cookie },
        body: Array.from({ length: count }, () => '421["a"]').join('\x1e'),
      });
    expect((await post(500)).status).toBe(200);
    expect(await closedFor('flood')).toBe(before);
    await post(501).catch(() => null);
    await client.disconnected;
    expect(await closedFor('flood')).toBe(before + 1);
    await nextIsServed();
  });
});

test('closes a client that stops polling when too much is queued for it', async () => {
  const before = await closedFor('slow_reader');
  const writer = await connectChat(site.chat.url, await site.session(1));
  const slow = await connectChat(site.chat.url, await site.session(3), { transports: ['polling'] });
  for (const client of [writer, slow]) await client.request('room:join', { room: 'lobby' });
  (slow.socket.io.engine as unknown as { transport: { _poll(): void } }).transport._poll = () => {};
  let last = 0;
  // Send up to twice the queue limit.
  for (let sent = 0; sent < 130 && (await closedFor('slow_reader')) === before; sent++) {
    const message = { room: 'lobby', text: 'x'.repeat(4000), clientId: newClientId() };
    last = (await writer.request('message:send', message)).message.seq;
  }
  expect(await closedFor('slow_reader')).toBe(before + 1);
  await expect.poll(() => writer.messages().at(-1)?.seq).toBe(last);
  for (const client of [writer, slow]) client.close();
});

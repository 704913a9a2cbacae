import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import { load } from '../../../server/load/load.ts';

type Request = [event: string, { clientId: string }];

/**
 * Starts a server that may lose or repeat messages.
 * @param send delivers a message to the connections and returns the response, or null for none
 */
async function startServer(send: (clientId: string, sockets: WebSocket[]) => object | null): Promise<URL> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  onTestFinished(() => void server.close());
  const sockets: WebSocket[] = [];
  server.on('connection', (socket) => {
    socket.send('0{"sid":"x"}');
    socket.on('message', (data) => {
      const [, id, body] = /^42(\d+)(.*)$/s.exec(String(data)) ?? [];
      if (body === undefined) return void socket.send('42["session:ready",{}]');
      const [event, { clientId }] = JSON.parse(body) as Request;
      if (event === 'room:join') sockets.push(socket);
      const answer = event === 'room:join' ? { ok: true, data: {} } : send(clientId, sockets);
      if (answer !== null) socket.send(`43${id}${JSON.stringify([answer])}`);
    });
  });
  await once(server, 'listening');
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
}

const done = { ok: true, data: { message: {} } };
const deliver = (clientId: string, sockets: readonly WebSocket[]) => {
  for (const socket of sockets) socket.send(`42["message:new",${JSON.stringify({ clientId })}]`);
};
const loadOn = (address: URL) =>
  load(
    { address, cookies: ['a=1', 'a=2'], room: 'load', connections: 2, rate: 6, seconds: 1, wait: 1000 },
    () => {},
  );

test('counts messages that the server acknowledges but loses or repeats', async () => {
  const address = await startServer((clientId, sockets) => {
    const n = Number(clientId.at(-1));
    // A message of another user does not count.
    deliver('other-1', sockets);
    deliver(clientId, n === 1 ? sockets.slice(1) : sockets);
    if (n === 2 || n === 4) deliver(clientId, sockets.slice(0, 1));
    return done;
  });
  expect(await loadOn(address)).toMatchObject({
    wanted: 6,
    acknowledged: 6,
    deliveries: 12,
    lost: 1,
    doubled: 2,
  });
});

test('does not count rejected, pending or disconnected messages as lost', async () => {
  const address = await startServer((clientId, sockets) => {
    const n = Number(clientId.at(-1));
    if (n === 0) return { ok: false, error: { code: 'rate_limited' } };
    if (n === 1) return { ok: true, data: { held: {} } };
    if (n === 3) sockets[1]?.close();
    deliver(clientId, sockets);
    return done;
  });
  const figures = await loadOn(address);
  expect(figures).toMatchObject({ opened: 2, closed: 1, wanted: 6, lost: 0, doubled: 0 });
  expect(figures.refused.get('rate_limited')).toBe(1);
  expect(figures.refused.get('held')).toBe(1);
  expect(figures.refused.get('closed')).toBeGreaterThan(0);
  expect(figures.acks.count).toBe(figures.acknowledged);
});

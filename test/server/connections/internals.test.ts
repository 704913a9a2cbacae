import { once } from 'node:events';
import {
  createServer,
  get,
  type Server as HttpServer,
  type IncomingMessage,
  ServerResponse,
} from 'node:http';
import { type AddressInfo, Socket as TcpSocket } from 'node:net';
import { Writable } from 'node:stream';
import { Server as EngineServer, type Socket as EngineSocket } from 'engine.io';
import { Server, type Socket } from 'socket.io';
import { io as connectClient } from 'socket.io-client';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import {
  type EngineTransport,
  freeHandshake,
  internalsOf,
  limitedWebSockets,
  type PacketOptions,
  replaceAck,
  storeNoRooms,
  webSocketOf,
  withQuery,
} from '../../../server/connections/internals.ts';
import { parserOf } from '../../../server/http/node-http.ts';

/** If a test fails after an upgrade of a package, server/connections/internals.ts must be adapted to it. */

const engine = new EngineServer({
  wsEngine: limitedWebSockets({ maxFragments: 2, maxBufferedChunks: 8 }),
});
const io = new Server({ serveClient: false });
io.bind(engine);
const upgraded: (ReturnType<typeof webSocketOf> | null)[] = [];
let http: HttpServer;
let url: string;
beforeAll(async () => {
  // The engine gets the query only from `withQuery`.
  const parsed = (req: IncomingMessage) => {
    const address = new URL(req.url ?? '', 'http://localhost');
    req.url = address.pathname;
    return withQuery(req, address);
  };
  http = createServer((req, res) => engine.handleRequest(parsed(req), res));
  http.on('upgrade', (req, socket, head) => {
    engine.handleUpgrade(parsed(req), socket, head);
    upgraded.push(webSocketOf(req));
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  url = `127.0.0.1:${(http.address() as AddressInfo).port}`;
});
afterAll(() => new Promise((closed) => io.close(closed)));

/** Connects an Engine.IO client. */
async function open(): Promise<{ conn: EngineSocket; client: WebSocket; received: string[] }> {
  const connected = once(engine, 'connection');
  const client = new WebSocket(`ws://${url}/?EIO=4&transport=websocket`);
  const received: string[] = [];
  client.on('message', (data) => received.push(String(data)));
  const [conn] = await connected;
  await expect.poll(() => received.length).toBe(1);
  return { conn, client, received };
}

async function connect(): Promise<{ socket: Socket; client: ReturnType<typeof connectClient> }> {
  const connected = once(io, 'connection');
  const client = connectClient(`http://${url}`, { path: '/', transports: ['websocket'], forceNew: true });
  const [socket] = await connected;
  return { socket, client };
}

test('Engine.IO: provides the ID of a connection and its unsent packets', async () => {
  const { conn, client, received } = await open();
  expect(internalsOf(conn).id).toBe(JSON.parse((received[0] ?? '').slice(1)).sid);
  expect(internalsOf(conn).writeBuffer).toEqual([]);
  Object.assign(internalsOf(conn).transport, { writable: false });
  conn.write('waits');
  expect(internalsOf(conn).writeBuffer).toHaveLength(1);
  client.terminate();
});

test('ws: provides the TCP connection, the frame stream and the number of buffered bytes', async () => {
  const { conn, client } = await open();
  const { name, socket } = internalsOf(conn).transport;
  expect(name).toBe('websocket');
  expect(upgraded.at(-1)).toBe(socket);
  expect(socket?._socket).toBeInstanceOf(TcpSocket);
  expect(socket?._receiver).toBeInstanceOf(Writable);
  expect(Object.getPrototypeOf(socket?._receiver)).toHaveProperty('_write', expect.any(Function));
  expect(socket).toMatchObject({ readyState: WebSocket.OPEN, bufferedAmount: 0 });
  client.terminate();
});

test('ws: closes the connection after a message in too many fragments', async () => {
  const { client } = await open();
  const closed = once(client, 'close');
  for (const fin of [false, false, true]) client.send('4', { fin });
  expect((await closed)[0]).toBe(1008);
});

test('Engine.IO and ws: sends given bytes instead of a frame, with the packet events', async () => {
  const { conn, client, received } = await open();
  const events: unknown[] = [];
  conn.on('packetCreate', ({ options }) => events.push(options));
  conn.on('flush', () => events.push('flush'));
  const options: PacketOptions = { wsPreEncodedFrame: [Buffer.from('\x81\x034hi', 'latin1')] };
  conn.write('another', options);
  await expect.poll(() => received.slice(1)).toEqual(['4hi']);
  expect(events).toEqual([expect.objectContaining(options), 'flush']);
  client.terminate();
});

test('Engine.IO: provides the response to a pending poll, and the transport of an upgrade', async () => {
  const connected = once(engine, 'connection');
  const handshake = await (await fetch(`http://${url}/?EIO=4&transport=polling`)).text();
  const { sid } = JSON.parse(handshake.slice(1));
  const [conn] = (await connected) as [EngineSocket];
  const poll = fetch(`http://${url}/?EIO=4&transport=polling&sid=${sid}`);
  await expect.poll(() => internalsOf(conn).transport.res).toBeInstanceOf(ServerResponse);
  expect(internalsOf(conn).transport.socket).toBeUndefined();
  const upgrading = once(conn, 'upgrading');
  const client = new WebSocket(`ws://${url}/?EIO=4&transport=websocket&sid=${sid}`);
  await once(client, 'open');
  client.send('2probe');
  const [transport] = (await upgrading) as [EngineTransport];
  expect(transport.socket).toBe(upgraded.at(-1));
  conn.close();
  await poll;
  client.terminate();
});

test('Socket.IO: answers by the replaced ack, without rooms and a handshake', async () => {
  storeNoRooms(io);
  const { socket, client } = await connect();
  expect(io.of('/').adapter.rooms.size).toBe(0);
  freeHandshake(socket);
  const answered: unknown[] = [];
  replaceAck(socket, (request) => (response) => answered.push([request, response]));
  socket.on('ask', (ack: (response: string) => void) => ack('yes'));
  client.emit('ask', () => {});
  await expect.poll(() => answered).toEqual([[0, 'yes']]);
  const disconnected = once(socket, 'disconnect');
  client.close();
  expect((await disconnected)[0]).toBe('client namespace disconnect');
});

test('Node: calls a function of the HTTP parser for each request', async () => {
  const paths: (string | undefined)[] = [];
  http.once('connection', (socket) => {
    const parser = parserOf(socket);
    const { onIncoming } = parser;
    parser.onIncoming = (req, keepAlive) => {
      paths.push(req.url);
      return onIncoming(req, keepAlive);
    };
  });
  const request = get(`http://${url}/first`, { agent: false });
  const [response] = await once(request, 'response');
  expect(paths).toEqual(['/first']);
  response.resume();
});

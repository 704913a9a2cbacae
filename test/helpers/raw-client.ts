import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/**
 * A small chat client that speaks Engine.IO over its own implementation of WebSocket. A test can open hundreds of them,
 * stop them from reading, and let them send packets that a well-behaved library does not send.
 */
export interface RawClient {
  readonly socket: Socket;
  /** Bytes received so far. */
  readonly received: number;
  /** Calls the listener for every Engine.IO packet that arrives after the call. */
  onPacket(listener: (packet: string) => void): void;
  /** Returns the first matching packet that arrives after the call. */
  packet(matches: (packet: string) => boolean): Promise<string>;
  /** Writes an Engine.IO packet. */
  send(packet: string): void;
  /** Sends a request of the protocol. @returns the text of its ack */
  request(event: string, payload: unknown): Promise<string>;
  /** Sends a request given as JSON without the outer brackets. @returns the JSON of its ack */
  ask(args: string): Promise<string>;
  /** Whether the connection has been closed. */
  readonly closed: boolean;
}

export interface RawOptions {
  cookie?: string;
  localAddress?: string;
}

export const opcode = { continuation: 0, text: 1, close: 8, ping: 9, pong: 10 };

/** Fields of a frame that no library sends. `length` is the declared length, if it is not the actual one. */
export interface OddFields {
  fin?: boolean;
  rsv?: number;
  masked?: boolean;
  length?: bigint | undefined;
}

/** Creates a client's frame (RFC 6455, section 5.2). The mask is zero, which leaves the payload unchanged. */
export function frame(payload: string | Uint8Array, op = opcode.text, odd: OddFields = {}): Buffer {
  const { fin = true, rsv = 0, masked = true } = odd;
  const bytes = Buffer.from(payload as string);
  const length = odd.length ?? BigInt(bytes.length);
  const short = length < 126n ? Number(length) : length < 65_536n ? 126 : 127;
  const head = Buffer.alloc(2 + (short === 127 ? 8 : short === 126 ? 2 : 0) + (masked ? 4 : 0));
  head[0] = (fin ? 0x80 : 0) | (rsv << 4) | op;
  head[1] = (masked ? 0x80 : 0) | short;
  if (short === 126) head.writeUInt16BE(Number(length), 2);
  if (short === 127) head.writeBigUInt64BE(length, 2);
  return Buffer.concat([head, bytes]);
}

/** Creates a message in fragments (RFC 6455, section 5.4). */
export function fragments(...payloads: string[]): Buffer {
  const last = payloads.length - 1;
  return Buffer.concat(
    payloads.map((payload, n) =>
      frame(payload, n === 0 ? opcode.text : opcode.continuation, { fin: n === last }),
    ),
  );
}

/** Returns the request that opens a WebSocket. With a sid, the WebSocket upgrades that connection. */
export const upgradeRequest = (cookie?: string, sid?: string): string =>
  `GET /socket.io/?EIO=4&transport=websocket${sid === undefined ? '' : `&sid=${sid}`} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\n` +
  `Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n` +
  `${cookie === undefined ? '' : `Cookie: ${cookie}\r\n`}\r\n`;

/** Opens a WebSocket and waits for Engine.IO's first packet. Does not send CONNECT. */
export async function openRaw(port: number, options: RawOptions = {}): Promise<RawClient> {
  const { cookie, localAddress = '127.0.0.1' } = options;
  const socket = connect({ port, host: '127.0.0.1', localAddress, noDelay: true });
  const listeners = new Set<(packet: string) => void>();
  let rest: Buffer = Buffer.alloc(0);
  let upgraded = false;
  let received = 0;
  let closed = false;
  // Higher than the IDs of packets that a test writes itself.
  let acks = 1_000_000_000;
  const failing = new Set<(error: Error) => void>();
  socket.on('error', () => {});
  socket.on('close', () => {
    closed = true;
    for (const fail of failing) fail(new Error('the server closed the connection'));
  });
  socket.on('data', (piece: Buffer) => {
    received += piece.length;
    rest = rest.length === 0 ? piece : Buffer.concat([rest, piece]);
    if (!upgraded) {
      const end = rest.indexOf('\r\n\r\n');
      if (end === -1) return;
      if (!rest.toString('latin1', 0, 12).endsWith('101')) return socket.destroy();
      upgraded = true;
      rest = rest.subarray(end + 4);
    }
    for (;;) {
      if (rest.length < 2) return;
      const short = (rest[1] as number) & 0x7f;
      const head = short < 126 ? 2 : short === 126 ? 4 : 10;
      if (rest.length < head) return;
      const size = short < 126 ? short : short === 126 ? rest.readUInt16BE(2) : rest.readUInt32BE(6);
      if (rest.length < head + size) return;
      const packet = rest.toString('utf8', head, head + size);
      const kind = (rest[0] as number) & 0x0f;
      rest = rest.subarray(head + size);
      // The server's close frame needs no reply here.
      if (kind === opcode.close) socket.destroy();
      if (kind !== opcode.text) continue;
      if (packet === '2') socket.write(frame('3'));
      else for (const listener of listeners) listener(packet);
    }
  });
  const self: RawClient = {
    socket,
    get received() {
      return received;
    },
    get closed() {
      return closed;
    },
    onPacket: (listener) => void listeners.add(listener),
    packet: (matches) =>
      new Promise((resolve, reject) => {
        const listener = (packet: string) => {
          if (!matches(packet)) return;
          listeners.delete(listener);
          failing.delete(reject);
          resolve(packet);
        };
        listeners.add(listener);
        failing.add(reject);
        if (closed) reject(new Error('the server closed the connection'));
      }),
    send: (packet) => void socket.write(frame(packet)),
    async ask(args) {
      const id = acks++;
      const answer = self.packet((packet) => packet.startsWith(`43${id}[`));
      self.send(`42${id}[${args}]`);
      return (await answer).slice(2 + `${id}`.length);
    },
    request: (event, payload) => self.ask(`${JSON.stringify(event)},${JSON.stringify(payload)}`),
  };
  const opened = self.packet((packet) => packet.startsWith('0{'));
  socket.write(upgradeRequest(cookie));
  await Promise.all([once(socket, 'connect'), opened]);
  return self;
}

/** Opens a WebSocket, connects as a user and, if a room is given, joins it. */
export async function connectRaw(
  port: number,
  cookie: string,
  room?: string,
  localAddress?: string,
): Promise<RawClient> {
  const client = await openRaw(port, { cookie, localAddress: localAddress || undefined });
  const ready = client.packet((packet) => packet.startsWith('42["session:ready"'));
  client.send('40');
  await ready;
  if (room !== undefined) await client.request('room:join', { room });
  return client;
}

import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';

/** The protocol of a server over a WebSocket. */
export interface Dialect {
  readonly path: string;
  /** The text after which the client may send. */
  readonly opened: string;
  /** The client's first text, and the response that accepts it. */
  readonly enter?: { say: string; heard: string };
  /** The server's ping, which is a separate frame, and the client's response. */
  readonly ping: string;
  readonly pong: string;
  request(id: number, name: 'room:join' | 'message:send', payload: { room: string }): string;
  /** Matches responses. The groups are the request's ID and the result. */
  readonly answers: RegExp;
  readonly ok: string;
}

/** @param entered the text that arrives with or after the response to CONNECT */
export const socketIo = (entered: string): Dialect => ({
  path: '/socket.io/?EIO=4&transport=websocket',
  opened: '0{',
  enter: { say: '40', heard: entered },
  ping: '2',
  pong: '3',
  request: (id, name, payload) => `42${id}${JSON.stringify([name, payload])}`,
  answers: /43(\d+)\[\{"ok":(true|false)/g,
  ok: 'true',
});

/** Centrifugo's client protocol, as JSON. */
export const centrifuge: Dialect = {
  path: '/',
  opened: '\r\n\r\n',
  enter: { say: '{"id":1,"connect":{}}', heard: '"connect":{' },
  ping: '{}',
  pong: '{}',
  request: (id, name, { room: channel, ...data }) =>
    JSON.stringify({
      id,
      ...(name === 'room:join' ? { subscribe: { channel } } : { publish: { channel, data } }),
    }),
  answers: /\{"id":(\d+),"(publish|subscribe|error)"/g,
  ok: 'publish subscribe',
};

/**
 * A WebSocket client with minimal cost, so that thousands can run next to the measured server. It counts bytes, and
 * searches them only for pings and expected responses.
 */
export class LightClient {
  bytes = 0;
  readonly #socket: Socket;
  readonly #dialect: Dialect;
  readonly #ping: Buffer;
  /** Pending requests, by ID. */
  readonly #requests = new Map<number, PromiseWithResolvers<boolean>>();
  /** The ID of the last request. It starts at 1, because some protocols use ID 1 for the login. */
  #lastId = 1;
  #tail = '';
  #awaited: { pattern: string; seen: string; done: () => void } | undefined;
  #failed: ((error: Error) => void) | undefined;

  private constructor(socket: Socket, dialect: Dialect) {
    this.#socket = socket;
    this.#dialect = dialect;
    this.#ping = Buffer.from([0x81, dialect.ping.length, ...Buffer.from(dialect.ping)]);
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.on('close', () => {
      const closed = new Error('the server closed the connection');
      this.#failed?.(closed);
      for (const { reject } of this.#requests.values()) reject(closed);
    });
    socket.on('error', () => {});
  }

  /** Connects. Resolves when the server has accepted the client. */
  static async open(port: number, dialect: Dialect, cookie: string): Promise<LightClient> {
    const client = new LightClient(connect(port, '127.0.0.1'), dialect);
    const opened = client.#until(dialect.opened);
    client.#socket.write(
      `GET ${dialect.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n` +
        `Cookie: ${cookie}\r\n\r\n`,
    );
    await opened;
    if (dialect.enter !== undefined) {
      const entered = client.#until(dialect.enter.heard);
      client.#send(dialect.enter.say);
      await entered;
    }
    return client;
  }

  /** Sends a request. Resolves to whether it succeeded, and rejects if the connection closes first. */
  request(name: 'room:join' | 'message:send', payload: { room: string }): Promise<boolean> {
    const id = ++this.#lastId;
    const answer = Promise.withResolvers<boolean>();
    this.#requests.set(id, answer);
    this.#send(this.#dialect.request(id, name, payload));
    return answer.promise;
  }

  close(): void {
    this.#failed = undefined;
    this.#requests.clear();
    this.#socket.destroy();
  }

  /** Sends a text frame, masked with zeros. */
  #send(text: string): void {
    const payload = Buffer.from(text);
    const head =
      payload.length < 126
        ? Buffer.from([0x81, 0x80 | payload.length, 0, 0, 0, 0])
        : Buffer.from([0x81, 0xfe, payload.length >> 8, payload.length & 255, 0, 0, 0, 0]);
    this.#socket.write(Buffer.concat([head, payload]));
  }

  /** Resolves when this text arrives. Do not call it again before that. */
  #until(pattern: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#failed = reject;
      this.#awaited = {
        pattern,
        seen: '',
        done: () => {
          this.#awaited = undefined;
          resolve();
        },
      };
    });
  }

  #read(chunk: Buffer): void {
    this.bytes += chunk.length;
    if (chunk.includes(this.#ping)) this.#send(this.#dialect.pong);
    if (this.#requests.size > 0) this.#readAnswers(chunk);
    if (this.#awaited === undefined) return;
    this.#awaited.seen += chunk.toString('latin1');
    const { pattern, seen, done } = this.#awaited;
    if (seen.includes(pattern)) done();
  }

  #readAnswers(chunk: Buffer): void {
    // The start of a response may be split over two chunks.
    const text = this.#tail + chunk.toString('latin1');
    for (const [, id, outcome = ''] of text.matchAll(this.#dialect.answers)) {
      this.#requests.get(Number(id))?.resolve(this.#dialect.ok.includes(outcome));
      this.#requests.delete(Number(id));
    }
    this.#tail = text.slice(-30);
  }
}

import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';

/**
 * A Socket.IO client over WebSocket that costs next to nothing, so that thousands fit beside the server that is
 * measured: it counts bytes, and looks into them only for pings and for the answers it waits for.
 */
export class LightClient {
  bytes = 0;
  readonly #socket: Socket;
  /** Requests without an answer, by the number of their ack. */
  readonly #requests = new Map<number, (ok: boolean) => void>();
  #lastAck = 0;
  #tail = '';
  #awaited: { pattern: string; seen: string; done: (text: string) => void } | undefined;
  #failed: ((error: Error) => void) | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.on('close', () => this.#failed?.(new Error('the server has closed the connection')));
    socket.on('error', () => {});
  }

  /** Resolves when the CONNECT has been answered, and `session:ready` has come where the server sends it. */
  static async open(port: number, cookie: string, first: string): Promise<LightClient> {
    const client = new LightClient(connect(port, '127.0.0.1'));
    const upgraded = client.until('0{');
    client.#socket.write(
      'GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\n' +
        `Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n` +
        `Cookie: ${cookie}\r\n\r\n`,
    );
    await upgraded;
    const connected = client.until(first);
    client.send('40');
    await connected;
    return client;
  }

  /** One text frame, masked with zeros. */
  send(text: string): void {
    const payload = Buffer.from(text);
    const head =
      payload.length < 126
        ? Buffer.from([0x81, 0x80 | payload.length, 0, 0, 0, 0])
        : Buffer.from([0x81, 0xfe, payload.length >> 8, payload.length & 255, 0, 0, 0, 0]);
    this.#socket.write(Buffer.concat([head, payload]));
  }

  /** Resolves with whether the answer was `ok: true`. */
  request(name: string, payload: unknown): Promise<boolean> {
    const ack = ++this.#lastAck;
    this.send(`42${ack}${JSON.stringify([name, payload])}`);
    return new Promise((resolve) => this.#requests.set(ack, resolve));
  }

  /** The text that has come when this is in it; one at a time. */
  until(pattern: string): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#failed = reject;
      this.#awaited = {
        pattern,
        seen: '',
        done: (text) => {
          this.#awaited = undefined;
          resolve(text);
        },
      };
    });
  }

  close(): void {
    this.#failed = undefined;
    this.#socket.destroy();
  }

  #read(chunk: Buffer): void {
    this.bytes += chunk.length;
    // A ping of Engine.IO: a text frame with "2".
    if (chunk.includes(ping)) this.send('3');
    if (this.#requests.size > 0) this.#readAnswers(chunk);
    if (this.#awaited === undefined) return;
    this.#awaited.seen += chunk.toString('latin1');
    const { pattern, seen, done } = this.#awaited;
    if (seen.includes(pattern)) done(seen);
  }

  #readAnswers(chunk: Buffer): void {
    // The beginning of an answer may lie in two chunks.
    const text = this.#tail + chunk.toString('latin1');
    for (const [, ack, ok] of text.matchAll(/43(\d+)\[\{"ok":(true|false)/g)) {
      this.#requests.get(Number(ack))?.(ok === 'true');
      this.#requests.delete(Number(ack));
    }
    this.#tail = text.slice(-24);
  }
}

const ping = Buffer.from([0x81, 1, 0x32]);

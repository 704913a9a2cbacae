import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** An HTTP client on one persistent TCP connection, like a proxy's connection to the server. */
export class RawClient {
  readonly #socket: Socket;
  #text = '';

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding('utf8').on('data', (piece: string) => {
      this.#text += piece;
    });
  }

  static async connect(port: number, localAddress = '127.0.0.1'): Promise<RawClient> {
    const socket = connect({ port, host: '127.0.0.1', localAddress, noDelay: true });
    await once(socket, 'connect');
    return new RawClient(socket);
  }

  get(path: string, headers: Record<string, string> = {}): Promise<string> {
    return this.#exchange(`GET ${path}`, headers, '');
  }

  post(path: string, body: string, headers: Record<string, string> = {}): Promise<string> {
    return this.#exchange(
      `POST ${path}`,
      { ...headers, 'Content-Length': String(Buffer.byteLength(body)) },
      body,
    );
  }

  close(): void {
    this.#socket.destroy();
  }

  /** Returns the body of the response. @throws Error if the connection closes before the response is complete */
  async #exchange(line: string, headers: Record<string, string>, body: string): Promise<string> {
    const head = Object.entries({ Host: '127.0.0.1', ...headers }).map(
      ([name, value]) => `${name}: ${value}\r\n`,
    );
    this.#text = '';
    this.#socket.write(`${line} HTTP/1.1\r\n${head.join('')}\r\n${body}`);
    for (;;) {
      const [answer = '', content] = this.#text.split('\r\n\r\n');
      const length = Number(/content-length: (\d+)/i.exec(answer)?.[1] ?? 0);
      if (content !== undefined && Buffer.byteLength(content) >= length) return content;
      if (this.#socket.destroyed) throw new Error('the connection was closed');
      await Promise.race([once(this.#socket, 'data'), once(this.#socket, 'close')]);
    }
  }
}

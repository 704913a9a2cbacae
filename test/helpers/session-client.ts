import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach } from 'vitest';

/** A plain client of the session server. It sends and reads lines with one character per byte. */
export interface SessionClient {
  readonly socket: Socket;
  /** Sends a line and waits for the next one. */
  ask(line: string): Promise<string>;
  /** Writes exactly these bytes, one per character. */
  send(bytes: string): void;
  /** Returns the next line without its CRLF. Rejects if the connection ends first. */
  line(): Promise<string>;
  /** Returns all bytes that arrive between the call and the end of the connection. */
  rest(): Promise<string>;
  readonly closed: Promise<unknown>;
}

/** Connects to a session server by its port or the path of its socket, or uses a connected socket. */
export async function sessionClient(
  where: { port: number } | { path: string } | Socket,
): Promise<SessionClient> {
  const socket = connected(where);
  if (socket.connecting) await once(socket, 'connect');
  let text = '';
  let ended = false;
  const waiting: (() => void)[] = [];
  const wake = () => {
    for (const check of waiting.splice(0)) check();
  };
  const closed = new Promise((resolve) => socket.once('close', resolve));
  const end = () => {
    ended = true;
    wake();
  };
  socket.setEncoding('latin1').on('data', (chunk: string) => {
    text += chunk;
    wake();
  });
  // A reset counts as an end.
  socket
    .on('error', () => {})
    .on('end', end)
    .on('close', end);
  const more = () => new Promise<void>((resolve) => waiting.push(resolve));

  const line = async () => {
    for (;;) {
      const end = text.indexOf('\r\n');
      if (end !== -1) {
        const line = text.slice(0, end);
        text = text.slice(end + 2);
        return line;
      }
      if (ended) throw new Error('the connection has ended');
      await more();
    }
  };
  const send = (bytes: string) => void socket.write(bytes, 'latin1');
  return {
    socket,
    closed,
    send,
    line,
    ask(request) {
      send(`${request}\r\n`);
      return line();
    },
    async rest() {
      while (!ended) await more();
      const all = text;
      text = '';
      return all;
    },
  };
}

function connected(where: { port: number } | { path: string } | Socket): Socket {
  if ('write' in where) return where;
  const options = { allowHalfOpen: true, noDelay: true };
  return 'path' in where
    ? connect({ ...options, path: where.path })
    : connect({ ...options, host: '127.0.0.1', port: where.port });
}

/**
 * Returns a function that connects a client to a session server. Clients are closed after each test, or when `whenDone`
 * calls back.
 */
export function sessionClients(
  server: () => { port: number },
  whenDone: (close: () => void) => void = afterEach,
): () => Promise<SessionClient> {
  const clients: SessionClient[] = [];
  whenDone(() => {
    for (const { socket } of clients.splice(0)) socket.destroy();
  });
  return async () => {
    const client = await sessionClient(server());
    clients.push(client);
    return client;
  };
}

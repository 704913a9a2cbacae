import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { StoreUrl } from '../../source.ts';
import { StoreError } from '../../store.ts';
import { Unanswered } from '../deadline.ts';

const defaultPort = 9090;
/** A session server expects little from a client without a token, and takes no longer token than this. */
const token = /^[\x21-\x7e]{1,500}$/;
/** A question that follows a failure sooner than this, in milliseconds, gets the same failure and no new connection. */
const reconnectAfter = 50;
const lineFeed = 0x0a;

/** Where a session server listens. */
export interface SessionServer {
  /** `ca`: certificates in PEM that replace those of the well-known authorities. */
  at: { host: string; port: number; tls?: { ca?: string } } | { path: string };
  /** The token that the server wants first; undefined if it wants none. */
  token: string | undefined;
  /** For the log. */
  name: string;
}

/** @throws TypeError that says what is wrong with the URL, and never repeats the token */
export function readAddress({ user, password, hosts, path, options }: StoreUrl): SessionServer {
  if (user !== '' || password !== '')
    throw new TypeError('session-server: takes no user; a token is in auth_file=');
  const [{ host, port = defaultPort } = { host: '' }] = hosts;
  if (hosts.length > 1) throw new TypeError('session-server: names one host, not several');
  if (host === '' && !/^\/./.test(path))
    throw new TypeError('the store URL names no host, and no socket: session-server:///run/sessions.sock');
  if (host !== '' && path !== '' && path !== '/')
    throw new TypeError('session-server: takes either a host or a socket, which has three slashes before it');
  const tls = options.tls();
  if (tls !== undefined && host === '') throw new TypeError('tls=on is not for a socket');
  const secret = readToken(options.take('auth_file'));
  if (host === '') return { at: { path }, token: secret, name: `the session server at ${path}` };
  return {
    at: { host, port, ...(tls && { tls }) },
    token: secret,
    name: `the session server at ${host}:${port}`,
  };
}

/** The error does not name the file, since the option may be the token itself by mistake. */
function readToken(file: string | undefined): string | undefined {
  if (file === undefined) return undefined;
  let content = '';
  try {
    content = readFileSync(file, 'utf8').trim();
  } catch {
    // The same as an empty file.
  }
  if (token.test(content)) return content;
  throw new TypeError(
    'auth_file= is a file that holds the token of the session server: it cannot be read, or is not one word',
  );
}

/** Text that is written to the socket at once is sent when it is connected. */
export function openSocket({ at }: SessionServer): Socket {
  if ('path' in at) return connect(at.path);
  const { host, port, tls } = at;
  if (tls === undefined) return connect({ host, port, noDelay: true });
  // Without `rejectUnauthorized`, NODE_TLS_REJECT_UNAUTHORIZED could switch it off.
  return connectTls({ host, port, ...tls, rejectUnauthorized: true }).setNoDelay(true);
}

/**
 * Reads a reply; null stands for a reply that was too long. The result is undefined if the reply does not fit the
 * question.
 * @throws an error that concerns this question only
 */
export type ReadReply<T> = (line: Buffer | null) => T | undefined;

/** Errors of a session server, and what they mean to the operator. No others are logged: they could hold anything. */
const refusals: Record<string, string> = {
  'err Not authorized.': 'wants a token: auth_file= names the file that holds it',
  'err unknown command': 'is of another kind: the chat reads from the session server of this project only',
  'err Too many connections.': 'has no room for more connections',
  'err Out of memory.': 'has no memory left for this connection',
};

/**
 * The first commands of a connection, and how their replies are read.
 * @param last the last of them, whose reply is `ok` alone
 */
export function greeting(
  { token, name }: SessionServer,
  last: string,
): { command: string; read: ReadReply<true> }[] {
  const read: ReadReply<true> = (line) => {
    const reply = line?.toString('latin1');
    if (reply === 'ok') return true;
    const meaning = reply === undefined ? undefined : refusals[reply];
    if (meaning !== undefined) throw new StoreError(`${name} ${meaning}`);
    return undefined;
  };
  if (token === undefined) return [{ command: last, read }];
  const readAuth: ReadReply<true> = (line) => {
    if (line?.toString('latin1') === 'err Not authorized.')
      throw new StoreError(`${name} refuses the token of auth_file=`);
    return read(line);
  };
  return [
    { command: `auth ${token}`, read: readAuth },
    { command: last, read },
  ];
}

/** Cuts what arrives into lines, and keeps no more of it than one line may have. */
export class Lines {
  readonly #most: number;
  #chunks: Buffer[] = [];
  #bytes = 0;
  /** The line is too long: the rest of it is dropped as it comes. */
  #skipping = false;

  /** @param most bytes of one line */
  constructor(most: number) {
    this.#most = most;
  }

  /** @returns the lines that are complete now, without their ends; null for a line that was too long */
  *push(chunk: Buffer): Generator<Buffer | null> {
    let from = 0;
    for (;;) {
      const end = chunk.indexOf(lineFeed, from);
      if (end === -1) break;
      yield this.#line(chunk.subarray(from, end));
      from = end + 1;
    }
    this.#keep(chunk.subarray(from));
  }

  #line(last: Buffer): Buffer | null {
    const skipped = this.#skipping || this.#bytes + last.length > this.#most;
    const line = this.#chunks.length === 0 ? last : Buffer.concat([...this.#chunks, last]);
    this.#drop();
    this.#skipping = false;
    if (skipped) return null;
    return line.at(-1) === 0x0d ? line.subarray(0, -1) : line;
  }

  #keep(rest: Buffer): void {
    if (rest.length === 0 || this.#skipping) return;
    this.#bytes += rest.length;
    this.#skipping = this.#bytes > this.#most;
    // A copy: the few bytes left over would keep a large piece in memory.
    if (!this.#skipping) this.#chunks.push(Buffer.from(rest));
    else this.#drop();
  }

  #drop(): void {
    this.#chunks = [];
    this.#bytes = 0;
  }
}

interface Question {
  /** @returns false if the reply does not fit */
  answer(line: Buffer | null): boolean;
  fail(error: StoreError): void;
}

/**
 * Holds a single connection to a session server at a time. The first question opens it, and so does the first question after a
 * failure. Questions are pipelined, and each reply answers the oldest question. A reply that is late or does not fit
 * ends the connection, and fails all questions that wait.
 */
export class SessionServerConnection {
  readonly #server: SessionServer;
  readonly #mostBytes: number;
  #socket: Socket | undefined;
  readonly #asked: Unanswered<Question>;
  /** The commands of one turn of the event loop, which are sent together. */
  #outgoing = '';
  #failure: StoreError | undefined;
  #closed = false;

  /**
   * @param timeout of one answer, in milliseconds
   * @param mostBytes of one reply; a longer one is dropped as it comes
   */
  constructor(server: SessionServer, timeout: number, mostBytes: number) {
    this.#server = server;
    this.#mostBytes = mostBytes;
    this.#asked = new Unanswered(timeout, () =>
      this.#fail(new StoreError(`${server.name} did not answer within ${timeout} ms`)),
    );
  }

  /**
   * @param command one line, without its end
   * @throws StoreError after the timeout at the latest, and any error of `read`
   */
  ask<T>(command: string, read: ReadReply<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(new StoreError('the store was closed'));
      if (this.#failure !== undefined) return reject(this.#failure);
      this.#socket ??= this.#open();
      this.#write(command, { read, resolve, reject });
    });
  }

  close(): void {
    this.#closed = true;
    this.#fail(new StoreError('the store was closed'));
  }

  #write<T>(
    command: string,
    question: { read: ReadReply<T>; resolve(answer: T): void; reject(error: unknown): void },
  ): void {
    const { read, resolve, reject } = question;
    this.#asked.add({
      answer(line) {
        try {
          const answer = read(line);
          if (answer === undefined) return false;
          resolve(answer);
        } catch (error) {
          reject(error);
        }
        return true;
      },
      fail: reject,
    });
    if (this.#outgoing === '') process.nextTick(() => this.#send());
    this.#outgoing += `${command}\r\n`;
  }

  #send(): void {
    const commands = this.#outgoing;
    this.#outgoing = '';
    // Empty if the questions have failed in the same turn.
    if (commands !== '') this.#socket?.write(commands);
  }

  #open(): Socket {
    const { name } = this.#server;
    const socket = openSocket(this.#server);
    const lines = new Lines(this.#mostBytes);
    socket.on('data', (chunk: Buffer) => {
      for (const line of lines.push(chunk)) {
        if (this.#socket !== socket) return;
        // The reply may hold anything, so no error repeats it.
        if (!this.#asked.oldest?.answer(line))
          return this.#fail(new StoreError(`${name} answered something that was not asked`));
        this.#asked.shift();
      }
    });
    socket.on('error', (error) => this.#fail(StoreError.unreachable(name, error), socket));
    socket.on('end', () => this.#fail(new StoreError(`${name} closed the connection`), socket));
    socket.on('close', () => this.#fail(new StoreError(`${name} closed the connection`), socket));
    this.#socket = socket;
    for (const { command, read } of greeting(this.#server, 'encoding percent')) {
      const reject = (error: unknown) => this.#fail(error as StoreError, socket);
      this.#write(command, { read, resolve: () => {}, reject });
    }
    return socket;
  }

  /** @param socket ignored if it is no longer the current one */
  #fail(error: StoreError, socket = this.#socket): void {
    if (socket !== this.#socket) return;
    socket?.destroy();
    this.#socket = undefined;
    this.#outgoing = '';
    if (!this.#closed) {
      this.#failure = error;
      setTimeout(() => {
        this.#failure = undefined;
      }, reconnectAfter).unref();
    }
    for (const { fail } of this.#asked.clear()) fail(error);
  }
}

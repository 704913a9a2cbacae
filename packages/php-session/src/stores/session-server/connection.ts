import { readFileSync } from 'node:fs';
import type { StoreUrl } from '../../source.ts';
import { StoreError } from '../../store.ts';
import type { Protocol, ReadReply, ServerAddress } from '../pipeline.ts';

const defaultPort = 9090;
/** A session server expects little from a client without a token, and takes no longer token than this. */
const token = /^[\x21-\x7e]{1,500}$/;
const lineFeed = 0x0a;

/** Where a session server listens. */
export interface SessionServer {
  at: ServerAddress;
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
  return { at: { host, port, tls }, token: secret, name: `the session server at ${host}:${port}` };
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

/** A reply without the end of its line; null for one that was too long. */
export type Line = Buffer | null;

/** Errors of a session server, and what they mean to the operator. No others are logged: they could hold anything. */
const refusals: Record<string, string> = {
  'err Not authorized.': 'wants a token: auth_file= names the file that holds it',
  'err unknown command': 'is of another kind: only the session server of this project can be read',
  'err Too many connections.': 'has no room for more connections',
  'err Out of memory.': 'has no memory left for this connection',
};

/**
 * @param mostBytes of one reply; a longer one is dropped as it comes
 * @param last the last of the first commands of a connection, whose reply is `ok` alone
 */
export function sessionServerProtocol(
  { at, token, name }: SessionServer,
  mostBytes: number,
  last: string,
): Protocol<Line> {
  const greeted: ReadReply<Line, true> = (line) => {
    const reply = line?.toString('latin1') ?? '';
    if (Object.hasOwn(refusals, reply)) throw new StoreError(`${name} ${refusals[reply]}`);
    return reply === 'ok' || undefined;
  };
  const authorized: ReadReply<Line, true> = (line) => {
    if (line?.toString('latin1') === 'err Not authorized.')
      throw new StoreError(`${name} refuses the token of auth_file=`);
    return greeted(line);
  };
  return {
    name,
    at,
    greeting: [
      ...(token === undefined ? [] : [{ request: `auth ${token}\r\n`, read: authorized }]),
      { request: `${last}\r\n`, read: greeted },
    ],
    reader(take) {
      const lines = new Lines(mostBytes);
      return (piece) => {
        for (const line of lines.push(piece)) take(line);
      };
    },
  };
}

/** Cuts what arrives into lines, and keeps no more of it than one line may have. */
class Lines {
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

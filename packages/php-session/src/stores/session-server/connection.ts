import { readFileSync } from 'node:fs';
import type { StoreUrl } from '../../source.ts';
import { StoreError } from '../../store.ts';
import type { Protocol, ReadReply, ServerAddress } from '../pipeline.ts';

const defaultPort = 9090;
/** The tokens that a session server accepts. */
const validToken = /^[\x21-\x7e]{1,500}$/;
const lineFeed = 0x0a;

export interface SessionServer {
  address: ServerAddress;
  token: string | undefined;
  /** The name in errors. */
  name: string;
}

/** Reads the address and token of a session server. @throws TypeError, without the token */
export function readAddress({ user, password, hosts, path, options }: StoreUrl): SessionServer {
  if (user !== '' || password !== '')
    throw new TypeError('a session-server: URL must not have a user: auth_file= names the file with a token');
  const [{ host, port = defaultPort } = { host: '' }] = hosts;
  if (hosts.length > 1) throw new TypeError('a session-server: URL must name one host, not several');
  if (host === '' && !/^\/./.test(path))
    throw new TypeError(
      'the store URL names neither a host nor a socket: give session-server://HOST:PORT or session-server:///run/sessions.sock',
    );
  if (host !== '' && path !== '' && path !== '/')
    throw new TypeError(
      'a session-server: URL must name either a host or a socket, which has three slashes before it',
    );
  const tls = options.tls();
  if (tls !== undefined && host === '') throw new TypeError('tls=on cannot be used with a socket');
  const token = readToken(options.take('auth_file'));
  if (host === '') return { address: { path }, token, name: `the session server at ${path}` };
  return { address: { host, port, tls }, token, name: `the session server at ${host}:${port}` };
}

/**
 * Reads the token. The error omits the file name, because the option may contain the token by mistake.
 * @throws TypeError
 */
function readToken(file: string | undefined): string | undefined {
  if (file === undefined) return undefined;
  let content = '';
  try {
    content = readFileSync(file, 'utf8').trim();
  } catch {
    // A missing file counts as empty.
  }
  if (validToken.test(content)) return content;
  throw new TypeError(
    'auth_file= must name a file with the token of the session server: the file cannot be read, or is not one word',
  );
}

/** A reply without its line end. Null if it is too long. */
export type Line = Buffer | null;

/** Explanations of a session server's errors. Other errors are not logged, because they may contain anything. */
const refusals: Record<string, string> = {
  'err Not authorized.': 'requires a token: auth_file= must name the file with the token',
  'err unknown command':
    'is a different kind of server: only the session server of this project is supported',
  'err Too many connections.': 'has no room for more connections',
  'err Out of memory.': 'has no memory left for this connection',
};

/**
 * Returns the protocol of the session server.
 * @param maxReplyBytes longer replies are discarded while they are received
 * @param firstCommand sent on each connection after the login. Its reply must be `ok`.
 */
export function sessionServerProtocol(
  { address, token, name }: SessionServer,
  maxReplyBytes: number,
  firstCommand: string,
): Protocol<Line> {
  const readOk: ReadReply<Line, true> = (line) => {
    const reply = line?.toString('latin1') ?? '';
    if (Object.hasOwn(refusals, reply)) throw new StoreError(`${name} ${refusals[reply]}`);
    return reply === 'ok' || undefined;
  };
  const readLogin: ReadReply<Line, true> = (line) => {
    if (line?.toString('latin1') === 'err Not authorized.')
      throw new StoreError(`${name} rejected the token of auth_file=`);
    return readOk(line);
  };
  return {
    name,
    address,
    greeting: [
      ...(token === undefined ? [] : [{ request: `auth ${token}\r\n`, read: readLogin }]),
      { request: `${firstCommand}\r\n`, read: readOk },
    ],
    createParser: (onReply) => createLineParser(maxReplyBytes, onReply),
  };
}

/** Splits chunks into lines. Buffers at most one line of `maxBytes`. */
function createLineParser(maxBytes: number, onLine: (line: Line) => void): (chunk: Buffer) => void {
  let chunks: Buffer[] = [];
  let bufferedBytes = 0;
  let isTooLong = false;

  function finishLine(end: Buffer): Line {
    const line =
      isTooLong || bufferedBytes + end.length > maxBytes
        ? null
        : chunks.length === 0
          ? end
          : Buffer.concat([...chunks, end]);
    chunks = [];
    bufferedBytes = 0;
    isTooLong = false;
    return line?.at(-1) === 0x0d ? line.subarray(0, -1) : line;
  }

  function buffer(rest: Buffer): void {
    if (rest.length === 0 || isTooLong) return;
    bufferedBytes += rest.length;
    isTooLong = bufferedBytes > maxBytes;
    // A copy, because a view would keep a large chunk in memory.
    if (isTooLong) chunks = [];
    else chunks.push(Buffer.from(rest));
  }

  return (chunk) => {
    let start = 0;
    for (let end = chunk.indexOf(lineFeed); end !== -1; end = chunk.indexOf(lineFeed, start)) {
      onLine(finishLine(chunk.subarray(start, end)));
      start = end + 1;
    }
    buffer(chunk.subarray(start));
  };
}

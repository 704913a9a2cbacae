import { decodePercent } from '../../encodings.ts';
import { mostKeys, StoreError } from '../../store.ts';
import { Pipeline, type ServerAddress } from '../pipeline.ts';
import { type MemcachedLogin, openBinary } from './binary.ts';
import type { CountedItem } from './item.ts';
import type { MemcachedServer } from './servers.ts';

/** The largest item that memcached can be configured to hold (`-I`). */
const maxItemBytes = 128 * 1024 * 1024;
/** More than the longest line, which has a key of 250 bytes with three characters for each byte. */
const maxLineBytes = 2048;
const lineEnd = '\r\n';
const itemEnd = '\r\nEND\r\n';
/** The line before an item: key, flags, size and count. A proxy may leave out the count. */
const itemLine = /^VALUE (\S{1,250}) (\d{1,10}) (\d{1,10})(?: (\d{1,20}))?$/;
/** The text after the first word is the server's own; it is shown only if it cannot hold a key or an address. */
const errorLine = /^((?:CLIENT_|SERVER_)?ERROR)(?:( [A-Za-z ]{1,80})|\b.*)$/;
const touchLine = /^(?:TOUCHED|NOT_FOUND)$/;

/** One memcached. */
export interface MemcachedConnection {
  /**
   * The value is a part of the received bytes: a caller that keeps it copies it.
   * @param key 1 to 250 visible ASCII characters
   */
  get(key: string): Promise<CountedItem | null>;
  /** Sets when an item expires, as memcached's `touch` does. An item that does not exist is no error. */
  touch(key: string, expires: number): Promise<void>;
  /** For meta commands, which proxies do not know. Absent with a login: they are not in the binary protocol. */
  lines?: Pipeline<string>;
  close(): void;
}

/** Connects over the text protocol, which all servers and proxies know, unless there is a login. */
export function openServer(
  server: MemcachedServer,
  timeout: number,
  login: MemcachedLogin | undefined,
): MemcachedConnection {
  const [name, at] = [nameOf(server), addressOf(server)];
  if (login !== undefined) return openBinary(name, at, timeout, login);
  const items = new Pipeline<TextReply>({ name, at, reader: textReplies }, timeout);
  // Large sessions on the way hold up no versions and no TTLs, and a proxy that ends the connection for a command that it
  // does not know ends no look-ups.
  const lines = linesPipeline(server, timeout);
  /** `gets` says the count too, which versions of mcrouter do not know. */
  let command: 'gets' | 'get' = 'gets';
  const ask = (how: typeof command, key: string) =>
    items.ask(`${how} ${key}\r\n`, (reply) => {
      if (typeof reply !== 'string') return reply.key === key ? reply : undefined;
      return reply === 'END' ? null : errorIn(name, reply);
    });
  return {
    async get(key) {
      let answer = await ask(command, key);
      if (answer instanceof StoreError && command === 'gets') {
        answer = await ask('get', key);
        if (!(answer instanceof StoreError)) command = 'get';
      }
      if (answer instanceof StoreError) throw answer;
      return answer;
    },
    async touch(key, expires) {
      const answer = await lines.ask(`touch ${key} ${expires}\r\n`, (line) =>
        touchLine.test(line) ? null : errorIn(name, line),
      );
      if (answer !== null) throw answer;
    },
    lines,
    close() {
      items.close();
      lines.close();
    },
  };
}

/** The error that a line says; undefined if it is not one. */
function errorIn(name: string, line: string): StoreError | undefined {
  const [found, kind, text = ''] = errorLine.exec(line) ?? [];
  return found === undefined ? undefined : new StoreError(`${name} rejected the request (${kind}${text})`);
}

/**
 * A connection to one memcached for commands that only memcached itself knows, and whose answers are lines.
 * @param pushed as in `Protocol`
 */
function linesPipeline(
  server: MemcachedServer,
  timeout: number,
  pushed?: (line: string) => boolean,
): Pipeline<string> {
  return new Pipeline(
    { name: nameOf(server), at: addressOf(server), reader: lines, ...(pushed && { pushed }) },
    timeout,
  );
}

/** For errors. */
export const nameOf = ({ host, port }: MemcachedServer) =>
  `memcached at ${host}${port === 0 ? '' : `:${port}`}`;

export const addressOf = ({ host, port }: MemcachedServer): ServerAddress =>
  host.startsWith('/') ? { path: host } : { host, port };

/** A line, or an item with the key that it was asked for by. */
type TextReply = string | (CountedItem & { key: string });

function textReplies(take: (reply: TextReply) => void): (piece: Buffer) => void {
  let pieces: Buffer[] = [];
  let held = 0;
  let needed = 1;
  return (piece) => {
    pieces.push(piece);
    held += piece.length;
    if (held < needed) return;
    const bytes = pieces.length === 1 ? piece : Buffer.concat(pieces, held);
    let at = 0;
    for (;;) {
      const end = bytes.indexOf(lineEnd, at);
      needed = bytes.length - at + 1;
      if (end === -1) break;
      const line = bytes.toString('latin1', at, end);
      const item = itemLine.exec(line);
      if (item === null) {
        take(line);
        at = end + lineEnd.length;
        continue;
      }
      const [, key = '', flags, size, count = '0'] = item;
      const start = end + lineEnd.length;
      const after = start + Number(size);
      needed = after + itemEnd.length - at;
      if (Number(size) > maxItemBytes) throw new Error('an item that is too large');
      if (bytes.length - at < needed) break;
      if (bytes.toString('latin1', after, after + itemEnd.length) !== itemEnd)
        throw new Error('an item that does not end');
      take({ key, bytes: bytes.subarray(start, after), flags: Number(flags), count });
      at = after + itemEnd.length;
    }
    // A copy: the few bytes left over would keep a large reply in memory.
    pieces = at === bytes.length ? [] : [Buffer.from(bytes.subarray(at))];
    held = bytes.length - at;
    // Only an item may be longer than a line.
    if (needed === held + 1 && held > maxLineBytes) throw new Error('a line that is too long');
  };
}

function lines(take: (line: string) => void): (piece: Buffer) => void {
  let rest = '';
  return (piece) => {
    const [first = '', ...others] = piece.toString('latin1').split('\n');
    rest += first;
    for (const next of others) {
      take(rest.trimEnd());
      rest = next;
    }
    if (rest.length > maxLineBytes) throw new Error('a line that is too long');
  };
}

/**
 * Some of the keys of one memcached that end so. It goes through all items, so this is for the doctor alone.
 * @throws StoreError if the server cannot list them, or has not done so in so many milliseconds
 */
export async function keysEndingWith(
  server: MemcachedServer,
  end: string,
  timeout: number,
): Promise<string[]> {
  const found: string[] = [];
  const listing = linesPipeline(server, timeout, (line) => {
    const [, encoded] = /^key=(\S+) /.exec(line) ?? [];
    if (encoded === undefined || found.length === mostKeys) return false;
    const key = decodePercent(Buffer.from(encoded, 'latin1'))?.toString('latin1');
    if (key?.endsWith(end)) found.push(key);
    return true;
  });
  try {
    await listing.ask('lru_crawler metadump all\r\n', (line) => {
      if (line === 'END' || found.length === mostKeys) return true;
      throw new StoreError(`${nameOf(server)} does not list its keys`);
    });
    return found;
  } finally {
    listing.close();
  }
}

import { decodePercent } from '../../encodings.ts';
import { maxKeys, StoreError } from '../../store.ts';
import { Pipeline, type ServerAddress } from '../pipeline.ts';
import { type MemcachedLogin, openBinary } from './binary.ts';
import type { VersionedItem } from './item.ts';
import type { MemcachedServer } from './servers.ts';

/** Bounds the memory for a reply. memcached's option `-I` permits larger items. */
const maxItemBytes = 128 * 1024 * 1024;
/** Exceeds the longest line, which has a percent-encoded key of 250 bytes. */
const maxLineBytes = 2048;
const lineEnd = '\r\n';
const itemEnd = '\r\nEND\r\n';
/** The line before an item, with key, flags, size and CAS number. `get` omits the CAS number. */
const itemLine = /^VALUE (\S{1,250}) (\d{1,10}) (\d{1,10})(?: (\d{1,20}))?$/;
/** The text after the first word is shown only if it cannot contain a key or an address. */
const errorLine = /^((?:CLIENT_|SERVER_)?ERROR)(?:( [A-Za-z ]{1,80})|\b.*)$/;
const touchLine = /^(?:TOUCHED|NOT_FOUND)$/;

export interface MemcachedConnection {
  /**
   * Returns an item, whose bytes are a view of the received data. Copy them to keep them.
   * @param key 1 to 250 visible ASCII characters
   */
  get(key: string): Promise<VersionedItem | null>;
  /** Sets the expiry of an item, as memcached's `touch` does. No-op if the item does not exist. */
  touch(key: string, expiry: number): Promise<void>;
  /** Runs meta commands, which proxies and the binary protocol do not support. Undefined with a login. */
  lines?: Pipeline<string>;
  close(): void;
}

/** Connects over the text protocol, which all servers and proxies support. A login needs the binary protocol. */
export function openServer(
  server: MemcachedServer,
  timeoutMs: number,
  login: MemcachedLogin | undefined,
): MemcachedConnection {
  const [name, address] = [serverName(server), toAddress(server)];
  if (login !== undefined) return openBinary(name, address, timeoutMs, login);
  const items = new Pipeline<TextReply>({ name, address, createParser: createItemParser }, timeoutMs);
  // A separate connection, so that large sessions do not delay versions and TTLs. A proxy that disconnects on an unknown
  // command then does not interrupt reads.
  const lines = openLines(server, timeoutMs);
  /** `gets` also returns the CAS number, but some versions of mcrouter do not support it. */
  let command: 'gets' | 'get' = 'gets';
  const query = (verb: typeof command, key: string) =>
    items.query(`${verb} ${key}\r\n`, (reply) => {
      if (typeof reply !== 'string') return reply.key === key ? reply : undefined;
      return reply === 'END' ? null : toError(name, reply);
    });
  return {
    async get(key) {
      let result = await query(command, key);
      if (result instanceof StoreError && command === 'gets') {
        result = await query('get', key);
        if (!(result instanceof StoreError)) command = 'get';
      }
      if (result instanceof StoreError) throw result;
      return result;
    },
    async touch(key, expiry) {
      const error = await lines.query(`touch ${key} ${expiry}\r\n`, (line) =>
        touchLine.test(line) ? null : toError(name, line),
      );
      if (error !== null) throw error;
    },
    lines,
    close() {
      items.close();
      lines.close();
    },
  };
}

/** Returns undefined if the line is not an error. */
function toError(name: string, line: string): StoreError | undefined {
  const [match, type, text = ''] = errorLine.exec(line) ?? [];
  return match === undefined ? undefined : new StoreError(`${name} rejected the request (${type}${text})`);
}

/** Connects for commands whose replies are lines. */
function openLines(
  server: MemcachedServer,
  timeoutMs: number,
  onPush?: (line: string) => boolean,
): Pipeline<string> {
  const [name, address] = [serverName(server), toAddress(server)];
  return new Pipeline({ name, address, createParser: createLineParser, onPush }, timeoutMs);
}

/** Returns the name of a server in errors. */
export const serverName = ({ host, port }: MemcachedServer) =>
  `memcached at ${host}${port === 0 ? '' : `:${port}`}`;

export const toAddress = ({ host, port }: MemcachedServer): ServerAddress =>
  host.startsWith('/') ? { path: host } : { host, port };

/** A line, or an item with its key. */
type TextReply = string | (VersionedItem & { key: string });

function createItemParser(onReply: (reply: TextReply) => void): (chunk: Buffer) => void {
  let chunks: Buffer[] = [];
  let bufferedBytes = 0;
  let neededBytes = 1;
  return (chunk) => {
    chunks.push(chunk);
    bufferedBytes += chunk.length;
    if (bufferedBytes < neededBytes) return;
    const bytes = chunks.length === 1 ? chunk : Buffer.concat(chunks, bufferedBytes);
    let offset = 0;
    for (;;) {
      const end = bytes.indexOf(lineEnd, offset);
      neededBytes = bytes.length - offset + 1;
      if (end === -1) break;
      const line = bytes.toString('latin1', offset, end);
      const item = itemLine.exec(line);
      if (item === null) {
        onReply(line);
        offset = end + lineEnd.length;
        continue;
      }
      const [, key = '', flags, size, cas = '0'] = item;
      const start = end + lineEnd.length;
      const valueEnd = start + Number(size);
      neededBytes = valueEnd + itemEnd.length - offset;
      if (Number(size) > maxItemBytes) throw new Error('an item that is too large');
      if (bytes.length - offset < neededBytes) break;
      if (bytes.toString('latin1', valueEnd, valueEnd + itemEnd.length) !== itemEnd)
        throw new Error('an item that does not end');
      onReply({ key, bytes: bytes.subarray(start, valueEnd), flags: Number(flags), cas });
      offset = valueEnd + itemEnd.length;
    }
    // A copy, because a view would keep a large reply in memory.
    chunks = offset === bytes.length ? [] : [Buffer.from(bytes.subarray(offset))];
    bufferedBytes = bytes.length - offset;
    const isLine = neededBytes === bufferedBytes + 1;
    if (isLine && bufferedBytes > maxLineBytes) throw new Error('a line that is too long');
  };
}

function createLineParser(onLine: (line: string) => void): (chunk: Buffer) => void {
  let rest = '';
  return (chunk) => {
    const [first = '', ...others] = chunk.toString('latin1').split('\n');
    rest += first;
    for (const next of others) {
      onLine(rest.trimEnd());
      rest = next;
    }
    if (rest.length > maxLineBytes) throw new Error('a line that is too long');
  };
}

/**
 * Finds at most `maxKeys` keys that end with `suffix`. Only for the doctor, because it lists all items.
 * @throws StoreError if the server cannot list its keys, or after `timeoutMs`
 */
export async function findKeys(
  server: MemcachedServer,
  suffix: string,
  timeoutMs: number,
): Promise<string[]> {
  const matches: string[] = [];
  const listing = openLines(server, timeoutMs, (line) => {
    const [, encoded] = /^key=(\S+) /.exec(line) ?? [];
    if (encoded === undefined || matches.length === maxKeys) return false;
    const key = decodePercent(Buffer.from(encoded, 'latin1'))?.toString('latin1');
    if (key?.endsWith(suffix)) matches.push(key);
    return true;
  });
  try {
    await listing.query('lru_crawler metadump all\r\n', (line) => {
      if (line === 'END' || matches.length === maxKeys) return true;
      throw new StoreError(`${serverName(server)} does not list its keys`);
    });
    return matches;
  } finally {
    listing.close();
  }
}

import memjs, { type Response as MemcachedReply } from 'memjs';
import { decodePercent } from '../../encodings.ts';
import { mostKeys, StoreError } from '../../store.ts';
import { Pipeline } from '../pipeline.ts';
import type { CountedItem } from './item.ts';
import type { MemcachedServer } from './servers.ts';

// memjs writes and parses the binary protocol. Its connection is replaced: with memjs 1.3.2 calls in flight never settle
// when it closes, and a reply that is cut off shifts all later ones, so that calls get another key's value.

/** The largest item that memcached can be configured to hold (`-I`), and some room for the header. */
const maxReplyBytes = 128 * 1024 * 1024 + 1024;
const headerBytes = 24;
const responseMagic = 0x81;
const getOpcode = 0;
const notFound = 1;
/** More than the longest line, which has a key of 250 bytes with three characters for each byte. */
const maxLineBytes = 2048;

/** A connection to one memcached for values, over its binary protocol. */
export function valuesPipeline(at: MemcachedServer, timeout: number): Pipeline<MemcachedReply> {
  return new Pipeline({ name: nameOf(at), at, reader: values, encoding: 'latin1' }, timeout);
}

/**
 * A connection to one memcached for all else, over its text protocol.
 * @param pushed as in `Protocol`
 */
export function linesPipeline(
  at: MemcachedServer,
  timeout: number,
  pushed?: (line: string) => boolean,
): Pipeline<string> {
  return new Pipeline({ name: nameOf(at), at, reader: lines, ...(pushed && { pushed }) }, timeout);
}

/** For errors. */
export const nameOf = ({ host, port }: MemcachedServer) => `memcached at ${host}:${port}`;

function values(take: (reply: MemcachedReply) => void): (piece: Buffer) => void {
  let pieces: Buffer[] = [];
  let held = 0;
  let needed = headerBytes;
  return (piece) => {
    pieces.push(piece);
    held += piece.length;
    if (held < needed) return;
    let rest = pieces.length === 1 ? piece : Buffer.concat(pieces, held);
    for (needed = headerBytes; rest.length >= headerBytes; needed = headerBytes) {
      needed += rest.readUInt32BE(8);
      if (rest[0] !== responseMagic || needed > maxReplyBytes) throw new Error('no reply');
      if (rest.length < needed) break;
      const reply = memjs.Utils.parseMessage(rest) as MemcachedReply | false;
      if (reply === false) throw new Error('lengths that do not add up');
      take(reply);
      rest = rest.subarray(needed);
    }
    // A copy: the few bytes left over would keep a large reply in memory.
    pieces = rest.length === 0 ? [] : [Buffer.from(rest)];
    held = rest.length;
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

/** The number of the last question: a reply repeats that of its own. */
let last = 0;

/**
 * The value is a part of the received bytes: a caller that keeps it copies it.
 * @param key 1 to 250 bytes
 */
export function itemOf(server: Pipeline<MemcachedReply>, key: string): Promise<CountedItem | null> {
  last = (last + 1) >>> 0;
  const number = last;
  const request = memjs.Utils.makeRequestBuffer(getOpcode, key, '', '', number).toString('latin1');
  return server.ask(request, ({ header: { opcode, opaque, status, cas }, extras, val }) => {
    if (opcode !== getOpcode || opaque !== number) return undefined;
    if (status === notFound) return null;
    if (status !== 0 || extras.length !== 4) throw new StoreError('memcached refused the look-up');
    return { bytes: val, flags: extras.readUInt32BE(0), count: String(cas.readBigUInt64BE(0)) };
  });
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

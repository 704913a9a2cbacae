import memjs, { type Response } from 'memjs';
import { StoreError } from '../../store.ts';
import { Pipeline, type ServerAddress } from '../pipeline.ts';
import type { CountedItem } from './item.ts';

// memjs writes and parses the messages. Its connection is not used: with memjs 1.3.2 calls in flight never settle when it
// closes, and a reply that is cut off shifts all later ones, so that calls get another key's value.

/** The largest item that memcached can be configured to hold (`-I`), and some room for the header. */
const maxReplyBytes = 128 * 1024 * 1024 + 1024;
const headerBytes = 24;
const responseMagic = 0x81;
const opcodes = { get: 0x00, touch: 0x1c, login: 0x21 };
const status = { done: 0x00, missing: 0x01, rejected: 0x20, unknown: 0x81 };

/** For SASL. */
export interface MemcachedLogin {
  user: string;
  password: string;
}

/** The number of the last request: a reply repeats that of its own. */
let last = 0;

/** A connection to one memcached that wants a login by SASL, which the binary protocol alone has. */
export function openBinary(
  name: string,
  at: ServerAddress,
  timeout: number,
  { user, password }: MemcachedLogin,
) {
  const asPlain = memjs.Utils.makeRequestBuffer(opcodes.login, 'PLAIN', '', `\0${user}\0${password}`, 0);
  const greeting = { request: asPlain.toString('latin1'), read: loggedIn };
  const server = new Pipeline({ name, at, reader, encoding: 'latin1', greeting: [greeting] }, timeout);

  function loggedIn({ header }: Response): true | undefined {
    if (header.opcode !== opcodes.login) return undefined;
    if (header.status === status.done) return true;
    throw new StoreError(
      header.status === status.unknown
        ? `${name} has no login (SASL): leave the user and the password out of the store URL`
        : `${name} rejects the user or the password of the store URL`,
    );
  }

  /** @param found reads a reply that is not an error */
  function ask<T>(opcode: number, key: string, extras: Buffer, found: (reply: Response) => T) {
    last = (last + 1) >>> 0;
    const number = last;
    const request = memjs.Utils.makeRequestBuffer(opcode, key, extras as never, '', number);
    return server.ask(request.toString('latin1'), (reply: Response): T | null | undefined => {
      const { header } = reply;
      if (header.opcode !== opcode || header.opaque !== number) return undefined;
      if (header.status === status.missing) return null;
      if (header.status !== status.done)
        throw new StoreError(`${name} rejected the request (status ${header.status})`);
      return found(reply);
    }) as Promise<T | null>;
  }

  return {
    get: (key: string): Promise<CountedItem | null> =>
      ask(opcodes.get, key, Buffer.alloc(0), ({ header, extras, val }) => {
        if (extras.length !== 4) throw new StoreError(`${name} sent an item without its flags`);
        return { bytes: val, flags: extras.readUInt32BE(0), count: String(header.cas.readBigUInt64BE(0)) };
      }),
    async touch(key: string, expires: number): Promise<void> {
      const extras = Buffer.alloc(4);
      extras.writeUInt32BE(expires);
      await ask(opcodes.touch, key, extras, () => true);
    },
    close: () => server.close(),
  };
}

function reader(take: (reply: Response) => void): (piece: Buffer) => void {
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
      const reply = memjs.Utils.parseMessage(rest) as Response | false;
      if (reply === false) throw new Error('lengths that do not add up');
      take(reply);
      rest = rest.subarray(needed);
    }
    // A copy: the few bytes left over would keep a large reply in memory.
    pieces = rest.length === 0 ? [] : [Buffer.from(rest)];
    held = rest.length;
  };
}

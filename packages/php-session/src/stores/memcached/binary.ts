import memjs, { type Response } from 'memjs';
import { StoreError } from '../../store.ts';
import { Pipeline, type ServerAddress } from '../pipeline.ts';
import type { VersionedItem } from './item.ts';

// Only the encoding and parsing of memjs 1.3.2 are used. With its connection, calls never settle after a disconnect,
// and after a truncated reply a call gets the value of another key.

/** Bounds the memory for a reply. memcached's option `-I` permits larger items. */
const maxReplyBytes = 128 * 1024 * 1024 + 1024;
const headerBytes = 24;
const responseMagic = 0x81;
const opcodes = { get: 0x00, touch: 0x1c, login: 0x21 };
const status = { ok: 0x00, notFound: 0x01, authError: 0x20, unknownCommand: 0x81 };

export interface MemcachedLogin {
  user: string;
  password: string;
}

/** Replies repeat the number of their request. */
let lastRequest = 0;

/** Connects to a memcached that requires a SASL login, which only the binary protocol supports. */
export function openBinary(
  name: string,
  address: ServerAddress,
  timeoutMs: number,
  { user, password }: MemcachedLogin,
) {
  const login = memjs.Utils.makeRequestBuffer(opcodes.login, 'PLAIN', '', `\0${user}\0${password}`, 0);
  const greeting = [{ request: login.toString('latin1'), read: readLogin }];
  const server = new Pipeline({ name, address, createParser, encoding: 'latin1', greeting }, timeoutMs);

  function readLogin({ header }: Response): true | undefined {
    if (header.opcode !== opcodes.login) return undefined;
    if (header.status === status.ok) return true;
    throw new StoreError(
      header.status === status.unknownCommand
        ? `${name} has no login (SASL): leave the user and the password out of the store URL`
        : `${name} rejects the user or the password of the store URL`,
    );
  }

  function query<T>(opcode: number, key: string, extras: Buffer, read: (reply: Response) => T) {
    lastRequest = (lastRequest + 1) >>> 0;
    const number = lastRequest;
    const request = memjs.Utils.makeRequestBuffer(opcode, key, extras as never, '', number);
    return server.query(request.toString('latin1'), (reply: Response): T | null | undefined => {
      const { header } = reply;
      if (header.opcode !== opcode || header.opaque !== number) return undefined;
      if (header.status === status.notFound) return null;
      if (header.status !== status.ok)
        throw new StoreError(`${name} rejected the request (status ${header.status})`);
      return read(reply);
    }) as Promise<T | null>;
  }

  return {
    get: (key: string): Promise<VersionedItem | null> =>
      query(opcodes.get, key, Buffer.alloc(0), ({ header, extras, val }) => {
        if (extras.length !== 4) throw new StoreError(`${name} sent an item without its flags`);
        return { bytes: val, flags: extras.readUInt32BE(0), cas: String(header.cas.readBigUInt64BE(0)) };
      }),
    async touch(key: string, expiry: number): Promise<void> {
      const extras = Buffer.alloc(4);
      extras.writeUInt32BE(expiry);
      await query(opcodes.touch, key, extras, () => true);
    },
    close: () => server.close(),
  };
}

function createParser(onReply: (reply: Response) => void): (chunk: Buffer) => void {
  let chunks: Buffer[] = [];
  let bufferedBytes = 0;
  let neededBytes = headerBytes;
  return (chunk) => {
    chunks.push(chunk);
    bufferedBytes += chunk.length;
    if (bufferedBytes < neededBytes) return;
    let rest = chunks.length === 1 ? chunk : Buffer.concat(chunks, bufferedBytes);
    for (neededBytes = headerBytes; rest.length >= headerBytes; neededBytes = headerBytes) {
      neededBytes += rest.readUInt32BE(8);
      if (rest[0] !== responseMagic || neededBytes > maxReplyBytes) throw new Error('no reply');
      if (rest.length < neededBytes) break;
      const reply = memjs.Utils.parseMessage(rest) as Response | false;
      if (reply === false) throw new Error('lengths that do not add up');
      onReply(reply);
      rest = rest.subarray(neededBytes);
    }
    // A copy, because a view would keep a large reply in memory.
    chunks = rest.length === 0 ? [] : [Buffer.from(rest)];
    bufferedBytes = rest.length;
  };
}

/// <reference path="./memjs.d.ts" />
import { connect, type Socket } from 'node:net';
import memjs from 'memjs';
import { StoreError } from '../../store.ts';
import { Unanswered } from '../deadline.ts';
import type { CountedItem } from './item.ts';

/** The largest item that memcached can be configured to hold (`-I`), and some room for the header. */
const maxReplyBytes = 128 * 1024 * 1024 + 1024;
const headerBytes = 24;
const responseMagic = 0x81;
const getOpcode = 0;

/**
 * memjs's `Server` without its faults (each was reproduced with memjs 1.3.2):
 * - The bytes of a reply that was cut off stayed in the parser's buffer and shifted every later reply, so that calls
 *   hung or got another key's value. Here each TCP connection has a buffer of its own.
 * - Calls in flight never settled when the connection closed. Here they all fail at once.
 * - The events of an old socket changed the state of its successor. Here only the current socket counts.
 * - Replies were matched by number alone, and a reply with an unknown number was ignored. Here each reply must answer
 *   the oldest question, as memcached does, or the connection ends.
 * - Steady traffic kept its timeout from firing. Here the oldest question has a deadline: see Unanswered.
 */
class HardenedServer extends memjs.Server {
  /** For the log: of several servers one may fail. */
  readonly name: string;
  #socket: Socket | undefined;
  /** The count of the item in the reply that is handed on: memjs leaves it out. */
  count = 0n;
  /** Questions by their numbers. */
  readonly #asked: Unanswered<number>;
  /** The questions of one turn of the event loop are sent together: a write for each would cost the most of all. */
  #outgoing: Buffer[] = [];

  /** @param timeout of an answer, in milliseconds */
  constructor(host: string, port: number, timeout: number) {
    super(host, port);
    this.name = `memcached at ${host}:${port}`;
    this.#asked = new Unanswered(timeout, () =>
      this.fail(new StoreError(`${this.name} did not answer within ${timeout} ms`)),
    );
    // memjs takes both from the environment (MEMCACHIER_USERNAME …), where nobody expects it.
    this.username = undefined;
    this.password = undefined;
  }

  override sock(_sasl: boolean, go: (socket: Socket) => void): void {
    go(this.#socket ?? this.#open());
  }

  override write(request: Buffer): void {
    this.#asked.add(request.readUInt32BE(12));
    this.#outgoing.push(request);
    if (this.#outgoing.length === 1) setImmediate(() => this.#send());
  }

  #send(): void {
    const requests = Buffer.concat(this.#outgoing);
    this.#outgoing = [];
    // Empty if the questions have failed in the same turn.
    if (requests.length > 0) this.sock(false, (socket) => socket.write(requests));
  }

  #open(): Socket {
    const socket = connect({ host: this.host, port: this.port, noDelay: true });
    this.#socket = socket;
    let chunks: Buffer[] = [];
    let received = 0;
    let wanted = headerBytes;
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      received += chunk.length;
      if (received < wanted) return;
      let rest = chunks.length === 1 ? chunk : Buffer.concat(chunks, received);
      while (this.#socket === socket && rest.length >= headerBytes) {
        const bodyBytes = rest.readUInt32BE(8);
        if (rest[0] !== responseMagic || bodyBytes > maxReplyBytes) {
          return this.fail(new StoreError(`${this.name} sent something that is not a reply`));
        }
        if (rest.length < headerBytes + bodyBytes) break;
        const reply = memjs.Utils.parseMessage(rest);
        if (
          reply === false ||
          reply.header.opcode !== getOpcode ||
          reply.header.opaque !== this.#asked.shift()
        ) {
          return this.fail(new StoreError(`${this.name} answered something that was not asked`));
        }
        this.count = rest.readBigUInt64BE(16);
        this.respond(reply);
        rest = rest.subarray(headerBytes + bodyBytes);
      }
      wanted = rest.length < headerBytes ? headerBytes : headerBytes + rest.readUInt32BE(8);
      // A copy: the few bytes left over would keep a large reply in memory.
      chunks = rest.length === 0 ? [] : [Buffer.from(rest)];
      received = rest.length;
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (this.#socket === socket) this.fail(StoreError.unreachable(this.name, error));
    });
    socket.on('close', () => {
      if (this.#socket === socket) this.fail(new StoreError(`${this.name} closed the connection`));
    });
    return socket;
  }

  /** Drops the connection and fails every call in flight; the next call opens a new one. */
  fail(error: Error): void {
    this.#socket?.destroy();
    this.#socket = undefined;
    this.#asked.clear();
    this.#outgoing = [];
    this.error(error);
  }
}

/** Asks one memcached for values, over its binary protocol. memjs does not survive every key: see `keyOf` in store.ts. */
export class MemcachedConnection {
  readonly #server: HardenedServer;
  readonly #client: InstanceType<typeof memjs.Client>;
  #closed = false;

  constructor(host: string, port: number, timeout: number) {
    this.#server = new HardenedServer(host, port, timeout);
    this.#client = new memjs.Client([this.#server], { retries: 0, failover: false, logger: { log() {} } });
    // memjs counts into the negative numbers, and fails for good after 2^31 calls.
    this.#client.incrSeq = function () {
      this.seq = (this.seq + 1) >>> 0;
    };
  }

  /**
   * The value is a part of the received bytes: a caller that keeps it copies it.
   * @throws StoreError after `timeout` ms at the latest
   */
  get(key: string): Promise<CountedItem | null> {
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(new StoreError('the store was closed'));
      // With a callback, since memjs would make a promise too, and sessions are looked up by the thousand.
      this.#client.get(key, (error, value, flags) => {
        if (error instanceof StoreError) reject(error);
        else if (error) reject(new StoreError(`${this.#server.name} refused the look-up`, { cause: error }));
        else if (value === null) resolve(null);
        else if (flags?.length === 4)
          resolve({ bytes: value, flags: flags.readUInt32BE(0), count: this.#server.count });
        else reject(new StoreError(`${this.#server.name} answered without the flags of the item`));
      });
    });
  }

  close(): void {
    this.#closed = true;
    this.#server.fail(new StoreError('the store was closed'));
  }
}

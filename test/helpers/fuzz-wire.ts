import { connect, type Socket } from 'node:net';
import { hanging } from './hanging.ts';
import { upgradeRequest } from './raw-client.ts';

/** A frame that no library would make: it has exactly the given fields, right or wrong. */
export interface FrameFields {
  fin?: boolean;
  /** The three reserved bits. */
  rsv?: number;
  opcode?: number;
  masked?: boolean;
  /** The masking key; 0 leaves the payload as it is. */
  mask?: number;
  /** The declared length, if it is not the true one. */
  length?: bigint | null;
}

/** A WebSocket frame (RFC 6455, section 5.2). */
export function frame(payload: Uint8Array | string, fields: FrameFields = {}): Buffer {
  const { fin = true, rsv = 0, opcode = 1, masked = true, mask = 0 } = fields;
  const bytes = Buffer.from(payload as string);
  const told = fields.length ?? BigInt(bytes.length);
  const short = told < 126n ? Number(told) : told < 65_536n ? 126 : 127;
  const head = Buffer.alloc(2 + (short === 127 ? 8 : short === 126 ? 2 : 0) + (masked ? 4 : 0));
  head[0] = (fin ? 0x80 : 0) | ((rsv & 7) << 4) | (opcode & 15);
  head[1] = (masked ? 0x80 : 0) | short;
  if (short === 126) head.writeUInt16BE(Number(told), 2);
  else if (short === 127) head.writeBigUInt64BE(BigInt.asUintN(64, told), 2);
  if (masked) {
    head.writeInt32BE(mask | 0, head.length - 4);
    if (mask !== 0)
      for (let i = 0; i < bytes.length; i++)
        bytes[i] = (bytes[i] ?? 0) ^ (head[head.length - 4 + (i & 3)] ?? 0);
  }
  return Buffer.concat([head, bytes]);
}

/** Waits no longer than `hanging`; then it throws an error that names the work. */
export async function notHanging<T>(work: Promise<T>, what: string): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`${what}: nothing within ${hanging} ms`)), hanging);
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** The client end of a WebSocket that may be misused: a connection, and the packets from the server. */
export class Wire {
  readonly socket: Socket;
  readonly closed: Promise<null>;
  isClosed = false;
  /** Answers to an id that was answered already. */
  readonly twice: string[] = [];
  readonly #awaited = new Map<string, (text: string | null) => void>();
  readonly #answered = new Set<string>();
  #listener: ((packet: string) => void) | undefined;
  #rest: Buffer = Buffer.alloc(0);
  #upgraded = false;
  // Above the ids of mutated packets, so that none of them takes a probe's place.
  #lastId = 1_000_000_000;

  constructor(port: number, cookie: string) {
    this.socket = connect({ port, host: '127.0.0.1', noDelay: true });
    this.socket.on('error', () => {});
    this.socket.on('data', (piece: Buffer) => this.#take(piece));
    this.closed = new Promise((resolve) => {
      this.socket.on('close', () => {
        this.isClosed = true;
        for (const settle of this.#awaited.values()) settle(null);
        this.#awaited.clear();
        resolve(null);
      });
    });
    this.socket.write(upgradeRequest(cookie));
  }

  /** Opens a WebSocket and waits for Engine.IO's greeting. */
  static async open(port: number, cookie: string): Promise<Wire> {
    const wire = new Wire(port, cookie);
    if ((await wire.packet((packet) => packet.startsWith('0{'))) === null)
      throw new Error('the server closed a connection that had done nothing yet');
    return wire;
  }

  /** The same, and connected as the user of the cookie. */
  static async connected(port: number, cookie: string): Promise<Wire> {
    const wire = await Wire.open(port, cookie);
    const ready = wire.packet((packet) => /^(42\["session:ready"|44)/.test(packet));
    wire.write(frame('40'));
    const packet = await ready;
    if (!packet?.startsWith('42')) throw new Error(`a well-behaved client was refused: ${packet}`);
    return wire;
  }

  write(bytes: Uint8Array): void {
    if (!this.isClosed) this.socket.write(bytes);
  }

  /** The next matching packet, or null if the connection is closed before. */
  packet(matches: (packet: string) => boolean): Promise<string | null> {
    const found = new Promise<string>((resolve) => {
      this.#listener = (packet) => {
        if (matches(packet)) resolve(packet);
      };
    });
    return notHanging(Promise.race([found, this.closed]), 'a packet from the server');
  }

  /**
   * Sends `args` (JSON without the outer brackets) with an ack. @returns the answer, or null if the connection was
   * closed
   */
  ask(args: string): Promise<string | null> {
    const id = String(++this.#lastId);
    const answer = new Promise<string | null>((resolve) => {
      if (this.isClosed) resolve(null);
      else this.#awaited.set(id, resolve);
    });
    this.write(frame(`42${id}[${args}]`));
    return notHanging(answer, `neither an answer nor an end to 42${id}[${args.slice(0, 200)}]`);
  }

  /** Checks the connection after any input: true if it still works, false if the server has closed it. */
  async probe(): Promise<boolean> {
    const answer = await this.ask('"room:list",{}');
    if (answer !== null && !answer.startsWith('[{"ok":true')) throw new Error(`room:list: ${answer}`);
    return answer !== null;
  }

  #take(piece: Buffer): void {
    this.#rest = this.#rest.length === 0 ? piece : Buffer.concat([this.#rest, piece]);
    if (!this.#upgraded) {
      const end = this.#rest.indexOf('\r\n\r\n');
      if (end === -1) return;
      if (!this.#rest.toString('latin1', 0, 12).endsWith('101')) return void this.socket.destroy();
      this.#upgraded = true;
      this.#rest = this.#rest.subarray(end + 4);
    }
    for (;;) {
      if (this.#rest.length < 2) return;
      const short = (this.#rest[1] as number) & 0x7f;
      const head = short < 126 ? 2 : short === 126 ? 4 : 10;
      if (this.#rest.length < head) return;
      const size =
        short < 126 ? short : short === 126 ? this.#rest.readUInt16BE(2) : this.#rest.readUInt32BE(6);
      if (this.#rest.length < head + size) return;
      const opcode = (this.#rest[0] as number) & 0x0f;
      const payload = this.#rest.toString('utf8', head, head + size);
      this.#rest = this.#rest.subarray(head + size);
      // The server's close frame waits for ours: attackers free their ports too.
      if (opcode === 8) this.socket.end();
      else if (opcode === 1) this.#hear(payload);
    }
  }

  #hear(packet: string): void {
    const id = /^43(\d+)(?=\[)/.exec(packet)?.[1];
    if (packet === '2') this.write(frame('3'));
    else if (id === undefined) this.#listener?.(packet);
    else if (this.#awaited.has(id)) {
      this.#awaited.get(id)?.(packet.slice(2 + id.length));
      this.#awaited.delete(id);
      this.#answered.add(id);
    } else if (this.#answered.has(id)) this.twice.push(packet);
  }
}

/** Connections that are used for one case at a time, and reopened after the server has closed them. */
export class Pool {
  readonly #open: () => Promise<Wire>;
  readonly #idle: Wire[] = [];

  constructor(open: () => Promise<Wire>) {
    this.#open = open;
  }

  async use(work: (wire: Wire) => Promise<void>): Promise<void> {
    let wire = this.#idle.pop();
    while (wire?.isClosed) wire = this.#idle.pop();
    wire ??= await this.#open();
    await work(wire);
    if (wire.twice.length > 0) throw new Error(`answered twice: ${wire.twice[0]}`);
    if (!wire.isClosed) this.#idle.push(wire);
  }

  async close(): Promise<void> {
    for (const wire of this.#idle) wire.socket.destroy();
    await Promise.all(this.#idle.map((wire) => wire.closed));
    this.#idle.length = 0;
  }
}

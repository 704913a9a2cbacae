import type { Socket as EngineSocket } from 'engine.io';
import { WebSocket } from 'ws';
import type { Publisher } from '../chat/publisher.ts';
import { internalsOf, type PacketOptions } from './internals.ts';

interface Receiver {
  readonly conn: EngineSocket;
  /**
   * Without duplicates. Most receivers have one or two rooms, and a set or a growing array would take four times the
   * memory.
   */
  rooms: readonly string[];
  /** The frames to write at the end of this tick, if any. */
  batch: Batch | undefined;
}

/** An event or response, as a packet for Engine.IO's polling and as a WebSocket frame. */
interface Frame {
  readonly packet: string;
  readonly bytes: Buffer;
}

/**
 * A sequence of frames. Adding the same frame to the same batch again returns the same new batch, so receivers of the
 * same frames share one buffer.
 */
class Batch {
  readonly #before: Batch | undefined;
  readonly #frame: Frame | undefined;
  #longer: { frame: Frame; batch: Batch } | undefined;
  #bytes: Buffer | undefined;

  constructor(before?: Batch, frame?: Frame) {
    this.#before = before;
    this.#frame = frame;
  }

  with(frame: Frame): Batch {
    if (this.#longer?.frame !== frame) this.#longer = { frame, batch: new Batch(this, frame) };
    return this.#longer.batch;
  }

  get frames(): Frame[] {
    const frames: Frame[] = [];
    let batch: Batch | undefined = this;
    while (batch !== undefined) {
      if (batch.#frame !== undefined) frames.push(batch.#frame);
      batch = batch.#before;
    }
    return frames.reverse();
  }

  get bytes(): Buffer {
    if (this.#bytes === undefined) {
      const all = this.frames.map(({ bytes }) => bytes);
      this.#bytes = all.length === 1 ? (all[0] as Buffer) : Buffer.concat(all);
    }
    return this.#bytes;
  }
}

/**
 * Sends the chat's events and responses to connections. A connection gets everything from one event-loop tick in one
 * write, and a frame is built once for all its receivers. Socket.IO's own broadcast writes to each connection for each
 * event, which is most of the cost of a chat server.
 *
 * A connection gets events and responses in the order in which they were created. Code that sends to a connection
 * directly must call `flush` first.
 */
export class FanOut implements Publisher {
  readonly #receivers = new Map<string, Receiver>();
  readonly #rooms = new Map<string, Set<Receiver>>();
  #empty = new Batch();
  #waiting: Receiver[] = [];

  /**
   * Adds a connection, which then gets its events.
   * @param id the ID of the connection in the chat
   */
  add(id: string, conn: EngineSocket): void {
    this.#receivers.set(id, { conn, rooms: [], batch: undefined });
  }

  /** Writes the queued frames of this connection, then removes it. */
  remove(id: string): void {
    this.flush(id);
    const receiver = this.#receivers.get(id);
    if (receiver === undefined) return;
    this.#receivers.delete(id);
    for (const room of receiver.rooms) this.#leave(receiver, room);
  }

  join(connection: string, room: string): void {
    const receiver = this.#receivers.get(connection);
    if (receiver === undefined) return;
    const inRoom = this.#rooms.get(room);
    if (inRoom?.has(receiver)) return;
    receiver.rooms = receiver.rooms.concat(room);
    if (inRoom === undefined) this.#rooms.set(room, new Set([receiver]));
    else inRoom.add(receiver);
  }

  leave(connection: string, room: string): void {
    const receiver = this.#receivers.get(connection);
    if (receiver === undefined || !this.#rooms.get(room)?.has(receiver)) return;
    receiver.rooms = receiver.rooms.filter((one) => one !== room);
    this.#leave(receiver, room);
  }

  toRoom: Publisher['toRoom'] = (room, event, payload) => {
    const inRoom = this.#rooms.get(room);
    if (inRoom === undefined) return;
    const frame = eventFrame(event, payload);
    for (const receiver of inRoom) this.#queue(receiver, frame);
  };

  toConnections: Publisher['toConnections'] = (connections, event, payload) => {
    if (connections.length === 0) return;
    const frame = eventFrame(event, payload);
    for (const id of connections) {
      const receiver = this.#receivers.get(id);
      if (receiver !== undefined) this.#queue(receiver, frame);
    }
  };

  /**
   * Sends the response to a request of this connection.
   * @param request the number of the request
   * @returns bytes of the frame, or 0 if the connection was removed
   */
  answer(connection: string, request: number, answer: unknown): number {
    const receiver = this.#receivers.get(connection);
    if (receiver === undefined) return 0;
    const frame = frameOf(`3${request}${JSON.stringify([answer])}`);
    this.#queue(receiver, frame);
    return frame.bytes.length;
  }

  /** Writes the queued frames of this connection. */
  flush(id: string): void {
    const receiver = this.#receivers.get(id);
    if (receiver !== undefined) write(receiver);
  }

  #queue(receiver: Receiver, frame: Frame): void {
    if (receiver.batch === undefined) {
      if (this.#waiting.push(receiver) === 1) setImmediate(() => this.flushAll());
    }
    receiver.batch = (receiver.batch ?? this.#empty).with(frame);
  }

  /** Writes the queued frames of all connections. */
  flushAll(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#empty = new Batch();
    for (const receiver of waiting) write(receiver);
  }

  #leave(receiver: Receiver, room: string): void {
    const inRoom = this.#rooms.get(room);
    inRoom?.delete(receiver);
    if (inRoom?.size === 0) this.#rooms.delete(room);
  }
}

function write(receiver: Receiver): void {
  const { batch, conn } = receiver;
  if (batch === undefined) return;
  receiver.batch = undefined;
  if (conn.readyState !== 'open') return;
  const { transport, writeBuffer } = internalsOf(conn);
  const socket = transport.name === 'websocket' ? transport.socket : undefined;
  if (socket === undefined) {
    // Over polling, also before an upgrade, Engine.IO frames each packet itself.
    for (const { packet } of batch.frames) conn.write(packet);
    return;
  }
  const tcp = socket._socket;
  // If all earlier output is in the kernel, or corked to go with this write, the frames can bypass Engine.IO and ws.
  const next = tcp && (tcp.writableLength === 0 || tcp.writableCorked > 0);
  if (next && writeBuffer.length === 0 && socket.readyState === WebSocket.OPEN) {
    tcp.write(batch.bytes);
    return;
  }
  // One packet of Engine.IO with all frames.
  const options: PacketOptions = { compress: false, wsPreEncodedFrame: [batch.bytes] };
  conn.write(batch.frames[0]?.packet ?? '', options);
}

function eventFrame(event: string, payload: unknown): Frame {
  return frameOf(`2${JSON.stringify([event, payload])}`);
}

/**
 * Returns the frame of a packet of Socket.IO's default namespace: as an Engine.IO packet, and as a WebSocket text frame
 * (RFC 6455, 5.2).
 */
function frameOf(packet: string): Frame {
  const length = 1 + Buffer.byteLength(packet);
  const head = length < 126 ? 2 : length < 65_536 ? 4 : 10;
  const bytes = Buffer.allocUnsafe(head + length);
  bytes[0] = 0x81;
  if (head === 2) bytes[1] = length;
  else if (head === 4) {
    bytes[1] = 126;
    bytes.writeUInt16BE(length, 2);
  } else {
    bytes[1] = 127;
    bytes.writeUInt32BE(0, 2);
    bytes.writeUInt32BE(length, 6);
  }
  // Engine.IO's type "message".
  bytes[head] = 0x34;
  bytes.write(packet, head + 1);
  return { packet, bytes };
}

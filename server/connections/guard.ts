import type { ServerResponse } from 'node:http';
import type { Socket as EngineSocket } from 'engine.io';
import { WebSocket } from 'ws';
import { pingIntervalMs } from '../wire/ping.ts';
import { type EngineTransport, internalsOf, type PacketOptions, type WsSocket } from './internals.ts';
import type { PacketSource } from './source.ts';

/** Why a connection was closed by force. Also a label of the metrics. */
export type Breach =
  | 'no_connect'
  | 'second_connect'
  | 'malformed'
  | 'too_large'
  | 'slow_reader'
  | 'ping_flood'
  /** Far more requests than a user may make, or a message or body in far more parts than clients send. */
  | 'flood';

/** Maximum bytes of a packet with its binary attachments, announced as `maxPayload`. */
export const maxPacketBytes = 65_536;
/** A connection without an accepted CONNECT is closed after this time (ms). */
const connectTimeout = 5000;
/** The doctor waits for the first ping, so its connections may stay longer without a CONNECT (ms). */
const probeTimeout = 40_000;
/** Control packets of one connection per ping interval: pongs, probes, and WebSocket pings and pongs. Two are usual. */
const mostControlPackets = 100;
/**
 * A packet counts as one extra request per this number of bytes, by the measured cost of parsing. The longest text
 * counts as two to five requests.
 */
const receivedAsOne = 4096;
/** Probes per connection. An upgrading client sends one, and on some lines a probe gets lost. */
const mostProbes = 3;
/** A closing WebSocket is terminated after this time (ms), because it keeps its memory until then. */
const goodbye = 3000;
/**
 * A closing WebSocket may still receive this number of bytes, which were in transit when the client learned of the
 * close.
 */
const mostAfterEnd = 262_144;

/** The code of a WebSocket that ended without a close frame (RFC 6455, section 7.1.5). */
const abnormalClosure = 1006;

/**
 * An observed object stores its guard under this key, so that all connections share one listener per event. Separate
 * listeners would take memory as long as the connection lives.
 */
const guard = Symbol('guard');

interface Guarded {
  [guard]: Guard;
}
type GuardedConnection = EngineSocket & Guarded;

/**
 * Enforces the rules of one Engine.IO connection, which must send one CONNECT, well-formed packets and few control
 * packets, and have at most `maxQueue` queued bytes (0 lifts the limit). The guard must be created before Socket.IO
 * gets the connection.
 */
export class Guard {
  /** The number of extra requests for large packets so far. */
  received = 0;
  readonly #conn: EngineSocket;
  readonly #source: PacketSource;
  readonly #maxQueue: number;
  readonly #onBreach: (breach: Breach) => void;
  readonly #onCut: (idleMs: number) => void;
  readonly #connectTimeout: number;
  /** The time of the last packet in either direction. */
  #packetAt = performance.now();
  #told = false;
  #connects = 0;
  /**
   * The size of the attachments since the last text packet. Socket.IO keeps them until all announced attachments
   * arrive.
   */
  #attached = 0;
  #control = 0;
  #windowEnds = performance.now() + pingIntervalMs;
  /**
   * Set while Socket.IO handles a packet. If Socket.IO closes the connection during that time, the packet is the
   * reason.
   */
  #handling = false;
  /** The size of Engine.IO's own buffer, which Engine.IO empties as a whole into the transport. */
  #buffered = 0;
  #measuring = false;
  /** Poll responses that are not fully sent. A client may poll again without reading them. */
  #answers: Set<ServerResponse> | undefined;
  #upgrading: WsSocket | undefined;
  #probes = 0;
  #unconnected: NodeJS.Timeout | undefined;

  /**
   * @param options.onBreach called at most once, when the connection is closed for a breach
   * @param options.onCut called when a WebSocket ends without a close frame, with the ms since its last packet
   * @param options.isProbe whether the doctor opened the connection
   */
  constructor(
    conn: EngineSocket,
    source: PacketSource,
    options: {
      limitQueue: number;
      onBreach: (breach: Breach) => void;
      onCut: (idleMs: number) => void;
      isProbe: boolean;
    },
  ) {
    this.#conn = conn;
    this.#source = source;
    this.#maxQueue = options.limitQueue;
    this.#onBreach = options.onBreach;
    this.#onCut = options.onCut;
    this.#connectTimeout = options.isProbe ? probeTimeout : connectTimeout;
    Object.assign(conn, { [guard]: this });
    conn.on('packet', Guard.#onPacket);
    // Runs after Socket.IO's own listener, which Socket.IO adds in this tick.
    queueMicrotask(() => conn.on('data', Guard.#onData));
    // Earlier than Socket.IO's own timeout, after which Engine.IO waits half a minute for a poll that may never come.
    this.awaitConnect();
    conn.on('close', Guard.#onClose);
    conn.on('packetCreate', Guard.#onPacketCreate);
    conn.on('flush', Guard.#onFlush);
    // Before the upgrade, this is Engine.IO's only event about the new transport. It follows the response to each
    // probe.
    conn.on('upgrading', Guard.#onUpgrading);
    // Listens to ws itself, because Engine.IO reports ws's errors in the same way as a cut cable.
    const { socket } = this.#transport;
    if (socket !== undefined) this.#watch(socket);
  }

  /** Closes the connection for a breach, which may have been detected elsewhere. */
  close(breach: Breach): void {
    this.#tell(breach);
    const { socket } = this.#transport;
    this.#source.drop();
    // Discards the queue, which `close()` alone would keep in memory until the client reads it.
    this.#conn.close(true);
    socket?.terminate();
    this.#upgrading?.terminate();
    // Destroys only sockets with a response to this client. A proxy may have reused the others for another client.
    for (const answer of this.#answers ?? []) answer.destroy();
  }

  /** Closes the connection unless a CONNECT is accepted in time. Called again when the client leaves the namespace. */
  awaitConnect(): void {
    this.#unconnected = setTimeout(() => this.close('no_connect'), this.#connectTimeout);
  }

  /** Called when the CONNECT of this connection is accepted. */
  accept(): void {
    clearTimeout(this.#unconnected);
    this.#unconnected = undefined;
  }

  /** Called when a WebSocket opens as the upgrade of this connection. */
  watch(socket: WsSocket): void {
    // Ends the previous attempt, which may close slowly. The number of attempts is not limited.
    this.#upgrading?.terminate();
    this.#upgrading = socket;
    this.#watch(socket);
  }

  get #transport(): EngineTransport {
    return internalsOf(this.#conn).transport;
  }

  get #waiting(): number {
    let bytes = this.#buffered + (this.#transport.socket?.bufferedAmount ?? 0);
    for (const answer of this.#answers ?? []) bytes += answer.writableLength;
    return bytes;
  }

  #tell(breach: Breach): void {
    if (this.#told) return;
    this.#told = true;
    this.#onBreach(breach);
  }

  #watch(socket: WsSocket): void {
    this.#source.readSocket(socket);
    Object.assign(socket, { [guard]: this });
    socket.on('ping', Guard.#onPing);
    socket.on('pong', Guard.#onPong);
    socket.on('error', Guard.#onError);
  }

  #countControl(): void {
    const now = performance.now();
    if (now > this.#windowEnds) {
      this.#control = 0;
      this.#windowEnds = now + pingIntervalMs;
    }
    if (++this.#control > mostControlPackets) this.close('ping_flood');
  }

  static readonly #onPing = function (this: WsSocket): void {
    const own = (this as unknown as Guarded)[guard];
    // ws terminates the connection when too many pongs are queued, and emits this ping afterwards.
    if (this.readyState !== WebSocket.OPEN) own.close('ping_flood');
    else own.#countControl();
  };

  static readonly #onPong = function (this: WsSocket): void {
    (this as unknown as Guarded)[guard].#countControl();
  };

  static readonly #onError = function (this: WsSocket, { code }: { code?: string }): void {
    const own = (this as unknown as Guarded)[guard];
    if (code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH') own.#tell('too_large');
    else if (code === 'WS_ERR_TOO_MANY_BUFFERED_PARTS') own.close('flood');
    else if (code?.startsWith('WS_ERR_')) own.#tell('malformed');
  };

  static readonly #onPacket = function (
    this: EngineSocket,
    { type, data }: { type: string; data?: unknown },
  ): void {
    const own = (this as GuardedConnection)[guard];
    own.#packetAt = performance.now();
    own.received += Math.floor(sizeOf(data) / receivedAsOne);
    own.#attached = typeof data === 'string' ? 0 : own.#attached + sizeOf(data);
    if (own.#attached > maxPacketBytes) own.close('too_large');
    else if (type === 'message') {
      own.#handling = true;
      if (typeof data === 'string' && isConnect(data)) {
        // Socket.IO itself rejects other namespaces. A CONNECT to `/` reads the session from the store, so only one is
        // allowed.
        if (isForeign(data)) own.#countControl();
        else if (++own.#connects > 1) own.close('second_connect');
      }
      // Acks, plain and binary. This server requests none, and no other limit covers them.
      if (typeof data === 'string' && /^[36]/.test(data)) own.close('malformed');
    } else if (type === 'error') own.close('malformed');
    else own.#countControl();
  };

  static readonly #onData = function (this: EngineSocket): void {
    const own = (this as GuardedConnection)[guard];
    own.#handling = false;
    if (this.readyState !== 'open') own.close('malformed');
  };

  static readonly #onClose = function (this: EngineSocket, reason: string): void {
    const own = (this as GuardedConnection)[guard];
    clearTimeout(own.#unconnected);
    if (own.#handling) own.#tell('malformed');
    if (reason === 'transport close' && own.#transport.socket?._closeCode === abnormalClosure)
      own.#onCut(performance.now() - own.#packetAt);
    // After a ping timeout, the client or its line is dead and does not read the queue.
    const { socket } = own.#transport;
    if (reason === 'ping timeout') socket?.terminate();
    else if (socket && socket.readyState !== WebSocket.CLOSED) {
      const lingering = setTimeout(() => socket.terminate(), goodbye).unref();
      // While it closes, ws reads and drops input without a limit.
      let left = mostAfterEnd;
      socket._socket.on('data', ({ length }: Buffer) => {
        left -= length;
        if (left < 0) socket.terminate();
      });
      // Otherwise the timer would keep the connection and everything it received in memory.
      socket.on('close', () => clearTimeout(lingering));
    }
  };

  static readonly #onPacketCreate = function (
    this: EngineSocket,
    { data, options }: { data?: unknown; options?: PacketOptions },
  ): void {
    const own = (this as GuardedConnection)[guard];
    own.#packetAt = performance.now();
    own.#buffered += options?.wsPreEncodedFrame?.[0]?.length ?? sizeOf(data);
    if (own.#maxQueue === 0 || own.#measuring || own.#waiting <= own.#maxQueue) return;
    // A batch of messages is queued in one tick, before any of it is written. After the next tick, the kernel has the
    // first part and the transport has the rest, so all bytes that remain wait for the reader.
    own.#measuring = true;
    setImmediate(() =>
      setImmediate(() => {
        own.#measuring = false;
        if (own.#waiting > own.#maxQueue) own.close('slow_reader');
      }),
    );
  };

  static readonly #onFlush = function (this: EngineSocket): void {
    const own = (this as GuardedConnection)[guard];
    own.#buffered = 0;
    const { res } = own.#transport;
    if (!res) return;
    own.#answers ??= new Set();
    own.#answers.add(res);
    res.on('close', () => own.#answers?.delete(res));
  };

  static readonly #onUpgrading = function (this: EngineSocket, transport: EngineTransport): void {
    if (++(this as GuardedConnection)[guard].#probes > mostProbes) transport.socket?.terminate();
  };
}

/** Whether a packet is a CONNECT, whose type is 0. Like Socket.IO, converts the type to a number, so a blank is 0. */
const isConnect = (data: string): boolean => Number(data.charAt(0)) === 0;

/** Whether a CONNECT names a namespace other than `/`, in the form `0/NAME` or `0/NAME,PAYLOAD`. */
const isForeign = (data: string): boolean => data.charAt(1) === '/' && !/^.\/(,|$)/s.test(data);

function sizeOf(data: unknown): number {
  if (typeof data === 'string') return Buffer.byteLength(data);
  return data instanceof Buffer ? data.length : 0;
}

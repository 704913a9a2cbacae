import type { ServerResponse } from 'node:http';
import type { Socket as EngineSocket } from 'engine.io';
import { WebSocket } from 'ws';
import { type EngineTransport, internalsOf, type PacketOptions, type WsSocket } from './internals.ts';
import type { PacketSource } from './source.ts';

/** Why a connection was closed by force; a label of the metrics. */
export type Breach =
  | 'no_connect'
  | 'second_connect'
  | 'malformed'
  | 'too_large'
  | 'slow_reader'
  | 'ping_flood'
  /** Far more requests than a user may make, or a message or body in far more parts than clients send. */
  | 'flood';

/** The largest packet in bytes, announced as `maxPayload`. It includes binary attachments. */
export const maxPacketBytes = 65_536;
/** Milliseconds after which a connection without an accepted CONNECT is closed. */
const connectTimeout = 5000;
/** Control packets (pongs, probes, WebSocket's pings and pongs) of one connection per ping interval: two are usual. */
const mostControlPackets = 100;
const pingInterval = 25_000;
/**
 * Bytes of a packet that count as one more request, by the measured cost of parsing. The longest text counts as two to
 * five.
 */
const receivedAsOne = 4096;
/** A client that upgrades sends one probe; on some lines one gets lost. */
const mostProbes = 3;
/** Milliseconds that a closing WebSocket may take; it keeps its memory until then. */
const goodbye = 3000;
/** Bytes that a closing WebSocket may still receive: those on their way when the client learned of the end. */
const mostAfterEnd = 262_144;

/**
 * The key under which an observed object stores its guard, so that all connections share one listener per event. A
 * listener each would take memory for as long as the connection lives.
 */
const guard = Symbol('guard');

interface Guarded {
  [guard]: Guard;
}
type GuardedConnection = EngineSocket & Guarded;

/**
 * Enforces the rules for one Engine.IO connection: one CONNECT, well-formed packets, few control packets, and at most
 * `maxQueue` bytes waiting for it (0 lifts the limit). It must be created before Socket.IO gets the connection.
 */
export class Guard {
  /** The extra requests that its large packets count as so far. */
  received = 0;
  readonly #conn: EngineSocket;
  readonly #source: PacketSource;
  readonly #maxQueue: number;
  readonly #onBreach: (breach: Breach) => void;
  #told = false;
  #connects = 0;
  /** Bytes attached to the last packet so far: Socket.IO keeps them until all announced attachments are there. */
  #attached = 0;
  #control = 0;
  #windowEnds = performance.now() + pingInterval;
  /** Set while Socket.IO handles a packet: if it closes the connection then, that packet is the reason. */
  #handling = false;
  /** Bytes in Engine.IO's own buffer, which it empties whole into the transport. */
  #buffered = 0;
  #measuring = false;
  /** Answers to polls that are not sent yet: a client may poll again without reading. */
  #answers: Set<ServerResponse> | undefined;
  #upgrading: WsSocket | undefined;
  #probes = 0;
  #unconnected: NodeJS.Timeout | undefined;

  /** @param onBreach called at most once, when the connection is closed for a breach */
  constructor(
    conn: EngineSocket,
    source: PacketSource,
    maxQueue: number,
    onBreach: (breach: Breach) => void,
  ) {
    this.#conn = conn;
    this.#source = source;
    this.#maxQueue = maxQueue;
    this.#onBreach = onBreach;
    Object.assign(conn, { [guard]: this });
    conn.on('packet', Guard.#onPacket);
    // After Socket.IO's own listener, which it adds in this turn.
    queueMicrotask(() => conn.on('data', Guard.#onData));
    // Not left to Socket.IO, whose own timeout waits half a minute for a poll that may never come.
    this.awaitConnect();
    conn.on('close', Guard.#onClose);
    conn.on('packetCreate', Guard.#onPacketCreate);
    conn.on('flush', Guard.#onFlush);
    // Until the upgrade, this is the only event of Engine.IO about the new transport; each probe is answered on it.
    conn.on('upgrading', Guard.#onUpgrading);
    // Listens before ws's errors reach Engine.IO, which cannot tell them from a cut cable.
    const { socket } = this.#transport;
    if (socket !== undefined) this.#watch(socket);
  }

  /** Closes the connection for a breach, which may have been detected elsewhere. */
  close(breach: Breach): void {
    this.#tell(breach);
    const { socket } = this.#transport;
    this.#source.drop();
    // close() alone would wait until the other side has taken everything, and keep all of it until then.
    this.#conn.close(true);
    socket?.terminate();
    this.#upgrading?.terminate();
    // Only sockets that still carry an answer to this client: a proxy may have reused the others for another client.
    for (const answer of this.#answers ?? []) answer.destroy();
  }

  /** Closes the connection unless a CONNECT is accepted in time. Called again when a client leaves the namespace. */
  awaitConnect(): void {
    this.#unconnected = setTimeout(() => this.close('no_connect'), connectTimeout);
  }

  /** Called when its CONNECT is accepted. */
  accept(): void {
    clearTimeout(this.#unconnected);
    this.#unconnected = undefined;
  }

  /** Called when a WebSocket is opened as the upgrade of this connection. */
  watch(socket: WsSocket): void {
    // A failed one may take its time to close, and a client may try as often as it likes.
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
      this.#windowEnds = now + pingInterval;
    }
    if (++this.#control > mostControlPackets) this.close('ping_flood');
  }

  static readonly #onPing = function (this: WsSocket): void {
    const own = (this as unknown as Guarded)[guard];
    // ws closes the connection by itself when too many pongs wait to be sent, and hands on this ping afterwards.
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
    own.received += Math.floor(sizeOf(data) / receivedAsOne);
    own.#attached = typeof data === 'string' ? 0 : own.#attached + sizeOf(data);
    if (own.#attached > maxPacketBytes) own.close('too_large');
    else if (type === 'message') {
      own.#handling = true;
      if (typeof data === 'string' && isConnect(data)) {
        // Socket.IO rejects other namespaces itself. A CONNECT to `/` reads the session from the store.
        if (isForeign(data)) own.#countControl();
        else if (++own.#connects > 1) own.close('second_connect');
      }
      // Acks, plain and binary. This server asks for none, and nothing else would limit them.
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
    // The client has stopped or its cable is cut, so nobody will take the queue.
    const { socket } = own.#transport;
    if (reason === 'ping timeout') socket?.terminate();
    else if (socket && socket.readyState !== WebSocket.CLOSED) {
      const lingering = setTimeout(() => socket.terminate(), goodbye).unref();
      // ws reads on and drops all that comes, as fast as it comes.
      let left = mostAfterEnd;
      socket._socket.on('data', ({ length }: Buffer) => {
        left -= length;
        if (left < 0) socket.terminate();
      });
      // Otherwise the timer would keep the connection and all that it has read in memory.
      socket.on('close', () => clearTimeout(lingering));
    }
  };

  static readonly #onPacketCreate = function (
    this: EngineSocket,
    { data, options }: { data?: unknown; options?: PacketOptions },
  ): void {
    const own = (this as GuardedConnection)[guard];
    own.#buffered += options?.wsPreEncodedFrame?.[0]?.length ?? sizeOf(data);
    if (own.#maxQueue === 0 || own.#measuring || own.#waiting <= own.#maxQueue) return;
    // A batch of messages is handed over in one turn, before anything of it can be written. In the next turn the kernel
    // has taken the first part and Engine.IO hands it the rest: bytes that wait then wait for the reader.
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

/** Socket.IO reads the type as a number, and a blank as 0. */
const isConnect = (data: string): boolean => Number(data.charAt(0)) === 0;

/** Whether a CONNECT names a namespace other than `/`, in the form `0/NAME` or `0/NAME,PAYLOAD`. */
const isForeign = (data: string): boolean => data.charAt(1) === '/' && !/^.\/(,|$)/s.test(data);

function sizeOf(data: unknown): number {
  if (typeof data === 'string') return Buffer.byteLength(data);
  return data instanceof Buffer ? data.length : 0;
}

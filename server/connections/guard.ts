import type { ServerResponse } from 'node:http';
import type { Socket as EngineSocket } from 'engine.io';
import { WebSocket } from 'ws';
import type { ReceivingSocket, Source } from './source.ts';

/** Why a connection was closed by force; a label of the metrics. */
export type Breach =
  | 'no_connect'
  | 'second_connect'
  | 'malformed'
  | 'too_large'
  | 'slow_reader'
  | 'ping_flood'
  /** Far more requests than a user may make, or a message or a body in far more parts than clients send. */
  | 'flood';

/** The largest packet, announced as `maxPayload`. What is attached to a packet is a part of it. */
export const maxPacketBytes = 65_536;
/** A connection is closed if no CONNECT of it was accepted by then. */
const connectTimeout = 5000;
/** Control packets (pongs, probes, WebSocket's pings and pongs) of one connection in one ping interval: two are usual. */
const mostControlPackets = 100;
const pingInterval = 25_000;
/**
 * This many bytes of a packet count as one more request, by the measured cost of parsing one. The longest text is two to
 * five.
 */
const receivedAsOne = 4096;
/** A client that upgrades probes once; some lines lose one. */
const mostProbes = 3;
/** Milliseconds that a closing WebSocket may take; until then it keeps its memory. */
const goodbye = 3000;
/** Bytes that a closing WebSocket may still bring: what was on its way when the client learned of the end. */
const mostAfterEnd = 262_144;

/** ws's WebSocket. `bufferedAmount`: bytes that it and the TCP socket have not handed to the kernel. */
export interface GuardedSocket extends ReceivingSocket {
  bufferedAmount: number;
  readyState: number;
  on(event: 'ping' | 'pong' | 'close', listener: () => void): void;
  on(event: 'error', listener: (error: { code?: string }) => void): void;
  terminate(): void;
}

/** The parts of Engine.IO's transports that its types leave out. */
interface Wire {
  socket?: GuardedSocket;
  /** The answer to the pending poll. */
  res?: ServerResponse | null;
}

/** `wsPreEncodedFrame`: bytes that stand for the packet's data, and for what comes with it (fan-out.ts). */
interface PacketOptions {
  wsPreEncodedFrame?: Buffer[];
}

/** What the rest of `connections/` does with a guarded connection. */
export interface Guard {
  /** Closes it for a breach that was seen elsewhere. */
  close(breach: Breach): void;
  /** Its CONNECT was accepted. */
  accept(): void;
  /** A WebSocket has been opened to which this connection may be upgraded. */
  watch(socket: GuardedSocket): void;
  /** As how many more requests its large packets count, so far. */
  readonly weight: Weight;
}

export interface Weight {
  readonly received: number;
}

/**
 * Holds one Engine.IO connection to what a client may do to it: one CONNECT, packets as they should be, few
 * control packets, and not more waiting for it than `maxQueue` bytes (0 lifts the limit). To be called before Socket.IO
 * gets hold of the connection.
 * @param onBreach called at most once per connection, when it is closed for a breach
 */
export function guard(
  conn: EngineSocket,
  source: Source,
  maxQueue: number,
  onBreach: (breach: Breach) => void,
): Guard {
  let told = false;
  let connects = 0;
  /** Bytes attached to the last packet so far: Socket.IO keeps them until all that the packet announces are there. */
  let attached = 0;
  let control = 0;
  let windowEnds = performance.now() + pingInterval;
  /** Set while Socket.IO handles a packet: what makes it close the connection then is that packet. */
  let handling = false;
  /** Bytes in Engine.IO's own buffer, which it empties whole into the transport. */
  let buffered = 0;
  let measuring = false;
  /** Answers to polls that are not out yet: a client may ask again and not read. */
  const answers = new Set<ServerResponse>();
  const weight = { received: 0 };
  let upgrading: GuardedSocket | undefined;
  let probes = 0;

  const wire = (): Wire => conn.transport as unknown as Wire;
  const waiting = (): number => {
    let bytes = buffered + (wire().socket?.bufferedAmount ?? 0);
    for (const answer of answers) bytes += answer.writableLength;
    return bytes;
  };
  const tell = (breach: Breach): void => {
    if (told) return;
    told = true;
    onBreach(breach);
  };
  const close = (breach: Breach): void => {
    tell(breach);
    const { socket } = wire();
    source.drop();
    // close() alone stays "closing" until the other side has taken everything, and keeps all of it until then.
    conn.close(true);
    socket?.terminate();
    upgrading?.terminate();
    // Only what still carries an answer to this client: a proxy may have given the TCP connection to another by now.
    for (const answer of answers) answer.destroy();
  };
  const countControl = (): void => {
    const now = performance.now();
    if (now > windowEnds) {
      control = 0;
      windowEnds = now + pingInterval;
    }
    if (++control > mostControlPackets) close('ping_flood');
  };
  const watch = (socket: GuardedSocket): void => {
    source.readSocket(socket);
    socket.on('ping', () => {
      // ws ends the connection by itself when too many pongs wait to be sent, and hands on this ping afterwards.
      if (socket.readyState !== WebSocket.OPEN) close('ping_flood');
      else countControl();
    });
    socket.on('pong', countControl);
    socket.on('error', ({ code }) => {
      if (code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH') tell('too_large');
      else if (code === 'WS_ERR_TOO_MANY_BUFFERED_PARTS') close('flood');
      else if (code?.startsWith('WS_ERR_')) tell('malformed');
    });
  };

  conn.on('packet', ({ type, data }: { type: string; data?: unknown }) => {
    weight.received += Math.floor(sizeOf(data) / receivedAsOne);
    attached = typeof data === 'string' ? 0 : attached + sizeOf(data);
    if (attached > maxPacketBytes) close('too_large');
    else if (type === 'message') {
      handling = true;
      // Each CONNECT costs a look-up in the store, whichever namespace it names.
      if (typeof data === 'string' && data.startsWith('0') && ++connects > 1) close('second_connect');
      // Acks, plain and binary: this server asks for none, and nothing else would ever count them.
      if (typeof data === 'string' && /^[36]/.test(data)) close('malformed');
    } else if (type === 'error') close('malformed');
    else countControl();
  });
  // After Socket.IO's own listener, which it adds in this turn.
  queueMicrotask(() => {
    conn.on('data', () => {
      handling = false;
      if (conn.readyState !== 'open') close('malformed');
    });
  });
  // Not left to Socket.IO, whose way of closing waits half a minute for a poll that may never come.
  const unconnected = setTimeout(() => close('no_connect'), connectTimeout);
  conn.on('close', (reason: string) => {
    clearTimeout(unconnected);
    if (handling) tell('malformed');
    // Nobody is there to take what is still queued: a stopped client, a cut cable.
    const { socket } = wire();
    if (reason === 'ping timeout') socket?.terminate();
    else if (socket && socket.readyState !== WebSocket.CLOSED) {
      const lingering = setTimeout(() => socket.terminate(), goodbye).unref();
      // ws reads on and throws away what comes, as fast as it comes.
      let left = mostAfterEnd;
      socket._socket.on('data', ({ length }: Buffer) => {
        left -= length;
        if (left < 0) socket.terminate();
      });
      // Or the timer would hold the connection and all that it has read until then.
      socket.on('close', () => clearTimeout(lingering));
    }
  });
  conn.on('packetCreate', ({ data, options }: { data?: unknown; options?: PacketOptions }) => {
    buffered += options?.wsPreEncodedFrame?.[0]?.length ?? sizeOf(data);
    if (maxQueue === 0 || measuring || waiting() <= maxQueue) return;
    // A batch of messages is handed over in one turn, before anything of it can be written. In the next turn the
    // kernel has taken the first of it, and Engine.IO hands it the rest; what then waits, waits for the reader.
    measuring = true;
    setImmediate(() =>
      setImmediate(() => {
        measuring = false;
        if (waiting() > maxQueue) close('slow_reader');
      }),
    );
  });
  conn.on('flush', () => {
    buffered = 0;
    const { res } = wire();
    if (!res) return;
    answers.add(res);
    res.on('close', () => answers.delete(res));
  });
  // Until the upgrade, Engine.IO tells nothing else of the new transport; each probe is answered on it.
  conn.on('upgrading', (transport: Wire) => {
    if (++probes > mostProbes) transport.socket?.terminate();
  });
  // Before ws's errors reach Engine.IO, which does not tell them from a cut cable.
  const { socket: first } = wire();
  if (first !== undefined) watch(first);
  return {
    close,
    accept: () => clearTimeout(unconnected),
    watch(socket) {
      // One that has failed may take its time to close, and a client may try as often as it likes.
      upgrading?.terminate();
      upgrading = socket;
      watch(socket);
    },
    weight,
  };
}

function sizeOf(data: unknown): number {
  if (typeof data === 'string') return Buffer.byteLength(data);
  return data instanceof Buffer ? data.length : 0;
}

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket as TcpSocket } from 'node:net';
import type { Writable } from 'node:stream';
import type { Server as EngineServer, Socket as EngineSocket } from 'engine.io';
import type { Server, Socket } from 'socket.io';
import { type ServerOptions, WebSocketServer } from 'ws';

/*
 * Everything that the server uses of Engine.IO, Socket.IO and ws beyond their public interfaces. It may change with any
 * release, so test/server/connections/internals.test.ts checks each part and names a missing one.
 */

/** A WebSocket of ws, with its private fields. */
export interface WsSocket {
  readonly readyState: number;
  /** The output in bytes that ws and the TCP connection have not passed to the kernel yet. */
  readonly bufferedAmount: number;
  /** The TCP connection. */
  readonly _socket: TcpSocket;
  /** The code of the received close frame, or 1006. */
  readonly _closeCode: number;
  /** The stream that parses frames. ws writes the TCP input to it. */
  readonly _receiver: Writable;
  on(event: 'ping' | 'pong' | 'close', listener: () => void): void;
  on(event: 'error', listener: (error: { code?: string }) => void): void;
  terminate(): void;
}

/** A transport of Engine.IO. */
export interface EngineTransport {
  readonly name: string;
  /** Undefined for polling. */
  readonly socket?: WsSocket;
  /** The response to the pending poll. */
  readonly res?: ServerResponse | null;
}

interface EngineInternals {
  readonly id: string;
  readonly transport: EngineTransport;
  /** Packets that Engine.IO has not passed to the transport yet. */
  readonly writeBuffer: readonly unknown[];
}

/** The options of a packet of Engine.IO. `wsPreEncodedFrame` replaces the frame that ws would send. */
export interface PacketOptions {
  compress?: boolean;
  wsPreEncodedFrame?: Buffer[];
}

export const internalsOf = (conn: EngineSocket): EngineInternals => conn as unknown as EngineInternals;

/** Returns ws's server class with limits that Engine.IO does not pass to it. */
export function limitedWebSockets(limits: { maxFragments: number; maxBufferedChunks: number }) {
  return class extends WebSocketServer {
    constructor(options: ServerOptions) {
      super({ ...options, ...limits });
    }
  };
}

type EngineRequest = Parameters<EngineServer['handleRequest']>[0];

/** Adds the parsed query, so that Engine.IO does not parse it again. */
export const withQuery = (req: IncomingMessage, { searchParams }: URL): EngineRequest =>
  Object.assign(req as EngineRequest, { _query: Object.fromEntries(searchParams) });

/** Returns the WebSocket that Engine.IO opened for an upgrade; undefined if it opened none. */
export const webSocketOf = (req: IncomingMessage): WsSocket | undefined =>
  (req as IncomingMessage & { websocket?: WsSocket }).websocket;

/** Stops Socket.IO from storing rooms, because it creates a room and a set of rooms for each connection. */
export function storeNoRooms(io: Pick<Server, 'of'>): void {
  const nothing = () => {};
  Object.assign(io.of('/').adapter, { addAll: nothing, delAll: nothing });
}

const noAcks = new Map<never, never>();

/**
 * Frees the handshake, the first request, and the map of pending acks. The map stays empty, because the server expects
 * no acks.
 */
export function freeHandshake(socket: Pick<Socket, 'conn'>): void {
  Object.assign(socket.conn, { request: null });
  Object.assign(socket, { handshake: null, acks: noAcks });
}

/**
 * Replaces the function that returns the ack of a request. Socket.IO's function searches the response for binary data
 * and writes each response separately.
 */
export function replaceAck<Connection>(
  socket: Connection,
  ack: (this: Connection, request: number) => (response: unknown) => number,
): void {
  Object.assign(socket as object, { ack });
}

import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';

/**
 * Node's `http` without an import, because an import would read all its exports. Reading `WebSocket` loads an HTTP
 * client that this server does not use: 15 MB, and a quarter of the CPU time of a start. Types can be imported as
 * usual.
 */
export const { createServer, STATUS_CODES } = process.getBuiltinModule('node:http');

/** The HTTP parser of a connection, which Node's types omit. */
interface Parser {
  /**
   * Called for each request. Node has no public way to delay a request, or to stop the parser within received input.
   */
  onIncoming(req: IncomingMessage & { upgrade?: boolean }, keepAlive: boolean): number;
}

export const parserOf = (socket: Socket): Parser => (socket as unknown as { parser: Parser }).parser;

/**
 * Node's `http`. An import of it reads all that it exports, and for its `WebSocket` loads a client for HTTP that this
 * server has no use for: 15 MB, and a quarter of the CPU of a start. Types can be imported as usual.
 */
export const { createServer, STATUS_CODES } = process.getBuiltinModule('node:http');

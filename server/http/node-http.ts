/**
 * Node's `http` without an import, which would read all its exports and for `WebSocket` load an HTTP client that this
 * server does not use: 15 MB, and a quarter of the CPU of a start. Types can be imported as usual.
 */
export const { createServer, STATUS_CODES } = process.getBuiltinModule('node:http');

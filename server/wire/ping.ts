/**
 * Time in ms between two pings of the server. Proxies must keep quiet connections longer. docs/protocol.md promises it.
 */
export const pingIntervalMs = 25_000;
/** A connection that does not respond to a ping within this time is closed. */
export const pongTimeoutMs = 20_000;

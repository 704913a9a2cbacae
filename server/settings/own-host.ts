import { isIP } from 'node:net';

/** Returns the host at which programs of this machine reach a server with this CHAT_HOST. */
export const ownHost = (host: string): string =>
  // A server on all addresses is also on the loopback address. With `::`, it accepts IPv4, which works without IPv6.
  ({ '0.0.0.0': '127.0.0.1', '::': '127.0.0.1' })[host] ?? host;

/** Joins a host, such as `::1`, and a port for an address. */
export const hostAndPort = (host: string, port: number): string =>
  `${host.includes(':') ? `[${host}]` : host}:${port}`;

/** Returns CHAT_TRUSTED_PROXIES for a proxy on this machine, which connects from the address that it connects to. */
export const ownProxies = (host: string): string => (isIP(host) === 0 ? '127.0.0.1,::1' : ownHost(host));

import { Resolver } from 'node:dns/promises';
import { type Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isIP, type LookupFunction, type Socket } from 'node:net';
import { isPublic } from './addresses.ts';

/** A URL from a user is forbidden, or its response cannot be used. */
export class NotFetched extends Error {}

export interface OutgoingRequest {
  method?: 'GET' | 'POST';
  /** Request headers, such as `Accept`. */
  headers: Record<string, string | number>;
  body?: Uint8Array;
  /** Hosts, as in `URL.host`, that may be requested even if they are private, on this machine, or at another port. */
  allowed: ReadonlySet<string>;
  /** Reuses connections. Without it, each request opens a connection. */
  agent?: HttpAgent;
  signal: AbortSignal;
}

/**
 * Requests a URL from a user without reaching into the internal network. The URL must use http or https, the default
 * port, and a public address of another machine. The checked address is the one that is connected to. Redirects are not
 * followed, and no cookies, `Referer` or credentials are added.
 * @returns the response, with any status; its body must be read or destroyed
 * @throws NotFetched for a forbidden URL
 * @throws the reason of `signal`, or the error of the connection
 */
export function request(
  url: URL,
  { method = 'GET', headers, body, allowed, agent, signal }: OutgoingRequest,
): Promise<IncomingMessage> {
  const { protocol, username, password, port, host } = url;
  const isAllowed = allowed.has(host);
  if (protocol !== 'http:' && protocol !== 'https:') throw new NotFetched(`scheme ${protocol}`);
  if (username !== '' || password !== '') throw new NotFetched('credentials in the address');
  if (port !== '' && !isAllowed) throw new NotFetched(`port ${port}`);
  const name = url.hostname.replace(/^\[|\]$/g, '');
  // An IP address is not resolved, so `lookup` does not check it.
  if (isIP(name) !== 0 && !isAllowed && !isPublic(name)) throw new NotFetched('not a public address');
  signal.throwIfAborted();
  return new Promise((done, reject) => {
    const asked = (protocol === 'https:' ? httpsRequest : httpRequest)(url, {
      method,
      agent: agent ?? false,
      headers,
      signal,
      lookup: isAllowed ? undefined : publicOnly(signal),
      // Allows many or long headers.
      maxHeaderSize: 16 * 1024,
    });
    asked.once('socket', (socket: Socket) => {
      const check = () => {
        const { localAddress, remoteAddress = '' } = socket;
        // A connection to a public address of this machine also starts at that address. The request has not been sent
        // yet.
        if (isAllowed) return;
        if (!isPublic(remoteAddress)) asked.destroy(new NotFetched('not a public address'));
        else if (localAddress === remoteAddress) asked.destroy(new NotFetched('an address of this machine'));
      };
      if (socket.connecting) socket.once('connect', check);
      else check();
    });
    asked.once('response', done);
    // The request no longer owns the connection, so neither its errors nor the signal would reject.
    asked.once('upgrade', (_, socket) => {
      socket.destroy();
      reject(new NotFetched('an upgrade'));
    });
    asked.on('error', reject);
    asked.end(body);
  });
}

/**
 * Resolves a name only if all its addresses are public. Queries the name servers directly and stops when `signal`
 * aborts. A lookup by the system would occupy one of few threads until a silent name server times out.
 */
const publicOnly =
  (signal: AbortSignal): LookupFunction =>
  (name, options, callback) => {
    resolve(name, signal).then(
      (addresses) => {
        const [first] = addresses;
        if (first === undefined || !addresses.every(({ address }) => isPublic(address))) {
          callback(new NotFetched('not a public address'), '', 0);
        } else if (options.all) callback(null, addresses);
        else callback(null, first.address, first.family);
      },
      (error: NodeJS.ErrnoException) => callback(error, '', 0),
    );
  };

/** Resolves a name to its IPv4 and IPv6 addresses. @throws Error with the code of `node:dns` if it has none */
async function resolve(name: string, signal: AbortSignal): Promise<{ address: string; family: number }[]> {
  // A name without a dot belongs to this machine or its network.
  if (!/\.[^.]/.test(name)) throw new NotFetched('not a public address');
  const resolver = new Resolver({ timeout: 2000, tries: 2 });
  const cancel = () => resolver.cancel();
  signal.addEventListener('abort', cancel, { once: true });
  try {
    const [v4, v6] = await Promise.allSettled([resolver.resolve4(name), resolver.resolve6(name)]);
    if (v4.status === 'rejected' && v6.status === 'rejected') throw v4.reason;
    const found = (answer: PromiseSettledResult<string[]>, family: 4 | 6) =>
      answer.status === 'fulfilled' ? answer.value.map((address) => ({ address, family })) : [];
    return [...found(v4, 4), ...found(v6, 6)];
  } finally {
    signal.removeEventListener('abort', cancel);
  }
}

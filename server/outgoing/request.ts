import { Resolver } from 'node:dns/promises';
import { type Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isIP, type LookupFunction, type Socket } from 'node:net';
import { isPublic } from './addresses.ts';

/** An address that a user names is not asked for: it is none of the public internet, or its answer cannot be used. */
export class NotFetched extends Error {}

export interface OutgoingRequest {
  method?: 'GET' | 'POST';
  /** Of the request, such as `Accept`. */
  headers: Record<string, string | number>;
  body?: Uint8Array;
  /** Hosts, as in `URL.host`, that may be asked although they are not public, of this machine, or at another port. */
  allowed: ReadonlySet<string>;
  /** Keeps connections for further requests; without it each request has its own. */
  agent?: HttpAgent;
  signal: AbortSignal;
}

/**
 * Asks an address that a user names, without reaching into our own network: only over http and https at their own ports,
 * only at public addresses of other machines, and the address that was checked is the one that is connected to. It
 * follows no redirect, and sends no cookies, no `Referer` and no credentials.
 * @returns the answer, whatever its status; its body must be read or destroyed
 * @throws NotFetched for an address that is not asked for
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
  // A connection to an address resolves no name.
  if (isIP(name) !== 0 && !isAllowed && !isPublic(name)) throw new NotFetched('no public address');
  signal.throwIfAborted();
  return new Promise((done, reject) => {
    const asked = (protocol === 'https:' ? httpsRequest : httpRequest)(url, {
      method,
      agent: agent ?? false,
      headers,
      signal,
      lookup: isAllowed ? undefined : publicOnly(signal),
      // Many or long headers.
      maxHeaderSize: 16 * 1024,
    });
    asked.once('socket', (socket: Socket) => {
      const check = () => {
        const { localAddress, remoteAddress = '' } = socket;
        // A connection to a public address of this machine begins at that address. No request has been sent yet.
        if (isAllowed) return;
        if (!isPublic(remoteAddress)) asked.destroy(new NotFetched('no public address'));
        else if (localAddress === remoteAddress) asked.destroy(new NotFetched('an address of this machine'));
      };
      if (socket.connecting) socket.once('connect', check);
      else check();
    });
    asked.once('response', done);
    // The request has let go of its connection by then, so neither an error of it nor the signal would reject.
    asked.once('upgrade', (_, socket) => {
      socket.destroy();
      reject(new NotFetched('an upgrade'));
    });
    asked.on('error', reject);
    asked.end(body);
  });
}

/**
 * Resolves a name whose addresses are all public. It asks the name servers itself and stops when `signal` aborts: a look-up
 * by the system keeps one of few threads until a silent name server times out, and others wait for it.
 */
const publicOnly =
  (signal: AbortSignal): LookupFunction =>
  (name, options, callback) => {
    resolve(name, signal).then(
      (addresses) => {
        const [first] = addresses;
        if (first === undefined || !addresses.every(({ address }) => isPublic(address))) {
          callback(new NotFetched('no public address'), '', 0);
        } else if (options.all) callback(null, addresses);
        else callback(null, first.address, first.family);
      },
      (error: NodeJS.ErrnoException) => callback(error, '', 0),
    );
  };

/** @throws Error with the code of `node:dns` if the name has neither IPv4 nor IPv6 addresses */
async function resolve(name: string, signal: AbortSignal): Promise<{ address: string; family: number }[]> {
  // Such a name belongs to this machine or its network.
  if (!/\.[^.]/.test(name)) throw new NotFetched('no public address');
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

import type { IncomingMessage } from 'node:http';
import { BlockList, isIP, isIPv6, type Socket } from 'node:net';

/** Maximum cached peers. Most connections come from few peers, and each address is looked up several times. */
const mostRemembered = 1000;

/**
 * A network peer. `key` is the unit of the limits by address. For IPv6 it is the /64 network, which one customer gets.
 */
interface End {
  address: string;
  key: string;
  /** Whether it is a proxy whose `X-Forwarded-For` is trusted. */
  trusted: boolean;
}

/** Determines the client's address for the limits by address. */
export class Addresses {
  readonly #proxies = new BlockList();
  /** By the socket's remote address. */
  readonly #peers = new Map<string, End>();

  /** @param trusted addresses and networks of proxies */
  constructor(trusted: readonly string[]) {
    for (const range of trusted) {
      const [address = '', bits] = range.split('/');
      const family = isIPv6(address) ? 'ipv6' : 'ipv4';
      if (bits === undefined) this.#proxies.addAddress(address, family);
      else this.#proxies.addSubnet(address, Number(bits), family);
    }
  }

  isProxy(address: string): boolean {
    return this.#end(plain(address)).trusted;
  }

  /** Whether the peer is a trusted proxy. */
  isProxied(socket: Socket): boolean {
    return this.#peer(socket).trusted;
  }

  /** Returns the limit key of the TCP peer, even if it is a proxy. */
  keyOfPeer(socket: Socket): string {
    return this.#peer(socket).key;
  }

  /** Returns the limit key of the client. */
  keyOf(request: Pick<IncomingMessage, 'socket' | 'headers'>): string {
    return this.#client(request).key;
  }

  /** Returns the address of the client. */
  addressOf(request: Pick<IncomingMessage, 'socket' | 'headers'>): string {
    return this.#client(request).address;
  }

  /**
   * Reads `X-Forwarded-For` from its end, because each trusted proxy appends the address of its peer. Everything left
   * of the first untrusted address may be forged.
   */
  #client({ socket, headers }: Pick<IncomingMessage, 'socket' | 'headers'>): End {
    let end = this.#peer(socket);
    if (!end.trusted) return end;
    const header = headers['x-forwarded-for'];
    const hops = (Array.isArray(header) ? header.join(',') : (header ?? '')).split(',');
    while (end.trusted) {
      const hop = plain(hops.pop()?.trim() ?? '');
      if (isIP(hop) === 0) break;
      end = this.#end(hop);
    }
    return end;
  }

  #peer({ remoteAddress = '' }: Socket): End {
    let end = this.#peers.get(remoteAddress);
    if (end === undefined) {
      end = this.#end(plain(remoteAddress));
      if (this.#peers.size === mostRemembered) this.#peers.clear();
      this.#peers.set(remoteAddress, end);
    }
    return end;
  }

  #end(address: string): End {
    const version = isIP(address);
    return {
      address,
      key: version === 6 ? network64(address) : address,
      trusted: version !== 0 && this.#proxies.check(address, version === 6 ? 'ipv6' : 'ipv4'),
    };
  }
}

/** Strips brackets, the port that some proxies append, and the IPv6 prefix of an IPv4 address. */
function plain(address: string): string {
  return address
    .replace(/^\[(.*)\](:\d+)?$/, '$1')
    .replace(/^(\d+\.\d+\.\d+\.\d+):\d+$/, '$1')
    .replace(/^::ffff:(?=\d+\.)/i, '');
}

/** Returns the /64 network of an IPv6 address in one canonical form. */
function network64(address: string): string {
  const [before = '', after] = address.split('%')[0]?.split('::') ?? [];
  const head = before === '' ? [] : before.split(':');
  const tail = after === undefined || after === '' ? [] : after.split(':');
  const missing = after === undefined ? 0 : Math.max(0, 8 - head.length - tail.length);
  const groups = [...head, ...Array<string>(missing).fill('0'), ...tail];
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`;
}

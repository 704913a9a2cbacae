import type { IncomingMessage } from 'node:http';
import { BlockList, isIP, isIPv6, type Socket } from 'node:net';

/** A host that is this machine, as a URL or a setting has it. */
export const loopback = /^(localhost|127(\.\d{1,3}){3}|\[?::1\]?)$/;

/** The addresses whose `X-Forwarded-For` counts. */
export function trustedProxies(ranges: readonly string[]): BlockList {
  const list = new BlockList();
  for (const range of ranges) {
    const [address = '', bits] = range.split('/');
    const family = isIPv6(address) ? 'ipv6' : 'ipv4';
    if (bits === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(bits), family);
  }
  return list;
}

/**
 * The key of the limits by address: the client's address; of IPv6 its /64, which is what one customer gets.
 *
 * `X-Forwarded-For` is read from its end: each trusted proxy appends the address that it got the request from, and
 * everything left of the first untrusted address may be forged.
 */
export function limitKey(
  { socket, headers }: Pick<IncomingMessage, 'socket' | 'headers'>,
  proxies: BlockList,
): string {
  let address = peer(socket);
  const header = headers['x-forwarded-for'];
  const hops = (Array.isArray(header) ? header.join(',') : (header ?? '')).split(',');
  while (isTrusted(address, proxies)) {
    const hop = plain(hops.pop()?.trim() ?? '');
    if (isIP(hop) === 0) break;
    address = hop;
  }
  return isIPv6(address) ? network64(address) : address;
}

/** Whether a trusted proxy is at the other end of the connection. */
export const isProxied = (socket: Socket, proxies: BlockList): boolean => isTrusted(peer(socket), proxies);

const peer = (socket: Socket): string => plain(socket.remoteAddress ?? '');

function isTrusted(address: string, proxies: BlockList): boolean {
  return isIP(address) !== 0 && proxies.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
}

/** An IPv4 address on an IPv6 socket is the same client; some proxies append the port. */
function plain(address: string): string {
  return address
    .replace(/^\[(.*)\](:\d+)?$/, '$1')
    .replace(/^(\d+\.\d+\.\d+\.\d+):\d+$/, '$1')
    .replace(/^::ffff:(?=\d+\.)/i, '');
}

/** The first four groups of an IPv6 address, written in full. */
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

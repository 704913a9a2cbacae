import { BlockList, isIP } from 'node:net';

/** Matches the hosts of this machine, as in URLs and settings. */
export const loopback = /^(localhost|127(\.\d{1,3}){3}|\[?::1\]?)$/;

/**
 * Networks that are not public, from the IANA registries of special purposes
 * (https://www.iana.org/assignments/iana-ipv4-special-registry and iana-ipv6-special-registry), and multicast. Includes
 * networks whose addresses embed an IPv4 address, because a gateway may forward to that address. Also includes the
 * address at which Azure serves settings and secrets of a machine
 * (https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16).
 */
const special: readonly (readonly [network: string, prefix: number])[] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['168.63.129.16', 32],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.31.196.0', 24],
  ['192.52.193.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['192.175.48.0', 24],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  // Multicast, reserved, broadcast.
  ['224.0.0.0', 3],
  // Protocol assignments, with Teredo.
  ['2001::', 23],
  ['2001:db8::', 32],
  // 6to4.
  ['2002::', 16],
  ['2620:4f:8000::', 48],
  ['3fff::', 20],
];

const blocked = new BlockList();
for (const [network, prefix] of special) {
  blocked.addSubnet(network, prefix, network.includes(':') ? 'ipv6' : 'ipv4');
}
/** The only IPv6 addresses that are allocated for the internet (RFC 4291). */
const global = new BlockList();
global.addSubnet('2000::', 3, 'ipv6');

/** Whether this IP address belongs to the public internet. */
export function isPublic(address: string): boolean {
  const version = isIP(address);
  if (version === 4) return !blocked.check(address);
  return version === 6 && global.check(address, 'ipv6') && !blocked.check(address, 'ipv6');
}

import { isIP } from 'node:net';

/** Returns the eight groups of an IPv6 address in hexadecimal digits, without leading zeros. Empty for any other text. */
export function splitIpv6(address: string): string[] {
  const bare = address.replace(/%.*$/, '');
  if (isIP(bare) !== 6) return [];
  // URL writes IPv4 parts in hexadecimal digits and shortens the longest run of zeros.
  const [before = '', after = ''] = new URL(`http://[${bare}]`).hostname.slice(1, -1).split('::');
  const [first, last] = [before, after].map((part) => part.split(':').filter(Boolean)) as [
    string[],
    string[],
  ];
  return [...first, ...Array<string>(8 - first.length - last.length).fill('0'), ...last];
}

/** Converts an IPv4 address in the form of IPv6 to its usual form. Returns other addresses unchanged. */
export const unmapIpv4 = (address: string): string => address.replace(/^::ffff:(?=\d+(?:\.\d+){3}$)/i, '');

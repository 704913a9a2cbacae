import { getCACertificates, setDefaultCACertificates } from 'node:tls';

/**
 * Makes all TLS connections of this process trust the certificate authorities of the system too, as other programs do.
 * Node only trusts its own list and `NODE_EXTRA_CA_CERTS`.
 */
export function trustSystemAuthorities(): void {
  const own = getCACertificates('default').map((one) => one.trim());
  const all = new Set([...own, ...getCACertificates('system').map((one) => one.trim())]);
  // Most systems have the same list, and replacing it takes time.
  if (all.size > new Set(own).size) setDefaultCACertificates([...all]);
}

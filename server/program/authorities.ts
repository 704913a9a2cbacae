import { existsSync } from 'node:fs';
import tls, { getCACertificates, setDefaultCACertificates } from 'node:tls';

/**
 * Makes all TLS connections of this process trust the certificate authorities of the system too, as other programs do.
 * Node only trusts its own list and `NODE_EXTRA_CA_CERTS`. They are loaded for the first connection, because they take
 * a tenth of the CPU of a start, and 6 MB.
 */
export function trustSystemAuthorities(env: NodeJS.ProcessEnv): void {
  // Node prints a warning if the folder is missing, as in small images.
  const isNamed = env.SSL_CERT_FILE !== undefined || env.SSL_CERT_DIR !== undefined;
  if (!isNamed && !existsSync('/etc/ssl/certs')) return;
  // Node's own `connect` calls this function through the module, too (lib/internal/tls/wrap.js).
  const { createSecureContext } = tls;
  tls.createSecureContext = (options) => {
    tls.createSecureContext = createSecureContext;
    loadSystemAuthorities();
    return createSecureContext(options);
  };
}

function loadSystemAuthorities(): void {
  const own = getCACertificates('default').map((one) => one.trim());
  const all = new Set([...own, ...getCACertificates('system').map((one) => one.trim())]);
  // Most systems have the same list, and replacing it takes time.
  if (all.size > new Set(own).size) setDefaultCACertificates([...all]);
}

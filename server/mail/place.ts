import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { loopback } from '../outgoing/addresses.ts';

/** An SMTP relay for mails to any address, and the login for it. */
export interface MailPlace {
  host: string;
  port: number;
  /** TLS from the first byte (`first`), after STARTTLS (`later`), or none. */
  tls: 'first' | 'later' | 'none';
  /** PEM certificates that replace the well-known authorities. */
  ca?: string;
  /** Absent if the server needs no login. */
  user?: string;
  password?: string;
}

/** Default ports: 465 and 587 for submission with a login, and 25 for a server on this machine without TLS. */
const ports = { first: 465, later: 587, none: 25 };

/**
 * Parses `smtps://[USER[:PASSWORD]@]HOST[:PORT]` with TLS from the first byte, or `smtp:` with STARTTLS. `ca=FILE` is
 * the certificate of a private authority. Without `ca` and `tls=on`, `smtp:` to this machine does not use TLS, because
 * nothing can intercept it and mail servers often lack a certificate for that name.
 * @returns undefined for anything else
 */
export function readMailPlace(url: string): MailPlace | undefined {
  // Not parsed by `URL`, which takes the user for the host if the password contains a slash.
  const parts =
    /^(smtps?):\/\/(?:([^:@/?#]+)(?::([^@/?#]*))?@)?(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::(\d{1,5}))?\/?(?:\?([^#@]*))?$/.exec(
      url,
    );
  if (parts === null) return undefined;
  const [, scheme, user, password, v6, name, port, query = ''] = parts;
  const host = v6 ?? name ?? '';
  const options = new Map(new URLSearchParams(query.replaceAll('+', '%2B')));
  if ([...options.keys()].some((option) => !['tls', 'ca'].includes(option))) return undefined;
  const file = options.get('ca');
  const asked = options.get('tls') ?? (file === undefined ? undefined : 'on');
  if (asked !== undefined && asked !== 'on') return undefined;
  const plain = asked === undefined && loopback.test(host);
  const tls = scheme === 'smtps' ? 'first' : plain ? 'none' : 'later';
  try {
    const ca = file && readFileSync(file, 'utf8');
    if (ca) new X509Certificate(ca);
    return {
      host,
      port: port === undefined ? ports[tls] : Number(port),
      tls,
      ca: ca || undefined,
      user: user ? decodeURIComponent(user) : undefined,
      password: password ? decodeURIComponent(password) : undefined,
    };
  } catch {
    return undefined;
  }
}

/** Returns the address for display, without user and password. */
export function placeOf({ host, port, tls }: MailPlace): string {
  return `${tls === 'first' ? 'smtps' : 'smtp'}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

import type { IncomingMessage } from 'node:http';

/** The target of a request. */
export interface Target {
  /** As sent, which is the same as in `url`. */
  path: string;
  url: URL;
}

/** `PATH`, `PATH?QUERY`, or the same after `http://HOST` (RFC 9112, section 3.2.2). */
const form = /^(?:https?:\/\/([^/?#]*))?(\/[^?#]*)(\?[^#]*)?$/i;
/** Paths in which dots can be a user id: a user may be called `..`, and dots are never encoded. */
const userOfDots = /^\/api\/users\/(?:\.|%2e){1,2}(?:\/(?:connections|ban|push|export))?$/i;

/**
 * The target of a request; null if a proxy could read it differently from this server, and so pass what it should
 * block: backslashes, dot segments, empty segments, raw characters that a URL encodes, a host that is none or differs from
 * `Host`.
 */
export function targetOf(req: IncomingMessage): Target | null {
  const hosts = req.headersDistinct.host ?? [];
  const [, authority, path, query = ''] = form.exec(req.url ?? '') ?? [];
  if (path === undefined || path.includes('//')) return null;
  // HTTP/1.0 has no `Host`; HTTP/1.1 has it once.
  if (hosts.length > 1 || (hosts.length === 0 && req.httpVersion === '1.1')) return null;
  if (authority !== undefined && authority.toLowerCase() !== hosts[0]?.toLowerCase()) return null;
  if (!URL.canParse(`http://${authority ?? 'localhost'}`)) return null;
  const url = new URL(`http://localhost${path}${query}`);
  return url.pathname === path || userOfDots.test(path) ? { path, url } : null;
}

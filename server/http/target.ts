import type { IncomingMessage } from 'node:http';

/** The target of a request. */
export interface Target {
  /** As sent, with what `leftRaw` finds encoded; it is the same as in `url`. */
  path: string;
  url: URL;
}

/** `PATH`, `PATH?QUERY`, or the same after `http://HOST` (RFC 9112, section 3.2.2). */
const form = /^(?:https?:\/\/([^/?#]*))?(\/[^?#]*)(\?[^#]*)?$/i;
/**
 * Characters without a meaning in a path, which are in names of files and users: nginx before 1.21.1 decodes them where a
 * location takes a part of the path away, and does not encode them again. A backslash, which it leaves too, can be a slash.
 */
const leftRaw = /["<>^`{|}]/g;
const hasNames = /^\/(?:files|api)\//;
/** Paths in which dots can be a user id: a user may be called `..`, and dots are never encoded. */
const userOfDots = /^\/api\/users\/(?:\.|%2e){1,2}(?:\/(?:connections|ban|push|export))?$/i;

/**
 * The target of a request; null if a proxy could read it differently from this server, and so pass what it should
 * block: backslashes, dot segments, empty segments, other raw characters that a URL encodes, a host that is none or differs
 * from `Host`.
 */
export function targetOf(req: IncomingMessage): Target | null {
  const hosts = req.headersDistinct.host ?? [];
  const [, authority, sent, query = ''] = form.exec(req.url ?? '') ?? [];
  if (sent === undefined || sent.includes('//')) return null;
  const path = hasNames.test(sent) ? sent.replace(leftRaw, encodeURIComponent) : sent;
  // HTTP/1.0 has no `Host`; HTTP/1.1 has it once.
  if (hosts.length > 1 || (hosts.length === 0 && req.httpVersion === '1.1')) return null;
  if (authority !== undefined && authority.toLowerCase() !== hosts[0]?.toLowerCase()) return null;
  if (!URL.canParse(`http://${authority ?? 'localhost'}`)) return null;
  const url = new URL(`http://localhost${path}${query}`);
  return url.pathname === path || userOfDots.test(path) ? { path, url } : null;
}

import type { IncomingMessage } from 'node:http';

/** The target of a request. */
export interface Target {
  /** The path as sent, with the characters of `leftRaw` encoded. `url` has another path only for `idOfDots`. */
  path: string;
  url: URL;
}

/** `PATH`, `PATH?QUERY`, or the same after `http://HOST` (RFC 9112, section 3.2.2). */
const form = /^(?:https?:\/\/([^/?#]*))?(\/[^?#]*)(\?[^#]*)?$/i;
/**
 * These characters have no meaning in a path, but occur in names of files and users. nginx before 1.21.1 decodes them
 * if a location strips part of the path, and does not encode them again. It also decodes a backslash, which is not
 * allowed here, because some software reads it as a slash.
 */
const leftRaw = /["<>^`{|}]/g;
const hasNames = /^\/(?:files|api)\//;
/** Paths in which dots can be an ID. A user may be called `..`, and clients never encode dots. */
const idOfDots =
  /^\/api\/(?:users\/(?:\.|%2e){1,2}(?:\/(?:connections|ban|push|export))?|sessions\/(?:\.|%2e){1,2})$/i;

/**
 * Returns the target of a request, or null if a proxy could read it differently and forward what it should block.
 * Rejects backslashes, dot segments, empty segments, other raw characters that a URL encodes, and a host that is
 * invalid or differs from `Host`.
 */
export function targetOf(req: IncomingMessage): Target | null {
  const hosts = req.headersDistinct.host ?? [];
  const [, authority, sent, query = ''] = form.exec(req.url ?? '') ?? [];
  if (sent === undefined || sent.includes('//')) return null;
  const path = hasNames.test(sent) ? sent.replace(leftRaw, encodeURIComponent) : sent;
  // Node parses HTTP/0.9 and HTTP/2.0 as if they were HTTP/1.1.
  if (req.httpVersionMajor !== 1) return null;
  // HTTP/1.0 needs no `Host`, and HTTP/1.1 exactly one.
  if (hosts.length > 1 || (hosts.length === 0 && req.httpVersion === '1.1')) return null;
  if (authority !== undefined && authority.toLowerCase() !== hosts[0]?.toLowerCase()) return null;
  if (!URL.canParse(`http://${authority ?? 'localhost'}`)) return null;
  const url = new URL(`http://localhost${path}${query}`);
  return url.pathname === path || idOfDots.test(path) ? { path, url } : null;
}

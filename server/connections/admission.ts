import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Credentials, Logins } from 'php-sessions';
import { isEmbedded } from '../http/answer.ts';
import { OpenLimit, type Rate, RateLimit, tryAgainAfter } from '../limits/by-key.ts';
import { loopback } from '../outgoing/addresses.ts';
import type { Drain } from '../requests/drain.ts';
import type { HttpErrorCode } from '../wire/errors.ts';
import { isListed, isOrigin } from '../wire/origins.ts';
import { Addresses } from './address.ts';

/** `retryAfterMs` is set for `rate_limited`. */
export interface HttpRefusal {
  code: HttpErrorCode;
  retryAfterMs?: number;
  /** Whether the page has an allowed origin, so that it may read the reason. */
  readable?: boolean;
  /** The doctor caused it, so it is neither logged nor counted. */
  isProbe?: true;
}

/** Observes how the requests of visitors and of the doctor arrive. */
export interface RequestObserver {
  /** Whether the doctor sent a request with this query parameter `doctor`. */
  isProbe(probe: string | null): boolean;
  observe(req: IncomingMessage, isTrustedProxy: boolean, probe: string | null): void;
  /** Called when a page of this origin is rejected. */
  refuseOrigin(origin: string, host: string | undefined): void;
}

/** HTTP connections per chat connection. Long-polling uses two at a time, and the page loads files. */
const httpConnectionsEach = 3;

/** Maximum characters of an origin. The time to parse a host that is not ASCII grows with the square of its length. */
const longestOrigin = 300;

/** Properties of a first request that later requests must repeat, because they are not authenticated again. */
interface Binding {
  login: string | null;
  origin: string | undefined;
}

/**
 * Decides which clients may open a connection, and checks that later requests come from the same client. It runs before
 * Engine.IO for every request and upgrade, because Engine.IO's own hook runs once per connection. Engine.IO's `cors`
 * does not stop a WebSocket from a foreign page.
 */
export class Admission {
  readonly #origins: ReadonlySet<string>;
  /** Scheme and host, without the port, of each listed origin. */
  readonly #hosts: ReadonlySet<string>;
  readonly #nativeClients: boolean;
  readonly #logins: Pick<Logins, 'binding'>;
  /**
   * By `sid`, for connections that started with polling. No client has a reason to send another request for a WebSocket
   * connection.
   */
  readonly #bindings = new Map<string, Binding>();
  readonly #addresses: Addresses;
  readonly #connects: RateLimit;
  /** Counts rejected requests, separately from `#connects`, because any foreign page can make a browser send them. */
  readonly #refused: RateLimit;
  readonly #open: OpenLimit;
  readonly #me: RateLimit;
  readonly #strangers: RateLimit;
  readonly #http: OpenLimit;
  /** The functions that release slots, by first request, until the connection is bound. */
  readonly #places = new WeakMap<IncomingMessage, () => void>();
  readonly #drain: Drain;
  readonly #observer: RequestObserver;

  constructor(
    options: {
      origins: readonly string[];
      nativeClients: boolean;
      trustedProxies: readonly string[];
      limitConnectAddress: Rate;
      limitConnectionsAddress: number;
      limitMe: Rate;
    },
    logins: Pick<Logins, 'binding'>,
    drain: Drain,
    observer: RequestObserver,
  ) {
    this.#drain = drain;
    this.#observer = observer;
    this.#origins = new Set(options.origins);
    this.#hosts = new Set(options.origins.map(schemeAndHost));
    this.#nativeClients = options.nativeClients;
    this.#logins = logins;
    this.#addresses = new Addresses(options.trustedProxies);
    this.#connects = new RateLimit(options.limitConnectAddress);
    this.#refused = new RateLimit(options.limitConnectAddress);
    this.#me = new RateLimit(options.limitMe);
    this.#strangers = new RateLimit(options.limitMe);
    this.#open = new OpenLimit(options.limitConnectionsAddress);
    this.#http = new OpenLimit(options.limitConnectionsAddress * httpConnectionsEach);
  }

  /**
   * Reserves a slot for an HTTP connection. Connections from a trusted proxy are not counted here, because `request`
   * counts them by the client's address.
   * @returns null if the address has too many, or a function that releases the slot when the connection closes or
   * becomes a WebSocket
   */
  connection(socket: Socket): (() => void) | null {
    if (this.#addresses.isProxied(socket)) return noPlace;
    return this.#http.take(this.#addresses.keyOfPeer(socket));
  }

  /**
   * Reserves a slot for a request through a trusted proxy, which occupies one of the proxy's connections.
   * @returns null if the address has too many, or a function that releases the slot
   */
  request(req: IncomingMessage): (() => void) | null {
    if (!this.#addresses.isProxied(req.socket)) return noPlace;
    const key = this.#addresses.keyOf(req);
    // Without a client address the request comes from the proxy itself.
    if (key === this.#addresses.keyOfPeer(req.socket)) return noPlace;
    return this.#http.take(key);
  }

  /** Returns the key of this request in the limits by address. */
  keyOf(req: IncomingMessage): string {
    return this.#addresses.keyOf(req);
  }

  /** Returns the account of clients without a login: their address. It differs from all user IDs. */
  accountOf(req: IncomingMessage): string {
    return `\0${this.keyOf(req)}`;
  }

  /**
   * Returns the parts of a request that identify its login.
   * @param own the session, ticket or guest that the client sent itself, not in a cookie
   */
  credentials(
    req: IncomingMessage,
    own: Pick<Credentials, 'session' | 'ticket' | 'guest'> = {},
  ): Credentials {
    const { cookie, 'user-agent': userAgent, 'x-forwarded-for': forwarded } = req.headers;
    const forwardedFor = Array.isArray(forwarded) ? forwarded.join(',') : forwarded;
    const [address, client] = [this.#addresses.addressOf(req), this.#addresses.keyOf(req)];
    // `isPageHost` outlives the request and must not keep it in memory.
    const bound = boundAddress(req);
    const isPageHost = (name: string) =>
      ['https', 'http'].some((scheme) => this.#isOwnHost(`${scheme}://${name}`, name, bound));
    return { cookies: cookie, ...own, address, client, userAgent, forwardedFor, isPageHost };
  }

  /**
   * Returns why a request or upgrade for Engine.IO is rejected. Otherwise returns null, and the first request of a
   * connection gets a slot.
   */
  refusal(req: IncomingMessage, url: URL, upgrade: boolean): HttpRefusal | null {
    const key = this.#addresses.keyOf(req);
    const probe = url.searchParams.get('doctor');
    const isProbe = this.isProbe(url);
    if (isProbe || (isOfBrowser(req) && !url.searchParams.has('sid')))
      this.#observer.observe(req, this.#addresses.isProxied(req.socket), probe);
    const code = this.#refusedFor(req, url, upgrade);
    if (code !== null && isProbe) return { code, readable: true, isProbe };
    if (code === 'origin_not_allowed') this.#observeOrigin(req);
    // Not rate-limited: a load balancer retries a request at another server after 503, but not after 429.
    if (code === 'server_draining') return { code, readable: true };
    if (code !== null) {
      const retryAfterMs = this.#refused.take(key);
      const readable = code !== 'origin_not_allowed';
      return retryAfterMs === null ? { code, readable } : { code: 'rate_limited', retryAfterMs, readable };
    }
    // Counts a connection once, with its first request, but not its polls and its upgrade.
    if (req.method === 'OPTIONS' || url.searchParams.get('sid')) return null;
    const release = this.#open.take(key);
    if (release === null) return { code: 'rate_limited', retryAfterMs: tryAgainAfter, readable: true };
    const retryAfterMs = this.#connects.take(key);
    if (retryAfterMs !== null) {
      release();
      return { code: 'rate_limited', retryAfterMs, readable: true };
    }
    this.#places.set(req, release);
    return null;
  }

  /** Whether the doctor sent this request. */
  isProbe(url: URL): boolean {
    return this.#observer.isProbe(url.searchParams.get('doctor'));
  }

  #observeOrigin(req: IncomingMessage): void {
    const { origin, host } = req.headers;
    if (origin === undefined || this.#allows(origin, req)) return;
    // A client that sends `https://www.example.org/,https://evil.example` must not make the doctor recommend it.
    if (origin.length <= longestOrigin && !/[*,]/.test(origin) && isOrigin(origin))
      this.#observer.refuseOrigin(origin, host);
  }

  #refusedFor(req: IncomingMessage, url: URL, upgrade: boolean): HttpErrorCode | null {
    const { origin } = req.headers;
    if (origin !== undefined && !this.#allows(origin, req)) return 'origin_not_allowed';
    // Browsers send `Origin` with each upgrade and POST. Without it, the request comes from an app.
    const needsOrigin = upgrade || req.method === 'POST';
    if (origin === undefined && needsOrigin && !this.#nativeClients) return 'origin_not_allowed';
    // Browsers load images and scripts of a foreign page without `Origin`. Apps do not send Sec-Fetch-Site.
    const site = req.headers['sec-fetch-site'] ?? 'none';
    const isOwn = (site === 'same-origin' || site === 'none') && !isEmbedded(req);
    if (origin === undefined && !isOwn) return 'origin_not_allowed';
    if (req.method === 'OPTIONS') return null;

    const query = url.searchParams;
    // For a duplicate key, Engine.IO gets the last value, but these checks read the first.
    if (new Set(query.keys()).size !== query.size) return 'bad_request';
    // JSONP is a script that any page can include, and no current client needs it.
    if (query.has('j')) return 'bad_request';
    if ((query.get('EIO') ?? '4') !== '4') return 'unsupported_protocol';
    const transport = query.get('transport');
    if (!query.has('EIO') || transport !== (upgrade ? 'websocket' : 'polling')) return 'bad_request';
    const sid = query.get('sid');
    if (req.method !== 'GET' && (req.method !== 'POST' || sid === null)) return 'bad_request';
    const binding = sid === null ? undefined : this.#bindings.get(sid);
    // An unknown connection may be one of another server. The load balancer retries there after this error.
    if (binding === undefined && this.#drain.started) return 'server_draining';
    if (sid === null) return null;
    // Engine.IO checks only the `sid` in the URL, so anyone who saw it could take over the connection.
    if (binding === undefined) return 'bad_request';
    if (binding.login !== this.#loginOf(req)) return 'session_changed';
    if (
      origin === undefined
        ? needsOrigin && binding.origin !== undefined
        : origin !== (binding.origin ?? origin)
    ) {
      return 'origin_not_allowed';
    }
    binding.origin ??= origin;
    return null;
  }

  /**
   * Binds the later requests of a connection to its first request, and takes over that request's slot.
   * @returns the function to call when the connection closes
   */
  bind(sid: string, first: IncomingMessage, webSocket: boolean): () => void {
    const { origin } = first.headers;
    if (!webSocket) this.#bindings.set(sid, { login: this.#loginOf(first), origin });
    const release = this.#places.get(first);
    this.#places.delete(first);
    return () => {
      this.#bindings.delete(sid);
      release?.();
    };
  }

  /**
   * Whether later requests of a connection are bound to its login. They are not if the site could not be read at the
   * first request.
   */
  isTied(sid: string): boolean {
    return this.#bindings.get(sid)?.login !== null;
  }

  #loginOf(req: IncomingMessage): string | null {
    return this.#logins.binding({ cookies: req.headers.cookie });
  }

  /** Whether a first request has a slot but no connection yet. */
  awaits(first: IncomingMessage): boolean {
    return this.#places.has(first);
  }

  /** Called when the first request ends. Releases its slot if it did not open a connection. */
  over(first: IncomingMessage): void {
    this.#places.get(first)?.();
    this.#places.delete(first);
  }

  /** Lets the page at the allowed `Origin` read the response. */
  allowReading(req: IncomingMessage, res: ServerResponse): void {
    res.setHeader('Vary', 'Origin');
    res.setHeader('X-Content-Type-Options', 'nosniff');
    if (req.headers.origin === undefined) return;
    res.setHeader('Access-Control-Allow-Origin', req.headers.origin);
    res.setHeader('Access-Control-Allow-Credentials', 'true');
    res.setHeader('Access-Control-Expose-Headers', 'Retry-After');
    if (req.method === 'OPTIONS') {
      res.setHeader('Access-Control-Allow-Methods', 'GET, POST');
      res.setHeader('Access-Control-Allow-Headers', 'Content-Type, Authorization');
      res.setHeader('Access-Control-Max-Age', '600');
    }
  }

  /**
   * Returns why `GET /me` is rejected, or null. It needs an allowed `Origin`, or the browser's confirmation that the
   * page has the same origin. Otherwise any page could learn who visits it.
   */
  refusalOfMe(req: IncomingMessage): HttpRefusal | null {
    const { origin } = req.headers;
    const allowed =
      origin === undefined
        ? req.headers['sec-fetch-site'] === 'same-origin' && !isEmbedded(req)
        : this.#allows(origin, req);
    if (!allowed) {
      this.#observeOrigin(req);
      return { code: 'origin_not_allowed' };
    }
    const retryAfterMs = this.#me.take(this.#addresses.keyOf(req));
    return retryAfterMs === null ? null : { code: 'rate_limited', retryAfterMs };
  }

  /**
   * Limits requests for files and exports without a valid session by address, because each reads the session store.
   * @returns milliseconds to wait, or a function that cancels the count once the session is valid
   */
  stranger(req: IncomingMessage): number | (() => void) {
    const [key, at] = [this.#addresses.keyOf(req), performance.now()];
    return this.#strangers.take(key, 1, at) ?? (() => this.#strangers.giveBack(key, at));
  }

  /**
   * Allows pages of an allowed origin, and apps that send their session themselves. A cookie alone may come from a
   * foreign page.
   * @param ownSession whether the app sends the session itself, not in a cookie
   */
  mayUpload(req: IncomingMessage, ownSession: boolean): boolean {
    const { origin } = req.headers;
    return origin === undefined ? this.#nativeClients && ownSession : this.#allows(origin, req);
  }

  /**
   * Whether the page may load a file. Browsers load pictures of a foreign page without `Origin`, but send
   * Sec-Fetch-Site.
   */
  mayDownload(req: IncomingMessage): boolean {
    const { origin, 'sec-fetch-site': site } = req.headers;
    return origin === undefined ? site !== 'cross-site' : this.#allows(origin, req);
  }

  #allows(origin: string, req: IncomingMessage): boolean {
    if (isListed(this.#origins, origin)) return true;
    // The server's own page has the origin to which the request was sent. The host name must be known to be ours,
    // because a page could make its own name point here (DNS rebinding).
    if (origin.length > longestOrigin || !URL.canParse(origin)) return false;
    const url = new URL(origin);
    if (url.origin !== origin || url.host !== req.headers.host || !/^https?:$/.test(url.protocol))
      return false;
    return this.#isOwnHost(schemeAndHost(origin), url.hostname, boundAddress(req));
  }

  /** Whether the host belongs to this server. @param host with its scheme, without the port */
  #isOwnHost(host: string, hostname: string, bound: string | undefined): boolean {
    const name = hostname.replace(/^\[|\]$/g, '');
    return loopback.test(hostname) || name === bound || isListed(this.#hosts, host);
  }
}

/** Browsers send one of these headers with each request of a script. */
const isOfBrowser = ({ headers }: IncomingMessage): boolean =>
  headers.origin !== undefined || headers['sec-fetch-site'] !== undefined;

function noPlace(): void {}

const boundAddress = (req: IncomingMessage) => req.socket.localAddress?.replace(/^::ffff:/, '');

function schemeAndHost(origin: string): string {
  const { protocol, hostname } = new URL(origin);
  return `${protocol}//${hostname}`;
}

/** Returns the fields for the log. They include the origin, because the operator must know it to allow it. */
export function reasonOf(code: string, req: IncomingMessage): { code: string; reason?: string } {
  if (code === 'origin_not_allowed' && req.headers.origin === undefined) {
    return {
      code,
      reason:
        'the header Origin is missing: sent by another site, or by an app while CHAT_NATIVE_CLIENTS is false',
    };
  }
  if (code === 'origin_not_allowed') {
    // Any client can choose the origin, and a terminal that shows the log would interpret control characters.
    const origin = req.headers.origin?.slice(0, 100).replace(/[^ -~]/g, '?');
    return { code, reason: `CHAT_ORIGINS does not list ${origin}` };
  }
  if (code === 'unsupported_protocol') return { code, reason: 'a client of Socket.IO 2 or older' };
  if (code === 'rate_limited' && req.headers['x-forwarded-for'] !== undefined) {
    return {
      code,
      reason: 'the client uses a proxy: if the proxy is yours, list it in CHAT_TRUSTED_PROXIES',
    };
  }
  return { code };
}

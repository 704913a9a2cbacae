import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { type Finding, ok, problem, warning } from 'php-sessions/doctor';
import { isPublic, loopback } from '../outgoing/addresses.ts';
import { pingIntervalMs } from '../wire/ping.ts';
import { minuteOf } from './failures.ts';

/** Older observations are not reported, because the cause may be gone. */
const maxAgeMs = 24 * 60 * 60_000;
/** Any client can choose an origin, and send requests from several addresses. */
const maxOrigins = 20;
const maxPeers = 20;
const maxProbes = 100;
/** Idle times of the last WebSockets that were cut. */
const maxCuts = 20;
/** As many equal idle times are not a coincidence. */
const minEqualCuts = 5;
/** Idle times of one proxy differ by less. */
const equalMs = 1500;
/** WebSockets that end sooner were cut by something else. */
const minIdleMs = 4000;

/** How a request reached this server. */
export interface Arrival {
  /** The address of the TCP peer, which is the proxy if there is one. */
  peer: string;
  /** Whether CHAT_TRUSTED_PROXIES lists the peer. */
  isTrusted: boolean;
  /** Whether the request has a header that only proxies send. */
  isForwarded: boolean;
  /** Whether `X-Forwarded-For` names the client. */
  namesClient: boolean;
  host: string;
  /** Whether `Host` is an address of this server behind the proxy, not of the site. */
  isOwnHost: boolean;
}

/** Returns how a request reached this server. @param isTrusted whether the TCP peer is a trusted proxy */
function arrivalOf({ headers, socket }: IncomingMessage, isTrusted: boolean): Arrival {
  const { host = '' } = headers;
  const name = host.replace(/:\d+$/, '').toLowerCase();
  const bound = socket.localAddress?.replace(/^::ffff:/, '');
  return {
    peer: socket.remoteAddress?.replace(/^::ffff:/, '') ?? '',
    isTrusted,
    isForwarded: Object.keys(headers).some((header) =>
      /^(forwarded|via|x-(forwarded-.*|real-ip))$/.test(header),
    ),
    namesClient: headers['x-forwarded-for'] !== undefined,
    host: shown(host),
    isOwnHost: loopback.test(name) || name === bound,
  };
}

/** Any client can choose these texts. */
const shown = (text: string) => text.slice(0, 100).replace(/[^ -~]/g, '?');

const forwardClient =
  'Let the proxy send the address of the client, in nginx: proxy_set_header X-Forwarded-For $remote_addr; See docs/install.md.';
const forwardHost =
  'Let the proxy pass the host on, in nginx: proxy_set_header Host $http_host; in Apache: ProxyPreserveHost On. See docs/install.md.';

/** Returns the faults of a proxy that a request through it shows. @param url the address that the browser requested */
export function* proxyFaults(
  { peer, isTrusted, isForwarded, namesClient, host, isOwnHost }: Arrival,
  trustedProxies: readonly string[],
  url?: URL,
): Generator<Finding> {
  // Any client on the internet can send these headers, but not from an address near the server.
  const certain = url !== undefined || !isPublic(peer) ? problem : warning;
  if (isForwarded && !isTrusted)
    yield certain(
      `Requests come through the proxy ${peer}, which CHAT_TRUSTED_PROXIES does not list, so all visitors share the limits of one address.`,
      `If ${peer} is your proxy: CHAT_TRUSTED_PROXIES=${[...trustedProxies, peer].join(',')}`,
    );
  if (isTrusted && !namesClient)
    yield problem(
      `The proxy ${peer} does not send X-Forwarded-For, so all visitors share the limits of one address.`,
      forwardClient,
    );
  if (url === undefined ? isTrusted && isOwnHost : host.toLowerCase() !== url.host.toLowerCase())
    yield problem(
      `The proxy passes the host ${host || '(none)'} to the chat server instead of ${url?.host ?? 'the host of the site'}, so pages of the chat server itself may not connect.`,
      forwardHost,
    );
}

interface RefusedOrigin {
  count: number;
  last: number;
  /** Whether the page has the host at which it requests the chat. */
  isSameHost: boolean;
}

/** What the requests of visitors show about the settings and the proxy. */
export class Arrivals {
  readonly #origins = new Map<string, RefusedOrigin>();
  /** The latest request of a browser from each peer. */
  readonly #peers = new Map<string, Arrival & { at: number }>();
  readonly #probes = new Map<string, Arrival | undefined>();
  readonly #cuts: { idleMs: number; at: number }[] = [];
  readonly #settings: { origins: readonly string[]; trustedProxies: readonly string[] };

  constructor(settings: { origins: readonly string[]; trustedProxies: readonly string[] }) {
    this.#settings = settings;
  }

  /** Records that pages of this origin may not connect. */
  refuseOrigin(origin: string, host: string | undefined): void {
    const name = shown(origin);
    const { count } = this.#origins.get(name) ?? { count: 0 };
    const isSameHost = URL.canParse(origin) && new URL(origin).host === host;
    // Moves it to the end, so that the origin that was refused least recently is dropped.
    this.#origins.delete(name);
    this.#origins.set(name, { count: count + 1, last: Date.now(), isSameHost });
    dropFirst(this.#origins, maxOrigins);
  }

  /** Records how a request of the doctor or of a browser arrived. */
  observe(req: IncomingMessage, isTrustedProxy: boolean, probe: string | null): void {
    const arrival = arrivalOf(req, isTrustedProxy);
    if (probe !== null && this.#probes.has(probe)) return void this.#probes.set(probe, arrival);
    this.#peers.delete(arrival.peer);
    this.#peers.set(arrival.peer, { ...arrival, at: Date.now() });
    dropFirst(this.#peers, maxPeers);
  }

  /** Records that a WebSocket ended without a close frame, as when a proxy cuts it. */
  cut(idleMs: number): void {
    if (idleMs < minIdleMs || idleMs >= pingIntervalMs) return;
    this.#cuts.push({ idleMs, at: Date.now() });
    if (this.#cuts.length > maxCuts) this.#cuts.shift();
  }

  /** Returns the name of a new probe, which the doctor adds to its requests. They are not logged or counted. */
  openProbe(): string {
    const probe = randomUUID();
    this.#probes.set(probe, undefined);
    dropFirst(this.#probes, maxProbes);
    return probe;
  }

  isProbe(probe: string | null): boolean {
    return probe !== null && this.#probes.has(probe);
  }

  /** Returns how the last request of a probe arrived. */
  probed(probe: string): Arrival | undefined {
    return this.#probes.get(probe);
  }

  *findings(): Generator<Finding> {
    const since = Date.now() - maxAgeMs;
    const origins = [...this.#origins].filter(([, { last }]) => last >= since);
    for (const [origin, refused] of origins) yield this.#describeOrigin(origin, refused);
    const peers = [...this.#peers.values()].filter(({ at }) => at >= since);
    const faults = peers.flatMap((peer) => [...proxyFaults(peer, this.#settings.trustedProxies)]);
    yield* faults;
    const cutAfter = this.#cutAfter(since);
    if (cutAfter !== undefined) yield describeCut(cutAfter);
    if (origins.length === 0 && faults.length === 0 && peers.length > 0)
      yield ok('The requests of visitors arrive as they should.');
  }

  #describeOrigin(origin: string, { count, last, isSameHost }: RefusedOrigin): Finding {
    const { origins } = this.#settings;
    const text = `Pages of ${origin} may not connect: CHAT_ORIGINS does not list it. ${count} requests were rejected, the last at ${minuteOf(last)}.`;
    // Any client can name an origin, and a page of another site can have the host of the chat (DNS rebinding).
    const advice = adviseOrigin(origins, origin, 'Only if pages of your site have this origin, add it');
    const isOwn = isSameHost || origins.some((listed) => isSimilar(listed, origin));
    return isOwn ? problem(text, advice) : warning(text, advice);
  }

  /** Returns the idle time after which WebSockets are cut regularly, in ms. */
  #cutAfter(since: number): number | undefined {
    const idle = this.#cuts.flatMap(({ idleMs, at }) => (at >= since ? [idleMs] : []));
    for (const first of idle.toSorted((a, b) => a - b)) {
      const equal = idle.filter((other) => other >= first && other < first + equalMs);
      if (equal.length >= minEqualCuts && 2 * equal.length > idle.length) return first;
    }
    return undefined;
  }
}

/** Returns how to admit pages of an origin. */
export function adviseOrigin(origins: readonly string[], origin: string, add = 'Add it'): string {
  const similar = origins.find((listed) => isSimilar(listed, origin));
  const difference =
    similar === undefined ? '' : ` ${similar} is another origin: scheme, host and port must be the same.`;
  return `${add}, and restart the server: CHAT_ORIGINS=${[...origins, origin].join(',')}.${difference}`;
}

/** @param idleMs after how long a WebSocket without traffic was cut */
export const describeCut = (idleMs: number): Finding =>
  problem(
    `The proxy cuts WebSockets that are quiet for ${Math.round(idleMs / 1000)} s, before the chat server pings them after ${pingIntervalMs / 1000} s, so users reconnect again and again.`,
    'Let the proxy wait for 60 s, in nginx: proxy_read_timeout 60s; See docs/install.md.',
  );

/** Whether two origins are those of one site, such as with and without `www.`. */
export const isSimilar = (one: string, other: string): boolean => bareHost(one) === bareHost(other);

const bareHost = (origin: string) => URL.parse(origin)?.hostname.replace(/^www\./, '') ?? origin;

function dropFirst<Key>(map: Map<Key, unknown>, max: number): void {
  if (map.size <= max) return;
  for (const key of map.keys()) {
    map.delete(key);
    return;
  }
}

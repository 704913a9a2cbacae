import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { type Finding, ok, problem, warning } from 'php-sessions/doctor';
import { WebSocket } from 'ws';
import { adviseOrigin, describeCut, proxyFaults } from '../health/arrivals.ts';
import type { LocalServer } from '../health/local-socket.ts';
import { loopback } from '../outgoing/addresses.ts';
import type { Config } from '../settings/config.ts';
import { pingIntervalMs } from '../wire/ping.ts';
import { localAddress } from './running.ts';
import { isOnSite } from './server.ts';

const requestTimeoutMs = 5000;
/** The first packet of the server has about 100 bytes, its errors fewer than 1000. */
const maxPacketBytes = 64 * 1024;
/** Several, because a load balancer that chooses servers at random may keep a single one on one server by chance. */
const pollingConnections = 4;
const firstPingTimeoutMs = pingIntervalMs + 7000;
/** Origins of CHAT_ORIGINS that are tried. */
const maxOrigins = 10;

/** A response of a proxy or of the chat server. */
interface Response {
  status: number;
  text: string;
  location?: string | undefined;
  /** The code of an error of the chat server. Undefined if the chat server did not send the response. */
  code?: string | undefined;
}

/**
 * Checks that browsers reach the chat at this address through all proxies, by what a browser does. With several
 * servers, also checks that polling stays at one server.
 * @param cookieName the cookie of logins, because a load balancer may choose the server by it
 * @param server the running server, if it answers on this machine
 * @param isPatient whether to wait for the first ping, half a minute
 */
export async function* checkReachability(
  config: Config,
  cookieName: string,
  address: string,
  { server, isPatient }: { server: LocalServer | undefined; isPatient: boolean },
): AsyncGenerator<Finding> {
  const base = new URL(`${address.replace(/\/+$/, '')}/`);
  const origins = originsFor(config, base);
  const probe = await server?.openProbe();
  const way: Way = { base, cookieName, probe, origin: origins[0] ?? base.origin };

  let lost = 0;
  for (let n = 0; n < pollingConnections; n++) {
    // A load balancer may choose the server by this value.
    const session = crypto.randomUUID();
    try {
      const first = await poll(way, session, '');
      const sid = /^0.*"sid":"([^"]+)"/.exec(first.text)?.[1];
      if (first.status !== 200 || sid === undefined) return yield describeOther(first, config, base);
      const query = `&sid=${encodeURIComponent(sid)}`;
      // A packet without effect. A CONNECT would need a login, and leave a warning in the log.
      const posted = await poll(way, session, query, '6');
      if (posted.code === 'origin_not_allowed') return yield describeOther(posted, config, base, way.origin);
      // A chat server that does not know the connection answers 400.
      if (posted.code === undefined && ![200, 400].includes(posted.status))
        return yield problem(
          `The web server rejects POST requests to ${address} (status ${posted.status}), so files cannot be uploaded, and browsers without WebSocket cannot chat.`,
          'Let the web server forward all methods below this path.',
        );
      if (posted.status !== 200) lost++;
      else await poll(way, session, query, '1');
    } catch (error) {
      const reason = reasonOf(error);
      return yield problem(`The chat cannot be reached at ${address} (${reason}).`, advise(reason));
    }
  }
  const upgraded = await upgrade(way);
  yield upgraded === null
    ? ok(`A WebSocket reaches the chat at ${address}.`)
    : upgraded.code === 'origin_not_allowed'
      ? describeOther(upgraded, config, base, way.origin)
      : problem(
          `WebSockets do not reach the chat at ${address}, so all users fall back to polling, which is slower.`,
          'Configure the proxy to forward the WebSocket upgrade. See docs/install.md.',
        );
  yield lost === 0
    ? ok('Polling also reaches the chat, and stays on one server.')
    : warning(
        `Polling does not stay on one server: ${lost} of ${pollingConnections} connections were lost. Browsers without WebSocket cannot use the chat.`,
        'Let the load balancer choose the server by the address of the client. See docs/operate/several-servers.md.',
      );
  if (upgraded === null) {
    for (const origin of origins.slice(1)) {
      const refused = await upgrade({ ...way, origin });
      if (refused?.code === 'origin_not_allowed') yield describeOther(refused, config, base, origin);
    }
  }
  // A request from this machine to the port itself goes through no proxy.
  const isDirect = loopback.test(base.hostname) && Number(base.port) === config.port;
  const arrival = probe && !isDirect && (await server?.arrivalOf(probe));
  if (arrival) {
    const faults = [...proxyFaults(arrival, config.trustedProxies, base)];
    if (faults.length > 0) yield* faults;
    else yield ok('The host and the address of the client reach the chat server.');
  }
  if (config.files.kind !== 'off') yield* checkUpload(way, config.limitFile);
  if (upgraded !== null || !isPatient || server === undefined) return;
  const cutAfterMs = await idleCut(way, server);
  if (cutAfterMs === null) yield ok('A quiet WebSocket stays open until the first ping.');
  else if (cutAfterMs !== undefined) yield describeCut(cutAfterMs);
}

/** Returns the origins of pages that must connect: those of CHAT_ORIGINS, and the chat's own. */
function originsFor({ origins, logins }: Config, base: URL): string[] {
  // The `*` of an entry matches any name, so `www` will do.
  const listed = origins.map((origin) => origin.replace('*', 'www'));
  return [...new Set(isOnSite(base, logins) ? [base.origin, ...listed] : listed)].slice(0, maxOrigins);
}

/** How the requests of the doctor are sent. */
interface Way {
  base: URL;
  cookieName: string;
  origin: string;
  /** Lets the server recognise the requests of the doctor. */
  probe: string | undefined;
}

const headersOf = ({ cookieName, origin }: Way, session: string) => ({
  cookie: `${cookieName}=${session}`,
  origin,
  // An open connection would keep the doctor running.
  connection: 'close',
});

const endpointOf = ({ base, probe }: Way, transport: string) =>
  `${base.href}socket.io/?EIO=4&transport=${transport}${probe === undefined ? '' : `&doctor=${probe}`}`;

async function poll(way: Way, session: string, query: string, body?: string): Promise<Response> {
  const response = await fetch(`${endpointOf(way, 'polling')}${query}`, {
    ...(body !== undefined && { method: 'POST', body }),
    headers: { ...(body !== undefined && { 'content-type': 'text/plain' }), ...headersOf(way, session) },
    redirect: 'manual',
    signal: AbortSignal.timeout(requestTimeoutMs),
  });
  const text = await response.text();
  const location = response.headers.get('location') ?? undefined;
  return { status: response.status, text, location, code: codeIn(text) };
}

/** Returns the code of an error of the chat server. Undefined for any other text. */
function codeIn(text: string): string | undefined {
  try {
    const { code } = (JSON.parse(text) as { error: { code?: unknown } }).error;
    return typeof code === 'string' ? code : undefined;
  } catch {
    return undefined;
  }
}

/** Describes a response that is not the one of a working chat. @param origin the `Origin` of the request */
function describeOther(
  { status, code, location }: Response,
  { host, port, origins }: Config,
  base: URL,
  origin = base.origin,
): Finding {
  const address = base.href.replace(/\/$/, '');
  const at = localAddress(host, port);
  if (code === 'origin_not_allowed')
    return problem(
      `The chat server rejects pages of ${origin} (status ${status}).`,
      origins.includes(origin)
        ? 'CHAT_ORIGINS lists this origin, so restart the server, and let the proxy pass the header Origin on.'
        : adviseOrigin(origins, origin),
    );
  if (code === 'rate_limited')
    return problem(
      'The chat server rejects further requests of this address (status 429).',
      'Check CHAT_TRUSTED_PROXIES, or try again later.',
    );
  if (code === 'server_draining')
    return problem('The chat server is stopping (status 503).', 'Start it again, and run this again.');
  if (status >= 500)
    return problem(
      `The web server answers at ${address}, but the chat server behind it does not (status ${status}).`,
      `Start the chat server. If it runs, let the proxy forward to its address: ${at}`,
    );
  if (location !== undefined)
    return problem(
      `There is no chat at ${address}: it redirects to ${location.slice(0, 200)}.`,
      'Use the address to which it redirects, also in CHAT_URL and in the tag.',
    );
  if (status === 401 || status === 403)
    return problem(
      `The web server rejects requests to ${address} (status ${status}).`,
      'Let the web server admit all visitors to this path, without a password.',
    );
  return problem(
    `There is no chat at ${address}: /socket.io/ returns status ${status}.`,
    'Configure the proxy to forward this path without its prefix. See docs/install.md.',
  );
}

const reasonOf = (error: unknown): string => {
  const { name, code, cause } = error as NodeJS.ErrnoException & { cause?: { code?: string } };
  return cause?.code ?? code ?? name;
};

/** Returns what to do about a failed connection. @param reason the code of an error of the connection */
function advise(reason: string): string {
  if (/ALTNAME/.test(reason))
    return 'The certificate does not name this host: give the web server a certificate for it.';
  if (/CERT|SELF_SIGNED|UNABLE_TO_VERIFY/.test(reason))
    return 'This machine does not trust the certificate, and browsers may not either. If your own authority issued it, put NODE_EXTRA_CA_CERTS=FILE before the command, where FILE is the certificate of that authority.';
  if (/ENOTFOUND|EAI_AGAIN/.test(reason))
    return 'This machine cannot resolve the host: correct the address or the DNS.';
  return 'Check that the web server listens at this address, and that no firewall blocks this machine.';
}

const openWebSocket = (way: Way): WebSocket =>
  new WebSocket(endpointOf(way, 'websocket').replace(/^http/, 'ws'), {
    headers: headersOf(way, crypto.randomUUID()),
    maxPayload: maxPacketBytes,
  });

/** Opens a WebSocket. @returns null if the first packet arrives, otherwise the response */
function upgrade(way: Way): Promise<Response | null> {
  return new Promise((resolve) => {
    const socket = openWebSocket(way);
    const timeout = setTimeout(() => socket.terminate(), requestTimeoutMs);
    socket.on('message', () => {
      resolve(null);
      socket.close();
    });
    socket.on('unexpected-response', (_, response: IncomingMessage) => {
      textOf(response).then(
        (text) => resolve({ status: response.statusCode ?? 0, text, code: codeIn(text) }),
        () => resolve({ status: response.statusCode ?? 0, text: '' }),
      );
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      clearTimeout(timeout);
      resolve({ status: 0, text: '' });
    });
  });
}

async function textOf(response: IncomingMessage): Promise<string> {
  let text = '';
  for await (const piece of response.setEncoding('utf8')) {
    text += piece;
    if (text.length > maxPacketBytes) break;
  }
  return text;
}

/**
 * Opens a WebSocket, and sends nothing until the first ping.
 * @returns the ms after which it was cut, null if the ping arrives, or undefined if it does not reach this server. Other
 * servers do not know the doctor, and close it.
 */
async function idleCut(way: Way, server: LocalServer): Promise<number | null | undefined> {
  const probe = await server.openProbe();
  if (probe === undefined) return undefined;
  const socket = openWebSocket({ ...way, probe });
  const timeout = setTimeout(() => socket.terminate(), firstPingTimeoutMs);
  // An error also closes it.
  socket.on('error', () => {});
  const next = (event: 'message' | 'close') =>
    new Promise<typeof event>((resolve) => socket.once(event, () => resolve(event)));
  const closed = next('close');
  try {
    if ((await Promise.race([next('message'), closed])) === 'close') return undefined;
    const openedAt = performance.now();
    if ((await server.arrivalOf(probe)) === undefined) return undefined;
    const end = await Promise.race([next('message'), closed]);
    return end === 'close' ? performance.now() - openedAt : null;
  } finally {
    clearTimeout(timeout);
    socket.terminate();
  }
}

/**
 * Checks that the proxy accepts the largest file. Announces it without sending it, because proxies compare the announced
 * length, and the chat server rejects an upload without a login before it reads it.
 */
async function* checkUpload(way: Way, maxBytes: number): AsyncGenerator<Finding> {
  const url = new URL('files', way.base);
  const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
  const request = send(url, {
    method: 'POST',
    headers: {
      ...headersOf(way, ''),
      'content-length': maxBytes,
      'content-type': 'application/octet-stream',
    },
    signal: AbortSignal.timeout(requestTimeoutMs),
  });
  try {
    request.flushHeaders();
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    if (response.statusCode !== 413 || codeIn(await textOf(response)) !== undefined) return;
    yield problem(
      `The web server rejects uploads of ${inMegabytes(maxBytes)}, the limit of CHAT_LIMIT_FILE (status 413).`,
      `Let the web server accept them, in nginx: client_max_body_size ${Math.ceil(maxBytes / 1024 / 1024)}m; See docs/install.md.`,
    );
  } catch {
    // A proxy that first reads the whole file has accepted its length.
  } finally {
    request.on('error', () => {});
    request.destroy();
  }
}

const inMegabytes = (bytes: number) => `${Math.round((10 * bytes) / 1024 / 1024) / 10} MB`;

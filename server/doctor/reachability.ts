import { randomUUID } from 'node:crypto';
import type { Finding } from 'php-sessions/doctor';
import { WebSocket } from 'ws';
import type { Config } from '../settings/config.ts';
import { ok, problem, warning } from './finding.ts';

const requestTimeoutMs = 5000;
/** The first packet of the server has about 100 bytes. */
const maxPacketBytes = 64 * 1024;
/** Several, because a load balancer that chooses servers at random may keep a single one on one server by chance. */
const pollingConnections = 4;

/**
 * Checks that browsers reach the chat at this address through all proxies. With several servers, also checks that
 * polling stays at one server.
 * @param cookieName the cookie of logins, because a load balancer may choose the server by it
 */
export async function* checkReachability(
  { origins }: Pick<Config, 'origins'>,
  cookieName: string,
  address: string,
): AsyncGenerator<Finding> {
  const url = `${address.replace(/\/+$/, '')}/socket.io/?EIO=4`;
  // The `*` of an entry matches any name, so `www` will do.
  const origin = origins[0]?.replace('*', 'www');
  const headersFor = (session: string) => ({
    cookie: `${cookieName}=${session}`,
    ...(origin === undefined ? {} : { origin }),
    // An open connection would keep the doctor running.
    connection: 'close',
  });
  const poll = async (session: string, query: string, body?: string) => {
    const response = await fetch(`${url}&transport=polling${query}`, {
      ...(body !== undefined && { method: 'POST', body }),
      headers: { ...(body !== undefined && { 'content-type': 'text/plain' }), ...headersFor(session) },
      redirect: 'manual',
      signal: AbortSignal.timeout(requestTimeoutMs),
    });
    return { status: response.status, text: await response.text() };
  };

  let lost = 0;
  for (let n = 0; n < pollingConnections; n++) {
    // A load balancer may choose the server by this value. The server rejects unknown sessions only at the CONNECT.
    const session = `doctor-${randomUUID()}`;
    try {
      const first = await poll(session, '');
      const sid = /^0.*"sid":"([^"]+)"/.exec(first.text)?.[1];
      if (first.status !== 200 || sid === undefined) {
        return yield problem(
          `There is no chat at ${address}: /socket.io/ returns status ${first.status}.`,
          'Configure the proxy to forward this path without its prefix. See docs/install.md.',
        );
      }
      const query = `&sid=${encodeURIComponent(sid)}`;
      const connect = await poll(session, query, '40');
      if (connect.status !== 200 || (await poll(session, query)).status !== 200) lost++;
    } catch (error) {
      const { name, cause } = error as Error & { cause?: { code?: string } };
      const reason = cause?.code ?? name;
      return yield problem(`The chat cannot be reached at ${address} (${reason}).`, advise(reason));
    }
  }
  yield (await receivesPacket(`${url.replace(/^http/, 'ws')}&transport=websocket`, headersFor('doctor')))
    ? ok(`A WebSocket reaches the chat at ${address}.`)
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
}

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

function receivesPacket(url: string, headers: Record<string, string>): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = new WebSocket(url, { headers, maxPayload: maxPacketBytes });
    const timeout = setTimeout(() => socket.terminate(), requestTimeoutMs);
    socket.on('message', () => {
      resolve(true);
      socket.terminate();
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      clearTimeout(timeout);
      resolve(false);
    });
  });
}

import { randomUUID } from 'node:crypto';
import type { Finding } from 'php-sessions/doctor';
import { WebSocket } from 'ws';
import type { Config } from '../settings/config.ts';
import { ok, problem, warning } from './finding.ts';

/** Milliseconds that one request may take. */
const patience = 5000;
/** Bytes of the first packet; the chat sends about a hundred. */
const mostBytes = 64 * 1024;
/** Polling connections that are tried. A load balancer that chooses at random gets some of them right. */
const connections = 4;

/**
 * For the doctor: checks that browsers reach the chat at this address through all proxies and, with several servers,
 * that browsers without WebSocket stay at one server.
 * @param cookieName of the cookie of logins
 */
export async function* checkWayFromBrowser(
  { origins }: Config,
  cookieName: string,
  address: string,
): AsyncGenerator<Finding> {
  const base = `${address.replace(/\/+$/, '')}/socket.io/?EIO=4`;
  // Any name stands for the `*` of an entry.
  const origin = origins[0]?.replace('*', 'www');
  const headersWith = (session: string) => ({
    cookie: `${cookieName}=${session}`,
    ...(origin === undefined ? {} : { origin }),
    // An open connection would keep the doctor from ending.
    connection: 'close',
  });
  const ask = async (session: string, query: string, body?: string) => {
    const init =
      body === undefined ? {} : { method: 'POST', body, headers: { 'content-type': 'text/plain' } };
    const answer = await fetch(`${base}&transport=polling${query}`, {
      ...init,
      headers: { ...init.headers, ...headersWith(session) },
      redirect: 'manual',
      signal: AbortSignal.timeout(patience),
    });
    return { status: answer.status, text: await answer.text() };
  };

  let lost = 0;
  for (let n = 0; n < connections; n++) {
    // A session of nobody: the server says so only over the connection, and the balancer may choose the server by the
    // session.
    const session = `doctor-${randomUUID()}`;
    try {
      const first = await ask(session, '');
      const sid = /^0.*"sid":"([^"]+)"/.exec(first.text)?.[1];
      if (first.status !== 200 || sid === undefined) {
        return yield problem(
          `At ${address} there is no chat: /socket.io/ is answered with ${first.status}.`,
          'Does the proxy pass this path on, and without its prefix? See docs/install.md.',
        );
      }
      const query = `&sid=${encodeURIComponent(sid)}`;
      const sent = await ask(session, query, '40');
      // The answer is that nobody is logged in.
      if (sent.status !== 200 || (await ask(session, query)).status !== 200) lost++;
    } catch (error) {
      const reason = reasonOf(error);
      return yield problem(`The chat cannot be reached at ${address} (${reason}).`, reachAdvice(reason));
    }
  }
  yield (await opens(`${base.replace(/^http/, 'ws')}&transport=websocket`, headersWith('doctor')))
    ? ok(`A WebSocket reaches the chat at ${address}.`)
    : problem(
        `No WebSocket reaches the chat at ${address}: everybody is served by polling, which is slower.`,
        'Let the proxy pass the upgrade on. See docs/install.md.',
      );
  yield lost === 0
    ? ok('Polling reaches the chat, too, and stays at its server.')
    : warning(
        `Polling does not stay at its server: ${lost} of ${connections} connections were lost. Browsers without WebSocket cannot use the chat.`,
        `Let the load balancer choose the server by the cookie ${cookieName}. See docs/operate.md.`,
      );
}

function reasonOf(error: unknown): string {
  const { name, cause } = error as Error & { cause?: { code?: string } };
  return cause?.code ?? name;
}

function reachAdvice(reason: string): string {
  if (/ALTNAME/.test(reason))
    return 'The certificate does not name this host: give the web server a certificate for it.';
  if (/CERT|SELF_SIGNED|UNABLE_TO_VERIFY/.test(reason))
    return 'This machine does not trust the certificate, and neither may browsers. If your own authority has issued it, put NODE_EXTRA_CA_CERTS=FILE before the command, with the certificate of that authority.';
  if (/ENOTFOUND|EAI_AGAIN/.test(reason))
    return 'This machine does not find the host: correct the address, or the DNS.';
  return 'Does the web server run and listen at this address, and does a firewall let this machine in?';
}

/** Whether a packet of the server comes over a WebSocket. */
function opens(url: string, headers: Record<string, string>): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = new WebSocket(url, { headers, maxPayload: mostBytes });
    // A server that is silent does not close, either, and the doctor would never end.
    const late = setTimeout(() => socket.terminate(), patience);
    socket.on('message', () => {
      resolve(true);
      socket.terminate();
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      clearTimeout(late);
      resolve(false);
    });
  });
}

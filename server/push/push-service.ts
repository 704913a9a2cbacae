import type { IncomingMessage } from 'node:http';
import { Agent } from 'node:https';
import { NotFetched, request } from '../outgoing/request.ts';
import { retryAfter } from '../outgoing/retry-after.ts';
import { UnderWay } from '../outgoing/under-way.ts';
import { encrypted, type SubscriptionKeys } from './encryption.ts';
import { authorization, type VapidKey } from './vapid.ts';

/** Timeout of a request, in milliseconds. */
export const answerTime = 10_000;
/** Maximum bytes of a response. */
const mostAnswer = 4096;
/** How long a push service keeps a push for an offline device, in seconds. */
export const keptFor = 24 * 60 * 60;
/** Maximum connections to one push service. */
const mostConnections = 16;
/**
 * Errors that occur before the push is sent. After any other error the service may have accepted it, so it is not
 * retried.
 */
export const beforeSending: ReadonlySet<string> = new Set([
  'EAI_AGAIN',
  'ENOTFOUND',
  'ENODATA',
  'ESERVFAIL',
  'EREFUSED',
  'ETIMEOUT',
  'ECONNREFUSED',
  'ENETUNREACH',
  'EHOSTUNREACH',
]);
/** Maximum length of an endpoint. Browsers use shorter ones. */
const longestEndpoint = 2048;

/** The hosts of the browsers' push services. `*.` matches all subdomains. */
const known = [
  // Chrome, Edge on Android, Opera, Samsung Internet, Brave.
  'fcm.googleapis.com',
  'updates.push.services.mozilla.com',
  '*.push.services.mozilla.com',
  '*.push.apple.com',
  '*.notify.windows.com',
];

export interface Push {
  /** At most `mostPlain` bytes. */
  text: Uint8Array;
  /** A newer push replaces an undelivered one with the same topic. At most 32 characters of A-Z a-z 0-9 - _. */
  topic: string;
  urgency: 'low' | 'normal' | 'high';
}

/**
 * The result of a push. `gone`: the subscription ended. `busy`: retry it. `wait` is the delay that the service asks for
 * in milliseconds, or 0. `silent`: the service did not respond. `reason` contains no free text from the response.
 */
export type PushOutcome =
  | { is: 'sent' }
  | { is: 'gone' }
  | { is: 'busy'; wait: number; reason: string; silent?: true }
  | { is: 'refused'; reason: string; silent?: true };

/** The outcome of a push that is not sent, because this server is shutting down. Another server may send it. */
export const ending: PushOutcome = { is: 'busy', wait: 0, reason: 'this server is shutting down' };

/** Sends pushes to the push services of browsers (RFC 8030). Endpoints come from users, so they can be any URL. */
export class PushServices {
  readonly #contact: string;
  readonly #allowed: ReadonlySet<string>;
  readonly #agent = new Agent({
    keepAlive: true,
    maxSockets: mostConnections,
    maxFreeSockets: 2,
    timeout: answerTime,
  });
  readonly #underWay = new UnderWay();

  /**
   * @param contact a `mailto:` or `https:` URL for the operators of push services
   * @param allowed hosts, as in `URL.host`, that the operator permits besides `known`; they need not be public
   */
  constructor(contact: string, allowed: ReadonlySet<string>) {
    this.#contact = contact;
    this.#allowed = allowed;
  }

  /**
   * Whether pushes may be sent to this endpoint. It must be an https URL of an allowed host, or of a known host on the
   * default port.
   */
  takes(endpoint: string): boolean {
    return this.#urlOf(endpoint) !== undefined;
  }

  #urlOf(endpoint: string): URL | undefined {
    if (endpoint.length > longestEndpoint || !URL.canParse(endpoint)) return undefined;
    const url = new URL(endpoint);
    const { protocol, username, password, host, port, hostname } = url;
    if (protocol !== 'https:' || username !== '' || password !== '') return undefined;
    if (this.#allowed.has(host)) return url;
    const isKnown = known.some((one) =>
      one.startsWith('*.') ? hostname.endsWith(one.slice(1)) : hostname === one,
    );
    return port === '' && isKnown ? url : undefined;
  }

  /** Sends one push. Never rejects. Redirects are not followed and count as `refused`. */
  async send(endpoint: string, keys: SubscriptionKeys, vapid: VapidKey, push: Push): Promise<PushOutcome> {
    const url = this.#urlOf(endpoint);
    // The operator may have removed the host from CHAT_PUSH_HOSTS since the device was registered.
    if (url === undefined)
      return { is: 'refused', reason: 'the push service is neither known nor listed in CHAT_PUSH_HOSTS' };
    if (this.#underWay.isClosed) return ending;
    try {
      const body = encrypted(push.text, keys);
      const signature = await authorization(vapid, url.origin, this.#contact, Date.now());
      return await this.#underWay.run(async (end) => {
        const answer = await request(url, {
          method: 'POST',
          headers: {
            Authorization: signature,
            'Content-Encoding': 'aes128gcm',
            'Content-Type': 'application/octet-stream',
            'Content-Length': body.length,
            TTL: keptFor,
            Topic: push.topic,
            Urgency: push.urgency,
          },
          body,
          allowed: this.#allowed,
          agent: this.#agent,
          signal: end,
        });
        await read(answer);
        return outcomeOf(answer);
      }, answerTime);
    } catch (error) {
      if (error instanceof NotFetched) return { is: 'refused', reason: error.message };
      const { code, reason } = noAnswer(error);
      return beforeSending.has(code)
        ? { is: 'busy', wait: 0, reason, silent: true }
        : { is: 'refused', reason, silent: true };
    }
  }

  /** Aborts the requests in flight and closes all connections. */
  close(): void {
    this.#underWay.close();
    this.#agent.destroy();
  }
}

/** Describes why there was no response. */
export function noAnswer(error: unknown): { code: string; reason: string } {
  const { code = 'no code', cause } = error as NodeJS.ErrnoException;
  // Node sets the abort reason of the signal as `cause`.
  const isLate = (cause as Error | undefined)?.name === 'TimeoutError';
  return { code, reason: isLate ? `no answer within ${answerTime / 1000} s` : `no answer (${code})` };
}

/** Reads the whole response, because the connection cannot be reused before. Closes it after `mostAnswer` bytes. */
function read(answer: IncomingMessage): Promise<void> {
  return new Promise((done) => {
    let bytes = 0;
    answer.on('data', (piece: Buffer) => {
      bytes += piece.length;
      if (bytes > mostAnswer) answer.destroy();
    });
    answer.on('error', () => {});
    answer.on('close', done);
  });
}

function outcomeOf({ statusCode: status = 0, headers }: IncomingMessage): PushOutcome {
  if (status >= 200 && status < 300) return { is: 'sent' };
  if (status === 404 || status === 410) return { is: 'gone' };
  const reason = `status ${status}`;
  if (status === 429 || (status >= 500 && status < 600)) {
    return { is: 'busy', wait: retryAfter(headers['retry-after']), reason };
  }
  return { is: 'refused', reason };
}

import type { IncomingMessage } from 'node:http';
import { Agent } from 'node:https';
import { NotFetched, request } from '../outgoing/request.ts';
import { retryAfter } from '../outgoing/retry-after.ts';
import { UnderWay } from '../outgoing/under-way.ts';
import { encrypted, type SubscriptionKeys } from './encryption.ts';
import { authorization, type VapidKey } from './vapid.ts';

/** Milliseconds that a push service has to answer. */
export const answerTime = 10_000;
/** Bytes of an answer. */
const mostAnswer = 4096;
/** Seconds for which a service keeps a push for a browser or device that is off. */
export const keptFor = 24 * 60 * 60;
/** Connections to one service. */
const mostConnections = 16;
/** Failures before anything was sent. After others the service may have taken the push, which is not sent twice. */
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
/** Longer than any endpoint that a browser gives. */
const longestEndpoint = 2048;

/** The services of the browsers: a host, or (`*.`) all hosts below it. */
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
  /** A newer push of the same topic takes the place of one that the browser has not got yet: at most 32 of A-Z a-z 0-9 - _. */
  topic: string;
  urgency: 'low' | 'normal' | 'high';
}

/** How a service has answered. `gone`: the subscription has ended. `busy`: to be tried again after `wait` milliseconds. */
export type PushOutcome =
  | { is: 'sent' }
  | { is: 'gone' }
  | { is: 'busy'; wait: number; reason: string }
  /** `reason` repeats nothing of an answer. */
  | { is: 'refused'; reason: string };

/** Nothing was sent, since this server ends: another one may send it. */
export const ending: PushOutcome = { is: 'busy', wait: 0, reason: 'this server ends' };

/** Sends pushes to the services of the browsers, RFC 8030. An endpoint is named by a user, who may name any address. */
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
   * @param contact `mailto:` or `https:`
   * @param allowed hosts, as in `URL.host`, that the operator adds to the known ones; they need not be public
   */
  constructor(contact: string, allowed: ReadonlySet<string>) {
    this.#contact = contact;
    this.#allowed = allowed;
  }

  /** Whether a push may be sent there: over https, at its own port, to a service that is known or allowed. */
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

  /** Sends one push. Never rejects. A redirect is a refusal. */
  async send(endpoint: string, keys: SubscriptionKeys, vapid: VapidKey, push: Push): Promise<PushOutcome> {
    const url = this.#urlOf(endpoint);
    // The operator may have taken a host off the list since.
    if (url === undefined)
      return { is: 'refused', reason: 'no push service that is known or in CHAT_PUSH_HOSTS' };
    if (this.#underWay.isClosed) return ending;
    try {
      const body = encrypted(push.text, keys);
      return await this.#underWay.run(async (end) => {
        const answer = await request(url, {
          method: 'POST',
          headers: {
            Authorization: authorization(vapid, url.origin, this.#contact, Date.now()),
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
      return beforeSending.has(code) ? { is: 'busy', wait: 0, reason } : { is: 'refused', reason };
    }
  }

  /** Ends the requests under way. */
  close(): void {
    this.#underWay.close();
    this.#agent.destroy();
  }
}

/** Why no answer came. */
export function noAnswer(error: unknown): { code: string; reason: string } {
  const { code = 'no code', cause } = error as NodeJS.ErrnoException;
  // Node gives the reason of the signal as the cause.
  const isLate = (cause as Error | undefined)?.name === 'TimeoutError';
  return { code, reason: isLate ? `no answer within ${answerTime / 1000} s` : `no answer (${code})` };
}

/** The connection can be used again only after the whole answer; a longer one ends it. */
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

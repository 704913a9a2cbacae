import { createHmac } from 'node:crypto';
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { retryAfter } from '../outgoing/retry-after.ts';

/** Timeout for the response to an event, in milliseconds. */
const eventTimeoutMs = 15_000;
/** Maximum bytes of the response. */
export const maxAnswerBytes = 64 * 1024;

export interface Posted {
  /** Absent if there was no response. */
  status?: number;
  /** The delay before further events that the site asks for, in milliseconds. */
  wait?: number;
  /** Describes the result for the log, without text of the response. */
  reason: string;
  /** The body, with status 200. Absent if it is incomplete, or larger than `maxAnswerBytes`. */
  body?: string;
}

/** A URL of the site that receives signed requests, by Standard Webhooks 1.0 (https://www.standardwebhooks.com). */
export class Endpoint {
  readonly #url: URL;
  readonly #keys: readonly Uint8Array[];
  readonly #timeoutMs: number;
  readonly #agent: HttpAgent;

  /** @param most maximum connections */
  constructor(url: URL, keys: readonly Uint8Array[], most: number, timeoutMs = eventTimeoutMs) {
    this.#url = url;
    this.#keys = keys;
    this.#timeoutMs = timeoutMs;
    const Agent = url.protocol === 'https:' ? HttpsAgent : HttpAgent;
    this.#agent = new Agent({ keepAlive: true, maxSockets: most, maxFreeSockets: 4 });
  }

  /** Posts a body, signed with each key. Never rejects. Redirects are not followed and count as failures. */
  post(id: string, body: string): Promise<Posted> {
    const timestamp = String(Math.floor(Date.now() / 1000));
    const signatures = this.#keys.map(
      (key) => `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')}`,
    );
    const headers = {
      'Content-Type': 'application/json',
      'Content-Length': Buffer.byteLength(body),
      'User-Agent': 'php-session-chat',
      'webhook-id': id,
      'webhook-timestamp': timestamp,
      'webhook-signature': signatures.join(' '),
    };
    const { promise, resolve } = Promise.withResolvers<Posted>();
    const send = this.#url.protocol === 'https:' ? httpsRequest : httpRequest;
    const request = send(this.#url, {
      method: 'POST',
      headers,
      agent: this.#agent,
      maxHeaderSize: 16 * 1024,
    });
    const late = setTimeout(() => {
      resolve({ reason: `no answer within ${this.#timeoutMs / 1000} s` });
      request.destroy();
    }, this.#timeoutMs).unref();
    request.on('error', ({ code = 'no code' }: NodeJS.ErrnoException) =>
      resolve({ reason: `no answer (${code})` }),
    );
    request.on('response', (response) => {
      // Reads the whole response, because the connection cannot be reused before.
      const pieces: Buffer[] = [];
      let bytes = 0;
      response.on('data', (piece: Buffer) => {
        bytes += piece.length;
        pieces.push(piece);
        if (bytes > maxAnswerBytes) response.destroy();
      });
      response.on('error', () => {});
      response.on('close', () => {
        const isUsable = response.statusCode === 200 && response.complete && bytes <= maxAnswerBytes;
        resolve({ ...postedOf(response), ...(isUsable ? { body: Buffer.concat(pieces).toString() } : {}) });
      });
    });
    // An upgrade emits neither a response nor an error.
    request.on('upgrade', (response, socket) => {
      socket.destroy();
      resolve(postedOf(response));
    });
    request.on('close', () => clearTimeout(late));
    request.end(body);
    return promise;
  }

  /** Aborts the requests in flight. */
  close(): void {
    this.#agent.destroy();
  }
}

function postedOf({ statusCode: status = 0, headers }: IncomingMessage): Posted {
  const isBusy = [429, 502, 503, 504].includes(status);
  const wait = isBusy ? retryAfter(headers['retry-after']) : 0;
  return { status, wait: wait > 0 ? wait : undefined, reason: `status ${status}` };
}

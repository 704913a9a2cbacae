import { createPrivateKey, type KeyObject } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { request } from '../outgoing/request.ts';
import { retryAfter } from '../outgoing/retry-after.ts';
import { UnderWay } from '../outgoing/under-way.ts';
import { answerTime, beforeSending, ending, keptFor, noAnswer, type PushOutcome } from './push-service.ts';
import { signedToken } from './signed-token.ts';

// Firebase Cloud Messaging, HTTP v1 API (https://firebase.google.com/docs/cloud-messaging/send/v1-api). A signed
// assertion requests the OAuth token (RFC 7523).

/** A Firebase project, and the service account that sends for it. */
export interface ServiceAccount {
  project: string;
  email: string;
  key: KeyObject;
  /** The OAuth endpoint that issues access tokens. */
  tokenUrl: URL;
}

/** Maximum characters of a response. */
const mostAnswer = 64 * 1024;
const scope = 'https://www.googleapis.com/auth/firebase.messaging';
/** The lifetime of an assertion, in seconds. */
const assertionTime = 600;
/** An access token is not used in the last seconds of its lifetime. */
const slack = 60;

/** Parses the key file of a service account. @returns undefined if it is invalid */
export function readServiceAccount(text: string): ServiceAccount | undefined {
  try {
    const { type, project_id, client_email, private_key, token_uri } = JSON.parse(text) as Record<
      string,
      string
    >;
    if (type !== 'service_account' || !project_id || !client_email || !private_key || !token_uri)
      return undefined;
    return {
      project: project_id,
      email: client_email,
      key: createPrivateKey(private_key),
      tokenUrl: new URL(token_uri),
    };
  } catch {
    return undefined;
  }
}

/** Sends data messages to apps. An app fetches the chat message before it shows a notification. */
export class Fcm {
  readonly #account: ServiceAccount;
  readonly #url: URL;
  readonly #underWay = new UnderWay();
  #token: { promise: Promise<string>; until: number } | undefined;

  constructor(account: ServiceAccount, origin = 'https://fcm.googleapis.com') {
    this.#account = account;
    this.#url = new URL(`/v1/projects/${encodeURIComponent(account.project)}/messages:send`, origin);
  }

  /** Sends to the app with the registration token `device`. Never rejects. */
  async send(
    device: string,
    { data, isUrgent }: { data: Readonly<Record<string, string>>; isUrgent: boolean },
  ): Promise<PushOutcome> {
    if (this.#underWay.isClosed) return ending;
    const priority = isUrgent ? 'high' : 'normal';
    const message = { token: device, data, android: { priority, ttl: `${keptFor}s` } };
    const body = JSON.stringify({ message });
    let token: string | undefined;
    try {
      token = await this.#accessToken();
      const first = await this.#post(token, body);
      if (first.answer.statusCode !== 401) return outcomeOf(first.answer, first.text);
      // The token expired early, so FCM did not accept the push.
      token = undefined;
      token = await this.#accessToken();
      const second = await this.#post(token, body);
      return outcomeOf(second.answer, second.text);
    } catch (error) {
      if (error instanceof NoToken && error.isBusy) return { is: 'busy', wait: 0, reason: error.message };
      if (error instanceof Unusable) return { is: 'refused', reason: error.message };
      const { code, reason } = noAnswer(error);
      // Without a token, nothing was sent.
      const isSure = token === undefined || beforeSending.has(code);
      return isSure ? { is: 'busy', wait: 0, reason, silent: true } : { is: 'refused', reason, silent: true };
    }
  }

  /** Aborts the requests in progress. */
  close(): void {
    this.#underWay.close();
  }

  async #post(token: string, body: string) {
    const headers = { 'Content-Type': 'application/json', Authorization: `Bearer ${token}` };
    const used = this.#token;
    const posted = await this.#underWay.run((end) => post(this.#url, headers, body, end), answerTime);
    // Another request may have replaced the token already.
    if (posted.answer.statusCode === 401 && this.#token === used) this.#token = undefined;
    return posted;
  }

  /** Returns the access token that all requests share, or requests a new token if it is about to expire. */
  async #accessToken(): Promise<string> {
    if (this.#token === undefined || this.#token.until < Date.now()) {
      const token = { promise: this.#newToken(), until: Number.POSITIVE_INFINITY };
      this.#token = token;
      token.promise.catch(() => {
        if (this.#token === token) this.#token = undefined;
      });
    }
    return this.#token.promise;
  }

  async #newToken(): Promise<string> {
    const { email, key, tokenUrl } = this.#account;
    const at = Math.floor(Date.now() / 1000);
    const claims = { iss: email, scope, aud: tokenUrl.href, iat: at, exp: at + assertionTime };
    const body = new URLSearchParams({
      grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
      assertion: await signedToken('RS256', claims, key),
    });
    const form = { 'Content-Type': 'application/x-www-form-urlencoded' };
    const { answer, text } = await this.#underWay.run(
      (end) => post(tokenUrl, form, `${body}`, end),
      answerTime,
    );
    const { access_token: token, expires_in: seconds } = fieldsOf(text);
    if (answer.statusCode !== 200 || typeof token !== 'string' || typeof seconds !== 'number')
      throw new NoToken(answer.statusCode);
    if (this.#token !== undefined) this.#token.until = Date.now() + (seconds - slack) * 1000;
    return token;
  }
}

/** A response that cannot be used. */
class Unusable extends Error {}

class NoToken extends Unusable {
  /** A later request may get a token. */
  readonly isBusy: boolean;

  constructor(status = 0) {
    super(`no token: status ${status}`);
    this.isBusy = status === 429 || status >= 500;
  }
}

async function post(url: URL, headers: Record<string, string>, body: string, signal: AbortSignal) {
  const bytes = Buffer.from(body);
  const allowed = new Set([url.host]);
  const length = { 'Content-Length': bytes.length };
  const answer = await request(url, {
    method: 'POST',
    headers: { ...headers, ...length },
    body: bytes,
    allowed,
    signal,
  });
  let text = '';
  for await (const piece of answer.setEncoding('utf8')) {
    text += piece;
    if (text.length > mostAnswer) throw new Unusable('the response is too long');
  }
  return { answer, text };
}

function outcomeOf({ statusCode: status = 0, headers }: IncomingMessage, text: string): PushOutcome {
  if (status === 200) return { is: 'sent' };
  const code = errorCodeOf(text);
  // The app was uninstalled. SENDER_ID_MISMATCH does not prove that, because CHAT_FCM may name the wrong project.
  if (code === 'UNREGISTERED') return { is: 'gone' };
  const reason = `status ${status}${code === undefined ? '' : ` ${code}`}`;
  if (status === 429 || status >= 500) {
    return { is: 'busy', wait: retryAfter(headers['retry-after']), reason };
  }
  return { is: 'refused', reason };
}

/** Returns the FCM error code from the `details` of an error response. */
function errorCodeOf(text: string): string | undefined {
  const { error } = fieldsOf(text) as { error?: { details?: unknown } };
  const details = Array.isArray(error?.details) ? (error.details as unknown[]) : [];
  const codes = details.map((one) => (one as { errorCode?: unknown } | null)?.errorCode);
  return codes.find((code): code is string => typeof code === 'string' && /^[A-Z_]{1,40}$/.test(code));
}

function fieldsOf(text: string): Record<string, unknown> {
  try {
    return Object(JSON.parse(text)) as Record<string, unknown>;
  } catch {
    return {};
  }
}

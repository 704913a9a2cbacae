import type { IncomingMessage, ServerResponse } from 'node:http';
import { answerError, answerJson } from './answer.ts';
import { answerUnauthorized, hasKey, readBody } from './api.ts';

export interface MailInRoute {
  /** The keys of the API. */
  keys: readonly string[];
  /** Maximum bytes of a mail. */
  maxBytes: number;
  draining(): boolean;
  /**
   * Takes a mail.
   * @returns what became of it
   * @throws RequestError if it must be delivered again
   */
  take(bytes: Buffer, recipient: string | undefined): Promise<string>;
}

/** Maximum characters of a recipient. */
const longestRecipient = 320;
/** Maximum mails at a time, because each is in memory. A mail server delivers few at a time. */
const mostAtOnce = 16;
/** The time in ms after which a mail beyond the maximum should be delivered again. */
const againAfter = 5000;

/** Receives mails from the command `receive-mail`, as their bytes. */
export function createMailIn({
  keys,
  maxBytes,
  draining,
  take,
}: MailInRoute): (req: IncomingMessage, res: ServerResponse) => Promise<void> {
  let open = 0;
  return async (req, res) => {
    if (!hasKey(req, keys)) return answerUnauthorized(res);
    if (req.method !== 'POST') return answerError(res, 'method_not_allowed', undefined, { Allow: 'POST' });
    if (draining()) return answerError(res, 'server_draining');
    const recipient = new URL(req.url ?? '', 'http://localhost').searchParams.get('recipient') ?? undefined;
    if ((recipient?.length ?? 0) > longestRecipient) return answerError(res, 'bad_request');
    if (open >= mostAtOnce) return answerError(res, 'rate_limited', againAfter);
    open++;
    try {
      const bytes = await readBody(req, maxBytes);
      if (bytes === null) return answerError(res, 'too_large', undefined, { Connection: 'close' });
      // Without `answerInTime`, because the mail server waits, and would deliver the mail again.
      answerJson(res, 200, { outcome: await take(bytes, recipient) });
    } finally {
      open--;
    }
  };
}

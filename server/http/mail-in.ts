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

/** Receives mails from the command `receive-mail`, as their bytes. */
export const createMailIn =
  ({ keys, maxBytes, draining, take }: MailInRoute) =>
  async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    if (!hasKey(req, keys)) return answerUnauthorized(res);
    if (req.method !== 'POST') return answerError(res, 'method_not_allowed', undefined, { Allow: 'POST' });
    if (draining()) return answerError(res, 'server_draining');
    const recipient = new URL(req.url ?? '', 'http://localhost').searchParams.get('recipient') ?? undefined;
    if ((recipient?.length ?? 0) > longestRecipient) return answerError(res, 'bad_request');
    const bytes = await readBody(req, maxBytes);
    if (bytes === null) return answerError(res, 'too_large', undefined, { Connection: 'close' });
    // Without `answerInTime`, because the mail server waits, and would deliver the mail again.
    answerJson(res, 200, { outcome: await take(bytes, recipient) });
  };

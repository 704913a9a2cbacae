import { createHash } from 'node:crypto';
import { domainToASCII } from 'node:url';
import { RateLimit } from '../../limits/by-key.ts';
import { withoutTag } from '../../text/mail-address.ts';
import { RequestError, type RequestErrorCode } from '../../wire/errors.ts';
import { mostFiles, type SiteRole } from '../../wire/events.ts';
import type { MailOutcome } from '../mail-server.ts';
import type { AnswerKind } from './answer.ts';
import { isReport } from './bounce.ts';
import type { IncomingMail } from './incoming.ts';
import { MailReader } from './reader.ts';
import { headOf, maxHeadBytes, type RepliesAddress, tokensIn, tokensOfRecipients } from './reply-address.ts';
import type { ReplyTokens } from './tokens.ts';

/**
 * `posted`, `held` (needs approval), `repeated` (came before), `rejected` (its sender got the reason by mail),
 * `unanswered` (rejected, but its sender got too many such mails, or has no address), `bounced` (a mail of this server
 * came back), `automatic` (from a program), `unknown` (without a known token), `unreadable`.
 */
export const replyOutcomes = [
  'posted',
  'held',
  'repeated',
  'rejected',
  'unanswered',
  'bounced',
  'automatic',
  'unknown',
  'unreadable',
] as const;
export type ReplyOutcome = (typeof replyOutcomes)[number];

/** A message by mail. `files` uploads the files once the author may write, and returns their IDs. */
export interface MailedMessage {
  room: string;
  user: string;
  clientId: string;
  text: string;
  readSeq?: number | undefined;
  knownAt: number;
  files?: (author: Author) => Promise<string[]>;
}

interface Author {
  id: string;
  name: string;
  roles: readonly SiteRole[];
}

export interface RepliesOptions {
  address: RepliesAddress;
  /** The address of the sender of the server's mails. */
  from: string;
  /** The names of that sender. */
  names: readonly string[];
  tokens: ReplyTokens;
  /** Returns the current mail address of a user. */
  addressOf(user: string): Promise<string | undefined>;
  /** @throws RequestError if the user may not write there now */
  send(message: MailedMessage): Promise<'sent' | 'held' | 'repeated'>;
  /**
   * Stores a file for a message. Absent if files are off.
   * @returns its ID, or undefined if it is not accepted
   * @throws RequestError if files cannot be stored now
   */
  upload?:
    | ((room: string, author: Author, file: IncomingMail['files'][number]) => Promise<string | undefined>)
    | undefined;
  /** Sends a mail about an answer to its sender. */
  answer(mail: {
    user: string;
    to: string;
    kind: AnswerKind;
    files: readonly string[];
    inReplyTo: string | undefined;
  }): Promise<MailOutcome['is']>;
  /** Stores that an answer of the user is rejected. @returns whether it was before */
  noteRejection(id: string, user: string): Promise<boolean>;
  /** Undoes `noteRejection`. */
  dropRejection(id: string): Promise<unknown>;
  /** Called when a mail to this address of a user came back. */
  onBounced(user: string, address: string): Promise<void>;
  /** Called when a user wrote by mail. */
  onWritten(user: string): void;
  /** Called when the site's addresses cannot be read. @param reason contains no address */
  onFailure(reason: string): void;
  /** @param reason contains neither addresses nor texts */
  onOutcome(outcome: ReplyOutcome, reason: string): void;
}

/** Mails that are read for one user. The others are tried again by the mail server. */
const answersOfUser = { count: 30, ms: 10 * 60_000 };
/** The weight of a mail that cannot be read. The reader may have tried for `longestMs`, while other mails waited. */
const unreadableWeight = 10;
const unreadable = ['unreadable', 'the mail cannot be parsed'] as const;

/** Mails to one user about rejected answers. */
const rejectionsToUser = { count: 10, ms: 60 * 60_000 };

/** The mail with which an error of `send` is answered. Other errors are temporary. */
const kinds: Partial<Record<RequestErrorCode, AnswerKind>> = {
  bad_request: 'empty',
  too_long: 'long',
  muted: 'muted',
  unknown_room: 'room',
  forbidden: 'room',
  limit_reached: 'limit',
  unknown_file: 'files',
};

/** Writes answers to mails into their rooms. */
export class MailReplies {
  readonly #options: RepliesOptions;
  readonly #reader = new MailReader();
  readonly #taken = new RateLimit(answersOfUser);
  readonly #rejected = new RateLimit(rejectionsToUser);

  constructor(options: RepliesOptions) {
    this.#options = options;
  }

  /**
   * Takes a mail.
   * @param options.recipient the recipient of the envelope, if known
   * @param options.isCut whether the mail is too large, and `bytes` is only its start
   * @throws RequestError `rate_limited`, `storage_unavailable` or `storage_full`: the mail must be delivered again
   */
  async take(
    bytes: Buffer,
    { recipient, isCut = false }: { recipient?: string | undefined; isCut?: boolean } = {},
  ): Promise<ReplyOutcome> {
    const head = headOf(bytes);
    const [outcome, reason] = head('content-type').some(isReport)
      ? await this.#processReport(bytes)
      : await this.#process(bytes, tokensOfRecipients(this.#options.address, head, recipient)[0], isCut);
    this.#options.onOutcome(outcome, reason);
    return outcome;
  }

  /**
   * Reads a mail of a user. The number in ten minutes is limited, because all mails wait for each other.
   * @throws RequestError `rate_limited`
   */
  async #read(user: string, bytes: Buffer): Promise<IncomingMail | undefined> {
    const waitMs = this.#taken.take(user);
    if (waitMs !== null)
      throw new RequestError('rate_limited', 'too many answers by mail', { retryAfterMs: waitMs });
    const { address, from, names } = this.#options;
    const mail = await this.#reader.read({ bytes, replies: address, from, names });
    if (mail === undefined) this.#taken.add(user, unreadableWeight - 1);
    return mail;
  }

  async #process(
    bytes: Buffer,
    token: string | undefined,
    isCut: boolean,
  ): Promise<readonly [ReplyOutcome, string]> {
    const { tokens, send, upload, onWritten } = this.#options;
    if (token === undefined) return ['unknown', 'the mail was sent to no reply address'];
    const reply = await tokens.find(token);
    if (reply === undefined) return ['unknown', 'the reply address is unknown or too old'];
    const { user, roomId: room, seq: readSeq, at: knownAt } = reply;
    const mail = await this.#read(user, bytes);
    if (mail === undefined) return unreadable;
    if (mail.isAutomatic) return ['automatic', 'a program or a mailing list sent the mail'];
    const to = await this.#addressOf(user);
    if (to === undefined) return ['unanswered', 'the site knows no mail address of the user'];
    const clientId = clientIdOf(token, mail.messageId, bytes);
    const reject = (kind: AnswerKind, files: readonly string[] = []) =>
      this.#reject(clientId, { user, to, kind, files, inReplyTo: mail.messageId });
    // The token may be known to others, to whom the reader forwarded the mail.
    if (!isSender(mail.from, inAscii(to))) return reject('sender');
    if (reply.expired) return reject('expired');
    if (isCut) return reject('large');
    if (mail.text === '' && mail.files.length === 0)
      return reject(mail.lost.length === 0 ? 'empty' : 'files', mail.lost);
    const accepted = upload === undefined ? [] : mail.files.slice(0, mostFiles);
    const left = [...mail.lost, ...mail.files.slice(accepted.length).map(({ name }) => name)];
    const files = async (author: Author) => {
      const ids: string[] = [];
      for (const file of accepted) {
        const id = await upload?.(room, author, file);
        if (id === undefined) left.push(file.name);
        else ids.push(id);
      }
      return ids;
    };
    try {
      const message = { room, user, clientId, text: mail.text, readSeq, knownAt };
      const sent = await send({ ...message, ...(accepted.length > 0 && { files }) });
      // Also if it came before, because the server may have stopped after it was stored.
      onWritten(user);
      if (sent === 'repeated') return ['repeated', 'the mail came before'];
      const outcome = sent === 'held' ? 'held' : 'posted';
      if (left.length === 0) return [outcome, ''];
      return this.#answer({ user, to, kind: 'left', files: left, inReplyTo: mail.messageId }, outcome);
    } catch (error) {
      const kind = error instanceof RequestError ? kinds[error.code] : undefined;
      if (kind === undefined) throw error;
      return reject(kind === 'empty' && left.length > 0 ? 'files' : kind, left);
    }
  }

  /** Pauses the address of a mail that bounced, unless the address of the user has changed since. */
  async #processReport(bytes: Buffer): Promise<readonly [ReplyOutcome, string]> {
    const { address: replies, tokens, onBounced } = this.#options;
    const other = ['automatic', 'the report is not about a mail to the current address of a user'] as const;
    const [token] = tokensIn(replies, [bytes.subarray(0, maxHeadBytes).toString()]);
    const reply = token && (await tokens.find(token));
    if (!reply) return other;
    const mail = await this.#read(reply.user, bytes);
    if (mail === undefined) return unreadable;
    const address = await this.#addressOf(reply.user);
    const { bounce } = mail;
    if (bounce?.token !== token || address === undefined || inAscii(bounce.to) !== inAscii(address))
      return other;
    await onBounced(reply.user, address);
    return ['bounced', `the status was ${bounce.status}`];
  }

  /** @throws RequestError `storage_unavailable` if the site's addresses cannot be read now */
  async #addressOf(user: string): Promise<string | undefined> {
    try {
      return await this.#options.addressOf(user);
    } catch (error) {
      this.#options.onFailure((error as Error).message);
      throw new RequestError('storage_unavailable', 'the mail address of the user cannot be read now');
    }
  }

  /** Rejects an answer, and tells its sender once, even if it is delivered again. */
  async #reject(
    id: string,
    mail: Parameters<RepliesOptions['answer']>[0],
  ): Promise<readonly [ReplyOutcome, string]> {
    const { noteRejection, dropRejection } = this.#options;
    if (await noteRejection(id, mail.user)) return ['repeated', 'the rejected mail came before'];
    try {
      return await this.#answer(mail, 'rejected');
    } catch (error) {
      await dropRejection(id);
      throw error;
    }
  }

  /** Mails the user once. @throws RequestError `storage_unavailable` if no mail can be sent now */
  async #answer(
    mail: Parameters<RepliesOptions['answer']>[0],
    outcome: ReplyOutcome,
  ): Promise<readonly [ReplyOutcome, string]> {
    if (this.#rejected.take(mail.user) !== null)
      return [outcome === 'rejected' ? 'unanswered' : outcome, `${mail.kind}, and too many such mails`];
    const is = await this.#options.answer(mail);
    if (outcome !== 'rejected' || is === 'sent') return [outcome, mail.kind];
    if (is === 'down' || is === 'broken')
      throw new RequestError('storage_unavailable', 'the mail server accepts no mails now');
    return ['unanswered', mail.kind];
  }
}

/** Returns the form in which addresses are compared: lower-case, with the domain as most programs send it (RFC 5890). */
function inAscii(address: string): string {
  const [local = '', domain = ''] = address.toLowerCase().split('@');
  return `${local}@${domainToASCII(domain) || domain}`;
}

/** Whether a mail is from an address, or from the mailbox of an address with a tag, such as `ann+chat@example.org`. */
const isSender = (from: string | undefined, address: string): boolean =>
  from !== undefined && [address, withoutTag(address)].includes(inAscii(from));

/** Returns the same ID for each delivery of a mail. */
const clientIdOf = (token: string, messageId: string | undefined, bytes: Buffer): string => {
  const hash = createHash('sha256').update(`${token} `);
  return `mail-${(messageId === undefined ? hash.update(bytes) : hash.update(messageId)).digest('base64url')}`;
};

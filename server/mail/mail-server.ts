import { Readable } from 'node:stream';
import type { Transporter } from 'nodemailer';
import { mailsAtOnce } from '../notify/mail-bounds.ts';
import { UnderWay } from '../outgoing/under-way.ts';
import type { Mailbox } from './address.ts';
import type { MailPlace } from './place.ts';

/**
 * Timeouts for the connection, the greeting and each further response. Some servers delay the greeting on purpose,
 * because spammers do not wait.
 */
const timeoutsMs = { connection: 20_000, greeting: 30_000, answer: 30_000 };
/**
 * Timeout of a mail in milliseconds, including the wait for a connection. The other timeouts restart with each byte of
 * a slow server.
 */
const mailTime = 60_000;
/** Idle connections are kept for this time, in milliseconds. */
const keptFor = 20_000;
/** Maximum bytes of a response. */
const mostAnswer = 16 * 1024;

export interface Mail {
  from: Mailbox;
  to: string;
  /** The address for answers, if it is not the sender's. */
  replyTo?: string | undefined;
  subject: string;
  text: string;
  html: string;
  /** A picture that the HTML shows as `cid:` and this ID. Pictures on a server are often blocked, and track readers. */
  picture?: { id: string; name: string; type: string; bytes: Buffer } | undefined;
  /** The message ID, without angle brackets. */
  id: string;
  /** The ID of the thread, without angle brackets. */
  thread: string;
  /** Additional headers. */
  headers: Readonly<Record<string, string>>;
  /** Whether the mail may still be sent unchanged. Called when the server is ready for its bytes. Never rejects. */
  isCurrent(): Promise<boolean>;
}

/** The progress of a mail. */
interface Sending {
  readonly isCurrent: Mail['isCurrent'];
  /** `addressed`: connected and logged in, so the server gets the recipient next. */
  is: 'waiting' | 'addressed' | 'outdated' | 'begun';
}

/**
 * `refused`: the server rejects this address permanently. `failed`: it rejected this mail. `broken`: it got the
 * recipient, then closed the connection or did not respond, and did not accept the mail. `down`: it did not get the
 * recipient, so it accepts no mails now. `lost`: it is unknown whether the mail was accepted, so it must not be sent
 * again. `outdated`: not sent, see `isCurrent`. `reason` contains no text of the mail server or of a user.
 */
export type MailOutcome =
  | { is: 'sent' }
  | { is: 'outdated' }
  | { is: 'refused' | 'failed' | 'broken' | 'down' | 'lost'; reason: string };

/** Loads `nodemailer` on demand, because servers that do not send mails do not need it. */
export async function openMailServer({
  host,
  port,
  tls,
  ca,
  user,
  password,
}: MailPlace): Promise<MailServer> {
  const { createTransport } = await import('nodemailer');
  return new MailServer(
    createTransport({
      pool: true,
      host,
      port,
      secure: tls === 'first',
      requireTLS: tls === 'later',
      ignoreTLS: tls === 'none',
      ...(ca && { tls: { ca } }),
      ...(user !== undefined && { auth: { user, pass: password ?? '' } }),
      maxConnections: mailsAtOnce,
      // The server may have accepted a mail whose connection broke, and it must not be sent twice.
      maxRequeues: 0,
      idleTimeout: keptFor,
      connectionTimeout: timeoutsMs.connection,
      dnsTimeout: timeoutsMs.connection,
      greetingTimeout: timeoutsMs.greeting,
      socketTimeout: timeoutsMs.answer,
      maxResponseSize: mostAnswer,
      disableFileAccess: true,
      disableUrlAccess: true,
    }),
  );
}

const attachmentOf = ({ id, name, type, bytes }: NonNullable<Mail['picture']>) => ({
  cid: id,
  filename: name,
  contentType: type,
  contentDisposition: 'inline' as const,
  content: bytes,
});

/** Sends mails through the operator's mail server, over few connections. */
export class MailServer {
  readonly #transport: Transporter;
  readonly #underWay = new UnderWay();
  /** By the abort signal of the mail. */
  readonly #sending = new WeakMap<AbortSignal, Sending>();

  constructor(transport: Transporter) {
    this.#transport = transport;
    transport.use('stream', ({ message, data: { signal } }, done) => {
      const sending = signal && this.#sending.get(signal);
      // Called when the connection is ready for the mail.
      if (sending)
        message.processFunc((bytes) => {
          sending.is = 'addressed';
          return Readable.from(read(bytes, sending));
        });
      done();
    });
    // Errors of idle connections. Other errors reject `sendMail`.
    transport.on('error', () => {});
  }

  /** Sends one mail, at most once. Never rejects. */
  async send({
    from,
    to,
    replyTo,
    subject,
    text,
    html,
    picture,
    id,
    thread,
    headers,
    isCurrent,
  }: Mail): Promise<MailOutcome> {
    const late = AbortSignal.timeout(mailTime);
    const sending: Sending = { isCurrent, is: 'waiting' };
    try {
      await this.#underWay.run((end) => {
        const signal = AbortSignal.any([late, end]);
        this.#sending.set(signal, sending);
        return this.#transport.sendMail({
          from: { name: from.name, address: from.address },
          to: { name: '', address: to },
          ...(replyTo !== undefined && { replyTo: { name: '', address: replyTo } }),
          envelope: { from: from.address, to: [to] },
          subject,
          text,
          html,
          ...(picture && { attachments: [attachmentOf(picture)] }),
          messageId: `<${id}>`,
          inReplyTo: `<${thread}>`,
          references: `<${thread}>`,
          headers,
          signal,
        });
      });
      return { is: 'sent' };
    } catch (error) {
      if (sending.is === 'outdated') return { is: 'outdated' };
      const reason = late.aborted ? `not accepted within ${mailTime / 1000} s` : reasonOf(error);
      if (isAboutAddress(error)) return { is: 'refused', reason };
      if (isAboutMail(error)) return { is: 'failed', reason };
      // A response code means that the mail was not accepted.
      const hasAnswered = (error as SmtpError).responseCode !== undefined;
      if (sending.is === 'begun' && !hasAnswered) return { is: 'lost', reason };
      return { is: sending.is === 'waiting' ? 'down' : 'broken', reason };
    }
  }

  /**
   * Connects and logs in.
   * @throws Error with a reason as in `MailOutcome`, and the `code` of `nodemailer`
   */
  async check(): Promise<void> {
    try {
      await this.#transport.verify();
    } catch (cause) {
      throw Object.assign(new Error(reasonOf(cause), { cause }), {
        code: (cause as NodeJS.ErrnoException).code,
      });
    }
  }

  /** Aborts the mails in flight. */
  close(): void {
    this.#underWay.close();
    this.#transport.close({ force: true });
  }
}

/**
 * Yields the bytes of a mail, if the mail is still current. The server may have taken long to greet after the mail was
 * written. An error closes the connection, which cancels the mail.
 */
async function* read(bytes: Readable, sending: Sending): AsyncGenerator<Buffer> {
  if (!(await sending.isCurrent())) {
    sending.is = 'outdated';
    throw new Error('the mail is outdated');
  }
  sending.is = 'begun';
  let head: string | undefined = '';
  for await (const piece of bytes as AsyncIterable<Buffer>) {
    if (head === undefined) {
      yield piece;
      continue;
    }
    head += piece.toString('latin1');
    const end = head.indexOf('\r\n\r\n');
    if (end < 0) continue;
    yield Buffer.from(withValues(head.slice(0, end)) + head.slice(end), 'latin1');
    head = undefined;
  }
}

/**
 * Moves the first line of each header's value next to its name. `nodemailer` folds a long value right after the colon,
 * and some programs then miss the links of `List-Unsubscribe` (RFC 8058), or the message ID.
 */
const withValues = (head: string): string => head.replace(/^([\w-]+:)\r\n[ \t]+/gm, '$1 ');

/** An error of `nodemailer`. */
interface SmtpError extends NodeJS.ErrnoException {
  command?: string;
  response?: string;
  responseCode?: number;
  originalCode?: string;
}

/** Returns the enhanced status code of a response (RFC 3463). */
const enhancedIn = ({ response = '' }: SmtpError) => /^\d{3}[ -](\d\.\d{1,3}\.\d{1,3})\b/.exec(response)?.[1];

/**
 * Whether the server rejected the recipient permanently. Policy rejections (5.7) concern the sender, such as missing
 * permission to relay. A full mailbox (552, 5.2.2) is temporary.
 */
function isAboutAddress(error: unknown): boolean {
  const { command, responseCode = 0 } = error as SmtpError;
  if (command !== 'RCPT TO' || responseCode < 500 || responseCode === 552) return false;
  const enhanced = enhancedIn(error as SmtpError) ?? '';
  return !enhanced.startsWith('5.7.') && enhanced !== '5.2.2';
}

/** Whether the server rejected this mail and may accept others. With 421 it closes the connection. */
function isAboutMail(error: unknown): boolean {
  const { command = '', responseCode } = error as SmtpError;
  return responseCode !== undefined && responseCode !== 421 && /^(MAIL|RCPT|DATA)/.test(command);
}

/** Describes an error for the log. Omits the text of the response, which often contains the address. */
function reasonOf(error: unknown): string {
  const { command, responseCode, originalCode, code = 'no code' } = error as SmtpError;
  if (code === 'EABORT') return 'this server is shutting down';
  if (responseCode === undefined) return `no response (${originalCode ?? code})`;
  const answer = [responseCode, enhancedIn(error as SmtpError) ?? []].flat().join(' ');
  return `the response to ${command ?? 'the connection'} was ${answer}`;
}

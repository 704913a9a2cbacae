import { Readable } from 'node:stream';
import type { Transporter } from 'nodemailer';
import { mailsAtOnce } from '../notify/mail-bounds.ts';
import { UnderWay } from '../outgoing/under-way.ts';
import type { Mailbox } from './address.ts';
import type { MailPlace } from './place.ts';

/**
 * Milliseconds for the connection, for the greeting, and for each further answer. Some servers greet late on purpose, since
 * senders of spam do not wait.
 */
const patience = { connection: 20_000, greeting: 30_000, answer: 30_000 };
/** Milliseconds for a mail, with the time that it waits for a connection. A slow server can always answer one more byte. */
const mailTime = 60_000;
/** Milliseconds for which a connection is kept for the next mail. */
const keptFor = 20_000;
/** Bytes of an answer. */
const mostAnswer = 16 * 1024;

export interface Mail {
  from: Mailbox;
  to: string;
  subject: string;
  text: string;
  html: string;
  /** Without its brackets. */
  id: string;
  /** The id of the thread, likewise. */
  thread: string;
  /** Further headers. */
  headers: Readonly<Record<string, string>>;
  /** Whether it may still go out as it is. Asked when the server waits for its bytes. Never rejects. */
  isCurrent(): Promise<boolean>;
}

/** A mail that is being handed over. */
interface Sending {
  readonly isCurrent: Mail['isCurrent'];
  is: 'waiting' | 'outdated' | 'begun';
}

/**
 * `refused`: this address takes no mail. `failed`: the mail was not taken. `down`: the mail was not begun, as there was no
 * connection or login, or this server ends; or the mail server has said that it takes none now. `lost`: nobody knows whether
 * the mail was taken; it must not be sent again. `reason` repeats nothing that the mail server or a user has written.
 * `outdated`: it was not sent, see `isCurrent`.
 */
export type MailOutcome =
  | { is: 'sent' }
  | { is: 'outdated' }
  | { is: 'refused' | 'failed' | 'down' | 'lost'; reason: string };

/** The package is loaded only where mails are sent. */
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
      // The server may have taken a mail whose connection breaks, and it must not come twice.
      maxRequeues: 0,
      idleTimeout: keptFor,
      connectionTimeout: patience.connection,
      dnsTimeout: patience.connection,
      greetingTimeout: patience.greeting,
      socketTimeout: patience.answer,
      maxResponseSize: mostAnswer,
      disableFileAccess: true,
      disableUrlAccess: true,
    }),
  );
}

/** Hands mails to the operator's mail server, over few connections. */
export class MailServer {
  readonly #transport: Transporter;
  readonly #underWay = new UnderWay();
  /** By the signals of the mails. */
  readonly #sending = new WeakMap<AbortSignal, Sending>();

  constructor(transport: Transporter) {
    this.#transport = transport;
    transport.use('stream', ({ message, data: { signal } }, done) => {
      const sending = signal && this.#sending.get(signal);
      if (sending) message.processFunc((bytes) => Readable.from(read(bytes, sending)));
      done();
    });
    // Errors of idle connections; others reject the mail.
    transport.on('error', () => {});
  }

  /** Hands over one mail, at most once. Never rejects. */
  async send({ from, to, subject, text, html, id, thread, headers, isCurrent }: Mail): Promise<MailOutcome> {
    const late = AbortSignal.timeout(mailTime);
    const sending: Sending = { isCurrent, is: 'waiting' };
    try {
      await this.#underWay.run((end) => {
        const signal = AbortSignal.any([late, end]);
        this.#sending.set(signal, sending);
        return this.#transport.sendMail({
          from: { name: from.name, address: from.address },
          to: { name: '', address: to },
          envelope: { from: from.address, to: [to] },
          subject,
          text,
          html,
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
      const reason = late.aborted ? `it was not taken within ${mailTime / 1000} s` : reasonOf(error);
      if (isAboutAddress(error)) return { is: 'refused', reason };
      if (isAboutMail(error)) return { is: 'failed', reason };
      // An answer with a code says that the mail was not taken.
      const hasAnswered = (error as SmtpError).responseCode !== undefined;
      return { is: sending.is === 'begun' && !hasAnswered ? 'lost' : 'down', reason };
    }
  }

  /** Connects and logs in. @throws Error with a reason as in `MailOutcome`, and a `code` of `nodemailer` */
  async check(): Promise<void> {
    try {
      await this.#transport.verify();
    } catch (cause) {
      throw Object.assign(new Error(reasonOf(cause), { cause }), {
        code: (cause as NodeJS.ErrnoException).code,
      });
    }
  }

  /** Ends the mails under way. */
  close(): void {
    this.#underWay.close();
    this.#transport.close({ force: true });
  }
}

/** The bytes of a mail. The server may have greeted long after it was written. An error ends the connection, and so the mail. */
async function* read(bytes: Readable, sending: Sending): AsyncGenerator<Buffer> {
  if (!(await sending.isCurrent())) {
    sending.is = 'outdated';
    throw new Error('the mail is outdated');
  }
  sending.is = 'begun';
  yield* bytes;
}

/** An error as `nodemailer` makes it. */
interface SmtpError extends NodeJS.ErrnoException {
  command?: string;
  response?: string;
  responseCode?: number;
  originalCode?: string;
}

/** The enhanced status code of an answer, RFC 3463. */
const enhancedIn = ({ response = '' }: SmtpError) => /^\d{3}[ -](\d\.\d{1,3}\.\d{1,3})\b/.exec(response)?.[1];

/**
 * The server has refused the recipient for good. A refusal by policy (5.7) is one of the sender, such as by a server that
 * relays no mails for us, and a full mailbox (552, 5.2.2) is emptied again.
 */
function isAboutAddress(error: unknown): boolean {
  const { command, responseCode = 0 } = error as SmtpError;
  if (command !== 'RCPT TO' || responseCode < 500 || responseCode === 552) return false;
  const enhanced = enhancedIn(error as SmtpError) ?? '';
  return !enhanced.startsWith('5.7.') && enhanced !== '5.2.2';
}

/** The server has answered to this mail, and may take another. 421: it closes the connection. */
function isAboutMail(error: unknown): boolean {
  const { command = '', responseCode } = error as SmtpError;
  return responseCode !== undefined && responseCode !== 421 && /^(MAIL|RCPT|DATA)/.test(command);
}

/** In words for the log: the answers of servers often have the address in them. */
function reasonOf(error: unknown): string {
  const { command, responseCode, originalCode, code = 'no code' } = error as SmtpError;
  if (code === 'EABORT') return 'this server ends';
  if (responseCode === undefined) return `no answer (${originalCode ?? code})`;
  const answer = [responseCode, enhancedIn(error as SmtpError) ?? []].flat().join(' ');
  return `the answer to ${command ?? 'the connection'} was ${answer}`;
}

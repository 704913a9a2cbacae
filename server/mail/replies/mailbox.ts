import type { ImapFlow, ImapFlowOptions } from 'imapflow';
import { Rounds } from '../../changes/rounds.ts';
import { RequestError } from '../../wire/errors.ts';
import type { MailboxPlace } from '../place.ts';
import { isReport } from './bounce.ts';
import type { ReplyOutcome } from './replies.ts';
import { headOf, type RepliesAddress, recipientHeaders, tokensOfRecipients } from './reply-address.ts';

/** The mailbox is searched at least this often, in ms, because some servers do not notify of new mails. */
const pollMs = 60_000;
/** The delay in ms until a server that does not read the mailbox checks whether it must take over. */
const standbyMs = 5000;
/** Timeouts in ms. */
const timeouts = { connectionTimeout: 20_000, greetingTimeout: 30_000, socketTimeout: 5 * 60_000 };
/** Maximum mails in one round, and maximum mails in one round per minute that are taken again. */
const mostAtOnce = 100;
/** Bytes that are read of a mail that is too large, to answer it. */
const headBytes = 64 * 1024;
/** Maximum bytes of a line of the server. */
const longestLine = 1024 * 1024;

export interface MailboxOptions {
  place: MailboxPlace;
  address: RepliesAddress;
  /** Maximum bytes of a mail. */
  maxBytes: number;
  /** Whether this server reads the mailbox now. Of several servers, only one does. */
  isInCharge(): boolean;
  /**
   * Takes a mail.
   * @param isCut whether the mail is too large, and `bytes` is only its start
   * @throws RequestError if it must be taken again later
   */
  take(bytes: Buffer, isCut: boolean): Promise<ReplyOutcome>;
  onWorking(): void;
  /** @param reason contains neither addresses nor texts */
  onFailure(reason: string): void;
}

/** Loads `imapflow` on demand, because few servers need it. */
async function connect(
  { host, port, tls, ca, user = '', password = '' }: MailboxPlace,
  options: Partial<ImapFlowOptions> = {},
): Promise<ImapFlow> {
  const { ImapFlow } = await import('imapflow');
  const client = new ImapFlow({
    ...{ host, port, auth: { user, pass: password }, ...timeouts, ...options },
    secure: tls === 'first',
    doSTARTTLS: tls === 'first' ? undefined : tls === 'later',
    tls: ca === undefined ? {} : { ca },
    logger: false,
    maxLineLength: longestLine,
  });
  // The error also rejects the command in progress.
  client.on('error', () => {});
  await client.connect();
  return client;
}

/** Checks that the mailbox can be opened. @throws Error whose message has the reason */
export async function checkMailbox(place: MailboxPlace): Promise<void> {
  let client: ImapFlow | undefined;
  try {
    client = await connect(place, { disableAutoIdle: true });
    await client.mailboxOpen(place.folder, { readOnly: true });
  } catch (error) {
    throw new Error(reasonOf(error), { cause: error });
  } finally {
    client?.close();
  }
}

/** Reads answers to mails from a mailbox, and marks them as read. */
export class Mailbox {
  readonly #options: MailboxOptions;
  readonly #rounds: Rounds;
  #client: ImapFlow | undefined;
  /** The highest UID that was read. New mails have higher ones, so that those below are not for the chat, or in `#later`. */
  #readUpTo = 0;
  /** The UIDs of mails that must be taken again later, longest waiting first. */
  readonly #later = new Set<number>();
  /** When some of these are taken again, by `performance.now()`. */
  #laterAt = 0;

  constructor(options: MailboxOptions) {
    this.#options = options;
    this.#rounds = new Rounds(
      (signal) => this.#look(signal),
      (error) => {
        this.#close();
        options.onFailure(reasonOf(error));
      },
    );
  }

  /** Stops, and waits for the mail in progress. */
  async stop(): Promise<void> {
    await this.#rounds.stop();
    this.#close();
  }

  #close(): void {
    this.#client?.close();
    this.#client = undefined;
    this.#readUpTo = 0;
    this.#later.clear();
  }

  async #look(signal: AbortSignal): Promise<number> {
    const { place, isInCharge, onWorking } = this.#options;
    if (!isInCharge()) {
      this.#close();
      return standbyMs;
    }
    const client = this.#client ?? (await this.#open(place));
    const found = (await client.search({ seen: false }, { uid: true })) || [];
    const unread = found
      .filter((uid) => uid > this.#readUpTo)
      .sort((a, b) => a - b)
      .slice(0, mostAtOnce);
    for (const uid of [...unread, ...this.#takeLater(new Set(found))]) {
      if (signal.aborted) break;
      await this.#read(client, uid);
      this.#readUpTo = Math.max(this.#readUpTo, uid);
    }
    onWorking();
    if (unread.length === mostAtOnce) return 0;
    return this.#later.size === 0 ? pollMs : Math.min(pollMs, this.#laterAt - performance.now());
  }

  /**
   * Returns mails to take again. Few at a time, after the new ones, so that a user who sends many does not delay others.
   * @param found the UIDs of unread mails
   */
  #takeLater(found: ReadonlySet<number>): number[] {
    if (performance.now() < this.#laterAt) return [];
    this.#laterAt = performance.now() + pollMs;
    for (const uid of this.#later) if (!found.has(uid)) this.#later.delete(uid);
    const again = [...this.#later].slice(0, mostAtOnce);
    for (const uid of again) this.#later.delete(uid);
    return again;
  }

  async #open(place: MailboxPlace): Promise<ImapFlow> {
    const client = await connect(place, { autoIdleDelay: 100 });
    client.on('exists', () => this.#rounds.wake());
    client.on('close', () => {
      if (this.#client !== client) return;
      this.#close();
      // Connects again.
      this.#rounds.wake();
    });
    this.#client = client;
    await client.mailboxOpen(place.folder);
    return client;
  }

  async #read(client: ImapFlow, uid: number): Promise<void> {
    const { address, maxBytes, take } = this.#options;
    const range = String(uid);
    const headers = [...recipientHeaders, 'content-type'];
    const head = await client.fetchOne(range, { size: true, headers }, { uid: true });
    if (!head) return void this.#later.add(uid);
    const values = headOf(Buffer.from(head.headers ?? []));
    const isAnswer = tokensOfRecipients(address, values).length > 0;
    // Mails that are not for the chat stay unread.
    if (!isAnswer && !values('content-type').some(isReport)) return;
    const isCut = (head.size ?? 0) > maxBytes;
    const source = { maxLength: isCut ? headBytes : maxBytes };
    const mail = await client.fetchOne(range, { source }, { uid: true });
    if (!mail || mail.source === undefined) return void this.#later.add(uid);
    try {
      const outcome = await take(Buffer.from(mail.source), isCut);
      // A report about a mail of another program.
      if (!isAnswer && outcome !== 'bounced') return;
    } catch (error) {
      // Other mails may be possible, for example if only the mail server of this sender accepts no rejection.
      if (!(error instanceof RequestError)) throw error;
      this.#later.add(uid);
      return;
    }
    await client.messageFlagsAdd(range, ['\\Seen'], { uid: true });
  }
}

/** Describes an error without the text of the server, which may contain the address. */
function reasonOf(error: unknown): string {
  const { authenticationFailed, serverResponseCode, responseStatus, code } = error as Error & {
    authenticationFailed?: boolean;
    serverResponseCode?: string;
    responseStatus?: string;
    code?: string;
  };
  if (authenticationFailed) return 'the server rejected the login';
  const answer = [responseStatus, serverResponseCode].filter((one) => one !== undefined);
  return answer.length > 0 ? `the response was ${answer.join(' ')}` : `no response (${code ?? 'no code'})`;
}

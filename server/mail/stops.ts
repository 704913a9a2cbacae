import { randomBytes } from 'node:crypto';
import { type History, mailStopsFor } from '../history/history.ts';
import { isGuest } from '../wire/guest.ts';
import { digestOf } from './digest.ts';

/**
 * A token starts with the time of its mail in seconds, so that an expired link is recognised even if it was never
 * stored.
 */
const form = /^([0-9a-z]{6,8})-([A-Za-z0-9_-]{24})$/;
const randomPart = 18;

/** Creates and handles the unsubscribe links in mails. The history stores only digests of their tokens. */
export class MailStops {
  readonly #history: Pick<History, 'read' | 'write'>;
  readonly #url: string;
  /** Deletes the mail address of a guest. */
  readonly forgetGuest: (guest: string) => Promise<void>;

  /** @param url the public URL of this server, without a trailing slash */
  constructor(
    history: Pick<History, 'read' | 'write'>,
    url: string,
    forgetGuest: (guest: string) => Promise<void>,
  ) {
    this.#history = history;
    this.#url = url;
    this.forgetGuest = forgetGuest;
  }

  /** Creates a link for a mail to this user. */
  async link(user: string): Promise<string> {
    const at = Date.now();
    const token = `${Math.floor(at / 1000).toString(36)}-${randomBytes(randomPart).toString('base64url')}`;
    await this.#history.write.addMailStop({ id: digestOf(token), user, at });
    return `${this.#url}/stop?t=${token}`;
  }

  /** Whether the token is well-formed and not expired. It may still be unknown. */
  takes(token: string): boolean {
    const [, seconds = '0'] = form.exec(token) ?? [];
    return Number.parseInt(seconds, 36) * 1000 > Date.now() - mailStopsFor;
  }

  /** Turns off mails to the user of the token, or deletes the address of a guest. No-op for an unknown token. */
  async stop(token: string): Promise<void> {
    const { read, write } = this.#history;
    const stop = this.takes(token) ? await read.mailStop({ id: digestOf(token) }) : null;
    if (stop === null) return;
    const { user } = stop;
    if (isGuest(user)) return this.forgetGuest(user);
    const { notices } = await read.notices({ user });
    if (notices.mail !== 'off') await write.setNotices({ user, set: { mail: 'off', stopped: Date.now() } });
  }
}

import { createHash, randomBytes } from 'node:crypto';
import { type History, mailStopsFor } from '../history/history.ts';

/** A token with the time of its mail in seconds: so an old link is known as such, whether it was ever stored or not. */
const form = /^([0-9a-z]{6,8})-([A-Za-z0-9_-]{24})$/;
const randomPart = 18;

const digestOf = (token: string) => createHash('sha256').update(token).digest('hex');

/** The links in mails that switch mails off, and do nothing else. Only digests of their tokens are stored. */
export class MailStops {
  readonly #history: Pick<History, 'read' | 'write'>;
  readonly #url: string;

  /** @param url the public address of this server, without a slash at its end */
  constructor(history: Pick<History, 'read' | 'write'>, url: string) {
    this.#history = history;
    this.#url = url;
  }

  /** A new link for a mail to this user. */
  async link(user: string): Promise<string> {
    const at = Date.now();
    const token = `${Math.floor(at / 1000).toString(36)}-${randomBytes(randomPart).toString('base64url')}`;
    await this.#history.write.addMailStop({ id: digestOf(token), user, at });
    return `${this.#url}/stop?t=${token}`;
  }

  /** Whether this server would still take the token, were it known. */
  takes(token: string): boolean {
    const [, seconds = '0'] = form.exec(token) ?? [];
    return Number.parseInt(seconds, 36) * 1000 > Date.now() - mailStopsFor;
  }

  /** Switches mails to the user of the token off; with an unknown one nothing happens. */
  async stop(token: string): Promise<void> {
    const { read, write } = this.#history;
    const stop = this.takes(token) ? await read.mailStop({ id: digestOf(token) }) : null;
    if (stop === null) return;
    const { user } = stop;
    const { notices } = await read.notices({ user });
    if (notices.mail !== 'off') await write.setNotices({ user, set: { mail: 'off', stopped: Date.now() } });
  }
}

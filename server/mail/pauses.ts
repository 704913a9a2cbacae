import type { MailOutcome } from './mail-server.ts';

/**
 * The length of a pause, in milliseconds. Many failed logins may lock the account at the mail server. It is also the
 * timeout of a mail.
 */
const pauseMs = 60_000;
/** A domain, or the mail server, counts as failing after this many failures in a row. */
const maxInARow = 3;
/** Maximum entries of `MailPauses.#domains`. All are dropped when it is full. */
const maxDomains = 10_000;

/**
 * Decides which mails pause. Many mail servers contact the recipient's server while they respond, so a recipient's
 * domain can make them hang or break the connection. Such failures pause only mails to this domain. All mails pause if
 * the mail server is down, or breaks the connection for recipients at several domains in a row.
 */
export class MailPauses {
  #until = 0;
  /** Domains whose last mails broke the connection, with their recipients. Mails to them pause until `until`. */
  readonly #domains = new Map<string, { users: Set<string>; until: number }>();
  /** The domains of the last mails, if all of these broke the connection. */
  readonly #inARow = new Set<string>();

  /** The end of the pause of all mails, as Unix ms. */
  get until(): number {
    return this.#until;
  }

  /**
   * Must be called before a mail is sent. While a domain fails, further mails wait for the outcome of this one.
   * @returns undefined if the mail may be sent, or the end of the pause as Unix ms
   */
  start(domain: string): number | undefined {
    const failing = this.#domains.get(domain);
    const until = Math.max(this.#until, failing?.until ?? 0);
    if (Date.now() < until) return until;
    if (failing !== undefined && failing.users.size >= maxInARow) failing.until = Date.now() + pauseMs;
    return undefined;
  }

  /** Must be called with the outcome of each started mail. */
  end(user: string, domain: string, is: MailOutcome['is']): void {
    if (is === 'outdated') return;
    if (is === 'down') return this.#pauseAll();
    if (is !== 'broken' && is !== 'lost') {
      this.#domains.delete(domain);
      this.#inARow.clear();
      return;
    }
    this.#failed(user, domain);
    this.#inARow.add(ownDomain(domain));
    if (this.#inARow.size >= maxInARow) this.#pauseAll();
  }

  #failed(user: string, domain: string): void {
    if (this.#domains.size >= maxDomains) this.#domains.clear();
    const failing = this.#domains.get(domain) ?? { users: new Set(), until: 0 };
    this.#domains.set(domain, failing);
    failing.users.add(user);
    if (failing.users.size >= maxInARow) failing.until = Date.now() + pauseMs;
  }

  #pauseAll(): void {
    this.#inARow.clear();
    this.#until = Date.now() + pauseMs;
  }
}

/** Returns the last two labels of a domain, because its owner can make up any number of subdomains. */
const ownDomain = (domain: string): string => domain.split('.').slice(-2).join('.');

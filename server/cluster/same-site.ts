// Durations are in milliseconds.
/** A difference counts after this time, because each server reads a changed configuration within a minute. */
const longest = 90_000;
/** Running servers announce themselves to a starting server within this time. */
const answeredWithin = 1000;
/** After this time, a starting server has heard from all running servers. */
const startsFor = 15_000;

/** The site configuration that a server read, as it announces it. */
export interface SiteRead {
  /** Identifies the server version and its settings for reading. Only servers with equal values are compared. */
  by: string;
  /** Identifies the content of the configuration. */
  is: string;
  /** When the server first read this content, in Unix ms. */
  since: number;
}

/**
 * Checks whether this server read the same site configuration as the others. The configuration of most servers counts,
 * in a tie the oldest. A starting server with a different configuration differs at once. A server whose configuration
 * matched before differs only after 90 seconds.
 */
export class SameSite {
  readonly #heard = new Map<string, SiteRead>();
  #own: SiteRead | null = null;
  #introducedAt = Number.POSITIVE_INFINITY;
  #verdict: 'unknown' | 'fits' | 'differs' = 'unknown';
  #differsSince: number | undefined;

  /** Null until the first `read`. */
  get own(): SiteRead | null {
    return this.#own;
  }

  /** Unknown until the other servers had time to answer. This server is ready only if it `fits`. */
  get verdict(): 'unknown' | 'fits' | 'differs' {
    return this.#verdict;
  }

  /** The other servers with the configuration that counts. */
  get counting(): string[] {
    const counting = this.#counting();
    return [...this.#heard].filter(([, { is }]) => is === counting).map(([server]) => server);
  }

  /** Records the configuration that this server read. @returns whether it changed */
  read({ by, is }: Omit<SiteRead, 'since'>): boolean {
    if (this.#own?.is === is) return false;
    this.#own = { by, is, since: Date.now() };
    this.judge();
    return true;
  }

  /** Starts the time for answers, because the other servers now know this server. */
  introduced(): void {
    this.#introducedAt = Math.min(this.#introducedAt, performance.now());
  }

  /**
   * Records the configuration that another server announced.
   * @param read undefined if that server does not read a site configuration
   */
  heard(server: string, read: SiteRead | undefined): void {
    if (read === undefined) this.#heard.delete(server);
    else this.#heard.set(server, read);
    this.judge();
  }

  gone(server: string): void {
    this.#heard.delete(server);
    this.judge();
  }

  /** Must be called regularly, because the verdict depends on the time. */
  judge(): void {
    const now = performance.now();
    const age = now - this.#introducedAt;
    if (this.#own === null || !(age >= answeredWithin)) return;
    if (this.#own.is === this.#counting()) {
      this.#verdict = 'fits';
      this.#differsSince = undefined;
      return;
    }
    this.#differsSince ??= now;
    const isPassing = this.#verdict === 'fits' && age >= startsFor && now - this.#differsSince < longest;
    if (!isPassing) this.#verdict = 'differs';
  }

  #counting(): string | undefined {
    const own = this.#own;
    if (own === null) return undefined;
    const configurations = new Map<string, { servers: number; since: number }>();
    for (const { by, is, since } of [own, ...this.#heard.values()]) {
      if (by !== own.by) continue;
      const before = configurations.get(is);
      configurations.set(is, {
        servers: (before?.servers ?? 0) + 1,
        since: Math.min(before?.since ?? since, since),
      });
    }
    const [first] = [...configurations].sort(
      ([one, a], [other, b]) => b.servers - a.servers || a.since - b.since || (one < other ? -1 : 1),
    );
    return first?.[0];
  }
}

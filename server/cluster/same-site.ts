// Milliseconds.
/** A configuration that has changed counts on each server within a minute: for longer none rightly differs. */
const longest = 90_000;
/** Servers that live have answered a server that starts by then. */
const answeredWithin = 1000;
/** So old a server has heard of all that live. */
const startsFor = 15_000;

/** The configuration of the site that a server has read, as it announces it. */
export interface SiteRead {
  /** The version of the server and the settings that it reads by. Only servers with the same ones are compared. */
  by: string;
  is: string;
  /** Since when it has been so, in milliseconds since 1970. */
  since: number;
}

/**
 * Says whether this server has read the same configuration of the site as the others. The one that most servers have
 * counts, at a tie the one that is older. A server that starts with another one does not fit at once; one that has
 * fitted, not after a minute and a half.
 */
export class SameSite {
  readonly #heard = new Map<string, SiteRead>();
  #own: SiteRead | null = null;
  #introducedAt = Number.POSITIVE_INFINITY;
  #verdict: 'unknown' | 'fits' | 'differs' = 'unknown';
  #differsSince: number | undefined;

  /** Null as long as it is not known. */
  get own(): SiteRead | null {
    return this.#own;
  }

  /** Unknown until the others have had time to answer. With another one than `fits` this server is not ready. */
  get verdict(): 'unknown' | 'fits' | 'differs' {
    return this.#verdict;
  }

  /** The other servers whose configuration counts. */
  get counting(): string[] {
    const counting = this.#counting();
    return [...this.#heard].filter(([, { is }]) => is === counting).map(([server]) => server);
  }

  /** @returns whether it has changed */
  read({ by, is }: Omit<SiteRead, 'since'>): boolean {
    if (this.#own?.is === is) return false;
    this.#own = { by, is, since: Date.now() };
    this.judge();
    return true;
  }

  /** The others know of this server, and begin to answer. */
  introduced(): void {
    this.#introducedAt = Math.min(this.#introducedAt, performance.now());
  }

  /** @param read undefined if that server compares nothing */
  heard(server: string, read: SiteRead | undefined): void {
    if (read === undefined) this.#heard.delete(server);
    else this.#heard.set(server, read);
    this.judge();
  }

  gone(server: string): void {
    this.#heard.delete(server);
    this.judge();
  }

  /** To be called also as time goes by. */
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
    const held = new Map<string, { servers: number; since: number }>();
    for (const { by, is, since } of [own, ...this.#heard.values()]) {
      if (by !== own.by) continue;
      const before = held.get(is);
      held.set(is, { servers: (before?.servers ?? 0) + 1, since: Math.min(before?.since ?? since, since) });
    }
    const [first] = [...held].sort(
      ([one, a], [other, b]) => b.servers - a.servers || a.since - b.since || (one < other ? -1 : 1),
    );
    return first?.[0];
  }
}

import type { History } from '../history/history.ts';
import type { User } from '../wire/events.ts';
import type { OtherServers } from './other-servers.ts';

/** How long a user counts as a reader of a page after a request. Launchers repeat it after `repeatMs`. */
const staysMs = 45_000;
const repeatMs = 30_000;
/** How long a user must be shown before seeing others: until all of their launchers repeated the request. */
const shownFirstMs = repeatMs;
/** Maximum number of readers in an answer. */
const mostShown = 5;
/** Number of readers whose blocks are read at once. */
const blocksAtOnce = 20;

interface Reader {
  readonly user: User;
  /** Since when the user has been shown on this page, in the units of `performance.now()`. */
  readonly since: number;
  /** The time at which the user no longer counts. */
  readonly until: number;
}

/**
 * The users who read a page of the site and show that to each other. Never stored. A user reads one page at a time, and
 * is shown there before seeing others, so that nobody can look at many pages unseen.
 */
export class PageReaders {
  readonly #history: Pick<History, 'read'>;
  readonly #others: Pick<OtherServers, 'reads'> | undefined;
  readonly #isBanned: (user: string) => boolean;
  /** By page and user ID. Readers who came last are at the end. */
  readonly #pages = new Map<string, Map<string, Reader>>();
  readonly #pageByUser = new Map<string, string>();
  #sweptAt = 0;

  constructor(
    history: Pick<History, 'read'>,
    others: Pick<OtherServers, 'reads'> | undefined,
    isBanned: (user: string) => boolean,
  ) {
    this.#history = history;
    this.#others = others;
    this.#isBanned = isBanned;
  }

  /**
   * Notes that a user reads a page, and returns the other readers, the newest first. If one of two users blocked the
   * other, neither sees the other. `nextMs`: when to repeat the request.
   */
  async read(page: string, user: User): Promise<{ here: User[]; nextMs: number }> {
    const since = this.note(page, user);
    this.#others?.reads(page, user);
    const remainingMs = Math.ceil(since - performance.now() + shownFirstMs);
    if (remainingMs > 0) return { here: [], nextMs: remainingMs };
    return { here: await this.#readers(page, user.id), nextMs: repeatMs };
  }

  /**
   * Notes that a user reads a page, and no longer another one. Call it directly for a user of another server.
   * @returns since when the user has been shown there
   */
  note(page: string, user: User): number {
    const now = performance.now();
    if (now - this.#sweptAt > staysMs) this.#sweep(now);
    if (this.#pageByUser.get(user.id) !== page) this.#remove(user.id);
    const readers = this.#pages.get(page) ?? new Map<string, Reader>();
    const before = readers.get(user.id);
    const isThere = before !== undefined && before.until > now;
    const since = isThere ? before.since : now;
    // Only users who came later move to the end, or repeated requests would hide the other readers.
    if (!isThere) readers.delete(user.id);
    readers.set(user.id, { user, since, until: now + staysMs });
    this.#pages.set(page, readers);
    this.#pageByUser.set(user.id, page);
    return since;
  }

  async #readers(page: string, me: string): Promise<User[]> {
    const now = performance.now();
    const others = [...(this.#pages.get(page)?.values() ?? [])]
      .reverse()
      .filter(({ user: { id }, until }) => id !== me && until > now && !this.#isBanned(id))
      .map(({ user }) => user);
    const shown: User[] = [];
    for (let n = 0; n < others.length && shown.length < mostShown; n += blocksAtOnce) {
      const some = others.slice(n, n + blocksAtOnce);
      const ids = some.map(({ id }) => id);
      const blocked = new Set(await this.#history.read.blockedBetween({ user: me, others: ids }));
      shown.push(...some.filter(({ id }) => !blocked.has(id)));
    }
    return shown.slice(0, mostShown);
  }

  #sweep(now: number): void {
    this.#sweptAt = now;
    for (const readers of this.#pages.values())
      for (const [id, { until }] of readers) if (until <= now) this.#remove(id);
  }

  #remove(user: string): void {
    const page = this.#pageByUser.get(user);
    if (page === undefined) return;
    this.#pageByUser.delete(user);
    const readers = this.#pages.get(page);
    readers?.delete(user);
    if (readers?.size === 0) this.#pages.delete(page);
  }
}

import type { History } from '../history/history.ts';
import type { User } from '../wire/events.ts';
import type { OtherServers } from './other-servers.ts';

/** How long a user counts as a reader of a page after a request. Launchers repeat it every 30 s. */
const staysMs = 45_000;
/** Maximum number of readers in an answer. */
const mostShown = 5;
/** Maximum number of readers whose blocks are read for an answer. */
const mostAsked = 20;
/** Maximum number of pages on which a user is shown: the latest ones. */
const mostPages = 20;

interface Reader {
  readonly user: User;
  /** The time at which the user no longer counts, in the units of `performance.now()`. */
  readonly until: number;
}

/** The users who read a page of the site and show that to each other. Never stored. */
export class PageReaders {
  readonly #history: Pick<History, 'read'>;
  readonly #others: Pick<OtherServers, 'reads'> | undefined;
  readonly #isBanned: (user: string) => boolean;
  /** By page and user ID. Readers who came last are at the end. */
  readonly #pages = new Map<string, Map<string, Reader>>();
  /** The pages of each user, the latest at the end. */
  readonly #pagesOf = new Map<string, Set<string>>();
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
   * other, neither sees the other.
   */
  read(page: string, user: User): Promise<User[]> {
    this.note(page, user);
    this.#others?.reads(page, user);
    return this.#readers(page, user.id);
  }

  /** Notes that a user reads a page. Call it directly for a user of another server. */
  note(page: string, user: User): void {
    const now = performance.now();
    if (now - this.#sweptAt > staysMs) this.#sweep(now);
    const readers = this.#pages.get(page) ?? new Map<string, Reader>();
    this.#pages.set(page, readers);
    readers.delete(user.id);
    readers.set(user.id, { user, until: now + staysMs });
    const own = this.#pagesOf.get(user.id) ?? new Set();
    this.#pagesOf.set(user.id, own);
    own.delete(page);
    own.add(page);
    const [oldest] = own;
    if (own.size > mostPages && oldest !== undefined) this.#remove(oldest, user.id);
  }

  async #readers(page: string, me: string): Promise<User[]> {
    const now = performance.now();
    const readers = [...(this.#pages.get(page)?.values() ?? [])].reverse();
    const others = readers
      .filter(({ user: { id }, until }) => id !== me && until > now && !this.#isBanned(id))
      .slice(0, mostAsked);
    const ids = others.map(({ user }) => user.id);
    const blocked = new Set(await this.#history.read.blockedBetween({ user: me, others: ids }));
    return others
      .map(({ user }) => user)
      .filter(({ id }) => !blocked.has(id))
      .slice(0, mostShown);
  }

  #sweep(now: number): void {
    this.#sweptAt = now;
    for (const [page, readers] of this.#pages)
      for (const [id, { until }] of readers) if (until <= now) this.#remove(page, id);
  }

  #remove(page: string, user: string): void {
    const readers = this.#pages.get(page);
    readers?.delete(user);
    if (readers?.size === 0) this.#pages.delete(page);
    const own = this.#pagesOf.get(user);
    own?.delete(page);
    if (own?.size === 0) this.#pagesOf.delete(user);
  }
}

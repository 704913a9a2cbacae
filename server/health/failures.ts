/** Failures for fewer users may be their own fault, such as a made-up address of a device. */
const minUsers = 3;

/** The failures of one part since it last worked. */
export class Failures {
  #current: { reason: string; since: number; last: number; count: number } | undefined;
  /** The users of failures that may be their own fault. */
  readonly #users = new Set<string>();
  #isGeneral = false;

  /**
   * @param reason contains no secrets and no names
   * @param user given if the failure may be this user's own fault
   */
  failed(reason: string, user?: string): void {
    const now = Date.now();
    if (user === undefined) this.#isGeneral = true;
    else if (this.#users.size < minUsers) this.#users.add(user);
    this.#current = {
      reason,
      since: this.#current?.since ?? now,
      last: now,
      count: (this.#current?.count ?? 0) + 1,
    };
  }

  worked(): void {
    this.#current = undefined;
    this.#users.clear();
    this.#isGeneral = false;
  }

  /** Whether the part worked at its last attempt, apart from failures of few users. */
  get isOver(): boolean {
    return !this.#isGeneral && this.#users.size < minUsers;
  }

  /** Whether the last attempt failed, even if only for few users. */
  get hasFailed(): boolean {
    return this.#current !== undefined;
  }

  /** Milliseconds since the last failure. */
  get ageMs(): number {
    return this.#current === undefined ? Number.POSITIVE_INFINITY : Date.now() - this.#current.last;
  }

  /** Returns the last reason, and since when how many attempts failed. */
  toString(): string {
    if (this.#current === undefined) return 'no failure';
    const { reason, since, count } = this.#current;
    const times = count === 1 ? 'one failure' : `${count} failures`;
    return `${reason.replace(/\.$/, '')} (${times} since ${minuteOf(since)})`;
  }
}

/** Returns a time as text, such as `2026-11-29 00:40 UTC`. @param at Unix ms */
export const minuteOf = (at: number): string =>
  `${new Date(at).toISOString().slice(0, 16).replace('T', ' ')} UTC`;

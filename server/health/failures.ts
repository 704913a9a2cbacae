/** The failures of one part since it last worked. */
export class Failures {
  #current: { reason: string; since: number; last: number; count: number } | undefined;

  /** @param reason contains no secrets and no names */
  failed(reason: string): void {
    const now = Date.now();
    this.#current = {
      reason,
      since: this.#current?.since ?? now,
      last: now,
      count: (this.#current?.count ?? 0) + 1,
    };
  }

  worked(): void {
    this.#current = undefined;
  }

  /** Whether the part worked at its last attempt. */
  get isOver(): boolean {
    return this.#current === undefined;
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

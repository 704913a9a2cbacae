/** What happened to a session, for who watches it. */
export type SessionEvent =
  | { kind: 'changed'; revision: number }
  // The new ID of a session that was regenerated is nobody's business.
  | { kind: 'destroyed' | 'expired' | 'regenerated' };

export interface Watcher {
  happened(id: string, event: SessionEvent): void;
}

interface Watched {
  watchers: Set<Watcher>;
  /** When the session will be over, so that its watchers hear of that at once and not at the next collection. */
  expiresAt: number;
}

/** Who wants to hear of which session; so many in all. */
export class Watches {
  readonly #most: number;
  readonly #watched = new Map<string, Watched>();
  #count = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** @returns false when there are too many */
  add(id: string, watcher: Watcher): boolean {
    const watched = this.#watched.get(id) ?? { watchers: new Set(), expiresAt: Number.POSITIVE_INFINITY };
    if (watched.watchers.has(watcher)) return true;
    if (this.#count >= this.#most) return false;
    this.#count++;
    watched.watchers.add(watcher);
    this.#watched.set(id, watched);
    return true;
  }

  remove(id: string, watcher: Watcher): void {
    const watched = this.#watched.get(id);
    if (watched === undefined || !watched.watchers.delete(watcher)) return;
    this.#count--;
    if (watched.watchers.size === 0) this.#watched.delete(id);
  }

  publish(id: string, event: SessionEvent): void {
    const watched = this.#watched.get(id);
    if (watched === undefined) return;
    if (event.kind !== 'changed') watched.expiresAt = Number.POSITIVE_INFINITY;
    for (const watcher of watched.watchers) watcher.happened(id, event);
  }

  /** To be told whenever the end of a session is set. */
  endsAt(id: string, expiresAt: number): void {
    const watched = this.#watched.get(id);
    if (watched !== undefined) watched.expiresAt = expiresAt;
  }

  /** It is not there, though nobody has told its end: somebody has taken away what was kept of it. */
  missing(id: string): void {
    const expiresAt = this.#watched.get(id)?.expiresAt ?? Number.POSITIVE_INFINITY;
    if (expiresAt !== Number.POSITIVE_INFINITY) this.publish(id, { kind: 'expired' });
  }

  over(now: number): string[] {
    const over: string[] = [];
    for (const [id, { expiresAt }] of this.#watched) if (expiresAt <= now) over.push(id);
    return over;
  }
}

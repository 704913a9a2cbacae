import type { SessionEvent, Watcher, Watches } from './watches.ts';

interface Watch {
  /** The last that the client was told: a revision, or null when there is no session. */
  told: number | null;
  /** What happened while the state was read: told after the reply, which it must not overtake. */
  held: SessionEvent[] | null;
}

/** The sessions that one connection watches. */
export class Watching implements Watcher {
  readonly #watches: Watches;
  readonly #push: (event: string) => void;
  readonly #byId = new Map<string, Watch>();
  /** The one whose reply is not written yet: a connection's commands are done one after the other. */
  #unanswered: { id: string; watch: Watch } | null = null;

  constructor(watches: Watches, push: (event: string) => void) {
    this.#watches = watches;
    this.#push = push;
  }

  get any(): boolean {
    return this.#byId.size > 0;
  }

  /**
   * From here on nothing that happens to the session is missed.
   * @param read finds out how it is
   * @returns its revision, null when there is none, undefined when it cannot be watched
   */
  async watch(
    id: string,
    read: () => Promise<{ revision: number } | null>,
  ): Promise<number | null | undefined> {
    if (!this.#watches.add(id, this)) return undefined;
    const before = this.#byId.get(id);
    const watch: Watch = { told: null, held: [] };
    this.#byId.set(id, watch);
    try {
      watch.told = (await read())?.revision ?? null;
    } catch (error) {
      if (before === undefined) this.unwatch(id);
      else {
        // It goes on, after this reply.
        before.held = watch.held;
        this.#byId.set(id, before);
        this.#unanswered = { id, watch: before };
      }
      throw error;
    }
    this.#unanswered = { id, watch };
    return watch.told;
  }

  unwatch(id: string): void {
    this.#byId.delete(id);
    this.#watches.remove(id, this);
  }

  /** To be called when a reply is on its way: what happened meanwhile may follow it. */
  replied(): void {
    if (this.#unanswered === null) return;
    const { id, watch } = this.#unanswered;
    this.#unanswered = null;
    const { held } = watch;
    watch.held = null;
    for (const event of held ?? []) this.#tell(id, watch, event);
  }

  happened(id: string, event: SessionEvent): void {
    const watch = this.#byId.get(id);
    if (watch === undefined) return;
    if (watch.held !== null) watch.held.push(event);
    else this.#tell(id, watch, event);
  }

  end(): void {
    for (const id of this.#byId.keys()) this.#watches.remove(id, this);
    this.#byId.clear();
  }

  #tell(id: string, watch: Watch, event: SessionEvent): void {
    if (event.kind !== 'changed') {
      // What was read was already without it.
      if (watch.told === null) return;
      watch.told = null;
      this.#push(`event ${event.kind} ${id}`);
    } else if (watch.told === null || event.revision > watch.told) {
      watch.told = event.revision;
      this.#push(`event changed ${id} ${event.revision}`);
    }
  }
}

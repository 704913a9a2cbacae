import type { Entry } from '../../store/entries.ts';

/**
 * Assigns keys to groups of messages. A group keeps its key while one of its messages remains in it, so new or loaded
 * messages are added to its element instead of replacing it.
 */
export class GroupKeys {
  #names = new Map<string, number>();
  #last = 0;

  /** Returns the key of each group, in order. */
  name(groups: readonly (readonly Entry[])[]): number[] {
    const names = new Map<string, number>();
    const taken = new Set<number>();
    const found = groups.map((entries) => {
      const known = entries
        .map(({ key }) => this.#names.get(key))
        .find((name) => name !== undefined && !taken.has(name));
      const name = known ?? ++this.#last;
      taken.add(name);
      for (const { key } of entries) names.set(key, name);
      return name;
    });
    this.#names = names;
    return found;
  }
}

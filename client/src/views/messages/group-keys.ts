import type { Entry } from '../../store/entries.ts';

/**
 * Names for the groups of messages. A group keeps its name while one of its messages is in it: what is
 * loaded above, or said below, is drawn into it and makes no new one.
 */
export class GroupKeys {
  #names = new Map<string, number>();
  #last = 0;

  /** The name of each group, in their order. */
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

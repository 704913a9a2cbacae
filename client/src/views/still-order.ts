/** Holds a list still while somebody points at it or has the focus in it: what is new comes last. */
export class StillOrder {
  #held: readonly string[] | undefined;

  hold(ids: readonly string[]): void {
    this.#held ??= ids;
  }

  release(): void {
    this.#held = undefined;
  }

  of<T extends { readonly id: string }>(items: readonly T[]): readonly T[] {
    if (this.#held === undefined) return items;
    const places = new Map(this.#held.map((id, index) => [id, index]));
    const last = places.size;
    return [...items].sort((a, b) => (places.get(a.id) ?? last) - (places.get(b.id) ?? last));
  }
}

/** Keeps a list as it was drawn last while somebody points at it or has the focus in it: what is new comes last. */
export class StillOrder<T extends { readonly id: string }> {
  /** As it stands on the screen. */
  drawn: readonly T[] = [];

  draw(items: readonly T[], still: boolean): readonly T[] {
    this.drawn = still ? this.#asDrawn(items) : items;
    return this.drawn;
  }

  #asDrawn(items: readonly T[]): readonly T[] {
    const places = new Map(this.drawn.map(({ id }, index) => [id, index]));
    const last = places.size;
    return [...items].sort((a, b) => (places.get(a.id) ?? last) - (places.get(b.id) ?? last));
  }
}

/** Maximum cached rows of one kind. */
const maxRows = 2000;

/** A kind of cached row. */
export interface KeptKind<_Row> {
  readonly name: string;
}

/**
 * Caches rows between transactions, for a database that no other process writes to. Call `forget` after a failed
 * transaction.
 */
export class Kept {
  readonly #rowsByKind = new Map<KeptKind<unknown>, Map<string, unknown>>();

  get<Row>(kind: KeptKind<Row>, key: string): Row | undefined {
    return this.#rowsByKind.get(kind)?.get(key) as Row | undefined;
  }

  put<Row>(kind: KeptKind<Row>, key: string, row: Row): void {
    const rows = this.#rowsByKind.get(kind) ?? new Map<string, unknown>();
    this.#rowsByKind.set(kind, rows);
    if (rows.size === maxRows && !rows.has(key)) rows.clear();
    rows.set(key, row);
  }

  delete<Row>(kind: KeptKind<Row>, key: string): void {
    this.#rowsByKind.get(kind)?.delete(key);
  }

  forget(): void {
    this.#rowsByKind.clear();
  }
}

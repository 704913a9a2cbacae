/** The most rows of a kind that are kept. */
const most = 2000;

/** A kind of rows that are kept. */
export interface KeptKind<_Row> {
  readonly name: string;
}

/**
 * Rows as the last transactions have left them, so that the next one need not load them. For a database that nobody else
 * writes to. After a transaction that fails, `forget` is called.
 */
export class Kept {
  readonly #kinds = new Map<KeptKind<unknown>, Map<string, unknown>>();

  get<Row>(kind: KeptKind<Row>, key: string): Row | undefined {
    return this.#kinds.get(kind)?.get(key) as Row | undefined;
  }

  put<Row>(kind: KeptKind<Row>, key: string, row: Row): void {
    const rows = this.#kinds.get(kind) ?? new Map<string, unknown>();
    this.#kinds.set(kind, rows);
    if (rows.size === most && !rows.has(key)) rows.clear();
    rows.set(key, row);
  }

  delete<Row>(kind: KeptKind<Row>, key: string): void {
    this.#kinds.get(kind)?.delete(key);
  }

  forget(): void {
    this.#kinds.clear();
  }
}

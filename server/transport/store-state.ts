import type { StoreError } from '../session/store.ts';

/** Whether the store is silent: by the sessions whose last look got no answer, since of several servers one may be. */
export class StoreState {
  readonly #silent = new Set<object>();
  readonly #onChange: (silent: StoreError | null) => void;
  #told = false;

  /** @param onChange it fell silent, or answers again (null): told once for each change */
  constructor(onChange: (silent: StoreError | null) => void) {
    this.#onChange = onChange;
  }

  unanswered(session: object, error: StoreError): void {
    this.#silent.add(session);
    if (this.#told) return;
    this.#told = true;
    this.#onChange(error);
  }

  answered(session: object): void {
    this.#silent.delete(session);
    if (!this.#told || this.#silent.size > 0) return;
    this.#told = false;
    this.#onChange(null);
  }

  /** Nobody asks about it any more, which says nothing of the store. */
  forget(session: object): void {
    this.#silent.delete(session);
  }
}

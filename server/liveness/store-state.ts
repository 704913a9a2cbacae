import { SessionBusyError, type StoreError } from '../session/store.ts';

interface Listener {
  /** It fell silent, or answers again (null): told once for each change. */
  onStore: (silent: StoreError | null) => void;
  onUnreadable: (error: SessionBusyError) => void;
}

/** Whether the store is silent: by the sessions whose last look got no answer, since of several servers one may be. */
export class StoreState {
  readonly #silent = new Set<object>();
  readonly #listener: Listener;
  #told = false;

  constructor(listener: Listener) {
    this.#listener = listener;
  }

  unanswered(session: object, error: StoreError): void {
    if (error instanceof SessionBusyError) {
      // One session that cannot be read says nothing about the store.
      this.forget(session);
      this.#listener.onUnreadable(error);
      return;
    }
    this.#silent.add(session);
    if (this.#told) return;
    this.#told = true;
    this.#listener.onStore(error);
  }

  answered(session: object): void {
    this.#silent.delete(session);
    if (!this.#told || this.#silent.size > 0) return;
    this.#told = false;
    this.#listener.onStore(null);
  }

  /** Nobody asks about it any more, which says nothing of the store. */
  forget(session: object): void {
    this.#silent.delete(session);
  }
}

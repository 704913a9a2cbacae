/** Written with the first value and never deleted by the chat. If it is missing, a script of the site cleared the storage. */
const MARK = 'php-chat';

/**
 * A storage of the browser, as this page uses it. Reading and writing never fail. A value that the browser cannot store
 * lasts as long as the page: if the storage is full, forbidden (as in a sandboxed frame), or cleared by the site.
 */
export class PageStorage {
  readonly #open: () => Storage;
  /** The values that this page has read or written. */
  readonly #values = new Map<string, string>();
  /** The keys of the values that only this page has. */
  readonly #unstored = new Set<string>();

  /** @param open - returns the storage, or throws if the browser forbids it */
  constructor(open: () => Storage) {
    this.#open = open;
  }

  get(key: string): string | undefined {
    this.#keepCleared();
    if (!this.#unstored.has(key)) {
      const value = this.#use((storage) => storage.getItem(key));
      if (value === null) this.#values.delete(key);
      else if (value !== undefined) this.#values.set(key, value);
    }
    return this.#values.get(key);
  }

  /** Returns whether the value is stored. Otherwise it lasts as long as the page. */
  set(key: string, value: string): boolean {
    this.#keepCleared();
    this.#values.set(key, value);
    this.#unstored.add(key);
    // The storage may have space again for earlier values.
    for (const waiting of this.#unstored) {
      this.#use((storage) => {
        storage.setItem(waiting, this.#values.get(waiting) ?? '');
        storage.setItem(MARK, '');
        this.#unstored.delete(waiting);
      });
    }
    return !this.#unstored.has(key);
  }

  delete(key: string): void {
    this.forget(key);
    this.#use((storage) => storage.removeItem(key));
  }

  keys(start: string): string[] {
    this.#keepCleared();
    const keys = new Set(this.unstored(start));
    this.#use((storage) => {
      for (let n = 0; n < storage.length; n++) keys.add(storage.key(n) ?? '');
    });
    return [...keys].filter((key) => key.startsWith(start));
  }

  /** Returns the keys of the values that are not stored. */
  unstored(start: string): string[] {
    return [...this.#unstored].filter((key) => key.startsWith(start));
  }

  /** Another tab stored or deleted the value. */
  forget(key: string): void {
    this.#values.delete(key);
    this.#unstored.delete(key);
  }

  #keepCleared(): void {
    if (this.#use((storage) => storage.getItem(MARK)) !== null) return;
    for (const key of this.#values.keys())
      if (this.#use((storage) => storage.getItem(key)) === null) this.#unstored.add(key);
  }

  #use<T>(task: (storage: Storage) => T): T | undefined {
    try {
      return task(this.#open());
    } catch {
      return undefined;
    }
  }
}

/** The values that all pages of the site share in this browser. */
export const localValues = new PageStorage(() => localStorage);

/** The values of this tab. */
export const tabValues = new PageStorage(() => sessionStorage);

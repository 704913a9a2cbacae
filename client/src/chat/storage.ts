import type { Form } from './form.ts';
import type { PageStorage } from './page-storage.ts';

/**
 * Values in a storage of the browser, with a key prefix for each server and user. Each value has its own key, so that tabs
 * do not overwrite each other's values. Writing is synchronous, so that nothing is lost when a tab closes. Larger data
 * is in an IndexedDB database named by the prefix: see recordings.ts.
 */
export class Store {
  readonly #prefix: string;
  readonly #storage: PageStorage;

  constructor(storage: PageStorage, ...scope: string[]) {
    this.#storage = storage;
    this.#prefix = `${['php-chat', ...scope].map(encodeURIComponent).join('/')}/`;
  }

  /** Returns undefined if the value is missing or does not have this form. */
  get<T>(key: string, form: Form<T>): T | undefined {
    const text = this.#storage.get(this.#prefix + key);
    try {
      const value: unknown = text === undefined ? undefined : JSON.parse(text);
      return form(value) ? value : undefined;
    } catch {
      // Another script of the site may have written it.
      return undefined;
    }
  }

  /** Returns false if the browser could not store the value. It then lasts as long as the page. */
  set(key: string, value: unknown): boolean {
    return this.#storage.set(this.#prefix + key, JSON.stringify(value));
  }

  delete(key: string): void {
    this.#storage.delete(this.#prefix + key);
  }

  keys(start = ''): string[] {
    return this.#storage.keys(this.#prefix + start).map((key) => key.slice(this.#prefix.length));
  }

  /** Whether the browser could not store a value whose key begins with `start`. */
  isUnstored(start: string): boolean {
    return this.#storage.unstored(this.#prefix + start).length > 0;
  }

  clear(start = ''): void {
    for (const key of this.keys(start)) this.delete(key);
  }

  /** Deletes all data of this user, including the database. */
  erase(): void {
    this.clear();
    try {
      indexedDB.deleteDatabase(this.#prefix);
    } catch {
      // A browser that forbids IndexedDB has no database.
    }
  }

  /** Deletes the data of all other users. Keys of settings that all users share contain no `/`. */
  keepOnly(user: string): void {
    const own = encodeURIComponent(user);
    for (const key of this.keys()) {
      const [other, ...rest] = key.split('/');
      if (rest.length > 0 && other !== own) this.delete(key);
    }
    void this.#eraseOtherDatabases(`${this.#prefix}${own}/`);
  }

  /** The name of this user's database. */
  get database(): string {
    return this.#prefix;
  }

  /**
   * Whether a `storage` event concerns keys that begin with `start`. A null key means that the whole storage was
   * cleared.
   */
  owns(key: string | null, start: string): boolean {
    return key === null || key.startsWith(this.#prefix + start);
  }

  /** Asks the browser for the names, because the site may have deleted the keys of other users. */
  async #eraseOtherDatabases(own: string): Promise<void> {
    try {
      for (const { name = '' } of await indexedDB.databases())
        if (name.startsWith(this.#prefix) && name !== own) indexedDB.deleteDatabase(name);
    } catch {
      // A browser that forbids IndexedDB has no databases.
    }
  }
}

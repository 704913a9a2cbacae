import type { Form } from './form.ts';

/**
 * Values in the browser's storage, with a key prefix for each server and user. Each value has its own key, so that tabs
 * do not overwrite each other's values. Writing is synchronous, so that nothing is lost when a tab closes. Larger data
 * is in an IndexedDB database named by the prefix: see recordings.ts.
 */
export class Store {
  readonly #prefix: string;
  readonly #storage: Storage;

  constructor(storage: Storage, ...scope: string[]) {
    this.#storage = storage;
    this.#prefix = `${['php-chat', ...scope].map(encodeURIComponent).join('/')}/`;
  }

  /** Returns undefined if the value is missing or does not have this form. */
  get<T>(key: string, form: Form<T>): T | undefined {
    try {
      const text = this.#storage.getItem(this.#prefix + key);
      const value: unknown = text === null ? undefined : JSON.parse(text);
      return form(value) ? value : undefined;
    } catch {
      return undefined;
    }
  }

  /** Returns false if the storage is full. */
  set(key: string, value: unknown): boolean {
    try {
      this.#storage.setItem(this.#prefix + key, JSON.stringify(value));
      return true;
    } catch {
      return false;
    }
  }

  delete(key: string): void {
    this.#storage.removeItem(this.#prefix + key);
  }

  keys(start = ''): string[] {
    const found: string[] = [];
    for (let n = 0; n < this.#storage.length; n++) {
      const key = this.#storage.key(n) ?? '';
      if (key.startsWith(this.#prefix + start)) found.push(key.slice(this.#prefix.length));
    }
    return found;
  }

  clear(start = ''): void {
    for (const key of this.keys(start)) this.delete(key);
  }

  /** Deletes all data of this user, including the database. */
  erase(): void {
    this.clear();
    eraseDatabase(this.#prefix);
  }

  /** Deletes the data of all other users. Keys of settings that all users share contain no `/`. */
  keepOnly(user: string): void {
    const own = encodeURIComponent(user);
    const others = new Set<string>();
    for (const key of this.keys()) {
      const [other = '', ...rest] = key.split('/');
      if (rest.length === 0 || other === own) continue;
      this.delete(key);
      others.add(other);
    }
    for (const other of others) eraseDatabase(`${this.#prefix}${other}/`);
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
}

/** A browser that forbids IndexedDB has no database to delete. */
function eraseDatabase(name: string): void {
  try {
    indexedDB.deleteDatabase(name);
  } catch {}
}

/**
 * Returns the page's storage. If the browser forbids it, as in a sandboxed frame, values last only as long as the page.
 */
export function browserStorage(): Storage {
  try {
    localStorage.getItem('');
    return localStorage;
  } catch {
    return memoryStorage();
  }
}

export function memoryStorage(): Storage {
  const items = new Map<string, string>();
  return {
    get length() {
      return items.size;
    },
    key: (index) => [...items.keys()][index] ?? null,
    getItem: (key) => items.get(key) ?? null,
    setItem: (key, value) => void items.set(key, value),
    removeItem: (key) => void items.delete(key),
    clear: () => items.clear(),
  };
}

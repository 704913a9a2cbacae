import type { Form } from './form.ts';

/**
 * Values in the browser's storage, under a prefix for each server and user. Each value has a key, so that two
 * tabs never overwrite each other. Writing is synchronous, so that nothing is lost when a tab is closed. Larger things
 * are in a database of the browser with that prefix as its name: see recordings.ts.
 */
export class Store {
  readonly #prefix: string;
  readonly #storage: Storage;

  constructor(storage: Storage, ...scope: string[]) {
    this.#storage = storage;
    this.#prefix = `${['php-chat', ...scope].map(encodeURIComponent).join('/')}/`;
  }

  /** Undefined, too, if what is kept there has not that form. */
  get<T>(key: string, form: Form<T>): T | undefined {
    try {
      const text = this.#storage.getItem(this.#prefix + key);
      const value: unknown = text === null ? undefined : JSON.parse(text);
      return form(value) ? value : undefined;
    } catch {
      return undefined;
    }
  }

  /** False when there is no room. */
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

  /** Deletes everything that is kept for this user, the database, too. */
  erase(): void {
    this.clear();
    eraseDatabase(this.#prefix);
  }

  /** Deletes everything that is kept for all other users. Settings of all users have no `/` in their keys. */
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

  /** The database of this user. */
  get database(): string {
    return this.#prefix;
  }

  /** Whether a `storage` event is about such a key; `null` means that the storage was cleared as a whole. */
  owns(key: string | null, start: string): boolean {
    return key === null || key.startsWith(this.#prefix + start);
  }
}

/** A browser that forbids databases has none. */
function eraseDatabase(name: string): void {
  try {
    indexedDB.deleteDatabase(name);
  } catch {}
}

/** The page's storage; where the browser forbids it (a sandboxed frame), memory, gone with the page. */
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

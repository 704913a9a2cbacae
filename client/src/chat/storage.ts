import type { Form } from './form.ts';

/**
 * Values in the browser's storage, under a prefix for each server and user. Each value has a key, so that two
 * tabs never overwrite each other. Writing is synchronous, so that nothing is lost when a tab is closed.
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
    const all = Array.from({ length: this.#storage.length }, (_, index) => this.#storage.key(index) ?? '');
    return all
      .filter((key) => key.startsWith(this.#prefix + start))
      .map((key) => key.slice(this.#prefix.length));
  }

  clear(start = ''): void {
    for (const key of this.keys(start)) this.delete(key);
  }

  /** Deletes the values of all other users. */
  keepOnly(user: string): void {
    const own = encodeURIComponent(user);
    for (const key of this.keys()) {
      if (key.includes('/') && key.split('/')[0] !== own) this.delete(key);
    }
  }

  /** Whether a `storage` event is about such a key; `null` means that the storage was cleared as a whole. */
  owns(key: string | null, start: string): boolean {
    return key === null || key.startsWith(this.#prefix + start);
  }
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

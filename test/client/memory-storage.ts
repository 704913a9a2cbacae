import { PageStorage } from '../../client/src/chat/page-storage.ts';
import { Store } from '../../client/src/chat/storage.ts';

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

/** The store of one page. */
export const storeIn = (storage: Storage, ...scope: string[]): Store =>
  new Store(new PageStorage(() => storage), ...scope);

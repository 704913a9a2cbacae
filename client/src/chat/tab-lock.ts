import type { Alone } from './outbox.ts';

/**
 * Runs a task in one tab at a time, with Web Locks. Only secure contexts have locks, and sandboxed frames may not use
 * them. Without locks every tab sends, which costs only requests, because the server recognises a duplicate by its
 * `clientId`.
 */
export function tabLock(scope: string): Alone {
  const locks = (navigator as Partial<Navigator>).locks;
  if (locks === undefined) return (_name, task) => task();
  return async (name, task) => {
    let begun = false;
    const once = () => {
      begun = true;
      return task();
    };
    await locks.request(`php-chat/${scope}/${name}`, once).catch((error) => {
      if (begun) throw error;
      return once();
    });
  };
}

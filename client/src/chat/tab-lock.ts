import type { Alone } from './outbox.ts';

/**
 * Runs a task in one tab at a time, with Web Locks. Pages without TLS have no locks, and sandboxed frames may not use
 * them. Every tab sends there, which costs only requests, because the server recognises a duplicate by its `clientId`.
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

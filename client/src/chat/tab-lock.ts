import type { Alone } from './outbox.ts';

/**
 * Lets in a single tab at a time, by Web Locks. Pages without TLS lack them, and sandboxed frames are refused:
 * there every tab sends, which costs requests and nothing else, since a message is known by its `clientId`.
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

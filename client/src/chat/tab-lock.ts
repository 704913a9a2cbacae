import type { Alone } from './outbox.ts';

/**
 * Runs a task with a Web Lock, which one tab has at a time. Only secure contexts have locks, and sandboxed frames may
 * not use them. There the task runs without the lock.
 *
 * @param task - gets false if `ifAvailable` was set and another tab has the lock
 */
export async function withLock(
  name: string,
  options: LockOptions,
  task: (isFree: boolean) => Promise<void>,
): Promise<void> {
  let begun = false;
  try {
    await navigator.locks.request(name, options, (lock) => {
      begun = true;
      return task(lock !== null);
    });
  } catch (error) {
    if (begun) throw error;
    await task(true);
  }
}

/**
 * Runs a task in one tab at a time. Without locks every tab sends, which costs only requests, because the server
 * recognises a duplicate by its `clientId`.
 */
export function tabLock(scope: string): Alone {
  return (name, task) => withLock(`php-chat/${scope}/${name}`, {}, task);
}

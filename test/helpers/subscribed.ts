import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import type { Followed, SessionStore, StoreError } from '../../packages/php-session/src/store.ts';

export type Notification =
  | { kind: 'changed' | 'opened'; id?: string; marker?: string }
  | { kind: 'lost'; reason: StoreError | null };

export interface Subscribed {
  /** All notifications so far, in order. */
  readonly received: readonly Notification[];
  /** Resolves with the first notification, at index `since` or later, that has these properties. */
  until(wanted: object, since?: number): Promise<Notification>;
  /** Resolves when the notifications are active. */
  readonly active: Promise<Notification>;
  /** Only for stores that notify only about followed sessions. */
  follow(id: string): Followed;
  end(): void;
}

/** Subscribes to a store until the end of the test. */
export function subscribed(store: SessionStore): Subscribed {
  const received: Notification[] = [];
  const waiting = new Set<() => void>();
  const add = (one: Notification) => {
    received.push(one);
    for (const check of waiting) check();
  };
  const end = store.subscribe?.({
    changed: (session) => add({ kind: 'changed', ...session }),
    opened: (session) => add({ kind: 'opened', ...session }),
    lost: (reason) => add({ kind: 'lost', reason }),
  });
  if (end === undefined) throw new Error('the store does not send notifications');
  onTestFinished(() => {
    end();
    store.close();
  });
  const until = (wanted: object, since = received.length) =>
    new Promise<Notification>((resolve) => {
      const fits = (one: Notification) =>
        Object.entries(wanted).every(([name, value]) => (one as Record<string, unknown>)[name] === value);
      const check = () => {
        const found = received.slice(since).find(fits);
        if (found === undefined) return;
        waiting.delete(check);
        resolve(found);
      };
      waiting.add(check);
      check();
    });
  const follow = (id: string) => {
    const followed = end.follow?.(id);
    if (followed === undefined) throw new Error('the store cannot follow sessions');
    return followed;
  };
  return { received, until, follow, end, active: until({ kind: 'lost', reason: null }, 0) };
}

/** Returns the notification `lost` that a test expects. */
export const lost = (reason: unknown) => ({ kind: 'lost', reason });

const storeUrl = fileURLToPath(new URL('../../packages/php-session/src/store-url.ts', import.meta.url));

/** Returns a program that subscribes to a store, and at each change prints `active`, or `lost` and the reason. */
export const subscribingProgram = (url: string): string => `
  import { parseStoreUrl } from '${storeUrl}';
  parseStoreUrl('${url}').open().subscribe({
    lost: (reason) => console.log(reason === null ? 'active' : 'lost: ' + reason.message),
  });`;

/**
 * Returns a program that ends its subscription at the first `active` or `lost`, prints which, and then exits by itself.
 */
export const endingProgram = (url: string): string => `
  import { parseStoreUrl } from '${storeUrl}';
  const store = parseStoreUrl('${url}').open();
  let received = 0;
  const end = store.subscribe({
    changed: () => received++,
    opened: () => received++,
    lost(reason) {
      console.log(reason === null ? 'active' : 'lost');
      setImmediate(() => { end(); store.close(); });
    },
  });
  process.on('exit', () => console.log('received', received));`;

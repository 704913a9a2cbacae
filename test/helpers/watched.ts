import { onTestFinished } from 'vitest';
import type { Followed, SessionStore, StoreError } from '../../server/session/store.ts';

export type Told =
  | { kind: 'changed' | 'opened'; id?: string; marker?: string }
  | { kind: 'lost'; reason: StoreError | null };

export interface Watched {
  /** All that the store has told so far. */
  readonly told: readonly Told[];
  /** Resolves as soon as something with these properties is among what is told from now on, or was told since `since`. */
  until(wanted: object, since?: number): Promise<Told>;
  /** The store says that it tells everything. */
  readonly works: Promise<Told>;
  /** Where the store has to be told of which session it is to tell. */
  follow(id: string): Followed;
  end(): void;
}

/** Watches a store until the test has ended. */
export function watched(store: SessionStore): Watched {
  const told: Told[] = [];
  const waiting = new Set<() => void>();
  const tell = (one: Told) => {
    told.push(one);
    for (const check of waiting) check();
  };
  const end = store.subscribe?.({
    changed: (session) => tell({ kind: 'changed', ...session }),
    opened: (session) => tell({ kind: 'opened', ...session }),
    lost: (reason) => tell({ kind: 'lost', reason }),
  });
  if (end === undefined) throw new Error('the store tells nothing');
  onTestFinished(() => {
    end();
    store.close();
  });
  const until = (wanted: object, since = told.length) =>
    new Promise<Told>((resolve) => {
      const fits = (one: Told) =>
        Object.entries(wanted).every(([name, value]) => (one as Record<string, unknown>)[name] === value);
      const check = () => {
        const found = told.slice(since).find(fits);
        if (found === undefined) return;
        waiting.delete(check);
        resolve(found);
      };
      waiting.add(check);
      check();
    });
  const follow = (id: string) => {
    const followed = end.follow?.(id);
    if (followed === undefined) throw new Error('the store follows no sessions');
    return followed;
  };
  return { told, until, follow, end, works: until({ kind: 'lost', reason: null }, 0) };
}

/**
 * A process that watches a store and ends the watch when it works.
 * @returns a program that is at its end then, and tells so
 */
export function watchingProgram(url: string): string {
  const module = new URL('../../server/session/store-url.ts', import.meta.url).pathname;
  return `import { parseStoreUrl } from '${module}';
    const store = parseStoreUrl('${url}').open();
    const told = [];
    const end = store.subscribe({
      changed() { told.push('changed'); },
      opened() { told.push('opened'); },
      lost(reason) {
        console.log(reason === null ? 'works' : 'lost');
        setImmediate(() => { end(); store.close(); });
      },
    });
    process.on('exit', () => console.log('told', told.length));`;
}

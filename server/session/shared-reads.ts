import type { SessionStore } from './store.ts';

/**
 * Who asks for a session that is being read already gets that answer too: a visitor with many connections costs the
 * store one read at a time.
 */
export function sharedReads(store: SessionStore): SessionStore['get'] {
  const underWay = new Map<string, Promise<Buffer | null>>();
  return (id) => {
    const known = underWay.get(id);
    if (known !== undefined) return known;
    const answer = store.get(id).finally(() => underWay.delete(id));
    underWay.set(id, answer);
    return answer;
  };
}

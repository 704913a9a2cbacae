import { MemcachedConnection } from '../memcached/connection.ts';
import type { SessionStore } from '../store.ts';

/** A longer key is refused by memcached (`KEY_MAX_LENGTH` in its source), so no such session can exist. */
const maxKeyBytes = 250;

/** Sessions in one memcached, under `prefix` + id. */
export function createMemcachedStore(options: {
  host: string;
  port: number;
  prefix: string;
  timeout: number;
}): SessionStore {
  const connection = new MemcachedConnection(options.host, options.port, options.timeout);
  return {
    async get(id) {
      const key = options.prefix + id;
      // An empty key never gets an answer, and one that is too long spoils the connection for the next call.
      if (id === '' || Buffer.byteLength(key) > maxKeyBytes) return null;
      return connection.get(key);
    },
    close: () => connection.close(),
  };
}

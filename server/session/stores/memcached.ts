import { MemcachedConnection } from '../memcached/connection.ts';
import type { SessionStore } from '../store.ts';
import type { UrlOptions } from '../url-options.ts';

/** A longer key is refused by memcached (`KEY_MAX_LENGTH` in its source), so no such session can exist. */
const maxKeyBytes = 250;
/** `memcached.sess_prefix` of ext-memcached. */
const extMemcachedPrefix = 'memc.sess.key.';

/** `timeout` is for one call, in milliseconds. `native`: written by ext-memcached's own session handler. */
export interface MemcachedSettings {
  host: string;
  port: number;
  prefix: string;
  timeout: number;
  native: boolean;
}

/**
 * `memcached://HOST:PORT?handler=memcached` for ext-memcached's own handler, without `handler=` for one of one's
 * own. Options: `prefix=` before the id (default: that of the handler, or none), `timeout=` (default 250ms).
 */
export function memcachedSettings(url: URL, options: UrlOptions): MemcachedSettings {
  if (url.hostname === '') throw new TypeError('the store URL names no host');
  const handler = options.take('handler');
  if (handler !== undefined && handler !== 'memcached') {
    throw new TypeError(`this version knows handler=memcached, not handler=${handler}`);
  }
  const native = handler !== undefined;
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? 11_211 : Number(url.port),
    prefix: options.prefix(native ? extMemcachedPrefix : ''),
    timeout: options.timeout(),
    native,
  };
}

/** Sessions in one memcached, under `prefix` + id. */
export function createMemcachedStore(settings: MemcachedSettings): SessionStore {
  const connection = new MemcachedConnection(settings.host, settings.port, settings.timeout);
  return {
    async get(id) {
      const key = settings.prefix + id;
      // An empty key never gets an answer, and one that is too long spoils the connection for the next call.
      if (id === '' || Buffer.byteLength(key) > maxKeyBytes) return null;
      return connection.get(key);
    },
    close: () => connection.close(),
  };
}

import { MemcachedConnection } from '../memcached/connection.ts';
import type { SessionStore } from '../store.ts';
import type { StoreKind } from '../store-url.ts';

/** A longer key is refused by memcached (`KEY_MAX_LENGTH` in its source), so no such session can exist. */
const maxKeyBytes = 250;
/** `memcached.sess_prefix` of ext-memcached. */
const extMemcachedPrefix = 'memc.sess.key.';

/**
 * `memcached://HOST:PORT?handler=memcached` for ext-memcached's own handler, without `handler=` for one of one's
 * own. Options: `prefix=` before the id (default: that of the handler, or none), `timeout=` (default 250ms).
 */
export const memcachedStore: StoreKind = ({ user, password, hosts, options }) => {
  if (user !== '' || password !== '') throw new TypeError('memcached: takes no user and no password');
  const [{ host, port = 11_211 } = { host: '' }] = hosts;
  if (host === '') throw new TypeError('the store URL names no host');
  if (hosts.length > 1) throw new TypeError('this version reads one server, not several');
  const handler = options.take('handler');
  if (handler !== undefined && handler !== 'memcached') {
    throw new TypeError(`this version knows handler=memcached, not handler=${handler}`);
  }
  const prefix = options.prefix(handler === undefined ? '' : extMemcachedPrefix);
  const timeout = options.timeout();
  return {
    // Its native handler writes what php.ini says, one of one's own is free.
    format: handler === undefined ? 'php_serialize' : 'php',
    open: () => openMemcached({ host, port, prefix, timeout }),
  };
};

/** Sessions in one memcached, under `prefix` + id. */
function openMemcached(settings: {
  host: string;
  port: number;
  prefix: string;
  timeout: number;
}): SessionStore {
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

import { createMemcachedStore } from './stores/memcached.ts';

/** Where PHP keeps its sessions, for reading only. */
export interface SessionStore {
  /**
   * The bytes of one session as PHP wrote them, or null when the store says that there is none.
   * @throws StoreError when the store gives no answer, or one that does not belong to the question: that
   * says nothing about the session
   */
  get(id: string): Promise<Buffer | null>;
  close(): void;
}

/** The store gave no usable answer. Never to be taken for a session that does not exist. */
export class StoreError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'StoreError';
  }
}

/** What a store URL says. `timeout` is for one call, in milliseconds. */
export interface StoreSettings {
  host: string;
  port: number;
  prefix: string;
  timeout: number;
}

/**
 * Reads a store URL, `memcached://HOST:PORT?prefix=sessions/&format=json&timeout=250ms`.
 * @throws TypeError saying what is wrong with it; never with the URL itself, which may hold a password
 */
export function parseStoreUrl(text: string): StoreSettings {
  if (/^[^?]*,/.test(text)) throw new TypeError('this version reads one server, not several');
  if (!URL.canParse(text)) throw new TypeError('the store URL is malformed');
  const url = new URL(text);
  if (url.protocol !== 'memcached:')
    throw new TypeError(`this version reads memcached://, not ${url.protocol}//`);
  if (url.hostname === '') throw new TypeError('the store URL names no host');
  if (url.username !== '' || url.password !== '')
    throw new TypeError('memcached:// takes no user and no password');
  const options = new Map(url.searchParams);
  const take = (name: string) => {
    const value = options.get(name);
    options.delete(name);
    return value;
  };
  const format = take('format');
  if (format !== 'json') throw new TypeError(`this version reads format=json, not format=${format ?? 'php'}`);
  const prefix = take('prefix') ?? '';
  if (!/^[\x21-\x7e]{0,200}$/.test(prefix)) throw new TypeError('prefix= is up to 200 printable characters');
  const timeout = /^(\d{1,4})ms$/.exec(take('timeout') ?? '250ms')?.[1];
  if (timeout === undefined || Number(timeout) < 10) throw new TypeError('timeout= is 10ms to 9999ms');
  const [unknown] = options.keys();
  if (unknown !== undefined)
    throw new TypeError(`${unknown}= is not an option of memcached:// in this version`);
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? 11_211 : Number(url.port),
    prefix,
    timeout: Number(timeout),
  };
}

export function openStore(settings: StoreSettings): SessionStore {
  return createMemcachedStore(settings);
}

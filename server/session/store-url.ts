import { type FormatName, isFormatName } from './formats/formats.ts';
import type { SessionStore } from './store.ts';
import { createFilesStore, type FilesSettings, filesSettings } from './stores/files.ts';
import { createMemcachedStore, type MemcachedSettings, memcachedSettings } from './stores/memcached.ts';
import { UrlOptions } from './url-options.ts';

/** What a store URL says. */
export type StoreSettings = { format: FormatName } & (
  | ({ kind: 'memcached' } & MemcachedSettings)
  | ({ kind: 'file' } & FilesSettings)
);

/**
 * Reads a store URL, such as `memcached://127.0.0.1:11211?handler=memcached` or `file:///var/lib/php/sessions`.
 * What each store takes is said in its own file; all take `format=`.
 * @throws TypeError saying what is wrong with it; never with the URL itself, which may hold a password
 */
export function parseStoreUrl(text: string): StoreSettings {
  if (/^[^?]*,/.test(text)) throw new TypeError('this version reads one server, not several');
  if (!URL.canParse(text)) throw new TypeError('the store URL is malformed');
  const url = new URL(text);
  if (url.username !== '' || url.password !== '')
    throw new TypeError('this store takes no user and no password');
  const options = new UrlOptions(url);
  const settings = settingsOf(url, options);
  // What PHP writes without being told otherwise: its native handlers do, one's own is free.
  const format =
    options.take('format') ?? ('native' in settings && !settings.native ? 'php_serialize' : 'php');
  if (!isFormatName(format)) throw new TypeError(`format=${format} is none that PHP writes`);
  options.finish();
  return { ...settings, format };
}

function settingsOf(url: URL, options: UrlOptions) {
  switch (url.protocol) {
    case 'memcached:':
      return { kind: 'memcached' as const, ...memcachedSettings(url, options) };
    case 'file:':
      return { kind: 'file' as const, ...filesSettings(url, options) };
    default:
      throw new TypeError(`this version reads memcached: and file:, not ${url.protocol}`);
  }
}

export function openStore(settings: StoreSettings): SessionStore {
  return settings.kind === 'memcached' ? createMemcachedStore(settings) : createFilesStore(settings);
}

import { isFormatName } from './formats/formats.ts';
import { parseLayers } from './layers/layers.ts';
import { readQuery, type SessionSource, type StoreKind, type StoreUrl, UrlOptions } from './source.ts';
import { filesStore } from './stores/files/store.ts';
import { memcachedStore } from './stores/memcached/store.ts';
import { redisStore } from './stores/redis/store.ts';
import { sessionServerStore } from './stores/session-server/store.ts';
import type { Database, SqlDriver } from './stores/sql/driver.ts';
import { mysql } from './stores/sql/mysql.ts';
import { postgres } from './stores/sql/postgres.ts';
import { sqlite } from './stores/sql/sqlite.ts';
import { sqlStore } from './stores/sql/store.ts';

const databases: Readonly<Record<string, SqlDriver>> = {
  mysql,
  mariadb: mysql,
  postgres,
  postgresql: postgres,
  sqlite,
};

/** A new store also needs an entry in doctor/other-options.ts. */
const stores: Record<string, StoreKind> = {
  memcached: memcachedStore,
  file: filesStore,
  redis: redisStore,
  rediss: redisStore,
  ...Object.fromEntries(Object.entries(databases).map(([name, driver]) => [name, sqlStore(driver)])),
  'session-server': sessionServerStore,
};

/** Allows `@` only at the end of the login, because any other `@` may follow a password with an unescaped character. */
const urlForm = /^(sqlite(?=:)|[a-z-]+(?=:\/\/)):(?:\/\/(?:([^@/?]*)@)?([^@/?]*))?([^@?]*)(?:\?([^@]*))?$/s;

/**
 * Parses a store URL, such as `file:///var/lib/php/sessions`. Each store documents its options. All stores accept
 * `format=`, `layers=` and `lifetime=`.
 * @param appKeys for the layer `laravel` without a key file
 * @throws TypeError that explains the error without repeating the URL, which may contain a password
 */
export function parseStoreUrl(text: string, appKeys: readonly Buffer[] = []): SessionSource {
  const { query, ...url } = splitUrl(text);
  const { protocol } = url;
  const kind = Object.hasOwn(stores, protocol) ? stores[protocol] : undefined;
  if (kind === undefined) {
    throw new TypeError(`the kind of store must be one of ${Object.keys(stores).join(': ')}:`);
  }
  return {
    ...readSource(kind, url, appKeys),
    protocol,
    options: query,
    with(changes) {
      return parseStoreUrl(`${withoutQuery(text, query)}?${changeQuery(query, changes)}`, appKeys);
    },
  };
}

const withoutQuery = (text: string, query: string) =>
  text.slice(0, text.length - query.length).replace(/\?$/, '');

/** Returns the query with changed options. @param changes null removes an option */
function changeQuery(query: string, changes: Readonly<Record<string, string | null>>): string {
  const others = readQuery(query);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null) others.delete(name);
    else others.set(name, value);
  }
  // `/` and `:` are more readable unescaped, and do not end a value.
  return String(others).replaceAll('%2F', '/').replaceAll('%3A', ':');
}

/** Opens sessions in a table of an open database. @param text the options, as after the `?` of a store URL */
export function openTable(driver: SqlDriver, database: Database, text: string): SessionSource {
  // Closing the sessions keeps the database open.
  const shared: Database = {
    timeoutMs: database.timeoutMs,
    rows: (select, ids) => database.rows(select, ids),
    query: (select) => database.query(select),
    search: (...of) => database.search(...of),
    change: (update, id) => database.change(update, id),
    close() {},
  };
  const protocol = 'table';
  const options = new UrlOptions(protocol, text);
  const url = { protocol, user: '', password: '', hosts: [], path: '', options };
  return {
    ...readSource(sqlStore({ ...driver, locate: () => () => shared }), url, []),
    protocol,
    options: text,
    with: (changes) => openTable(driver, database, changeQuery(text, changes)),
  };
}

function readSource(kind: StoreKind, url: StoreUrl, appKeys: readonly Buffer[]) {
  const { options } = url;
  const store = kind(url);
  const format = options.take('format');
  if (format !== undefined && !isFormatName(format))
    throw new TypeError(`format=${format} is not a format that PHP writes`);
  const lifetime = store.lifetime ?? options.seconds('lifetime', '0');
  const layers = parseLayers(options.take('layers') ?? '', appKeys);
  options.finish();
  return {
    format: format ?? store.format,
    lifetime: lifetime === 0 ? undefined : lifetime * 1000,
    layers,
    open: store.open,
  };
}

export interface GivenDatabase {
  driver: SqlDriver;
  open(): Database;
  /** Returns the store URL of a table in this database. @param options as after the `?` */
  table(options: string): string;
}

/**
 * Parses the URL of a database, such as `mysql://USER:PASSWORD@HOST/DATABASE`, with the options of `readServer` or
 * `sqlite`.
 * @throws TypeError as `parseStoreUrl` does
 */
export function parseDatabaseUrl(text: string): GivenDatabase {
  const { query, ...url } = splitUrl(text);
  const driver = Object.hasOwn(databases, url.protocol) ? databases[url.protocol] : undefined;
  if (driver === undefined)
    throw new TypeError(`the kind of database must be one of ${Object.keys(databases).join(': ')}:`);
  const open = driver.locate(url);
  url.options.finish();
  return { driver, open, table: (options) => `${text}${query === '' ? '?' : '&'}${options}` };
}

/** Returns the database of a store URL. Undefined if the store is not a database. @throws TypeError */
export function databaseOfStore(text: string): GivenDatabase | undefined {
  const [, protocol = '', , , , query = ''] = urlForm.exec(text) ?? [];
  if (!Object.hasOwn(databases, protocol)) return undefined;
  const others = [...readQuery(query).keys()].filter((name) => !databaseOptions.includes(name));
  const kept = changeQuery(query, Object.fromEntries(others.map((name) => [name, null])));
  return parseDatabaseUrl(`${withoutQuery(text, query)}${kept === '' ? '' : `?${kept}`}`);
}

/** Options of the connection. The others describe a table of sessions. */
const databaseOptions = ['socket', 'tls', 'ca', 'charset', 'timeout'];

function splitUrl(text: string): StoreUrl & { query: string } {
  const parts = urlForm.exec(text);
  if (parts === null) {
    throw new TypeError(
      'the store URL is malformed: it must begin with the kind of store, as in file:///var/lib/php/sessions or redis://:PASSWORD@HOST (in a password @ : / ? are %40 %3A %2F %3F, and elsewhere @ is %40)',
    );
  }
  const [, protocol = '', login = '', hosts = '', path = '', query = ''] = parts;
  const [user = '', ...password] = login.split(':').map(decodePart);
  return {
    protocol,
    user,
    password: password.join(':'),
    hosts: hosts === '' ? [] : hosts.split(',').map(hostAndPort),
    path: decodePart(path),
    options: new UrlOptions(protocol, query),
    query,
  };
}

/** Returns a store URL without its password, to show it. A user without a password may be a password, so it is removed. */
export function withoutPassword(text: string): string {
  const [, start = '', login, rest = ''] = /^([a-z-]+:\/\/)([^@/?]*)@(.*)$/s.exec(text) ?? [];
  if (login === undefined) return text;
  const [, user] = /^([^:]+):/.exec(login) ?? [];
  return `${start}${user === undefined ? '' : `${user}:`}…@${rest}`;
}

function decodePart(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new TypeError('the store URL is malformed: write %25 for a % without two hexadecimal digits');
  }
}

function hostAndPort(text: string): { host: string; port?: number } {
  const [, address, name, port] =
    /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const host = address ?? name;
  if (host === undefined || Number(port ?? 1) > 65_535 || Number(port ?? 1) === 0) {
    throw new TypeError(
      'the store URL is malformed: hosts must be HOST:PORT, separated by commas, and in a password @ : / are %40 %3A %2F',
    );
  }
  return port === undefined ? { host } : { host, port: Number(port) };
}

import { escapePath, joinStoreUrl } from '../configuration/database-host.ts';
import type { PhpSetting, PhpSettings } from '../configuration/php-settings.ts';
import { ConfigurationError } from '../configuration/value.ts';
import { isFormatName } from '../formats/formats.ts';
import { option } from '../names.ts';

/**
 * Converts PHP's settings to the store URL of its sessions.
 * @param settings only relevant ones are read, because `get` may throw
 * @param passwd the text of /etc/passwd
 * @throws ConfigurationError for an unsupported storage
 */
export function toStoreUrl(settings: PhpSettings, passwd = ''): string {
  const handler = settings.get('session.save_handler');
  const format = settings.get('session.serialize_handler');
  if (!isFormatName(format.value) || format.value === 'json')
    throw unsupported('session.serialize_handler', format);
  const lifetime = String(parseQuantity(settings.get('session.gc_maxlifetime').value));
  const common = { format: format.value, lifetime };
  switch (handler.value) {
    case 'files':
      return files(settings, common, passwd);
    case 'memcached':
      return memcached(settings, common);
    case 'memcache':
      return memcache(settings, common);
    case 'redis':
      return redis(settings, common);
    default:
      throw unsupported('session.save_handler', handler);
  }
}

const unsupported = (
  name: string,
  { value, from }: PhpSetting,
  why = 'this storage of sessions is not supported',
) =>
  // The save path may hold a password.
  new ConfigurationError(
    `${from}: ${name}${name === 'session.save_path' ? '' : ` is ${JSON.stringify(value)}`}: ${why}: set ${option('store')}`,
  );

type Options = Readonly<Record<string, string>>;

/** Converts `N;MODE;/path`, as `PS_OPEN_FUNC(files)` reads it. */
function files(settings: PhpSettings, common: Options, passwd: string): string {
  const given = settings.get('session.save_path');
  // php_get_temporary_directory()
  const temporary = () =>
    settings
      .get('sys_temp_dir')
      .value.replace(/(.)\/$/, '$1')
      .replace(/^\/$/, '') || '/tmp';
  const [, depth = '', path = ''] =
    /^(?:([^;]*);(?:[^;]*;)?)?([\s\S]*)$/.exec(given.value || temporary()) ?? [];
  const levels = Number.parseInt(depth, 10) || 0;
  if (!path.startsWith('/')) throw unsupported('session.save_path', given, 'the path must be absolute');
  const { user } = settings;
  // In a container the site's users may be unknown.
  const isKnown = user !== undefined && passwd.split('\n').some((line) => line.startsWith(`${user}:`));
  return joinStoreUrl(`file://${escapePath(path)}`, {
    ...common,
    ...(levels === 0 ? {} : { depth: String(levels) }),
    ...(isKnown ? { owner: user } : {}),
  });
}

/** Converts `host:port:weight,…` or `/socket:0`, as `memcached_servers_parse()` of libmemcached reads it. */
function memcached(settings: PhpSettings, common: Options): string {
  const path = settings.get('session.save_path');
  const user = settings.get('memcached.sess_sasl_username').value;
  const password = user === '' ? '' : settings.get('memcached.sess_sasl_password').value;
  const login = password === '' ? '' : `${encodeURIComponent(user)}:${encodeURIComponent(password)}@`;
  const options = { handler: 'memcached', prefix: settings.get('memcached.sess_prefix').value };
  const list = path.value.replace(/,\s*$/, '').split(',');
  const socket = /^\s*(\/[^:]+?)(?::\d{1,5}(?::\d{1,4})?)?\s*$/.exec(list[0] ?? '')?.[1];
  if (socket !== undefined && list.length === 1)
    return joinStoreUrl(`memcached://${login}${escapePath(socket)}`, { ...options, ...common });
  const servers = list.map((server) => {
    const parts = /^\s*(?<host>[A-Za-z0-9._-]+)(?::(?<port>\d{1,5})(?:[: ](?<weight>\d{1,4}))?)?\s*$/.exec(
      server,
    );
    if (parts?.groups === undefined)
      throw unsupported(
        'session.save_path',
        path,
        'the value must be hosts and ports of memcached, or one Unix socket',
      );
    return parts.groups;
  });
  const isOn = (name: string) => isOnValue(settings.get(name).value);
  const type = settings.get('memcached.sess_consistent_hash_type').value;
  const distribution = isOn('memcached.sess_consistent_hash') ? type : 'modula';
  // 0 is the default port or weight.
  const weights = servers.map(({ weight }) => String(Number(weight) || 1));
  const places = servers.map(({ host, port }) => `${host}:${Number(port) || 11211}`);
  return joinStoreUrl(`memcached://${login}${places.join(',')}`, {
    ...options,
    ...(distribution === 'ketama' ? {} : { distribution }),
    ...(weights.some((weight) => weight !== '1') ? { weight: weights.join(',') } : {}),
    ...common,
  });
}

/** Splits servers by commas or blanks, as ext-memcache and phpredis do. */
const serversIn = (path: string) => path.split(/[\s,]+/).filter((server) => server !== '');

function memcache(settings: PhpSettings, common: Options): string {
  const own = settings.get('memcache.session_save_path');
  const path = own.value === '' ? settings.get('session.save_path') : own;
  const host = settings.get('memcache.session_prefix_host_key');
  if (isOnValue(host.value)) throw unsupported('memcache.session_prefix_host_key', host);
  const options = {
    handler: 'memcache',
    prefix: settings.get('memcache.session_prefix_static_key').value,
    redundancy: settings.get('memcache.session_redundancy').value,
  };
  const list = serversIn(path.value);
  const socket = /^(?:unix|file):(?:\/\/)?(\/[^?:]*)(?::0)?(?:\?.*)?$/.exec(list[0] ?? '')?.[1];
  if (socket !== undefined && list.length === 1)
    return joinStoreUrl(`memcached://${escapePath(socket)}`, { ...options, ...common });
  const servers = list.map((server) => {
    const parts = /^tcp:\/\/([A-Za-z0-9._-]+)(?::(\d{1,5}))?\/?(?:\?(.*))?$/.exec(server);
    if (parts === null)
      throw unsupported(
        'session.save_path',
        path,
        'the value must be servers of memcached, such as tcp://127.0.0.1:11211, or one Unix socket',
      );
    const [, name = '', port = '11211', query = ''] = parts;
    return { place: `${name}:${port}`, weight: new URLSearchParams(query).get('weight') ?? '1' };
  });
  const hash = settings.get('memcache.hash_function').value === 'fnv' ? '_fnv' : '';
  const strategy =
    settings.get('memcache.hash_strategy').value === 'standard' ? 'memcache_standard' : 'memcache';
  return joinStoreUrl(`memcached://${servers.map(({ place }) => place).join(',')}`, {
    ...options,
    distribution: strategy + hash,
    ...(servers.some(({ weight }) => weight !== '1')
      ? { weight: servers.map(({ weight }) => weight).join(',') }
      : {}),
    ...common,
  });
}

/** Converts the save path as `PS_OPEN_FUNC(redis)` of phpredis reads it. */
function redis(settings: PhpSettings, { format = '', lifetime = '' }: Options): string {
  const path = settings.get('session.save_path');
  const compression = settings.get('redis.session.compression');
  if (!/^(?:none)?$/.test(compression.value)) throw unsupported('redis.session.compression', compression);
  const [server = '', ...others] = serversIn(path.value);
  if (others.length > 0)
    throw unsupported('session.save_path', path, 'several Redis servers are not supported');
  const parts =
    /^(?:(?<scheme>tcp|tls|ssl|redis):\/\/)?(?<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::(?<port>\d{1,5}))?\/?(?:\?(?<query>.*))?$/.exec(
      server,
    )?.groups ?? /^(?:unix|file):(?:\/\/)?(?<socket>\/[^?]*)(?:\?(?<query>.*))?$/.exec(server)?.groups;
  if (parts === undefined)
    throw unsupported('session.save_path', path, 'the value is not the URL of a Redis server');
  const { scheme = 'tcp', host = '', port = '6379', socket, query = '' } = parts;
  const given = new URLSearchParams(query);
  const [user, password] = login(given);
  const credentials =
    password === undefined ? '' : `${encodeURIComponent(user ?? '')}:${encodeURIComponent(password)}@`;
  const place = socket === undefined ? `${host}:${port}` : escapePath(socket);
  return joinStoreUrl(`${/^(?:tls|ssl)$/.test(scheme) ? 'rediss' : 'redis'}://${credentials}${place}`, {
    ...(given.has('prefix') ? { prefix: given.get('prefix') ?? '' } : {}),
    ...(Number(given.get('database')) > 0 ? { database: given.get('database') ?? '' } : {}),
    format,
    lifetime,
  });
}

/** Reads the user and password from `auth=PASSWORD`, `auth[]=USER&auth[]=PASSWORD`, or the keys `user` and `pass`. */
function login(query: URLSearchParams): [user: string | undefined, password: string | undefined] {
  const all = [...query].filter(([name]) => /^auth(?:\[|$)/.test(name));
  const named = (key: string) => all.find(([name]) => name === `auth[${key}]`)?.[1];
  const values = all.map(([, value]) => value);
  const user = named('user') ?? (values.length === 2 ? values[0] : undefined);
  return [user, named('pass') ?? values.at(-1)];
}

/** Whether PHP's `zend_ini_parse_bool()` is true for the value. */
const isOnValue = (value: string) =>
  /^(?:true|yes|on)$/i.test(value) || (Number.parseInt(value, 10) || 0) !== 0;

/** Parses a number like PHP's `ZEND_STRTOL()`, with the base of the prefix and a unit at the end. */
function parseQuantity(value: string): number {
  const [, sign = '', digits = '0'] = /^\s*([+-]?)(0x[0-9a-f]+|\d+)/i.exec(value) ?? [];
  const base = /^0x/i.test(digits) ? 16 : digits.startsWith('0') ? 8 : 10;
  const unit = { k: 2 ** 10, m: 2 ** 20, g: 2 ** 30 }[value.trim().at(-1)?.toLowerCase() ?? ''] ?? 1;
  return Math.max(0, Number(`${sign}${Number.parseInt(digits, base) || 0}`) * unit);
}

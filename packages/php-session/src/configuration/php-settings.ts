import { join } from 'node:path';
import { option } from '../names.ts';
import { type ApacheSite, findApacheSites } from './apache.ts';
import { findNginxSites } from './nginx.ts';
import { type FpmPool, type PhpDirective, readPools } from './php-fpm.ts';
import {
  createIni,
  findInstallations,
  IniReader,
  type Installation,
  type LocatedValue,
  readIni,
} from './php-installations.ts';
import type { SessionCall } from './session-calls.ts';
import { openSystem, type System } from './system.ts';
import { ConfigurationError, isUnknown, type Unknown } from './value.ts';
import { findSites, type WebSite } from './web-server.ts';

/** A PHP setting with its origin. */
export interface PhpSetting {
  value: string;
  /** `FILE line N`, or `PHP's default`. */
  from: string;
}

/** The settings of the PHP that runs a site. */
export interface PhpSettings {
  /** The name of the PHP, such as `PHP-FPM 8.2, pool www`. */
  title: string;
  /** The account that PHP runs as, if known. */
  user: string | undefined;
  /** The ini files, and the files of PHP-FPM pools. */
  files: readonly string[];
  /** `FILE line N` of the first syntax error. PHP reads only the statements before it. */
  broken: string | undefined;
  /**
   * Returns a session setting by its name in php.ini.
   * @param instead the option to set if only PHP knows the value
   * @throws ConfigurationError if the value is unknown
   */
  get(name: string, instead?: string): PhpSetting;
}

interface PhpMachine {
  /** The environment of PHP, by the option `siteEnv`. */
  environment?: Readonly<Record<string, string>> | undefined;
  /** The configuration of another machine. */
  system?: System | undefined;
}

/** The session settings, with the defaults of PHP and its extensions. */
const defaults: Readonly<Record<string, string>> = {
  'session.save_handler': 'files',
  'session.save_path': '',
  'session.name': 'PHPSESSID',
  'session.serialize_handler': 'php',
  'session.gc_maxlifetime': '1440',
  'session.cookie_lifetime': '0',
  'session.cookie_path': '/',
  'session.cookie_domain': '',
  'session.cookie_secure': '0',
  'session.cookie_httponly': '0',
  'session.cookie_samesite': '',
  'session.use_cookies': '1',
  'session.auto_start': '0',
  'memcached.sess_prefix': 'memc.sess.key.',
  'memcached.sess_consistent_hash': '1',
  'memcached.sess_consistent_hash_type': 'ketama',
  'memcached.sess_number_of_replicas': '0',
  'memcached.sess_sasl_username': '',
  'memcached.sess_sasl_password': '',
  'memcache.hash_strategy': 'consistent',
  'memcache.hash_function': 'crc32',
  'memcache.session_redundancy': '2',
  'memcache.session_prefix_static_key': '',
  'memcache.session_prefix_host_key': '0',
  'memcache.session_save_path': '',
  'redis.session.compression': 'none',
  sys_temp_dir: '',
};

export const phpSettingNames: readonly string[] = Object.keys(defaults);

/** A PHP that may run the site. */
interface Candidate {
  title: string;
  user: string | undefined;
  settings: Map<string, LocatedValue>;
}

/** Applies settings by PHP's rules. They must be set in PHP's order. */
class SettingLayers {
  readonly settings = new Map<string, LocatedValue>();
  readonly #locked = new Set<string>();

  /**
   * Sets a value, unless PHP rejects it or a file in the site may not change it.
   * @param by `system` for settings of the administrator, which files in the site cannot change; `folder` for such files
   */
  set(name: string, located: LocatedValue, by: 'start' | 'system' | 'user' | 'folder'): void {
    if (!Object.hasOwn(defaults, name)) return;
    if (by === 'folder' && (this.#locked.has(name) || name === 'sys_temp_dir')) return;
    if (by === 'system') this.#locked.add(name);
    if (isUnknown(located.value) || isAccepted(name, located.value)) this.settings.set(name, located);
  }

  setAll(values: ReadonlyMap<string, LocatedValue>, by: 'start' | 'system' | 'folder'): void {
    for (const [name, located] of values) this.set(name, located, by);
  }

  /** Like `fpm_php_zend_ini_alter_master()`, which does not lock a setting if PHP rejects the value. */
  setDirectives(directives: readonly PhpDirective[]): void {
    for (const { name, admin, ...located } of directives) {
      if (isUnknown(located.value) || isAccepted(name, located.value))
        this.set(name, located, admin ? 'system' : 'user');
    }
  }
}

/** Whether PHP accepts the value: `OnUpdateName()`, `OnUpdateSaveHandler()` and `OnUpdateCookieLifetime()`. */
function isAccepted(name: string, value: string): boolean {
  if (name === 'session.name')
    return (
      value !== '' && !/^[ \t\n\r\v\f]*[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?[ \t\n\r\v\f]*$/i.test(value)
    );
  if (name === 'session.save_handler') return value !== 'user';
  return name !== 'session.cookie_lifetime' || !/^\s*-\d*[1-9]/.test(value);
}

/** Returns the folders from `outer` down to `inner`. Only `inner` if it is not in `outer`. */
function listFoldersBetween(outer: string, inner: string): string[] {
  const folders = [inner];
  for (let folder = inner; folder !== outer && folder.startsWith(`${outer}/`); folders.unshift(folder))
    folder = folder.slice(0, folder.lastIndexOf('/'));
  return folders;
}

async function readFpmCandidate(
  reader: IniReader,
  pages: Pages,
  { installation, pool }: InstalledPool,
  directives: readonly PhpDirective[] = [],
): Promise<Candidate> {
  const layers = new SettingLayers();
  const ini = await readIni(reader, installation);
  layers.setAll(ini.values, 'start');
  layers.setDirectives(pool.directives);
  layers.setDirectives(directives);
  for (const values of ini.hosts.values()) {
    for (const [name, { file, line }] of values) {
      const value = { unknown: { file, line, why: 'the host of the page' } };
      layers.set(name, { value, file, line }, 'system');
    }
  }
  for (const path of listFoldersBetween('', pages.folder))
    layers.setAll(ini.paths.get(path) ?? new Map(), 'system');
  const userIni = ini.values.get('user_ini.filename')?.value ?? '.user.ini';
  const folderIni = createIni();
  if (typeof userIni === 'string' && userIni !== '') {
    for (const folder of listFoldersBetween(pages.root, pages.folder))
      await reader.add(folderIni, join(folder, userIni), ini);
  }
  layers.setAll(folderIni.values, 'folder');
  reader.files.add(pool.file);
  return {
    title: `PHP-FPM${showVersion(installation)}, pool ${pool.name}`,
    user: pool.user || undefined,
    settings: addSavePath(layers.settings, installation),
  };
}

const showVersion = ({ version }: Installation) => version && ` ${version}`;

/** Reads the settings of mod_php for a site. */
async function readApacheCandidate(
  reader: IniReader,
  pages: Pages,
  installation: Installation,
  site: ApacheSite,
): Promise<Candidate> {
  const layers = new SettingLayers();
  const iniFolder = site.ini ?? installation.iniFolder;
  layers.setAll((await readIni(reader, { ...installation, iniFolder })).values, 'start');
  for (const section of await site.readSections(pages.folder)) {
    // The last value of a name in a section counts, even if an earlier value is the administrator's.
    const last = new Map(section.map(({ name, ...rest }) => [name, rest]));
    for (const [name, { admin, ...located }] of last) layers.set(name, located, admin ? 'system' : 'folder');
  }
  return {
    title: `PHP${showVersion(installation)} in Apache`,
    user: site.user,
    settings: addSavePath(layers.settings, installation),
  };
}

async function readCliCandidate(reader: IniReader, installation: Installation): Promise<Candidate> {
  const layers = new SettingLayers();
  layers.setAll((await readIni(reader, installation)).values, 'start');
  return {
    title: `PHP${showVersion(installation)} of the command line`,
    user: undefined,
    settings: addSavePath(layers.settings, installation),
  };
}

function addSavePath(
  settings: Map<string, LocatedValue>,
  { savePath }: Installation,
): Map<string, LocatedValue> {
  if (!settings.has('session.save_path'))
    settings.set('session.save_path', { value: savePath, file: '', line: 0 });
  return settings;
}

/** The folder of the site's pages, and the root folder of the web server. */
interface Pages {
  root: string;
  folder: string;
}

interface InstalledPool {
  installation: Installation;
  pool: FpmPool;
}

/** Finds each PHP that may run the site. If no web server has the site, each pool and module counts, otherwise the CLI. */
async function findCandidates(reader: IniReader, folder: string): Promise<Candidate[]> {
  const { system, environment } = reader;
  const installations = await findInstallations(system);
  const pools: InstalledPool[] = [];
  for (const installation of installations) {
    if (installation.kind !== 'fpm') continue;
    for (const pool of await readPools(system, installation.fpmFile, environment))
      pools.push({ installation, pool });
  }
  const modules = installations.filter(({ kind }) => kind === 'apache');
  const findModules = ({ version }: ApacheSite) =>
    modules.filter((module) => version === '' || module.version === '' || module.version === version);
  const nginx = await findNginxSites(system, environment);
  const apache = await findApacheSites(system, environment);
  const sites: readonly (WebSite | ApacheSite)[] = [...nginx, ...apache];
  const candidates: Candidate[] = [];
  for (const site of await findSites(system, sites, folder)) {
    const root = (await system.real(site.root)).replace(/(.)\/+$/, '$1');
    const pages = { root, folder: root.startsWith(`${folder}/`) ? root : folder };
    for (const { fpm, directives } of site.handlers) {
      if (fpm === undefined && 'readSections' in site) {
        for (const module of findModules(site))
          candidates.push(await readApacheCandidate(reader, pages, module, site));
        continue;
      }
      const address = await normalizeAddress(system, fpm ?? '');
      let hasPool = false;
      for (const installedPool of pools) {
        if (!isSameAddress(address, await normalizeAddress(system, installedPool.pool.listen))) continue;
        hasPool = true;
        candidates.push(await readFpmCandidate(reader, pages, installedPool, directives));
      }
      if (!hasPool)
        throw new ConfigurationError(
          `the web server passes PHP of ${site.root} to ${fpm}, which is not a pool of PHP-FPM on this machine: set ${option('store')} and ${option('cookieName')} to the values in its php.ini`,
        );
    }
  }
  if (candidates.length > 0) return candidates;
  const pages = { root: folder, folder };
  for (const pool of pools) candidates.push(await readFpmCandidate(reader, pages, pool));
  const [withModule] = apache.filter(({ handlers }) => handlers.some(({ fpm }) => fpm === undefined));
  if (withModule !== undefined)
    for (const module of findModules(withModule))
      candidates.push(await readApacheCandidate(reader, pages, module, withModule));
  if (candidates.length > 0) return candidates;
  return Promise.all(
    installations
      .filter(({ kind }) => kind === 'cli')
      .map((installation) => readCliCandidate(reader, installation)),
  );
}

/** Normalizes the address of PHP-FPM for comparison. */
async function normalizeAddress(
  system: System,
  text: string,
): Promise<{ socket: string } | { host: string; port: string }> {
  const address = text.replace(/^(?:unix:|tcp:\/\/)/, '');
  if (address.startsWith('/'))
    return { socket: await system.real(address.replace(/^\/var\/run\//, '/run/')) };
  const [, host = '', port = address] = /^(.*):(\d+)$/.exec(address) ?? [];
  return { host: /^(?:|\*|localhost|127\..*|0\.0\.0\.0|\[::1?\])$/.test(host) ? '' : host, port };
}

const isSameAddress = (a: object, b: object) => JSON.stringify(a) === JSON.stringify(b);

/**
 * Finds the settings of the PHP that runs the site in a folder, from the configuration of PHP and the web server,
 * without running PHP.
 * @throws ConfigurationError if a file cannot be read, or no PHP is found
 */
export async function readPhpSettings(folder: string, machine: PhpMachine = {}): Promise<PhpSettings> {
  const { system = openSystem(), environment } = machine;
  const reader = new IniReader(system, environment);
  const candidates = await findCandidates(reader, folder);
  const [first, ...others] = candidates;
  if (first === undefined)
    throw new ConfigurationError(
      `PHP was not found on this machine: set ${option('store')} and ${option('cookieName')} to the values in its php.ini`,
    );
  return {
    title: [...new Set(candidates.map(({ title }) => title))].join(' or '),
    files: [...reader.files],
    broken: reader.errors[0],
    user: others.every(({ user }) => user === first.user) ? first.user : undefined,
    get(name, instead = getDefaultOption(name)) {
      const setting = getSetting(first, name, instead);
      for (const other of others) {
        const { value, from } = getSetting(other, name, instead);
        if (value !== setting.value)
          throw new ConfigurationError(
            `${name} is ${showValue(name, setting.value)} in ${first.title} (${setting.from}) and ${showValue(name, value)} in ${other.title} (${from}), and either may run the site: set ${instead}`,
          );
      }
      return setting;
    },
  };
}

/**
 * Overrides settings by calls in the code of the site. Calls for the same setting must agree.
 */
export function applyCalls(settings: PhpSettings, calls: readonly SessionCall[]): PhpSettings {
  return {
    ...settings,
    get(name, instead = getDefaultOption(name)) {
      const [first, ...others] = calls.filter((call) => call.name === name);
      if (first === undefined) return settings.get(name, instead);
      const placeOf = ({ by, file, line }: SessionCall) => `${by} in ${file} line ${line}`;
      const { value } = first;
      if (typeof value !== 'string') throw toUnknownError(name, value, instead);
      for (const other of others) {
        if (typeof other.value !== 'string') throw toUnknownError(name, other.value, instead);
        if (other.value !== value)
          throw new ConfigurationError(
            `${placeOf(first)} sets ${name} to ${showValue(name, value)}, but ${placeOf(other)} sets it to ${showValue(name, other.value)}: set ${instead}`,
          );
      }
      return { value, from: placeOf(first) };
    },
  };
}

/** Quotes a value for an error. Hides passwords, also in URLs and in Redis's `auth`. */
const showValue = (name: string, value: string) =>
  name.endsWith('password')
    ? '…'
    : JSON.stringify(value.replace(/(auth[^=&]*=)[^&,\s]*/gi, '$1…').replace(/\/\/[^@/]*@/g, '//…@'));

const getDefaultOption = (name: string) => option(name === 'session.name' ? 'cookieName' : 'store');

function getSetting({ settings }: Candidate, name: string, instead: string): PhpSetting {
  const located = settings.get(name);
  const fallback = defaults[name];
  if (fallback === undefined) throw new Error(`${name} is not a session setting`);
  if (located === undefined) return { value: fallback, from: "PHP's default" };
  const { value, file, line } = located;
  if (typeof value === 'string')
    return { value, from: file === '' ? "PHP's default" : `${file} line ${line}` };
  throw toUnknownError(name, value, instead);
}

const toUnknownError = (name: string, { unknown: { file, line, why } }: Unknown, instead: string) =>
  new ConfigurationError(
    `${file} line ${line}: ${name} depends on ${why}, which only PHP knows: set ${instead}`,
  );

import { join } from 'node:path';
import { option } from '../names.ts';
import { type ApacheSite, apacheSites } from './apache.ts';
import { type IniValue, parseIni } from './ini.ts';
import { nginxSites } from './nginx.ts';
import { type FpmPool, type PhpDirective, readPools } from './php-fpm.ts';
import type { SessionCall } from './session-calls.ts';
import { openSystem, type System } from './system.ts';
import { ConfigurationError, isUnknown, type Unknown } from './value.ts';
import { sitesOf, type WebSite } from './web-server.ts';

/** A setting of PHP, with the place where it stands. */
export interface PhpSetting {
  value: string;
  /** `FILE line N`, or `PHP's default`. */
  from: string;
}

/** The settings of the PHP that runs a site. */
export interface PhpSettings {
  /** Which PHP it is, such as `PHP-FPM 8.2, pool www`. */
  title: string;
  /** The account that PHP runs as, if that is known. */
  user: string | undefined;
  /** The files that were read. */
  files: readonly string[];
  /** `FILE line N` where PHP reads only the statements above. */
  broken: string | undefined;
  /**
   * A setting that concerns sessions, by its name in php.ini.
   * @param instead the option to set if only PHP knows the value
   * @throws ConfigurationError that names it
   */
  get(name: string, instead?: string): PhpSetting;
}

export interface PhpMachine {
  /** The environment of PHP, as `siteEnv` names it. */
  environment?: Readonly<Record<string, string>> | undefined;
  /** The configuration of the machine, if that is not this one. */
  system?: System | undefined;
}

/** The settings that concern sessions, with PHP's defaults and those of its extensions. */
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

/** The names of the settings of `PhpSettings.get`. */
export const phpSettingNames: readonly string[] = Object.keys(defaults);

/** A PHP of this machine: its files, and where its packages put sessions. */
interface Installation {
  version: string;
  kind: 'fpm' | 'apache' | 'cli';
  /** The folder of php.ini, and that of further files. */
  ini: string;
  scan: string;
  /** The name of the SAPI in `php-NAME.ini`, which counts before php.ini. */
  sapi: string;
  fpm: string;
  savePath: string;
}

/** Debian's packages put sessions where its cron job clears them away: its patch of session.save_path. */
const debianPath = '/var/lib/php/sessions';

/** @returns every PHP of this machine that is not of the command line, or else that one */
async function installations(system: System): Promise<Installation[]> {
  const found: Installation[] = [];
  const add = async (installation: Installation) => {
    const { kind, fpm, ini } = installation;
    const names = await system.list(ini);
    const isThere = kind === 'fpm' ? (await system.text(fpm)) !== null : names.includes('php.ini');
    if (isThere) found.push(installation);
  };
  const sapis = { fpm: 'fpm-fcgi', apache: 'apache2handler', cli: 'cli-server' } as const;
  // Debian: a folder for each version and each kind.
  for (const version of await system.list('/etc/php')) {
    if (!/^\d+\.\d+$/.test(version)) continue;
    for (const [kind, folder] of [
      ['fpm', 'fpm'],
      ['apache', 'apache2'],
      ['cli', 'cli'],
    ] as const) {
      const ini = `/etc/php/${version}/${folder}`;
      const fpm = `${ini}/php-fpm.conf`;
      await add({ version, kind, ini, scan: `${ini}/conf.d`, sapi: sapis[kind], fpm, savePath: debianPath });
    }
  }
  // Official images, Fedora and its relatives, Remi's packages, Alpine, Arch: php.ini is the same for all kinds.
  const places = [
    ['/usr/local/etc', '/usr/local/etc/php', '/usr/local/etc/php/conf.d'],
    ['/etc', '/etc', '/etc/php.d'],
    ['/etc/php', '/etc/php', '/etc/php/conf.d'],
    ...(await system.glob('/etc/opt/remi/php[0-9]*')).map((folder) => [folder, folder, `${folder}/php.d`]),
    ...(await system.glob('/etc/php[0-9]*')).map((folder) => [folder, folder, `${folder}/conf.d`]),
  ] as const;
  for (const [folder = '', ini = '', scan = ''] of places) {
    const version = /php(\d)(\d+)$/.exec(folder)?.slice(1).join('.') ?? '';
    for (const kind of ['fpm', 'apache', 'cli'] as const)
      await add({ version, kind, ini, scan, sapi: sapis[kind], fpm: `${folder}/php-fpm.conf`, savePath: '' });
  }
  return found;
}

/** The values of php.ini and of the files beside it. */
interface Ini {
  values: Map<string, Placed>;
  /** The values in `[PATH=…]`, by the path. */
  paths: Map<string, Map<string, Placed>>;
  hosts: Map<string, Map<string, Placed>>;
}

const emptyIni = (): Ini => ({ values: new Map(), paths: new Map(), hosts: new Map() });

/** A single reading of the configuration. */
class Look {
  readonly system: System;
  readonly environment: PhpMachine['environment'];
  readonly files = new Set<string>();
  /** Where an error of syntax ends a file. */
  readonly errors: string[] = [];

  constructor({ system = openSystem(), environment }: PhpMachine) {
    this.system = system;
    this.environment = environment;
  }

  /**
   * Adds what an ini file sets, as `php_ini_parser_cb()` does.
   * @param directives those of php.ini, for `${NAME}`
   * @returns whether the file is there
   */
  async add(ini: Ini, file: string, directives: Ini = ini): Promise<boolean> {
    const text = await this.system.text(file);
    if (text === null) return false;
    this.files.add(file);
    const directive = (name: string) => directives.values.get(name)?.value;
    let active = ini.values;
    for (const statement of parseIni(text, file, { directive, environment: this.environment })) {
      const { line } = statement;
      if (statement.kind === 'section') active = sectionOf(ini, statement.name) ?? active;
      else if (statement.kind === 'entry') active.set(statement.name, { value: statement.value, file, line });
      else if (statement.kind === 'error') this.errors.push(`${file} line ${line}`);
    }
    return true;
  }
}

/** `[PATH=…]` and `[HOST=…]`, which another section does not end. */
function sectionOf(ini: Ini, title: string): Map<string, Placed> | undefined {
  const [, kind, rest] = /^(PATH|HOST)(.+)$/is.exec(title) ?? [];
  if (kind === undefined || rest === undefined) return undefined;
  const key = rest.replace(/[/\\]+$/, '').replace(/^[= \t]+/, '');
  const [sections, name] = kind.toUpperCase() === 'PATH' ? [ini.paths, key] : [ini.hosts, key.toLowerCase()];
  const section = sections.get(name) ?? new Map<string, Placed>();
  sections.set(name, section);
  return section;
}

interface Placed {
  value: IniValue;
  file: string;
  line: number;
}

async function iniOf(look: Look, { ini: folder, scan, sapi }: Installation): Promise<Ini> {
  const ini = emptyIni();
  if (!(await look.add(ini, join(folder, `php-${sapi}.ini`)))) await look.add(ini, join(folder, 'php.ini'));
  for (const name of await look.system.list(scan))
    if (name.endsWith('.ini')) await look.add(ini, join(scan, name));
  return ini;
}

/** A PHP that may run the site. */
interface Candidate {
  title: string;
  user: string | undefined;
  settings: Map<string, Placed>;
}

/** The settings, changed one after another in the order and by the rules of PHP. */
class Layers {
  readonly settings = new Map<string, Placed>();
  readonly #locked = new Set<string>();

  /**
   * @param by `system` for what only the administrator can set, and nothing after it can change; `folder` for what a
   * file in the site sets
   */
  set(name: string, placed: Placed, by: 'start' | 'system' | 'user' | 'folder'): void {
    if (!Object.hasOwn(defaults, name)) return;
    if (by === 'folder' && (this.#locked.has(name) || name === 'sys_temp_dir')) return;
    if (by === 'system') this.#locked.add(name);
    if (isUnknown(placed.value) || isAccepted(name, placed.value)) this.settings.set(name, placed);
  }

  setAll(values: ReadonlyMap<string, Placed>, by: 'start' | 'system' | 'folder'): void {
    for (const [name, placed] of values) this.set(name, placed, by);
  }

  /** As `fpm_php_zend_ini_alter_master()`, which locks no setting by a value that PHP refuses. */
  setDirectives(directives: readonly PhpDirective[]): void {
    for (const { name, admin, ...placed } of directives) {
      if (isUnknown(placed.value) || isAccepted(name, placed.value))
        this.set(name, placed, admin ? 'system' : 'user');
    }
  }
}

/** Values that `OnUpdateName()`, `OnUpdateSaveHandler()` and `OnUpdateCookieLifetime()` refuse. */
function isAccepted(name: string, value: string): boolean {
  if (name === 'session.name')
    return (
      value !== '' && !/^[ \t\n\r\v\f]*[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?[ \t\n\r\v\f]*$/i.test(value)
    );
  if (name === 'session.save_handler') return value !== 'user';
  return name !== 'session.cookie_lifetime' || !/^\s*-\d*[1-9]/.test(value);
}

/** The folders from one down to another; only the latter if it is not within the first. */
function foldersBetween(outer: string, inner: string): string[] {
  const found = [inner];
  for (let at = inner; at !== outer && at.startsWith(`${outer}/`); found.unshift(at))
    at = at.slice(0, at.lastIndexOf('/'));
  return found;
}

async function underFpm(
  look: Look,
  pages: Pages,
  { installation, pool }: InstalledPool,
  directives: readonly PhpDirective[] = [],
): Promise<Candidate> {
  const layers = new Layers();
  const ini = await iniOf(look, installation);
  layers.setAll(ini.values, 'start');
  layers.setDirectives(pool.directives);
  layers.setDirectives(directives);
  for (const values of ini.hosts.values()) {
    for (const [name, { file, line }] of values) {
      const value = { unknown: { file, line, why: 'the host of the page' } };
      layers.set(name, { value, file, line }, 'system');
    }
  }
  for (const path of foldersBetween('', pages.folder))
    layers.setAll(ini.paths.get(path) ?? new Map(), 'system');
  const userIni = ini.values.get('user_ini.filename')?.value ?? '.user.ini';
  const own = emptyIni();
  if (typeof userIni === 'string' && userIni !== '') {
    for (const at of foldersBetween(pages.root, pages.folder)) await look.add(own, join(at, userIni), ini);
  }
  layers.setAll(own.values, 'folder');
  look.files.add(pool.file);
  return {
    title: `PHP-FPM${versionOf(installation)}, pool ${pool.name}`,
    user: pool.user || undefined,
    settings: withPath(layers.settings, installation),
  };
}

const versionOf = ({ version }: Installation) => version && ` ${version}`;

/** The module of Apache: mod_php. */
async function underApache(
  look: Look,
  pages: Pages,
  installation: Installation,
  site: ApacheSite,
): Promise<Candidate> {
  const layers = new Layers();
  const { ini = installation.ini } = site;
  layers.setAll((await iniOf(look, { ...installation, ini })).values, 'start');
  for (const section of await site.sections(pages.folder)) {
    // Of two in one section the last counts, whichever of them is for the administrator.
    const last = new Map(section.map(({ name, ...rest }) => [name, rest]));
    for (const [name, { admin, ...placed }] of last) layers.set(name, placed, admin ? 'system' : 'folder');
  }
  return {
    title: `PHP${versionOf(installation)} in Apache`,
    user: site.user,
    settings: withPath(layers.settings, installation),
  };
}

async function alone(look: Look, installation: Installation): Promise<Candidate> {
  const layers = new Layers();
  layers.setAll((await iniOf(look, installation)).values, 'start');
  return {
    title: `PHP${versionOf(installation)} of the command line`,
    user: undefined,
    settings: withPath(layers.settings, installation),
  };
}

function withPath(settings: Map<string, Placed>, { savePath }: Installation): Map<string, Placed> {
  if (!settings.has('session.save_path'))
    settings.set('session.save_path', { value: savePath, file: '', line: 0 });
  return settings;
}

/** The folder of the site's pages, in the web server's folder for them. */
interface Pages {
  root: string;
  folder: string;
}

interface InstalledPool {
  installation: Installation;
  pool: FpmPool;
}

/** Every PHP that may run the site: those that a web server names for its folder, or else all of the machine. */
async function candidatesOf(look: Look, folder: string): Promise<Candidate[]> {
  const { system, environment } = look;
  const all = await installations(system);
  const pools: InstalledPool[] = [];
  for (const installation of all) {
    if (installation.kind !== 'fpm') continue;
    for (const pool of await readPools(system, installation.fpm, environment))
      pools.push({ installation, pool });
  }
  const modules = all.filter(({ kind }) => kind === 'apache');
  const ofVersion = ({ version }: ApacheSite) =>
    modules.filter((module) => version === '' || module.version === '' || module.version === version);
  const nginx = await nginxSites(system, environment);
  const apache = await apacheSites(system, environment);
  const sites: readonly (WebSite | ApacheSite)[] = [...nginx, ...apache];
  const found: Candidate[] = [];
  for (const site of await sitesOf(system, sites, folder)) {
    const root = (await system.real(site.root)).replace(/(.)\/+$/, '$1');
    const pages = { root, folder: root.startsWith(`${folder}/`) ? root : folder };
    for (const { fpm, directives } of site.handlers) {
      if (fpm === undefined && 'sections' in site) {
        for (const module of ofVersion(site)) found.push(await underApache(look, pages, module, site));
        continue;
      }
      const at = await addressOf(system, fpm ?? '');
      let known = false;
      for (const each of pools) {
        if (!isSameAddress(at, await addressOf(system, each.pool.listen))) continue;
        known = true;
        found.push(await underFpm(look, pages, each, directives));
      }
      if (!known)
        throw new ConfigurationError(
          `the web server passes PHP of ${site.root} to ${fpm}, which is no pool of PHP-FPM on this machine: set ${option('store')} and ${option('cookieName')} as its php.ini says`,
        );
    }
  }
  if (found.length > 0) return found;
  const pages = { root: folder, folder };
  for (const pool of pools) found.push(await underFpm(look, pages, pool));
  const [withModule] = apache.filter(({ handlers }) => handlers.some(({ fpm }) => fpm === undefined));
  if (withModule !== undefined)
    for (const module of ofVersion(withModule))
      found.push(await underApache(look, pages, module, withModule));
  if (found.length > 0) return found;
  return Promise.all(
    all.filter(({ kind }) => kind === 'cli').map((installation) => alone(look, installation)),
  );
}

/** Where PHP-FPM listens, in one form. */
async function addressOf(
  system: System,
  text: string,
): Promise<{ socket: string } | { host: string; port: string }> {
  const address = text.replace(/^(?:unix:|tcp:\/\/)/, '');
  if (address.startsWith('/'))
    return { socket: await system.real(address.replace(/^\/var\/run\//, '/run/')) };
  const [, host = '', port = address] = /^(.*):(\d+)$/.exec(address) ?? [];
  return { host: /^(?:|\*|localhost|127\..*|0\.0\.0\.0|\[::1?\])$/.test(host) ? '' : host, port };
}

const isSameAddress = (one: object, other: object) => JSON.stringify(one) === JSON.stringify(other);

/**
 * Finds the settings of the PHP that runs the site in a folder: php.ini and the files beside it, the pools of PHP-FPM,
 * `.user.ini`. Nothing is run.
 * @throws ConfigurationError if a file cannot be read, or no PHP is found
 */
export async function readPhpSettings(folder: string, machine: PhpMachine = {}): Promise<PhpSettings> {
  const look = new Look(machine);
  const candidates = await candidatesOf(look, folder);
  const [first, ...others] = candidates;
  if (first === undefined)
    throw new ConfigurationError(
      `no PHP is found on this machine: set ${option('store')} and ${option('cookieName')} as php.ini says`,
    );
  return {
    title: [...new Set(candidates.map(({ title }) => title))].join(' or '),
    files: [...look.files],
    broken: look.errors[0],
    user: others.every(({ user }) => user === first.user) ? first.user : undefined,
    get(name, instead = insteadOf(name)) {
      const setting = settingOf(first, name, instead);
      for (const other of others) {
        const another = settingOf(other, name, instead);
        if (another.value !== setting.value)
          throw new ConfigurationError(
            `${name} is ${shown(name, setting.value)} in ${first.title} (${setting.from}) and ${shown(name, another.value)} in ${other.title} (${another.from}), and it is not certain which one runs the site: set ${instead}`,
          );
      }
      return setting;
    },
  };
}

/**
 * The settings, with those that calls in the code of the site change.
 * @param calls of several for one setting all have to say the same
 */
export function withCalls(settings: PhpSettings, calls: readonly SessionCall[]): PhpSettings {
  return {
    ...settings,
    get(name, instead = insteadOf(name)) {
      const [first, ...others] = calls.filter((call) => call.name === name);
      if (first === undefined) return settings.get(name, instead);
      const placeOf = ({ by, file, line }: SessionCall) => `${by} in ${file} line ${line}`;
      const { value } = first;
      if (typeof value !== 'string') throw unknownTo(name, value, instead);
      for (const other of others) {
        if (typeof other.value !== 'string') throw unknownTo(name, other.value, instead);
        if (other.value !== value)
          throw new ConfigurationError(
            `${name} is ${shown(name, value)} by ${placeOf(first)} and ${shown(name, other.value)} by ${placeOf(other)}, and it is not certain which one counts: set ${instead}`,
          );
      }
      return { value, from: placeOf(first) };
    },
  };
}

/** Without a password, that of Redis, too. */
const shown = (name: string, value: string) =>
  name.endsWith('password')
    ? '…'
    : JSON.stringify(value.replace(/(auth[^=&]*=)[^&,\s]*/gi, '$1…').replace(/\/\/[^@/]*@/g, '//…@'));

const insteadOf = (name: string) => option(name === 'session.name' ? 'cookieName' : 'store');

function settingOf({ settings }: Candidate, name: string, instead: string): PhpSetting {
  const placed = settings.get(name);
  const fallback = defaults[name];
  if (fallback === undefined) throw new Error(`${name} is no setting of sessions`);
  if (placed === undefined) return { value: fallback, from: "PHP's default" };
  const { value, file, line } = placed;
  if (typeof value === 'string')
    return { value, from: file === '' ? "PHP's default" : `${file} line ${line}` };
  throw unknownTo(name, value, instead);
}

const unknownTo = (name: string, { unknown: { file, line, why } }: Unknown, instead: string) =>
  new ConfigurationError(
    `${file} line ${line}: ${name} depends on ${why}, which only PHP knows: set ${instead}`,
  );

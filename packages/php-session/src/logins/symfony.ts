import { asText, ConfigurationError } from '../configuration/configuration.ts';
import { hostAndPort, serverDatabase, sqliteDatabase, urlWith } from '../configuration/database-host.ts';
import { yamlScalar } from '../configuration/yaml.ts';
import { rawUrlDecode } from '../encodings.ts';
import { option } from '../names.ts';
import type { FoundSessions, SessionApplication, SiteDatabase, SiteFolder } from './application.ts';
import { fileContains, findPhpSessions } from './own-sessions.ts';

/** The token of the firewall `main`. Never use `_security.last_username` beside it: it is what a visitor typed. */
const token = '_sf2_attributes._security_main!';
/**
 * The user in a token, and in a `PostAuthenticationToken`, which authenticators of the site make:
 * AbstractAuthenticator::createToken().
 */
const [user, userOfOwn] = [`${token}.2.0`, `${token}.1.0`] as const;

const file = 'config/packages/framework.yaml';

/** Symfony 4.4 to 7: FrameworkBundle, DependencyInjection/FrameworkExtension.php (registerSessionConfiguration). */
export const symfony: SessionApplication = {
  kind: 'symfony',
  title: 'Symfony',
  options: { cookieName: 'PHPSESSID', userId: `${user}.id`, userName: `${user}.username` },
  /**
   * The id of an entity counts before its username. A form of the site may change the latter, and what its validation refuses is
   * in the session nevertheless, until the next page: ContextListener.php (onKernelResponse, refreshUser). The id may be a
   * `Uuid` or an `Ulid` of Symfony, which have a `uid`, or a `Uuid` of ramsey/uuid, which has a `string`.
   */
  firstIds: [user, userOfOwn].flatMap((at) => [`${at}.id.uid`, `${at}.id.string`]),
  otherIds: [`${userOfOwn}.id`, `${user}.username`, `${userOfOwn}.username`],
  otherNames: [`${userOfOwn}.username`],

  describe: async () => ({
    condition: { language: 'Twig', open: '{% if app.user %}', close: '{% endif %}' },
  }),

  async find(folder, given) {
    const root = folder.path.replace(/\/public$/, '');
    if (!(await fileContains(folder, `${root}/config/bundles.php`, 'FrameworkBundle'))) return null;
    const name = `${root}/${file}`;
    if (!(await folder.has(name)))
      throw new ConfigurationError(
        `${name} is not there: set ${option('site')}=symfony: without the folder, and ${option('store')}`,
      );
    if (given.store && given.cookieName) return { options: {} };
    const environment = await environmentOf(folder, root);
    const setting = await settingsOf(folder, root, environment);
    const own = given.cookieName ? null : setting('name').value;
    const cookieName =
      own ??
      (given.cookieName || given.store ? undefined : (await folder.settings()).get('session.name').value);
    const named = cookieName === undefined ? {} : { cookieName };
    if (given.store) return { options: named };
    const { value: handler, path: handlerFile } = setting('handler_id');
    const { value: savePath, path: savePathFile } = setting('save_path');
    const lifetime = () => lifetimeIn(setting('gc_maxlifetime'));
    const isNative = handler === null && !savePath;
    const version = Number(await versionOf(folder, root));
    if (isNative || (handler === undefined && !savePath && version >= 7))
      return findPhpSessions(folder, given, { ...named, lifetime: lifetime() });
    const known: Readonly<Record<string, string>> = {
      '%kernel.project_dir%': root,
      '%kernel.environment%': environment,
      '%kernel.cache_dir%': `${root}/var/cache/${environment}`,
    };
    const resolved = (text: string) =>
      text.replace(/%[\w.()]+%/g, (parameter) => known[parameter] ?? parameter);
    const dsn =
      handler == null ? null : await dsnOf(handler, (name) => variableOf(folder, root, environment, name));
    if (dsn !== null) {
      const settings = await folder.settings();
      const found = sessionsAt(resolved(dsn), settings.get('session.serialize_handler').value);
      if (found === null)
        throw new ConfigurationError(
          `${handlerFile}: the place of the sessions in handler_id is none that can be read: set ${option('store')}`,
        );
      if ('savePath' in found)
        return findPhpSessions(folder, given, {
          ...named,
          savePath: found.savePath,
          lifetime: lifetime(),
          file: handlerFile,
        });
      const { files, broken } = settings;
      const { store, ...table } = found;
      return { files, broken, options: { ...named, ...(store === undefined ? {} : { store }) }, ...table };
    }
    const isFile = handler === 'session.handler.native_file' || (version >= 7 && !handler);
    // An address may have a password.
    const which = handler && /^(?:%.*%|[\w.\\-]+)$/.test(handler) ? handler : 'in handler_id';
    if (!isFile || !savePath)
      throw new ConfigurationError(
        `${handlerFile}: the session handler ${handler ? which : 'that is the default of this version'} is not found by the folder: set ${option('store')} as docs/sessions.md says, or handler_id: null`,
      );
    const path = resolved(savePath);
    if (path.includes('%'))
      throw new ConfigurationError(
        `${savePathFile}: save_path has a parameter that is not known: set ${option('store')}`,
      );
    return findPhpSessions(folder, given, {
      ...named,
      savePath: path,
      lifetime: lifetime(),
      file: savePathFile,
    });
  },
};

/**
 * The values of `framework.session`, each with its file: of all files of an environment the later ones count.
 * MicroKernelTrait.php.
 */
async function settingsOf(
  folder: SiteFolder,
  root: string,
  environment: string,
): Promise<(key: string) => { value: string | null | undefined; path: string }> {
  const files: (readonly [name: string, text: string])[] = [];
  for (const at of ['config/packages', `config/packages/${environment}`]) {
    const names = (await folder.list(`${root}/${at}`)).filter((name) => /\.(?:yaml|php)$/.test(name));
    for (const name of names.sort()) {
      const path = `${root}/${at}/${name}`;
      const text = await folder.text(path);
      const isPhp = name.endsWith('.php');
      if (!(isPhp ? /['"]session['"]|\bsession\s*\(/ : /\bsession\b/).test(text)) continue;
      if (isPhp)
        throw new ConfigurationError(
          `${path}: sessions that are set there are not found by the folder: set ${option('store')} and ${option('cookieName')}`,
        );
      files.unshift([path, text]);
    }
  }
  return (key) => {
    for (const [path, text] of files)
      for (const within of [[`when@${environment}`], []]) {
        const value = yamlScalar(text, path, [...within, 'framework', 'session', key]);
        if (value !== undefined) return { value, path };
      }
    return { value: undefined, path: `${root}/${file}` };
  };
}

/** The value of session.gc_maxlifetime by NativeSessionStorage::setOptions(); empty if that is left to PHP. */
function lifetimeIn({ value, path }: { value: string | null | undefined; path: string }): string {
  if (value == null || /^\d{1,9}$/.test(value)) return value ?? '';
  throw new ConfigurationError(
    `${path}: gc_maxlifetime is no plain number: set ${option('store')} as docs/sessions.md says, or a number there`,
  );
}

/** The address that a session handler stands for; null if it is a service. */
async function dsnOf(
  handler: string,
  variable: (name: string) => Promise<string | undefined>,
): Promise<string | null> {
  const [, name] = /^%env\((?:resolve:)?(\w+)\)%$/.exec(handler) ?? [];
  const text = name === undefined ? handler : ((await variable(name)) ?? handler);
  return /^[a-z][a-z0-9+]*:\/\//.test(text) ? text : null;
}

/** A variable of the files of the environment, of which the later ones count; a compiled one counts alone. */
async function variableOf(
  folder: SiteFolder,
  root: string,
  environment: string,
  name: string,
): Promise<string | undefined> {
  const compiled = `${root}/.env.local.php`;
  if (await folder.has(compiled))
    return asText((await folder.php(compiled)).returned([name], option('store'))) ?? undefined;
  let variables: Readonly<Record<string, string>> = {};
  for (const file of ['.env', '.env.local', `.env.${environment}`, `.env.${environment}.local`]) {
    if (file === '.env.local' && environment === 'test') continue;
    if (await folder.has(`${root}/${file}`))
      variables = await folder.env(`${root}/${file}`, 'symfony', variables);
  }
  return variables[name];
}

type Found = Pick<FoundSessions, 'table'> & { store?: string };

/**
 * HttpFoundation/Session/Storage/Handler/SessionHandlerFactory.php, PdoSessionHandler.php (buildDsnFromUrl),
 * Cache/Traits/RedisTrait.php (createConnection).
 */
function sessionsAt(dsn: string, format: string): Found | { savePath: string } | null {
  const [, savePath] = /^file:\/\/(\/.+)$/.exec(dsn) ?? [];
  if (savePath !== undefined) return { savePath };
  const [, sqlite] = /^sqlite3?:\/\/\/(\/?[^?%]+)/.exec(dsn) ?? [];
  const url = URL.parse(dsn);
  if (url === null) return null;
  const { protocol, hostname, port, searchParams } = url;
  const [user, password] = [url.username, url.password].map(decoded) as [string, string];
  const path = decoded(url.pathname.slice(1));
  const prefix = searchParams.get('prefix');
  if (protocol === 'redis:' || protocol === 'rediss:') {
    // Without a colon it is the password.
    const secret = password === '' ? user : password;
    const isUsers = password !== '' && user !== '' && user !== 'default';
    // Versions of Symfony may take either of two that differ.
    const database = path || (searchParams.get('dbindex') ?? '0');
    if ((searchParams.get('dbindex') ?? database) !== database) return null;
    if (isUsers || hostname === '' || !/^\d{1,5}$/.test(database)) return null;
    if ([...searchParams.keys()].some((name) => elsewhere.test(name))) return null;
    const login = secret === '' ? '' : `:${encodeURIComponent(secret)}@`;
    const place = `${protocol}//${login}${hostAndPort(hostname, port || '6379')}/${database}`;
    return { store: urlWith(place, { prefix: prefix ?? 'sf_s', format }) };
  }
  if (protocol === 'memcached:') {
    if (hostname === '' || user !== '' || path !== '') return null;
    const place = `memcached://${hostAndPort(hostname, port || '11211')}`;
    return { store: urlWith(place, { prefix: prefix ?? 'sf2s', format }) };
  }
  const kind = sqlite ? 'sqlite' : kinds[protocol];
  if (kind === undefined || (kind !== 'sqlite' && path === '')) return null;
  const own = (name: string, usual: string) => searchParams.get(name) ?? usual;
  const socket = searchParams.get('unix_socket') ?? undefined;
  return {
    table: {
      database: sqlite
        ? sqliteDatabase(`/${sqlite.replace(/^\/+/, '')}`)
        : serverDatabase({
            kind,
            host: hostname || undefined,
            port: Number(port),
            socket,
            user,
            password,
            name: path,
          }),
      options: {
        table: own('db_table', 'sessions'),
        id: own('db_id_col', 'sess_id'),
        data: own('db_data_col', 'sess_data'),
        expires: own('db_lifetime_col', 'sess_lifetime'),
        format,
      },
    },
  };
}

/** The options that name other servers of Redis, or another login. */
const elsewhere = /^(?:host|auth|redis_cluster|redis_sentinel|sentinel_master)(?:\[|$)/;

const kinds: Readonly<Record<string, SiteDatabase['kind']>> = {
  'mysql:': 'mysql',
  'mysql2:': 'mysql',
  'pgsql:': 'postgres',
  'postgres:': 'postgres',
  'postgresql:': 'postgres',
};

const decoded = (text: string) => rawUrlDecode(Buffer.from(text)).toString();

/** `APP_ENV` of the files of the environment; a compiled one counts alone. */
async function environmentOf(folder: SiteFolder, root: string): Promise<string> {
  const compiled = `${root}/.env.local.php`;
  if (await folder.has(compiled)) {
    const [, name] = /['"]APP_ENV['"]\s*=>\s*['"](\w+)['"]/.exec(await folder.text(compiled)) ?? [];
    if (name !== undefined) return name;
  }
  for (const name of ['.env.local', '.env']) {
    if (!(await folder.has(`${root}/${name}`))) continue;
    const { APP_ENV } = await folder.env(`${root}/${name}`, 'symfony');
    if (APP_ENV) return APP_ENV;
  }
  return 'prod';
}

/** The number before the first dot. */
async function versionOf(folder: SiteFolder, root: string): Promise<string | undefined> {
  const kernel = `${root}/vendor/symfony/http-kernel/Kernel.php`;
  if (!(await folder.has(kernel))) return undefined;
  return /const (?:string )?VERSION = '(\d+)\./.exec(await folder.text(kernel))?.[1];
}

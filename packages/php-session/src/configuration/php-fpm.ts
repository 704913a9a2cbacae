import { type IniSurroundings, type IniValue, parseIni } from './ini.ts';
import type { System } from './system.ts';
import { ConfigurationError } from './value.ts';

/** A setting of PHP outside php.ini. */
export interface PhpDirective {
  name: string;
  value: IniValue;
  /** `php_admin_value`: no `.user.ini` and no `.htaccess` can change it. */
  admin: boolean;
  file: string;
  line: number;
}

/** A pool of PHP-FPM: processes of one user, with settings of their own. */
export interface FpmPool {
  name: string;
  /** The file in which it begins. */
  file: string;
  user: string;
  /** A socket, or an address. */
  listen: string;
  chroot: string;
  /** In the order in which PHP sets them: of two with one name the last counts. */
  directives: readonly PhpDirective[];
}

/** `fpm_conf_load_ini_file()` includes no deeper. */
const deepest = 5;

/**
 * The pools of a `php-fpm.conf` and of the files that it includes, as sapi/fpm/fpm/fpm_conf.c reads them.
 * @throws ConfigurationError
 */
export async function readPools(
  system: System,
  file: string,
  environment: IniSurroundings['environment'],
): Promise<FpmPool[]> {
  const pools = new Map<string, Pool>();
  // A relative path begins at the prefix that PHP was built with.
  const prefix = file.startsWith('/usr/local/') ? '/usr/local' : '/usr';
  let current: Pool | undefined;

  async function read(path: string, depth: number): Promise<void> {
    const text = await system.text(path);
    if (text === null) return;
    if (depth > deepest)
      throw new ConfigurationError(`${path}: more than ${deepest} files are included in each other`);
    for (const [number, row] of text.split('\n').entries()) {
      if (row.trim() === '') continue;
      const line = number + 1;
      // PHP-FPM gives each line on its own to the parser of php.ini.
      for (const statement of parseIni(`${row}\n`, path, { environment })) {
        if (statement.kind === 'error')
          throw new ConfigurationError(`${path} line ${line}: PHP-FPM cannot read it`);
        if (statement.kind === 'section') {
          const name = statement.name.toLowerCase();
          current = name === 'global' ? undefined : (pools.get(name) ?? new Pool(statement.name, path));
          if (current !== undefined) pools.set(name, current);
        } else if (statement.kind === 'entry' && statement.name === 'include') {
          await include(literal(statement.value, path, line), depth);
        } else if (statement.kind === 'entry') {
          current?.option(statement.name.toLowerCase(), statement.value, path, line);
        } else {
          current?.element(statement.name, statement.key, statement.value, path, line);
        }
      }
    }
  }

  async function include(pattern: string, depth: number): Promise<void> {
    const absolute = pattern.startsWith('/') ? pattern : `${prefix}/${pattern}`;
    for (const found of await system.glob(absolute)) await read(found, depth + 1);
  }

  await read(file, 1);
  return [...pools.values()].map((pool) => pool.read(prefix));
}

function literal(value: IniValue, file: string, line: number): string {
  if (typeof value === 'string') return value;
  throw new ConfigurationError(
    `${file} line ${line}: it depends on ${value.unknown.why}, which only PHP knows`,
  );
}

const wanted = new Set(['user', 'listen', 'chroot', 'prefix']);

class Pool {
  readonly #name: string;
  readonly #file: string;
  readonly #options = new Map<string, string>();
  readonly #directives: PhpDirective[] = [];

  constructor(name: string, file: string) {
    this.#name = name;
    this.#file = file;
  }

  option(name: string, value: IniValue, file: string, line: number): void {
    if (wanted.has(name)) this.#options.set(name, this.#expanded(literal(value, file, line)));
  }

  element(name: string, key: string, value: IniValue, file: string, line: number): void {
    const [, admin, kind] = /^php_(admin_)?(value|flag)$/.exec(name) ?? [];
    if (kind === undefined) return;
    const text = typeof value !== 'string' ? value : kind === 'flag' ? flag(value) : this.#expanded(value);
    this.#directives.push({ name: key, value: text, admin: admin !== undefined, file, line });
  }

  #expanded(text: string): string {
    return text.replaceAll('$pool', this.#name);
  }

  /** @param builtIn the prefix of PHP-FPM */
  read(builtIn: string): FpmPool {
    const chroot = this.#options.get('chroot') ?? '';
    const prefix = this.#options.get('prefix') || builtIn;
    // PHP-FPM takes it for a path of the machine.
    const absolute = (directive: PhpDirective): PhpDirective => {
      const { name, value } = directive;
      const isRelative = typeof value === 'string' && !value.startsWith('/') && chroot === '';
      return name.toLowerCase() === 'session.cookie_path' && isRelative
        ? { ...directive, value: `${prefix}/${value}` }
        : directive;
    };
    // It puts each before the others, so of two with one name the first in the file counts.
    const backwards = this.#directives.map(absolute).toReversed();
    return {
      name: this.#name,
      file: this.#file,
      user: this.#options.get('user') ?? '',
      listen: this.#options.get('listen') ?? '',
      chroot,
      directives: [...backwards.filter(({ admin }) => !admin), ...backwards.filter(({ admin }) => admin)],
    };
  }
}

const flag = (value: string) => (/^(?:1|yes|true|on)$/.test(value) ? '1' : '0');

import { type IniSurroundings, type IniValue, parseIni } from './ini.ts';
import type { System } from './system.ts';
import { ConfigurationError } from './value.ts';

/** A PHP setting outside php.ini. */
export interface PhpDirective {
  name: string;
  value: IniValue;
  /** Whether it is a `php_admin_value`, which `.user.ini` and `.htaccess` cannot change. */
  admin: boolean;
  file: string;
  line: number;
}

/** A pool of PHP-FPM, whose processes share a user and settings. */
export interface FpmPool {
  name: string;
  /** The file of its section. */
  file: string;
  user: string;
  /** A socket, or an address. */
  listen: string;
  chroot: string;
  /** The directives in PHP's order. The last value of a name counts. */
  directives: readonly PhpDirective[];
}

/** The limit of `fpm_conf_load_ini_file()`. */
const maxDepth = 5;

/** Reads the pools of `php-fpm.conf` and its included files like sapi/fpm/fpm/fpm_conf.c. @throws ConfigurationError */
export async function readPools(
  system: System,
  file: string,
  environment: IniSurroundings['environment'],
): Promise<FpmPool[]> {
  const pools = new Map<string, PoolBuilder>();
  // Relative paths start at the build prefix of PHP.
  const prefix = file.startsWith('/usr/local/') ? '/usr/local' : '/usr';
  let current: PoolBuilder | undefined;

  async function read(path: string, depth: number): Promise<void> {
    const text = await system.text(path);
    if (text === null) return;
    if (depth > maxDepth)
      throw new ConfigurationError(`${path}: more than ${maxDepth} files are included in each other`);
    for (const [number, row] of text.split('\n').entries()) {
      if (row.trim() === '') continue;
      const line = number + 1;
      // PHP-FPM parses each line separately as php.ini syntax.
      for (const statement of parseIni(`${row}\n`, path, { environment })) {
        if (statement.kind === 'error')
          throw new ConfigurationError(`${path} line ${line}: PHP-FPM cannot read this line`);
        if (statement.kind === 'section') {
          const name = statement.name.toLowerCase();
          current =
            name === 'global' ? undefined : (pools.get(name) ?? new PoolBuilder(statement.name, path));
          if (current !== undefined) pools.set(name, current);
        } else if (statement.kind === 'entry' && statement.name === 'include') {
          await include(requireKnown(statement.value, path, line), depth);
        } else if (statement.kind === 'entry') {
          current?.setOption(statement.name.toLowerCase(), statement.value, path, line);
        } else {
          current?.addDirective(statement.name, statement.key, statement.value, path, line);
        }
      }
    }
  }

  async function include(pattern: string, depth: number): Promise<void> {
    const absolute = pattern.startsWith('/') ? pattern : `${prefix}/${pattern}`;
    for (const path of await system.glob(absolute)) await read(path, depth + 1);
  }

  await read(file, 1);
  return [...pools.values()].map((pool) => pool.toPool(prefix));
}

function requireKnown(value: IniValue, file: string, line: number): string {
  if (typeof value === 'string') return value;
  throw new ConfigurationError(
    `${file} line ${line}: the value depends on ${value.unknown.why}, which only PHP knows`,
  );
}

const poolOptions = new Set(['user', 'listen', 'chroot', 'prefix']);

class PoolBuilder {
  readonly #name: string;
  readonly #file: string;
  readonly #options = new Map<string, string>();
  readonly #directives: PhpDirective[] = [];

  constructor(name: string, file: string) {
    this.#name = name;
    this.#file = file;
  }

  setOption(name: string, value: IniValue, file: string, line: number): void {
    if (poolOptions.has(name)) this.#options.set(name, this.#expandPool(requireKnown(value, file, line)));
  }

  addDirective(name: string, key: string, value: IniValue, file: string, line: number): void {
    const [, admin, kind] = /^php_(admin_)?(value|flag)$/.exec(name) ?? [];
    if (kind === undefined) return;
    const text =
      typeof value !== 'string' ? value : kind === 'flag' ? toFlag(value) : this.#expandPool(value);
    this.#directives.push({ name: key, value: text, admin: admin !== undefined, file, line });
  }

  #expandPool(text: string): string {
    return text.replaceAll('$pool', this.#name);
  }

  /** Returns the pool with its directives in the order in which PHP-FPM applies them. @param buildPrefix of PHP-FPM */
  toPool(buildPrefix: string): FpmPool {
    const chroot = this.#options.get('chroot') ?? '';
    const prefix = this.#options.get('prefix') || buildPrefix;
    // PHP-FPM treats session.cookie_path as a file path, and adds its prefix to a relative one.
    const toAbsolute = (directive: PhpDirective): PhpDirective => {
      const { name, value } = directive;
      const isRelative = typeof value === 'string' && !value.startsWith('/') && chroot === '';
      return name.toLowerCase() === 'session.cookie_path' && isRelative
        ? { ...directive, value: `${prefix}/${value}` }
        : directive;
    };
    // PHP-FPM prepends each directive, so the first value of a name in the file counts.
    const reversed = this.#directives.map(toAbsolute).toReversed();
    return {
      name: this.#name,
      file: this.#file,
      user: this.#options.get('user') ?? '',
      listen: this.#options.get('listen') ?? '',
      chroot,
      directives: [...reversed.filter(({ admin }) => !admin), ...reversed.filter(({ admin }) => admin)],
    };
  }
}

const toFlag = (value: string) => (/^(?:1|yes|true|on)$/.test(value) ? '1' : '0');

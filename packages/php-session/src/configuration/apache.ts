import { dirname } from 'node:path';
import type { IniSurroundings } from './ini.ts';
import { parseFastCgiVariable } from './nginx.ts';
import type { PhpDirective } from './php-fpm.ts';
import type { System } from './system.ts';
import { type Directive, maxNesting, nestingError, type PhpHandler, type WebSite } from './web-server.ts';

const mainFiles = [
  '/etc/apache2/apache2.conf',
  '/etc/httpd/conf/httpd.conf',
  '/usr/local/apache2/conf/httpd.conf',
];

/** A site of Apache. */
export interface ApacheSite extends WebSite {
  /** The version of the module, such as `8.2`. Empty if the file name does not contain it. */
  version: string;
  /** The account that Apache runs as. */
  user: string | undefined;
  /** The folder of php.ini, if Apache sets it. */
  ini: string | undefined;
  /** Reads the settings of the module for a folder of the site, in the order in which Apache merges its sections. */
  readSections(folder: string): Promise<readonly (readonly PhpDirective[])[]>;
}

/** Finds the sites of Apache that run PHP. @throws ConfigurationError */
export async function findApacheSites(
  system: System,
  environment: IniSurroundings['environment'],
): Promise<ApacheSite[]> {
  const files: string[] = [];
  for (const file of mainFiles) if ((await system.text(file)) !== null) files.push(file);
  const sites: ApacheSite[] = [];
  for (const file of files) sites.push(...(await new Apache(system, file, environment).findSites()));
  return sites;
}

class Apache {
  readonly #system: System;
  readonly #mainFile: string;
  readonly #environment: IniSurroundings['environment'];
  /** Variables for `${NAME}` and `<IfDefine NAME>`. */
  readonly #variables = new Map<string, string>();
  readonly #modules = new Map<string, string>();
  #serverRoot: string;

  constructor(system: System, main: string, environment: IniSurroundings['environment']) {
    this.#system = system;
    this.#mainFile = main;
    this.#environment = environment;
    // The parent folder of `conf/`, or the folder of the file.
    this.#serverRoot = dirname(main).replace(/\/conf$/, '');
  }

  async findSites(): Promise<ApacheSite[]> {
    const variables = (await this.#system.text(`${dirname(this.#mainFile)}/envvars`)) ?? '';
    for (const [, name = '', value = ''] of variables.matchAll(/^\s*(?:export\s+)?([A-Z_]+)=(\S*)\s*$/gm))
      this.#variables.set(name, value.replace(/^(["'])(.*)\1$/, '$2').replace(/\$\{?SUFFIX\}?/g, ''));
    const server = await this.#readFile(this.#mainFile, 1);
    const hosts = server.filter(({ name }) => name === 'virtualhost').map(({ block = [] }) => block);
    return [server, ...hosts].flatMap((host) => this.#toSites(server, host));
  }

  #toSites(server: readonly Directive[], host: readonly Directive[]): ApacheSite[] {
    const blocks = host === server ? [server] : [server, host];
    const root = blocks
      .map((block) => getArgument(block, 'documentroot'))
      .findLast((argument) => argument !== undefined);
    if (root === undefined) return [];
    const aliases = blocks.flatMap((block) =>
      block.filter(({ name }) => name === 'alias').flatMap(({ args: [, to] }) => to ?? []),
    );
    const addresses = [...new Set(blocks.flatMap((block) => flatten(block).flatMap(findFpmAddresses)))];
    const directives = blocks.flatMap((block) => block.flatMap((line) => this.#toDirectives(line)));
    const php = this.#modules.get('php');
    // A configured handler takes precedence over the module.
    const handlers: PhpHandler[] =
      addresses.length > 0
        ? addresses.map((fpm) => ({ fpm, directives }))
        : php === undefined
          ? []
          : [{ fpm: undefined, directives: [] }];
    if (handlers.length === 0) return [];
    const site = {
      handlers,
      version: /php(\d\.\d)\.so$/.exec(php ?? '')?.[1] ?? '',
      user: getArgument(server, 'user'),
      ini: getArgument(server, 'phpinidir'),
      readSections: (folder: string) => this.#readSections(blocks, folder),
    };
    return [root, ...aliases].map((root) => ({ ...site, root: this.#toAbsolute(root) }));
  }

  /** Parses `SetEnv PHP_VALUE "NAME=VALUE"` for PHP-FPM. */
  #toDirectives({ name, args: [variable = '', text = ''], file, line }: Directive): PhpDirective[] {
    if (name !== 'setenv' || !/^PHP_(?:ADMIN_)?VALUE$/.test(variable)) return [];
    const admin = variable === 'PHP_ADMIN_VALUE';
    return parseFastCgiVariable(text.replaceAll('\\n', '\n'), {
      admin,
      file,
      line,
      environment: this.#environment,
    });
  }

  async #readSections(
    blocks: readonly (readonly Directive[])[],
    folder: string,
  ): Promise<readonly (readonly PhpDirective[])[]> {
    const settings = blocks.map((block) => block.flatMap(toPhpDirectives));
    const sections = blocks.flat().filter(({ name }) => name === 'directory');
    let allowsHtaccess = false;
    const parts = folder.split('/').slice(1);
    for (let n = 0; n <= parts.length; n++) {
      const path = `/${parts.slice(0, n).join('/')}`;
      for (const { args, block = [] } of sections) {
        // Patterns are handled below, because their matches are uncertain.
        if (args.length !== 1 || args[0]?.replace(/(.)\/$/, '$1') !== path) continue;
        settings.push(block.flatMap(toPhpDirectives));
        const allowed = block.find(({ name }) => name === 'allowoverride');
        if (allowed !== undefined)
          allowsHtaccess = allowed.args.some((arg) => /^(?:all|options(?:=.*)?)$/i.test(arg));
      }
      const file = `${path === '/' ? '' : path}/.htaccess`;
      const text = allowsHtaccess ? await this.#system.text(file) : null;
      if (text === null) continue;
      // The server's directives do not count in .htaccess, which users without the server's rights may write.
      const lines = parse(text, file, serverOnly);
      settings.push((await this.#resolve(lines, file, 1)).flatMap(toPhpDirectives));
    }
    // Sections that depend on the request.
    const conditional = blocks
      .flat()
      .filter(
        ({ name, args }) =>
          /^(?:directorymatch|files|filesmatch|location|locationmatch|if)$/.test(name) ||
          (name === 'directory' && (args.length !== 1 || /[*?[]/.test(args[0] ?? ''))),
      );
    for (const { block = [], file, line } of conditional) {
      const value = { unknown: { file, line, why: 'a section of Apache that may not apply to every page' } };
      settings.push(
        flatten(block)
          .flatMap(toPhpDirectives)
          .map((directive) => ({ ...directive, value })),
      );
    }
    return settings;
  }

  async #readFile(file: string, depth: number): Promise<Directive[]> {
    const text = await this.#system.text(file);
    return text === null ? [] : this.#resolve(parse(text, file), file, depth);
  }

  /** Inserts included files, and removes blocks with a false condition. */
  async #resolve(lines: readonly Directive[], file: string, depth: number): Promise<Directive[]> {
    if (depth > maxNesting) throw nestingError(lines[0] ?? { file, line: 1 });
    const resolved: Directive[] = [];
    for (const line of lines) {
      const args = line.args.map((arg) => this.#expand(arg));
      const [first = '', second = ''] = args;
      switch (line.name) {
        case 'define':
          this.#variables.set(first, second);
          break;
        case 'serverroot':
          this.#serverRoot = first;
          break;
        case 'loadmodule':
          this.#modules.set(first.replace(/_module$/, '').replace(/^php\d$/, 'php'), second);
          break;
        case 'include':
        case 'includeoptional':
          for (const path of await this.#system.glob(this.#toAbsolute(first)))
            resolved.push(...(await this.#readFile(path, depth + 1)));
          break;
        case 'ifmodule':
        case 'ifdefine':
        case 'ifversion':
          if (this.#isTrue(line.name, first))
            resolved.push(...(await this.#resolve(line.block ?? [], file, depth + 1)));
          break;
        default: {
          const block = line.block && (await this.#resolve(line.block, file, depth + 1));
          resolved.push({ ...line, args, ...(block === undefined ? {} : { block }) });
        }
      }
    }
    return resolved;
  }

  #isTrue(name: string, condition: string): boolean {
    const subject = condition.replace(/^!/, '');
    const module = subject
      .replace(/_module$|\.c$/g, '')
      .replace(/^mod_/, '')
      .replace(/^php\d$/, 'php');
    const isTrue =
      name === 'ifdefine'
        ? this.#variables.has(subject)
        : name === 'ifversion' || this.#modules.has(module) || builtIn.has(module);
    return isTrue !== condition.startsWith('!');
  }

  #expand(text: string): string {
    return text.replace(/\$\{([A-Za-z_]\w*)\}/g, (match, name: string) => this.#variables.get(name) ?? match);
  }

  #toAbsolute(path: string): string {
    return path.startsWith('/') ? path : `${this.#serverRoot}/${path}`;
  }
}

/** Directives that change the parsing of other directives. */
const serverOnly = new Set(['define', 'include', 'includeoptional', 'loadmodule', 'serverroot']);

/** Statically linked modules. */
const builtIn = new Set([
  'core',
  'so',
  'http',
  'log_config',
  'logio',
  'unixd',
  'version',
  'watchdog',
  'unix',
]);

const getArgument = (block: readonly Directive[], directive: string) =>
  block.findLast(({ name }) => name === directive)?.args[0];

/** Includes the lines of nested blocks, except virtual hosts. */
const flatten = (block: readonly Directive[]): Directive[] =>
  block.flatMap((line) => (line.name === 'virtualhost' ? [] : [line, ...flatten(line.block ?? [])]));

/** Parses the addresses of PHP-FPM in `SetHandler proxy:unix:/SOCKET|fcgi://…` and `ProxyPassMatch PATTERN fcgi://…`. */
function findFpmAddresses({ name, args }: Directive): string[] {
  if (!/^(?:sethandler|proxypass|proxypassmatch|addhandler)$/.test(name)) return [];
  for (const arg of args) {
    const [, socket, address] = /^(?:proxy:)?(?:unix:([^|]+)\|)?fcgi:\/\/([^/]*)/.exec(arg) ?? [];
    if (address !== undefined) return [socket === undefined ? address : `unix:${socket}`];
  }
  return [];
}

function toPhpDirectives({ name, args: [key = '', given = ''], file, line }: Directive): PhpDirective[] {
  const [, admin, kind] = /^php_(admin_)?(value|flag)$/.exec(name) ?? [];
  if (kind === undefined) return [];
  const value =
    kind === 'flag' ? (/^(?:on|1)$/i.test(given) ? '1' : '0') : /^none$/i.test(given) ? '' : given;
  return [{ name: key, value, admin: admin !== undefined, file, line }];
}

const continued = /\\\r?$/;

/** Parses lines and blocks like `ap_build_config()`. */
function parse(text: string, file: string, ignored: ReadonlySet<string> = new Set()): Directive[] {
  const blocks: Directive[][] = [[]];
  const rows = text.split('\n');
  for (let n = 0; n < rows.length; n++) {
    const line = n + 1;
    const parts = [rows[n] as string];
    while (continued.test(parts.at(-1) as string) && n + 1 < rows.length) parts.push(rows[++n] as string);
    const row = parts
      .map((part, at) => (at < parts.length - 1 ? part.replace(continued, '') : part))
      .join('')
      .trim();
    if (row === '' || row.startsWith('#')) continue;
    if (row.startsWith('</')) {
      if (blocks.length > 1) blocks.pop();
      continue;
    }
    const isBlock = row.startsWith('<');
    const [name = '', ...args] = splitWords(isBlock ? row.slice(1).replace(/>\s*$/, '') : row);
    if (!isBlock && ignored.has(name.toLowerCase())) continue;
    const block: Directive[] = [];
    blocks.at(-1)?.push({ name: name.toLowerCase(), args, file, line, block: isBlock ? block : undefined });
    if (isBlock && blocks.push(block) > maxNesting) throw nestingError({ file, line });
  }
  return blocks[0] as Directive[];
}

const splitWords = (row: string): string[] =>
  [...row.matchAll(/"((?:\\[\s\S]|[^"\\])*)"|'((?:\\[\s\S]|[^'\\])*)'|\S+/g)].map(
    ([match, double, single]) => (double ?? single)?.replace(/\\(["'\\])/g, '$1') ?? match,
  );

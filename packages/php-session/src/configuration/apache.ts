import { dirname } from 'node:path';
import type { IniSurroundings } from './ini.ts';
import { fastCgiDirectives } from './nginx.ts';
import type { PhpDirective } from './php-fpm.ts';
import type { System } from './system.ts';
import { type Directive, deepest, type PhpHandler, tooDeep, type WebSite } from './web-server.ts';

const mains = [
  '/etc/apache2/apache2.conf',
  '/etc/httpd/conf/httpd.conf',
  '/usr/local/apache2/conf/httpd.conf',
];

/** A site of Apache. */
export interface ApacheSite extends WebSite {
  /** That of the module: `8.2`, or empty if the name of its file does not say it. */
  version: string;
  /** The account that Apache runs as. */
  user: string | undefined;
  /** The folder of php.ini, if Apache names it. */
  ini: string | undefined;
  /** The settings of the module for a folder of the site, by sections, in the order in which Apache merges them. */
  sections(folder: string): Promise<readonly (readonly PhpDirective[])[]>;
}

/** The sites of Apache that run PHP. @throws ConfigurationError */
export async function apacheSites(
  system: System,
  environment: IniSurroundings['environment'],
): Promise<ApacheSite[]> {
  const files: string[] = [];
  for (const file of mains) if ((await system.text(file)) !== null) files.push(file);
  const found: ApacheSite[] = [];
  for (const file of files) found.push(...(await new Apache(system, file, environment).sites()));
  return found;
}

class Apache {
  readonly #system: System;
  readonly #main: string;
  readonly #environment: IniSurroundings['environment'];
  /** `${NAME}` and `<IfDefine NAME>`. */
  readonly #variables = new Map<string, string>();
  readonly #modules = new Map<string, string>();
  #root: string;

  constructor(system: System, main: string, environment: IniSurroundings['environment']) {
    this.#system = system;
    this.#main = main;
    this.#environment = environment;
    // Below `conf/`, if there is one.
    this.#root = dirname(main).replace(/\/conf$/, '');
  }

  async sites(): Promise<ApacheSite[]> {
    const variables = (await this.#system.text(`${dirname(this.#main)}/envvars`)) ?? '';
    for (const [, name = '', value = ''] of variables.matchAll(/^\s*(?:export\s+)?([A-Z_]+)=(\S*)\s*$/gm))
      this.#variables.set(name, value.replace(/^(["'])(.*)\1$/, '$2').replace(/\$\{?SUFFIX\}?/g, ''));
    const server = await this.#read(this.#main, 1);
    const hosts = server.filter(({ name }) => name === 'virtualhost').map(({ block = [] }) => block);
    return [server, ...hosts].flatMap((host) => this.#sitesOf(server, host));
  }

  #sitesOf(server: readonly Directive[], host: readonly Directive[]): ApacheSite[] {
    const both = host === server ? [server] : [server, host];
    const last = (name: string) =>
      both.map((each) => argument(each, name)).findLast((found) => found !== undefined);
    const root = last('documentroot');
    if (root === undefined) return [];
    const aliases = both.flatMap((each) =>
      each.filter(({ name }) => name === 'alias').flatMap(({ args: [, to] }) => to ?? []),
    );
    const addresses = [...new Set(both.flatMap((each) => all(each).flatMap(fpmOf)))];
    const directives = both.flatMap((each) => each.flatMap((one) => this.#variablesOf(one)));
    const php = this.#modules.get('php');
    // A handler that is named counts before the module.
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
      user: argument(server, 'user'),
      ini: argument(server, 'phpinidir'),
      sections: (folder: string) => this.#sections(both, folder),
    };
    return [root, ...aliases].map((root) => ({ ...site, root: this.#absolute(root) }));
  }

  /** `SetEnv PHP_VALUE "NAME=VALUE"` for PHP-FPM. */
  #variablesOf({ name, args: [variable = '', text = ''], file, line }: Directive): PhpDirective[] {
    if (name !== 'setenv' || !/^PHP_(?:ADMIN_)?VALUE$/.test(variable)) return [];
    const admin = variable === 'PHP_ADMIN_VALUE';
    return fastCgiDirectives(text.replaceAll('\\n', '\n'), {
      admin,
      file,
      line,
      environment: this.#environment,
    });
  }

  async #sections(
    both: readonly (readonly Directive[])[],
    folder: string,
  ): Promise<readonly (readonly PhpDirective[])[]> {
    const found = both.map((each) => each.flatMap(phpDirective));
    const sections = both.flat().filter(({ name }) => name === 'directory');
    let overrides = false;
    const parts = folder.split('/').slice(1);
    for (let n = 0; n <= parts.length; n++) {
      const at = `/${parts.slice(0, n).join('/')}`;
      for (const { args, block = [] } of sections) {
        // A pattern counts below, where it is not certain what it names.
        if (args.length !== 1 || args[0]?.replace(/(.)\/$/, '$1') !== at) continue;
        found.push(block.flatMap(phpDirective));
        const allowed = block.find(({ name }) => name === 'allowoverride');
        if (allowed !== undefined)
          overrides = allowed.args.some((one) => /^(?:all|options(?:=.*)?)$/i.test(one));
      }
      const text = overrides ? await this.#system.text(`${at === '/' ? '' : at}/.htaccess`) : null;
      if (text === null) continue;
      // Apache takes none of these from there, and others than the administrator may write it.
      const lines = parse(text, `${at}/.htaccess`, ofServer);
      found.push((await this.#resolved(lines, `${at}/.htaccess`, 1)).flatMap(phpDirective));
    }
    // Sections whose folders, files or addresses only a request has.
    const others = both
      .flat()
      .filter(
        ({ name, args }) =>
          /^(?:directorymatch|files|filesmatch|location|locationmatch|if)$/.test(name) ||
          (name === 'directory' && (args.length !== 1 || /[*?[]/.test(args[0] ?? ''))),
      );
    for (const { block = [], file, line } of others) {
      const value = { unknown: { file, line, why: 'a section of Apache that may not hold for every page' } };
      found.push(
        all(block)
          .flatMap(phpDirective)
          .map((directive) => ({ ...directive, value })),
      );
    }
    return found;
  }

  async #read(file: string, depth: number): Promise<Directive[]> {
    const text = await this.#system.text(file);
    return text === null ? [] : this.#resolved(parse(text, file), file, depth);
  }

  /** With the files that are included, and without the blocks whose conditions do not hold. */
  async #resolved(lines: readonly Directive[], file: string, depth: number): Promise<Directive[]> {
    if (depth > deepest) throw tooDeep(lines[0] ?? { file, line: 1 });
    const found: Directive[] = [];
    for (const line of lines) {
      const args = line.args.map((arg) => this.#expanded(arg));
      const [first = '', second = ''] = args;
      switch (line.name) {
        case 'define':
          this.#variables.set(first, second);
          break;
        case 'serverroot':
          this.#root = first;
          break;
        case 'loadmodule':
          this.#modules.set(first.replace(/_module$/, '').replace(/^php\d$/, 'php'), second);
          break;
        case 'include':
        case 'includeoptional':
          for (const path of await this.#system.glob(this.#absolute(first)))
            found.push(...(await this.#read(path, depth + 1)));
          break;
        case 'ifmodule':
        case 'ifdefine':
        case 'ifversion':
          if (this.#holds(line.name, first))
            found.push(...(await this.#resolved(line.block ?? [], file, depth + 1)));
          break;
        default: {
          const block = line.block && (await this.#resolved(line.block, file, depth + 1));
          found.push({ ...line, args, ...(block === undefined ? {} : { block }) });
        }
      }
    }
    return found;
  }

  #holds(name: string, condition: string): boolean {
    const wanted = condition.replace(/^!/, '');
    const module = wanted
      .replace(/_module$|\.c$/g, '')
      .replace(/^mod_/, '')
      .replace(/^php\d$/, 'php');
    const holds =
      name === 'ifdefine'
        ? this.#variables.has(wanted)
        : name === 'ifversion' || this.#modules.has(module) || builtIn.has(module);
    return holds !== condition.startsWith('!');
  }

  #expanded(text: string): string {
    return text.replace(/\$\{([A-Za-z_]\w*)\}/g, (all, name: string) => this.#variables.get(name) ?? all);
  }

  #absolute(path: string): string {
    return path.startsWith('/') ? path : `${this.#root}/${path}`;
  }
}

/** Directives that change how the rest is read. */
const ofServer = new Set(['define', 'include', 'includeoptional', 'loadmodule', 'serverroot']);

/** Modules that are part of the program. */
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

const argument = (block: readonly Directive[], wanted: string) =>
  block.findLast(({ name }) => name === wanted)?.args[0];

/** The lines of blocks too, without those of other hosts. */
const all = (block: readonly Directive[]): Directive[] =>
  block.flatMap((one) => (one.name === 'virtualhost' ? [] : [one, ...all(one.block ?? [])]));

/** The addresses of PHP-FPM in `SetHandler proxy:unix:/SOCKET|fcgi://…` and `ProxyPassMatch PATTERN fcgi://…`. */
function fpmOf({ name, args }: Directive): string[] {
  if (!/^(?:sethandler|proxypass|proxypassmatch|addhandler)$/.test(name)) return [];
  for (const arg of args) {
    const [, socket, address] = /^(?:proxy:)?(?:unix:([^|]+)\|)?fcgi:\/\/([^/]*)/.exec(arg) ?? [];
    if (address !== undefined) return [socket === undefined ? address : `unix:${socket}`];
  }
  return [];
}

function phpDirective({ name, args: [key = '', given = ''], file, line }: Directive): PhpDirective[] {
  const [, admin, kind] = /^php_(admin_)?(value|flag)$/.exec(name) ?? [];
  if (kind === undefined) return [];
  const value =
    kind === 'flag' ? (/^(?:on|1)$/i.test(given) ? '1' : '0') : /^none$/i.test(given) ? '' : given;
  return [{ name: key, value, admin: admin !== undefined, file, line }];
}

const continued = /\\\r?$/;

/** Lines and blocks, as `ap_build_config()` takes them apart. */
function parse(text: string, file: string, without: ReadonlySet<string> = new Set()): Directive[] {
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
    const [name = '', ...args] = words(isBlock ? row.slice(1).replace(/>\s*$/, '') : row);
    if (!isBlock && without.has(name.toLowerCase())) continue;
    const block: Directive[] = [];
    blocks.at(-1)?.push({ name: name.toLowerCase(), args, file, line, ...(isBlock ? { block } : {}) });
    if (isBlock && blocks.push(block) > deepest) throw tooDeep({ file, line });
  }
  return blocks[0] as Directive[];
}

const words = (row: string): string[] =>
  [...row.matchAll(/"((?:\\[\s\S]|[^"\\])*)"|'((?:\\[\s\S]|[^'\\])*)'|\S+/g)].map(
    ([all, double, single]) => (double ?? single)?.replace(/\\(["'\\])/g, '$1') ?? all,
  );

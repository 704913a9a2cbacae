import { type IniSurroundings, parseIni } from './ini.ts';
import type { PhpDirective } from './php-fpm.ts';
import type { System } from './system.ts';
import { ConfigurationError } from './value.ts';
import { type Directive, deepest, type PhpHandler, tooDeep, type WebSite } from './web-server.ts';

const main = '/etc/nginx/nginx.conf';

/** The sites of nginx that run PHP. @throws ConfigurationError */
export async function nginxSites(
  system: System,
  environment: IniSurroundings['environment'],
): Promise<WebSite[]> {
  const tree = await read(system, main, 1);
  const http = tree.filter(({ name }) => name === 'http').flatMap(({ block = [] }) => block);
  const upstreams = new Map(
    http.filter(({ name }) => name === 'upstream').map(({ args, block = [] }) => [args[0] ?? '', block]),
  );
  return http
    .filter(({ name }) => name === 'server')
    .flatMap(({ block = [] }) => sitesIn(block, { root: argument(http, 'root'), params: paramsIn(http) }));

  function sitesIn(
    block: readonly Directive[],
    outer: { root: string | undefined; params: readonly Directive[] },
  ): WebSite[] {
    const root = argument(block, 'root') ?? argument(block, 'alias') ?? outer.root;
    const own = paramsIn(block);
    // The parameters of the outer block count only where this one has none.
    const params = own.length > 0 ? own : outer.params;
    const handlers = block
      .filter(({ name }) => name === 'fastcgi_pass')
      .flatMap((pass) => handlersOf(pass, params));
    const inner = block
      .filter(({ name }) => name === 'location' || name === 'if')
      .flatMap(({ block = [] }) => sitesIn(block, { root, params }));
    // A text with a variable may be any folder.
    const known = root === undefined || !/^\/[^$]*$/.test(root) ? undefined : root;
    return [...(handlers.length > 0 && known !== undefined ? [{ root: known, handlers }] : []), ...inner];
  }

  function handlersOf({ args: [to = ''] }: Directive, params: readonly Directive[]): PhpHandler[] {
    const directives = params.flatMap((param) => directivesOf(param, environment));
    const upstream = upstreams.get(to);
    const addresses = upstream?.filter(({ name }) => name === 'server').map(({ args }) => args[0] ?? '') ?? [
      to,
    ];
    return addresses.map((fpm) => ({ fpm, directives }));
  }
}

const argument = (block: readonly Directive[], wanted: string) =>
  block.find(({ name }) => name === wanted)?.args[0];

const paramsIn = (block: readonly Directive[]) => block.filter(({ name }) => name === 'fastcgi_param');

/** `fastcgi_param PHP_VALUE "NAME=VALUE"` and `PHP_ADMIN_VALUE`, several in lines. */
function directivesOf(
  { args: [param = '', text = ''], file, line }: Directive,
  environment: IniSurroundings['environment'],
): PhpDirective[] {
  return param === 'PHP_VALUE' || param === 'PHP_ADMIN_VALUE'
    ? fastCgiDirectives(text, { admin: param === 'PHP_ADMIN_VALUE', file, line, environment })
    : [];
}

/** The settings in the variables `PHP_VALUE` and `PHP_ADMIN_VALUE` of a request. */
export function fastCgiDirectives(
  text: string,
  {
    environment,
    ...at
  }: { admin: boolean; file: string; line: number; environment: IniSurroundings['environment'] },
): PhpDirective[] {
  const { file, line } = at;
  const found: PhpDirective[] = [];
  for (const statement of parseIni(`${text}\n`, file, { environment })) {
    if (statement.kind !== 'entry') continue;
    const value = /\$[a-z{]/i.test(text)
      ? { unknown: { file, line, why: 'a variable of the web server' } }
      : statement.value;
    found.push({ name: statement.name, value, ...at });
  }
  return found;
}

/** The directives of a file, and of those that it includes where they stand. */
async function read(system: System, file: string, depth: number): Promise<Directive[]> {
  const text = await system.text(file);
  if (text === null) return [];
  if (depth > deepest) throw tooDeep({ file, line: 1 });
  const blocks: Directive[][] = [[]];
  let words: string[] = [];
  let began = 1;
  let line = 1;
  for (const [token] of text.matchAll(tokens)) {
    const at = line;
    line += token.split('\n').length - 1;
    if (/^(?:\s|#)/.test(token)) continue;
    const current = blocks.at(-1) as Directive[];
    if (token === ';' || token === '{') {
      const [name = '', ...args] = words;
      words = [];
      if (name === 'include' && token === ';') {
        const pattern = args[0] ?? '';
        for (const path of await system.glob(pattern.startsWith('/') ? pattern : `/etc/nginx/${pattern}`))
          current.push(...(await read(system, path, depth + 1)));
        continue;
      }
      const block: Directive[] = [];
      current.push({
        name: name.toLowerCase(),
        args,
        file,
        line: began,
        ...(token === '{' ? { block } : {}),
      });
      if (token === '{' && blocks.push(block) > deepest) throw tooDeep({ file, line });
    } else if (token === '}') {
      if (blocks.length > 1) blocks.pop();
      words = [];
    } else {
      if (words.length === 0) began = at;
      words.push(unquoted(token));
    }
  }
  if (blocks.length > 1 || words.length > 0)
    throw new ConfigurationError(`${file}: nginx cannot read it to its end`);
  return blocks[0] as Directive[];
}

const tokens =
  /\s+|#[^\n]*|[;{}]|"(?:\\[\s\S]|[^"\\])*"|'(?:\\[\s\S]|[^'\\])*'|(?:\\[\s\S]|\$\{[^}]*\}|[^\s;{}"'\\])+|[\s\S]/g;

const unquoted = (token: string) =>
  (/^(["']).*\1$/s.test(token) ? token.slice(1, -1) : token).replace(/\\(["'\\ ;{}])/g, '$1');

import { type IniSurroundings, parseIni } from './ini.ts';
import type { PhpDirective } from './php-fpm.ts';
import type { System } from './system.ts';
import { ConfigurationError } from './value.ts';
import { type Directive, maxNesting, nestingError, type PhpHandler, type WebSite } from './web-server.ts';

const mainFile = '/etc/nginx/nginx.conf';

/** Finds the sites of nginx that run PHP. @throws ConfigurationError */
export async function findNginxSites(
  system: System,
  environment: IniSurroundings['environment'],
): Promise<WebSite[]> {
  const tree = await readFile(system, mainFile, 1);
  const http = tree.filter(({ name }) => name === 'http').flatMap(({ block = [] }) => block);
  const upstreams = new Map(
    http.filter(({ name }) => name === 'upstream').map(({ args, block = [] }) => [args[0] ?? '', block]),
  );
  return http
    .filter(({ name }) => name === 'server')
    .flatMap(({ block = [] }) =>
      findSites(block, { root: getArgument(http, 'root'), params: getParams(http) }),
    );

  function findSites(
    block: readonly Directive[],
    outer: { root: string | undefined; params: readonly Directive[] },
  ): WebSite[] {
    const root = getArgument(block, 'root') ?? getArgument(block, 'alias') ?? outer.root;
    const own = getParams(block);
    // A block with parameters does not inherit any.
    const params = own.length > 0 ? own : outer.params;
    const handlers = block
      .filter(({ name }) => name === 'fastcgi_pass')
      .flatMap((pass) => toHandlers(pass, params));
    const inner = block
      .filter(({ name }) => name === 'location' || name === 'if')
      .flatMap(({ block = [] }) => findSites(block, { root, params }));
    // The folder of a root with a variable is unknown.
    const knownRoot = root === undefined || !/^\/[^$]*$/.test(root) ? undefined : root;
    return [
      ...(handlers.length > 0 && knownRoot !== undefined ? [{ root: knownRoot, handlers }] : []),
      ...inner,
    ];
  }

  function toHandlers({ args: [to = ''] }: Directive, params: readonly Directive[]): PhpHandler[] {
    const directives = params.flatMap((param) => toDirectives(param, environment));
    const upstream = upstreams.get(to);
    const addresses = upstream?.filter(({ name }) => name === 'server').map(({ args }) => args[0] ?? '') ?? [
      to,
    ];
    return addresses.map((fpm) => ({ fpm, directives }));
  }
}

const getArgument = (block: readonly Directive[], directive: string) =>
  block.find(({ name }) => name === directive)?.args[0];

const getParams = (block: readonly Directive[]) => block.filter(({ name }) => name === 'fastcgi_param');

/**
 * Parses `fastcgi_param PHP_VALUE "NAME=VALUE"` and `PHP_ADMIN_VALUE`, with one setting per line. Empty for other names.
 */
function toDirectives(
  { args: [param = '', text = ''], file, line }: Directive,
  environment: IniSurroundings['environment'],
): PhpDirective[] {
  return param === 'PHP_VALUE' || param === 'PHP_ADMIN_VALUE'
    ? parseFastCgiVariable(text, { admin: param === 'PHP_ADMIN_VALUE', file, line, environment })
    : [];
}

/** Parses the FastCGI variable `PHP_VALUE` or `PHP_ADMIN_VALUE`. */
export function parseFastCgiVariable(
  text: string,
  {
    environment,
    ...origin
  }: { admin: boolean; file: string; line: number; environment: IniSurroundings['environment'] },
): PhpDirective[] {
  const { file, line } = origin;
  const directives: PhpDirective[] = [];
  for (const statement of parseIni(`${text}\n`, file, { environment })) {
    if (statement.kind !== 'entry') continue;
    const value = /\$[a-z{]/i.test(text)
      ? { unknown: { file, line, why: 'a variable of the web server' } }
      : statement.value;
    directives.push({ name: statement.name, value, ...origin });
  }
  return directives;
}

/** Reads a file, with included files inserted. Empty if the file does not exist. @throws ConfigurationError */
async function readFile(system: System, file: string, depth: number): Promise<Directive[]> {
  const text = await system.text(file);
  if (text === null) return [];
  if (depth > maxNesting) throw nestingError({ file, line: 1 });
  const blocks: Directive[][] = [[]];
  let words: string[] = [];
  let firstLine = 1;
  let line = 1;
  for (const [token] of text.matchAll(tokens)) {
    const tokenLine = line;
    line += token.split('\n').length - 1;
    if (/^(?:\s|#)/.test(token)) continue;
    const current = blocks.at(-1) as Directive[];
    if (token === ';' || token === '{') {
      const [name = '', ...args] = words;
      words = [];
      if (name === 'include' && token === ';') {
        const pattern = args[0] ?? '';
        for (const path of await system.glob(pattern.startsWith('/') ? pattern : `/etc/nginx/${pattern}`))
          current.push(...(await readFile(system, path, depth + 1)));
        continue;
      }
      const block: Directive[] = [];
      current.push({
        name: name.toLowerCase(),
        args,
        file,
        line: firstLine,
        block: token === '{' ? block : undefined,
      });
      if (token === '{' && blocks.push(block) > maxNesting) throw nestingError({ file, line });
    } else if (token === '}') {
      if (blocks.length > 1) blocks.pop();
      words = [];
    } else {
      if (words.length === 0) firstLine = tokenLine;
      words.push(unquote(token));
    }
  }
  if (blocks.length > 1 || words.length > 0)
    throw new ConfigurationError(`${file}: nginx cannot read it, because a block or directive has no end`);
  return blocks[0] as Directive[];
}

const tokens =
  /\s+|#[^\n]*|[;{}]|"(?:\\[\s\S]|[^"\\])*"|'(?:\\[\s\S]|[^'\\])*'|(?:\\[\s\S]|\$\{[^}]*\}|[^\s;{}"'\\])+|[\s\S]/g;

const unquote = (token: string) =>
  (/^(["']).*\1$/s.test(token) ? token.slice(1, -1) : token).replace(/\\(["'\\ ;{}])/g, '$1');

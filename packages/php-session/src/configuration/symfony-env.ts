import { bounds, ConfigurationError, type OtherVariables } from './value.ts';

/**
 * Parses an `.env` file like Symfony/Component/Dotenv/Dotenv.php. A value consists of parts, which are bare, `'…'` or
 * `"…"`. `#` after a blank starts a comment. `$NAME`, `${NAME}` and `${NAME:-default}` are variables. The last value of a
 * duplicate name counts. A command `$(…)` is not run, but kept as text.
 * @param file for the errors
 * @throws ConfigurationError that names the line
 */
export function parseSymfonyEnv(
  text: string,
  file: string,
  { before = {}, environment = {} }: OtherVariables = {},
): Record<string, string> {
  if (text.length > bounds.bytes)
    throw new ConfigurationError(`${file} is larger than ${bounds.bytes} bytes`);
  const variables: Record<string, string> = Object.create(null);
  const data = text.replace(/\r\n?/g, '\n');
  let offset = 0;
  let size = 0;
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = offset;
    const match = pattern.exec(data);
    offset += match?.[0].length ?? 0;
    return match;
  };
  const toError = (why: string) =>
    new ConfigurationError(`${file} line ${data.slice(0, offset).split('\n').length}: ${why}`);
  const checkSize = (value: string) => {
    size += value.length;
    if (size > bounds.text) throw new ConfigurationError(`${file}: the values together are too long`);
    return value;
  };
  const resolve = (text: string) =>
    text
      .replace(variable, (all, slashes: string, open = '', name?: string, instead = '', close = '') => {
        if (slashes.length % 2 === 1) return all.slice(1);
        if (name === undefined) return all;
        const source = [environment, variables, before].find((candidate) => Object.hasOwn(candidate, name));
        const value = source?.[name] || instead.slice(2);
        return slashes + checkSize(value) + (open === '' ? close : '');
      })
      .replaceAll('\\\\', '\\');
  for (take(empty); offset < data.length; take(empty)) {
    const [, name] = take(/(?:export[ \t]+)?([A-Za-z_]\w*)=/y) ?? [];
    if (name === undefined) throw toError('it is not NAME=value');
    let value = '';
    if (!take(/[ \t]*(?:#.*)?$/my))
      while (offset < data.length && data[offset] !== '\n') {
        const [, single] = take(/'([^']*)'/y) ?? [];
        const [, double] = single === undefined ? (take(/"((?:[^"\\]|\\[\s\S])*)"/y) ?? []) : [];
        const [bare] = single === undefined && double === undefined ? (take(unquoted) ?? []) : [];
        if (single !== undefined) value += checkSize(single);
        else if (double !== undefined)
          value += checkSize(
            resolve(double.replace(/\\([rn"])/g, (_, letter: string) => escapes[letter] ?? '"')),
          );
        else if (bare) value += checkSize(resolve(bare.replace(/\\(["'])/g, '$1').trimEnd()));
        else throw toError('a quoted value has no end');
        if (bare && data[offset] === '#') break;
      }
    variables[name] = value;
    take(/.*/y);
  }
  return variables;
}

const escapes: Readonly<Record<string, string>> = { r: '\r', n: '\n' };

/** Blank lines and comments. */
const empty = /(?:\s|#.*)*/y;

/** Text up to a quote, the end of the line, or a comment. */
const unquoted = /(?:\\["']|[^\n"'#]|(?<![ \t])#)+/y;

const variable = /(?<!\\)(\\*)\$(?!\()(\{)?([A-Za-z_]\w*)?(:[-=][^}]*)?(\})?/g;

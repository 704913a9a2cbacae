import { bounds, ConfigurationError, type OtherVariables } from './value.ts';

/**
 * The variables of an `.env` file, as Symfony/Component/Dotenv/Dotenv.php reads it: a value is made of parts that are bare,
 * `'…'` or `"…"`; `#` after a blank begins a comment; `$NAME`, `${NAME}` and `${NAME:-instead}` stand for variables; of two
 * lines with one name the last counts. A command, `$(…)`, stays as it is: nothing is run.
 * @param file for the errors
 * @throws ConfigurationError that names the line
 */
export function parseSymfonyEnv(
  text: string,
  file: string,
  { before = {}, environment = {} }: OtherVariables = {},
): Record<string, string> {
  if (text.length > bounds.bytes) throw new ConfigurationError(`${file}: larger than ${bounds.bytes} bytes`);
  const found: Record<string, string> = Object.create(null);
  const data = text.replace(/\r\n?/g, '\n');
  let at = 0;
  let size = 0;
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const taken = pattern.exec(data);
    at += taken?.[0].length ?? 0;
    return taken;
  };
  const wrong = (why: string) =>
    new ConfigurationError(`${file} line ${data.slice(0, at).split('\n').length}: ${why}`);
  const grown = (value: string) => {
    size += value.length;
    if (size > bounds.text) throw new ConfigurationError(`${file}: its values are too long`);
    return value;
  };
  const resolved = (text: string) =>
    text
      .replace(variable, (all, slashes: string, open = '', name?: string, instead = '', close = '') => {
        if (slashes.length % 2 === 1) return all.slice(1);
        if (name === undefined) return all;
        const from = [environment, found, before].find((each) => Object.hasOwn(each, name));
        const value = from?.[name] || instead.slice(2);
        return slashes + grown(value) + (open === '' ? close : '');
      })
      .replaceAll('\\\\', '\\');
  for (take(empty); at < data.length; take(empty)) {
    const [, name] = take(/(?:export[ \t]+)?([A-Za-z_]\w*)=/y) ?? [];
    if (name === undefined) throw wrong('no NAME=value');
    let value = '';
    if (!take(/[ \t]*(?:#.*)?$/my))
      while (at < data.length && data[at] !== '\n') {
        const [, single] = take(/'([^']*)'/y) ?? [];
        const [, double] = single === undefined ? (take(/"((?:[^"\\]|\\[\s\S])*)"/y) ?? []) : [];
        const [bare] = single === undefined && double === undefined ? (take(unquoted) ?? []) : [];
        if (single !== undefined) value += grown(single);
        else if (double !== undefined)
          value += grown(
            resolved(double.replace(/\\([rn"])/g, (_, letter: string) => escapes[letter] ?? '"')),
          );
        else if (bare) value += grown(resolved(bare.replace(/\\(["'])/g, '$1').trimEnd()));
        else throw wrong('a quoted value has no end');
        if (bare && data[at] === '#') break;
      }
    found[name] = value;
    take(/.*/y);
  }
  return found;
}

const escapes: Readonly<Record<string, string>> = { r: '\r', n: '\n' };

/** Blank lines and comments. */
const empty = /(?:\s|#.*)*/y;

/** To a quote, the end of the line, or a comment. */
const unquoted = /(?:\\["']|[^\n"'#]|(?<![ \t])#)+/y;

const variable = /(?<!\\)(\\*)\$(?!\()(\{)?([A-Za-z_]\w*)?(:[-=][^}]*)?(\})?/g;

import { parseSymfonyEnv } from './symfony-env.ts';
import { bounds, ConfigurationError, type OtherVariables } from './value.ts';

/**
 * - `phpdotenv` (Laravel, Bedrock): `#` begins a comment without a blank before it, too; a name that stands twice has its last
 *   value, and none if it stands there without `=`; outside of quotes `\$` is no escape
 * - `symfony`: see `parseSymfonyEnv`
 * - `plain` (CodeIgniter, and files of the operator): `#` after a blank, and the first value
 */
export type EnvForm = 'phpdotenv' | 'symfony' | 'plain';

/**
 * The variables of an `.env` file: `NAME=value`, `export NAME=value`, `'…'` as it stands, `"…"` with escapes, comments
 * behind `#`, `${OTHER}` for a variable from above.
 * @param file for the errors
 * @throws ConfigurationError that names the line
 */
export function parseEnv(
  text: string,
  file: string,
  form: EnvForm = 'plain',
  { before = {}, environment = {} }: OtherVariables = {},
): Record<string, string> {
  if (form === 'symfony') return parseSymfonyEnv(text, file, { before, environment });
  if (text.length > bounds.bytes) throw new ConfigurationError(`${file}: larger than ${bounds.bytes} bytes`);
  const found: Record<string, string> = Object.create(null);
  const lines = text.replace(/^\ufeff/, '').split(/\r\n|\n|\r/);
  let size = 0;
  const grow = (by: number) => {
    size += by;
    if (size > bounds.text) throw new ConfigurationError(`${file}: its values are too long`);
  };
  const expanded = (text: string, pattern = variableOrEscape) =>
    text.replace(pattern, (all, name?: string) => {
      if (name === undefined) return '$';
      const from = [environment, found, before].find((each) => Object.hasOwn(each, name));
      if (from === undefined) return all;
      const value = from[name] as string;
      grow(value.length);
      return value;
    });
  for (let n = 0; n < lines.length; n++) {
    const line = lines[n] as string;
    const wrong = () =>
      new ConfigurationError(`${file} line ${n + 1}: a quoted value has no end, or a text behind it`);
    const [, , name, given] = /^\s*(?:export\s+)?(["']?)([A-Za-z0-9_.\\]+)\1\s*=\s*(.*)$/s.exec(line) ?? [];
    if (name === undefined || given === undefined) {
      const [, alone] = /^\s*([A-Za-z0-9_.]+)\s*$/.exec(line) ?? [];
      if (form === 'phpdotenv' && alone !== undefined) delete found[alone];
      continue;
    }
    let value = given;
    const quote = given[0];
    if (quote === '"' || quote === "'") {
      // A quoted value may have several lines.
      const start = n;
      let end = endOf(value, quote);
      while (end === -1 && n + 1 < lines.length && n - start < mostLines) {
        value += `\n${lines[++n]}`;
        end = endOf(value, quote);
      }
      if (end === -1 || !/^\s*(#.*)?$/s.test(value.slice(end + 1))) {
        n = start;
        throw wrong();
      }
      value = value.slice(1, end);
      if (quote === '"') value = expanded(unescaped(value));
    } else if (form === 'phpdotenv') {
      value = expanded(value.replace(/#.*$/s, '').trimEnd(), variable);
    } else {
      value = expanded(value.replace(/(?<!\S)#.*$/s, '').trimEnd());
    }
    grow(value.length);
    if (form === 'phpdotenv' || !Object.hasOwn(found, name)) found[name] = value;
  }
  return found;
}

const variable = /\$\{([A-Za-z0-9_.]+)\}/g;
/** A variable, or `\$`. */
const variableOrEscape = /\\\$|\$\{([A-Za-z0-9_.]+)\}/g;

/** Lines of one value: a private key has some thirty. */
const mostLines = 100;

function endOf(text: string, quote: string): number {
  for (let at = 1; at < text.length; at++) {
    if (text[at] === '\\' && quote === '"') at++;
    else if (text[at] === quote) return at;
  }
  return -1;
}

const escapes: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', f: '\f', v: '\v' };

/** A `\$` stays for `expanded`. */
const unescaped = (text: string) =>
  text.replace(/\\([^$])/gs, (_, character: string) => escapes[character] ?? character);

import { parseSymfonyEnv } from './symfony-env.ts';
import { bounds, ConfigurationError, type OtherVariables } from './value.ts';

/**
 * The dialects of `.env` files:
 * - `phpdotenv` (Laravel, Bedrock): `#` starts a comment even without a blank before it. The last value of a duplicate
 *   name counts, and a name without `=` removes it. Outside of quotes `\$` is not an escape
 * - `symfony`: see `parseSymfonyEnv`
 * - `plain` (CodeIgniter, and files of the operator): a comment needs a blank before `#`. The first value of a duplicate
 *   name counts
 */
export type EnvForm = 'phpdotenv' | 'symfony' | 'plain';

/**
 * Parses an `.env` file: `NAME=value`, `export NAME=value`, `'…'` without escapes, `"…"` with escapes, comments after
 * `#`, `${OTHER}` for an earlier variable.
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
  if (text.length > bounds.bytes)
    throw new ConfigurationError(`${file} is larger than ${bounds.bytes} bytes`);
  const variables: Record<string, string> = Object.create(null);
  const lines = text.replace(/^\ufeff/, '').split(/\r\n|\n|\r/);
  let size = 0;
  const addSize = (length: number) => {
    size += length;
    if (size > bounds.text) throw new ConfigurationError(`${file}: the values together are too long`);
  };
  const expand = (text: string, pattern = variableOrEscape) =>
    text.replace(pattern, (all, name?: string) => {
      if (name === undefined) return '$';
      const source = [environment, variables, before].find((candidate) => Object.hasOwn(candidate, name));
      if (source === undefined) return all;
      const value = source[name] as string;
      addSize(value.length);
      return value;
    });
  for (let n = 0; n < lines.length; n++) {
    const line = lines[n] as string;
    const toError = () =>
      new ConfigurationError(`${file} line ${n + 1}: a quoted value has no end, or text after it`);
    const [, , name, given] = /^\s*(?:export\s+)?(["']?)([A-Za-z0-9_.\\]+)\1\s*=\s*(.*)$/s.exec(line) ?? [];
    if (name === undefined || given === undefined) {
      const [, alone] = /^\s*([A-Za-z0-9_.]+)\s*$/.exec(line) ?? [];
      if (form === 'phpdotenv' && alone !== undefined) delete variables[alone];
      continue;
    }
    let value = given;
    const quote = given[0];
    if (quote === '"' || quote === "'") {
      // A quoted value may have several lines.
      const start = n;
      let end = findQuote(value, quote);
      while (end === -1 && n + 1 < lines.length && n - start < maxLines) {
        value += `\n${lines[++n]}`;
        end = findQuote(value, quote);
      }
      if (end === -1 || !/^\s*(#.*)?$/s.test(value.slice(end + 1))) {
        n = start;
        throw toError();
      }
      value = value.slice(1, end);
      if (quote === '"') value = expand(resolveEscapes(value));
    } else if (form === 'phpdotenv') {
      value = expand(value.replace(/#.*$/s, '').trimEnd(), variable);
    } else {
      value = expand(value.replace(/(?<!\S)#.*$/s, '').trimEnd());
    }
    addSize(value.length);
    if (form === 'phpdotenv' || !Object.hasOwn(variables, name)) variables[name] = value;
  }
  return variables;
}

const variable = /\$\{([A-Za-z0-9_.]+)\}/g;
const variableOrEscape = /\\\$|\$\{([A-Za-z0-9_.]+)\}/g;

/** The limit of lines in one value. A private key has about thirty. */
const maxLines = 100;

function findQuote(text: string, quote: string): number {
  for (let n = 1; n < text.length; n++) {
    if (text[n] === '\\' && quote === '"') n++;
    else if (text[n] === quote) return n;
  }
  return -1;
}

const escapes: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', f: '\f', v: '\v' };

/** Keeps `\$` for `expand`. */
const resolveEscapes = (text: string) =>
  text.replace(/\\([^$])/gs, (_, character: string) => escapes[character] ?? character);

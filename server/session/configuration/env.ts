import { bounds, ConfigurationError } from './value.ts';

/**
 * The variables of an `.env` file, as phpdotenv reads it (Laravel, Bedrock): `NAME=value`, `export NAME=value`,
 * `'…'` as it stands, `"…"` with escapes, `#` after a blank begins a comment, `${OTHER}` is a variable from above. A
 * name that stands twice has its first value.
 * @param file for the errors
 * @throws ConfigurationError that names the line
 */
export function parseEnv(text: string, file: string): Record<string, string> {
  if (text.length > bounds.bytes) throw new ConfigurationError(`${file}: larger than ${bounds.bytes} bytes`);
  const found: Record<string, string> = Object.create(null);
  const lines = text.replace(/^\ufeff/, '').split(/\r\n|\n|\r/);
  let size = 0;
  const grow = (by: number) => {
    size += by;
    if (size > bounds.text) throw new ConfigurationError(`${file}: its values are too long`);
  };
  const expanded = (text: string) =>
    text.replace(/\\\$|\$\{([A-Za-z0-9_.]+)\}/g, (all, name?: string) => {
      if (name === undefined) return '$';
      if (!Object.hasOwn(found, name)) return all;
      const value = found[name] as string;
      grow(value.length);
      return value;
    });
  for (let n = 0; n < lines.length; n++) {
    const line = lines[n] as string;
    const wrong = () =>
      new ConfigurationError(`${file} line ${n + 1}: a quoted value has no end, or a text behind it`);
    const [, name, given] = /^\s*(?:export\s+)?([A-Za-z0-9_.]+)\s*=\s*(.*)$/s.exec(line) ?? [];
    if (name === undefined || given === undefined) continue;
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
    } else {
      value = expanded(value.replace(/(?<!\S)#.*$/s, '').trimEnd());
    }
    grow(value.length);
    if (!Object.hasOwn(found, name)) found[name] = value;
  }
  return found;
}

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

import { option } from '../names.ts';
import { ConfigurationError } from './value.ts';

/**
 * Finds a scalar in nested maps of a YAML file, such as `framework`, `session`, `name`. Undefined if it does not exist.
 * Only maps with one key per line are supported.
 * @throws ConfigurationError if the path contains anything else
 */
export function readYamlScalar(
  text: string,
  file: string,
  path: readonly string[],
): string | null | undefined {
  /** The maps around the current line. */
  const parents: { indent: number; key: string }[] = [];
  let result: string | null | undefined;
  for (const [n, row] of text.split(/\r?\n/).entries()) {
    if (/^\s*(?:#.*)?$|^---\s*$/.test(row)) continue;
    const toError = () =>
      new ConfigurationError(
        `${file} line ${n + 1}: this YAML is not supported: set ${option('store')} and ${option('cookieName')}`,
      );
    const indent = row.search(/[^ ]/);
    while ((parents.at(-1)?.indent ?? -1) >= indent) parents.pop();
    const isOnPath = parents.every(({ key }, level) => key === path[level]);
    if (!isOnPath) continue;
    const [, quoted, plain, value = ''] =
      /^ *(?:(["'])(.*?)\1|([^\s:#"'](?:[^:#]*[^:# ])?)) *:(?: +(.*))?$/.exec(row)?.slice(1) ?? [];
    const key = plain ?? quoted;
    if (key === undefined) throw toError();
    parents.push({ indent, key });
    const level = parents.length - 1;
    if (key === '<<') throw toError();
    if (key !== path[level]) continue;
    const scalar = parseScalar(value);
    if (level === path.length - 1) {
      if (scalar === undefined) throw toError();
      result = scalar;
    } else if (value.replace(/#.*$/, '').trim() !== '' && !/^(?:true|null|~)$/.test(scalar ?? ''))
      throw toError();
  }
  return result;
}

/** Returns undefined unless the text is a plain or quoted scalar in one line. */
function parseScalar(text: string): string | null | undefined {
  const [, single] = /^'((?:[^']|'')*)'\s*(?:#.*)?$/.exec(text) ?? [];
  if (single !== undefined) return single.replaceAll("''", "'");
  const [, double] = /^"([^"\\]*)"\s*(?:#.*)?$/.exec(text) ?? [];
  if (double !== undefined) return double;
  const plain = text.replace(/(?<!\S)#.*$/, '').trim();
  if (/^(?:null|~)?$/i.test(plain)) return null;
  return /^[&*!|>[{"'%@`]/.test(plain) && !/^%[\w.]+%/.test(plain) ? undefined : plain;
}

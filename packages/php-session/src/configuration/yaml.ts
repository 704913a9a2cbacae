import { option } from '../names.ts';
import { ConfigurationError } from './value.ts';

/**
 * A scalar in nested maps of a YAML file, such as that of `framework`, `session`, `name`; null for null, undefined if it
 * is not there. It reads maps by lines and no more of YAML.
 * @throws ConfigurationError if something else stands on the way to it
 */
export function yamlScalar(text: string, file: string, path: readonly string[]): string | null | undefined {
  /** The maps that the present line is in. */
  const inside: { indent: number; key: string }[] = [];
  let found: string | null | undefined;
  for (const [n, row] of text.split(/\r?\n/).entries()) {
    if (/^\s*(?:#.*)?$|^---\s*$/.test(row)) continue;
    const unclear = () =>
      new ConfigurationError(
        `${file} line ${n + 1}: what stands here is not read: set ${option('store')} and ${option('cookieName')}`,
      );
    const indent = row.search(/[^ ]/);
    while ((inside.at(-1)?.indent ?? -1) >= indent) inside.pop();
    const isOnTheWay = inside.every(({ key }, level) => key === path[level]);
    if (!isOnTheWay) continue;
    const [, quoted, plain, value = ''] =
      /^ *(?:(["'])(.*?)\1|([^\s:#"'](?:[^:#]*[^:# ])?)) *:(?: +(.*))?$/.exec(row)?.slice(1) ?? [];
    const key = plain ?? quoted;
    if (key === undefined) throw unclear();
    inside.push({ indent, key });
    const level = inside.length - 1;
    if (key === '<<') throw unclear();
    if (key !== path[level]) continue;
    const scalar = scalarOf(value);
    if (level === path.length - 1) {
      if (scalar === undefined) throw unclear();
      found = scalar;
    } else if (value.replace(/#.*$/, '').trim() !== '' && !/^(?:true|null|~)$/.test(scalar ?? ''))
      throw unclear();
  }
  return found;
}

/** Undefined for what is no plain or quoted text in one line. */
function scalarOf(text: string): string | null | undefined {
  const [, single] = /^'((?:[^']|'')*)'\s*(?:#.*)?$/.exec(text) ?? [];
  if (single !== undefined) return single.replaceAll("''", "'");
  const [, double] = /^"([^"\\]*)"\s*(?:#.*)?$/.exec(text) ?? [];
  if (double !== undefined) return double;
  const plain = text.replace(/(?<!\S)#.*$/, '').trim();
  if (/^(?:null|~)?$/i.test(plain)) return null;
  return /^[&*!|>[{"'%@`]/.test(plain) && !/^%[\w.]+%/.test(plain) ? undefined : plain;
}

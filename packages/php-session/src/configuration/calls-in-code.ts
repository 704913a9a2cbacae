import { dirname } from 'node:path';
import parser from 'php-parser';
import type { IniValue } from './ini.ts';
import { readRegularFileSync } from './regular-file.ts';
import type { SessionCall } from './session-calls.ts';
import { bounds } from './value.ts';

/** The calls in these files. */
export function sessionCallsIn(files: readonly string[]): SessionCall[] {
  return files.flatMap((file) => {
    const read = readRegularFileSync(file, bounds.bytes);
    return typeof read === 'string' ? [] : callsIn(read.toString(), file);
  });
}

interface Tree {
  readonly kind: string;
  readonly loc?: { start: { line: number } };
  readonly [field: string]: unknown;
}

const Parser = parser as unknown as new (options: object) => { parseCode(code: string, file: string): Tree };

function callsIn(text: string, file: string): SessionCall[] {
  let tree: Tree;
  try {
    const parse = new Parser({ parser: { extractDoc: false }, ast: { withPositions: true } });
    tree = parse.parseCode(text, file);
  } catch {
    // PHP may be newer than the parser.
    return [];
  }
  const found: SessionCall[] = [];
  const waiting: unknown[] = [tree];
  for (let node = waiting.pop(); node !== undefined || waiting.length > 0; node = waiting.pop()) {
    if (typeof node !== 'object' || node === null) continue;
    if (Array.isArray(node)) {
      waiting.push(...node);
      continue;
    }
    const one = node as Tree;
    if (one.kind === 'call') found.push(...callOf(one, file));
    for (const [field, inner] of Object.entries(one)) if (field !== 'loc') waiting.push(inner);
  }
  return found;
}

const settings: Readonly<Record<string, string>> = {
  session_name: 'session.name',
  session_save_path: 'session.save_path',
  session_module_name: 'session.save_handler',
};

function callOf(node: Tree, file: string): SessionCall[] {
  const what = node.what as Tree | undefined;
  const by = String(what?.name ?? '')
    .replace(/^\\/, '')
    .toLowerCase();
  const line = node.loc?.start.line ?? 0;
  const args = (node.arguments ?? []) as readonly Tree[];
  const [first, second] = args;
  const call = (name: string, value: IniValue): SessionCall => ({ name, value, by: `${by}()`, file, line });
  const known = (name: string, given: Tree | undefined) =>
    call(name, literal(given, file) ?? { unknown: { file, line, why: `the call of ${by}()` } });
  const setting = Object.hasOwn(settings, by) ? settings[by] : undefined;
  if (setting !== undefined) return first === undefined ? [] : [known(setting, first)];
  if (by === 'session_set_save_handler')
    return [call('session.save_handler', { unknown: { file, line, why: 'a handler of its own' } })];
  if (by === 'ini_set' || by === 'ini_alter') {
    const name = literal(first, file) ?? '';
    return /^(?:session|memcached?|redis)\./.test(name) ? [known(name, second)] : [];
  }
  if (by !== 'session_start' || first?.kind !== 'array') return [];
  return ((first.items ?? []) as readonly (Tree | null)[]).flatMap((item) => {
    const key = literal(item?.key as Tree | undefined, file);
    return key === undefined ? [] : [known(`session.${key}`, item?.value as Tree | undefined)];
  });
}

/** A text that stands in the code; undefined for all else. */
function literal(node: Tree | undefined, file: string): string | undefined {
  switch (node?.kind) {
    case 'string':
    case 'number':
      return String(node.value);
    case 'boolean':
      return node.value === true ? '1' : '';
    case 'magic':
      return node.value === '__DIR__' ? dirname(file) : node.value === '__FILE__' ? file : undefined;
    case 'bin': {
      const left = node.type === '.' ? literal(node.left as Tree, file) : undefined;
      const right = left === undefined ? undefined : literal(node.right as Tree, file);
      return right === undefined ? undefined : `${left}${right}`;
    }
    case 'call': {
      const [path, levels] = (node.arguments ?? []) as readonly Tree[];
      const isDirname = /^\\?dirname$/i.test(String((node.what as Tree | undefined)?.name ?? ''));
      let found = isDirname ? literal(path, file) : undefined;
      const count = levels === undefined ? 1 : Number(literal(levels, file));
      for (let n = 0; n < Math.min(count, 20) && found !== undefined; n++) found = dirname(found);
      return found;
    }
    default:
      return undefined;
  }
}

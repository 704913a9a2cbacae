import { readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import parser from 'php-parser';
import type { IniValue } from './ini.ts';
import { bounds } from './php.ts';
import { readRegularFile, readRegularFileSync } from './regular-file.ts';

/** A call in the code of a site that changes a setting of sessions, such as `session_name('ID')`. */
export interface SessionCall {
  /** The setting, as php.ini names it. */
  name: string;
  value: IniValue;
  /** The function. */
  by: string;
  file: string;
  line: number;
}

/** Bounds of one look. Files near the folder come first. */
const most = { files: 5000, depth: 8, bytes: 32 * bounds.bytes };

/** Code of others, which a site may have without using it, and what is no code. */
const left = /^(?:\..*|vendor|node_modules|tests?|cache|tmp|var|storage|uploads?|docs?)$/i;

/** Most files have no such call, so they need not be parsed. */
const candidate =
  /\bsession_(?:name|save_path|module_name|set_save_handler|start)\s*\(\s*[^)\s]|\bini_(?:set|alter)\s*\(\s*['"](?:session|memcached?|redis)\./i;

/** The PHP files of a folder that may have such a call. */
export async function filesWithCalls(folder: string): Promise<string[]> {
  const found: string[] = [];
  let bytes = 0;
  let files = 0;
  let folders = [folder];
  for (let depth = 0; depth < most.depth && folders.length > 0; depth++) {
    const next: string[] = [];
    for (const at of folders) {
      const entries = await readdir(at, { withFileTypes: true }).catch(() => []);
      for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
        const path = join(at, entry.name);
        if (entry.isDirectory() && !left.test(entry.name) && next.length < most.files) next.push(path);
        if (!entry.isFile() || !/\.(?:php|inc)$/i.test(entry.name)) continue;
        const read = await readRegularFile(path, bounds.bytes).catch(() => '');
        if (typeof read === 'string') continue;
        bytes += read.length;
        if (++files > most.files || bytes > most.bytes) return found;
        if (candidate.test(read.toString('latin1'))) found.push(path);
      }
    }
    folders = next;
  }
  return found;
}

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

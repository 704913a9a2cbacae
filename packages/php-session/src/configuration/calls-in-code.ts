import { dirname } from 'node:path';
import type { IniValue } from './ini.ts';
import { getLine, getNode, getNodes, getText, parsePhp, type Tree } from './php-tree.ts';
import { readRegularFileSync } from './regular-file.ts';
import type { SessionCall } from './session-calls.ts';
import { bounds } from './value.ts';

export function findSessionCalls(files: readonly string[]): SessionCall[] {
  return files.flatMap((file) => {
    const code = readRegularFileSync(file, bounds.bytes);
    return typeof code === 'string' ? [] : findCalls(code.toString(), file);
  });
}

function findCalls(code: string, file: string): SessionCall[] {
  let tree: Tree;
  try {
    tree = parsePhp(code, file);
  } catch {
    // The code may need a newer PHP than the parser supports.
    return [];
  }
  const calls: SessionCall[] = [];
  const pending: unknown[] = [tree];
  while (pending.length > 0) {
    const item = pending.pop();
    if (typeof item !== 'object' || item === null) continue;
    if (Array.isArray(item)) {
      pending.push(...item);
      continue;
    }
    const node = item as Tree;
    if (node.kind === 'call') calls.push(...toSessionCalls(node, file));
    for (const [field, value] of Object.entries(node)) if (field !== 'loc') pending.push(value);
  }
  return calls;
}

const settings: Readonly<Record<string, string>> = {
  session_name: 'session.name',
  session_save_path: 'session.save_path',
  session_module_name: 'session.save_handler',
};

function toSessionCalls(node: Tree, file: string): SessionCall[] {
  const by = getText(getNode(node, 'what'), 'name').replace(/^\\/, '').toLowerCase();
  const line = getLine(node);
  const [first, second] = getNodes(node, 'arguments');
  const toCall = (name: string, value: IniValue): SessionCall => ({
    name,
    value,
    by: `${by}()`,
    file,
    line,
  });
  const toKnownCall = (name: string, argument: Tree | undefined) =>
    toCall(name, readLiteral(argument, file) ?? { unknown: { file, line, why: `the call of ${by}()` } });
  const setting = Object.hasOwn(settings, by) ? settings[by] : undefined;
  if (setting !== undefined) return first === undefined ? [] : [toKnownCall(setting, first)];
  if (by === 'session_set_save_handler')
    return [toCall('session.save_handler', { unknown: { file, line, why: 'a custom handler' } })];
  if (by === 'ini_set' || by === 'ini_alter') {
    const name = readLiteral(first, file) ?? '';
    return /^(?:session|memcached?|redis)\./.test(name) ? [toKnownCall(name, second)] : [];
  }
  if (by !== 'session_start' || first?.kind !== 'array') return [];
  return getNodes(first, 'items').flatMap((item) => {
    const key = readLiteral(item.key as Tree | undefined, file);
    return key === undefined ? [] : [toKnownCall(`session.${key}`, item.value as Tree | undefined)];
  });
}

/** Returns the value of a constant expression. Undefined for other expressions. */
function readLiteral(node: Tree | undefined, file: string): string | undefined {
  switch (node?.kind) {
    case 'string':
    case 'number':
      return String(node.value);
    case 'boolean':
      return node.value === true ? '1' : '';
    case 'magic':
      return node.value === '__DIR__' ? dirname(file) : node.value === '__FILE__' ? file : undefined;
    case 'bin': {
      const left = node.type === '.' ? readLiteral(getNode(node, 'left'), file) : undefined;
      const right = left === undefined ? undefined : readLiteral(getNode(node, 'right'), file);
      return right === undefined ? undefined : `${left}${right}`;
    }
    case 'call': {
      const [path, levels] = getNodes(node, 'arguments');
      const isDirname = /^\\?dirname$/i.test(getText(getNode(node, 'what'), 'name'));
      let folder = isDirname ? readLiteral(path, file) : undefined;
      const count = levels === undefined ? 1 : Number(readLiteral(levels, file));
      for (let n = 0; n < Math.min(count, 20) && folder !== undefined; n++) folder = dirname(folder);
      return folder;
    }
    default:
      return undefined;
  }
}

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseSync } from 'vite';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '../..');

interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [field: string]: unknown;
}
const isNode = (value: unknown): value is Node => typeof (value as Node | null)?.type === 'string';
const childrenOf = (node: Node): Node[] => Object.values(node).flat().filter(isNode);
const nameOf = (node: unknown) =>
  isNode(node) && node.type === 'Identifier' ? (node.name as string) : undefined;

/** Returns the nodes of the program and of each function in it, without those of nested functions. */
function bodiesOf(program: Node): Node[][] {
  const bodies: Node[][] = [];
  function open(node: Node): void {
    const body: Node[] = [];
    bodies.push(body);
    collect(node, body);
  }
  function collect(node: Node, body: Node[]): void {
    for (const one of childrenOf(node)) {
      if (/Function/.test(one.type)) open(one);
      else {
        body.push(one);
        collect(one, body);
      }
    }
  }
  open(program);
  return bodies;
}

/** Returns the variable names in an `await`: `await a`, `await Promise.all([a, b])`. */
function awaited(node: Node): string[] {
  const of = (one: Node): string[] => {
    const name = nameOf(one);
    if (name !== undefined) return [name];
    if (one.type === 'ArrayExpression') return childrenOf(one).flatMap(of);
    const callee = one.callee as Node | undefined;
    return nameOf(callee?.object) === 'Promise' ? (one.arguments as Node[]).flatMap(of) : [];
  };
  return of(node.argument as Node);
}

/** Returns the name of the promise that `a.catch(…)` or `a.then(…, …)` handles. */
function caught({ type, callee, arguments: given }: Node): string | undefined {
  if (type !== 'CallExpression') return undefined;
  const { object, property } = callee as Node;
  const method = nameOf(property);
  return method === 'catch' || (method === 'then' && (given as Node[]).length === 2)
    ? nameOf(object)
    : undefined;
}

/** Such a promise never rejects. */
const onlyResolves = /new Promise(<[^>]*>)?\(\(\w*\) =>/;

/**
 * Returns the promises that are stored in a variable while the function awaits something else, without a handler for
 * their rejection.
 */
function held(text: string): string[] {
  if (!text.includes('await')) return [];
  const { program, errors } = parseSync('a.ts', text);
  if (errors.length > 0) throw new Error(errors[0]?.message);
  return bodiesOf(program as unknown as Node).flatMap((all) => {
    const awaits = all.filter(({ type }) => type === 'AwaitExpression');
    return all.flatMap(({ type, id, init, end }) => {
      const name = nameOf(id);
      if (type !== 'VariableDeclarator' || name === undefined || !isNode(init)) return [];
      if (init.type === 'AwaitExpression' || init.type === 'ArrayExpression') return [];
      if (onlyResolves.test(text.slice(init.start, init.end))) return [];
      const use = awaits.find((one) => one.start > end && awaited(one).includes(name));
      const between = ({ start }: Node) => start > end && start < (use?.start ?? 0);
      if (!awaits.some(between) || all.some((one) => between(one) && caught(one) === name)) return [];
      return [name];
    });
  });
}

test.each(['server', 'packages/php-session/src', 'packages/session-server/src'])(
  '%s/ handles the rejection of every promise that it stores in a variable',
  (folder) => {
    const files = readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).filter(
      (name) => /\.ts$/.test(name) && !name.includes('node_modules'),
    );
    const found = files.flatMap((name) =>
      held(readFileSync(join(root, folder, name), 'utf8')).map((one) => `${name}: ${one}`),
    );
    expect(found).toEqual([]);
  },
);

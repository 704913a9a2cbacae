import parser from 'php-parser';

/** A node of the syntax tree. The package's own types lack most fields. */
export interface Tree {
  readonly kind: string;
  readonly loc?: { start: { line: number } };
  readonly [field: string]: unknown;
}

const Parser = parser as unknown as new (options: object) => { parseCode(code: string, file: string): Tree };

/** Parses PHP code. @throws an error of the parser, with `lineNumber`, or RangeError for deeply nested code */
export function parsePhp(code: string, file: string): Tree {
  return new Parser({ parser: { extractDoc: false }, ast: { withPositions: true } }).parseCode(code, file);
}

/** A placeholder for a missing node, with the value null. */
export const nothing: Tree = { kind: 'nullkeyword' };

export const getNode = (node: Tree, field: string): Tree => (node[field] ?? nothing) as Tree;

export const getNodes = (node: Tree, field: string): readonly Tree[] =>
  ((node[field] ?? []) as (Tree | null)[]).filter((item) => item !== null);

export function getText(node: Tree, field: string): string {
  const text = node[field];
  return typeof text === 'string' ? text : '';
}

/** Returns the name of a declaration. */
export const getName = (node: Tree): string => getText(getNode(node, 'name'), 'name');

export const getLine = (node: Tree): number => node.loc?.start.line ?? 0;

export const toStatement = (expression: Tree): Tree => ({ kind: 'expressionstatement', expression });

export const dropNamespace = (name: unknown): string =>
  typeof name === 'string' ? name.replace(/^.*\\/s, '') : '';

/** Returns the name of a called function in lower case, without its namespace, or `CLASS::METHOD` of a static method. */
export function getFunctionName(what: Tree): string {
  if (what.kind === 'name') return dropNamespace(what.name).toLowerCase();
  if (what.kind !== 'staticlookup') return '';
  return `${dropNamespace(getNode(what, 'what').name)}::${getText(getNode(what, 'offset'), 'name')}`.toLowerCase();
}

export const isAssignable = (node: Tree): boolean =>
  node.kind === 'staticlookup'
    ? getNode(node, 'offset').kind === 'variable'
    : /^(variable|offsetlookup|propertylookup)$/.test(node.kind);

/** Whether the node is an `if` with only expressions, without jumps. */
export function isPlainIf(node: Tree): boolean {
  const isPlain = (part: Tree): boolean =>
    part === nothing ||
    part.kind === 'expressionstatement' ||
    (part.kind === 'block' ? getNodes(part, 'children').every(isPlain) : isPlainIf(part));
  return node.kind === 'if' && isPlain(getNode(node, 'body')) && isPlain(getNode(node, 'alternate'));
}

/** Whether a function may return before its last statement. */
export function hasEarlyReturn(body: Tree): boolean {
  const hasReturn = (node: Tree): boolean =>
    node.kind === 'return' ||
    [
      ...getNodes(node, 'children'),
      ...getNodes(node, 'catches'),
      getNode(node, 'body'),
      getNode(node, 'alternate'),
    ]
      .filter((part) => part !== nothing)
      .some(hasReturn);
  return getNodes(body, 'children').some((node) => node.kind !== 'return' && hasReturn(node));
}

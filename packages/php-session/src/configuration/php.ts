import { realpathSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import parser from 'php-parser';
import { readRegularFileSync } from './regular-file.ts';
import {
  bounds,
  type ConfigurationArray,
  ConfigurationError,
  type ConfigurationValue,
  isArray,
  isUnknown,
  type PhpConfiguration,
  type PhpSurroundings,
  part,
  rest,
  type Unknown,
} from './value.ts';

/**
 * Reads a configuration file of a PHP application as far as it is known without running it: constants, assignments,
 * `return`, class members, and files that it includes. A value that depends on anything else is `Unknown`.
 * It reads files alone, and writes nothing.
 * @throws ConfigurationError
 */
export function readPhp(file: string, surroundings: PhpSurroundings = {}): PhpConfiguration {
  return new Reading(surroundings).read(file);
}

/** Ends the file, with the value of `return`. */
class Returned {
  readonly value: ConfigurationValue | undefined;
  /** False if it may not end here. */
  readonly isSure: boolean;
  constructor(value?: ConfigurationValue, isSure = true) {
    this.value = value;
    this.isSure = isSure;
  }
}

/** A node of the syntax tree. The types of the package leave out most fields. */
interface Tree {
  readonly kind: string;
  readonly loc?: { start: { line: number } };
  readonly [field: string]: unknown;
}

const Parser = parser as unknown as new (options: object) => { parseCode(code: string, file: string): Tree };

/** The values of constants and variables. Under `rest` are all that may be there besides. */
interface Known {
  constants: Map<string, ConfigurationValue>;
  variables: Map<string, ConfigurationValue>;
}

/** A part of a node. */
const one = (node: Tree, field: string): Tree => (node[field] ?? nothing) as Tree;
const many = (node: Tree, field: string): readonly Tree[] =>
  ((node[field] ?? []) as (Tree | null)[]).filter((each) => each !== null);
const word = (node: Tree, field: string): string => {
  const found = node[field];
  return typeof found === 'string' ? found : '';
};
const nothing: Tree = { kind: 'nullkeyword' };

const superglobals = new Set(['_SERVER', '_GET', '_POST', '_COOKIE', '_REQUEST', '_FILES', '_SESSION']);

/** Variables in `$_SERVER` of the request and the web server, which are no environment variables. */
const ofRequest =
  /^(?:(?:HTTP|SERVER|REQUEST|REMOTE|SCRIPT|PATH|CONTENT|DOCUMENT|REDIRECT|QUERY|SSL|PHP_AUTH)_|(?:HTTPS|AUTH_TYPE|PHP_SELF)$)/;

const knownConstants: Readonly<Record<string, ConfigurationValue>> = {
  PHP_EOL: '\n',
  DIRECTORY_SEPARATOR: '/',
  PATH_SEPARATOR: ':',
};

class Reading {
  readonly #surroundings: PhpSurroundings;
  #constants: Map<string, ConfigurationValue>;
  #variables: Map<string, ConfigurationValue>;
  readonly #members = new Map<string, ConfigurationValue>();
  readonly #included = new Set<string>();
  /** The classes that the file imports, by the names that it uses. */
  #imported = new Map<string, string>();
  /** The functions that files declare. */
  readonly #functions = new Map<string, Tree>();
  /** Other functions with these names. */
  readonly #namesakes = new Map<string, Set<Tree>>();
  /** The methods of their classes, by their names alone. */
  readonly #methods = new Map<string, Set<Tree>>();
  /** Functions that may be called later: closures. */
  readonly #kept = new Set<Tree>();
  readonly #running = new Set<Tree>();
  /** Functions that are followed because they may be called. */
  readonly #followed = new Set<Tree>();
  /** How many methods are followed, one in the other. */
  #inMethods = 0;
  /** Other names of variables and their parts: `$x = &$y['z']`. */
  readonly #references = new Map<string, string[]>();
  /** The scope of the function that runs; undefined outside of functions. */
  #scope: { globals: Set<string>; branches: number } | undefined;
  #scopes = 0;
  /** How many branches are followed that may not run, one in the other. */
  #branches = 0;
  #calls = 0;
  #file = '';
  #files = 0;
  #bytes = 0;
  #steps = 0;
  #depth = 0;

  constructor(surroundings: PhpSurroundings) {
    this.#surroundings = surroundings;
    this.#constants = new Map(Object.entries(surroundings.constants ?? {}));
    this.#variables = new Map(Object.entries(surroundings.variables ?? {}));
    if (surroundings.isInFunction) this.#scope = { globals: new Set(), branches: 0 };
  }

  read(file: string): PhpConfiguration {
    const returned = this.#run(file);
    const values = [...this.#references].map(([name, path]) => [name, this.#at(path)] as const);
    for (const [name, value] of values) this.#variables.set(name, value);
    return {
      constants: this.#constants,
      variables: this.#variables,
      members: this.#members,
      ...(returned === undefined ? {} : { returned }),
    };
  }

  #run(file: string): ConfigurationValue | undefined {
    const [outer, imported] = [this.#file, this.#imported];
    this.#file = file;
    this.#imported = new Map();
    try {
      const nodes = this.#parsed(file);
      this.#declareAll(nodes);
      const end = this.#statements(nodes);
      return end?.value;
    } finally {
      this.#file = outer;
      this.#imported = imported;
    }
  }

  #parsed(file: string): readonly Tree[] {
    this.#included.add(file);
    let text: string;
    try {
      const read = readRegularFileSync(file, bounds.bytes - this.#bytes);
      if (typeof read === 'string') throw this.#refused(read);
      this.#bytes += read.length;
      text = read.toString();
    } catch (error) {
      if (error instanceof ConfigurationError) throw error;
      throw this.#refused(`cannot be read (${(error as NodeJS.ErrnoException).code})`);
    }
    return this.#tree(text, file);
  }

  #tree(text: string, file: string): readonly Tree[] {
    if (++this.#files > bounds.files) throw this.#refused(`more than ${bounds.files} files are included`);
    try {
      const parse = new Parser({ parser: { extractDoc: false }, ast: { withPositions: true } });
      return many(parse.parseCode(text, file), 'children');
    } catch (error) {
      // The message may quote what stands there.
      const { lineNumber } = error as { lineNumber?: number };
      if (lineNumber !== undefined)
        throw new ConfigurationError(`${file} line ${lineNumber}: this is not PHP`);
      throw this.#refused(error instanceof RangeError ? 'nested too deeply' : 'it is not PHP');
    }
  }

  #refused(why: string): ConfigurationError {
    return new ConfigurationError(`${this.#file}: ${why}`);
  }

  #unknown(node: Tree, why: string): Unknown {
    return { unknown: { file: this.#file, line: lineOf(node), why } };
  }

  #step(): void {
    if (++this.#steps > bounds.steps) throw this.#refused(`more than ${bounds.steps} steps`);
  }

  /** @returns the end of the file, if these statements end it */
  #statements(nodes: readonly Tree[]): Returned | undefined {
    const ends: { end: Returned; node: Tree; before: Known }[] = [];
    let end: Returned | undefined;
    for (const node of nodes) {
      end = this.#nested(() => this.#statement(node));
      if (end?.isSure) break;
      // The rest may not run.
      if (end !== undefined) ends.push({ end, node, before: this.#branch() });
    }
    for (const { node, before } of ends.toReversed()) {
      const after = this.#leave(before);
      this.#merge([after], this.#unknown(node, endsEarly));
    }
    return ends[0]?.end ?? end;
  }

  /** From here on values go into copies. @returns the maps until now */
  #branch(): Known {
    const before = { constants: this.#constants, variables: this.#variables };
    this.#constants = new Map(before.constants);
    this.#variables = new Map(before.variables);
    this.#branches++;
    return before;
  }

  /** @returns the copies */
  #leave(before: Known): Known {
    const after = { constants: this.#constants, variables: this.#variables };
    this.#constants = before.constants;
    this.#variables = before.variables;
    this.#branches--;
    return after;
  }

  /** A value that differs after branches that may have run is not known. */
  #merge(results: readonly Known[], unknown: Unknown): void {
    for (const kind of ['constants', 'variables'] as const) {
      const known = kind === 'constants' ? this.#constants : this.#variables;
      const before = new Map(known);
      for (const result of results) {
        this.#steps += result[kind].size;
        this.#step();
        for (const [name, value] of result[kind]) {
          // The guard `defined('X') || define('X', …)` in a branch of its own is the same as without one.
          if (before.get(name) === value && before.has(name)) continue;
          known.set(name, this.#either(known.get(name), value, unknown));
        }
      }
    }
  }

  #nested<T>(work: () => T): T {
    this.#step();
    if (++this.#depth > bounds.depth) throw this.#refused('nested too deeply');
    try {
      return work();
    } finally {
      this.#depth--;
    }
  }

  #statement(node: Tree): Returned | undefined {
    switch (node.kind) {
      case 'expressionstatement':
        this.#value(one(node, 'expression'));
        return undefined;
      case 'namespace':
      case 'block':
      case 'declare':
        return this.#statements(many(node, 'children'));
      case 'constantstatement':
        for (const constant of many(node, 'constants'))
          this.#define(word(one(constant, 'name'), 'name'), this.#value(one(constant, 'value')));
        return undefined;
      case 'usegroup':
        for (const item of many(node, 'items')) {
          const [name, alias] = [word(item, 'name'), word(one(item, 'alias'), 'name')];
          this.#imported.set(alias || bare(name), name);
        }
        return undefined;
      case 'echo':
        for (const each of many(node, 'expressions')) this.#value(each);
        return undefined;
      case 'return':
        return new Returned(this.#value(one(node, 'expr')));
      case 'if':
        return this.#if(node);
      case 'class':
      case 'trait':
        return void this.#class(node);
      case 'unset':
        for (const variable of many(node, 'variables')) this.#unset(node, variable);
        return undefined;
      case 'function':
        this.#declare(word(one(node, 'name'), 'name').toLowerCase(), node);
        return undefined;
      case 'global':
        for (const { name } of many(node, 'items')) {
          if (this.#scope !== undefined && this.#mayNotRun())
            this.#variables.set(String(name), this.#unknown(node, 'global'));
          else this.#scope?.globals.add(String(name));
        }
        return undefined;
      case 'static':
        for (const each of many(node, 'variables')) {
          const variable = each.kind === 'staticvariable' ? one(each, 'variable') : each;
          this.#assign(variable, this.#unknown(node, 'a static variable'));
        }
        return undefined;
      case 'try':
        return this.#maybe(node, 'try', [
          one(node, 'body'),
          ...many(node, 'catches').map((each) => one(each, 'body')),
        ]);
      case 'switch':
        return this.#switch(node);
      case 'for':
        return this.#loop(node, [...many(node, 'init'), ...many(node, 'test'), ...many(node, 'increment')]);
      case 'while':
      case 'do':
        return this.#loop(node, [one(node, 'test')]);
      case 'foreach': {
        const [source, key, value] = [one(node, 'source'), one(node, 'key'), one(node, 'value')];
        this.#value(source);
        const unknown = this.#unknown(node, 'foreach');
        for (const each of [key, value, ...(value.byref ? [source] : [])])
          if (each !== nothing) this.#assign(each, unknown);
        return this.#loop(node, []);
      }
      case 'case':
        return this.#statements(many(one(node, 'body'), 'children'));
      case 'halt':
        return new Returned();
      default:
        // Functions are not called; what is declared or jumped to sets nothing.
        return undefined;
    }
  }

  #loop(node: Tree, steps: readonly Tree[]): Returned | undefined {
    return this.#maybe(node, node.kind, [
      { kind: 'block', children: [...steps.map(asStatement), one(node, 'body')] },
    ]);
  }

  #if(node: Tree): Returned | undefined {
    const test = this.#value(one(node, 'test'));
    const [yes, no] = [one(node, 'body'), one(node, 'alternate')];
    if (isUnknown(test)) return this.#maybe(node, test.unknown.why, [yes, no]);
    return this.#statements([truthy(test) ? yes : no]);
  }

  #switch(node: Tree): Returned | undefined {
    const cases = many(one(node, 'body'), 'children');
    const subject = this.#value(one(node, 'test'));
    const values = cases.map((each) => (each.test == null ? undefined : this.#value(one(each, 'test'))));
    const isKnown = [subject, ...values].every((value) => value === undefined || typeof value === 'string');
    const areCompared = values.every(
      (value) => value === undefined || areComparable(String(subject), String(value)),
    );
    const bodies = cases.map((each) => many(one(each, 'body'), 'children'));
    // Texts alone are compared here, and a `break` counts where the steps of a case are known.
    const isPlain = bodies
      .flat()
      .every((each) => ['expressionstatement', 'break'].includes(each.kind) || isIf(each));
    if (!isKnown || !isPlain || !areCompared) return this.#maybe(node, 'switch', cases);
    const matching = values.indexOf(subject as string);
    const first = matching === -1 ? values.indexOf(undefined) : matching;
    if (first === -1) return undefined;
    const steps = bodies.slice(first).flat();
    const end = steps.findIndex(({ kind }) => kind === 'break');
    return this.#statements(end === -1 ? steps : steps.slice(0, end));
  }

  /** Statements of which some run, perhaps several times: what they change is not known afterwards. */
  #maybe(node: Tree, why: string, branches: readonly Tree[]): Returned | undefined {
    let isEnd = false;
    const results = branches
      .filter((branch) => branch !== nothing)
      .map((branch) => {
        const before = this.#branch();
        isEnd = this.#statements([branch]) !== undefined || isEnd;
        return this.#leave(before);
      });
    this.#merge(results, this.#unknown(node, why));
    return isEnd ? new Returned(this.#unknown(node, endsEarly), false) : undefined;
  }

  /** Either of two values: in arrays only the parts that differ are unknown. */
  #either(a: ConfigurationValue | undefined, b: ConfigurationValue, unknown: Unknown): ConfigurationValue {
    if (a === b) return b;
    if (a === undefined || !isArray(a) || !isArray(b)) return unknown;
    return this.#nested(() => {
      const parts = new Map<string, ConfigurationValue>();
      this.#steps += a.size + b.size;
      this.#step();
      for (const key of [...a.keys(), ...b.keys()])
        if (!parts.has(key)) parts.set(key, this.#either(part(a, key), part(b, key), unknown));
      return parts;
    });
  }

  /** Functions and methods can be called before they stand there. */
  #declareAll(nodes: readonly Tree[]): void {
    for (const node of nodes) {
      if (node.kind === 'function') this.#statement(node);
      else if (node.kind === 'class' || node.kind === 'trait') this.#declareMethods(node);
      else if (node.kind === 'namespace' || node.kind === 'declare')
        this.#nested(() => this.#declareAll(many(node, 'children')));
    }
  }

  #declare(name: string, node: Tree): void {
    const before = this.#functions.get(name);
    // It may be unknown which of them counts.
    if (before !== undefined && before !== node) noted(this.#namesakes, name, before);
    this.#functions.set(name, node);
  }

  #declareMethods(node: Tree): void {
    for (const statement of many(node, 'body')) {
      this.#step();
      if (statement.kind === 'method')
        noted(this.#methods, word(one(statement, 'name'), 'name').toLowerCase(), statement);
    }
  }

  #class(node: Tree): void {
    const own = word(one(node, 'name'), 'name');
    this.#declareMethods(node);
    for (const statement of many(node, 'body')) {
      for (const member of [...many(statement, 'constants'), ...many(statement, 'properties')]) {
        const name = `${own}::${word(one(member, 'name'), 'name')}`;
        const value = this.#value(one(member, 'value'));
        const isOneOfTwo = this.#mayNotRun() && this.#members.has(name);
        this.#members.set(name, isOneOfTwo ? this.#unknown(member, 'one of two classes') : value);
      }
    }
  }

  #define(name: string, value: ConfigurationValue): void {
    // The first definition counts: PHP warns of the second.
    if (!this.#constants.has(name)) this.#constants.set(name, value);
  }

  /** Defines a constant whose name is not known: any that is not defined yet may be it. */
  #defineAny(node: Tree, name?: ConfigurationValue): void {
    const isReason = name !== undefined && isUnknown(name) && !isUndefined(name);
    this.#constants.set(rest, isReason ? name : this.#unknown(node, 'the name of another constant'));
  }

  #value(node: Tree): ConfigurationValue {
    const value = this.#nested(() => this.#evaluated(node));
    return typeof value === 'string' && value.length > bounds.text
      ? this.#unknown(node, 'a very long text')
      : value;
  }

  #evaluated(node: Tree): ConfigurationValue {
    switch (node.kind) {
      case 'string':
      case 'nowdoc':
        return this.#text(node);
      case 'number':
        return numberOf(word(node, 'value'));
      case 'boolean':
        return node.value === true;
      case 'nullkeyword':
        return null;
      case 'encapsed':
        return this.#joined(node, many(node, 'value'));
      case 'encapsedpart':
        return this.#value(one(node, 'expression'));
      case 'magic':
        return this.#magic(node);
      case 'name':
        return this.#constant(node);
      case 'variable':
      case 'offsetlookup':
      case 'propertylookup':
        return this.#lookup(node);
      case 'staticlookup':
        return this.#member(node);
      case 'array':
        return this.#array(node);
      case 'bin':
        return this.#binary(node);
      case 'unary':
        return this.#unary(node);
      case 'retif':
        return this.#conditional(node);
      case 'cast':
        return this.#cast(node);
      case 'silent':
        return this.#value(one(node, 'expr'));
      case 'isset':
        return this.#isset(node);
      case 'empty': {
        const value = this.#value(one(node, 'expression'));
        return isUnknown(value) ? value : !truthy(value);
      }
      case 'assign':
        return this.#assignment(node);
      case 'assignref':
        return this.#refer(node);
      case 'include':
        return this.#include(node);
      case 'new':
        for (const each of many(node, 'arguments')) this.#handedOver(each, node);
        this.#method(node, '__construct');
        // Other objects have properties of their own.
        return new Map(
          bare(one(node, 'what').name).toLowerCase() === 'stdclass'
            ? []
            : [[rest, this.#unknown(node, 'an object')]],
        );
      case 'print':
        this.#value(one(node, 'expression'));
        return 1;
      case 'match': {
        this.#value(one(node, 'cond'));
        const why = 'match';
        this.#maybe(
          node,
          why,
          many(node, 'arms').map((arm) => asStatement(one(arm, 'body'))),
        );
        return this.#unknown(node, why);
      }
      case 'pre':
      case 'post':
        return this.#assign(one(node, 'what'), this.#unknown(node, 'a computation'));
      case 'call':
        return this.#call(node);
      case 'eval':
        return this.#eval(node);
      case 'closure':
      case 'arrowfunc': {
        this.#kept.add(node);
        const why = calledLater;
        this.#maybe(node, why, [asStatement({ kind: 'call', what: node })]);
        return this.#unknown(node, why);
      }
      default:
        return this.#unknown(node, `an expression (${node.kind})`);
    }
  }

  #text(node: Tree): ConfigurationValue {
    const [value, raw] = [word(node, 'value'), word(node, 'raw')];
    if (value.includes('\ufffd')) return this.#unknown(node, 'a text that is not UTF-8');
    // Escapes of single bytes: the parser takes each for a character.
    if (!raw.startsWith("'") && /\\(x[89a-fA-F][0-9a-fA-F]|[2-7][0-7][0-7])/.test(raw))
      return this.#unknown(node, 'a text with bytes that are not ASCII, written as escapes');
    return value;
  }

  #joined(node: Tree, parts: readonly Tree[]): ConfigurationValue {
    // A text for a shell.
    if (node.type === 'shell') return this.#unknown(node, 'the output of a program');
    let joined = '';
    for (const part of parts) {
      const value = this.#value(part);
      if (isUnknown(value)) return value;
      const text = textOf(value);
      if (text === undefined || joined.length + text.length > bounds.text)
        return this.#unknown(node, 'a text made of an array, or a very long one');
      joined += text;
    }
    return joined;
  }

  #magic(node: Tree): ConfigurationValue {
    if (node.value === '__DIR__') return dirname(this.#file);
    if (node.value === '__FILE__') return this.#file;
    if (node.value === ('__LINE__' as never)) return lineOf(node);
    return this.#unknown(node, word(node, 'value'));
  }

  #constant(node: Tree): ConfigurationValue {
    const name = bare(node.name);
    if (/^(true|false|null)$/i.test(name)) return JSON.parse(name.toLowerCase());
    return this.#constants.get(name) ?? knownConstants[name] ?? this.#absent(node, name);
  }

  #absent(node: Tree, name: string): ConfigurationValue {
    if (this.#constants.has(name)) return null;
    return this.#constants.get(rest) ?? this.#unknown(node, `the constant ${name}`);
  }

  #member(node: Tree): ConfigurationValue {
    const what = one(node, 'what').name;
    if (word(one(node, 'offset'), 'name').toLowerCase() === 'class' && typeof what === 'string') {
      const [first = '', ...rest] = what.split('\\');
      return [this.#imported.get(first) ?? first, ...rest].join('\\').replace(/^\\/, '');
    }
    const name = `${bare(what)}::${word(one(node, 'offset'), 'name')}`;
    return this.#members.get(name) ?? this.#unknown(node, name);
  }

  /** A variable, or a part of one: null where there is nothing. */
  #lookup(node: Tree): ConfigurationValue {
    const path = this.#path(node);
    if (!Array.isArray(path)) return path;
    const [variable = '', ...keys] = path;
    const fromPhp = this.#fromPhp(node, variable, keys[0]);
    return fromPhp === undefined ? this.#at(path, node) : fromPhp;
  }

  #at([variable = '', ...keys]: readonly string[], node = nothing): ConfigurationValue {
    let value: ConfigurationValue = this.#variables.get(variable) ?? this.#variables.get(rest) ?? null;
    for (const key of keys) {
      if (typeof value === 'string' && /^-?\d+$/.test(key)) return this.#unknown(node, ofText);
      value = part(value, key);
    }
    return value;
  }

  /** A variable that PHP itself fills; undefined if it is none. */
  #fromPhp(node: Tree, variable: string, key: string | undefined): ConfigurationValue | undefined {
    const { environment } = this.#surroundings;
    const isEnvironment = variable === '_ENV' || variable === '_SERVER';
    if (isEnvironment && key !== undefined && environment !== undefined && Object.hasOwn(environment, key))
      return environment[key];
    if (variable === '_ENV' && environment !== undefined) return null;
    if (isEnvironment && key !== undefined && environment === undefined && !ofRequest.test(key))
      return this.#unknown(node, `the environment variable ${key}`);
    if (isEnvironment || superglobals.has(variable)) return this.#unknown(node, `$${variable}`);
    return undefined;
  }

  /** The name of the variable and the keys in it. */
  #path(node: Tree): string[] | Unknown {
    if (node.kind === 'variable') {
      const named = typeof node.name === 'string' ? node.name : this.#value(one(node, 'name'));
      const name = typeof named === 'string' ? this.#local({ kind: 'variable', name: named }) : '';
      if (name === '') return this.#unknown(node, 'a variable variable');
      return [...(this.#references.get(name) ?? [name])];
    }
    const isProperty = node.kind === 'propertylookup';
    if (!isProperty && node.kind !== 'offsetlookup') return this.#unknown(node, 'an expression');
    const outer = this.#nested(() => this.#path(one(node, 'what')));
    if (!Array.isArray(outer)) return outer;
    const offset = one(node, 'offset');
    const key = isProperty && offset.kind === 'identifier' ? word(offset, 'name') : this.#value(offset);
    if (isUnknown(key)) return key;
    const text = textOf(key);
    if (text === undefined) return this.#unknown(node, 'an array as a key');
    // `$GLOBALS['x']` is `$x`.
    return outer.length === 1 && outer[0] === 'GLOBALS' ? [text] : [...outer, text];
  }

  /** The name of a variable, which is another one in each call of a function; empty for anything else. */
  #local({ kind, name }: Tree): string {
    if (kind !== 'variable' || typeof name !== 'string') return '';
    const isGlobal = name === 'GLOBALS' || name === '_ENV' || superglobals.has(name);
    return this.#scope === undefined || isGlobal || this.#scope.globals.has(name)
      ? name
      : `${name} of call ${this.#scopes}`;
  }

  /** Whether what runs now may not run in the call, or the file, in which it stands. */
  #mayNotRun(): boolean {
    return this.#branches > (this.#scope?.branches ?? 0);
  }

  /** `$x = &$y['z']` */
  #refer(node: Tree): ConfigurationValue {
    const [left, right] = [one(node, 'left'), one(node, 'right')];
    const name = this.#local(left);
    const path = this.#path(right);
    if (name === '' || !Array.isArray(path) || this.#mayNotRun() || this.#scope?.globals.has(name)) {
      const unknown = this.#unknown(node, 'a reference');
      // Either may change with the other from now on.
      if (isPlace(right)) this.#assign(right, unknown);
      return this.#assign(left, unknown);
    }
    this.#references.set(name, path);
    return this.#lookup(right);
  }

  #unset(node: Tree, variable: Tree): void {
    const name = this.#local(variable);
    const target = this.#references.get(name);
    const isSure = !this.#mayNotRun();
    // The function has its own variable of that name now.
    if (this.#scope?.globals.has(name)) {
      const unknown = this.#unknown(node, 'global');
      if (!isSure) this.#assign(variable, unknown);
      this.#scope.globals.delete(name);
      if (!isSure) this.#assign(variable, unknown);
      return;
    }
    if (target !== undefined) {
      if (!isSure) this.#assign(variable, this.#unknown(node, 'a reference'));
      this.#references.delete(name);
      this.#variables.set(name, isSure ? null : this.#unknown(node, 'a reference'));
      return;
    }
    const path = this.#path(variable);
    // The other names keep the value.
    if (Array.isArray(path))
      for (const other of this.#referring(path)) {
        this.#variables.set(other, this.#at(this.#references.get(other) ?? [], node));
        this.#references.delete(other);
      }
    this.#assign(variable, null);
  }

  /** The names that stand for this variable, or for a part of it. */
  #referring(path: readonly string[]): string[] {
    this.#steps += this.#references.size;
    return [...this.#references].flatMap(([name, target]) =>
      path.every((key, n) => target[n] === key) ? [name] : [],
    );
  }

  /**
   * Calls a function of the configuration. Where it ends by a `return` that may not be reached, its effects are not known.
   * @param given the arguments
   */
  #invoked(called: Tree, given: readonly Tree[], node: Tree): ConfigurationValue {
    const [outer, number] = [this.#scope, this.#scopes];
    const unknown = this.#unknown(called, 'an argument');
    const isPlain = given.every(({ kind }) => kind !== 'variadic' && kind !== 'namedargument');
    const values = given.map((each) => [each, this.#value(each)] as const);
    const parameters = many(called, 'arguments').map((parameter, n) => {
      const [argument = nothing, value] = values[n] ?? [];
      const path = parameter.byref && isPlace(argument) ? this.#path(argument) : undefined;
      // It is not known which argument this is.
      if (path !== undefined && (parameter.variadic || !isPlain || !Array.isArray(path)))
        this.#assign(argument, unknown);
      return { parameter, path, value: isPlain && !parameter.variadic ? value : unknown };
    });
    // The variables around it are those of an arrow function, too.
    if (called.kind === 'arrowfunc') return this.#arrow(called, node);
    const uses = many(called, 'uses').map((use) => [use, this.#path(use), this.#lookup(use)] as const);
    return this.#nested(() => {
      this.#scope = { globals: new Set(), branches: this.#branches };
      this.#scopes = ++this.#calls;
      const references: string[] = [];
      const refer = (variable: Tree, path: string[]) => {
        references.push(this.#local(variable));
        this.#references.set(this.#local(variable), path);
      };
      try {
        for (const { parameter, path, value } of parameters) {
          const variable = { kind: 'variable', name: one(parameter, 'name').name };
          if (Array.isArray(path)) refer(variable, path);
          else if (value !== undefined) this.#assign(variable, value);
          else this.#assign(variable, parameter.value ? this.#value(one(parameter, 'value')) : null);
        }
        for (const [use, path, value] of uses) {
          if (use.byref === true && Array.isArray(path)) refer(use, path);
          else this.#assign(use, value);
        }
        const body = one(called, 'body');
        if (!returnsWithin(body)) return this.#statement(body)?.value ?? null;
        const why = 'a function that returns early';
        this.#maybe(node, why, [body]);
        return this.#unknown(node, why);
      } finally {
        this.#scope = outer;
        this.#scopes = number;
        for (const name of references) this.#references.delete(name);
      }
    });
  }

  #arrow(called: Tree, node: Tree): ConfigurationValue {
    const [parameters, body] = [many(called, 'arguments'), one(called, 'body')];
    if (parameters.length === 0) return this.#value(body);
    const changed = parameters.map((parameter): Tree => {
      return { kind: 'post', what: { kind: 'variable', name: one(parameter, 'name').name } };
    });
    const why = 'a function with parameters';
    this.#maybe(node, why, [{ kind: 'block', children: [...changed, body].map(asStatement) }]);
    return this.#unknown(node, why);
  }

  /** Calls a function that may run, or not, with arguments that are not known. */
  #perhapsInvoked(called: Tree, node: Tree): void {
    // If it calls itself, the first call shows all that it may set.
    if (this.#followed.has(called)) return;
    this.#followed.add(called);
    this.#maybe(node, 'a function that may be called', [
      asStatement({ kind: 'call', what: called, arguments: [{ kind: 'variadic' }] }),
    ]);
    this.#followed.delete(called);
  }

  /** A method of a class of the configuration: of which class is not known. */
  #method(node: Tree, name: string): void {
    this.#inMethods++;
    for (const method of this.#methods.get(name) ?? []) this.#perhapsInvoked(method, node);
    this.#inMethods--;
  }

  #array(node: Tree): ConfigurationValue {
    const array = new Map<string, ConfigurationValue>();
    for (const item of many(node, 'items')) {
      if (item.unpack || item.byRef) {
        const unknown = this.#unknown(node, 'an array made of another');
        if (item.byRef && isPlace(one(item, 'value'))) this.#assign(one(item, 'value'), unknown);
        return unknown;
      }
      const value = this.#value(one(item, 'value'));
      const key = item.key ? this.#value(one(item, 'key')) : nextKey(array);
      if (isUnknown(key)) return key;
      const text = textOf(key);
      if (text === undefined) return this.#unknown(node, 'an array as a key');
      array.set(text, value);
    }
    return array;
  }

  #binary(node: Tree): ConfigurationValue {
    const left = this.#value(one(node, 'left'));
    const type = word(node, 'type');
    // The right side of these may not be carried out at all: `defined('X') or define('X', 1)`.
    if (type === '&&' || type === 'and' || type === '||' || type === 'or') {
      const isOr = type === '||' || type === 'or';
      if (isUnknown(left)) {
        this.#maybe(node, left.unknown.why, [asStatement(one(node, 'right'))]);
        return left;
      }
      if (truthy(left) === isOr) return isOr;
      const right = this.#value(one(node, 'right'));
      return isUnknown(right) ? right : truthy(right);
    }
    if (type === '??') {
      return left === null || (isUnknown(left) && isUndefined(left)) ? this.#value(one(node, 'right')) : left;
    }
    if (type === '.') return this.#joined(node, [one(node, 'left'), one(node, 'right')]);
    const right = this.#value(one(node, 'right'));
    if (isUnknown(left)) return left;
    if (isUnknown(right)) return right;
    const [a, b] = [textOf(left), textOf(right)];
    if (a === undefined || b === undefined) return this.#unknown(node, 'a comparison of arrays');
    const same = a === b;
    const isBoolean = [left, right].some((value) => typeof value === 'boolean');
    const isCompared = typeof left === typeof right && (typeof left !== 'string' || areComparable(a, b));
    switch (type) {
      case '===':
        return same && typeof left === typeof right;
      case '!==':
        return !(same && typeof left === typeof right);
      case '==':
        if (isCompared) return same;
        if (isBoolean) return truthy(left) === truthy(right);
        break;
      case '!=':
        if (isCompared) return !same;
        if (isBoolean) return truthy(left) !== truthy(right);
        break;
    }
    return this.#unknown(node, `a computation (${type})`);
  }

  #unary(node: Tree): ConfigurationValue {
    const value = this.#value(one(node, 'what'));
    if (isUnknown(value)) return value;
    if (node.type === '!') return !truthy(value);
    if (typeof value !== 'number') return this.#unknown(node, `a computation (${word(node, 'type')})`);
    return node.type === '-' ? -value : value;
  }

  #conditional(node: Tree): ConfigurationValue {
    const test = this.#value(one(node, 'test'));
    if (isUnknown(test)) return test;
    if (!truthy(test)) return this.#value(one(node, 'falseExpr'));
    return node.trueExpr === null ? test : this.#value(one(node, 'trueExpr'));
  }

  #cast(node: Tree): ConfigurationValue {
    const value = this.#value(one(node, 'expr'));
    if (isUnknown(value)) return value;
    const text = textOf(value);
    switch (node.type) {
      case 'object':
      case 'array':
        return isArray(value) ? value : this.#unknown(node, 'an array made of a value');
      case 'string':
        return text ?? this.#unknown(node, 'a text made of an array');
      case 'bool':
        return truthy(value);
      case 'int':
        return text === undefined
          ? this.#unknown(node, 'a number made of an array')
          : Number.parseInt(text, 10) || 0;
      default:
        return this.#unknown(node, 'a number');
    }
  }

  #isset(node: Tree): ConfigurationValue {
    for (const variable of many(node, 'variables')) {
      const value = this.#lookup(variable);
      if (isUnknown(value)) return value;
      if (value === null) return false;
    }
    return true;
  }

  #assignment(node: Tree): ConfigurationValue {
    const left = one(node, 'left');
    const operator = word(node, 'operator');
    const before = operator === '=' ? null : this.#lookup(left);
    if (operator === '??=' && before !== null) return before;
    const value =
      operator === '.='
        ? this.#joined(node, [left, one(node, 'right')])
        : operator === '=' || operator === '??='
          ? this.#value(one(node, 'right'))
          : this.#unknown(node, `a computation (${operator})`);
    return this.#assign(left, value);
  }

  #assign(left: Tree, value: ConfigurationValue): ConfigurationValue {
    if (left.kind === 'list' || left.kind === 'array') {
      for (const item of many(left, 'items'))
        this.#assign(one(item, 'value'), this.#unknown(left, 'a list of values'));
      return value;
    }
    // `$x[] = 1`
    const isPushed = left.kind === 'offsetlookup' && !left.offset;
    const path = this.#path(isPushed ? one(left, 'what') : left);
    if (!Array.isArray(path)) {
      // Any part of it may be the one.
      if (left.kind === 'variable') this.#spoil(path);
      else if (left.kind === 'staticlookup') this.#spoilMember(left, path);
      else if (isPlace(left)) this.#assign(one(left, 'what'), path);
      return value;
    }
    if (path.length === 1 && path[0] === 'GLOBALS' && isUnknown(value)) this.#spoil(value);
    for (const name of path.length === 0 || isPushed ? [] : this.#referring(path)) {
      const target = this.#references.get(name) ?? [];
      if (target.length === path.length) continue;
      // Whether the name still stands for the part depends on where the new value comes from.
      const unknown = this.#unknown(left, 'a reference');
      this.#references.delete(name);
      this.#variables.set(name, unknown);
      value = this.#put(left, value, target.slice(path.length), unknown, false);
    }
    const [variable = '', ...keys] = path;
    if (isPushed) keys.push('');
    this.#variables.set(variable, this.#put(left, this.#at([variable]), keys, value, isPushed));
    return value;
  }

  /** Any variable may be another one now. */
  #spoil(unknown: Unknown): void {
    this.#steps += this.#variables.size;
    for (const name of [...this.#variables.keys(), rest]) this.#variables.set(name, unknown);
  }

  /** A static property of a class, which others may have from it. */
  #spoilMember(left: Tree, unknown: Unknown): void {
    const { name } = one(left, 'offset');
    this.#steps += this.#members.size;
    for (const member of this.#members.keys())
      if (typeof name !== 'string' || member.endsWith(`::${name}`)) this.#members.set(member, unknown);
  }

  /** A copy with that value in it: what was before may still be needed. */
  #put(
    node: Tree,
    before: ConfigurationValue,
    [key, ...others]: readonly string[],
    value: ConfigurationValue,
    isPushed: boolean,
  ): ConfigurationValue {
    if (key === undefined) return value;
    if (typeof before === 'string' && before !== '') return this.#unknown(node, ofText);
    const array = new Map(isArray(before) ? before : isUnknown(before) ? [[rest, before]] : []);
    this.#steps += array.size;
    this.#step();
    const isLast = isPushed && others.length === 0;
    // It may have any key.
    if (isLast && array.has(rest)) return array;
    const at = isLast ? String(nextKey(array)) : key;
    array.set(at, this.#put(node, part(array, at), others, value, isPushed));
    return array;
  }

  /** An included file sets what it sets; its name is known, or it is none of the configuration. */
  #include(node: Tree): ConfigurationValue {
    const target = this.#value(one(node, 'target'));
    const why = 'a file that is not read';
    // Classes, as the loaders of libraries, include files of code.
    if (typeof target !== 'string' || this.#surroundings.application?.test(target) || this.#inMethods > 0)
      return this.#unknown(node, why);
    const file = this.#found(target);
    if (file === undefined) {
      if (!node.require) return false;
      throw new ConfigurationError(`${this.#file} line ${lineOf(node)}: the included ${target} is not there`);
    }
    if (node.once && this.#included.has(file)) return true;
    return this.#nested(() => this.#run(file)) ?? 1;
  }

  /** Code in a text, as the image of WordPress takes it from the environment. */
  #eval(node: Tree): ConfigurationValue {
    const code = this.#value(one(node, 'source'));
    if (typeof code === 'string') {
      const nodes = this.#tree(`<?php ${code}`, this.#file);
      this.#declareAll(nodes);
      return this.#statements(nodes)?.value ?? null;
    }
    const unknown = isUnknown(code) && !isUndefined(code) ? code : this.#unknown(node, 'code in a text');
    this.#spoil(unknown);
    this.#defineAny(node, unknown);
    return unknown;
  }

  /** A file, without symbolic links; undefined if there is none. */
  #found(path: string): string | undefined {
    const found = this.#there(path);
    return found !== undefined && statSync(found, { throwIfNoEntry: false })?.isFile() ? found : undefined;
  }

  /** A file or a folder, without symbolic links; undefined if there is none. */
  #there(path: string): string | undefined {
    if (path.includes('\0')) return undefined;
    try {
      return realpathSync(path.startsWith('/') ? path : `${dirname(this.#file)}/${path}`);
    } catch {
      return undefined;
    }
  }

  #call(node: Tree): ConfigurationValue {
    const name = calledName(one(node, 'what'));
    const nodes = many(node, 'arguments');
    if (name === 'define' || name === 'config::define') {
      const [constant, value] = nodes.map((each) => this.#value(each));
      if (typeof constant === 'string' && value !== undefined)
        this.#define(constant.replace(/^\\/, ''), value);
      else this.#defineAny(node, constant);
      return true;
    }
    const [first, second] = nodes;
    // TYPO3's own: it changes its first argument.
    if (name === 'arrayutility::mergerecursivewithoverrule' && first && second && nodes.length === 2)
      return this.#assign(first, this.#replaced(this.#value(first), this.#value(second), true));
    const given = this.#surroundings.calls;
    if (given !== undefined && Object.hasOwn(given, name)) return given[name] ?? null;
    const called = name === 'call_user_func' ? first : one(node, 'what');
    if (called !== undefined && /^(closure|arrowfunc|function|method)$/.test(called.kind)) {
      return this.#invoked(called, called === first ? nodes.slice(1) : nodes, node);
    }
    if (called !== undefined && called.kind !== 'name') this.#calledBy(called, node);
    // A file may declare functions of these names itself, as a framework has them: these are not PHP's.
    const isOther = this.#functions.has(name) && name !== 'getenv_docker';
    const known = Object.hasOwn(functions, name) && !isOther ? functions[name] : undefined;
    if (known === undefined) {
      const own = this.#functions.get(name);
      // Only what it sets counts: its value may depend on more than is understood here.
      if (own !== undefined && !this.#running.has(own)) {
        this.#running.add(own);
        this.#invoked(own, nodes, node);
        this.#running.delete(own);
      } else {
        if (own !== undefined) this.#perhapsInvoked(own, node);
        for (const each of nodes) this.#handedOver(each, node);
      }
      for (const other of this.#namesakes.get(name) ?? []) this.#perhapsInvoked(other, node);
      const unknown = this.#unknown(node, `the function ${name || 'without a name'}()`);
      if (name === 'extract') this.#spoil(unknown);
      if (!byValue.has(name)) for (const each of nodes) this.#mayChange(each, unknown);
      for (const each of nodes.slice(byReference[name] ?? nodes.length))
        if (isPlace(each)) this.#assign(each, unknown);
      return unknown;
    }
    const values: ConfigurationValue[] = [];
    for (const each of nodes) {
      const value = this.#value(each);
      if (isUnknown(value)) {
        // A default that is not known does not matter where it is not needed.
        if (values.length === 0) return value;
      }
      values.push(value);
    }
    return known.call(
      {
        constants: this.#constants,
        environment: this.#surroundings.environment,
        root: this.#surroundings.root,
        found: (path) => this.#found(path),
        there: (path) => this.#there(path),
        unknown: (why) => this.#unknown(node, why),
        replaced: (before, after, isRecursive) => this.#replaced(before, after, isRecursive),
      },
      values,
    );
  }

  /** Calls what is named by a value: a function by its text, a method, or a closure that was kept. */
  #calledBy(what: Tree, node: Tree): void {
    if (
      what.kind === 'propertylookup' ||
      what.kind === 'nullsafepropertylookup' ||
      what.kind === 'staticlookup'
    )
      for (const name of [word(one(what, 'offset'), 'name').toLowerCase(), '__call', '__callstatic'])
        this.#method(node, name);
    if (what.kind === 'staticlookup') return;
    if (what.kind === 'propertylookup') {
      const object = one(what, 'what');
      if (object.kind !== 'variable') this.#value(object);
      return;
    }
    const value = this.#handedOver(what, node);
    if (isUnknown(value)) this.#callKept(node);
  }

  #callKept(node: Tree): void {
    for (const each of this.#kept) this.#perhapsInvoked(each, node);
  }

  /** A value that another function is given, which may call the function that it names. */
  #handedOver(node: Tree, call: Tree): ConfigurationValue {
    const value = this.#value(
      node.kind === 'variadic'
        ? one(node, 'what')
        : node.kind === 'namedargument'
          ? one(node, 'value')
          : node,
    );
    const own = typeof value === 'string' ? this.#functions.get(bare(value).toLowerCase()) : undefined;
    if (own !== undefined) this.#perhapsInvoked(own, call);
    if (typeof value === 'string' && /^\\?define$/i.test(value)) this.#defineAny(call);
    // `'CLASS::METHOD'`, or an array of the two.
    const [, method] = /::(\w+)$/.exec(String(isArray(value) ? `::${value.get('1')}` : value)) ?? [];
    if (method !== undefined) this.#method(call, method.toLowerCase());
    if (isUnknown(value) && value.unknown.why === calledLater) this.#callKept(call);
    return value;
  }

  #replaced(before: ConfigurationValue, after: ConfigurationValue, isRecursive: boolean): ConfigurationValue {
    if (!isArray(after)) return after;
    const others = after.get(rest);
    if (others !== undefined) return others;
    const array = new Map(isArray(before) ? before : isUnknown(before) ? [[rest, before]] : []);
    this.#steps += array.size + after.size;
    this.#step();
    for (const [key, value] of after) {
      const inside = isRecursive && isArray(value);
      array.set(key, inside ? this.#nested(() => this.#replaced(part(array, key), value, true)) : value);
    }
    return array;
  }

  /** A function may change an array, or fill a variable, that it takes by reference. */
  #mayChange(argument: Tree, unknown: Unknown): void {
    if (!isPlace(argument)) return;
    const isMember = argument.kind === 'staticlookup';
    const path = isMember ? [] : this.#path(argument);
    if (!Array.isArray(path) || superglobals.has(path[0] ?? '')) return;
    const before = isMember ? this.#member(argument) : this.#lookup(argument);
    if (before === null || isArray(before)) this.#assign(argument, unknown);
  }
}

/** Functions of PHP that take nothing by reference, as far as configurations call them with arrays or unset variables. */
const byValue = new Set(
  'in_array array_key_exists array_keys array_values array_filter array_map array_search array_unique array_flip array_combine array_column array_slice array_merge_recursive count sizeof implode join explode is_array is_string is_null is_numeric is_object is_bool is_int strlen strpos stripos str_contains str_starts_with str_ends_with substr strtoupper str_replace sprintf printf print_r var_dump var_export json_encode json_decode serialize md5 sha1 hash parse_url ltrim rtrim ini_set putenv error_log error_reporting header http_build_query max min intval strval boolval filter_var function_exists class_exists method_exists extension_loaded call_user_func file_get_contents basename pathinfo version_compare date time'.split(
    ' ',
  ),
);

/** Functions of PHP that change what they are given from this argument on, whatever it is. */
const byReference: Readonly<Record<string, number>> = {
  settype: 0,
  exec: 1,
  sscanf: 2,
  preg_match: 2,
  preg_match_all: 2,
  str_replace: 3,
};

interface Called {
  /** `array_replace()` of two arrays, or `array_replace_recursive()`. */
  replaced(before: ConfigurationValue, after: ConfigurationValue, isRecursive: boolean): ConfigurationValue;
  constants: ReadonlyMap<string, ConfigurationValue>;
  environment: Readonly<Record<string, string>> | undefined;
  root: string | undefined;
  found(path: string): string | undefined;
  /** A file or a folder. */
  there(path: string): string | undefined;
  unknown(why: string): Unknown;
}

type Function_ = (this: Called, values: readonly ConfigurationValue[]) => ConfigurationValue;

const exists: Function_ = function ([path]) {
  return typeof path === 'string' ? this.there(path) !== undefined : this.unknown('a path');
};

/** `env()` of Laravel and others. The words for true, false and null are these values. */
const environment: Function_ = function ([name, fallback = null]) {
  if (typeof name !== 'string') return this.unknown('the name of an environment variable');
  if (this.environment === undefined) return this.unknown(`the environment variable ${name}`);
  const value = Object.hasOwn(this.environment, name) ? this.environment[name] : undefined;
  if (value === undefined) return fallback;
  const word = /^\(?(true|false|null|empty)\)?$/i.exec(value)?.[1]?.toLowerCase();
  if (word === undefined) return value;
  return word === 'empty' ? '' : JSON.parse(word);
};

/** A function of Laravel that puts a path behind a folder of the application. */
const pathIn = (folder: string): Function_ =>
  function ([path = '']) {
    if (this.root === undefined || typeof path !== 'string') return this.unknown('a folder of Laravel');
    return join(this.root, folder, path);
  };

/** A function of Laravel for texts in ASCII alone: Laravel has tables for other texts. */
const ofAscii = (name: string, change: (text: string, separator: string) => string): Function_ =>
  function ([text, separator]) {
    const by = separator ?? (name === 'slug' ? '-' : '_');
    return typeof text === 'string' && /^[\0-\x7f]*$/.test(text) && (by === '-' || by === '_')
      ? change(text, by)
      : this.unknown(`Str::${name}() of this text`);
  };

/** Arrays of which the later ones replace parts of the earlier ones. */
const replacing = (name: string, isRecursive: boolean): Function_ =>
  function ([first = null, ...others]) {
    // These merge lists otherwise: `array_merge()` counts their keys again.
    const isPlain = (value: ConfigurationValue) =>
      isArray(value) && (name !== 'array_merge' || ![...value.keys()].some((key) => /^-?\d+$/.test(key)));
    if (![first, ...others].every(isPlain)) return this.unknown(`the function ${name}()`);
    return others.reduce((before, after) => this.replaced(before, after, isRecursive), first);
  };

/** The functions that configurations call, by their names in lower case. */
const functions: Readonly<Record<string, Function_>> = {
  defined([name]) {
    if (typeof name !== 'string') return this.unknown('the name of a constant');
    if (this.constants.has(name)) return true;
    if (/^(PHP|E)_/.test(name)) return this.unknown('a constant of PHP');
    return this.constants.get(rest) ?? false;
  },
  constant([name]) {
    const value = typeof name === 'string' ? this.constants.get(name) : undefined;
    return value ?? this.unknown('a constant');
  },
  getenv([name]) {
    if (typeof name !== 'string') return this.unknown('the environment');
    if (this.environment === undefined) return this.unknown(`the environment variable ${name}`);
    return Object.hasOwn(this.environment, name) ? (this.environment[name] as string) : false;
  },
  env: environment,
  // The configuration in WordPress's official image: docker-library/wordpress, wp-config-docker.php.
  getenv_docker([name, fallback = null]) {
    if (typeof name !== 'string' || this.environment === undefined)
      return this.unknown(`the environment variable ${typeof name === 'string' ? name : ''}`);
    const file = Object.hasOwn(this.environment, `${name}_FILE`)
      ? this.environment[`${name}_FILE`]
      : undefined;
    if (file !== undefined) return this.unknown(`the file that ${name}_FILE names`);
    return Object.hasOwn(this.environment, name) ? (this.environment[name] as string) : fallback;
  },
  // TYPO3's own: SystemEnvironmentBuilder.php.
  'environment::getcontext'() {
    if (this.environment === undefined) return this.unknown('the environment variable TYPO3_CONTEXT');
    const { TYPO3_CONTEXT: context, REDIRECT_TYPO3_CONTEXT: redirected } = this.environment;
    return context || redirected || 'Production';
  },
  strtolower([text]) {
    return typeof text === 'string'
      ? text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase())
      : this.unknown('the function strtolower()');
  },
  dirname([path, levels = 1]) {
    if (typeof path !== 'string' || typeof levels !== 'number' || levels < 1 || levels > 100)
      return this.unknown('a folder');
    let folder = path;
    for (let n = 0; n < levels; n++) folder = dirname(folder);
    return folder;
  },
  realpath([path]) {
    return typeof path === 'string' ? (this.there(path) ?? path) : this.unknown('a path');
  },
  base_path: pathIn('.'),
  storage_path: pathIn('storage'),
  database_path: pathIn('database'),
  'str::slug': ofAscii('slug', (text, separator) =>
    text
      .replaceAll(separator === '-' ? '_' : '-', separator)
      .replaceAll('@', `${separator}at${separator}`)
      .toLowerCase()
      .replace(/[^a-z0-9\s_-]/g, '')
      .replace(/[\s_-]+/g, separator)
      .replace(/^[_-]|[_-]$/g, ''),
  ),
  'str::snake': ofAscii('snake', (text, separator) =>
    /^[a-z]+$/.test(text)
      ? text
      : text
          .replace(/(^|\s)[a-z]/g, (letter) => letter.toUpperCase())
          .replace(/\s+/g, '')
          .replace(/(.)(?=[A-Z])/g, `$1${separator}`)
          .toLowerCase(),
  ),
  array_merge: replacing('array_merge', false),
  array_replace: replacing('array_replace', false),
  array_replace_recursive: replacing('array_replace_recursive', true),
  file_exists: exists,
  is_file([path]) {
    return typeof path === 'string' ? this.found(path) !== undefined : this.unknown('a path');
  },
  is_dir([path]) {
    if (typeof path !== 'string') return this.unknown('a path');
    const there = this.there(path);
    return there !== undefined && statSync(there, { throwIfNoEntry: false })?.isDirectory() === true;
  },
  is_readable: exists,
  trim([text, characters]) {
    return typeof text === 'string' && characters === undefined
      ? text.replace(/^[ \t\n\r\0\v]+|[ \t\n\r\0\v]+$/g, '')
      : this.unknown('the function trim()');
  },
};

/** The name of a function in lower case, without its namespace; `CLASS::METHOD` of a static one. */
function calledName(what: Tree): string {
  if (what.kind === 'name') return bare(what.name).toLowerCase();
  if (what.kind !== 'staticlookup') return '';
  return `${bare(one(what, 'what').name)}::${word(one(what, 'offset'), 'name')}`.toLowerCase();
}

/** An `if` that only computes: no jump is in it. */
function isIf(node: Tree): boolean {
  const plain = (each: Tree): boolean =>
    each === nothing ||
    each.kind === 'expressionstatement' ||
    (each.kind === 'block' ? many(each, 'children').every(plain) : isIf(each));
  return node.kind === 'if' && plain(one(node, 'body')) && plain(one(node, 'alternate'));
}

/** Whether a function may end before its last statement. */
function returnsWithin(body: Tree): boolean {
  const returns = (each: Tree): boolean =>
    each.kind === 'return' ||
    [...many(each, 'children'), ...many(each, 'catches'), one(each, 'body'), one(each, 'alternate')]
      .filter((part) => part !== nothing)
      .some(returns);
  return many(body, 'children').some((each) => each.kind !== 'return' && returns(each));
}

const bare = (name: unknown): string => (typeof name === 'string' ? name.replace(/^.*\\/s, '') : '');

function noted(by: Map<string, Set<Tree>>, name: string, node: Tree): void {
  const found = by.get(name) ?? new Set();
  by.set(name, found.add(node));
}

const ofText = 'a character of a text';

const endsEarly = 'a return that may not be reached';

/** The value of a closure. */
const calledLater = 'a function that may be called later';

/** PHP compares two such texts by their numbers. */
const isNumeric = (text: string): boolean => /^\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?\s*$/i.test(text);

/** No other text of this form is the same number. */
const isPlainNumber = (text: string): boolean => /^(?:0|-?[1-9]\d{0,14})$/.test(text);

/** Whether `==` is true of these texts exactly if they are the same. */
const areComparable = (a: string, b: string): boolean =>
  a === b || ![a, b].every(isNumeric) || [a, b].every(isPlainNumber);

/** Whether that can be assigned to. */
const isPlace = (node: Tree): boolean =>
  node.kind === 'staticlookup'
    ? one(node, 'offset').kind === 'variable'
    : /^(variable|offsetlookup|propertylookup)$/.test(node.kind);

const asStatement = (expression: Tree): Tree => ({ kind: 'expressionstatement', expression });

const lineOf = (node: Tree): number => node.loc?.start.line ?? 0;

const isUndefined = ({ unknown }: Unknown): boolean => unknown.why.startsWith('the constant ');

function numberOf(text: string): number {
  const digits = text.replaceAll('_', '');
  return /^0[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : Number(digits);
}

function nextKey(array: ConfigurationArray): string {
  let next = 0;
  for (const key of array.keys()) if (/^\d{1,15}$/.test(key)) next = Math.max(next, Number(key) + 1);
  return String(next);
}

/** As PHP writes it in a text; undefined for an array. */
function textOf(value: ConfigurationValue): string | undefined {
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return String(value);
  if (value === null || value === false) return '';
  return value === true ? '1' : undefined;
}

function truthy(value: ConfigurationValue): boolean {
  if (isArray(value)) return value.size > 0;
  return Boolean(value) && value !== '0';
}

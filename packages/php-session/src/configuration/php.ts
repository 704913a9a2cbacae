import { realpathSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { firstChangedParameter, functionsByValue, phpFunctions } from './php-functions.ts';
import { Limits, PhpState, type Values } from './php-state.ts';
import {
  dropNamespace,
  getFunctionName,
  getLine,
  getName,
  getNode,
  getNodes,
  getText,
  hasEarlyReturn,
  isAssignable,
  isPlainIf,
  nothing,
  parsePhp,
  type Tree,
  toStatement,
} from './php-tree.ts';
import { readRegularFileSync } from './regular-file.ts';
import {
  areComparable,
  bounds,
  ConfigurationError,
  type ConfigurationValue,
  isArray,
  isTruthy,
  isUnknown,
  nextKey,
  type PhpConfiguration,
  type PhpSurroundings,
  rest,
  toText,
  type Unknown,
} from './value.ts';

/**
 * Evaluates a configuration file of a PHP application without running it. It supports constants, assignments, `return`,
 * class members, declared functions and included files. A value that depends on anything else is `Unknown`. The only
 * effect is reading files.
 * @throws ConfigurationError
 */
export function readPhp(file: string, surroundings: PhpSurroundings = {}): PhpConfiguration {
  return new Interpreter(surroundings).read(file);
}

/** The end of a file or function by `return`. */
interface Return {
  value?: ConfigurationValue;
  /** False if the `return` may not be reached. */
  isCertain: boolean;
}

const superglobals = new Set(['_SERVER', '_GET', '_POST', '_COOKIE', '_REQUEST', '_FILES', '_SESSION']);

/** Variables of the request and the web server in `$_SERVER`, which are not environment variables. */
const requestVariable =
  /^(?:(?:HTTP|SERVER|REQUEST|REMOTE|SCRIPT|PATH|CONTENT|DOCUMENT|REDIRECT|QUERY|SSL|PHP_AUTH)_|(?:HTTPS|AUTH_TYPE|PHP_SELF)$)/;

const phpConstants: Readonly<Record<string, ConfigurationValue>> = {
  PHP_EOL: '\n',
  DIRECTORY_SEPARATOR: '/',
  PATH_SEPARATOR: ':',
};

/** Reasons for unknown values that are used several times. */
const reasons = {
  character: 'a character of a text',
  closure: 'a function that may be called later',
  return: 'a return that may not be reached',
  reference: 'a reference',
};

class Interpreter {
  readonly #surroundings: PhpSurroundings;
  readonly #limits = new Limits();
  readonly #state: PhpState;
  readonly #includedFiles = new Set<string>();
  /** Imported classes of the current file, by their alias. */
  #imports = new Map<string, string>();
  readonly #functions = new Map<string, Tree>();
  /** Functions that were replaced by a function of the same name. */
  readonly #otherFunctions = new Map<string, Set<Tree>>();
  /** The methods of all classes, by name. */
  readonly #methods = new Map<string, Set<Tree>>();
  /** Anonymous functions, which may be called later. */
  readonly #closures = new Set<Tree>();
  readonly #callStack = new Set<Tree>();
  /** Functions that are evaluated because they may be called. */
  readonly #possibleCalls = new Set<Tree>();
  #methodDepth = 0;
  /** The current function. Undefined outside of functions. */
  #scope: { globals: Set<string>; branchDepth: number } | undefined;
  #scopeNumber = 0;
  #callCount = 0;

  constructor(surroundings: PhpSurroundings) {
    this.#surroundings = surroundings;
    const { constants = {}, variables = {} } = surroundings;
    this.#state = new PhpState(
      this.#limits,
      new Map(Object.entries(constants)),
      new Map(Object.entries(variables)),
    );
    if (surroundings.isInFunction) this.#scope = { globals: new Set(), branchDepth: 0 };
  }

  read(file: string): PhpConfiguration {
    const returned = this.#runFile(file);
    const { constants, variables, members, references } = this.#state;
    const values = [...references].map(([name, path]) => [name, this.#read(path)] as const);
    for (const [name, value] of values) variables.set(name, value);
    return { constants, variables, members, returned };
  }

  #runFile(file: string): ConfigurationValue | undefined {
    const [outerFile, outerImports] = [this.#limits.file, this.#imports];
    this.#limits.file = file;
    this.#imports = new Map();
    try {
      return this.#runCode(this.#parseFile(file))?.value;
    } finally {
      this.#limits.file = outerFile;
      this.#imports = outerImports;
    }
  }

  #runCode(nodes: readonly Tree[]): Return | undefined {
    this.#declareAll(nodes);
    return this.#runAll(nodes);
  }

  #parseFile(file: string): readonly Tree[] {
    this.#includedFiles.add(file);
    let code: string;
    try {
      const bytes = readRegularFileSync(file, this.#limits.remainingBytes);
      if (typeof bytes === 'string') throw this.#limits.toError(bytes);
      this.#limits.addBytes(bytes.length);
      code = bytes.toString();
    } catch (error) {
      if (error instanceof ConfigurationError) throw error;
      throw this.#limits.toError(`cannot be read (${(error as NodeJS.ErrnoException).code})`);
    }
    return this.#parse(code);
  }

  #parse(code: string): readonly Tree[] {
    this.#limits.addFile();
    const { file } = this.#limits;
    try {
      return getNodes(parsePhp(code, file), 'children');
    } catch (error) {
      // The message may contain code.
      const { lineNumber } = error as { lineNumber?: number };
      if (lineNumber !== undefined)
        throw new ConfigurationError(`${file} line ${lineNumber}: this is not PHP`);
      throw this.#limits.toError(
        error instanceof RangeError ? 'the code is nested too deeply' : 'it is not PHP',
      );
    }
  }

  #toUnknown(node: Tree, why: string): Unknown {
    return { unknown: { file: this.#limits.file, line: getLine(node), why } };
  }

  /** Runs statements in order. @returns the end of the file or function, if these statements contain it */
  #runAll(nodes: readonly Tree[]): Return | undefined {
    const possibleEnds: { end: Return; node: Tree; before: Values }[] = [];
    let end: Return | undefined;
    for (const node of nodes) {
      end = this.#limits.nest(() => this.#run(node));
      if (end?.isCertain) break;
      // The other statements may not run.
      if (end !== undefined) possibleEnds.push({ end, node, before: this.#state.startBranch() });
    }
    for (const { node, before } of possibleEnds.toReversed()) {
      const after = this.#state.endBranch(before);
      this.#state.merge([after], this.#toUnknown(node, reasons.return));
    }
    return possibleEnds[0]?.end ?? end;
  }

  #run(node: Tree): Return | undefined {
    switch (node.kind) {
      case 'expressionstatement':
        this.#evaluate(getNode(node, 'expression'));
        return undefined;
      case 'namespace':
      case 'block':
      case 'declare':
        return this.#runAll(getNodes(node, 'children'));
      case 'constantstatement':
        for (const constant of getNodes(node, 'constants'))
          this.#state.define(getName(constant), this.#evaluate(getNode(constant, 'value')));
        return undefined;
      case 'usegroup':
        for (const item of getNodes(node, 'items')) {
          const [name, alias] = [getText(item, 'name'), getText(getNode(item, 'alias'), 'name')];
          this.#imports.set(alias || dropNamespace(name), name);
        }
        return undefined;
      case 'echo':
        for (const expression of getNodes(node, 'expressions')) this.#evaluate(expression);
        return undefined;
      case 'return':
        return { value: this.#evaluate(getNode(node, 'expr')), isCertain: true };
      case 'if':
        return this.#runIf(node);
      case 'class':
      case 'trait':
        return void this.#declareClass(node);
      case 'unset':
        for (const variable of getNodes(node, 'variables')) this.#unset(node, variable);
        return undefined;
      case 'function':
        this.#declareFunction(getName(node).toLowerCase(), node);
        return undefined;
      case 'global':
        for (const { name } of getNodes(node, 'items')) {
          if (this.#scope !== undefined && this.#mayNotRun())
            this.#state.variables.set(String(name), this.#toUnknown(node, 'global'));
          else this.#scope?.globals.add(String(name));
        }
        return undefined;
      case 'static':
        for (const item of getNodes(node, 'variables')) {
          const variable = item.kind === 'staticvariable' ? getNode(item, 'variable') : item;
          this.#assign(variable, this.#toUnknown(node, 'a static variable'));
        }
        return undefined;
      case 'try':
        return this.#runBranches(node, 'try', [
          getNode(node, 'body'),
          ...getNodes(node, 'catches').map((part) => getNode(part, 'body')),
        ]);
      case 'switch':
        return this.#runSwitch(node);
      case 'for':
        return this.#runLoop(node, [
          ...getNodes(node, 'init'),
          ...getNodes(node, 'test'),
          ...getNodes(node, 'increment'),
        ]);
      case 'while':
      case 'do':
        return this.#runLoop(node, [getNode(node, 'test')]);
      case 'foreach': {
        const [source, key, value] = [getNode(node, 'source'), getNode(node, 'key'), getNode(node, 'value')];
        this.#evaluate(source);
        const unknown = this.#toUnknown(node, 'foreach');
        for (const variable of [key, value, ...(value.byref ? [source] : [])])
          if (variable !== nothing) this.#assign(variable, unknown);
        return this.#runLoop(node, []);
      }
      case 'case':
        return this.#runAll(getNodes(getNode(node, 'body'), 'children'));
      case 'halt':
        return { isCertain: true };
      default:
        // Other declarations and jumps do not set values.
        return undefined;
    }
  }

  #runLoop(node: Tree, expressions: readonly Tree[]): Return | undefined {
    return this.#runBranches(node, node.kind, [
      { kind: 'block', children: [...expressions.map(toStatement), getNode(node, 'body')] },
    ]);
  }

  #runIf(node: Tree): Return | undefined {
    const test = this.#evaluate(getNode(node, 'test'));
    const [body, alternate] = [getNode(node, 'body'), getNode(node, 'alternate')];
    if (isUnknown(test)) return this.#runBranches(node, test.unknown.why, [body, alternate]);
    return this.#runAll([isTruthy(test) ? body : alternate]);
  }

  #runSwitch(node: Tree): Return | undefined {
    const cases = getNodes(getNode(node, 'body'), 'children');
    const subject = this.#evaluate(getNode(node, 'test'));
    const labels = cases.map((item) =>
      item.test == null ? undefined : this.#evaluate(getNode(item, 'test')),
    );
    const isKnown = [subject, ...labels].every((value) => value === undefined || typeof value === 'string');
    const isComparable = labels.every(
      (label) => label === undefined || areComparable(String(subject), String(label)),
    );
    const bodies = cases.map((item) => getNodes(getNode(item, 'body'), 'children'));
    // `break` is supported only between plain statements.
    const isPlain = bodies
      .flat()
      .every(
        (statement) => ['expressionstatement', 'break'].includes(statement.kind) || isPlainIf(statement),
      );
    if (!isKnown || !isPlain || !isComparable) return this.#runBranches(node, 'switch', cases);
    const match = labels.indexOf(subject as string);
    const first = match === -1 ? labels.indexOf(undefined) : match;
    if (first === -1) return undefined;
    const statements = bodies.slice(first).flat();
    const end = statements.findIndex(({ kind }) => kind === 'break');
    return this.#runAll(end === -1 ? statements : statements.slice(0, end));
  }

  /** Runs branches that PHP may run any number of times. Values that they change become unknown. */
  #runBranches(node: Tree, why: string, branches: readonly Tree[]): Return | undefined {
    let mayReturn = false;
    const results = branches
      .filter((branch) => branch !== nothing)
      .map((branch) => {
        const before = this.#state.startBranch();
        mayReturn = this.#runAll([branch]) !== undefined || mayReturn;
        return this.#state.endBranch(before);
      });
    this.#state.merge(results, this.#toUnknown(node, why));
    return mayReturn ? { value: this.#toUnknown(node, reasons.return), isCertain: false } : undefined;
  }

  /** Declares functions and methods, which code may call before their declaration. */
  #declareAll(nodes: readonly Tree[]): void {
    for (const node of nodes) {
      if (node.kind === 'function') this.#run(node);
      else if (node.kind === 'class' || node.kind === 'trait') this.#declareMethods(node);
      else if (node.kind === 'namespace' || node.kind === 'declare')
        this.#limits.nest(() => this.#declareAll(getNodes(node, 'children')));
    }
  }

  #declareFunction(name: string, node: Tree): void {
    const before = this.#functions.get(name);
    // Any of the declarations may be the one that PHP runs.
    if (before !== undefined && before !== node) addTo(this.#otherFunctions, name, before);
    this.#functions.set(name, node);
  }

  #declareMethods(node: Tree): void {
    for (const statement of getNodes(node, 'body')) {
      this.#limits.addSteps();
      if (statement.kind === 'method') addTo(this.#methods, getName(statement).toLowerCase(), statement);
    }
  }

  #declareClass(node: Tree): void {
    const className = getName(node);
    const { members } = this.#state;
    this.#declareMethods(node);
    for (const statement of getNodes(node, 'body')) {
      for (const member of [...getNodes(statement, 'constants'), ...getNodes(statement, 'properties')]) {
        const name = `${className}::${getName(member)}`;
        const value = this.#evaluate(getNode(member, 'value'));
        const isAmbiguous = this.#mayNotRun() && members.has(name);
        members.set(name, isAmbiguous ? this.#toUnknown(member, 'one of two classes') : value);
      }
    }
  }

  /** Defines a constant with an unknown name, which may be any undefined constant. */
  #defineAny(node: Tree, name?: ConfigurationValue): void {
    const hasReason = name !== undefined && isUnknown(name) && !isUndefinedConstant(name);
    this.#state.constants.set(rest, hasReason ? name : this.#toUnknown(node, 'the name of another constant'));
  }

  #evaluate(node: Tree): ConfigurationValue {
    const value = this.#limits.nest(() => this.#evaluateKind(node));
    return typeof value === 'string' && value.length > bounds.text
      ? this.#toUnknown(node, 'a very long text')
      : value;
  }

  #evaluateKind(node: Tree): ConfigurationValue {
    switch (node.kind) {
      case 'string':
      case 'nowdoc':
        return this.#evaluateText(node);
      case 'number':
        return parseNumber(getText(node, 'value'));
      case 'boolean':
        return node.value === true;
      case 'nullkeyword':
        return null;
      case 'encapsed':
        return this.#join(node, getNodes(node, 'value'));
      case 'encapsedpart':
        return this.#evaluate(getNode(node, 'expression'));
      case 'magic':
        return this.#evaluateMagic(node);
      case 'name':
        return this.#evaluateConstant(node);
      case 'variable':
      case 'offsetlookup':
      case 'propertylookup':
        return this.#evaluateVariable(node);
      case 'staticlookup':
        return this.#evaluateMember(node);
      case 'array':
        return this.#evaluateArray(node);
      case 'bin':
        return this.#evaluateBinary(node);
      case 'unary':
        return this.#evaluateUnary(node);
      case 'retif':
        return this.#evaluateConditional(node);
      case 'cast':
        return this.#evaluateCast(node);
      case 'silent':
        return this.#evaluate(getNode(node, 'expr'));
      case 'isset':
        return this.#evaluateIsset(node);
      case 'empty': {
        const value = this.#evaluate(getNode(node, 'expression'));
        return isUnknown(value) ? value : !isTruthy(value);
      }
      case 'assign':
        return this.#evaluateAssignment(node);
      case 'assignref':
        return this.#evaluateReference(node);
      case 'include':
        return this.#evaluateInclude(node);
      case 'new': {
        for (const argument of getNodes(node, 'arguments')) this.#passArgument(argument, node);
        this.#callMethods(node, '__construct');
        const isStdClass = dropNamespace(getNode(node, 'what').name).toLowerCase() === 'stdclass';
        return new Map(isStdClass ? [] : [[rest, this.#toUnknown(node, 'an object')]]);
      }
      case 'print':
        this.#evaluate(getNode(node, 'expression'));
        return 1;
      case 'match': {
        this.#evaluate(getNode(node, 'cond'));
        const arms = getNodes(node, 'arms').map((arm) => toStatement(getNode(arm, 'body')));
        this.#runBranches(node, 'match', arms);
        return this.#toUnknown(node, 'match');
      }
      case 'pre':
      case 'post':
        return this.#assign(getNode(node, 'what'), this.#toUnknown(node, 'a computation'));
      case 'call':
        return this.#evaluateCall(node);
      case 'eval':
        return this.#evaluateEval(node);
      case 'closure':
      case 'arrowfunc': {
        this.#closures.add(node);
        this.#runBranches(node, reasons.closure, [toStatement({ kind: 'call', what: node })]);
        return this.#toUnknown(node, reasons.closure);
      }
      default:
        return this.#toUnknown(node, `an expression (${node.kind})`);
    }
  }

  #evaluateText(node: Tree): ConfigurationValue {
    const [value, raw] = [getText(node, 'value'), getText(node, 'raw')];
    if (value.includes('\ufffd')) return this.#toUnknown(node, 'a text that is not UTF-8');
    // The parser converts each escaped byte to a character.
    if (!raw.startsWith("'") && /\\(x[89a-fA-F][0-9a-fA-F]|[2-7][0-7][0-7])/.test(raw))
      return this.#toUnknown(node, 'a text with bytes that are not ASCII, written as escapes');
    return value;
  }

  #join(node: Tree, parts: readonly Tree[]): ConfigurationValue {
    if (node.type === 'shell') return this.#toUnknown(node, 'the output of a program');
    let joined = '';
    for (const part of parts) {
      const value = this.#evaluate(part);
      if (isUnknown(value)) return value;
      const text = toText(value);
      if (text === undefined || joined.length + text.length > bounds.text)
        return this.#toUnknown(node, 'a text made of an array, or a very long one');
      joined += text;
    }
    return joined;
  }

  #evaluateMagic(node: Tree): ConfigurationValue {
    switch (node.value) {
      case '__DIR__':
        return dirname(this.#limits.file);
      case '__FILE__':
        return this.#limits.file;
      case '__LINE__':
        return getLine(node);
      default:
        return this.#toUnknown(node, getText(node, 'value'));
    }
  }

  #evaluateConstant(node: Tree): ConfigurationValue {
    const name = dropNamespace(node.name);
    if (/^(true|false|null)$/i.test(name)) return JSON.parse(name.toLowerCase());
    const { constants } = this.#state;
    const value = constants.get(name) ?? phpConstants[name] ?? null;
    if (value !== null || constants.has(name)) return value;
    return constants.get(rest) ?? this.#toUnknown(node, `the constant ${name}`);
  }

  #evaluateMember(node: Tree): ConfigurationValue {
    const what = getNode(node, 'what').name;
    const member = getText(getNode(node, 'offset'), 'name');
    if (member.toLowerCase() === 'class' && typeof what === 'string') {
      const [first = '', ...others] = what.split('\\');
      return [this.#imports.get(first) ?? first, ...others].join('\\').replace(/^\\/, '');
    }
    const name = `${dropNamespace(what)}::${member}`;
    return this.#state.members.get(name) ?? this.#toUnknown(node, name);
  }

  /** Evaluates a variable or a part of it. Null if it does not exist. */
  #evaluateVariable(node: Tree): ConfigurationValue {
    const path = this.#toPath(node);
    if (!Array.isArray(path)) return path;
    const [variable = '', key] = path;
    const value = this.#readSuperglobal(node, variable, key);
    return value === undefined ? this.#read(path, node) : value;
  }

  #read(path: readonly string[], node = nothing): ConfigurationValue {
    return this.#state.read(path, this.#toUnknown(node, reasons.character));
  }

  /** Returns undefined for a variable that PHP does not set. */
  #readSuperglobal(node: Tree, variable: string, key: string | undefined): ConfigurationValue | undefined {
    const { environment } = this.#surroundings;
    const isEnvironment = variable === '_ENV' || variable === '_SERVER';
    if (isEnvironment && key !== undefined && environment !== undefined && Object.hasOwn(environment, key))
      return environment[key];
    if (variable === '_ENV' && environment !== undefined) return null;
    if (isEnvironment && key !== undefined && environment === undefined && !requestVariable.test(key))
      return this.#toUnknown(node, `the environment variable ${key}`);
    if (isEnvironment || superglobals.has(variable)) return this.#toUnknown(node, `$${variable}`);
    return undefined;
  }

  /**
   * Returns the path of a variable, property or array element: the name of the variable, then the keys. Unknown if the
   * name or a key is unknown.
   */
  #toPath(node: Tree): string[] | Unknown {
    if (node.kind === 'variable') {
      const value = typeof node.name === 'string' ? node.name : this.#evaluate(getNode(node, 'name'));
      const name = typeof value === 'string' ? this.#toScopedName({ kind: 'variable', name: value }) : '';
      if (name === '') return this.#toUnknown(node, 'a variable variable');
      return [...(this.#state.references.get(name) ?? [name])];
    }
    const isProperty = node.kind === 'propertylookup';
    if (!isProperty && node.kind !== 'offsetlookup') return this.#toUnknown(node, 'an expression');
    const outer = this.#limits.nest(() => this.#toPath(getNode(node, 'what')));
    if (!Array.isArray(outer)) return outer;
    const offset = getNode(node, 'offset');
    const key = isProperty && offset.kind === 'identifier' ? getText(offset, 'name') : this.#evaluate(offset);
    if (isUnknown(key)) return key;
    const text = toText(key);
    if (text === undefined) return this.#toUnknown(node, 'an array as a key');
    // `$GLOBALS['x']` is `$x`.
    return outer.length === 1 && outer[0] === 'GLOBALS' ? [text] : [...outer, text];
  }

  /** Returns a name that differs in each call of a function. Empty unless the node is a variable. */
  #toScopedName({ kind, name }: Tree): string {
    if (kind !== 'variable' || typeof name !== 'string') return '';
    const isGlobal = name === 'GLOBALS' || name === '_ENV' || superglobals.has(name);
    return this.#scope === undefined || isGlobal || this.#scope.globals.has(name)
      ? name
      : `${name} of call ${this.#scopeNumber}`;
  }

  /** Whether the current function or file might skip the current statement. */
  #mayNotRun(): boolean {
    return this.#state.branchDepth > (this.#scope?.branchDepth ?? 0);
  }

  /** Evaluates a reference, such as `$x = &$y['z']`. */
  #evaluateReference(node: Tree): ConfigurationValue {
    const [left, right] = [getNode(node, 'left'), getNode(node, 'right')];
    const name = this.#toScopedName(left);
    const path = this.#toPath(right);
    if (name === '' || !Array.isArray(path) || this.#mayNotRun() || this.#scope?.globals.has(name)) {
      const unknown = this.#toUnknown(node, reasons.reference);
      // A later change of `left` may change `right`, and vice versa.
      if (isAssignable(right)) this.#assign(right, unknown);
      return this.#assign(left, unknown);
    }
    this.#state.references.set(name, path);
    return this.#evaluateVariable(right);
  }

  #unset(node: Tree, variable: Tree): void {
    const name = this.#toScopedName(variable);
    const { references, variables } = this.#state;
    const isCertain = !this.#mayNotRun();
    // After `unset()`, the name is a local variable of the function.
    if (this.#scope?.globals.has(name)) {
      const unknown = this.#toUnknown(node, 'global');
      if (!isCertain) this.#assign(variable, unknown);
      this.#scope.globals.delete(name);
      if (!isCertain) this.#assign(variable, unknown);
      return;
    }
    if (references.has(name)) {
      const unknown = this.#toUnknown(node, reasons.reference);
      if (!isCertain) this.#assign(variable, unknown);
      references.delete(name);
      this.#state.variables.set(name, isCertain ? null : unknown);
      return;
    }
    const path = this.#toPath(variable);
    // References keep the value.
    if (Array.isArray(path))
      for (const other of this.#state.findReferences(path)) {
        variables.set(other, this.#read(references.get(other) ?? [], node));
        references.delete(other);
      }
    this.#assign(variable, null);
  }

  /** Calls a function of the configuration. After an uncertain `return` its effects are unknown. */
  #callFunction(called: Tree, argumentNodes: readonly Tree[], node: Tree): ConfigurationValue {
    const [outerScope, outerNumber] = [this.#scope, this.#scopeNumber];
    const { references } = this.#state;
    const unknown = this.#toUnknown(called, 'an argument');
    const isPositional = argumentNodes.every(({ kind }) => kind !== 'variadic' && kind !== 'namedargument');
    const argumentValues = argumentNodes.map((argument) => this.#evaluate(argument));
    const parameters = getNodes(called, 'arguments').map((parameter, n) => {
      const argument = argumentNodes[n] ?? nothing;
      const path = parameter.byref && isAssignable(argument) ? this.#toPath(argument) : undefined;
      // The parameter may belong to any argument.
      if (path !== undefined && (parameter.variadic || !isPositional || !Array.isArray(path)))
        this.#assign(argument, unknown);
      return { parameter, path, value: isPositional && !parameter.variadic ? argumentValues[n] : unknown };
    });
    // An arrow function uses the outer variables.
    if (called.kind === 'arrowfunc') return this.#callArrowFunction(called, node);
    const uses = getNodes(called, 'uses').map(
      (use) => [use, this.#toPath(use), this.#evaluateVariable(use)] as const,
    );
    return this.#limits.nest(() => {
      this.#scope = { globals: new Set(), branchDepth: this.#state.branchDepth };
      this.#scopeNumber = ++this.#callCount;
      const ownReferences: string[] = [];
      const addReference = (variable: Tree, path: string[]) => {
        ownReferences.push(this.#toScopedName(variable));
        references.set(this.#toScopedName(variable), path);
      };
      try {
        for (const { parameter, path, value } of parameters) {
          const variable = { kind: 'variable', name: getNode(parameter, 'name').name };
          if (Array.isArray(path)) addReference(variable, path);
          else if (value !== undefined) this.#assign(variable, value);
          else this.#assign(variable, parameter.value ? this.#evaluate(getNode(parameter, 'value')) : null);
        }
        for (const [use, path, value] of uses) {
          if (use.byref === true && Array.isArray(path)) addReference(use, path);
          else this.#assign(use, value);
        }
        const body = getNode(called, 'body');
        if (!hasEarlyReturn(body)) return this.#run(body)?.value ?? null;
        const reason = 'a function that returns early';
        this.#runBranches(node, reason, [body]);
        return this.#toUnknown(node, reason);
      } finally {
        this.#scope = outerScope;
        this.#scopeNumber = outerNumber;
        for (const name of ownReferences) references.delete(name);
      }
    });
  }

  #callArrowFunction(called: Tree, node: Tree): ConfigurationValue {
    const [parameters, body] = [getNodes(called, 'arguments'), getNode(called, 'body')];
    if (parameters.length === 0) return this.#evaluate(body);
    // A `post` node makes its variable unknown.
    const changes = parameters.map((parameter): Tree => {
      return { kind: 'post', what: { kind: 'variable', name: getNode(parameter, 'name').name } };
    });
    const reason = 'a function with parameters';
    this.#runBranches(node, reason, [{ kind: 'block', children: [...changes, body].map(toStatement) }]);
    return this.#toUnknown(node, reason);
  }

  /** Evaluates a function that may be called, with unknown arguments. */
  #callPossibly(called: Tree, node: Tree): void {
    // A recursive call has the same effects.
    if (this.#possibleCalls.has(called)) return;
    this.#possibleCalls.add(called);
    this.#runBranches(node, 'a function that may be called', [
      toStatement({ kind: 'call', what: called, arguments: [{ kind: 'variadic' }] }),
    ]);
    this.#possibleCalls.delete(called);
  }

  /** Evaluates the methods with this name in all classes, because the class is unknown. */
  #callMethods(node: Tree, name: string): void {
    this.#methodDepth++;
    for (const method of this.#methods.get(name) ?? []) this.#callPossibly(method, node);
    this.#methodDepth--;
  }

  #evaluateArray(node: Tree): ConfigurationValue {
    const array = new Map<string, ConfigurationValue>();
    for (const item of getNodes(node, 'items')) {
      const itemValue = getNode(item, 'value');
      if (item.unpack || item.byRef) {
        const unknown = this.#toUnknown(node, 'an array made of another');
        if (item.byRef && isAssignable(itemValue)) this.#assign(itemValue, unknown);
        return unknown;
      }
      const value = this.#evaluate(itemValue);
      const key = item.key ? this.#evaluate(getNode(item, 'key')) : nextKey(array);
      if (isUnknown(key)) return key;
      const text = toText(key);
      if (text === undefined) return this.#toUnknown(node, 'an array as a key');
      array.set(text, value);
    }
    return array;
  }

  #evaluateBinary(node: Tree): ConfigurationValue {
    const left = this.#evaluate(getNode(node, 'left'));
    const type = getText(node, 'type');
    // The right side is not always evaluated: `defined('X') or define('X', 1)`.
    if (type === '&&' || type === 'and' || type === '||' || type === 'or') {
      const isOr = type === '||' || type === 'or';
      if (isUnknown(left)) {
        this.#runBranches(node, left.unknown.why, [toStatement(getNode(node, 'right'))]);
        return left;
      }
      if (isTruthy(left) === isOr) return isOr;
      const right = this.#evaluate(getNode(node, 'right'));
      return isUnknown(right) ? right : isTruthy(right);
    }
    if (type === '??') {
      const isMissing = left === null || (isUnknown(left) && isUndefinedConstant(left));
      return isMissing ? this.#evaluate(getNode(node, 'right')) : left;
    }
    if (type === '.') return this.#join(node, [getNode(node, 'left'), getNode(node, 'right')]);
    const right = this.#evaluate(getNode(node, 'right'));
    if (isUnknown(left)) return left;
    if (isUnknown(right)) return right;
    const [a, b] = [toText(left), toText(right)];
    if (a === undefined || b === undefined) return this.#toUnknown(node, 'a comparison of arrays');
    const isIdentical = a === b && typeof left === typeof right;
    if (type === '===') return isIdentical;
    if (type === '!==') return !isIdentical;
    if (type === '==' || type === '!=') {
      const isEqual = type === '==';
      if (typeof left === typeof right && (typeof left !== 'string' || areComparable(a, b)))
        return (a === b) === isEqual;
      if ([left, right].some((value) => typeof value === 'boolean'))
        return (isTruthy(left) === isTruthy(right)) === isEqual;
    }
    return this.#toUnknown(node, `a computation (${type})`);
  }

  #evaluateUnary(node: Tree): ConfigurationValue {
    const value = this.#evaluate(getNode(node, 'what'));
    if (isUnknown(value)) return value;
    if (node.type === '!') return !isTruthy(value);
    if (typeof value !== 'number') return this.#toUnknown(node, `a computation (${getText(node, 'type')})`);
    return node.type === '-' ? -value : value;
  }

  #evaluateConditional(node: Tree): ConfigurationValue {
    const test = this.#evaluate(getNode(node, 'test'));
    if (isUnknown(test)) return test;
    if (!isTruthy(test)) return this.#evaluate(getNode(node, 'falseExpr'));
    return node.trueExpr === null ? test : this.#evaluate(getNode(node, 'trueExpr'));
  }

  #evaluateCast(node: Tree): ConfigurationValue {
    const value = this.#evaluate(getNode(node, 'expr'));
    if (isUnknown(value)) return value;
    const text = toText(value);
    switch (node.type) {
      case 'object':
      case 'array':
        return isArray(value) ? value : this.#toUnknown(node, 'an array made of a value');
      case 'string':
        return text ?? this.#toUnknown(node, 'a text made of an array');
      case 'bool':
        return isTruthy(value);
      case 'int':
        return text === undefined
          ? this.#toUnknown(node, 'a number made of an array')
          : Number.parseInt(text, 10) || 0;
      default:
        return this.#toUnknown(node, 'a number');
    }
  }

  #evaluateIsset(node: Tree): ConfigurationValue {
    for (const variable of getNodes(node, 'variables')) {
      const value = this.#evaluateVariable(variable);
      if (isUnknown(value)) return value;
      if (value === null) return false;
    }
    return true;
  }

  #evaluateAssignment(node: Tree): ConfigurationValue {
    const left = getNode(node, 'left');
    const operator = getText(node, 'operator');
    const before = operator === '=' ? null : this.#evaluateVariable(left);
    if (operator === '??=' && before !== null) return before;
    const value =
      operator === '.='
        ? this.#join(node, [left, getNode(node, 'right')])
        : operator === '=' || operator === '??='
          ? this.#evaluate(getNode(node, 'right'))
          : this.#toUnknown(node, `a computation (${operator})`);
    return this.#assign(left, value);
  }

  #assign(left: Tree, value: ConfigurationValue): ConfigurationValue {
    if (left.kind === 'list' || left.kind === 'array') {
      for (const item of getNodes(left, 'items'))
        this.#assign(getNode(item, 'value'), this.#toUnknown(left, 'a list of values'));
      return value;
    }
    // `$x[] = 1`
    const isPush = left.kind === 'offsetlookup' && !left.offset;
    const path = this.#toPath(isPush ? getNode(left, 'what') : left);
    if (!Array.isArray(path)) {
      if (left.kind === 'variable') this.#state.spoilVariables(path);
      else if (left.kind === 'staticlookup') {
        const { name } = getNode(left, 'offset');
        this.#state.spoilMembers(typeof name === 'string' ? name : undefined, path);
      } else if (isAssignable(left)) this.#assign(getNode(left, 'what'), path);
      return value;
    }
    const { references, variables } = this.#state;
    const ofCharacter = this.#toUnknown(left, reasons.character);
    if (path.length === 1 && path[0] === 'GLOBALS' && isUnknown(value)) this.#state.spoilVariables(value);
    for (const name of path.length === 0 || isPush ? [] : this.#state.findReferences(path)) {
      const target = references.get(name) ?? [];
      if (target.length === path.length) continue;
      // The new value may contain a reference to the same part, so the part and the name become unknown.
      const unknown = this.#toUnknown(left, reasons.reference);
      references.delete(name);
      variables.set(name, unknown);
      value = this.#state.put(value, target.slice(path.length), unknown, ofCharacter);
    }
    this.#state.write(path, value, ofCharacter, isPush);
    return value;
  }

  #evaluateInclude(node: Tree): ConfigurationValue {
    const target = this.#evaluate(getNode(node, 'target'));
    // Methods, such as class loaders, include files of code.
    if (typeof target !== 'string' || this.#surroundings.application?.test(target) || this.#methodDepth > 0)
      return this.#toUnknown(node, 'a file that is not read');
    const file = this.#findFile(target);
    if (file === undefined) {
      if (!node.require) return false;
      throw new ConfigurationError(
        `${this.#limits.file} line ${getLine(node)}: the included file ${target} does not exist`,
      );
    }
    if (node.once && this.#includedFiles.has(file)) return true;
    return this.#limits.nest(() => this.#runFile(file)) ?? 1;
  }

  /** Evaluates `eval()`. For example, WordPress's image evaluates code from the environment. */
  #evaluateEval(node: Tree): ConfigurationValue {
    const code = this.#evaluate(getNode(node, 'source'));
    if (typeof code === 'string') return this.#runCode(this.#parse(`<?php ${code}`))?.value ?? null;
    const unknown =
      isUnknown(code) && !isUndefinedConstant(code) ? code : this.#toUnknown(node, 'code in a text');
    this.#state.spoilVariables(unknown);
    this.#defineAny(node, unknown);
    return unknown;
  }

  #findFile(path: string): string | undefined {
    const file = this.#findPath(path);
    return file !== undefined && statSync(file, { throwIfNoEntry: false })?.isFile() ? file : undefined;
  }

  #findPath(path: string): string | undefined {
    if (path.includes('\0')) return undefined;
    try {
      return realpathSync(path.startsWith('/') ? path : `${dirname(this.#limits.file)}/${path}`);
    } catch {
      return undefined;
    }
  }

  #evaluateCall(node: Tree): ConfigurationValue {
    const name = getFunctionName(getNode(node, 'what'));
    const argumentNodes = getNodes(node, 'arguments');
    const [first, second] = argumentNodes;
    if (name === 'define' || name === 'config::define') {
      const [constant, value] = argumentNodes.map((argument) => this.#evaluate(argument));
      if (typeof constant === 'string' && value !== undefined)
        this.#state.define(constant.replace(/^\\/, ''), value);
      else this.#defineAny(node, constant);
      return true;
    }
    // A function of TYPO3 that changes its first argument.
    if (name === 'arrayutility::mergerecursivewithoverrule' && first && second && argumentNodes.length === 2)
      return this.#assign(first, this.#state.replace(this.#evaluate(first), this.#evaluate(second), true));
    const { calls, environment, root } = this.#surroundings;
    if (calls !== undefined && Object.hasOwn(calls, name)) return calls[name] ?? null;
    const called = name === 'call_user_func' ? first : getNode(node, 'what');
    if (called !== undefined && /^(closure|arrowfunc|function|method)$/.test(called.kind)) {
      return this.#callFunction(called, called === first ? argumentNodes.slice(1) : argumentNodes, node);
    }
    if (called !== undefined && called.kind !== 'name') this.#callByValue(called, node);
    // A framework may redeclare a function of `phpFunctions`.
    const isRedeclared = this.#functions.has(name) && name !== 'getenv_docker';
    const phpFunction = Object.hasOwn(phpFunctions, name) && !isRedeclared ? phpFunctions[name] : undefined;
    if (phpFunction === undefined) return this.#callOther(name, argumentNodes, node);
    const values: ConfigurationValue[] = [];
    for (const argument of argumentNodes) {
      const value = this.#evaluate(argument);
      // Later arguments may be unknown, because a default may be unused.
      if (isUnknown(value) && values.length === 0) return value;
      values.push(value);
    }
    return phpFunction.call(
      {
        constants: this.#state.constants,
        environment,
        root,
        findFile: (path) => this.#findFile(path),
        findPath: (path) => this.#findPath(path),
        toUnknown: (why) => this.#toUnknown(node, why),
        replace: (array, replacement, isRecursive) => this.#state.replace(array, replacement, isRecursive),
      },
      values,
    );
  }

  /** Evaluates the effects of a function that is not in `phpFunctions`. Its result is unknown. */
  #callOther(name: string, argumentNodes: readonly Tree[], node: Tree): ConfigurationValue {
    const declared = this.#functions.get(name);
    if (declared !== undefined && !this.#callStack.has(declared)) {
      this.#callStack.add(declared);
      this.#callFunction(declared, argumentNodes, node);
      this.#callStack.delete(declared);
    } else {
      if (declared !== undefined) this.#callPossibly(declared, node);
      for (const argument of argumentNodes) this.#passArgument(argument, node);
    }
    for (const other of this.#otherFunctions.get(name) ?? []) this.#callPossibly(other, node);
    const unknown = this.#toUnknown(node, `the function ${name || 'without a name'}()`);
    if (name === 'extract') this.#state.spoilVariables(unknown);
    if (!functionsByValue.has(name))
      for (const argument of argumentNodes) this.#spoilArgument(argument, unknown);
    for (const argument of argumentNodes.slice(firstChangedParameter[name] ?? argumentNodes.length))
      if (isAssignable(argument)) this.#assign(argument, unknown);
    return unknown;
  }

  /** Calls a method, a closure, or a function whose name is a value. */
  #callByValue(what: Tree, node: Tree): void {
    if (/^(propertylookup|nullsafepropertylookup|staticlookup)$/.test(what.kind))
      for (const name of [getText(getNode(what, 'offset'), 'name').toLowerCase(), '__call', '__callstatic'])
        this.#callMethods(node, name);
    if (what.kind === 'staticlookup') return;
    if (what.kind === 'propertylookup') {
      const object = getNode(what, 'what');
      if (object.kind !== 'variable') this.#evaluate(object);
      return;
    }
    const value = this.#passArgument(what, node);
    if (isUnknown(value)) this.#callClosures(node);
  }

  #callClosures(node: Tree): void {
    for (const closure of this.#closures) this.#callPossibly(closure, node);
  }

  /** Evaluates an argument. If it names a function or is a closure, the called function may call it. */
  #passArgument(node: Tree, call: Tree): ConfigurationValue {
    const value = this.#evaluate(
      node.kind === 'variadic'
        ? getNode(node, 'what')
        : node.kind === 'namedargument'
          ? getNode(node, 'value')
          : node,
    );
    const declared =
      typeof value === 'string' ? this.#functions.get(dropNamespace(value).toLowerCase()) : undefined;
    if (declared !== undefined) this.#callPossibly(declared, call);
    if (typeof value === 'string' && /^\\?define$/i.test(value)) this.#defineAny(call);
    // `'CLASS::METHOD'`, or an array of both.
    const [, method] = /::(\w+)$/.exec(String(isArray(value) ? `::${value.get('1')}` : value)) ?? [];
    if (method !== undefined) this.#callMethods(call, method.toLowerCase());
    if (isUnknown(value) && value.unknown.why === reasons.closure) this.#callClosures(call);
    return value;
  }

  /** Makes an array or unset variable unknown, because the function may change its argument by reference. */
  #spoilArgument(argument: Tree, unknown: Unknown): void {
    if (!isAssignable(argument)) return;
    const isMember = argument.kind === 'staticlookup';
    const path = isMember ? [] : this.#toPath(argument);
    if (!Array.isArray(path) || superglobals.has(path[0] ?? '')) return;
    const before = isMember ? this.#evaluateMember(argument) : this.#evaluateVariable(argument);
    if (before === null || isArray(before)) this.#assign(argument, unknown);
  }
}

function addTo(sets: Map<string, Set<Tree>>, name: string, node: Tree): void {
  const nodes = sets.get(name) ?? new Set();
  sets.set(name, nodes.add(node));
}

const isUndefinedConstant = ({ unknown }: Unknown): boolean => unknown.why.startsWith('the constant ');

function parseNumber(text: string): number {
  const digits = text.replaceAll('_', '');
  return /^0[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : Number(digits);
}

import {
  bounds,
  ConfigurationError,
  type ConfigurationValue,
  isArray,
  isUnknown,
  nextKey,
  part,
  rest,
  type Unknown,
} from './value.ts';

/** Limits the cost of reading one configuration. */
export class Limits {
  #steps = 0;
  #depth = 0;
  #files = 0;
  #bytes = 0;
  /** The current file, for errors. */
  file = '';

  get remainingBytes(): number {
    return bounds.bytes - this.#bytes;
  }

  addSteps(count = 1): void {
    this.#steps += count;
    if (this.#steps > bounds.steps) throw this.toError(`more than ${bounds.steps} steps`);
  }

  addBytes(count: number): void {
    this.#bytes += count;
  }

  addFile(): void {
    if (++this.#files > bounds.files) throw this.toError(`more than ${bounds.files} files are included`);
  }

  /** Runs `work` one level deeper. */
  nest<T>(work: () => T): T {
    this.addSteps();
    if (++this.#depth > bounds.depth) throw this.toError('the code is nested too deeply');
    try {
      return work();
    } finally {
      this.#depth--;
    }
  }

  toError(why: string): ConfigurationError {
    return new ConfigurationError(`${this.file}: ${why}`);
  }
}

/** The value under `rest` belongs to all other names that may exist. */
export interface Values {
  constants: Map<string, ConfigurationValue>;
  variables: Map<string, ConfigurationValue>;
}

/** The current constants, variables and class members. */
export class PhpState implements Values {
  constants: Map<string, ConfigurationValue>;
  variables: Map<string, ConfigurationValue>;
  readonly members = new Map<string, ConfigurationValue>();
  /** Other names of variables and their parts, such as `$x = &$y['z']`. */
  readonly references = new Map<string, string[]>();
  readonly #limits: Limits;
  #branchDepth = 0;

  constructor(limits: Limits, constants: Values['constants'], variables: Values['variables']) {
    this.#limits = limits;
    this.constants = constants;
    this.variables = variables;
  }

  /** The number of branches around the current statement that may not run. */
  get branchDepth(): number {
    return this.#branchDepth;
  }

  /** Continues on copies of the values. @returns the originals */
  startBranch(): Values {
    const { constants, variables } = this;
    this.constants = new Map(constants);
    this.variables = new Map(variables);
    this.#branchDepth++;
    return { constants, variables };
  }

  /** Restores the values. @returns the values of the branch */
  endBranch(before: Values): Values {
    const { constants, variables } = this;
    this.constants = before.constants;
    this.variables = before.variables;
    this.#branchDepth--;
    return { constants, variables };
  }

  /** Makes values unknown that differ in one of the branches, which may not have run. */
  merge(branches: readonly Values[], unknown: Unknown): void {
    for (const kind of ['constants', 'variables'] as const) {
      const values = this[kind];
      const before = new Map(values);
      for (const branch of branches) {
        this.#limits.addSteps(branch[kind].size + 1);
        for (const [name, value] of branch[kind]) {
          // The branch did not change the value, for example `defined('X') || define('X', …)`.
          if (before.get(name) === value && before.has(name)) continue;
          values.set(name, this.#combine(values.get(name), value, unknown));
        }
      }
    }
  }

  /** Returns a value that is `a` or `b`. In arrays only the parts that differ become unknown. */
  #combine(a: ConfigurationValue | undefined, b: ConfigurationValue, unknown: Unknown): ConfigurationValue {
    if (a === b) return b;
    if (a === undefined || !isArray(a) || !isArray(b)) return unknown;
    return this.#limits.nest(() => {
      const parts = new Map<string, ConfigurationValue>();
      this.#limits.addSteps(a.size + b.size + 1);
      for (const key of [...a.keys(), ...b.keys()])
        if (!parts.has(key)) parts.set(key, this.#combine(part(a, key), part(b, key), unknown));
      return parts;
    });
  }

  /** Defines a constant, unless it is defined. PHP ignores a second definition with a warning. */
  define(name: string, value: ConfigurationValue): void {
    if (!this.constants.has(name)) this.constants.set(name, value);
  }

  /**
   * Returns a variable, or its part under keys. Null if it does not exist.
   * @param unknown the result for a character of a text
   */
  read([variable = '', ...keys]: readonly string[], unknown: Unknown): ConfigurationValue {
    let value: ConfigurationValue = this.variables.get(variable) ?? this.variables.get(rest) ?? null;
    for (const key of keys) {
      if (typeof value === 'string' && /^-?\d+$/.test(key)) return unknown;
      value = part(value, key);
    }
    return value;
  }

  /** Sets a variable, or its part under keys. @param unknown the result for a character of a text */
  write(
    [variable = '', ...keys]: readonly string[],
    value: ConfigurationValue,
    unknown: Unknown,
    isPush = false,
  ): void {
    const before = this.read([variable], unknown);
    this.variables.set(variable, this.put(before, isPush ? [...keys, ''] : keys, value, unknown, isPush));
  }

  /** Returns a copy of `array` with `value` under the keys. The original may still be in use. */
  put(
    array: ConfigurationValue,
    [key, ...others]: readonly string[],
    value: ConfigurationValue,
    unknown: Unknown,
    isPush = false,
  ): ConfigurationValue {
    if (key === undefined) return value;
    if (typeof array === 'string' && array !== '') return unknown;
    const copy = toMap(array);
    this.#limits.addSteps(copy.size + 1);
    const pushes = isPush && others.length === 0;
    // Unknown keys make the next key unknown, and `rest` already covers it.
    if (pushes && copy.has(rest)) return copy;
    const target = pushes ? String(nextKey(copy)) : key;
    copy.set(target, this.put(part(copy, target), others, value, unknown, isPush));
    return copy;
  }

  /** Returns the result of `array_replace()` or `array_replace_recursive()` for two arrays. */
  replace(
    array: ConfigurationValue,
    replacement: ConfigurationValue,
    isRecursive: boolean,
  ): ConfigurationValue {
    if (!isArray(replacement)) return replacement;
    const others = replacement.get(rest);
    if (others !== undefined) return others;
    const copy = toMap(array);
    this.#limits.addSteps(copy.size + replacement.size + 1);
    for (const [key, value] of replacement) {
      const isNested = isRecursive && isArray(value);
      copy.set(key, isNested ? this.#limits.nest(() => this.replace(part(copy, key), value, true)) : value);
    }
    return copy;
  }

  /** Returns the names that refer to this variable, or to a part of it. */
  findReferences(path: readonly string[]): string[] {
    this.#limits.addSteps(this.references.size);
    return [...this.references].flatMap(([name, target]) =>
      path.every((key, n) => target[n] === key) ? [name] : [],
    );
  }

  /** Makes all variables unknown. */
  spoilVariables(unknown: Unknown): void {
    this.#limits.addSteps(this.variables.size);
    for (const name of [...this.variables.keys(), rest]) this.variables.set(name, unknown);
  }

  /** Makes a static property of all classes unknown, because classes may inherit it. Without a name, all members. */
  spoilMembers(name: string | undefined, unknown: Unknown): void {
    this.#limits.addSteps(this.members.size);
    for (const member of this.members.keys())
      if (name === undefined || member.endsWith(`::${name}`)) this.members.set(member, unknown);
  }
}

const toMap = (value: ConfigurationValue): Map<string, ConfigurationValue> =>
  new Map(isArray(value) ? value : isUnknown(value) ? [[rest, value]] : []);

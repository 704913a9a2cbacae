import { bounds, ConfigurationError, type Unknown } from './value.ts';

/** A value of an ini file. `Unknown` depends on what only the running PHP has. */
export type IniValue = string | Unknown;

/** A statement of an ini file, in the order in which PHP carries them out. */
export type IniStatement = { line: number } & (
  | { kind: 'section'; name: string }
  | { kind: 'entry'; name: string; value: IniValue }
  | { kind: 'element'; name: string; key: string; value: IniValue }
  | { kind: 'error' }
);

export interface IniSurroundings {
  /** For `${NAME}`: directives that are set already. */
  directive?(name: string): IniValue | undefined;
  /** The environment of PHP; undefined if it is not known. */
  environment?: Readonly<Record<string, string>> | undefined;
}

/**
 * Reads the syntax of php.ini, as Zend/zend_ini_scanner.l and Zend/zend_ini_parser.y do. An error of syntax ends the
 * file, and the statements before it count, as in PHP. Each is given before the next is read, which may name it.
 * @throws ConfigurationError if the bounds are exceeded
 */
export function* parseIni(
  text: string,
  file: string,
  surroundings: IniSurroundings = {},
): Generator<IniStatement, void> {
  if (text.length > bounds.bytes) throw new ConfigurationError(`${file}: larger than ${bounds.bytes} bytes`);
  const scanner = new IniScanner(text.replace(/^\ufeff/, ''));
  try {
    yield* new IniParser(scanner, file, surroundings).statements();
  } catch (error) {
    if (!(error instanceof IniError)) throw error;
    yield { kind: 'error', line: scanner.line };
  }
}

/** An error of syntax, as PHP sees it. */
class IniError extends Error {}

type State = 'initial' | 'value' | 'section' | 'offset' | 'quotes' | 'variable';

type TokenKind =
  | 'section'
  | ']'
  | 'offset'
  | 'label'
  | '='
  | 'boolean'
  | 'end of line'
  | 'end'
  | 'raw'
  | 'constant'
  | 'text'
  | '"'
  | '${'
  | '}'
  | 'name'
  | 'operator'
  | 'wrong';

interface Token {
  kind: TokenKind;
  text: string;
}

/** A rule of the scanner. Of several that match, the longest counts, and of equally long ones the first. */
interface Rule {
  pattern: RegExp;
  kind: TokenKind | 'blank';
  /** The state afterwards. `out`: that before the present one. */
  next?: State | { inside: State } | 'out';
  /** Where the token's text is not what matched. */
  text?(matched: string): string;
}

const label = '[^=\\n\\r\\t;&|^$~(){}!"\\[]+';
const newLine = '(?:\\r\\n|\\r|\\n)';
const dollar = '\\$(?:\\\\[^]|[^{\\0])';

const rule = (pattern: string, kind: Rule['kind'], others: Omit<Rule, 'pattern' | 'kind'> = {}): Rule => ({
  pattern: new RegExp(pattern, 'iy'),
  kind,
  ...others,
});

const trimmed = (matched: string) => matched.replace(/^[ \t]+/, '').replace(/(?<![ \t\r\n])[ \t\r\n]+$/, '');
const single = rule("'[^']+'", 'raw', { text: (matched) => matched.slice(1, -1) });
const variable = rule('\\$\\{', '${', { next: { inside: 'variable' } });
const yes = rule('(?:true|on|yes)[ \\t]*', 'boolean', { text: () => '1' });
const no = rule('(?:false|off|none|no|null)[ \\t]*', 'boolean', { text: () => '' });
const constant = rule('[a-z_][a-z0-9_]*', 'constant');
const number = rule('-?[0-9]+(?![0-9.])|[0-9]*\\.[0-9]+|[0-9]+\\.[0-9]*|-?[0-9]+', 'text');
const quote = rule('[ \\t]*"', '"', { next: { inside: 'quotes' } });
const comment = rule(`[ \\t]*;[^\\r\\n]*(?:${newLine}|$)`, 'end of line', { next: 'initial' });
const sectionText = rule(`(?:[^$\\n\\r;"'\\]\\\\]|\\\\[^]|${dollar})+`, 'text');
const blanks = rule('[ \\t]+', 'text');

const rules: Readonly<Record<Exclude<State, 'quotes'>, readonly Rule[]>> = {
  initial: [
    rule('\\[', 'section', { next: 'section' }),
    rule(`${label}\\[[ \\t]*`, 'offset', {
      next: 'offset',
      text: (matched) => trimmed(matched.slice(0, matched.lastIndexOf('['))),
    }),
    yes,
    no,
    rule(label, 'label', { text: trimmed }),
    rule('[ \\t]*=[ \\t]*', '=', { next: 'value' }),
    rule('[ \\t]+', 'blank'),
    rule(`[ \\t]*${newLine}`, 'end of line'),
    comment,
  ],
  value: [
    single,
    variable,
    yes,
    no,
    rule(`[ \\t]*${newLine}`, 'end of line', { next: 'initial' }),
    constant,
    number,
    rule('[&|^~()!][ \\t]*', 'operator', { text: (matched) => matched.charAt(0) }),
    rule(`(?:[^$= \\t\\n\\r;&|^~()!"'\\0]|${dollar})+`, 'text'),
    quote,
    blanks,
    comment,
    // It ends the value, and the rest is an error.
    rule('(?==)', 'end of line', { next: 'initial' }),
  ],
  section: [
    single,
    rule(`\\][ \\t]*${newLine}?`, ']', { next: 'initial' }),
    variable,
    constant,
    number,
    sectionText,
    quote,
  ],
  offset: [
    single,
    rule('[ \\t]*\\]', ']', { next: 'initial' }),
    variable,
    constant,
    number,
    sectionText,
    quote,
  ],
  variable: [rule(label, 'name', { text: trimmed }), rule('\\}', '}', { next: 'out' })],
};

class IniScanner {
  readonly #text: string;
  #at = 0;
  /** The innermost is the last. */
  readonly #states: State[] = ['initial'];
  #line = 1;
  #counted = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** Of the token that comes next. */
  get line(): number {
    for (; this.#counted < this.#at; this.#counted++) {
      if (this.#text[this.#counted] === '\n') this.#line++;
    }
    return this.#line;
  }

  next(): Token {
    for (;;) {
      const state = this.#states.at(-1) as State;
      if (this.#at >= this.#text.length) {
        if (state !== 'value') return { kind: 'end', text: '' };
        this.#enter('initial');
        return { kind: 'end of line', text: '' };
      }
      if (state === 'quotes') return this.#quoted();
      const { rule, matched } = this.#longest(rules[state]);
      if (rule === undefined) {
        if (state !== 'value') return { kind: 'wrong', text: '' };
        // A character that no value has, such as NUL, ends it.
        this.#at++;
        this.#enter('initial');
        return { kind: 'end of line', text: '' };
      }
      this.#at += matched.length;
      this.#enter(rule.next);
      if (rule.kind !== 'blank') return { kind: rule.kind, text: rule.text?.(matched) ?? matched };
    }
  }

  #longest(from: readonly Rule[]): { rule: Rule | undefined; matched: string } {
    let best: Rule | undefined;
    let matched = '';
    for (const rule of from) {
      rule.pattern.lastIndex = this.#at;
      const [found] = rule.pattern.exec(this.#text) ?? [];
      if (found === undefined || (best !== undefined && found.length <= matched.length)) continue;
      best = rule;
      matched = found;
    }
    return { rule: best, matched };
  }

  #enter(next: Rule['next']): void {
    if (next === undefined) return;
    if (next === 'out') this.#states.pop();
    else if (typeof next === 'object') this.#states.push(next.inside);
    else this.#states.splice(0, this.#states.length, next);
  }

  /** In `"…"`: its end, a variable, or the text up to one of these. */
  #quoted(): Token {
    const text = this.#text;
    const start = this.#at;
    if (text[start] === '"') {
      this.#at++;
      while (text[this.#at] === ' ' || text[this.#at] === '\t') this.#at++;
      this.#enter('out');
      return { kind: '"', text: '"' };
    }
    if (text.startsWith('${', start)) {
      this.#at += 2;
      this.#enter({ inside: 'variable' });
      return { kind: '${', text: '${' };
    }
    let at = start;
    for (; at < text.length; at++) {
      if (text[at] === '"' || text.startsWith('${', at)) break;
      if (text[at] !== '\\' || at + 1 >= text.length) continue;
      at++;
      // A path of Windows ends so: key="C:\path\"
      if (text[at] === '"' && /^(?:$|[\r\n])/.test(text.charAt(at + 1))) break;
    }
    this.#at = Math.min(at, text.length);
    return { kind: 'text', text: text.slice(start, this.#at).replace(/\\(["\\$])/g, '$1') };
  }
}

class IniParser {
  readonly #scanner: IniScanner;
  readonly #file: string;
  readonly #surroundings: IniSurroundings;
  #token: Token = { kind: 'end', text: '' };
  #size = 0;
  #depth = 0;

  constructor(scanner: IniScanner, file: string, surroundings: IniSurroundings) {
    this.#scanner = scanner;
    this.#file = file;
    this.#surroundings = surroundings;
  }

  *statements(): Generator<IniStatement, void> {
    this.#advance();
    while (this.#token.kind !== 'end') {
      const statement = this.#statement();
      if (statement !== undefined) yield statement;
    }
  }

  #advance(): void {
    this.#token = this.#scanner.next();
  }

  #statement(): IniStatement | undefined {
    const { line } = this.#scanner;
    const { kind, text } = this.#token;
    this.#advance();
    switch (kind) {
      case 'end of line':
        return undefined;
      case 'label':
        // A name without a value sets nothing.
        if (this.#token.kind !== '=') return undefined;
        this.#advance();
        return { kind: 'entry', line, name: text, value: this.#value() };
      case 'offset': {
        const key = this.#token.kind === ']' ? '' : this.#known(this.#list(true));
        this.#expect(']');
        this.#expect('=');
        return { kind: 'element', line, name: text, key, value: this.#value() };
      }
      case 'section': {
        const name = this.#token.kind === ']' ? '' : this.#known(this.#list(false));
        this.#expect(']');
        return { kind: 'section', line, name };
      }
      default:
        throw new IniError();
    }
  }

  #expect(kind: TokenKind): void {
    if (this.#token.kind !== kind) throw new IniError();
    this.#advance();
  }

  #value(): IniValue {
    const { kind, text } = this.#token;
    if (kind === 'boolean' || kind === 'end of line') {
      this.#advance();
      return kind === 'boolean' ? text : '';
    }
    return this.#expression();
  }

  #expression(): IniValue {
    let left = this.#operand();
    for (;;) {
      const operator = this.#token.kind === 'operator' ? this.#token.text : '';
      if (!'|&^'.includes(operator) || operator === '') return left;
      this.#advance();
      const right = this.#operand();
      left = computed([left, right], ([a = 0, b = 0]) =>
        operator === '|' ? a | b : operator === '&' ? a & b : a ^ b,
      );
    }
  }

  #operand(): IniValue {
    const operator = this.#token.kind === 'operator' ? this.#token.text : '';
    if (!'~!('.includes(operator) || operator === '') return this.#list(true);
    if (++this.#depth > bounds.depth)
      throw new ConfigurationError(`${this.#file} line ${this.#scanner.line}: nested too deeply`);
    this.#advance();
    let value: IniValue;
    if (operator === '(') {
      value = this.#expression();
      if (this.#token.kind !== 'operator' || this.#token.text !== ')') throw new IniError();
      this.#advance();
    } else {
      value = computed([this.#operand()], ([a = 0]) => (operator === '~' ? ~a : a === 0 ? 1 : 0));
    }
    this.#depth--;
    return value;
  }

  /** Texts, variables and `"…"` that follow each other are one value. */
  #list(constants: boolean): IniValue {
    let value = this.#part(constants);
    if (value === undefined) throw new IniError();
    for (let more = this.#part(constants); more !== undefined; more = this.#part(constants))
      value = this.#joined(value, more);
    return value;
  }

  #part(constants: boolean): IniValue | undefined {
    const { kind, text } = this.#token;
    switch (kind) {
      case '${':
        return this.#variable();
      case '"': {
        this.#advance();
        let value: IniValue = '';
        for (;;) {
          const inside: Token = this.#token;
          if (inside.kind === '"') break;
          if (inside.kind === '${') value = this.#joined(value, this.#variable());
          else if (inside.kind === 'text') {
            value = this.#joined(value, inside.text);
            this.#advance();
          } else throw new IniError();
        }
        this.#advance();
        return value;
      }
      case 'constant':
      case 'raw':
      case 'text': {
        const { line } = this.#scanner;
        this.#advance();
        return kind === 'constant' && constants && constantsOfPhp.test(text)
          ? this.#unknown(line, `the constant ${text}`)
          : text;
      }
      default:
        return undefined;
    }
  }

  /** `${NAME}`: a directive, or a variable of the environment. Since PHP 8.3 `${NAME:-INSTEAD}` too. */
  #variable(): IniValue {
    const { line } = this.#scanner;
    this.#advance();
    const { kind, text } = this.#token;
    if (kind !== 'name') throw new IniError();
    this.#advance();
    this.#expect('}');
    const [name = '', instead = ''] = text.split(/:-(.*)/s);
    const { directive, environment } = this.#surroundings;
    const set = directive?.(name);
    if (set !== undefined) return set;
    if (environment === undefined) return this.#unknown(line, `the variable ${name} of PHP's environment`);
    return Object.hasOwn(environment, name) ? (environment[name] as string) : instead;
  }

  #unknown(line: number, why: string): Unknown {
    return { unknown: { file: this.#file, line, why } };
  }

  #joined(left: IniValue, right: IniValue): IniValue {
    if (typeof left !== 'string') return left;
    if (typeof right !== 'string') return right;
    this.#size += right.length;
    if (this.#size > bounds.text) throw new ConfigurationError(`${this.#file}: its values are too long`);
    return left + right;
  }

  /** The name of a section or of an element. */
  #known(value: IniValue): string {
    if (typeof value === 'string') return value;
    const { line, why } = value.unknown;
    throw new ConfigurationError(
      `${this.#file} line ${line}: a name depends on ${why}, which only PHP knows`,
    );
  }
}

/** The constants that PHP has before it reads php.ini. */
const constantsOfPhp = /^(?:E|PHP|ZEND|UPLOAD_ERR|DEBUG_BACKTRACE)_[A-Z0-9_]+$|^(?:PEAR|DEFAULT)_[A-Z_]+$/;

/** As C's `atoi()` reads a number. */
function computed(values: readonly IniValue[], operation: (numbers: number[]) => number): IniValue {
  const numbers: number[] = [];
  for (const value of values) {
    if (typeof value !== 'string') return value;
    const [, digits = '0'] = /^[ \t\n\v\f\r]*([+-]?[0-9]+)/.exec(value) ?? [];
    const most = 2n ** 63n;
    const read = BigInt(digits.replace('+', ''));
    numbers.push(Number(BigInt.asIntN(32, read >= most ? most - 1n : read < -most ? -most : read)));
  }
  return String(operation(numbers));
}

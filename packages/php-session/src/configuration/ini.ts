import { bounds, ConfigurationError, type Unknown } from './value.ts';

/** A value of an ini file. Only the running PHP knows an `Unknown` value. */
export type IniValue = string | Unknown;

export type IniStatement = { line: number } & (
  | { kind: 'section'; name: string }
  | { kind: 'entry'; name: string; value: IniValue }
  | { kind: 'element'; name: string; key: string; value: IniValue }
  | { kind: 'error' }
);

export interface IniSurroundings {
  /** Returns an earlier directive, for `${NAME}`. */
  directive?(name: string): IniValue | undefined;
  /** The environment of PHP. Undefined if it is unknown. */
  environment?: Readonly<Record<string, string>> | undefined;
}

/**
 * Parses php.ini syntax like Zend/zend_ini_scanner.l and Zend/zend_ini_parser.y. A syntax error ends the parsing, and the
 * statements before it count. Each statement is yielded before the next is parsed, because the next may use its value.
 * @throws ConfigurationError if a limit is exceeded
 */
export function* parseIni(
  text: string,
  file: string,
  surroundings: IniSurroundings = {},
): Generator<IniStatement, void> {
  if (text.length > bounds.bytes)
    throw new ConfigurationError(`${file} is larger than ${bounds.bytes} bytes`);
  const scanner = new IniScanner(text.replace(/^\ufeff/, ''));
  try {
    yield* new IniParser(scanner, file, surroundings).parse();
  } catch (error) {
    if (!(error instanceof IniError)) throw error;
    yield { kind: 'error', line: scanner.line };
  }
}

/** A syntax error. */
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

/** A rule of the scanner. The longest match counts, and the first of equally long matches. */
interface Rule {
  pattern: RegExp;
  kind: TokenKind | 'blank';
  /** The next state. `push` enters a nested state, `pop` leaves it. */
  next?: State | { push: State } | 'pop';
  /** Converts the match to the text of the token. */
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

const trim = (matched: string) => matched.replace(/^[ \t]+/, '').replace(/(?<![ \t\r\n])[ \t\r\n]+$/, '');
const single = rule("'[^']+'", 'raw', { text: (matched) => matched.slice(1, -1) });
const variable = rule('\\$\\{', '${', { next: { push: 'variable' } });
const yes = rule('(?:true|on|yes)[ \\t]*', 'boolean', { text: () => '1' });
const no = rule('(?:false|off|none|no|null)[ \\t]*', 'boolean', { text: () => '' });
const constant = rule('[a-z_][a-z0-9_]*', 'constant');
const number = rule('-?[0-9]+(?![0-9.])|[0-9]*\\.[0-9]+|[0-9]+\\.[0-9]*|-?[0-9]+', 'text');
const quote = rule('[ \\t]*"', '"', { next: { push: 'quotes' } });
const comment = rule(`[ \\t]*;[^\\r\\n]*(?:${newLine}|$)`, 'end of line', { next: 'initial' });
const sectionText = rule(`(?:[^$\\n\\r;"'\\]\\\\]|\\\\[^]|${dollar})+`, 'text');
const blanks = rule('[ \\t]+', 'text');

const rules: Readonly<Record<Exclude<State, 'quotes'>, readonly Rule[]>> = {
  initial: [
    rule('\\[', 'section', { next: 'section' }),
    rule(`${label}\\[[ \\t]*`, 'offset', {
      next: 'offset',
      text: (matched) => trim(matched.slice(0, matched.lastIndexOf('['))),
    }),
    yes,
    no,
    rule(label, 'label', { text: trim }),
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
    // `=` ends the value. The rest of the line is a syntax error.
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
  variable: [rule(label, 'name', { text: trim }), rule('\\}', '}', { next: 'pop' })],
};

class IniScanner {
  readonly #text: string;
  #offset = 0;
  /** The innermost state is the last. */
  readonly #states: State[] = ['initial'];
  #line = 1;
  #countedOffset = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** The line of the next token. */
  get line(): number {
    for (; this.#countedOffset < this.#offset; this.#countedOffset++) {
      if (this.#text[this.#countedOffset] === '\n') this.#line++;
    }
    return this.#line;
  }

  next(): Token {
    for (;;) {
      const state = this.#states.at(-1) as State;
      if (this.#offset >= this.#text.length) {
        if (state !== 'value') return { kind: 'end', text: '' };
        this.#switchState('initial');
        return { kind: 'end of line', text: '' };
      }
      if (state === 'quotes') return this.#nextInQuotes();
      const { rule, matched } = this.#matchLongest(rules[state]);
      if (rule === undefined) {
        if (state !== 'value') return { kind: 'wrong', text: '' };
        // A character that values cannot contain, such as NUL, ends the value.
        this.#offset++;
        this.#switchState('initial');
        return { kind: 'end of line', text: '' };
      }
      this.#offset += matched.length;
      this.#switchState(rule.next);
      if (rule.kind !== 'blank') return { kind: rule.kind, text: rule.text?.(matched) ?? matched };
    }
  }

  #matchLongest(candidates: readonly Rule[]): { rule: Rule | undefined; matched: string } {
    let best: Rule | undefined;
    let matched = '';
    for (const rule of candidates) {
      rule.pattern.lastIndex = this.#offset;
      const [match] = rule.pattern.exec(this.#text) ?? [];
      if (match === undefined || (best !== undefined && match.length <= matched.length)) continue;
      best = rule;
      matched = match;
    }
    return { rule: best, matched };
  }

  #switchState(next: Rule['next']): void {
    if (next === undefined) return;
    if (next === 'pop') this.#states.pop();
    else if (typeof next === 'object') this.#states.push(next.push);
    else this.#states.splice(0, this.#states.length, next);
  }

  /** Returns the closing quote, the start of a variable, or the text before either. */
  #nextInQuotes(): Token {
    const text = this.#text;
    const start = this.#offset;
    if (text[start] === '"') {
      this.#offset++;
      while (text[this.#offset] === ' ' || text[this.#offset] === '\t') this.#offset++;
      this.#switchState('pop');
      return { kind: '"', text: '"' };
    }
    if (text.startsWith('${', start)) {
      this.#offset += 2;
      this.#switchState({ push: 'variable' });
      return { kind: '${', text: '${' };
    }
    let end = start;
    for (; end < text.length; end++) {
      if (text[end] === '"' || text.startsWith('${', end)) break;
      if (text[end] !== '\\' || end + 1 >= text.length) continue;
      end++;
      // The end of a Windows path: key="C:\path\"
      if (text[end] === '"' && /^(?:$|[\r\n])/.test(text.charAt(end + 1))) break;
    }
    this.#offset = Math.min(end, text.length);
    return { kind: 'text', text: text.slice(start, this.#offset).replace(/\\(["\\$])/g, '$1') };
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

  *parse(): Generator<IniStatement, void> {
    this.#advance();
    while (this.#token.kind !== 'end') {
      const statement = this.#parseStatement();
      if (statement !== undefined) yield statement;
    }
  }

  #advance(): void {
    this.#token = this.#scanner.next();
  }

  #parseStatement(): IniStatement | undefined {
    const { line } = this.#scanner;
    const { kind, text } = this.#token;
    this.#advance();
    switch (kind) {
      case 'end of line':
        return undefined;
      case 'label':
        // PHP ignores a name without a value.
        if (this.#token.kind !== '=') return undefined;
        this.#advance();
        return { kind: 'entry', line, name: text, value: this.#parseValue() };
      case 'offset': {
        const key = this.#token.kind === ']' ? '' : this.#requireKnown(this.#parseList(true));
        this.#expect(']');
        this.#expect('=');
        return { kind: 'element', line, name: text, key, value: this.#parseValue() };
      }
      case 'section': {
        const name = this.#token.kind === ']' ? '' : this.#requireKnown(this.#parseList(false));
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

  #parseValue(): IniValue {
    const { kind, text } = this.#token;
    if (kind === 'boolean' || kind === 'end of line') {
      this.#advance();
      return kind === 'boolean' ? text : '';
    }
    return this.#parseExpression();
  }

  #parseExpression(): IniValue {
    let left = this.#parseOperand();
    for (;;) {
      const operator = this.#token.kind === 'operator' ? this.#token.text : '';
      if (!'|&^'.includes(operator) || operator === '') return left;
      this.#advance();
      const right = this.#parseOperand();
      left = compute([left, right], ([a = 0, b = 0]) =>
        operator === '|' ? a | b : operator === '&' ? a & b : a ^ b,
      );
    }
  }

  #parseOperand(): IniValue {
    const operator = this.#token.kind === 'operator' ? this.#token.text : '';
    if (!'~!('.includes(operator) || operator === '') return this.#parseList(true);
    if (++this.#depth > bounds.depth)
      throw new ConfigurationError(
        `${this.#file} line ${this.#scanner.line}: the expression is nested too deeply`,
      );
    this.#advance();
    let value: IniValue;
    if (operator === '(') {
      value = this.#parseExpression();
      if (this.#token.kind !== 'operator' || this.#token.text !== ')') throw new IniError();
      this.#advance();
    } else {
      value = compute([this.#parseOperand()], ([a = 0]) => (operator === '~' ? ~a : a === 0 ? 1 : 0));
    }
    this.#depth--;
    return value;
  }

  /** Parses adjacent texts, variables and `"…"` as one value. @throws IniError if there are none */
  #parseList(constants: boolean): IniValue {
    let value = this.#parsePart(constants);
    if (value === undefined) throw new IniError();
    for (let more = this.#parsePart(constants); more !== undefined; more = this.#parsePart(constants))
      value = this.#join(value, more);
    return value;
  }

  #parsePart(constants: boolean): IniValue | undefined {
    const { kind, text } = this.#token;
    switch (kind) {
      case '${':
        return this.#parseVariable();
      case '"': {
        this.#advance();
        let value: IniValue = '';
        for (;;) {
          const inside: Token = this.#token;
          if (inside.kind === '"') break;
          if (inside.kind === '${') value = this.#join(value, this.#parseVariable());
          else if (inside.kind === 'text') {
            value = this.#join(value, inside.text);
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
        return kind === 'constant' && constants && phpConstant.test(text)
          ? this.#toUnknown(line, `the constant ${text}`)
          : text;
      }
      default:
        return undefined;
    }
  }

  /**
   * Parses `${NAME}`, a directive or environment variable, or since PHP 8.3 `${NAME:-DEFAULT}`. Without a known
   * environment, the value of a variable is unknown.
   * @throws IniError
   */
  #parseVariable(): IniValue {
    const { line } = this.#scanner;
    this.#advance();
    const { kind, text } = this.#token;
    if (kind !== 'name') throw new IniError();
    this.#advance();
    this.#expect('}');
    const [name = '', fallback = ''] = text.split(/:-(.*)/s);
    const { directive, environment } = this.#surroundings;
    const value = directive?.(name);
    if (value !== undefined) return value;
    if (environment === undefined) return this.#toUnknown(line, `the variable ${name} of PHP's environment`);
    return Object.hasOwn(environment, name) ? (environment[name] as string) : fallback;
  }

  #toUnknown(line: number, why: string): Unknown {
    return { unknown: { file: this.#file, line, why } };
  }

  #join(left: IniValue, right: IniValue): IniValue {
    if (typeof left !== 'string') return left;
    if (typeof right !== 'string') return right;
    this.#size += right.length;
    if (this.#size > bounds.text) throw new ConfigurationError(`${this.#file}: its values are too long`);
    return left + right;
  }

  /** Returns the name of a section or element. @throws ConfigurationError if it is unknown */
  #requireKnown(value: IniValue): string {
    if (typeof value === 'string') return value;
    const { line, why } = value.unknown;
    throw new ConfigurationError(
      `${this.#file} line ${line}: a name depends on ${why}, which only PHP knows`,
    );
  }
}

/** Constants that exist before PHP reads php.ini. */
const phpConstant = /^(?:E|PHP|ZEND|UPLOAD_ERR|DEBUG_BACKTRACE)_[A-Z0-9_]+$|^(?:PEAR|DEFAULT)_[A-Z_]+$/;

/** Parses the numbers like `atoi()` in C. */
function compute(values: readonly IniValue[], operation: (numbers: number[]) => number): IniValue {
  const numbers: number[] = [];
  for (const value of values) {
    if (typeof value !== 'string') return value;
    const [, digits = '0'] = /^[ \t\n\v\f\r]*([+-]?[0-9]+)/.exec(value) ?? [];
    const limit = 2n ** 63n;
    const number = BigInt(digits.replace('+', ''));
    const clamped = number >= limit ? limit - 1n : number < -limit ? -limit : number;
    numbers.push(Number(BigInt.asIntN(32, clamped)));
  }
  return String(operation(numbers));
}

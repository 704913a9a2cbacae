/** The kind of the next character in the grammar of serialize(). */
type State =
  | 'name'
  | 'type'
  | 'colon'
  | 'length'
  | 'open quote'
  | 'text'
  | 'close quote'
  | 'semicolon'
  | 'count colon'
  | 'count'
  | 'open brace'
  | 'payload colon'
  | 'payload length'
  | 'payload brace'
  | 'payload'
  | 'close brace'
  | 'scalar'
  | 'done'
  | 'broken';

/** States that accept a single character, with the next state. */
const fixed: Partial<Record<State, [char: string, next: State]>> = {
  'count colon': [':', 'count'],
  'open brace': ['{', 'type'],
  'payload colon': [':', 'payload length'],
};

/** States that read digits up to a colon, with the next state. */
const numbers: Partial<Record<State, State>> = {
  length: 'open quote',
  count: 'open brace',
  'payload length': 'payload brace',
};

const afterColon: Record<string, State> = {
  s: 'length',
  S: 'length',
  O: 'length',
  C: 'length',
  E: 'length',
  a: 'count',
  i: 'scalar',
  b: 'scalar',
  d: 'scalar',
  R: 'scalar',
  r: 'scalar',
};

/**
 * Scans arriving session data of `session.serialize_handler` `php` or `php_serialize` for incomplete strings.
 * `SerializedReader` checks the whole format.
 */
export class SerializedScanner {
  /** The positions of the `s`, the first byte and the closing quote of each `s:` string. */
  readonly strings: { from: number; text: number; to: number }[] = [];
  #state: State;
  #at = 0;
  #depth = 0;
  /** The first characters of a session, because `a:3:{` starts an array and not a name. */
  #head = '';
  #hasNames: boolean;
  #type = '';
  #typeAt = 0;
  #textAt = 0;
  #number = 0;
  #remaining = 0;

  /** @param content `value` for one value, `session` for repeated `name|value` or an array */
  constructor(content: 'value' | 'session') {
    this.#hasNames = content === 'session';
    this.#state = this.#hasNames ? 'name' : 'type';
  }

  /** Whether a string, or the content of a `C:`, is incomplete. */
  get isInside(): boolean {
    return (this.#state === 'text' || this.#state === 'payload') && this.#remaining > 0;
  }

  /** Whether the data is complete and has a valid structure. */
  get isComplete(): boolean {
    return this.#state === 'done' || (this.#state === 'name' && this.#head === '');
  }

  feed(code: number): void {
    const state = this.#state;
    if (state === 'text' || state === 'payload') this.#skipText(code);
    else this.#state = this.#next(state, String.fromCharCode(code));
    this.#at++;
  }

  #next(state: State, char: string): State {
    const only = fixed[state];
    if (only !== undefined) {
      if (char !== only[0]) return 'broken';
      if (state === 'open brace') this.#depth++;
      return only[1];
    }
    const afterNumber = numbers[state];
    if (afterNumber !== undefined) {
      if (char === ':') return afterNumber;
      this.#number = this.#number * 10 + Number.parseInt(char, 10);
      return this.#number <= 0xffff_ffff ? state : 'broken';
    }
    switch (state) {
      case 'name':
        return this.#readName(char);
      case 'type':
        return this.#readType(char);
      case 'colon':
        this.#number = 0;
        return char === ':' ? (afterColon[this.#type] ?? 'broken') : 'broken';
      case 'open quote':
        this.#textAt = this.#at + 1;
        return char === '"' ? this.#enter('text', 'close quote') : 'broken';
      case 'close quote':
        return char === '"' ? this.#endText() : 'broken';
      case 'payload brace':
        return char === '{' ? this.#enter('payload', 'close brace') : 'broken';
      case 'close brace':
        return char === '}' ? this.#endValue() : 'broken';
      case 'semicolon':
        return char === ';' ? this.#endValue() : 'broken';
      case 'scalar':
        return char === ';' ? this.#endValue() : state;
      default:
        return 'broken';
    }
  }

  #readName(char: string): State {
    if (char === '|') {
      this.#head = '';
      return 'type';
    }
    if (this.#head.length < 16) this.#head += char;
    if (char !== '{' || this.#at !== this.#head.length - 1 || !/^a:\d+:\{$/.test(this.#head)) return 'name';
    this.#hasNames = false;
    this.#depth = 1;
    return 'type';
  }

  #readType(char: string): State {
    this.#type = char;
    this.#typeAt = this.#at;
    if (char === 'N') return 'semicolon';
    if (char !== '}' || this.#depth === 0) return 'colon';
    this.#depth--;
    return this.#endValue();
  }

  #enter(text: State, after: State): State {
    this.#remaining = this.#number;
    return this.#remaining > 0 ? text : after;
  }

  #skipText(code: number): void {
    this.#remaining--;
    // In an `S:` string, a backslash and two digits are a byte.
    if (this.#type === 'S' && code === 0x5c) this.#remaining += 2;
    if (this.#remaining === 0) this.#state = this.#state === 'text' ? 'close quote' : 'close brace';
  }

  #endText(): State {
    this.#number = 0;
    if (this.#type === 'O') return 'count colon';
    if (this.#type === 'C') return 'payload colon';
    if (this.#type === 's') this.strings.push({ from: this.#typeAt, text: this.#textAt, to: this.#at });
    return 'semicolon';
  }

  #endValue(): State {
    if (this.#depth > 0) return 'type';
    return this.#hasNames ? 'name' : 'done';
  }
}

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

/** States in which only one character is possible, and the state after it. */
const fixed: Partial<Record<State, [char: string, next: State]>> = {
  'count colon': [':', 'count'],
  'open brace': ['{', 'type'],
  'payload colon': [':', 'payload length'],
};

/** States that read digits up to a colon, and the state after that. */
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
 * Scans session data byte by byte as it arrives, in the format of `session.serialize_handler` `php` or
 * `php_serialize`, and tells whether a string is open. It checks only what it needs for that: `SerializedReader` checks
 * the whole format.
 */
export class SerializedScanner {
  /** The positions of the strings, without class names: of the `s`, of the first byte, of the closing quote. */
  readonly strings: { from: number; text: number; to: number }[] = [];
  #state: State;
  #at = 0;
  #depth = 0;
  /** The first characters of a session: `a:3:{` is an array, which has no name before it. */
  #head = '';
  #named: boolean;
  #type = '';
  #typeAt = 0;
  #textAt = 0;
  #number = 0;
  #left = 0;

  /** @param content `value`: one value; `session`: several of `name|value`, or an array */
  constructor(content: 'value' | 'session') {
    this.#named = content === 'session';
    this.#state = this.#named ? 'name' : 'type';
  }

  /** Whether a string, or the content of a `C:`, is not complete yet. */
  get inside(): boolean {
    return (this.#state === 'text' || this.#state === 'payload') && this.#left > 0;
  }

  /** Whether everything so far was valid, and nothing is left open. */
  get complete(): boolean {
    return this.#state === 'done' || (this.#state === 'name' && this.#head === '');
  }

  feed(code: number): void {
    const state = this.#state;
    if (state === 'text' || state === 'payload') this.#text(code);
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
        return this.#name(char);
      case 'type':
        return this.#typeOf(char);
      case 'colon':
        this.#number = 0;
        return char === ':' ? (afterColon[this.#type] ?? 'broken') : 'broken';
      case 'open quote':
        this.#textAt = this.#at + 1;
        return char === '"' ? this.#enter('text', 'close quote') : 'broken';
      case 'close quote':
        return char === '"' ? this.#afterText() : 'broken';
      case 'payload brace':
        return char === '{' ? this.#enter('payload', 'close brace') : 'broken';
      case 'close brace':
        return char === '}' ? this.#ended() : 'broken';
      case 'semicolon':
        return char === ';' ? this.#ended() : 'broken';
      case 'scalar':
        return char === ';' ? this.#ended() : state;
      default:
        return 'broken';
    }
  }

  #name(char: string): State {
    if (char === '|') {
      this.#head = '';
      return 'type';
    }
    if (this.#head.length < 16) this.#head += char;
    if (char !== '{' || this.#at !== this.#head.length - 1 || !/^a:\d+:\{$/.test(this.#head)) return 'name';
    this.#named = false;
    this.#depth = 1;
    return 'type';
  }

  #typeOf(char: string): State {
    this.#type = char;
    this.#typeAt = this.#at;
    if (char === 'N') return 'semicolon';
    if (char !== '}' || this.#depth === 0) return 'colon';
    this.#depth--;
    return this.#ended();
  }

  #enter(inside: State, after: State): State {
    this.#left = this.#number;
    return this.#left > 0 ? inside : after;
  }

  #text(code: number): void {
    this.#left--;
    // In an `S:` string a backslash and two digits are one byte.
    if (this.#type === 'S' && code === 0x5c) this.#left += 2;
    if (this.#left === 0) this.#state = this.#state === 'text' ? 'close quote' : 'close brace';
  }

  #afterText(): State {
    this.#number = 0;
    if (this.#type === 'O') return 'count colon';
    if (this.#type === 'C') return 'payload colon';
    if (this.#type === 's') this.strings.push({ from: this.#typeAt, text: this.#textAt, to: this.#at });
    return 'semicolon';
  }

  #ended(): State {
    if (this.#depth > 0) return 'type';
    return this.#named ? 'name' : 'done';
  }
}

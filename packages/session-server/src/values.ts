import { type Reference, SerializedReader, unescaped } from './serialized-reader.ts';

/** Sessions of real applications have fewer. Each key costs more memory than its bytes. */
const maxKeys = 10_000;
const maxKeyBytes = 1024;

/** A reference to a value in an entry, or to the session as a whole. */
interface Link {
  /** Where its digits are in the text of the entry that holds it. */
  from: number;
  to: number;
  /** Null: the session as a whole. */
  entry: Entry | null;
  /** The position of the value within that entry; 0 for the entry itself. */
  offset: number;
}

/** A value of a session, in its original bytes. */
interface Entry {
  text: string;
  /** How many values PHP counts in it. References use these numbers. */
  slots: number;
  links: Link[];
  /**
   * It refers, or may refer, to unknown values: it holds a `C:`, or a reference to a slot behind one. Its references
   * cannot be renumbered.
   */
  isUncertain: boolean;
}

interface Start {
  slot: number;
  entry: Entry | null;
}

/**
 * The values of one session, in the order in which they came. Keys, values and texts are byte strings: one character
 * per byte.
 */
export class Values {
  readonly #entries = new Map<string, Entry>();
  #links = 0;
  #hasUncertain = false;
  /** The bytes of `toString`, or a few more: counted with the longest possible beginning. */
  size = 'a:10000:{}'.length;

  /** The bytes of memory that it uses, by measurement. Many small values use far more than their text. */
  get memory(): number {
    return 2 * this.size + 160 * this.#entries.size + 120 * this.#links;
  }

  get keys(): string[] {
    return [...this.#entries.keys()];
  }

  /** @returns undefined if there is no value, or it is null; null if it is an array or an object */
  get(key: string): string | null | undefined {
    return textOf(this.#entries.get(key));
  }

  /** @returns false if the value cannot be stored; then nothing changes */
  put(key: string, value: string): boolean {
    const before = this.#entries.get(key);
    if (before === undefined && (this.#entries.size >= maxKeys || key.length > maxKeyBytes)) return false;
    if (before !== undefined && this.#isLinked(before)) return false;
    const entry = { text: `s:${value.length}:"${value}";`, slots: 1, links: [], isUncertain: false };
    this.size += entry.text.length - (before?.text.length ?? -keyText(key).length);
    // An existing key keeps its place, as in an array of PHP.
    this.#entries.set(key, entry);
    return true;
  }

  /** @returns false if another value refers, or may refer, to this one; then nothing changes */
  remove(key: string): boolean {
    const entry = this.#entries.get(key);
    if (entry === undefined) return true;
    if (this.#isLinked(entry)) return false;
    this.size -= entry.text.length + keyText(key).length;
    return this.#entries.delete(key);
  }

  has(key: string): boolean {
    return this.#entries.has(key);
  }

  /** The array as serialize() writes it. Renumbers references, since values before them may have changed. */
  toString(): string {
    const first = new Map<Entry, number>();
    // The array itself has number 1.
    let slot = 2;
    const parts: string[] = [];
    for (const [key, entry] of this.#entries) {
      first.set(entry, slot);
      slot += entry.slots;
      parts.push(keyText(key), renumbered(entry, first));
    }
    return `a:${this.#entries.size}:{${parts.join('')}}`;
  }

  /**
   * Parses an array as serialize() writes it.
   * @param rest whether something may follow the array: HTTP_SessionServer left garbage at the end of its files
   * @throws SerializedError for anything else
   */
  static parse(text: string, rest: 'rest' | 'whole' = 'whole'): Values {
    const values = new Values();
    const reader = new SerializedReader(text);
    reader.expect('a:');
    const count = reader.open();
    if (count > maxKeys) reader.fail(`at most ${maxKeys} keys`);
    reader.slots = 1;
    const starts: Start[] = [{ slot: 1, entry: null }];
    for (let n = 0; n < count; n++) {
      const key = reader.key();
      // serialize() writes no key twice, and a reference to the first of two values would refer to nothing.
      if (key.length > maxKeyBytes || values.has(key)) reader.fail('a key of its own');
      const from = reader.at;
      const slot = reader.slots + 1;
      const [seen, payloads] = [reader.references.length, reader.payloads];
      reader.value();
      const references = reader.references.slice(seen);
      const certain = references.filter((found) => found.slot <= reader.certainSlots);
      const entry: Entry = {
        text: text.slice(from, reader.at),
        slots: reader.slots - slot + 1,
        links: [],
        isUncertain: reader.payloads > payloads || certain.length < references.length,
      };
      starts.push({ slot, entry });
      entry.links = certain.map((found) => linkOf(found, from, starts));
      values.#links += entry.links.length;
      values.#hasUncertain ||= entry.isUncertain;
      values.#entries.set(key, entry);
    }
    reader.close();
    if (rest === 'whole' && reader.at !== text.length) reader.fail('the end');
    values.size += reader.at;
    return values;
  }

  /** Parses what a container has kept. HTTP_SessionServer wrote an empty file for a session that was never saved. */
  static read(data: Buffer): Values {
    if (data.length === 0) return new Values();
    try {
      return Values.parse(data.toString('latin1'), 'rest');
    } catch (error) {
      throw new Error('a saved session cannot be parsed: it is not an array as serialize() writes it', {
        cause: error,
      });
    }
  }

  /** Whether another value refers to this one, or a value behind it could not be renumbered if this one changed. */
  #isLinked(entry: Entry): boolean {
    if (this.#links === 0 && !this.#hasUncertain) return false;
    let isBehind = false;
    for (const other of this.#entries.values()) {
      if (other === entry) isBehind = true;
      else if (isBehind && other.isUncertain) return true;
      else if (other.links.some((link) => link.entry === entry)) return true;
    }
    return false;
  }
}

/** @param starts the entries of the session, each with its first slot, in rising order */
function linkOf({ from, to, slot }: Reference, base: number, starts: readonly Start[]): Link {
  let [low, high] = [0, starts.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((starts[middle] as Start).slot <= slot) low = middle;
    else high = middle - 1;
  }
  const start = starts[low] as Start;
  return { from: from - base, to: to - base, entry: start.entry, offset: slot - start.slot };
}

function renumbered(entry: Entry, first: Map<Entry, number>): string {
  let text = '';
  let at = 0;
  for (const { from, to, entry: target, offset } of entry.links) {
    text += `${entry.text.slice(at, from)}${(target === null ? 1 : (first.get(target) ?? 1)) + offset}`;
    at = to;
  }
  return text + entry.text.slice(at);
}

function textOf(entry: Entry | undefined): string | null | undefined {
  if (entry === undefined) return undefined;
  const { text } = entry;
  const open = text.indexOf('"') + 1;
  switch (text[0]) {
    case 'N':
      return undefined;
    case 's':
      return text.slice(open, -2);
    case 'S':
      return unescaped(text.slice(open, -2));
    case 'i':
    case 'd':
      return text.slice(2, -1);
    case 'b':
      // As PHP converts booleans to strings.
      return text[2] === '1' ? '1' : '';
    case 'R': {
      const [link] = entry.links;
      return link?.offset === 0 && link.entry !== null ? textOf(link.entry) : null;
    }
    default:
      return null;
  }
}

function keyText(key: string): string {
  return isInteger(key) ? `i:${key};` : `s:${key.length}:"${key}";`;
}

/** Whether PHP makes this array key an integer. */
function isInteger(key: string): boolean {
  if (!/^(0|-?[1-9]\d{0,18})$/.test(key)) return false;
  const number = BigInt(key);
  return BigInt.asIntN(64, number) === number;
}

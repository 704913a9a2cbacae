import { type Reference, SerializedReader, unescaped } from './serialized-reader.ts';

/** A limit, because a key takes more memory than its bytes. Real sessions have fewer keys. */
const maxKeys = 10_000;
const maxKeyBytes = 1024;

/** A reference to a value in an entry, or to the whole session. */
interface Link {
  /** The digits of the reference, in the text of the referring entry. */
  from: number;
  to: number;
  /** The referenced entry. Null for the whole session. */
  entry: Entry | null;
  /** The number of the value in that entry. 0 for the entry itself. */
  offset: number;
}

/** A value of a session. */
interface Entry {
  text: string;
  /** The number of values that PHP counts in the entry, for references. */
  slots: number;
  links: Link[];
  /** Whether the entry contains a `C:`, or a reference to a slot after a `C:`. Such references cannot be renumbered. */
  isUncertain: boolean;
}

interface Start {
  slot: number;
  entry: Entry | null;
}

/** The values of a session, in order and in their original bytes. Strings have a character per byte. */
export class Values {
  readonly #entries = new Map<string, Entry>();
  #links = 0;
  #hasUncertain = false;
  /** The length of `toString()`, or a few bytes more. */
  size = 'a:10000:{}'.length;

  /** A measured estimate. Many small values take far more memory than their text. */
  get memoryBytes(): number {
    return 2 * this.size + 160 * this.#entries.size + 120 * this.#links;
  }

  get keys(): string[] {
    return [...this.#entries.keys()];
  }

  /** Returns a value as text. @returns undefined for null or a missing value, null for an array or an object */
  get(key: string): string | null | undefined {
    return toText(this.#entries.get(key));
  }

  /** Stores a string. @returns false if the value cannot be stored */
  put(key: string, value: string): boolean {
    const before = this.#entries.get(key);
    if (before === undefined && (this.#entries.size >= maxKeys || key.length > maxKeyBytes)) return false;
    if (before !== undefined && this.#isLinked(before)) return false;
    const entry = { text: `s:${value.length}:"${value}";`, slots: 1, links: [], isUncertain: false };
    this.size += entry.text.length - (before?.text.length ?? -toKey(key).length);
    // An existing key keeps its position, as in PHP.
    this.#entries.set(key, entry);
    return true;
  }

  /** Removes a value. @returns false if another value may refer to the value, which then stays */
  remove(key: string): boolean {
    const entry = this.#entries.get(key);
    if (entry === undefined) return true;
    if (this.#isLinked(entry)) return false;
    this.size -= entry.text.length + toKey(key).length;
    return this.#entries.delete(key);
  }

  has(key: string): boolean {
    return this.#entries.has(key);
  }

  /** Returns the output of serialize(). Renumbers references, because values before them may have changed. */
  toString(): string {
    const firstSlot = new Map<Entry, number>();
    // The array has number 1.
    let slot = 2;
    const parts: string[] = [];
    for (const [key, entry] of this.#entries) {
      firstSlot.set(entry, slot);
      slot += entry.slots;
      parts.push(toKey(key), renumberLinks(entry, firstSlot));
    }
    return `a:${this.#entries.size}:{${parts.join('')}}`;
  }

  /**
   * Parses a serialized array.
   * @param rest `rest` ignores text after the array, because HTTP_SessionServer left garbage at the end of its files
   * @throws SerializedError
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
      // serialize() does not repeat keys. A reference to the first of two values would be lost.
      if (key.length > maxKeyBytes || values.has(key)) reader.fail('a unique key');
      const from = reader.at;
      const slot = reader.slots + 1;
      const [referenceCount, payloads] = [reader.references.length, reader.payloads];
      reader.value();
      const references = reader.references.slice(referenceCount);
      const certain = references.filter(({ slot }) => slot <= reader.certainSlots);
      const entry: Entry = {
        text: text.slice(from, reader.at),
        slots: reader.slots - slot + 1,
        links: [],
        isUncertain: reader.payloads > payloads || certain.length < references.length,
      };
      starts.push({ slot, entry });
      entry.links = certain.map((reference) => toLink(reference, from, starts));
      values.#links += entry.links.length;
      values.#hasUncertain ||= entry.isUncertain;
      values.#entries.set(key, entry);
    }
    reader.close();
    if (rest === 'whole' && reader.at !== text.length) reader.fail('the end');
    values.size += reader.at;
    return values;
  }

  /** Parses a saved session. HTTP_SessionServer wrote an empty file for a session that was never saved. */
  static read(data: Buffer): Values {
    if (data.length === 0) return new Values();
    try {
      return Values.parse(data.toString('latin1'), 'rest');
    } catch (error) {
      throw new Error(
        'a saved session cannot be parsed, because it is not an array in the format of serialize()',
        {
          cause: error,
        },
      );
    }
  }

  /** Whether another value refers to the entry, or a later value cannot be renumbered if the entry changes. */
  #isLinked(entry: Entry): boolean {
    if (this.#links === 0 && !this.#hasUncertain) return false;
    let isAfterEntry = false;
    for (const other of this.#entries.values()) {
      if (other === entry) isAfterEntry = true;
      else if (isAfterEntry && other.isUncertain) return true;
      else if (other.links.some((link) => link.entry === entry)) return true;
    }
    return false;
  }
}

/**
 * Converts a reference to a link to the entry that contains its slot.
 * @param starts the entries of the session in order, with their first slots
 */
function toLink({ from, to, slot }: Reference, base: number, starts: readonly Start[]): Link {
  let [low, high] = [0, starts.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((starts[middle] as Start).slot <= slot) low = middle;
    else high = middle - 1;
  }
  const start = starts[low] as Start;
  return { from: from - base, to: to - base, entry: start.entry, offset: slot - start.slot };
}

function renumberLinks(entry: Entry, firstSlot: Map<Entry, number>): string {
  let text = '';
  let at = 0;
  for (const { from, to, entry: target, offset } of entry.links) {
    text += `${entry.text.slice(at, from)}${(target === null ? 1 : (firstSlot.get(target) ?? 1)) + offset}`;
    at = to;
  }
  return text + entry.text.slice(at);
}

function toText(entry: Entry | undefined): string | null | undefined {
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
      // PHP converts booleans to these strings.
      return text[2] === '1' ? '1' : '';
    case 'R': {
      const [link] = entry.links;
      return link?.offset === 0 && link.entry !== null ? toText(link.entry) : null;
    }
    default:
      return null;
  }
}

function toKey(key: string): string {
  return isInteger(key) ? `i:${key};` : `s:${key.length}:"${key}";`;
}

/** Whether PHP stores this array key as an integer. */
function isInteger(key: string): boolean {
  if (!/^(0|-?[1-9]\d{0,18})$/.test(key)) return false;
  const number = BigInt(key);
  return BigInt.asIntN(64, number) === number;
}

import { rmSync } from 'node:fs';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { addTerms } from '../terms.ts';
import {
  currentGeneration,
  type IndexState,
  indexOf,
  indexTables,
  isContinued,
  stateOf,
} from './index-state.ts';
import { isFull } from './protocol.ts';

/**
 * Messages of a room whose bits stand in one number. A block has its rows beside each other, so that a message changes few
 * pages of the file.
 */
const blockSize = 32;
const blockOf = (seq: number): number => Math.floor((seq - 1) / blockSize);
const bitOf = (seq: number): number => 1 << ((seq - 1) % blockSize);

/** So many blocks one look for a candidate goes through. Then others have their turn. */
const mostBlocks = 128;

/**
 * The index for searching, in a file of its own beside the history. It says which messages of a room have all terms of a
 * query. It is made from the history alone, and made again when it is damaged or belongs to another copy of the history.
 */
export class SearchIndex {
  readonly db: DatabaseSync;
  readonly #statements: {
    set: StatementSync;
    clear: StatementSync;
    drop: StatementSync;
    setState: StatementSync;
    messages: StatementSync;
  };
  readonly #generation: string;
  #state: IndexState;

  /** On a full disk the index is made in memory: the server then starts, though searches take longer. */
  static open(history: DatabaseSync, path: string): SearchIndex {
    const file = indexOf(path);
    try {
      return new SearchIndex(history, file);
    } catch (error) {
      if (isFull(error)) return new SearchIndex(history, ':memory:');
    }
    try {
      for (const rest of ['', '-journal']) rmSync(`${file}${rest}`, { force: true });
      return new SearchIndex(history, file);
    } catch {
      return new SearchIndex(history, ':memory:');
    }
  }

  /** @throws Error when the index is damaged, or was not made from this history */
  private constructor(history: DatabaseSync, file: string) {
    this.db = new DatabaseSync(file);
    try {
      // One thread alone reads and writes it, so that it needs no WAL, which would take room on the history's disk.
      this.db.exec('PRAGMA journal_mode = TRUNCATE');
      // Losing the last steps costs nothing: they are taken again.
      this.db.exec('PRAGMA synchronous = NORMAL');
      this.db.exec('PRAGMA secure_delete = ON');
      this.#generation = currentGeneration(history);
      if (this.db.prepare('SELECT 1 FROM sqlite_master').get() === undefined) {
        this.db.exec('BEGIN IMMEDIATE');
        for (const table of Object.values(indexTables)) this.db.exec(`CREATE TABLE ${table}`);
        this.db.prepare('INSERT INTO state VALUES (?, 0, 0)').run(this.#generation);
        this.db.exec('COMMIT');
      }
      const state = stateOf(this.db);
      if (state === undefined) throw new Error('the index is of another form');
      if (!isContinued(history, state)) throw new Error('the index is of another history');
      this.#state = state;
      this.#statements = {
        set: this.db.prepare(
          `INSERT INTO terms (room, block, term, messages) VALUES (?, ?, ?, ?)
           ON CONFLICT DO UPDATE SET messages = messages | excluded.messages`,
        ),
        clear: this.db.prepare(
          'UPDATE terms SET messages = messages & ~? WHERE room = ? AND block = ? AND term = ?',
        ),
        drop: this.db.prepare('DELETE FROM terms WHERE room = ? AND block = ? AND term = ? AND messages = 0'),
        setState: this.db.prepare('UPDATE state SET generation = ?, message = ?, change = ?'),
        messages: this.db.prepare('SELECT messages FROM terms WHERE room = ? AND block = ? AND term = ?'),
      };
    } catch (error) {
      this.db.close();
      throw error;
    }
  }

  /** The newest message that the index has taken in. */
  get message(): number {
    return this.#state.message;
  }

  /** The newest row of former_texts that it has followed. */
  get change(): number {
    return this.#state.change;
  }

  /** Takes in what has changed, and that it has followed so far: both or neither. */
  follow(changes: TextChanges, message: number, change: number): void {
    const { set, clear, drop, setState } = this.#statements;
    const state = { generation: this.#generation, message, change };
    this.db.exec('BEGIN IMMEDIATE');
    try {
      for (const { room, block, added, removed } of changes.blocks()) {
        for (const [term, bits] of removed) {
          clear.run(bits, room, block, term);
          drop.run(room, block, term);
        }
        for (const [term, bits] of added) set.run(room, block, term, bits);
      }
      setState.run(state.generation, message, change);
      this.db.exec('COMMIT');
    } catch (error) {
      if (this.db.isTransaction) this.db.exec('ROLLBACK');
      throw error;
    }
    this.#state = state;
  }

  /**
   * The newest message of the room, from `upTo` down to `first`, that has all these terms. `seq` undefined: there is none
   * down to `left`, below which the next look goes on. `rows`: how many of the index it took.
   */
  candidate(
    room: number,
    terms: readonly number[],
    first: number,
    upTo: number,
  ): { seq?: number; left: number; rows: number } {
    let rows = 0;
    const newest = blockOf(upTo);
    const oldest = Math.max(blockOf(first), newest - mostBlocks + 1);
    for (let block = newest; block >= oldest; block--) {
      const last = (block + 1) * blockSize;
      let bits = upTo < last ? -1 >>> (last - upTo) : -1;
      for (const term of terms) {
        rows++;
        bits &= (this.#statements.messages.get(room, block, term)?.messages as number | undefined) ?? 0;
        if (bits === 0) break;
      }
      const seq = last - Math.clz32(bits);
      if (bits !== 0 && seq >= first) return { seq, left: seq, rows };
    }
    return { left: Math.max(first, oldest * blockSize + 1), rows };
  }

  close(): void {
    this.db.close();
  }
}

interface ChangedBlock {
  room: number;
  block: number;
  /** Terms, and the bits of the messages that have them now, or no longer. */
  added: Map<number, number>;
  removed: Map<number, number>;
}

/** What changes in the index, gathered by blocks: messages that are taken in together have most terms in common. */
export class TextChanges {
  readonly #blocks = new Map<string, ChangedBlock>();

  /** The text that the index holds of a message, and the one that it is to hold. */
  note(room: number, seq: number, before: string, now: string): void {
    const [old, fresh] = [termsOf(before), termsOf(now)];
    const { added, removed } = this.#block(room, blockOf(seq));
    const bit = bitOf(seq);
    for (const term of old) if (!fresh.has(term)) removed.set(term, (removed.get(term) ?? 0) | bit);
    for (const term of fresh) added.set(term, (added.get(term) ?? 0) | bit);
  }

  blocks(): Iterable<ChangedBlock> {
    return this.#blocks.values();
  }

  #block(room: number, block: number): ChangedBlock {
    const key = `${room} ${block}`;
    const known = this.#blocks.get(key);
    if (known !== undefined) return known;
    const made: ChangedBlock = { room, block, added: new Map(), removed: new Map() };
    this.#blocks.set(key, made);
    return made;
  }
}

function termsOf(text: string): Set<number> {
  const terms = new Set<number>();
  addTerms(terms, text);
  return terms;
}

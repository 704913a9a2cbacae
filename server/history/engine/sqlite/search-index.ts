import { rmSync } from 'node:fs';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { addTerms, type Indexed, nothingIndexed, termsVersion } from '../terms.ts';
import { isFull } from './errors.ts';
import {
  currentGeneration,
  type IndexState,
  indexOf,
  indexTables,
  isContinued,
  stateOf,
} from './index-state.ts';

/**
 * Messages in a block, and blocks in a group. A row of the index has one bit for each of them. The rows of a block are
 * adjacent, so a message changes few pages of the file. The row of a group rules out 1,024 messages at once.
 */
const bitsPerNumber = 32;
const blockOf = (seq: number): number => Math.floor((seq - 1) / bitsPerNumber);
const groupOf = (block: number): number => Math.floor(block / bitsPerNumber);
const bitOf = (seq: number): number => 1 << ((seq - 1) % bitsPerNumber);
const blockBitOf = (block: number): number => 1 << (block % bitsPerNumber);
/** Returns the bits from 0 up to `bit`. */
const bitsUpTo = (bit: number): number => -1 >>> (bitsPerNumber - 1 - bit);

/**
 * A search for a candidate stops after this many rows, at the end of a group, so that other rooms have their turn.
 */
const maxRows = 128;

/**
 * The search index, in its own file next to the history. It finds the messages of a room that have all terms of a
 * query. It is built from the history, and rebuilt if it is damaged or belongs to another copy of the history.
 */
export class SearchIndex {
  readonly db: DatabaseSync;
  /** Whether the index is being built, so that searches take longer until it reaches the end of the history. */
  isRenewing = false;
  readonly #statements: {
    set: StatementSync;
    add: StatementSync;
    clear: StatementSync;
    drop: StatementSync;
    messages: StatementSync;
    setBlock: StatementSync;
    clearBlock: StatementSync;
    dropGroup: StatementSync;
    blocks: StatementSync;
    addTimes: StatementSync;
    dropTimes: StatementSync;
    groupInTimes: StatementSync;
    setState: StatementSync;
  };
  readonly #generation: string;
  #state: IndexState;

  /** Opens the index. If its file cannot be used, such as on a full disk, the index is built in memory. */
  static open(history: DatabaseSync, path: string): SearchIndex {
    const file = indexOf(path);
    try {
      return new SearchIndex(history, file);
    } catch (error) {
      if (isFull(error)) return new SearchIndex(history, ':memory:');
    }
    try {
      for (const rest of ['', '-journal']) rmSync(`${file}${rest}`, { force: true });
      const renewed = new SearchIndex(history, file);
      renewed.isRenewing = true;
      return renewed;
    } catch {
      return new SearchIndex(history, ':memory:');
    }
  }

  /** @throws Error if the index is damaged, or was built from another history */
  private constructor(history: DatabaseSync, file: string) {
    this.db = new DatabaseSync(file);
    try {
      // A single thread uses it, so it needs no WAL, which would take space on the history's disk.
      this.db.exec('PRAGMA journal_mode = TRUNCATE');
      // Losing the last steps is harmless, because they are repeated.
      this.db.exec('PRAGMA synchronous = NORMAL');
      this.db.exec('PRAGMA secure_delete = ON');
      // 16 MB. Each message changes the newest rows of its room; with hundreds of rooms these are several MB.
      this.db.exec('PRAGMA cache_size = -16000');
      this.#generation = currentGeneration(history);
      if (this.db.prepare('SELECT 1 FROM sqlite_master').get() === undefined) {
        this.db.exec('BEGIN IMMEDIATE');
        for (const table of Object.values(indexTables)) this.db.exec(`CREATE TABLE ${table}`);
        this.db.prepare('INSERT INTO state VALUES (?, 0, 0, ?)').run(this.#generation, termsVersion);
        this.db.exec('COMMIT');
      }
      const state = stateOf(this.db);
      if (state === undefined) throw new Error('the index has another schema, or terms of another version');
      if (!isContinued(history, state)) throw new Error('the index belongs to another history');
      this.#state = state;
      this.#statements = {
        set: this.db.prepare(
          'UPDATE terms SET messages = messages | ? WHERE room = ? AND block = ? AND term = ?',
        ),
        add: this.db.prepare('INSERT INTO terms (messages, room, block, term) VALUES (?, ?, ?, ?)'),
        clear: this.db.prepare(
          'UPDATE terms SET messages = messages & ~? WHERE room = ? AND block = ? AND term = ?',
        ),
        drop: this.db.prepare('DELETE FROM terms WHERE room = ? AND block = ? AND term = ? AND messages = 0'),
        messages: this.db.prepare(
          'SELECT messages AS bits FROM terms WHERE room = ? AND block = ? AND term = ?',
        ),
        setBlock: this.db.prepare(
          `INSERT INTO block_terms (room, block_group, term, blocks) VALUES (?, ?, ?, ?)
           ON CONFLICT DO UPDATE SET blocks = blocks | excluded.blocks`,
        ),
        clearBlock: this.db.prepare(
          'UPDATE block_terms SET blocks = blocks & ~? WHERE room = ? AND block_group = ? AND term = ?',
        ),
        dropGroup: this.db.prepare(
          'DELETE FROM block_terms WHERE room = ? AND block_group = ? AND term = ? AND blocks = 0',
        ),
        blocks: this.db.prepare(
          'SELECT blocks AS bits FROM block_terms WHERE room = ? AND block_group = ? AND term = ?',
        ),
        addTimes: this.db.prepare(
          `INSERT INTO group_times (room, block_group, first_at, last_at) VALUES (?, ?, ?, ?)
           ON CONFLICT DO UPDATE SET first_at = min(first_at, excluded.first_at), last_at = max(last_at, excluded.last_at)`,
        ),
        dropTimes: this.db.prepare(
          `DELETE FROM group_times WHERE room = ?1 AND block_group = ?2
           AND NOT EXISTS (SELECT 1 FROM block_terms WHERE room = ?1 AND block_group = ?2)`,
        ),
        groupInTimes: this.db.prepare(
          `SELECT block_group AS found FROM group_times WHERE room = ? AND block_group BETWEEN ? AND ?
           AND last_at >= ? AND first_at < ? ORDER BY block_group DESC LIMIT 1`,
        ),
        setState: this.db.prepare('UPDATE state SET generation = ?, message = ?, change = ?'),
      };
    } catch (error) {
      this.db.close();
      throw error;
    }
  }

  /** The newest message in the index. */
  get message(): number {
    return this.#state.message;
  }

  /** The newest row of `former_texts` that the index has applied. */
  get change(): number {
    return this.#state.change;
  }

  /** Applies changes and records the new state, in one transaction. */
  follow(changes: TextChanges, message: number, change: number): void {
    const { setState } = this.#statements;
    const state = { generation: this.#generation, message, change };
    this.db.exec('BEGIN IMMEDIATE');
    try {
      for (const { room, block, added, removed, times } of changes.blocks()) {
        for (const [term, bits] of removed) this.#remove(room, block, term, bits);
        for (const [term, bits] of added) this.#add(room, block, term, bits);
        if (times.length > 0)
          this.#statements.addTimes.run(room, groupOf(block), Math.min(...times), Math.max(...times));
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
   * Returns the newest `seq` of the room from `upTo` down to `first` that may be of a message sent at `from` or later,
   * and before `before`. Undefined if there is none.
   */
  newestIn(
    room: number,
    first: number,
    upTo: number,
    { from, before }: { from: number; before: number },
  ): number | undefined {
    const [oldest, newest] = [groupOf(blockOf(first)), groupOf(blockOf(upTo))];
    const row = this.#statements.groupInTimes.get(room, oldest, newest, from, before);
    return row && Math.min(upTo, ((row.found as number) + 1) * bitsPerNumber * bitsPerNumber);
  }

  /**
   * Finds the newest message of the room from `upTo` down to `first` that has all terms, and returns it as `seq`. If
   * `seq` is undefined, no message down to `left` has them, and the next search continues below `left`. `rows` counts
   * the index rows read.
   */
  candidate(
    room: number,
    terms: readonly number[],
    first: number,
    upTo: number,
  ): { seq?: number; left: number; rows: number } {
    const counter = { rows: 0 };
    const newest = blockOf(upTo);
    const oldest = blockOf(first);
    for (let group = groupOf(newest); group >= groupOf(oldest); group--) {
      let blocks = this.#common(this.#statements.blocks, room, group, terms, counter);
      if (group === groupOf(newest)) blocks &= bitsUpTo(newest % bitsPerNumber);
      while (blocks !== 0) {
        const bit = bitsPerNumber - 1 - Math.clz32(blocks);
        blocks &= ~(1 << bit);
        const block = group * bitsPerNumber + bit;
        let messages = this.#common(this.#statements.messages, room, block, terms, counter);
        if (block === newest) messages &= bitsUpTo((upTo - 1) % bitsPerNumber);
        const seq = (block + 1) * bitsPerNumber - Math.clz32(messages);
        if (messages !== 0 && seq >= first) return { seq, left: seq, ...counter };
      }
      const left = group * bitsPerNumber * bitsPerNumber + 1;
      if (counter.rows >= maxRows && left > first) return { left, ...counter };
    }
    return { left: first, ...counter };
  }

  /** Returns the bits that all terms have in common. */
  #common(
    bitsOf: StatementSync,
    room: number,
    place: number,
    terms: readonly number[],
    counter: { rows: number },
  ): number {
    let common = -1;
    for (const term of terms) {
      counter.rows++;
      common &= (bitsOf.get(room, place, term)?.bits as number | undefined) ?? 0;
      if (common === 0) break;
    }
    return common;
  }

  #add(room: number, block: number, term: number, messages: number): void {
    const { set, add, setBlock } = this.#statements;
    if (set.run(messages, room, block, term).changes > 0) return;
    add.run(messages, room, block, term);
    setBlock.run(room, groupOf(block), term, blockBitOf(block));
  }

  #remove(room: number, block: number, term: number, messages: number): void {
    const { clear, drop, clearBlock, dropGroup, dropTimes } = this.#statements;
    clear.run(messages, room, block, term);
    if (drop.run(room, block, term).changes === 0) return;
    clearBlock.run(blockBitOf(block), room, groupOf(block), term);
    // Each message has terms, at least that of its author.
    if (dropGroup.run(room, groupOf(block), term).changes > 0) dropTimes.run(room, groupOf(block));
  }

  close(): void {
    this.db.close();
  }
}

interface ChangedBlock {
  room: number;
  block: number;
  /** Terms, and the bits of the messages that gained or lost them. */
  added: Map<number, number>;
  removed: Map<number, number>;
  /** When its new messages were sent, as Unix ms. */
  times: number[];
}

/** Changes of the index, grouped by block, because messages of a block share most terms. */
export class TextChanges {
  readonly #blocks = new Map<string, ChangedBlock>();

  /** Records a changed message: `before` is in the index, `now` must replace it. */
  note(room: number, seq: number, before: Indexed, now: Indexed): void {
    const [old, fresh] = [termsOf(before), termsOf(now)];
    const { added, removed } = this.#block(room, blockOf(seq));
    const bit = bitOf(seq);
    for (const term of old) if (!fresh.has(term)) removed.set(term, (removed.get(term) ?? 0) | bit);
    for (const term of fresh) added.set(term, (added.get(term) ?? 0) | bit);
  }

  /** Records a new message. */
  noteNew(room: number, seq: number, now: Indexed, at: number): void {
    this.note(room, seq, nothingIndexed, now);
    if (now.author !== '') this.#block(room, blockOf(seq)).times.push(at);
  }

  blocks(): Iterable<ChangedBlock> {
    return this.#blocks.values();
  }

  #block(room: number, block: number): ChangedBlock {
    const key = `${room} ${block}`;
    const known = this.#blocks.get(key);
    if (known !== undefined) return known;
    const changed: ChangedBlock = { room, block, added: new Map(), removed: new Map(), times: [] };
    this.#blocks.set(key, changed);
    return changed;
  }
}

function termsOf(message: Indexed): Set<number> {
  const terms = new Set<number>();
  addTerms(terms, message);
  return terms;
}

import { createHmac } from 'node:crypto';
import type { Change } from '../records/changes.ts';
import type { ColumnName, Row, Value } from '../records/columns.ts';
import type { StoredMessage } from '../records/message.ts';
import type { RoomRow } from '../records/room.ts';
import { type Asking, type Dialect, raw, type Sql, sql } from './dialect.ts';
import type { Kept } from './kept.ts';
import { keyOf, rowFrom, type Table, valuesOf } from './table.ts';
import type { Transaction } from './transaction.ts';

/** The context in which operations run. */
export interface WriteContext {
  readonly dialect: Dialect;
  readonly transaction: Transaction;
  readonly subjects: Subjects;
  /** The rows cached between transactions. Only for a database that no other process writes to. */
  readonly kept?: Kept;
}

/** Writes changes of a transaction. */
export type Store = (context: WriteContext, work: Work) => Asking<void> | undefined;

/** What a subject does within the operations of others. */
export interface Hooks {
  /** Called after a new message, with the room before it. */
  onMessage?(work: Work, room: RoomRow, message: StoredMessage, changes: Change[]): void;
  /** Called when a room is deleted. */
  onRemoval?(work: Work, room: RoomRow): void;
  /** Called when a user is erased, for each room of which the user was a member. */
  onErasure?(work: Work, erased: { room: string; user: string; at: number }, changes: Change[]): void;
}

/** What the subjects register with the engine. */
export interface Subjects {
  readonly tables: readonly Table[];
  readonly rules: Readonly<Record<string, Operation>>;
  /** Returns further needs of a room that was just locked. */
  needsOfRoom(work: Work, id: string): readonly Need[];
  /** They run in this order, before the generic tables are written. */
  readonly stores: readonly Store[];
  readonly hooks: readonly Hooks[];
  /** Caches rows for the next transaction: see `Kept`. */
  keep(work: Work, kept: Kept): void;
}

/**
 * The rule of an operation. It checks everything before it changes anything, so a rule that throws has changed
 * nothing.
 */
export interface Operation<Input = never, Output = unknown> {
  /**
   * Returns the data to preload, as far as the input determines it, so that a transaction loads the data of all its
   * operations together. The rule may request more, which costs a statement and another run of the rule.
   */
  needs(input: Input): readonly Need[];
  run(work: Work, input: Input, changes: Change[]): Output;
  /**
   * Whether the operation adds data, so that SQLite rejects it when the disk is nearly full. Other operations are small
   * or free space. An operation that does not fit into the reserve fails without an effect.
   */
  readonly adds?: true;
  /** Runs in its own transaction, so its loaders see the current data. */
  readonly alone?: true;
}

/**
 * Loads one kind of data. The needs of all operations in a transaction are loaded together: `find` runs first, then
 * the rooms are locked, then all other data is read in one round trip.
 */
export interface Loader<Of extends object> {
  readonly name: string;
  /** Finds further needs before any room is locked. */
  find?(context: WriteContext, work: Work, needs: readonly Of[]): Asking<readonly Need[]>;
  /** Returns further needs once the rooms are locked. */
  follow?(work: Work, needs: readonly Of[]): readonly Need[];
  ask?(context: WriteContext, work: Work, needs: readonly Of[]): readonly Query[];
  /** Runs queries that depend on the results of `ask`. */
  finish?(context: WriteContext, work: Work, needs: readonly Of[]): Asking<void>;
}

/** Data that a rule needs. If `of` has a field `room`, the room with that ID is locked. */
export interface Need {
  readonly loader: Loader<object>;
  readonly of: object;
}

export const needOf = <Of extends object>(loader: Loader<Of>, of: Of): Need => ({ loader, of });

/** A statement and the handler of its rows. */
export interface Query {
  sql: Sql;
  take(rows: Row[]): void;
}

/** A loader of single values, as stored before the transaction. */
export interface ValueLoader<Of extends object, _Value> extends Loader<Of> {
  /** Absent if the loader has a single value. */
  keyOf?(of: Of): string;
}

const valueKey = <Of extends object>({ keyOf }: ValueLoader<Of, unknown>, of: Of): string =>
  keyOf?.(of) ?? '';

/**
 * Creates a loader whose values are each read by one statement about a room.
 * @param how.none the value if the room does not exist in the database
 */
export function roomValueLoader<Of extends { room: string }, Value>(
  name: string,
  how: {
    keyOf(of: Of): string;
    select(room: StoredRoom, of: Of, dialect: Dialect): Sql;
    value(rows: readonly Row[], of: Of): Value;
    none: Value;
  },
): ValueLoader<Of, Value> {
  const loader: ValueLoader<Of, Value> = {
    name,
    keyOf: how.keyOf,
    ask: ({ dialect }, work, needs) =>
      needs.flatMap((need): Query[] => {
        const room = storedRoom(work, need.room);
        if (room !== undefined) {
          const take = (rows: Row[]) => work.keep(loader, need, how.value(rows, need));
          return [{ sql: how.select(room, need, dialect), take }];
        }
        work.keep(loader, need, how.none);
        return [];
      }),
  };
  return loader;
}

/** Thrown in a rule that reads data before it is loaded. The data is then loaded, and the rule runs again. */
export class Missing extends Error {
  readonly need: Need;

  constructor(need: Need) {
    super(`${need.loader.name} is not loaded`);
    this.need = need;
  }
}

/** Throws `Missing` for this need. */
export function missing<Of extends object>(loader: Loader<Of>, of: Of): never {
  throw new Missing(needOf(loader, of));
}

/** Thrown to stop a rule that is only probed: see `History.probe`. */
export const wouldChange = new Error('the write would change something');

/** A room that this transaction has locked. */
export interface LoadedRoom {
  /** Undefined for a room that this transaction creates. */
  num: number | undefined;
  row: RoomRow;
  /** The row in the database. Undefined for a new room. */
  stored: RoomRow | undefined;
  /** The state of each subject, keyed by the function that creates it. */
  readonly parts: Map<() => unknown, unknown>;
}

/** A room that exists in the database. */
export type StoredRoom = LoadedRoom & { num: number };

/** Returns a subject's state of a room. @param make creates the state, and is its key */
export function partOf<State>({ parts }: LoadedRoom, make: () => State): State {
  return stateIn(parts, make);
}

/**
 * A row of a table; `null` if it is removed. `stored` is the row in the database, undefined if unknown. It is `null`
 * if the room was deleted, because its rows are deleted with it.
 */
interface LoadedRow {
  row: object | null;
  /** An object with at least the key fields of the row. */
  key: object;
  stored: object | null | undefined;
}

/** Whether the transaction changed a value. */
export const isChanged = <Stored>({ row, stored }: { row: Stored; stored: Stored | undefined }): boolean =>
  row !== stored;

/**
 * The loaded data of a transaction, and its changes. Rules read and write it synchronously. Reading data that is not
 * loaded throws `Missing`, and the rule's changes are undone.
 */
export class Work {
  /** `null` if the room does not exist. */
  readonly rooms = new Map<string, LoadedRoom | null>();
  /** The numbers of rooms that the transaction deletes. */
  readonly deletedRooms: number[] = [];
  readonly tables = new Map<Table, Map<string, LoadedRow>>();
  /** Keys of the row queries that are loaded: see `rows`. */
  readonly askedRows = new Set<string>();
  /** Statements that run after all other writes. */
  readonly lateStatements: ((dialect: Dialect) => Sql)[] = [];
  readonly #parts = new Map<() => unknown, unknown>();
  readonly #values = new Map<object, Map<string, unknown>>();
  readonly subjects: Subjects;
  readonly #digestKey: Uint8Array;
  #undo: (() => void)[] = [];
  #priorChanges = 0;
  #probing = false;

  constructor(subjects: Subjects, digestKey: Uint8Array) {
    this.subjects = subjects;
    this.#digestKey = digestKey;
  }

  /**
   * Starts an operation, whose changes can be undone. @param probing the first change throws `wouldChange` instead
   */
  begin(probing = false): void {
    this.#probing = probing;
    this.#priorChanges += this.#undo.length;
    this.#undo = [];
  }

  /** The number of changes so far. */
  get changes(): number {
    return this.#priorChanges + this.#undo.length;
  }

  /** Undoes the changes since `begin`. */
  undo(): void {
    for (const step of this.#undo.splice(0).reverse()) step();
  }

  /** Returns the state of a subject. @param make creates the state, and is its key */
  part<State>(make: () => State): State {
    return stateIn(this.#parts, make);
  }

  /** Returns the loaded values of a loader, by its `keyOf`. */
  valuesOf<Of extends object, Value>(loader: ValueLoader<Of, Value>): Map<string, Value> {
    const known = this.#values.get(loader);
    if (known !== undefined) return known as Map<string, Value>;
    const values = new Map<string, Value>();
    this.#values.set(loader, values);
    return values;
  }

  value<Of extends object, Value>(loader: ValueLoader<Of, Value>, of: Of): Value {
    if (!this.valuesOf(loader).has(valueKey(loader, of))) missing(loader, of);
    return this.known(loader, of) as Value;
  }

  /** Like `value`, but returns undefined if the value is not loaded. */
  known<Of extends object, Value>(loader: ValueLoader<Of, Value>, of: Of): Value | undefined {
    return this.valuesOf(loader).get(valueKey(loader, of));
  }

  /** Stores a loaded value. */
  keep<Of extends object, Value>(loader: ValueLoader<Of, Value>, of: Of, value: Value): void {
    this.valuesOf(loader).set(valueKey(loader, of), value);
  }

  /** Returns the loaded rows of a table, by key. */
  rowsOf(table: Table): Map<string, LoadedRow> {
    const known = this.tables.get(table);
    if (known !== undefined) return known;
    const rows = new Map<string, LoadedRow>();
    this.tables.set(table, rows);
    return rows;
  }

  /** Returns the rows of a table whose fields equal `where`. @throws Missing if they are not loaded */
  find<Of extends object>(table: Table<Of>, where: Partial<Of>): Of[] {
    if (!this.askedRows.has(rowsKey({ table, where }))) missing(rowsLoader, { table, where });
    const rows = this.rowsOf(table);
    const fields = Object.keys(where);
    if (table.key.every((field) => field in where)) {
      const row = rows.get(keyOf(where, table.key))?.row;
      return row ? [row as Of] : [];
    }
    const wanted = keyOf(where, fields);
    return [...rows.values()].flatMap(({ row }) =>
      row !== null && keyOf(row, fields) === wanted ? [row as Of] : [],
    );
  }

  put<Of extends object>(table: Table<Of>, row: Of): void {
    this.#putRow(table, row, row);
  }

  /** Removes a row. @param key at least the key fields of the row */
  remove<Of extends object>(table: Table<Of>, key: Partial<Of>): void {
    this.#putRow(table, key, null);
  }

  #putRow(table: Table, key: object, row: object | null): void {
    const rows = this.rowsOf(table);
    const id = keyOf(key, table.key);
    this.set(rows, id, { row, key, stored: rows.get(id)?.stored });
  }

  /** Adds a statement to the end of the transaction. */
  later(statement: (dialect: Dialect) => Sql): void {
    this.change(() => this.lateStatements.pop());
    this.lateStatements.push(statement);
  }

  add<Entry>(set: Set<Entry>, entry: Entry): void {
    if (set.has(entry)) return;
    this.change(() => set.delete(entry));
    set.add(entry);
  }

  set<Key, Entry>(map: Map<Key, Entry>, key: Key, entry: Entry): void {
    const had = map.has(key);
    const before = map.get(key) as Entry;
    this.change(() => {
      if (had) map.set(key, before);
      else map.delete(key);
    });
    map.set(key, entry);
  }

  /** Records how to undo the next change. @throws wouldChange in a probe */
  change(undo: () => void): void {
    if (this.#probing) throw wouldChange;
    this.#undo.push(undo);
  }

  /** Returns the keyed digest of a text. */
  digest(text: string): string {
    return createHmac('sha256', this.#digestKey).update(text).digest('hex');
  }
}

function stateIn<State>(parts: Map<() => unknown, unknown>, make: () => State): State {
  const known = parts.get(make);
  if (known !== undefined) return known as State;
  const state = make();
  parts.set(make, state);
  return state;
}

interface Wanted {
  table: Table;
  where: object;
}

/** Returns the need for the rows of a table whose fields equal `where`. */
export const rows = <Of extends object>(table: Table<Of>, where: Partial<Of>): Need =>
  needOf(rowsLoader, { table, where });

/** Returns a text that is equal for equal queries. */
const rowsKey = ({ table: { name }, where }: Wanted) =>
  `${name} ${JSON.stringify(Object.entries(where).sort())}`;

const rowsLoader: Loader<Wanted> = {
  name: 'rows',
  ask({ dialect }, work, needs) {
    const unknown = needs.filter((need) => !work.askedRows.has(rowsKey(need)));
    const shapeOf = ({ table, where }: Wanted) => `${table.name} ${Object.keys(where).sort()}`;
    return [...Map.groupBy(unknown, shapeOf).values()].flatMap((some): Query[] => {
      const { table, where } = some[0] as Wanted;
      const fields = Object.keys(where).sort();
      const wanted = new Map(some.map((one) => [rowsKey(one), one.where]));
      const values: Value[][] = [];
      for (const [key, one] of wanted) {
        work.askedRows.add(key);
        const num = 'room' in one ? storedRoom(work, one.room as string)?.num : 0;
        if (num !== undefined) values.push(valuesOf(one, fields, num));
      }
      if (values.length === 0) return [];
      const columns = raw(Object.values(table.columns).join(', '));
      const which = dialect.each(
        fields.map((field) => table.columns[field] as ColumnName),
        values,
      );
      return [
        {
          sql: sql`SELECT ${columns} FROM ${raw(table.name)} WHERE ${which}`,
          take: (found) => keepRows(work, table, found),
        },
      ];
    });
  },
};

function keepRows(work: Work, table: Table, found: readonly Row[]): void {
  const known = work.rowsOf(table);
  const rooms = 'room' in table.columns ? roomsByNum(work) : undefined;
  for (const one of found) {
    const row = rowFrom(table, one, rooms?.get(one.room as number)?.row.id);
    const key = keyOf(row, table.key);
    // A row that is already loaded may have been changed by this transaction.
    if (!known.has(key)) known.set(key, { row, key: row, stored: row });
  }
}

/** Returns the existing rooms of a transaction, by number. */
export function roomsByNum(work: Work): Map<number, LoadedRoom> {
  return new Map(
    [...work.rooms.values()].flatMap((room) => (room?.num === undefined ? [] : [[room.num, room]])),
  );
}

/** Returns a room of the transaction if it exists in the database. */
export function storedRoom(work: Work, id: string): StoredRoom | undefined {
  const room = work.rooms.get(id);
  return room?.num === undefined ? undefined : (room as StoredRoom);
}

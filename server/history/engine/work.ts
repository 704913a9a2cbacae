import { createHmac } from 'node:crypto';
import type { Change } from '../changes.ts';
import type { ColumnName } from '../columns.ts';
import type { RoomRow } from '../rooms/room.ts';
import { type Asking, type Dialect, raw, type Sql, sql } from './dialect.ts';
import type { Kept } from './kept.ts';
import { keyOf, type Row, rowFrom, type Table, type Value, valuesOf } from './table.ts';
import type { Transaction } from './transaction.ts';

/** Where operations are carried out. */
export interface Place {
  readonly dialect: Dialect;
  readonly transaction: Transaction;
  readonly subjects: Subjects;
  /** Of a database that nobody else writes to. */
  readonly kept?: Kept;
}

/** What the engine is told of the subjects that are stored. */
export interface Subjects {
  readonly tables: readonly Table[];
  readonly rules: Readonly<Record<string, Operation>>;
  /** Names what else is needed of a room that has just been locked. */
  needsOfRoom(work: Work, id: string): readonly Need[];
  /** Each writes what a transaction has put of its subject, in this order, and before the rows of tables. */
  readonly stores: readonly ((place: Place, work: Work) => Asking<void> | undefined)[];
  /** Keeps what a transaction has left for the next one: see `Kept`. */
  keep(work: Work, kept: Kept): void;
}

/** The rule of an operation. It checks everything before it changes anything, so that a rule that throws has changed nothing. */
export interface Operation<Input = never, Output = unknown> {
  /**
   * The data that the rule needs, as far as its input says, so that a transaction loads it for all of its operations at
   * once. Data that is missing here is still found, at the cost of a statement and another run of the rule.
   */
  needs(input: Input): readonly Need[];
  run(work: Work, input: Input, changes: Change[]): Output;
  /**
   * It adds to the history: SQLite refuses it when the disk is nearly full. All others are small, or free space in the
   * end: one that is too large for the reserve fails, and leaves it as it was.
   */
  readonly adds?: true;
  /** It has a transaction of its own: what it reads of the database is as it is now. */
  readonly alone?: true;
}

/**
 * One kind of data that rules need. The needs of all operations in a transaction are loaded together: after what `find`
 * finds, the rooms are locked, and then everything else is read in one trip to the database.
 */
export interface Loader<Of extends object> {
  readonly name: string;
  /** Looks for what else is needed, before any room is locked. */
  find?(place: Place, work: Work, needs: readonly Of[]): Asking<readonly Need[]>;
  /** Names what else is needed, when the rooms are locked. */
  follow?(work: Work, needs: readonly Of[]): readonly Need[];
  ask?(place: Place, work: Work, needs: readonly Of[]): readonly Question[];
  /** Looks for what depends on the answers. */
  finish?(place: Place, work: Work, needs: readonly Of[]): Asking<void>;
}

/** Data that a rule needs. If `of` has a field `room`, the room of that id is locked. */
export interface Need {
  readonly loader: Loader<object>;
  readonly of: object;
}

export const needOf = <Of extends object>(loader: Loader<Of>, of: Of): Need => ({ loader, of });

/** A statement, and what takes its rows. */
export interface Question {
  sql: Sql;
  take(rows: Row[]): void;
}

/** A loader of single values, which are those of the database before the transaction. */
export interface ValueLoader<Of extends object, _Value> extends Loader<Of> {
  /** Absent if there is one value. */
  keyOf?(of: Of): string;
}

const valueKey = <Of extends object>({ keyOf }: ValueLoader<Of, unknown>, of: Of): string =>
  keyOf?.(of) ?? '';

/**
 * Makes a loader of one value for each need, each by a statement about its room.
 * @param how.none the value for a room that the database does not have
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
      needs.flatMap((need): Question[] => {
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

/** Thrown out of a rule that asks for what has not been loaded. The rule runs again when that has been loaded. */
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

/** Thrown out of a rule that is only probed: see `History.probe`. */
export const wouldChange = new Error('the write would change something');

/** A room of a transaction, which has its lock. */
export interface LoadedRoom {
  /** Absent for a room that this transaction makes: the database holds nothing of it. */
  num: number | undefined;
  row: RoomRow;
  /** As it is in the database. */
  stored: RoomRow | undefined;
  /** What subjects have loaded of it, by what makes their state. */
  readonly parts: Map<() => unknown, unknown>;
}

/** A room that the database has. */
export type StoredRoom = LoadedRoom & { num: number };

/** What a subject has loaded of a room. @param make makes the state, and stands for it */
export function partOf<State>({ parts }: LoadedRoom, make: () => State): State {
  return stateIn(parts, make);
}

/**
 * A row of a table. `null`: it is removed. `stored`: as it is in the database, if that is known; `null`: its room is
 * deleted, and all of its rows with it.
 */
interface LoadedRow {
  row: object | null;
  /** A part of the row that has its key. */
  key: object;
  stored: object | null | undefined;
}

/** Whether a transaction has put something else than the database has. */
export const isChanged = <Stored>({ row, stored }: { row: Stored; stored: Stored | undefined }): boolean =>
  row !== stored;

/**
 * The data that a transaction has loaded, and the changes that it is going to write. Rules read and write it at once; on
 * what is not loaded it throws `Missing`, and the changes of that rule are undone.
 */
export class Work {
  /** `null`: known not to be there. */
  readonly rooms = new Map<string, LoadedRoom | null>();
  /** The numbers of rooms that the transaction deletes. */
  readonly deletedRooms: number[] = [];
  readonly tables = new Map<Table, Map<string, LoadedRow>>();
  /** The questions for rows that are answered: see `rows`. */
  readonly askedRows = new Set<string>();
  /** Statements at the end, after what is stored of all else. */
  readonly lateStatements: ((dialect: Dialect) => Sql)[] = [];
  readonly #parts = new Map<() => unknown, unknown>();
  readonly #values = new Map<object, Map<string, unknown>>();
  readonly subjects: Subjects;
  readonly #digestKey: Uint8Array;
  #undo: (() => void)[] = [];
  #kept = 0;
  #probing = false;

  constructor(subjects: Subjects, digestKey: Uint8Array) {
    this.subjects = subjects;
    this.#digestKey = digestKey;
  }

  /** Changes from here on can be undone. @param probing they are not made: the first of them throws `wouldChange` */
  begin(probing = false): void {
    this.#probing = probing;
    this.#kept += this.#undo.length;
    this.#undo = [];
  }

  /** How many changes there are so far. */
  get changes(): number {
    return this.#kept + this.#undo.length;
  }

  /** Undoes what was put since `begin`. */
  undo(): void {
    for (const step of this.#undo.splice(0).reverse()) step();
  }

  /** The state of a subject. @param make makes it, and stands for it */
  part<State>(make: () => State): State {
    return stateIn(this.#parts, make);
  }

  /** The known values of a loader, by its `keyOf`. */
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

  /** As `value`, but undefined where it is not loaded. */
  known<Of extends object, Value>(loader: ValueLoader<Of, Value>, of: Of): Value | undefined {
    return this.valuesOf(loader).get(valueKey(loader, of));
  }

  /** Keeps a value that a loader has read. */
  keep<Of extends object, Value>(loader: ValueLoader<Of, Value>, of: Of, value: Value): void {
    this.valuesOf(loader).set(valueKey(loader, of), value);
  }

  /** The known rows of a table, by their keys. */
  rowsOf(table: Table): Map<string, LoadedRow> {
    const known = this.tables.get(table);
    if (known !== undefined) return known;
    const rows = new Map<string, LoadedRow>();
    this.tables.set(table, rows);
    return rows;
  }

  /** The rows of a table with these fields. */
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

  /** @param key the fields of the row that identify it, at least */
  remove<Of extends object>(table: Table<Of>, key: Partial<Of>): void {
    this.#putRow(table, key, null);
  }

  #putRow(table: Table, key: object, row: object | null): void {
    const rows = this.rowsOf(table);
    const id = keyOf(key, table.key);
    this.set(rows, id, { row, key, stored: rows.get(id)?.stored });
  }

  /** Carries this out at the end of the transaction. */
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

  /** Notes how the change that follows is undone. @throws wouldChange */
  change(undo: () => void): void {
    if (this.#probing) throw wouldChange;
    this.#undo.push(undo);
  }

  /** The keyed digest of a text. */
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

/** The need of the rows of a table with these fields. */
export const rows = <Of extends object>(table: Table<Of>, where: Partial<Of>): Need =>
  needOf(rowsLoader, { table, where });

/** The same for the same question. */
const rowsKey = ({ table: { name }, where }: Wanted) =>
  `${name} ${JSON.stringify(Object.entries(where).sort())}`;

const rowsLoader: Loader<Wanted> = {
  name: 'rows',
  ask({ dialect }, work, needs) {
    const unknown = needs.filter((need) => !work.askedRows.has(rowsKey(need)));
    const alike = ({ table, where }: Wanted) => `${table.name} ${Object.keys(where).sort()}`;
    return [...Map.groupBy(unknown, alike).values()].flatMap((some): Question[] => {
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
    // The state in this transaction is newer.
    if (!known.has(key)) known.set(key, { row, key: row, stored: row });
  }
}

/** The rooms of a transaction that the database has, by their numbers. */
export function roomsByNum(work: Work): Map<number, LoadedRoom> {
  return new Map(
    [...work.rooms.values()].flatMap((room) => (room?.num === undefined ? [] : [[room.num, room]])),
  );
}

/** A room of a transaction, if the database has it. */
export function storedRoom(work: Work, id: string): StoredRoom | undefined {
  const room = work.rooms.get(id);
  return room?.num === undefined ? undefined : (room as StoredRoom);
}

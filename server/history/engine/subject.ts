import type { ReadsOf } from './read.ts';
import type { RulesOf } from './rule.ts';
import type { Table } from './table.ts';
import type { Hooks, Store } from './work.ts';

/** A subject of the history, such as pins: its tables, and its operations with their inputs and outputs. */
export interface Subject<Writes, Reads> extends Hooks {
  readonly tables: readonly Table[];
  readonly rules: RulesOf<Writes>;
  readonly reads: ReadsOf<Reads>;
  readonly stores: readonly Store[];
}

/** No operations, for a subject without writes or without reads. */
export type None = Record<never, never>;

/**
 * Defines a subject. List it in subjects.ts.
 * @param own.tables the tables whose rows the rules find, put and remove
 * @param own.stores writes the changes of a transaction to other tables
 */
export const subject = <Writes, Reads>(
  own: Pick<Subject<Writes, Reads>, 'rules' | 'reads'> & Partial<Subject<Writes, Reads>>,
): Subject<Writes, Reads> => ({ tables: [], stores: [], ...own });

type WritesOf<One> = One extends Subject<infer Writes, infer _> ? Writes : never;
type ReadOperationsOf<One> = One extends Subject<infer _, infer Reads> ? Reads : never;

type Intersection<Union> = (Union extends unknown ? (one: Union) => void : never) extends (
  all: infer All,
) => void
  ? All
  : never;

/** The writes of all subjects of a list. */
export type AllWrites<List extends readonly unknown[]> = Intersection<WritesOf<List[number]>>;

/** The reads of all subjects of a list. */
export type AllReads<List extends readonly unknown[]> = Intersection<ReadOperationsOf<List[number]>>;

import { type Asking, ask, type Dialect } from './engine/dialect.ts';
import type { ReadsOf } from './engine/read.ts';
import { lastMigration, migrationRows } from './engine/schema.ts';
import { checkShape } from './engine/shape.ts';
import { type None, subject } from './engine/subject.ts';
import { ownMigrations } from './migrations.ts';
import { UnknownTables } from './unusable.ts';

/** The tables may be replaced or changed while the server runs. */
export interface KnownTablesReads {
  /** Whether this version can use the tables. */
  hasKnownTables: { in: null; out: boolean };
  /** Whether the tables have all columns and indexes. Reads the whole catalogue of the database. */
  hasWholeTables: { in: null; out: boolean };
}

const reads: ReadsOf<KnownTablesReads> = {
  hasKnownTables: ({ dialect }) => isUsable(findLast(dialect)),

  hasWholeTables: ({ dialect }) =>
    isUsable(
      (function* () {
        yield* checkShape(dialect.name, yield* findLast(dialect));
      })(),
    ),
};

function* findLast({ name }: Dialect): Asking<number> {
  return lastMigration(yield* ask(migrationRows), ownMigrations(name));
}

function* isUsable(check: Asking<unknown>): Asking<boolean> {
  try {
    yield* check;
    return true;
  } catch (error) {
    if (error instanceof UnknownTables) return false;
    throw error;
  }
}

export const knownTablesSubject = subject<None, KnownTablesReads>({
  rules: {},
  reads,
});

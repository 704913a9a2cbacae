import { type Asking, ask } from './engine/dialect.ts';
import type { ReadsOf } from './engine/read.ts';
import { lastMigration, migrationRows } from './engine/schema.ts';
import { type None, subject } from './engine/subject.ts';
import { ownMigrations } from './migrations.ts';
import { UnknownTables } from './unusable.ts';

export interface KnownTablesReads {
  /** Whether this version can use the tables. They may have been replaced while the server runs. */
  hasKnownTables: { in: null; out: boolean };
}

const reads: ReadsOf<KnownTablesReads> = {
  *hasKnownTables({ dialect }): Asking<boolean> {
    try {
      lastMigration(yield* ask(migrationRows), ownMigrations(dialect.name));
      return true;
    } catch (error) {
      if (error instanceof UnknownTables) return false;
      throw error;
    }
  },
};

export const knownTablesSubject = subject<None, KnownTablesReads>({
  rules: {},
  reads,
});

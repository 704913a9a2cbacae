import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';

/** The databases that can store a history. */
export type DatabaseName = 'PostgreSQL' | 'MariaDB' | 'SQLite';

/** The folder with the migrations of all databases. */
export const migrationsFolder = new URL('./migrations/', import.meta.url);

export interface Migration {
  name: string;
  /** The number of the newest migration that a program must know to use tables with this migration. */
  needs: number;
  statements: string[];
  /** A digest of the statements of all migrations up to this one. It identifies the tables that they make. */
  fingerprint: string;
}

/**
 * How each database writes the placeholder words of the migrations. Numbers have 64 bits. MariaDB indexes only columns
 * of limited length. SQLite compares texts by bytes, PostgreSQL only with COLLATE "C".
 */
const words: Record<DatabaseName, readonly (readonly [word: RegExp, sql: string])[]> = {
  PostgreSQL: [
    [/\bINT\b/g, 'BIGINT'],
    [/\bBYTES\(\d+\)/g, 'TEXT COLLATE "C"'],
    [/\bCHARS\(\d+\)|\bLONG\b/g, 'TEXT'],
    [/\b(?:KEYED|NUMBERED)\b/g, ''],
  ],
  MariaDB: [
    [/\bINT\b/g, 'BIGINT'],
    [/\bBYTES\b/g, 'VARBINARY'],
    [/\bCHARS\b/g, 'VARCHAR'],
    [/\bLONG\b/g, 'MEDIUMTEXT'],
    [
      /\b(?:KEYED|NUMBERED)\b/g,
      'ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_bin',
    ],
  ],
  SQLite: [
    [/\bINT\b/g, 'INTEGER'],
    [/\b(?:BYTES|CHARS)\(\d+\)|\bLONG\b/g, 'TEXT'],
    [/\bKEYED\b/g, 'STRICT, WITHOUT ROWID'],
    [/\bNUMBERED\b/g, 'STRICT'],
  ],
};

const names = '((?:PostgreSQL|MariaDB|SQLite)(?:, (?:PostgreSQL|MariaDB|SQLite))*)$';
const fromHere = new RegExp(`^-- From here on: ${names}`);
const ofLine = new RegExp(`-- ${names}`);

/** Returns the migrations of a folder in order, with the statements for this database. */
export function migrationsOf(database: DatabaseName, folder: URL): Migration[] {
  const digest = createHash('sha256');
  return readdirSync(folder)
    .filter((name) => /^\d{3}-.*\.sql$/.test(name))
    .sort()
    .map((name) => {
      const text = readFileSync(new URL(name, folder), 'utf8');
      const statements = statementsOf(database, text);
      digest.update(JSON.stringify(statements.map((statement) => statement.replace(/\s+/g, ' '))));
      return {
        name: name.replace(/\.sql$/, ''),
        needs: Number(/^-- needs: (\d+)/.exec(text)?.[1]),
        statements,
        fingerprint: digest.copy().digest('hex'),
      };
    });
}

function statementsOf(database: DatabaseName, text: string): string[] {
  let isHere = true;
  const lines: string[] = [];
  for (const line of text.split('\n')) {
    const from = fromHere.exec(line)?.[1];
    if (from !== undefined) isHere = from.split(', ').includes(database);
    const only = ofLine.exec(line)?.[1]?.split(', ');
    if (isHere && (only === undefined || only.includes(database))) lines.push(line.replace(/--.*$/, ''));
  }
  let sql = lines.join('\n');
  for (const [word, by] of words[database]) sql = sql.replace(word, by);
  return sql
    .split(';')
    .map((statement) => statement.trim())
    .filter((statement) => statement !== '');
}

const cached = new Map<DatabaseName, readonly Migration[]>();

/** Returns the migrations of this version. */
export function ownMigrations(database: DatabaseName): readonly Migration[] {
  const own = cached.get(database) ?? migrationsOf(database, migrationsFolder);
  cached.set(database, own);
  return own;
}

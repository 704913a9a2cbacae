import { readdirSync, readFileSync } from 'node:fs';

/** The databases that can store a history. */
export type DatabaseName = 'PostgreSQL' | 'MariaDB' | 'SQLite';

/** The folder with the migrations of all databases. */
export const migrationsFolder = new URL('./migrations/', import.meta.url);

interface Migration {
  name: string;
  /** The number of the newest migration that a program must know to use tables with this migration. */
  needs: number;
  statements: string[];
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
  return readdirSync(folder)
    .filter((name) => /^\d{3}-.*\.sql$/.test(name))
    .sort()
    .map((name) => {
      const text = readFileSync(new URL(name, folder), 'utf8');
      return {
        name: name.replace(/\.sql$/, ''),
        needs: Number(/^-- needs: (\d+)/.exec(text)?.[1]),
        statements: statementsOf(database, text),
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

/** Returns the error for tables of a newer version. */
export function tooNew(format: number, known: number): Error {
  return new Error(
    `the history was written by a newer version (format ${format}, this version knows ${known})`,
  );
}

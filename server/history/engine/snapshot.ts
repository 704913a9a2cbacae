import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  endOfLog,
  eraseAgain,
  forRestored,
  freeConsumers,
  type LostErasure,
  namesOfUsers,
} from '../erasure/erase-again.ts';
import { fileStates } from '../files/file.ts';
import type { History } from '../history.ts';
import { ownMigrations } from '../migrations.ts';
import type { DatabaseAddress } from './address.ts';
import { beside, besideName, namesIn, removeBeside, tablesThere, takePlace } from './beside.ts';
import { type DatabaseConnection, raw, type ServerDialect, sql } from './dialect.ts';
import { connectAlone } from './in-use.ts';
import { migrate } from './migrations.ts';
import { formatIn, hasHistory, tooNew } from './schema.ts';
import { erasedDigest } from './sqlite/erased.ts';
import type { Row, Value } from './table.ts';

/**
 * Tables that a backup omits. `chat_migrations` and the search index are built again. The others describe running
 * servers and queues, and a restored history has neither. The change log repeats data of other tables, except for audit
 * entries that are not stored yet.
 */
const omittedTables = [
  'chat_migrations',
  'chat_blocks',
  'chat_terms',
  'chat_writers',
  'chat_claims',
  'chat_changes',
  'chat_webhooks',
  'chat_due',
  'chat_due_rooms',
  'chat_pushes',
];

/** IDs of one query. */
const idsPerQuery = 1000;
/** Maximum values of one INSERT. PostgreSQL's limit is 65,535. */
const maxValues = 10_000;
/** Maximum characters of one INSERT. */
const maxCharacters = 1024 * 1024;

/**
 * Returns the number of the history's last migration.
 * @throws Error if there is no history, or a newer version wrote it
 */
async function formatOf(connection: DatabaseConnection, dialect: ServerDialect): Promise<number> {
  const format = await formatIn(connection, dialect);
  const known = ownMigrations(dialect.name).length;
  if (format === 0) throw new Error('there is no history in this database');
  if (format > known) throw tooNew(format, known);
  return format;
}

/**
 * Dumps a consistent copy of the rows into a file with pg_dump or mariadb-dump.
 * @param work a folder for the CA certificate
 * @returns the number of the last migration, and the IDs of files that were pending deletion before the dump
 * @throws Error naming what failed
 */
export async function copyRows(
  address: DatabaseAddress,
  dialect: ServerDialect,
  to: string,
  work: string,
): Promise<{ format: number; dropped: ReadonlySet<string> }> {
  const connection = await dialect.connect();
  let format: number;
  let tables: string[];
  let dropped: ReadonlySet<string>;
  try {
    format = await formatOf(connection, dialect);
    tables = (await tablesThere(connection, dialect)).filter((table) => !omittedTables.includes(table));
    const rows = await connection.query(
      sql`SELECT stored FROM chat_files GROUP BY stored HAVING min(state) = ${fileStates.dropped}`,
    );
    dropped = new Set(rows.map(({ stored }) => stored as string));
  } finally {
    connection.destroy();
  }
  let ca: string | undefined;
  if (address.tls?.ca !== undefined) {
    ca = join(work, 'ca.pem');
    await writeFile(ca, address.tls.ca, { mode: 0o600 });
  }
  const names = [...tables, ...namesIn(dialect).sequences];
  const { program, args, env } =
    address.kind === 'postgres' ? pgDump(address, names, ca) : mariadbDump(address, names, ca);
  const file = await open(to, 'wx', 0o600);
  try {
    const child = spawn(program, args, {
      env: { PATH: process.env.PATH, LC_ALL: 'C', ...env },
      stdio: ['ignore', file.fd, 'pipe'],
    });
    let stderr = '';
    child.stderr?.setEncoding('utf8').on('data', (part) => {
      stderr = (stderr + part).slice(-1000);
    });
    const [code] = await once(child, 'close').catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
      throw new Error(`${program} is missing: install the client programs of ${dialect.name}`);
    });
    if (code !== 0) throw new Error(`${program}: ${stderr.trim().split('\n').at(-1) ?? ''}`);
  } finally {
    await file.close();
  }
  return { format, dropped };
}

interface Dump {
  program: string;
  args: string[];
  env: Record<string, string>;
}

const systemCertificates = '/etc/ssl/certs/ca-certificates.crt';

function pgDump({ at, user, password, database, tls }: DatabaseAddress, tables: string[], ca?: string): Dump {
  const [, folder = '', port = ''] = 'path' in at ? (/^(.*)\/\.s\.PGSQL\.(\d+)$/.exec(at.path) ?? []) : [];
  return {
    program: 'pg_dump',
    args: ['--data-only', '--encoding=UTF8', '--no-password', ...tables.map((name) => `--table=${name}`)],
    env: {
      PGHOST: 'path' in at ? folder : at.host,
      PGPORT: 'path' in at ? port : String(at.port),
      PGUSER: user,
      PGPASSWORD: password,
      PGDATABASE: database,
      ...(tls === undefined
        ? { PGSSLMODE: 'disable' }
        : {
            PGSSLMODE: 'verify-full',
            PGSSLROOTCERT: ca ?? (existsSync(systemCertificates) ? systemCertificates : 'system'),
          }),
    },
  };
}

function mariadbDump(
  { at, user, password, database, tls }: DatabaseAddress,
  tables: string[],
  ca?: string,
): Dump {
  const place =
    'path' in at
      ? ['--protocol=socket', `--socket=${at.path}`]
      : ['--protocol=tcp', `--host=${at.host}`, `--port=${at.port}`];
  const secured = ['--ssl', '--ssl-verify-server-cert', ...(ca === undefined ? [] : [`--ssl-ca=${ca}`])];
  return {
    program: 'mariadb-dump',
    args: [
      // Must come first. ~/.my.cnf configures other databases.
      '--no-defaults',
      ...place,
      `--user=${user}`,
      ...(tls === undefined ? ['--skip-ssl'] : secured),
      '--single-transaction',
      '--quick',
      '--no-create-info',
      '--skip-triggers',
      '--skip-add-locks',
      '--skip-comments',
      '--complete-insert',
      '--hex-blob',
      '--default-character-set=utf8mb4',
      database,
      ...tables,
    ],
    env: { MYSQL_PWD: password },
  };
}

/**
 * Yields the IDs of all stored files. `isDropped`: pending deletion, so the bytes may be missing. Includes files
 * dropped after the rows were dumped, because their bytes are kept until the backup ends.
 */
export async function* storedFiles(
  dialect: ServerDialect,
): AsyncGenerator<{ id: string; isDropped: boolean }> {
  const connection = await dialect.connect();
  try {
    for (let after = ''; ; ) {
      const rows = await connection.query(
        sql`SELECT stored, min(state) AS state FROM chat_files WHERE stored > ${after}
          GROUP BY stored ORDER BY stored LIMIT ${idsPerQuery}`,
      );
      for (const { stored, state } of rows)
        yield { id: stored as string, isDropped: state === fileStates.dropped };
      if (rows.length < idsPerQuery) return;
      after = rows.at(-1)?.stored as string;
    }
  } finally {
    connection.destroy();
  }
}

/** Returns the IDs of all files of the history; empty if there is no history. */
export async function idsOfFiles(dialect: ServerDialect): Promise<ReadonlySet<string>> {
  const ids = new Set<string>();
  const connection = await dialect.connect();
  const there = await tablesThere(connection, dialect).finally(() => connection.destroy());
  if (!there.includes('chat_files')) return ids;
  for await (const { id } of storedFiles(dialect)) ids.add(id);
  return ids;
}

/** A restore into separate tables, next to the current history. */
export interface Restoring {
  /** Creates the tables for a dump. @param format the number of its last migration */
  makeTables(format: number): Promise<void>;
  /** Loads the rows of a dump. @throws Error if they do not fit the tables */
  load(lines: AsyncIterable<Buffer>): Promise<void>;
  /** Migrates the rows, repeats later erasures and clears queues. */
  prepare(): Promise<void>;
  /** Replaces the current history. */
  takePlace(): Promise<void>;
  /** Removes the leftover tables. Until then no server can start. */
  end(): Promise<void>;
}

/** Prepares a restore. @throws Error like `connectAlone` */
export async function restoring(
  dialect: ServerDialect,
  open: (dialect: ServerDialect, options: { onFailure: (error: Error) => void }) => Promise<History>,
): Promise<Restoring> {
  const connection = await connectAlone(dialect);
  const side = beside(dialect);
  try {
    await hasHistory(connection, dialect);
    await connection.query(dialect.patience);
    await removeBeside(connection, dialect);
  } catch (error) {
    connection.destroy();
    throw error;
  }
  const onSide = async <T>(work: (connection: DatabaseConnection) => Promise<T>): Promise<T> => {
    const one = await side.connect();
    try {
      await one.query(dialect.patience);
      return await work(one);
    } finally {
      one.destroy();
    }
  };
  return {
    async makeTables(format) {
      await onSide(async (one) => {
        await migrate(one, side, () => {}, { upTo: format });
        await one.query(raw('DELETE FROM chat_digest_key'));
      });
    },
    async load(lines) {
      const known = new Set(namesIn(dialect).tables);
      if (dialect.name === 'PostgreSQL') await loadCopies(connection, lines, known);
      else await loadInserts(connection, lines, known);
    },
    async prepare() {
      const there = await tablesThere(connection, dialect);
      await onSide(async (one) => {
        await migrate(one, side, () => {});
        await one.query(raw(freeConsumers));
        await one.query(raw(`UPDATE chat_consumers SET position = ${endOfLog}`));
      });
      const into = raw(besideName('chat_erased'));
      // An erasure and its list entry share a transaction. So the copy lacks exactly the erasures that it does not
      // list. Clocks do not matter.
      const notInCopy = sql`FROM chat_erased AS old WHERE NOT EXISTS
        (SELECT 1 FROM ${into} AS new WHERE new.digest = old.digest AND new.at = old.at)`;
      const erased = there.includes('chat_erased')
        ? await connection.queryPatiently(sql`SELECT digest, at, erases ${notInCopy} ORDER BY at`)
        : [];
      const lost = erased.length === 0 ? [] : await onSide((one) => lostErasures(one, dialect, erased));
      // Unfinished erasures continue here, because no change-log entry will start a server's erasure task.
      const [unfinished] = await onSide((one) => one.query(raw('SELECT user_id FROM chat_erasures LIMIT 1')));
      if (lost.length > 0 || unfinished !== undefined) {
        const history = await open(side, {
          onFailure(error) {
            throw error;
          },
        });
        await eraseAgain(history, lost).finally(() => history.close());
      }
      if (there.includes('chat_erased')) {
        await connection.queryPatiently(
          sql`INSERT INTO ${into} (digest, at, erases) SELECT digest, at, erases ${notInCopy}`,
        );
      }
      await onSide(async (one) => {
        for (const statement of forRestored()) await one.queryPatiently(raw(statement));
        await one.query(raw('DELETE FROM chat_writers'));
      });
    },
    takePlace: () =>
      takePlace(connection, dialect).catch(async (error: unknown) => {
        // The locks of the transaction would block reads of the current history.
        await connection.query(raw('ROLLBACK')).catch(() => {});
        throw error;
      }),
    async end() {
      // If this fails, the next restore removes the tables.
      await removeBeside(connection, dialect).catch(() => {});
      connection.destroy();
    },
  };
}

/**
 * Finds the users of the restored history who were erased after the backup. @param erased rows of `chat_erased`,
 * oldest first
 */
async function lostErasures(
  connection: DatabaseConnection,
  dialect: ServerDialect,
  erased: readonly Row[],
): Promise<LostErasure[]> {
  const [key] = await connection.query(raw('SELECT digest FROM chat_digest_key'));
  const digestKey = Buffer.from(key?.digest as string, 'hex');
  const by = new Map<string, Omit<LostErasure, 'user'>>();
  for (const { digest, at, erases } of erased) {
    const isDeleted = erases === 'delete' || by.get(digest as string)?.messages === 'delete';
    by.set(digest as string, { at: at as number, messages: isDeleted ? 'delete' : 'anonymise' });
  }
  const here = raw(dialect.name === 'PostgreSQL' ? 'current_schema()' : 'DATABASE()');
  const columns = await connection.query(
    sql`SELECT table_name AS table_name, column_name AS column_name FROM information_schema.columns
      WHERE table_schema = ${here} AND table_name LIKE ${`${besideName('chat')}%`}`,
  );
  const found = new Map<string, LostErasure>();
  for (const { table_name: table, column_name: column } of columns) {
    const isUser = table === besideName('chat_users') && column === 'id';
    if (!isUser && !namesOfUsers.includes(column as string)) continue;
    // The name already has the prefix, so `redirect` does not change it.
    const rows = await connection.queryPatiently({
      text: `SELECT DISTINCT ${column} AS id FROM ${table} WHERE ${column} IS NOT NULL`,
      values: [],
    });
    for (const { id } of rows) {
      const one = by.get(erasedDigest(digestKey, id as string));
      if (one !== undefined) found.set(id as string, { user: id as string, ...one });
    }
  }
  return [...found.values()];
}

/** Loads the output of pg_dump: COPY in text format, and sequence values. */
async function loadCopies(
  connection: DatabaseConnection,
  lines: AsyncIterable<Buffer>,
  known: ReadonlySet<string>,
): Promise<void> {
  let copy: { begin: string; columns: number } | undefined;
  let rows: Value[][] = [];
  let characters = 0;
  const flush = async () => {
    if (rows.length === 0 || copy === undefined) return;
    const row = `(${Array.from({ length: copy.columns }, () => '?').join(', ')})`;
    await connection.queryPatiently({
      text: `${copy.begin} VALUES ${rows.map(() => row).join(', ')}`,
      values: rows.flat(),
    });
    rows = [];
    characters = 0;
  };
  for await (const bytes of lines) {
    const line = bytes.toString();
    if (copy === undefined) {
      const [, table = '', list = ''] = /^COPY \S+\.(chat_\w+) \(([\w", ]+)\) FROM stdin;$/.exec(line) ?? [];
      if (table !== '') {
        if (!known.has(table)) throw new Error(`the backup contains rows of the unknown table ${table}`);
        copy = {
          begin: `INSERT INTO ${besideName(table)} (${list})`,
          columns: list.split(',').length,
        };
        continue;
      }
      const [, name, last, isCalled] =
        /^SELECT pg_catalog\.setval\('[^']*\.(chat_\w+)', (\d+), (true|false)\);$/.exec(line) ?? [];
      if (name !== undefined)
        await connection.query(raw(`SELECT setval('${besideName(name)}', ${last}, ${isCalled})`));
      continue;
    }
    if (line === '\\.') {
      await flush();
      copy = undefined;
      continue;
    }
    const row = line.split('\t').map(decoded);
    // PostgreSQL would report this with the error code of a lost connection.
    if (row.length !== copy.columns)
      throw new Error(`a row has ${row.length} values instead of ${copy.columns}`);
    rows.push(row);
    characters += line.length;
    if (rows.length * copy.columns > maxValues || characters > maxCharacters) await flush();
  }
  if (copy !== undefined) throw new Error('the rows of the backup are truncated');
}

const escapes: Record<string, string> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' };

/** Decodes a value in the text format of COPY. */
const decoded = (field: string): string | null =>
  field === '\\N' ? null : field.replace(/\\(.)/g, (_, letter: string) => escapes[letter] ?? letter);

const value = String.raw`(?:NULL|-?\d[\d.]*(?:e[+-]?\d+)?|0x[\dA-Fa-f]+|(?:_binary )?'[^'\\]*(?:\\[^][^'\\]*)*')`;
const row = new RegExp(String.raw`\(${value}(?:,${value})*\)(?:,\s*|;$)`, 'y');
const columnsOfRows = /^ \((?:`\w+`(?:, |(?=\))))+\) VALUES\s+/;

/**
 * Whether an INSERT has only literal values after the table name. A SELECT or another expression in a forged dump
 * could read any data that the database user may read.
 */
export function hasValuesAlone(text: string): boolean {
  let at = columnsOfRows.exec(text)?.[0].length ?? 0;
  if (at === 0) return false;
  while (at < text.length) {
    row.lastIndex = at;
    if (!row.test(text)) return false;
    at = row.lastIndex;
  }
  return text.endsWith(';');
}

/** Loads the output of mariadb-dump. An INSERT spans several lines, one per row. */
async function loadInserts(
  connection: DatabaseConnection,
  lines: AsyncIterable<Buffer>,
  known: ReadonlySet<string>,
): Promise<void> {
  await connection.query(raw('SET foreign_key_checks = 0'));
  let insert: string[] = [];
  for await (const bytes of lines) {
    const line = bytes.toString();
    if (insert.length > 0) insert.push(line);
    else {
      const [start = '', table = ''] = /^INSERT INTO `(chat_\w+)`/.exec(line) ?? [];
      if (start === '') continue;
      if (!known.has(table)) throw new Error(`the backup contains rows of the unknown table ${table}`);
      insert = [`INSERT INTO \`${besideName(table)}\``, line.slice(start.length)];
    }
    if (!line.endsWith(');')) continue;
    if (!hasValuesAlone(insert.slice(1).join('\n')))
      throw new Error('a row contains an expression instead of a value');
    await connection.queryPatiently(raw(insert.join('\n')));
    insert = [];
  }
  if (insert.length > 0) throw new Error('the rows of the backup are truncated');
}

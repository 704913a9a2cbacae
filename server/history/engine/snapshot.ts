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
import { migrationsFolder, migrationsOf, tooNew } from '../migrations.ts';
import type { DatabaseAddress } from './address.ts';
import { beside, besideName, namesIn, removeBeside, tablesThere, takePlace } from './beside.ts';
import { type DatabaseConnection, raw, type ServerDialect, sql } from './dialect.ts';
import { connectAlone } from './in-use.ts';
import { migrate } from './migrations.ts';
import { erasedDigest } from './sqlite/erased.ts';
import type { Row, Value } from './table.ts';

/**
 * The tables that a backup leaves out. The index for searching is made again. The others are about servers that run and events
 * that wait, and a restored history has neither. The log of changes holds what was pushed to pages, and nothing
 * that is not elsewhere, but for acts that are not listed yet.
 */
const leftOut = [
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

/** Ids of files that are read at once. */
const idsAtOnce = 1000;
/** Values of one INSERT: PostgreSQL takes 65,535. */
const mostValues = 10_000;
/** Characters of one INSERT. */
const mostCharacters = 1024 * 1024;

/** How many migrations this version knows. */
export const knownFormat = (dialect: ServerDialect) => migrationsOf(dialect.name, migrationsFolder).length;

/** @throws Error when there is no history, or a newer version has written it */
async function formatOf(connection: DatabaseConnection, dialect: ServerDialect): Promise<number> {
  const there = await tablesThere(connection, dialect);
  if (!there.includes('chat_migrations')) throw new Error('there is no history in this database');
  const [row] = await connection.query(raw('SELECT coalesce(max(num), 0) AS num FROM chat_migrations'));
  const format = row?.num as number;
  if (format > knownFormat(dialect)) throw tooNew(format, knownFormat(dialect));
  return format;
}

/**
 * Copies the rows of a history into a file, as they are at one moment, by the program of the database.
 * @param work a folder for what that program needs
 * @returns the number of its last migration, and the ids of files that were to be deleted before
 * @throws Error that says what is missing or wrong
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
    tables = (await tablesThere(connection, dialect)).filter((table) => !leftOut.includes(table));
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
    let said = '';
    child.stderr?.setEncoding('utf8').on('data', (part) => {
      said = (said + part).slice(-1000);
    });
    const [code] = await once(child, 'close').catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
      throw new Error(`${program} is missing: install the client programs of ${dialect.name}`);
    });
    if (code !== 0) throw new Error(`${program}: ${said.trim().split('\n').at(-1) ?? ''}`);
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

const wellKnown = '/etc/ssl/certs/ca-certificates.crt';

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
            PGSSLROOTCERT: ca ?? (existsSync(wellKnown) ? wellKnown : 'system'),
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
      // Before all others: what stands in ~/.my.cnf is about other databases.
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
 * The ids under which files are stored. `isDropped`: it is to be deleted, and may not be there any more. Files that were dropped
 * after the rows were copied are among them, since their bytes are kept meanwhile.
 */
export async function* storedFiles(
  dialect: ServerDialect,
): AsyncGenerator<{ id: string; isDropped: boolean }> {
  const connection = await dialect.connect();
  try {
    for (let after = ''; ; ) {
      const rows = await connection.query(
        sql`SELECT stored, min(state) AS state FROM chat_files WHERE stored > ${after}
          GROUP BY stored ORDER BY stored LIMIT ${idsAtOnce}`,
      );
      for (const { stored, state } of rows)
        yield { id: stored as string, isDropped: state === fileStates.dropped };
      if (rows.length < idsAtOnce) return;
      after = rows.at(-1)?.stored as string;
    }
  } finally {
    connection.destroy();
  }
}

/** The ids of all files that a history knows; none if there is no history. */
export async function idsOfFiles(dialect: ServerDialect): Promise<ReadonlySet<string>> {
  const ids = new Set<string>();
  const connection = await dialect.connect();
  const there = await tablesThere(connection, dialect).finally(() => connection.destroy());
  if (!there.includes('chat_files')) return ids;
  for await (const { id } of storedFiles(dialect)) ids.add(id);
  return ids;
}

/** A history that is restored beside the one in the database. */
export interface Restoring {
  /** Makes the tables for the rows of a dump. @param format the number of its last migration */
  makeTables(format: number): Promise<void>;
  /** Fills them with these rows. @throws Error when they do not fit */
  load(lines: AsyncIterable<Buffer>): Promise<void>;
  /** Makes it ready for a server. */
  prepare(): Promise<void>;
  /** Puts it in the place of the other one. */
  takePlace(): Promise<void>;
  /** Removes what has not taken its place. No server starts before that. */
  end(): Promise<void>;
}

/** @throws Error as `connectAlone` */
export async function restoring(
  dialect: ServerDialect,
  open: (dialect: ServerDialect, options: { onFailure: (error: Error) => void }) => Promise<History>,
): Promise<Restoring> {
  const connection = await connectAlone(dialect);
  const side = beside(dialect);
  try {
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
      // An erasure is listed in its own transaction: one that the copy does not list is not in it, whatever the clocks say.
      const unlisted = sql`FROM chat_erased AS old WHERE NOT EXISTS
        (SELECT 1 FROM ${into} AS new WHERE new.digest = old.digest AND new.at = old.at)`;
      const erased = there.includes('chat_erased')
        ? await connection.queryPatiently(sql`SELECT digest, at, erases ${unlisted} ORDER BY at`)
        : [];
      const again = erased.length === 0 ? [] : await onSide((one) => lostErasures(one, dialect, erased));
      // The log of changes would wake a server for those that are under way.
      const [underWay] = await onSide((one) => one.query(raw('SELECT user_id FROM chat_erasures LIMIT 1')));
      if (again.length > 0 || underWay !== undefined) {
        const history = await open(side, {
          onFailure(error) {
            throw error;
          },
        });
        await eraseAgain(history, again).finally(() => history.close());
      }
      if (there.includes('chat_erased')) {
        await connection.queryPatiently(
          sql`INSERT INTO ${into} (digest, at, erases) SELECT digest, at, erases ${unlisted}`,
        );
      }
      await onSide(async (one) => {
        for (const statement of forRestored()) await one.queryPatiently(raw(statement));
        await one.query(raw('DELETE FROM chat_writers'));
      });
    },
    takePlace: () =>
      takePlace(connection, dialect).catch(async (error: unknown) => {
        // Its locks would keep the history of before from being read.
        await connection.query(raw('ROLLBACK')).catch(() => {});
        throw error;
      }),
    async end() {
      // If the database has failed, the next attempt removes them.
      await removeBeside(connection, dialect).catch(() => {});
      connection.destroy();
    },
  };
}

/** The users of a restored history who were erased. @param erased rows of `chat_erased`, the oldest first */
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
    // The name of the table is that beside already.
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

/** The rows that pg_dump has written: COPY in its text form, and the numbers of sequences. */
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
        if (!known.has(table)) throw new Error(`it has rows of ${table}, which this version does not know`);
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
    // The database would answer with a code of lost connections.
    if (row.length !== copy.columns)
      throw new Error(`a row has ${row.length} values instead of ${copy.columns}`);
    rows.push(row);
    characters += line.length;
    if (rows.length * copy.columns > mostValues || characters > mostCharacters) await flush();
  }
  if (copy !== undefined) throw new Error('its rows are cut off');
}

const escapes: Record<string, string> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' };

/** A value in the text form of COPY. */
const decoded = (field: string): string | null =>
  field === '\\N' ? null : field.replace(/\\(.)/g, (_, letter: string) => escapes[letter] ?? letter);

const value = String.raw`(?:NULL|-?\d[\d.]*(?:e[+-]?\d+)?|0x[\dA-Fa-f]+|(?:_binary )?'[^'\\]*(?:\\[^][^'\\]*)*')`;
const row = new RegExp(String.raw`\(${value}(?:,${value})*\)(?:,\s*|;$)`, 'y');
const columnsOfRows = /^ \((?:`\w+`(?:, |(?=\))))+\) VALUES\s+/;

/**
 * Whether an INSERT has values alone behind the name of its table. An expression, or a SELECT, would read whatever else the
 * user of the database may read.
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

/** The rows that mariadb-dump has written: an INSERT goes on over lines, since each row is one. */
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
      if (!known.has(table)) throw new Error(`it has rows of ${table}, which this version does not know`);
      insert = [`INSERT INTO \`${besideName(table)}\``, line.slice(start.length)];
    }
    if (!line.endsWith(');')) continue;
    if (!hasValuesAlone(insert.slice(1).join('\n'))) throw new Error('it has rows that are no values');
    await connection.queryPatiently(raw(insert.join('\n')));
    insert = [];
  }
  if (insert.length > 0) throw new Error('its rows are cut off');
}

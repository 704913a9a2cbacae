import type { SiteDatabase } from '../configuration/database-host.ts';
import { ConfigurationError } from '../configuration/value.ts';
import { displayName } from '../identity.ts';
import type { LoginRows, SiteSql } from './sql.ts';

/** A SELECT, or the view that replaces it for a database user with minimal rights. */
export interface SiteTable {
  /** The name of the view. */
  view: string;
  /** The SELECT of that view. */
  select: string;
  /** The columns of a `Row`. */
  columns: Readonly<Record<string, 'text' | 'bytes'>>;
}

/** Values by columns. Null is NULL. */
export type Row = Readonly<Record<string, Buffer | null>>;

/** A table of logins. */
export interface LoginTable extends SiteTable {
  /** The column of the primary key. */
  id: string;
  /** The column that `Claim.lookup` searches. */
  lookup: string;
  /** The application ignores the case in the column `lookup`, as the database does. */
  ignoresCase?: true;
  /**
   * The parts of a login's row. If the database knows when tables were changed, the parts are compared, and the login
   * is read only if a part changed or has NULL as its key.
   */
  parts?: readonly LoginPart[];
  /** The rows that make up a login. If the database has versions of rows, the versions are compared. */
  rows?: LoginRows;
  /** The table in which a page view renews a login. */
  renewed?: {
    table: string;
    /** The column with the value of `LoginTable.id`. */
    id: string;
    /** The column with the Unix time of the last page view. */
    column: string;
    /** The login expires this many seconds after the last page view. */
    lifetime: number;
  };
}

/** The accounts that can log in, without blocked, deleted and unconfirmed ones. Columns other than `id` make up the name. */
export interface AccountTable extends SiteTable {
  /** The columns that a search compares. Use only columns that other users may see. */
  search: readonly string[];
  /** The user's name as in `checkRow`. Empty if the account has no name. @param text returns a column's text */
  name(text: (column: string) => string): string;
}

/** A part of a login's row. */
export interface LoginPart extends SiteTable {
  /** The column of the primary key. */
  id: string;
  /** The login columns of the part, by the login column with the part's primary key. */
  of: Readonly<Record<string, readonly string[]>>;
  /** The part is not read while these tables are unchanged. Absent if one of them changes all the time. */
  tables?: readonly string[];
  /** The values are short, so comparing them is cheaper than computing a digest. */
  short?: true;
  /**
   * The part consists of all rows with that key, if any. Its only login column has the values of these rows, as
   * `SiteSql.lines`. `id`: the login exists only with a line that begins with its primary key and a blank.
   */
  lines?: 'id' | true;
  /** A login whose key is NULL does not have this part. */
  optional?: true;
}

/** The table with the application's settings. */
export interface SettingsTable extends SiteTable {
  /** The settings to read, by the column `name`. */
  names: readonly string[];
}

/** Returns the table of mail addresses. @param from the table, with the alias `u` and a condition if necessary */
export const selectMails = (view: string, from: string, id: string, mail: string): SiteTable => ({
  view,
  columns: { mail: 'text' },
  select: `SELECT ${id} AS id, ${mail} AS mail FROM ${from}`,
});

/**
 * Returns the table of accounts.
 * @param from the table, with an alias and a condition if necessary
 * @param name a column or expression
 * @param decode undoes the application's encoding of names
 */
export const selectAccounts = (
  view: string,
  from: string,
  { id, name, decode = (text) => text }: { id: string; name: string; decode?: (text: string) => string },
): AccountTable => ({
  view,
  columns: texts('name'),
  search: ['name'],
  select: `SELECT ${id} AS id, ${name} AS name FROM ${from}`,
  name: (text) => displayName(decode(text('name'))),
});

/** Quotes the name of a table for SQL. A dot separates the database or schema. */
export const quoteTable = (name: string, { quote }: Pick<SiteSql, 'quote'>): string =>
  name
    .split('.')
    .map((part) => quote + part.replaceAll(quote, quote + quote) + quote)
    .join('.');

/**
 * Returns a table that lists which of these columns another table has.
 * @param table the other table, with its schema if necessary
 */
export function selectColumns(
  table: string,
  names: readonly string[],
  { view, kind, schema: own }: { view: string; kind: SiteDatabase['kind']; schema: string },
): SettingsTable {
  const literal = (text: string) =>
    `'${(kind === 'mysql' ? text.replaceAll('\\', '\\\\') : text).replaceAll("'", "''")}'`;
  const [bare = '', schema] = table.split('.').reverse();
  const select =
    kind === 'sqlite'
      ? `SELECT c.name AS name, c.name AS value FROM pragma_table_info(${literal(bare)}) AS c`
      : `SELECT c.column_name AS name, c.column_name AS value FROM information_schema.columns AS c WHERE c.table_schema = ${schema === undefined ? own : literal(schema)} AND c.table_name = ${literal(bare)}`;
  return { view, columns: { value: 'text' }, names, select };
}

/**
 * Returns the prefix of tables.
 * @param setting the name of the setting, for the error
 * @throws ConfigurationError if the prefix is not safe in SQL
 */
export function requirePrefix(prefix: string, setting: string): string {
  if (/^\w{0,48}$/.test(prefix)) return prefix;
  throw new ConfigurationError(`${setting} must have at most 48 characters of A-Z a-z 0-9 _`);
}

/** Returns the number of administrators. Undefined if the operator names their roles. @param select for the number */
export const countAdmins = async (
  { admins }: { admins?: readonly string[] | undefined },
  ask: (select: string) => Promise<string | null>,
  select: string,
): Promise<number | undefined> => (admins === undefined ? Number(await ask(select)) : undefined);

export const texts = (...names: string[]) => Object.fromEntries(names.map((name) => [name, 'text' as const]));

/** Returns a part with the primary key `id`, which is in the login column `key`. */
export const loginPart = ({
  key,
  columns,
  ...part
}: Omit<LoginPart, 'id' | 'of' | 'columns'> & { key: string; columns: readonly string[] }): LoginPart => ({
  ...part,
  columns: texts(...columns),
  id: 'id',
  of: { [key]: columns },
});

/** Returns a table whose rows are not read while `tables` are unchanged. */
export function seldomChanged(table: LoginTable, tables: readonly string[]): LoginTable {
  const { view, select, columns, id } = table;
  const of = { [id]: Object.keys(columns) };
  return { ...table, parts: [{ view, select, columns, id, of, tables, short: true }] };
}

/** Returns a function that reads the columns of a row as text. Empty for NULL and without a row. */
export const textsOf =
  (row: Row | null) =>
  (column: string): string =>
    row?.[column]?.toString('utf8') ?? '';

/** Returns a function that reads settings by name as text. Empty for NULL and missing settings. */
export const settingTexts =
  (settings: ReadonlyMap<string, Row>) =>
  (name: string): string =>
    textsOf(settings.get(name) ?? null)('value');

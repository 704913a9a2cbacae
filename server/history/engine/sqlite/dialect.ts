import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Columns, Row, Value } from '../../records/columns.ts';
import { messageColumns, stringAgg } from '../../records/message.ts';
import { type Asking, type Dialect, raw, type Sql, without } from '../dialect.ts';

/** The columns to select for a message. */
export const columns = messageColumns('chat_', stringAgg);

/** Maximum cached prepared statements. There are about 150 texts, plus some that depend on the length of a list. */
const maxStatements = 500;

/** Runs computations on a database file synchronously. */
export class SqliteConnection {
  readonly db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  constructor(db: DatabaseSync) {
    this.db = db;
  }

  /** Runs a computation. @throws Error of SQLite, with its code */
  answered<T>(asking: Asking<T>): T {
    let step = asking.next();
    while (step.done !== true) step = asking.next(step.value.map((statement) => this.query(statement)));
    return step.value;
  }

  query({ text, values, each }: Sql): Row[] {
    const statement = this.#statement(text);
    const given = values as readonly Value[];
    if (each === undefined) return statement.all(...given);
    const { rows, at } = each;
    const [first, ...others] = rows;
    const valuesOf = (row: readonly Value[]) =>
      given.length === 0 ? row : [...given.slice(0, at), ...row, ...given.slice(at)];
    if (first === undefined) return [];
    const found = statement.all(...valuesOf(first));
    for (const row of others) for (const one of statement.all(...valuesOf(row))) found.push(one);
    return found;
  }

  #statement(text: string): StatementSync {
    const known = this.#statements.get(text);
    if (known !== undefined) return known;
    if (this.#statements.size === maxStatements) this.#statements.clear();
    const statement = this.db.prepare(text);
    this.#statements.set(text, statement);
    return statement;
  }
}

const perRow = (text: string, rows: readonly (readonly Value[])[]): Sql => ({
  text,
  values: [],
  each: { rows, at: 0 },
});

function insertion(table: string, names: Columns, more: string): string {
  return `INSERT INTO ${table} (${names.join(', ')}) VALUES (${names.map(() => '?').join(', ')}) ${more}`;
}

function upserting(table: string, key: Columns, names: Columns): string {
  const set = without(names, key).map((name) => `${name} = excluded.${name}`);
  return insertion(table, names, `ON CONFLICT (${key.join(', ')}) DO UPDATE SET ${set.join(', ')}`);
}

/** Returns the dialect of node:sqlite. One thread runs all rules, so no row locks are needed. */
export function sqlite(db: DatabaseSync): Dialect {
  const next = db.prepare(
    'SELECT max(num, (SELECT coalesce(max(num), 0) + 1 FROM chat_messages)) AS num FROM next_message',
  );
  let upTo: number | undefined;
  return {
    name: 'SQLite',
    isShared: false,
    messageColumns: raw(columns),
    among(names, rows) {
      const [name, ...more] = names;
      // As one JSON value, so that the text is the same for any number of rows.
      if (more.length === 0) {
        const list = JSON.stringify(rows.map(([value]) => value));
        return { text: `${name} IN (SELECT value FROM json_each(?))`, values: [list] };
      }
      const fields = names.map((_, n) => `value ->> ${n}`).join(', ');
      return {
        text: `(${names.join(', ')}) IN (SELECT ${fields} FROM json_each(?))`,
        values: [JSON.stringify(rows)],
      };
    },
    each: (names, rows) => perRow(`(${names.map((name) => `${name} = ?`).join(' AND ')})`, rows),
    insert: (table, names, rows, more = '') => perRow(insertion(table, names, more), rows),
    insertNew: (table, names, rows) => perRow(insertion(table, names, 'ON CONFLICT DO NOTHING'), rows),
    upsert: (table, key, names, rows) => perRow(upserting(table, key, names), rows),
    // By UPDATE, so that SQLite does not rewrite the indexes of unchanged columns.
    update(table, key, names, rows, changed) {
      const set = changed.map((name) => `${name} = ?`).join(', ');
      const which = key.map((name) => `${name} = ?`).join(' AND ');
      const places = [...changed, ...key].map((name) => names.indexOf(name));
      return perRow(
        `UPDATE ${table} SET ${set} WHERE ${which}`,
        rows.map((row) => places.map((place) => row[place] as Value)),
      );
    },
    by: (index) => raw(`INDEXED BY ${index}`),
    lock: raw(''),
    restrictedBy: (kind) => raw(`restricted ->> '$.${kind}.by'`),
    newestMessage: raw(
      'SELECT max(num, (SELECT coalesce(max(num), 0) + 1 FROM chat_messages)) - 1 AS num FROM next_message',
    ),
    now: raw(`CAST(unixepoch('subsec') * 1000 AS INTEGER)`),
    nextPosition: raw(
      `INSERT INTO chat_position (id, num) VALUES ('changes', 1) ON CONFLICT (id) DO UPDATE SET num = num + 1 RETURNING num`,
    ),
    numbers(count) {
      // The numbers of a failed transaction are skipped.
      const first = upTo ?? (next.get()?.num as number);
      upTo = first + count;
      return Array.from({ length: count }, (_, n) => first + n);
    },
    *outdate(transaction, former) {
      yield* transaction.query(
        perRow(
          `INSERT INTO former_texts (message, room, seq, text, author)
           SELECT num, room, seq, ?, ? FROM chat_messages WHERE room = ? AND seq = ?`,
          former.map(({ room, seq, text, author }) => [text, author, room, seq]),
        ),
      );
    },
  };
}

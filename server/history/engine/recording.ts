import { randomUUID } from 'node:crypto';
import { columnTypes, type Value } from '../records/columns.ts';
import { type DatabaseConnection, inList, raw, type ServerDialect, type Sql, sql } from './dialect.ts';
import { keyOfTable, portableTables, type RecordedSnapshot, type Recording } from './portable.ts';
import { changedKeys, leaseMs, MissedChanges, recordingTables } from './recorded.ts';
import { openState } from './snapshot.ts';

/** Keys that one statement removes from the record, or one step after a kill. */
const keysPerStatement = 1000;

/** Selects the names of the triggers. In PostgreSQL, those of their functions. */
const existingTriggers: Record<ServerDialect['name'], Sql> = {
  PostgreSQL: raw(
    `SELECT proname AS name FROM pg_proc
       WHERE pronamespace = current_schema()::regnamespace AND starts_with(proname::text, 'moving_chat_')`,
  ),
  MariaDB: raw(
    `SELECT trigger_name AS name FROM information_schema.triggers
       WHERE trigger_schema = DATABASE() AND trigger_name LIKE 'moving\\_%\\_chat\\_%'`,
  ),
};

/**
 * Records the keys of changed rows in a database, whose servers may be running. A trigger of MariaDB does not run for
 * rows that are deleted with their message; `copyChanges` copies these with the message.
 * @throws SqlError, also if a long transaction, such as a backup in MariaDB, prevents the creation of a trigger
 */
export async function record(dialect: ServerDialect): Promise<Recording> {
  const id = randomUUID();
  const using = async <T>(work: (connection: DatabaseConnection) => Promise<T>): Promise<T> => {
    const connection = await dialect.connect();
    try {
      return await work(connection);
    } finally {
      connection.destroy();
    }
  };
  const isOwn = sql`id = ${id} AND until > ${dialect.now}`;
  const lease = raw(recordingTables.lease);
  async function isRecording(connection: DatabaseConnection): Promise<boolean> {
    if ((await connection.query(existing(dialect))).length === 0) return false;
    return (await connection.query(sql`SELECT id FROM ${lease} WHERE ${isOwn}`)).length > 0;
  }
  await using(async (connection) => {
    await removeRecording(connection, dialect);
    for (const statement of creations(dialect)) await connection.query(raw(statement));
    await connection.query(sql`INSERT INTO ${lease} (id, until) SELECT ${id}, ${dialect.now} + ${leaseMs}`);
    // Each in its own transaction, which waits for the transactions that use the table, but blocks no other table.
    for (const table of portableTables)
      for (const statement of triggers(dialect, table)) await connection.query(raw(statement));
  }).catch(async (error: unknown) => {
    await using((connection) => removeRecording(connection, dialect)).catch(() => {});
    throw error;
  });
  return {
    async open(): Promise<RecordedSnapshot> {
      const nums: number[] = [];
      const readKeys = async (connection: DatabaseConnection) => {
        const rows: (readonly [name: string, key: string])[] = [];
        const select = `SELECT num, name, row_key FROM ${recordingTables.changes}`;
        for await (const part of connection.stream(select)) {
          for (const { num, name, row_key } of part) {
            nums.push(num as number);
            rows.push([name as string, row_key as string]);
          }
        }
        return changedKeys(rows);
      };
      const { snapshot, more: changed } = await openState(dialect, readKeys);
      return {
        ...snapshot,
        changed,
        // By number, because a transaction that commits later may have smaller numbers.
        forget: () =>
          using(async (connection) => {
            for (let n = 0; n < nums.length; n += keysPerStatement) {
              const some: Value[] = nums.slice(n, n + keysPerStatement);
              await connection.queryPatiently(
                sql`DELETE FROM ${raw(recordingTables.changes)} WHERE ${inList(dialect, 'num', some)}`,
              );
            }
          }),
      };
    },
    check: () =>
      using(async (connection) => {
        if (!(await isRecording(connection))) throw new MissedChanges();
        await connection.query(sql`UPDATE ${lease} SET until = ${dialect.now} + ${leaseMs} WHERE ${isOwn}`);
      }),
    end: () =>
      using(async (connection) => {
        if (await isRecording(connection)) await removeRecording(connection, dialect);
      }),
  };
}

/** Stops the recording of another process, and removes its triggers and tables. */
export async function removeRecording(connection: DatabaseConnection, dialect: ServerDialect): Promise<void> {
  const { changes, lease } = recordingTables;
  const [there] = await connection.query(existing(dialect));
  if (there === undefined) return;
  // Without the lease, the triggers do nothing. While one remains, it needs the tables.
  await connection.query(raw(`DELETE FROM ${lease}`)).catch(() => {});
  // MariaDB may forbid to drop even a missing trigger.
  for (const { name } of await connection.query(existingTriggers[dialect.name]))
    await connection.query(
      raw(dialect.name === 'PostgreSQL' ? `DROP FUNCTION ${name} CASCADE` : `DROP TRIGGER ${name}`),
    );
  for (const table of [changes, lease]) await connection.query(raw(`DROP TABLE IF EXISTS ${table}`));
}

/**
 * Deletes some keys that a killed process recorded, because an erasure does not find them.
 * @returns whether more may be left
 */
export async function forgetKilled(connection: DatabaseConnection, dialect: ServerDialect): Promise<boolean> {
  if ((await connection.query(existing(dialect))).length === 0) return false;
  const { changes, lease } = recordingTables;
  // Without the lease, `check` detects that keys were deleted.
  await connection.query(sql`DELETE FROM ${raw(lease)} WHERE until <= ${dialect.now}`);
  const select = `SELECT num FROM ${changes} ORDER BY num LIMIT 1`;
  const [first] = await connection.query(raw(select));
  if (first === undefined || (await connection.query(raw(`SELECT 1 FROM ${lease}`))).length > 0) return false;
  const [end] = await connection.query(raw(`${select} OFFSET ${keysPerStatement}`));
  const upTo = (end?.num as number | undefined) ?? Number.MAX_SAFE_INTEGER;
  // Another process may have begun to record.
  await connection.query(
    sql`DELETE FROM ${raw(changes)} WHERE num < ${upTo} AND NOT EXISTS (SELECT 1 FROM ${raw(lease)})`,
  );
  return end !== undefined;
}

/** Selects whether there is a lease, which is created first and removed last. */
const existing = ({ schema }: ServerDialect): Sql =>
  sql`SELECT 1 AS num FROM information_schema.tables
    WHERE table_schema = ${schema} AND table_name = ${recordingTables.lease}`;

function creations({ name }: ServerDialect): string[] {
  const { changes, lease } = recordingTables;
  return name === 'PostgreSQL'
    ? [
        `CREATE TABLE ${lease} (id TEXT NOT NULL, until BIGINT NOT NULL)`,
        `CREATE TABLE ${changes} (num BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name TEXT NOT NULL, row_key TEXT NOT NULL)`,
      ]
    : [
        `CREATE TABLE ${lease} (id VARCHAR(64) NOT NULL, until BIGINT NOT NULL) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin`,
        `CREATE TABLE ${changes} (num BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, name VARCHAR(64) NOT NULL, row_key TEXT NOT NULL)
           ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin`,
      ];
}

function triggers(dialect: ServerDialect, table: string): string[] {
  const { changes, lease } = recordingTables;
  const columns = keyOfTable(table);
  const isLeased = `EXISTS (SELECT 1 FROM ${lease} WHERE until > ${dialect.now.text})`;
  const differs = columns
    .map((column) =>
      dialect.name === 'PostgreSQL'
        ? `OLD.${column} IS DISTINCT FROM NEW.${column}`
        : `NOT (OLD.${column} <=> NEW.${column})`,
    )
    .join(' OR ');
  const insertion = (key: string) => `INSERT INTO ${changes} (name, row_key) VALUES ('${table}', ${key});`;
  // A change that is not recorded deletes the lease, so that `check` detects it.
  const recorded = (insertions: string) =>
    `IF ${isLeased} THEN ${insertions} ELSE DELETE FROM ${lease}; END IF;`;
  if (dialect.name === 'PostgreSQL') {
    const key = (row: 'OLD' | 'NEW') =>
      `json_build_array(${columns.map((column) => `${row}.${column}`).join(', ')})::text`;
    const body = recorded(
      `IF TG_OP <> 'INSERT' THEN ${insertion(key('OLD'))} END IF;
       IF TG_OP = 'INSERT' THEN ${insertion(key('NEW'))}
       ELSIF TG_OP = 'UPDATE' AND (${differs}) THEN ${insertion(key('NEW'))} END IF;`,
    );
    const name = `moving_${table}`;
    return [
      `CREATE FUNCTION ${name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ${body} RETURN NULL; END $$`,
      `CREATE TRIGGER ${name} AFTER INSERT OR UPDATE OR DELETE ON ${table} FOR EACH ROW EXECUTE FUNCTION ${name}()`,
    ];
  }
  const key = (row: 'OLD' | 'NEW') =>
    `JSON_ARRAY(${columns
      .map((column) =>
        columnTypes[column] === 'int' ? `${row}.${column}` : `CONVERT(${row}.${column} USING utf8mb4)`,
      )
      .join(', ')})`;
  const bodies = {
    insert: insertion(key('NEW')),
    update: `${insertion(key('OLD'))} IF ${differs} THEN ${insertion(key('NEW'))} END IF;`,
    delete: insertion(key('OLD')),
  };
  return Object.entries(bodies).map(
    ([event, insertions]) =>
      `CREATE TRIGGER moving_${event}_${table} AFTER ${event.toUpperCase()} ON ${table} FOR EACH ROW BEGIN ${recorded(insertions)} END`,
  );
}

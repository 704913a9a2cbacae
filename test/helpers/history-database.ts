import { createPool, type RowDataPacket } from 'mysql2/promise';
import { Pool } from 'pg';
import type { Renewal } from '../../server/history/engine/background.ts';
import { namesIn } from '../../server/history/engine/beside.ts';
import type { Shared } from '../../server/history/engine/followed.ts';
import type { History } from '../../server/history/history.ts';
import { dialectOf, openDatabaseHistory, openHistory, readHistoryPlace } from '../../server/history/open.ts';
import type { Mariadb } from './mariadb.ts';
import type { Postgres } from './postgres.ts';

/** A separate database for a chat history, owned by the user who logs in. */
export interface HistoryDatabase {
  /** The value for CHAT_HISTORY. */
  readonly url: string;
  /** Runs a statement as its owner. */
  query(sql: string, values?: unknown[]): Promise<Record<string, unknown>[]>;
  /** Returns the tables in which a row contains this text. */
  holding(text: string): Promise<string[]>;
  /** Empties all tables of a history. */
  empty(): Promise<void>;
  close(): Promise<void>;
}

/** The tables that a history fills. */
const tables = namesIn({ name: 'PostgreSQL' }).tables.filter(
  (name) => !['migrations', 'digest_key', 'commits', 'claims'].includes(name.slice('chat_'.length)),
);

let made = 0;

export async function postgresDatabase(server: Postgres): Promise<HistoryDatabase> {
  const name = `chat_${made++}`;
  await server.query(`CREATE DATABASE ${name} OWNER site`);
  const url = `postgres://${server.login}@127.0.0.1:${server.port}/${name}`;
  const pool = new Pool({ connectionString: url, max: 1 });
  pool.on('error', () => {});
  return {
    url,
    query: async (sql, values = []) => (await pool.query<Record<string, unknown>>(sql, values)).rows,
    async holding(text) {
      const found: string[] = [];
      for (const table of tables) {
        const { rowCount } = await pool.query(`SELECT 1 FROM ${table} AS t WHERE t::text LIKE $1`, [
          `%${text}%`,
        ]);
        if (rowCount !== 0) found.push(table);
      }
      return found.sort();
    },
    async empty() {
      // TRUNCATE creates new files for all tables and indexes, which takes longer than deleting a test's rows.
      await pool.query(tables.map((name) => `DELETE FROM ${name}`).join(';'));
    },
    close: () => pool.end(),
  };
}

export async function mariadbDatabase(server: Mariadb): Promise<HistoryDatabase> {
  const name = `chat_${made++}`;
  await server.query(`CREATE DATABASE ${name}`);
  await server.query(`GRANT ALL ON ${name}.* TO site@'%'`);
  const pool = createPool({
    socketPath: `${server.folder}/socket`,
    user: 'root',
    database: name,
    connectionLimit: 1,
  });
  const query = async (sql: string, values: unknown[] = []) => {
    const [rows] = await pool.query<RowDataPacket[]>(sql, values);
    return rows;
  };
  return {
    url: `mysql://${server.login}@127.0.0.1:${server.port}/${name}`,
    query,
    async holding(text) {
      const found: string[] = [];
      for (const table of tables) {
        const columns = await query(`SHOW COLUMNS FROM ${table}`);
        const row = columns.map(({ Field }) => `coalesce(${Field}, '')`).join(', ');
        const rows = await query(`SELECT 1 FROM ${table} WHERE CONCAT_WS(' ', ${row}) LIKE ?`, [`%${text}%`]);
        if (rows.length > 0) found.push(table);
      }
      return found.sort();
    },
    async empty() {
      for (const table of tables) await query(`DELETE FROM ${table}`);
    },
    close: () => pool.end(),
  };
}

/** Opens the history in this database without the claim of a server, because tests open one several times. */
export async function openDatabase(
  url: string,
  onBatch?: (batch: { messages: number; commitMs: number }) => void,
  shared?: Shared,
  onRenewal?: (is: Renewal) => unknown,
): Promise<History> {
  const place = readHistoryPlace(url);
  if (place === undefined) throw new Error('this is not the address of a history');
  const options = {
    onFailure: (error: Error) => {
      throw error;
    },
    onBatch,
    shared,
    onRenewal,
  };
  return place.kind === 'sqlite'
    ? openHistory(place, options)
    : openDatabaseHistory(await dialectOf(place), options);
}

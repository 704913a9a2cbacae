import { setTimeout as pause } from 'node:timers/promises';
import { type DatabaseAddress, placeOf } from './address.ts';
import { type DatabaseConnection, raw, type ServerDialect, type Sql } from './dialect.ts';

/** Thrown if another process uses the history. */
export class InUse extends Error {}

/**
 * Count the other connections to the database. In MariaDB, an account without the PROCESS privilege sees only its
 * own.
 */
const connections: Record<ServerDialect['name'], Sql> = {
  PostgreSQL: raw(
    `SELECT count(*) AS num FROM pg_stat_activity WHERE datname = current_database()
       AND application_name = 'php-session-chat' AND pid <> pg_backend_pid()`,
  ),
  MariaDB: raw(
    'SELECT count(*) AS num FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()',
  ),
};

/** After a server ends, the database may list its connections for this time. */
const endPatienceMs = 2000;
const checkDelayMs = 100;

async function isAlone(connection: DatabaseConnection, dialect: ServerDialect): Promise<boolean> {
  const [lock] = await connection.query(dialect.tryLock);
  // Takes the servers' lock too, so that a server which lost its connections cannot take it again.
  const [claim] = await connection.query(dialect.claims.alone);
  const [others] = await connection.query(connections[dialect.name]);
  return lock?.num === 1 && claim?.num === 1 && others?.num === 0;
}

/**
 * Connects to a history that no server uses. No server can start until the connection closes.
 * @param options.patienceMs how long to wait for a server that is shutting down
 * @throws InUse; `whyNotAlone` converts errors to a message
 */
export async function connectAlone(
  dialect: ServerDialect,
  { patienceMs = endPatienceMs } = {},
): Promise<DatabaseConnection> {
  const connection = await dialect.connect();
  try {
    for (const began = performance.now(); !(await isAlone(connection, dialect)); await pause(checkDelayMs)) {
      if (performance.now() - began < patienceMs) continue;
      throw new InUse(
        `this history is in use: stop every server of the chat first${dialect.name === 'MariaDB' ? ', and every other program that is connected to this database' : ''}`,
      );
    }
    return connection;
  } catch (error) {
    connection.destroy();
    throw error;
  }
}

/** Describes why `connectAlone` failed: the history is in use, or the database is not available. */
export const whyNotAlone = (history: DatabaseAddress, error: Error): string =>
  error instanceof InUse ? error.message : `${placeOf(history)} cannot be used: ${error.message}`;

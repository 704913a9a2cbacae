import { setTimeout as pause } from 'node:timers/promises';
import { type DatabaseAddress, placeOf } from './address.ts';
import { type DatabaseConnection, raw, type ServerDialect, type Sql } from './dialect.ts';

/** A server runs. */
class InUse extends Error {}

/** How many other connections there are to the database: with MariaDB those of this user, if it has no right to see others. */
const connections: Record<'PostgreSQL' | 'MariaDB', Sql> = {
  PostgreSQL: raw(
    `SELECT count(*) AS num FROM pg_stat_activity WHERE datname = current_database()
       AND application_name = 'php-session-chat' AND pid <> pg_backend_pid()`,
  ),
  MariaDB: raw(
    'SELECT count(*) AS num FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()',
  ),
};

/** Milliseconds for which a database may still list the connections of a server that has just ended. */
const longestEnd = 2000;
const checkAgain = 100;

async function isAlone(connection: DatabaseConnection, dialect: ServerDialect): Promise<boolean> {
  const [lock] = await connection.query(dialect.tryLock);
  // A server that has lost its connections for a moment does not come back meanwhile.
  const [claim] = await connection.query(dialect.claims.alone);
  const [others] = await connection.query(connections[dialect.name as keyof typeof connections]);
  return lock?.num === 1 && claim?.num === 1 && others?.num === 0;
}

/**
 * Connects to a history that no server uses. Until the connection ends, none starts.
 * @throws Error; `whyNotAlone` has it in words
 */
export async function connectAlone(dialect: ServerDialect): Promise<DatabaseConnection> {
  const connection = await dialect.connect();
  try {
    for (const began = performance.now(); !(await isAlone(connection, dialect)); await pause(checkAgain)) {
      if (performance.now() - began < longestEnd) continue;
      throw new InUse(
        `a chat server is using this history: stop it first, and each other one${dialect.name === 'MariaDB' ? '; with MariaDB, any other program that is connected to this database counts, too' : ''}`,
      );
    }
    return connection;
  } catch (error) {
    connection.destroy();
    throw error;
  }
}

/** Why nobody gets this history alone: a server uses it, or the database cannot be used. */
export const whyNotAlone = (history: DatabaseAddress, error: Error): string =>
  error instanceof InUse ? error.message : `${placeOf(history)} cannot be used: ${error.message}`;

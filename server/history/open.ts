import { type DatabaseAddress, placeOf, readDatabaseAddress } from './engine/address.ts';
import type { Claim } from './engine/claim.ts';
import type { ServerDialect } from './engine/dialect.ts';
import type { SqlHistoryOptions } from './engine/sql.ts';
import type { History, ReadOnlyHistory, Reads } from './history.ts';
import { checkSqliteHistory, openSqliteHistory, openSqliteReads } from './sqlite/sqlite.ts';
import { UnusableHistory } from './unusable.ts';

/** The location of a history: a file, or a database on a server. */
export type HistoryPlace = { kind: 'sqlite'; path: string } | DatabaseAddress;

/** Parses CHAT_HISTORY. @returns undefined if it is invalid */
export function readHistoryPlace(setting: string): HistoryPlace | undefined {
  // Several threads share the file, so it cannot be in memory. A URL with a host or a login is for another database.
  const path = /^sqlite:(?!:memory:|\/\/[^/]|.*:.*@)(.+)$/s.exec(setting)?.[1];
  return path === undefined ? readDatabaseAddress(setting) : { kind: 'sqlite', path };
}

/**
 * Opens the history, and waits for another server that uses the database.
 * @param options.onFailure called when this server must stop, such as after a bug or if another server took over
 * @throws UnusableHistory
 */
export async function openHistory(
  place: HistoryPlace,
  options: Omit<SqlHistoryOptions, 'begin'> & {
    /** How long to wait for another server to stop, in ms. */
    maxWaitMs?: number;
    /** Called when this wait starts. */
    onWaiting?: () => void;
  },
): Promise<History> {
  if (place.kind === 'sqlite') return openSqliteHistory({ ...options, path: place.path });
  const { claim } = await import('./engine/claim.ts');
  const dialect = await dialectOf(place);
  let claimed: Claim | undefined;
  try {
    claimed = await claim(dialect, options.shared === undefined ? 'alone' : 'together', {
      maxWaitMs: options.maxWaitMs ?? 0,
      onWaiting: options.onWaiting ?? (() => {}),
      inUse:
        'another chat server, an import or a restore is using it: stop that first, or set CHAT_CLUSTER on each server of the site',
      usedSince: 'another chat server, an import or a restore used it since then: restart this server',
      onLost: ({ message }) =>
        options.onFailure(new Error(`this server lost the connection to ${placeOf(place)}, and ${message}`)),
    });
    const history = await openDatabaseHistory(dialect, { ...options, begin: claimed.begin });
    return {
      ...history,
      async close() {
        await history.close();
        claimed?.close();
      },
    };
  } catch (error) {
    claimed?.close();
    throw new UnusableHistory(placeOf(place), error as Error);
  }
}

/** Opens the history in a database that this process has claimed. */
export async function openDatabaseHistory(
  dialect: ServerDialect,
  options: SqlHistoryOptions,
): Promise<History> {
  // Imported on demand, to save memory on servers that use a file.
  const { openSqlHistory } = await import('./engine/sql.ts');
  const { reads, subjects } = await import('./subjects.ts');
  return openSqlHistory(dialect, { reads, subjects }, options);
}

/**
 * Opens a history that no server uses, without any changes. With SQLite, a search updates the search index.
 * @throws SqlError, UnusableHistory
 */
export async function openReads(place: HistoryPlace): Promise<ReadOnlyHistory> {
  return place.kind === 'sqlite' ? openSqliteReads(place.path) : openDatabaseReads(await dialectOf(place));
}

/** Like `openReads`. */
export async function openDatabaseReads(dialect: ServerDialect): Promise<ReadOnlyHistory> {
  const { openSqlReads } = await import('./engine/sql.ts');
  const { reads } = await import('./subjects.ts');
  return openSqlReads<Reads>(dialect, reads);
}

/** Returns what would stop a server with this history at its start. The history stays unchanged. */
export async function findHistoryFault(place: HistoryPlace): Promise<UnusableHistory | undefined> {
  try {
    if (place.kind === 'sqlite') checkSqliteHistory(place.path);
    else await (await import('./engine/trial.ts')).tryStart(await dialectOf(place));
    return undefined;
  } catch (error) {
    if (error instanceof UnusableHistory || place.kind === 'sqlite') return error as UnusableHistory;
    return new UnusableHistory(placeOf(place), error as Error);
  }
}

/** Returns the dialect for the database of a history. */
export async function dialectOf(address: DatabaseAddress): Promise<ServerDialect> {
  return address.kind === 'postgres'
    ? (await import('./engine/postgres.ts')).postgres(address)
    : (await import('./engine/mariadb.ts')).mariadb(address);
}

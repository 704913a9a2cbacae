import { type DatabaseAddress, placeOf, readDatabaseAddress } from './engine/address.ts';
import type { Claim } from './engine/claim.ts';
import type { ServerDialect } from './engine/dialect.ts';
import type { SqlHistoryOptions } from './engine/sql.ts';
import { openSqliteHistory } from './engine/sqlite/sqlite.ts';
import type { History } from './history.ts';

/** Where a history is: a file, or a database of a server. */
export type HistoryPlace = { kind: 'sqlite'; path: string } | DatabaseAddress;

/** Reads CHAT_HISTORY. @returns undefined for anything else */
export function readHistoryPlace(setting: string): HistoryPlace | undefined {
  // Several threads share the file, so it cannot be one in memory. With a host or a login it is another database's.
  const path = /^sqlite:(?!:memory:|\/\/[^/]|.*:.*@)(.+)$/s.exec(setting)?.[1];
  return path === undefined ? readDatabaseAddress(setting) : { kind: 'sqlite', path };
}

/**
 * @param options.onFailure called after a bug in this program; nothing works from then on
 * @throws Error naming the place, without a password, when it cannot be used or a newer version has written it
 */
export async function openHistory(
  place: HistoryPlace,
  options: Omit<SqlHistoryOptions, 'begin'> & {
    /** Milliseconds in which another server that has the database may end. */
    patience?: number;
    /** Called when this one waits for that. */
    onWaiting?: () => void;
  },
): Promise<History> {
  if (place.kind === 'sqlite') return openSqliteHistory({ ...options, path: place.path });
  const { claim } = await import('./engine/claim.ts');
  const dialect = await dialectOf(place);
  let claimed: Claim | undefined;
  try {
    claimed = await claim(dialect, options.shared === undefined ? 'alone' : 'together', {
      patience: options.patience ?? 0,
      onWaiting: options.onWaiting ?? (() => {}),
      inUse:
        'another chat server, an import or a restore is using it; stop that first, or set CHAT_CLUSTER on each server if they are of one site',
      usedSince: 'another chat server, an import or a restore has used it meanwhile: start this server again',
      onLost: ({ message }) =>
        options.onFailure(
          new Error(`this server has lost the connection to ${placeOf(place)}, and ${message}`),
        ),
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
    const cause = error as Error;
    throw new Error(`the history ${placeOf(place)} cannot be opened: ${cause.message}`, { cause });
  }
}

/** Opens the history in a database that this process has claimed. */
export async function openDatabaseHistory(
  dialect: ServerDialect,
  options: SqlHistoryOptions,
): Promise<History> {
  // A server with a file does not need the memory that these take.
  const { openSqlHistory } = await import('./engine/sql.ts');
  const { reads, subjects } = await import('./subjects.ts');
  return openSqlHistory(dialect, { reads, subjects }, options);
}

/** For the doctor. @throws Error that says why the database of a history cannot be reached */
export async function tryDatabase(place: DatabaseAddress): Promise<void> {
  (await (await dialectOf(place)).connect()).destroy();
}

/** How to talk to the database of a history. */
export async function dialectOf(address: DatabaseAddress): Promise<ServerDialect> {
  return address.kind === 'postgres'
    ? (await import('./engine/postgres.ts')).postgres(address)
    : (await import('./engine/mariadb.ts')).mariadb(address);
}

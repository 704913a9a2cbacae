import { realpathSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import type { DatabaseAddress } from './engine/address.ts';
import { raw } from './engine/dialect.ts';
import { digestKeyIn } from './engine/migrations.ts';
import { erasedDigest, erasuresByDigest, listedErasures } from './engine/sqlite/erased.ts';
import { digestKeyOf } from './engine/sqlite/migrations.ts';
import { dialectOf, type HistoryPlace } from './open.ts';

/** The times of the latest erasures in Unix ms, by the digest of the user ID with `digestKey`. */
interface Erasures {
  digestKey: Uint8Array;
  at: ReadonlyMap<string, number>;
}

/** Reads the erasures of a history. @returns a function that looks up when a user was last erased, in Unix ms */
export async function erasuresOf(place: HistoryPlace): Promise<(user: string) => number | undefined> {
  const { digestKey, at } = await (place.kind === 'sqlite' ? besideFile(place.path) : inDatabase(place));
  return (user) => at.get(erasedDigest(digestKey, user));
}

async function besideFile(path: string): Promise<Erasures> {
  const real = realpathSync(path);
  const erased = erasuresByDigest(await listedErasures(real));
  const db = new DatabaseSync(real, { readOnly: true });
  try {
    return { digestKey: digestKeyOf(db), at: new Map([...erased].map(([digest, { at }]) => [digest, at])) };
  } finally {
    db.close();
  }
}

async function inDatabase(address: DatabaseAddress): Promise<Erasures> {
  const connection = await (await dialectOf(address)).connect();
  try {
    const rows = await connection.queryPatiently(
      raw('SELECT digest, max(at) AS at FROM chat_erased GROUP BY digest'),
    );
    const at = new Map(rows.map((row) => [row.digest as string, row.at as number]));
    return { digestKey: await digestKeyIn(connection), at };
  } finally {
    connection.destroy();
  }
}

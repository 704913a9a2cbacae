import type { Value } from '../records/columns.ts';

/** The tables of a recording. `moving_lease` has a row while it is complete. */
export const recordingTables = { changes: 'moving_changes', lease: 'moving_lease' } as const;

/** If the recording process was killed, its triggers do nothing after this time, in ms. */
export const leaseMs = 10 * 60_000;

/** Changes of the history may be missing in a recording. */
export class MissedChanges extends Error {
  constructor() {
    super(
      'changes of the old history may be missing, because it was restored or moved at the same time, or this command was suspended: run it again',
    );
  }
}

/** Returns the keys by table, without duplicates. @param rows tables, and keys as JSON */
export function changedKeys(rows: Iterable<readonly [name: string, key: string]>): Map<string, Value[][]> {
  const texts = new Map<string, Set<string>>();
  for (const [name, key] of rows) {
    const known = texts.get(name);
    if (known === undefined) texts.set(name, new Set([key]));
    else known.add(key);
  }
  return new Map(
    [...texts].map(([name, keys]) => [name, [...keys].map((key) => JSON.parse(key) as Value[])]),
  );
}

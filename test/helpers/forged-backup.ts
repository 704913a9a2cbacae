import { rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { gunzipSync, gzipSync } from 'node:zlib';
import { ArchiveWriter, readArchive } from '../../server/backup/archive.ts';
import { tableEntry } from '../../server/backup/tables.ts';

/**
 * Writes a copy of a backup with other entries and matching digests.
 * @param change returns the new name and content of an entry, or undefined to omit it
 */
export async function forgedBackup(
  from: string,
  to: string,
  change: (name: string, content: Buffer) => readonly [string, Buffer] | undefined,
): Promise<void> {
  rmSync(to, { force: true });
  const list = `${to}.list`;
  const [archive, sums] = [await open(to, 'wx'), await open(list, 'wx+')];
  try {
    const writer = new ArchiveWriter(archive, sums, Date.now());
    for await (const { name, bytes } of readArchive(from)) {
      const parts: Buffer[] = [];
      for await (const part of bytes) parts.push(part);
      const forged = change(name, Buffer.concat(parts));
      if (forged !== undefined) await writer.add(forged[0], [forged[1]]);
    }
    await writer.end();
  } finally {
    await archive.close();
    await sums.close();
    rmSync(list);
  }
}

/** Writes a copy of a backup with other lines of a table. */
export function forgedRows(
  from: string,
  to: string,
  table: string,
  change: (lines: readonly string[]) => readonly string[],
): Promise<void> {
  return forgedBackup(from, to, (name, content) => {
    if (name !== tableEntry(table)) return [name, content];
    const lines = change(gunzipSync(content).toString().split('\n').slice(0, -1));
    return [name, gzipSync(lines.map((line) => `${line}\n`).join(''))];
  });
}

/** Changes of the lines of a table that each restore must reject. */
export const forgeries: readonly ((lines: readonly string[]) => readonly string[])[] = [
  // SQL instead of a column.
  ([names = '', ...lines]) => [names.replace('"', '"(SELECT 1), '), ...lines],
  ([names = '', ...lines]) => [names.replace('[', '["num",'), ...lines],
  ([names = '', row = '', ...lines]) => [names, row.replace('[', '[1,'), ...lines],
  ([names = '', row = '', ...lines]) => [names, row.replace(/\[[^,]*,/, '[{},'), ...lines],
  ([names = '', row = '', ...lines]) => [names, row.replace(/\[[^,]*,/, '[1.5,'), ...lines],
  ([names = '', _, ...lines]) => [names, ...lines],
  (lines) => [...lines, lines.at(-1) as string],
  (lines) => lines.slice(0, -1),
  (lines) => [...lines.slice(0, -1), '{"rows":1}'],
  (lines) => [...lines, 'nothing'],
  () => [],
];

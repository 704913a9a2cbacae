import { rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { ArchiveWriter, readArchive } from '../../server/backup/archive.ts';

/** Writes a copy of a backup with a changed history and matching digests. */
export async function forgedBackup(
  from: string,
  to: string,
  change: (history: Buffer) => Buffer,
): Promise<void> {
  rmSync(to, { force: true });
  const list = `${to}.list`;
  const [archive, sums] = [await open(to, 'wx'), await open(list, 'wx+')];
  try {
    const writer = new ArchiveWriter(archive, sums, Date.now());
    for await (const { name, bytes } of readArchive(from)) {
      const parts: Buffer[] = [];
      for await (const part of bytes) parts.push(part);
      const whole = Buffer.concat(parts);
      const entry = name.startsWith('history.') ? change(whole) : whole;
      await writer.add(name, entry.length, [entry]);
    }
    await writer.end();
  } finally {
    await archive.close();
    await sums.close();
    rmSync(list);
  }
}

import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs';
import { open } from 'node:fs/promises';

/** A pipe would make the reader wait for a writer. */
const withoutWaiting = constants.O_RDONLY | constants.O_NONBLOCK;

/**
 * A file of a site, whose folder others may write: pipes and devices are not read, and no more bytes than the file had
 * at first.
 * @returns why it is not read, if it is a text
 */
export async function readRegularFile(path: string, most: number): Promise<Buffer | string> {
  const file = await open(path, withoutWaiting);
  try {
    const stats = await file.stat();
    const why = refusal(stats, most);
    if (why !== undefined) return why;
    const bytes = Buffer.alloc(stats.size);
    return bytes.subarray(0, (await file.read(bytes, 0, stats.size, 0)).bytesRead);
  } finally {
    await file.close();
  }
}

/** The same, for a thread that does nothing else. */
export function readRegularFileSync(path: string, most: number): Buffer | string {
  const file = openSync(path, withoutWaiting);
  try {
    const stats = fstatSync(file);
    const why = refusal(stats, most);
    if (why !== undefined) return why;
    const bytes = Buffer.alloc(stats.size);
    return bytes.subarray(0, readSync(file, bytes, 0, stats.size, 0));
  } finally {
    closeSync(file);
  }
}

function refusal(stats: Stats, most: number): string | undefined {
  if (!stats.isFile()) return 'is no regular file';
  return stats.size > most ? `is larger than ${most} bytes` : undefined;
}

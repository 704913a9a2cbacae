import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs';
import { open } from 'node:fs/promises';

/** Does not wait for the writer of a FIFO. */
const openFlags = constants.O_RDONLY | constants.O_NONBLOCK;

/**
 * Reads a file in a folder where other users may write. Rejects FIFOs and devices, and reads at most the size of the file
 * at opening.
 * @returns the content, or the reason of a rejection as text
 */
export async function readRegularFile(path: string, maxBytes: number): Promise<Buffer | string> {
  const file = await open(path, openFlags);
  try {
    const stats = await file.stat();
    const reason = getRefusal(stats, maxBytes);
    if (reason !== undefined) return reason;
    const bytes = Buffer.alloc(stats.size);
    return bytes.subarray(0, (await file.read(bytes, 0, stats.size, 0)).bytesRead);
  } finally {
    await file.close();
  }
}

/** Like `readRegularFile`, for a worker thread. */
export function readRegularFileSync(path: string, maxBytes: number): Buffer | string {
  const file = openSync(path, openFlags);
  try {
    const stats = fstatSync(file);
    const reason = getRefusal(stats, maxBytes);
    if (reason !== undefined) return reason;
    const bytes = Buffer.alloc(stats.size);
    return bytes.subarray(0, readSync(file, bytes, 0, stats.size, 0));
  } finally {
    closeSync(file);
  }
}

function getRefusal(stats: Stats, maxBytes: number): string | undefined {
  if (!stats.isFile()) return 'is not a regular file';
  return stats.size > maxBytes ? `is larger than ${maxBytes} bytes` : undefined;
}

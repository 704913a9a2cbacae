import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statfsSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Sets TMPDIR to a folder in memory, which is deleted when this process ends. No-op without enough memory, or if TMPDIR
 * is set. A test run creates and deletes some hundred thousand files, which on a disk takes a fifth of the CPU and most
 * of the waiting time.
 */
export default function useMemory() {
  const memory = '/dev/shm';
  const mounts = existsSync('/proc/mounts') ? readFileSync('/proc/mounts', 'utf8') : '';
  const options = new RegExp(`^\\S+ ${memory} tmpfs (\\S+)`, 'm').exec(mounts)?.[1];
  if (process.env.TMPDIR || options === undefined || options.split(',').includes('noexec')) return;
  const { bavail, bsize } = statfsSync(memory);
  if (bavail * bsize < 4 * 2 ** 30) return;
  const folder = mkdtempSync(join(memory, 'php-session-chat-'));
  process.env.TMPDIR = folder;
  // Some servers run under other accounts.
  chmodSync(folder, 0o1777);
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
}

import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Extensions that no site of the tests uses. Loading them slows down every start of PHP. */
const unused = /^\d+-(?:calendar|curl|exif|ffi|ftp|gd|gettext|intl|shmop|sysvmsg|sysvsem|sysvshm|xsl)\.ini$/;

/** Makes all PHP of a run start without these extensions. @returns a cleanup for the end of the run */
export default function leanPhp(): () => void {
  const installed = execFileSync('php', ['-n', '-r', 'echo PHP_CONFIG_FILE_SCAN_DIR;'], { encoding: 'utf8' });
  if (process.env.PHP_INI_SCAN_DIR !== undefined || !existsSync(installed)) return () => {};
  const folder = mkdtempSync(join(tmpdir(), 'lean-php-'));
  // Some tests run PHP as another user.
  chmodSync(folder, 0o755);
  for (const name of readdirSync(installed)) {
    if (!unused.test(name)) symlinkSync(join(installed, name), join(folder, name));
  }
  process.env.PHP_INI_SCAN_DIR = folder;
  return () => rmSync(folder, { recursive: true });
}

import { type ExecFileSyncOptions, execFileSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Installs Python packages at the first use.
 *
 * @param name the name of their folder. Another version needs another name.
 * @param packages arguments of `pip install`
 * @returns the folder with their programs
 */
export function pythonPackages(name: string, packages: readonly string[]): string {
  const folder = join(import.meta.dirname, '../../node_modules/.cache', name);
  const installed = join(folder, 'bin');
  if (existsSync(installed)) return installed;
  const quiet: ExecFileSyncOptions = { stdio: ['ignore', 'ignore', 'inherit'] };
  try {
    execFileSync('python3', ['-m', 'venv', folder], quiet);
    execFileSync(join(installed, 'pip'), ['install', '-q', ...packages], quiet);
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
  return installed;
}

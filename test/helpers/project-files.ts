import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const made = new Set(['.git', 'node_modules', 'dist', 'data', 'out', 'target', 'test-results']);

/**
 * Returns the paths of the project's files, without build output. Does not read the folders of build output, because
 * Maven writes there while the unit tests run.
 */
export function projectFiles(folder = ''): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true })
    .filter(({ name }) => !made.has(name))
    .flatMap((entry) => {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      return entry.isDirectory() ? projectFiles(path) : [path];
    });
}

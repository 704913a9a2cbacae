import { existsSync, realpathSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pageFolders } from '../logins/site-folder.ts';

/**
 * Finds the outermost folder with pages of a site, which its web server may hand out to everybody.
 * @param site its folder or configuration file
 * @returns the folder without links; undefined if it cannot be read, or a configuration file is away from all pages
 */
export function findWebRoot(site: string): string | undefined {
  let real: string;
  let isFolder: boolean;
  try {
    real = realpathSync(site);
    isFolder = statSync(real).isDirectory();
  } catch {
    return undefined;
  }
  const folder = isFolder ? real : dirname(real);
  let root = pageFolders.map((name) => join(folder, name)).find(hasPage) ?? (isFolder ? folder : undefined);
  while (root !== undefined && root !== '/' && hasPage(dirname(root))) root = dirname(root);
  return root;
}

const hasPage = (folder: string) =>
  ['index.php', 'index.html', 'index.htm'].some((name) => existsSync(join(folder, name)));

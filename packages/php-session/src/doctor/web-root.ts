import { existsSync, realpathSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pageFolders } from '../logins/site-folder.ts';

/**
 * Finds the outermost folder with pages of a site, whose files the web server may publish.
 * @param site its folder or configuration file
 * @returns the folder without links; undefined if it cannot be read, or no pages are near a configuration file
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

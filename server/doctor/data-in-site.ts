import { existsSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { type Finding, pageFolders, wrong } from 'php-sessions/doctor';
import type { Config } from '../settings/config.ts';

/**
 * The settings, messages and files of the chat that the web server of the site may hand out to everybody.
 * @param settings the file of the settings, if there is one
 */
export function* dataInSite(
  { logins, history, files }: Pick<Config, 'logins' | 'history' | 'files'>,
  settings: string | undefined,
): Generator<Finding> {
  const root = 'site' in logins ? webRoot(logins.site.folder) : undefined;
  if (root === undefined) return;
  const beside = join(dirname(root), 'php-session-chat');
  const places = [
    ['settings', settings, `--settings ${beside}/settings`],
    ['history', history.kind === 'sqlite' ? history.path : '', `CHAT_HISTORY=sqlite:${beside}/chat.db`],
    ['files', files.kind === 'dir' ? files.folder : '', `CHAT_FILES=dir:${beside}/files`],
  ] as const;
  for (const [title, path, other] of places) {
    if (!path || !`${realPath(resolve(path))}/`.startsWith(root === '/' ? root : `${root}/`)) continue;
    yield wrong(
      `The place of the ${title}, ${resolve(path)}, is in ${root}, which the web server hands out to everybody.`,
      `Take a place outside of it, such as ${other}.`,
    );
  }
}

/** The outermost folder that the web server hands out of a site; undefined if that is not known. */
function webRoot(site: string): string | undefined {
  const real = realPath(site);
  const isFolder = statSync(real, { throwIfNoEntry: false })?.isDirectory() === true;
  const folder = isFolder ? real : dirname(real);
  // A configuration file may be away from the site.
  let root = pageFolders.map((name) => join(folder, name)).find(hasPage) ?? (isFolder ? folder : undefined);
  while (root !== undefined && root !== '/' && hasPage(dirname(root))) root = dirname(root);
  return root;
}

const hasPage = (folder: string) =>
  ['index.php', 'index.html', 'index.htm'].some((name) => existsSync(join(folder, name)));

/** Without symbolic links, also of a file that is not there yet. */
function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path === '/' ? path : join(realPath(dirname(path)), basename(path));
  }
}

import { realpathSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { type Finding, findWebRoot, problem } from 'php-sessions/doctor';
import type { Config } from '../settings/config.ts';

/**
 * Finds settings, messages and files of the chat in folders that the web server of the site may publish.
 * @param settings the settings file, if any
 */
export function* findExposedData(
  { logins, history, files }: Pick<Config, 'logins' | 'history' | 'files'>,
  settings: string | undefined,
): Generator<Finding> {
  const root = 'site' in logins ? findWebRoot(logins.site.folder) : undefined;
  if (root === undefined) return;
  const safeFolder = join(dirname(root), 'php-session-chat');
  const places = [
    ['settings', settings, `--settings ${safeFolder}/settings`],
    ['history', history.kind === 'sqlite' ? history.path : '', `CHAT_HISTORY=sqlite:${safeFolder}/chat.db`],
    ['files', files.kind === 'dir' ? files.folder : '', `CHAT_FILES=dir:${safeFolder}/files`],
  ] as const;
  for (const [title, path, safePlace] of places) {
    if (!path || !`${resolveLinks(resolve(path))}/`.startsWith(root === '/' ? root : `${root}/`)) continue;
    yield problem(
      `The path of the ${title}, ${resolve(path)}, is in ${root}, which the web server publishes.`,
      `Choose a path outside that folder, such as ${safePlace}.`,
    );
  }
}

/** Resolves symbolic links, even of a path that does not exist yet. */
function resolveLinks(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path === '/' ? path : join(resolveLinks(dirname(path)), basename(path));
  }
}

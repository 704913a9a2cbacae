import { join } from 'node:path';
import { bundled, type Child, startChild } from './child.ts';

const root = join(import.meta.dirname, '../..');
/** An empty folder that exists on every system. */
const seenAt = '/mnt';

/**
 * Starts a program of this checkout. For root, it runs as the account `nobody` and sees the checkout at `/mnt`, because
 * only root may enter the home of root.
 * @param args the path of the program in the checkout, and its arguments
 */
export function startUnprivileged(args: readonly string[], env: NodeJS.ProcessEnv): Child {
  if (process.getuid?.() !== 0) return startChild(process.execPath, args, { cwd: root, env });
  const seen = [process.execPath, ...bundled(args, root, env)].map((arg) =>
    arg.startsWith(`${root}/`) ? `${seenAt}${arg.slice(root.length)}` : arg,
  );
  const enter = `mount --bind "$0" ${seenAt} && cd ${seenAt} && exec setpriv --reuid 65534 --clear-groups "$@"`;
  return startChild('unshare', ['--mount', 'sh', '-c', enter, root, ...seen], { env });
}

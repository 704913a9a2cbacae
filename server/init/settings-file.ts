import { randomUUID } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fchmodSync,
  fchownSync,
  fsyncSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { CommandProblem, exit } from '../command/problem.ts';

/** A link itself, and not the file that it leads to. Null if nothing is there, or this account may not see it. */
function entryAt(path: string): Stats | null {
  try {
    return lstatSync(path);
  } catch {
    return null;
  }
}

/** @throws CommandProblem if there is a file, unless it may be replaced, and if there is anything else */
export function refuseExisting(path: string, replace: boolean): void {
  const found = entryAt(path);
  if (found === null) return;
  // As root a rename would put a file in the place of /dev/null, for every program of the machine.
  if (!found.isFile() && !found.isSymbolicLink())
    throw new CommandProblem(
      exit.configuration,
      `${path} is no file: nothing replaces it; --settings FILE takes a file`,
    );
  if (replace) return;
  throw new CommandProblem(
    exit.configuration,
    `${path} is there already, and stays as it is: --force replaces it, --print only shows what would be written, --settings FILE takes another file`,
  );
}

/**
 * Refuses a folder that others may change, or move away with one above it: they could put other settings there.
 * @param account of the server
 * @throws CommandProblem
 */
export function refuseOpenFolder(path: string, account: { uid: number; gid: number }): void {
  let folder = dirname(path);
  while (!existsSync(folder)) folder = dirname(folder);
  const nearest = realpathSync(folder);
  for (let at = nearest; at !== '/'; at = dirname(at)) {
    const { mode, uid, gid } = statSync(at);
    const group = (mode & 0o020) !== 0 && ![0, process.getegid?.(), account.gid].includes(gid);
    // In a folder such as /tmp nobody can move what is another's.
    const isSticky = at !== nearest && (mode & 0o1000) !== 0;
    const isOpen = !isSticky && ((mode & 0o002) !== 0 || group);
    if (!isOpen && [0, process.geteuid?.(), account.uid].includes(uid)) continue;
    throw new CommandProblem(
      exit.configuration,
      `other accounts may change ${at}, and so replace the settings: let only root or ${isOpen ? 'its owner' : 'this account'} write there, or take another place by --settings FILE`,
    );
  }
}

/**
 * Writes the file whole or not at all. Its group may read it, and nobody else: it may hold passwords.
 * @param group that of the account of the server; undefined for that of this process
 * @throws CommandProblem
 */
export function writeSettings(path: string, text: string, group: number | undefined, replace: boolean): void {
  const folder = dirname(path);
  const temporary = `${path}.${randomUUID()}`;
  try {
    // The account of the server has to get through.
    mkdirSync(folder, { recursive: true, mode: 0o755 });
    const file = openSync(temporary, 'wx', 0o600);
    try {
      writeFileSync(file, text);
      if (group !== undefined) fchownSync(file, process.getuid?.() ?? 0, group);
      fchmodSync(file, 0o640);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    refuseExisting(path, replace);
    if (replace) renameSync(temporary, path);
    // It fails if another program has made the file meanwhile.
    else linkSync(temporary, path);
    const opened = openSync(folder, 'r');
    fsyncSync(opened);
    closeSync(opened);
  } catch (error) {
    if (error instanceof CommandProblem) throw error;
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') refuseExisting(path, false);
    const why = {
      ENOSPC: 'the disk is full',
      EDQUOT: 'the quota is used up',
      EROFS: 'the disk is read-only',
    }[code ?? ''];
    throw new CommandProblem(
      exit.output,
      `${path} cannot be written: ${why ?? `this account may not, or the folder is none (${code})`}. Nothing has been written; --settings FILE takes another place`,
    );
  } finally {
    try {
      rmSync(temporary, { force: true });
    } catch {
      // Where it could not be made, it cannot be removed.
    }
  }
}

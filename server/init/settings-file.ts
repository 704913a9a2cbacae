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
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { CommandProblem, exit } from '../program/problem.ts';

/** Returns what is at a path, without following a link. Null if nothing is there, or this account may not see it. */
function statEntry(path: string): Stats | null {
  try {
    return lstatSync(path);
  } catch {
    return null;
  }
}

/**
 * Requires that the settings may be written to the path.
 * @throws CommandProblem if the file exists and may not be replaced, or the path is not a file, such as a device
 */
export function requireAbsent(path: string, replace: boolean): void {
  const entry = statEntry(path);
  if (entry === null) return;
  // As root, a rename would replace even /dev/null.
  if (!entry.isFile() && !entry.isSymbolicLink())
    throw new CommandProblem(
      exit.configuration,
      `${path} is not a file, so it is not replaced: choose another file with --settings FILE`,
    );
  if (replace) return;
  throw new CommandProblem(
    exit.configuration,
    `${path} already exists, and is unchanged: add --steps to show the next steps again, --print to show the settings only, --force to replace it, or --settings FILE for another file`,
  );
}

/**
 * Requires a folder that other accounts can neither change nor move, because they could replace the settings.
 * @param account the account of the server
 * @throws CommandProblem
 */
export function requireSafeFolder(path: string, account: { uid: number; gid: number }): void {
  let folder = dirname(path);
  while (!existsSync(folder)) folder = dirname(folder);
  const nearest = realpathSync(folder);
  for (let at = nearest; at !== '/'; at = dirname(at)) {
    const { mode, uid, gid } = statSync(at);
    const group = (mode & 0o020) !== 0 && ![0, process.getegid?.(), account.gid].includes(gid);
    // In a folder such as /tmp, users can move only their own entries.
    const isSticky = at !== nearest && (mode & 0o1000) !== 0;
    const isOpen = !isSticky && ((mode & 0o002) !== 0 || group);
    if (!isOpen && [0, process.geteuid?.(), account.uid].includes(uid)) continue;
    throw new CommandProblem(
      exit.configuration,
      `other accounts may change ${at}, and so replace the settings: let only root or ${isOpen ? 'its owner' : 'this account'} write there, or choose another file with --settings FILE`,
    );
  }
}

/**
 * Writes the file completely or not at all. Only the owner and the group may read it, because the settings may contain
 * passwords.
 * @param group the group of the server's account, or undefined for the group of this process
 * @returns the path under which a replaced file is kept. Undefined if the path did not exist, or had the same content
 * @throws CommandProblem
 */
export function writeSettings(
  path: string,
  content: string | Buffer,
  group: number | undefined,
  replace: boolean,
): string | undefined {
  const folder = dirname(path);
  const temporary = `${path}.${randomUUID()}`;
  try {
    // The account of the server must be able to enter the folder.
    mkdirSync(folder, { recursive: true, mode: 0o755 });
    const file = openSync(temporary, 'wx', 0o600);
    try {
      writeFileSync(file, content);
      if (group !== undefined) fchownSync(file, process.getuid?.() ?? 0, group);
      fchmodSync(file, 0o640);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    requireAbsent(path, replace);
    const kept = replace ? keepFile(path, Buffer.from(content)) : undefined;
    if (replace) renameSync(temporary, path);
    // Fails if another program created the file after the check.
    else linkSync(temporary, path);
    const handle = openSync(folder, 'r');
    fsyncSync(handle);
    closeSync(handle);
    return kept;
  } catch (error) {
    if (error instanceof CommandProblem) throw error;
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') requireAbsent(path, false);
    const reason = {
      ENOSPC: 'the disk is full',
      EDQUOT: 'the disk quota is exceeded',
      EROFS: 'the disk is read-only',
    }[code ?? ''];
    throw new CommandProblem(
      exit.output,
      `${path} cannot be written: ${reason ?? `this account has no permission, or the parent is not a folder (${code})`}. The settings were not written: choose another file with --settings FILE`,
    );
  } finally {
    try {
      rmSync(temporary, { force: true });
    } catch {
      // The temporary file was not created.
    }
  }
}

/**
 * Keeps a file that will be replaced, because its owner may have added settings.
 * @returns its new path. Undefined if there is no file, or its content is equal
 */
function keepFile(path: string, content: Buffer): string | undefined {
  const entry = statEntry(path);
  if (entry === null || (entry.isFile() && readFileSync(path).equals(content))) return undefined;
  const kept = `${path}.old`;
  rmSync(kept, { force: true });
  linkSync(path, kept);
  return kept;
}

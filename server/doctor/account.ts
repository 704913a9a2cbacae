import {
  closeSync,
  constants,
  lstatSync,
  openSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  statSync,
} from 'node:fs';
import { userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import type { SiteFiles } from 'php-sessions/doctor';
import { CommandProblem, exit } from '../program/problem.ts';
import { lineForScreen } from '../text/blank.ts';

/** An account of this machine. */
export interface Account {
  name: string;
  uid: number;
  gid: number;
}

/** The accounts that packages of the chat create. */
const chatAccounts = ['php-session-chat', 'chat'];
/** The accounts of PHP on Linux distributions. */
const phpAccounts = ['www-data', 'apache', 'nginx', 'http', 'www'];

const rootId = 0;
/** The limit of Linux for the links on a path. */
const maxLinks = 40;

const isRoot = () => process.geteuid?.() === rootId;

function listAccounts(): Account[] {
  let passwd = '';
  try {
    passwd = readFileSync('/etc/passwd', 'latin1');
  } catch {
    // Without /etc/passwd, only the account of this process is known.
  }
  return passwd.split('\n').flatMap((line) => {
    const [name = '', , uid = '', gid = ''] = line.split(':');
    return /^\d+$/.test(uid) && /^\d+$/.test(gid) ? [{ name, uid: Number(uid), gid: Number(gid) }] : [];
  });
}

export const findAccount = (uid: number): Account | undefined =>
  listAccounts().find((account) => account.uid === uid);

/** Returns the account of this process. */
export function ownAccount(): Account {
  const [uid, gid] = [process.geteuid?.() ?? rootId, process.getegid?.() ?? rootId];
  return findAccount(uid) ?? { name: String(uid), uid, gid };
}

/**
 * Chooses the account of the chat server.
 * @param given the value of `--user`
 * @param php the account of PHP, if known
 * @param isPhpRequired whether only the account of PHP can read the sessions
 * @throws CommandProblem if the account does not exist, or this process cannot use it
 */
export function chooseAccount(
  given: string | undefined,
  php: string | undefined,
  isPhpRequired: boolean,
): Account {
  const accounts = listAccounts();
  const firstOf = (names: readonly (string | undefined)[]) =>
    names.flatMap((name) => accounts.find((account) => account.name === name) ?? [])[0];
  const { username: name, uid, gid } = userInfo();
  const self = { name, uid, gid };
  if (given !== undefined) {
    const account = firstOf([given]);
    if (account === undefined)
      throw new CommandProblem(exit.usage, `--user ${given}: this account does not exist on this machine`);
    if (!isRoot() && account.uid !== uid)
      throw new CommandProblem(
        exit.usage,
        `--user ${given}: only root can test as another account; run this as root or as ${given}`,
      );
    return account;
  }
  if (!isRoot()) return self;
  const phpNames = [php, ...phpAccounts];
  return firstOf(isPhpRequired ? phpNames : [...chatAccounts, ...phpNames]) ?? self;
}

/** If this process is root, runs work with the rights of an account. No other work may run concurrently. */
export async function asAccount<T>({ name, uid, gid }: Account, work: () => Promise<T>): Promise<T> {
  // These functions exist on systems with users. Node's types lack `initgroups`.
  const { seteuid, setegid, setgroups, getgroups, initgroups } = process as Required<typeof process> & {
    initgroups(user: string, group: number): void;
  };
  if (!isRoot() || uid === rootId) return work();
  const groups = getgroups();
  const group = process.getegid?.() ?? rootId;
  initgroups(name, gid);
  setegid(gid);
  seteuid(uid);
  try {
    return await work();
  } finally {
    seteuid(rootId);
    setegid(group);
    setgroups(groups);
  }
}

/** `x` enters a folder, `r` reads a file, `rx` lists a folder. */
type Right = 'x' | 'r' | 'rx';

/**
 * Returns the rights that an account lacks, by path with all links resolved.
 * @param site the folder of the site, with all links resolved
 * @throws CommandProblem if a link leads to a file of another account outside of the site
 */
export async function findMissingRights(
  paths: SiteFiles,
  account: Account,
  site: string,
): Promise<Map<string, Right>> {
  const missing = new Map<string, Right>();
  const needs = listNeeds(paths, site);
  await asAccount(account, async () => {
    for (const [path, { right }] of needs) {
      const test =
        right === 'x' ? () => void statSync(`${path}/.`) : () => closeSync(openSync(path, readOnly));
      if (isForbidden(test)) missing.set(path, right);
    }
  });
  // In a folder that the account cannot enter, the test fails for every path. There the mode decides.
  for (const [path, right] of missing) {
    const isInClosedFolder = foldersAbove(path).some((folder) => missing.get(folder) === 'x');
    if (isInClosedFolder && modeAllows(path, right, account)) missing.delete(path);
  }
  for (const path of missing.keys()) {
    const link = needs.get(path)?.link;
    if (link === undefined) continue;
    throw new CommandProblem(
      exit.configuration,
      `${lineForScreen(link)} leads out of the site to a file of another account, which the account ${account.name} may not read: if the file belongs to the site, let the account read ${lineForScreen(path)}, and run this again`,
    );
  }
  return missing;
}

interface Need {
  right: Right;
  /** A link that leads to the path and may be a trap. Undefined if a path without such a link also leads there. */
  link: string | undefined;
}

/** Returns the needed rights by path with all links resolved. */
function listNeeds(paths: SiteFiles, site: string): Map<string, Need> {
  const needs = new Map<string, Need>();
  for (const [path, access] of paths) {
    let link: string | undefined;
    const need = (real: string, right: Right) => {
      const before = needs.get(real);
      needs.set(real, {
        right: before?.right === 'rx' ? 'rx' : right,
        link: before === undefined ? link : before.link && link,
      });
    };
    for (const part of [...foldersAbove(path), path]) {
      // The file does not exist, or is in a folder that this process cannot enter, which is already in `needs`.
      const kind = kindOf(part);
      if (kind === null) break;
      const real = realpathSync(part);
      if (linksOn(part).some((each) => isTrap(each, site))) link ??= part;
      for (const folder of foldersAbove(real)) need(folder, 'x');
      if (part !== path) need(real, 'x');
      else if (access === 'read') need(real, kind === 'folder' ? 'rx' : 'r');
    }
  }
  return needs;
}

/**
 * Whether a link may be an attempt to disclose a file of another account. Such a link leads out of the site, and
 * belongs to neither root nor the owner of its target (like Apache's SymLinksIfOwnerMatch).
 */
function isTrap(link: string, site: string): boolean {
  const { uid } = lstatSync(link);
  const real = realpathSync(link);
  return uid !== rootId && !`${real}/`.startsWith(`${site}/`) && statSync(real).uid !== uid;
}

/** Returns the links on a path, including those on the paths of their targets. */
function linksOn(path: string): string[] {
  const links: string[] = [];
  const parts = path.split('/');
  let at = '/';
  while (parts.length > 0 && links.length <= maxLinks) {
    const next = join(at, parts.shift() as string);
    if (lstatSync(next).isSymbolicLink()) {
      links.push(next);
      const target = readlinkSync(next);
      parts.unshift(...target.split('/'));
      if (target.startsWith('/')) at = '/';
    } else at = next;
  }
  return links;
}

/** Returns whether a path is a folder or a file. Null if the path does not exist, or this process may not see it. */
function kindOf(path: string): 'folder' | 'file' | null {
  try {
    return statSync(path).isDirectory() ? 'folder' : 'file';
  } catch {
    return null;
  }
}

const readOnly = constants.O_RDONLY | constants.O_NONBLOCK;

/** Returns the folders that contain a path, the outermost first. */
function foldersAbove(path: string): string[] {
  const folders: string[] = [];
  for (let folder = dirname(path); folder !== folders[0]; folder = dirname(folder)) folders.unshift(folder);
  return folders;
}

/** Whether the mode of a path gives an account a right. False if it cannot be seen. */
function modeAllows(path: string, right: Right, { uid, gid }: Account): boolean {
  try {
    const stats = statSync(path);
    const bits = stats.mode >> (stats.uid === uid ? 6 : stats.gid === gid ? 3 : 0);
    const neededBits = { x: 1, r: 4, rx: 5 }[right];
    return (bits & neededBits) === neededBits;
  } catch {
    return false;
  }
}

/** Whether the work fails for lack of rights. False for other reasons, such as a missing file. */
function isForbidden(work: () => void): boolean {
  try {
    work();
    return false;
  } catch (error) {
    return ['EACCES', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '');
  }
}

/** Returns commands that give an account exactly these rights. */
export const setfaclLines = ({ name }: Account, missing: ReadonlyMap<string, Right>): string[] =>
  [...missing]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    // -P skips the path if a link replaced the file after the check. It works only with -R.
    .map(([path, right]) => `setfacl ${right === 'r' ? '-RP ' : ''}-m u:${name}:${right} ${shellWord(path)}`);

/** Quotes a text as one word of a shell, in one line. */
export function shellWord(text: string): string {
  if (/^[A-Za-z0-9_./:@%+=,-]+$/.test(text)) return text;
  if (!/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/u.test(text)) return `'${text.replaceAll("'", "'\\''")}'`;
  const escaped = text.replace(/[^A-Za-z0-9_./ -]/gu, (character) =>
    [...Buffer.from(character)].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join(''),
  );
  return `$'${escaped}'`;
}

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
import { CommandProblem, exit } from '../command/problem.ts';
import { lineForScreen } from '../wire/blank.ts';

/** An account of this machine. */
export interface Account {
  name: string;
  uid: number;
  gid: number;
}

/** Accounts that packages make for the chat, and then those that PHP has on Linux distributions. */
const usual = { chat: ['php-session-chat', 'chat'], php: ['www-data', 'apache', 'nginx', 'http', 'www'] };

const root = 0;
/** Linux follows no more links on the way to a file. */
const maxLinks = 40;

const isRoot = () => process.geteuid?.() === root;

function accounts(): Account[] {
  let passwd = '';
  try {
    passwd = readFileSync('/etc/passwd', 'latin1');
  } catch {
    // Then only the account that runs this is known.
  }
  return passwd.split('\n').flatMap((line) => {
    const [name = '', , uid = '', gid = ''] = line.split(':');
    return /^\d+$/.test(uid) && /^\d+$/.test(gid) ? [{ name, uid: Number(uid), gid: Number(gid) }] : [];
  });
}

export const accountOf = (uid: number): Account | undefined => accounts().find((one) => one.uid === uid);

/** Returns the account of this process. */
export function ownAccount(): Account {
  const [uid, gid] = [process.geteuid?.() ?? root, process.getegid?.() ?? root];
  return accountOf(uid) ?? { name: String(uid), uid, gid };
}

/**
 * The account that the server is to run as.
 * @param given by the owner, of `--user`
 * @param php the account that PHP runs as, if that is known
 * @param ofPhp only this account can read the sessions
 * @throws CommandProblem if there is no such account, or this one cannot become it
 */
export function serviceAccount(given: string | undefined, php: string | undefined, ofPhp: boolean): Account {
  const all = accounts();
  const named = (names: readonly (string | undefined)[]) =>
    names.flatMap((name) => all.find((one) => one.name === name) ?? [])[0];
  const { username: name, uid, gid } = userInfo();
  const self = { name, uid, gid };
  if (given !== undefined) {
    const account = named([given]);
    if (account === undefined)
      throw new CommandProblem(exit.usage, `--user ${given}: there is no such account on this machine`);
    if (!isRoot() && account.uid !== uid)
      throw new CommandProblem(
        exit.usage,
        `--user ${given}: only root can test as another account; run this as root or as ${given}`,
      );
    return account;
  }
  if (!isRoot()) return self;
  const phps = [php, ...usual.php];
  return named(ofPhp ? phps : [...usual.chat, ...phps]) ?? self;
}

/** Does work with the rights of an account, as far as this process may. Meanwhile it does nothing else. */
export async function asAccount<T>({ name, uid, gid }: Account, work: () => Promise<T>): Promise<T> {
  // Node has them where there are users, and its types leave the last one out.
  const { seteuid, setegid, setgroups, getgroups, initgroups } = process as Required<typeof process> & {
    initgroups(user: string, group: number): void;
  };
  if (!isRoot() || uid === root) return work();
  const before = { groups: getgroups(), group: process.getegid?.() ?? root };
  initgroups(name, gid);
  setegid(gid);
  seteuid(uid);
  try {
    return await work();
  } finally {
    seteuid(root);
    setegid(before.group);
    setgroups(before.groups);
  }
}

type Right = 'x' | 'r' | 'rx';

/**
 * The rights that this account lacks, by path without links: `x` to go through a folder, `r` to read a file, `rx` to list a
 * folder.
 * @param site its folder, without links
 * @throws CommandProblem if a link leads to what is not the site's
 */
export async function missingRights(
  paths: SiteFiles,
  account: Account,
  site: string,
): Promise<Map<string, Right>> {
  const missing = new Map<string, Right>();
  const wants = wantedRights(paths, site);
  await asAccount(account, async () => {
    for (const [path, { right }] of wants) {
      const test =
        right === 'x' ? () => void statSync(`${path}/.`) : () => closeSync(openSync(path, readOnly));
      if (isForbidden(test)) missing.set(path, right);
    }
  });
  // A folder that bars the way hides the rights of everything in it: what it lacks itself shows by its mode.
  for (const [path, right] of missing) {
    const isBarred = foldersAbove(path).some((folder) => missing.get(folder) === 'x');
    if (isBarred && allowsByMode(path, right, account)) missing.delete(path);
  }
  for (const path of missing.keys()) {
    const link = wants.get(path)?.link;
    if (link === undefined) continue;
    throw new CommandProblem(
      exit.configuration,
      `${lineForScreen(link)} leads out of the site, to what another account owns, and the account ${account.name} may not read that: if it is of the site, give that account the right to ${lineForScreen(path)} yourself, and run this again`,
    );
  }
  return missing;
}

/** The rights that these paths need. `link`: a link that may be a trap leads there, and no other way does. */
function wantedRights(
  paths: SiteFiles,
  site: string,
): Map<string, { right: Right; link: string | undefined }> {
  const wants = new Map<string, { right: Right; link: string | undefined }>();
  for (const [path, wanted] of paths) {
    let link: string | undefined;
    const want = (real: string, right: Right) => {
      const before = wants.get(real);
      wants.set(real, {
        right: before?.right === 'rx' ? 'rx' : right,
        link: before === undefined ? link : before.link && link,
      });
    };
    for (const at of [...foldersAbove(path), path]) {
      // Many files are only looked for. A file that this process cannot see itself lies in a folder that bars the way.
      const kind = kindAt(at);
      if (kind === null) break;
      const real = realpathSync(at);
      if (linksOn(at).some((one) => isTrap(one, site))) link ??= at;
      for (const folder of foldersAbove(real)) want(folder, 'x');
      if (at !== path) want(real, 'x');
      else if (wanted === 'read') want(real, kind === 'folder' ? 'rx' : 'r');
    }
  }
  return wants;
}

/**
 * Whether somebody who can write the site may have made a link to what is not theirs: it leads out of the site, and is
 * neither root's nor of the owner of what it leads to (as SymLinksIfOwnerMatch of Apache).
 */
function isTrap(link: string, site: string): boolean {
  const { uid } = lstatSync(link);
  const real = realpathSync(link);
  return uid !== root && !`${real}/`.startsWith(`${site}/`) && statSync(real).uid !== uid;
}

/** The links on the way to a file: also those that a link leads to, or through. */
function linksOn(path: string): string[] {
  const links: string[] = [];
  const left = path.split('/');
  let at = '/';
  while (left.length > 0 && links.length <= maxLinks) {
    const next = join(at, left.shift() as string);
    if (lstatSync(next).isSymbolicLink()) {
      links.push(next);
      const target = readlinkSync(next);
      left.unshift(...target.split('/'));
      if (target.startsWith('/')) at = '/';
    } else at = next;
  }
  return links;
}

/** Null if nothing is there, or this process may not see it. */
function kindAt(path: string): 'folder' | 'file' | null {
  try {
    return statSync(path).isDirectory() ? 'folder' : 'file';
  } catch {
    return null;
  }
}

const readOnly = constants.O_RDONLY | constants.O_NONBLOCK;

/** The outermost first. */
function foldersAbove(path: string): string[] {
  const above: string[] = [];
  for (let folder = dirname(path); folder !== above[0]; folder = dirname(folder)) above.unshift(folder);
  return above;
}

/** By the owner, the group and all others. False if it cannot be seen. */
function allowsByMode(path: string, right: Right, { uid, gid }: Account): boolean {
  try {
    const stats = statSync(path);
    const bits = stats.mode >> (stats.uid === uid ? 6 : stats.gid === gid ? 3 : 0);
    const wanted = { x: 1, r: 4, rx: 5 }[right];
    return (bits & wanted) === wanted;
  } catch {
    return false;
  }
}

/** Whether work on a file is forbidden to this account. A file that is not there is not. */
function isForbidden(work: () => void): boolean {
  try {
    work();
    return false;
  } catch (error) {
    return ['EACCES', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '');
  }
}

/** Lines that give an account these rights, and no others. */
export const setfaclLines = ({ name }: Account, missing: ReadonlyMap<string, Right>): string[] =>
  [...missing]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    // -P passes over a link that has taken the place of a file meanwhile, and counts only beside -R.
    .map(([path, right]) => `setfacl ${right === 'r' ? '-RP ' : ''}-m u:${name}:${right} ${shellWord(path)}`);

/** As one word of a shell, in one line. */
export function shellWord(text: string): string {
  if (/^[A-Za-z0-9_./:@%+=,-]+$/.test(text)) return text;
  if (!/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/u.test(text)) return `'${text.replaceAll("'", "'\\''")}'`;
  const escaped = text.replace(/[^A-Za-z0-9_./ -]/gu, (character) =>
    [...Buffer.from(character)].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join(''),
  );
  return `$'${escaped}'`;
}

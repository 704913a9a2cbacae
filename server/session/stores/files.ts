import { constants, existsSync, readFileSync } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { FormatError } from '../formats/value.ts';
import { maxSessionBytes, type SessionStore, StoreError } from '../store.ts';
import type { StoreKind } from '../store-url.ts';
import { turns } from '../turns.ts';

/** More is read of no file: what is larger is no session, and the decoder says so. */
const maxBytes = maxSessionBytes + 1;
/** What was written to longer ago than this many milliseconds is whole. */
const settled = 50;
/** A fresh file is read so often, with so many milliseconds in between. */
const tries = 8;
const betweenReadings = 10;

/** Through no link, as in mod_files.c, and without waiting for somebody who writes into a FIFO. */
const readOnly = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
/** No such file, or none with such a long name. */
const missing = new Set(['ENOENT', 'ENAMETOOLONG']);
/** A link, a socket. */
const unusual = new Set(['ELOOP', 'ENXIO']);
/** The number of the user root. */
const root = 0;

interface Settings {
  folder: string;
  depth: number;
  prefix: string;
  /** In seconds, 0 for no end. */
  lifetime: number;
  /** The number of the user whose files count. */
  owner: number | undefined;
  /** Of one reading, in milliseconds. */
  timeout: number;
}

/**
 * `file:///var/lib/php/sessions` for PHP's own `files` handler. Options: `depth=` as in `session.save_path`
 * (`N;/path`), `prefix=` of the file names (default `sess_`), `lifetime=` as `session.gc_maxlifetime` (default
 * 1440 s; 0: never over), `owner=` PHP's user by name or number, where this process runs as another, `timeout=`
 * (default 250ms).
 */
export const filesStore: StoreKind = ({ user, password, hosts, path, options }) => {
  if (user !== '' || password !== '') throw new TypeError('file: takes no user and no password');
  if (hosts.length > 0 || !path.startsWith('/'))
    throw new TypeError('file: needs three slashes, as in file:///var/lib/php/sessions');
  const depth = options.take('depth') ?? '0';
  if (!/^\d$/.test(depth)) throw new TypeError('depth= is 0 to 9');
  const prefix = options.prefix('sess_');
  if (prefix.includes('/')) throw new TypeError('prefix= of file: has no slash: the folder is in the path');
  const settings = {
    folder: path,
    depth: Number(depth),
    prefix,
    lifetime: options.seconds('lifetime', '1440'),
    owner: userNumber(options.take('owner')),
    timeout: options.timeout(),
  };
  return { format: 'php', open: () => openFiles(settings) };
};

function userNumber(name: string | undefined): number | undefined {
  if (name === undefined) return undefined;
  if (/^\d{1,10}$/.test(name)) return Number(name);
  const passwd = existsSync('/etc/passwd') ? readFileSync('/etc/passwd', 'latin1') : '';
  const users = passwd.split('\n').map((line) => line.split(':'));
  const [, , number] = users.find(([known]) => known === name && name !== '') ?? [];
  if (number === undefined) throw new TypeError('owner= is a user of /etc/passwd, or the number of any');
  return Number(number);
}

/** Sessions in the files of PHP's own handler (`mod_files.c`), read without its lock. */
function openFiles(settings: Settings): SessionStore {
  const { folder, depth, prefix, timeout } = settings;
  const inTurn = turns(timeout, `the session folder ${folder}`);
  return {
    /**
     * PHP cuts a file off and then writes it, so what was written to a moment ago may be half of a session, and half
     * of one may look like a logout. It is read until two readings agree.
     */
    async get(id) {
      // `A-Za-z0-9,-` only, as the caller has checked: no id leads out of the folder.
      const folders = Array.from({ length: depth + 1 }, (_, n) => join(folder, ...id.slice(0, n)));
      const path = join(folders[depth] as string, prefix + id);
      let earlier: Buffer | undefined;
      for (let n = 0; n < tries; n++) {
        const reading = await inTurn(() => readOnce(path, folders, settings, earlier));
        if (reading === null) return null;
        if (reading.whole) return reading.bytes;
        earlier = reading.bytes;
        await pause(betweenReadings);
      }
      throw new StoreError('a session file is being written again and again');
    },
    close() {},
  };
}

interface Reading {
  bytes: Buffer;
  whole: boolean;
}

async function readOnce(
  path: string,
  folders: readonly string[],
  { folder, lifetime, owner }: Settings,
  earlier: Buffer | undefined,
): Promise<Reading | null> {
  try {
    const file = await openIfThere(path);
    try {
      // The folders by the first characters may be missing, too.
      const owners = await ownersIn(file === null ? [folder] : folders, owner);
      return file && (await read(file, lifetime, owners, earlier));
    } finally {
      await file?.close();
    }
  } catch (error) {
    throw error instanceof StoreError || error instanceof FormatError ? error : unreadable(folder, error);
  }
}

async function openIfThere(path: string): Promise<FileHandle | null> {
  try {
    return await open(path, readOnly);
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (missing.has(code)) return null;
    throw unusual.has(code) ? notPhps() : error;
  }
}

/**
 * The users whose files count; undefined for all. Where everybody may write, as into Debian's folder, anybody could
 * put a session of his own making, so PHP takes those only that are its own or root's (`mod_files.c`).
 */
async function ownersIn(
  folders: readonly string[],
  owner: number | undefined,
): Promise<ReadonlySet<number> | undefined> {
  const found = await Promise.all(folders.map((folder) => stat(folder)));
  const self = process.geteuid?.() ?? root;
  if (owner !== undefined) return new Set([root, self, owner]);
  if (found.every(({ mode }) => (mode & constants.S_IWOTH) === 0)) return undefined;
  if (self === root) {
    throw new StoreError(
      'everybody may write into the session folder, and this server is root, who cannot know PHP’s files by their owner: run it as the user of the PHP site, or say that one in owner=',
    );
  }
  return new Set([root, self]);
}

async function read(
  file: FileHandle,
  lifetime: number,
  owners: ReadonlySet<number> | undefined,
  earlier: Buffer | undefined,
): Promise<Reading | null> {
  const before = await file.stat();
  if (!before.isFile() || owners?.has(before.uid) === false) throw notPhps();
  const age = Date.now() - before.mtimeMs;
  // PHP leaves an expired file until it happens to collect it.
  if (lifetime > 0 && age > lifetime * 1000) return null;
  const buffer = Buffer.alloc(Math.min(before.size, maxBytes));
  const { bytesRead } = await file.read(buffer, 0, buffer.length, 0);
  const bytes = buffer.subarray(0, bytesRead);
  const after = await file.stat();
  const untouched = after.mtimeMs === before.mtimeMs && after.size === before.size;
  return { bytes, whole: untouched && (age > settled || earlier?.equals(bytes) === true) };
}

function notPhps(): FormatError {
  return new FormatError(
    'the session is no file of PHP’s user, or no regular file: if PHP runs as another user than this server, say that one in owner=',
  );
}

/** The file's name is the session id: it is not told. */
function unreadable(folder: string, error: unknown): StoreError {
  const { code = 'unknown' } = error as NodeJS.ErrnoException;
  const advice =
    code === 'EACCES' || code === 'EPERM'
      ? ': run this server as the user of the PHP site, or in its group with files of mode 0640'
      : code === 'ENOENT' || code === 'ENOTDIR'
        ? ': there is no such folder'
        : '';
  return new StoreError(`the session folder ${folder} cannot be read (${code})${advice}`);
}

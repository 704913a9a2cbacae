import { constants, existsSync, readFileSync } from 'node:fs';
import { access, opendir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { FormatError } from '../../formats/value.ts';
import type { StoreKind } from '../../source.ts';
import { maxSessionBytes, mostKeys, type SessionStore, StoreError, UnsettledError } from '../../store.ts';
import { limitDiskWork } from '../disk.ts';
import { batched } from '../lookups.ts';
import { subscribeFiles } from './notifications.ts';
import {
  type FilesSettings,
  pathOf,
  root,
  type SessionFile,
  settled,
  unreadable,
  versionOf,
  withFile,
} from './session-file.ts';

/** The most that is read of a file. A larger file is no session, as the decoder finds by that one byte more. */
const maxBytes = maxSessionBytes + 1;
/** Files whose versions are read in one piece of disk work: a disk that takes milliseconds for each is not hung. */
const versionsTogether = 25;
/** A file that was just written is read so often, with pauses of so many milliseconds: for longer than `settled`. */
const tries = 8;
const betweenReadings = 10;

/**
 * `file:///var/lib/php/sessions` reads the sessions of PHP's own `files` handler. Options:
 * - `depth=` as in `session.save_path` (`N;/path`);
 * - `prefix=` of the file names (default `sess_`);
 * - `lifetime=` as `session.gc_maxlifetime` (default 1440 s; 0: sessions do not expire);
 * - `owner=` PHP's user by name or number, if this process runs as another;
 * - `timeout=` of one piece of disk work (default 250ms).
 */
export const filesStore: StoreKind = ({ user, password, hosts, path, options }) => {
  if (user !== '' || password !== '') throw new TypeError('file: takes no user and no password');
  if (hosts.length > 0 || !path.startsWith('/'))
    throw new TypeError('file: needs three slashes, as in file:///var/lib/php/sessions');
  // A site names it, and it is printed in lines for a shell and for a service.
  if (/\p{Cc}/u.test(path)) throw new TypeError('the folder of file: has a control character in its name');
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
  return { format: 'php', lifetime: settings.lifetime, open: () => openFiles(settings) };
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
function openFiles(settings: FilesSettings): SessionStore {
  const { folder, lifetime, timeout } = settings;
  const onDisk = limitDiskWork(timeout, `the session folder ${folder}`);
  // PHP leaves an expired file until it happens to collect it.
  const ttlOf = ({ age }: SessionFile) => (lifetime === 0 ? Number.POSITIVE_INFINITY : lifetime * 1000 - age);
  /** Null for a file that is not PHP's: it is no session. */
  const withPhpFile = <T>(id: string, work: (file: SessionFile) => Promise<T>) =>
    onDisk(() => withFile(id, settings, work)).catch((error: unknown) => {
      if (error instanceof FormatError) return null;
      throw error;
    });
  return {
    version: batched(async (ids) => {
      const found = new Map<string, string>();
      for (let n = 0; n < ids.length; n += versionsTogether) {
        await onDisk(async () => {
          for (const id of ids.slice(n, n + versionsTogether)) {
            const version = await versionOf(id, settings);
            if (version !== null) found.set(id, version);
          }
        });
      }
      return found;
    }),
    /**
     * PHP truncates a file before it writes it. A file that was just written may therefore hold half of a session,
     * and half of one may look like a logout. A busy machine may hold PHP up in the middle, so the file is read until
     * it is as old as `settled`, or has had the same content for as long. If neither comes, PHP's lock would not help:
     * somebody holds it all the time and hardly ever writes. The readings are then handed over as they are.
     */
    async get(id) {
      const readings: Buffer[] = [];
      let empty = true;
      let same: { bytes: Buffer; since: number } | undefined;
      for (let n = 0; n < tries; n++) {
        const began = performance.now();
        const reading = await onDisk(() =>
          withFile(id, settings, async (file) => (ttlOf(file) < 0 ? null : read(file))),
        );
        if (reading === null) return null;
        const { bytes, untouched, age } = reading;
        if (same === undefined || !bytes.equals(same.bytes)) same = { bytes, since: performance.now() };
        // An empty file may stay so while PHP waits for the disk.
        if (untouched && (age > settled || (bytes.length > 0 && began - same.since > settled))) return bytes;
        if (bytes.length > 0) readings.push(bytes);
        empty &&= reading.empty;
        await pause(betweenReadings);
      }
      // PHP renews the time of an empty file with each page too.
      if (empty) return Buffer.alloc(0);
      throw new UnsettledError('a session file is being written again and again', readings);
    },
    ttl: (id) => withPhpFile(id, async (file) => Math.max(0, ttlOf(file))),
    async touch(id) {
      await withPhpFile(id, async (file) => {
        if (ttlOf(file) < 0) return;
        const now = Date.now() / 1000;
        // By the open file: a file that is removed meanwhile does not come back, as it would by its name.
        await file.handle.utimes(now, now).catch((error: NodeJS.ErrnoException) => {
          throw notRenewable(folder, error.code);
        });
      });
    },
    async checkRenewal(id) {
      const self = process.geteuid?.() ?? root;
      const owner = id === null ? settings.owner : await withPhpFile(id, async ({ stats }) => stats.uid);
      if (owner === undefined || owner === null) return undefined;
      if (self !== root && self !== owner) throw notRenewable(folder, 'EPERM');
      // The folder may be mounted so that nobody may change it.
      const place = id === null ? folder : pathOf(id, settings);
      await onDisk(() => access(place, constants.W_OK)).catch((error: NodeJS.ErrnoException) => {
        throw error instanceof StoreError ? error : notRenewable(folder, error.code);
      });
      return true;
    },
    async keys(end) {
      const names: string[] = [];
      const list = async (path: string, depth: number): Promise<void> => {
        const entries = await onDisk(() => readdir(path, { withFileTypes: true }));
        for (const entry of entries) {
          if (names.length === mostKeys) return;
          if (entry.isDirectory() && depth > 0) await list(join(path, entry.name), depth - 1);
          else if (entry.isFile() && entry.name.endsWith(end)) names.push(entry.name);
        }
      };
      await list(folder, settings.depth).catch((error: unknown) => {
        throw unreadable(folder, error);
      });
      return names;
    },
    subscribe: (listener) => subscribeFiles(settings, onDisk, listener),
    async checkNotifications() {
      try {
        // The kernel notifies of what is in a folder those who may list it.
        await onDisk(async () => (await opendir(folder)).close());
        return { text: 'The session folder can be watched: a logout is noticed at once.' };
      } catch (error) {
        if (error instanceof StoreError) throw error;
        const { code } = error as NodeJS.ErrnoException;
        const text = 'A logout is noticed at the next regular check';
        // Debian lets only root list its folder, so this is no fault.
        if (code === 'EACCES')
          return {
            text: `${text}. To notice it at once, this server must be allowed to list the session folder.`,
          };
        return {
          text: `${text}: the session folder cannot be watched (${code}).`,
          advice: 'To notice it at once, let this server list the folder.',
        };
      }
    },
    close() {},
  };
}

function notRenewable(folder: string, code = 'unknown'): StoreError {
  return new StoreError(
    `no session can be renewed in the session folder ${folder} (${code}): only the user of the PHP site may do that`,
  );
}

interface Reading {
  bytes: Buffer;
  /** Of the file, in milliseconds. */
  age: number;
  /** Nobody has written to the file during the reading. */
  untouched: boolean;
  /** The file was empty, and still is after the reading. */
  empty: boolean;
}

async function read({ handle, stats, age }: SessionFile): Promise<Reading> {
  const buffer = Buffer.alloc(Math.min(stats.size, maxBytes));
  const { bytesRead } = await handle.read(buffer, 0, buffer.length, 0);
  const bytes = buffer.subarray(0, bytesRead);
  const after = await handle.stat();
  return {
    bytes,
    age,
    untouched: after.mtimeMs === stats.mtimeMs && after.size === stats.size,
    empty: bytes.length === 0 && after.size === 0,
  };
}

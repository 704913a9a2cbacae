import { constants, existsSync, readFileSync } from 'node:fs';
import { access, opendir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { FormatError } from '../../formats/value.ts';
import type { StoreKind } from '../../source.ts';
import { maxKeys, maxSessionBytes, type SessionStore, StoreError, UnsettledError } from '../../store.ts';
import { limitDiskWork } from '../disk.ts';
import { batchLookups } from '../lookups.ts';
import { subscribeFiles } from './notifications.ts';
import {
  type FilesSettings,
  filePath,
  readVersion,
  rootUid,
  type SessionFile,
  settleMs,
  toReadError,
  withFile,
} from './session-file.ts';

/** The extra byte makes the decoder reject a file that is too large. */
const maxBytes = maxSessionBytes + 1;
/** The number of versions per disk operation. With more, a slow disk could exceed the timeout. */
const versionsPerOperation = 25;
/** The limit of readings of a changing file. With the delay, they take longer than `settleMs`. */
const maxReadings = 8;
const readingDelayMs = 10;

/**
 * `file:///var/lib/php/sessions` reads the sessions of PHP's `files` handler. Options:
 * - `depth=` as in `session.save_path` (`N;/path`);
 * - `prefix=` of the file names (default `sess_`);
 * - `lifetime=` as `session.gc_maxlifetime` (default 1440 s, 0 for no expiry);
 * - `owner=` PHP's user by name or number, if this process runs as another user;
 * - `timeout=` of one disk operation (default 250ms).
 */
export const filesStore: StoreKind = ({ user, password, hosts, path, options }) => {
  if (user !== '' || password !== '') throw new TypeError('file: does not accept a user or a password');
  if (hosts.length > 0 || !path.startsWith('/'))
    throw new TypeError('file: needs three slashes, as in file:///var/lib/php/sessions');
  // The path may come from a site, and appears in commands and unit files.
  if (/\p{Cc}/u.test(path)) throw new TypeError('the folder of file: has a control character in its name');
  const depth = options.take('depth') ?? '0';
  if (!/^\d$/.test(depth)) throw new TypeError('depth= must be 0 to 9');
  const prefix = options.prefix('sess_');
  if (prefix.includes('/'))
    throw new TypeError('prefix= of file: must not contain a slash: the folder is in the path');
  const settings: FilesSettings = {
    folder: path,
    depth: Number(depth),
    prefix,
    lifetimeSeconds: options.seconds('lifetime', '1440'),
    ownerUid: findUid(options.take('owner')),
    timeoutMs: options.timeout(),
  };
  return { format: 'php', lifetime: settings.lifetimeSeconds, open: () => openFiles(settings) };
};

function findUid(user: string | undefined): number | undefined {
  if (user === undefined) return undefined;
  if (/^\d{1,10}$/.test(user)) return Number(user);
  const passwd = existsSync('/etc/passwd') ? readFileSync('/etc/passwd', 'latin1') : '';
  const entries = passwd.split('\n').map((line) => line.split(':'));
  const [, , uid] = entries.find(([name]) => name === user && name !== '') ?? [];
  if (uid === undefined) throw new TypeError('owner= must be a user in /etc/passwd, or the number of a user');
  return Number(uid);
}

/** Reads the files of PHP's handler (`mod_files.c`), without its lock. */
function openFiles(settings: FilesSettings): SessionStore {
  const { folder, lifetimeSeconds, timeoutMs } = settings;
  const runOnDisk = limitDiskWork(timeoutMs, `the session folder ${folder}`);
  // Negative for an expired file that PHP did not delete yet.
  const ttlMs = ({ ageMs }: SessionFile) =>
    lifetimeSeconds === 0 ? Number.POSITIVE_INFINITY : lifetimeSeconds * 1000 - ageMs;
  /** Returns null for a file that is not a session. */
  const withSessionFile = <T>(id: string, work: (file: SessionFile) => Promise<T>) =>
    runOnDisk(() => withFile(id, settings, work)).catch((error: unknown) => {
      if (error instanceof FormatError) return null;
      throw error;
    });
  return {
    version: batchLookups(async (ids) => {
      const versions = new Map<string, string>();
      for (let n = 0; n < ids.length; n += versionsPerOperation) {
        await runOnDisk(async () => {
          for (const id of ids.slice(n, n + versionsPerOperation)) {
            const version = await readVersion(id, settings);
            if (version !== null) versions.set(id, version);
          }
        });
      }
      return versions;
    }),
    /**
     * PHP may truncate a file before it writes it, so a recently written file may be incomplete and look like a logout.
     * The file is read again until its last write or the last change of its content is older than `settleMs`. PHP's
     * lock would not help, because pages may hold the lock most of the time.
     * @throws UnsettledError with the readings, if the file does not settle
     */
    async get(id) {
      const readings: Buffer[] = [];
      let isEmpty = true;
      let last: { bytes: Buffer; since: number } | undefined;
      for (let n = 0; n < maxReadings; n++) {
        const startedAt = performance.now();
        const reading = await runOnDisk(() =>
          withFile(id, settings, async (file) => (ttlMs(file) < 0 ? null : read(file))),
        );
        if (reading === null) return null;
        const { bytes, isUnchanged, ageMs } = reading;
        if (last === undefined || !bytes.equals(last.bytes)) last = { bytes, since: performance.now() };
        // An empty file does not count as stable, because PHP may still wait for the disk.
        const isStable = bytes.length > 0 && startedAt - last.since > settleMs;
        if (isUnchanged && (ageMs > settleMs || isStable)) return bytes;
        if (bytes.length > 0) readings.push(bytes);
        isEmpty &&= reading.isEmpty;
        await sleep(readingDelayMs);
      }
      // The file of an empty session stays empty, but its time changes with each page view.
      if (isEmpty) return Buffer.alloc(0);
      throw new UnsettledError('a session file is written continuously', readings);
    },
    ttl: (id) => withSessionFile(id, async (file) => Math.max(0, ttlMs(file))),
    async touch(id) {
      await withSessionFile(id, async (file) => {
        if (ttlMs(file) < 0) return;
        const now = Date.now() / 1000;
        // Uses the handle, because the path may lead to another file by now.
        await file.handle.utimes(now, now).catch((error: NodeJS.ErrnoException) => {
          throw toRenewalError(folder, error.code);
        });
      });
    },
    async checkRenewal(id) {
      const ownUid = process.geteuid?.() ?? rootUid;
      const ownerUid =
        id === null ? settings.ownerUid : await withSessionFile(id, async ({ stats }) => stats.uid);
      if (ownerUid === undefined || ownerUid === null) return undefined;
      if (ownUid !== rootUid && ownUid !== ownerUid) throw toRenewalError(folder, 'EPERM');
      // The folder may be mounted read-only.
      const path = id === null ? folder : filePath(id, settings);
      await runOnDisk(() => access(path, constants.W_OK)).catch((error: NodeJS.ErrnoException) => {
        throw error instanceof StoreError ? error : toRenewalError(folder, error.code);
      });
      return true;
    },
    async keys(suffix) {
      const names: string[] = [];
      const list = async (path: string, depth: number): Promise<void> => {
        const entries = await runOnDisk(() => readdir(path, { withFileTypes: true }));
        for (const entry of entries) {
          if (names.length === maxKeys) return;
          if (entry.isDirectory() && depth > 0) await list(join(path, entry.name), depth - 1);
          else if (entry.isFile() && entry.name.endsWith(suffix)) names.push(entry.name);
        }
      };
      await list(folder, settings.depth).catch((error: unknown) => {
        throw toReadError(folder, error);
      });
      return names;
    },
    subscribe: (listener) => subscribeFiles(settings, runOnDisk, listener),
    async checkNotifications() {
      try {
        // Watching requires the permission to list the folder.
        await runOnDisk(async () => (await opendir(folder)).close());
        return { text: 'The session folder can be watched, so a logout is noticed at once.' };
      } catch (error) {
        if (error instanceof StoreError) throw error;
        const { code } = error as NodeJS.ErrnoException;
        const text = 'A logout is noticed at the next regular check';
        // No advice, because on Debian only root may list the folder.
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

function toRenewalError(folder: string, code = 'unknown'): StoreError {
  return new StoreError(
    `no session can be renewed in the session folder ${folder} (${code}): only the user of the PHP site may do that`,
  );
}

interface Reading {
  bytes: Buffer;
  ageMs: number;
  /** The file was not written during the reading. */
  isUnchanged: boolean;
  /** The file was empty before and after the reading. */
  isEmpty: boolean;
}

async function read({ handle, stats, ageMs }: SessionFile): Promise<Reading> {
  const buffer = Buffer.alloc(Math.min(stats.size, maxBytes));
  const { bytesRead } = await handle.read(buffer, 0, buffer.length, 0);
  const bytes = buffer.subarray(0, bytesRead);
  const after = await handle.stat();
  return {
    bytes,
    ageMs,
    isUnchanged: after.mtimeMs === stats.mtimeMs && after.size === stats.size,
    isEmpty: bytes.length === 0 && after.size === 0,
  };
}

import { type FileHandle, open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { type SessionStore, StoreError } from '../store.ts';
import type { StoreKind } from '../store-url.ts';

/** More is read of no file: what is larger is no session, and the decoder says so. */
const maxBytes = 1024 * 1024 + 1;
/** What was written to longer ago than this many milliseconds is whole. */
const settled = 50;
/** A fresh file is read so often, with so many milliseconds in between. */
const tries = 8;
const betweenReadings = 10;

/**
 * `file:///var/lib/php/sessions` for PHP's own `files` handler. Options: `depth=` as in `session.save_path`
 * (`N;/path`), `prefix=` of the file names (default `sess_`), `lifetime=` as `session.gc_maxlifetime` (default
 * 1440 s; 0: never over).
 */
export const filesStore: StoreKind = ({ user, password, hosts, path, options }) => {
  if (user !== '' || password !== '') throw new TypeError('file: takes no user and no password');
  if (hosts.length > 0 || !path.startsWith('/'))
    throw new TypeError('file: needs three slashes, as in file:///var/lib/php/sessions');
  const depth = options.take('depth') ?? '0';
  if (!/^\d$/.test(depth)) throw new TypeError('depth= is 0 to 9');
  const prefix = options.prefix('sess_');
  const lifetime = options.seconds('lifetime', '1440');
  return {
    format: 'php',
    open: () => openFiles({ folder: path, depth: Number(depth), prefix, lifetime }),
  };
};

/** Sessions in the files of PHP's own handler (`mod_files.c`), read without its lock. `lifetime` in seconds, 0 for no end. */
function openFiles(settings: {
  folder: string;
  depth: number;
  prefix: string;
  lifetime: number;
}): SessionStore {
  const { folder, depth, prefix, lifetime } = settings;
  return {
    async get(id) {
      // `A-Za-z0-9,-` only, as the caller has checked: no id leads out of the folder.
      const path = join(folder, ...id.slice(0, depth), prefix + id);
      let file: FileHandle;
      try {
        file = await open(path, 'r');
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw unreadable(folder, error);
        await stat(folder).catch((cause: unknown) => {
          throw unreadable(folder, cause);
        });
        return null;
      }
      try {
        return await readWhole(file, lifetime);
      } catch (error) {
        throw error instanceof StoreError ? error : unreadable(folder, error);
      } finally {
        await file.close();
      }
    },
    close() {},
  };
}

/**
 * PHP cuts a file off and then writes it, so what was written to a moment ago may be half of a session, and half
 * of one may look like a logout. It is read until two readings agree.
 */
async function readWhole(file: FileHandle, lifetime: number): Promise<Buffer | null> {
  let earlier: Buffer | undefined;
  for (let n = 0; n < tries; n++) {
    const { mtimeMs, size } = await file.stat();
    const age = Date.now() - mtimeMs;
    // PHP leaves an expired file until it happens to collect it.
    if (lifetime > 0 && age > lifetime * 1000) return null;
    const buffer = Buffer.alloc(Math.min(size, maxBytes));
    const { bytesRead } = await file.read(buffer, 0, buffer.length, 0);
    const bytes = buffer.subarray(0, bytesRead);
    const after = await file.stat();
    if (after.mtimeMs === mtimeMs && after.size === size && (age > settled || earlier?.equals(bytes)))
      return bytes;
    earlier = bytes;
    await pause(betweenReadings);
  }
  throw new StoreError('a session file is being written again and again');
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

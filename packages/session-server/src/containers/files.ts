import { createHash, randomBytes } from 'node:crypto';
import {
  access,
  chmod,
  type FileHandle,
  mkdir,
  open,
  opendir,
  readdir,
  rename,
  rm,
  stat,
  unlink,
} from 'node:fs/promises';
import { join } from 'node:path';
import { claim } from './claim.ts';
import type { Container, ContainerOptions, Saved } from './container.ts';

/** HTTP_SessionServer used these names. */
const sessionFile = /^([A-Za-z0-9,_-]{1,128})\.txt$/;
/** The file of a running commit, or of a commit that a crash interrupted. */
const temporaryFile = /^[A-Za-z0-9,_-]{1,128}\.[0-9a-f]{16}\.tmp$/;
/** Longer than any commit. */
const maxTemporaryAgeMs = 3_600_000;
/** The revision and the lifetime at the end of a file. PHP's unserialize() ignores the trailer. */
const trailer = /\n#(\d{1,16}) (\d{1,10})\n$/;
const maxTrailerBytes = 40;
/** The year 2100, as the modification time of sessions that do not expire. */
const neverMs = 4_102_444_800_000;
/** Larger than any session that the settings allow. */
const maxBytes = 256 * 1024 * 1024;

/**
 * `file:PATH` has a file per session. A commit replaces the file by a rename, so readers and crashes never see a part of
 * it. The modification time of a file is the time at which its session expires.
 */
export async function filesContainer(
  folder: string,
  { lifetimeSeconds: defaultLifetime, logError }: ContainerOptions,
): Promise<Container> {
  await makePrivate(folder);
  const lock = claim(join(folder, '.lock'), folder);
  const directory = await open(folder, 'r');
  let count = 0;
  for (const name of await readdir(folder)) {
    if (temporaryFile.test(name)) await rm(join(folder, name), { force: true });
    else if (sessionFile.test(name)) count++;
  }
  const pathOf = (id: string) => join(folder, `${id}.txt`);
  const withFile = async <T>(id: string, work: (file: FileHandle) => Promise<T>): Promise<T | null> => {
    const file = await open(pathOf(id), 'r').catch(nullIfMissing);
    if (file === null) return null;
    try {
      return await work(file);
    } finally {
      await file.close();
    }
  };
  /** Makes renames and deletions survive a crash. */
  const syncNames = () => directory.sync().catch(logError);

  return {
    get count() {
      return count;
    },
    async open(id) {
      return withFile(id, async (file) => {
        const { mtimeMs, size } = await file.stat();
        if (size > maxBytes)
          throw new Error(`the file of a session has more than ${maxBytes} bytes, and was not read`);
        return parseFile(await file.readFile(), mtimeMs, defaultLifetime);
      });
    },
    async commit(id, { data, revision, lifetimeSeconds, expiresAt }) {
      const path = pathOf(id);
      const isNew = (await access(path).catch(nullIfMissing)) === null;
      const temporary = join(folder, `${id}.${randomBytes(8).toString('hex')}.tmp`);
      try {
        const file = await open(temporary, 'wx', 0o600);
        try {
          await file.writeFile(Buffer.concat([data, Buffer.from(`\n#${revision} ${lifetimeSeconds}\n`)]));
          const time = toFileTime(expiresAt);
          await file.utimes(time, time);
          await file.sync();
        } finally {
          await file.close();
        }
        await rename(temporary, path);
      } catch (error) {
        await rm(temporary, { force: true });
        throw error;
      }
      if (isNew) count++;
      await syncNames();
    },
    async touch(id, revision, expiresAt) {
      await withFile(id, async (file) => {
        const end = parseTrailer(await readEnd(file));
        // A file of HTTP_SessionServer has no trailer, so the session was not committed since it was opened.
        if (end !== null && end.revision !== revision) return;
        const time = toFileTime(end === null ? expiresAt - defaultLifetime * 1000 : expiresAt);
        // The handle is used, because a commit may have replaced the file at the path.
        await file.utimes(time, time);
      });
    },
    async destroy(id) {
      if ((await unlink(pathOf(id)).catch(nullIfMissing)) === null) return false;
      count--;
      await syncNames();
      return true;
    },
    async *expire(now) {
      for await (const { name } of await opendir(folder)) {
        const id = sessionFile.exec(name)?.[1];
        if (id === undefined && !temporaryFile.test(name)) continue;
        const path = join(folder, name);
        const mtime = (await stat(path).catch(nullIfMissing))?.mtimeMs ?? Number.POSITIVE_INFINITY;
        if (id !== undefined && mtime <= now) yield id;
        if (id === undefined && mtime + maxTemporaryAgeMs <= now) await rm(path, { force: true });
      }
    },
    async close() {
      await directory.close();
      lock.close();
    },
  };
}

/** Keeps other accounts from listing the folder, because the file names contain session IDs. */
async function makePrivate(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const { mode } = await stat(folder);
  if ((mode & 0o022) !== 0)
    throw new Error(`users other than its owner can write to ${folder}: use a folder of mode 700`);
  if ((mode & 0o077) !== 0) await chmod(folder, 0o700);
}

interface Trailer {
  revision: number;
  lifetime: number;
  bytes: number;
}

/** Parses the trailer of a session file. @returns null if the file was written by HTTP_SessionServer */
function parseTrailer(bytes: Buffer): Trailer | null {
  const match = trailer.exec(bytes.toString('latin1', Math.max(0, bytes.length - maxTrailerBytes)));
  return match && { revision: Number(match[1]), lifetime: Number(match[2]), bytes: match[0].length };
}

async function readEnd(file: FileHandle): Promise<Buffer> {
  const { size } = await file.stat();
  const position = Math.max(0, size - maxTrailerBytes);
  const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(maxTrailerBytes), position });
  return buffer.subarray(0, bytesRead);
}

function parseFile(bytes: Buffer, mtimeMs: number, defaultLifetime: number): Saved {
  const end = parseTrailer(bytes);
  if (end === null) {
    // In a file of HTTP_SessionServer, the time is the last use, and garbage may follow the values.
    return {
      data: bytes,
      // A hash, because the revision must change when the values change. It is lower than all revisions of this server.
      revision: createHash('sha256').update(bytes).digest().readUIntBE(0, 6),
      lifetimeSeconds: defaultLifetime,
      expiresAt: defaultLifetime === 0 ? Number.POSITIVE_INFINITY : mtimeMs + defaultLifetime * 1000,
    };
  }
  return {
    data: bytes.subarray(0, bytes.length - end.bytes),
    revision: end.revision,
    lifetimeSeconds: end.lifetime,
    expiresAt: end.lifetime === 0 ? Number.POSITIVE_INFINITY : mtimeMs,
  };
}

/** Returns the modification time in seconds. */
function toFileTime(expiresAt: number): number {
  return Math.min(expiresAt, neverMs) / 1000;
}

function nullIfMissing(error: NodeJS.ErrnoException): null {
  if (error.code !== 'ENOENT') throw error;
  return null;
}

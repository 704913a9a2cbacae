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
import { claim } from '../claim.ts';
import type { Container, ContainerOptions, Saved } from './container.ts';

/** `ID.txt`, the names that HTTP_SessionServer used. */
const sessionFile = /^([A-Za-z0-9,_-]{1,128})\.txt$/;
/** The file of a commit that is under way, or was cut off by a crash. */
const temporaryFile = /^[A-Za-z0-9,_-]{1,128}\.[0-9a-f]{16}\.tmp$/;
/** Milliseconds after which a temporary file is deleted: no commit takes so long. */
const temporaryFor = 3_600_000;
/** The end of a file, after the values: revision and lifetime. unserialize() ignores it. */
const trailer = /\n#(\d{1,16}) (\d{1,10})\n$/;
const trailerBytes = 40;
/** The year 2100: the time of the files of sessions that never expire. */
const never = 4_102_444_800_000;
/** Larger than any session may be. A larger file is not read into memory. */
const maxBytes = 256 * 1024 * 1024;

/**
 * `file:PATH`: one file per session. A commit writes a new file and renames it over the old one, so that a reader, or a
 * crash, always leaves one of the two. The modification time of a file is when its session expires.
 */
export async function filesContainer(
  folder: string,
  { lifetime, failed }: ContainerOptions,
): Promise<Container> {
  await makePrivate(folder);
  const claimed = claim(
    join(folder, '.lock'),
    `${folder} is in use by another session server: stop that one, or use another SESSION_SERVER_CONTAINER`,
  );
  const directory = await open(folder, 'r');
  let count = 0;
  for (const name of await readdir(folder)) {
    if (temporaryFile.test(name)) await rm(join(folder, name), { force: true });
    else if (sessionFile.test(name)) count++;
  }
  const pathOf = (id: string) => join(folder, `${id}.txt`);
  const withFile = async <T>(id: string, work: (file: FileHandle) => Promise<T>): Promise<T | null> => {
    const file = await open(pathOf(id), 'r').catch(missing);
    if (file === null) return null;
    try {
      return await work(file);
    } finally {
      await file.close();
    }
  };
  /** Until this is done, a crash may undo a rename or a deletion. If it fails, the change stays, and the log says so. */
  const syncNames = () => directory.sync().catch(failed);

  return {
    get count() {
      return count;
    },
    async open(id) {
      return withFile(id, async (file) => {
        const { mtimeMs, size } = await file.stat();
        if (size > maxBytes)
          throw new Error(`the file of a session has more than ${maxBytes} bytes, and was not read`);
        return savedOf(await file.readFile(), mtimeMs, lifetime);
      });
    },
    async commit(id, { data, revision, lifetime, expiresAt }) {
      const path = pathOf(id);
      const isNew = (await access(path).catch(missing)) === null;
      const temporary = join(folder, `${id}.${randomBytes(8).toString('hex')}.tmp`);
      try {
        const file = await open(temporary, 'wx', 0o600);
        try {
          await file.writeFile(Buffer.concat([data, Buffer.from(`\n#${revision} ${lifetime}\n`)]));
          const end = timeOf(expiresAt);
          await file.utimes(end, end);
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
        const tail = trailerIn(await tailOf(file));
        // A file of HTTP_SessionServer has no trailer, and was not committed since it was opened.
        if (tail !== null && tail.revision !== revision) return;
        const time = timeOf(tail === null ? expiresAt - lifetime * 1000 : expiresAt);
        // By the open file, not by its path: a commit may have put a new file there meanwhile.
        await file.utimes(time, time);
      });
    },
    async destroy(id) {
      if ((await unlink(pathOf(id)).catch(missing)) === null) return false;
      count--;
      await syncNames();
      return true;
    },
    async *expire(now) {
      for await (const { name } of await opendir(folder)) {
        const id = sessionFile.exec(name)?.[1];
        if (id === undefined && !temporaryFile.test(name)) continue;
        const path = join(folder, name);
        const mtime = (await stat(path).catch(missing))?.mtimeMs ?? Number.POSITIVE_INFINITY;
        if (id !== undefined && mtime <= now) yield id;
        if (id === undefined && mtime + temporaryFor <= now) await rm(path, { force: true });
      }
    },
    async close() {
      await directory.close();
      claimed.close();
    },
  };
}

/** The names of the files are the IDs, and anyone who knows an ID has the session. */
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

/** @returns null if the file was written by HTTP_SessionServer */
function trailerIn(bytes: Buffer): Trailer | null {
  const found = trailer.exec(bytes.toString('latin1', Math.max(0, bytes.length - trailerBytes)));
  return found && { revision: Number(found[1]), lifetime: Number(found[2]), bytes: found[0].length };
}

/** The end of the file, which holds the trailer. */
async function tailOf(file: FileHandle): Promise<Buffer> {
  const { size } = await file.stat();
  const position = Math.max(0, size - trailerBytes);
  const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(trailerBytes), position });
  return buffer.subarray(0, bytesRead);
}

function savedOf(bytes: Buffer, mtime: number, byDefault: number): Saved {
  const end = trailerIn(bytes);
  if (end === null) {
    // A file of HTTP_SessionServer: its time is that of the last use, and garbage may follow the values.
    return {
      data: bytes,
      // Differs for other values, and is below all revisions that come from the clock.
      revision: createHash('sha256').update(bytes).digest().readUIntBE(0, 6),
      lifetime: byDefault,
      expiresAt: byDefault === 0 ? Number.POSITIVE_INFINITY : mtime + byDefault * 1000,
    };
  }
  return {
    data: bytes.subarray(0, bytes.length - end.bytes),
    revision: end.revision,
    lifetime: end.lifetime,
    expiresAt: end.lifetime === 0 ? Number.POSITIVE_INFINITY : mtime,
  };
}

/** The time of a file in seconds. */
function timeOf(expiresAt: number): number {
  return Math.min(expiresAt, never) / 1000;
}

function missing(error: NodeJS.ErrnoException): null {
  if (error.code !== 'ENOENT') throw error;
  return null;
}

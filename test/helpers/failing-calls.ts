import disk, { promises as fs } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { DatabaseSync, StatementSync } from 'node:sqlite';
import { type DiskFault, type Next, recordBytes } from './disk-calls.ts';

/*
 * Import it before a program (`node --import`). It makes one call to files or SQLite fail, in any thread, as set in the
 * folder FAULTY_DISK. A real file system cannot do that without privileges.
 */
const folder = process.env.FAULTY_DISK ?? '';
const { existsSync, fstatSync, openSync, readFileSync, renameSync, writeFileSync, writeSync } = disk;
const counted = openSync(join(folder, 'calls'), 'a');
const next = join(folder, 'next');

/** Returns where in the program the call is: a source, or a line of a bundle. */
function placeOf({ stack = '' }: Error): string {
  return (
    /\/(?:session-)?server\/(\S+?\.ts):\d|\/([\w-]+\.mjs:\d+)/.exec(stack)?.slice(1).join('') ?? 'elsewhere'
  );
}

/** Counts a call. @returns its fault; undefined if it succeeds */
function faultOf(call: string, detail = ''): DiskFault | undefined {
  const name = `${call} at ${placeOf(new Error())}${detail}`;
  writeSync(
    counted,
    name
      .padEnd(recordBytes - 1)
      .slice(0, recordBytes - 1)
      .concat('\n'),
  );
  if (!existsSync(next)) return undefined;
  try {
    const { nth, name: only, fault } = JSON.parse(readFileSync(next, 'utf8')) as Next;
    const [begin = '', rest = ''] = only?.split('…') ?? [];
    const isMeant =
      only === undefined
        ? fstatSync(counted).size >= nth * recordBytes
        : name.startsWith(begin) && name.includes(rest);
    if (!isMeant) return undefined;
    // Only the first of several threads succeeds.
    renameSync(next, join(folder, 'failed'));
    writeFileSync(join(folder, 'failed'), name);
    if (fault === 'killed') process.kill(process.pid, 'SIGKILL');
    return fault;
  } catch {
    return undefined;
  }
}

const systemError = (fault: DiskFault, syscall: string) => {
  const code = fault === 'ENOSPC' ? 'ENOSPC' : 'EIO';
  return Object.assign(new Error(`${code}: injected, ${syscall}`), { code, syscall });
};

type Functions = Record<string, (...args: never[]) => unknown>;

function wrapAsync(object: object, names: readonly string[]): void {
  const functions = object as Functions;
  for (const name of names) {
    const real = functions[name] as (...args: never[]) => Promise<unknown>;
    functions[name] = async function (this: unknown, ...args: never[]) {
      const fault = faultOf(name);
      if (fault !== undefined && fault !== 'EIO, done') throw systemError(fault, name);
      const done = await real.apply(this, args);
      if (fault === undefined) return done;
      // The caller does not get the handle, so it cannot close it.
      if (name === 'open') await (done as { close(): Promise<void> }).close();
      throw systemError(fault, name);
    };
  }
}

function wrapSync(object: object, names: readonly string[]): void {
  const functions = object as Functions;
  for (const name of names) {
    const real = functions[name] as (...args: never[]) => unknown;
    functions[name] = function (this: unknown, ...args: never[]) {
      // Standard output and error are the log.
      if (typeof args[0] === 'number' && args[0] <= 2) return real.apply(this, args);
      const fault = faultOf(name);
      if (fault !== undefined && fault !== 'EIO, done') throw systemError(fault, name);
      const done = real.apply(this, args);
      if (fault !== undefined) throw systemError(fault, name);
      return done;
    };
  }
}

/** The database and the text of each statement. */
const statements = new WeakMap<object, { database: DatabaseSync; text: string }>();
const { prepare, exec } = DatabaseSync.prototype;
DatabaseSync.prototype.prepare = function (...args) {
  const statement = prepare.apply(this, args);
  statements.set(statement, { database: this, text: args[0] });
  return statement;
};

function wrapSqlite(object: object, names: readonly string[]): void {
  const functions = object as Functions;
  for (const name of names) {
    const real = functions[name] as (...args: never[]) => unknown;
    functions[name] = function (this: object, ...args: never[]) {
      const { database, text } =
        this instanceof DatabaseSync ? { database: this, text: `${args[0]}` } : (statements.get(this) ?? {});
      const what = name === 'exec' ? String(text) : name;
      // A rollback of SQLite does not touch the disk.
      const fault =
        what === 'ROLLBACK' ? undefined : faultOf(`SQLite: ${what.slice(0, 20)}`, `: ${text?.slice(0, 20)}`);
      if (fault === undefined) return real.apply(this, args);
      if (fault === 'EIO, done' && database?.isTransaction) exec.call(database, 'ROLLBACK');
      const [errcode, words] = fault === 'ENOSPC' ? [13, 'database or disk is full'] : [10, 'disk I/O error'];
      throw Object.assign(new Error(words), { code: 'ERR_SQLITE_ERROR', errcode, errstr: words });
    };
  }
}

const handle = await fs.open('/', 'r');
wrapAsync(Object.getPrototypeOf(handle), [
  ...['write', 'writeFile', 'sync', 'datasync', 'stat', 'utimes', 'read', 'readFile', 'close'],
]);
wrapAsync(fs, [
  ...['open', 'access', 'mkdir', 'rm', 'rename', 'stat', 'lstat', 'statfs', 'utimes', 'unlink'],
  ...['readdir', 'opendir'],
]);
wrapSync(disk, ['statfsSync', 'fstatSync', 'statSync', 'ftruncateSync', 'writeSync']);
wrapSqlite(DatabaseSync.prototype, ['exec']);
wrapSqlite(StatementSync.prototype, ['get', 'all', 'run', 'iterate']);
syncBuiltinESMExports();

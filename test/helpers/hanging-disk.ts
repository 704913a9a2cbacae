import { existsSync } from 'node:fs';
import { DatabaseSync, StatementSync } from 'node:sqlite';

/*
 * Import it before a program (`node --import`). While the file named by HANGING_DISK exists, its SQLite neither
 * responds nor fails, as on a hanging disk. A real file system cannot do that without privileges.
 */
const file = process.env.HANGING_DISK ?? '';
const waiting = new Int32Array(new SharedArrayBuffer(4));

function hangs<Method extends (...args: never[]) => unknown>(method: Method): Method {
  return function (this: unknown, ...args: Parameters<Method>) {
    while (existsSync(file)) Atomics.wait(waiting, 0, 0, 20);
    return method.apply(this, args);
  } as Method;
}

DatabaseSync.prototype.exec = hangs(DatabaseSync.prototype.exec);
StatementSync.prototype.get = hangs(StatementSync.prototype.get);
StatementSync.prototype.all = hangs(StatementSync.prototype.all);
StatementSync.prototype.iterate = hangs(StatementSync.prototype.iterate);

import { existsSync } from 'node:fs';
import { DatabaseSync, StatementSync } from 'node:sqlite';

/*
 * To be imported before a program (`node --import`): as long as the file that HANGING_DISK names exists, its SQLite
 * neither answers nor fails, as on a disk that hangs. There is no way to have that of a file system without privileges.
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

/** Delays each SQLite commit by 4 ms, as on a slow disk. Import it before a program (`node --import`). */
import { DatabaseSync } from 'node:sqlite';

const { exec } = DatabaseSync.prototype;
const waiting = new Int32Array(new SharedArrayBuffer(4));
DatabaseSync.prototype.exec = function (sql) {
  if (sql === 'COMMIT') Atomics.wait(waiting, 0, 0, 4);
  exec.call(this, sql);
};

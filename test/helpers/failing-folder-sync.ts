import { open } from 'node:fs/promises';

/*
 * Import it before a program (`node --import`). Its disk accepts everything, but syncing a folder fails, as on a
 * failing disk. A real file system cannot do that without privileges.
 */
const folder = await open('/', 'r');
const handles = Object.getPrototypeOf(folder);
await folder.close();
const { sync } = handles;
handles.sync = async function (this: typeof folder) {
  if (!(await this.stat()).isDirectory()) return sync.call(this);
  throw Object.assign(new Error('EIO: i/o error, fsync'), { code: 'EIO', syscall: 'fsync' });
};

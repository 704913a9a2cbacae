import { open } from 'node:fs/promises';

/*
 * To be imported before a program (`node --import`): its disk takes everything, but no folder can be synced any more,
 * as on a disk that begins to fail. There is no other way to have that of a file system without privileges.
 */
const folder = await open('/', 'r');
const handles = Object.getPrototypeOf(folder);
await folder.close();
const { sync } = handles;
handles.sync = async function (this: typeof folder) {
  if (!(await this.stat()).isDirectory()) return sync.call(this);
  throw Object.assign(new Error('EIO: i/o error, fsync'), { code: 'EIO', syscall: 'fsync' });
};

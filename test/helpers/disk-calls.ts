/**
 * `EIO`: the call has no effect. `EIO, done`: it takes effect but reports an error, like the sync of a folder on a
 * failing disk. With `EIO, done`, a call of SQLite has no effect either, and its transaction is rolled back. `ENOSPC`:
 * the disk is full for this call. `killed`: the program is killed at the call.
 */
export const diskFaults = ['EIO', 'ENOSPC', 'EIO, done'] as const;
export type DiskFault = (typeof diskFaults)[number] | 'killed';

/** The call that fails: the nth of all, or the next whose name begins with `name`. `…` in it matches any text. */
export interface Next {
  nth: number;
  name?: string;
  fault: DiskFault;
}

/** The file of recorded calls has one line of this many bytes per call, so its size counts the calls. */
export const recordBytes = 100;

/**
 * `EIO`: nothing was done. `EIO, done`: it was done, and fails all the same, as a folder that cannot be synced any more; of
 * SQLite, which never does that, the transaction is rolled back. `ENOSPC`: the disk is full for this once. `killed`: the
 * program ends there.
 */
export const diskFaults = ['EIO', 'ENOSPC', 'EIO, done'] as const;
export type DiskFault = (typeof diskFaults)[number] | 'killed';

/** Which call fails: the nth of all, or the next whose name begins so. */
export interface Next {
  nth: number;
  name?: string;
  fault: DiskFault;
}

/** Of the name of a call, in the file in which they are counted. */
export const recordBytes = 100;

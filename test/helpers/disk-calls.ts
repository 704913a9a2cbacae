/**
 * `EIO`: nothing was done. `EIO, done`: it was done but reports an error, like the sync of a folder on a failing disk;
 * a SQLite transaction is rolled back, since SQLite never does that. `ENOSPC`: the disk is full this once. `killed`:
 * the program ends there.
 */
export const diskFaults = ['EIO', 'ENOSPC', 'EIO, done'] as const;
export type DiskFault = (typeof diskFaults)[number] | 'killed';

/** The call that fails: the nth of all, or the next whose name begins with this text; `…` in it stands for anything. */
export interface Next {
  nth: number;
  name?: string;
  fault: DiskFault;
}

/** Bytes of a call's name in the file that counts the calls. */
export const recordBytes = 100;

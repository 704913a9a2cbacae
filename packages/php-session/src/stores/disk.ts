import { StoreError } from '../store.ts';
import { startDeadline } from './deadline.ts';
import { Semaphore } from './semaphore.ts';

/** Node has four threads for file operations by default. Each store uses at most two of them. */
const maxThreads = 2;

/** Runs a disk operation. @throws StoreError if the disk does not respond in time */
export type RunOnDisk = <T>(work: () => Promise<T>) => Promise<T>;

/**
 * Limits the operations on a disk. A disk that hangs, such as NFS, blocks a thread, and the operation cannot be
 * cancelled. While all threads are blocked, further operations fail at once.
 * @param timeoutMs the limit of one operation, without its wait for a thread
 * @param path the folder or file, for the error
 */
export function limitDiskWork(timeoutMs: number, path: string): RunOnDisk {
  const threads = new Semaphore(maxThreads);
  let hanging = 0;
  const timeoutError = () => new StoreError(`the disk with ${path} did not answer within ${timeoutMs} ms`);
  return async (work) => {
    if (hanging === maxThreads) throw timeoutError();
    await threads.acquire();
    return new Promise((resolve, reject) => {
      let hangs = false;
      const cancelDeadline = startDeadline(timeoutMs, () => {
        hangs = true;
        hanging++;
        reject(timeoutError());
        if (hanging === maxThreads) threads.rejectWaiters(timeoutError);
      });
      const release = () => {
        cancelDeadline();
        if (hangs) hanging--;
        threads.release();
      };
      work().finally(release).then(resolve, reject);
    });
  };
}

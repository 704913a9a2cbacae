import { StoreError } from '../store.ts';
import { startDeadline } from './deadline.ts';
import { Semaphore } from './semaphore.ts';

/** Node has four threads for file operations. The stores leave two of them to the rest of the process. */
const maxThreads = 2;

/** Runs one operation on the disk. @throws StoreError if the disk does not respond in time */
export type RunOnDisk = <T>(work: () => Promise<T>) => Promise<T>;

/**
 * Bounds the operations on a disk. A disk that hangs, such as NFS, blocks a thread, and nothing can cancel the
 * operation. While it blocks all threads, further operations fail at once.
 * @param timeoutMs of one operation, without the time in which it waits for a thread
 * @param path of the folder or file, for the error
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

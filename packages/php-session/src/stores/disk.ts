import { StoreError } from '../store.ts';
import { deadline } from './deadline.ts';
import { Semaphore } from './semaphore.ts';

/** Node has four threads for all work on files; the stores leave two of them to everything else. */
const mostThreads = 2;

/** Does one piece of work on the disk. @throws StoreError if the disk does not answer in time */
export type OnDisk = <T>(work: () => Promise<T>) => Promise<T>;

/**
 * Bounds the work on a disk. A disk that does not answer, such as one on NFS, holds a thread for as long as that
 * lasts, and nothing can end it. When it holds all threads, further work fails at once. The time that work waits for
 * a thread is not part of its timeout, since the work before it either ends or fails within its own.
 * @param timeout of one piece of work, in milliseconds
 * @param place the folder or file on the disk, for the error
 */
export function limitDiskWork(timeout: number, place: string): OnDisk {
  const threads = new Semaphore(mostThreads);
  let hanging = 0;
  const failure = () => new StoreError(`the disk with ${place} did not answer within ${timeout} ms`);
  return async (work) => {
    if (hanging === mostThreads) throw failure();
    await threads.acquire();
    return new Promise((resolve, reject) => {
      let hangs = false;
      const answered = deadline(timeout, () => {
        hangs = true;
        hanging++;
        reject(failure());
        if (hanging === mostThreads) threads.failWaiting(failure);
      });
      const done = () => {
        answered();
        if (hangs) hanging--;
        threads.release();
      };
      work().finally(done).then(resolve, reject);
    });
  };
}

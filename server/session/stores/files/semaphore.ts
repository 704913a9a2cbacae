import { type Deferred, deferred } from '../../deferred.ts';
import { StoreError } from '../../store.ts';
import { deadline } from '../deadline.ts';

/** Of the four threads that this process has for its files, so that some are left to all else. */
const most = 2;

/**
 * Bounds work on files, so much of it at a time. A disk that does not answer, on NFS say, keeps a thread for as long
 * as that lasts, and nothing can end it: once all turns are taken by such work, no more is begun. Waiting for a turn is
 * not in the time-out, since it is either for work that goes on, or fails with it.
 * @param timeout of one piece of work, in milliseconds
 * @param where for the failure
 * @returns what does a piece of work in its turn; throws StoreError when that is late
 */
export function turns(timeout: number, where: string): <T>(work: () => Promise<T>) => Promise<T> {
  const waiting: Deferred<void>[] = [];
  let taken = 0;
  let hanging = 0;
  const failure = () => new StoreError(`the disk with ${where} did not answer within ${timeout} ms`);

  function pass(): void {
    const next = waiting.shift();
    if (next === undefined) taken--;
    else next.resolve();
  }

  return async (work) => {
    if (hanging === most) throw failure();
    if (taken === most) {
      const turn = deferred<void>();
      waiting.push(turn);
      await turn.promise;
    } else taken++;
    const late = deferred<never>();
    let hangs = false;
    const answered = deadline(timeout, () => {
      hangs = true;
      hanging++;
      late.reject(failure());
      if (hanging === most) for (const turn of waiting.splice(0)) turn.reject(failure());
    });
    const done = work().finally(() => {
      answered();
      if (hangs) hanging--;
      pass();
    });
    return Promise.race([done, late.promise]);
  };
}

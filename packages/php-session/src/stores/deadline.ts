/** A deadline is cut into so many intervals, so that a hold-up of this process costs it one of them at most. */
const parts = 5;

/**
 * Calls `late` when an answer has not come within so many milliseconds of this process's running time. A busy or
 * paused machine can hold a process up for seconds, and its timers then fire before it reads an answer that arrived
 * long ago. The deadline therefore counts intervals, and waits one full turn of the event loop before its end, in
 * which everything that has arrived is read.
 * @returns the function to call when the answer has come
 */
export function deadline(milliseconds: number, late: () => void): () => void {
  let waiting = true;
  let passed = 0;
  const timer = setInterval(
    () => {
      if (++passed < parts) return;
      clearInterval(timer);
      setImmediate(() =>
        setImmediate(() => {
          if (waiting) late();
        }),
      );
    },
    Math.ceil(milliseconds / parts),
  );
  return () => {
    waiting = false;
    clearInterval(timer);
  };
}

/**
 * The outcome of `work`, or the failure `late` if that takes more than so many milliseconds.
 * @param signal ends the deadline; `work` may then take any time
 */
export function within<T>(
  milliseconds: number,
  work: Promise<T>,
  late: () => Error,
  signal?: AbortSignal,
): Promise<T> {
  return new Promise((resolve, reject) => {
    // Work that is late already still gets the turn of the event loop in which its answer may be read.
    const done = deadline(Math.max(0, milliseconds), () => reject(late()));
    signal?.addEventListener('abort', done);
    const ended = () => {
      done();
      signal?.removeEventListener('abort', done);
    };
    work.finally(ended).then(resolve, reject);
  });
}

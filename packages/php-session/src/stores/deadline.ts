/** The deadline is split into intervals, so that a stall of the process uses up at most one of them. */
const intervals = 5;

/**
 * Calls `onTimeout` unless the returned function is called within `timeoutMs`. A busy machine can stall a process for
 * seconds, and timers then fire before responses that arrived long ago are read. So the deadline counts intervals, and
 * waits for one turn of the event loop before it fires.
 * @returns a function that cancels the deadline
 */
export function startDeadline(timeoutMs: number, onTimeout: () => void): () => void {
  let active = true;
  let elapsed = 0;
  const timer = setInterval(
    () => {
      if (++elapsed < intervals) return;
      clearInterval(timer);
      setImmediate(() =>
        setImmediate(() => {
          if (active) onTimeout();
        }),
      );
    },
    Math.ceil(timeoutMs / intervals),
  );
  return () => {
    active = false;
    clearInterval(timer);
  };
}

/**
 * Returns the result of `work`, or rejects with `timeoutError` after `timeoutMs`.
 * @param signal cancels the deadline, not the work
 */
export function withTimeout<T>(
  timeoutMs: number,
  work: Promise<T>,
  timeoutError: () => Error,
  signal?: AbortSignal,
): Promise<T> {
  return new Promise((resolve, reject) => {
    // Even if no time is left, the response may be read in the next turn of the event loop.
    const cancel = startDeadline(Math.max(0, timeoutMs), () => reject(timeoutError()));
    signal?.addEventListener('abort', cancel);
    const settle = () => {
      cancel();
      signal?.removeEventListener('abort', cancel);
    };
    work.finally(settle).then(resolve, reject);
  });
}

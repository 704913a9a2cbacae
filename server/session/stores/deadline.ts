/** While this process is held up no time passes for a deadline, but for one of so many parts. */
const parts = 5;

/**
 * Calls `late` when an answer has not come within so many milliseconds in which this process ran. When it was held up,
 * as a busy or a paused machine does it for seconds, its timers fire before the answer is read that lies there already:
 * so there is time left then, and before the end everything is read, which takes a turn of the event loop from one end
 * to the other.
 * @returns to be called when the answer is there
 */
export function deadline(milliseconds: number, late: () => void): () => void {
  let waiting = true;
  let passed = 0;
  const timer = setInterval(() => {
    if (++passed < parts) return;
    clearInterval(timer);
    setImmediate(() =>
      setImmediate(() => {
        if (waiting) late();
      }),
    );
  }, milliseconds / parts);
  return () => {
    waiting = false;
    clearInterval(timer);
  };
}

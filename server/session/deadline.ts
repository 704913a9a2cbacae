/**
 * Calls `late` when an answer has not come within so many milliseconds.
 *
 * When this process was held up, a timer fires before the answer is read that lies there already: so first everything
 * is read, which takes a turn of the event loop from one end to the other.
 * @returns to be called when the answer is there
 */
export function deadline(milliseconds: number, late: () => void): () => void {
  let waiting = true;
  const timer = setTimeout(() => {
    setImmediate(() =>
      setImmediate(() => {
        if (waiting) late();
      }),
    );
  }, milliseconds);
  return () => {
    waiting = false;
    clearTimeout(timer);
  };
}

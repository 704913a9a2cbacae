/** Returns a function that runs tasks one at a time, such as the measurements of parallel tests. */
export function oneAtATime(): <T>(task: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (task) => {
    const own = last.then(task);
    last = own.catch(() => {});
    return own;
  };
}

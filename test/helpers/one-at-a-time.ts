/** Runs measurements one at a time, while parallel tests prepare or clean up. */
export function oneAtATime(): <T>(task: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (task) => {
    const own = last.then(task);
    last = own.catch(() => {});
    return own;
  };
}

/** Delay in ms before the first line appears. */
const after = 1000;
/** Minimum interval between updates, in ms. */
const every = 100;

/** Creates a line on the terminal that each update overwrites. No-op if stderr is not a terminal. */
export function progress(): { say(text: string): void; end(): void } {
  if (process.stderr.isTTY !== true) return { say() {}, end() {} };
  let next = performance.now() + after;
  let isShown = false;
  return {
    say(text) {
      if (performance.now() < next) return;
      next = performance.now() + every;
      isShown = true;
      process.stderr.write(`\r\x1b[2K${text}`);
    },
    end() {
      if (isShown) process.stderr.write('\r\x1b[2K');
    },
  };
}

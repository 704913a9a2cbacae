/** Milliseconds after which it is worth a line, and between two of them. */
const after = 1000;
const every = 100;

/** A line on the terminal that is written over again and again; nothing if no terminal looks on. */
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
